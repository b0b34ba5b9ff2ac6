//! When the checkpoints of trees were recorded: what a store knows of the time at which entries were logged.

use async_trait::async_trait;
use jiff::Timestamp;
use tlog::Head;

use super::StoreError;
use crate::log::TreeId;

/// A verified checkpoint, and when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCheckpoint {
    /// Size, root and signed note.
    pub head: Head,
    /// When it was first recorded.
    pub at: Timestamp,
}

/// Between which times a tree reached a size, as far as recorded checkpoints show it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reached {
    /// When the largest checkpoint that is not larger was recorded; `None`: no such checkpoint is kept.
    pub after: Option<Timestamp>,
    /// When the smallest checkpoint that is not smaller was recorded; `None`: no such checkpoint is kept.
    pub by: Option<Timestamp>,
}

/// The verified checkpoints that are kept: all of the last days, and of each day before that the largest.
///
/// Laws:
/// 1. Each method uses an index: its time depends on what it answers, not on how much is stored.
/// 2. A checkpoint that was received again has the time of the first time.
#[async_trait]
pub trait RecordedCheckpoints: Send + Sync {
    /// The smallest and thus first checkpoint of a tree; `None`: none is kept.
    async fn first_checkpoint(
        &self,
        tree: &TreeId,
    ) -> Result<Option<RecordedCheckpoint>, StoreError>;

    /// The largest checkpoints of a tree, at most this many, the largest first.
    async fn last_checkpoints(
        &self,
        tree: &TreeId,
        limit: u32,
    ) -> Result<Vec<RecordedCheckpoint>, StoreError>;

    /// When the tree reached a size.
    async fn reached(&self, tree: &TreeId, size: u64) -> Result<Reached, StoreError>;
}
