#![expect(clippy::unwrap_used, reason = "a test may panic")]

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::*;

const ENDED: &str = "2025-06-01T00:00:00Z";

/// A key of a log, as a trusted root lists it: of Ed25519 with the id of this origin.
fn ed25519(seed: u8, origin: &str, base_url: &str) -> Value {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let key = pair.public_key().as_ref();
    let spki = [
        hex::decode("302a300506032b6570032100").unwrap().as_slice(),
        key,
    ]
    .concat();
    let id = Sha256::digest([origin.as_bytes(), b"\n\x01", key].concat());
    listed_key(&spki, &id, base_url)
}

/// The same of ECDSA, whose id is that of the key.
fn ecdsa(base_url: &str) -> Value {
    let pem = include_str!("../../../tests/data/ct-small/rfc6962.pub.pem");
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let spki = STANDARD.decode(der).unwrap();
    listed_key(&spki, &Sha256::digest(&spki), base_url)
}

fn listed_key(spki: &[u8], id: &[u8], base_url: &str) -> Value {
    json!({
        "baseUrl": base_url,
        "publicKey": { "rawBytes": STANDARD.encode(spki) },
        "logId": { "keyId": STANDARD.encode(id) },
    })
}

fn ended(mut log: Value) -> Value {
    log["publicKey"]["validFor"] = json!({ "start": "2021-01-01T00:00:00Z", "end": ENDED });
    log
}

fn root(tlogs: &[Value], ctlogs: &[Value]) -> TrustedRoot {
    let root = json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": tlogs, "ctlogs": ctlogs,
    });
    TrustedRoot::parse(root.to_string().as_bytes()).unwrap()
}

fn signing(url: &str, version: u32) -> Address {
    Address {
        url: url.to_owned(),
        version,
        ..Address::default()
    }
}

fn reading(url: &str, origin: &str) -> Address {
    Address {
        url: url.to_owned(),
        origin: Some(origin.to_owned()),
        version: 2,
        ends: None,
        is_to_read: true,
    }
}

/// The name, kind and address of each log.
fn described(logs: &[ListedLog]) -> Vec<(String, String, String)> {
    let one = |log: &ListedLog| {
        let kind = match &log.kind {
            ListedKind::RekorV2(origin) => format!("v2 {origin}"),
            ListedKind::RekorV2Unnamed => "v2 unnamed".to_owned(),
            ListedKind::RekorV1 => "v1".to_owned(),
            ListedKind::Ct => "ct".to_owned(),
            ListedKind::Unusable(why) => why.clone(),
            ListedKind::NoKey => "no key".to_owned(),
        };
        let url = log.url.as_ref().map_or("", Url::as_str);
        (log.name.clone(), kind, url.to_owned())
    };
    logs.iter().map(one).collect()
}

fn row(name: &str, kind: &str, url: &str) -> (String, String, String) {
    (name.to_owned(), kind.to_owned(), url.to_owned())
}

#[test]
fn an_address_without_a_key_is_no_log_and_one_without_a_scheme_is_that_of_its_log() {
    let root = root(&[ed25519(1, "one.example", "https://one.example")], &[]);
    let one = row("one.example", "v2 one.example", "https://one.example/");
    for (url, others) in [
        ("https://one.example", vec![]),
        ("one.example", vec![]),
        ("//one.example/", vec![]),
        ("HTTPS://ONE.example/", vec![]),
        (
            "https://global.example",
            vec![row("global.example", "no key", "https://global.example/")],
        ),
        (
            "global.example",
            vec![row("global.example", "no key", "https://global.example/")],
        ),
        ("", vec![row("", "no key", "")]),
        (
            "ftp://one.example",
            vec![row("ftp://one.example", "no key", "")],
        ),
    ] {
        let mut expected = vec![one.clone()];
        expected.extend(others);
        expected.sort();
        assert_eq!(
            described(&listed(&root, &[signing(url, 2)], &[])),
            expected,
            "{url}"
        );
    }
    // Of several addresses without a key each is named once.
    let both = [signing("a.example", 2), signing("https://a.example/", 2)];
    assert_eq!(listed(&root, &both, &[]).len(), 2);
    for (written, url) in [
        ("one.example", "https://one.example/"),
        ("one.example:8443/rekor", "https://one.example:8443/rekor/"),
        ("http://one.example", "http://one.example/"),
    ] {
        let kind = described(&listed(
            &self::root(&[ed25519(1, "one.example", written)], &[]),
            &[],
            &[],
        ));
        assert_eq!(kind.first().map(|row| row.2.as_str()), Some(url));
    }
}

#[test]
fn a_monitor_config_gives_addresses_and_removes_no_log() {
    let root = root(
        &[
            ed25519(1, "one.example", "https://one.example"),
            ed25519(2, "two.example", "https://two.example"),
        ],
        &[],
    );
    let addresses = [
        reading("https://read.example/one", "one.example"),
        reading("https://three.example", "three.example"),
        signing("https://global.example", 2),
        signing("https://one.example", 2),
    ];
    assert_eq!(
        described(&listed(&root, &addresses, &[])),
        [
            row("global.example", "no key", "https://global.example/"),
            row("one.example", "v2 one.example", "https://read.example/one/"),
            row("three.example", "no key", "https://three.example/"),
            row("two.example", "v2 two.example", "https://two.example/"),
        ]
    );
}

#[test]
fn the_log_id_determines_the_log_of_a_key_whatever_the_address() {
    let at = "https://rekor.private.example";
    let root = root(&[ed25519(1, "machine-17", at)], &[]);
    let name = "rekor.private.example";
    let url = "https://rekor.private.example/";
    let unnamed = [row(name, "v2 unnamed", url)];
    assert_eq!(described(&listed(&root, &[], &[])), unnamed);
    assert_eq!(described(&listed(&root, &[signing(at, 2)], &[])), unnamed);
    let of_it = [reading(at, "machine-17")];
    assert_eq!(
        described(&listed(&root, &of_it, &[])),
        [row("machine-17", "v2 machine-17", url)]
    );
    // Another origin is not accepted, whatever the document.
    let of_another = [reading(at, "machine-18")];
    assert_eq!(described(&listed(&root, &of_another, &[])), unnamed);
    // A configured log of that origin is it: by the id of the key, with which its checkpoints verify.
    let [log] = listed(&root, &[], &[]).try_into().unwrap();
    let followed = |origin: &str| {
        let origin = Origin::new(origin).unwrap();
        let keys = root.log_keys(&origin, None);
        let followed = FollowedLog {
            protocol: Protocol::RekorV2,
            origin: Some(origin.as_str()),
            url: None,
            key_ids: keys.iter().map(|key| *key.id_hash()).collect(),
        };
        log.is_followed(&[followed], std::slice::from_ref(&log))
    };
    assert!(followed("machine-17"));
    assert!(!followed("machine-18"));
    for ignored in [
        name,
        at,
        "rekor.private.example/",
        &hex::encode(&log.keys[0].id),
    ] {
        assert!(log.is_ignored(&[ignored.to_owned()]), "{ignored}");
    }
    assert!(!log.is_ignored(&["machine-17".to_owned(), String::new()]));
}

#[test]
fn a_log_with_an_ecdsa_key_is_v1_unless_a_document_contains_another_version() {
    let root = root(&[ecdsa("https://ec.example")], &[]);
    let url = "https://ec.example/";
    assert_eq!(
        described(&listed(&root, &[], &[])),
        [row("ec.example", "v1", url)]
    );
    for address in [
        signing("ec.example", 2),
        reading("https://ec.example", "ec.example"),
    ] {
        assert_eq!(
            described(&listed(&root, &[address], &[])),
            [row("ec.example", "v2 ec.example", url)]
        );
    }
    let later = [signing("ec.example", 3)];
    assert_eq!(
        described(&listed(&root, &later, &[])),
        [row("ec.example", "its API has version 3", url)]
    );
    // With another origin, the key belongs to the log only at the listed address.
    let keys = |at: &str| {
        let origin = Origin::new("machine-17").unwrap();
        root.log_keys(&origin, directory(at).as_ref()).len()
    };
    assert_eq!((keys("ec.example"), keys("other.example")), (1, 0));
}

#[test]
fn logs_of_one_host_at_different_ports_are_different_logs() {
    let (v2, v1) = ("http://127.0.0.1:24160", "http://127.0.0.1:24161");
    let root = root(&[ed25519(1, "machine-17", v2), ecdsa(v1)], &[]);
    let of_v1 = row("127.0.0.1:24161", "v1", "http://127.0.0.1:24161/");
    for addresses in [
        vec![signing(v2, 2), signing(v1, 1)],
        vec![signing(v1, 1), signing(v2, 2)],
        vec![signing(v2, 2)],
    ] {
        assert_eq!(
            described(&listed(&root, &addresses, &[])),
            [
                row("127.0.0.1:24160", "v2 unnamed", "http://127.0.0.1:24160/"),
                of_v1.clone()
            ]
        );
    }
    // The origin of one, in a document, is not that of the other.
    let named = [reading(v2, "machine-17"), signing(v1, 1)];
    assert_eq!(
        described(&listed(&root, &named, &[])),
        [
            of_v1,
            row("machine-17", "v2 machine-17", "http://127.0.0.1:24160/")
        ]
    );
}

#[test]
fn a_log_without_an_address_has_its_id_as_name_and_one_with_several_keys_ends_with_the_last() {
    let bare = root(&[ed25519(1, "one.example", ""), ecdsa("")], &[]);
    let logs = listed(&bare, &[], &[]);
    assert!(logs.iter().all(|log| log.name.starts_with("log ")));
    assert!(
        logs.iter().all(
            |log| matches!(&log.kind, ListedKind::Unusable(why) if why.contains("no address"))
        )
    );
    let read = [reading("https://read.example", "one.example")];
    assert!(described(&listed(&bare, &read, &[])).contains(&row(
        "one.example",
        "v2 one.example",
        "https://read.example/"
    )));
    let (one, two) = (
        ed25519(1, "one.example", "https://one.example"),
        ed25519(2, "one.example", "https://one.example"),
    );
    for (keys, ends) in [
        (vec![one.clone(), two.clone()], false),
        (vec![ended(one.clone()), two.clone()], false),
        (vec![ended(one), ended(two)], true),
    ] {
        let [log] = listed(&root(&keys, &[]), &[], &[]).try_into().unwrap();
        assert_eq!(log.ends.is_some(), ends);
        assert_eq!(log.keys.len(), 2);
    }
}

#[test]
fn a_key_that_cannot_be_used_makes_its_log_unusable_only_where_there_is_no_other() {
    let one = ed25519(1, "one.example", "https://one.example");
    // SubjectPublicKeyInfo of ML-DSA-44, shortened.
    let future = hex::decode("3011300b060960864801650304031103020007").unwrap();
    let future = listed_key(&future, &[7; 32], "https://one.example");
    let [log] = listed(&root(&[one, future.clone()], &[]), &[], &[])
        .try_into()
        .unwrap();
    assert!(matches!(log.kind, ListedKind::RekorV2(_)));
    let [log] = listed(&root(&[future], &[]), &[], &[]).try_into().unwrap();
    assert!(
        matches!(&log.kind, ListedKind::Unusable(why) if why.contains("ML-DSA-44")),
        "{log:?}"
    );
}
