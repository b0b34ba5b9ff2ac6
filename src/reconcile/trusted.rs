//! Does a bundle verify? All methods, by the code of `verify`, and what both readers of a keyless bundle have to agree on.

use model_signing::bundle::{Bundle, Content};
use model_signing::certificate::{TrustStore, ValidAt};
use model_signing::dsse::IN_TOTO_PAYLOAD_TYPE;
use model_signing::key::PublicKey;
use model_signing::sigstore::{self, Artifact, Trust, verify_bundle};
use model_signing::statement::Statement;
use model_signing::verify::{Options, SignatureFile, Verifier};
use tlog::leaf_hash;

use super::files::Strict;
use super::line::Kind;
use crate::expect::{self, Expectation};
use crate::identity::{self, KeyType, Signer};

/// How predicates of model signatures begin, in every version.
const MODEL_PREDICATES: &str = "https://model_signing/";

/// What bundles are verified with.
#[derive(Default)]
pub struct Trusted {
    /// The trusted root: keyless signatures, and timestamps.
    pub sigstore: Option<Trust>,
    /// Keys that may have signed.
    pub keys: Vec<PublicKey>,
    /// Roots that certificate chains may lead to.
    pub certificates: Option<TrustStore>,
    /// The present, in seconds of Unix time.
    pub now: i64,
    /// What agrees may be registered: then what was signed is read for it.
    pub registers: bool,
}

/// A bundle that verifies.
pub(super) struct Verified {
    /// Who signed.
    pub(super) signer: Option<Signer>,
    /// Who signed, for people.
    pub(super) who: String,
    /// Of a model signature: what was signed.
    pub(super) statement: Option<Statement>,
    /// The entries that it names, each proven by the bundle itself.
    pub(super) entries: Vec<NamedEntry>,
    /// The leaf hashes that an entry of this signing may have, hex.
    pub(super) leaves: Vec<String>,
    /// What would be registered; of a certificate's signature that is logged.
    pub(super) expectation: Option<Expectation>,
}

/// An entry that a bundle names.
pub(super) struct NamedEntry {
    /// The tree.
    pub(super) origin: String,
    /// The index within the tree.
    pub(super) tree_index: u64,
}

/// Why a bundle does not count.
pub(super) struct Refusal {
    pub(super) kind: Kind,
    pub(super) why: String,
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "an error or a text that its caller has no other use for"
)]
fn refusal(kind: Kind, why: impl ToString) -> Refusal {
    Refusal {
        kind,
        why: why.to_string(),
    }
}

impl Trusted {
    /// Verifies a bundle by the method that it is signed with. `strict`: if the bundle is a whole file, whether that is a model
    /// signature.
    pub(super) fn verify(
        &self,
        bundle: &Bundle,
        strict: Option<&Strict>,
    ) -> Result<Verified, Refusal> {
        let about = AnyStatement::of(bundle);
        let mut verified = if bundle.certificates().is_empty() {
            self.by_key(bundle, strict, &about)?
        } else if bundle.is_keyless() {
            self.by_identity(bundle, strict, &about)?
        } else {
            self.by_certificate(bundle, strict)?
        };
        verified.statement = statement(bundle, &about)?;
        Ok(verified)
    }

    /// By a certificate of Sigstore and an entry of a log.
    fn by_identity(
        &self,
        bundle: &Bundle,
        strict: Option<&Strict>,
        about: &AnyStatement,
    ) -> Result<Verified, Refusal> {
        let Some(trust) = &self.sigstore else {
            let why = "no trusted root is configured: whose certificate it is cannot be verified";
            return Err(refusal(Kind::NoTrust, why));
        };
        // Where nothing else verifies the signature.
        let require_signature = || match expect::of_bundle(bundle) {
            Ok(_) => Ok(()),
            Err(error) => Err(refusal(Kind::SignatureInvalid, error)),
        };
        if bundle.tlog_entries().is_empty() {
            require_signature()?;
            let why = "it names no entry of a log; verifiers refuse such a bundle";
            return Err(refusal(Kind::BundleWithoutEntry, why));
        }
        if about.is_model_signature() {
            // As strictly as `verify` reads it.
            if let Some(Err(why)) = strict {
                return Err(refusal(Kind::SignatureInvalid, why));
            }
        }
        let artifact = match artifact(bundle, about) {
            Ok(artifact) => artifact,
            Err(refused) => {
                require_signature()?;
                return Err(refused);
            }
        };
        let signer = sigstore::Signer::AnyIdentity;
        let verified = verify_bundle(bundle, &artifact, &signer, trust, self.now)
            .map_err(|error| refusal(Kind::SignatureInvalid, error))?;
        // The strict reader of certificates and entries: what explains a signing must be the same to every reader.
        let (expectation, certificate) = expect::of_verified(bundle, &verified, self.registers)
            .map_err(|error| refusal(Kind::SignatureInvalid, error))?;
        Ok(Verified {
            signer: Some(Signer::Certificate(Box::new(certificate))),
            who: expectation.who.clone(),
            statement: None,
            entries: named(&verified.entries),
            leaves: expectation.leaf_hashes.iter().map(hex::encode).collect(),
            expectation: Some(expectation),
        })
    }

    /// By a key.
    fn by_key(
        &self,
        bundle: &Bundle,
        strict: Option<&Strict>,
        about: &AnyStatement,
    ) -> Result<Verified, Refusal> {
        if self.keys.is_empty() {
            let hint = bundle.public_key_hint().unwrap_or("without a name");
            let hint: String = hint.chars().take(80).collect();
            let why = format!(
                "it is signed with a key ({hint}): --public-key names the keys that you trust"
            );
            return Err(refusal(Kind::NoTrust, why));
        }
        let mut last = None;
        for key in &self.keys {
            match self.by_this_key(bundle, strict, about, key) {
                Ok(verified) => return Ok(verified),
                Err(refused) => {
                    last.get_or_insert(refused);
                }
            }
        }
        match (last, self.keys.len()) {
            (Some(refused), 1) => Err(refused),
            (Some(Refusal { kind, .. }), _) => {
                let why = "it is by none of the keys of --public-key";
                Err(refusal(kind, why))
            }
            (None, _) => unreachable!("there is a key"),
        }
    }

    fn by_this_key(
        &self,
        bundle: &Bundle,
        strict: Option<&Strict>,
        about: &AnyStatement,
        key: &PublicKey,
    ) -> Result<Verified, Refusal> {
        let invalid = |why: &dyn std::fmt::Display| refusal(Kind::SignatureInvalid, why);
        match bundle.content() {
            Content::Dsse(_) => {
                let file = signature_file(bundle, strict)?;
                let verifier = Verifier::Key(key.clone());
                file.verify(&verifier, &self.options(Vec::new()))
                    .map_err(|error| invalid(&error))?;
            }
            Content::Message {
                digest, signature, ..
            } => {
                if let Some(hint) = bundle.public_key_hint().filter(|hint| !hint.is_empty())
                    && hint != key.hint()
                {
                    let hint: String = hint.chars().take(80).collect();
                    return Err(invalid(&format_args!(
                        "it names the key {hint:?}, which is not {}",
                        key.hint()
                    )));
                }
                // The same for every reader: the digest is of the hash that belongs to the key.
                let fits = KeyType::of(key.spki_der()).is_ok();
                let verified = identity::verify_digest(key.spki_der(), digest, signature);
                verified
                    .and(
                        fits.then_some(())
                            .ok_or(identity::SignatureError::UnsupportedKey),
                    )
                    .map_err(|error| invalid(&error))?;
            }
        }
        let mut verified = Verified {
            signer: None,
            who: format!("the key {}", key.hint()),
            statement: None,
            entries: Vec::new(),
            leaves: Vec::new(),
            expectation: None,
        };
        if bundle.tlog_entries().is_empty() {
            return Ok(verified);
        }
        // It was logged although its method needs no log: then its entries have to be of this signing.
        let Some(trust) = &self.sigstore else {
            let why = "it names an entry of a log, and no trusted root is configured";
            return Err(refusal(Kind::NoTrust, why));
        };
        let signer = sigstore::Signer::Key(key.spki_der());
        let logged = verify_bundle(bundle, &artifact(bundle, about)?, &signer, trust, self.now)
            .map_err(|error| invalid(&error))?;
        verified.entries = named(&logged.entries);
        verified.leaves = bundle
            .tlog_entries()
            .iter()
            .filter_map(|entry| entry.canonicalized_body.as_deref())
            .map(|body| leaf_hash(body).to_hex())
            .collect();
        Ok(verified)
    }

    /// By a certificate that leads to a root of the user.
    fn by_certificate(
        &self,
        bundle: &Bundle,
        strict: Option<&Strict>,
    ) -> Result<Verified, Refusal> {
        let Some(store) = &self.certificates else {
            let why = "it is signed with a certificate: --certificate-chain names the roots that you trust";
            return Err(refusal(Kind::NoTrust, why));
        };
        let file = signature_file(bundle, strict)?;
        let times = match &self.sigstore {
            Some(trust) => {
                let authorities = trust.timestamp_authorities();
                file.proven_times(authorities, self.now).times
            }
            None => Vec::new(),
        };
        file.verify(&Verifier::Certificates(store.clone()), &self.options(times))
            .map_err(|error| refusal(Kind::SignatureInvalid, error))?;
        let leaf = bundle.leaf_certificate().map(<[u8]>::to_vec);
        let who = leaf
            .and_then(|der| model_signing::certificate::Summary::of(&der).ok())
            .map_or_else(|| "a certificate".to_owned(), |summary| summary.subject);
        Ok(Verified {
            signer: None,
            who: format!("the certificate of {who}"),
            statement: None,
            entries: Vec::new(),
            leaves: Vec::new(),
            expectation: None,
        })
    }

    fn options(&self, times: Vec<i64>) -> Options {
        Options {
            now: self.now,
            valid_at: if times.is_empty() {
                ValidAt::Present
            } else {
                ValidAt::Proven(times)
            },
            strict: false,
        }
    }
}

/// The signature file of the commands `sign` and `verify`, read as strictly as they do where the file is there.
fn signature_file(bundle: &Bundle, strict: Option<&Strict>) -> Result<SignatureFile, Refusal> {
    if let Some(Err(why)) = strict {
        return Err(refusal(Kind::SignatureInvalid, why));
    }
    SignatureFile::from_bundle(bundle.clone())
        .map_err(|error| refusal(Kind::SignatureInvalid, error))
}

fn named(entries: &[sigstore::LogEntry]) -> Vec<NamedEntry> {
    let entries = entries.iter();
    entries
        .map(|entry| NamedEntry {
            origin: entry.origin.clone(),
            tree_index: entry.tree_index,
        })
        .collect()
}

/// What a bundle is about, for the verifier: it has to be something that the verifier can compare.
fn artifact(bundle: &Bundle, about: &AnyStatement) -> Result<Artifact<'static>, Refusal> {
    let unreadable = |why: &str| Err(refusal(Kind::Unreadable, why));
    match bundle.content() {
        Content::Dsse(envelope) if envelope.payload_type != IN_TOTO_PAYLOAD_TYPE => unreadable(
            "it signs something else than an in-toto statement, which is not verified here",
        ),
        Content::Dsse(_) if !about.has_sha256_subject() => unreadable(
            "no subject of its statement has a SHA-256 digest, without which it is not verified here",
        ),
        Content::Dsse(_) => Ok(Artifact::Statement),
        Content::Message { digest, .. } => match digest.try_into() {
            Ok(sha256) => Ok(Artifact::Sha256(sha256)),
            Err(_) => unreadable(
                "it signs a file by another digest than SHA-256, which is not verified here",
            ),
        },
    }
}

/// What an in-toto statement of any predicate is about; empty for all other content.
#[derive(Default, serde::Deserialize)]
struct AnyStatement {
    #[serde(rename = "predicateType", default)]
    predicate_type: String,
    #[serde(default)]
    subject: Vec<Subject>,
}

#[derive(serde::Deserialize)]
struct Subject {
    #[serde(default)]
    digest: std::collections::BTreeMap<String, String>,
}

impl AnyStatement {
    fn of(bundle: &Bundle) -> Self {
        match bundle.content() {
            Content::Dsse(envelope) => {
                serde_json::from_slice(&envelope.payload).unwrap_or_default()
            }
            Content::Message { .. } => Self::default(),
        }
    }

    fn has_sha256_subject(&self) -> bool {
        let mut subjects = self.subject.iter();
        subjects.any(|subject| subject.digest.contains_key("sha256"))
    }

    fn is_model_signature(&self) -> bool {
        self.predicate_type.starts_with(MODEL_PREDICATES)
    }
}

/// Of a model signature, what was signed.
fn statement(bundle: &Bundle, about: &AnyStatement) -> Result<Option<Statement>, Refusal> {
    let Content::Dsse(envelope) = bundle.content() else {
        return Ok(None);
    };
    if !about.is_model_signature() {
        return Ok(None);
    }
    Statement::parse(&envelope.payload)
        .map(Some)
        .map_err(|error| refusal(Kind::SignatureInvalid, error))
}
