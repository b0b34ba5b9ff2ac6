//! Keyless signatures made by a Sigstore of our own, right and wrong in each way, and the verdict on each.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]
#![expect(clippy::cast_possible_truncation, reason = "lengths of test data")]

mod fake;
mod mixed;
mod refused;
mod stamps;
mod verified;

use fake::{IDENTITY, ISSUER, NOW, Signing, Sigstore};
use model_signing::sigstore::{IdentityPattern, Policy, Requirement, Trust, Verified};
use model_signing::verify::{SignatureFile, VerifyError};
use serde_json::Value;

fn policy() -> Policy {
    Policy {
        identity: IdentityPattern::exact(IDENTITY),
        issuer: ISSUER.to_owned(),
        require: Vec::new(),
    }
}

fn requirement(number: u64, name: &str, value: &str) -> Requirement {
    Requirement {
        number,
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

fn trust(sigstore: &Sigstore) -> Trust {
    trust_of(&sigstore.trusted_root())
}

fn trust_of(root: &Value) -> Trust {
    let trust = Trust::from_trusted_root(root.to_string().as_bytes()).unwrap();
    assert_eq!(trust.remarks(), [""; 0]);
    trust
}

fn open(bundle: &Value, policy: &Policy, trust: &Trust) -> Result<Verified, VerifyError> {
    let file = SignatureFile::parse(bundle.to_string().as_bytes())?;
    let opened = file.verify_keyless(policy, trust, NOW)?;
    assert_eq!(opened.payload, fake::payload());
    Ok(opened.verified)
}

fn sign_and_open(sigstore: &Sigstore, signing: &Signing) -> Result<Verified, VerifyError> {
    let bundle = sigstore.sign(&fake::payload(), signing);
    open(&bundle, &policy(), &trust(sigstore))
}
