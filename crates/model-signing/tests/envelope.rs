//! What the reader of DSSE envelopes takes and what it refuses.
#![expect(clippy::unwrap_used, reason = "the samples are ours")]

use model_signing::dsse::{Envelope, pae};

#[test]
fn an_envelope_may_have_several_signatures_with_and_without_a_keyid() {
    let json = br#"{"signatures":[{"sig":"AAEC","keyid":""},{"sig":"AwQF","keyid":null},{"keyid":"k","sig":"Bg==","new":1}],
        "payload":"","payload_type":"text/plain"}"#;
    let envelope = Envelope::parse(json).unwrap();
    let keyids: Vec<_> = envelope
        .signatures
        .iter()
        .map(|signature| signature.keyid.as_deref())
        .collect();
    assert_eq!(keyids, [Some(""), None, Some("k")]);
    assert_eq!(envelope.pae(), b"DSSEv1 10 text/plain 0 ");
}

#[test]
fn each_broken_rule_is_named_with_its_field() {
    let base64 =
        "is not canonical base64 (RFC 4648 section 4: standard alphabet, padded, no spaces)";
    for (json, complaint) in [
        (
            r#"{"payload":"","signatures":[{"sig":"AAEC"}]}"#,
            "payloadType is missing".to_owned(),
        ),
        (
            r#"{"payloadType":"t","signatures":[{"sig":"AAEC"}]}"#,
            "payload is missing".to_owned(),
        ),
        (
            r#"{"payloadType":"t","payload":""}"#,
            "signatures is missing".to_owned(),
        ),
        (
            r#"{"payloadType":"t","payload":"","signatures":[]}"#,
            "signatures has 0 items, not 1 to 64".to_owned(),
        ),
        (
            r#"{"payloadType":"t","payload":"","signatures":[{}]}"#,
            "signatures[0].sig is missing".to_owned(),
        ),
        (
            r#"{"payloadType":"t","payload":"","signatures":[{"sig":""}]}"#,
            "signatures[0].sig has 0 bytes, not 1 or more".to_owned(),
        ),
        (
            r#"{"payloadType":"t","payload":"","signatures":[{"sig":"AA=="},{"sig":"AA"}]}"#,
            format!("signatures[1].sig {base64}"),
        ),
        (
            r#"{"payloadType":"t","payload":"","signatures":[{"sig":"AA==","keyid":1}]}"#,
            "signatures[0].keyid is a number, not a string".to_owned(),
        ),
        (
            r#"{"payloadType":"t","payload":"AB==","signatures":[{"sig":"AAEC"}]}"#,
            format!("payload {base64}"),
        ),
        (
            r#"{"payloadType":"t","payload":"-_8=","signatures":[{"sig":"AAEC"}]}"#,
            format!("payload {base64}"),
        ),
        (
            r#"{"payloadType":"t","payload":"","payload":"AA==","signatures":[{"sig":"AAEC"}]}"#,
            "payload is given more than once".to_owned(),
        ),
        (
            r#"{"payloadType":"t","payload_type":"t","payload":"","signatures":[{"sig":"AAEC"}]}"#,
            "payloadType is given more than once".to_owned(),
        ),
        ("7", "the document is a number, not an object".to_owned()),
    ] {
        let error = Envelope::parse(json.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, format!("not a DSSE envelope: {complaint}"));
    }
}

#[test]
fn the_encoding_counts_bytes_and_separates_type_and_payload() {
    assert_eq!(pae("é", "ü".as_bytes()), "DSSEv1 2 é 2 ü".as_bytes());
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    assert_ne!(pae("a 1 b", b"c"), pae("a", b"b 1 c"));
    assert_eq!(pae("t", b"\x00\xff"), b"DSSEv1 1 t 2 \x00\xff");
}
