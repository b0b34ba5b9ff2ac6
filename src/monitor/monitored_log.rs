//! What is followed: a log of one tree, or one whose trees announce themselves.

use std::sync::Arc;

use super::{Guided, RekorV1Log};
use crate::log::Shard;
use crate::source::LogSource;

/// One tree that is followed: what it is, and where its bytes come from.
#[derive(Clone)]
pub struct Log {
    /// What it is.
    pub shard: Arc<Shard>,
    /// Where its bytes come from.
    pub source: Arc<dyn LogSource>,
}

/// One log of the configuration.
#[derive(Clone)]
pub enum MonitoredLog {
    /// It is one tree.
    Tree(Log),
    /// It is several trees, and the log says which.
    RekorV1(RekorV1Log),
    /// It is too fast to be read, and covered by way of CT logs and its search index.
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

impl From<Log> for MonitoredLog {
    fn from(log: Log) -> Self {
        Self::Tree(log)
    }
}
