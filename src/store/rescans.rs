//! Rescans that a person asked for.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{RescanRequest, StoreError};

/// Requests for rescans, from commands to the running monitor.
///
/// Laws:
/// 1. A request stays until it was done.
/// 2. A request that was made again while it was being done stays.
#[async_trait]
pub trait Rescans: Send + Sync {
    /// Asks the running monitor for a rescan; `None` is every watch. What was asked for before and is not done yet
    /// is asked for anew.
    async fn request_rescan(&self, watch: Option<&str>, now: Timestamp) -> Result<(), StoreError>;

    /// The rescans that were asked for and not done yet, oldest first.
    async fn rescans(&self) -> Result<Vec<RescanRequest>, StoreError>;

    /// Records that a rescan was done. One that was asked for again meanwhile stays.
    async fn rescan_done(&self, request: &RescanRequest) -> Result<(), StoreError>;
}
