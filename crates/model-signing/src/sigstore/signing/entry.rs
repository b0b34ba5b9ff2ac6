//! Entries of Rekor: what is sent to a log, and the entry in its answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::key::pem;
use crate::bundle::{InclusionProof, MAX_PROOF_HASHES, TlogEntry};
use crate::dsse::{self, IN_TOTO_PAYLOAD_TYPE};
use crate::hash::{Algorithm, Hasher};
use crate::json::{Document, JsonError};
use crate::sigstore::trust::Trust;

/// Longest answer of a log that is read: 1 MiB. With the certificate, the proof and a few witnesses it has 20 KiB.
pub(super) const MAX_ANSWER_BYTES: usize = 1 << 20;

/// The key of every certificate here, as sigstore_common.proto names it.
const KEY_DETAILS: &str = "PKIX_ECDSA_P256_SHA_256";

/// A request for an entry (`POST`, JSON).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogRequest {
    /// Where, below the address of the log.
    pub path: &'static str,
    /// The body.
    pub body: String,
}

/// Why a log's answer has no entry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// It is not what such a log answers.
    #[error("the answer of the log cannot be read: {0}")]
    Format(String),
    /// A field of it is not as it should be.
    #[error("the answer of the log: {0}")]
    Field(#[from] JsonError),
}

impl LogRequest {
    /// Longest answer that is read, in bytes.
    pub const MAX_ANSWER_BYTES: usize = MAX_ANSWER_BYTES;
}

/// The envelope as JSON, in the form whose hash a `dsse` entry has.
pub(super) fn envelope(payload: &[u8], signature: &[u8]) -> String {
    let mut text = String::with_capacity(payload.len() / 3 * 4 + 512);
    text.push_str("{\"payload\":\"");
    STANDARD.encode_string(payload, &mut text);
    text.push_str("\",\"payloadType\":\"");
    text.push_str(IN_TOTO_PAYLOAD_TYPE);
    text.push_str("\",\"signatures\":[{\"sig\":\"");
    STANDARD.encode_string(signature, &mut text);
    text.push_str("\"}]}");
    text
}

/// Rekor v1: `dsse` 0.0.1 with the whole envelope, of which the log keeps the hashes.
pub(super) fn request_v1(payload: &[u8], signature: &[u8], certificate: &[u8]) -> LogRequest {
    let body = json!({
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": {"proposedContent": {
            "envelope": envelope(payload, signature),
            "verifiers": [STANDARD.encode(pem("CERTIFICATE", certificate))],
        }},
    });
    LogRequest {
        path: "api/v1/log/entries",
        body: body.to_string(),
    }
}

/// Rekor v2: `hashedrekord` 0.0.2 with the digest of what the signature is over. (Versions of Rekor v2 before 2.3 had a
/// `dsse` 0.0.2 as well, which no verifier has to know.)
pub(super) fn request_v2(payload: &[u8], signature: &[u8], certificate: &[u8]) -> LogRequest {
    let body = json!({"hashedRekordRequestV002": {
        "digest": digest(payload),
        "signature": signed(signature, certificate),
    }});
    LogRequest {
        path: "api/v2/log/entries",
        body: body.to_string(),
    }
}

/// The entry as a Rekor v2 log hashes it: canonical JSON (RFC 8785), which is what `serde_json` writes of sorted names and
/// ASCII text.
pub(super) fn body_v2(payload: &[u8], signature: &[u8], certificate: &[u8]) -> Vec<u8> {
    let body = json!({
        "apiVersion": "0.0.2",
        "kind": "hashedrekord",
        "spec": {"hashedRekordV002": {
            "data": {"algorithm": "SHA2_256", "digest": digest(payload)},
            "signature": signed(signature, certificate),
        }},
    });
    body.to_string().into_bytes()
}

fn signed(signature: &[u8], certificate: &[u8]) -> Value {
    json!({
        "content": STANDARD.encode(signature),
        "verifier": {
            "keyDetails": KEY_DETAILS,
            "x509Certificate": {"rawBytes": STANDARD.encode(certificate)},
        },
    })
}

/// SHA-256 of the encoding that is signed, in base64.
fn digest(payload: &[u8]) -> String {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(&dsse::pae(IN_TOTO_PAYLOAD_TYPE, payload));
    STANDARD.encode(hasher.finish().as_bytes())
}

/// The entry in Rekor v1's answer, an object with a member for each entry, of which there is one; or a list of such objects.
pub(super) fn of_v1(answer: &[u8]) -> Result<TlogEntry, AnswerError> {
    #[derive(Deserialize)]
    struct Entry {
        body: String,
        #[serde(rename = "integratedTime")]
        integrated_time: i64,
        #[serde(rename = "logID")]
        log_id: String,
        #[serde(rename = "logIndex")]
        log_index: u64,
        verification: Verification,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Verification {
        inclusion_proof: Proof,
        signed_entry_timestamp: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Proof {
        checkpoint: String,
        hashes: Vec<String>,
        log_index: u64,
        root_hash: String,
        tree_size: u64,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kind {
        kind: String,
        api_version: String,
    }
    let unreadable = |error: serde_json::Error| AnswerError::Format(error.to_string());
    let bad = |what: &str| AnswerError::Format(what.to_owned());
    let mut answer: Value = serde_json::from_slice(answer).map_err(unreadable)?;
    if let Value::Array(entries) = &mut answer {
        answer = entries.pop().unwrap_or_default();
    }
    let Value::Object(entries) = answer else {
        return Err(bad("not an object with an entry"));
    };
    let mut entries = entries.into_iter();
    let (Some((_, entry)), None) = (entries.next(), entries.next()) else {
        return Err(bad("not one entry"));
    };
    let entry: Entry = serde_json::from_value(entry).map_err(unreadable)?;
    let decoded = |text: &str, what: &str| {
        STANDARD
            .decode(text)
            .map_err(|_| bad(&format!("{what} is not base64")))
    };
    let body = decoded(&entry.body, "body")?;
    let kind: Kind = serde_json::from_slice(&body).map_err(unreadable)?;
    let proof = entry.verification.inclusion_proof;
    if proof.hashes.len() > MAX_PROOF_HASHES {
        return Err(bad("the inclusion proof has too many hashes"));
    }
    let hash = |text: &String| {
        hex(text).ok_or_else(|| bad("a hash of the inclusion proof is not 64 hexadecimal digits"))
    };
    let log_id = hex(&entry.log_id).ok_or_else(|| bad("logID is not 64 hexadecimal digits"))?;
    Ok(TlogEntry {
        log_index: entry.log_index,
        log_id: log_id.to_vec(),
        kind: kind.kind,
        version: kind.api_version,
        integrated_time: Some(entry.integrated_time),
        canonicalized_body: Some(body),
        inclusion_proof: Some(InclusionProof {
            log_index: proof.log_index,
            root_hash: hash(&proof.root_hash)?,
            tree_size: proof.tree_size,
            hashes: proof.hashes.iter().map(hash).collect::<Result<_, _>>()?,
            checkpoint: Some(proof.checkpoint),
        }),
        inclusion_promise: Some(decoded(
            &entry.verification.signed_entry_timestamp,
            "signedEntryTimestamp",
        )?),
    })
}

/// The entry in Rekor v2's answer, which is as bundles have it.
pub(super) fn of_v2(answer: &[u8]) -> Result<TlogEntry, AnswerError> {
    let document = Document::parse(answer, MAX_ANSWER_BYTES)?;
    Ok(TlogEntry::read(&document.object()?)?)
}

/// An entry of Rekor v2 that is put together from the tree. Nothing is verified, neither the checkpoint nor the hashes.
pub(super) fn of_tree(
    body: Vec<u8>,
    index: u64,
    checkpoint: &str,
    hashes: Vec<[u8; 32]>,
    trust: &Trust,
) -> Result<TlogEntry, AnswerError> {
    let bad = || AnswerError::Format("it is no checkpoint of a tree with the entry".to_owned());
    let mut lines = checkpoint.lines();
    let origin = lines.next().ok_or_else(bad)?;
    let size: u64 = lines
        .next()
        .and_then(|size| size.parse().ok())
        .ok_or_else(bad)?;
    let root = lines.next().and_then(|root| STANDARD.decode(root).ok());
    let root: [u8; 32] = root.and_then(|root| root.try_into().ok()).ok_or_else(bad)?;
    // The line of the log itself: witnesses have signed with other names.
    let signature = lines.find_map(|line| {
        line.strip_prefix("\u{2014} ")?
            .strip_prefix(origin)?
            .strip_prefix(' ')
    });
    let signature = signature.and_then(|text| STANDARD.decode(text).ok());
    let key = signature
        .as_deref()
        .and_then(|bytes| bytes.first_chunk::<4>());
    let key = key.ok_or_else(bad)?;
    Ok(TlogEntry {
        log_index: index,
        log_id: trust.log_id(*key),
        kind: "hashedrekord".to_owned(),
        version: "0.0.2".to_owned(),
        integrated_time: None,
        canonicalized_body: Some(body),
        inclusion_proof: Some(InclusionProof {
            log_index: index,
            root_hash: root,
            tree_size: size,
            hashes,
            checkpoint: Some(checkpoint.to_owned()),
        }),
        inclusion_promise: None,
    })
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        // from_str_radix takes a sign.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}

/// An entry as bundles have it, with the order of fields of the reference.
pub(super) fn to_json(entry: &TlogEntry) -> String {
    let member = |name: &str, value: Value| format!("\"{name}\":{value}");
    let base64 = |bytes: &[u8]| Value::from(STANDARD.encode(bytes));
    let object = |members: Vec<String>| format!("{{{}}}", members.join(","));
    let mut members = vec![
        member("logIndex", Value::from(entry.log_index.to_string())),
        format!(
            "\"logId\":{}",
            object(vec![member("keyId", base64(&entry.log_id))])
        ),
        format!(
            "\"kindVersion\":{}",
            object(vec![
                member("kind", Value::from(entry.kind.as_str())),
                member("version", Value::from(entry.version.as_str())),
            ])
        ),
    ];
    if let Some(time) = entry.integrated_time {
        members.push(member("integratedTime", Value::from(time.to_string())));
    }
    if let Some(promise) = &entry.inclusion_promise {
        let promise = member("signedEntryTimestamp", base64(promise));
        members.push(format!("\"inclusionPromise\":{}", object(vec![promise])));
    }
    if let Some(proof) = &entry.inclusion_proof {
        let hashes = proof.hashes.iter().map(|hash| base64(hash));
        let mut fields = vec![
            member("logIndex", Value::from(proof.log_index.to_string())),
            member("rootHash", base64(&proof.root_hash)),
            member("treeSize", Value::from(proof.tree_size.to_string())),
            member("hashes", hashes.collect::<Vec<_>>().into()),
        ];
        if let Some(checkpoint) = &proof.checkpoint {
            let envelope = member("envelope", Value::from(checkpoint.as_str()));
            fields.push(format!("\"checkpoint\":{}", object(vec![envelope])));
        }
        members.push(format!("\"inclusionProof\":{}", object(fields)));
    }
    if let Some(body) = &entry.canonicalized_body {
        members.push(member("canonicalizedBody", base64(body)));
    }
    object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_answer_of_a_log_is_refused_with_the_reason() {
        let entry = |change: &dyn Fn(&mut Value)| {
            let mut entry = json!({
                "body": STANDARD.encode(r#"{"kind":"dsse","apiVersion":"0.0.1"}"#),
                "integratedTime": 1_700_000_000,
                "logID": "00".repeat(32),
                "logIndex": 7,
                "verification": {
                    "inclusionProof": {
                        "checkpoint": "note", "hashes": ["11".repeat(32)], "logIndex": 3,
                        "rootHash": "22".repeat(32), "treeSize": 4,
                    },
                    "signedEntryTimestamp": "AAEC",
                },
            });
            change(&mut entry);
            json!({"uuid": entry})
        };
        let good = entry(&|_| ());
        let read = of_v1(good.to_string().as_bytes()).expect("an entry");
        assert_eq!((read.log_index, read.kind.as_str()), (7, "dsse"));
        let listed = of_v1(json!([good]).to_string().as_bytes()).expect("an entry");
        assert_eq!(listed, read);
        let proof = |name: &'static str, value: Value| {
            entry(&move |entry| {
                entry["verification"]["inclusionProof"][name] = value.clone();
            })
        };
        for (answer, said) in [
            (json!([]), "not an object with an entry"),
            (json!({}), "not one entry"),
            (
                json!({"a": good["uuid"], "b": good["uuid"]}),
                "not one entry",
            ),
            (
                entry(&|entry| entry["verification"] = json!({})),
                "inclusionProof",
            ),
            (
                entry(&|entry| entry["body"] = json!("*")),
                "body is not base64",
            ),
            (entry(&|entry| entry["body"] = json!("e30=")), "kind"),
            (entry(&|entry| entry["logID"] = json!("00")), "logID is not"),
            (
                proof("rootHash", json!("+1".repeat(32))),
                "a hash of the inclusion proof",
            ),
            (
                proof("hashes", json!(["zz"])),
                "a hash of the inclusion proof",
            ),
            (
                proof("hashes", json!(vec!["00".repeat(32); 64])),
                "too many hashes",
            ),
            (proof("treeSize", json!(-1)), "invalid value"),
        ] {
            let error = of_v1(answer.to_string().as_bytes()).expect_err(said);
            assert!(error.to_string().contains(said), "{error}");
        }
        assert!(of_v1(b"<html>").is_err());
        assert!(of_v2(b"{}").is_err());
        assert!(of_v2(&vec![b' '; MAX_ANSWER_BYTES + 1]).is_err());
    }

    #[test]
    fn an_entry_is_read_again_as_it_was_written() {
        let whole = TlogEntry {
            log_index: 0,
            log_id: vec![1; 32],
            kind: "dsse".to_owned(),
            version: "0.0.1".to_owned(),
            integrated_time: Some(5),
            canonicalized_body: Some(vec![7]),
            inclusion_proof: Some(InclusionProof {
                log_index: 0,
                root_hash: [3; 32],
                tree_size: 1,
                hashes: vec![[4; 32], [5; 32]],
                checkpoint: Some("a \"log\"\n\u{2014} x\n".to_owned()),
            }),
            inclusion_promise: Some(vec![9]),
        };
        let sparse = TlogEntry {
            integrated_time: None,
            inclusion_promise: None,
            ..whole.clone()
        };
        for entry in [whole, sparse] {
            let text = to_json(&entry);
            assert_eq!(of_v2(text.as_bytes()).expect(&text), entry);
        }
    }
}
