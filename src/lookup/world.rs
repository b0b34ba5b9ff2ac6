//! What is looked at.

use std::sync::Arc;

use jiff::Timestamp;

use crate::judge::Rules;
use crate::monitor::MonitoredLog;
use crate::store::Store;

/// What is looked at.
pub struct World<'a> {
    /// What was found in the logs.
    pub store: &'a dyn Store,
    /// The logs that are followed.
    pub logs: &'a [MonitoredLog],
    /// The logs of the configuration that cannot be read before there is a trusted root.
    pub waiting: Vec<String>,
    /// The watches, and the authorities by which certificates are judged.
    pub rules: Arc<Rules>,
    /// The present.
    pub now: Timestamp,
}
