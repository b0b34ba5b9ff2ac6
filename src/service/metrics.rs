//! The metrics of a monitor, from its store.

use std::time::Duration;

use jiff::Timestamp;

use super::error::ServiceError;
use super::view::View;
use crate::notify;
use crate::report::{LastPass, Metrics};
use crate::store::{Store, StoreError, Values};

/// The key of the last pass in the store.
const LAST_PASS: &str = "last-pass";

impl View {
    /// All metrics, in the text format of Prometheus.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn metrics(&self, store: &dyn Store, now: Timestamp) -> Result<String, ServiceError> {
        let status = self.status(store, now).await?;
        let metrics = Metrics {
            status: &status,
            last_pass: last_pass(store).await?,
            findings: &store.waiting_findings().await?,
            channels: &self.channels,
            queues: &store.channel_queues(now).await?,
            deliveries: &store.last_deliveries(&self.channels).await?,
            heartbeat: notify::last_heartbeat(store).await?,
            size_bytes: store.size_bytes().await?,
        };
        Ok(metrics.text())
    }
}

/// Records that a pass has ended.
///
/// # Errors
///
/// The store cannot be written.
pub async fn record_pass(
    store: &dyn Values,
    ended: Timestamp,
    took: Duration,
) -> Result<(), StoreError> {
    let pass = LastPass {
        ended,
        seconds: took.as_secs_f64(),
    };
    match serde_json::to_string(&pass) {
        Ok(text) => store.put_value(LAST_PASS, &text).await,
        // A duration is a finite number, and a time is a string.
        Err(error) => unreachable!("a pass cannot be written as JSON: {error}"),
    }
}

/// The last pass; `None` if none has ended, or if another version wrote it in a form of its own.
pub(super) async fn last_pass(store: &dyn Values) -> Result<Option<LastPass>, StoreError> {
    let text = store.get_value(LAST_PASS).await?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}
