//! Recorded entries with known content (from the data sent to the logs, not from reading them back), unusual leaves,
//! and entries made up here.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::sync::LazyLock;

use ::base64::Engine as _;
use ::base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::reading::Reading;
use super::*;
use crate::identity::{Extension, KeyFormat, Signer};

const V1: &str = include_str!("../../../../tests/data/entries/rekor-v1.jsonl");
const V2: &str = include_str!("../../../../tests/data/entries/rekor-v2.jsonl");
const STRANGE: &str = include_str!("../../../../tests/data/entries/strange.jsonl");

/// `{"truth": {…}, "leaf": "…"}` a line. `MODELWATCH_ENTRIES` may name a longer file in the same form.
static RECORDED: LazyLock<Vec<(Value, String)>> = LazyLock::new(|| {
    let more = std::env::var_os("MODELWATCH_ENTRIES")
        .map(|path| std::fs::read_to_string(path).unwrap())
        .unwrap_or_default();
    [V1, V2, &more]
        .into_iter()
        .flat_map(str::lines)
        .map(|line| {
            let mut row: Value = serde_json::from_str(line).unwrap();
            let leaf = row["leaf"].as_str().unwrap().to_owned();
            (row["truth"].take(), leaf)
        })
        .collect()
});

fn recorded_leaf(label: &str) -> String {
    let is_it = |truth: &Value| truth["label"] == label && truth["kind"] == "hashedrekord 0.0.2";
    let mut rows = RECORDED.iter().filter(|(truth, _)| is_it(truth));
    rows.next().unwrap().1.clone()
}

#[test]
fn every_recorded_entry_gives_the_signing_that_was_sent() {
    for (truth, leaf) in RECORDED.iter() {
        let entry = parse(leaf.as_bytes()).unwrap();
        assert_eq!(entry.kind.to_string(), truth["kind"]);
        assert_eq!(entry.unreadable, [], "{truth}");
        let [signing] = entry.signings.as_slice() else {
            panic!("{} signings in {truth}", entry.signings.len());
        };
        assert_eq!(signing.ordinal, 0);
        assert!(signing.signature.is_some());
        let sent = match truth["kind"].as_str().unwrap() {
            "hashedrekord 0.0.1" | "hashedrekord 0.0.2" => &truth["digest"],
            _ => &truth["payload_sha256"],
        };
        // Of content that the reference implementation signed in one step, only the payload's hash was known before.
        if let Some(sent) = sent.as_str() {
            assert_eq!(
                signing.digest.unwrap().to_string(),
                format!("sha256:{sent}")
            );
        }
        let Some(certificate) = signing.signer.certificate() else {
            assert_eq!(truth["chain"], "none");
            assert_eq!(
                hex::encode(signing.signer.key_sha256()),
                truth["spki_sha256"]
            );
            continue;
        };
        assert_eq!(
            certificate.sha256().map(hex::encode).unwrap_or_default(),
            truth["certificate_sha256"]
        );
        let mut sans = certificate
            .sans()
            .iter()
            .map(|san| serde_json::to_value(san).unwrap());
        assert!(sans.any(|san| san == truth["san"]), "{truth}");
        assert_eq!(certificate.issuer(), truth["issuer"].as_str());
        assert_eq!(certificate.issuers().count(), 1);
        let not_before: jiff::Timestamp = truth["not_before"].as_str().unwrap().parse().unwrap();
        assert_eq!(certificate.not_before(), not_before);
        for (number, value) in truth["ext"].as_object().unwrap() {
            let extension = match number.as_str() {
                "1" => Extension::Issuer,
                number => Extension::ALL
                    .into_iter()
                    .find(|e| e.number().to_string() == number)
                    .unwrap(),
            };
            assert_eq!(certificate.extension(extension), value.as_str(), "{truth}");
        }
        let known = certificate.extensions().len();
        assert_eq!(known + 1, truth["ext"].as_object().unwrap().len());
    }
}

/// What is read of a leaf that a space makes one for the JSON parser.
fn parsed_as_json(leaf: &[u8]) -> Result<Entry, EntryError> {
    parse(&[leaf, b" "].concat())
}

#[test]
fn a_canonical_leaf_is_read_as_the_json_parser_reads_it() {
    let mut canonical = 0;
    for (truth, leaf) in RECORDED.iter() {
        let leaf = leaf.as_bytes();
        assert_eq!(parse(leaf), parsed_as_json(leaf), "{truth}");
        canonical += usize::from(v2::canonical_hashedrekord(leaf, &mut Reading::default()));
        let with_space = [leaf, b" "].concat();
        assert!(!v2::canonical_hashedrekord(
            &with_space,
            &mut Reading::default()
        ));
    }
    assert!(canonical > 0);
}

proptest! {
    /// Members, escapes, control characters and bytes that are no UTF-8 in any place of a canonical leaf.
    #[test]
    fn a_changed_leaf_is_never_read_as_another_than_the_json_parser_reads(
        place in any::<prop::sample::Index>(),
        removed in 0..4_usize,
        added in prop_oneof![
            "[\"\\\\{}a+/=_ \n]{0,3}".prop_map(String::into_bytes),
            Just(br"\u0041".to_vec()),
            Just(br#"","x":""#.to_vec()),
            Just(br#"","publicKey":{"rawBytes":""},"x":""#.to_vec()),
            proptest::collection::vec(any::<u8>(), 1..3),
        ],
    ) {
        let mut leaf = recorded_leaf("gitlab").into_bytes();
        // In the short texts and the text around them as often as in the long one.
        let end = if place.index(2) == 0 { leaf.len() } else { 420 };
        let start = place.index(end);
        let removed = start..(start + removed).min(leaf.len());
        leaf.splice(removed, added);
        match (parse(&leaf), parsed_as_json(&leaf)) {
            (Ok(read), Ok(expected)) => {
                prop_assert_eq!(read.signings, expected.signings);
                prop_assert_eq!(read.has_more, expected.has_more);
                prop_assert_eq!(read.unreadable.len(), expected.unreadable.len());
            }
            (read, expected) => prop_assert_eq!(read.is_err(), expected.is_err()),
        }
    }
}

#[test]
fn unusual_leaves_are_unreadable_or_searched_and_never_ignored() {
    for line in STRANGE.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let name = row["name"].as_str().unwrap();
        let leaf = STANDARD.decode(row["leaf"].as_str().unwrap()).unwrap();
        let read = parse(&leaf);
        if row["class"] == "unreadable" {
            let unreadable = read.map_or(1, |entry| entry.unreadable.len());
            assert_eq!(unreadable, 1, "{name}");
        } else {
            let entry = read.unwrap();
            assert_eq!(
                (entry.signings.len(), entry.unreadable.len()),
                (1, 0),
                "{name}"
            );
            let signing = entry.signings.first().unwrap();
            assert!(signing.signer.certificate().is_some(), "{name}");
            assert_eq!(
                signing.digest.is_some(),
                row["class"] == "readable",
                "{name}"
            );
        }
    }
}

#[test]
fn nesting_and_size_have_a_limit() {
    for leaf in [
        "[".repeat(20_000),
        format!("{}1{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000)),
        format!(r#"{{"kind":"x","pad":"{}"}}"#, "p".repeat(65_500)),
        String::from_utf8(vec![b' '; MAX_LEAF_BYTES + 1]).unwrap(),
    ] {
        assert!(parse(leaf.as_bytes()).is_err());
    }
}

#[test]
fn errors_name_the_field_and_the_problem() {
    let good = recorded_leaf("stolen-identity");
    let value: Value = serde_json::from_str(&good).unwrap();
    let certificate = "/spec/hashedRekordV002/signature/verifier/x509Certificate/rawBytes";
    let change = |path: &str, new: Value| {
        let mut value = value.clone();
        *value.pointer_mut(path).unwrap() = new;
        value.to_string()
    };
    for (leaf, expected) in [
        (
            String::new(),
            "not JSON: EOF while parsing a value at line 1 column 0",
        ),
        (
            change("/spec", json!(null)),
            "not in the shape of an entry: invalid type: null, expected struct HashedRekordSpec at line 1 column 55",
        ),
        (
            change("/kind", json!("quantum")).replace("MII", "!"),
            "unknown kind of entry, and no certificate or key found in it",
        ),
        (
            change(certificate, json!("!")),
            "verifier.x509Certificate.rawBytes is not base64",
        ),
        (
            change(certificate, json!("")),
            "verifier.x509Certificate.rawBytes: certificate: cut off at byte 0",
        ),
        (
            change("/spec/hashedRekordV002/signature/verifier", json!({})),
            "verifier is missing",
        ),
    ] {
        let messages = match parse(leaf.as_bytes()) {
            Ok(entry) => entry.unreadable.first().unwrap().to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(messages, expected);
    }
}

/// The additional results of a search of the leaf.
fn found(leaf: &[u8]) -> Vec<Signer> {
    let mut signers = Vec::new();
    search(leaf, &mut |found| {
        if let Found::Signer(signer) = found
            && !signers.contains(&signer)
        {
            signers.push(signer);
        }
    });
    signers
}

fn signer(label: &str) -> Signer {
    let leaf = recorded_leaf(label);
    parse(leaf.as_bytes()).unwrap().signings.remove(0).signer
}

#[test]
fn a_signer_is_found_in_an_entry_whose_other_fields_are_broken() {
    let good = recorded_leaf("stolen-identity");
    let signer = signer("stolen-identity");
    let digest_field = r#""digest":""#;
    for (leaf, in_place) in [
        // The digest alone: the signing is read in its place.
        (good.replace(digest_field, r#""digest":"!"#), true),
        (good.replace("SHA2_256\",\"digest", "SHA9\",\"digest"), true),
        (good.replace(r#""content":""#, r#""content":"!"#), true),
        // A key twice: two readers could see two values.
        (good.replace(r#""kind":"#, r#""kind":"x","kind":"#), false),
        (good.replace(r#""spec":"#, r#""spec":{},"spec":"#), false),
        (good.replace(r#""data":"#, r#""data":null,"data":"#), false),
        // Of a shape that no server writes.
        (format!("[{good}]"), false),
        (good.replace("hashedRekordV002", "hashedRekordV003"), false),
        (good.replace("rawBytes", "raw"), false),
        (good.replace("rawBytes", "raw_bytes"), false),
        (
            good.replace(
                r#""x509Certificate":"#,
                r#""publicKey":{"rawBytes":"AAAA"},"x509Certificate":"#,
            ),
            false,
        ),
        (
            good.replace(r#""rawBytes":"MII"#, r#""rawBytes":"\nMII"#),
            false,
        ),
        (
            good.replace(r#""rawBytes":"MII"#, r#""rawBytes":"M\u0020I\tI"#),
            false,
        ),
        (good.get(..good.len() - 3).unwrap().to_owned(), false),
    ] {
        match parse(leaf.as_bytes()) {
            Ok(entry) => {
                assert_eq!(
                    entry.signings.iter().any(|s| s.signer == signer),
                    in_place,
                    "{leaf:.200}"
                );
                assert_eq!(entry.unreadable.len(), 1, "{leaf:.200}");
                let mut ordinals: Vec<_> = entry.signings.iter().map(|s| s.ordinal).collect();
                ordinals.extend(entry.unreadable.iter().map(Unreadable::ordinal));
                ordinals.sort_unstable();
                ordinals.dedup();
                assert_eq!(
                    ordinals.len(),
                    entry.signings.len() + entry.unreadable.len()
                );
            }
            Err(_) => assert!(!in_place, "{leaf:.200}"),
        }
        assert!(found(leaf.as_bytes()).contains(&signer), "{leaf:.200}");
    }
    // Unknown, and the signers in it are its signings.
    for leaf in [
        good.replace("0.0.2", "7.0.0"),
        good.replace(r#""kind":"hashedrekord""#, r#""kind":"quantum""#),
    ] {
        let entry = parse(leaf.as_bytes()).unwrap();
        assert_eq!(entry.unreadable, []);
        assert!(entry.has_more);
        assert_eq!(entry.signings.first().unwrap().signer, signer);
    }
}

#[test]
fn content_that_no_server_writes_is_reported() {
    for (truth, leaf) in RECORDED.iter() {
        assert!(!parse(leaf.as_bytes()).unwrap().has_more, "{truth}");
    }
    let good = recorded_leaf("stolen-identity");
    for (at, more) in [
        (r#"{"apiVersion""#, r#"{"Kind":"x","apiVersion""#),
        (r#""spec":"#, r#""\u017fpec":{},"spec":"#),
        (r#""spec":"#, r#""Spec":{},"spec":"#),
        (r#""signature":"#, r#""\u017fignature":{},"signature":"#),
        (r#""keyDetails":"#, r#""new":{},"keyDetails":"#),
        (r#""rawBytes":"#, r#""raw_bytes":"AAAA","rawBytes":"#),
        (r#""rawBytes":"#, r#""RawBytes":"AAAA","rawBytes":"#),
        (r#""kind":"#, r#""\u212aind":"AAAA","kind":"#),
    ] {
        let leaf = good.replacen(at, more, 1);
        assert_ne!(leaf, good, "{more}");
        let entry = parse(leaf.as_bytes()).unwrap();
        assert!(entry.has_more, "{more}");
        assert_eq!(entry.unreadable, [], "{more}");
        assert_eq!(
            entry.signings,
            parse(good.as_bytes()).unwrap().signings,
            "{more}"
        );
    }
}

#[test]
fn the_order_of_keys_and_unknown_members_do_not_matter() {
    let good = recorded_leaf("stolen-identity");
    let value: Value = serde_json::from_str(&good).unwrap();
    let reordered = format!(
        r#"{{"spec":{},"new":[{{"a":1.5e3}}],"kind":"hashedrekor\u0064","apiVersion":"0.0.2"}}"#,
        value["spec"]
    );
    let mut expected = parse(good.as_bytes()).unwrap();
    expected.has_more = true;
    assert_eq!(parse(reordered.as_bytes()).unwrap(), expected);
}

#[test]
fn several_verifiers_are_several_signings_and_a_broken_one_hides_none() {
    let good = recorded_leaf("stolen-identity");
    let value: Value = serde_json::from_str(&good).unwrap();
    let signature = &value["spec"]["hashedRekordV002"]["signature"];
    let broken = json!({"content": "AAAA", "verifier": {"x509Certificate": {"rawBytes": "AAAA"}}});
    let key = "MCowBQYDK2VwAyEAM8+kdc/KSwtVyu5CgyiQdpBFUzTO/7CQaEssEQMycqY=";
    let key = json!({"content": "AAAA", "verifier": {"publicKey": {"rawBytes": key}}});
    for field in ["payloadHash", "data"] {
        let leaf = json!({"kind": "dsse", "apiVersion": "0.0.2", "spec": {"dsseV002": {
            field: value["spec"]["hashedRekordV002"]["data"],
            "signatures": [signature, broken, key],
        }}});
        let entry = parse(leaf.to_string().as_bytes()).unwrap();
        let places: Vec<_> = entry.signings.iter().map(|s| s.ordinal).collect();
        assert_eq!(places, [0, 2]);
        assert_eq!(entry.unreadable.first().unwrap().ordinal(), 1);
        assert!(entry.signings.iter().all(|s| s.digest.is_some()));
    }
}

#[test]
fn the_number_of_signings_has_a_limit_and_reaching_it_is_reported() {
    let mut signatures = String::new();
    for i in 0..=MAX_SIGNINGS {
        let comma = if i == 0 { "" } else { "," };
        write!(
            signatures,
            r#"{comma}{{"signature":"AAAA","verifier":"AAAA"}}"#
        )
        .unwrap();
    }
    let leaf =
        format!(r#"{{"kind":"dsse","apiVersion":"0.0.1","spec":{{"signatures":[{signatures}]}}}}"#);
    let entry = parse(leaf.as_bytes()).unwrap();
    assert!(entry.unreadable.iter().any(|u| *u.error()
        == EntryError::TooManySignings {
            limit: MAX_SIGNINGS
        }));
    assert!(entry.unreadable.len() < MAX_SIGNINGS + 5);
}

#[test]
fn a_certificate_in_unusual_der_is_a_signing_and_unreadable() {
    let good = recorded_leaf("stolen-identity");
    let expected = parse(good.as_bytes()).unwrap().signings.remove(0);
    let certificate = expected.signer.certificate().unwrap();
    let der = STANDARD.encode(certificate.der());
    let odd = STANDARD.encode([certificate.der(), &[0; 8]].concat());
    let unknown = good.replace("hashedrekord", "quantum");
    let v1 = json!({"apiVersion": "0.0.1", "kind": "intoto", "spec": {
        "content": {}, "publicKey": pem64("CERTIFICATE", certificate.der()),
    }});
    for (leaf, der, odd) in [
        (good, der.clone(), odd.clone()),
        (unknown, der, odd),
        (
            v1.to_string(),
            pem64("CERTIFICATE", certificate.der()),
            pem64("CERTIFICATE", &[certificate.der(), &[0; 8]].concat()),
        ),
    ] {
        assert!(leaf.contains(&der));
        let entry = parse(leaf.replace(&der, &odd).as_bytes()).unwrap();
        let [signing] = entry.signings.as_slice() else {
            panic!("{} signings", entry.signings.len());
        };
        let read = signing.signer.certificate().unwrap();
        assert_eq!(read.sans(), certificate.sans());
        let messages: Vec<_> = entry.unreadable.iter().map(ToString::to_string).collect();
        let expected = "certificate is not strict DER: certificate: 8 trailing bytes";
        assert_eq!(messages, [expected], "{}", entry.kind);
    }
}

/// Base64 of PEM, as Rekor v1 holds keys.
fn pem64(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    STANDARD.encode(format!(
        "-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"
    ))
}

#[test]
fn every_kind_of_rekor_v1_gives_its_signer() {
    let leaf = recorded_leaf("stolen-identity");
    let certificate = parse(leaf.as_bytes()).unwrap().signings.remove(0).signer;
    let der = certificate.certificate().unwrap().der();
    let pem = pem64("CERTIFICATE", der);
    let root = json!({"keys": {"a": {"keyval": {"public": String::from_utf8(STANDARD.decode(&pem).unwrap()).unwrap()}}}});
    let root = STANDARD.encode(root.to_string());
    let hash = json!({"algorithm": "sha256", "value": "ab".repeat(32)});
    let key = json!({"content": pem});
    let minisign = json!({"content": STANDARD.encode(MINISIGN)});
    let pgp = json!({"content": STANDARD.encode(PGP)});
    let ssh = json!({"content": STANDARD.encode(SSH)});
    for (kind, version, spec, format, digest) in [
        (
            "hashedrekord",
            "0.0.1",
            json!({"data": {"hash": hash}, "signature": {"content": "AAAA", "publicKey": key}}),
            None,
            true,
        ),
        (
            "rekord",
            "0.0.1",
            json!({"data": {"hash": hash}, "signature": {"content": "AAAA", "format": "x509", "publicKey": key}}),
            None,
            true,
        ),
        (
            "rekord",
            "0.0.1",
            json!({"data": {"hash": hash}, "signature": {"content": "AAAA", "format": "pgp", "publicKey": pgp}}),
            Some(KeyFormat::Pgp),
            true,
        ),
        (
            "rekord",
            "0.0.1",
            json!({"data": {"hash": hash}, "signature": {"content": "AAAA", "format": "ssh", "publicKey": ssh}}),
            Some(KeyFormat::Ssh),
            true,
        ),
        (
            "rekord",
            "0.0.1",
            json!({"data": {"hash": hash}, "signature": {"content": "AAAA", "format": "minisign", "publicKey": minisign}}),
            Some(KeyFormat::Minisign),
            true,
        ),
        (
            "dsse",
            "0.0.1",
            json!({"payloadHash": hash, "envelopeHash": hash, "signatures": [{"signature": "AAAA", "verifier": pem}]}),
            None,
            true,
        ),
        (
            "intoto",
            "0.0.1",
            json!({"content": {"hash": hash}, "publicKey": pem}),
            None,
            false,
        ),
        (
            "intoto",
            "0.0.1",
            json!({"content": {"hash": hash, "payloadHash": hash}, "publicKey": pem}),
            None,
            true,
        ),
        (
            "intoto",
            "0.0.2",
            json!({"content": {"hash": hash, "payloadHash": hash, "envelope": {"payloadType": "x", "signatures": [{"publicKey": pem, "sig": "QUFBQQ=="}]}}}),
            None,
            true,
        ),
        (
            "rpm",
            "0.0.1",
            json!({"package": {"hash": hash, "headers": {"Name": "x"}}, "publicKey": pgp}),
            Some(KeyFormat::Pgp),
            true,
        ),
        (
            "alpine",
            "0.0.1",
            json!({"package": {"hash": hash}, "publicKey": key}),
            None,
            true,
        ),
        (
            "helm",
            "0.0.1",
            json!({"chart": {"hash": hash, "provenance": {"signature": {"content": "AAAA"}}}, "publicKey": pgp}),
            Some(KeyFormat::Pgp),
            true,
        ),
        (
            "cose",
            "0.0.1",
            json!({"data": {"payloadHash": hash, "envelopeHash": hash}, "publicKey": pem}),
            None,
            true,
        ),
        (
            "tuf",
            "0.0.1",
            json!({"metadata": {"content": "AAAA"}, "root": {"content": root}}),
            None,
            true,
        ),
        (
            "tuf",
            "0.0.1",
            json!({"metadata": {"content": "AAAA"}, "root": {"content": "AAAA"}}),
            Some(KeyFormat::Tuf),
            true,
        ),
    ] {
        let leaf = json!({"apiVersion": version, "kind": kind, "spec": spec}).to_string();
        let entry = parse(leaf.as_bytes()).unwrap();
        assert_eq!(entry.unreadable, [], "{kind} {version}");
        let [signing, subkeys @ ..] = entry.signings.as_slice() else {
            panic!("no signing in {kind} {version}");
        };
        // The OpenPGP key has one.
        let is_pgp = format == Some(KeyFormat::Pgp);
        assert_eq!(subkeys.len(), usize::from(is_pgp), "{kind} {version}");
        assert_eq!(signing.digest.is_some(), digest, "{kind} {version}");
        match (&signing.signer, format) {
            (Signer::Certificate(_), None) => assert_eq!(signing.signer, certificate),
            (Signer::Key(key), Some(format)) => assert_eq!(key.format(), format),
            other => panic!("{other:?} in {kind} {version}"),
        }
    }
    let timestamp = r#"{"apiVersion":"0.0.1","kind":"rfc3161","spec":{"tsr":{"content":"AAAA"}}}"#;
    let entry = parse(timestamp.as_bytes()).unwrap();
    assert_eq!((entry.signings.len(), entry.unreadable.len()), (0, 0));
    assert!(entry.has_more, "what its token holds is searched");
}

#[test]
fn no_entry_that_a_server_wrote_is_too_much_for_the_search() {
    for (name, leaf) in RECORDED.iter() {
        assert!(search(leaf.as_bytes(), &mut |_| {}), "{name:?}");
    }
    for file in [
        include_str!("../../../../tests/data/entries/rekor-v1-bodies.jsonl"),
        include_str!("../../../../tests/data/entries/strange.jsonl"),
        include_str!("../../../../tests/data/entries/pem-blocks.jsonl"),
    ] {
        for leaf in file.lines() {
            assert!(search(leaf.as_bytes(), &mut |_| {}), "{leaf}");
        }
    }
}

/// The line of a minisign key.
const MINISIGN: &str = "RWQxMjM0NTY3ODPPpHXPyktLVcruQoMokHaQUVM0zv+wkGhLChCAM3Km";

#[test]
fn a_minisign_field_is_one_line_of_a_key_or_is_searched() {
    let read = |key: &str| {
        let leaf = json!({"apiVersion": "0.0.1", "kind": "rekord", "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": "00".repeat(32)}},
            "signature": {"content": "AAAA", "format": "minisign", "publicKey": {"content": STANDARD.encode(key)}},
        }});
        parse(leaf.to_string().as_bytes()).unwrap()
    };
    let one = |entry: &Entry| match entry.signings.as_slice() {
        [signing] => signing.signer.canonical_key_sha256(),
        _ => None,
    };
    let usual = read(MINISIGN);
    let key = one(&usual);
    assert!(key.is_some() && !usual.has_more && usual.unreadable.is_empty());
    let (first, second) = MINISIGN.split_at(20);
    for file in [
        format!("untrusted comment: x\n{MINISIGN}\n"),
        format!("untrusted comment: x\r{MINISIGN}\r"),
        format!("untrusted comment: x\n{first}\n{second}\n"),
        format!("untrusted comment: x\r{first}\r{second}"),
        format!("{MINISIGN}\n-----BEGIN CERTIFICATE-----"),
    ] {
        let entry = read(&file);
        assert_eq!(one(&entry), key, "{file:?}");
        assert!(entry.has_more, "{file:?}");
    }
    for file in ["x", "RWQ", "-----BEGIN PUBLIC KEY-----"] {
        let entry = read(file);
        assert_eq!((entry.signings.len(), entry.unreadable.len()), (0, 1));
    }
}

#[test]
fn a_leaf_reads_the_same_in_any_order_of_its_keys_and_a_second_kind_is_no_way_out() {
    for (_, leaf) in RECORDED.iter() {
        let canonical = parse(leaf.as_bytes()).unwrap();
        let value: Value = serde_json::from_str(leaf).unwrap();
        let turned = format!(
            r#"{{ "spec": {}, "kind": {}, "apiVersion": {} }}"#,
            value["spec"], value["kind"], value["apiVersion"]
        );
        assert_eq!(parse(turned.as_bytes()).unwrap(), canonical);
        let end = leaf.len() - 1;
        for more in [r#","kind":"rfc3161"}"#, r#","apiVersion":"9"}"#, "}}"] {
            let leaf = format!("{}{more}", &leaf[..end]);
            assert!(
                parse(leaf.as_bytes()).map_or(true, |entry| !entry.unreadable.is_empty()),
                "{more}"
            );
            let signer = &canonical.signings.first().unwrap().signer;
            assert!(found(leaf.as_bytes()).contains(signer), "{more}");
        }
    }
}

/// One OpenPGP key, a ring of two, an SSH key.
const PGP: &[u8] = include_bytes!("../../../../tests/data/keys/one.asc");
const RING: &[u8] = include_bytes!("../../../../tests/data/keys/ring.asc");
const SSH: &[u8] = include_bytes!("../../../../tests/data/keys/ed25519.pub");

fn rekord(format: &str, key: &[u8]) -> Result<Entry, EntryError> {
    let leaf = json!({"apiVersion": "0.0.1", "kind": "rekord", "spec": {
        "data": {"hash": {"algorithm": "sha256", "value": "ab".repeat(32)}},
        "signature": {"content": "AAAA", "format": format, "publicKey": {"content": STANDARD.encode(key)}},
    }});
    parse(leaf.to_string().as_bytes())
}

fn names(entry: &Entry) -> Vec<Vec<&str>> {
    let signers = entry.signings.iter().map(|signing| signing.signer.names());
    signers
        .map(|names| names.iter().map(|name| name.value.as_str()).collect())
        .collect()
}

#[test]
fn keys_that_name_themselves_give_their_names() {
    let one = [
        "Harbor Release <release@harbor.example>",
        "release@harbor.example",
        "build@harbor.example",
    ];
    let two = [
        "Élodie Vigie (night watch) <elodie@harbor.example>",
        "elodie@harbor.example",
    ];
    // A subkey has no name.
    assert_eq!(names(&rekord("pgp", PGP).unwrap()), [&one[..], &[]]);
    // The entry does not show which of several keys made the signature, so each counts as a signer.
    let ring = rekord("pgp", RING).unwrap();
    let ring = names(&ring);
    assert_eq!(ring[..2], [&one[..], &two[..]]);
    assert!(ring[2..].iter().all(Vec::is_empty));
    assert_eq!(names(&rekord("x509", PGP).unwrap()), [&one[..], &[]]);
    assert_eq!(names(&rekord("ssh", SSH).unwrap()), [["release@harbor"]]);
}

#[test]
fn keys_that_cannot_be_read_are_unreadable_with_a_reason() {
    for (format, key, why) in [
        (
            "pgp",
            &PGP[..100],
            "signature.publicKey.content: not an OpenPGP public key: packet at byte 0 is cut off",
        ),
        (
            "pgp",
            &b"no key"[..],
            "signature.publicKey.content: not an OpenPGP public key: neither OpenPGP packets nor their ASCII armour",
        ),
        (
            "ssh",
            b"ssh-ed25519 AAAAC3Nz a@b",
            "signature.publicKey.content: not an SSH public key",
        ),
    ] {
        let entry = rekord(format, key).unwrap();
        assert_eq!(entry.signings, []);
        let messages: Vec<String> = entry.unreadable.iter().map(ToString::to_string).collect();
        assert_eq!(messages, [why]);
    }
}

#[test]
fn the_signers_of_a_jar_are_those_in_its_message_and_not_the_certificate_of_the_entry() {
    const MESSAGE: &[u8] = include_bytes!("../../../../tests/data/keys/jar.p7s");
    const CA: &[u8] = include_bytes!("../../../../tests/data/keys/jar-ca.pem");
    let jar = |message: &[u8]| {
        let leaf = json!({"apiVersion": "0.0.1", "kind": "jar", "spec": {
            "archive": {"hash": {"algorithm": "sha256", "value": "ab".repeat(32)}},
            "signature": {"content": STANDARD.encode(message), "publicKey": {"content": STANDARD.encode(CA)}},
        }});
        parse(leaf.to_string().as_bytes()).unwrap()
    };
    let entry = jar(MESSAGE);
    assert_eq!(entry.unreadable, []);
    let no_names: [&str; 0] = [];
    assert_eq!(names(&entry), [&no_names[..], &["signer@harbor.example"]]);
    assert!(
        entry
            .signings
            .iter()
            .all(|signing| signing.digest.is_some())
    );
    let entry = jar(b"0\x00");
    assert_eq!(names(&entry), [no_names]);
    let messages: Vec<String> = entry.unreadable.iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        ["signature.content: not a DER PKCS#7 message: cut off at byte 0"]
    );
}

fn pem(label: &str, der: &[u8]) -> String {
    String::from_utf8(STANDARD.decode(pem64(label, der)).unwrap()).unwrap()
}

fn certificate_pem(signer: &Signer) -> String {
    pem("CERTIFICATE", signer.certificate().unwrap().der())
}

/// An entry with this key field, as Rekor stores it for `intoto`.
fn intoto(key: &str) -> String {
    let hash = json!({"algorithm": "sha256", "value": "ab".repeat(32)});
    json!({"apiVersion": "0.0.2", "kind": "intoto", "spec": {"content": {
        "hash": hash, "payloadHash": hash,
        "envelope": {"payloadType": "x", "signatures": [{"publicKey": STANDARD.encode(key), "sig": "QUFBQQ=="}]},
    }}})
    .to_string()
}

/// The CAs of the recorded certificates, intermediate first.
fn authorities() -> Vec<String> {
    let root: Value =
        serde_json::from_str(include_str!("../../../../tests/data/trust/harbor.json")).unwrap();
    let chain = &root["certificateAuthorities"][0]["certChain"]["certificates"];
    chain
        .as_array()
        .unwrap()
        .iter()
        .map(|certificate| {
            STANDARD
                .decode(certificate["rawBytes"].as_str().unwrap())
                .unwrap()
        })
        .map(|der| pem("CERTIFICATE", &der))
        .collect()
}

#[test]
fn a_pem_chain_is_one_signing_by_its_leaf() {
    let signer = signer("stolen-identity");
    let leaf = certificate_pem(&signer);
    let chain = authorities();
    for chain in [
        leaf.clone(),
        format!("{leaf}{}", chain[0]),
        format!("{leaf}\n{}\r\n", chain.concat()),
    ] {
        let entry = parse(intoto(&chain).as_bytes()).unwrap();
        let signers: Vec<_> = entry.signings.iter().map(|s| &s.signer).collect();
        assert_eq!(signers, [&signer]);
        assert_eq!(entry.unreadable, []);
    }
}

#[test]
fn a_second_pem_block_is_read_too() {
    let (unknown_issuer, watched) = (signer("crowd"), signer("stolen-identity"));
    let (first, second) = (certificate_pem(&unknown_issuer), certificate_pem(&watched));
    let chain = authorities();
    let spki = pem("PUBLIC KEY", watched.certificate().unwrap().spki_der());
    for key in [
        format!("{first}{second}"),
        format!("{first}{}{second}", chain[0]),
        format!("{first}{}{}{second}", chain[0], chain[1]),
        format!("{first}{spki}"),
        format!("{first}{}", second.replace('\n', " ")),
        format!("{first}x{second}"),
        format!("{first}{}", second.trim_start_matches('-')),
        first.clone() + &second[27..],
    ] {
        let entry = parse(intoto(&key).as_bytes()).unwrap();
        let signers: Vec<_> = entry.signings.iter().map(|s| &s.signer).collect();
        assert_eq!(signers, [&unknown_issuer], "{key}");
        let messages: Vec<_> = entry.unreadable.iter().map(ToString::to_string).collect();
        let expected = "content.envelope.signatures.publicKey is not just one well-formed PEM block or certificate chain";
        assert_eq!(messages, [expected], "{key}");
        let key_sha256 = watched.key_sha256();
        let found = found(intoto(&key).as_bytes());
        assert!(
            found.iter().any(|signer| signer.key_sha256() == key_sha256),
            "{key}"
        );
    }
}

#[test]
fn a_block_that_parsers_disagree_about_is_no_signing_and_hides_none() {
    let (unknown_issuer, watched) = (signer("crowd"), signer("stolen-identity"));
    let (first, second) = (certificate_pem(&unknown_issuer), certificate_pem(&watched));
    let der = watched.certificate().unwrap().der().to_vec();
    let blanks: String = second
        .lines()
        .map(|line| {
            if line.starts_with('-') {
                format!("{line}\n")
            } else {
                let pairs = line.as_bytes().chunks(2).map(String::from_utf8_lossy);
                pairs.collect::<Vec<_>>().join(" ") + "\n"
            }
        })
        .collect();
    for key in [
        // Where Go reads the second one.
        first.replace("END CERTIFICATE", "END NOTHING") + &second,
        format!("x{first}{second}"),
        first.replace("BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE-----x") + &second,
        first.replace("END CERTIFICATE-----", "END CERTIFICATE-----x") + &second,
        first.replacen("BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE-----\n!", 1) + &second,
        first.replace("-----END CERTIFICATE-----\n", "") + &second,
        // White space, headers, junk.
        blanks.clone(),
        blanks.replace(' ', "\t"),
        second.replace("-----\nMII", "-----\n\n\nMII"),
        second.replace("-----\nMII", "-----\nA: b\n\nMII"),
        second.replace("-----\nMII", "-----\nA: b\nMII"),
        second.replace("MII", "M\u{b}I\u{c}I"),
        second.replace("MII", "M~I#I"),
        second.replace('A', "A*"),
        second.replace('=', ""),
        second.replace('\n', "\r"),
        second.replace('\n', " "),
        second.replace('\n', ""),
        second.replace('+', "-").replace('/', "_"),
        second.replacen("MII", "AA==MII", 1),
        second.replacen("MII", "A=MII", 1),
        // Around it.
        format!("text before\n{second}"),
        format!("\u{feff}{second}"),
        format!(" {second}"),
        second.replace("-----BEGIN", "----BEGIN"),
        second.replace("-----", ""),
        // Not PEM.
        STANDARD.encode(&der),
        URL_SAFE_NO_PAD.encode(&der),
        STANDARD.encode(&second),
        json!({"certificate": second}).to_string(),
    ] {
        let leaf = intoto(&key);
        let entry = parse(leaf.as_bytes()).unwrap();
        assert_eq!(entry.signings, [], "{key}");
        assert_eq!(entry.unreadable.len(), 1, "{key}");
        assert!(found(leaf.as_bytes()).contains(&watched), "{key}");
    }
    // DER without anything around it.
    let hash = json!({"algorithm": "sha256", "value": "ab".repeat(32)});
    let bare = json!({"apiVersion": "0.0.1", "kind": "intoto", "spec": {
        "content": {"payloadHash": hash}, "publicKey": STANDARD.encode(&der),
    }});
    let entry = parse(bare.to_string().as_bytes()).unwrap();
    assert_eq!((entry.signings.len(), entry.unreadable.len()), (0, 1));
    assert!(found(bare.to_string().as_bytes()).contains(&watched));
}

#[test]
fn blocks_that_a_real_rekor_accepted_and_others_parse_differently_hide_no_signer() {
    let rows = include_str!("../../../../tests/data/entries/pem-blocks.jsonl");
    for line in rows.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let leaf = row["leaf"].as_str().unwrap();
        let entry = parse(leaf.as_bytes()).unwrap();
        assert_eq!(
            (entry.signings.len(), entry.unreadable.len()),
            (0, 1),
            "{row}"
        );
        let is_watched = |signer: &Signer| {
            let mut names = signer.names().iter();
            names.any(|name| {
                name.value
                    .starts_with("https://github.com/harbor-ml-example/falcon/")
            })
        };
        assert!(found(leaf.as_bytes()).iter().any(is_watched), "{row}");
    }
    assert_eq!(rows.lines().count(), 3);
}

#[test]
fn what_exceeds_a_limit_is_found_by_a_search() {
    let watched = signer("stolen-identity");
    let unknown_issuer = STANDARD.encode(certificate_pem(&signer("crowd")));
    let sign = |key: &str| json!({"publicKey": key, "sig": "QUFBQQ=="});
    let mut signatures = vec![sign(&unknown_issuer); MAX_SIGNINGS + 7];
    signatures.push(sign(&STANDARD.encode(certificate_pem(&watched))));
    let leaf = json!({"apiVersion": "0.0.2", "kind": "intoto", "spec": {"content": {
        "envelope": {"payloadType": "x", "signatures": signatures},
    }}})
    .to_string();
    let entry = parse(leaf.as_bytes()).unwrap();
    assert_eq!(entry.signings.len(), MAX_SIGNINGS);
    assert!(!entry.unreadable.is_empty());
    assert!(found(leaf.as_bytes()).contains(&watched));

    let deep = format!("{}{leaf}{}", "[".repeat(3000), "]".repeat(3000));
    assert!(parse(deep.as_bytes()).is_err());
    assert!(found(deep.as_bytes()).contains(&watched));
}

#[test]
fn unknown_kinds_are_searched_for_every_way_to_write_a_certificate() {
    let leaf = recorded_leaf("stolen-identity");
    let certificate = parse(leaf.as_bytes()).unwrap().signings.remove(0).signer;
    let der = STANDARD.encode(certificate.certificate().unwrap().der());
    let lines = der
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line) + "\n");
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n",
        lines.collect::<String>()
    );
    let in_json = json!({ "deep": [pem] }).to_string();
    for text in [
        der.clone(),
        der.replace('+', "-").replace('/', "_").replace('=', ""),
        pem.clone(),
        pem.replace('\n', "\r\n"),
        STANDARD.encode(&pem),
        STANDARD.encode(STANDARD.encode(&pem)),
        STANDARD.encode(in_json),
    ] {
        let leaf = json!({"apiVersion": "1", "kind": "quantum", "spec": [[{"a": text}], "b"]});
        let entry = parse(leaf.to_string().as_bytes()).unwrap();
        assert_eq!(entry.kind.to_string(), "quantum 1");
        let signers: Vec<_> = entry.signings.iter().map(|s| &s.signer).collect();
        assert_eq!(signers, [&certificate], "{text:.80}");
        assert_eq!(entry.unreadable, []);
    }
}

proptest! {
    #[test]
    fn no_leaf_makes_the_reader_panic(leaf in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&leaf);
    }

    #[test]
    fn no_change_to_an_entry_makes_it_vanish(at in 0usize..3000, byte in any::<u8>(), line in 0usize..20) {
        let (_, leaf) = RECORDED.get(line % RECORDED.len()).unwrap();
        let mut leaf = leaf.clone().into_bytes();
        let at = at % leaf.len();
        *leaf.get_mut(at).unwrap() = byte;
        if let Ok(entry) = parse(&leaf) {
            prop_assert!(entry.signings.len() + entry.unreadable.len() > 0);
        }
    }
}

#[test]
fn the_base64_form_of_a_signature_does_not_matter() {
    // Its last base64 character has bits to spare; `+`, `/`.
    let (plain, bytes) = ("+/+/AQ==", [0xfb, 0xff, 0xbf, 0x01]);
    let spellings = [
        plain,
        "+/+/AR==",
        "-_-_AQ==",
        "-_-_AR",
        "+/+/AQ",
        "+/\n+/AQ\r\n==",
        "-_+/A\nf==",
    ];
    let key = "MCowBQYDK2VwAyEAM8+kdc/KSwtVyu5CgyiQdpBFUzTO/7CQaEssEQMycqY=";
    let pem = STANDARD.encode(pem("PUBLIC KEY", &STANDARD.decode(key).unwrap()));
    let kinds = ["dsse", "intoto", "hashedrekord", "rekord"];
    let leaf = |kind: &str, signature: &str| {
        let hash = json!({"algorithm": "sha256", "value": "ab".repeat(32)});
        let (version, spec) = match kind {
            "dsse" => (
                "0.0.1",
                json!({"payloadHash": hash, "signatures": [{"signature": signature, "verifier": pem}]}),
            ),
            "intoto" => (
                "0.0.2",
                json!({"content": {"payloadHash": hash, "envelope": {"payloadType": "t", "signatures": [
                    {"publicKey": pem, "sig": STANDARD.encode(signature)},
                ]}}}),
            ),
            _ => (
                "0.0.1",
                json!({"data": {"hash": hash}, "signature": {"format": "x509", "content": signature,
                    "publicKey": {"content": pem}}}),
            ),
        };
        json!({"apiVersion": version, "kind": kind, "spec": spec}).to_string()
    };
    for kind in kinds {
        for signature in spellings {
            let leaf = leaf(kind, signature);
            let entry = parse(leaf.as_bytes()).unwrap();
            assert_eq!(entry.unreadable, [], "{leaf}");
            assert!(!entry.has_more, "{leaf}");
            let signature = entry.signings[0].signature.as_deref();
            assert_eq!(signature, Some(&bytes[..]), "{leaf}");
        }
        // A field that is not base64 for any parser is reported.
        if kind != "rekord" {
            for signature in ["+/+/A", "+/+/ AQ==", "+/+/AQ==AA", "+/+/AQ===", "\u{e9}"] {
                let entry = parse(leaf(kind, signature).as_bytes()).unwrap();
                assert_eq!(entry.unreadable.len(), 1, "{kind} {signature}");
                assert_eq!(entry.signings[0].signature, None, "{kind} {signature}");
            }
        }
    }
}
