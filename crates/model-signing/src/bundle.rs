//! Sigstore bundles: a signature together with what is needed to verify it, in one JSON file.
//!
//! This reader is for bundles by any signer: cosign, sigstore-python, sigstore-js, sigstore-go, `model_signing`. So it
//! is *tolerant* of what it does not use and *strict* in what it does:
//!
//! * It reads media types v0.1, v0.2 and v0.3 (both spellings) by the same rules. `model_signing` writes a certificate
//!   chain into v0.3 bundles, which the Sigstore specification forbids; it is read all the same.
//! * Unknown fields are ignored, and so is their content. (The reference implementation of model signing refuses
//!   unknown fields, and so does the reader of model signatures.)
//! * Null means absent, and integers may be strings or numbers, as in protobuf's JSON mapping. A zero may be
//!   left out there, so an absent `logIndex` is zero.
//! * What it reads must be unambiguous: base64 is canonical, integers are plain decimals from 0 to 2^63 - 1, hashes
//!   have 32 bytes, no list is longer than its limit, and no name that has a meaning occurs twice in its object, be
//!   it in camelCase and in snake_case. Two readers that differ on such a file could be shown two signings.
//!
//! Nothing here has been verified, neither a signature nor a certificate nor a proof: reading a bundle is not
//! believing it. Texts are as the file has them, control characters and all: escape them before showing them.

use crate::dsse::{Envelope, IN_TOTO_PAYLOAD_TYPE, MAX_JSON_BYTES, Signature};
use crate::json::{Document, Field, JsonError, Object};
use crate::timestamp::MAX_TIMESTAMPS;

mod collection;
mod names;
mod tlog;

pub use collection::{
    Collected, CollectedError, CollectionError, MAX_COLLECTED, is_json, read_collection,
};
pub use tlog::{InclusionProof, MAX_PROOF_HASHES, TlogEntry};

/// Most bytes of a bundle: 64 MiB.
pub const MAX_BUNDLE_BYTES: usize = MAX_JSON_BYTES;

/// Most certificates in a bundle. `model_signing` writes every certificate of the chain files that it is
/// given, which may be a system's whole trust store of some 150.
pub const MAX_CERTIFICATES: usize = 256;

/// Most log entries in a bundle: the limit of sigstore-go.
pub const MAX_TLOG_ENTRIES: usize = 32;

/// What every version of `model_signing` calls its files.
pub(crate) const MODEL_SIGNATURE_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

const MEDIA_TYPES: &[&str] = &[
    MODEL_SIGNATURE_MEDIA_TYPE,
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.1",
];

/// A Sigstore bundle as it was written, not verified.
///
/// ```
/// use model_signing::bundle::{Bundle, Content};
///
/// let bundle = Bundle::parse(br#"{
///     "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
///     "verificationMaterial": {"publicKey": {"hint": "release key"}, "tlogEntries": []},
///     "dsseEnvelope": {"payloadType": "text/plain", "payload": "aGVsbG8=", "signatures": [{"sig": "AAEC", "keyid": ""}]}
/// }"#)?;
/// assert_eq!(bundle.public_key_hint(), Some("release key"));
/// assert_eq!(bundle.leaf_certificate(), None);
/// assert!(matches!(bundle.content(), Content::Dsse(envelope) if envelope.payload == b"hello"));
///
/// let error = Bundle::parse(br#"{
///     "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
///     "verificationMaterial": {"publicKey": {}, "tlogEntries": [{"logIndex": "-1"}]}
/// }"#).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "not a Sigstore bundle: verificationMaterial.tlogEntries[0].logIndex is \"-1\", \
///      not an integer from 0 to 2^63 - 1 in plain decimal",
/// );
/// # Ok::<(), model_signing::bundle::BundleError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    media_type: &'static str,
    signer: Signer,
    tlog_entries: Vec<TlogEntry>,
    timestamps: Vec<Vec<u8>>,
    signed: Signed,
}

/// What a bundle holds: the signature, and what it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'b> {
    /// A payload and its type, signed together: attestations, model signatures.
    Dsse(&'b Envelope),
    /// A signature over a file that is not in the bundle.
    Message {
        /// The hash function of `digest`.
        digest_algorithm: DigestAlgorithm,
        /// The digest of the file; its length fits the algorithm. Only a claim until the signature verified against it.
        digest: &'b [u8],
        /// The signature over the file; not empty.
        signature: &'b [u8],
    },
}

/// A hash function that a bundle may name: `HashAlgorithm` of sigstore_common.proto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are self-explanatory")]
pub enum DigestAlgorithm {
    Sha2_256,
    Sha2_384,
    Sha2_512,
    Sha3_256,
    Sha3_384,
}

/// Why bytes are not a Sigstore bundle that this reader accepts.
#[derive(Debug, thiserror::Error)]
#[error("not a Sigstore bundle: {0}")]
pub struct BundleError(JsonError);

impl BundleError {
    /// Which rule was broken, and where.
    pub fn reason(&self) -> &JsonError {
        &self.0
    }
}

impl Bundle {
    /// Reads a bundle of at most [`MAX_BUNDLE_BYTES`] by the rules of this module. Verifies nothing.
    ///
    /// # Errors
    ///
    /// [`BundleError`], which names the field by its path, what it is, and what it should have been.
    pub fn parse(json: &[u8]) -> Result<Self, BundleError> {
        Document::parse(json, MAX_BUNDLE_BYTES)
            .and_then(|document| Self::read(&document.object()?))
            .map_err(BundleError)
    }

    /// Reads a model signature of at most `limit` bytes, as strictly as its own verifiers do: on top of the rules of
    /// this module, no field that is not the format's, none twice, and nothing but the newest media type unless the
    /// signature is keyless.
    pub(crate) fn parse_model_signature(json: &[u8], limit: usize) -> Result<Self, BundleError> {
        let read = || {
            let document = Document::parse(json, limit)?;
            let object = document.object()?;
            let media_type = object.required("mediaType")?;
            one_of_texts(&media_type, MEDIA_TYPES)?;
            document.check_names(&names::BUNDLE)?;
            let bundle = Self::read(&object)?;
            // Sigstore's clients have written several; with keys and chains there was never another one.
            if !bundle.is_keyless() {
                one_of_texts(&media_type, &[MODEL_SIGNATURE_MEDIA_TYPE])?;
            }
            Ok(bundle)
        };
        read().map_err(BundleError)
    }

    /// The media type, which contains the version of the format.
    pub fn media_type(&self) -> &str {
        self.media_type
    }

    /// The signature, and what it is over.
    pub fn content(&self) -> Content<'_> {
        match &self.signed {
            Signed::Dsse(envelope) => Content::Dsse(envelope),
            Signed::Message {
                digest_algorithm,
                digest,
                signature,
            } => Content::Message {
                digest_algorithm: *digest_algorithm,
                digest,
                signature,
            },
        }
    }

    /// The signer's certificate in DER; `None` if the bundle was signed with a bare key.
    pub fn leaf_certificate(&self) -> Option<&[u8]> {
        self.certificates().first().map(Vec::as_slice)
    }

    /// The certificates in DER, the signer's own first; empty if the bundle was signed with a bare key.
    ///
    /// The order of the others is the writer's, and none of them is a reason to trust another.
    pub fn certificates(&self) -> &[Vec<u8>] {
        match &self.signer {
            Signer::Certificates { certificates, .. } => certificates,
            Signer::PublicKey { .. } => &[],
        }
    }

    /// The name that the bundle gives to the bare key it was signed with: for looking the key up, and no evidence.
    ///
    /// `None` if it gives none, and if it has certificates.
    pub fn public_key_hint(&self) -> Option<&str> {
        match &self.signer {
            Signer::PublicKey { hint } => hint.as_deref(),
            Signer::Certificates { .. } => None,
        }
    }

    /// The log entries that the bundle names, none to [`MAX_TLOG_ENTRIES`].
    pub fn tlog_entries(&self) -> &[TlogEntry] {
        &self.tlog_entries
    }

    /// The RFC 3161 timestamps over the signature, in DER, none to [`MAX_TIMESTAMPS`]. Not verified.
    pub fn timestamps(&self) -> &[Vec<u8>] {
        &self.timestamps
    }

    /// Whether it has a certificate that Sigstore issued for one signing: it has a single certificate, as v0.3
    /// requires; or it is of an older version, which had a chain there, and has an entry of a log.
    pub fn is_keyless(&self) -> bool {
        match self.signer {
            Signer::Certificates {
                is_single: true, ..
            } => true,
            Signer::Certificates { .. } => {
                self.media_type != MODEL_SIGNATURE_MEDIA_TYPE && !self.tlog_entries.is_empty()
            }
            Signer::PublicKey { .. } => false,
        }
    }

    /// Whether the certificate is in the field for a single one.
    #[cfg(feature = "sigstore")]
    pub(crate) fn has_single_certificate(&self) -> bool {
        matches!(
            self.signer,
            Signer::Certificates {
                is_single: true,
                ..
            }
        )
    }

    /// The payload, if there is one: it may be large.
    pub(crate) fn into_payload(self) -> Option<Vec<u8>> {
        match self.signed {
            Signed::Dsse(envelope) => Some(envelope.payload),
            Signed::Message { .. } => None,
        }
    }

    fn read(document: &Object<'_>) -> Result<Self, JsonError> {
        // First: the error for another kind of file names that kind and nothing else.
        let media_type = document.required("mediaType")?;
        let media_type = one_of_texts(&media_type, MEDIA_TYPES)?;
        let material = document.required("verificationMaterial")?.object()?;
        Ok(Self {
            media_type,
            signer: Signer::read(&material)?,
            tlog_entries: match material.optional("tlogEntries")? {
                Some(entries) => tlog_entries(entries, 0)?,
                None => Vec::new(),
            },
            timestamps: timestamps(&material)?,
            signed: Signed::read(document)?,
        })
    }

    /// The bundle that an attestation of a Python package index corresponds to (PEP 740, "Attestation objects"): a
    /// certificate, the entries of Sigstore's bundles, and an in-toto statement with its signature. The envelope's
    /// payload type is not in the file; the specification fixes it.
    fn read_attestation(document: &Object<'_>) -> Result<Self, JsonError> {
        let version = document.required("version")?;
        if version.integer()? != 1 {
            return Err(version.unknown(&version.integer()?.to_string(), &["1"]));
        }
        let material = document.required("verificationMaterial")?.object()?;
        let envelope = document.required("envelope")?.object()?;
        Ok(Self {
            media_type: MODEL_SIGNATURE_MEDIA_TYPE,
            signer: Signer::Certificates {
                certificates: vec![material.required("certificate")?.bytes(1..=usize::MAX)?],
                is_single: true,
            },
            tlog_entries: tlog_entries(material.required("transparencyEntries")?, 1)?,
            timestamps: Vec::new(),
            signed: Signed::Dsse(Envelope {
                payload_type: IN_TOTO_PAYLOAD_TYPE.to_owned(),
                payload: envelope.required("statement")?.bytes(0..=usize::MAX)?,
                signatures: vec![Signature {
                    sig: envelope.required("signature")?.bytes(1..=usize::MAX)?,
                    keyid: None,
                }],
            }),
        })
    }
}

fn tlog_entries(field: Field<'_>, least: usize) -> Result<Vec<TlogEntry>, JsonError> {
    field
        .items(least..=MAX_TLOG_ENTRIES)?
        .map(|item| TlogEntry::read(&item.object()?))
        .collect()
}

fn timestamps(material: &Object<'_>) -> Result<Vec<Vec<u8>>, JsonError> {
    let Some(data) = material.optional("timestampVerificationData")? else {
        return Ok(Vec::new());
    };
    let Some(list) = data.object()?.optional("rfc3161Timestamps")? else {
        return Ok(Vec::new());
    };
    list.items(0..=MAX_TIMESTAMPS)?
        .map(|item| {
            item.object()?
                .required("signedTimestamp")?
                .bytes(1..=usize::MAX)
        })
        .collect()
}

impl DigestAlgorithm {
    const NAMES: &'static [&'static str] =
        &["SHA2_256", "SHA2_384", "SHA2_512", "SHA3_256", "SHA3_384"];

    /// The name in bundles and in the entries of Rekor v2: `SHA2_256`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha2_256 => "SHA2_256",
            Self::Sha2_384 => "SHA2_384",
            Self::Sha2_512 => "SHA2_512",
            Self::Sha3_256 => "SHA3_256",
            Self::Sha3_384 => "SHA3_384",
        }
    }

    /// How many bytes a digest has.
    pub fn digest_bytes(self) -> usize {
        match self {
            Self::Sha2_256 | Self::Sha3_256 => 32,
            Self::Sha2_384 | Self::Sha3_384 => 48,
            Self::Sha2_512 => 64,
        }
    }

    fn read(field: &Field<'_>) -> Result<Self, JsonError> {
        match field.text()? {
            "SHA2_256" => Ok(Self::Sha2_256),
            "SHA2_384" => Ok(Self::Sha2_384),
            "SHA2_512" => Ok(Self::Sha2_512),
            "SHA3_256" => Ok(Self::Sha3_256),
            "SHA3_384" => Ok(Self::Sha3_384),
            other => Err(field.unknown(other, Self::NAMES)),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Signer {
    /// At least one; `is_single` if it is in the field for a single one.
    Certificates {
        certificates: Vec<Vec<u8>>,
        is_single: bool,
    },
    PublicKey {
        hint: Option<String>,
    },
}

impl Signer {
    fn read(material: &Object<'_>) -> Result<Self, JsonError> {
        // The three are a oneof: with two of them, two readers could see two signers.
        let (name, field) =
            material.one_of(&["certificate", "x509CertificateChain", "publicKey"])?;
        let object = field.object()?;
        match name {
            "certificate" => Ok(Self::Certificates {
                certificates: vec![certificate(&object)?],
                is_single: true,
            }),
            "x509CertificateChain" => {
                let certificates = object
                    .required("certificates")?
                    .items(1..=MAX_CERTIFICATES)?;
                certificates
                    .map(|item| certificate(&item.object()?))
                    .collect::<Result<_, _>>()
                    .map(|certificates| Self::Certificates {
                        certificates,
                        is_single: false,
                    })
            }
            // Older `model_signing` wrote the key itself (`rawBytes`, `keyDetails`). A key that comes
            // along with its signature proves nothing; its own verifier ignores it as well.
            _ => Ok(Self::PublicKey {
                hint: match object.optional("hint")? {
                    Some(hint) => Some(hint.text()?)
                        .filter(|hint| !hint.is_empty())
                        .map(str::to_owned),
                    None => None,
                },
            }),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Signed {
    Dsse(Envelope),
    Message {
        digest_algorithm: DigestAlgorithm,
        digest: Vec<u8>,
        signature: Vec<u8>,
    },
}

impl Signed {
    fn read(document: &Object<'_>) -> Result<Self, JsonError> {
        let (name, field) = document.one_of(&["dsseEnvelope", "messageSignature"])?;
        let object = field.object()?;
        if name == "dsseEnvelope" {
            return Envelope::read(&object).map(Self::Dsse);
        }
        let message_digest = object.required("messageDigest")?.object()?;
        let digest_algorithm = DigestAlgorithm::read(&message_digest.required("algorithm")?)?;
        let digest_bytes = digest_algorithm.digest_bytes();
        Ok(Self::Message {
            digest_algorithm,
            digest: message_digest
                .required("digest")?
                .bytes(digest_bytes..=digest_bytes)?,
            signature: object.required("signature")?.bytes(1..=usize::MAX)?,
        })
    }
}

fn certificate(object: &Object<'_>) -> Result<Vec<u8>, JsonError> {
    object.required("rawBytes")?.bytes(1..=usize::MAX)
}

fn one_of_texts(
    field: &Field<'_>,
    known: &'static [&'static str],
) -> Result<&'static str, JsonError> {
    let text = field.text()?;
    known
        .iter()
        .find(|candidate| **candidate == text)
        .copied()
        .ok_or_else(|| field.unknown(text, known))
}
