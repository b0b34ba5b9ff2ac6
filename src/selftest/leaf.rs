//! A leaf of Rekor v2 with an invented certificate: like the leaf of a log after such a signing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::identity::der::{self, encode};
use crate::watch::Sample;

/// AlgorithmIdentifier of ecdsa-with-SHA256 (RFC 5758 §3.2).
const ECDSA_WITH_SHA256: &[u8] = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";

/// SubjectPublicKeyInfo up to the point: an uncompressed key on P-256 (RFC 5480).
const P256: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

/// The base point of P-256 (SEC 2 §2.4.2): the public key of the secret key 1.
const POINT: &str = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                     4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

/// 1.3.6.1.4.1.57264.1, Fulcio's extensions.
const FULCIO: &[u8] = b"\x2b\x06\x01\x04\x01\x83\xbf\x30\x01";

/// The validity of Fulcio's certificates.
const LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// The canonical JSON of a `hashedrekord 0.0.2` by this signer.
pub(super) fn of(sample: &Sample, now: Timestamp) -> Vec<u8> {
    let entry = json!({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": {
        "data": {"algorithm": "SHA2_256", "digest": STANDARD.encode([0; 32])},
        "signature": {"content": STANDARD.encode(b"drill"), "verifier": {
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            "x509Certificate": {"rawBytes": STANDARD.encode(certificate(sample, now))},
        }},
    }}});
    entry.to_string().into_bytes()
}

/// RFC 5280 §4.1; without a valid signature.
fn certificate(sample: &Sample, now: Timestamp) -> Vec<u8> {
    let key = hex::decode(POINT).expect("the point is written in hexadecimal digits");
    let tbs = sequence(&[
        encode(der::constructed(0), &encode(der::INTEGER, &[2])),
        encode(der::INTEGER, &[1]),
        ECDSA_WITH_SHA256.to_vec(),
        issuer(),
        sequence(&[
            time(now),
            time(now.checked_add(LIFETIME).unwrap_or(Timestamp::MAX)),
        ]),
        sequence(&[]),
        sequence(&[encode(der::SEQUENCE, P256), bits(&key)]),
        encode(der::constructed(3), &sequence(&extensions(sample))),
    ]);
    sequence(&[tbs, ECDSA_WITH_SHA256.to_vec(), bits(b"drill")])
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    encode(der::SEQUENCE, &parts.concat())
}

fn bits(bytes: &[u8]) -> Vec<u8> {
    encode(der::BIT_STRING, &[&[0], bytes].concat())
}

/// `CN=modelwatch drill`
fn issuer() -> Vec<u8> {
    const SET: u8 = 0x31;
    let name = sequence(&[
        encode(der::OID, b"\x55\x04\x03"),
        encode(der::UTF8_STRING, b"modelwatch drill"),
    ]);
    sequence(&[encode(SET, &name)])
}

/// UTCTime until 2049, GeneralizedTime after it (RFC 5280 §4.1.2.5).
fn time(at: Timestamp) -> Vec<u8> {
    let year = at.strftime("%Y").to_string();
    let (tag, form) = if ("1950"..="2049").contains(&year.as_str()) {
        (der::UTC_TIME, "%y%m%d%H%M%SZ")
    } else {
        (der::GENERALIZED_TIME, "%Y%m%d%H%M%SZ")
    };
    encode(tag, at.strftime(form).to_string().as_bytes())
}

fn extensions(sample: &Sample) -> Vec<Vec<u8>> {
    let extension = |oid: &[u8], value: &[u8]| {
        sequence(&[encode(der::OID, oid), encode(der::OCTET_STRING, value)])
    };
    // Extended key usage: code signing.
    let usage = sequence(&[encode(der::OID, b"\x2b\x06\x01\x05\x05\x07\x03\x03")]);
    let mut extensions = vec![extension(b"\x55\x1d\x25", &usage)];
    if !sample.sans.is_empty() {
        let names: Vec<_> = sample.sans.iter().map(|san| name(san)).collect();
        extensions.push(extension(b"\x55\x1d\x11", &sequence(&names)));
    }
    for (kind, value) in &sample.extensions {
        let number = kind.number();
        // .1 to .6 hold the text itself, from .8 on a DER UTF8String.
        let value = match number {
            ..=6 => value.clone().into_bytes(),
            _ => encode(der::UTF8_STRING, value.as_bytes()),
        };
        extensions.push(extension(&[FULCIO, &[number]].concat(), &value));
    }
    extensions
}

/// A GeneralName that is read as this text: a mail address, a URI, or one of Fulcio's user names.
fn name(san: &str) -> Vec<u8> {
    if san.is_ascii() && (san.contains("://") || !san.contains(['!', '@'])) {
        encode(der::primitive(6), san.as_bytes())
    } else if san.is_ascii() && san.contains('@') {
        encode(der::primitive(1), san.as_bytes())
    } else {
        // 1.3.6.1.4.1.57264.1.7
        let text = encode(der::UTF8_STRING, san.as_bytes());
        let parts = [
            encode(der::OID, &[FULCIO, &[7]].concat()),
            encode(der::constructed(0), &text),
        ];
        encode(der::constructed(0), &parts.concat())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use std::collections::BTreeMap;

    use super::*;
    use crate::entry;
    use crate::identity::Extension;

    #[test]
    fn what_is_made_up_is_read_like_any_entry_whatever_its_names() {
        let long = "https://github.com/".to_owned() + &"a/".repeat(200);
        for san in [
            "jane@example.com",
            "https://github.com/o/r@refs/tags/v1",
            "user!domain",
            "é@example.com",
            "host.example",
            long.as_str(),
        ] {
            for year in ["2026", "2051"] {
                let sample = Sample {
                    sans: vec![san.to_owned(), "second@example.com".to_owned()],
                    extensions: BTreeMap::from(
                        Extension::ALL.map(|e| (e, format!("value of {e}"))),
                    ),
                    what: String::new(),
                    selected: true,
                    in_shape: None,
                };
                let now: Timestamp = format!("{year}-11-21T08:00:00Z").parse().unwrap();
                let entry = entry::parse(&of(&sample, now)).unwrap();
                assert_eq!(entry.unreadable, []);
                let [signing] = entry.signings.as_slice() else {
                    panic!("one signing")
                };
                let certificate = signing.signer.certificate().unwrap();
                let names: Vec<_> = certificate
                    .sans()
                    .iter()
                    .map(|san| san.value.as_str())
                    .collect();
                assert_eq!(names, [san, "second@example.com"]);
                for extension in Extension::ALL {
                    let value = format!("value of {extension}");
                    assert_eq!(certificate.extension(extension), Some(value.as_str()));
                }
                assert_eq!(certificate.not_before(), now);
            }
        }
        let nameless = Sample {
            sans: Vec::new(),
            extensions: BTreeMap::new(),
            what: String::new(),
            selected: false,
            in_shape: None,
        };
        let entry = entry::parse(&of(&nameless, Timestamp::UNIX_EPOCH)).unwrap();
        assert_eq!((entry.signings.len(), entry.unreadable.len()), (1, 0));
    }
}
