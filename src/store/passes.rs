//! The results of passes.

use async_trait::async_trait;

use super::{PassHistory, PassReport, PassedTree, StoreError, WatchSet};
use crate::log::{LogId, Part, TreeId};

/// The results of passes over logs.
///
/// Laws:
/// 1. The end of a pass is recorded whether or not the log has a position.
/// 2. Only a pass that proved everything moves `last_success`.
/// 3. A failed pass neither continues nor ends a row of passes in which the log showed a smaller checkpoint.
#[async_trait]
pub trait Passes: Send + Sync {
    /// Records the result of a pass over one log, also of a log that has no position yet.
    async fn end_pass(&self, report: &PassReport) -> Result<(), StoreError>;

    /// The results of the last passes over a log; empty for an unknown log.
    async fn pass_history(&self, log: &LogId, part: &Part) -> Result<PassHistory, StoreError>;

    /// What the assessment after a pass over one tree needs, in one call; `None` for an unknown tree.
    async fn passed_tree(
        &self,
        tree: &TreeId,
        watches: &WatchSet,
    ) -> Result<Option<PassedTree>, StoreError>;
}
