//! Where reading of each tree stands, and the checkpoints that show it.

use async_trait::async_trait;
use jiff::Timestamp;
use tlog::Head;

use super::{Batch, NewTree, StoreError, TreeState, VerifiedHead};
use crate::log::TreeId;

/// Positions of trees and the checkpoints that were verified.
///
/// Laws:
/// 1. A method that moves a position compares it with the expected one in the same statement that changes it, and answers
///    [`StoreError::Moved`] if it is another one.
/// 2. `proven` of a tree never decreases.
/// 3. A position, its checkpoints, the findings of its batch and their alerts are written in one transaction.
#[async_trait]
pub trait Positions: Send + Sync {
    /// What is known of one tree; `None` if it was not listed and no pass over it has ended yet.
    async fn tree(&self, id: &TreeId) -> Result<Option<TreeState>, StoreError>;

    /// Every tree that is known, those of a log together, as it listed them; the logs by name.
    async fn trees(&self) -> Result<Vec<TreeState>, StoreError>;

    /// Gives a tree its first position. `StoreError::Moved` if it has one already. If findings or
    /// recorded checkpoints show that it was followed before, beyond the new position or up to an
    /// unknown place below it, that is kept as a [`Restart`](super::Restart).
    async fn begin(&self, tree: &NewTree) -> Result<(), StoreError>;

    /// Records a batch: position, verified checkpoints, findings, alerts. Findings below the new
    /// `proven` become proven; disputed ones that come back (same id) return to the state that
    /// they had before. Answers how many findings were new.
    async fn commit(&self, batch: &Batch) -> Result<u64, StoreError>;

    /// Records the newest verified checkpoint of a tree that is not read in full. Its size never
    /// decreases; `StoreError::Moved` if the one before is not the expected one.
    async fn record_head(&self, head: &VerifiedHead) -> Result<(), StoreError>;

    /// The verified checkpoint of this size that was recorded first.
    async fn checkpoint(&self, tree: &TreeId, size: u64) -> Result<Option<Head>, StoreError>;

    /// Forgets verified checkpoints that no finding cites, but for one a day per origin.
    async fn prune(&self, now: Timestamp) -> Result<(), StoreError>;
}
