//! Why a keyless signature is refused: the check that failed, and what it found.

use std::fmt;

use sigstore_bundle::Error as BundleError;
use sigstore_verify::{CertificateError, Error, TimestampError, TransparencyLogError};

/// A check of a keyless signature, in the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Check {
    /// The bundle has what its version needs, and nothing that is ambiguous.
    Bundle,
    /// A trusted timestamp authority or log proves when the signature was made.
    Time,
    /// The certificate leads to an authority that was trusted at that time.
    CertificatePath,
    /// A trusted certificate transparency log has promised to log the certificate.
    CertificateTransparency,
    /// The certificate is for signing code.
    KeyUsage,
    /// The certificate is for the required identity.
    Identity,
    /// The identity is by the required provider.
    Issuer,
    /// The certificate has an extension with the required value.
    Extension,
    /// The entry is in the tree of the log.
    Inclusion,
    /// The tree is signed by a trusted log.
    Checkpoint,
    /// The log's promise to include the entry.
    Promise,
    /// The signature is by the certificate's key over the payload.
    Signature,
    /// The entry of the log is about this signature.
    LogEntry,
    /// The signature is about the artifact that was given.
    Artifact,
}

impl Check {
    /// The words for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bundle => "the bundle",
            Self::Time => "the time of signing",
            Self::CertificatePath => "the certificate path",
            Self::CertificateTransparency => "the certificate timestamp (SCT)",
            Self::KeyUsage => "the key usage of the certificate",
            Self::Identity => "the identity",
            Self::Issuer => "the identity provider",
            Self::Extension => "an extension of the certificate",
            Self::Inclusion => "the inclusion proof",
            Self::Checkpoint => "the checkpoint",
            Self::Promise => "the inclusion promise (SET)",
            Self::Signature => "the signature",
            Self::LogEntry => "the log entry",
            Self::Artifact => "the artifact",
        }
    }

    /// Whether newer trust could change the outcome: a key, an authority or a log that is not known yet.
    pub const fn depends_on_trust(self) -> bool {
        matches!(
            self,
            Self::Time
                | Self::CertificatePath
                | Self::CertificateTransparency
                | Self::Checkpoint
                | Self::Promise
        )
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A check of a keyless signature failed.
///
/// The reason may quote text of the signature file: escape it before it is shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("keyless verification failed at {check}: {reason}")]
pub struct KeylessError {
    /// The check that failed.
    pub check: Check,
    /// What it found.
    pub reason: String,
}

impl KeylessError {
    pub(crate) fn new(check: Check, reason: impl Into<String>) -> Self {
        let reason: String = reason.into();
        // It may quote a field of any length.
        let reason = if reason.chars().nth(MAX_REASON_CHARS).is_some() {
            let shown: String = reason.chars().take(MAX_REASON_CHARS).collect();
            format!("{shown}…")
        } else {
            reason
        };
        Self { check, reason }
    }

    pub(crate) fn of_library(error: &Error) -> Self {
        let check = match error {
            Error::IdentityMismatch { .. } => Check::Identity,
            Error::IssuerMismatch { .. } => Check::Issuer,
            Error::SignatureInvalid(_) | Error::Crypto(_) => Check::Signature,
            Error::ArtifactMismatch(_) | Error::UnsupportedArtifact(_) | Error::ArtifactRead(_) => {
                Check::Artifact
            }
            Error::Certificate(CertificateError::Sct(_)) => Check::CertificateTransparency,
            Error::Certificate(_) | Error::TrustedCertificate(_) => Check::CertificatePath,
            Error::TransparencyLog(error) => match error {
                TransparencyLogError::InclusionProof(_) => Check::Inclusion,
                TransparencyLogError::UnknownLog { .. } | TransparencyLogError::Checkpoint(_) => {
                    Check::Checkpoint
                }
                TransparencyLogError::InclusionPromise(_) => Check::Promise,
                TransparencyLogError::IntegratedTime(_) => Check::Time,
                _ => Check::LogEntry,
            },
            Error::Timestamp(
                TimestampError::Invalid(_)
                | TimestampError::OutsideAuthorityValidity { .. }
                | TimestampError::NoVerifiedTimestamp(_),
            ) => Check::Time,
            Error::Bundle(BundleError::CheckpointRootMismatch) => Check::Checkpoint,
            _ => Check::Bundle,
        };
        Self::new(check, error.to_string())
    }
}

const MAX_REASON_CHARS: usize = 600;
