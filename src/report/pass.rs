//! One pass over the logs: its result for scripts, and a line about it for people.

use serde::Serialize;

use super::Outcome;
use crate::escape;
use crate::finding::Severity;
use crate::monitor::LogOutcome;
use crate::store::Counts;

/// Most characters of the error of one log in the line about a pass.
const ERROR_CHARS: usize = 300;

/// The number of logs that were not read and proven. A pass over no log counts as one.
pub fn unread(outcomes: &[LogOutcome]) -> usize {
    let unread = outcomes.iter().filter(|outcome| !outcome.proven).count();
    unread.max(usize::from(outcomes.is_empty()))
}

/// The result of a single pass; the last line of `monitor --once` is its JSON.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PassResult {
    /// Open security findings of at least `fail_on`.
    pub security: u64,
    /// Open findings about health.
    pub health: u64,
    /// Logs that were not read and proven in this pass.
    pub unread: u64,
    /// Alerts that are due and were not delivered.
    pub undelivered: u64,
}

impl PassResult {
    /// The numbers that determine the exit code.
    pub const fn outcome(self) -> Outcome {
        if self.security > 0 {
            Outcome::No
        } else if self.health == 0 && self.unread == 0 && self.undelivered == 0 {
            Outcome::Clean
        } else {
            Outcome::Unanswered
        }
    }

    /// The problems, one line each. `fail_on`: the lowest severity of security findings that are counted.
    pub fn lines(self, fail_on: Severity) -> Vec<String> {
        let Self {
            security,
            health,
            unread,
            undelivered,
        } = self;
        let mut lines = Vec::new();
        if unread > 0 {
            lines.push(format!(
                "{unread} logs were not read and proven to their newest checkpoint: `modelwatch status` shows why"
            ));
        }
        if undelivered > 0 {
            lines.push(format!(
                "{undelivered} alerts are due and could not be delivered: `modelwatch status` shows why"
            ));
        }
        if security + health > 0 {
            lines.push(format!(
                "open findings: {security} security (of at least {}), {health} health: `modelwatch findings list`",
                fail_on.as_str(),
            ));
        }
        lines
    }
}

/// A pass of a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassSummary {
    /// Entries that were read.
    pub entries: u64,
    /// The number of proven logs and the open findings, on one line; escaped.
    pub state: String,
    /// The errors of logs, each after a semicolon; escaped.
    pub errors: String,
}

impl PassSummary {
    /// `counts`: the open findings, or why the store cannot count them.
    pub fn new(outcomes: &[LogOutcome], counts: Result<Counts, String>) -> Self {
        let proven = outcomes.iter().filter(|outcome| outcome.proven).count();
        let open = match counts {
            Ok(counts) => format!(
                "{} security and {} health findings open",
                counts.security, counts.health
            ),
            Err(error) => error,
        };
        let errors = outcomes.iter().filter_map(|outcome| {
            let error = outcome.error.as_ref()?;
            let line = format!("; {}: {}", outcome.log, error.message);
            Some(escape::terminal(&escape::truncate(&line, ERROR_CHARS)).into_owned())
        });
        Self {
            entries: outcomes.iter().map(|outcome| outcome.entries).sum(),
            state: format!("{proven} of {} logs proven; {open}", outcomes.len()),
            errors: errors.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_security_finding_counts_more_than_what_was_not_read() {
        let result = |security, health, unread, undelivered| PassResult {
            security,
            health,
            unread,
            undelivered,
        };
        for (result, outcome, lines) in [
            (result(0, 0, 0, 0), Outcome::Clean, 0),
            (result(1, 0, 0, 0), Outcome::No, 1),
            (result(1, 1, 1, 1), Outcome::No, 3),
            (result(0, 1, 0, 0), Outcome::Unanswered, 1),
            (result(0, 0, 1, 0), Outcome::Unanswered, 1),
            (result(0, 0, 0, 1), Outcome::Unanswered, 1),
        ] {
            assert_eq!(result.outcome(), outcome, "{result:?}");
            assert_eq!(result.lines(Severity::High).len(), lines, "{result:?}");
        }
    }

    #[test]
    fn a_pass_over_no_log_has_read_nothing() {
        let outcome = |proven| LogOutcome {
            log: "a".to_owned(),
            proven,
            error: None,
            entries: 3,
        };
        assert_eq!(unread(&[]), 1);
        assert_eq!(unread(&[outcome(true)]), 0);
        assert_eq!(unread(&[outcome(true), outcome(false)]), 1);
        let summary = PassSummary::new(&[outcome(true), outcome(false)], Err("full".to_owned()));
        assert_eq!(summary.entries, 6);
        assert_eq!(summary.state, "1 of 2 logs proven; full");
    }
}
