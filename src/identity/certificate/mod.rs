//! An X.509 certificate, as far as it says who and for how long.
//!
//! Two readers, because one cannot be both fast and lenient without being wrong somewhere:
//!
//! * [`strict`] is our own: DER and nothing else, the dozen fields that matter, no name taken apart. It is the
//!   innermost loop of a catch-up and takes 1.7 µs where `x509-parser` takes 4.4 µs (for a certificate of Fulcio, of
//!   about 1.7 kB). A CA writes DER, so nearly all certificates are read by it.
//! * [`lenient`] is `x509-parser`, a general reader that many programs use. It is asked only about what the first one
//!   refuses, and what it makes of that counts: a signing must not escape a watch because the bytes around the name
//!   are odd. Whoever has a certificate can make them odd, for the outermost structure is not signed: Go, in which
//!   Rekor and cosign are written, passes over bytes after the signature. What that one refuses as well, such as lengths
//!   that are not given in advance, which Java and OpenSSL take, is written anew in DER and read once more.
//!
//! Such a certificate has its names and its chain like any other, [`Anomaly::NotDer`] besides, and
//! [`Certificate::irregularity`] says what is wrong: other readers may see another certificate in the same bytes, so
//! its entry stays unreadable as well. In the tests the second reader is the oracle of the first: wherever both can
//! read, they agree on every field.

mod claims;
mod error;
mod lenient;
mod strict;
#[cfg(test)]
mod tests;
mod twins;

use std::borrow::Cow;
use std::ops::Range;

use jiff::Timestamp;

use super::sct::Logged;
use super::signature::verify_certificate;
use super::{Anomaly, Extension, San, ber, der};
use claims::Claims;
pub(super) use claims::KeyId;

pub use error::CertificateError;

/// Longest certificate that is read, in bytes: a leaf of a tiled log cannot hold a longer one, and the longest that
/// Fulcio issues are a twentieth of it.
pub const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;

/// Most names in one certificate. Fulcio gives one; web servers' certificates have up to a hundred by policy.
pub const MAX_NAMES: usize = 256;

/// Most extensions in one certificate; Fulcio's have about thirty.
const MAX_EXTENSIONS: usize = 128;

/// `AlgorithmIdentifier { id-alg-unsigned }` and an empty BIT STRING (RFC 9925 §3).
const UNSIGNED: &[u8] = b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x06\x24\x03\x01\x00";

/// A certificate that was read, or what a certificate transparency log holds of one. Nothing in it is believed yet: anyone
/// can write one.
///
/// It owns its DER; nothing is hashed or verified before it is asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// What was parsed.
    der: Vec<u8>,
    /// What was given, if it had to be written anew to be parsed.
    given: Option<Vec<u8>>,
    parsed: Parsed,
    irregularity: Option<CertificateError>,
    logged: Option<Box<LoggedPart>>,
}

/// What a precert_entry says besides the TBSCertificate (RFC 6962 §3.2).
#[derive(Clone, PartialEq, Eq)]
struct LoggedPart {
    issuer_key_sha256: [u8; 32],
    /// The precertificate, which stands beside the leaf: no tree hash covers it.
    precertificate: Option<Vec<u8>>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("sans", &self.parsed.claims.sans)
            .field("issuer", &self.issuer())
            .field("not_before", &self.parsed.frame.not_before)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads one certificate, in strict DER or not: see [`Certificate::irregularity`].
    ///
    /// # Errors
    /// Whatever is no certificate within the limits, with what keeps it from being strict DER.
    pub fn parse(der: Vec<u8>) -> Result<Self, CertificateError> {
        let read = Self::parse_of_any_size(der)?;
        read.parsed.claims.check_limits()?;
        Ok(read)
    }

    /// The same with any number of names and extensions: to look for one of them where none may be overlooked. How many
    /// there can be is bounded by [`MAX_CERTIFICATE_BYTES`].
    ///
    /// # Errors
    /// As [`Certificate::parse`], but for the two numbers.
    pub fn parse_of_any_size(der: Vec<u8>) -> Result<Self, CertificateError> {
        let error = match parse_strictly(&der) {
            Ok(parsed) => {
                return Ok(Self {
                    der,
                    given: None,
                    parsed,
                    irregularity: None,
                    logged: None,
                });
            }
            Err(error) => error,
        };
        if !matches!(
            error,
            CertificateError::Der { .. } | CertificateError::Time { .. }
        ) {
            return Err(error);
        }
        let (parsed, der, given) = if let Some(parsed) = lenient::read(&der) {
            (parsed, der, None)
        } else {
            let (parsed, anew) = written_anew(&der).ok_or(error)?;
            (parsed, anew, Some(der))
        };
        let mut read = Self {
            der,
            given,
            parsed,
            irregularity: Some(error),
            logged: None,
        };
        read.parsed.claims.anomalies.push(Anomaly::NotDer);
        Ok(read)
    }

    /// What a certificate transparency log holds of a certificate before it is issued: its TBSCertificate without
    /// timestamps, by the CA with this key; and the precertificate that the CA submitted, if the log served it beside
    /// the leaf.
    ///
    /// There is no certificate yet, so there is none to hash: [`Certificate::sha256`] is `None`.
    ///
    /// # Errors
    /// As [`Certificate::parse`].
    pub fn parse_logged(
        tbs: &[u8],
        issuer_key_sha256: [u8; 32],
        precertificate: Option<&[u8]>,
    ) -> Result<Self, CertificateError> {
        // An unsigned certificate around it (RFC 9925), so that both readers can read it.
        let mut parts = tbs.to_vec();
        parts.extend(UNSIGNED);
        let mut read = Self::parse(der::encode(der::SEQUENCE, &parts))?;
        // Timestamps come after it was logged.
        read.parsed
            .claims
            .anomalies
            .retain(|o| *o != Anomaly::NoSct);
        read.logged = Some(Box::new(LoggedPart {
            issuer_key_sha256,
            precertificate: precertificate.map(<[u8]>::to_vec),
        }));
        Ok(read)
    }

    /// Reads exactly one certificate in strict DER, for where a certificate makes something trusted: one that other
    /// readers may take for another has no place there.
    ///
    /// # Errors
    /// Whatever is no strict DER certificate within the limits, with the part of it that cannot be read.
    pub fn parse_strict(der: Vec<u8>) -> Result<Self, CertificateError> {
        let parsed = parse_strictly(&der)?;
        parsed.claims.check_limits()?;
        Ok(Self {
            der,
            given: None,
            parsed,
            irregularity: None,
            logged: None,
        })
    }

    /// Its names, in its order.
    pub fn sans(&self) -> &[San] {
        &self.parsed.claims.sans
    }

    /// Who issued the identity token that Fulcio saw: the present extension, else the old one.
    pub fn issuer(&self) -> Option<&str> {
        self.extension(Extension::Issuer)
    }

    /// Every issuer it claims. More than one is an [`Anomaly::TwoIssuers`]; a watch must look at each.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.parsed
            .claims
            .extensions
            .iter()
            .filter(|(extension, _)| *extension == Extension::Issuer)
            .map(|(_, value)| value.as_str())
    }

    /// The value of one of Fulcio's extensions; its first, should it be there twice.
    pub fn extension(&self, extension: Extension) -> Option<&str> {
        self.parsed
            .claims
            .extensions
            .iter()
            .find(|(e, _)| *e == extension)
            .map(|(_, value)| value.as_str())
    }

    /// Fulcio's extensions, in the certificate's order except that the present issuer comes before the old one.
    /// The two issuers are one if they agree.
    pub fn extensions(&self) -> &[(Extension, String)] {
        &self.parsed.claims.extensions
    }

    /// Why it is not strict DER, if it is not. Other readers may then see another certificate in the same bytes, or
    /// none.
    pub fn irregularity(&self) -> Option<CertificateError> {
        self.irregularity
    }

    /// What is odd about it in itself, whoever issued it.
    pub fn anomalies(&self) -> &[Anomaly] {
        &self.parsed.claims.anomalies
    }

    /// The certificate itself, as it was given; of a precertificate its TBSCertificate as an unsigned one (RFC 9925).
    pub fn der(&self) -> &[u8] {
        self.given.as_deref().unwrap_or(&self.der)
    }

    /// Its SubjectPublicKeyInfo, DER.
    pub fn spki_der(&self) -> &[u8] {
        self.part(&self.parsed.frame.spki)
    }

    /// SHA-256 of the certificate as it was given; computed on each call. `None` for a precertificate: the certificate that
    /// became of it has timestamps in it, so its hash cannot be known.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        self.logged
            .is_none()
            .then(|| super::key::sha256(self.der()))
    }

    /// Every hash by which its owner may know it: [`Self::sha256`] first, then those of the same TBSCertificate in DER with the
    /// same signature of the CA, and with the other ECDSA signature that anyone can make of it, `(r, n - s)`. Empty for a
    /// precertificate.
    pub fn hashes(&self) -> Vec<[u8; 32]> {
        let Some(given) = self.sha256() else {
            return Vec::new();
        };
        let twins = twins::of(self).into_iter();
        let others = twins.filter(|twin| twin.as_slice() != self.der());
        [given]
            .into_iter()
            .chain(others.map(|twin| super::key::sha256(&twin)))
            .collect()
    }

    /// SHA-256 of the TBSCertificate, byte for byte: the part that the CA signed. Computed on each call.
    pub fn tbs_sha256(&self) -> [u8; 32] {
        super::key::sha256(self.tbs_der())
    }

    /// SHA-256 of the TBSCertificate as a certificate transparency log holds it, without timestamps and poison: the same
    /// for a certificate and its precertificate, and for no other. `None` if the signed part is not strict DER, or is
    /// not exactly what is in the certificate.
    pub fn logged_sha256(&self) -> Option<[u8; 32]> {
        let tbs = self.tbs_der();
        if self.logged.is_some() {
            return Some(super::key::sha256(tbs));
        }
        let logged = Logged::of(tbs).ok()?;
        Some(super::key::sha256(&logged.tbs))
    }

    /// SHA-256 of the DER SubjectPublicKeyInfo; computed on each call.
    pub fn key_sha256(&self) -> [u8; 32] {
        super::key::sha256(self.spki_der())
    }

    /// Every hash by which the key's owner may know it: see [`Key::hashes`](crate::identity::Key::hashes).
    pub fn key_hashes(&self) -> Vec<[u8; 32]> {
        super::key::hashes_of_spki(self.spki_der())
    }

    /// When its validity begins: for Fulcio, when it was issued.
    pub fn not_before(&self) -> Timestamp {
        self.parsed.frame.not_before
    }

    /// When its validity ends.
    pub fn not_after(&self) -> Timestamp {
        self.parsed.frame.not_after
    }

    /// Its serial number, the content of the DER INTEGER.
    pub fn serial(&self) -> &[u8] {
        self.part(&self.parsed.frame.serial)
    }

    /// The DER name of the CA that it says has issued it.
    pub fn issuer_name_der(&self) -> &[u8] {
        self.part(&self.parsed.frame.issuer_name)
    }

    /// Its own DER name; empty in Fulcio's leaves.
    pub fn subject_name_der(&self) -> &[u8] {
        self.part(&self.parsed.frame.subject_name)
    }

    /// The beginning of the id of the key that it says has signed it.
    pub(super) fn authority_key_id(&self) -> Option<KeyId> {
        self.parsed.claims.authority_key_id
    }

    /// The beginning of the id that it gives to its own key.
    pub(super) fn subject_key_id(&self) -> Option<KeyId> {
        self.parsed.claims.subject_key_id
    }

    /// The part that the CA signed.
    pub(super) fn tbs_der(&self) -> &[u8] {
        self.part(&self.parsed.frame.tbs)
    }

    /// The DER AlgorithmIdentifier of the CA's signature: the one outside the signed part, as verifiers use.
    pub(super) fn signature_algorithm_der(&self) -> &[u8] {
        self.part(&self.parsed.frame.signature_algorithm)
    }

    /// The CA's signature.
    ///
    /// One that is not a whole number of bytes is shifted to the right, as Go does it: whoever has a certificate could
    /// otherwise shift its signature to the left, and programs in Go would verify what is untrusted here.
    pub(super) fn signature(&self) -> Cow<'_, [u8]> {
        let bytes = self.part(&self.parsed.frame.signature);
        match self.parsed.frame.signature_unused_bits {
            unused @ 1..=7 => Cow::Owned(der::shifted_right(bytes, unused)),
            _ => Cow::Borrowed(bytes),
        }
    }

    /// May it issue certificates: a CA by its basic constraints, with the key usage for it (RFC 5280 §4.2.1.3)?
    pub fn may_issue(&self) -> bool {
        self.parsed.claims.may_issue()
    }

    /// Of a precertificate: SHA-256 of the key of the CA that will issue it.
    pub(super) fn issuer_key_sha256(&self) -> Option<&[u8; 32]> {
        Some(&self.logged.as_ref()?.issuer_key_sha256)
    }

    /// Whether the precertificate beside the leaf, if there is one, is the leaf's and signed by the CA with that key.
    pub(super) fn precertificate_holds(&self, issuer_spki: &[u8]) -> bool {
        let beside = self.logged.as_ref().and_then(|l| l.precertificate.as_ref());
        let Some(der) = beside else { return true };
        let Ok(precertificate) = Self::parse_strict(der.clone()) else {
            return false;
        };
        let same = Logged::of(precertificate.tbs_der()).is_ok_and(|l| l.tbs == self.tbs_der());
        same && verify_certificate(
            issuer_spki,
            precertificate.signature_algorithm_der(),
            precertificate.tbs_der(),
            &precertificate.signature(),
        )
        .is_ok()
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.der.get(range.clone()).unwrap_or_default()
    }
}

/// A certificate in BER, and the same in DER. The lengths are all that differs: where a part was in DER, as a CA writes it, it
/// stays as it is.
fn written_anew(ber: &[u8]) -> Option<(Parsed, Vec<u8>)> {
    if ber.len() > MAX_CERTIFICATE_BYTES {
        return None;
    }
    let (outer, _) = ber::read(ber).filter(|(outer, _)| outer.tag() == der::SEQUENCE)?;
    let der = ber::element_to_der(&outer)?;
    let parsed = strict::read(&der).ok().or_else(|| lenient::read(&der))?;
    Some((parsed, der))
}

fn parse_strictly(der: &[u8]) -> Result<Parsed, CertificateError> {
    if der.len() > MAX_CERTIFICATE_BYTES {
        return Err(CertificateError::TooLong {
            length: der.len(),
            limit: MAX_CERTIFICATE_BYTES,
        });
    }
    strict::read(der)
}

/// What a reader makes of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parsed {
    frame: Frame,
    claims: Claims,
}

/// Where its parts are in the DER: whole elements, but of the serial number and the signature the content. And from
/// when to when it is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Frame {
    tbs: Range<usize>,
    serial: Range<usize>,
    issuer_name: Range<usize>,
    subject_name: Range<usize>,
    spki: Range<usize>,
    signature_algorithm: Range<usize>,
    signature: Range<usize>,
    signature_unused_bits: u8,
    not_before: Timestamp,
    not_after: Timestamp,
}
