//! What a pass hears about the time: collected while logs are read, judged at its end.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Who says what time it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::monitor) enum TimeSource {
    /// A server, by its host.
    Server(String),
    /// The newest head of a log that dates its heads, by the log's name.
    Head(String),
    /// The certificates that were logged last, by the log's name: whoever issued them.
    Certificates(String),
}

/// One statement about the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::monitor) struct TimeReport {
    pub(in crate::monitor) source: TimeSource,
    /// By how much the teller's time is ahead of ours.
    pub(in crate::monitor) ahead: SignedDuration,
}

/// Clones share the statements of one pass.
#[derive(Debug, Clone, Default)]
pub(in crate::monitor) struct TimeReports(Arc<Mutex<Vec<TimeReport>>>);

impl TimeReports {
    /// Adds a statement; that of one teller counts once, the last.
    pub(in crate::monitor) fn add(&self, source: TimeSource, says: Timestamp, now: Timestamp) {
        let mut time_reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        time_reports.retain(|report| report.source != source);
        time_reports.push(TimeReport {
            source,
            ahead: says.duration_since(now),
        });
    }

    /// Takes what was said.
    pub(in crate::monitor) fn take(&self) -> Vec<TimeReport> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
