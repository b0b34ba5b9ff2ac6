//! Entries of real Rekor v1 logs: they parse, and they prove.
#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

use std::path::PathBuf;
use std::{env, fs};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model_signing::bundle::Bundle;
use modelwatch::entry;
use modelwatch::identity::{Chain, Signer};
use modelwatch::trust::TrustedRoot;
use serde_json::Value;
use tlog::{Checkpoint, Hash, KeyName, Origin, Verifier, leaf_hash, verify_inclusion};

/// Names a directory with entries of public logs, which may not be published here: `model_sig_v….json`,
/// `prod_trusted_root.json`, and `rekor-v1-kinds`, a small log with one entry of each other kind.
const PUBLIC_ENTRIES: &str = "MODELWATCH_PUBLIC_ENTRIES";

fn public() -> PathBuf {
    env::var_os(PUBLIC_ENTRIES).map(PathBuf::from).unwrap()
}

fn data(name: &str) -> Vec<u8> {
    fs::read(public().join(name)).unwrap()
}

/// Opens a checkpoint under the origin that it names, which has to be of a tree.
fn open(note: &str, key: &[u8]) -> Checkpoint {
    let origin = note.lines().next().unwrap();
    let (name, _tree) = origin.rsplit_once(" - ").unwrap();
    let verifier = Verifier::rekor_v1(KeyName::new(name).unwrap(), key).unwrap();
    Checkpoint::open(note.as_bytes(), &Origin::new(origin).unwrap(), &[verifier]).unwrap()
}

#[test]
#[ignore = "needs entries of public logs: MODELWATCH_PUBLIC_ENTRIES"]
fn the_entries_of_model_signatures_in_the_public_log_parse_and_prove() {
    let root = TrustedRoot::parse(&data("prod_trusted_root.json")).unwrap();
    let keys = root.rekor_v1_keys(&"https://rekor.sigstore.dev/".parse().unwrap());
    for (version, signer) in [
        ("0.3.1", "identity"),
        ("1.0.0", "identity"),
        ("1.0.1", "identity"),
        ("1.1.0", "identity"),
    ] {
        let bundle = Bundle::parse(&data(&format!("model_sig_v{version}.json"))).unwrap();
        let [logged] = bundle.tlog_entries() else {
            panic!("{version}: one entry")
        };
        let body = logged.canonicalized_body.as_deref().unwrap();
        let proof = logged.inclusion_proof.as_ref().unwrap();
        let checkpoint = open(proof.checkpoint.as_deref().unwrap(), &keys[0]);
        assert_eq!(checkpoint.size(), proof.tree_size, "{version}");
        let hashes: Vec<Hash> = proof.hashes.iter().map(|hash| Hash::new(*hash)).collect();
        let proven = verify_inclusion(
            &leaf_hash(body),
            proof.log_index,
            proof.tree_size,
            &hashes,
            &checkpoint.root(),
        );
        assert_eq!(proven, Ok(()), "{version}");
        // Two indexes, and only their difference leads from one to the other: the trees before.
        assert_eq!(logged.log_index - proof.log_index, 121_904_262, "{version}");

        let entry = entry::parse(body).unwrap();
        let [signing] = entry.signings.as_slice() else {
            panic!("{version}: one signing")
        };
        assert_eq!(entry.unreadable, [], "{version}");
        let certificate = signing.signer.certificate().unwrap();
        assert!(!certificate.sans().is_empty(), "{version}: {signer}");
        let judged = signing.signer.judge(Some(root.authorities()));
        assert_eq!(judged.chain, Chain::Trusted, "{version}");
        // Its SCT too: these are of 2023 to 2025.
        assert_eq!(judged.anomalies, [], "{version}");
    }
}

/// Kind of signer, its name, and its fingerprint.
fn who(signer: &Signer) -> String {
    let names: Vec<&str> = signer.names().iter().map(|n| n.value.as_str()).collect();
    let (kind, fingerprint) = match signer {
        Signer::Certificate(_) => ("certificate".to_owned(), None),
        Signer::Key(key) => (
            format!("{:?}", key.format()).to_lowercase(),
            key.fingerprint(),
        ),
    };
    [&[kind.as_str()][..], &names, fingerprint.as_slice()]
        .concat()
        .join(", ")
}

#[test]
#[ignore = "needs entries of public logs: MODELWATCH_PUBLIC_ENTRIES"]
fn every_kind_of_a_real_log_gives_its_signer_or_the_reason_for_none() {
    let spki = {
        let pem = String::from_utf8(data("rekor-v1-kinds/key.pub.pem")).unwrap();
        let lines = pem.lines().filter(|line| !line.starts_with("-----"));
        STANDARD.decode(lines.collect::<String>()).unwrap()
    };
    let log: Value = serde_json::from_slice(&data("rekor-v1-kinds/log.json")).unwrap();
    let head = open(log["signedTreeHead"].as_str().unwrap(), &spki);
    let mut tree = tlog::CompactRange::new();
    let mut reported = Vec::new();
    for line in String::from_utf8(data("rekor-v1-kinds/entries.jsonl"))
        .unwrap()
        .lines()
    {
        let line: Value = serde_json::from_str(line).unwrap();
        let (id, answer) = line.as_object().unwrap().iter().next().unwrap();
        let body = STANDARD.decode(answer["body"].as_str().unwrap()).unwrap();
        let hash = leaf_hash(&body);
        assert!(id.ends_with(&hash.to_hex()), "{id}");
        tree.push(hash);
        let entry = entry::parse(&body).unwrap();
        assert_eq!(entry.unreadable, [], "{id}");
        let signers: Vec<String> = entry.signings.iter().map(|s| who(&s.signer)).collect();
        reported.push(format!("{}: {}", entry.kind.name(), signers.join(" + ")));
    }
    assert_eq!(tree.root(), head.root());
    assert_eq!(
        reported,
        [
            "rekord: pgp, Luke Hinds <lhinds@protonmail.com>, lhinds@protonmail.com, 7200945C6EFC69D8FA84650926B7C1A09D38A47A",
            "rekord: pkix",
            "rpm: pgp, Rekor Test <rpm-test@rekor.dev>, rpm-test@rekor.dev, E483A3B010F05CA003D849686B5C00FD2745AC5C",
            "alpine: pkix",
            // The CA's certificate, which rekor shows, and that of the signer in the message.
            "jar: certificate + certificate, bcallawa@redhat.com",
            "helm: pgp, not@real.com, 8D68FD63F52DCF7EAA72565BC3C828AFB6681C17",
            // A timestamp of an authority over any hash: there is no signer.
            "rfc3161: ",
            "hashedrekord: pkix",
            "hashedrekord: pkix",
            "hashedrekord: pkix",
            "rekord: pkix",
            // Rekor stores an SSH key without its comment.
            "rekord: ssh, SHA256:K5G5eqtvFLTkYlhuhOP62fbNzydRexAx6Jq5tY0Pnyk",
        ]
    );
}
