//! The logs: entries of Rekor v1 and v2 in a tree of three leaves, with proof, checkpoint and promise.

use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};

use super::{SIGNED_AT, base64, hex, sha256};

/// An entry, and what is wrong with it.
#[expect(clippy::struct_excessive_bools, reason = "each is a fault by itself")]
pub struct Entry {
    pub is_v2: bool,
    /// Seconds after the signing at which the log integrated it.
    pub integrated_after: i64,
    /// Changes the body before it is hashed.
    pub body: fn(&mut Value),
    /// The leaf in the tree is another one.
    pub not_in_tree: bool,
    /// The checkpoint is signed by another key, under the hint of the right one.
    pub forged_checkpoint: bool,
    /// The checkpoint is by this log, and is about another root.
    pub other_root: bool,
    /// The promise is by another key.
    pub forged_promise: bool,
    pub without_promise: bool,
    /// The envelope as the client sent it, for the hash in the entry.
    pub sent: fn(&Value) -> String,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            is_v2: false,
            integrated_after: 5,
            body: |_| (),
            not_in_tree: false,
            forged_checkpoint: false,
            other_root: false,
            forged_promise: false,
            without_promise: false,
            sent: Value::to_string,
        }
    }
}

pub struct Log {
    name: String,
    origin: String,
    key: KeyPair,
    id: [u8; 32],
}

impl Log {
    pub fn v1(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        Self {
            name: name.to_owned(),
            origin: format!("{name} - 1193050959916656506"),
            id: sha256(&key.subject_public_key_info()),
            key,
        }
    }

    pub fn v2(name: &str) -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let raw = key.public_key_raw();
        let id = sha256(&[name.as_bytes(), b"\n\x01", raw].concat());
        Self {
            name: name.to_owned(),
            origin: name.to_owned(),
            id,
            key,
        }
    }

    pub fn trusted(&self, period: &Value) -> Value {
        let is_v1 = self.name != self.origin;
        json!({
            "baseUrl": format!("https://{}", self.name),
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": base64(self.key.subject_public_key_info()),
                "keyDetails": if is_v1 { "PKIX_ECDSA_P256_SHA_256" } else { "PKIX_ED25519" },
                "validFor": period,
            },
            "logId": {"keyId": base64(self.id)},
        })
    }

    /// The id of its key, in hexadecimal.
    pub fn id(&self) -> String {
        hex(&self.id)
    }

    /// The signed note about a tree; by another key under the hint of the right one if it is forged.
    pub fn checkpoint(&self, size: usize, root: &[u8; 32], is_forged: bool) -> String {
        let note = format!("{}\n{size}\n{}\n", self.origin, base64(root));
        let signature = self.sign(note.as_bytes(), is_forged);
        let signed = [&self.id[..4], &signature].concat();
        format!("{note}\n\u{2014} {} {}\n", self.name, base64(signed))
    }

    /// The promise to include an entry (SET).
    pub fn promise(&self, body: &str, time: i64, index: u64, is_forged: bool) -> Vec<u8> {
        let promise = format!(
            "{{\"body\":\"{}\",\"integratedTime\":{time},\"logID\":\"{}\",\"logIndex\":{index}}}",
            base64(body),
            self.id()
        );
        self.sign(promise.as_bytes(), is_forged)
    }

    fn sign(&self, message: &[u8], is_forged: bool) -> Vec<u8> {
        if is_forged {
            let other = KeyPair::generate_for(self.key.algorithm()).unwrap();
            return other.sign(message).unwrap();
        }
        self.key.sign(message).unwrap()
    }

    /// The transparency log entry of a bundle.
    pub fn include(
        &self,
        entry: &Entry,
        envelope: &Value,
        payload: &[u8],
        pae: &[u8],
        signature: &[u8],
        certificate: &[u8],
    ) -> Value {
        let mut body = if entry.is_v2 {
            hashedrekord_v2(&sha256(pae), signature, certificate)
        } else {
            dsse_v1(&(entry.sent)(envelope), payload, signature, certificate)
        };
        (entry.body)(&mut body);
        // serde_json keeps members sorted, and writes no spaces: what the log's canonicalization gives.
        let text = body.to_string();
        let leaf = if entry.not_in_tree {
            leaf_hash(b"another entry")
        } else {
            leaf_hash(text.as_bytes())
        };
        let (first, last) = (leaf_hash(b"first"), leaf_hash(b"last"));
        let root = node(&node(&first, &leaf), &last);
        let signed_root = if entry.other_root {
            sha256(b"root")
        } else {
            root
        };
        let checkpoint = self.checkpoint(3, &signed_root, entry.forged_checkpoint);
        let version = if entry.is_v2 { "0.0.2" } else { "0.0.1" };
        let kind = if entry.is_v2 { "hashedrekord" } else { "dsse" };
        // Rekor v1 counts over all of its trees.
        let (log_index, tree_index) = if entry.is_v2 { (1, 1) } else { (1001, 1) };
        let mut logged = json!({
            "logIndex": log_index.to_string(),
            "logId": {"keyId": base64(self.id)},
            "kindVersion": {"kind": kind, "version": version},
            "inclusionProof": {
                "logIndex": tree_index.to_string(),
                "rootHash": base64(root),
                "treeSize": "3",
                "hashes": [base64(first), base64(last)],
                "checkpoint": {"envelope": checkpoint},
            },
            "canonicalizedBody": base64(&text),
        });
        if !entry.is_v2 {
            let time = SIGNED_AT + entry.integrated_after;
            logged["integratedTime"] = Value::from(time.to_string());
            let promise = self.promise(&text, time, log_index, entry.forged_promise);
            if !entry.without_promise {
                logged["inclusionPromise"] = json!({"signedEntryTimestamp": base64(promise)});
            }
        }
        logged
    }
}

pub fn dsse_v1(sent: &str, payload: &[u8], signature: &[u8], certificate: &[u8]) -> Value {
    json!({
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": {
            "envelopeHash": {"algorithm": "sha256", "value": hex(&sha256(sent.as_bytes()))},
            "payloadHash": {"algorithm": "sha256", "value": hex(&sha256(payload))},
            "signatures": [{
                "signature": base64(signature),
                "verifier": base64(pem(certificate)),
            }],
        },
    })
}

pub fn hashedrekord_v2(digest: &[u8], signature: &[u8], certificate: &[u8]) -> Value {
    json!({
        "apiVersion": "0.0.2",
        "kind": "hashedrekord",
        "spec": {"hashedRekordV002": {
            "data": {"algorithm": "SHA2_256", "digest": base64(digest)},
            "signature": {
                "content": base64(signature),
                "verifier": {
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "x509Certificate": {"rawBytes": base64(certificate)},
                },
            },
        }},
    })
}

pub fn pem(certificate: &[u8]) -> String {
    let text = base64(certificate);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..text.len().min(at + 64)])
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

pub fn leaf_hash(bytes: &[u8]) -> [u8; 32] {
    sha256(&[b"\0", bytes].concat())
}

pub fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    sha256(&[&b"\x01"[..], left, right].concat())
}
