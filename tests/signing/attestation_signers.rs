//! `verify attestation` by a key, and by a certificate that leads to a trusted root.

use std::fs;

use model_signing::key::PrivateKey;
use model_signing::sign::{self, CertificateSigner, KeySigner};
use model_signing::timestamp::attach;
use model_signing::verify::SignatureFile;
use serde_json::{Value, json};

use crate::attestation::{World, all, statement};
use crate::fake::authority::Leaf;
use crate::fake::stamp::{Flaws, Stamp, StampAuthority};
use crate::fake::{IDENTITY, ISSUER, Signing, base64, unbase64};
use crate::site::Site;
use crate::stamps::chain;

const KEY: &str = "verify attestation falcon a.json --public-key keys/p256.pub";
const CHAIN: &str = "verify attestation falcon a.json --certificate-chain root.pem";

fn signed_by_key(site: &Site, name: &str) -> Value {
    let pem = fs::read(site.at(name)).unwrap();
    let key = PrivateKey::from_pem(&pem, None).unwrap();
    let payload = statement(all()).to_string();
    let bundle = sign::bundle(payload.as_bytes(), &KeySigner::new(key)).unwrap();
    serde_json::from_slice(&bundle).unwrap()
}

/// An attestation by a certificate until July of that year, with its root in `root.pem`.
fn signed_by_certificate(site: &Site, ends: i32) -> Vec<u8> {
    let (key, leaf, root) = chain(ends);
    site.write("root.pem", &root);
    let key = PrivateKey::from_pem(key.as_bytes(), None).unwrap();
    let signer = CertificateSigner::new(KeySigner::new(key), leaf.as_bytes(), &[]).unwrap();
    let payload = statement(all()).to_string();
    sign::bundle(payload.as_bytes(), &signer).unwrap()
}

/// The bundle as tools write one of version 0.3: a single certificate, without those above it.
fn with_single_certificate(bundle: &Value) -> Value {
    let mut bundle = bundle.clone();
    let material = &mut bundle["verificationMaterial"];
    let leaf = material["x509CertificateChain"]["certificates"][0].take();
    material
        .as_object_mut()
        .unwrap()
        .remove("x509CertificateChain");
    material["certificate"] = leaf;
    bundle["mediaType"] = json!("application/vnd.dev.sigstore.bundle.v0.3+json");
    bundle
}

#[test]
fn an_attestation_by_a_key_is_verified_whatever_hint_its_tool_wrote() {
    let World { site, .. } = World::new();
    let mut bundle = signed_by_key(&site, "keys/p256.key");
    site.write("a.json", &bundle.to_string());
    let said = site.expect(&format!("{KEY} --strict"), 0);
    assert!(
        said.stdout.contains("\n  signer: the P-256 key "),
        "{}",
        said.stdout
    );
    let report = site.expect(&format!("{KEY} --json"), 0).json();
    let attestation = &report["attestations"][0];
    assert_eq!(attestation["method"], json!("key"));
    assert_eq!(attestation["key"]["algorithm"], json!("P-256"));
    assert_eq!(attestation["identity"], json!(null));
    assert_eq!(attestation["certificate"], json!(null));
    assert_eq!(attestation["timestamps"], json!([]));
    assert_eq!(
        attestation["covered"],
        json!(["sub-x", "sub/a", "weights.bin"])
    );

    bundle["verificationMaterial"]["publicKey"]["hint"] = json!("of another tool");
    bundle["mediaType"] = json!("application/vnd.dev.sigstore.bundle.v0.3+json");
    site.write("a.json", &bundle.to_string());
    site.expect(&format!("{KEY} --strict"), 0);

    let other = KEY.replace("p256", "p384");
    let said = site.expect(&other, 1);
    assert!(
        said.stderr
            .contains("a.json: the signature does not verify: it is not by the public key"),
        "{}",
        said.stderr
    );
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    let payload = String::from_utf8(unbase64(payload)).unwrap();
    let poisoned = payload.replace("scan/v1", "scan/v2");
    assert_ne!(poisoned, payload);
    bundle["dsseEnvelope"]["payload"] = json!(base64(poisoned));
    site.write("a.json", &bundle.to_string());
    site.expect(KEY, 1);
}

#[test]
fn an_attestation_by_a_key_is_held_against_the_model() {
    let World { site, .. } = World::new();
    let bundle = signed_by_key(&site, "keys/p256.key");
    site.write("a.json", &bundle.to_string());
    site.write("falcon/weights.bin", "poison");
    let said = site.expect(KEY, 1);
    assert!(
        said.stderr
            .contains("a.json: files are not what is attested: \"weights.bin\""),
        "{}",
        said.stderr
    );
}

#[test]
fn an_attestation_by_a_certificate_must_lead_to_a_trusted_root() {
    let World { site, .. } = World::new();
    let bundle = signed_by_certificate(&site, 2095);
    let bundle: Value = serde_json::from_slice(&bundle).unwrap();
    let single = with_single_certificate(&bundle);
    for bundle in [&bundle, &single] {
        site.write("a.json", &bundle.to_string());
        let said = site.expect(&format!("{CHAIN} --strict"), 0);
        assert!(
            said.stdout
                .contains("\n  signer: CN=model signer, certified by CN=model root\n"),
            "{}",
            said.stdout
        );
        let report = site.expect(&format!("{CHAIN} --json"), 0).json();
        let attestation = &report["attestations"][0];
        assert_eq!(attestation["method"], json!("certificate"));
        assert_eq!(
            attestation["certificate"]["subject"],
            json!("CN=model signer")
        );
        let (_, _, other) = chain(2095);
        site.write("other.pem", &other);
        let said = site.expect(&CHAIN.replace("root.pem", "other.pem"), 1);
        assert!(
            said.stderr.contains("a.json: certificate chain: "),
            "{}",
            said.stderr
        );
    }
}

#[test]
fn an_expired_certificate_of_an_attestation_is_judged_at_its_timestamp_or_as_told() {
    let World { site, sigstore } = World::new();
    let authority = StampAuthority::with(&rcgen::PKCS_RSA_SHA256, Flaws::default());
    site.write("tsa.pem", &authority.pem(2));
    let file = signed_by_certificate(&site, 2026);
    fs::write(site.at("a.json"), &file).unwrap();
    let said = site.expect(CHAIN, 1);
    assert!(said.stderr.contains("is valid from"), "{}", said.stderr);
    for option in ["--at 2025-03-01", "--allow-expired"] {
        let said = site.expect(&format!("{CHAIN} {option}"), 0);
        assert!(
            said.stderr
                .contains("nothing proves that the signature was made before"),
            "{}",
            said.stderr
        );
        site.expect(&format!("{CHAIN} {option} --strict"), 1);
    }
    let without = format!("{CHAIN} --tsa-certificate-chain tsa.pem");
    let said = site.expect(&without, 1);
    assert!(
        said.stderr.contains("the signature has no timestamp"),
        "{}",
        said.stderr
    );

    let signature = SignatureFile::parse(&file).unwrap().signature().to_vec();
    let stamp = |authority: &StampAuthority| authority.stamp(&signature, &Stamp::default());
    let stamped = attach(&file, &[stamp(&authority)]).unwrap();
    fs::write(site.at("a.json"), stamped).unwrap();
    site.expect(&format!("{without} --strict"), 0);
    let report = site.expect(&format!("{without} --json"), 0).json();
    assert_eq!(
        report["attestations"][0]["timestamps"],
        json!(["2025-06-01T00:00:10Z"])
    );
    // That of another authority counts for nothing.
    site.expect(&format!("{CHAIN} --trusted-root root.json"), 1);
    let stamped = attach(&file, &[stamp(&sigstore.tsa)]).unwrap();
    fs::write(site.at("a.json"), stamped).unwrap();
    site.expect(&format!("{CHAIN} --trusted-root root.json --strict"), 0);
}

#[test]
fn an_attestation_by_an_identity_needs_that_identity_even_if_fulcio_is_the_root() {
    let World { site, sigstore } = World::new();
    let signing = Signing {
        leaf: Leaf {
            valid_seconds: 80 * 365 * 24 * 60 * 60,
            ..Leaf::default()
        },
        ..Signing::v2()
    };
    let payload = statement(all()).to_string();
    let bundle = sigstore.sign(payload.as_bytes(), &signing);
    site.write("a.json", &bundle.to_string());
    let mut pem = String::new();
    for certificate in sigstore.fulcio.chain() {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        pem.push_str(certificate["rawBytes"].as_str().unwrap());
        pem.push_str("\n-----END CERTIFICATE-----\n");
    }
    site.write("root.pem", &pem);
    for line in [CHAIN, KEY] {
        let said = site.expect(line, 1);
        assert!(
            said.stderr.contains("it is signed with "),
            "{}",
            said.stderr
        );
    }
    let said = site.expect(CHAIN, 1);
    assert!(
        said.stderr.contains("an identity of Sigstore"),
        "{}",
        said.stderr
    );
}

#[test]
fn exactly_one_kind_of_signer_is_named() {
    let World { site, .. } = World::new();
    let who = format!("--identity {IDENTITY} --identity-provider {ISSUER}");
    for rest in [
        String::new(),
        format!("--identity {IDENTITY}"),
        format!("--identity-provider {ISSUER}"),
        format!("--identity {IDENTITY} --identity-provider ="),
        format!("{who} --public-key keys/p256.pub"),
        format!("{who} --certificate-chain root.pem"),
        format!("{who} --tsa-certificate-chain tsa.pem"),
        format!("{who} --allow-expired"),
        "--public-key keys/p256.pub --certificate-chain root.pem".to_owned(),
        "--public-key keys/p256.pub --require build_trigger=push".to_owned(),
        "--public-key keys/p256.pub --identity-glob *".to_owned(),
        "--public-key keys/p256.pub --use-staging".to_owned(),
        "--public-key keys/p256.pub --at 2025-01-01".to_owned(),
        "--certificate-chain root.pem --offline".to_owned(),
    ] {
        let line = format!("verify attestation falcon a.json {rest}");
        let line = line.replace("--identity-provider =", "--identity-provider=");
        site.expect(&line, 2);
    }
}
