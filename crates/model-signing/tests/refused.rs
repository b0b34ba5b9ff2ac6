//! Bundles that the reader refuses, and the errors.
#![expect(clippy::unwrap_used, reason = "the sample is ours")]

mod sample;

use model_signing::JsonError;
use model_signing::bundle::{Bundle, MAX_BUNDLE_BYTES};
use sample::{HASH, sample, with};
use serde_json::{Value, json};

#[test]
fn each_broken_rule_is_named_with_its_field() {
    let material = "verificationMaterial";
    let entry = "verificationMaterial.tlogEntries[0]";
    let proof = "verificationMaterial.tlogEntries[0].inclusionProof";
    let int = "not an integer from 0 to 2^63 - 1 in plain decimal";
    let base64 =
        "is not canonical base64 (RFC 4648 section 4: standard alphabet, padded, no spaces)";
    let none: Option<Value> = None;
    for (path, value, complaint) in [
        ("mediaType", none.clone(), "is missing".to_owned()),
        (
            "mediaType",
            Some(json!(3)),
            "is a number, not a string".to_owned(),
        ),
        (material, none.clone(), "is missing".to_owned()),
        (
            material,
            Some(json!([])),
            "is an array, not an object".to_owned(),
        ),
        (
            "verificationMaterial.certificate.rawBytes",
            none.clone(),
            "is missing".to_owned(),
        ),
        (
            "verificationMaterial.certificate.rawBytes",
            Some(json!("")),
            "has 0 bytes, not 1 or more".to_owned(),
        ),
        (
            "verificationMaterial.tlogEntries",
            Some(json!({})),
            "is an object, not an array".to_owned(),
        ),
        (
            "verificationMaterial.tlogEntries",
            Some(json!(vec![0; 33])),
            "has 33 items, not 0 to 32".to_owned(),
        ),
        (
            entry,
            Some(Value::Null),
            "is null, not an object".to_owned(),
        ),
        (
            &format!("{entry}.logIndex"),
            Some(json!("-1")),
            format!("is \"-1\", {int}"),
        ),
        (
            &format!("{entry}.logIndex"),
            Some(json!(-1)),
            format!("is \"-1\", {int}"),
        ),
        (
            &format!("{entry}.logIndex"),
            Some(json!("007")),
            format!("is \"007\", {int}"),
        ),
        (
            &format!("{entry}.logIndex"),
            Some(json!(7.0)),
            format!("is \"7.0\", {int}"),
        ),
        (
            &format!("{entry}.logIndex"),
            Some(json!("9223372036854775808")),
            format!("is \"9223372036854775808\", {int}"),
        ),
        (
            &format!("{entry}.logIndex"),
            Some(json!(u64::MAX)),
            format!("is \"18446744073709551615\", {int}"),
        ),
        (
            &format!("{entry}.logIndex"),
            Some(json!(true)),
            "is a boolean, not an integer".to_owned(),
        ),
        (
            &format!("{entry}.logId"),
            none.clone(),
            "is missing".to_owned(),
        ),
        (
            &format!("{entry}.logId.keyId"),
            Some(json!("AAAA")),
            "has 3 bytes, not 4 to 32".to_owned(),
        ),
        (
            &format!("{entry}.kindVersion.kind"),
            none.clone(),
            "is missing".to_owned(),
        ),
        (
            &format!("{entry}.integratedTime"),
            Some(json!("soon")),
            format!("is \"soon\", {int}"),
        ),
        (
            &format!("{entry}.canonicalizedBody"),
            Some(json!("e30")),
            base64.to_owned(),
        ),
        (
            &format!("{entry}.inclusionPromise.signedEntryTimestamp"),
            Some(json!("A_-w")),
            base64.to_owned(),
        ),
        (
            &format!("{proof}.rootHash"),
            Some(json!("AAAA")),
            "has 3 bytes, not 32".to_owned(),
        ),
        (
            &format!("{proof}.rootHash"),
            Some(json!(format!("{HASH}\n"))),
            base64.to_owned(),
        ),
        (
            &format!("{proof}.rootHash"),
            Some(json!(HASH.replace("8=", "9="))),
            base64.to_owned(),
        ),
        (
            &format!("{proof}.treeSize"),
            none.clone(),
            "is missing".to_owned(),
        ),
        (
            &format!("{proof}.hashes"),
            Some(json!(vec![HASH; 64])),
            "has 64 items, not 0 to 63".to_owned(),
        ),
        (
            &format!("{proof}.hashes[1]"),
            Some(json!(5)),
            "is a number, not a string".to_owned(),
        ),
        (
            &format!("{proof}.checkpoint.envelope"),
            none.clone(),
            "is missing".to_owned(),
        ),
        (
            "messageSignature.signature",
            Some(json!("")),
            "has 0 bytes, not 1 or more".to_owned(),
        ),
        (
            "messageSignature.messageDigest",
            none.clone(),
            "is missing".to_owned(),
        ),
        (
            "messageSignature.messageDigest.digest",
            Some(json!("AAAA")),
            "has 3 bytes, not 32".to_owned(),
        ),
        (
            "messageSignature.messageDigest.algorithm",
            Some(json!("MD5\u{1b}[2J")),
            "is \"MD5\\u{1b}[2J\", not SHA2_256 or SHA2_384 or SHA2_512 or SHA3_256 or SHA3_384"
                .to_owned(),
        ),
    ] {
        let pointer = format!(
            "/{}",
            path.replace('[', "/").replace(']', "").replace('.', "/")
        );
        let json = with(&pointer, value).to_string();
        assert_eq!(error(json.as_bytes()), format!("{path} {complaint}"));
    }
}

#[test]
fn a_bundle_has_one_signer_and_one_content() {
    let key = Some(json!({ "hint": "x" }));
    let envelope = Some(json!({ "payload": "", "payloadType": "", "signatures": [] }));
    for (json, complaint) in [
        (
            with("/verificationMaterial/publicKey", key),
            "verificationMaterial has certificate and publicKey, not one of certificate, x509CertificateChain, publicKey",
        ),
        (
            with("/verificationMaterial/certificate", None),
            "verificationMaterial has none of certificate, x509CertificateChain, publicKey",
        ),
        (
            with("/dsseEnvelope", envelope),
            "the document has dsseEnvelope and messageSignature, not one of dsseEnvelope, messageSignature",
        ),
        (
            with("/messageSignature", None),
            "the document has none of dsseEnvelope, messageSignature",
        ),
    ] {
        assert_eq!(error(json.to_string().as_bytes()), complaint);
    }
    let mut empty = with("/verificationMaterial/certificate", None);
    *empty.pointer_mut("/verificationMaterial").unwrap() =
        json!({ "x509CertificateChain": { "certificates": [] } });
    assert_eq!(
        error(empty.to_string().as_bytes()),
        "verificationMaterial.x509CertificateChain.certificates has 0 items, not 1 to 256"
    );
}

#[test]
fn a_name_given_twice_is_refused_in_whatever_spelling() {
    let text = sample().to_string();
    for (from, to, path) in [
        (
            "\"signature\":",
            "\"signature\":\"AAAA\",\"signature\":",
            "messageSignature.signature",
        ),
        (
            "\"digest\":",
            "\"digest\":null,\"digest\":",
            "messageSignature.messageDigest.digest",
        ),
        (
            "\"treeSize\":",
            "\"tree_size\":\"4\",\"treeSize\":",
            "verificationMaterial.tlogEntries[0].inclusionProof.treeSize",
        ),
        (
            "\"certificate\":",
            "\"certificat\\u0065\":{},\"certificate\":",
            "verificationMaterial.certificate",
        ),
        (
            "\"mediaType\":",
            "\"media_type\":\"x\",\"mediaType\":",
            "mediaType",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        assert_eq!(
            error(text.replace(from, to).as_bytes()),
            format!("{path} is given more than once")
        );
    }
}

#[test]
fn the_error_for_a_file_of_another_kind_names_the_kind() {
    for (json, complaint) in [
        ("", "not JSON: EOF while parsing a value at line 1 column 0"),
        ("[]", "the document is an array, not an object"),
        ("{}", "mediaType is missing"),
        ("{} {}", "not JSON: trailing characters at line 1 column 4"),
        ("\u{feff}{}", "not JSON: expected value at line 1 column 1"),
        ("{\"a\":NaN}", "not JSON: expected value at line 1 column 6"),
        (
            "{\"a\":\"\\ud800\"}",
            "not JSON: unexpected end of hex escape at line 1 column 13",
        ),
    ] {
        assert_eq!(error(json.as_bytes()), complaint, "{json}");
    }
    let media_type = with("/mediaType", Some(json!("application/json"))).to_string();
    assert!(
        error(media_type.as_bytes())
            .starts_with("mediaType is \"application/json\", not application/vnd.dev.")
    );
    assert!(error(b"{\"mediaType\":\"\xff\"}").starts_with("not JSON: invalid unicode code point"));
}

#[test]
fn size_depth_and_number_of_values_are_bounded() {
    let refused = |json: &[u8]| Bundle::parse(json).expect_err("too much");
    let long = vec![b' '; MAX_BUNDLE_BYTES + 1];
    assert!(matches!(refused(&long).reason(), JsonError::TooLong { .. }));
    for open in ["[", "{\"a\":"] {
        let deep = format!("{{\"x\":{}", open.repeat(100_000));
        assert!(
            matches!(refused(deep.as_bytes()).reason(), JsonError::Syntax(_)),
            "{open}"
        );
    }
    let many = format!("{{\"x\":[{}0]}}", "0,".repeat(70_000));
    assert!(matches!(
        refused(many.as_bytes()).reason(),
        JsonError::TooManyValues { .. }
    ));
}

fn error(json: &[u8]) -> String {
    let error = Bundle::parse(json).expect_err("a bad bundle").to_string();
    error
        .strip_prefix("not a Sigstore bundle: ")
        .unwrap()
        .to_owned()
}
