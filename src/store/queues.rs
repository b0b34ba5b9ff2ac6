//! The numbers of alerts on each channel.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{ChannelQueue, StoreError};

/// The queues of alerts, for reports.
#[async_trait]
pub trait ChannelQueues: Send + Sync {
    /// Alerts by channel: pending, due, failed, and the last error.
    async fn channel_queues(
        &self,
        now: Timestamp,
    ) -> Result<BTreeMap<String, ChannelQueue>, StoreError>;
}
