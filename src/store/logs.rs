//! Logs, and the trees of each.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{PassError, StoreError};
use crate::log::{LogId, Protocol, TreeId};

/// The state of a log as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogState {
    /// Which log.
    pub id: LogId,
    /// Its name in the configuration at the last pass.
    pub name: String,
    /// Its type; `None` while it has no position.
    pub protocol: Option<Protocol>,
    /// For a log that lists its trees: its name in the origins of its trees.
    pub signed_name: Option<String>,
    /// For a log that lists its trees: passes in a row in which the log as a whole failed.
    pub failed_passes: u32,
    /// For a log that lists its trees: the end of the last pass in which the log as a whole did not fail.
    pub last_success: Option<Timestamp>,
    /// For a log that lists its trees: why the log as a whole failed in the last pass.
    pub error: Option<PassError>,
}

/// The trees of a log, as it listed them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTrees {
    /// Which log.
    pub log: LogId,
    /// Its name in the configuration.
    pub name: String,
    /// Its type.
    pub protocol: Protocol,
    /// Its name in the origins of its trees.
    pub signed_name: String,
    /// The trees, oldest first.
    pub trees: Vec<ListedTree>,
    /// The time.
    pub now: Timestamp,
}

/// A tree that a log listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTree {
    /// Which tree.
    pub id: TreeId,
    /// Whether a key of the log signed the checkpoint that was listed with it.
    pub is_verified: bool,
}

/// Logs and their trees.
///
/// Laws:
/// 1. A tree belongs to one log: the one whose keys signed its checkpoint last. An unverified checkpoint takes no tree
///    from another log.
/// 2. If a new log signs for a tree of another log, it is that log at another address: all trees and look-ups of that
///    log are moved to it.
#[async_trait]
pub trait Logs: Send + Sync {
    /// The state of one log; `None` if no pass over it has ended yet.
    async fn log(&self, id: &LogId) -> Result<Option<LogState>, StoreError>;

    /// Every known log, ordered by name.
    async fn logs(&self) -> Result<Vec<LogState>, StoreError>;

    /// Records which trees a log lists.
    async fn list_trees(&self, listed: &ListedTrees) -> Result<(), StoreError>;

    /// The logs of the open findings about health: the origin in the finding, and the log that has it or is it; `None`
    /// if no known log has it.
    async fn unhealthy_logs(&self) -> Result<Vec<(String, Option<LogId>)>, StoreError>;
}
