//! Signings, found by who signed, by what was signed, or by their entry.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::expect::{Authority, Part};
use crate::finding::Finding;
use crate::log::TreeId;

/// By which kind of value a signer is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignerTerm {
    /// A name, as it is written or as another reader writes it; in ASCII lower case.
    Name,
    /// The OpenID issuer, exactly.
    Issuer,
    /// The URI of the repository, in ASCII lower case.
    Repository,
    /// A commit that the certificate names, in ASCII lower case.
    Commit,
    /// A SHA-256 hash that the key's owner may have, hex.
    Key,
    /// A SHA-256 hash that the certificate's owner may have, hex.
    Certificate,
    /// Recorded by an earlier version, under a name that other readers may write in another way. Its value is empty.
    Odd,
}

impl SignerTerm {
    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Issuer => "issuer",
            Self::Repository => "repository",
            Self::Commit => "commit",
            Self::Key => "key",
            Self::Certificate => "certificate",
            Self::Odd => "odd",
        }
    }
}

/// One value by which signings are found through an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchKey {
    /// A value of the signer, whole. Long values are compared by their beginnings: the caller compares them in full.
    Signer(SignerTerm, String),
    /// The beginning of such a value.
    SignerBeginning(SignerTerm, String),
    /// Digests that an entry may hold, as `algorithm:hex`.
    Digests(Vec<String>),
    /// Leaf hashes of entries, or the hashes by which certificates in CT logs are registered, hex.
    Entries(Vec<String>),
    /// Indexes of entries in any log, over all its trees.
    Indexes(Vec<u64>),
    /// Entries that cannot be read and that name one of these watches.
    Unreadable(Vec<String>),
}

/// A finding about an entry, with what is stored of its signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSigning {
    /// Its number: findings are numbered in the order in which they were recorded.
    pub number: i64,
    /// The finding.
    pub finding: Finding,
    /// The certificate in DER.
    pub certificate: Option<Vec<u8>>,
    /// Of a certificate in a CT log: SHA-256 of its TBSCertificate as the log holds it, hex.
    pub logged_sha256: Option<String>,
    /// When a CT log logged it, as it states in the leaf; when a Rekor v1 log accepted it, by its signature.
    pub logged_at: Option<Timestamp>,
    /// As [`SignedAs::signature`](crate::expect::SignedAs::signature), hex.
    pub signature_sha256: Option<String>,
}

/// Findings about entries, found through an index.
///
/// Laws:
/// 1. Each method uses an index: its time depends on what it answers, not on how much is stored.
/// 2. A search answers every finding that has the value, and perhaps others: long values are compared by their beginnings.
#[async_trait]
pub trait Searches: Send + Sync {
    /// The findings with a value, of those with a larger number than `after` the first `limit`, in the order of their numbers.
    async fn search(
        &self,
        key: &SearchKey,
        after: i64,
        limit: u32,
    ) -> Result<Vec<FoundSigning>, StoreError>;

    /// What entries hold of the statements that are known to be about one of these digests (`algorithm:hex`).
    async fn payloads_about(&self, digests: &[String]) -> Result<Vec<(Part, String)>, StoreError>;

    /// The strongest authority that registered an entry, or a signing, with one of these hashes: leaf hashes, hashes by which
    /// certificates in CT logs are registered, or hashes of signatures; all hex.
    async fn authorities_of(
        &self,
        hashes: &[String],
    ) -> Result<BTreeMap<String, Authority>, StoreError>;

    /// When the first checkpoint of that size or more was recorded that is still kept. Entries below that size were logged
    /// before. `None`: there is none.
    async fn first_recorded(
        &self,
        tree: &TreeId,
        size: u64,
    ) -> Result<Option<Timestamp>, StoreError>;
}
