//! A log of the configuration.

use super::{Log, RekorV1Log};
use crate::log::LogId;

/// One log of the configuration.
#[derive(Clone)]
pub enum MonitoredLog {
    /// One tree, read in full.
    Tree(Log),
    /// Several trees, which the log lists; each is read in full.
    RekorV1(RekorV1Log),
    /// A log that grows too fast to be read: entries are found through CT logs and its search index.
    Guided(Guided),
}

impl MonitoredLog {
    /// Its name in findings and on the command line.
    pub fn name(&self) -> &str {
        match self {
            Self::Tree(log) => &log.shard.name,
            Self::RekorV1(log) => &log.name,
            Self::Guided(guided) => &guided.log.name,
        }
    }
}

impl MonitoredLog {
    /// Which log it is.
    pub fn id(&self) -> LogId {
        match self {
            Self::Tree(log) => log.shard.log.clone(),
            Self::RekorV1(log) => log.id(),
            Self::Guided(guided) => guided.log.id(),
        }
    }
}

impl From<Log> for MonitoredLog {
    fn from(log: Log) -> Self {
        Self::Tree(log)
    }
}

/// A Rekor v1 log whose entries are found through CT logs and its search index.
#[derive(Debug, Clone)]
pub struct Guided {
    /// The log. Its `start` is the index of the first entry that is reported.
    pub log: RekorV1Log,
    /// The CT logs that contain the certificates; never empty.
    pub guides: Vec<CtGuide>,
}

/// A CT log whose certificates are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CtGuide {
    /// Its name in the configuration.
    pub name: String,
    /// Its id; `None` until there is a trusted root with its key.
    pub id: Option<LogId>,
}
