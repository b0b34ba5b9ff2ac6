//! The content of a certificate's extensions, for both parsers.

use std::borrow::Cow;

use jiff::SignedDuration;

use super::error::CertificateError;
use super::frame::Frame;
use super::usage;
use crate::identity::der::{self, DerError, Reader};
use crate::identity::extension::{Encoding, Extensions};
use crate::identity::precertificate::{PRECERTIFICATE_POISON, SCT_LIST};
use crate::identity::san::{MAX_NAMES, San, SanType};
use crate::identity::{Anomaly, Extension, text};

/// Fulcio's validity is ten minutes; from here on it is worth a word.
const LONG_VALIDITY: SignedDuration = SignedDuration::from_hours(1);

/// Most extensions in one certificate; Fulcio's have about thirty.
pub(super) const MAX_EXTENSIONS: usize = 128;

/// The result of a parser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) frame: Frame,
    pub(super) claims: Claims,
}

/// The decoded extensions, and their anomalies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Claims {
    pub sans: Vec<San>,
    pub extensions: Extensions,
    pub anomalies: Vec<Anomaly>,
    /// The key ids that it gives to its issuer and to itself.
    pub authority_key_id: Option<KeyId>,
    pub subject_key_id: Option<KeyId>,
    /// The number of extensions of any kind.
    count: usize,
    uses: Uses,
}

/// The beginning of a key identifier; all of it if it is a SHA-1 hash as RFC 5280 §4.2.1.2 suggests. It names a key and
/// proves nothing.
pub type KeyId = [u8; 20];

/// What its standard extensions allow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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

impl Claims {
    /// Whether it may issue certificates: a CA by its basic constraints, with the key usage for it (RFC 5280 §4.2.1.3).
    pub(super) fn may_issue(&self) -> bool {
        self.uses.authority && self.uses.certificate_signing
    }

    /// Whether there are no more names and extensions than allowed.
    pub(super) fn check_limits(&self) -> Result<(), CertificateError> {
        if self.count > MAX_EXTENSIONS {
            return Err(CertificateError::TooManyExtensions {
                limit: MAX_EXTENSIONS,
            });
        }
        if self.sans.len() > MAX_NAMES {
            return Err(CertificateError::TooManyNames { limit: MAX_NAMES });
        }
        Ok(())
    }

    /// Adds one extension; `names` parses a list of names.
    pub(super) fn extension(
        &mut self,
        oid: &[u8],
        value: &[u8],
        names: impl Fn(&[u8], &mut Vec<San>, &mut Vec<Anomaly>) -> Result<(), DerError>,
    ) -> Result<(), CertificateError> {
        self.count += 1;
        // Before the others: most extensions of a certificate are Fulcio's.
        if let Some([number]) = oid.strip_prefix(FULCIO) {
            if let Some((extension, encoding)) = Extension::from_number(*number) {
                self.fulcio(extension, encoding, value);
            }
            return Ok(());
        }
        match oid {
            SUBJECT_ALTERNATIVE_NAME => {
                if self.uses.names {
                    self.anomalies.push(Anomaly::RepeatedNames);
                }
                self.uses.names = true;
                names(value, &mut self.sans, &mut self.anomalies).map_err(|source| {
                    CertificateError::Der {
                        part: "subjectAltName",
                        source,
                    }
                })?;
            }
            KEY_USAGE => self.uses.certificate_signing |= allows_certificate_signing(value),
            BASIC_CONSTRAINTS => self.uses.authority |= is_authority(value),
            EXTENDED_KEY_USAGE => self.uses.code_signing |= allows_code_signing(value),
            AUTHORITY_KEY_ID => self.authority_key_id = authority_key_id(value),
            SUBJECT_KEY_ID => {
                self.subject_key_id = der::only(value, der::OCTET_STRING).ok().map(key_id);
            }
            SCT_LIST => self.uses.sct = true,
            PRECERTIFICATE_POISON => self.uses.poison = true,
            _ => {}
        }
        Ok(())
    }

    fn fulcio(&mut self, extension: Extension, encoding: Encoding, value: &[u8]) {
        let canonical = match encoding {
            Encoding::Raw => text::plain(value),
            Encoding::Utf8String => text::canonical(value, der::UTF8_STRING),
        };
        // An identity must not escape a watch because of an irregular encoding: the readable part is kept.
        let text = if let Some(text) = canonical {
            Cow::Borrowed(text)
        } else {
            self.anomalies.push(Anomaly::ExtensionEncoding(extension));
            Cow::Owned(text::lenient(value))
        };
        match self.extensions.position(extension) {
            None => self.extensions.push(extension, &text),
            Some(at) if extension == Extension::Issuer => {
                if self.extensions.values(extension).any(|value| value == text) {
                    return;
                }
                self.anomalies.push(Anomaly::TwoIssuers);
                let at = if encoding == Encoding::Utf8String {
                    at
                } else {
                    at + 1
                };
                self.extensions.insert(at, extension, &text);
            }
            Some(_) => {
                self.anomalies.push(Anomaly::RepeatedExtension(extension));
                self.extensions.push(extension, &text);
            }
        }
    }

    /// Notes what no leaf certificate of Fulcio has or lacks, all its extensions read.
    pub(super) fn look_over(&mut self, frame: &Frame) {
        match self.sans.as_slice() {
            [] => self.anomalies.push(Anomaly::NoName),
            [_] => {}
            names => self.anomalies.push(Anomaly::SeveralNames(names.len())),
        }
        let unusual = |san: &&San| matches!(san.kind, SanType::Dns | SanType::Ip);
        if let Some(san) = self.sans.iter().find(unusual) {
            self.anomalies.push(Anomaly::UnusualName(san.kind));
        }
        let validity = frame.not_before.duration_until(frame.not_after);
        if validity.is_negative() {
            self.anomalies.push(Anomaly::EmptyValidity);
        } else if validity > LONG_VALIDITY {
            self.anomalies.push(Anomaly::LongValidity(validity));
        }
        for (holds, anomaly) in [
            (!self.uses.sct, Anomaly::NoSct),
            (!self.uses.code_signing, Anomaly::NoCodeSigning),
            (self.uses.authority, Anomaly::Authority),
            (self.uses.poison, Anomaly::Precertificate),
        ] {
            if holds {
                self.anomalies.push(anomaly);
            }
        }
    }
}

/// 1.3.6.1.4.1.57264.1, without the last arc.
const FULCIO: &[u8] = b"\x2b\x06\x01\x04\x01\x83\xbf\x30\x01";
const SUBJECT_KEY_ID: &[u8] = b"\x55\x1d\x0e";
const AUTHORITY_KEY_ID: &[u8] = b"\x55\x1d\x23";
const KEY_USAGE: &[u8] = b"\x55\x1d\x0f";
const SUBJECT_ALTERNATIVE_NAME: &[u8] = b"\x55\x1d\x11";
const BASIC_CONSTRAINTS: &[u8] = b"\x55\x1d\x13";
const EXTENDED_KEY_USAGE: &[u8] = b"\x55\x1d\x25";
/// 1.3.6.1.5.5.7.3.3 and anyExtendedKeyUsage, 2.5.29.37.0.
const CODE_SIGNING: [&[u8]; 2] = [b"\x2b\x06\x01\x05\x05\x07\x03\x03", b"\x55\x1d\x25\x00"];

/// keyCertSign is bit 5 of the named bits (RFC 5280 §4.2.1.3).
fn allows_certificate_signing(value: &[u8]) -> bool {
    match der::only(value, der::BIT_STRING) {
        Ok([_unused, first, ..]) => first & 0b0000_0100 != 0,
        Ok(_) => false,
        Err(_) => usage::allows_certificate_signing(value),
    }
}

/// `SEQUENCE { cA BOOLEAN DEFAULT FALSE, … }`. Every value except false counts as true: it is safe to doubt a leaf, and
/// the CAs of the trusted root were configured.
fn is_authority(value: &[u8]) -> bool {
    let Ok(content) = der::only(value, der::SEQUENCE) else {
        return usage::is_authority(value);
    };
    let mut reader = Reader::new(content);
    match reader.optional(der::BOOLEAN) {
        Ok(Some(flag)) => reader.bytes(&flag.content).iter().any(|byte| *byte != 0),
        _ => false,
    }
}

/// `SEQUENCE { keyIdentifier [0] IMPLICIT OCTET STRING OPTIONAL, … }` (RFC 5280 §4.2.1.1).
fn authority_key_id(value: &[u8]) -> Option<KeyId> {
    let mut reader = Reader::new(der::only(value, der::SEQUENCE).ok()?);
    let id = reader.optional(der::primitive(0)).ok()??;
    Some(key_id(reader.bytes(&id.content)))
}

fn key_id(bytes: &[u8]) -> KeyId {
    let mut id = KeyId::default();
    for (to, from) in id.iter_mut().zip(bytes) {
        *to = *from;
    }
    id
}

fn allows_code_signing(value: &[u8]) -> bool {
    let Ok(content) = der::only(value, der::SEQUENCE) else {
        return usage::allows_code_signing(value);
    };
    let mut reader = Reader::new(content);
    while let Ok(purpose) = reader.expect(der::OID) {
        if CODE_SIGNING.contains(&reader.bytes(&purpose.content)) {
            return true;
        }
    }
    false
}
