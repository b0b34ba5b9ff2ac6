//! Signings, found by who signed, by what was signed, or by their entry.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::expect::{Authority, Part};
use crate::finding::Finding;
use crate::log::TreeId;

/// Longest stored value of a signer, in characters: the name of a workflow has about a hundred. Longer ones are compared by their
/// beginnings, so that nobody fills the index with one certificate.
pub const MAX_TERM_CHARS: usize = 200;

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

/// Values of one kind by which signings are found through an index. Their order and repetitions do not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchKey {
    /// Values of the signer, whole. Long values are compared by their beginnings: the caller compares them in full.
    Signers(SignerTerm, Vec<String>),
    /// Digests that an entry may hold, as `algorithm:hex`.
    Digests(Vec<String>),
    /// Leaf hashes of entries in Rekor logs, or the hashes by which certificates in CT logs are registered, hex.
    Entries(Vec<String>),
    /// Leaf hashes of entries in CT logs, hex.
    CertificateEntries(Vec<String>),
    /// Indexes of entries in any log, over all its trees.
    Indexes(Vec<u64>),
    /// Entries that cannot be read and that name one of these watches.
    Unreadable(Vec<String>),
}

/// Where a finding is in the order of a search: by the value, then by when its signer was recorded, then by the number of the
/// finding. Of one value, signers and findings that are recorded later are behind those that were recorded before.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The value by which it was found, as its index has it: of a digest or the hash of an entry, the end.
    pub value: String,
    /// The number of the signer, if a value of the signer is searched.
    pub recorded: i64,
    /// The key of the signer, likewise.
    pub signer: Vec<u8>,
    /// The number of the finding.
    pub number: i64,
}

impl Place {
    /// Behind everything that has this value.
    pub fn behind(value: String) -> Self {
        Self {
            value,
            recorded: i64::MAX,
            signer: Vec::new(),
            number: i64::MAX,
        }
    }
}

/// A finding about an entry, with what is stored of its signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSigning {
    /// Where the search found it.
    pub place: Place,
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
/// 1. Each method uses an index and stops at its limit: its time depends on what it answers, not on how much is stored or has
///    the value.
/// 2. A search answers every finding that has one of the values, and perhaps others: long values are compared by their
///    beginnings. A finding with several of the values is answered for each of them.
#[async_trait]
pub trait Searches: Send + Sync {
    /// The first `limit` findings with one of the values, in the order of their places; `after`: of those behind that place.
    async fn search(
        &self,
        key: &SearchKey,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<Vec<FoundSigning>, StoreError>;

    /// The first `limit` names of signers that begin so, each once, in the order of their bytes; `from`: of those that are
    /// not before it. Long names are cut to [`MAX_TERM_CHARS`].
    async fn names(
        &self,
        beginning: &str,
        from: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError>;

    /// Whether the signer of a place, found by a value of the signer, has one of these values too.
    async fn has_value(
        &self,
        place: &Place,
        term: SignerTerm,
        values: &[String],
    ) -> Result<bool, StoreError>;

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
