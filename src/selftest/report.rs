//! The results of a drill, for people and for scripts.

use serde::Serialize;

use crate::escape;
use crate::report::Outcome;
use crate::report::log::ReadingMode;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer {
    /// It works.
    Ok,
    /// It does not work: the monitor would miss signings.
    Failed,
    /// It could not be tested.
    Unanswered,
    /// There is nothing to test.
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
    /// The origin of the tree of a log with several.
    pub(super) origin: String,
    /// A name for people of the tree; `None`: the log has one tree, or this is about all of them.
    #[serde(skip)]
    pub(super) tree: Option<String>,
    #[serde(rename = "type")]
    pub(super) protocol: &'static str,
    pub(super) mode: ReadingMode,
    /// The CT logs that guide it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) guided_by: Vec<String>,
    /// The end of the tree now; this and the other numbers of entries count over all trees of the log.
    pub(super) head: Option<u64>,
    /// The first entry that is read, or that findings are made of; null before the first pass.
    pub(super) from: Option<u64>,
    /// There are entries before that.
    #[serde(skip)]
    pub(super) begun_late: bool,
    /// The end of the part that is read and proven.
    pub(super) proven: Option<u64>,
    /// An entry was fetched again and proven against the signed checkpoint.
    pub(super) entry: Check,
    /// The proven tree is still the beginning of the signed one.
    pub(super) history: Check,
    /// A leaf with one changed byte is detected.
    pub(super) swapped_leaf: Check,
}

/// One watch.
#[derive(Debug, Clone, Serialize)]
pub(super) struct WatchReport {
    pub(super) name: String,
    /// Number of invented signings that it selected.
    pub(super) selected: usize,
    /// Number of similar signings that it did not select.
    pub(super) rejected: usize,
    #[serde(flatten)]
    pub(super) check: Check,
    /// The ranges that it has never been matched against, such as `main: entries 0 to 511`.
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
pub struct Report {
    /// The trusted authorities and logs; null without `[trust]`.
    pub(super) trust: Option<Check>,
    pub(super) logs: Vec<LogReport>,
    pub(super) watches: Vec<WatchReport>,
    pub(super) channels: Vec<ChannelReport>,
    /// An unreachable log causes exit code 3 and withholds the heartbeat.
    pub(super) outage: Check,
    /// Whether another service notices when the monitor stops.
    pub(super) heartbeat: bool,
    /// What this configuration cannot detect.
    pub(super) cannot_see: Vec<String>,
    /// The servers to open in a firewall, if some did not answer.
    pub(super) network: Option<String>,
}

impl Report {
    /// 1 if something does not work; otherwise 3 if something could not be tested. A configuration without a channel is
    /// allowed, and does not pass.
    pub fn outcome(&self) -> Outcome {
        if self.has(Answer::Failed) {
            Outcome::No
        } else if self.has(Answer::Unanswered) {
            Outcome::Unanswered
        } else {
            Outcome::Clean
        }
    }

    /// Whether one of the checks had this result.
    fn has(&self, answer: Answer) -> bool {
        self.logs
            .iter()
            .flat_map(|log| [&log.entry, &log.history, &log.swapped_leaf])
            .chain(self.watches.iter().map(|watch| &watch.check))
            .chain(self.channels.iter().map(|channel| &channel.check))
            .chain(&self.trust)
            .chain([&self.outage])
            .any(|check| check.result == answer)
    }

    /// The report for programs.
    pub fn json(&self) -> serde_json::Value {
        let mut value = serde_json::to_value(self).expect("its maps have string keys");
        if let Some(object) = value.as_object_mut() {
            let passed = self.outcome() == Outcome::Clean;
            object.insert("passed".to_owned(), passed.into());
        }
        value
    }

    /// The report for a terminal: escaped lines.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(trust) = &self.trust {
            lines.push(line("trust", trust));
        }
        for log in &self.logs {
            log.add_lines(&mut lines);
        }
        for watch in &self.watches {
            lines.push(line(&format!("watch {}", watch.name), &watch.check));
        }
        for channel in &self.channels {
            lines.push(line(&format!("channel {}", channel.name), &channel.check));
        }
        lines.push(line("outage", &self.outage));
        lines.push("\nThis configuration detects".to_owned());
        for log in &self.logs {
            // The line is the same for all trees of a guided log.
            let is_said =
                |other: &LogReport| other.mode == ReadingMode::Guided && other.name == log.name;
            let first = self.logs.iter().find(|other| is_said(other));
            if first.is_none_or(|first| std::ptr::eq(first, log)) {
                lines.push(bullet(&log.sees()));
            }
        }
        lines.push("\nIt does not detect".to_owned());
        for item in &self.cannot_see {
            lines.push(bullet(item));
        }
        if let Some(network) = &self.network {
            // Escaped where it was made.
            lines.push(format!("\nNo answer. {network}"));
        }
        let verdict = if self.has(Answer::Failed) {
            "\nFailed: signings would be missed where a line has FAIL."
        } else if self.has(Answer::Unanswered) {
            "\nNot passed: the lines with ? could not be tested."
        } else if self.channels.is_empty() {
            "\nEvery test passed, but no alert is sent."
        } else {
            "\nPassed."
        };
        lines.push(verdict.to_owned());
        if self.channels.is_empty() {
            lines.push(
                "There is no [[channel]]: findings are recorded, and reach no person.".to_owned(),
            );
        }
        lines
    }
}

impl LogReport {
    /// The log, and its tree if it has several.
    fn label(&self) -> String {
        match &self.tree {
            Some(tree) => format!("{}, tree {tree}", self.name),
            None => self.name.clone(),
        }
    }

    /// All successes on one line, every other result on its own line.
    fn add_lines(&self, lines: &mut Vec<String>) {
        let name = format!("log {}", self.label());
        let checks = [&self.entry, &self.history, &self.swapped_leaf];
        let well = checks.iter().filter(|check| check.result == Answer::Ok);
        let well: Vec<_> = well.map(|check| check.detail.as_str()).collect();
        if !well.is_empty() {
            lines.push(line(&name, &Check::ok(well.join("; "))));
        }
        for (place, check) in checks.into_iter().enumerate() {
            let is_said = match check.result {
                Answer::Ok => false,
                Answer::Failed | Answer::Unanswered => true,
                // Without the entries, nothing could be compared or changed: one line is enough.
                Answer::Skipped => place == 0,
            };
            if is_said {
                lines.push(line(&name, check));
            }
        }
    }

    fn sees(&self) -> String {
        let Self { protocol, mode, .. } = self;
        if self.mode == ReadingMode::Guided {
            let by = self.guided_by.join(", ");
            let seen = match self.from {
                Some(from) => format!(
                    "every certificate in {by}, and the entries from {from} on that its search index returns for their names"
                ),
                None => self.unread().to_owned(),
            };
            return format!("{} ({protocol}, {mode} by {by}): {seen}", self.name);
        }
        let seen = match (self.from, self.proven) {
            (Some(from), Some(proven)) if from < proven => {
                format!("entries {from} to {}, and what comes", proven - 1)
            }
            (Some(from), _) => format!("what comes from entry {from} on"),
            _ => self.unread().to_owned(),
        };
        format!("{} ({protocol}, {mode}): {seen}", self.label())
    }

    /// For a log without a known position.
    fn unread(&self) -> &'static str {
        if self.entry.result == Answer::Unanswered {
            "unknown: it does not answer, as shown above"
        } else {
            "nothing yet: `modelwatch monitor` has not read it"
        }
    }
}

fn line(name: &str, check: &Check) -> String {
    let mark = match check.result {
        Answer::Ok => "ok  ",
        Answer::Failed => "FAIL",
        Answer::Unanswered => "?   ",
        Answer::Skipped => "-   ",
    };
    format!(
        "{mark}  {}: {}",
        escape::terminal(name),
        escape::terminal(&check.detail)
    )
}

fn bullet(item: &str) -> String {
    format!("  - {}", escape::terminal(item))
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
            trust: None,
            logs: Vec::new(),
            watches: Vec::new(),
            channels: vec![channel(first), channel(second)],
            outage: Check::skipped(""),
            heartbeat: true,
            cannot_see: Vec::new(),
            network: None,
        }
    }

    #[test]
    fn failed_has_priority_over_unanswered_and_skipped_does_not_count() {
        for (checks, outcome) in [
            ([Check::ok(""), Check::skipped("")], Outcome::Clean),
            ([Check::ok(""), Check::unanswered("")], Outcome::Unanswered),
            ([Check::failed(""), Check::unanswered("")], Outcome::No),
        ] {
            assert_eq!(report(checks).outcome(), outcome);
        }
    }
}
