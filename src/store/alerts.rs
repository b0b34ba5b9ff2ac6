//! The outbox: alerts that wait for delivery.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Delivery, FindingCounts, QueuedAlert, StoreError};
use crate::finding::Finding;

/// Alerts on their way to the channels.
///
/// Laws:
/// 1. An alert that was claimed takes no more findings, and keeps its id through all attempts.
/// 2. An alert is claimed again until a delivery, or that the program gave up, is recorded.
#[async_trait]
pub trait Alerts: Send + Sync {
    /// Alerts of this channel that are due, at most 100, oldest first; their groups close now. More
    /// than `flood` that were never tried become one digest first.
    async fn claim_alerts(
        &self,
        channel: &str,
        flood: u32,
        now: Timestamp,
    ) -> Result<Vec<QueuedAlert>, StoreError>;

    /// The findings of an alert, most severe first, at most `limit`.
    async fn alert_findings(&self, alert: &str, limit: u32) -> Result<Vec<Finding>, StoreError>;

    /// How many findings of an alert there are by watch, verdict and severity, most severe first.
    async fn alert_counts(&self, alert: &str) -> Result<Vec<FindingCounts>, StoreError>;

    /// Records what became of an attempt.
    async fn record_delivery(
        &self,
        alert: &str,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}
