//! What is accepted, and what is reported of it.

use model_signing::sigstore::{
    Artifact, IdentityPattern, NameKind, Policy, Signer, TimeSource, verify,
};
use rcgen::SanType;
use rcgen::string::Ia5String;
use serde_json::{Value, json};

use crate::fake::authority::Leaf;
use crate::fake::log::Entry;
use crate::fake::payload;
use crate::fake::stamp::{Flaws, Stamp, StampAuthority};
use crate::fake::{IDENTITY, ISSUER, NOW, SIGNED_AT, Signing, Sigstore};
use crate::{open, policy, requirement, sign_and_open, trust, trust_of};

#[test]
fn a_signing_in_rekor_v1_is_verified_with_the_time_of_its_promise() {
    let verified = sign_and_open(&Sigstore::new(), &Signing::v1()).unwrap();
    let [time] = verified.times.as_slice() else {
        panic!("{:?}", verified.times)
    };
    assert_eq!(
        (time.seconds, time.source),
        (SIGNED_AT + 5, TimeSource::Log)
    );
    let [entry] = verified.entries.as_slice() else {
        panic!()
    };
    assert_eq!(entry.log.as_deref(), Some("https://rekor.fake.example"));
    assert_eq!(entry.origin, "rekor.fake.example - 1193050959916656506");
    assert_eq!((entry.tree_index, entry.log_index), (1, Some(1001)));
    let (_, identity) = verified.certificate.as_ref().unwrap();
    assert_eq!(identity.names[0].text, IDENTITY);
    assert_eq!(identity.names[0].kind, NameKind::Uri);
    assert_eq!(identity.issuer, ISSUER);
    assert_eq!(identity.extension(20), Some("release"));
}

#[test]
fn a_signing_in_rekor_v2_is_verified_with_the_time_of_its_timestamp() {
    let verified = sign_and_open(&Sigstore::new(), &Signing::v2()).unwrap();
    let [time] = verified.times.as_slice() else {
        panic!("{:?}", verified.times)
    };
    assert_eq!(
        (time.seconds, time.source),
        (SIGNED_AT + 10, TimeSource::Authority)
    );
    let [entry] = verified.entries.as_slice() else {
        panic!()
    };
    assert_eq!(entry.log.as_deref(), Some("https://log2025-1.fake.example"));
    assert_eq!((entry.tree_index, entry.log_index), (1, Some(1)));
}

#[test]
fn timestamps_with_a_fraction_of_a_second_and_by_keys_of_every_kind_count() {
    let signing = || Signing {
        stamps: vec![Stamp {
            has_fraction: true,
            ..Stamp::default()
        }],
        ..Signing::v2()
    };
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P521_SHA512,
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_RSA_SHA256,
    ] {
        let sigstore = Sigstore {
            tsa: StampAuthority::with(algorithm, Flaws::default()),
            ..Sigstore::new()
        };
        let verified = sign_and_open(&sigstore, &signing()).unwrap();
        let [time] = verified.times.as_slice() else {
            panic!("{:?}", verified.times)
        };
        assert_eq!(time.seconds, SIGNED_AT + 10);
        assert_eq!(time.source, TimeSource::Authority);
    }
}

#[test]
fn a_timestamp_can_take_the_place_of_a_promise() {
    let signing = Signing {
        entry: Entry {
            without_promise: true,
            ..Entry::default()
        },
        stamps: vec![Stamp::default()],
        ..Signing::v1()
    };
    let verified = sign_and_open(&Sigstore::new(), &signing).unwrap();
    assert_eq!(verified.times.len(), 1);
    // The index over all trees is not signed.
    assert_eq!(verified.entries[0].log_index, None);
    assert_eq!(verified.entries[0].tree_index, 1);
}

#[test]
fn a_timestamp_by_an_authority_that_is_not_trusted_is_ignored() {
    let foreign = || Stamp {
        by_another: true,
        ..Stamp::default()
    };
    let signing = Signing {
        stamps: vec![foreign()],
        ..Signing::v1()
    };
    let verified = sign_and_open(&Sigstore::new(), &signing).unwrap();
    assert_eq!(verified.ignored_timestamps, 1);
    assert_eq!(verified.times.len(), 1);
    assert_eq!(verified.times[0].source, TimeSource::Log);
}

#[test]
fn an_entry_proven_by_the_key_of_a_retired_log_is_marked() {
    let sigstore = Sigstore::new();
    let bundle = sigstore.sign(&payload(), &Signing::v2());
    for (period, covers) in [
        (json!({"start": "2025-01-01T00:00:00Z"}), true),
        (
            json!({"start": "2025-01-01T00:00:00Z", "end": "2025-05-01T00:00:00Z"}),
            false,
        ),
        (json!({"start": "2025-07-01T00:00:00Z"}), false),
    ] {
        let mut root = sigstore.trusted_root();
        for log in root["tlogs"].as_array_mut().unwrap() {
            log["publicKey"]["validFor"] = period.clone();
        }
        let verified = open(&bundle, &policy(), &trust_of(&root)).unwrap();
        assert_eq!(verified.entries[0].in_key_period, covers, "{period}");
    }
}

#[test]
fn older_bundles_with_a_chain_are_read_and_only_keyless_ones() {
    let sigstore = Sigstore::new();
    for media_type in [
        "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "application/vnd.dev.sigstore.bundle+json;version=0.2",
    ] {
        let mut bundle = sigstore.sign(&payload(), &Signing::v1());
        bundle["mediaType"] = Value::from(media_type);
        let material = bundle["verificationMaterial"].as_object_mut().unwrap();
        let certificate = material.remove("certificate").unwrap();
        material.insert(
            "x509CertificateChain".to_owned(),
            json!({"certificates": [certificate]}),
        );
        open(&bundle, &policy(), &trust(&sigstore)).unwrap();
        bundle["verificationMaterial"]["tlogEntries"] = json!([]);
        let error = open(&bundle, &policy(), &trust(&sigstore)).unwrap_err();
        assert!(error.to_string().contains("mediaType"), "{error}");
    }
    let mut bundle = sigstore.sign(&payload(), &Signing::v2());
    bundle["mediaType"] = Value::from("application/vnd.dev.sigstore.bundle+json;version=0.3");
    open(&bundle, &policy(), &trust(&sigstore)).unwrap();
}

#[test]
fn names_of_every_kind_and_both_encodings_of_the_issuer_are_read() {
    let sigstore = Sigstore::new();
    let email = SanType::Rfc822Name(Ia5String::try_from("a@example.com").unwrap());
    let fulcio_user = vec![1, 3, 6, 1, 4, 1, 57264, 1, 7];
    let user = SanType::OtherName((fulcio_user, "a!example.com".into()));
    for (name, text, kind) in [
        (email, "a@example.com", NameKind::Email),
        (user, "a!example.com", NameKind::UserName),
    ] {
        for (issuer, issuer_raw) in [(true, true), (true, false), (false, true)] {
            let leaf = Leaf {
                names: vec![name.clone()],
                issuer: issuer.then(|| ISSUER.to_owned()),
                issuer_raw: issuer_raw.then(|| ISSUER.to_owned()),
                ..Leaf::default()
            };
            let bundle = sigstore.sign(
                &payload(),
                &Signing {
                    leaf,
                    ..Signing::v1()
                },
            );
            let policy = Policy {
                identity: IdentityPattern::exact(text),
                ..policy()
            };
            let verified = open(&bundle, &policy, &trust(&sigstore)).unwrap();
            assert_eq!(verified.certificate.unwrap().1.names[0].kind, kind);
        }
    }
}

#[test]
fn globs_expressions_and_extensions_are_matched() {
    let sigstore = Sigstore::new();
    let bundle = sigstore.sign(&payload(), &Signing::v1());
    let glob = "https://github.com/o/falcon/.github/workflows/release.yml@refs/tags/*";
    let policy = Policy {
        identity: IdentityPattern::glob(glob).unwrap(),
        require: vec![
            requirement(15, "source_repository_identifier", "463804977"),
            requirement(8, "issuer", ISSUER),
        ],
        ..policy()
    };
    open(&bundle, &policy, &trust(&sigstore)).unwrap();
    let regex = r"https://github\.com/o/falcon/.*@refs/tags/v1\.[0-9.]+";
    let policy = Policy {
        identity: IdentityPattern::regex(regex).unwrap(),
        ..policy
    };
    open(&bundle, &policy, &trust(&sigstore)).unwrap();
}

#[test]
fn every_known_form_of_the_envelope_has_its_hash_in_the_log() {
    let forms: [fn(&Value) -> String; 5] = [
        // sigstore-python 3, sigstore-go, sigstore-js, with a key id, and with the type first.
        |envelope| {
            envelope
                .to_string()
                .replace("\":", "\": ")
                .replace(",\"", ", \"")
        },
        Value::to_string,
        |envelope| {
            envelope
                .to_string()
                .replace("\"sig\":", "\"keyid\":\"\",\"sig\":")
        },
        |envelope| envelope.to_string().replace("\"}]", "\",\"keyid\":\"\"}]"),
        |envelope| {
            format!(
                "{{\"payloadType\":{},\"payload\":{},\"signatures\":{}}}",
                envelope["payloadType"], envelope["payload"], envelope["signatures"]
            )
        },
    ];
    let sigstore = Sigstore::new();
    for sent in forms {
        let entry = Entry {
            sent,
            ..Entry::default()
        };
        sign_and_open(
            &sigstore,
            &Signing {
                entry,
                ..Signing::v1()
            },
        )
        .unwrap();
    }
}

#[test]
fn a_bundle_of_any_signer_is_verified_against_the_digest_of_a_subject() {
    let sigstore = Sigstore::new();
    let bundle = sigstore.sign(&payload(), &Signing::v2()).to_string();
    let trust = trust(&sigstore);
    let policy = policy();
    let signer = Signer::Identity(&policy);
    let root = crate::fake::sha256(&crate::fake::sha256(b"weights"));
    let artifact = Artifact::Sha256(root);
    verify(bundle.as_bytes(), &artifact, &signer, &trust, NOW).unwrap();
    let other = Artifact::Bytes(b"other");
    let error = verify(bundle.as_bytes(), &other, &signer, &trust, NOW).unwrap_err();
    assert_eq!(
        error.check,
        model_signing::sigstore::Check::Artifact,
        "{error}"
    );
}
