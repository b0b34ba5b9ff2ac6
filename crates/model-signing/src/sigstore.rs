//! Keyless signatures: by a certificate that Sigstore issued for minutes to an identity, proven by a transparency log.
//!
//! The cryptography of Sigstore is that of the `sigstore-verify` crates. What they do not check, or not as strictly as a
//! model needs it, is checked here, before and after: the shape of the bundle, the log that an entry names, the hash of the
//! envelope in it, the validity of the authorities' own certificates, key usage, every name of the certificate, both of its
//! issuer extensions, and which timestamp authority counts.
//!
//! Nothing counts that was not verified: at least one log entry with its inclusion proof and its checkpoint, the embedded
//! certificate timestamp, and a time by the log or by a timestamp authority, at each of which the certificate was valid.
//! [`KeylessError`] names the check that failed.

mod attempt;
mod body;
mod bridge;
mod convert;
mod error;
mod identity;
mod policy;
mod token;
mod trust;

pub use attempt::{
    Artifact, LogEntry, Signer, TimeSource, Verified, VerifiedTime, verify, verify_bundle,
};
pub use error::{Check, KeylessError};
pub use identity::{Identity, Name, NameKind};
pub use policy::{IdentityPattern, PatternError, Policy, Requirement};
pub use token::{CertifiedName, DEFAULT_AUDIENCE, IdentityToken, MAX_TOKEN_BYTES, TokenError};
pub use trust::{Instance, MAX_TRUST_BYTES, Trust, TrustError};

use crate::bundle::{Bundle, Content};
use crate::dsse::IN_TOTO_PAYLOAD_TYPE;
use crate::json::excerpt;
use crate::verify::{SignatureFile, VerifyError};

/// A keyless signature over a statement that has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenedKeyless {
    /// What was signed, byte for byte.
    pub payload: Vec<u8>,
    /// By whom, when, and where it is logged.
    pub verified: Verified,
}

impl SignatureFile {
    /// Verifies that the signature was made by an identity that `policy` accepts, with what `trust` trusts. `now` is the
    /// present, in seconds of Unix time: no verified time may lie after it.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Method`] for a signature of another kind, and [`VerifyError::Keyless`], which names the check that
    /// failed.
    pub fn verify_keyless(
        &self,
        policy: &Policy,
        trust: &Trust,
        now: i64,
    ) -> Result<OpenedKeyless, VerifyError> {
        let found = self.method();
        let needed = "an identity of Sigstore";
        if found != needed {
            return Err(VerifyError::Method { found, needed });
        }
        open(self.bundle(), policy, trust, now)
    }
}

/// Verifies that an attestation, an in-toto statement of any predicate type, was signed by an identity that `policy`
/// accepts. Otherwise as [`SignatureFile::verify_keyless`]. What its subjects are is for the caller to check
/// ([`crate::attestation`]).
///
/// # Errors
///
/// [`VerifyError::NotAStatement`] for another payload, [`VerifyError::Method`] for a signature of another kind, and
/// [`VerifyError::Keyless`], which names the check that failed.
pub fn verify_attestation(
    bundle: &Bundle,
    policy: &Policy,
    trust: &Trust,
    now: i64,
) -> Result<OpenedKeyless, VerifyError> {
    let found = match bundle.content() {
        Content::Dsse(envelope) if envelope.payload_type == IN_TOTO_PAYLOAD_TYPE => None,
        Content::Dsse(envelope) => Some(format!("{:?}", excerpt(&envelope.payload_type))),
        Content::Message { .. } => Some("the digest of a file".to_owned()),
    };
    if let Some(found) = found {
        return Err(VerifyError::NotAStatement { found });
    }
    if !bundle.is_keyless() {
        return Err(VerifyError::Method {
            found: "a key or a certificate chain",
            needed: "an identity of Sigstore",
        });
    }
    open(bundle, policy, trust, now)
}

fn open(
    bundle: &Bundle,
    policy: &Policy,
    trust: &Trust,
    now: i64,
) -> Result<OpenedKeyless, VerifyError> {
    let signer = Signer::Identity(policy);
    let verified = verify_bundle(bundle, &Artifact::Statement, &signer, trust, now)
        .map_err(VerifyError::Keyless)?;
    let Content::Dsse(envelope) = bundle.content() else {
        unreachable!("a statement is in an envelope")
    };
    Ok(OpenedKeyless {
        payload: envelope.payload.clone(),
        verified,
    })
}
