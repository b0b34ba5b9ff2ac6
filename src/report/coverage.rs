//! How far a list can be relied on: what it does not show because it was not read, not proven or not compared.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::Status;
use super::log::{LogStatus, ReadingMode};

/// The extent to which the logs were read, proven and compared with every watch.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct Coverage {
    /// Every log was read in full from its first position on, and proven up to its end within the time that was asked for,
    /// and every watch was compared with all of it.
    pub complete: bool,
    /// Why it is not complete; empty if it is.
    pub why: Vec<Unanswered>,
    logs: Vec<LogCoverage>,
}

/// A reason why something may be missing.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct Unanswered {
    /// The log; `None`: all of them.
    pub log: Option<String>,
    /// A word for programs.
    pub kind: &'static str,
    /// A sentence for people.
    pub message: String,
}

/// The part of one log that is read and proven.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
struct LogCoverage {
    log: String,
    origin: Option<String>,
    mode: ReadingMode,
    /// Where reading began.
    from: Option<u64>,
    /// Every entry from there to here was read.
    seen: Option<u64>,
    /// Every entry from there to here was proven.
    proven: Option<u64>,
    /// The size of its largest checkpoint.
    head: Option<u64>,
    /// End of the last pass that proved everything.
    last_success: Option<Timestamp>,
}

impl Coverage {
    /// The coverage of a status. A log whose last proven pass is older than `max_age` is not complete.
    pub fn of(status: &Status, max_age: Duration, now: Timestamp) -> Self {
        let mut why = Vec::new();
        let mut add = |log: Option<&str>, kind, message| {
            why.push(Unanswered {
                log: log.map(str::to_owned),
                kind,
                message,
            });
        };
        if let Some(failure) = status.failure {
            let message = format!("the last pass could record nothing: {failure}");
            add(None, "unavailable", message);
        }
        if status.logs.is_empty() {
            let message = "no log is followed: nothing is read".to_owned();
            add(None, "unread", message);
        }
        if let Some(trust) = &status.trust
            && !trust.known
        {
            let message = format!("there is no trusted root yet from {}", trust.source);
            add(None, "unavailable", message);
        }
        for log in &status.logs {
            let name = Some(log.name.as_str());
            if let Some(error) = &log.error {
                let message = format!(
                    "the last pass did not finish: {}: {}",
                    error.kind, error.message
                );
                add(name, "unavailable", message);
            }
            if log.is_guided() {
                let message = "only certificates are seen completely: entries as far as the search index names them";
                add(name, "guided", message.to_owned());
            } else if let Some(message) = unread(log) {
                add(name, "unread", message);
            }
            if log.is_stale(max_age, now) {
                let message = match log.last_success {
                    Some(last) => {
                        format!("no pass has proven all of it since {}", super::time(last))
                    }
                    None => "no pass has proven all of it".to_owned(),
                };
                add(name, "behind", message);
            }
        }
        for (log, (watches, first)) in uncompared(status) {
            let watches = match watches {
                1 => format!("the watch {first} was"),
                _ => format!("{watches} watches, such as {first}, were"),
            };
            let message =
                format!("{watches} never compared with some entries: `modelwatch rescan` does so");
            add(Some(log), "gap", message);
        }
        Self {
            complete: why.is_empty(),
            why,
            logs: status.logs.iter().map(LogCoverage::of).collect(),
        }
    }
}

impl Coverage {
    /// The same for one log: without the reasons that are about other logs.
    #[must_use]
    pub fn of_log(mut self, name: &str) -> Self {
        self.why
            .retain(|why| why.log.as_deref().is_none_or(|log| log == name));
        self.logs.retain(|log| log.log == name);
        self.complete = self.why.is_empty();
        self
    }
}

impl LogCoverage {
    fn of(log: &LogStatus) -> Self {
        Self {
            log: log.name.clone(),
            origin: log.origin().map(str::to_owned),
            mode: log.mode(),
            from: log.first(),
            seen: log.seen,
            proven: log.proven,
            head: log.head,
            last_success: log.last_success,
        }
    }
}

/// Why not all of a log is proven, if so.
fn unread(log: &LogStatus) -> Option<String> {
    match (log.proven, log.head) {
        (Some(proven), Some(head)) if proven >= head => None,
        (Some(proven), Some(head)) => Some(format!("entries {proven}..{head} are not proven yet")),
        (None, _) => Some("nothing of it is read yet".to_owned()),
        (Some(_), None) => Some("its end is not known".to_owned()),
    }
}

/// By log: the number of watches with a gap in it, and the name of the first.
fn uncompared(status: &Status) -> BTreeMap<&str, (usize, &str)> {
    let mut by_log = BTreeMap::new();
    for watch in &status.watches {
        let mut logs: Vec<&str> = watch
            .on_logs()
            .filter(|on| !on.gaps.is_empty())
            .map(|on| on.log)
            .collect();
        // A log may have several trees.
        logs.dedup();
        for log in logs {
            by_log.entry(log).or_insert((0, watch.name())).0 += 1;
        }
    }
    by_log
}
