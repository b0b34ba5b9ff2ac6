#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

use super::*;
use crate::source::rekor_v1::IdError;

const HASH: &str = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";

fn entry(change: impl Fn(&mut serde_json::Value)) -> String {
    let mut entry = serde_json::json!({
        "body": "e30=", "integratedTime": 1_760_062_340, "logID": "c0d2", "logIndex": 598,
        "attestation": {"data": "aGk="},
        "verification": {"inclusionProof": {
            "checkpoint": "a note", "hashes": [HASH], "logIndex": 476, "rootHash": HASH, "treeSize": 477,
        }},
    });
    change(&mut entry);
    serde_json::json!([{ format!("108e9186e8c5677a{HASH}"): entry }]).to_string()
}

#[test]
fn an_entry_has_two_indexes_and_each_stays_what_it_is() {
    let read = entries(entry(|_| ()).as_bytes()).ok().unwrap();
    let [read] = read.as_slice() else {
        panic!("one entry")
    };
    assert_eq!(read.global, GlobalIndex::new(598));
    let inclusion = read.inclusion.as_ref().unwrap();
    assert_eq!((inclusion.local, inclusion.tree_size), (476, 477));
    assert_eq!(read.body.as_ref(), b"{}");
    assert_eq!(read.attestation.as_deref(), Some(&b"hi"[..]));
    assert_eq!(
        read.id.tree.map(|tree| tree.to_string()).as_deref(),
        Some("1193050959916656506")
    );
}

#[test]
fn what_a_server_may_leave_out_is_not_missed() {
    for field in ["attestation", "verification", "logID"] {
        let without = entry(|entry| {
            entry.as_object_mut().unwrap().remove(field);
        });
        assert!(entries(without.as_bytes()).is_ok(), "{field}");
    }
    let empty = entry(|entry| entry["attestation"] = serde_json::json!({}));
    assert!(
        entries(empty.as_bytes()).ok().unwrap()[0]
            .attestation
            .is_none()
    );
}

#[test]
fn what_is_no_entry_is_refused() {
    let proof = |field: &'static str, value: serde_json::Value| {
        entry(move |entry| entry["verification"]["inclusionProof"][field] = value.clone())
    };
    for (wrong, json) in [
        ("no list", "{}".to_owned()),
        ("two keys in one object", "[{\"a\":1,\"b\":2}]".to_owned()),
        ("an empty object", "[{}]".to_owned()),
        ("no id", entry(|_| ()).replace("108e9186e8c5677a", "108e")),
        (
            "a signed id",
            entry(|_| ()).replace("108e9186e8c5677a", "+08e9186e8c5677a"),
        ),
        ("not base64", entry(|entry| entry["body"] = "~".into())),
        (
            "a negative index",
            entry(|entry| entry["logIndex"] = (-1).into()),
        ),
        ("a leaf beyond its tree", proof("logIndex", 477.into())),
        ("a tree beyond 2^63", proof("treeSize", u64::MAX.into())),
        ("half a hash", proof("rootHash", "6e34".into())),
        ("too long a proof", proof("hashes", vec![HASH; 65].into())),
    ] {
        assert!(entries(json.as_bytes()).is_err(), "{wrong}");
        let is_in_proof = ["half a hash", "too long a proof"].contains(&wrong);
        assert_eq!(leaves(json.as_bytes()).is_ok(), is_in_proof, "{wrong}");
    }
}

#[test]
fn a_leaf_is_what_its_entry_is_without_the_proof() {
    for json in [
        entry(|_| ()),
        entry(|entry| entry["verification"] = serde_json::json!({})),
        entry(|entry| {
            entry.as_object_mut().unwrap().remove("attestation");
        }),
    ] {
        let [entry] = <[Entry; 1]>::try_from(entries(json.as_bytes()).ok().unwrap()).unwrap();
        let expected = Leaf {
            local: entry.local(),
            promise: entry.promise(),
            id: entry.id,
            body: entry.body,
            global: entry.global,
            attestation: entry.attestation,
        };
        assert_eq!(leaves(json.as_bytes()).ok().unwrap(), [expected], "{json}");
    }
}

#[test]
fn trees_come_oldest_first_and_each_once() {
    let tree = |id: &str| serde_json::json!({"treeID": id, "treeSize": 3, "signedTreeHead": "a note", "rootHash": HASH});
    let log = |active: &str, older: &[&str]| {
        let mut log = tree(active);
        log["inactiveShards"] = older.iter().map(|id| tree(id)).collect();
        log.to_string()
    };
    let ids = |json: &str| {
        let trees = trees(json.as_bytes()).ok()?;
        Some(
            trees
                .iter()
                .map(|tree| tree.id.to_string())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(ids(&log("3", &["1", "2"])).unwrap(), ["1", "2", "3"]);
    let alone = tree("18446744073709551615").to_string();
    assert_eq!(ids(&alone).unwrap(), ["18446744073709551615"]);
    for wrong in [
        log("3", &["3"]),
        log("3", &["1", "1"]),
        log("03", &[]),
        log("-3", &[]),
        log("18446744073709551616", &[]),
        alone.replace("\"18446744073709551615\"", "18446744073709551615"),
    ] {
        assert_eq!(ids(&wrong), None, "{wrong}");
    }
}

#[test]
fn an_entry_id_is_written_as_it_was_read() {
    for id in [HASH.to_owned(), format!("108e9186e8c5677a{HASH}")] {
        assert_eq!(id.parse::<EntryId>().unwrap().to_string(), id);
    }
    for id in ["", "00", &HASH[1..], &format!("{HASH}00")] {
        assert_eq!(id.parse::<EntryId>(), Err(IdError), "{id}");
    }
}
