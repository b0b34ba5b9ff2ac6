//! A stolen key or certificate in another encoding than the owner's, through a pass.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use modelwatch::finding::Finding;
use modelwatch::identity::{Certificate, Key, KeyFormat};
use modelwatch::judge::Rules;
use modelwatch::watch::{Conditions, Watch, Watches};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::rekor_v1::V1;
use crate::world::{Leaf, authorities, written};

fn data(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keys/encodings");
    std::fs::read(folder.join(name)).unwrap()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// An entry of Rekor v1 with a key of that format.
fn rekord(format: &str, key: &[u8]) -> Leaf {
    written(&json!({"apiVersion": "0.0.1", "kind": "rekord", "spec": {
        "data": {"hash": {"algorithm": "sha256", "value": "ab".repeat(32)}},
        "signature": {"content": "AAAA", "format": format, "publicKey": {"content": STANDARD.encode(key)}},
    }}))
}

/// An entry of Rekor v2 with that verifier.
fn hashedrekord(verifier: &str, bytes: &[u8]) -> Leaf {
    written(
        &json!({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": {
            "data": {"algorithm": "SHA2_256", "digest": STANDARD.encode([7; 32])},
            "signature": {"content": "MAYCAQECAQE=", "verifier": {
                "keyDetails": "PKIX_ECDSA_P256_SHA_256", verifier: {"rawBytes": STANDARD.encode(bytes)},
            }},
        }}}),
    )
}

/// The SubjectPublicKeyInfo of the P-256 key with a further element in its AlgorithmIdentifier, and bytes after the
/// key.
fn with_more() -> Vec<u8> {
    let plain = data("prime256v1.der");
    // `SEQUENCE { SEQUENCE (19 bytes), BIT STRING }`.
    let mut longer = plain.clone();
    longer.splice(23..23, *b"\x02\x01\x07");
    longer[3] += 3;
    longer.extend(*b"\x04\x01x");
    longer[1] += 6;
    longer
}

/// The thief's primary key with that key as its subkey, in packets without armour.
fn under_the_thiefs(key: &Key) -> Vec<u8> {
    let thief = Key::from_pgp(&data("thief.asc")).unwrap();
    // As they are framed for their fingerprints, keys are packets of the old form (RFC 9580 §5.5.4).
    let mut subkey = key.bytes().to_vec();
    assert_eq!(std::mem::replace(&mut subkey[0], 0xb9), 0x99);
    [thief[0].bytes(), &subkey].concat()
}

#[tokio::test]
async fn a_stolen_key_or_certificate_is_seen_in_every_encoding() {
    let owner = Key::from_pgp(&data("owner.asc")).unwrap();
    let subkey = &owner[1];
    let minisign = String::from_utf8(data("minisign.pub")).unwrap();
    let line = minisign.lines().nth(1).unwrap().as_bytes();
    let octets = data("ed25519.der").split_off(12);
    let certificate = data("certificate.secp384r1.der");
    let (ed25519, p256, p384) = (
        sha256(&data("ed25519.der")),
        sha256(&data("prime256v1.der")),
        sha256(&data("secp384r1.der")),
    );
    let ssh = Key::from_ssh(&data("ed25519.pub")).unwrap().remove(0);
    let key = |hash: [u8; 32]| Conditions {
        key_sha256: vec![hash],
        ..Conditions::default()
    };
    let cases = [
        (
            "a subkey under the thief's primary key",
            rekord("pgp", &data("thief.asc")),
            key(subkey.canonical_sha256().unwrap()),
        ),
        (
            "its very packet, by the hash of it",
            rekord("pgp", &under_the_thiefs(subkey)),
            key(subkey.key_sha256()),
        ),
        (
            "an SSH certificate",
            rekord("ssh", &data("ed25519-cert.pub")),
            key(ed25519),
        ),
        (
            "an SSH certificate, by the fingerprint of the key",
            rekord("ssh", &data("ed25519-cert.pub")),
            key(ssh.key_sha256()),
        ),
        ("a minisign key", rekord("minisign", line), key(ed25519)),
        (
            "a minisign key as Rekor stored it first",
            rekord("minisign", &octets),
            key(ed25519),
        ),
        (
            "a SubjectPublicKeyInfo with more in it",
            hashedrekord("publicKey", &with_more()),
            key(p256),
        ),
        (
            "a compressed point",
            hashedrekord("publicKey", &data("secp384r1.compressed.der")),
            key(p384),
        ),
        (
            "the other signature of the CA",
            hashedrekord("x509Certificate", &data("certificate.secp384r1.twin.der")),
            Conditions {
                certificate_sha256: vec![sha256(&certificate)],
                ..Conditions::default()
            },
        ),
    ];
    for (name, leaf, conditions) in cases {
        let mut v1 = V1::new().await;
        v1.log.grow(0, [leaf]);
        let watches = Watches::compile(vec![Watch::new(name, conditions)]).unwrap();
        v1.rules = Rules::new(watches, Some(authorities())).into();
        v1.good().await;
        let findings = v1.findings().await;
        let of_watch: Vec<&Finding> = findings
            .iter()
            .filter(|finding| finding.watch.as_deref() == Some(name))
            .collect();
        let [finding] = of_watch.as_slice() else {
            panic!("{name}: {findings:?}")
        };
        assert_eq!(finding.index, Some(25), "{name}");
        // The signature proves the key, whatever is in a certificate.
        assert_eq!(finding.verdict.as_str(), "identity-unexpected", "{name}");
        assert_eq!(finding.proven, Some(true), "{name}");
    }
}

#[tokio::test]
async fn a_finding_keeps_the_hash_as_it_was_logged() {
    let logged = with_more();
    let mut v1 = V1::new().await;
    v1.log.grow(0, [hashedrekord("publicKey", &logged)]);
    let conditions = Conditions {
        key_sha256: vec![sha256(&data("prime256v1.der"))],
        ..Conditions::default()
    };
    let watches = Watches::compile(vec![Watch::new("mine", conditions)]).unwrap();
    v1.rules = Rules::new(watches, Some(authorities())).into();
    v1.good().await;
    let findings = v1.findings().await;
    let [finding] = findings.as_slice() else {
        panic!("{findings:?}")
    };
    assert_eq!(finding.key_sha256, Some(hex::encode(sha256(&logged))));
}

#[tokio::test]
async fn the_key_and_certificate_of_another_signer_are_not_the_owners() {
    let mut v1 = V1::new().await;
    v1.log.grow(
        0,
        [
            rekord("pgp", &data("thief.asc")),
            rekord("ssh", &data("ed25519-cert.pub")),
            hashedrekord("publicKey", &data("secp521r1.compressed.der")),
            hashedrekord("x509Certificate", &data("certificate.prime256v1.twin.der")),
        ],
    );
    let others = Key::from_pgp(&data("owner.asc")).unwrap();
    let minisign = Key::other(KeyFormat::Minisign, vec![9; 32]).unwrap();
    let certificate = Certificate::parse(data("certificate.secp384r1.der")).unwrap();
    let watches = Watches::compile(vec![Watch::new(
        "mine",
        Conditions {
            // The primary key, and subkeys that were not stolen.
            key_sha256: [&others[..1], &others[3..]]
                .concat()
                .iter()
                .flat_map(Key::hashes)
                .chain(minisign.hashes())
                .chain(certificate.key_hashes())
                .collect(),
            ..Conditions::default()
        },
    )]);
    v1.rules = Rules::new(watches.unwrap(), Some(authorities())).into();
    v1.good().await;
    assert_eq!(v1.findings().await, []);
}

/// What `watch suggest` prints, and its exit code.
fn suggested(name: &str) -> (String, Option<i32>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keys/encodings");
    let done = Command::new(env!("CARGO_BIN_EXE_modelwatch"))
        .args(["watch", "suggest"])
        .arg(folder.join(name))
        .output()
        .unwrap();
    (String::from_utf8(done.stdout).unwrap(), done.status.code())
}

#[test]
fn a_watch_is_suggested_for_a_key_in_every_encoding_by_its_one_hash() {
    for (file, owner) in [
        ("prime256v1.der", "prime256v1"),
        ("secp521r1.compressed.der", "secp521r1"),
        ("secp384r1.hybrid.explicit.der", "secp384r1"),
        ("rsa.pkcs1.der", "rsa"),
        ("rsa.pub", "rsa"),
        ("rsa-cert.pub", "rsa"),
        ("ed25519.pub", "ed25519"),
        ("ed25519-cert.pub", "ed25519"),
        ("ed25519.rfc4716", "ed25519"),
        ("minisign.pub", "ed25519"),
    ] {
        let (block, code) = suggested(file);
        let hash = hex::encode(sha256(&data(&format!("{owner}.der"))));
        assert!(
            block.contains(&format!("key_sha256 = \"{hash}\"")),
            "{file}: {block}"
        );
        assert_eq!(code, Some(0), "{file}");
    }
}

#[test]
fn several_keys_in_a_file_are_reported_and_each_is_watched() {
    for (file, count) in [
        ("owner.asc", 10),
        ("owner.pgp", 10),
        ("thief.asc", 3),
        ("both.asc", 13),
    ] {
        let (block, code) = suggested(file);
        let reported = format!("# The file contains {count} public keys.\n");
        assert!(block.starts_with(&reported), "{file}: {block}");
        assert_eq!(code, Some(0), "{file}");
        for key in Key::from_pgp(&data(file)).unwrap() {
            let hash = hex::encode(key.canonical_sha256().unwrap());
            assert!(block.contains(&hash), "{file}: {block}");
        }
    }
}
