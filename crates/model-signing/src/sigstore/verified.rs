//! What is verified, and the verdict.

use super::identity::Identity;
use super::policy::Policy;

/// What was signed.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Artifact<'a> {
    /// A file.
    Bytes(&'a [u8]),
    /// A file with this digest.
    Sha256([u8; 32]),
    /// Whatever the in-toto statement in the bundle is about: the caller compares its subjects with what it has.
    Statement,
}

/// By whom it must be signed.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Signer<'a> {
    /// By an identity.
    Identity(&'a Policy),
    /// By any identity that an authority vouches for: the caller judges who it is.
    AnyIdentity,
    /// By a key, SubjectPublicKeyInfo in DER, with an entry in a log.
    Key(&'a [u8]),
}

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The certificate in DER, and whom it names; `None` for a key.
    pub certificate: Option<(Vec<u8>, Identity)>,
    /// When it was signed, by those who prove it; at least one for an identity.
    pub times: Vec<VerifiedTime>,
    /// Where it is logged; at least one.
    pub entries: Vec<LogEntry>,
    /// Timestamps by authorities that are not trusted: they counted for nothing.
    pub ignored_timestamps: usize,
}

/// A time that a trusted authority or log confirms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedTime {
    /// In seconds of Unix time.
    pub seconds: i64,
    /// Which of them.
    pub source: TimeSource,
}

/// What confirms a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeSource {
    /// A timestamp authority.
    Authority,
    /// A log, in its inclusion promise.
    Log,
}

/// An entry whose inclusion was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEntry {
    /// The log's address in the trusted root; `None` if the trusted root has no log of that id.
    pub log: Option<String>,
    /// The origin in the log's checkpoint: which tree.
    pub origin: String,
    /// Index in the tree.
    pub tree_index: u64,
    /// Index over all trees of the log, where the log signed it: by a promise of Rekor v1. It is the index in the tree for
    /// Rekor v2.
    pub log_index: Option<u64>,
    /// When the log integrated it, in seconds of Unix time, where the log signed that: by a promise of Rekor v1.
    pub time: Option<i64>,
    /// Kind and version of the entry.
    pub kind: (String, String),
    /// Whether the trusted root trusts the log's key at each verified time. Like sigstore-go and sigstore-python, [`verify`](super::verify)
    /// requires that of a promise and not of a checkpoint: a log signs checkpoints until its last entries are merged. Whoever
    /// holds the key of a retired log can prove an entry that the log never showed.
    pub in_key_period: bool,
}
