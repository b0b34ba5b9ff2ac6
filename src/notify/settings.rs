//! What the operator sets for channels and the heartbeat.
//!
//! Nothing here touches the machine: whether a variable, file or host exists shows when a message
//! is sent, so that a channel that is broken today cannot keep the monitor from starting.

use std::sync::Arc;
use std::time::Duration;

use super::ChannelSettings;
use crate::finding::Severity;
use crate::secret::UrlSource;

/// A channel on which alerts are sent.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Its name in the configuration, in `notify` of watches and on the command line.
    pub name: String,
    /// Findings below are not sent on it.
    pub min_severity: Severity,
    /// What its kind needs.
    pub settings: Arc<dyn ChannelSettings>,
}

/// A request at regular times; another service raises the alarm when it does not come.
#[derive(Debug, Clone)]
pub struct HeartbeatSettings {
    /// What is requested. The operator's own choice, and often the secret itself.
    pub url: UrlSource,
    /// At most one request in this time.
    pub every: Duration,
}
