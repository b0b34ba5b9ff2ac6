//! Stored times that lie ahead of now.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Span, StoreError};

/// Stored times that lie ahead of now, written by a clock that was wrong (see [`moment`](crate::moment)).
///
/// Laws:
/// 1. What is kept as evidence keeps its time.
/// 2. After `correct_future_times`, whatever waits for a time waits from now at the latest.
#[async_trait]
pub trait StoredTimes: Send + Sync {
    /// From when to when moments are stored that lie ahead of now, so that they count as now (see
    /// [`moment`](crate::moment)); `None` if none has to be set to now. What is kept as evidence counts for the span, but
    /// does not make one.
    async fn ahead_of(&self, now: Timestamp) -> Result<Option<Span>, StoreError>;

    /// Sets to now what lies ahead of now and is no evidence: what is waited for begins now at the latest.
    async fn correct_future_times(&self, now: Timestamp) -> Result<(), StoreError>;
}
