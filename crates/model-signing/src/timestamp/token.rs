//! The content of a timestamp token (RFC 3161 §2.4.2, in CMS SignedData, RFC 5652 §5). Nothing is verified here.

use pkcs8::der::DateTime;

use super::TimestampError;
use super::der::{self, Element, Malformed, Reader};

/// 1.2.840.113549.1.7.2
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.9.16.1.4
pub(super) const TST_INFO: &[u8] = &[
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04,
];
/// 1.2.840.113549.1.9.3
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
/// 1.2.840.113549.1.9.4
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
/// 1.2.840.113549.1.9.16.2.12
const SIGNING_CERTIFICATE: &[u8] = &[
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x0c,
];
/// 1.2.840.113549.1.9.16.2.47
const SIGNING_CERTIFICATE_V2: &[u8] = &[
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f,
];

/// Most timestamps of a signature: the limit of sigstore-python.
pub const MAX_TIMESTAMPS: usize = 32;

/// Most bytes of a token. With a chain of RSA-4096 certificates in it, one has some 10 KiB.
pub const MAX_TOKEN_BYTES: usize = 256 << 10;

/// Most certificates that are read from a token.
const MAX_EMBEDDED: usize = 16;

/// A token, taken apart.
#[derive(Debug)]
pub(crate) struct Token<'a> {
    /// TSTInfo in DER: what the signed attributes have the digest of.
    pub(super) info_der: &'a [u8],
    pub(super) info: Info<'a>,
    /// The certificates that the token carries, in DER. Anybody may add some.
    pub(super) embedded: Vec<&'a [u8]>,
    pub(super) signer: SignerInfo<'a>,
}

/// TSTInfo.
#[derive(Debug)]
pub(super) struct Info<'a> {
    /// Content of the object identifier of the hash function.
    pub(super) hash: &'a [u8],
    pub(super) imprint: &'a [u8],
    /// In seconds of Unix time, a fraction cut off.
    pub(super) time: i64,
    /// The content of the INTEGER.
    pub(super) nonce: Option<&'a [u8]>,
}

#[derive(Debug)]
pub(super) struct SignerInfo<'a> {
    pub(super) id: SignerId<'a>,
    /// Content of the object identifier.
    pub(super) digest: &'a [u8],
    /// The signed attributes, as they are signed: a SET.
    pub(super) attributes_der: Vec<u8>,
    pub(super) attributes: Attributes<'a>,
    /// Content of the object identifier.
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
}

/// Which certificate the signer's is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignerId<'a> {
    /// The issuer's name in DER, and the content of the serial number.
    IssuerAndSerial(&'a [u8], &'a [u8]),
    KeyIdentifier(&'a [u8]),
}

#[derive(Debug, Default)]
pub(super) struct Attributes<'a> {
    pub(super) content_type: Option<&'a [u8]>,
    pub(super) message_digest: Option<&'a [u8]>,
    /// The first certificate identifier of a signingCertificate (SHA-1), or of a signingCertificateV2.
    pub(super) certificate: Option<CertificateId<'a>>,
}

/// The hash of the signer's certificate that its signature covers (RFC 5816).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CertificateId<'a> {
    /// Content of the object identifier; `None` for SHA-256, which version 2 leaves out.
    pub(super) hash: Option<&'a [u8]>,
    pub(super) is_sha1: bool,
    pub(super) value: &'a [u8],
}

impl<'a> Token<'a> {
    /// Reads a TimeStampResp that was granted, or the token alone.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, TimestampError> {
        if bytes.len() > MAX_TOKEN_BYTES {
            return Err(TimestampError::TooLong {
                bytes: bytes.len(),
                limit: MAX_TOKEN_BYTES,
            });
        }
        let outer = der::only(bytes, der::SEQUENCE, "a timestamp")?;
        let mut fields = outer.inside();
        let first = fields.any("a timestamp")?;
        let content_info = if first.tag == der::SEQUENCE {
            granted(first)?;
            let token = fields.optional(der::SEQUENCE, "a timestamp token")?;
            fields.end("the end of a timestamp response")?;
            token.ok_or(TimestampError::NoToken)?
        } else {
            outer
        };
        Ok(Self::read(content_info)?)
    }

    fn read(content_info: Element<'a>) -> Result<Self, Malformed> {
        let mut fields = content_info.inside();
        let kind = fields.expect(der::OID, "the content type of CMS")?;
        if kind.content != SIGNED_DATA {
            return Err(Malformed("SignedData"));
        }
        let explicit = fields.expect(der::context(0), "SignedData")?;
        fields.end("the end of a timestamp token")?;
        let mut data = der::only(explicit.content, der::SEQUENCE, "SignedData")?.inside();
        data.expect(der::INTEGER, "the version of SignedData")?;
        data.expect(der::SET, "the digest algorithms of SignedData")?;
        let info_der = encapsulated(data.expect(der::SEQUENCE, "the content of SignedData")?)?;
        let certificates = data.optional(der::context(0), "the certificates of SignedData")?;
        data.optional(der::context(1), "the revocation lists of SignedData")?;
        let signers = data.expect(der::SET, "the signers of SignedData")?;
        data.end("the end of SignedData")?;
        // RFC 3161 §2.4.2: a token has no signature but that of its authority.
        let signer = der::only(
            signers.content,
            der::SEQUENCE,
            "one signer of the timestamp",
        )?;
        Ok(Self {
            info_der,
            info: Info::read(info_der)?,
            embedded: certificates.map_or_else(|| Ok(Vec::new()), embedded)?,
            signer: SignerInfo::read(signer)?,
        })
    }
}

/// The status of a response: granted, with or without modifications.
fn granted(status: Element<'_>) -> Result<(), TimestampError> {
    let mut fields = status.inside();
    let number = fields.expect(der::INTEGER, "the status of a timestamp response")?;
    match number.content {
        [0 | 1] => Ok(()),
        [status] => Err(TimestampError::Refused { status: *status }),
        _ => Err(Malformed("the status of a timestamp response").into()),
    }
}

fn encapsulated(content: Element<'_>) -> Result<&[u8], Malformed> {
    let mut fields = content.inside();
    let kind = fields.expect(der::OID, "the content type of the token")?;
    if kind.content != TST_INFO {
        return Err(Malformed("TSTInfo"));
    }
    let explicit = fields.expect(der::context(0), "TSTInfo")?;
    fields.end("the end of TSTInfo")?;
    Ok(der::only(explicit.content, der::OCTET_STRING, "TSTInfo")?.content)
}

fn embedded(certificates: Element<'_>) -> Result<Vec<&[u8]>, Malformed> {
    let mut reader = certificates.inside();
    let mut found = Vec::new();
    while !reader.is_empty() {
        let element = reader.any("a certificate of the token")?;
        // The other kinds are not in use (RFC 5652 §10.2.2).
        if element.tag == der::SEQUENCE {
            if found.len() == MAX_EMBEDDED {
                return Err(Malformed("at most 16 certificates of the token"));
            }
            found.push(element.whole);
        }
    }
    Ok(found)
}

impl<'a> Info<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = der::only(bytes, der::SEQUENCE, "TSTInfo")?.inside();
        let version = fields.expect(der::INTEGER, "the version of TSTInfo")?;
        if version.content != [1] {
            return Err(Malformed("version 1 of TSTInfo"));
        }
        fields.expect(der::OID, "the policy of TSTInfo")?;
        let mut imprint = fields.expect(der::SEQUENCE, "the imprint")?.inside();
        let hash = algorithm(&mut imprint, "the hash algorithm of the imprint")?;
        let value = imprint.expect(der::OCTET_STRING, "the imprint")?.content;
        imprint.end("the end of the imprint")?;
        fields.expect(der::INTEGER, "the serial number of TSTInfo")?;
        let time = fields.expect(der::GENERALIZED_TIME, "the time of TSTInfo")?;
        let time = seconds(time.content).ok_or(Malformed("the time of TSTInfo"))?;
        fields.optional(der::SEQUENCE, "the accuracy of TSTInfo")?;
        fields.optional(der::BOOLEAN, "the ordering of TSTInfo")?;
        let nonce = fields.optional(der::INTEGER, "the nonce of TSTInfo")?;
        fields.optional(der::context(0), "the authority's name in TSTInfo")?;
        fields.optional(der::context(1), "the extensions of TSTInfo")?;
        fields.end("the end of TSTInfo")?;
        Ok(Self {
            hash,
            imprint: value,
            time,
            nonce: nonce.map(|nonce| nonce.content),
        })
    }
}

impl<'a> SignerInfo<'a> {
    fn read(element: Element<'a>) -> Result<Self, Malformed> {
        let mut fields = element.inside();
        fields.expect(der::INTEGER, "the version of the signer")?;
        let id = fields.any("the identifier of the signer")?;
        let id = match id.tag {
            der::SEQUENCE => {
                let mut parts = id.inside();
                let issuer = parts.expect(der::SEQUENCE, "the issuer of the signer")?;
                let serial = parts.expect(der::INTEGER, "the serial number of the signer")?;
                parts.end("the end of the signer's identifier")?;
                SignerId::IssuerAndSerial(issuer.whole, serial.content)
            }
            tag if tag == der::context_primitive(0) => SignerId::KeyIdentifier(id.content),
            _ => return Err(Malformed("the identifier of the signer")),
        };
        let digest = algorithm(&mut fields, "the digest algorithm of the signer")?;
        let attributes = fields.expect(der::context(0), "signed attributes")?;
        let algorithm = algorithm(&mut fields, "the signature algorithm of the signer")?;
        let signature = fields.expect(der::OCTET_STRING, "the signature of the timestamp")?;
        fields.optional(der::context(1), "unsigned attributes")?;
        fields.end("the end of the signer")?;
        // RFC 5652 §5.4: the signature is over the SET, and not over the implicit tag in its place.
        let mut attributes_der = attributes.whole.to_vec();
        if let Some(tag) = attributes_der.first_mut() {
            *tag = der::SET;
        }
        Ok(Self {
            id,
            digest,
            attributes: Attributes::read(attributes)?,
            attributes_der,
            algorithm,
            signature: signature.content,
        })
    }
}

impl<'a> Attributes<'a> {
    fn read(set: Element<'a>) -> Result<Self, Malformed> {
        let mut found = Self::default();
        let mut reader = set.inside();
        while !reader.is_empty() {
            let mut attribute = reader.expect(der::SEQUENCE, "a signed attribute")?.inside();
            let kind = attribute.expect(der::OID, "the type of a signed attribute")?;
            let values = attribute.expect(der::SET, "the values of a signed attribute")?;
            attribute.end("the end of a signed attribute")?;
            // Two readers could each take another one of them.
            let twice = Malformed("one attribute of each type");
            match kind.content {
                CONTENT_TYPE => {
                    let value = der::only(values.content, der::OID, "the content type")?;
                    if found.content_type.replace(value.content).is_some() {
                        return Err(twice);
                    }
                }
                MESSAGE_DIGEST => {
                    let value = der::only(values.content, der::OCTET_STRING, "the digest")?;
                    if found.message_digest.replace(value.content).is_some() {
                        return Err(twice);
                    }
                }
                SIGNING_CERTIFICATE if found.certificate.is_none() => {
                    found.certificate = Some(CertificateId::read(values, true)?);
                }
                SIGNING_CERTIFICATE_V2 => {
                    found.certificate = Some(CertificateId::read(values, false)?);
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

impl<'a> CertificateId<'a> {
    fn read(values: Element<'a>, is_sha1: bool) -> Result<Self, Malformed> {
        const WHAT: &str = "the identifier of the signing certificate";
        let mut list = der::only(values.content, der::SEQUENCE, WHAT)?.inside();
        let mut ids = list.expect(der::SEQUENCE, WHAT)?.inside();
        // The first one is the signer's own (RFC 5035 §4).
        let mut id = ids.expect(der::SEQUENCE, WHAT)?.inside();
        let hash = match id.optional(der::SEQUENCE, WHAT)? {
            Some(algorithm) if !is_sha1 => Some(algorithm.inside().expect(der::OID, WHAT)?.content),
            Some(_) => return Err(Malformed(WHAT)),
            None => None,
        };
        Ok(Self {
            hash,
            is_sha1,
            value: id.expect(der::OCTET_STRING, WHAT)?.content,
        })
    }
}

/// The object identifier of an AlgorithmIdentifier; parameters are ignored.
fn algorithm<'a>(fields: &mut Reader<'a>, what: &'static str) -> Result<&'a [u8], Malformed> {
    let mut algorithm = fields.expect(der::SEQUENCE, what)?.inside();
    Ok(algorithm.expect(der::OID, what)?.content)
}

/// `YYYYMMDDhhmmss[.f…]Z` (RFC 3161 §2.4.2) in seconds of Unix time.
fn seconds(text: &[u8]) -> Option<i64> {
    let text = text.strip_suffix(b"Z")?;
    let (whole, fraction) = text.split_at_checked(14)?;
    let is_fraction = match fraction {
        [] => true,
        [b'.', digits @ ..] => {
            !digits.is_empty() && digits.len() <= 9 && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    };
    if !is_fraction || !whole.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let year = std::str::from_utf8(whole.get(..4)?).ok()?.parse().ok()?;
    let two = |from: usize| -> Option<u8> {
        let digits = std::str::from_utf8(whole.get(from..from + 2)?).ok()?;
        digits.parse().ok()
    };
    // A time that the calendar does not have is an error, and so is one before 1970. There is no leap second.
    let time = DateTime::new(year, two(4)?, two(6)?, two(8)?, two(10)?, two(12)?).ok()?;
    i64::try_from(time.unix_duration().as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_second_and_in_one_form_only() {
        for (text, time) in [
            ("19700101000000Z", Some(0)),
            ("20000229235959Z", Some(951_868_799)),
            ("20260601000000Z", Some(1_780_272_000)),
            ("20260601000000.123Z", Some(1_780_272_000)),
            ("20991231235959.999999999Z", Some(4_102_444_799)),
            ("20260229000000Z", None),
            ("20260601240000Z", None),
            ("20261301000000Z", None),
            ("20260601000000.Z", None),
            ("20260601000000", None),
            ("20260601000000+0000", None),
            ("2026060100000Z", None),
            ("19691231235959Z", None),
            ("2026060100000\u{e9}Z", None),
        ] {
            assert_eq!(seconds(text.as_bytes()), time, "{text}");
        }
    }
}
