//! Stored times that are in the future.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Span, StoreError};

/// Stored times that are in the future, because a wrong clock wrote them (see [`moment`](crate::moment)).
///
/// Laws:
/// 1. Times that are evidence are not changed.
/// 2. After `correct_future_times`, no waiting time begins later than now.
#[async_trait]
pub trait StoredTimes: Send + Sync {
    /// The span of stored times that are in the future and count as now (see [`moment`](crate::moment)); `None` if none
    /// has to be set to now. Times that are evidence are part of the span, but are no reason for one.
    async fn ahead_of(&self, now: Timestamp) -> Result<Option<Span>, StoreError>;

    /// Sets times in the future to now, except those that are evidence. No waiting time begins later than now
    /// afterwards.
    async fn correct_future_times(&self, now: Timestamp) -> Result<(), StoreError>;
}
