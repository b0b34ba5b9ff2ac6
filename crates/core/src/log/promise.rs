//! What a Rekor v1 log promises about an entry.

use bytes::Bytes;

/// When a Rekor v1 log accepted an entry, with its signature over that. Nothing is verified here: `entry::accepted_at` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// In seconds since 1970. No tree hash covers it.
    pub integrated_at: i64,
    /// The signed entry timestamp: a signature over leaf, time, log and index.
    pub signature: Bytes,
}
