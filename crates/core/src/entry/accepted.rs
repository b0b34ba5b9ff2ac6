//! When a Rekor v1 log accepted an entry, if its signature over that time verifies.

use base64::Engine as _;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::codec::STANDARD;
use crate::identity;
use crate::log::Promise;

/// The time in the signed entry timestamp: a signature over the canonical JSON (RFC 8785) of leaf, time, log and index (rekor
/// `pkg/api/entries.go`). `None`: none of these keys made it. `index` counts over all trees of the log; a key is a
/// SubjectPublicKeyInfo in DER.
pub fn accepted_at(
    leaf: &[u8],
    index: u64,
    promise: Option<&Promise>,
    keys: &[Vec<u8>],
) -> Option<Timestamp> {
    let Promise {
        integrated_at,
        signature,
    } = promise.filter(|_| !keys.is_empty())?;
    let body = STANDARD.encode(leaf);
    let is_signed = keys.iter().any(|key| {
        // The id of a log is the hash of its key.
        let log = hex::encode(Sha256::digest(key));
        let signed = format!(
            r#"{{"body":"{body}","integratedTime":{integrated_at},"logID":"{log}","logIndex":{index}}}"#
        );
        identity::verify(key, signed.as_bytes(), signature).is_ok()
    });
    if !is_signed {
        return None;
    }
    Timestamp::from_second(*integrated_at).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;

    /// What a log returned about an entry.
    #[derive(Clone)]
    struct Returned {
        leaf: Vec<u8>,
        index: u64,
        promise: Option<Promise>,
    }

    /// One entry of a recorded log, and the two keys that it has had.
    fn recorded() -> (Returned, Vec<Vec<u8>>) {
        let json: BTreeMap<String, Value> =
            serde_json::from_str(include_str!("accepted_entry.json")).unwrap();
        let fields = json.values().next().unwrap();
        let decoded = |field: &Value| STANDARD.decode(field.as_str().unwrap()).unwrap();
        let entry = Returned {
            leaf: decoded(&fields["body"]),
            index: fields["logIndex"].as_u64().unwrap(),
            promise: Some(Promise {
                integrated_at: fields["integratedTime"].as_i64().unwrap(),
                signature: decoded(&fields["verification"]["signedEntryTimestamp"]).into(),
            }),
        };
        let key = |pem: &str| {
            let lines = pem.lines().filter(|line| !line.starts_with("-----"));
            STANDARD.decode(lines.collect::<String>()).unwrap()
        };
        let keys = [
            include_str!("accepted_old.pub.pem"),
            include_str!("accepted_new.pub.pem"),
        ];
        (entry, keys.map(key).to_vec())
    }

    fn integrated_at(entry: &Returned, keys: &[Vec<u8>]) -> Option<Timestamp> {
        accepted_at(&entry.leaf, entry.index, entry.promise.as_ref(), keys)
    }

    #[test]
    fn a_time_counts_if_a_key_of_the_log_signed_it_for_this_entry() {
        let (entry, keys) = recorded();
        let signed = integrated_at(&entry, &keys);
        let stated = entry.promise.as_ref().unwrap().integrated_at;
        assert_eq!(signed, Some(Timestamp::from_second(stated).unwrap()));
        assert_eq!(integrated_at(&entry, &[]), None);
        let changes: [fn(&mut Returned); 4] = [
            |entry| entry.promise.as_mut().unwrap().integrated_at += 1,
            |entry| entry.leaf = b"{".to_vec(),
            |entry| entry.index = 7,
            |entry| entry.promise = None,
        ];
        for change in changes {
            let mut other = entry.clone();
            change(&mut other);
            assert_eq!(integrated_at(&other, &keys), None);
        }
        let signing = keys
            .iter()
            .filter(|key| integrated_at(&entry, &[(*key).clone()]).is_some());
        assert_eq!(signing.count(), 1);
    }
}
