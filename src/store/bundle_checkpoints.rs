//! Checkpoints that registered bundles carry.

use async_trait::async_trait;

use super::{BundleCheckpoint, Settled, StoreError};
use crate::log::TreeId;

/// Checkpoints that registered bundles carry, to compare with the history of their log.
///
/// Laws:
/// 1. A checkpoint is returned until the result of its comparison is recorded, and never again after that.
#[async_trait]
pub trait BundleCheckpoints: Send + Sync {
    /// Checkpoints in registered bundles that name this log and are not compared with it yet, at most `limit`, oldest
    /// first.
    async fn bundle_checkpoints(
        &self,
        tree: &TreeId,
        limit: u32,
    ) -> Result<Vec<BundleCheckpoint>, StoreError>;

    /// Records the result of a comparison. The checkpoint is not returned again.
    async fn settle(&self, number: i64, settled: Settled) -> Result<(), StoreError>;
}
