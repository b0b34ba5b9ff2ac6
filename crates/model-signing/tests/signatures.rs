//! Signature files: what is accepted, what is refused, and with which words.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model_signing::dsse;
use model_signing::key::{PrivateKey, PublicKey};
use model_signing::sign::{self, KeySigner};
use model_signing::verify::{self, Opened, Options, Verifier, VerifyError, Warning};
use serde_json::{Value, json};

const PAYLOAD: &[u8] = br#"{"predicateType":"https://model_signing/signature/v1.0"}"#;
const PAYLOAD_0_2: &str =
    "{\"predicateType\":\"https://model_signing/Digests/v0.1\",\n\t\"it's\": \"\\\\ ü\x7f\"}";

fn key_pem() -> &'static [u8] {
    include_bytes!("data/keys/p256-pkcs8.pem")
}

fn public() -> PublicKey {
    PublicKey::from_pem(include_bytes!("data/keys/p256-public.pem")).unwrap()
}

fn signed(payload: &[u8]) -> Value {
    let signer = KeySigner::new(PrivateKey::from_pem(key_pem(), None).unwrap());
    serde_json::from_slice(&sign::bundle(payload, &signer).unwrap()).unwrap()
}

fn open(file: &[u8], strict: bool) -> Result<Opened, VerifyError> {
    verify::open(
        file,
        &Verifier::Key(public()),
        &Options::at_present(0, strict),
    )
}

fn error(file: &[u8]) -> String {
    open(file, false).unwrap_err().to_string()
}

/// A signature over any bytes, by the key of the tests.
fn raw(message: &[u8]) -> Vec<u8> {
    let pem = String::from_utf8_lossy(key_pem());
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(base64).unwrap();
    let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, &der).unwrap();
    pair.sign(&SystemRandom::new(), message)
        .unwrap()
        .as_ref()
        .to_vec()
}

#[test]
fn a_file_has_the_bytes_that_the_reference_writes() {
    let signer = KeySigner::new(PrivateKey::from_pem(key_pem(), None).unwrap());
    let file = String::from_utf8(sign::bundle(b"{}", &signer).unwrap()).unwrap();
    let (head, rest) = file.split_once("\"sig\":\"").unwrap();
    assert_eq!(
        head,
        format!(
            "{{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\",\"verificationMaterial\":\
             {{\"publicKey\":{{\"hint\":\"{}\"}},\"tlogEntries\":[]}},\"dsseEnvelope\":{{\"payload\":\"e30=\",\
             \"payloadType\":\"application/vnd.in-toto+json\",\"signatures\":[{{",
            public().hint()
        )
    );
    assert!(rest.ends_with("\",\"keyid\":\"\"}]}}"));
    let opened = open(file.as_bytes(), true).unwrap();
    assert_eq!((opened.payload, opened.warnings), (b"{}".to_vec(), vec![]));
}

#[test]
fn what_older_versions_left_out_or_added_does_not_matter() {
    let file = signed(PAYLOAD);
    let pretty = serde_json::to_vec_pretty(&file).unwrap();
    assert_eq!(open(&pretty, true).unwrap().payload, PAYLOAD);
    for (pointer, value, warnings) in [
        (
            "/verificationMaterial/publicKey",
            json!({}),
            vec![Warning::NoHint],
        ),
        (
            "/verificationMaterial/publicKey",
            json!({"rawBytes": "AA==", "keyDetails": "PKIX_ECDSA_P256_SHA_256"}),
            vec![Warning::NoHint],
        ),
        (
            "/verificationMaterial/publicKey",
            json!({"hint": null}),
            vec![Warning::NoHint],
        ),
        (
            "/verificationMaterial/publicKey",
            json!({"hint": ""}),
            vec![Warning::NoHint],
        ),
        ("/verificationMaterial/tlogEntries", Value::Null, vec![]),
        ("/dsseEnvelope/signatures/0/keyid", Value::Null, vec![]),
        ("/dsseEnvelope/signatures/0/keyid", json!("any"), vec![]),
    ] {
        let mut file = file.clone();
        *file.pointer_mut(pointer).unwrap() = value.clone();
        let opened = open(file.to_string().as_bytes(), false);
        assert_eq!(opened.unwrap().warnings, warnings, "{pointer} = {value}");
    }
    let mut snake = file.to_string();
    for (camel, name) in [
        ("mediaType", "media_type"),
        ("publicKey", "public_key"),
        ("dsseEnvelope", "dsse_envelope"),
        ("payloadType", "payload_type"),
    ] {
        snake = snake.replace(&format!("\"{camel}\""), &format!("\"{name}\""));
    }
    assert!(open(snake.as_bytes(), false).is_ok());
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let file = signed(PAYLOAD).to_string();
    for (from, to, said) in [
        (
            "{\"dsse",
            "{\"extra\":1,\"dsse",
            "extra is not a field of this format",
        ),
        (
            "\"tlogEntries\":[]",
            "\"tlogEntries\":[],\"tlogEntries\":[]",
            "verificationMaterial.tlogEntries is given more than once",
        ),
        (
            "\"tlogEntries\":[]",
            "\"tlogEntries\":[],\"tlog_entries\":[]",
            "verificationMaterial.tlogEntries is given more than once",
        ),
        (
            "\"keyid\":\"\"",
            "\"keyid\":\"\",\"\u{202e}\\u001b\":0",
            "dsseEnvelope.signatures[0].\\u{202e}\\u{1b} is not a field of this format",
        ),
        (
            "\"sig\":\"",
            "\"sig\":\" ",
            "dsseEnvelope.signatures[0].sig is not canonical base64",
        ),
        (
            "bundle.v0.3+json",
            "bundle+json;version=0.1",
            "mediaType is \"application/vnd.dev.sigstore.bundle+json;version=0.1\", not application/vnd.dev.sigstore.bundle.v0.3+json",
        ),
        (
            "\"publicKey\"",
            "\"certificate\":{\"rawBytes\":\"MAA=\"},\"publicKey\"",
            "has certificate and publicKey, not one of",
        ),
        (
            "\"publicKey\":{",
            "\"certificate\":{\"rawBytes\":\"MAA=\"},\"x\":{",
            "verificationMaterial.x is not a field",
        ),
        (
            "in-toto+json",
            "in-toto+xml",
            "the signature is over \"application/vnd.in-toto+xml\", not over an in-toto statement",
        ),
        (
            "}]}",
            "},{\"sig\":\"AA==\"}]}",
            "the envelope has 2 signatures, not one",
        ),
    ] {
        let changed = file.replacen(from, to, 1);
        assert_ne!(changed, file, "{from}");
        let said_in_fact = error(changed.as_bytes());
        assert!(said_in_fact.contains(said), "{from}: {said_in_fact}");
    }
    for file in [format!("\u{feff}{file}"), format!("{file}x"), String::new()] {
        assert!(error(file.as_bytes()).starts_with("not a Sigstore bundle: not JSON: "));
    }
}

#[test]
fn the_error_names_the_method_of_another_signer() {
    let mut file = signed(PAYLOAD);
    let material = json!({"certificate": {"rawBytes": "MAA="}, "tlogEntries": []});
    *file.pointer_mut("/verificationMaterial").unwrap() = material;
    let said = error(file.to_string().as_bytes());
    assert!(
        said.starts_with(
            "it is signed with a single certificate without a log entry, which is neither"
        ),
        "{said}"
    );
    let keyless = include_bytes!("data/dsse-rekor-v2.sig");
    assert!(
        error(keyless).starts_with("it is signed with an identity of Sigstore, and what"),
        "{}",
        error(keyless)
    );
    let material = json!({"publicKey": {"hint": "\u{1b}[2J"}});
    *file.pointer_mut("/verificationMaterial").unwrap() = material;
    let error = error(file.to_string().as_bytes());
    assert!(
        error.starts_with(
            "key mismatch: the signature names the key \"\\u{1b}[2J\", and the public key"
        ),
        "{error}"
    );
}

#[test]
fn a_signature_in_any_other_form_than_der_is_refused() {
    let file = signed(PAYLOAD);
    let with = |signature: &[u8]| {
        let mut file = file.clone();
        *file.pointer_mut("/dsseEnvelope/signatures/0/sig").unwrap() =
            json!(STANDARD.encode(signature));
        open(file.to_string().as_bytes(), false)
    };
    let good = raw(&dsse::pae(dsse::IN_TOTO_PAYLOAD_TYPE, PAYLOAD));
    assert!(with(&good).is_ok());
    let pem = String::from_utf8_lossy(key_pem());
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let pair = EcdsaKeyPair::from_private_key_der(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        &STANDARD.decode(base64).unwrap(),
    )
    .unwrap();
    let fixed = pair
        .sign(
            &SystemRandom::new(),
            &dsse::pae(dsse::IN_TOTO_PAYLOAD_TYPE, PAYLOAD),
        )
        .unwrap();
    // The length of the whole in two bytes, where one is enough.
    let long_form = [&[0x30, 0x81], good.get(1..).unwrap()].concat();
    for (name, signature) in [
        ("r and s side by side", fixed.as_ref()),
        ("something after it", &[&*good, b"\0"].concat()),
        ("cut short", good.split_last().unwrap().1),
        ("not the shortest form", &long_form),
        ("over another encoding", &raw(PAYLOAD)),
    ] {
        let error = with(signature).unwrap_err();
        assert!(
            matches!(error, VerifyError::Signature { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn the_encoding_of_0_2_is_accepted_only_for_statements_of_0_2() {
    // As Python writes the bytes: repr(payload).
    let text = r#"b'{"predicateType":"https://model_signing/Digests/v0.1",\n\t"it\'s": "\\\\ \xc3\xbc\x7f"}'"#;
    let old = |payload: &str, text: &str| {
        let message = format!(
            "DSSEV1 28 application/vnd.in-toto+json {} {text}",
            payload.len()
        );
        let mut file = signed(payload.as_bytes());
        *file.pointer_mut("/dsseEnvelope/signatures/0/sig").unwrap() =
            json!(STANDARD.encode(raw(message.as_bytes())));
        file.to_string().into_bytes()
    };
    let file = old(PAYLOAD_0_2, text);
    let opened = open(&file, false).unwrap();
    assert!(opened.legacy_pae);
    assert_eq!(
        (opened.payload.as_slice(), opened.warnings),
        (PAYLOAD_0_2.as_bytes(), vec![Warning::OldEncoding])
    );
    assert!(matches!(
        open(&file, true).unwrap_err(),
        VerifyError::OldEncoding
    ));

    let newer = String::from_utf8_lossy(PAYLOAD);
    let error = open(&old(&newer, &format!("b'{newer}'")), false).unwrap_err();
    assert!(matches!(error, VerifyError::Signature { .. }), "{error}");
}
