//! Why a document of trust cannot be used.

use crate::file::FileError;

/// Longest accepted trusted root, in bytes. That of the public instance has 10 KiB.
pub(super) const MAX_BYTES: usize = 4 * 1024 * 1024;

impl From<FileError> for TrustError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::TooLong { limit_bytes } => Self::TooLong { limit: limit_bytes },
            error => Self::Read(error.into()),
        }
    }
}

/// Why a trusted root cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// Longer than any trusted root.
    #[error("longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// Not the JSON of a trusted root.
    #[error("not a Sigstore trusted root: {0}")]
    Format(String),
    /// Another Sigstore document, a signing configuration for example.
    #[error("not {expected:?} but {media_type:?}")]
    MediaType {
        /// How it should begin.
        expected: &'static str,
        /// Its media type.
        media_type: String,
    },
    /// Not a ClientTrustConfig.
    #[error("not a Sigstore client trust config: {0}")]
    ClientTrustConfig(String),
    /// A signing configuration that cannot be read.
    #[error("not a Sigstore signing config: {0}")]
    SigningConfig(String),
    /// The first root of a repository, which the operator trusts.
    #[error("not the root of a TUF repository: {0}")]
    Anchor(String),
    /// A MonitorConfig that cannot be read.
    #[error("not a Sigstore monitor config: {0}")]
    MonitorConfig(String),
}

pub(super) fn media_type(written: &str, expected: &'static str) -> Result<(), TrustError> {
    if written.starts_with(expected) {
        return Ok(());
    }
    Err(TrustError::MediaType {
        expected,
        media_type: written.chars().take(100).collect(),
    })
}
