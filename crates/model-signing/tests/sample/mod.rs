//! One small bundle that has every field, for changing it in one place at a time.

use serde_json::{Value, json};

/// 32 bytes.
pub const HASH: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub fn sample() -> Value {
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": { "rawBytes": "MAA=" },
            "tlogEntries": [{
                "logIndex": "7",
                "logId": { "keyId": HASH },
                "kindVersion": { "kind": "hashedrekord", "version": "0.0.1" },
                "integratedTime": "1700000000",
                "inclusionPromise": { "signedEntryTimestamp": "AQID" },
                "inclusionProof": {
                    "logIndex": "3",
                    "rootHash": HASH,
                    "treeSize": "4",
                    "hashes": [HASH, HASH],
                    "checkpoint": { "envelope": "a note\n" }
                },
                "canonicalizedBody": "e30="
            }]
        },
        "messageSignature": { "messageDigest": { "algorithm": "SHA2_256", "digest": HASH }, "signature": "BAUG" }
    })
}

/// The sample with the value at `pointer` put in, or taken out.
pub fn with(pointer: &str, value: Option<Value>) -> Value {
    let mut sample = sample();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match (sample.pointer_mut(parent).unwrap(), value) {
        (Value::Object(members), Some(value)) => drop(members.insert(name.to_owned(), value)),
        (Value::Object(members), None) => drop(members.remove(name).unwrap()),
        (Value::Array(items), Some(value)) => {
            *items.get_mut(name.parse::<usize>().unwrap()).unwrap() = value;
        }
        _ => unreachable!("the parent of a value is an object or an array"),
    }
    sample
}
