//! Verifying a keyless signature.

use super::{Artifact, Policy, Signer, Trust, Verified, verify_bundle};
use crate::bundle::{Bundle, Content};
use crate::dsse::IN_TOTO_PAYLOAD_TYPE;
use crate::json::excerpt;
use crate::verify::{Method, SignatureFile, VerifyError};

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
    /// Verifies that the signature was made by an identity that `policy` accepts, under the trusted root `trust`. `now`
    /// is the present, in seconds of Unix time: no verified time may be after it.
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
        let needed = Method::Identity;
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
            found: Method::KeyOrCertificate,
            needed: Method::Identity,
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
