//! Who signed a PKCS#7 message (RFC 2315; RFC 5652 as far as it is the same), as `jarsigner` writes them into JARs.
//!
//! A message brings certificates along: its signer's, those above it, and any others. Only those that a signature
//! names are its signers': a certificate is public, and anyone can put somebody else's into a message of his own.

use super::der::{self, DerError, Element, Reader};

/// Most certificates or signatures that are looked at in one message.
const MAX_ELEMENTS: usize = 64;

/// SET OF, which is how signatures come.
const SET: u8 = 0x31;

/// `1.2.840.113549.1.7.2`, signed data.
const SIGNED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";

/// Why a message cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Pkcs7Error {
    /// Not in the encoding of such messages.
    #[error("not a DER PKCS#7 message: {0}")]
    Der(#[from] DerError),
    /// Another kind of message, which nobody signed.
    #[error("a PKCS#7 message that is not signed data")]
    NotSigned,
    /// More of them than any message has.
    #[error("a PKCS#7 message of more than {MAX_ELEMENTS} certificates or signatures")]
    TooMany,
    /// A signature by a certificate that is not in the message.
    #[error("a PKCS#7 message without the certificate of its signer")]
    NoCertificate,
}

/// The DER certificates of those who signed, each once, in the order of the message.
///
/// # Errors
/// What is no signed message; one in which a signature names no certificate of it.
pub fn signers_of_pkcs7(message: &[u8]) -> Result<Vec<Vec<u8>>, Pkcs7Error> {
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
    let mut named = vec![false; certificates.len()];
    for signature in elements(&fields, &signatures)? {
        let signer = SignerId::of(&fields, &signature)?;
        let mut found = false;
        for (certificate, named) in certificates.iter().zip(&mut named) {
            if signer.is(&fields, certificate) {
                (*named, found) = (true, true);
            }
        }
        if !found {
            return Err(Pkcs7Error::NoCertificate);
        }
    }
    let signers = certificates.iter().zip(named).filter(|(_, named)| *named);
    Ok(signers
        .map(|(certificate, _)| fields.bytes(&certificate.whole).to_vec())
        .collect())
}

fn elements(reader: &Reader<'_>, list: &Element) -> Result<Vec<Element>, Pkcs7Error> {
    let mut list = reader.inside(&list.content);
    let mut elements = Vec::new();
    while !list.is_empty() {
        if elements.len() == MAX_ELEMENTS {
            return Err(Pkcs7Error::TooMany);
        }
        elements.push(list.element()?);
    }
    Ok(elements)
}

/// Which certificate a signature names.
enum SignerId<'a> {
    /// The issuer's name as it is encoded, and the serial number.
    Serial(&'a [u8], &'a [u8]),
    /// The subject key identifier (RFC 5652 §5.3).
    Key(&'a [u8]),
}

impl<'a> SignerId<'a> {
    fn of(reader: &Reader<'a>, signature: &Element) -> Result<Self, DerError> {
        let mut fields = reader.inside(&signature.content);
        fields.expect(der::INTEGER)?;
        if let Some(key) = fields.optional(der::primitive(0))? {
            return Ok(Self::Key(fields.bytes(&key.content)));
        }
        let id = fields.expect(der::SEQUENCE)?;
        let mut id = fields.inside(&id.content);
        let issuer = id.expect(der::SEQUENCE)?;
        let serial = id.expect(der::INTEGER)?;
        Ok(Self::Serial(
            id.bytes(&issuer.whole),
            id.bytes(&serial.content),
        ))
    }

    /// Whether that is this certificate. What cannot be read is not.
    fn is(&self, reader: &Reader<'_>, certificate: &Element) -> bool {
        match self {
            Self::Serial(issuer, serial) => {
                issued(reader, certificate).is_ok_and(|of| of == (issuer, serial))
            }
            Self::Key(key) => {
                // `OCTET STRING { OCTET STRING }`, the value of the extension (RFC 5280 §4.2.1.2); where else in a
                // certificate these bytes would stand, it names itself.
                let inner = der::encode(der::OCTET_STRING, key);
                let value = der::encode(der::OCTET_STRING, &inner);
                let extension = [SUBJECT_KEY_ID, &value].concat();
                let whole = reader.bytes(&certificate.whole);
                whole
                    .windows(extension.len())
                    .any(|window| window == extension)
            }
        }
    }
}

/// `2.5.29.14` as it stands before its value.
const SUBJECT_KEY_ID: &[u8] = b"\x06\x03\x55\x1d\x0e";

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
    const BY_SERIAL: &str = include_str!("../../tests/data/keys/jar.p7s");
    const BY_KEY_ID: &str = include_str!("../../tests/data/keys/keyid.p7s");

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
    fn a_signature_of_nobody_in_the_message_is_said() {
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
