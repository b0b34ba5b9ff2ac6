//! Why a bundle cannot be registered.

use model_signing::bundle::BundleError;

use crate::entry::EntryError;
use crate::identity::{CertificateError, SignatureError};

/// Why a bundle cannot be registered.
#[derive(Debug, thiserror::Error)]
pub enum ExpectError {
    /// Not a bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Signed with a bare key.
    #[error(
        "signed with a key, not with a certificate: the bundle does not contain the key, so its log entry cannot be \
         recomputed; watch the key by its key_sha256 and acknowledge its findings"
    )]
    NoCertificate,
    /// Its certificate cannot be read.
    #[error("its certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// More than one signature: each would be a separate signing, and the certificate belongs to only one of them.
    #[error("it contains {0} signatures, a bundle with a certificate has one")]
    Signatures(usize),
    /// Its signature is not by its certificate's key.
    #[error("its signature: {0}")]
    Signature(#[from] SignatureError),
    /// The digest in it is by a hash that its key does not go with.
    #[error("its digest is not of the hash algorithm that belongs to its key")]
    Digest,
    /// A log entry that cannot be compared because it is not there.
    #[error(
        "its log entry {log_index} ({kind}) has no canonicalizedBody, which is needed to compute its leaf"
    )]
    NoBody {
        /// Which.
        log_index: u64,
        /// Of which kind.
        kind: String,
    },
    /// A log entry that cannot be read.
    #[error("its log entry {log_index}: {source}")]
    Unreadable {
        /// Which.
        log_index: u64,
        /// Why.
        source: EntryError,
    },
    /// A log entry of a kind that no bundle of this content has.
    #[error("its log entry {log_index} is of kind {kind}, which does not match its content")]
    Kind {
        /// Which.
        log_index: u64,
        /// The kind in the bundle.
        kind: String,
    },
    /// A log entry that records another signing than the bundle holds.
    #[error("its log entry {log_index} is of another signing: another {part}")]
    OtherEntry {
        /// Which.
        log_index: u64,
        /// What differs.
        part: &'static str,
    },
    /// No leaf of any log can be computed from it.
    #[error(
        "no log can contain it: Rekor v2 does not accept its type of key, and it names no entry of Rekor v1"
    )]
    NoLeaf,
}
