//! What is refused, and which check is named.

use model_signing::sigstore::Check::{self, *};
use model_signing::sigstore::{IdentityPattern, Policy, Trust};
use model_signing::verify::VerifyError;
use rcgen::string::Ia5String;
use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType};
use serde_json::{Value, json};

use crate::fake::authority::{Authority, Leaf, Sct};
use crate::fake::log::Entry;
use crate::fake::payload;
use crate::fake::stamp::Stamp;
use crate::fake::{ISSUER, NOW, Signing, Sigstore, base64, unbase64};
use crate::{open, policy, requirement, sign_and_open, trust, trust_of};

fn check_of(verdict: Result<impl std::fmt::Debug, VerifyError>, what: &str) -> (Check, String) {
    match verdict {
        Err(VerifyError::Keyless(error)) => (error.check, error.reason),
        other => panic!("{what}: {other:?}"),
    }
}

fn refuse(cases: Vec<(&str, Signing, Check)>) {
    let sigstore = Sigstore::new();
    // Trust keeps what it has verified for the next bundle: the verdict must be the same after good ones.
    let used = trust(&sigstore);
    for signing in [Signing::v1(), Signing::v2()] {
        let bundle = sigstore.sign(&payload(), &signing);
        open(&bundle, &policy(), &used).unwrap();
    }
    for (what, signing, check) in cases {
        let bundle = sigstore.sign(&payload(), &signing);
        for trust in [&trust(&sigstore), &used] {
            let (found, reason) = check_of(open(&bundle, &policy(), trust), what);
            assert_eq!(found, check, "{what}: {reason}");
            assert!(!reason.is_empty(), "{what}");
        }
    }
}

fn with_leaf(leaf: Leaf) -> Signing {
    Signing {
        leaf,
        ..Signing::v1()
    }
}

fn with_entry(entry: Entry) -> Signing {
    Signing {
        entry,
        ..Signing::v1()
    }
}

fn with_stamps(stamps: Vec<Stamp>) -> Signing {
    Signing {
        stamps,
        ..Signing::v2()
    }
}

fn changed(signing: Signing, change: impl Fn(&mut Value) + 'static) -> Signing {
    Signing {
        change: Box::new(change),
        ..signing
    }
}

#[test]
fn a_certificate_without_a_path_an_sct_or_the_right_names_is_refused() {
    let uri = |text: &str| SanType::URI(Ia5String::try_from(text).unwrap());
    refuse(vec![
        (
            "another CA of that name",
            with_leaf(Leaf {
                by_another: true,
                ..Leaf::default()
            }),
            CertificatePath,
        ),
        (
            "no SCT",
            with_leaf(Leaf {
                sct: Sct::Missing,
                ..Leaf::default()
            }),
            CertificateTransparency,
        ),
        (
            "two SCTs",
            with_leaf(Leaf {
                sct: Sct::Twice,
                ..Leaf::default()
            }),
            CertificateTransparency,
        ),
        (
            "a forged SCT",
            with_leaf(Leaf {
                sct: Sct::Forged,
                ..Leaf::default()
            }),
            CertificateTransparency,
        ),
        (
            "an SCT by another log",
            with_leaf(Leaf {
                sct: Sct::Unknown,
                ..Leaf::default()
            }),
            CertificateTransparency,
        ),
        (
            "expired before the signing",
            with_leaf(Leaf {
                valid_seconds: 2,
                ..Leaf::default()
            }),
            CertificatePath,
        ),
        (
            "valid only after the signing",
            with_leaf(Leaf {
                valid_from: 60,
                ..Leaf::default()
            }),
            CertificatePath,
        ),
        (
            "no key usage",
            with_leaf(Leaf {
                key_usages: vec![],
                ..Leaf::default()
            }),
            KeyUsage,
        ),
        (
            "a key usage for agreement",
            with_leaf(Leaf {
                key_usages: vec![KeyUsagePurpose::KeyAgreement],
                ..Leaf::default()
            }),
            KeyUsage,
        ),
        (
            "no extended key usage",
            with_leaf(Leaf {
                extended: vec![],
                ..Leaf::default()
            }),
            CertificatePath,
        ),
        (
            "for servers",
            with_leaf(Leaf {
                extended: vec![ExtendedKeyUsagePurpose::ServerAuth],
                ..Leaf::default()
            }),
            CertificatePath,
        ),
        (
            "no name",
            with_leaf(Leaf {
                names: vec![],
                ..Leaf::default()
            }),
            Identity,
        ),
        (
            "another name",
            with_leaf(Leaf {
                names: vec![uri("https://other.example")],
                ..Leaf::default()
            }),
            Identity,
        ),
        (
            "a second name",
            with_leaf(Leaf {
                names: vec![uri(crate::fake::IDENTITY), uri("https://other.example")],
                ..Leaf::default()
            }),
            Identity,
        ),
        (
            "the name as a host name",
            with_leaf(Leaf {
                names: vec![SanType::DnsName(Ia5String::try_from("github.com").unwrap())],
                ..Leaf::default()
            }),
            Identity,
        ),
        (
            "no issuer",
            with_leaf(Leaf {
                issuer: None,
                issuer_raw: None,
                ..Leaf::default()
            }),
            Issuer,
        ),
        (
            "another issuer",
            with_leaf(Leaf {
                issuer: Some("https://evil.example".into()),
                issuer_raw: None,
                ..Leaf::default()
            }),
            Issuer,
        ),
        (
            "two issuers, the new one right",
            with_leaf(Leaf {
                issuer_raw: Some("https://evil.example".into()),
                ..Leaf::default()
            }),
            Issuer,
        ),
        (
            "two issuers, the old one right",
            with_leaf(Leaf {
                issuer: Some("https://evil.example".into()),
                ..Leaf::default()
            }),
            Issuer,
        ),
    ]);
}

#[test]
fn an_entry_that_the_log_does_not_prove_is_refused() {
    refuse(vec![
        (
            "an entry twice",
            Signing {
                entries: 2,
                ..Signing::v1()
            },
            LogEntry,
        ),
        (
            "not in the tree",
            with_entry(Entry {
                not_in_tree: true,
                ..Entry::default()
            }),
            Inclusion,
        ),
        (
            "v2, not in the tree",
            Signing {
                entry: Entry {
                    is_v2: true,
                    not_in_tree: true,
                    ..Entry::default()
                },
                ..Signing::v2()
            },
            Inclusion,
        ),
        (
            "a forged checkpoint",
            with_entry(Entry {
                forged_checkpoint: true,
                ..Entry::default()
            }),
            Checkpoint,
        ),
        (
            "v2, a forged checkpoint",
            Signing {
                entry: Entry {
                    is_v2: true,
                    forged_checkpoint: true,
                    ..Entry::default()
                },
                ..Signing::v2()
            },
            Checkpoint,
        ),
        (
            "a checkpoint of another root",
            with_entry(Entry {
                other_root: true,
                ..Entry::default()
            }),
            Checkpoint,
        ),
        (
            "v2, a checkpoint of another root",
            Signing {
                entry: Entry {
                    is_v2: true,
                    other_root: true,
                    ..Entry::default()
                },
                ..Signing::v2()
            },
            Inclusion,
        ),
        (
            "a forged promise",
            with_entry(Entry {
                forged_promise: true,
                ..Entry::default()
            }),
            Promise,
        ),
        (
            "no proof",
            changed(Signing::v1(), |bundle| {
                entry(bundle)
                    .as_object_mut()
                    .unwrap()
                    .remove("inclusionProof");
            }),
            Inclusion,
        ),
        (
            "no checkpoint",
            changed(Signing::v1(), |bundle| {
                entry(bundle)["inclusionProof"]
                    .as_object_mut()
                    .unwrap()
                    .remove("checkpoint");
            }),
            Checkpoint,
        ),
        (
            "an unknown log",
            changed(Signing::v1(), |bundle| {
                entry(bundle)["logId"]["keyId"] = Value::from(base64([7; 32]));
            }),
            Checkpoint,
        ),
        (
            "an unknown log of version 2",
            changed(Signing::v2(), |bundle| {
                entry(bundle)["logId"]["keyId"] = Value::from(base64([7; 32]));
            }),
            Checkpoint,
        ),
        (
            "a proof of version 2 for another index",
            changed(Signing::v2(), |bundle| {
                entry(bundle)["inclusionProof"]["logIndex"] = Value::from("0");
            }),
            Inclusion,
        ),
        (
            "a proof of version 2 for a tree of another size",
            changed(Signing::v2(), |bundle| {
                entry(bundle)["inclusionProof"]["treeSize"] = Value::from("4");
            }),
            Inclusion,
        ),
        (
            "a proof of version 2 for another root",
            changed(Signing::v2(), |bundle| {
                entry(bundle)["inclusionProof"]["rootHash"] = Value::from(base64([7; 32]));
            }),
            Inclusion,
        ),
        (
            "an unknown kind of entry",
            changed(Signing::v1(), |bundle| {
                entry(bundle)["kindVersion"]["version"] = Value::from("0.0.9");
            }),
            LogEntry,
        ),
        (
            "a kind of entry that the body is not",
            changed(Signing::v1(), |bundle| {
                entry(bundle)["kindVersion"] = json!({"kind": "intoto", "version": "0.0.2"});
            }),
            LogEntry,
        ),
        (
            "a checkpoint with more signatures than are verified",
            changed(Signing::v1(), |bundle| {
                let checkpoint = &mut entry(bundle)["inclusionProof"]["checkpoint"]["envelope"];
                let line = checkpoint
                    .as_str()
                    .unwrap()
                    .lines()
                    .last()
                    .unwrap()
                    .to_owned();
                let more = format!("{line}\n").repeat(2000);
                *checkpoint = Value::from(format!("{}{more}", checkpoint.as_str().unwrap()));
            }),
            Checkpoint,
        ),
        (
            "a proof for a tree of another size",
            changed(Signing::v1(), |bundle| {
                let size = &mut entry(bundle)["inclusionProof"]["treeSize"];
                *size =
                    Value::from((size.as_str().unwrap().parse::<u64>().unwrap() + 1).to_string());
            }),
            Inclusion,
        ),
        (
            "another index than the promise has",
            changed(Signing::v1(), |bundle| {
                entry(bundle)["logIndex"] = Value::from("1002");
            }),
            Promise,
        ),
    ]);
}

#[test]
fn a_certificate_without_an_entry_is_refused() {
    let sigstore = Sigstore::new();
    let signing = Signing {
        entries: 0,
        ..Signing::v1()
    };
    let error = sign_and_open(&sigstore, &signing).unwrap_err();
    assert!(error.to_string().contains("without a log entry"), "{error}");
    let bundle = sigstore.sign(&payload(), &signing).to_string();
    let (policy, trust) = (policy(), trust(&sigstore));
    let signer = model_signing::sigstore::Signer::Identity(&policy);
    let artifact = model_signing::sigstore::Artifact::Statement;
    let verdict =
        model_signing::sigstore::verify(bundle.as_bytes(), &artifact, &signer, &trust, NOW);
    assert_eq!(verdict.unwrap_err().check, LogEntry);
}

#[test]
fn an_entry_of_one_log_is_not_proven_by_the_checkpoint_of_another() {
    let sigstore = Sigstore::new();
    let mut bundle = sigstore.sign(&payload(), &Signing::v2());
    let v1 = sigstore.sign(&payload(), &Signing::v1());
    let id = v1["verificationMaterial"]["tlogEntries"][0]["logId"].clone();
    entry(&mut bundle)["logId"] = id;
    let used = trust(&sigstore);
    for signing in [Signing::v1(), Signing::v2()] {
        let good = sigstore.sign(&payload(), &signing);
        open(&good, &policy(), &used).unwrap();
    }
    for trust in [trust(&sigstore), used] {
        let (check, reason) = check_of(open(&bundle, &policy(), &trust), "another log");
        assert_eq!(check, Checkpoint, "{reason}");
    }
}

/// A signing with an entry in each of two logs.
fn in_both_logs() -> Signing {
    Signing {
        entry: Entry {
            without_promise: true,
            ..Entry::default()
        },
        also: Some(Entry {
            is_v2: true,
            ..Entry::default()
        }),
        ..Signing::v2()
    }
}

#[test]
fn each_of_several_entries_is_proven_by_the_log_that_it_names() {
    let sigstore = Sigstore::new();
    let bundle = sigstore.sign(&payload(), &in_both_logs());
    let opened = open(&bundle, &policy(), &trust(&sigstore)).unwrap();
    assert_eq!(opened.entries.len(), 2);
    let id = |of: usize| format!("/verificationMaterial/tlogEntries/{of}/logId");
    for (changed, other) in [(0, 1), (1, 0)] {
        let mut one = bundle.clone();
        let named = bundle.pointer(&id(other)).unwrap().clone();
        *one.pointer_mut(&id(changed)).unwrap() = named;
        let verdict = open(&one, &policy(), &trust(&sigstore));
        let (check, reason) = check_of(verdict, "one entry names the other log");
        assert_eq!(check, Checkpoint, "{reason}");
    }
    // Both at once: together their logs are the right ones.
    let mut swapped = bundle.clone();
    for (at, other) in [(0, 1), (1, 0)] {
        let named = bundle.pointer(&id(other)).unwrap().clone();
        *swapped.pointer_mut(&id(at)).unwrap() = named;
    }
    let verdict = open(&swapped, &policy(), &trust(&sigstore));
    let (check, reason) = check_of(verdict, "the logs swapped");
    assert_eq!(check, Checkpoint, "{reason}");
    // An entry of a log of whose id only the beginning is known leaves the other one to its own log.
    let mut unknown = bundle.clone();
    let known = bundle.pointer(&id(0)).unwrap()["keyId"].as_str().unwrap();
    let mut other = unbase64(known);
    other[4..].fill(7);
    *unknown.pointer_mut(&id(0)).unwrap() = json!({"keyId": base64(other)});
    open(&unknown, &policy(), &trust(&sigstore)).unwrap();
    *unknown.pointer_mut(&id(1)).unwrap() = bundle.pointer(&id(0)).unwrap().clone();
    let verdict = open(&unknown, &policy(), &trust(&sigstore));
    let (check, reason) = check_of(verdict, "one unknown, one wrong");
    assert_eq!(check, Checkpoint, "{reason}");
}

#[test]
fn an_entry_with_a_whole_id_and_with_the_beginning_of_it_is_one_entry() {
    let sigstore = Sigstore::new();
    for length in [4, 8] {
        let mut bundle = sigstore.sign(
            &payload(),
            &Signing {
                entries: 2,
                ..Signing::v2()
            },
        );
        let id = bundle
            .pointer_mut("/verificationMaterial/tlogEntries/1/logId/keyId")
            .unwrap();
        let whole = unbase64(id.as_str().unwrap());
        *id = base64(&whole[..length]).into();
        let (check, reason) = check_of(open(&bundle, &policy(), &trust(&sigstore)), "twice");
        assert_eq!(check, LogEntry, "{reason}");
        assert!(reason.contains("twice"), "{reason}");
    }
}

#[test]
fn an_entry_about_something_else_is_refused() {
    let body = |change: fn(&mut Value)| {
        with_entry(Entry {
            body: change,
            ..Entry::default()
        })
    };
    let v2 = |change: fn(&mut Value)| Signing {
        entry: Entry {
            is_v2: true,
            body: change,
            ..Entry::default()
        },
        ..Signing::v2()
    };
    refuse(vec![
        (
            "another payload hash",
            body(|body| body["spec"]["payloadHash"]["value"] = Value::from("00".repeat(32))),
            LogEntry,
        ),
        (
            "another envelope hash",
            body(|body| body["spec"]["envelopeHash"]["value"] = Value::from("00".repeat(32))),
            LogEntry,
        ),
        (
            "another hash function",
            body(|body| body["spec"]["envelopeHash"]["algorithm"] = Value::from("sha512")),
            LogEntry,
        ),
        (
            "another signature",
            body(|body| body["spec"]["signatures"][0]["signature"] = Value::from("AAAA")),
            LogEntry,
        ),
        (
            "another verifier",
            body(|body| body["spec"]["signatures"][0]["verifier"] = Value::from("AAAA")),
            LogEntry,
        ),
        (
            "a second signature",
            body(|body| {
                let signatures = body["spec"]["signatures"].as_array_mut().unwrap();
                signatures.push(signatures[0].clone());
            }),
            LogEntry,
        ),
        (
            "v2, a digest of something else",
            v2(|body| {
                body["spec"]["hashedRekordV002"]["data"]["digest"] = Value::from(base64([7; 32]));
            }),
            Artifact,
        ),
        (
            "v2, another signature",
            v2(|body| {
                body["spec"]["hashedRekordV002"]["signature"]["content"] = Value::from("AAAA");
            }),
            LogEntry,
        ),
        (
            "v2, another certificate",
            v2(|body| {
                body["spec"]["hashedRekordV002"]["signature"]["verifier"]["x509Certificate"]["rawBytes"] =
                    Value::from("AAAA");
            }),
            LogEntry,
        ),
    ]);
}

#[test]
fn a_time_that_no_trusted_authority_proves_is_refused() {
    let stamp = Stamp::default;
    refuse(vec![
        (
            "v1 without a promise",
            with_entry(Entry {
                without_promise: true,
                ..Entry::default()
            }),
            Time,
        ),
        ("v2 without a timestamp", with_stamps(vec![]), Time),
        (
            "an unknown authority",
            with_stamps(vec![Stamp {
                by_another: true,
                ..stamp()
            }]),
            Time,
        ),
        (
            "over something else",
            with_stamps(vec![Stamp {
                over_another: true,
                ..stamp()
            }]),
            Time,
        ),
        (
            "a wrong signature",
            with_stamps(vec![Stamp {
                wrong_signature: true,
                ..stamp()
            }]),
            Time,
        ),
        (
            "a wrong digest",
            with_stamps(vec![Stamp {
                wrong_digest: true,
                ..stamp()
            }]),
            Time,
        ),
        (
            "another certificate",
            with_stamps(vec![Stamp {
                other_certificate: true,
                ..stamp()
            }]),
            Time,
        ),
        (
            "a refusal",
            with_stamps(vec![Stamp {
                status: 2,
                ..stamp()
            }]),
            Time,
        ),
        (
            "outside of the certificate's validity",
            with_stamps(vec![Stamp {
                after: 700,
                ..stamp()
            }]),
            CertificatePath,
        ),
        (
            "one of two outside of the certificate's validity",
            with_stamps(vec![
                stamp(),
                Stamp {
                    after: 700,
                    ..stamp()
                },
            ]),
            CertificatePath,
        ),
        (
            "a promise outside of the certificate's validity",
            with_entry(Entry {
                integrated_after: 700,
                ..Entry::default()
            }),
            CertificatePath,
        ),
        (
            "a promise within, a timestamp outside of it",
            Signing {
                stamps: vec![Stamp {
                    after: -60,
                    ..stamp()
                }],
                ..Signing::v1()
            },
            CertificatePath,
        ),
        (
            "the same timestamp twice",
            changed(Signing::v2(), |bundle| {
                let stamps = &mut bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"];
                let stamps = stamps.as_array_mut().unwrap();
                stamps.push(stamps[0].clone());
            }),
            Time,
        ),
        (
            "garbage beside a promise",
            changed(Signing::v1(), |bundle| {
                bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"] =
                    json!([{"signedTimestamp": "AAAA"}]);
            }),
            Time,
        ),
    ]);
    let sigstore = Sigstore::new();
    let bundle = sigstore.sign(&payload(), &Signing::v2()).to_string();
    let file = || model_signing::verify::SignatureFile::parse(bundle.as_bytes()).unwrap();
    let trust = trust(&sigstore);
    let early = crate::fake::SIGNED_AT - 3600;
    let (check, _) = check_of(
        file().verify_keyless(&policy(), &trust, early),
        "the future",
    );
    assert_eq!(check, Time);
    file().verify_keyless(&policy(), &trust, NOW).unwrap();
}

#[test]
fn a_signature_over_something_else_is_refused() {
    let sigstore = Sigstore::new();
    let signing = Signing {
        wrong_signature: true,
        ..Signing::v1()
    };
    let (check, _) = check_of(sign_and_open(&sigstore, &signing), "something else");
    assert_eq!(check, Signature);
    // The payload is changed, and everything else stays.
    let signing = changed(Signing::v2(), |bundle| {
        let payload = String::from_utf8(payload())
            .unwrap()
            .replace("weights.bin", "weights.evil");
        bundle["dsseEnvelope"]["payload"] = Value::from(base64(payload));
    });
    let (check, _) = check_of(sign_and_open(&sigstore, &signing), "another payload");
    assert_eq!(check, Signature);
}

#[test]
fn trust_that_does_not_cover_the_signing_is_refused() {
    let sigstore = Sigstore::new();
    let bundle = sigstore.sign(&payload(), &Signing::v1());
    let other = Sigstore::new().trusted_root();
    let later = json!({"start": "2025-07-01T00:00:00Z"});
    let earlier = json!({"start": "2025-01-01T00:00:00Z", "end": "2025-05-01T00:00:00Z"});
    let mut cases: Vec<(&str, Value, Check)> = vec![("of another instance", other, Promise)];
    for (what, list, period, check) in [
        (
            "a CA that was not trusted yet",
            "certificateAuthorities",
            &later,
            CertificatePath,
        ),
        (
            "a CA that was not trusted any more",
            "certificateAuthorities",
            &earlier,
            CertificatePath,
        ),
    ] {
        let mut root = sigstore.trusted_root();
        root[list][0]["validFor"] = period.clone();
        cases.push((what, root, check));
    }
    for (what, list, period, check) in [
        ("a log that was not trusted yet", "tlogs", &later, Promise),
        (
            "a log that was not trusted any more",
            "tlogs",
            &earlier,
            Promise,
        ),
        (
            "a CT log that was not trusted any more",
            "ctlogs",
            &earlier,
            CertificateTransparency,
        ),
    ] {
        let mut root = sigstore.trusted_root();
        root[list][0]["publicKey"]["validFor"] = period.clone();
        cases.push((what, root, check));
    }
    for list in ["tlogs", "certificateAuthorities", "ctlogs"] {
        let mut root = sigstore.trusted_root();
        root[list] = json!([]);
        let check = match list {
            "tlogs" => Promise,
            "ctlogs" => Bundle,
            _ => CertificatePath,
        };
        cases.push((list, root, check));
    }
    for (what, root, check) in cases {
        let (found, reason) = check_of(open(&bundle, &policy(), &trust_of(&root)), what);
        assert_eq!(found, check, "{what}: {reason}");
    }
    // A timestamp authority outside of its period.
    let bundle = sigstore.sign(&payload(), &Signing::v2());
    let mut root = sigstore.trusted_root();
    root["timestampAuthorities"][0]["validFor"] = earlier;
    let (check, _) = check_of(open(&bundle, &policy(), &trust_of(&root)), "a TSA");
    assert_eq!(check, Time);
}

#[test]
fn a_certificate_of_an_authority_whose_root_had_expired_is_refused() {
    let sigstore = Sigstore {
        fulcio: Authority::valid_for_years(0),
        ..Sigstore::new()
    };
    let (check, reason) = check_of(sign_and_open(&sigstore, &Signing::v1()), "an expired root");
    assert_eq!(check, CertificatePath, "{reason}");
}

#[test]
fn a_requested_entry_must_be_in_the_answer() {
    let sigstore = Sigstore::new();
    let bundle = sigstore.sign(&payload(), &Signing::v1());
    let trust = trust(&sigstore);
    let identity = |identity| Policy {
        identity,
        ..policy()
    };
    for (what, policy, check) in [
        (
            "another identity",
            identity(IdentityPattern::exact("a")),
            Identity,
        ),
        (
            "a prefix",
            identity(IdentityPattern::regex("https://github.com/o").unwrap()),
            Identity,
        ),
        (
            "a glob for branches",
            identity(IdentityPattern::glob("*@refs/heads/*").unwrap()),
            Identity,
        ),
        (
            "letter case",
            identity(IdentityPattern::exact(crate::fake::IDENTITY.to_uppercase())),
            Identity,
        ),
        (
            "another provider",
            Policy {
                issuer: format!("{ISSUER}/"),
                ..policy()
            },
            Issuer,
        ),
        (
            "another extension",
            Policy {
                require: vec![requirement(15, "source_repository_identifier", "1")],
                ..policy()
            },
            Extension,
        ),
        (
            "an extension that is absent",
            Policy {
                require: vec![requirement(11, "runner_environment", "")],
                ..policy()
            },
            Extension,
        ),
    ] {
        let (found, reason) = check_of(open(&bundle, &policy, &trust), what);
        assert_eq!(found, check, "{what}: {reason}");
    }
}

#[test]
fn a_signature_of_another_method_is_refused_as_such() {
    let key = include_bytes!("../data/key-with-hint.sig");
    let chain = include_bytes!("../data/certificate-chain-in-v0.3.sig");
    let trust: Trust = trust(&Sigstore::new());
    for file in [&key[..], chain] {
        let file = model_signing::verify::SignatureFile::parse(file).unwrap();
        let error = file.verify_keyless(&policy(), &trust, NOW).unwrap_err();
        assert!(matches!(error, VerifyError::Method { .. }), "{error}");
    }
}

fn entry(bundle: &mut Value) -> &mut Value {
    &mut bundle["verificationMaterial"]["tlogEntries"][0]
}
