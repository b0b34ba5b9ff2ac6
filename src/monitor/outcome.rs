//! How a pass ended, for the caller.

use crate::store::{Outcome, PassError, PassErrorKind, PassReport, StoreError};

/// How a pass over one log ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOutcome {
    /// The log's name.
    pub log: String,
    /// Everything up to the newest checkpoint was read and proven.
    pub proven: bool,
    /// Why it is not proven; `None` also for a pass that was stopped.
    pub error: Option<PassError>,
    /// Number of entries that were read.
    pub entries: u64,
}

/// Why a pass did not begin, or had to end for every log.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// A first position at the end of a log skips all entries before it. After the loss of a database that needs
    /// permission.
    #[error(
        "no position is stored for {}, and the configuration starts at the end: entries that are already there would never be read. \
         If this is the first run, run once with --bootstrap. If it is not, the database was lost: restore it, or give `start` an index that you know was read",
        .0.join(", ")
    )]
    NeedsBootstrap(Vec<String>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LogOutcome {
    /// Adds the outcome of one tree to that of its log.
    pub(super) fn add(&mut self, part: Self) {
        self.proven &= part.proven;
        self.error = self.error.take().or(part.error);
        self.entries += part.entries;
    }
}

impl From<PassReport> for LogOutcome {
    fn from(report: PassReport) -> Self {
        Self {
            proven: report.outcome == Outcome::Proven,
            error: report.outcome.error().cloned(),
            log: report.name,
            entries: report.entries,
        }
    }
}

/// Why a rescan could not be finished. Its finished steps are recorded.
#[derive(Debug, thiserror::Error)]
pub enum RescanError {
    /// The configuration has no such watch.
    #[error("there is no watch named {0}")]
    UnknownWatch(String),
    /// The log could not be read, or its leaves are not those that were proven.
    #[error("{log}: {}", .error.message)]
    Log {
        /// The log's name.
        log: String,
        /// Why.
        error: PassError,
    },
    /// The program was told to stop.
    #[error("stopped before the end: run it again to go on")]
    Stopped,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RescanError {
    /// Whether the same rescan may succeed later.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Log { error, .. } => error.kind != PassErrorKind::LogFault,
            Self::UnknownWatch(_) | Self::Stopped | Self::Store(_) => true,
        }
    }
}
