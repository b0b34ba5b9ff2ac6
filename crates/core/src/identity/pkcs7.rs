//! The signers of a PKCS#7 message (RFC 2315; RFC 5652 as far as it is the same), as `jarsigner` writes them into JARs.
//!
//! A message contains certificates: its signer's, those above it, and possibly others. Only those that a signature
//! names are its signers': a certificate is public, and anyone can put another person's into their own message.

use std::collections::HashMap;

use super::ber;
use super::der::{self, DerError, Element, Reader};

/// SET OF, the type of the list of signatures.
const SET: u8 = 0x31;

/// `1.2.840.113549.1.7.2`, signed data.
const SIGNED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";

/// `2.5.29.14` in the encoding before its value.
const SUBJECT_KEY_ID: &[u8] = b"\x06\x03\x55\x1d\x0e";

/// Why a message cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Pkcs7Error {
    /// Not in the encoding of such messages.
    #[error("not a DER PKCS#7 message: {0}")]
    Der(#[from] DerError),
    /// Another kind of message, without signatures.
    #[error("a PKCS#7 message that is not signed data")]
    NotSigned,
    /// A signature by a certificate that is not in the message.
    #[error("a PKCS#7 message without the certificate of its signer")]
    NoCertificate,
}

/// The DER certificates of those who signed, each once, in the order of the message.
///
/// # Errors
/// Input that is not a signed message in DER; one in which a signature names no certificate of it.
pub fn signers_of_pkcs7(message: &[u8]) -> Result<Vec<Vec<u8>>, Pkcs7Error> {
    match found_in_pkcs7(message) {
        (signers, None) => Ok(signers),
        (_, Some(problem)) => Err(problem),
    }
}

/// The same as far as a lenient parser comes, and the first error.
pub fn found_in_pkcs7(message: &[u8]) -> (Vec<Vec<u8>>, Option<Pkcs7Error>) {
    let error = match read(message) {
        Ok(found) => return found,
        Err(error) => error,
    };
    // Many programs write such messages with lengths that are not given in advance.
    let anew = ber::read(message).and_then(|(message, _)| ber::element_to_der(&message));
    let found = anew.filter(|anew| anew != message).map(|anew| read(&anew));
    match found {
        Some(Ok((signers, problem))) => (signers, problem.or(Some(error))),
        Some(Err(_)) | None => (Vec::new(), Some(error)),
    }
}

fn read(message: &[u8]) -> Result<(Vec<Vec<u8>>, Option<Pkcs7Error>), Pkcs7Error> {
    let mut outer = Reader::new(der::only(message, der::SEQUENCE)?);
    let kind = outer.expect(der::OID)?;
    if outer.bytes(&kind.content) != SIGNED_DATA {
        return Err(Pkcs7Error::NotSigned);
    }
    let content = outer.expect(der::constructed(0))?;
    outer.end()?;
    let mut content = outer.inside(&content.content);
    let data = content.expect(der::SEQUENCE)?;
    let mut fields = content.inside(&data.content);
    fields.expect(der::INTEGER)?;
    fields.expect(SET)?;
    fields.expect(der::SEQUENCE)?;
    let certificates = match fields.optional(der::constructed(0))? {
        Some(certificates) => elements(&fields, &certificates)?,
        None => Vec::new(),
    };
    fields.optional(der::constructed(1))?;
    let signatures = fields.expect(SET)?;
    let named = Named::of(&fields, &certificates);
    let (mut signed, mut problem) = (vec![false; certificates.len()], None);
    for signature in elements(&fields, &signatures)? {
        match named.by(&fields, &signature) {
            Ok(signers) if !signers.is_empty() => {
                for signer in signers {
                    if let Some(signed) = signed.get_mut(*signer) {
                        *signed = true;
                    }
                }
            }
            Ok(_) => {
                problem.get_or_insert(Pkcs7Error::NoCertificate);
            }
            Err(error) => {
                problem.get_or_insert(error.into());
            }
        }
    }
    let signers = certificates
        .iter()
        .zip(signed)
        .filter(|(_, signed)| *signed);
    let signers = signers.map(|(certificate, _)| fields.bytes(&certificate.whole).to_vec());
    Ok((signers.collect(), problem))
}

fn elements(reader: &Reader<'_>, list: &Element) -> Result<Vec<Element>, DerError> {
    let mut list = reader.inside(&list.content);
    let mut elements = Vec::new();
    while !list.is_empty() {
        elements.push(list.element()?);
    }
    Ok(elements)
}

/// The positions of a message's certificates, by the values with which a signature may name them.
#[derive(Default)]
struct Named<'a> {
    /// By the issuer's name as it is encoded, and the serial number.
    issued: HashMap<(&'a [u8], &'a [u8]), Vec<usize>>,
    /// By the serial number alone: one name may be encoded in several ways.
    serials: HashMap<&'a [u8], Vec<usize>>,
    /// By the subject key identifier (RFC 5652 §5.3).
    keys: HashMap<&'a [u8], Vec<usize>>,
}

impl<'a> Named<'a> {
    fn of(reader: &Reader<'a>, certificates: &[Element]) -> Self {
        let mut named = Self::default();
        for (place, certificate) in certificates.iter().enumerate() {
            if let Ok((issuer, serial)) = issued(reader, certificate) {
                let serial = ber::unsigned(serial);
                named
                    .issued
                    .entry((issuer, serial))
                    .or_default()
                    .push(place);
                named.serials.entry(serial).or_default().push(place);
            }
            for key in key_ids(reader.bytes(&certificate.whole)) {
                named.keys.entry(key).or_default().push(place);
            }
        }
        named
    }

    /// The certificates that a signature names.
    fn by(&self, reader: &Reader<'a>, signature: &Element) -> Result<&[usize], DerError> {
        let mut fields = reader.inside(&signature.content);
        fields.expect(der::INTEGER)?;
        if let Some(key) = fields.optional(der::primitive(0))? {
            let found = self.keys.get(fields.bytes(&key.content));
            return Ok(found.map_or(&[], Vec::as_slice));
        }
        let id = fields.expect(der::SEQUENCE)?;
        let mut id = fields.inside(&id.content);
        let issuer = id.expect(der::SEQUENCE)?;
        let serial = id.expect(der::INTEGER)?;
        let serial = ber::unsigned(id.bytes(&serial.content));
        let found = self
            .issued
            .get(&(id.bytes(&issuer.whole), serial))
            .or_else(|| self.serials.get(serial));
        Ok(found.map_or(&[], Vec::as_slice))
    }
}

/// The subject key identifiers in a certificate, `OCTET STRING { OCTET STRING }` (RFC 5280 §4.2.1.2). If these bytes
/// occur elsewhere in it, it only names itself.
fn key_ids(certificate: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memmem::find_iter(certificate, SUBJECT_KEY_ID).filter_map(|at| {
        let rest = certificate.get(at + SUBJECT_KEY_ID.len()..)?;
        let (mut value, rest) = ber::read(rest)?;
        if value.tag() == der::BOOLEAN {
            (value, _) = ber::read(rest)?;
        }
        let (inner, _) = ber::expect(value.content, der::OCTET_STRING)?;
        Some(inner.content)
    })
}

/// Issuer and serial number of a certificate (RFC 5280 §4.1).
fn issued<'a>(
    reader: &Reader<'a>,
    certificate: &Element,
) -> Result<(&'a [u8], &'a [u8]), DerError> {
    let mut outer = reader.inside(&certificate.content);
    let tbs = outer.expect(der::SEQUENCE)?;
    let mut fields = outer.inside(&tbs.content);
    fields.optional(der::constructed(0))?;
    let serial = fields.expect(der::INTEGER)?;
    fields.expect(der::SEQUENCE)?;
    let issuer = fields.expect(der::SEQUENCE)?;
    Ok((fields.bytes(&issuer.whole), fields.bytes(&serial.content)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;
    use crate::identity::Certificate;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// Messages of a CA's certificate, a bystander's and the signer's, in that order; made with openssl.
    const BY_SERIAL: &str = include_str!("../../../../tests/data/keys/jar.p7s");
    const BY_KEY_ID: &str = include_str!("../../../../tests/data/keys/keyid.p7s");

    fn der(pem: &str) -> Vec<u8> {
        let lines = pem.lines().filter(|line| !line.starts_with('-'));
        STANDARD.decode(lines.collect::<String>()).unwrap()
    }

    /// `bytes` with the only occurrence of `old` replaced by as many bytes.
    fn changed(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
        let at = bytes.windows(old.len()).position(|window| window == old);
        let mut bytes = bytes.to_vec();
        bytes[at.unwrap()..][..new.len()].copy_from_slice(new);
        bytes
    }

    #[test]
    fn only_whom_a_signature_names_has_signed() {
        for message in [BY_SERIAL, BY_KEY_ID] {
            let signers = signers_of_pkcs7(&der(message)).unwrap();
            let [signer] = signers.as_slice() else {
                panic!("one signer")
            };
            let certificate = Certificate::parse(signer.clone()).unwrap();
            let names: Vec<&str> = certificate
                .sans()
                .iter()
                .map(|n| n.value.as_str())
                .collect();
            assert_eq!(names, ["signer@harbor.example"]);
        }
    }

    #[test]
    fn a_signature_without_a_signer_in_the_message_is_reported() {
        let message = der(BY_SERIAL);
        let signer = signers_of_pkcs7(&message).unwrap().remove(0);
        let mut fields = Reader::new(&signer);
        let whole = fields.expect(der::SEQUENCE).unwrap();
        let (_, serial) = issued(&fields, &whole).unwrap();
        // The first occurrence is in the certificate.
        let other = changed(&message, serial, &vec![0x11; serial.len()]);
        assert_eq!(signers_of_pkcs7(&other), Err(Pkcs7Error::NoCertificate));
    }

    #[test]
    fn a_message_without_lengths_is_read_all_the_same() {
        let message = der(BY_SERIAL);
        let signer = signers_of_pkcs7(&message).unwrap();
        // The outermost SEQUENCE without a length.
        let (outer, _) = ber::read(&message).unwrap();
        let endless = [b"\x30\x80".as_slice(), outer.content, b"\0\0"].concat();
        let (found, problem) = found_in_pkcs7(&endless);
        assert_eq!(found, signer);
        assert!(matches!(problem, Some(Pkcs7Error::Der(_))));
        assert!(signers_of_pkcs7(&endless).is_err());
    }

    #[test]
    fn what_is_no_signed_message_is_refused() {
        let message = der(BY_SERIAL);
        let enveloped = changed(&message, SIGNED_DATA, &SIGNED_DATA[..8]);
        let enveloped = {
            let mut enveloped = enveloped;
            let at = enveloped.windows(8).position(|w| w == &SIGNED_DATA[..8]);
            enveloped[at.unwrap() + 8] = 3;
            enveloped
        };
        assert_eq!(signers_of_pkcs7(&enveloped), Err(Pkcs7Error::NotSigned));
        for cut in 0..message.len() {
            assert!(signers_of_pkcs7(&message[..cut]).is_err(), "{cut}");
        }
        let longer = [&message[..], b"x"].concat();
        assert!(matches!(signers_of_pkcs7(&longer), Err(Pkcs7Error::Der(_))));
    }
}
