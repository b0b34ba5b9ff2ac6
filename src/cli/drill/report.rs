//! What a drill has shown, for people and for scripts.

use serde::Serialize;

use crate::cli::output::{Outcome, Output};
use crate::escape;

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer {
    /// Shown to work.
    Ok,
    /// Shown not to work: the watch is blind here.
    Failed,
    /// It could not be asked.
    Unanswered,
    /// Nothing to be shown here.
    Skipped,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Check {
    pub(super) result: Answer,
    /// One sentence, raw.
    pub(super) detail: String,
}

impl Check {
    pub(super) fn ok(detail: impl Into<String>) -> Self {
        Self::of(Answer::Ok, detail)
    }

    pub(super) fn failed(detail: impl Into<String>) -> Self {
        Self::of(Answer::Failed, detail)
    }

    pub(super) fn unanswered(detail: impl Into<String>) -> Self {
        Self::of(Answer::Unanswered, detail)
    }

    pub(super) fn skipped(detail: impl Into<String>) -> Self {
        Self::of(Answer::Skipped, detail)
    }

    fn of(result: Answer, detail: impl Into<String>) -> Self {
        Self {
            result,
            detail: detail.into(),
        }
    }
}

/// One log.
#[derive(Debug, Clone, Serialize)]
pub(super) struct LogReport {
    pub(super) name: String,
    pub(super) origin: String,
    #[serde(rename = "type")]
    pub(super) protocol: &'static str,
    pub(super) mode: &'static str,
    /// Its size now.
    pub(super) head: Option<u64>,
    /// From where on it is read; null before the first pass.
    pub(super) from: Option<u64>,
    /// How far it is read and proven.
    pub(super) proven: Option<u64>,
    /// An entry was fetched again and proven against the signed checkpoint.
    pub(super) entry: Check,
    /// What was proven before is still what the log signs.
    pub(super) history: Check,
    /// A leaf with one other byte is found out.
    pub(super) swapped_leaf: Check,
}

/// One watch.
#[derive(Debug, Clone, Serialize)]
pub(super) struct WatchReport {
    pub(super) name: String,
    /// Made-up signings that it selected.
    pub(super) selected: usize,
    /// Near misses that it rejected.
    pub(super) rejected: usize,
    #[serde(flatten)]
    pub(super) check: Check,
    /// What it has never been matched against, such as `main: entries 0 to 511`.
    pub(super) gaps: Vec<String>,
}

/// One channel.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ChannelReport {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) check: Check,
}

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    pub(super) logs: Vec<LogReport>,
    pub(super) watches: Vec<WatchReport>,
    pub(super) channels: Vec<ChannelReport>,
    /// An unreachable log makes exit code 3 and withholds the heartbeat.
    pub(super) outage: Check,
    /// Whether somebody else notices when the watch stops.
    pub(super) heartbeat: bool,
    /// What this configuration cannot see.
    pub(super) cannot_see: Vec<String>,
}

impl Report {
    /// 1 if anything is blind; else 3 if anything could not be asked.
    pub(super) fn outcome(&self) -> Outcome {
        let answers: Vec<Answer> = self
            .logs
            .iter()
            .flat_map(|log| [&log.entry, &log.history, &log.swapped_leaf])
            .chain(self.watches.iter().map(|watch| &watch.check))
            .chain(self.channels.iter().map(|channel| &channel.check))
            .chain([&self.outage])
            .map(|check| check.result)
            .collect();
        if answers.contains(&Answer::Failed) {
            Outcome::No
        } else if answers.contains(&Answer::Unanswered) {
            Outcome::Unanswered
        } else {
            Outcome::Clean
        }
    }

    pub(super) fn json(&self, output: &mut Output) -> anyhow::Result<()> {
        let mut value = serde_json::to_value(self)?;
        if let Some(object) = value.as_object_mut() {
            let passed = self.outcome() == Outcome::Clean;
            object.insert("passed".to_owned(), passed.into());
        }
        output.json(&value)
    }

    pub(super) fn text(&self, output: &mut Output) -> anyhow::Result<()> {
        for log in &self.logs {
            let name = format!("log {}", log.name);
            line(output, &name, &log.entry)?;
            line(output, &name, &log.history)?;
            line(output, &name, &log.swapped_leaf)?;
        }
        for watch in &self.watches {
            line(output, &format!("watch {}", watch.name), &watch.check)?;
        }
        for channel in &self.channels {
            line(output, &format!("channel {}", channel.name), &channel.check)?;
        }
        line(output, "outage", &self.outage)?;
        output.line("\nThis configuration sees")?;
        for log in &self.logs {
            let from = match (log.from, log.proven) {
                (Some(from), Some(proven)) => format!("entries {from} to {proven}, and what comes"),
                (Some(from), None) => format!("what comes from entry {from} on"),
                _ => "nothing yet: `modelwatch monitor` has not read it".to_owned(),
            };
            bullet(
                output,
                &format!("{} ({}, {}): {from}", log.name, log.protocol, log.mode),
            )?;
        }
        output.line("\nIt does not see")?;
        for item in &self.cannot_see {
            bullet(output, item)?;
        }
        output.line(match self.outcome() {
            Outcome::Clean => "\nPassed.",
            Outcome::No => "\nFailed: the watch is blind where it says FAIL.",
            _ => "\nNot passed: what says ? could not be asked.",
        })
    }
}

fn line(output: &mut Output, name: &str, check: &Check) -> anyhow::Result<()> {
    let mark = match check.result {
        Answer::Ok => "ok  ",
        Answer::Failed => "FAIL",
        Answer::Unanswered => "?   ",
        Answer::Skipped => "-   ",
    };
    output.line(&format!(
        "{mark}  {}: {}",
        escape::terminal(name),
        escape::terminal(&check.detail)
    ))
}

fn bullet(output: &mut Output, item: &str) -> anyhow::Result<()> {
    output.line(&format!("  - {}", escape::terminal(item)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(checks: [Check; 2]) -> Report {
        let [first, second] = checks;
        let channel = |check| ChannelReport {
            name: "c".to_owned(),
            check,
        };
        Report {
            logs: Vec::new(),
            watches: Vec::new(),
            channels: vec![channel(first), channel(second)],
            outage: Check::skipped(""),
            heartbeat: true,
            cannot_see: Vec::new(),
        }
    }

    #[test]
    fn blind_counts_more_than_not_asked_and_skipped_not_at_all() {
        for (checks, outcome) in [
            ([Check::ok(""), Check::skipped("")], Outcome::Clean),
            ([Check::ok(""), Check::unanswered("")], Outcome::Unanswered),
            ([Check::failed(""), Check::unanswered("")], Outcome::No),
        ] {
            assert_eq!(report(checks).outcome(), outcome);
        }
    }
}
