//! Times of other clocks, which are collected while logs are read and assessed at the end of a pass.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// The source of a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::monitor) enum TimeSource {
    /// A server, by its host.
    Server(String),
    /// The newest head of a log that dates its heads, by the name of the log.
    Head(String),
    /// The certificates that were logged last, by the name of the log. Anybody may have issued them.
    Certificates(String),
}

/// The time of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::monitor) struct TimeReport {
    pub(in crate::monitor) source: TimeSource,
    /// How far it is ahead of the clock of this machine.
    pub(in crate::monitor) ahead: SignedDuration,
}

/// The reports of one pass; clones share them.
#[derive(Debug, Clone, Default)]
pub(in crate::monitor) struct TimeReports(Arc<Mutex<Vec<TimeReport>>>);

impl TimeReports {
    /// Adds a report. It replaces an earlier one of the same source.
    pub(in crate::monitor) fn add(&self, source: TimeSource, says: Timestamp, now: Timestamp) {
        let mut time_reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        time_reports.retain(|report| report.source != source);
        time_reports.push(TimeReport {
            source,
            ahead: says.duration_since(now),
        });
    }

    /// Takes all reports.
    pub(in crate::monitor) fn take(&self) -> Vec<TimeReport> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
