//! What cannot be read, and why.

use crate::identity::{CertificateError, KeyError, Pkcs7Error};

/// Why a leaf, or a part of it, cannot be parsed. The messages do not quote the leaf, except for a short detail of its
/// structure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Longer than [`super::MAX_LEAF_BYTES`].
    #[error("leaf of {length} bytes, the limit is {limit}")]
    TooLong {
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// Not JSON, or nested deeper than any entry.
    #[error("not JSON: {detail}")]
    NotJson {
        /// The message of the JSON parser.
        detail: String,
    },
    /// JSON, but not in the shape of its kind.
    #[error("not in the shape of an entry: {detail}")]
    Shape {
        /// The message of the JSON parser.
        detail: String,
    },
    /// Not a leaf of a certificate transparency log.
    #[error("not a leaf of a certificate transparency log: no {part} where it should be")]
    CertificateLeaf {
        /// Which part is cut off, not there or not alone.
        part: &'static str,
    },
    /// An unknown kind or version, without any certificate or key.
    #[error("unknown kind of entry, and no certificate or key found in it")]
    UnknownKind,
    /// A field that should be there.
    #[error("{field} is missing")]
    Missing {
        /// Its path in the entry.
        field: &'static str,
    },
    /// A field that excludes another one.
    #[error("{field} contains a certificate and a key")]
    Ambiguous {
        /// Its path in the entry.
        field: &'static str,
    },
    /// A field that is not base64.
    #[error("{field} is not base64")]
    Base64 {
        /// Its path in the entry.
        field: &'static str,
    },
    /// A field that is not a digest of a known algorithm with the right length.
    #[error("{field} is not a digest")]
    Digest {
        /// Its path in the entry.
        field: &'static str,
    },
    /// A field that should hold a certificate or a key and holds neither.
    #[error("{field} contains neither a certificate nor a key")]
    NoKey {
        /// Its path in the entry.
        field: &'static str,
    },
    /// A field that is not exactly one PEM block, or a chain of certificates, as all parsers read it (RFC 7468 §3):
    /// another parser may find another signer in it.
    #[error("{field} is not just one well-formed PEM block or certificate chain")]
    Pem {
        /// Its path in the entry.
        field: &'static str,
    },
    /// A certificate that cannot be read.
    #[error("{field}: {source}")]
    Certificate {
        /// The path of the field that holds it.
        field: &'static str,
        /// The problem.
        source: CertificateError,
    },
    /// A certificate that was parsed, but is not strict DER: its signing is returned, and other parsers may find
    /// another certificate in the same bytes, or none.
    #[error("certificate is not strict DER: {source}")]
    NotDer {
        /// Where it leaves DER.
        source: CertificateError,
    },
    /// A key that cannot be read.
    #[error("{field}: {source}")]
    Key {
        /// The path of the field that holds it.
        field: &'static str,
        /// The problem.
        source: KeyError,
    },
    /// A signed message that cannot be parsed: its signers may be others than those in the entry.
    #[error("{field}: {source}")]
    Message {
        /// The path of the field that holds it.
        field: &'static str,
        /// The problem.
        source: Pkcs7Error,
    },
    /// More than [`super::MAX_SIGNINGS`] verifiers; those beyond were not read.
    #[error("more than {limit} signings")]
    TooManySignings {
        /// The limit.
        limit: usize,
    },
}

/// A part of an entry that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Unreadable {
    ordinal: u32,
    #[source]
    error: EntryError,
}

impl Unreadable {
    pub(super) fn new(ordinal: u32, error: EntryError) -> Self {
        Self { ordinal, error }
    }

    /// Its place in the entry, which no signing has.
    pub fn ordinal(&self) -> u32 {
        self.ordinal
    }

    /// Why it cannot be read.
    pub fn error(&self) -> &EntryError {
        &self.error
    }
}

/// Longest detail that is kept: the JSON parser quotes values, which come from the log.
const MAX_DETAIL_CHARS: usize = 160;

impl EntryError {
    pub(super) fn from_json(error: &serde_json::Error) -> Self {
        let detail = error.to_string().chars().take(MAX_DETAIL_CHARS).collect();
        if error.is_data() {
            Self::Shape { detail }
        } else {
            Self::NotJson { detail }
        }
    }
}
