//! Certificates of the recording, certificates made here, and `x509-parser` as an independent reader.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType as RcgenSan,
};
use serde_json::Value;

use super::*;

/// Label and DER of the recorded certificates, one for each label.
pub(super) fn recorded() -> Vec<(String, Vec<u8>)> {
    include_str!("../../../../tests/data/entries/rekor-v2.jsonl")
        .lines()
        .filter_map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            let leaf: Value = serde_json::from_str(row["leaf"].as_str().unwrap()).unwrap();
            let path = "/spec/hashedRekordV002/signature/verifier/x509Certificate/rawBytes";
            let der = STANDARD.decode(leaf.pointer(path)?.as_str()?).unwrap();
            Some((row["truth"]["label"].as_str()?.to_owned(), der))
        })
        .collect()
}

pub(super) fn labelled(label: &str) -> Certificate {
    let (_, der) = recorded().into_iter().find(|(l, _)| l == label).unwrap();
    Certificate::parse(der).unwrap()
}

/// The authorities of chains that all have to verify.
fn authorities_of(chains: Vec<AuthorityChain>) -> Result<Authorities, AuthorityError> {
    let (authorities, left_out) = Authorities::usable_of(chains);
    match left_out.first() {
        Some((_, error)) => Err(*error),
        None => Ok(authorities),
    }
}

fn harbor_chain() -> AuthorityChain {
    let root: Value =
        serde_json::from_str(include_str!("../../../../tests/data/trust/harbor.json")).unwrap();
    let authority = &root["certificateAuthorities"][0];
    let certificates = authority["certChain"]["certificates"].as_array().unwrap();
    AuthorityChain {
        certificates: certificates
            .iter()
            .map(|c| STANDARD.decode(c["rawBytes"].as_str().unwrap()).unwrap())
            .collect(),
        valid_for: (None, None),
    }
}

fn harbor_ct_logs() -> Vec<CtLog> {
    let root: Value =
        serde_json::from_str(include_str!("../../../../tests/data/trust/harbor.json")).unwrap();
    let logs = root["ctlogs"].as_array().unwrap();
    logs.iter()
        .map(|log| CtLog {
            spki_der: STANDARD
                .decode(log["publicKey"]["rawBytes"].as_str().unwrap())
                .unwrap(),
            valid_for: (None, None),
        })
        .collect()
}

pub(super) fn harbor() -> Authorities {
    authorities_of(vec![harbor_chain()])
        .unwrap()
        .with_ct_logs(harbor_ct_logs())
}

#[test]
fn a_promise_of_a_log_counts_only_if_a_known_log_made_it_about_this_certificate_in_its_time() {
    let certificate = labelled("stolen-identity");
    let judged = |ct_logs: Vec<CtLog>, certificate: &Certificate| {
        let authorities = authorities_of(vec![harbor_chain()]).unwrap();
        authorities.with_ct_logs(ct_logs).judge(certificate)
    };
    let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
    let in_time = |from, until| {
        let in_time = |log| CtLog {
            valid_for: (from, until),
            ..log
        };
        harbor_ct_logs()
            .into_iter()
            .map(in_time)
            .collect::<Vec<_>>()
    };
    let unknown_issuer = CtLog {
        spki_der: certificate.spki_der().to_vec(),
        valid_for: (None, None),
    };
    for (logs, expected) in [
        (harbor_ct_logs(), None),
        (in_time(at("2026-01-01T00:00:00Z"), None), None),
        (
            in_time(at("2026-12-01T00:00:00Z"), None),
            Some(Anomaly::UntimelySct),
        ),
        (
            in_time(None, at("2026-01-01T00:00:00Z")),
            Some(Anomaly::UntimelySct),
        ),
        (vec![unknown_issuer], Some(Anomaly::UnknownSct)),
        (vec![], None),
    ] {
        let assessment = judged(logs, &certificate);
        assert_eq!(assessment.chain, Chain::Trusted);
        assert_eq!(assessment.anomalies, Vec::from_iter(expected));
    }
    // Without any CT log, no SCT is missing.
    assert_eq!(judged(vec![], &labelled("no-sct")).anomalies, []);
    let missing = judged(harbor_ct_logs(), &labelled("no-sct"));
    assert_eq!(missing.anomalies, [Anomaly::NoSct]);
}

#[test]
fn a_timestamp_that_was_taken_from_another_certificate_is_false() {
    // A CA of this test issues a certificate with the extension of a recorded one, as with a stolen CA key.
    let recorded = labelled("stolen-identity");
    let list = {
        let needle = precertificate::SCT_LIST;
        let at = recorded
            .der()
            .windows(needle.len())
            .position(|w| w == needle)
            .unwrap();
        let mut rest = der::Reader::new(&recorded.der()[at + needle.len()..]);
        let value = rest.expect(der::OCTET_STRING).unwrap();
        rest.bytes(&value.content).to_vec()
    };
    let oid = [1, 3, 6, 1, 4, 1, 11129, 2, 4, 2];
    for (list, expected) in [
        (list.clone(), Anomaly::FalseSct),
        (list[..list.len() - 1].to_vec(), Anomaly::FalseSct),
        (vec![], Anomaly::FalseSct),
        (vec![4, 2, 0, 0], Anomaly::FalseSct),
        (vec![4, 4, 0, 2, 0, 0], Anomaly::FalseSct),
    ] {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let ca_certificate = ca.self_signed(&ca_key).unwrap();
        let mut leaf = CertificateParams::default();
        leaf.subject_alt_names = vec![RcgenSan::URI("https://a.example/x".try_into().unwrap())];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        leaf.custom_extensions = vec![CustomExtension::from_oid_content(&oid, list)];
        let leaf = leaf
            .signed_by(&KeyPair::generate().unwrap(), &Issuer::new(ca, ca_key))
            .unwrap();
        let authorities = authorities_of(vec![AuthorityChain {
            certificates: vec![ca_certificate.der().to_vec()],
            valid_for: (None, None),
        }])
        .unwrap()
        .with_ct_logs(harbor_ct_logs());
        let assessment = authorities.judge(&Certificate::parse(leaf.der().to_vec()).unwrap());
        assert_eq!(assessment.chain, Chain::Trusted);
        assert!(assessment.anomalies.contains(&expected), "{assessment:?}");
    }
}

#[test]
fn only_impostors_are_untrusted_and_anomalies_are_reported() {
    use Anomaly::{Authority, NoCodeSigning, NoSct, SeveralNames, UnusualName};
    let all: Vec<_> = recorded();
    assert!(all.len() > 15);
    for (label, der) in all {
        let (chain, anomalies) = match label.as_str() {
            "impostor-self-signed" | "impostor-other-ca" => (Chain::Untrusted, vec![NoSct]),
            "no-sct" | "expired-certificate" => (Chain::Trusted, vec![NoSct]),
            "no-eku" => (Chain::Trusted, vec![NoSct, NoCodeSigning]),
            "ca-leaf" => (Chain::Trusted, vec![NoSct, Authority]),
            "two-sans" => (Chain::Trusted, vec![SeveralNames(2), NoSct]),
            "dns-san" => (Chain::Trusted, vec![UnusualName(SanType::Dns), NoSct]),
            "ip-san" => (Chain::Trusted, vec![UnusualName(SanType::Ip), NoSct]),
            _ => (Chain::Trusted, vec![]),
        };
        let signer = Signer::Certificate(Box::new(Certificate::parse(der).unwrap()));
        let assessment = signer.judge(Some(&harbor()));
        assert_eq!(
            assessment,
            Assessment {
                chain,
                anomalies: anomalies.clone()
            },
            "{label}"
        );
        let unknown = signer.judge(None);
        assert_eq!(
            unknown,
            Assessment {
                chain: Chain::Unknown,
                anomalies
            },
            "{label}"
        );
    }
}

#[test]
fn time_makes_an_anomaly_never_an_untrusted_chain() {
    let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
    for (valid_for, odd) in [
        ((None, None), false),
        (
            (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z")),
            false,
        ),
        ((at("2027-01-01T00:00:00Z"), None), true),
        ((None, at("2026-01-01T00:00:00Z")), true),
    ] {
        let chain = AuthorityChain {
            valid_for,
            ..harbor_chain()
        };
        let authorities = authorities_of(vec![chain.clone()]).unwrap();
        let certificate = labelled("stolen-identity");
        let assessment = authorities.judge(&certificate);
        assert_eq!(assessment.chain, Chain::Trusted);
        assert_eq!(
            assessment.anomalies == [Anomaly::OutsideAuthorityValidity],
            odd
        );
        // The same CA listed twice covers the times of both.
        let both = authorities_of(vec![chain, harbor_chain()]).unwrap();
        assert_eq!(both.judge(&certificate).anomalies, []);
    }
}

#[test]
fn a_trusted_root_that_does_not_hold_is_refused() {
    let AuthorityChain {
        certificates,
        valid_for,
    } = harbor_chain();
    let [intermediate, root] = certificates.as_slice() else {
        panic!("two certificates")
    };
    let leaf = labelled("stolen-identity").der().to_vec();
    let ca_leaf = labelled("ca-leaf").der().to_vec();
    let mut forged = intermediate.clone();
    *forged.last_mut().unwrap() ^= 1;
    for (certificates, expected) in [
        (vec![], AuthorityError::Empty { chain: 0 }),
        (
            vec![leaf, intermediate.clone()],
            AuthorityError::NotAnAuthority {
                chain: 0,
                certificate: 0,
            },
        ),
        // A CA by its constraints, but its key is not for certificates.
        (
            vec![ca_leaf, intermediate.clone()],
            AuthorityError::NotAnAuthority {
                chain: 0,
                certificate: 0,
            },
        ),
        (
            vec![root.clone(), intermediate.clone()],
            AuthorityError::NotIssuedByNext {
                chain: 0,
                certificate: 0,
            },
        ),
        (
            vec![forged, root.clone()],
            AuthorityError::Signature {
                chain: 0,
                certificate: 0,
                source: SignatureError::Mismatch,
            },
        ),
    ] {
        let chain = AuthorityChain {
            certificates,
            valid_for,
        };
        assert_eq!(authorities_of(vec![chain]).unwrap_err(), expected);
    }
    // The end of a path may be any CA: it is trusted because it is in the trusted root.
    let chain = AuthorityChain {
        certificates: vec![intermediate.clone()],
        valid_for,
    };
    assert!(authorities_of(vec![chain]).is_ok());
}

#[test]
fn the_fingerprint_follows_the_cas_and_not_their_order() {
    let one = AuthorityChain {
        valid_for: (None, Some(Timestamp::UNIX_EPOCH)),
        ..harbor_chain()
    };
    let print = |chains| authorities_of(chains).unwrap().fingerprint();
    let both = print(vec![one.clone(), harbor_chain()]);
    assert_eq!(both, print(vec![harbor_chain(), one.clone()]));
    assert_ne!(both, print(vec![harbor_chain()]));
    assert_ne!(print(vec![one]), print(vec![harbor_chain()]));
    assert_ne!(print(vec![]), print(vec![harbor_chain()]));
}

#[test]
fn a_cut_or_overlong_certificate_is_an_error() {
    let der = labelled("stolen-identity").der().to_vec();
    for length in 0..der.len() {
        assert!(Certificate::parse(der.get(..length).unwrap().to_vec()).is_err());
    }
    let long = vec![0x30; MAX_CERTIFICATE_BYTES + 1];
    assert!(matches!(
        Certificate::parse(long),
        Err(CertificateError::TooLong { .. })
    ));
}

/// Makes a certificate with these names and Fulcio extensions under a CA with that key, and its chain.
fn issue(
    ca: &KeyPair,
    names: Vec<RcgenSan>,
    extensions: &[(u64, &[u8])],
) -> (Certificate, AuthorityChain) {
    let mut ca_params = CertificateParams::default();
    ca_params
        .distinguished_name
        .push(DnType::CommonName, "test CA");
    ca_params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca_params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = ca_params.self_signed(ca).unwrap();
    let issuer = Issuer::from_params(&ca_params, ca);
    let mut params = CertificateParams::default();
    params.subject_alt_names = names;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    params.custom_extensions = extensions
        .iter()
        .map(|(number, value)| {
            let oid = [1, 3, 6, 1, 4, 1, 57264, 1, *number];
            CustomExtension::from_oid_content(&oid, value.to_vec())
        })
        .collect();
    let leaf = params
        .signed_by(&KeyPair::generate().unwrap(), &issuer)
        .unwrap();
    let chain = AuthorityChain {
        certificates: vec![authority.der().to_vec()],
        valid_for: (None, None),
    };
    (Certificate::parse(leaf.der().to_vec()).unwrap(), chain)
}

#[test]
fn cas_of_every_usual_algorithm_are_followed() {
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ECDSA_P521_SHA512,
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_RSA_SHA256,
    ] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let (certificate, chain) = issue(&key, vec![], &[]);
        let authorities = authorities_of(vec![chain]).unwrap();
        assert_eq!(
            authorities.judge(&certificate).chain,
            Chain::Trusted,
            "{algorithm:?}"
        );
        // Another CA with the same name and type of key.
        let (_, other) = issue(&KeyPair::generate_for(algorithm).unwrap(), vec![], &[]);
        let both = authorities_of(vec![other.clone()]).unwrap();
        assert_eq!(
            both.judge(&certificate).chain,
            Chain::Untrusted,
            "{algorithm:?}"
        );
    }
}

#[test]
fn a_value_in_the_wrong_encoding_is_kept_and_reported() {
    let ca = KeyPair::generate().unwrap();
    let extensions: [(u64, &[u8]); 8] = [
        (1, b"https://old.example"),
        (8, b"\x0c\x13https://new.example"),
        (15, b"not DER"),
        (16, b"\x0c\x02\xff\xfe"),
        (17, b"\x0c\x01a"),
        (17, b"\x0c\x01b"),
        (24, b"\x0c\x01s"),
        (99, b"of the future"),
    ];
    let (certificate, _) = issue(&ca, vec![], &extensions);
    assert_eq!(certificate.issuer(), Some("https://new.example"));
    let issuers: Vec<_> = certificate.issuers().collect();
    assert_eq!(issuers, ["https://new.example", "https://old.example"]);
    let value = |extension| certificate.extension(extension);
    assert_eq!(
        value(Extension::SourceRepositoryIdentifier),
        Some("not DER")
    );
    assert_eq!(
        value(Extension::SourceRepositoryOwnerUri),
        Some("\u{fffd}\u{fffd}")
    );
    assert_eq!(value(Extension::SourceRepositoryOwnerIdentifier), Some("a"));
    assert_eq!(value(Extension::TokenSubject), Some("s"));
    for anomaly in [
        Anomaly::NoName,
        Anomaly::TwoIssuers,
        Anomaly::ExtensionEncoding(Extension::SourceRepositoryIdentifier),
        Anomaly::ExtensionEncoding(Extension::SourceRepositoryOwnerUri),
        Anomaly::RepeatedExtension(Extension::SourceRepositoryOwnerIdentifier),
        Anomaly::NoSct,
    ] {
        assert!(certificate.anomalies().contains(&anomaly), "{anomaly}");
    }
    let long = certificate.anomalies().iter().find_map(|o| match o {
        Anomaly::LongValidity(_) => Some(o.to_string()),
        _ => None,
    });
    assert!(
        long.unwrap().starts_with("valid for "),
        "rcgen's default is a thousand years"
    );
}

#[test]
fn names_beyond_the_limit_are_an_error() {
    let name = |i: usize| RcgenSan::Rfc822Name(format!("{i}@example.com").try_into().unwrap());
    let ca = KeyPair::generate().unwrap();
    let (certificate, _) = issue(&ca, (0..MAX_NAMES).map(name).collect(), &[]);
    assert_eq!(certificate.sans().len(), MAX_NAMES);
    let mut params = CertificateParams::default();
    params.subject_alt_names = (0..=MAX_NAMES).map(name).collect();
    let certificate = params.self_signed(&ca).unwrap();
    let refused = Certificate::parse(certificate.der().to_vec()).unwrap_err();
    assert_eq!(refused, CertificateError::TooManyNames { limit: MAX_NAMES });
}

#[test]
fn no_other_first_byte_begins_a_certificate() {
    for (label, der) in recorded() {
        for first in 0..=u8::MAX {
            let mut der = der.clone();
            der[0] = first;
            let read = Certificate::parse(der);
            assert_eq!(read.is_ok(), first == der::SEQUENCE, "{label} {first:#04x}");
        }
    }
}

#[test]
fn no_other_header_of_a_certificate_is_trusted() {
    let good = labelled("stolen-identity");
    // The outermost length, and the first element's tag and length.
    for at in 1..8 {
        for byte in 0..=u8::MAX {
            let mut der = good.der().to_vec();
            if std::mem::replace(&mut der[at], byte) == byte {
                continue;
            }
            if let Ok(certificate) = Certificate::parse(der) {
                let chain = harbor().judge(&certificate).chain;
                assert_eq!(chain, Chain::Untrusted, "{at} {byte:#04x}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(der in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Certificate::parse(der.clone());
        let _ = Key::from_spki(der);
    }

    #[test]
    fn a_changed_certificate_is_never_trusted(at in 0usize..2000, flip in 1u8.., which in 0usize..20) {
        let all = recorded();
        let (_, der) = all.get(which % all.len()).unwrap();
        let mut der = der.clone();
        let at = at % der.len();
        *der.get_mut(at).unwrap() ^= flip;
        if let Ok(certificate) = Certificate::parse(der) {
            // Nothing outside the signed part may count: the outer algorithm identifier's parameters are not signed.
            let signed = certificate.tbs_der().len() + 4;
            prop_assert!(at >= signed || harbor().judge(&certificate).chain == Chain::Untrusted);
        }
    }
}
