//! What the reader of bundles takes.
#![expect(clippy::unwrap_used, reason = "the sample is ours")]

mod sample;

use model_signing::bundle::{Bundle, Content, DigestAlgorithm};
use sample::{sample, with};
use serde_json::{Value, json};

#[test]
fn the_sample_is_read() {
    let bundle = Bundle::parse(sample().to_string().as_bytes()).unwrap();
    assert_eq!(bundle.leaf_certificate(), Some(&b"\x30\x00"[..]));
    let Content::Message {
        digest_algorithm,
        digest,
        signature,
    } = bundle.content()
    else {
        panic!("a message")
    };
    assert_eq!(
        (digest_algorithm, signature),
        (DigestAlgorithm::Sha2_256, &[4, 5, 6][..])
    );
    assert!(digest.iter().copied().eq(0..32));
    let [entry] = bundle.tlog_entries() else {
        panic!("one entry")
    };
    assert_eq!(
        (entry.log_index, entry.integrated_time),
        (7, Some(1_700_000_000))
    );
    let proof = entry.inclusion_proof.as_ref().unwrap();
    assert_eq!(
        (proof.log_index, proof.tree_size, proof.hashes.len()),
        (3, 4, 2)
    );
    assert_eq!(proof.checkpoint.as_deref(), Some("a note\n"));
}

#[test]
fn other_ways_to_write_the_same_bundle_are_read_alike() {
    let same = Bundle::parse(sample().to_string().as_bytes()).unwrap();
    let entry = "/verificationMaterial/tlogEntries/0";
    for (claim, json) in [
        (
            "numbers for strings",
            with(&format!("{entry}/logIndex"), Some(json!(7))),
        ),
        (
            "a field nobody knows",
            with("/whatever", Some(json!({ "a": [1.5, null, true] }))),
        ),
        (
            "an unknown field in an entry",
            with(&format!("{entry}/new"), Some(json!("x"))),
        ),
        (
            "null timestamps",
            with(
                "/verificationMaterial/timestampVerificationData",
                Some(Value::Null),
            ),
        ),
        (
            "a null alternative",
            with("/dsseEnvelope", Some(Value::Null)),
        ),
        (
            "a null key",
            with("/verificationMaterial/publicKey", Some(Value::Null)),
        ),
    ] {
        assert_eq!(
            Bundle::parse(json.to_string().as_bytes()).unwrap(),
            same,
            "{claim}"
        );
    }

    let text = sample().to_string();
    let mut snake = text.clone();
    for (camel, snake_case) in [
        ("mediaType", "media_type"),
        ("verificationMaterial", "verification_material"),
        ("rawBytes", "raw_bytes"),
        ("tlogEntries", "tlog_entries"),
        ("logIndex", "log_index"),
        ("logId", "log_id"),
        ("keyId", "key_id"),
        ("kindVersion", "kind_version"),
        ("integratedTime", "integrated_time"),
        ("inclusionPromise", "inclusion_promise"),
        ("signedEntryTimestamp", "signed_entry_timestamp"),
        ("inclusionProof", "inclusion_proof"),
        ("rootHash", "root_hash"),
        ("treeSize", "tree_size"),
        ("canonicalizedBody", "canonicalized_body"),
        ("messageSignature", "message_signature"),
        ("messageDigest", "message_digest"),
    ] {
        assert!(snake.contains(camel), "{camel}");
        snake = snake.replace(&format!("\"{camel}\""), &format!("\"{snake_case}\""));
    }
    assert_eq!(Bundle::parse(snake.as_bytes()).unwrap(), same, "snake_case");

    let escaped = text.replace("MAA=", "\\u004dAA\\u003d");
    assert_eq!(
        Bundle::parse(escaped.as_bytes()).unwrap(),
        same,
        "escapes in a string"
    );
    let pretty = format!(
        "\r\n\t {}\n",
        serde_json::to_string_pretty(&sample()).unwrap()
    );
    assert_eq!(
        Bundle::parse(pretty.as_bytes()).unwrap(),
        same,
        "spaces and lines"
    );
}

#[test]
fn what_older_and_other_writers_leave_out_may_be_absent() {
    let material = "/verificationMaterial";
    let entry = "/verificationMaterial/tlogEntries/0";
    for media_type in [
        "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "application/vnd.dev.sigstore.bundle+json;version=0.2",
        "application/vnd.dev.sigstore.bundle+json;version=0.3",
    ] {
        let bundle = with("/mediaType", Some(json!(media_type)));
        assert_eq!(
            Bundle::parse(bundle.to_string().as_bytes())
                .unwrap()
                .media_type(),
            media_type
        );
    }
    for (pointer, value) in [
        (format!("{material}/tlogEntries"), None),
        (format!("{material}/tlogEntries"), Some(Value::Null)),
        (format!("{material}/tlogEntries"), Some(json!([]))),
        (format!("{entry}/logIndex"), None),
        (format!("{entry}/integratedTime"), None),
        (format!("{entry}/inclusionPromise"), None),
        (format!("{entry}/inclusionProof"), None),
        (format!("{entry}/inclusionProof"), Some(Value::Null)),
        (format!("{entry}/inclusionProof/logIndex"), None),
        (format!("{entry}/inclusionProof/hashes"), None),
        (format!("{entry}/inclusionProof/checkpoint"), None),
        (format!("{entry}/canonicalizedBody"), None),
        (format!("{entry}/logId/keyId"), Some(json!("wNI9ag=="))),
    ] {
        let json = with(&pointer, value);
        let bundle = Bundle::parse(json.to_string().as_bytes());
        assert!(bundle.is_ok(), "{pointer}: {bundle:?}");
    }
    let json = with(&format!("{entry}/integratedTime"), Some(json!("0")));
    let bundle = Bundle::parse(json.to_string().as_bytes()).unwrap();
    assert_eq!(
        bundle.tlog_entries().first().unwrap().integrated_time,
        None,
        "Rekor v2 writes zero for none"
    );
}

#[test]
fn a_bare_key_may_have_a_hint_or_none() {
    for (key, hint) in [
        (json!({ "hint": "abc" }), Some("abc")),
        (json!({ "hint": null }), None),
        (json!({ "hint": "" }), None),
        (json!({}), None),
        (
            json!({ "rawBytes": "AAAA", "keyDetails": "PKIX_ECDSA_P256_SHA_256" }),
            None,
        ),
    ] {
        let mut json = with("/verificationMaterial/certificate", None);
        *json.pointer_mut("/verificationMaterial").unwrap() = json!({ "publicKey": key });
        let bundle = Bundle::parse(json.to_string().as_bytes()).unwrap();
        assert_eq!(bundle.public_key_hint(), hint, "{key}");
        assert!(bundle.certificates().is_empty() && bundle.leaf_certificate().is_none());
    }
}
