//! The end of a pass over a log: said and recorded in the same way, whatever kind of log it is.

use super::health::{self, Noticed, Subject};
use super::tail::pass::Halt;
use super::{LogOutcome, Monitor, Rules};
use crate::escape;
use crate::store::{Outcome, PassError, PassReport, StoreError};

/// How a pass over a log ended, as far as it is recorded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    /// The log ended it by asking for fewer requests.
    pub(super) rate_limited: bool,
    /// Why the stored position cannot be used.
    pub(super) lost: Option<String>,
}

impl Ended {
    /// # Errors
    /// The store could not do it: nothing of such a pass can be recorded.
    pub(super) fn of(run: Result<(), Halt>) -> Result<Self, StoreError> {
        let mut ended = Self {
            outcome: Outcome::Proven,
            rate_limited: false,
            lost: None,
        };
        match run {
            Ok(()) => {}
            Err(Halt::Store(error)) => return Err(error),
            Err(Halt::Stopped) => ended.outcome = Outcome::Interrupted,
            Err(Halt::Behind(error)) => ended.outcome = Outcome::Behind(error),
            Err(Halt::Failed(error)) => ended.outcome = Outcome::Failed(error),
            Err(Halt::Limited(error)) => {
                ended.outcome = Outcome::Failed(error);
                ended.rate_limited = true;
            }
            Err(Halt::PositionLost(why)) => {
                ended.outcome = Outcome::Failed(PassError::new("position-lost", why.clone()));
                ended.lost = Some(why);
            }
        }
        Ok(ended)
    }
}

/// Says on the log of this program why a pass could not be finished.
pub(super) fn say(log: &str, origin: &str, error: &PassError) {
    tracing::warn!(
        log.name = log,
        log.origin = origin,
        error.kind = error.kind,
        "pass over {} not finished: {}",
        escape::terminal(log),
        escape::terminal(&error.message),
    );
}

impl Monitor {
    /// Records, without a word, what became of a log as a whole, or of a tree that cannot be asked.
    pub(super) async fn end_without_reading(
        &self,
        report: PassReport,
        rules: &Rules,
    ) -> Result<LogOutcome, StoreError> {
        self.store.end_pass(&report).await?;
        let subject = Subject {
            name: &report.name,
            origin: &report.origin,
            silence_after: None,
            tree: None,
        };
        health::assess_log(self, subject, rules, Noticed::default(), report.now).await?;
        Ok(report.into())
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
