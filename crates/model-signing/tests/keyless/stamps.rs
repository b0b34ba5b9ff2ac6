//! Timestamps by themselves: which authorities and keys count, and asking for one.

use model_signing::timestamp::{Authorities, Authority, Request, TimestampError};

use crate::fake::SIGNED_AT;
use crate::fake::stamp::{Flaws, Stamp, StampAuthority};

const MESSAGE: &[u8] = b"a signature";

fn trusted(authority: &StampAuthority, from: usize) -> Authorities {
    Authorities::from_pem(&[authority.pem(from)]).unwrap()
}

#[test]
fn authorities_with_keys_of_every_kind_are_verified_from_their_root_alone() {
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ECDSA_P521_SHA512,
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_RSA_SHA256,
    ] {
        let authority = StampAuthority::with(algorithm, Flaws::default());
        let token = authority.stamp(MESSAGE, &Stamp::default());
        for from in 0..3 {
            let stamped = trusted(&authority, from).verify(&token, MESSAGE).unwrap();
            assert_eq!(stamped.time, SIGNED_AT + 10);
            assert_eq!(stamped.authority, "\"CN=fake timestamp authority\"");
        }
    }
}

#[test]
fn a_token_without_certificates_needs_the_signers_among_the_trusted() {
    let authority = StampAuthority::with(&rcgen::PKCS_ECDSA_P256_SHA256, Flaws::default());
    let token = authority.stamp(
        MESSAGE,
        &Stamp {
            embeds: false,
            ..Stamp::default()
        },
    );
    trusted(&authority, 0).verify(&token, MESSAGE).unwrap();
    let error = trusted(&authority, 2).verify(&token, MESSAGE).unwrap_err();
    assert_eq!(error, TimestampError::UnknownAuthority);
}

#[test]
fn an_authority_counts_only_if_it_leads_to_a_trusted_root_and_is_for_timestamps() {
    let flaws = Flaws::default;
    let with = |flaws| StampAuthority::with(&rcgen::PKCS_ECDSA_P256_SHA256, flaws);
    for (authority, said) in [
        (
            with(Flaws {
                usage_not_critical: true,
                ..flaws()
            }),
            "is not critical",
        ),
        (
            with(Flaws {
                also_for_code: true,
                ..flaws()
            }),
            "is not timeStamping alone",
        ),
        (
            with(Flaws {
                no_usage: true,
                ..flaws()
            }),
            "no extended key usage",
        ),
        (
            with(Flaws {
                expired: true,
                ..flaws()
            }),
            "leads to no trusted root",
        ),
    ] {
        let token = authority.stamp(MESSAGE, &Stamp::default());
        let error = trusted(&authority, 2).verify(&token, MESSAGE).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    let (one, other) = (with(flaws()), with(flaws()));
    let token = one.stamp(MESSAGE, &Stamp::default());
    let error = trusted(&other, 0).verify(&token, MESSAGE).unwrap_err();
    assert!(matches!(error, TimestampError::Path(_)), "{error}");
    assert_eq!(
        Authorities::default().verify(&token, MESSAGE),
        Err(TimestampError::UnknownAuthority)
    );
    // No root among them.
    let leaf_only = one
        .pem(0)
        .split_inclusive("-----END CERTIFICATE-----\n")
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(
        Authorities::from_pem(&[leaf_only]).unwrap_err(),
        TimestampError::NoRoot
    );
    assert_eq!(
        Authority::from_chain(&[], (None, None)).unwrap_err(),
        TimestampError::NoRoot
    );
}

#[test]
fn a_token_that_does_not_hold_together_is_refused() {
    let authority = StampAuthority::with(&rcgen::PKCS_ECDSA_P256_SHA256, Flaws::default());
    let trusted = trusted(&authority, 0);
    let stamp = Stamp::default;
    for (stamp, expected) in [
        (
            Stamp {
                over_another: true,
                ..stamp()
            },
            TimestampError::Imprint,
        ),
        (
            Stamp {
                wrong_signature: true,
                ..stamp()
            },
            TimestampError::Signature,
        ),
        (
            Stamp {
                wrong_digest: true,
                ..stamp()
            },
            TimestampError::Attributes("their digest is another one"),
        ),
        (
            Stamp {
                other_certificate: true,
                ..stamp()
            },
            TimestampError::Attributes("they name another certificate"),
        ),
        (
            Stamp {
                status: 2,
                ..stamp()
            },
            TimestampError::Refused { status: 2 },
        ),
    ] {
        let token = authority.stamp(MESSAGE, &stamp);
        assert_eq!(trusted.verify(&token, MESSAGE), Err(expected));
    }
    // Every byte counts, and none makes it panic.
    let token = authority.stamp(MESSAGE, &stamp());
    for at in 0..token.len() {
        let mut changed = token.clone();
        changed[at] ^= 0x01;
        if let Ok(stamped) = trusted.verify(&changed, MESSAGE) {
            // What is not signed, such as a version number or another certificate in the token.
            assert_eq!(stamped.time, SIGNED_AT + 10, "byte {at}");
        }
        assert!(trusted.verify(&token[..at], MESSAGE).is_err(), "{at} bytes");
    }
}

#[test]
fn an_answer_must_be_to_the_request() {
    let authority = StampAuthority::with(&rcgen::PKCS_ECDSA_P256_SHA256, Flaws::default());
    let request = Request::new(MESSAGE).unwrap();
    let der = request.der();
    // The nonce is the INTEGER of 16 bytes before the last three bytes, which ask for the certificate.
    let nonce = der[der.len() - 19..der.len() - 3].to_vec();
    let answer = |nonce: Option<Vec<u8>>| {
        authority.stamp(
            MESSAGE,
            &Stamp {
                nonce,
                ..Stamp::default()
            },
        )
    };
    let anybody = Authorities::default();
    let known = trusted(&authority, 2);
    for trusted in [&anybody, &known] {
        let stamped = request
            .check(&answer(Some(nonce.clone())), trusted, SIGNED_AT)
            .unwrap();
        assert_eq!(stamped.time, SIGNED_AT + 10);
        // What no verifier would count: this machine's clock may be five minutes slow, not more.
        for (slow, is_counted) in [(300, true), (301, false)] {
            let now = SIGNED_AT + 10 - slow;
            let checked = request.check(&answer(Some(nonce.clone())), trusted, now);
            assert_eq!(checked.is_ok(), is_counted, "{slow}: {checked:?}");
            if let Err(error) = checked {
                let time = SIGNED_AT + 10;
                assert_eq!(error, TimestampError::Ahead { time });
            }
        }
        for wrong in [None, Some(vec![0x41; 16]), Some(nonce[1..].to_vec())] {
            let error = request
                .check(&answer(wrong), trusted, SIGNED_AT)
                .unwrap_err();
            assert_eq!(error, TimestampError::Nonce);
        }
    }
    let other = Request::new(b"another signature").unwrap();
    assert_eq!(
        other.check(&answer(Some(nonce.clone())), &anybody, SIGNED_AT),
        Err(TimestampError::Imprint)
    );
    assert_ne!(Request::new(MESSAGE).unwrap().der(), der);
    let other_authority = StampAuthority::with(&rcgen::PKCS_ECDSA_P256_SHA256, Flaws::default());
    let token = other_authority.stamp(
        MESSAGE,
        &Stamp {
            nonce: Some(nonce.clone()),
            ..Stamp::default()
        },
    );
    assert!(matches!(
        request.check(&token, &known, SIGNED_AT),
        Err(TimestampError::Path(_))
    ));
    // Nobody could trust it, whatever they trust.
    let expired = Flaws {
        expired: true,
        ..Flaws::default()
    };
    let expired = StampAuthority::with(&rcgen::PKCS_ECDSA_P256_SHA256, expired);
    let token = expired.stamp(
        MESSAGE,
        &Stamp {
            nonce: Some(nonce),
            ..Stamp::default()
        },
    );
    let time = SIGNED_AT + 10;
    assert_eq!(
        request.check(&token, &anybody, SIGNED_AT),
        Err(TimestampError::NotValid { time })
    );
}
