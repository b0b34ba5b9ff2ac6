//! An X.509 certificate, as far as it says who and for how long.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};

use super::der::{self, DerError, Element, Reader};
use super::extension::Encoding;
use super::san::{self, SanError};
use super::{Extension, Oddity, San, SanType, time};

/// Longest certificate that is read, in bytes: a leaf of a tiled log cannot hold a longer one, and the longest that
/// Fulcio issues are a twentieth of it.
pub const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;

/// Most names in one certificate. Fulcio gives one; web servers' certificates have up to a hundred by policy.
pub const MAX_NAMES: usize = 256;

/// Most extensions in one certificate; Fulcio's have about thirty.
const MAX_EXTENSIONS: usize = 128;

/// Fulcio's validity is ten minutes; from here on it is worth a word.
const LONG_VALIDITY: SignedDuration = SignedDuration::from_hours(1);

/// Why bytes are not a certificate that we can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Longer than [`MAX_CERTIFICATE_BYTES`].
    #[error("certificate of {length} bytes, the limit is {limit}")]
    TooLong {
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// Not DER, or not the structure of a certificate.
    #[error("{part}: {source}")]
    Der {
        /// Which part of it.
        part: &'static str,
        /// What is wrong there.
        source: DerError,
    },
    /// A validity that names no moment.
    #[error("{part} is not a time")]
    Time {
        /// Which end of the validity.
        part: &'static str,
    },
    /// More than [`MAX_NAMES`] names.
    #[error("more than {limit} names")]
    TooManyNames {
        /// The limit.
        limit: usize,
    },
    /// More extensions than any certificate has reason to.
    #[error("more than {limit} extensions")]
    TooManyExtensions {
        /// The limit.
        limit: usize,
    },
}

/// A certificate that was read. Nothing in it is believed yet: anyone can write one.
///
/// It owns its DER; nothing is hashed or verified before it is asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    parsed: Parsed,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("sans", &self.parsed.sans)
            .field("issuer", &self.issuer())
            .field("not_before", &self.parsed.not_before)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads exactly one DER certificate.
    ///
    /// # Errors
    /// Whatever is no strict DER certificate within the limits, with the part of it that cannot be read.
    pub fn parse(der: Vec<u8>) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(CertificateError::TooLong {
                length: der.len(),
                limit: MAX_CERTIFICATE_BYTES,
            });
        }
        let parsed = Parsed::read(&der)?;
        Ok(Self { der, parsed })
    }

    /// Its names, in its order.
    pub fn sans(&self) -> &[San] {
        &self.parsed.sans
    }

    /// Who issued the identity token that Fulcio saw: the present extension, else the old one.
    pub fn issuer(&self) -> Option<&str> {
        self.extension(Extension::Issuer)
    }

    /// Every issuer it claims. More than one is an [`Oddity::TwoIssuers`]; a watch must look at each.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.parsed
            .extensions
            .iter()
            .filter(|(extension, _)| *extension == Extension::Issuer)
            .map(|(_, value)| value.as_str())
    }

    /// The value of one of Fulcio's extensions; its first, should it be there twice.
    pub fn extension(&self, extension: Extension) -> Option<&str> {
        self.parsed
            .extensions
            .iter()
            .find(|(e, _)| *e == extension)
            .map(|(_, value)| value.as_str())
    }

    /// Fulcio's extensions, in the certificate's order except that the present issuer comes before the old one.
    /// The two issuers are one if they agree.
    pub fn extensions(&self) -> &[(Extension, String)] {
        &self.parsed.extensions
    }

    /// What is odd about it in itself, whoever issued it.
    pub fn oddities(&self) -> &[Oddity] {
        &self.parsed.oddities
    }

    /// The certificate itself.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its SubjectPublicKeyInfo, DER.
    pub fn spki_der(&self) -> &[u8] {
        self.part(&self.parsed.spki)
    }

    /// SHA-256 of the DER certificate; computed on each call.
    pub fn sha256(&self) -> [u8; 32] {
        super::key::sha256(&self.der)
    }

    /// SHA-256 of the DER SubjectPublicKeyInfo; computed on each call.
    pub fn key_sha256(&self) -> [u8; 32] {
        super::key::sha256(self.spki_der())
    }

    /// When its validity begins: for Fulcio, when it was issued.
    pub fn not_before(&self) -> Timestamp {
        self.parsed.not_before
    }

    /// When its validity ends.
    pub fn not_after(&self) -> Timestamp {
        self.parsed.not_after
    }

    /// Its serial number, the content of the DER INTEGER.
    pub fn serial(&self) -> &[u8] {
        self.part(&self.parsed.serial)
    }

    /// The DER name of the CA that it says has issued it.
    pub fn issuer_name_der(&self) -> &[u8] {
        self.part(&self.parsed.issuer_name)
    }

    /// Its own DER name; empty in Fulcio's leaves.
    pub fn subject_name_der(&self) -> &[u8] {
        self.part(&self.parsed.subject_name)
    }

    /// The part that the CA signed.
    pub(super) fn tbs_der(&self) -> &[u8] {
        self.part(&self.parsed.tbs)
    }

    /// The DER AlgorithmIdentifier of the CA's signature: the one outside the signed part, as verifiers use.
    pub(super) fn signature_algorithm_der(&self) -> &[u8] {
        self.part(&self.parsed.signature_algorithm)
    }

    /// The CA's signature.
    pub(super) fn signature(&self) -> &[u8] {
        self.part(&self.parsed.signature)
    }

    /// May it issue certificates: a CA by its basic constraints, with the key usage for it (RFC 5280 §4.2.1.3)?
    pub(super) fn may_issue(&self) -> bool {
        self.parsed.uses.authority && self.parsed.uses.certificate_signing
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.der.get(range.clone()).unwrap_or_default()
    }
}

/// Ranges into the DER, and what was decoded.
#[derive(Clone, PartialEq, Eq)]
struct Parsed {
    tbs: Range<usize>,
    serial: Range<usize>,
    issuer_name: Range<usize>,
    subject_name: Range<usize>,
    spki: Range<usize>,
    signature_algorithm: Range<usize>,
    signature: Range<usize>,
    not_before: Timestamp,
    not_after: Timestamp,
    sans: Vec<San>,
    extensions: Vec<(Extension, String)>,
    uses: Uses,
    oddities: Vec<Oddity>,
}

/// What its standard extensions allow.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent extension"
)]
struct Uses {
    authority: bool,
    certificate_signing: bool,
    code_signing: bool,
    sct: bool,
    poison: bool,
    names: bool,
}

/// Names the part in which DER could not be read.
fn in_part(part: &'static str) -> impl FnOnce(DerError) -> CertificateError {
    move |source| CertificateError::Der { part, source }
}

impl Parsed {
    /// RFC 5280 §4.1.
    fn read(input: &[u8]) -> Result<Self, CertificateError> {
        let mut outer = Reader::new(input);
        let certificate = outer
            .expect(der::SEQUENCE)
            .map_err(in_part("certificate"))?;
        outer.end().map_err(in_part("certificate"))?;
        let mut parts = outer.inside(&certificate.content);
        let tbs = parts
            .expect(der::SEQUENCE)
            .map_err(in_part("tbsCertificate"))?;
        let algorithm = parts
            .expect(der::SEQUENCE)
            .map_err(in_part("signatureAlgorithm"))?;
        let signature = parts.octets_of_bits().map_err(in_part("signature"))?;
        parts.end().map_err(in_part("certificate"))?;

        let mut fields = outer.inside(&tbs.content);
        fields
            .optional(der::constructed(0))
            .map_err(in_part("version"))?;
        let serial = fields
            .expect(der::INTEGER)
            .map_err(in_part("serialNumber"))?;
        fields
            .expect(der::SEQUENCE)
            .map_err(in_part("tbsCertificate.signature"))?;
        let issuer_name = fields.expect(der::SEQUENCE).map_err(in_part("issuer"))?;
        let validity = fields.expect(der::SEQUENCE).map_err(in_part("validity"))?;
        let mut times = outer.inside(&validity.content);
        let mut moment = |part| {
            let element = times.element().map_err(in_part(part))?;
            time::parse(&element, outer.bytes(&element.content))
                .ok_or(CertificateError::Time { part })
        };
        let (not_before, not_after) = (moment("notBefore")?, moment("notAfter")?);
        times.end().map_err(in_part("validity"))?;
        let subject_name = fields.expect(der::SEQUENCE).map_err(in_part("subject"))?;
        let spki = fields
            .expect(der::SEQUENCE)
            .map_err(in_part("subjectPublicKeyInfo"))?;
        for unique_id in [der::primitive(1), der::primitive(2)] {
            fields
                .optional(unique_id)
                .map_err(in_part("uniqueIdentifier"))?;
        }
        let mut parsed = Self {
            tbs: tbs.whole,
            serial: serial.content,
            issuer_name: issuer_name.whole,
            subject_name: subject_name.whole,
            spki: spki.whole,
            signature_algorithm: algorithm.whole,
            signature,
            not_before,
            not_after,
            sans: Vec::new(),
            extensions: Vec::new(),
            uses: Uses::default(),
            oddities: Vec::new(),
        };
        let extensions = fields
            .optional(der::constructed(3))
            .map_err(in_part("extensions"))?;
        if let Some(explicit) = extensions {
            parsed.read_extensions(&outer, &explicit)?;
        }
        fields.end().map_err(in_part("tbsCertificate"))?;
        parsed.look_over();
        Ok(parsed)
    }

    fn read_extensions(
        &mut self,
        outer: &Reader<'_>,
        explicit: &Element,
    ) -> Result<(), CertificateError> {
        const PART: &str = "extensions";
        let mut wrapped = outer.inside(&explicit.content);
        let list = wrapped.expect(der::SEQUENCE).map_err(in_part(PART))?;
        wrapped.end().map_err(in_part(PART))?;
        let mut list = outer.inside(&list.content);
        let mut count = 0;
        while !list.is_empty() {
            count += 1;
            if count > MAX_EXTENSIONS {
                return Err(CertificateError::TooManyExtensions {
                    limit: MAX_EXTENSIONS,
                });
            }
            let extension = list.expect(der::SEQUENCE).map_err(in_part(PART))?;
            let mut fields = outer.inside(&extension.content);
            let oid = fields.expect(der::OID).map_err(in_part(PART))?;
            fields.optional(der::BOOLEAN).map_err(in_part(PART))?;
            let value = fields.expect(der::OCTET_STRING).map_err(in_part(PART))?;
            fields.end().map_err(in_part(PART))?;
            self.read_extension(outer.bytes(&oid.content), outer.bytes(&value.content))?;
        }
        Ok(())
    }

    fn read_extension(&mut self, oid: &[u8], value: &[u8]) -> Result<(), CertificateError> {
        match oid {
            SUBJECT_ALTERNATIVE_NAME => {
                if self.uses.names {
                    self.oddities.push(Oddity::RepeatedNames);
                }
                self.uses.names = true;
                san::parse(value, &mut self.sans, &mut self.oddities).map_err(
                    |error| match error {
                        SanError::Der(source) => in_part("subjectAltName")(source),
                        SanError::TooMany => CertificateError::TooManyNames { limit: MAX_NAMES },
                    },
                )?;
            }
            KEY_USAGE => self.uses.certificate_signing |= allows_certificate_signing(value),
            BASIC_CONSTRAINTS => self.uses.authority |= is_authority(value),
            EXTENDED_KEY_USAGE => self.uses.code_signing |= allows_code_signing(value),
            SCT_LIST => self.uses.sct = true,
            PRECERTIFICATE_POISON => self.uses.poison = true,
            _ => {
                if let Some([number]) = oid.strip_prefix(FULCIO)
                    && let Some((extension, encoding)) = Extension::from_number(*number)
                {
                    self.read_fulcio(extension, encoding, value);
                }
            }
        }
        Ok(())
    }

    fn read_fulcio(&mut self, extension: Extension, encoding: Encoding, value: &[u8]) {
        let content = match encoding {
            Encoding::Raw => Some(value),
            Encoding::Utf8String => der::only(value, der::UTF8_STRING).ok(),
        };
        // An identity must not escape a watch because its encoding is off: what can be read is kept.
        let text = if let Some(Ok(text)) = content.map(std::str::from_utf8) {
            text.to_owned()
        } else {
            self.oddities.push(Oddity::ExtensionEncoding(extension));
            String::from_utf8_lossy(content.unwrap_or(value)).into_owned()
        };
        let earlier = self.extensions.iter().position(|(e, _)| *e == extension);
        match earlier {
            None => self.extensions.push((extension, text)),
            Some(at) if extension == Extension::Issuer => {
                let same = |(e, value): &(Extension, String)| *e == extension && *value == text;
                if self.extensions.iter().any(same) {
                    return;
                }
                self.oddities.push(Oddity::TwoIssuers);
                let at = if encoding == Encoding::Utf8String {
                    at
                } else {
                    at + 1
                };
                self.extensions.insert(at, (extension, text));
            }
            Some(_) => {
                self.oddities.push(Oddity::RepeatedExtension(extension));
                self.extensions.push((extension, text));
            }
        }
    }

    /// Notes what no leaf certificate of Fulcio has or lacks.
    fn look_over(&mut self) {
        match self.sans.as_slice() {
            [] => self.oddities.push(Oddity::NoName),
            [_] => {}
            names => self.oddities.push(Oddity::SeveralNames(names.len())),
        }
        let unusual = |san: &&San| matches!(san.kind, SanType::Dns | SanType::Ip);
        if let Some(san) = self.sans.iter().find(unusual) {
            self.oddities.push(Oddity::UnusualName(san.kind));
        }
        let validity = self.not_before.duration_until(self.not_after);
        if validity.is_negative() {
            self.oddities.push(Oddity::EmptyValidity);
        } else if validity > LONG_VALIDITY {
            self.oddities.push(Oddity::LongValidity(validity));
        }
        for (holds, oddity) in [
            (!self.uses.sct, Oddity::NoSct),
            (!self.uses.code_signing, Oddity::NoCodeSigning),
            (self.uses.authority, Oddity::Authority),
            (self.uses.poison, Oddity::Precertificate),
        ] {
            if holds {
                self.oddities.push(oddity);
            }
        }
    }
}

/// 1.3.6.1.4.1.57264.1, without the last arc.
const FULCIO: &[u8] = b"\x2b\x06\x01\x04\x01\x83\xbf\x30\x01";
const KEY_USAGE: &[u8] = b"\x55\x1d\x0f";
const SUBJECT_ALTERNATIVE_NAME: &[u8] = b"\x55\x1d\x11";
const BASIC_CONSTRAINTS: &[u8] = b"\x55\x1d\x13";
const EXTENDED_KEY_USAGE: &[u8] = b"\x55\x1d\x25";
/// 1.3.6.1.4.1.11129.2.4.2 (RFC 6962 §3.3).
const SCT_LIST: &[u8] = b"\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x02";
/// 1.3.6.1.4.1.11129.2.4.3 (RFC 6962 §3.1).
const PRECERTIFICATE_POISON: &[u8] = b"\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x03";
/// 1.3.6.1.5.5.7.3.3 and anyExtendedKeyUsage, 2.5.29.37.0.
const CODE_SIGNING: [&[u8]; 2] = [b"\x2b\x06\x01\x05\x05\x07\x03\x03", b"\x55\x1d\x25\x00"];

/// keyCertSign is bit 5 of the named bits (RFC 5280 §4.2.1.3).
fn allows_certificate_signing(value: &[u8]) -> bool {
    match der::only(value, der::BIT_STRING) {
        Ok([_unused, first, ..]) => first & 0b0000_0100 != 0,
        _ => false,
    }
}

/// `SEQUENCE { cA BOOLEAN DEFAULT FALSE, … }`. Any true-ish value counts: to doubt a leaf is the safe side, and a
/// CA of the trusted root is vouched for by whoever configured it.
fn is_authority(value: &[u8]) -> bool {
    let Ok(content) = der::only(value, der::SEQUENCE) else {
        return false;
    };
    let mut reader = Reader::new(content);
    match reader.optional(der::BOOLEAN) {
        Ok(Some(flag)) => reader.bytes(&flag.content).iter().any(|byte| *byte != 0),
        _ => false,
    }
}

fn allows_code_signing(value: &[u8]) -> bool {
    let Ok(content) = der::only(value, der::SEQUENCE) else {
        return false;
    };
    let mut reader = Reader::new(content);
    while let Ok(purpose) = reader.expect(der::OID) {
        if CODE_SIGNING.contains(&reader.bytes(&purpose.content)) {
            return true;
        }
    }
    false
}
