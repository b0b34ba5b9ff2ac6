//! The ranges of a tree that were matched against each watch.

use crate::log::TreeId;
use async_trait::async_trait;

use super::{Rescanned, StoreError, TreeCoverage, WatchSet};

/// The ranges of each tree that were matched against each watch.
///
/// Laws:
/// 1. A watch that covers a tree now covers it up to `seen`, and continues to as `seen` grows.
/// 2. A watch under another name or with other conditions is another watch.
/// 3. A range is covered from the transaction that records its findings.
#[async_trait]
pub trait CoveredRanges: Send + Sync {
    /// Declares the watches that the next batches of this log are matched against. New or changed ones cover from
    /// `seen` on; removed ones cover up to it.
    async fn watching(&self, tree: &TreeId, watches: &WatchSet) -> Result<(), StoreError>;

    /// What each of these watches covers of every log, or of this one, and the gaps between a log's first position and
    /// `seen`.
    ///
    /// Only watches that differ from their tree are listed separately: a thousand watches over a hundred trees that
    /// were never changed are a hundred rows.
    async fn tree_coverage(
        &self,
        watches: &WatchSet,
        tree: Option<&TreeId>,
    ) -> Result<Vec<TreeCoverage>, StoreError>;

    /// Records the findings of a rescan in a proven range, and that the range is covered now.
    async fn rescanned(&self, rescanned: &Rescanned) -> Result<u64, StoreError>;
}
