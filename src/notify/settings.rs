//! The settings of channels and the heartbeat.
//!
//! Nothing here accesses the machine: a missing variable, file or host shows when a message is sent, so that a broken
//! channel cannot prevent the monitor from starting.

use std::sync::Arc;
use std::time::Duration;

use super::channel_type::ChannelSettings;
use super::ready::Lacking;
use crate::finding::{QuietHours, Selection};
use crate::secret::UrlSource;

/// A channel on which alerts are sent.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Its name in the configuration, in `notify` of watches and on the command line.
    pub name: String,
    /// The findings that are sent on it.
    pub selection: Selection,
    /// When its alerts wait.
    pub quiet_hours: Option<QuietHours>,
    /// What its kind needs.
    pub settings: Arc<dyn ChannelSettings>,
}

/// A dead man's switch: an outside service alerts when the requests stop.
#[derive(Debug, Clone)]
pub struct HeartbeatSettings {
    /// The URL to request. The operator chooses it, and it is often a secret itself.
    pub url: UrlSource,
    /// At most one request in this time.
    pub every: Duration,
}

impl HeartbeatSettings {
    /// The missing thing that the heartbeat needs: the source of its URL.
    pub async fn lacking(&self) -> Option<Lacking> {
        Lacking::url(&self.url).await
    }
}
