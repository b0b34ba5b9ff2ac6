//! The outbox: alerts that are not delivered yet.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Delivery, FindingCounts, QueuedAlert, StoreError};
use crate::finding::Finding;

/// Alerts that are to be delivered to the channels.
///
/// Laws:
/// 1. A claimed alert takes no more findings, and keeps its id through all attempts.
/// 2. An alert is returned by each claim until a delivery, or that modelwatch stopped trying, is recorded.
#[async_trait]
pub trait Alerts: Send + Sync {
    /// Alerts of this channel that are due, at most 100, oldest first. Their groups close now. If more than `flood`
    /// alerts were never attempted, they become one digest first.
    async fn claim_alerts(
        &self,
        channel: &str,
        flood: u32,
        now: Timestamp,
    ) -> Result<Vec<QueuedAlert>, StoreError>;

    /// The findings of an alert, most severe first, at most `limit`.
    async fn alert_findings(&self, alert: &str, limit: u32) -> Result<Vec<Finding>, StoreError>;

    /// The number of findings of an alert by watch, verdict and severity, most severe first.
    async fn alert_counts(&self, alert: &str) -> Result<Vec<FindingCounts>, StoreError>;

    /// Records the result of an attempt.
    async fn record_delivery(
        &self,
        alert: &str,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}
