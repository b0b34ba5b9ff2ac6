//! Certificates: reading them from PEM, and finding the path from a signer's certificate to one that is trusted.
//!
//! The path is built by the rules of OpenSSL's `X509_verify_cert` without a purpose, which the reference implementation
//! uses. They are looser than those of the web's PKI: a signer's certificate may be a CA, and names mean nothing. On top
//! of them every certificate must be valid at an instant that the verifier chooses ([`ValidAt`]; the reference takes the
//! beginning of the signer's certificate), and the signer's certificate must be for signing.

use std::fmt::Write as _;

use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::key::{KeyError, PublicKey};
use crate::pem::{self, PemError};

mod constraints;
mod name;
mod parsed;
mod path;
mod signature;

pub(crate) use path::{Path, check_for_signing, walk};
pub use path::{Rules, ValidAt};

/// Most certificates of a trust store or of a chain file. Operating systems trust some 150.
pub const MAX_STORE_CERTIFICATES: usize = 4096;

/// Why there is no way from a signer's certificate to a trusted one, or a certificate cannot be read.
///
/// Names of certificates in it are shortened and escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// Not PEM.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// A PEM file, or a list of them, without any certificate.
    #[error("no certificate: no PEM block `CERTIFICATE`")]
    NoCertificate,
    /// More certificates than [`MAX_STORE_CERTIFICATES`].
    #[error("more than {MAX_STORE_CERTIFICATES} certificates")]
    TooMany,
    /// A certificate that is not one, or whose extensions cannot be understood in one way only.
    #[error("certificate {fingerprint} is malformed: {reason}")]
    Malformed {
        /// SHA-256 of its bytes, lower-case hex.
        fingerprint: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The key of the signer's certificate cannot sign models.
    #[error("the signing certificate has {0}")]
    LeafKey(KeyError),
    /// The way ends at a certificate whose issuer is neither trusted nor in the bundle.
    #[error("{subject} is issued by {issuer}, of which there is no matching certificate among those that are trusted{}", if *.from_store { "" } else { " or in the bundle" })]
    NoIssuer {
        /// The certificate.
        subject: String,
        /// Who issued it.
        issuer: String,
        /// The certificate is itself one of those that are trusted; but only a self-signed one ends the way.
        from_store: bool,
    },
    /// The way ends at a self-signed certificate that is not trusted.
    #[error("{subject} is self-signed and is not among those that are trusted")]
    UntrustedRoot {
        /// The certificate.
        subject: String,
    },
    /// More certificates on the way than OpenSSL would walk.
    #[error("more than {limit} certificates lead to a trusted one")]
    TooLong {
        /// How many there may be.
        limit: usize,
    },
    /// A certificate on the way was not valid at the instant that counts.
    #[error("{subject} is valid from {not_before} to {not_after}, not at {at}")]
    NotValid {
        /// The certificate.
        subject: String,
        /// The instant that counts.
        at: String,
        /// Its beginning.
        not_before: String,
        /// Its end.
        not_after: String,
    },
    /// A certificate on the way is not signed by the next one.
    #[error("the signature of {issuer} on {subject} does not verify")]
    BadSignature {
        /// The certificate.
        subject: String,
        /// The one that should have signed it.
        issuer: String,
    },
    /// A certificate on the way is signed in a way that is not verified here.
    #[error("{subject} is signed with {algorithm}, which is not verified here")]
    UnsupportedSignature {
        /// The certificate.
        subject: String,
        /// Name or object identifier.
        algorithm: String,
    },
    /// A certificate that issued another one may not do so.
    #[error("{subject} has issued a certificate, but is no CA: {reason}")]
    NotCa {
        /// The certificate.
        subject: String,
        /// Which of its extensions is the reason.
        reason: &'static str,
    },
    /// A CA allows fewer CAs below it than there are.
    #[error("{subject} allows {allowed} CAs below it, and {found} are there")]
    PathLength {
        /// The CA.
        subject: String,
        /// How many it allows.
        allowed: u32,
        /// How many there are.
        found: u32,
    },
    /// A certificate on the way demands that something be understood that is not.
    #[error("{subject} has a critical extension that is not understood: {oid}")]
    UnknownCritical {
        /// The certificate.
        subject: String,
        /// Object identifier of the extension.
        oid: String,
    },
    /// A CA limits the names below it in a way that is not evaluated here.
    #[error("{subject} limits the names that it vouches for in a way that is not evaluated here")]
    NameConstraints {
        /// The CA.
        subject: String,
    },
    /// A certificate has a name that a CA above it may not vouch for.
    #[error("{subject} has the name {name}, which {issuer} may not vouch for")]
    NameOutside {
        /// The certificate.
        subject: String,
        /// The name.
        name: String,
        /// The CA.
        issuer: String,
    },
    /// The certificates that are to go into a signature do not lead on from one of them.
    #[error(
        "{subject} is issued by {issuer}, whose certificate is not among those that were given: verifiers would miss it"
    )]
    MissingIssuer {
        /// The certificate.
        subject: String,
        /// Who issued it.
        issuer: String,
    },
    /// The key of the signer's certificate is not for signing.
    #[error(
        "the signing certificate cannot be used for signing: its key usage has neither digitalSignature nor contentCommitment"
    )]
    KeyUsage,
    /// The signer's certificate is for signing something else than code.
    #[error(
        "the signing certificate is for other purposes: its extended key usage has neither codeSigning nor anyExtendedKeyUsage"
    )]
    Purpose,
    /// Nothing in the signer's certificate allows it to sign.
    #[error(
        "the signing certificate cannot be used for signing: it has neither a key usage nor an extended key usage"
    )]
    NoUsage,
    /// Strict: a signature on the way that can be forged, or soon can be.
    #[error("{subject} is signed with {algorithm}, which is too weak")]
    Weak {
        /// The certificate.
        subject: String,
        /// What it is signed with.
        algorithm: &'static str,
    },
}

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
        write!(text, "{separator}{byte:02X}").expect("a String takes everything");
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

/// Whether the RSA-PSS parameters of a key are those of SHA-256 with a salt of 32 bytes; `None` if they are not read here.
pub(crate) fn is_pss_with_sha256(
    algorithm: &x509_parser::x509::AlgorithmIdentifier<'_>,
) -> Option<bool> {
    signature::is_pss_with_sha256(algorithm)
}

fn is_certificate(label: &[u8]) -> bool {
    label == b"CERTIFICATE" || label == b"X509 CERTIFICATE"
}

/// Reads the structure of a certificate; what its extensions hold is for [`parsed`].
pub(crate) fn read(der: &[u8]) -> Result<X509Certificate<'_>, ChainError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(malformed(der, "something follows it")),
        Err(_) => Err(malformed(der, "it is no X.509 certificate in DER")),
    }
}

fn malformed(der: &[u8], reason: &'static str) -> ChainError {
    ChainError::Malformed {
        fingerprint: crate::key::sha256_hex(der),
        reason,
    }
}
