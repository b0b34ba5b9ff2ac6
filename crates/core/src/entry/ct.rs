//! Leaves of certificate transparency logs (RFC 6962 §3.4): who was issued a certificate.

use jiff::Timestamp;

use super::error::EntryError;
use super::kind::Kind;
use super::reading::Reading;
use super::signing::{Entry, MAX_LEAF_BYTES};
use crate::identity::{Certificate, Signer};

/// `LogEntryType` (RFC 6962 §3.1).
const X509_ENTRY: u16 = 0;
const PRECERT_ENTRY: u16 = 1;

/// Parses a leaf of a certificate transparency log: an entry with one signing, by the identity in the certificate.
///
/// `beside` is the data that the log served with it, which no tree hash covers: for a precertificate it begins with the
/// precertificate itself, in the `extra_data` of RFC 6962 as in the data tiles of static-ct. It is only compared with
/// the leaf.
///
/// # Errors
/// Not a leaf, or one whose certificate cannot be parsed.
pub fn parse_certificate(leaf: &[u8], beside: Option<&[u8]>) -> Result<Entry, EntryError> {
    if leaf.len() > MAX_LEAF_BYTES {
        return Err(EntryError::TooLong {
            length: leaf.len(),
            limit: MAX_LEAF_BYTES,
        });
    }
    // MerkleTreeLeaf: version v1(0), timestamped_entry(0), the time, and the logged certificate.
    let rest = leaf
        .strip_prefix(&[0, 0])
        .ok_or(cut("version and leaf type"))?;
    let (_timestamp, rest) = rest.split_first_chunk::<8>().ok_or(cut("timestamp"))?;
    let (kind, rest) = rest.split_first_chunk().ok_or(cut("entry type"))?;
    let (kind, field, certificate, rest) = match u16::from_be_bytes(*kind) {
        X509_ENTRY => {
            let (der, rest) = vector(rest).ok_or(cut("certificate"))?;
            let read = Certificate::parse(der.to_vec());
            (Kind::X509, "x509_entry", read, rest)
        }
        PRECERT_ENTRY => {
            let (issuer_key, rest) = rest.split_first_chunk().ok_or(cut("issuer key hash"))?;
            let (tbs, rest) = vector(rest).ok_or(cut("certificate"))?;
            // A precertificate that cannot be extracted is not the leaf's: it is replaced by empty bytes.
            let precertificate = beside.map(|b| vector(b).map_or(&[][..], |(der, _)| der));
            let read = Certificate::parse_logged(tbs, *issuer_key, precertificate);
            (Kind::PRECERTIFICATE, "precert_entry", read, rest)
        }
        _ => return Err(EntryError::UnknownKind),
    };
    let (length, extensions) = rest.split_first_chunk().ok_or(cut("extensions"))?;
    if extensions.len() != usize::from(u16::from_be_bytes(*length)) {
        return Err(cut("extensions"));
    }
    let certificate = certificate.map_err(|source| EntryError::Certificate { field, source })?;
    let mut reading = Reading::default();
    reading.verifier(Ok(Signer::Certificate(Box::new(certificate))), None, None);
    Ok(reading.entry(kind))
}

/// When a CT log logged an entry, as it states in the leaf: version 0, leaf type 0, milliseconds (RFC 6962 §3.4). `None` if it is
/// not such a leaf.
pub fn logged_at(leaf: &[u8]) -> Option<Timestamp> {
    let (bytes, _) = leaf.strip_prefix(&[0, 0])?.split_first_chunk::<8>()?;
    let milliseconds = i64::try_from(u64::from_be_bytes(*bytes)).ok()?;
    Timestamp::from_millisecond(milliseconds).ok()
}

/// A TLS vector with a length of three bytes, and what follows it.
fn vector(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let ([a, b, c], rest) = bytes.split_first_chunk()?;
    let length = u32::from_be_bytes([0, *a, *b, *c]);
    rest.split_at_checked(usize::try_from(length).ok()?)
}

const fn cut(part: &'static str) -> EntryError {
    EntryError::CertificateLeaf { part }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;
    use crate::identity::{Anomaly, Authorities, AuthorityChain, Chain};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// The first entries of a recorded log: leaf and extra data, base64.
    fn recorded() -> Vec<(Vec<u8>, Vec<u8>)> {
        include_str!("../../../../tests/data/ct-small/get-entries.jsonl")
            .lines()
            .map(|line| {
                let row: serde_json::Value = serde_json::from_str(line).unwrap();
                let field = |name: &str| STANDARD.decode(row[name].as_str().unwrap()).unwrap();
                (field("leaf_input"), field("extra_data"))
            })
            .collect()
    }

    /// The certificate authority of the recorded logs.
    fn harbor() -> Authorities {
        let root: serde_json::Value =
            serde_json::from_str(include_str!("../../../../tests/data/trust/harbor.json")).unwrap();
        let chain = &root["certificateAuthorities"][0]["certChain"]["certificates"];
        let der = |certificate: &serde_json::Value| {
            STANDARD
                .decode(certificate["rawBytes"].as_str().unwrap())
                .unwrap()
        };
        let chain = AuthorityChain {
            certificates: chain.as_array().unwrap().iter().map(der).collect(),
            valid_for: (None, None),
        };
        let (authorities, left_out) = Authorities::usable_of(vec![chain]);
        assert_eq!(left_out, []);
        authorities
    }

    fn judge(leaf: &[u8], beside: Option<&[u8]>) -> (Chain, Vec<Anomaly>) {
        let entry = parse_certificate(leaf, beside).unwrap();
        let assessment = entry.signings[0].signer.judge(Some(&harbor()));
        (assessment.chain, assessment.anomalies)
    }

    #[test]
    fn every_recorded_precertificate_has_a_name_and_is_trusted() {
        for (leaf, beside) in recorded() {
            let entry = parse_certificate(&leaf, Some(&beside)).unwrap();
            assert_eq!(entry.kind.to_string(), "precertificate");
            assert_eq!(entry.unreadable, []);
            let [signing] = entry.signings.as_slice() else {
                panic!("one certificate, one signing")
            };
            let certificate = signing.signer.certificate().unwrap();
            assert_eq!(certificate.sans().len(), 1);
            assert!(certificate.issuer().is_some());
            // The issued certificate contains SCTs, so its hash is not known from the precertificate.
            assert_eq!(certificate.sha256(), None);
            let expected = (Chain::Trusted, vec![]);
            assert_eq!(judge(&leaf, Some(&beside)), expected);
            assert_eq!(judge(&leaf, None), expected);
        }
    }

    #[test]
    fn a_precertificate_beside_the_leaf_that_is_another_one_is_reported() {
        let all = recorded();
        let (leaf, beside) = &all[0];
        let odd = (Chain::Trusted, vec![Anomaly::OtherPrecertificate]);
        assert_eq!(judge(leaf, Some(&all[1].1)), odd);
        assert_eq!(judge(leaf, Some(b"")), odd);
        assert_eq!(judge(leaf, Some(&beside[..100])), odd);
        // The signature of the CA is the last part of the precertificate.
        let mut forged = beside.clone();
        let length = usize::from(forged[1]) << 8 | usize::from(forged[2]);
        forged[3 + length - 1] ^= 1;
        assert_eq!(judge(leaf, Some(&forged)), odd);
    }

    #[test]
    fn a_certificate_of_a_ca_outside_the_trusted_root_is_untrusted() {
        let (mut leaf, beside) = recorded().swap_remove(0);
        // The hash of the CA's key follows version, type, time and entry type.
        leaf[12] ^= 1;
        assert_eq!(judge(&leaf, Some(&beside)), (Chain::Untrusted, vec![]));
    }

    #[test]
    fn a_certificate_itself_is_judged_as_any_other() {
        let made = rcgen::generate_simple_self_signed(["harbor.example".to_owned()]).unwrap();
        let der = made.cert.der().to_vec();
        let length = u32::try_from(der.len()).unwrap().to_be_bytes();
        let leaf = [&[0; 12], &length[1..], &der, &[0, 0]].concat();
        let entry = parse_certificate(&leaf, None).unwrap();
        assert_eq!(entry.kind.to_string(), "x509");
        let certificate = entry.signings[0].signer.certificate().unwrap();
        assert_eq!(certificate.der(), der);
        assert_eq!(judge(&leaf, None).0, Chain::Untrusted);
    }

    #[test]
    fn the_error_for_an_incomplete_leaf_names_the_missing_part() {
        let (leaf, _) = recorded().swap_remove(0);
        for (bytes, error) in [
            (&b""[..], cut("version and leaf type")),
            (b"{}", cut("version and leaf type")),
            (&leaf[..9], cut("timestamp")),
            (&leaf[..11], cut("entry type")),
            (&leaf[..40], cut("issuer key hash")),
            (&leaf[..46], cut("certificate")),
            (&leaf[..leaf.len() - 1], cut("extensions")),
            (&[&leaf[..], b"x"].concat(), cut("extensions")),
        ] {
            assert_eq!(parse_certificate(bytes, None), Err(error));
        }
        let mut other = leaf.clone();
        other[11] = 2;
        assert_eq!(
            parse_certificate(&other, None),
            Err(EntryError::UnknownKind)
        );
        let mut broken = leaf;
        broken[47] ^= 1;
        assert!(matches!(
            parse_certificate(&broken, None),
            Err(EntryError::Certificate {
                field: "precert_entry",
                ..
            })
        ));
    }

    #[test]
    fn the_time_of_a_certificate_log_s_leaf_is_in_its_header() {
        let mut leaf = vec![0, 0];
        leaf.extend(1_763_712_000_000_u64.to_be_bytes());
        assert_eq!(logged_at(&leaf), Timestamp::from_second(1_763_712_000).ok());
        for broken in [
            &leaf[..9],
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
            &[0; 0],
            &[0, 0, 255, 255, 255, 255, 255, 255, 255, 255],
        ] {
            assert_eq!(logged_at(broken), None, "{broken:?}");
        }
    }
}
