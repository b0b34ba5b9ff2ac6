//! Real signatures are read as an independent JSON parser reads them: nothing lost, nothing taken for something else.
#![expect(
    clippy::unwrap_used,
    reason = "a missing field of a recorded file is a failed test"
)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model_signing::bundle::{Bundle, Content, TlogEntry};
use model_signing::dsse::{Envelope, pae};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

#[test]
fn every_signature_in_the_repository_is_read_completely() {
    let files = files(Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data"
    )));
    assert_eq!(files.len(), 5);
    for file in &files {
        is_read_completely(file);
    }
}

#[test]
fn every_signature_of_the_fixtures_is_read_completely() {
    let Some(fixtures) = std::env::var_os("MODELWATCH_FIXTURES") else {
        // Not through eprintln!, which the test harness hides.
        writeln!(
            std::io::stderr(),
            "SKIPPED: MODELWATCH_FIXTURES names no directory with bundles/"
        )
        .unwrap();
        return;
    };
    let files = files(&Path::new(&fixtures).join("bundles"));
    assert!(!files.is_empty(), "no bundles in {fixtures:?}");
    for file in &files {
        is_read_completely(file);
    }
}

#[test]
fn the_log_entry_is_over_the_pae_of_the_envelope_in_rekor_v2() {
    let bundle = Bundle::parse(include_bytes!("data/dsse-rekor-v2.sig")).unwrap();
    let Content::Dsse(envelope) = bundle.content() else {
        panic!("an envelope")
    };
    let logged = &body(&bundle)["spec"]["hashedRekordV002"];
    assert_eq!(
        logged["data"]["digest"],
        STANDARD.encode(Sha256::digest(envelope.pae()))
    );
    assert_eq!(
        logged["signature"]["content"],
        STANDARD.encode(&envelope.signatures[0].sig)
    );
    let verifier = &logged["signature"]["verifier"]["x509Certificate"]["rawBytes"];
    assert_eq!(
        *verifier,
        STANDARD.encode(bundle.leaf_certificate().unwrap())
    );
}

#[test]
fn the_log_entry_is_over_the_payload_of_the_envelope_in_rekor_v1() {
    let bundle = Bundle::parse(include_bytes!("data/dsse-rekor-v1.sig")).unwrap();
    let Content::Dsse(envelope) = bundle.content() else {
        panic!("an envelope")
    };
    let digest = Sha256::digest(&envelope.payload)
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    assert_eq!(body(&bundle)["spec"]["payloadHash"]["value"], digest);
}

#[test]
fn an_envelope_alone_is_read_as_in_its_bundle() {
    let file = include_bytes!("data/dsse-rekor-v2.sig");
    let json: Value = serde_json::from_slice(file).unwrap();
    let alone = Envelope::parse(json["dsseEnvelope"].to_string().as_bytes()).unwrap();
    assert_eq!(
        Bundle::parse(file).unwrap().content(),
        Content::Dsse(&alone)
    );
}

fn files(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|end| end == "sig" || end == "json")
        })
        .collect()
}

fn body(bundle: &Bundle) -> Value {
    serde_json::from_slice(
        bundle.tlog_entries()[0]
            .canonicalized_body
            .as_ref()
            .unwrap(),
    )
    .unwrap()
}

/// Encodes every field again and compares with the file.
fn is_read_completely(file: &Path) {
    let json = fs::read(file).unwrap();
    let bundle = Bundle::parse(&json).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let json: Value = serde_json::from_slice(&json).unwrap();
    let material = &json["verificationMaterial"];

    assert_eq!(json["mediaType"], bundle.media_type());
    let mut certificates = bundle.certificates().iter().map(|der| STANDARD.encode(der));
    if let Some(chain) = material["x509CertificateChain"]["certificates"].as_array() {
        assert!(
            chain
                .iter()
                .map(|item| item["rawBytes"].as_str().unwrap())
                .eq(certificates)
        );
    } else {
        assert_eq!(
            material["certificate"]["rawBytes"].as_str(),
            certificates.next().as_deref()
        );
        assert_eq!(certificates.next(), None);
    }
    assert_eq!(
        material["publicKey"]["hint"].as_str(),
        bundle.public_key_hint()
    );

    let entries = material["tlogEntries"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    assert_eq!(entries.len(), bundle.tlog_entries().len());
    for (entry, json) in bundle.tlog_entries().iter().zip(entries) {
        entry_is_as_in(entry, json);
    }

    match bundle.content() {
        Content::Dsse(envelope) => {
            let json = &json["dsseEnvelope"];
            assert_eq!(json["payloadType"], envelope.payload_type);
            assert_eq!(json["payload"], STANDARD.encode(&envelope.payload));
            assert_eq!(
                envelope.pae(),
                pae(&envelope.payload_type, &envelope.payload)
            );
            let signatures = json["signatures"].as_array().unwrap();
            assert_eq!(signatures.len(), envelope.signatures.len());
            for (signature, json) in envelope.signatures.iter().zip(signatures) {
                assert_eq!(json["sig"], STANDARD.encode(&signature.sig));
                assert_eq!(json["keyid"].as_str(), signature.keyid.as_deref());
            }
        }
        Content::Message {
            digest_algorithm,
            digest,
            signature,
        } => {
            let json = &json["messageSignature"];
            assert_eq!(json["messageDigest"]["algorithm"], digest_algorithm.name());
            assert_eq!(json["messageDigest"]["digest"], STANDARD.encode(digest));
            assert_eq!(json["signature"], STANDARD.encode(signature));
        }
    }
}

fn entry_is_as_in(entry: &TlogEntry, json: &Value) {
    assert_eq!(json["logIndex"], entry.log_index.to_string());
    assert_eq!(json["logId"]["keyId"], STANDARD.encode(&entry.log_id));
    assert_eq!(json["kindVersion"]["kind"], entry.kind);
    assert_eq!(json["kindVersion"]["version"], entry.version);
    let time = json["integratedTime"].as_str().unwrap_or("0");
    assert_eq!(time, entry.integrated_time.unwrap_or(0).to_string());
    let encoded = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| STANDARD.encode(bytes));
    assert_eq!(
        json["canonicalizedBody"].as_str(),
        encoded(&entry.canonicalized_body).as_deref()
    );
    let promise = &json["inclusionPromise"]["signedEntryTimestamp"];
    assert_eq!(
        promise.as_str(),
        encoded(&entry.inclusion_promise).as_deref()
    );

    let json = &json["inclusionProof"];
    let Some(proof) = &entry.inclusion_proof else {
        assert!(json.is_null());
        return;
    };
    assert_eq!(json["logIndex"], proof.log_index.to_string());
    assert_eq!(json["rootHash"], STANDARD.encode(proof.root_hash));
    assert_eq!(json["treeSize"], proof.tree_size.to_string());
    let hashes = json["hashes"].as_array().unwrap();
    assert!(
        hashes
            .iter()
            .map(|hash| hash.as_str().unwrap())
            .eq(proof.hashes.iter().map(|hash| STANDARD.encode(hash)))
    );
    assert_eq!(
        json["checkpoint"]["envelope"].as_str(),
        proof.checkpoint.as_deref()
    );
}
