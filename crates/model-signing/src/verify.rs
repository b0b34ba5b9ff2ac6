//! Verifying: the bytes of a signature file in, what was signed out.
//!
//! Nothing of the payload is read before its signature has been verified, except for the one word that identifies a
//! signature of version 0.2. The content of the payload, and whether the model is the described one, is checked
//! afterwards.

use std::fmt;
use std::str;

use serde::Deserialize;

use crate::bundle::{Bundle, BundleError, Content, MODEL_SIGNATURE_MEDIA_TYPE};
use crate::certificate::{self, ChainError, TrustStore, ValidAt};
use crate::dsse::{Envelope, IN_TOTO_PAYLOAD_TYPE};
use crate::key::{Curve, Hash, PublicKey};
use crate::timestamp::{Authorities, is_ahead};

/// How to verify.
#[doc(inline)]
pub use crate::certificate::Rules as Options;

/// Most bytes of a signature file: 512 MiB, which is enough for two million files.
pub const MAX_SIGNATURE_BYTES: usize = 512 << 20;

pub(crate) const MEDIA_TYPE: &str = MODEL_SIGNATURE_MEDIA_TYPE;

/// The predicate of version 0.2, whose signatures may be over another encoding.
const PREDICATE_OF_0_2: &str = "https://model_signing/Digests/v0.1";

/// Whom a signature must be by.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verifier {
    /// By this key.
    Key(PublicKey),
    /// By a certificate that leads to one of these.
    Certificates(TrustStore),
}

/// A remark about a valid signature.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The file does not name the key: it was written by a version before 1.1.
    NoHint,
    /// The signing certificate has no key usage.
    NoKeyUsage,
    /// Not all certificates of the chain are valid at present.
    NotValidNow {
        /// Whether they no longer are, or are not yet.
        expired: bool,
    },
    /// The signature is over the encoding that version 0.2 used, which is not that of DSSE.
    OldEncoding,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            // The words of the reference, which scripts may look for.
            Self::NoHint => {
                "This model's signature uses an older verification material format. Please re-sign with an updated signer to use a public key identifier hash."
            }
            Self::NoKeyUsage => "Certificate does not specify 'KeyUsage'.",
            Self::NotValidNow { expired: true } => {
                "a certificate of the chain has expired; nothing proves that the signature was made before"
            }
            Self::NotValidNow { expired: false } => "a certificate of the chain is not valid yet",
            Self::OldEncoding => {
                "the signature is over the encoding of version 0.2, which is not that of DSSE"
            }
        })
    }
}

/// What a signature file is signed with. Its `Display` is for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// A bare key.
    Key,
    /// A certificate and those that lead from it to a root.
    Certificate,
    /// An identity, certified by Sigstore and proven by a log.
    Identity,
    /// A single certificate without a log entry, with which nothing can be verified.
    Unlogged,
    /// A key or a certificate; which of them was not examined.
    KeyOrCertificate,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "a key",
            Self::Certificate => "a certificate",
            Self::Identity => "an identity of Sigstore",
            Self::Unlogged => {
                "a single certificate without a log entry, which is neither a certificate chain nor an identity of Sigstore"
            }
            Self::KeyOrCertificate => "a key or a certificate chain",
        })
    }
}

/// Why a signature file is not a signature by whom it must be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The file cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// It signs something else than an in-toto statement.
    #[error("the signature is over {found}, not over an in-toto statement")]
    NotAStatement {
        /// What it is over.
        found: String,
    },
    /// It has more signatures than one, and readers differ in which they look at.
    #[error("the envelope has {found} signatures, not one")]
    Signatures {
        /// How many it has.
        found: usize,
    },
    /// It is by a signer of another kind.
    #[error(
        "it is signed with {found}, and what was given to verify with is for signatures with {needed}"
    )]
    Method {
        /// What it is signed with.
        found: Method,
        /// What the verifier is for.
        needed: Method,
    },
    /// It names another key than the one that was given.
    #[error(
        "key mismatch: the signature names the key {found:?}, and the public key that was given is {needed}"
    )]
    Hint {
        /// The hint in the file, shortened.
        found: String,
        /// The hint of the key.
        needed: String,
    },
    /// Its certificates do not lead to one that is trusted.
    #[error("certificate chain: {0}")]
    Chain(#[from] ChainError),
    /// The signature is not by that key over that payload.
    #[error("the signature does not verify: it is not by {by} over this payload")]
    Signature {
        /// Whose signature it should have been.
        by: &'static str,
    },
    /// It is keyless, and one of the checks that this needs failed.
    #[cfg(feature = "sigstore")]
    #[error(transparent)]
    Keyless(crate::keyless_error::KeylessError),
    /// Strict: the signature is over the encoding of version 0.2.
    #[error("the signature is over the encoding of version 0.2, which is not that of DSSE")]
    OldEncoding,
}

/// A signature that has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// What was signed, byte for byte.
    pub payload: Vec<u8>,
    /// The key that it was signed with.
    pub key: PublicKey,
    /// The signature is over the encoding of version 0.2.
    pub legacy_pae: bool,
    /// Remarks about the signature.
    pub warnings: Vec<Warning>,
}

/// Reads a signature file and verifies its signature: [`SignatureFile::parse`] and [`SignatureFile::verify`].
///
/// # Errors
///
/// [`VerifyError`], which names the check that failed.
pub fn open(file: &[u8], verifier: &Verifier, options: &Options) -> Result<Opened, VerifyError> {
    SignatureFile::parse(file)?.verify(verifier, options)
}

/// The times of a signature that count, and those that do not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProvenTimes {
    /// By trusted authorities, in seconds of Unix time.
    pub times: Vec<i64>,
    /// Why the other timestamps do not count: they may be by authorities that the signer trusts.
    pub uncounted: Vec<String>,
}

/// A signature file that has been read. Nothing in it has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureFile {
    bundle: Bundle,
    /// It was written by any tool that attests, and not as the signature of a model.
    is_attestation: bool,
}

impl SignatureFile {
    /// Reads a signature file of at most [`MAX_SIGNATURE_BYTES`], written by any version of `model_signing` since 0.2.
    ///
    /// Fields that the format does not have, names that occur twice, base64 that is not canonical and other media
    /// types are refused.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Bundle`], [`VerifyError::NotAStatement`] and [`VerifyError::Signatures`].
    pub fn parse(file: &[u8]) -> Result<Self, VerifyError> {
        Self::from_bundle(Bundle::parse_model_signature(file, MAX_SIGNATURE_BYTES)?)
    }

    /// The signature file that holds this bundle, which was read from a file of another form. The reader of bundles is more
    /// tolerant than [`Self::parse`].
    ///
    /// # Errors
    ///
    /// [`VerifyError::NotAStatement`] and [`VerifyError::Signatures`].
    pub fn from_bundle(bundle: Bundle) -> Result<Self, VerifyError> {
        Self::checked(Self {
            bundle,
            is_attestation: false,
        })
    }

    /// As [`Self::from_bundle`], for an attestation, which any tool may have written. Therefore a hint at the key is not
    /// compared, because each tool computes it in its own way; a single certificate counts as a chain, because bundles
    /// since v0.3 have no field for a longer one; and only DSSE's encoding is verified.
    ///
    /// Log entries in the bundle are not examined.
    ///
    /// # Errors
    ///
    /// As [`Self::from_bundle`].
    pub fn from_attestation(bundle: Bundle) -> Result<Self, VerifyError> {
        Self::checked(Self {
            bundle,
            is_attestation: true,
        })
    }

    fn checked(signature: Self) -> Result<Self, VerifyError> {
        let envelope = signature.envelope()?;
        if envelope.payload_type != IN_TOTO_PAYLOAD_TYPE {
            let shown: String = envelope.payload_type.chars().take(80).collect();
            return Err(VerifyError::NotAStatement {
                found: format!("{shown:?}"),
            });
        }
        match envelope.signatures.len() {
            1 => Ok(signature),
            found => Err(VerifyError::Signatures { found }),
        }
    }

    /// The certificates in DER, the signer's own first; empty if it was signed with a bare key.
    pub fn certificates(&self) -> &[Vec<u8>] {
        self.bundle.certificates()
    }

    /// The signature itself, which timestamps are over. Not verified.
    pub fn signature(&self) -> &[u8] {
        let envelope = self.envelope().ok();
        let signature = envelope.and_then(|envelope| envelope.signatures.first());
        signature
            .map(|signature| &*signature.sig)
            .unwrap_or_default()
    }

    /// What was signed, byte for byte. Not verified.
    pub fn unverified_payload(&self) -> &[u8] {
        let envelope = self.envelope().ok();
        envelope
            .map(|envelope| &*envelope.payload)
            .unwrap_or_default()
    }

    /// The RFC 3161 timestamps over the signature, in DER: see [`crate::timestamp::Authorities::verify`]. Not verified.
    pub fn timestamps(&self) -> &[Vec<u8>] {
        self.bundle.timestamps()
    }

    /// The hint at the key that it was signed with.
    pub(crate) fn public_key_hint(&self) -> Option<&str> {
        self.bundle.public_key_hint()
    }

    /// When trusted authorities saw the signature. `now` is the present, in seconds of Unix time.
    pub fn proven_times(&self, authorities: &Authorities, now: i64) -> ProvenTimes {
        let mut proven = ProvenTimes::default();
        for token in self.timestamps() {
            match authorities.verify(token, self.signature()) {
                Ok(stamped) if !is_ahead(stamped.time, now) => {
                    proven.times.push(stamped.time);
                }
                Ok(_) => proven
                    .uncounted
                    .push("a timestamp is after this machine's time, and is ignored".to_owned()),
                Err(why) => proven
                    .uncounted
                    .push(format!("a timestamp counts for nothing: {why}")),
            }
        }
        proven
    }

    /// Verifies that the signature is by whom it must be. The payload is returned as it was signed.
    ///
    /// # Errors
    ///
    /// [`VerifyError`], which names the check that failed.
    pub fn verify(self, verifier: &Verifier, options: &Options) -> Result<Opened, VerifyError> {
        let mut warnings = Vec::new();
        let (key, old_hash, by) = match verifier {
            Verifier::Key(key) => {
                warnings.extend(self.check_hint(key)?);
                let old_hash = key.curve().map_or(Hash::Sha256, Curve::hash);
                (key.clone(), old_hash, "the public key")
            }
            Verifier::Certificates(store) => {
                let path = self.check_chain(store, options)?;
                if path.lacks_key_usage {
                    warnings.push(Warning::NoKeyUsage);
                }
                let (from, until) = path.validity;
                // A timestamp that proves when the signature was made leaves nothing to warn of.
                let is_proven = matches!(options.valid_at, ValidAt::Proven(_));
                if !is_proven && (options.now < from || options.now > until) {
                    let expired = options.now > until;
                    warnings.push(Warning::NotValidNow { expired });
                }
                // Version 0.2 hashed with SHA-256 for every curve, when it signed with certificates.
                (path.key, Hash::Sha256, "the key of the signing certificate")
            }
        };
        let envelope = self.envelope()?;
        let signature = envelope.signatures.first().map(|signature| &*signature.sig);
        let signature = signature.unwrap_or_default();
        let legacy_pae = if key.verify(&envelope.pae(), signature).is_ok() {
            false
        } else if !self.is_attestation
            && is_of_0_2(&envelope.payload)
            && key
                .verify_with(old_hash, &pae_of_0_2(&envelope.payload), signature)
                .is_ok()
        {
            true
        } else {
            return Err(VerifyError::Signature { by });
        };
        if legacy_pae {
            if options.strict {
                return Err(VerifyError::OldEncoding);
            }
            warnings.push(Warning::OldEncoding);
        }
        Ok(Opened {
            payload: self.bundle.into_payload().unwrap_or_default(),
            key,
            legacy_pae,
            warnings,
        })
    }

    fn envelope(&self) -> Result<&Envelope, VerifyError> {
        match self.bundle.content() {
            Content::Dsse(envelope) => Ok(envelope),
            Content::Message { .. } => Err(VerifyError::NotAStatement {
                found: "the digest of a file".to_owned(),
            }),
        }
    }

    #[cfg(feature = "sigstore")]
    pub(crate) fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The bundle that the file is.
    pub fn into_bundle(self) -> Bundle {
        self.bundle
    }

    pub(crate) fn method(&self) -> Method {
        match (self.certificates(), self.bundle.is_keyless()) {
            ([], _) => Method::Key,
            (_, true) if self.bundle.tlog_entries().is_empty() => Method::Unlogged,
            (_, true) => Method::Identity,
            (_, false) => Method::Certificate,
        }
    }

    fn check_hint(&self, key: &PublicKey) -> Result<Option<Warning>, VerifyError> {
        if self.method() != Method::Key {
            return Err(VerifyError::Method {
                found: self.method(),
                needed: Method::Key,
            });
        }
        if self.is_attestation {
            return Ok(None);
        }
        let needed = key.hint();
        match self.bundle.public_key_hint() {
            None => Ok(Some(Warning::NoHint)),
            Some(found) if found == needed => Ok(None),
            Some(found) => Err(VerifyError::Hint {
                found: found.chars().take(80).collect(),
                needed,
            }),
        }
    }

    fn check_chain(
        &self,
        store: &TrustStore,
        options: &Options,
    ) -> Result<certificate::Path, VerifyError> {
        let other = |found| VerifyError::Method {
            found,
            needed: Method::Certificate,
        };
        match self.certificates() {
            // Fulcio certifies everyone, so its root as the trusted one would accept an attestation by anyone.
            [leaf, ..] if self.is_attestation && certificate::is_of_fulcio(leaf)? => {
                Err(other(Method::Identity))
            }
            [leaf, others @ ..] if self.is_attestation || !self.bundle.is_keyless() => {
                Ok(certificate::walk(leaf, others, store, options)?)
            }
            _ => Err(other(self.method())),
        }
    }
}

/// Whether the statement claims version 0.2.
fn is_of_0_2(payload: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Statement {
        #[serde(rename = "predicateType")]
        predicate_type: String,
    }
    serde_json::from_slice::<Statement>(payload)
        .is_ok_and(|statement| statement.predicate_type == PREDICATE_OF_0_2)
}

/// What version 0.2 signed instead of the encoding of DSSE: Python's text for a `bytes` value got into it.
///
/// Python quotes with `"` if the text has `'` and no `"`, which JSON with a field cannot be.
fn pae_of_0_2(payload: &[u8]) -> Vec<u8> {
    let kind = IN_TOTO_PAYLOAD_TYPE;
    let mut pae = format!("DSSEV1 {} {kind} {} b'", kind.len(), payload.len()).into_bytes();
    for byte in payload {
        match byte {
            b'\\' => pae.extend(b"\\\\"),
            b'\'' => pae.extend(b"\\'"),
            b'\t' => pae.extend(b"\\t"),
            b'\n' => pae.extend(b"\\n"),
            b'\r' => pae.extend(b"\\r"),
            0x20..=0x7e => pae.push(*byte),
            other => pae.extend(format!("\\x{other:02x}").bytes()),
        }
    }
    pae.push(b'\'');
    pae
}
