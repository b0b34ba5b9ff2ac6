//! Certificates: reading them from PEM, and finding the path from a signer's certificate to one that is trusted.
//!
//! The path is built by the rules of OpenSSL's `X509_verify_cert` without a purpose, which the reference implementation
//! uses. They are looser than those of the web's PKI: a signer's certificate may be a CA, and names mean nothing. On top
//! of them every certificate must be valid at an instant that the verifier chooses ([`ValidAt`]; the reference takes the
//! beginning of the signer's certificate), and the signer's certificate must be for signing.

use std::fmt::Write as _;

use x509_parser::prelude::X509Certificate;

use crate::key::PublicKey;
use crate::pem;

mod constraints;
mod error;
mod limits;
mod name;
mod parsed;
mod path;
mod scheme;
mod signature;
mod x509;

pub use error::{ChainError, MAX_STORE_CERTIFICATES};
pub(crate) use path::{Path, check_for_signing, walk};
pub use path::{Rules, ValidAt};
pub(crate) use x509::read;

/// The certificates that are trusted: the way from a signer's certificate must end at a self-signed one of them.
///
/// Others may be among them, and help to find the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustStore {
    certificates: Vec<Vec<u8>>,
}

impl TrustStore {
    /// Reads every certificate of the PEM files.
    ///
    /// # Errors
    ///
    /// [`ChainError`], if a file has none, or one that cannot be read.
    pub fn from_pem<F: AsRef<[u8]>>(files: &[F]) -> Result<Self, ChainError> {
        let mut certificates = Vec::new();
        for file in files {
            certificates.extend(all_of_pem(file.as_ref())?);
        }
        Self::from_der(certificates)
    }

    /// Trusts certificates in DER, such as those that an operating system or a browser trusts.
    ///
    /// # Errors
    ///
    /// [`ChainError`], if there is none, or one that cannot be read.
    pub fn from_der(certificates: Vec<Vec<u8>>) -> Result<Self, ChainError> {
        if certificates.is_empty() {
            return Err(ChainError::NoCertificate);
        }
        if certificates.len() > MAX_STORE_CERTIFICATES {
            return Err(ChainError::TooMany);
        }
        for der in &certificates {
            read(der)?;
        }
        Ok(Self { certificates })
    }

    /// The certificates in DER, in order.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }
}

/// What people are shown of a certificate. Names are as the certificate has them, not escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its subject, as in `CN=Falcon releases, O=Falcon`.
    pub subject: String,
    /// Its issuer.
    pub issuer: String,
    /// SHA-256 of its DER, lower-case hex.
    pub sha256: String,
    /// When it begins, in seconds of Unix time.
    pub not_before: i64,
    /// When it ends, in seconds of Unix time.
    pub not_after: i64,
}

impl Summary {
    /// Of a certificate in DER.
    ///
    /// # Errors
    ///
    /// [`ChainError::Malformed`].
    pub fn of(der: &[u8]) -> Result<Self, ChainError> {
        let certificate = read(der)?;
        let validity = certificate.validity();
        Ok(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            sha256: crate::key::sha256_hex(der),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }
}

/// Whether a certificate in DER has an extension of Fulcio (1.3.6.1.4.1.57264.1.N): Sigstore issued it to an identity.
///
/// # Errors
///
/// [`ChainError::Malformed`].
pub(crate) fn is_of_fulcio(der: &[u8]) -> Result<bool, ChainError> {
    let certificate = read(der)?;
    let mut extensions = certificate.extensions().iter();
    Ok(extensions.any(|extension| {
        let arcs = extension.oid.iter().map(Iterator::collect::<Vec<u64>>);
        matches!(arcs.as_deref(), Some([1, 3, 6, 1, 4, 1, 57264, 1, _]))
    }))
}

/// SHA-256 of a certificate in DER as tools show it: `AA:BB:…`, 32 bytes.
///
/// ```
/// let fingerprint = model_signing::certificate::fingerprint(b"");
/// assert!(fingerprint.starts_with("E3:B0:C4:42:"));
/// assert_eq!(fingerprint.len(), 32 * 3 - 1);
/// ```
pub fn fingerprint(der: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    let mut text = String::with_capacity(96);
    for (index, byte) in digest.as_ref().iter().enumerate() {
        let separator = if index == 0 { "" } else { ":" };
        write!(text, "{separator}{byte:02X}").expect("writing to a String does not fail");
    }
    text
}

/// Every certificate of a PEM file, at least one.
pub(crate) fn all_of_pem(text: &[u8]) -> Result<Vec<Vec<u8>>, ChainError> {
    let mut certificates = Vec::new();
    for block in pem::blocks(text)? {
        let block = block?;
        if is_certificate(block.label) {
            if certificates.len() == MAX_STORE_CERTIFICATES {
                return Err(ChainError::TooMany);
            }
            read(&block.contents)?;
            certificates.push(block.contents.to_vec());
        }
    }
    if certificates.is_empty() {
        return Err(ChainError::NoCertificate);
    }
    Ok(certificates)
}

/// The key of a signer's certificate.
pub(crate) fn leaf_key(der: &[u8]) -> Result<PublicKey, ChainError> {
    let certificate = read(der)?;
    PublicKey::from_spki_der(certificate.public_key().raw).map_err(ChainError::LeafKey)
}

/// The subject of a certificate for a message, shortened and escaped.
pub(crate) fn shown_subject(certificate: &X509Certificate<'_>) -> String {
    name::shown(certificate.subject())
}

fn is_certificate(label: &[u8]) -> bool {
    label == b"CERTIFICATE" || label == b"X509 CERTIFICATE"
}
