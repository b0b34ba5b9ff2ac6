//! What proves the entries of findings to a third party, kept by the pass that found them.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use tlog::{Hash, Head, Node};

use super::StoreError;
use crate::finding::FindingId;
use crate::log::TreeId;

/// What a step of reading adds to the proofs of the entries that were found. The leaves are with the findings, in
/// [`Evidence::entry`](crate::finding::Evidence::entry).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Hashes of the tree that the inclusion proofs of found entries need.
    pub hashes: Vec<(Node, Hash)>,
    /// Signed checkpoints that cover found entries, each with all hashes for it.
    pub heads: Vec<Head>,
    /// Of an entry that was proven alone, by an answer of the log: its finding, the size of the tree in `heads`, and the path.
    pub paths: Vec<(FindingId, u64, Vec<Hash>)>,
    /// The trusted root in force, as it was published.
    pub trusted_root: Option<Arc<[u8]>>,
}

/// What is kept of the entry of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEntry {
    /// The bytes that the log hashed.
    pub leaf: Vec<u8>,
    /// A signed checkpoint and the path to its root, which was verified; `None`: none is kept, or not yet.
    pub proof: Option<(Head, Vec<Hash>)>,
    /// The trusted root that was in force when the checkpoint was recorded.
    pub trusted_root: Option<Vec<u8>>,
}

/// Entries that were found, with what proves them.
///
/// Laws:
/// 1. The leaf of a finding has its leaf hash, and a path leads from it to the root of its checkpoint: what does not is absent.
/// 2. What proves a finding is written in the transaction that records it, or in the one that proves it.
#[async_trait]
pub trait KeptEntries: Send + Sync {
    /// What is kept of the entry of a finding. `None`: nothing; the finding is of an earlier version, or its leaf was too long.
    async fn kept_entry(&self, finding: FindingId) -> Result<Option<KeptEntry>, StoreError>;

    /// Whether each of these ranges of a tree contains the entry of a finding that is not proven. Ranges count within the tree.
    async fn has_unproven(
        &self,
        tree: &TreeId,
        ranges: &[Range<u64>],
    ) -> Result<Vec<bool>, StoreError>;
}
