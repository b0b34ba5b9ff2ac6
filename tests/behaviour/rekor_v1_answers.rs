//! Single answers of a Rekor v1 log: the effect of a wrong one, and of an unusual signer in one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use modelwatch::finding::Finding;
use modelwatch::http;
use modelwatch::identity::{Chain, Key};
use modelwatch::judge::Rules;
use modelwatch::log::Start;
use modelwatch::source::LogSource as _;
use modelwatch::source::rekor_v1::{Client, Tree};
use modelwatch::watch::{Conditions, Watch, Watches};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::rekor_v1::V1;
use crate::world::{Anomaly, Leaf, Signer, attested, authorities, other_leaves, written};

#[tokio::test]
async fn an_answer_that_does_not_match_its_request_is_malformed_and_not_used() {
    for anomaly in [
        Anomaly::Doubles(23),
        Anomaly::AddsNext(19),
        Anomaly::Renames(23),
        Anomaly::Moves(23),
    ] {
        let v1 = V1::new().await;
        v1.log.odd(anomaly.clone());
        assert_eq!(v1.bad().await, "malformed", "{anomaly:?}");
        assert_eq!(v1.released().await, [], "{anomaly:?}");
        v1.log.heal();
        v1.good().await;
        assert_eq!(v1.released().await, [(23, Some(true), "open")]);
    }
}

#[tokio::test]
async fn a_rotation_in_the_middle_of_a_pass_loses_nothing() {
    let mut v1 = V1::new().await;
    v1.log.show(0, 20);
    v1.rotate();
    v1.log.odd(Anomaly::RotatesMeanwhile);
    v1.good().await;
    assert_eq!(v1.position(0).await, (0, 20, 20));
    v1.log.show(0, 25);
    v1.good().await;
    assert_eq!(v1.position(0).await, (0, 25, 25));
    assert_eq!(v1.position(1).await, (25, 12, 12));
    let found = v1.released().await;
    assert_eq!(found, [(23, Some(true), "open"), (29, Some(true), "open")]);
}

#[tokio::test]
async fn a_log_that_wants_fewer_requests_is_waited_for_or_left_alone() {
    const DATE: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 ";
    for header in ["Retry-After: 0\r\n", &format!("{DATE}08:49:37 GMT\r\n")] {
        let v1 = V1::new().await;
        v1.log.odd(Anomaly::Refuses(header.to_owned().leak()));
        v1.good().await;
    }
    for header in ["Retry-After: 3600\r\n", &format!("{DATE}09:49:37 GMT\r\n")] {
        let v1 = V1::new().await;
        v1.log.odd(Anomaly::RefusesAlways(header.to_owned().leak()));
        assert_eq!(v1.bad().await, "unavailable");
        // Three bundles were requested in advance; none of them is requested again.
        assert!(v1.log.retrieved() <= 3, "{}", v1.log.retrieved());
        v1.log.heal();
        v1.good().await;
    }
}

#[tokio::test]
async fn data_served_beside_an_entry_counts_only_if_the_entry_covers_it() {
    let statement = |predicate: &str| {
        json!({"_type": "https://in-toto.io/Statement/v1", "predicateType": predicate,
            "subject": [{"digest": {"sha256": "ab"}}], "predicate": {}})
        .to_string()
        .into_bytes()
    };
    let model = statement("https://model_signing/signature/v1.0");
    let other = statement("https://slsa.dev/provenance/v1");
    for (payload, served, verdict) in [
        (&model, Some(&model), "model-unexpected"),
        (&other, Some(&other), "other-predicate"),
        (&model, Some(&other), "identity-unexpected"),
        (&other, Some(&model), "identity-unexpected"),
        (&model, None, "identity-unexpected"),
    ] {
        let v1 = V1::new().await;
        v1.log.grow(0, [attested(payload)]);
        if let Some(served) = served {
            v1.log.odd(Anomaly::Attests(25, served.clone()));
        }
        v1.good().await;
        let findings = v1.findings().await;
        let found = findings
            .iter()
            .find(|f| f.index == Some(25) && f.watch.as_deref() == Some("release"));
        let found = found.unwrap();
        assert_eq!(found.verdict.as_str(), verdict);
        // An attestation that was not signed is reported; a missing one is no contradiction.
        let is_false = served.filter(|served| *served != payload);
        let reported =
            "the attestation that the log serves with it is not what was signed: its SHA-256 is ";
        let hash = found.summary.split_once(reported).map(|(_, hash)| hash);
        let expected = is_false.map(|served| hex::encode(Sha256::digest(served)));
        assert_eq!(hash, expected.as_deref(), "{}", found.summary);
    }
}

#[tokio::test]
async fn a_start_beyond_the_newest_entry_is_refused_with_the_numbers_that_people_see() {
    let mut v1 = V1::new().await;
    v1.rotate();
    v1.start = Start::Index(40);
    let outcome = v1.pass(false).await.unwrap();
    let message = outcome.error.unwrap().message;
    assert!(
        message.contains("starts at entry 40, but the log has only 37"),
        "{message}"
    );
}

#[tokio::test]
async fn entries_that_are_too_long_together_are_read_one_by_one() {
    let v1 = V1::new().await;
    // Its base64 exceeds the limit of one answer.
    let long = |number: u64| written(&json!({"pad": "p".repeat(12 * 1024 * 1024), "n": number}));
    v1.log.grow(0, (0..4).map(long));
    let client = Client::new(http::Client::default(), v1.log.url.clone());
    let head = client.info().await.unwrap().remove(0);
    let tree = Tree::new(client, &head, 0);
    let leaves = tree.leaves(15..25, 29).await;
    assert!(leaves.is_err(), "not of one bundle");
    let leaves = tree.leaves(25..29, 29).await.unwrap();
    let hashes: Vec<_> = leaves
        .iter()
        .map(|(_, leaf)| tlog::leaf_hash(leaf))
        .collect();
    let expected: Vec<_> = (0..4).map(|number| long(number).hash).collect();
    assert_eq!(hashes, expected);
}

/// A detached signature of a file by a key of that format.
fn signed_by(format: &str, key: &[u8]) -> Leaf {
    written(&json!({"apiVersion": "0.0.1", "kind": "rekord", "spec": {
        "data": {"hash": {"algorithm": "sha256", "value": "ab".repeat(32)}},
        "signature": {"content": "AAAA", "format": format, "publicKey": {"content": STANDARD.encode(key)}},
    }}))
}

fn watch(name: &str, conditions: Conditions) -> Watch {
    Watch::new(name.to_owned(), conditions)
}

#[tokio::test]
async fn the_name_that_a_key_claims_proves_nothing_and_the_key_itself_does() {
    const PGP: &[u8] = include_bytes!("../data/keys/one.asc");
    const SSH: &[u8] = include_bytes!("../data/keys/ed25519.pub");
    let mut v1 = V1::new().await;
    v1.log
        .grow(0, [signed_by("pgp", PGP), signed_by("ssh", SSH)]);
    v1.log.grow(0, [Signer::Release.signs(7)]);
    v1.log.grow(0, other_leaves(1));
    let named = |san: &str| Conditions {
        san: vec![san.to_owned()],
        ..Conditions::default()
    };
    let keys = [
        Key::from_pgp(PGP).unwrap().remove(0).key_sha256(),
        Key::from_ssh(SSH).unwrap().remove(0).key_sha256(),
    ];
    let watches = Watches::compile(vec![
        watch("mail", named("Release@Harbor.example")),
        watch("comment", named("release@harbor")),
        watch(
            "keys",
            Conditions {
                key_sha256: keys.to_vec(),
                ..Conditions::default()
            },
        ),
    ]);
    v1.rules = Rules::new(watches.unwrap(), Some(authorities())).into();
    v1.good().await;
    let findings = v1.findings().await;
    let of = |watch: &str, index: u64| -> &Finding {
        findings
            .iter()
            .find(|f| f.watch.as_deref() == Some(watch) && f.index == Some(index))
            .unwrap()
    };
    assert_eq!(findings.len(), 4, "{findings:?}");
    for (watch, index, verdict, severity) in [
        ("mail", 25, "untrusted-chain", "low"),
        ("comment", 26, "untrusted-chain", "low"),
        ("keys", 25, "identity-unexpected", "high"),
        ("keys", 26, "identity-unexpected", "high"),
    ] {
        let finding = of(watch, index);
        assert_eq!(finding.verdict.as_str(), verdict);
        assert_eq!(finding.severity.as_str(), severity);
        assert_eq!(finding.chain, Some(Chain::None));
    }
    let finding = of("mail", 25);
    assert_eq!(
        serde_json::to_value(&finding.san).unwrap(),
        // The name that the watch selected is the first.
        json!([
            {"type": "pgp", "value": "release@harbor.example"},
            {"type": "pgp", "value": "Harbor Release <release@harbor.example>"},
            {"type": "pgp", "value": "build@harbor.example"},
        ])
    );
    let fingerprint = "C9AD1BC6030CEADA040EDFF1E8C5FAA47DF8BDCB";
    assert_eq!(finding.key_fingerprint.as_deref(), Some(fingerprint));
    let reported = format!(
        "the OpenPGP key {fingerprint}, which no CA certifies, claims to be release@harbor.example and Harbor Release "
    );
    assert!(
        finding.summary.starts_with(&reported),
        "{}",
        finding.summary
    );
    let finding = of("keys", 26);
    let fingerprint = "SHA256:B6kK1tPJyAme1gNL522unbDaVwme2+SAhuLumXzplRc";
    assert_eq!(finding.key_fingerprint.as_deref(), Some(fingerprint));
    let reported =
        format!("the SSH key {fingerprint}, which calls itself release@harbor, signed sha256:abab");
    assert!(
        finding.summary.starts_with(&reported),
        "{}",
        finding.summary
    );
}
