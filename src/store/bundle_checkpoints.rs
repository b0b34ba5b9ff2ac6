//! Checkpoints that registered bundles carry.

use async_trait::async_trait;

use super::{BundleCheckpoint, Settled, StoreError};
use crate::log::TreeId;

/// Checkpoints that registered bundles carry, to be compared with the history of their log.
///
/// Laws:
/// 1. A checkpoint is handed out until the result of its comparison is recorded, and never again after that.
#[async_trait]
pub trait BundleCheckpoints: Send + Sync {
    /// Checkpoints in registered bundles that say they are of this log and wait to be compared with
    /// it, at most `limit`, oldest first.
    async fn bundle_checkpoints(
        &self,
        tree: &TreeId,
        limit: u32,
    ) -> Result<Vec<BundleCheckpoint>, StoreError>;

    /// Records what came of a comparison: it is not handed out again.
    async fn settle(&self, number: i64, settled: Settled) -> Result<(), StoreError>;
}
