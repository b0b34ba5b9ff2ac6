//! Both readers against each other, and certificates that only the second one reads.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::claims::MAX_EXTENSIONS;
use super::*;
use crate::identity::tests::{harbor, labelled, recorded};
use crate::identity::{Chain, MAX_NAMES, Signer, der};

const SUBJECT_ALTERNATIVE_NAME: &[u64] = &[2, 5, 29, 17];
const BASIC_CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
const KEY_USAGE: &[u64] = &[2, 5, 29, 15];
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
const ISSUER: &[u64] = &[1, 3, 6, 1, 4, 1, 57264, 1, 8];

/// A certificate with these extensions.
fn made(extensions: &[(&[u64], &[u8])]) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.custom_extensions = extensions
        .iter()
        .map(|(oid, value)| CustomExtension::from_oid_content(oid, value.to_vec()))
        .collect();
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

fn content(der: &[u8]) -> Vec<u8> {
    der::only(der, der::SEQUENCE).unwrap().to_vec()
}

/// A SEQUENCE with a length of four bytes, more than necessary.
fn long_sequence(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[der::SEQUENCE, 0x84][..], &length, content].concat()
}

#[test]
fn both_readers_agree_on_every_recorded_certificate() {
    for (label, der) in recorded() {
        let strict = strict::read(&der).unwrap();
        assert_eq!(lenient::read(&der), Some(strict), "{label}");
    }
}

/// The two parsers share the decoding of extensions; here `x509-parser` decodes them itself.
#[test]
fn x509_parser_finds_the_same_names_and_uses() {
    for (label, der) in recorded() {
        let ours = Certificate::parse_strict(der.clone()).unwrap();
        let (_, theirs) = X509Certificate::from_der(&der).unwrap();
        assert_eq!(ours.tbs_der(), theirs.tbs_certificate.as_ref(), "{label}");
        let has = |anomaly| ours.anomalies().contains(&anomaly);
        for extension in theirs.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(names) => {
                    let names = names.general_names.iter().map(|name| match name {
                        GeneralName::RFC822Name(text)
                        | GeneralName::DNSName(text)
                        | GeneralName::URI(text) => (*text).to_owned(),
                        GeneralName::IPAddress([a, b, c, d]) => format!("{a}.{b}.{c}.{d}"),
                        // `[0]` and a UTF8String, both of one byte of length.
                        GeneralName::OtherName(_, [_, _, _, _, text @ ..]) => {
                            String::from_utf8(text.to_vec()).unwrap()
                        }
                        other => panic!("{label}: {other}"),
                    });
                    let ours = ours.sans().iter().map(|san| san.value.clone());
                    assert!(names.eq(ours), "{label}");
                }
                ParsedExtension::ExtendedKeyUsage(usage) => {
                    assert_eq!(usage.code_signing, !has(Anomaly::NoCodeSigning), "{label}");
                }
                ParsedExtension::BasicConstraints(constraints) => {
                    assert_eq!(constraints.ca, has(Anomaly::Authority), "{label}");
                }
                ParsedExtension::SCT(_) => assert!(!has(Anomaly::NoSct), "{label}"),
                _ => {}
            }
        }
    }
}

#[test]
fn an_unusual_outermost_structure_does_not_hide_a_signing() {
    let good = labelled("stolen-identity");
    let parts = content(good.der());
    let with = |more: &[u8]| [parts.as_slice(), more].concat();
    let before_signature = parts.len() - good.signature().len() - 3;
    let (signed, signature) = parts.split_at(before_signature);
    assert_eq!(signature.first(), Some(&der::BIT_STRING));
    let long = [&[der::BIT_STRING, 0x82, 0][..], signature.get(1..).unwrap()].concat();
    let two_bits_to_the_left = {
        // An ECDSA signature is a SEQUENCE: its first two bits are zero, and none is lost.
        let bytes = good.signature();
        let following = bytes.iter().skip(1).chain([&0]);
        let shifted = bytes.iter().zip(following);
        let shifted = shifted.map(|(byte, next)| byte << 2 | next >> 6);
        [&[2], shifted.collect::<Vec<_>>().as_slice()].concat()
    };
    let shifted = der::encode(der::BIT_STRING, &two_bits_to_the_left);
    for (odd, problem) in [
        // Go reads these two.
        (
            der::encode(der::SEQUENCE, &[signed, &shifted].concat()),
            "signature: bit string at byte 1703 has unused bits",
        ),
        (
            der::encode(der::SEQUENCE, &with(b"\x05\x00")),
            "certificate: 2 trailing bytes",
        ),
        (
            [good.der(), &[0; 8]].concat(),
            "certificate: 8 trailing bytes",
        ),
        (
            long_sequence(&parts),
            "certificate: length at byte 0 is not DER",
        ),
        (
            der::encode(der::SEQUENCE, &[signed, &long].concat()),
            "signature: length at byte 1701 is not DER",
        ),
    ] {
        let read = Certificate::parse(odd.clone()).unwrap();
        assert_eq!(read.irregularity().unwrap().to_string(), problem);
        assert_eq!(read.der(), odd);
        assert_eq!(read.sans(), good.sans());
        assert_eq!(read.extensions(), good.extensions());
        assert_eq!(read.key_sha256(), good.key_sha256());
        assert_eq!(read.serial(), good.serial());
        assert_eq!(read.signature(), good.signature());
        assert_eq!(read.not_before(), good.not_before());
        let assessment = Signer::Certificate(Box::new(read)).judge(Some(&harbor()));
        assert_eq!(assessment.chain, Chain::Trusted, "{problem}");
        assert_eq!(assessment.anomalies, [Anomaly::NotDer], "{problem}");
        let refused = Certificate::parse_strict(odd).unwrap_err();
        assert_eq!(refused.to_string(), problem);
    }
}

#[test]
fn names_in_unusual_der_are_read() {
    for (value, expected) in [
        (&b"\x30\x81\x05\x81\x03a@b"[..], "a@b"),
        (b"\x30\x06\x86\x81\x03s:p", "s:p"),
        (b"\x30\x05\x81\x03a@b\0", "a@b"),
        (
            b"\x30\x16\xa0\x14\x06\x0a\x2b\x06\x01\x04\x01\x83\xbf\x30\x01\x07\xa0\x81\x05\x0c\x03u!d",
            "u!d",
        ),
    ] {
        let der = made(&[(SUBJECT_ALTERNATIVE_NAME, value)]);
        let certificate = Certificate::parse(der).unwrap();
        let names: Vec<_> = certificate.sans().iter().map(|san| &*san.value).collect();
        assert_eq!(names, [expected]);
        assert!(certificate.anomalies().contains(&Anomaly::NotDer));
        assert!(certificate.irregularity().is_some());
    }
    // A name before the odd one is not there twice.
    let der = made(&[(
        SUBJECT_ALTERNATIVE_NAME,
        b"\x30\x0b\x82\x03a.b\x81\x81\x03a@b",
    )]);
    assert_eq!(Certificate::parse(der).unwrap().sans().len(), 2);
}

#[test]
fn what_no_reader_can_split_into_names_is_an_error() {
    for value in [
        &b""[..],
        b"\x30\x05\x81\x04a@b",
        b"\x30\x02\xa0\x00",
        b"\x30\x80\x81\x03a@b\0\0",
    ] {
        let der = made(&[(SUBJECT_ALTERNATIVE_NAME, value)]);
        let error = Certificate::parse(der).unwrap_err();
        let part = "subjectAltName";
        assert!(
            matches!(error, CertificateError::Der { part: p, .. } if p == part),
            "{value:02x?}: {error}"
        );
    }
}

#[test]
fn a_certificate_beyond_a_limit_is_refused() {
    let names = b"\x81\x01a".repeat(MAX_NAMES + 1);
    let der = made(&[(SUBJECT_ALTERNATIVE_NAME, &long_sequence(&names))]);
    assert!(Certificate::parse(der).is_err());
    let many = vec![(KEY_USAGE, &b"\x03\x02\x05\x20"[..]); MAX_EXTENSIONS + 1];
    let refused = Certificate::parse(made(&many)).unwrap_err();
    let limit = MAX_EXTENSIONS;
    assert_eq!(refused, CertificateError::TooManyExtensions { limit });
    let odd = long_sequence(&content(&made(&many)));
    assert!(Certificate::parse(odd).is_err());
}

#[test]
fn values_of_extensions_in_unusual_der_are_read() {
    let der = made(&[
        (ISSUER, b"\x0c\x81\x09https://i"),
        (BASIC_CONSTRAINTS, b"\x30\x81\x03\x01\x01\xff"),
        (KEY_USAGE, b"\x03\x81\x02\x02\x04"),
        (
            EXTENDED_KEY_USAGE,
            b"\x30\x81\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x03",
        ),
    ]);
    // The certificate itself is DER: its readers pass values on as they are.
    let certificate = Certificate::parse_strict(der).unwrap();
    assert_eq!(certificate.issuer(), Some("https://i"));
    assert!(certificate.may_issue());
    let anomalies = certificate.anomalies();
    assert!(anomalies.contains(&Anomaly::ExtensionEncoding(Extension::Issuer)));
    assert!(anomalies.contains(&Anomaly::Authority));
    assert!(!anomalies.contains(&Anomaly::NoCodeSigning));
}

/// Certificates to be changed: recorded ones, and one with what those lack.
fn samples() -> Vec<Vec<u8>> {
    let made = made(&[
        (
            SUBJECT_ALTERNATIVE_NAME,
            b"\x30\x26\x81\x03a@b\x82\x03a.b\x86\x03s:p\x87\x04\xc0\x00\x02\x07\xa0\x0d\x06\x03\x2a\x03\x04\xa0\x06\x0c\x04text\xa4\x02\x30\x00",
        ),
        (BASIC_CONSTRAINTS, b"\x30\x03\x01\x01\xff"),
        (KEY_USAGE, b"\x03\x02\x02\x04"),
    ]);
    let recorded = recorded().into_iter().map(|(_, der)| der);
    recorded.chain([made]).collect()
}

proptest! {
    #[test]
    fn whenever_both_readers_accept_they_agree(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..4),
    ) {
        let mut der = which.get(&samples()).clone();
        for (at, byte, how) in changes {
            let at = at.index(der.len());
            match how {
                0 => *der.get_mut(at).unwrap() = byte,
                1 => der.insert(at, byte),
                _ => drop(der.remove(at)),
            }
        }
        if let (Ok(strict), Some(lenient)) = (strict::read(&der), lenient::read(&der)) {
            prop_assert_eq!(strict, lenient);
        }
        let _ = Certificate::parse(der);
    }
}
