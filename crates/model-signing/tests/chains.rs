//! Certificate chains with the verdict of the reference implementation on each: `tests/data/chains`.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use model_signing::certificate::TrustStore;
use model_signing::verify::{self, Opened, Options, Verifier, VerifyError, Warning};
use serde::Deserialize;

/// 2026-06-01, when all certificates are valid that do not have a time of their own.
const NOW: i64 = 1_780_272_000;

/// What the reference accepts and this library does not, and why that is no loss.
const STRICTER: &[(&str, &str)] = &[
    ("ca-brainpool", "is not verified here"),
    ("ca-p256-sha224", "is not verified here"),
    ("ca-p256-sha3-256", "is not verified here"),
    // No version of the reference could sign with such a key.
    ("leaf-secp256k1", "a key on the curve secp256k1"),
];

/// The same for names that a CA limits: what OpenSSL compares and this library does not, since it might do it otherwise.
const STRICTER_NAMES: &[&str] = &[
    "uri 'https://u@example.com/' permitted 'example.com'",
    "uri 'https://[::1]/' excluded 'example.com'",
    "uri 'https:///x' excluded 'example.com'",
    "directory bmp permitted",
    "common name in bmp excluded",
    "mailbox limited and there",
];

#[derive(Deserialize)]
struct Case {
    name: String,
    store: String,
    file: String,
    /// What the reference said when it refused.
    refused: Option<String>,
}

fn named_cases() -> Vec<Case> {
    serde_json::from_str(include_str!("data/chains/names.json")).unwrap()
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("data/chains/chains.json")).unwrap()
}

fn open(case: &Case, strict: bool) -> Result<Opened, VerifyError> {
    let store = TrustStore::from_pem(&[case.store.as_bytes()])?;
    let options = Options { now: NOW, strict };
    verify::open(
        case.file.as_bytes(),
        &Verifier::Certificates(store),
        &options,
    )
}

fn case<'c>(cases: &'c [Case], name: &str) -> &'c Case {
    cases.iter().find(|case| case.name == name).unwrap()
}

#[test]
fn chains_are_judged_as_the_reference_judges_them() {
    let cases = cases();
    assert!(cases.len() > 80);
    compare(&cases, STRICTER);
}

#[test]
fn limits_on_names_are_judged_as_the_reference_judges_them() {
    let cases = named_cases();
    assert!(cases.len() > 140);
    let reason = "limits the names that it vouches for in a way that is not evaluated here";
    let stricter: Vec<_> = STRICTER_NAMES.iter().map(|name| (*name, reason)).collect();
    compare(&cases, &stricter);
    let refusal = open(case(&cases, "mixed x.b.com"), false).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "certificate chain: \"CN=leaf\" has the name \"x.b.com\", which \"CN=limited\" may not vouch for"
    );
}

/// Each verdict is the reference's, except where it is stricter, for that reason.
fn compare(cases: &[Case], stricter: &[(&str, &str)]) {
    let mut different = Vec::new();
    for case in cases {
        let verdict = open(case, false);
        let stricter = stricter.iter().find(|(name, _)| *name == case.name);
        match (verdict, &case.refused, stricter) {
            (Ok(_), None, None) => {}
            (Err(error), Some(_), None) => {
                assert!(
                    matches!(error, VerifyError::Chain(_)),
                    "{}: {error}",
                    case.name
                );
            }
            (Err(error), None, Some((_, reason))) => {
                assert!(error.to_string().contains(reason), "{}: {error}", case.name);
            }
            (verdict, refused, _) => different.push((&case.name, verdict.map(drop), refused)),
        }
    }
    assert!(different.is_empty(), "{different:#?}");
}

#[test]
fn an_error_names_the_certificate_and_the_check() {
    let cases = cases();
    for (name, error) in [
        (
            "root-only-in-bundle",
            "certificate chain: \"CN=root\" is self-signed and is not among those that are trusted",
        ),
        (
            "issuer-is-no-ca",
            "certificate chain: \"CN=no ca\" has issued a certificate, but is no CA: its basic constraints say so",
        ),
        (
            "issuer-without-key-cert-sign",
            "certificate chain: \"CN=no sign\" has issued a certificate, but is no CA: its key usage lacks keyCertSign",
        ),
        (
            "path-length-exceeded",
            "certificate chain: \"CN=zero\" allows 0 CAs below it, and 1 are there",
        ),
        (
            "broken-signature-of-the-ca",
            "certificate chain: the signature of \"CN=root\" on \"CN=ca\" does not verify",
        ),
        (
            "critical-unknown-on-ca",
            "certificate chain: \"CN=strange\" has a critical extension that is not understood: 1.2.3.4",
        ),
        (
            "leaf-rsa",
            "certificate chain: the signing certificate has a key of the kind RSA: only keys on the elliptic curves P-256, P-384 and P-521 can sign models",
        ),
    ] {
        assert_eq!(
            open(case(&cases, name), false).unwrap_err().to_string(),
            error
        );
    }
    let expired = open(case(&cases, "ca-expired-when-the-leaf-began"), false)
        .unwrap_err()
        .to_string();
    assert!(
        expired.starts_with("certificate chain: \"CN=old\" is valid from Jan  1 "),
        "{expired}"
    );
}

#[test]
fn what_is_accepted_only_for_the_sake_of_the_reference_is_warned_of_and_strict_refuses_it() {
    let cases = cases();
    let expired = Warning::NotValidNow { expired: true };
    for (name, warnings, refused) in [
        ("plain", vec![], None),
        ("leaf-expired", vec![expired.clone()], Some("is valid from")),
        (
            "leaf-of-the-future",
            vec![Warning::NotValidNow { expired: false }],
            Some("is valid from"),
        ),
        (
            "ca-valid-when-the-leaf-began",
            vec![expired],
            Some("is valid from"),
        ),
        (
            "usage-digital-signature-and-server-auth",
            vec![],
            Some("is for other purposes"),
        ),
        ("usage-code-signing", vec![Warning::NoKeyUsage], None),
        (
            "ca-rsa-1024-sha256",
            vec![],
            Some("an RSA key of less than 2048 bits, which is too weak"),
        ),
        ("expired-and-renewed-ca", vec![], None),
    ] {
        let case = case(&cases, name);
        assert_eq!(open(case, false).unwrap().warnings, warnings, "{name}");
        match (open(case, true), refused) {
            (Ok(_), None) => {}
            (Err(error), Some(text)) => {
                assert!(error.to_string().contains(text), "{name}: {error}");
            }
            (verdict, _) => panic!("{name}: {verdict:?}"),
        }
    }
}
