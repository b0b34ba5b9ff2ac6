//! Keyless signatures made by a Sigstore of our own, right and wrong in each way, and what verifying says.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]
#![expect(clippy::cast_possible_truncation, reason = "lengths of test data")]

mod fake;
mod refused;
mod stamps;
mod verified;

use fake::{IDENTITY, ISSUER, NOW, Signing, Sigstore};
use model_signing::sigstore::{IdentityPattern, Policy, Requirement, Trust, Verified};
use model_signing::verify::{SignatureFile, VerifyError};
use serde_json::{Value, json};

/// A statement about a model of one file.
fn payload() -> Vec<u8> {
    let digest = fake::hex(&fake::sha256(b"weights"));
    let root = fake::hex(&fake::sha256(&fake::sha256(b"weights")));
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "falcon", "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": false},
            "resources": [{"name": "weights.bin", "algorithm": "sha256", "digest": digest}],
        },
    })
    .to_string()
    .into_bytes()
}

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
    assert_eq!(opened.payload, payload());
    Ok(opened.verified)
}

fn sign_and_open(sigstore: &Sigstore, signing: &Signing) -> Result<Verified, VerifyError> {
    let bundle = sigstore.sign(&payload(), signing);
    open(&bundle, &policy(), &trust(sigstore))
}
