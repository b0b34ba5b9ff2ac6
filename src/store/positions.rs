//! The position of each tree, and the checkpoints that prove it.

use async_trait::async_trait;
use jiff::Timestamp;
use tlog::Head;

use super::{Batch, NewTree, StoreError, TreeState, VerifiedHead};
use crate::log::TreeId;

/// Positions of trees and the checkpoints that were verified.
///
/// Laws:
/// 1. A method that moves a position compares it with the expected one in the same statement that changes it, and
///    returns [`StoreError::Moved`] if it is another one.
/// 2. `proven` of a tree never decreases.
/// 3. A position, its checkpoints, the findings of its batch and their alerts are written in one transaction.
#[async_trait]
pub trait Positions: Send + Sync {
    /// The state of one tree; `None` if it was not listed and no pass over it has ended yet.
    async fn tree(&self, id: &TreeId) -> Result<Option<TreeState>, StoreError>;

    /// Every known tree, ordered by the name of its log; the trees of a log in the order in which it lists them.
    async fn trees(&self) -> Result<Vec<TreeState>, StoreError>;

    /// Sets the first position of a tree. `StoreError::Moved` if it has one already. If findings or recorded
    /// checkpoints show that it was followed before, beyond the new position or up to an unknown place below it, a
    /// [`Restart`](super::Restart) is recorded.
    async fn begin(&self, tree: &NewTree) -> Result<(), StoreError>;

    /// Records a batch: position, verified checkpoints, findings, alerts. Findings below the new `proven` become
    /// proven. Disputed ones that are found again (same id) return to the state that they had before. Returns the
    /// number of new findings.
    async fn commit(&self, batch: &Batch) -> Result<u64, StoreError>;

    /// Records the newest verified checkpoint of a tree that is not read in full. Its size never
    /// decreases; `StoreError::Moved` if the one before is not the expected one.
    async fn record_head(&self, head: &VerifiedHead) -> Result<(), StoreError>;

    /// The verified checkpoint of this size that was recorded first.
    async fn checkpoint(&self, tree: &TreeId, size: u64) -> Result<Option<Head>, StoreError>;

    /// Deletes verified checkpoints that no finding cites, except one a day for each origin.
    async fn prune(&self, now: Timestamp) -> Result<(), StoreError>;
}
