//! Why bytes are not a certificate.

use crate::identity::der::DerError;

/// Why bytes are not a certificate that we can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Longer than [`super::MAX_CERTIFICATE_BYTES`].
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
        /// The problem.
        source: DerError,
    },
    /// A validity that names no moment.
    #[error("{part} is not a time")]
    Time {
        /// Which end of the validity.
        part: &'static str,
    },
    /// More than [`crate::identity::MAX_NAMES`] names.
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
