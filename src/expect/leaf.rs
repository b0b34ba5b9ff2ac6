//! The leaves of a signing in Rekor v2 (`rekor-tiles` pkg/types): canonical JSON (RFC 8785) of everything that the
//! client sent, and of nothing else. So they can be computed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::signed::Signed;
use crate::entry::Digest;
use crate::identity::{Certificate, KeyType};

/// The entries of Rekor v2 with this signing: `hashedrekord 0.0.2`, and for envelopes `dsse 0.0.2`, which logs accepted
/// until 2026.
pub(super) fn of_rekor_v2(signed: &Signed<'_>, certificate: &Certificate) -> Vec<Vec<u8>> {
    let Some(key_details) = key_details(signed.key) else {
        return Vec::new();
    };
    let signature = json!({
        "content": STANDARD.encode(signed.signature),
        "verifier": {
            "keyDetails": key_details,
            "x509Certificate": { "rawBytes": STANDARD.encode(certificate.der()) },
        },
    });
    let mut leaves = Vec::new();
    if let Some(message) = signed.message {
        let spec =
            json!({ "hashedRekordV002": { "data": hash_output(message), "signature": signature } });
        leaves.push(leaf("hashedrekord", &spec));
    }
    if let Some(payload) = signed.payload {
        let spec = json!({ "dsseV002": { "payloadHash": hash_output(payload), "signatures": [signature] } });
        leaves.push(leaf("dsse", &spec));
    }
    leaves
}

fn leaf(kind: &str, spec: &Value) -> Vec<u8> {
    let entry = json!({ "apiVersion": "0.0.2", "kind": kind, "spec": spec });
    serde_json_canonicalizer::to_vec(&entry).expect("texts and objects can be written")
}

fn hash_output(digest: Digest) -> Value {
    json!({
        "algorithm": digest.algorithm().proto_name(),
        "digest": STANDARD.encode(digest.bytes()),
    })
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
