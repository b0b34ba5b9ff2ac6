//! A signer, described in a sentence.

use crate::identity::{Key, KeyFormat, San, Signer};

/// The signer with its issuer. `names` are those of the signer, in the order in which they are shown.
pub(super) fn who(signer: &Signer, names: &[San]) -> String {
    match signer {
        Signer::Key(key) => {
            let mut who = named_key(key);
            if let Some(names) = listed(names) {
                who.push_str(", which calls itself ");
                who.push_str(&names);
                who.push(',');
            }
            who
        }
        Signer::Certificate(certificate) => {
            let mut who =
                listed(names).unwrap_or_else(|| "a certificate without a name".to_owned());
            if let Some(issuer) = certificate.issuer() {
                who.push_str(" (by ");
                who.push_str(issuer);
                who.push(')');
            }
            who
        }
    }
}

/// A signer whose names no CA certifies, and those names.
pub(super) fn claimant(signer: &Signer, names: &[San]) -> String {
    match signer {
        Signer::Certificate(_) => format!(
            "a certificate that no trusted CA vouches for claims to be {}",
            who(signer, names)
        ),
        Signer::Key(key) => format!(
            "{}, which no CA certifies, claims to be {}",
            named_key(key),
            listed(names).unwrap_or_else(|| "nothing".to_owned()),
        ),
    }
}

/// A key by the fingerprint that its owner uses.
fn named_key(key: &Key) -> String {
    match (key.format(), key.fingerprint()) {
        (KeyFormat::Pgp, Some(fingerprint)) => format!("the OpenPGP key {fingerprint}"),
        (KeyFormat::Ssh, Some(fingerprint)) => format!("the SSH key {fingerprint}"),
        _ => format!("the key {}", hex::encode(key.key_sha256())),
    }
}

fn listed(names: &[San]) -> Option<String> {
    let names: Vec<&str> = names.iter().map(|san| san.value.as_str()).collect();
    (!names.is_empty()).then(|| names.join(" and "))
}
