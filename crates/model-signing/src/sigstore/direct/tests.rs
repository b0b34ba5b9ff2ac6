use serde_json::Value;

use super::super::{Artifact, Signer, TimeSource, Trust, verify_bundle};
use super::*;

#[path = "../../../tests/keyless/fake/mod.rs"]
#[expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "shared with the tests of the public functions"
)]
mod fake;

use fake::authority::Leaf;
use fake::log::Entry;
use fake::stamp::Stamp;
use fake::{NOW, SIGNED_AT, Signing, Sigstore, payload};

fn trust(sigstore: &Sigstore) -> Trust {
    let root = sigstore.trusted_root().to_string();
    Trust::from_trusted_root(root.as_bytes()).expect("a trusted root")
}

fn parsed(bundle: &Value) -> Bundle {
    Bundle::parse(bundle.to_string().as_bytes()).expect("a bundle")
}

fn promised(after: i64) -> Entry {
    Entry {
        integrated_after: after,
        ..Entry::default()
    }
}

#[test]
fn the_usual_forms_are_verified_here() {
    let sigstore = Sigstore::new();
    let trust = trust(&sigstore);
    let of = |seconds: &[i64]| seconds.iter().map(|after| SIGNED_AT + after).collect();
    let later = Stamp {
        after: 20,
        ..Stamp::default()
    };
    for (what, signing, expected) in [
        ("v1", Signing::v1(), of(&[5])),
        ("v2", Signing::v2(), of(&[10])),
        (
            "v1 with timestamps",
            Signing {
                entry: promised(7),
                stamps: vec![Stamp::default(), later],
                ..Signing::v1()
            },
            of(&[10, 20, 7]),
        ),
    ] {
        let bundle = parsed(&sigstore.sign(&payload(), &signing));
        let (artifact, signer) = (Artifact::Statement, Signer::AnyIdentity);
        let verified = verify_bundle(&bundle, &artifact, &signer, &trust, NOW).expect(what);
        let stamped = verified.times.iter();
        let stamped: Vec<i64> = stamped
            .filter(|time| time.source == TimeSource::Authority)
            .map(|time| time.seconds)
            .collect();
        let found: Option<Vec<i64>> = verify(&bundle, &stamped, &trust, NOW);
        assert_eq!(found, Some(expected), "{what}");
        let times: Vec<i64> = verified.times.iter().map(|time| time.seconds).collect();
        assert_eq!(found, Some(times), "{what}");
    }
}

#[test]
fn times_count_only_where_the_certificate_and_all_that_is_trusted_are_valid() {
    let sigstore = Sigstore::new();
    let trust = trust(&sigstore);
    let v1 = parsed(&sigstore.sign(&payload(), &Signing::v1()));
    let v2 = parsed(&sigstore.sign(&payload(), &Signing::v2()));
    let at = |after: i64| SIGNED_AT + after;
    // The certificate is valid for 600 seconds, the log has promised after 5.
    for (bundle, stamped, now, expected) in [
        (&v1, &[][..], at(5), true),
        (&v1, &[], at(4), false),
        (&v1, &[at(600)], NOW, true),
        (&v1, &[at(601)], NOW, false),
        (&v1, &[at(-1)], NOW, false),
        (&v1, &[at(601), at(10)], NOW, false),
        (&v2, &[], NOW, false),
        (&v2, &[at(0)], NOW, true),
        (&v2, &[at(601)], NOW, false),
        (&v2, &[at(10), at(601)], NOW, false),
        (&v2, &[-1], NOW, false),
        (&v2, &[i64::MAX], NOW, false),
        (&v2, &[at(10)], i64::MIN, false),
    ] {
        let found = verify(bundle, stamped, &trust, now);
        assert_eq!(found.is_some(), expected, "{stamped:?} {now}");
    }
}

#[test]
fn each_period_of_the_trusted_root_counts() {
    let sigstore = Sigstore::new();
    let bundle = parsed(&sigstore.sign(&payload(), &Signing::v1()));
    let stamped = parsed(&sigstore.sign(&payload(), &Signing::v2()));
    let holds = |bundle: &Bundle, times: &[i64], pointer: &str, period: Value| {
        let mut root = sigstore.trusted_root();
        root.pointer_mut(pointer)
            .expect("a period")
            .clone_from(&period);
        let trust = Trust::from_trusted_root(root.to_string().as_bytes()).expect("a trusted root");
        verify(bundle, times, &trust, NOW).is_some()
    };
    let always = || serde_json::json!({"start": "2025-01-01T00:00:00Z"});
    let over =
        || serde_json::json!({"start": "2025-01-01T00:00:00Z", "end": "2025-05-31T23:59:59Z"});
    let later = || serde_json::json!({"start": "2025-06-03T00:00:00Z"});
    let times = [SIGNED_AT + 10];
    for pointer in [
        "/tlogs/0/publicKey/validFor",
        "/tlogs/1/publicKey/validFor",
        "/certificateAuthorities/0/validFor",
        "/ctlogs/0/publicKey/validFor",
    ] {
        let (v1, v2) = (
            pointer != "/tlogs/1/publicKey/validFor",
            pointer != "/tlogs/0/publicKey/validFor",
        );
        assert!(
            holds(&bundle, &[], pointer, always()) && holds(&stamped, &times, pointer, always())
        );
        assert_eq!(holds(&bundle, &[], pointer, later()), !v1, "{pointer}");
        assert_eq!(holds(&stamped, &times, pointer, later()), !v2, "{pointer}");
        assert_eq!(holds(&bundle, &[], pointer, over()), !v1, "{pointer}");
        // Checkpoints of a log count after its end.
        let is_log = pointer.starts_with("/tlogs/");
        assert_eq!(
            holds(&stamped, &times, pointer, over()),
            !v2 || is_log,
            "{pointer}"
        );
    }
}

#[test]
fn other_forms_are_left_to_the_library() {
    let sigstore = Sigstore::new();
    let trust = trust(&sigstore);
    let change = |pointer: &'static str, value: Value| -> Box<dyn Fn(&mut Value)> {
        Box::new(move |bundle| *bundle.pointer_mut(pointer).expect("a field") = value.clone())
    };
    let with = |change| Signing {
        change,
        ..Signing::v1()
    };
    for (what, signing) in [
        (
            "another payload type",
            Signing {
                payload_type: "text/plain".to_owned(),
                ..Signing::v1()
            },
        ),
        (
            "two entries",
            Signing {
                also: Some(Entry {
                    is_v2: true,
                    ..Entry::default()
                }),
                ..Signing::v1()
            },
        ),
        (
            "no promise",
            Signing {
                entry: Entry {
                    without_promise: true,
                    ..Entry::default()
                },
                stamps: vec![Stamp::default()],
                ..Signing::v1()
            },
        ),
        (
            "an older media type",
            with(change(
                "/mediaType",
                "application/vnd.dev.sigstore.bundle+json;version=0.2".into(),
            )),
        ),
        (
            "a body with a member more",
            Signing {
                entry: Entry {
                    body: |body| body["more"] = Value::from(1),
                    ..Entry::default()
                },
                ..Signing::v1()
            },
        ),
    ] {
        let bundle = parsed(&sigstore.sign(&payload(), &signing));
        assert_eq!(
            verify(&bundle, &[SIGNED_AT + 10], &trust, NOW),
            None,
            "{what}"
        );
    }
}

#[test]
fn a_body_that_rekor_does_not_write_is_left_to_the_library() {
    let sigstore = Sigstore::new();
    let trust = trust(&sigstore);
    let changes: [(&str, Change); 4] = [
        ("a blank line in the certificate", |body| {
            let pem = verifier(body);
            let lines = pem.replacen("-\nM", "-\nM\n\n", 1);
            set_verifier(body, &lines);
        }),
        ("a certificate in one line", |body| {
            let pem = verifier(body);
            let inside = pem.replace('\n', "");
            let line = inside.replace("CERTIFICATE-----M", "CERTIFICATE-----\nM");
            let line = line.replace("-----END", "\n-----END");
            set_verifier(body, &line);
        }),
        ("a list in place of the hash", |body| {
            let hash = &mut body["spec"]["payloadHash"];
            *hash = serde_json::json!([hash["algorithm"], hash["value"]]);
        }),
        ("a list in place of the body", |body| {
            *body = serde_json::json!([body["apiVersion"], body["kind"], body["spec"]]);
        }),
    ];
    for (what, body) in changes {
        let signing = Signing {
            entry: Entry {
                body,
                ..Entry::default()
            },
            ..Signing::v1()
        };
        let bundle = parsed(&sigstore.sign(&payload(), &signing));
        assert_eq!(verify(&bundle, &[], &trust, NOW), None, "{what}");
    }
}

/// A change of the body before it is hashed.
type Change = fn(&mut Value);

const VERIFIER: &str = "/spec/signatures/0/verifier";

fn verifier(body: &Value) -> String {
    let text = body.pointer(VERIFIER).and_then(Value::as_str);
    let pem = fake::unbase64(text.expect("a certificate"));
    String::from_utf8(pem).expect("PEM")
}

fn set_verifier(body: &mut Value, pem: &str) {
    *body.pointer_mut(VERIFIER).expect("a certificate") = fake::base64(pem).into();
}

#[test]
fn a_statement_that_the_library_is_not_asked_about_is_left_to_it() {
    let sigstore = Sigstore::new();
    let trust = trust(&sigstore);
    let digest = fake::hex(&fake::sha256(b"weights"));
    for (digests, expected) in [
        (format!(r#"{{"sha256":"{digest}"}}"#), true),
        (
            format!(r#"{{"sha256":null,"other":"0"}}}},{{"digest":{{"sha256":"{digest}"}}"#),
            false,
        ),
        (format!(r#"{{"sha256":"{digest}","sha512":null}}"#), false),
        (format!(r#"{{"sha512":"{digest}{digest}"}}"#), false),
    ] {
        let payload = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{digests}}}],"predicateType":"p"}}"#
        );
        let bundle = parsed(&sigstore.sign(payload.as_bytes(), &Signing::v1()));
        let found = verify(&bundle, &[], &trust, NOW);
        assert_eq!(found.is_some(), expected, "{payload}");
    }
}

#[test]
fn a_certificate_that_the_library_reads_otherwise_is_left_to_it() {
    let sigstore = Sigstore::new();
    let trust = trust(&sigstore);
    // 2.5.29.15, keyUsage, critical; 1.3.6.1.4.1.57264.1.20.
    let usage = |critical: u8| vec![0x55, 0x1d, 0x0f, 0x01, 0x01, critical];
    let fulcio = |last: [u8; 2]| [&[0x04, 0x01, 0x83, 0xbf, 0x30][..], &last].concat();
    let text = |text: &str| text.as_bytes().to_vec();
    for (what, from, to, expected) in [
        ("another text", text("463804977"), text("463804978"), true),
        (
            "a name that is not in ASCII",
            text("/falcon/"),
            text("/falc\u{f6}/"),
            false,
        ),
        (
            "FALSE, the default, is written",
            usage(0xff),
            usage(0),
            false,
        ),
        (
            "an object identifier that ends within a number",
            fulcio([1, 20]),
            fulcio([1, 0x94]),
            false,
        ),
    ] {
        let signing = Signing {
            leaf: Leaf {
                replaced: vec![(from, to)],
                ..Leaf::default()
            },
            ..Signing::v1()
        };
        let bundle = parsed(&sigstore.sign(&payload(), &signing));
        let found = verify(&bundle, &[], &trust, NOW);
        assert_eq!(found.is_some(), expected, "{what}");
    }
}
