//! Rescans that a person requested.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{RescanRequest, StoreError};

/// Requests for rescans, from commands to the running monitor.
///
/// Laws:
/// 1. A request stays until it is done.
/// 2. A request that is repeated while it is being done stays.
#[async_trait]
pub trait Rescans: Send + Sync {
    /// Requests a rescan from the running monitor; `None` means every watch. A request that is not done yet is renewed.
    async fn request_rescan(&self, watch: Option<&str>, now: Timestamp) -> Result<(), StoreError>;

    /// The requested rescans that are not done yet, oldest first.
    async fn rescans(&self) -> Result<Vec<RescanRequest>, StoreError>;

    /// Records that a rescan is done. One that was requested again meanwhile stays.
    async fn rescan_done(&self, request: &RescanRequest) -> Result<(), StoreError>;
}
