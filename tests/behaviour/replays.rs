//! The owner's public bundle, logged again by a person without the key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use modelwatch::expect::{self, Expectation};
use modelwatch::finding::{Finding, LOGGED_AGAIN, State, Verdict};
use modelwatch::identity::Certificate;
use modelwatch::store::QueuedKind;
use rcgen::{KeyPair, SigningKey as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::world::{
    Fault, Issued, Leaf, MAIL, Mode, RegisterOne as _, Spec, World, issue_for, other_leaves, usual,
};

const PAYLOAD: &[u8] = b"a statement about a model";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// One signing with a certificate, as its owner made it.
struct Signed {
    key: KeyPair,
    by: Issued,
    signature: Vec<u8>,
}

/// The kinds of entries that can hold it.
const KINDS: [&str; 6] = [
    "hashedrekord 0.0.2",
    "hashedrekord 0.0.1",
    "rekord 0.0.1",
    "dsse 0.0.1",
    "dsse 0.0.2",
    "intoto 0.0.2",
];

impl Signed {
    fn new(world: &World) -> Self {
        let key = KeyPair::generate().unwrap();
        let by = issue_for(MAIL, world.now(), true, &key);
        let signature = key.sign(&pae(PAYLOAD)).unwrap();
        Self { key, by, signature }
    }

    /// It names the entry that the owner made.
    fn bundle(&self) -> String {
        let body = STANDARD.encode(&self.original().bytes);
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": STANDARD.encode(self.by.der())},
                "tlogEntries": [{
                    "logIndex": "0",
                    "logId": {"keyId": STANDARD.encode([1; 32])},
                    "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
                    "canonicalizedBody": body,
                }],
            },
            "dsseEnvelope": {
                "payloadType": PAYLOAD_TYPE,
                "payload": STANDARD.encode(PAYLOAD),
                "signatures": [{"sig": STANDARD.encode(&self.signature), "keyid": ""}],
            },
        })
        .to_string()
    }

    fn registration(&self) -> Expectation {
        expect::from_bundle(self.bundle().as_bytes()).unwrap()
    }

    /// The owner's entry: the one leaf that belongs to the bundle.
    fn original(&self) -> Leaf {
        entry("hashedrekord 0.0.2", &self.by, PAYLOAD, &self.signature, "")
    }

    /// Every way to log it again, each twice: with the signature in either form.
    fn again(&self) -> Vec<Leaf> {
        let other = mirrored(&self.signature);
        let mut leaves = Vec::new();
        for kind in KINDS {
            for signature in [&self.signature, &other] {
                leaves.push(entry(kind, &self.by, PAYLOAD, signature, "another keyid"));
            }
        }
        // The first is the one that the owner logged.
        leaves.remove(0);
        leaves
    }
}

fn pae(payload: &[u8]) -> Vec<u8> {
    model_signing::dsse::pae(PAYLOAD_TYPE, payload)
}

/// An entry of that kind, as a log would write it; `client` is what clients choose freely.
fn entry(kind: &str, by: &Issued, payload: &[u8], signature: &[u8], client: &str) -> Leaf {
    spelled(kind, by, payload, &STANDARD.encode(signature), client)
}

/// The same with the signature's base64 as it is given.
fn spelled(kind: &str, by: &Issued, payload: &[u8], signature: &str, client: &str) -> Leaf {
    let sha256 = |bytes: &[u8]| -> [u8; 32] { Sha256::digest(bytes).into() };
    let (message, payload) = (sha256(&pae(payload)), sha256(payload));
    let pem = STANDARD.encode(format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        STANDARD.encode(by.der())
    ));
    let hash = |hash: [u8; 32]| json!({"algorithm": "sha256", "value": hex::encode(hash)});
    let output = |hash: [u8; 32]| json!({"algorithm": "SHA2_256", "digest": STANDARD.encode(hash)});
    let verified = json!({"content": signature, "verifier": {
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        "x509Certificate": {"rawBytes": STANDARD.encode(by.der())},
    }});
    let spec = match kind {
        "hashedrekord 0.0.2" => {
            json!({"hashedRekordV002": {"data": output(message), "signature": verified}})
        }
        "dsse 0.0.2" => {
            json!({"dsseV002": {"payloadHash": output(payload), "signatures": [verified]}})
        }
        "hashedrekord 0.0.1" => json!({"data": {"hash": hash(message)},
            "signature": {"content": signature, "publicKey": {"content": pem}}}),
        "rekord 0.0.1" => json!({"data": {"hash": hash(message)},
            "signature": {"format": "x509", "content": signature, "publicKey": {"content": pem}}}),
        "dsse 0.0.1" => {
            json!({"envelopeHash": hash(sha256(client.as_bytes())), "payloadHash": hash(payload),
            "signatures": [{"signature": signature, "verifier": pem}]})
        }
        "intoto 0.0.2" => json!({"content": {
        "hash": hash(sha256(client.as_bytes())), "payloadHash": hash(payload),
        "envelope": {"payloadType": PAYLOAD_TYPE, "signatures": [
            {"keyid": client, "publicKey": pem, "sig": STANDARD.encode(signature)},
        ]}}}),
        _ => unreachable!("no such kind: {kind}"),
    };
    let (name, version) = kind.split_once(' ').unwrap();
    let entry: Value = json!({"apiVersion": version, "kind": name, "spec": spec});
    by.leaf(entry.to_string().into_bytes())
}

/// An entry that holds the bare key in the place of the certificate.
fn by_bare_key(kind: &str, by: &Issued, payload: &[u8], signature: &[u8]) -> Leaf {
    let certificate = Certificate::parse_strict(by.der().to_vec()).unwrap();
    let pem = |label: &str, der: &[u8]| {
        STANDARD.encode(format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            STANDARD.encode(der)
        ))
    };
    let raw = |name: &str, der: &[u8]| {
        let bytes = json!({"rawBytes": STANDARD.encode(der)});
        format!("\"{name}\":{bytes}")
    };
    let spki = certificate.spki_der();
    let with = entry(kind, by, payload, signature, "a bare key");
    let with = String::from_utf8(with.bytes.to_vec()).unwrap();
    let without = with
        .replace(&pem("CERTIFICATE", by.der()), &pem("PUBLIC KEY", spki))
        .replace(&raw("x509Certificate", by.der()), &raw("publicKey", spki));
    assert_ne!(without, with);
    Leaf::of_bytes(without.into_bytes())
}

/// (r, n - s) of an ECDSA signature on P-256.
fn mirrored(signature: &[u8]) -> Vec<u8> {
    const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let (_, numbers) = element(signature).0;
    let ((_, r), rest) = element(numbers);
    let ((_, s), _) = element(rest);
    let mut other = hex::decode(ORDER).unwrap();
    let mut borrow = 0_i32;
    let padded = s.iter().rev().chain(std::iter::repeat(&0));
    for (digit, taken) in other.iter_mut().rev().zip(padded) {
        let less = i32::from(*digit) - i32::from(*taken) - borrow;
        borrow = i32::from(less < 0);
        *digit = u8::try_from(less.rem_euclid(256)).unwrap();
    }
    let zeros = other.iter().take_while(|digit| **digit == 0).count();
    let mut other = other.split_off(zeros);
    if other[0] >= 0x80 {
        other.insert(0, 0);
    }
    der(0x30, &[der(0x02, r), der(0x02, &other)].concat())
}

type Element<'a> = (u8, &'a [u8]);

/// The first element of some DER, and the bytes after it.
fn element(bytes: &[u8]) -> (Element<'_>, &[u8]) {
    let (length, start) = match bytes[1] {
        short @ 0..=0x7f => (usize::from(short), 2),
        0x81 => (usize::from(bytes[2]), 3),
        0x82 => (usize::from(bytes[2]) << 8 | usize::from(bytes[3]), 4),
        _ => panic!("longer than anything here"),
    };
    let (element, rest) = bytes.split_at(start + length);
    ((element[0], &element[start..]), rest)
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut der = match content.len() {
        0..=0x7f => vec![tag, length[1]],
        0x80..=0xff => vec![tag, 0x81, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    der.extend(content);
    der
}

/// The same TBSCertificate with another signature of the CA around it.
fn resigned(certificate: &Issued, trusted: bool, sign: impl Fn(&[u8]) -> Vec<u8>) -> Issued {
    let ((_, parts), _) = element(certificate.der());
    let (_, rest) = element(parts);
    let (_, last) = element(rest);
    let ((_, bits), _) = element(last);
    let signature = [&[0][..], &sign(&bits[1..])].concat();
    let unsigned = &parts[..parts.len() - last.len()];
    let der = der(0x30, &[unsigned, &der(0x03, &signature)].concat());
    certificate.in_other_bytes(der, trusted)
}

async fn register(world: &World, registration: &Expectation) -> usize {
    let store = world.truly();
    let registered = store.register(registration, "owl.sigstore.json", world.now());
    registered.await.unwrap().1.len()
}

/// All watches in these tests select by the mail address alone.
async fn world() -> World {
    let mail: Vec<Spec> = usual()
        .into_iter()
        .filter(|spec| spec.name == "mail")
        .collect();
    World::with(&["main.example"], mail, &["oncall"]).await
}

fn assert_expected(findings: &[Finding], original: Option<u64>) {
    for finding in findings {
        let what = format!("{finding:?}");
        assert_eq!(finding.verdict, Verdict::Expected, "{what}");
        assert_eq!(finding.state, State::Resolved, "{what}");
        let is_again = finding.index != original;
        assert_eq!(
            finding.anomalies.contains(&LOGGED_AGAIN.to_owned()),
            is_again,
            "{what}"
        );
        assert_eq!(
            finding.summary.ends_with("; logged again"),
            is_again,
            "{what}"
        );
    }
}

#[tokio::test]
async fn a_registered_signing_that_is_logged_again_is_expected_whatever_the_entry_and_the_order() {
    // Registered before all, between the original and the others, and after all; the original first and last.
    for (registered_after, original_first) in
        [(0, true), (0, false), (1, true), (2, true), (2, false)]
    {
        let mut world = world().await;
        let signed = Signed::new(&world);
        let again = signed.again();
        let count = again.len() as u64;
        if registered_after == 0 {
            assert_eq!(register(&world, &signed.registration()).await, 0);
        }
        if original_first {
            world.log().grow([signed.original()]);
            world.good_step().await;
        }
        if registered_after == 1 {
            assert_eq!(register(&world, &signed.registration()).await, 1);
        }
        world.log().grow(again);
        world.good_step().await;
        if !original_first {
            world.log().grow([signed.original()]);
            world.good_step().await;
        }
        if registered_after == 2 {
            assert_eq!(
                world.of("identity-unexpected").await.len() as u64,
                count + 1
            );
            assert_eq!(
                register(&world, &signed.registration()).await as u64,
                count + 1
            );
            world.good_step().await;
        }
        let findings = world.findings().await;
        assert_eq!(findings.len() as u64, count + 1);
        let original = if original_first { 0 } else { count };
        assert_expected(&findings, Some(original));
        let sent = world.inbox.iter().filter(|m| m.kind == QueuedKind::Alert);
        assert_eq!(sent.count() > 0, registered_after > 0);
        let registered = &world.truly().registrations().await.unwrap()[0];
        assert_eq!(registered.findings, count + 1);
    }
}

#[tokio::test]
async fn a_signature_that_is_written_in_another_way_is_the_same_signature() {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut world = world().await;
    let mut signed = Signed::new(&world);
    // One whose base64 has bits to spare.
    while signed.signature.len().is_multiple_of(3) {
        signed.signature = signed.key.sign(&pae(PAYLOAD)).unwrap();
    }
    register(&world, &signed.registration()).await;
    let text = STANDARD.encode(&signed.signature);
    let unpadded = text.trim_end_matches('=');
    let (start, last) = unpadded.split_at(unpadded.len() - 1);
    let place = LETTERS
        .iter()
        .position(|letter| *letter == last.as_bytes()[0]);
    let other = char::from(LETTERS[place.unwrap() ^ 1]);
    let mut spellings = vec![
        format!("{start}{other}{}", &text[unpadded.len()..]),
        text.replace('+', "-").replace('/', "_"),
        unpadded.to_owned(),
    ];
    // Anyone can make any number of these.
    for at in 1..6 {
        spellings.push(format!("{}\n{}", &text[..at], &text[at..]));
        spellings.push(format!("{}\r\n{}", &text[..at], &text[at..]));
    }
    world.log().grow([signed.original()]);
    for kind in KINDS {
        for spelling in &spellings {
            world
                .log()
                .grow([spelled(kind, &signed.by, PAYLOAD, spelling, "x")]);
        }
    }
    world.good_step().await;
    let findings = world.findings().await;
    assert_eq!(findings.len(), 1 + KINDS.len() * spellings.len());
    assert_expected(&findings, Some(0));
    assert!(world.inbox.is_empty());
}

#[tokio::test]
async fn a_registered_signing_under_the_bare_key_is_expected_and_another_under_it_is_not() {
    for registered_first in [true, false] {
        let mut world = world().await;
        let signed = Signed::new(&world);
        let nonce = signed.key.sign(&pae(PAYLOAD)).unwrap();
        let certificate = Certificate::parse_strict(signed.by.der().to_vec()).unwrap();
        world.watch_key(certificate.key_sha256());
        if registered_first {
            register(&world, &signed.registration()).await;
        }
        for kind in KINDS {
            world.log().grow([
                by_bare_key(kind, &signed.by, PAYLOAD, &signed.signature),
                by_bare_key(kind, &signed.by, PAYLOAD, &mirrored(&signed.signature)),
                by_bare_key(kind, &signed.by, PAYLOAD, &nonce),
                by_bare_key(kind, &signed.by, b"another payload", &signed.signature),
            ]);
        }
        world.pass().await.unwrap();
        if !registered_first {
            assert_eq!(world.of("identity-unexpected").await.len(), 4 * KINDS.len());
            let again = register(&world, &signed.registration()).await;
            assert_eq!(again, 2 * KINDS.len());
        }
        let expected = world.of("expected").await;
        assert_eq!(expected.len(), 2 * KINDS.len());
        assert_expected(&expected, None);
        assert!(
            expected
                .iter()
                .all(|finding| finding.index.unwrap() % 4 < 2)
        );
        let alarms = world.of("identity-unexpected").await;
        assert_eq!(alarms.len(), 2 * KINDS.len());
        assert!(alarms.iter().all(|finding| finding.state == State::Open));
    }
}

#[tokio::test]
async fn a_registered_signing_covers_nothing_that_another_parser_reads_from_its_entry() {
    let mut world = world().await;
    let signed = Signed::new(&world);
    register(&world, &signed.registration()).await;
    let original = signed.original().bytes;
    let spec = |leaf: &Leaf| {
        let leaf: Value = serde_json::from_slice(&leaf.bytes).unwrap();
        leaf["spec"].to_string()
    };
    let kind = "hashedrekord 0.0.2";
    let forged = signed.key.sign(b"another file").unwrap();
    let same_signer = spec(&entry(kind, &signed.by, b"another file", &forged, ""));
    let unreadable = r#"{"hashedRekordV002":{"signature":{"verifier":{"x509Certificate":{"rawBytes":"MAA="}}}}}"#;
    let before = original.strip_suffix(b"}").unwrap();
    world.log().grow([signed.original()]);
    for (member, value) in [
        ("Spec", same_signer.as_str()),
        ("\u{17f}pec", &same_signer),
        ("Spec", unreadable),
        ("new", "{}"),
    ] {
        let leaf = [before, format!(",\"{member}\":{value}}}").as_bytes()].concat();
        world.log().grow([signed.by.leaf(leaf)]);
    }
    world.good_step().await;
    // The registered leaf itself is expected by its hash.
    let expected = world.of("expected").await;
    assert_eq!(expected.len(), 1);
    assert_expected(&expected, Some(0));
    let alarms = world.of("identity-unexpected").await;
    assert_eq!(alarms.len(), 4);
    assert!(alarms.iter().all(|finding| finding.state == State::Open));
    // A later registration of the signing changes nothing.
    assert_eq!(register(&world, &signed.registration()).await, 0);
    world.good_step().await;
    assert_eq!(world.of("identity-unexpected").await.len(), 4);
}

#[tokio::test]
async fn a_leaf_that_holds_more_stays_expected_if_it_is_the_registered_one() {
    let mut world = world().await;
    let signed = Signed::new(&world);
    let original = signed.original().bytes;
    let leaf = [original.strip_suffix(b"}").unwrap(), br#","new":{}}"#].concat();
    let mut registration = signed.registration();
    let hash = tlog::hash::leaf_hash(&leaf);
    registration.leaf_hashes.push(*hash.as_bytes());
    registration
        .signing
        .as_mut()
        .unwrap()
        .leaves
        .push(hash.to_hex());
    register(&world, &registration).await;
    world.log().grow([signed.by.leaf(leaf)]);
    world.good_step().await;
    assert_expected(&world.findings().await, Some(0));
}

#[tokio::test]
async fn what_takes_the_key_or_another_certificate_stays_an_alarm() {
    let mut world = world().await;
    let signed = Signed::new(&world);
    register(&world, &signed.registration()).await;
    let nonce = signed.key.sign(&pae(PAYLOAD)).unwrap();
    assert_ne!(nonce, signed.signature);
    let later = world.now() + jiff::SignedDuration::from_secs(1);
    let other = issue_for(MAIL, later, true, &signed.key);
    let garbage = resigned(&signed.by, false, |_| vec![0x30, 0x06, 2, 1, 1, 2, 1, 1]);
    world.log().grow([signed.original()]);
    for kind in KINDS {
        world.log().grow([
            entry(kind, &signed.by, PAYLOAD, &nonce, ""),
            entry(kind, &signed.by, PAYLOAD, &mirrored(&nonce), ""),
            entry(kind, &signed.by, b"another payload", &signed.signature, ""),
            entry(kind, &other, PAYLOAD, &signed.signature, ""),
            entry(kind, &garbage, PAYLOAD, &signed.signature, ""),
        ]);
    }
    world.good_step().await;
    assert_eq!(world.of("expected").await.len(), 1);
    let alarms = world.of("identity-unexpected").await;
    assert_eq!(alarms.len(), 4 * KINDS.len());
    assert!(alarms.iter().all(|finding| finding.state == State::Open));
    assert!(alarms.iter().all(|finding| finding.anomalies.is_empty()));
    assert_eq!(world.of("untrusted-chain").await.len(), KINDS.len());
}

#[tokio::test]
async fn the_same_certificate_with_other_bytes_around_it_is_the_same_with_the_same_chain() {
    let mirrored = |signed: &Signed, _: &World| resigned(&signed.by, true, mirrored);
    // The CA signs the same content again.
    let anew = |signed: &Signed, world: &World| issue_for(MAIL, world.now(), true, &signed.key);
    let variants: [fn(&Signed, &World) -> Issued; 2] = [mirrored, anew];
    for (variant_first, variant) in [(false, 0), (true, 0), (false, 1), (true, 1)] {
        let mut world = world().await;
        let signed = Signed::new(&world);
        let by = variants[variant](&signed, &world);
        assert_ne!(by.der(), signed.by.der());
        let again = entry("dsse 0.0.1", &by, PAYLOAD, &signed.signature, "x");
        register(&world, &signed.registration()).await;
        let leaves = if variant_first {
            [again, signed.original()]
        } else {
            [signed.original(), again]
        };
        for leaf in leaves {
            world.log().grow([leaf]);
            world.good_step().await;
        }
        assert_expected(&world.findings().await, Some(u64::from(variant_first)));
    }
}

#[tokio::test]
async fn a_certificate_that_becomes_trusted_later_makes_its_repeats_expected_then() {
    let mut world = world().await;
    world.trust(false);
    let signed = Signed::new(&world);
    register(&world, &signed.registration()).await;
    let by = resigned(&signed.by, true, mirrored);
    world.log().grow([
        signed.original(),
        entry("dsse 0.0.1", &by, PAYLOAD, &signed.signature, "x"),
    ]);
    world.good_step().await;
    assert_eq!(world.of("expected").await.len(), 1);
    assert_eq!(world.of("untrusted-chain").await.len(), 1);
    world.trust(true);
    world.good_step().await;
    assert_expected(&world.findings().await, Some(0));
    assert!(
        world
            .inbox
            .iter()
            .all(|message| message.kind != QueuedKind::Alert)
    );
}

#[tokio::test]
async fn an_owner_s_signature_beside_a_thief_s_covers_its_own_part_only() {
    let mut world = world().await;
    let signed = Signed::new(&world);
    register(&world, &signed.registration()).await;
    let thief = Signed::new(&world);
    let pem = |by: &Issued| {
        STANDARD.encode(format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            STANDARD.encode(by.der())
        ))
    };
    let both = json!({"apiVersion": "0.0.1", "kind": "dsse", "spec": {
        "payloadHash": {"algorithm": "sha256", "value": hex::encode(Sha256::digest(PAYLOAD))},
        "signatures": [
            {"signature": STANDARD.encode(&signed.signature), "verifier": pem(&signed.by)},
            {"signature": STANDARD.encode(&thief.signature), "verifier": pem(&thief.by)},
        ],
    }});
    world
        .log()
        .grow([signed.by.leaf(both.to_string().into_bytes())]);
    // Two findings of one entry: the check after a step counts one for each watch.
    world.pass().await.unwrap();
    world.deliver().await.unwrap();
    let findings = world.findings().await;
    let verdicts: Vec<Verdict> = findings.iter().map(|finding| finding.verdict).collect();
    assert_eq!(verdicts.len(), 2, "{findings:?}");
    assert!(verdicts.contains(&Verdict::Expected));
    let alarm = &world.of("identity-unexpected").await[0];
    assert_eq!(world.delivered(alarm.id).len(), 1);
}

#[tokio::test]
async fn a_registration_of_an_earlier_version_covers_repeats_too() {
    for original_first in [true, false] {
        let mut world = world().await;
        let signed = Signed::new(&world);
        let earlier = Expectation {
            signing: None,
            statement: None,
            ..signed.registration()
        };
        register(&world, &earlier).await;
        let mut leaves = signed.again();
        leaves.insert(
            if original_first { 0 } else { leaves.len() },
            signed.original(),
        );
        let original = if original_first {
            0
        } else {
            leaves.len() as u64 - 1
        };
        for leaf in leaves {
            world.log().grow([leaf]);
            world.good_step().await;
        }
        assert_expected(&world.findings().await, Some(original));
        assert!(world.inbox.is_empty());
        // Registered once more by this version, it is still one registration.
        assert_eq!(register(&world, &signed.registration()).await, 0);
        let registrations = world.truly().registrations().await.unwrap();
        assert_eq!(registrations.len(), 1);
        assert_eq!(registrations[0].expectation, signed.registration());
    }
}

#[tokio::test]
async fn a_removed_registration_reopens_its_repeats_and_they_alert() {
    let mut world = world().await;
    let signed = Signed::new(&world);
    register(&world, &signed.registration()).await;
    world.log().grow([signed.original()]);
    world.log().grow(signed.again());
    world.good_step().await;
    let findings = world.findings().await;
    assert_expected(&findings, Some(0));
    let number = world.truly().registrations().await.unwrap()[0].number;
    let reopened = world.truly().unregister(number, world.now()).await.unwrap();
    assert_eq!(reopened.unwrap().len(), findings.len());
    world.good_step().await;
    let again = world.of("identity-unexpected").await;
    assert_eq!(again.len(), findings.len());
    for finding in &again {
        assert_eq!(finding.state, State::Open);
        assert!(finding.anomalies.is_empty() && !finding.summary.contains(LOGGED_AGAIN));
        assert_eq!(world.delivered(finding.id).len(), 1);
    }
    // And back: the change is detected and recorded.
    assert_eq!(
        register(&world, &signed.registration()).await,
        findings.len()
    );
    world.good_step().await;
    assert_expected(&world.findings().await, Some(0));
    let last = findings.last().unwrap();
    let record = world
        .truly()
        .finding(&last.id.to_string())
        .await
        .unwrap()
        .unwrap();
    let reasons: Vec<&str> = record
        .history
        .iter()
        .map(|row| row.reason.as_str())
        .collect();
    assert_eq!(
        reasons,
        [
            "logged again, registered: owl.sigstore.json",
            "no longer registered: owl.sigstore.json",
            "logged again, registered: owl.sigstore.json"
        ]
    );
    let resolved = world
        .inbox
        .iter()
        .filter(|m| m.kind == QueuedKind::Resolved);
    assert_eq!(resolved.count(), 1);
}

#[tokio::test]
async fn one_that_is_registered_between_seen_and_proven_is_expected_through_a_dispute() {
    let mut world = world().await;
    world.log().grow(other_leaves(10));
    world.good_step().await;
    let signed = Signed::new(&world);
    world.log().grow(signed.again());
    let unknown_issuer = other_leaves(1).next().unwrap();
    world.log().grow([unknown_issuer]);
    let last = 10 + signed.again().len() as u64;
    world
        .log()
        .swap(last, crate::world::Signer::UnknownIssuer.signs(1));
    world.bad_step().await;
    assert!(
        world
            .findings()
            .await
            .iter()
            .any(|f| f.state == State::Disputed)
    );
    register(&world, &signed.registration()).await;
    world.log().heal();
    world.good_step().await;
    let mut findings = world.findings().await;
    findings.retain(|finding| finding.watch.is_some());
    assert_eq!(findings.len(), signed.again().len());
    assert_expected(&findings, None);
    assert!(findings.iter().all(|finding| finding.proven == Some(true)));
}

#[tokio::test]
async fn over_crashes_and_rescans_the_same_findings_are_expected() {
    for method in ["commit", "rescanned"] {
        for mode in [Mode::NotDone, Mode::DoneButReportedFailed] {
            let mut world = world().await;
            let signed = Signed::new(&world);
            register(&world, &signed.registration()).await;
            let specs = usual();
            if method == "rescanned" {
                // The watch is added later.
                world.watch(vec![]).await;
            }
            world.log().grow([signed.original()]);
            world.log().grow(signed.again());
            if method == "commit" {
                world.faults.arm(Fault {
                    method,
                    mode,
                    after: 0,
                    times: 1,
                });
            }
            world.settle().await;
            if method == "rescanned" {
                let mail = specs.into_iter().filter(|spec| spec.name == "mail");
                world.watch(mail.collect()).await;
                world.good_step().await;
                world.faults.arm(Fault {
                    method,
                    mode,
                    after: 0,
                    times: 1,
                });
                assert!(world.rescan().await.is_err());
                world.restart().await;
                world.rescan().await.unwrap();
            }
            assert_eq!(world.faults.fired(), 1, "{method}");
            let mut findings = world.findings().await;
            findings.retain(|finding| finding.verdict.as_str() != "coverage-gap");
            assert_eq!(findings.len(), signed.again().len() + 1);
            assert_expected(&findings, Some(0));
            assert!(findings.iter().all(|finding| finding.proven == Some(true)));
        }
    }
}

#[tokio::test]
async fn the_very_same_entry_is_logged_again_if_it_comes_a_second_time() {
    let mut world = World::with(&["main.example", "other.example"], usual(), &["oncall"]).await;
    let signed = Signed::new(&world);
    register(&world, &signed.registration()).await;
    world.logs[0].log.grow([signed.original()]);
    world.good_step().await;
    world.logs[0].log.grow([signed.original()]);
    world.logs[1].log.grow([signed.original()]);
    world.good_step().await;
    let expected = world.of("expected").await;
    let again = |finding: &&Finding| finding.anomalies.contains(&LOGGED_AGAIN.to_owned());
    let watches: std::collections::BTreeSet<_> = expected.iter().map(|f| f.watch.clone()).collect();
    assert_eq!(expected.len(), 3 * watches.len());
    assert_eq!(expected.iter().filter(again).count(), 2 * watches.len());
}
