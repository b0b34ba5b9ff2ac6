//! The leaves of a signing in Rekor v2 (`rekor-tiles` pkg/types): canonical JSON (RFC 8785) of everything that the
//! client sent, and of nothing else. So they can be computed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::signed::Signed;
use crate::entry::Digest;
use crate::identity::{Certificate, KeyType};

/// The entries of Rekor v2 with this signing: `hashedrekord 0.0.2`, and for envelopes `dsse 0.0.2`, which logs accepted
/// until 2026.
pub(super) fn of_rekor_v2(signed: &Signed<'_>, certificate: &Certificate) -> Vec<Vec<u8>> {
    let Some(key_details) = key_details(signed.key) else {
        return Vec::new();
    };
    // Written directly, because each finding needs it: members are in the order of RFC 8785, and no value has a character that
    // JSON escapes.
    let signature = format!(
        r#"{{"content":"{}","verifier":{{"keyDetails":"{key_details}","x509Certificate":{{"rawBytes":"{}"}}}}}}"#,
        STANDARD.encode(signed.signature),
        STANDARD.encode(certificate.der()),
    );
    let mut leaves = Vec::new();
    if let Some(message) = signed.message {
        let data = hash_output(message);
        leaves.push(format!(
            r#"{{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{{"hashedRekordV002":{{"data":{data},"signature":{signature}}}}}}}"#
        ));
    }
    if let Some(payload) = signed.payload {
        let hash = hash_output(payload);
        leaves.push(format!(
            r#"{{"apiVersion":"0.0.2","kind":"dsse","spec":{{"dsseV002":{{"payloadHash":{hash},"signatures":[{signature}]}}}}}}"#
        ));
    }
    leaves.into_iter().map(String::into_bytes).collect()
}

fn hash_output(digest: Digest) -> String {
    format!(
        r#"{{"algorithm":"{}","digest":"{}"}}"#,
        digest.algorithm().proto_name(),
        STANDARD.encode(digest.bytes()),
    )
}

/// The algorithm of sigstore_common.proto that Sigstore's clients name for a key; other sizes of RSA have none.
fn key_details(key: KeyType) -> Option<&'static str> {
    match key {
        KeyType::P256 => Some("PKIX_ECDSA_P256_SHA_256"),
        KeyType::P384 => Some("PKIX_ECDSA_P384_SHA_384"),
        KeyType::P521 => Some("PKIX_ECDSA_P521_SHA_512"),
        KeyType::Ed25519 => Some("PKIX_ED25519"),
        KeyType::Rsa { bits: 2048 } => Some("PKIX_RSA_PKCS1V15_2048_SHA256"),
        KeyType::Rsa { bits: 3072 } => Some("PKIX_RSA_PKCS1V15_3072_SHA256"),
        KeyType::Rsa { bits: 4096 } => Some("PKIX_RSA_PKCS1V15_4096_SHA256"),
        KeyType::Rsa { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::HashAlgorithm;

    const BUNDLE: &[u8] =
        include_bytes!("../../../../tests/data/bundles/rekor-v2-hashedrekord-dsse.json");

    #[test]
    fn leaves_are_canonical_json_for_each_key_and_hash() {
        let bundle = model_signing::bundle::Bundle::parse(BUNDLE).expect("a bundle");
        let certificate = bundle.leaf_certificate().expect("a certificate").to_vec();
        let certificate = Certificate::parse(certificate).expect("a certificate");
        let keys = [
            KeyType::P256,
            KeyType::P384,
            KeyType::P521,
            KeyType::Ed25519,
        ];
        let rsa = [2048, 3072, 4096].map(|bits| KeyType::Rsa { bits });
        let hashes = [
            (HashAlgorithm::Sha256, 32),
            (HashAlgorithm::Sha384, 48),
            (HashAlgorithm::Sha512, 64),
        ];
        for key in keys.into_iter().chain(rsa) {
            for (algorithm, length) in hashes {
                let digest = Digest::new(algorithm, &vec![0xfb; length]);
                let signed = Signed {
                    message: digest,
                    payload: digest,
                    key,
                    signature: &[0xff, 0xef, 0x3e],
                };
                let leaves = of_rekor_v2(&signed, &certificate);
                assert_eq!(leaves.len(), 2);
                for leaf in leaves {
                    let read: serde_json::Value = serde_json::from_slice(&leaf).expect("JSON");
                    let canonical = serde_json_canonicalizer::to_vec(&read).expect("JSON");
                    assert_eq!(canonical, leaf);
                }
            }
        }
        let other = Signed {
            message: None,
            payload: None,
            key: KeyType::Rsa { bits: 1024 },
            signature: &[],
        };
        assert_eq!(of_rekor_v2(&other, &certificate), [[0; 0]; 0]);
    }
}
