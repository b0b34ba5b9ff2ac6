//! Why there is no way from a certificate to a trusted one.

use crate::key::KeyError;
use crate::pem::PemError;

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
    #[error("{subject} is issued by {issuer}, and no trusted certificate matches that issuer{}", if *.from_store { "" } else { " or in the bundle" })]
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
    #[error("{subject} has issued a certificate, but is not a CA: {reason}")]
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
    /// A certificate has a name that a CA above it may not certify.
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
