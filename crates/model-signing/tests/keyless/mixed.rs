//! Bundles put together from parts of good ones, and good ones with one bit changed. The good ones are verified first, so that
//! everything is kept that is kept between bundles.

use model_signing::bundle::Bundle;
use model_signing::sigstore::{Artifact, Signer, Trust, verify_bundle};
use serde_json::{Value, json};

use crate::fake::{NOW, Signing, Sigstore, base64, payload, unbase64};
use crate::trust;

fn is_good(bundle: &Value, trust: &Trust) -> bool {
    Bundle::parse(bundle.to_string().as_bytes()).is_ok_and(|bundle| {
        let (artifact, signer) = (Artifact::Statement, Signer::AnyIdentity);
        verify_bundle(&bundle, &artifact, &signer, trust, NOW).is_ok()
    })
}

/// The parts that are about one signing; the last one is in one of the versions only.
fn parts(is_v2: bool) -> [&'static str; 6] {
    [
        "/dsseEnvelope/payload",
        "/dsseEnvelope/signatures",
        "/verificationMaterial/certificate",
        "/verificationMaterial/tlogEntries/0/canonicalizedBody",
        "/verificationMaterial/tlogEntries/0/inclusionProof",
        if is_v2 {
            "/verificationMaterial/timestampVerificationData"
        } else {
            "/verificationMaterial/tlogEntries/0/inclusionPromise"
        },
    ]
}

#[test]
fn no_part_of_a_good_bundle_makes_another_one_good() {
    let sigstore = Sigstore::new();
    let trust = trust(&sigstore);
    let mut other = payload();
    other.push(b' ');
    for (is_v2, signing) in [(false, Signing::v1 as fn() -> Signing), (true, Signing::v2)] {
        let one = sigstore.sign(&payload(), &signing());
        let another = sigstore.sign(&other, &signing());
        assert!(is_good(&one, &trust) && is_good(&another, &trust));
        let parts = parts(is_v2);
        let all = (1 << parts.len()) - 1;
        for taken in 0..=all {
            let mut mixed = one.clone();
            for (number, pointer) in parts.iter().enumerate() {
                if taken >> number & 1 == 1 {
                    let from = another.pointer(pointer).unwrap().clone();
                    *mixed.pointer_mut(pointer).unwrap() = from;
                }
            }
            let is_whole = taken == 0 || taken == all;
            assert_eq!(is_good(&mixed, &trust), is_whole, "{is_v2} {taken:06b}");
        }
        assert!(is_good(&one, &trust));
    }
}

#[test]
fn no_bit_of_what_is_signed_can_change() {
    const ENTRY: &str = "/verificationMaterial/tlogEntries/0";
    let sigstore = Sigstore::new();
    let trust = trust(&sigstore);
    for (is_v2, signing) in [(false, Signing::v1()), (true, Signing::v2())] {
        let good = sigstore.sign(&payload(), &signing);
        assert!(is_good(&good, &trust));
        let mut fields = vec![
            "/dsseEnvelope/payload".to_owned(),
            "/dsseEnvelope/signatures/0/sig".to_owned(),
            "/verificationMaterial/certificate/rawBytes".to_owned(),
            format!("{ENTRY}/canonicalizedBody"),
            format!("{ENTRY}/logId/keyId"),
            format!("{ENTRY}/inclusionProof/rootHash"),
            format!("{ENTRY}/inclusionProof/hashes/0"),
            format!("{ENTRY}/inclusionProof/hashes/1"),
        ];
        if !is_v2 {
            fields.push(format!("{ENTRY}/inclusionPromise/signedEntryTimestamp"));
        }
        for field in fields {
            let bytes = unbase64(good.pointer(&field).unwrap().as_str().unwrap());
            // Only the first bytes of the id of a log of Rekor v2 are signed: another client may write no more of it.
            let length = if is_v2 && field.ends_with("keyId") {
                4
            } else {
                bytes.len()
            };
            for at in (0..length).step_by(3) {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (at % 8);
                let mut bundle = good.clone();
                *bundle.pointer_mut(&field).unwrap() = json!(base64(changed));
                assert!(!is_good(&bundle, &trust), "{is_v2} {field} {at}");
            }
        }
        for (field, value) in [
            ("logIndex", json!("0")),
            ("logIndex", json!("9007199254740993")),
            ("integratedTime", json!("1748736006")),
            ("inclusionProof/logIndex", json!("2")),
            ("inclusionProof/treeSize", json!("2")),
            ("kindVersion", json!({"kind": "dsse", "version": "0.0.2"})),
            (
                "kindVersion",
                json!({"kind": "hashedrekord", "version": "0.0.1"}),
            ),
        ] {
            // Rekor v2 signs no time: nothing reads what is written there.
            let counts = !(is_v2 && field == "integratedTime");
            let mut bundle = good.clone();
            let pointer = format!("{ENTRY}/{field}");
            match bundle.pointer_mut(&pointer) {
                Some(place) => *place = value,
                None => bundle.pointer_mut(ENTRY).unwrap()[field] = value,
            }
            assert_eq!(is_good(&bundle, &trust), !counts, "{is_v2} {field}");
        }
        // The checkpoint, its signature included.
        let checkpoint = format!("{ENTRY}/inclusionProof/checkpoint/envelope");
        let text = good.pointer(&checkpoint).unwrap().as_str().unwrap();
        for (at, character) in text.char_indices().filter(|(_, it)| it.is_alphanumeric()) {
            let other = if character == 'A' { 'B' } else { 'A' };
            let mut changed = text.to_owned();
            changed.replace_range(at..at + character.len_utf8(), &other.to_string());
            let mut bundle = good.clone();
            *bundle.pointer_mut(&checkpoint).unwrap() = json!(changed);
            // The name of the signer stands beside its signature and is not signed.
            let is_name = text[..at].contains('\u{2014}') && text[at..].contains(' ');
            assert_eq!(is_good(&bundle, &trust), is_name, "{is_v2} {at} {changed}");
        }
    }
}
