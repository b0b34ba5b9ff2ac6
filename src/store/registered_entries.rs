//! Entries that registered bundles name.

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::finding::NewFinding;
use crate::log::TreeId;

/// An entry that a registered bundle names, and that the log should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredEntry {
    /// Its number in the store.
    pub number: i64,
    /// The number of the registration.
    pub registration: i64,
    /// Its index, over all trees of the log.
    pub index: u64,
    /// The leaves that it may have: RFC 6962 leaf hashes, hex.
    pub leaves: Vec<String>,
    /// The registered file.
    pub file: String,
    /// Who signed, for people.
    pub who: String,
    /// Whether a proven finding shows one of the leaves at this index.
    pub is_found: bool,
}

/// Where the entries of registered bundles are looked for.
#[derive(Debug, Clone)]
pub struct ProvenPart {
    /// The tree.
    pub tree: TreeId,
    /// The ids of its keys, hex: a bundle without a checkpoint names a log by its key.
    pub keys: Vec<String>,
    /// The first index, over all trees of the log.
    pub from: u64,
    /// The first index that is not proven.
    pub to: u64,
}

/// Entries that bundles of the operator and of repositories name.
///
/// Laws:
/// 1. A registration of a signer names no entry here: a forged bundle must not raise `missing`.
/// 2. An entry is returned until the log showed it, or showed another leaf in two passes.
/// 3. Without its registration, a `missing` finding is resolved.
#[async_trait]
pub trait RegisteredEntries: Send + Sync {
    /// Entries in a proven part of a tree that are not compared yet, at most `limit`: those that were missed before come first.
    async fn registered_entries(
        &self,
        part: &ProvenPart,
        limit: u32,
    ) -> Result<Vec<RegisteredEntry>, StoreError>;

    /// Records that the log has it.
    async fn entry_there(&self, number: i64) -> Result<(), StoreError>;

    /// Records that another leaf is proven there. At the second time the finding is raised; answers whether it was.
    async fn entry_missed(
        &self,
        entry: &RegisteredEntry,
        finding: &NewFinding,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
}
