//! Certificate chains with the verdict of the reference implementation on each: `tests/data/chains`.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use model_signing::certificate::{TrustStore, ValidAt};
use model_signing::verify::{self, Opened, Options, Verifier, VerifyError, Warning};
use serde::Deserialize;

/// 2026-06-01, when all certificates are valid that do not have a time of their own.
const NOW: i64 = 1_780_272_000;

/// What the reference accepts and this library does not, and why.
const STRICTER: &[(&str, &str)] = &[
    (
        "usage-digital-signature-and-server-auth",
        "for other purposes",
    ),
    (
        "usage-key-encipherment-and-code-signing",
        "neither digitalSignature nor contentCommitment",
    ),
    ("leaf-expired", "is valid from"),
    ("leaf-of-the-future", "is valid from"),
    ("ca-valid-when-the-leaf-began", "is valid from"),
    ("ca-brainpool", "is not verified here"),
    ("ca-p256-sha224", "is not verified here"),
    ("ca-p256-sha3-256", "is not verified here"),
    // No version of the reference could sign with such a key.
    ("leaf-secp256k1", "a key on the curve secp256k1"),
];

/// What the reference refuses and this library accepts: the specification has no such rule, or counts another instant.
const LAXER: &[&str] = &["usage-any", "ca-not-yet-valid-when-the-leaf-began"];

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
    /// The message of the reference when it refused.
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
    let options = Options::at_present(NOW, strict);
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
            (Ok(_), Some(_), None) if LAXER.contains(&case.name.as_str()) => {}
            (Err(error), Some(_), None) => {
                // Keys of RSA and Ed25519 verify, and nothing was signed with these.
                let is_unsigned = ["leaf-rsa", "leaf-ed25519"].contains(&case.name.as_str());
                assert!(
                    matches!(error, VerifyError::Chain(_)) || is_unsigned,
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
            "certificate chain: \"CN=no ca\" has issued a certificate, but is not a CA: by its basic constraints",
        ),
        (
            "issuer-without-key-cert-sign",
            "certificate chain: \"CN=no sign\" has issued a certificate, but is not a CA: its key usage lacks keyCertSign",
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
            "the signature does not verify: it is not by the key of the signing certificate over this payload",
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
fn expired_certificates_are_accepted_on_request_with_a_warning() {
    let cases = cases();
    let expired = Warning::NotValidNow { expired: true };
    for (name, warnings) in [
        ("plain", Some(vec![])),
        ("leaf-expired", Some(vec![expired.clone()])),
        ("ca-valid-when-the-leaf-began", Some(vec![expired.clone()])),
        ("leaf-of-the-future", None),
        ("self-signed-untrusted", None),
    ] {
        let case = case(&cases, name);
        let store = TrustStore::from_pem(&[case.store.as_bytes()]).unwrap();
        let options = Options {
            valid_at: ValidAt::AllowExpired,
            ..Options::at_present(NOW, false)
        };
        let verifier = Verifier::Certificates(store);
        let opened = verify::open(case.file.as_bytes(), &verifier, &options);
        assert_eq!(opened.ok().map(|it| it.warnings), warnings, "{name}");
    }
}

#[test]
fn strict_refuses_weak_signatures_in_the_chain_and_what_the_default_refuses() {
    let cases = cases();
    for (name, warnings, refused) in [
        ("plain", vec![], None),
        ("usage-code-signing", vec![Warning::NoKeyUsage], None),
        ("usage-any", vec![Warning::NoKeyUsage], None),
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
    for case in cases.iter().chain(&named_cases()) {
        assert!(open(case, false).is_ok() || open(case, true).is_err());
    }
}
