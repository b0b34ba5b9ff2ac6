//! An X.509 certificate: names, validity, key and chain.
//!
//! Two readers, because one cannot be both fast and lenient without being wrong somewhere:
//!
//! * [`strict`] is our own: DER and nothing else, the dozen relevant fields, without decoding names. It is the
//!   innermost loop of a catch-up and takes 1.7 µs where `x509-parser` takes 4.4 µs (for a certificate of Fulcio, of
//!   about 1.7 kB). CAs write DER, so it parses nearly all certificates.
//! * [`lenient`] is `x509-parser`, a general parser that many programs use. It parses only certificates that the first
//!   one refuses, and its result counts: a signing must not escape a watch because of irregular bytes around the name.
//!   Anyone who has a certificate can make them irregular, because the outermost structure is not signed: Go, in which
//!   Rekor and cosign are written, ignores bytes after the signature. If it refuses them too, for example because of
//!   indefinite lengths, which Java and OpenSSL accept, they are encoded again in DER and parsed once more.
//!
//! Such a certificate has its names and its chain like any other, and [`Anomaly::NotDer`] in addition;
//! [`Certificate::irregularity`] returns the reason. Other parsers may find another certificate in the same bytes, so
//! its entry is unreadable as well. In the tests the second parser checks the first: if both can parse a certificate,
//! they agree on every field.

mod claims;
mod error;
mod frame;
mod lenient;
mod strict;
#[cfg(test)]
mod tests;
mod twins;
mod usage;

use std::borrow::Cow;
use std::ops::Range;

use jiff::Timestamp;

use super::precertificate::Logged;
use super::signature::verify_certificate;
use super::{Anomaly, Extension, Extensions, San, ber, der};
pub(super) use claims::KeyId;
use claims::Parsed;

pub use error::CertificateError;

/// Longest accepted certificate, in bytes: a leaf of a tiled log cannot contain a longer one, and the longest of Fulcio
/// have a twentieth of that.
pub const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;

/// `AlgorithmIdentifier { id-alg-unsigned }` and an empty BIT STRING (RFC 9925 §3).
const UNSIGNED: &[u8] = b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x06\x24\x03\x01\x00";

/// A parsed certificate, or the form in which a certificate transparency log contains one. Nothing in it is trusted
/// yet: anyone can write one.
///
/// It owns its DER; hashes and verification are computed on demand.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The parsed bytes.
    der: Vec<u8>,
    /// The original bytes, if they had to be encoded again to be parsed.
    given: Option<Vec<u8>>,
    parsed: Parsed,
    irregularity: Option<CertificateError>,
    logged: Option<Box<LoggedPart>>,
}

/// The content of a precert_entry besides the TBSCertificate (RFC 6962 §3.2).
#[derive(Clone, PartialEq, Eq)]
struct LoggedPart {
    issuer_key_sha256: [u8; 32],
    /// The precertificate beside the leaf, which no tree hash covers.
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
    /// Everything that is not a certificate within the limits, with the reason why it is not strict DER.
    pub fn parse(der: Vec<u8>) -> Result<Self, CertificateError> {
        let read = Self::parse_of_any_size(der)?;
        read.parsed.claims.check_limits()?;
        Ok(read)
    }

    /// The same with any number of names and extensions, for a search that may miss none. [`MAX_CERTIFICATE_BYTES`]
    /// bounds their number.
    ///
    /// # Errors
    /// As [`Certificate::parse`], except for the two numbers.
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

    /// The form of a certificate in a certificate transparency log before it is issued: its TBSCertificate without
    /// SCTs, by the CA with this key; and the precertificate that the CA submitted, if the log served it beside the
    /// leaf.
    ///
    /// The certificate does not exist yet, so it has no hash: [`Certificate::sha256`] is `None`.
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
        // SCTs are added after it was logged.
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

    /// Parses exactly one certificate in strict DER, for uses in which a certificate makes something trusted: one that
    /// other parsers may read differently is refused.
    ///
    /// # Errors
    /// Everything that is not a strict DER certificate within the limits, with the part that cannot be parsed.
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

    /// The issuer of the identity token for Fulcio: the present extension, else the old one.
    pub fn issuer(&self) -> Option<&str> {
        self.extension(Extension::Issuer)
    }

    /// Every issuer it claims. More than one is an [`Anomaly::TwoIssuers`]; a watch must look at each.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.extensions().values(Extension::Issuer)
    }

    /// The value of one of Fulcio's extensions; its first, should it be there twice.
    pub fn extension(&self, extension: Extension) -> Option<&str> {
        self.extensions().values(extension).next()
    }

    /// Fulcio's extensions, in the certificate's order except that the present issuer comes before the old one.
    /// The two issuers are one if they agree.
    pub fn extensions(&self) -> &Extensions {
        &self.parsed.claims.extensions
    }

    /// Why it is not strict DER, if it is not. Other parsers may then find another certificate in the same bytes, or
    /// none.
    pub fn irregularity(&self) -> Option<CertificateError> {
        self.irregularity
    }

    /// Its own anomalies, independent of its issuer.
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

    /// SHA-256 of the certificate as it was given; computed on each call. `None` for a precertificate: the issued
    /// certificate contains SCTs, so its hash is not known.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        self.logged
            .is_none()
            .then(|| super::key::sha256(self.der()))
    }

    /// Every hash that its owner may have: [`Self::sha256`] first, then those of the same TBSCertificate in DER with
    /// the same signature of the CA, and with the other ECDSA signature that anyone can compute of it, `(r, n - s)`.
    /// Empty for a precertificate.
    pub fn hashes(&self) -> Vec<[u8; 32]> {
        let Some(given) = self.sha256() else {
            return Vec::new();
        };
        let twins = twins::of(
            self.tbs_der(),
            self.signature_algorithm_der(),
            &self.signature(),
        )
        .into_iter();
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

    /// SHA-256 of the TBSCertificate as a certificate transparency log contains it, without SCTs and poison: the same
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

    /// Every hash that the key's owner may have: see [`Key::hashes`](crate::identity::Key::hashes).
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

    /// The DER name of the CA that it names as its issuer.
    pub fn issuer_name_der(&self) -> &[u8] {
        self.part(&self.parsed.frame.issuer_name)
    }

    /// Its own DER name; empty in Fulcio's leaf certificates.
    pub fn subject_name_der(&self) -> &[u8] {
        self.part(&self.parsed.frame.subject_name)
    }

    /// The beginning of the id of the key that it names as its signer.
    pub(super) fn authority_key_id(&self) -> Option<KeyId> {
        self.parsed.claims.authority_key_id
    }

    /// The beginning of the id of its own key.
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
    /// If it is not a whole number of bytes, it is shifted to the right, as in Go: otherwise an attacker could shift
    /// the signature of a certificate to the left, and programs in Go would verify what is untrusted here.
    pub(super) fn signature(&self) -> Cow<'_, [u8]> {
        let bytes = self.part(&self.parsed.frame.signature);
        match self.parsed.frame.signature_unused_bits {
            unused @ 1..=7 => Cow::Owned(der::shifted_right(bytes, unused)),
            _ => Cow::Borrowed(bytes),
        }
    }

    /// Whether it may issue certificates: a CA by its basic constraints, with the key usage for it (RFC 5280 §4.2.1.3).
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

/// A certificate in BER, encoded in DER. Only the lengths change: a part that was in DER, as CAs write it, stays the
/// same.
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
