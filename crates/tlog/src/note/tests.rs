#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use super::*;
use crate::testing::Signer;
use alloc::format;
use alloc::string::ToString as _;
use alloc::vec;

const TEXT: &str = "log.example\n0\nroot\n";

fn note(lines: &[String]) -> String {
    format!("{TEXT}\n{}", lines.concat())
}

fn verify(note: &str, keys: &[Verifier]) -> Result<Vec<Cosignature>, NoteError> {
    Note::parse(note.as_bytes())?
        .verify(keys)
        .map(Verified::into_cosignatures)
}

#[test]
fn the_example_of_go_s_checksum_database_verifies() {
    // golang.org/x/mod/sumdb/note, package documentation.
    let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let encoded = STANDARD
        .decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
        .unwrap();
    let key = Verifier::ed25519(
        KeyName::new("PeterNeumann").unwrap(),
        encoded[1..].try_into().unwrap(),
    )
    .unwrap();
    assert_eq!(key.id().to_string(), "c74f20a3");
    let note = Note::parse(note.as_bytes()).unwrap();
    let verified = note.verify(&[key]).unwrap();
    assert!(verified.text().ends_with("what your problem is.\n"));
    assert_eq!(verified.signers()[0].as_str(), "PeterNeumann");
}

#[test]
fn the_error_for_a_malformed_note_names_the_broken_rule() {
    let line = Signer::new("log.example", 1).sign(TEXT);
    for (raw, error) in [
        (String::new(), NoteError::NoSeparator),
        ("text\n".into(), NoteError::NoSeparator),
        (format!("{TEXT}{line}"), NoteError::NoSeparator),
        (format!("\n{line}"), NoteError::NoSeparator),
        (format!("{TEXT}\n"), NoteError::NoSignatures),
        (note(&[line.trim_end().into()]), NoteError::NoSignatures),
        (note(&[line.clone(), "\n".into()]), NoteError::NoSignatures),
        (
            format!("{TEXT}\r\n\n{line}"),
            NoteError::ControlCharacter('\r'),
        ),
        (
            note(&["— log.example \0\n".into()]),
            NoteError::ControlCharacter('\0'),
        ),
        (
            note(&[line.replace('—', "-")]),
            NoteError::MalformedSignature(1),
        ),
        (
            note(&[line.clone(), line.replace("log.example", "log+example")]),
            NoteError::MalformedSignature(2),
        ),
        (
            note(&[line.replace("log.example", "log\u{2003}example")]),
            NoteError::MalformedSignature(1),
        ),
        (
            note(&[line.replace("log.example", "")]),
            NoteError::MalformedSignature(1),
        ),
        (
            note(&[line.replace("= ", "")[..20].to_string() + "\n"]),
            NoteError::MalformedSignature(1),
        ),
        (
            note(&["— log.example AAAAAA==\n".into()]),
            NoteError::MalformedSignature(1),
        ),
        (
            note(&["— log.example AAAAAAB=\n".into()]),
            NoteError::MalformedSignature(1),
        ),
        (
            note(&["— log.example  AAAAAAA=\n".into()]),
            NoteError::MalformedSignature(1),
        ),
        (
            note(&vec![line.clone(); 101]),
            NoteError::TooManySignatures(101),
        ),
        (
            "x".repeat(MAX_NOTE_BYTES + 1),
            NoteError::TooLong(MAX_NOTE_BYTES + 1),
        ),
    ] {
        assert_eq!(Note::parse(raw.as_bytes()), Err(error), "{raw:.80}");
    }
    assert_eq!(Note::parse(b"text\n\xff\n\n"), Err(NoteError::NotUtf8(5)));
    assert!(Note::parse(note(&vec![line; 100]).as_bytes()).is_ok());
}

#[test]
fn the_text_ends_at_the_last_blank_line() {
    let log = Signer::new("log.example", 1);
    let text = "one\n\n— log.example AAAAAAA=\n";
    let raw = format!("{text}\n{}", log.sign(text));
    let note = Note::parse(raw.as_bytes()).unwrap();
    assert_eq!(note.verify(&[log.log()]).unwrap().text(), text);
}

#[test]
fn signatures_of_unknown_keys_are_ignored_and_an_invalid_one_of_a_known_key_invalidates_the_note() {
    let (log, other) = (
        Signer::new("log.example", 1),
        Signer::new("other.example", 2),
    );
    let same_name = Signer::new("log.example", 3);
    let strange = "— future.example AAAAAAAAAAAA\n".to_string();
    let good = note(&[
        strange.clone(),
        other.sign(TEXT),
        same_name.sign("another text\n"),
        log.sign(TEXT),
    ]);
    assert_eq!(verify(&good, &[log.log()]), Ok(vec![]));
    let no_keys = verify(&good, &[]).unwrap_err().to_string();
    assert!(
        no_keys.ends_with(", and no key of the log is known"),
        "{no_keys}"
    );
    let message = verify(&note(&[strange]), &[log.log()]).unwrap_err();
    assert_eq!(
        message.to_string(),
        format!(
            "no signature of a known key of the log: the note is signed by future.example (00000000), the known keys are log.example ({})",
            log.log().id()
        )
    );

    let bad = NoteError::BadSignature {
        name: log.log().name().clone(),
        id: log.log().id(),
    };
    for lines in [
        [log.sign(TEXT), log.sign("another text\n")],
        [log.sign("another text\n"), log.sign(TEXT)],
        [log.line(&log.log(), &[0; 63]), other.sign(TEXT)],
        [log.line(&log.log(), &[0; 65]), other.sign(TEXT)],
        [log.line(&log.log(), &[0; 64]), other.sign(TEXT)],
    ] {
        assert_eq!(
            verify(&note(&lines), &[other.log(), log.log()]),
            Err(bad.clone())
        );
    }
    // A repeated signature counts once.
    let twice = note(&[log.sign(TEXT), log.sign(TEXT)]);
    assert_eq!(
        Note::parse(twice.as_bytes())
            .unwrap()
            .verify(&[log.log()])
            .unwrap()
            .signers()
            .len(),
        1
    );
}

#[test]
fn a_witness_adds_its_time_and_does_not_sign_for_the_log() {
    let (log, witness) = (
        Signer::new("log.example", 1),
        Signer::new("witness.example", 2),
    );
    let keys = [log.log(), witness.witness()];
    let cosigned = note(&[witness.cosign(1_679_315_147, TEXT), log.sign(TEXT)]);
    let expected = Cosignature {
        name: witness.witness().name().clone(),
        time: 1_679_315_147,
    };
    assert_eq!(verify(&cosigned, &keys), Ok(vec![expected.clone()]));
    let twice = note(&[
        witness.cosign(7, TEXT),
        witness.cosign(1_679_315_147, TEXT),
        log.sign(TEXT),
    ]);
    assert_eq!(verify(&twice, &keys), Ok(vec![expected]));
    assert!(matches!(
        verify(&note(&[witness.cosign(1, TEXT)]), &keys),
        Err(NoteError::NotSigned(Unsigned { wanted, .. })) if wanted.len() == 1
    ));

    // A log's key with the same bytes has another id, so its signature is not a cosignature, and vice versa.
    assert_ne!(witness.log().id(), witness.witness().id());
    for forged in [
        witness.cosign(1, "another text\n"),
        witness.cosign(1 << 63, TEXT),
        witness.line(&witness.witness(), &[0; 7]),
    ] {
        let error = verify(&note(&[log.sign(TEXT), forged]), &keys).unwrap_err();
        assert!(
            matches!(error, NoteError::BadSignature { name, .. } if name.as_str() == "witness.example")
        );
    }
}

#[test]
fn an_unlisted_key_in_the_log_s_name_is_unknown_and_keys_of_other_names_are_ignored() {
    let (log, coming, witness) = (
        Signer::new("log.example", 1),
        Signer::new("log.example", 3),
        Signer::new("witness.example", 2),
    );
    let keys = [log.log(), witness.witness()];
    let unknown = |lines: &[String]| {
        let raw = note(lines);
        Note::parse(raw.as_bytes()).unwrap().unknown(&keys)
    };
    let quiet = [
        log.sign(TEXT),
        // By a known key, and invalid: `verify` refuses the note.
        log.sign("another text\n"),
        witness.cosign(1, TEXT),
        // A witness may change its key: that does not mean that the log has a new key.
        witness.sign(TEXT),
        "— future.example AAAAAAAAAAAA\n".into(),
    ];
    assert_eq!(unknown(&quiet), []);
    // In the log's own name: a new key. A signature of an unsupported algorithm is a different case.
    let post_quantum = format!(
        "— log.example {}\n",
        STANDARD.encode([&[9; 4][..], &[7; 2420]].concat())
    );
    let lines = [
        log.sign(TEXT),
        coming.sign(TEXT),
        coming.sign(TEXT),
        post_quantum.clone(),
        post_quantum,
    ];
    let ids = |found: Vec<(KeyName, KeyId)>| -> Vec<KeyId> {
        found.into_iter().map(|(_, id)| id).collect()
    };
    assert_eq!(ids(unknown(&lines)), [coming.log().id()]);
    let raw = note(&lines);
    let parsed = Note::parse(raw.as_bytes()).unwrap();
    assert_eq!(ids(parsed.unsupported(&keys)), [KeyId::new([9; 4])]);
    // Once its key is listed, it is listed by name, and is neither unknown nor unsupported.
    let mut hash = [0; 32];
    hash[..4].copy_from_slice(&[9; 4]);
    let listed = Verifier::unusable(log.log().name().clone(), hash, "ML-DSA".into());
    let keys = [log.log(), coming.log(), listed];
    assert_eq!(parsed.unsupported(&keys), []);
    assert_eq!(parsed.unknown(&keys), []);
    assert!(parsed.verify(&keys).is_ok());
}

#[test]
fn a_key_that_cannot_be_used_neither_verifies_nor_invalidates() {
    let log = Signer::new("log.example", 1);
    let unusable = Verifier::unusable(
        log.log().name().clone(),
        *log.log().id_hash(),
        "of a kind that is not verified".into(),
    );
    assert_eq!(unusable.id(), log.log().id());
    let raw = note(&[log.sign("another text\n")]);
    let message = verify(&raw, core::slice::from_ref(&unusable))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("which cannot be used: of a kind that is not verified"),
        "{message}"
    );
    // The usable key of the two counts.
    let raw = note(&[log.sign(TEXT)]);
    assert_eq!(verify(&raw, &[unusable, log.log()]), Ok(vec![]));
}

#[test]
fn a_foreign_key_verifies_with_the_caller_s_function_and_has_the_id_of_its_kind() {
    let name = || KeyName::new("log.example").unwrap();
    let key =
        |algorithm| ForeignKey::new(algorithm, |text, sig| sig == b"good" && !text.is_empty());
    let ecdsa = Verifier::foreign(name(), b"spki", key(ForeignAlgorithm::Ecdsa));
    let rsa = Verifier::foreign(name(), b"spki", key(ForeignAlgorithm::Rsa));
    let head = Verifier::foreign_tree_head(name(), b"spki", key(ForeignAlgorithm::Ecdsa));
    // printf 'spki' | sha256sum, and printf 'log.example\n\xffPKIX-RSA-PKCS#1v1.5spki' | sha256sum
    assert_eq!(ecdsa.id().to_string(), "6feecc8c");
    assert_eq!(rsa.id().to_string(), "02e39615");
    assert_eq!(rsa.clone().identified_by_spki(b"spki").id(), ecdsa.id());
    let line = |key: &Verifier, signature: &[u8]| {
        format!(
            "— log.example {}\n",
            STANDARD.encode([key.id().as_bytes(), signature].concat())
        )
    };
    for key in [&ecdsa, &rsa] {
        let keys = [key.clone()];
        assert_eq!(verify(&note(&[line(key, b"good")]), &keys), Ok(vec![]));
        assert!(verify(&note(&[line(key, b"bad")]), &keys).is_err());
    }
    // A tree head is signed together with its size, root and time.
    let text = format!("log.example\n0\n{}\n", crate::empty_root().to_base64());
    for (bytes, is_good) in [
        (&b"\0\0\0\0\0\0\0\x07\x04\x03\0\x04good"[..], true),
        (b"\0\0\0\0\0\0\0\x07\x04\x01\0\x04good", false),
        (b"\0\0\0\0\0\0\0\x07\x04\x03\0\x03good", false),
        (b"good", false),
    ] {
        let raw = format!("{text}\n{}", line(&head, bytes));
        let verified = Note::parse(raw.as_bytes()).unwrap();
        let verified = verified.verify(core::slice::from_ref(&head));
        assert_eq!(verified.is_ok(), is_good, "{bytes:?}");
    }
}

#[test]
fn every_type_of_verifier_key_of_a_log_gives_its_subject_public_key_info() {
    let key = Signer::new("log.example", 1).public_key();
    let text = |algorithm: &[u8], key: &[u8]| {
        format!(
            "log.example+00000000+{}",
            STANDARD.encode([algorithm, key].concat())
        )
    };
    let spki = hex::decode("302a300506032b6570032100").unwrap();
    let spki = [spki, key.to_vec()].concat();
    for (text, expected) in [
        (text(&[1], &key), Some(spki)),
        (text(&[2], b"spki"), Some(b"spki".to_vec())),
        (text(&[5], b"spki"), Some(b"spki".to_vec())),
        (
            text(b"\xffPKIX-RSA-PKCS#1v1.5", b"spki"),
            Some(b"spki".to_vec()),
        ),
        (text(&[1], &key[1..]), None),
        (text(&[2], b""), None),
        // A witness's, ML-DSA-44, and one of an unknown kind.
        (text(&[4], &key), None),
        (text(&[6], &[7; 1312]), None),
        (text(b"\xffsomething else", b"spki"), None),
    ] {
        let vkey = Vkey::read(&text).unwrap();
        assert_eq!(vkey.spki_der().ok(), expected, "{text:.60}");
        assert!(vkey.expect_id(KeyId::new([0; 4])).is_ok());
        assert!(vkey.expect_id(KeyId::new([1; 4])).is_err());
    }
}

#[test]
fn a_witness_contradicts_only_by_a_cosignature_of_its_own_that_does_not_verify() {
    let (log, one, two) = (
        Signer::new("log.example", 1),
        Signer::new("one.example", 2),
        Signer::new("two.example", 3),
    );
    let witnesses = [one.witness(), two.witness()];
    let cosigned = |lines: &[String]| {
        let raw = note(lines);
        let note = Note::parse(raw.as_bytes()).unwrap();
        assert!(
            note.verify(&[log.log()]).is_ok(),
            "the log's own signature stays valid"
        );
        note.cosigned(&witnesses)
    };
    let names = |cosigned: &Cosigned| -> (Vec<_>, Vec<_>) {
        (
            cosigned
                .valid
                .iter()
                .map(|c| (c.name.to_string(), c.time))
                .collect(),
            cosigned
                .contradicting
                .iter()
                .map(|name| name.as_str().into())
                .collect(),
        )
    };
    let (own, false_text) = (log.sign(TEXT), "another text\n");
    for (lines, valid, contradicting) in [
        (vec![], vec![], vec![]),
        (
            vec![one.cosign(5, TEXT), one.cosign(7, TEXT)],
            vec![("one.example", 7)],
            vec![],
        ),
        (vec![one.cosign(5, false_text)], vec![], vec!["one.example"]),
        // A person who adds a false line beside a true one proves nothing against the witness.
        (
            vec![
                one.cosign(5, false_text),
                one.cosign(6, TEXT),
                two.cosign(1 << 63, TEXT),
            ],
            vec![("one.example", 6)],
            vec!["two.example"],
        ),
        // Another key of the same name: not a known statement of the witness.
        (vec![one.sign(TEXT)], vec![], vec![]),
    ] {
        let cosigned = cosigned(&[vec![own.clone()], lines].concat());
        let valid: Vec<_> = valid.into_iter().map(|(n, t)| (n.to_string(), t)).collect();
        let contradicting: Vec<_> = contradicting.into_iter().map(String::from).collect();
        assert_eq!(names(&cosigned), (valid, contradicting));
    }
    // A log's key is not a witness's.
    let raw = note(&[log.sign(TEXT)]);
    let note = Note::parse(raw.as_bytes()).unwrap();
    assert_eq!(note.cosigned(&[log.log()]), Cosigned::default());
}

#[test]
fn a_verifier_key_is_read_in_its_text_form_only() {
    // golang.org/x/mod/sumdb/note, package documentation.
    let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let key = Verifier::from_vkey(text).unwrap();
    assert_eq!(
        (key.name().as_str(), key.is_witness()),
        ("PeterNeumann", false)
    );
    let witness = Signer::new("witness.example", 2).witness();
    let bytes = [&[0x04][..], &Signer::new("witness.example", 2).public_key()].concat();
    let text = format!(
        "witness.example+{}+{}",
        witness.id(),
        STANDARD.encode(&bytes)
    );
    let read = Verifier::from_vkey(&text).unwrap();
    assert_eq!((read.id(), read.is_witness()), (witness.id(), true));
    for (wrong, error) in [
        (
            text.replace(&witness.id().to_string(), "00000000"),
            "contains the id 00000000",
        ),
        (text.replace("witness.", "another."), "contains the id"),
        (text.replace('+', " "), "not a verifier key"),
        (format!("+{text}"), "a key name is not empty"),
        ("witness.example+1+AA==".into(), "not a verifier key"),
        (
            format!("witness.example+{}+", witness.id()),
            "not a verifier key",
        ),
        (
            format!("witness.example+{}+BAAA", witness.id()),
            "not a verifier key",
        ),
        (format!("witness.example+{}+BgAA", witness.id()), "0x06"),
    ] {
        let message = Verifier::from_vkey(&wrong).unwrap_err().to_string();
        assert!(message.contains(error), "{wrong}: {message}");
    }
}

#[test]
fn names_and_keys_that_cannot_sign_are_refused() {
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\tb", "a\nb", "a\0b"] {
        assert!(KeyName::new(name).is_err(), "{name:?}");
    }
    let name = || KeyName::new("log.example").unwrap();
    assert_eq!(name().to_string(), "log.example");
    // The neutral element: with it, a signature of zeros verifies over any text.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert_eq!(
        Verifier::ed25519(name(), &neutral).unwrap_err(),
        KeyError::Ed25519
    );
    assert_eq!(
        Verifier::cosigner_ed25519(name(), &neutral).unwrap_err(),
        KeyError::Ed25519
    );
    assert_eq!(
        Verifier::from_spki_der(name(), b"").unwrap_err(),
        KeyError::NotSpki
    );
    assert_eq!(
        Verifier::from_spki_der(name(), b"-----BEGIN PUBLIC KEY-----").unwrap_err(),
        KeyError::NotSpki
    );
    assert_eq!(
        Verifier::ecdsa_p256(name(), &[0x30, 0]).unwrap_err(),
        KeyError::EcdsaP256
    );
    // A P-384 key, made with openssl for this test.
    let p384 = STANDARD
        .decode("MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEDjkhCMTRDp4JnxTQQqaH0WAs/fDUcvSwpsRM74qinH/14c0K3iBlQ76Z81MACRYmr5inhF5KyLfDuhT+8S+sTt7Qasim2haLm6VWrdxDfsSX5mPM7+rZ1NQQVga6ZcsX")
        .unwrap();
    assert_eq!(
        Verifier::from_spki_der(name(), &p384).unwrap_err(),
        KeyError::EcdsaP256
    );
    let x25519 = hex::decode(["302a300506032b656e032100", &"07".repeat(32)].concat()).unwrap();
    assert_eq!(
        Verifier::from_spki_der(name(), &x25519).unwrap_err(),
        KeyError::Unsupported("1.3.101.110".into())
    );
}
