//! Entries that cannot be read, or that contain more than their signings: the watches that their findings name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::mutations::shard;
use super::scan::scan_here;
use crate::finding::{Severity, Verdict};
use crate::judge::Rules;
use crate::source::Leaves;
use crate::watch::{Conditions, Watch, Watches};

/// A key of Ed25519.
const STOLEN_KEY: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00\x33\xcf\xa4\x75\xcf\xca\x4b\x0b\x55\xca\xee\x42\x83\x28\x90\x76\x90\x51\x53\x34\xce\xff\xb0\x90\x68\x4b\x0a\x10\x80\x33\x72\xa6";

/// The watches of the findings of the leaf: `key` for the stolen key, `certificate`, `address`, `name` and `other`.
fn findings_of(leaf: &Value) -> Vec<(Option<String>, Severity)> {
    let watch = |name: &str, conditions| Watch::new(name, conditions);
    let digest = Sha256::digest(STOLEN_KEY).into();
    let san = |san: &str| Conditions {
        san: vec![san.to_owned()],
        ..Conditions::default()
    };
    let key = Conditions {
        key_sha256: vec![digest],
        ..Conditions::default()
    };
    let certificate = Conditions {
        certificate_sha256: vec![[7; 32]],
        ..Conditions::default()
    };
    let watches = vec![
        watch("key", key),
        watch("certificate", certificate),
        watch("address", san("192.0.2.7")),
        watch("name", san("release@harbor.example")),
        watch("other", san("1.2.3.4:0c0178")),
    ];
    let rules = Rules::new(Watches::compile(watches).expect("watches"), None);
    let leaves = Leaves::copied(0, &[leaf.to_string().into_bytes()]).expect("leaves");
    let scanned = scan_here(&leaves, &shard(), &rules, Timestamp::UNIX_EPOCH);
    let findings = scanned.findings.into_iter().map(|new| new.finding);
    let findings_of = findings.map(|finding| {
        assert_eq!(finding.verdict, Verdict::Unreadable);
        (finding.watch, finding.severity)
    });
    findings_of.collect()
}

fn of_watches(names: &[&str]) -> Vec<(Option<String>, Severity)> {
    let findings_of = names.iter().map(|name| Some((*name).to_owned()));
    findings_of.map(|watch| (watch, Severity::High)).collect()
}

fn intoto(public_key: &str, keyid: &str) -> Value {
    let hash = json!({"algorithm": "sha256", "value": "00".repeat(32)});
    let signature = json!({
        "keyid": keyid,
        "publicKey": STANDARD.encode(public_key),
        "sig": "QUFBQQ==",
    });
    json!({"apiVersion": "0.0.2", "kind": "intoto", "spec": {"content": {
        "hash": hash,
        "payloadHash": hash,
        "envelope": {"payloadType": "x", "signatures": [signature]},
    }}})
}

/// A TUF root with a key in PEM.
fn tuf(public: &str, more: &str) -> Value {
    let key = json!({"keytype": "ed25519", "keyval": {"public": public}, "x": more});
    let root = json!({"signed": {"_type": "root", "keys": {"a": key}}}).to_string();
    json!({"apiVersion": "0.0.1", "kind": "tuf", "spec": {
        "metadata": {"content": "e30="},
        "root": {"content": STANDARD.encode(root)},
    }})
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// A broken block before the stolen key. Together with the block after it, it is one key of an unknown algorithm.
fn spanning() -> String {
    // Between the two texts are 40 characters of base64, which are 30 octets.
    let head = b"\x30\x81\xcb\x30\x03\x06\x01\x2a\x03\x81\xc3\x00";
    let decoy = [&head[..], &[b'A'; 0xc2 - 30 - STOLEN_KEY.len()]].concat();
    pem("XXX", &decoy).replace("END XXX", "END XXY")
}

/// Texts that begin like certificates of 32 kB, so many that not all of them are read.
fn certificates() -> Vec<u8> {
    b"\x30\x82\x7f\xff\x30\x82\x7f\xf0\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00\x30\x0a\x30\x04\x06\x02\x2a\x03\x03\x02\x00\x00"
        .repeat(1500)
}

#[test]
fn a_decoy_that_absorbs_the_next_block_does_not_hide_its_key() {
    let stolen = pem("PUBLIC KEY", STOLEN_KEY);
    let entry = intoto(&(spanning() + &stolen), "");
    assert_eq!(findings_of(&entry), of_watches(&["key"]));
    // Readers of TUF ignore a blank in the base64.
    let blank = stolen.replace("MCow", "MC ow");
    assert_eq!(
        findings_of(&tuf(&(spanning() + &blank), "")),
        of_watches(&["key"])
    );
}

#[test]
fn an_entry_that_is_not_searched_whole_is_a_finding_of_each_watch_without_a_text() {
    let header = pem("PUBLIC KEY", STOLEN_KEY).replacen("-----\n", "-----\nX: y\n\n", 1);
    let decoys = STANDARD.encode(certificates());
    let all = of_watches(&["key", "certificate", "address", "other"]);
    assert_eq!(findings_of(&intoto(&header, &decoys)), all);
    assert_eq!(findings_of(&intoto("nothing", &decoys)), all);
    // Entries of known kinds too, if all of them could be read.
    let blank = pem("PUBLIC KEY", STOLEN_KEY).replace("MCow", "MC ow");
    assert_eq!(findings_of(&tuf(&blank, &decoys)), all);
    assert_eq!(findings_of(&tuf("00", &decoys)), all);
    assert_eq!(findings_of(&tuf("00", "")), []);
}

fn rekord(version: &str, format: &str, key: &str) -> Value {
    json!({"apiVersion": version, "kind": "rekord", "spec": {
        "data": {"hash": {"algorithm": "sha256", "value": "00".repeat(32)}},
        "signature": {"content": "AAAA", "format": format, "publicKey": {"content": STANDARD.encode(key)}},
    }})
}

#[test]
fn a_minisign_key_is_found_in_each_field_and_a_field_of_minisign_hides_no_other_key() {
    let (_, octets) = STOLEN_KEY.split_at(STOLEN_KEY.len() - 32);
    let line = STANDARD.encode([b"Ed12345678", octets].concat());
    let (first, second) = line.split_at(20);
    for (version, format, key) in [
        ("0.0.1", "x509", format!("untrusted comment: x\n{line}\n")),
        (
            "0.0.1",
            "ssh",
            format!("untrusted comment: x\n{first}\r\n{second}\n"),
        ),
        (
            "0.0.9",
            "minisign",
            format!("untrusted comment: x\n{line}\n"),
        ),
        ("0.0.9", "minisign", line.clone()),
        ("0.0.9", "minisign", STANDARD.encode(octets)),
        ("0.0.1", "minisign", pem("PUBLIC KEY", STOLEN_KEY)),
        (
            "0.0.1",
            "minisign",
            format!(
                "{}\n{}",
                STANDARD.encode([b'E'; 42]),
                pem("PUBLIC KEY", STOLEN_KEY)
            ),
        ),
    ] {
        assert_eq!(
            findings_of(&rekord(version, format, &key)),
            of_watches(&["key"]),
            "{format} {key}"
        );
    }
}

#[test]
fn what_the_token_of_a_timestamp_holds_is_searched() {
    let token = |holds: &[u8]| {
        let content = STANDARD.encode([b"\x30\x82\x01\x00 a token ", holds].concat());
        json!({"apiVersion": "0.0.1", "kind": "rfc3161", "spec": {"tsr": {"content": content}}})
    };
    assert_eq!(findings_of(&token(STOLEN_KEY)), of_watches(&["key"]));
    assert_eq!(findings_of(&token(b"")), []);
}

#[test]
fn the_last_of_too_many_names_is_read_too() {
    use rcgen::{CertificateParams, KeyPair, OtherNameValue, SanType};
    let key = KeyPair::generate().expect("a key");
    for (last, watch) in [
        (SanType::IpAddress([192, 0, 2, 7].into()), "address"),
        (
            SanType::OtherName((vec![1, 2, 3, 4], OtherNameValue::Utf8String("x".to_owned()))),
            "other",
        ),
        (
            SanType::Rfc822Name("release@harbor.example".try_into().expect("ASCII")),
            "name",
        ),
    ] {
        let mut params = CertificateParams::default();
        let uri = |number| SanType::URI(format!("u:{number}").try_into().expect("ASCII"));
        params.subject_alt_names = (0..300).map(uri).chain([last]).collect();
        let certificate = params.self_signed(&key).expect("a certificate");
        let pem = pem("CERTIFICATE", certificate.der());
        assert_eq!(findings_of(&intoto(&pem, "")), of_watches(&[watch]));
    }
}
