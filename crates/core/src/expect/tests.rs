//! Bundles of four writers, and what must not pass for one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair, SigningKey as _};
use serde_json::{Value, json};

use super::*;
use crate::identity;

/// `model_signing` over Rekor v2, entry 157 of the recorded log.
const HASHEDREKORD_002: &str =
    include_str!("../../../../tests/data/bundles/rekor-v2-hashedrekord-dsse.json");
/// `model_signing` over Rekor v1, entry 309.
const DSSE_001: &str = include_str!("../../../../tests/data/bundles/rekor-v1-dsse.json");
/// A plain signature over Rekor v2, of the public conformance suite.
const MESSAGE: &str = include_str!("../../../../tests/data/bundles/rekor-v2-message.json");
/// npm's provenance over Rekor v1.
const INTOTO_002: &str = include_str!("../../../../tests/data/bundles/rekor-v1-intoto.json");

const BODY: &str = "/verificationMaterial/tlogEntries/0/canonicalizedBody";

fn change(bundle: &str, path: &str, new: Value) -> String {
    let mut bundle: Value = serde_json::from_str(bundle).unwrap();
    *bundle.pointer_mut(path).unwrap() = new;
    bundle.to_string()
}

fn change_body(bundle: &str, from: &str, to: &str) -> String {
    let value: Value = serde_json::from_str(bundle).unwrap();
    let body = STANDARD
        .decode(value.pointer(BODY).unwrap().as_str().unwrap())
        .unwrap();
    let body = String::from_utf8(body).unwrap();
    assert!(body.contains(from), "{body}");
    change(bundle, BODY, json!(STANDARD.encode(body.replace(from, to))))
}

fn refused(bundle: &str) -> String {
    from_bundle(bundle.as_bytes()).unwrap_err().to_string()
}

#[test]
fn the_leaf_is_the_one_that_the_log_holds() {
    for (bundle, leaf, kind) in [
        (
            HASHEDREKORD_002,
            "c9791832fbd8b2a1bbc840cf251eb42dbbcf7a7d4be0eaa79bf23f5158067fa9",
            "hashedrekord 0.0.2",
        ),
        (
            DSSE_001,
            "69ef5a7177605e952070e9594d1a275ba30b6905e2fc11c137873bf8e08aba4b",
            "dsse 0.0.1",
        ),
        (
            MESSAGE,
            "78470eff2921878c2141726b650bf349099c37850a731f287a6accf35d40441f",
            "hashedrekord 0.0.2",
        ),
        (
            INTOTO_002,
            "2074cd21a9282ea75d7dea9b7f4ed9e1a5b5c4bfbe163ee67878cc411cb25cba",
            "intoto 0.0.2",
        ),
    ] {
        let expectation = from_bundle(bundle.as_bytes()).unwrap();
        assert!(
            expectation
                .leaf_hashes
                .iter()
                .any(|hash| hex::encode(hash) == leaf),
            "{kind}"
        );
        assert_eq!(expectation.entries.first().unwrap().kind, kind);
        // The leaf gives back the signing that was registered.
        let json = serde_json::to_string(&expectation).unwrap();
        let mut back: Expectation = serde_json::from_str(&json).unwrap();
        // What the statement is about is recorded apart.
        let digests = expectation.statement.as_ref().map(|it| it.digests.clone());
        if let (Some(statement), Some(digests)) = (&mut back.statement, digests) {
            assert!(!digests.is_empty());
            statement.digests = digests;
        }
        assert_eq!(back, expectation);
    }
}

#[test]
fn a_v2_leaf_is_recomputed_without_the_entry() {
    let with = from_bundle(HASHEDREKORD_002.as_bytes()).unwrap();
    let path = "/verificationMaterial/tlogEntries";
    let without = from_bundle(change(HASHEDREKORD_002, path, json!([])).as_bytes()).unwrap();
    assert_eq!(with.leaf_hashes, without.leaf_hashes);
    assert_eq!(without.entries, []);
}

#[test]
fn a_registration_names_signer_digest_and_entries() {
    let expectation = from_bundle(DSSE_001.as_bytes()).unwrap();
    assert_eq!(
        expectation.who,
        "https://github.com/harbor-ml-example/falcon/.github/workflows/release.yml@refs/tags/v1.1.0 \
         (https://token.actions.githubusercontent.com)"
    );
    assert!(expectation.digest.starts_with("sha256:"));
    let entry = expectation.entries.first().unwrap();
    assert_eq!(entry.log_index, 309);
    assert_eq!(
        entry.origin.as_deref(),
        Some("harbor-rekor1.example - 4535597721338602099")
    );
}

#[test]
fn a_bundle_whose_signature_does_not_verify_is_refused() {
    let other: Value = serde_json::from_str(DSSE_001).unwrap();
    let signature = other
        .pointer("/dsseEnvelope/signatures/0/sig")
        .unwrap()
        .clone();
    let mismatch = "its signature: the signature does not verify";
    for bundle in [
        change(
            HASHEDREKORD_002,
            "/dsseEnvelope/signatures/0/sig",
            signature.clone(),
        ),
        change(HASHEDREKORD_002, "/dsseEnvelope/payload", json!("e30=")),
        change(
            HASHEDREKORD_002,
            "/dsseEnvelope/payloadType",
            json!("text/plain"),
        ),
        change(MESSAGE, "/messageSignature/signature", signature),
        change(
            MESSAGE,
            "/messageSignature/messageDigest/digest",
            json!(STANDARD.encode([0; 32])),
        ),
    ] {
        assert_eq!(refused(&bundle), mismatch);
    }
}

#[test]
fn a_bundle_that_names_the_entry_of_something_else_is_refused() {
    let other: Value = serde_json::from_str(HASHEDREKORD_002).unwrap();
    let entries = other
        .pointer("/verificationMaterial/tlogEntries")
        .unwrap()
        .clone();
    let entries_path = "/verificationMaterial/tlogEntries";
    let digest = r#""payloadHash":{"algorithm":"sha256","value":""#;
    let kind = "/verificationMaterial/tlogEntries/0/kindVersion";
    for (bundle, message) in [
        (
            change(MESSAGE, entries_path, entries),
            "its log entry 157 is of another signing: another digest",
        ),
        (
            change_body(DSSE_001, &format!("{digest}8"), &format!("{digest}9")),
            "its log entry 309 is of another signing: another digest",
        ),
        (
            change_body(DSSE_001, r#""signature":"MEU"#, r#""signature":"MEQ"#),
            "its log entry 309 is of another signing: another signature",
        ),
        (
            change_body(HASHEDREKORD_002, "P256_SHA_256", "P384_SHA_256"),
            "its log entry 157 is of another signing: another form",
        ),
        (
            change_body(HASHEDREKORD_002, "{\"apiVersion\"", "{ \"apiVersion\""),
            "its log entry 157 is of another signing: another form",
        ),
        (
            change(DSSE_001, kind, json!({"kind": "dsse", "version": "0.0.2"})),
            "its log entry 309 is of another signing: another kind",
        ),
        (
            change(DSSE_001, BODY, json!(STANDARD.encode("{}"))),
            "its log entry 309: not in the shape of an entry: missing field `kind` at line 1 column 2",
        ),
    ] {
        assert_eq!(refused(&bundle), message);
    }
}

#[test]
fn a_v1_entry_that_is_not_there_cannot_be_recomputed() {
    let mut bundle: Value = serde_json::from_str(DSSE_001).unwrap();
    let entry = bundle
        .pointer_mut("/verificationMaterial/tlogEntries/0")
        .unwrap();
    entry.as_object_mut().unwrap().remove("canonicalizedBody");
    assert_eq!(
        refused(&bundle.to_string()),
        "its log entry 309 (dsse 0.0.1) has no canonicalizedBody, which is needed to compute its leaf"
    );
}

#[test]
fn what_is_no_bundle_with_a_certificate_is_refused() {
    let material = "/verificationMaterial";
    let key = change(
        HASHEDREKORD_002,
        material,
        json!({"publicKey": {"hint": "release key"}}),
    );
    assert!(refused(&key).starts_with("signed with a key, not with a certificate"));
    let certificate = json!({"certificate": {"rawBytes": "AAAA"}});
    let broken = change(HASHEDREKORD_002, material, certificate);
    assert!(
        refused(&broken).starts_with("its certificate: "),
        "{}",
        refused(&broken)
    );
    assert!(refused("{}").starts_with("not a Sigstore bundle: "));
    let signatures = "/dsseEnvelope/signatures";
    let mut two: Value = serde_json::from_str(HASHEDREKORD_002).unwrap();
    let list = two.pointer_mut(signatures).unwrap().as_array_mut().unwrap();
    list.push(list.first().unwrap().clone());
    let refused = from_bundle(two.to_string().as_bytes())
        .map(|_| ())
        .unwrap_err();
    assert!(
        matches!(refused, ExpectError::Signatures(2) | ExpectError::Bundle(_)),
        "{refused}"
    );
}

#[test]
fn every_usual_type_of_key_gives_the_leaves_that_rekor_takes() {
    for (algorithm, leaves) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, 2),
        (&rcgen::PKCS_ECDSA_P384_SHA384, 2),
        (&rcgen::PKCS_ECDSA_P521_SHA512, 2),
        (&rcgen::PKCS_RSA_SHA256, 2),
        // Its envelopes cannot be a `hashedrekord`: the server would need the signed file.
        (&rcgen::PKCS_ED25519, 1),
    ] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        let pae = model_signing::dsse::pae("text/plain", b"hello");
        let bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"certificate": {"rawBytes": STANDARD.encode(certificate.der())}, "tlogEntries": []},
            "dsseEnvelope": {
                "payloadType": "text/plain",
                "payload": STANDARD.encode("hello"),
                "signatures": [{"sig": STANDARD.encode(key.sign(&pae).unwrap()), "keyid": ""}],
            },
        });
        let expectation = from_bundle(bundle.to_string().as_bytes()).unwrap();
        assert_eq!(expectation.leaf_hashes.len(), leaves, "{algorithm:?}");
    }
}

#[test]
fn both_forms_of_an_ecdsa_signature_verify_and_are_one_signature() {
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ECDSA_P521_SHA512,
    ] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        let certificate = Certificate::parse_strict(certificate.der().to_vec()).unwrap();
        let verify =
            |signature: &[u8]| identity::verify(certificate.spki_der(), b"hello", signature);
        let mut leaves_so_far = Vec::new();
        // Numbers of every usual length.
        for _ in 0..64 {
            let signature = key.sign(b"hello").unwrap();
            let other = replay::other_form(&signature).unwrap();
            assert_ne!(signature, other);
            verify(&signature).unwrap();
            verify(&other).unwrap();
            assert_eq!(replay::other_form(&other).as_ref(), Some(&signature));
            let name = replay::signature_sha256(&signature);
            assert_eq!(replay::signature_sha256(&other), name);
            assert!(
                !leaves_so_far.contains(&name),
                "another nonce, another signature"
            );
            leaves_so_far.push(name);
        }
    }
}

#[test]
fn what_is_no_ecdsa_signature_has_one_form() {
    let order = "00ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    for signature in [
        "",
        "3000",
        "3006020101020101ff",
        // Numbers that are zero, negative or not minimal, and s of the order itself.
        "3006020101020100",
        "3006020101020180",
        "300702010102020001",
        &format!("3026020101022100{}", &order[2..]),
        // A number longer than any order; a third one.
        &format!("304802010102437f{}", "ff".repeat(66)),
        "3009020101020101020101",
        &"ab".repeat(64),
    ] {
        let signature = hex::decode(signature).unwrap();
        assert_eq!(replay::other_form(&signature), None, "{signature:02x?}");
    }
    // 1 and n - 1.
    let one = hex::decode("3006020101020101").unwrap();
    let other = replay::other_form(&one).unwrap();
    assert!(hex::encode(&other).ends_with("2a3c"), "{other:02x?}");
    assert_eq!(replay::other_form(&other), Some(one));
}

#[test]
fn every_entry_of_a_bundle_shows_the_signing_that_it_registers() {
    for bundle in [HASHEDREKORD_002, DSSE_001, MESSAGE, INTOTO_002] {
        let registered = from_bundle(bundle.as_bytes()).unwrap();
        let signing = registered.signing.unwrap();
        let bundle: Value = serde_json::from_str(bundle).unwrap();
        let body = bundle.pointer(BODY).unwrap().as_str().unwrap();
        let body = STANDARD.decode(body).unwrap();
        let leaf = leaf_hash(&body);
        let entry = entry::parse(&body).unwrap();
        let logged = &entry.signings[0];
        let part = Part::of_kind(&entry.kind.to_string()).unwrap();
        assert_eq!(
            signing.digest(part),
            logged.digest.map(|d| d.to_string()).as_deref()
        );
        let signed_as = SignedAs::of(&entry.kind, logged).unwrap();
        assert_eq!(signing.signature_sha256, hex::encode(signed_as.signature));
        assert_eq!(
            Some(signing.tbs_sha256.clone()),
            signed_as.tbs.map(hex::encode)
        );
        // Registrations of earlier versions have one of these.
        let has_leaf = |leaf: &[u8; 32]| registered.leaf_hashes.contains(leaf);
        assert!(signed_as.leaves.iter().any(has_leaf));
        // The entry that it names, and no other form.
        let named = registered
            .leaf_hashes
            .iter()
            .filter(|leaf| signing.names(&hex::encode(leaf)));
        assert_eq!(named.collect::<Vec<_>>(), [leaf.as_bytes()]);
    }
}
