//! The state of a monitor, from its store: logs, trust, watches, alerts, open findings.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::log::LogStatus;
use super::{CONTRACT, cell, time};
use crate::escape;
use crate::store::{ChannelQueue, Counts, TreeCoverage, WatchSet};

/// Most watches that are listed one by one for people. If there are more, only those with gaps are listed.
const LISTED_WATCHES: usize = 20;

/// The whole state, as in `status --json`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct Status {
    contract: u32,
    /// The running daemon.
    pub daemon: Option<DaemonStatus>,
    /// The trusted root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustStatus>,
    /// The logs.
    pub logs: Vec<LogStatus>,
    /// The watches.
    #[cfg_attr(feature = "web", schema(value_type = Vec<WatchSchema>))]
    pub watches: Vec<WatchStatus>,
    /// The alerts.
    pub alerts: AlertStatus,
    /// The open findings.
    pub findings: FindingStatus,
    /// Why the last pass could record nothing, so that all of this is older. Only the daemon itself knows it.
    #[serde(skip)]
    pub failure: Option<&'static str>,
}

/// The running daemon, and how its configuration compares with the file.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct DaemonStatus {
    /// Its process id.
    pub process: u32,
    /// Its configuration, as an absolute path.
    #[cfg_attr(feature = "web", schema(value_type = String))]
    pub file: PathBuf,
    /// When the daemon read it.
    pub loaded: Timestamp,
    /// The file has other bytes than the daemon read.
    pub changed: bool,
}

/// The trusted root, as far as it is known without a request.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct TrustStatus {
    /// The repository or file.
    pub source: String,
    /// Whether there is a trusted root.
    pub known: bool,
    /// The version of the repository's timestamp.
    pub version: Option<u64>,
    /// When that expires.
    pub expires: Option<Timestamp>,
    /// When it was verified last.
    pub refreshed: Option<Timestamp>,
    /// The logs in it that are not followed.
    pub not_followed: Vec<NotFollowedStatus>,
    /// Problems of single items of it, which are left out or used nevertheless.
    pub remarks: Vec<String>,
}

/// A log of the trusted root that is not followed.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct NotFollowedStatus {
    /// Its name and kind.
    pub log: String,
    /// The configuration ignores it.
    pub ignored: bool,
}

/// One watch.
#[derive(Debug)]
pub struct WatchStatus {
    name: String,
    /// The trees that were read.
    trees: Arc<[Tree]>,
    /// For each tree that it does not cover completely: the index from which it covers everything, and the ranges that
    /// were read and never matched, `[first, end)`, both counted over all trees of the log.
    uneven: BTreeMap<usize, (u64, Vec<(u64, u64)>)>,
}

/// One tree, once for all watches.
#[derive(Debug)]
struct Tree {
    log: String,
    origin: String,
    /// Its first position, counted over all trees of the log.
    first: u64,
}

/// The part of a tree that a watch covers.
#[derive(Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct WatchOnLog<'a> {
    pub log: &'a str,
    pub origin: &'a str,
    /// From here on everything up to `seen` was matched.
    pub from: u64,
    pub gaps: &'a [(u64, u64)],
}

/// What the serialization of [`WatchStatus`] writes.
#[cfg(feature = "web")]
#[derive(utoipa::ToSchema)]
#[schema(as = WatchStatus)]
#[expect(dead_code, reason = "it describes a form of JSON")]
struct WatchSchema<'a> {
    /// Its name in the configuration.
    name: &'a str,
    /// The trees that were read.
    logs: Vec<WatchOnLog<'a>>,
}

impl Serialize for WatchStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Written row by row: a thousand watches over a hundred trees are never in memory at once.
        struct Logs<'a>(&'a WatchStatus);
        impl Serialize for Logs<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.on_logs())
            }
        }
        let mut watch = serializer.serialize_struct("WatchStatus", 2)?;
        watch.serialize_field("name", &self.name)?;
        watch.serialize_field("logs", &Logs(self))?;
        watch.end()
    }
}

/// The alerts of all channels.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct AlertStatus {
    pending: u64,
    /// Those of the pending ones that are due.
    #[serde(skip)]
    #[cfg(feature = "web")]
    due: u64,
    failed: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
}

/// The numbers of open findings.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct FindingStatus {
    security: u64,
    health: u64,
}

impl Status {
    /// Combines these parts.
    pub fn new(
        daemon: Option<DaemonStatus>,
        trust: Option<TrustStatus>,
        logs: Vec<LogStatus>,
        watches: Vec<WatchStatus>,
        alerts: AlertStatus,
        findings: FindingStatus,
    ) -> Self {
        Self {
            contract: CONTRACT,
            daemon,
            trust,
            logs,
            watches,
            alerts,
            findings,
            failure: None,
        }
    }

    /// The names of logs that no pass has proven within this time, raw. A monitor without any log to prove is stale
    /// too: it never got the trusted root that names its logs.
    pub fn stale(&self, max_age: Duration, now: Timestamp) -> Vec<String> {
        let is_stale = |log: &&LogStatus| log.is_stale(max_age, now);
        let mut stale: Vec<String> = self
            .logs
            .iter()
            .filter(is_stale)
            .map(|log| log.name.clone())
            .collect();
        match &self.trust {
            Some(trust) if !trust.known => stale.push(format!("trust from {}", trust.source)),
            _ if self.logs.is_empty() => stale.push("no log is followed".to_owned()),
            _ => {}
        }
        stale
    }

    /// The ranges of a log that were read and that some watch was never matched against, in any order.
    #[cfg(feature = "web")]
    pub fn gaps_of(&self, log: &str) -> Vec<(u64, u64)> {
        let on_logs = self.watches.iter().flat_map(WatchStatus::on_logs);
        let mut gaps: Vec<(u64, u64)> = on_logs
            .filter(|on| on.log == log)
            .flat_map(|on| on.gaps)
            .copied()
            .collect();
        gaps.sort_unstable();
        gaps.dedup();
        gaps
    }

    /// All of it for a terminal: escaped lines.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![LogStatus::heading_row()];
        for log in &self.logs {
            lines.extend(log.lines());
        }
        if self.logs.is_empty() {
            lines.push("no log is followed: nothing is read".to_owned());
        }
        if let Some(trust) = &self.trust {
            trust.add_lines(&mut lines);
        }
        lines.extend(self.daemon.as_ref().and_then(DaemonStatus::line));
        lines.push(String::new());
        let is_short = self.watches.len() <= LISTED_WATCHES;
        let watches = self.watches.iter();
        lines.extend(
            watches
                .filter(|watch| is_short || watch.has_gaps())
                .map(WatchStatus::line),
        );
        lines.push(String::new());
        lines.push(format!(
            "open findings: {} security, {} health; alerts: {} pending, {} given up",
            self.findings.security, self.findings.health, self.alerts.pending, self.alerts.failed
        ));
        let errors = self.alerts.errors.iter();
        lines.extend(errors.map(|error| format!("    {}", escape::terminal(error))));
        lines
    }
}

impl DaemonStatus {
    /// The line about a file that has changed since the daemon read it.
    fn line(&self) -> Option<String> {
        self.changed.then(|| {
            format!(
                "the daemon (process {}) works with {} as it was at {}, and the file has changed: `systemctl reload modelwatch`, or SIGHUP, loads it",
                self.process,
                escape::terminal(&self.file.display().to_string()),
                time(self.loaded)
            )
        })
    }
}

impl TrustStatus {
    fn add_lines(&self, lines: &mut Vec<String>) {
        let refreshed = match (self.refreshed, self.version) {
            (Some(at), Some(version)) => format!(", version {version} of {}", time(at)),
            _ if !self.known => ": never verified, so nothing is read".to_owned(),
            _ => String::new(),
        };
        lines.push(String::new());
        let source = escape::terminal(&self.source);
        lines.push(format!("trust from {source}{refreshed}"));
        lines.extend(self.not_followed.iter().map(|log| {
            let why = if log.ignored { ", as configured" } else { "" };
            format!("    not followed{why}: {}", escape::terminal(&log.log))
        }));
        let remarks = self.remarks.iter();
        lines.extend(remarks.map(|remark| format!("    {}", escape::terminal(remark))));
    }
}

impl WatchStatus {
    /// The watches, in this order, with the ranges that they were matched against.
    pub fn of_all(watches: &WatchSet, coverage: &[TreeCoverage]) -> Vec<Self> {
        let trees: Arc<[Tree]> = coverage
            .iter()
            .map(|tree| Tree {
                log: tree.log.clone(),
                origin: tree.tree.to_string(),
                first: tree.base + tree.first,
            })
            .collect();
        let mut by_name: HashMap<&str, BTreeMap<usize, _>> = HashMap::new();
        for (place, tree) in coverage.iter().enumerate() {
            for uneven in &tree.uneven {
                let gaps = uneven.gaps.iter();
                let gaps = gaps.map(|gap| (tree.base + gap.start, tree.base + gap.end));
                let covered = (tree.base + uneven.from, gaps.collect());
                let of_watch = by_name.entry(&uneven.watch.name).or_default();
                of_watch.insert(place, covered);
            }
        }
        let keys = watches.keys().iter();
        keys.map(|key| Self {
            uneven: by_name.remove(key.name.as_str()).unwrap_or_default(),
            trees: Arc::clone(&trees),
            name: key.name.clone(),
        })
        .collect()
    }

    /// Its name, raw.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of entries that were read and never matched against it, of all logs.
    pub fn gap_entries(&self) -> u64 {
        let gaps = self.uneven.values().flat_map(|(_, gaps)| gaps);
        gaps.map(|(from, to)| to.saturating_sub(*from))
            .fold(0, u64::saturating_add)
    }

    /// What it covers of each tree.
    pub fn on_logs(&self) -> impl Iterator<Item = WatchOnLog<'_>> {
        self.trees.iter().enumerate().map(|(place, tree)| {
            let uneven = self.uneven.get(&place);
            WatchOnLog {
                log: &tree.log,
                origin: &tree.origin,
                from: uneven.map_or(tree.first, |(from, _)| *from),
                gaps: uneven.map_or(&[], |(_, gaps)| gaps),
            }
        })
    }

    /// Whether something was read that was never matched against it.
    pub fn has_gaps(&self) -> bool {
        self.uneven.values().any(|(_, gaps)| !gaps.is_empty())
    }

    fn line(&self) -> String {
        format!(
            "watch {}  {}",
            cell(&self.name, 24),
            escape::terminal(&self.covers())
        )
    }

    /// What it covers, in words; raw.
    pub fn covers(&self) -> String {
        let gaps: Vec<String> = self
            .on_logs()
            .flat_map(|on| {
                let gaps = on.gaps.iter();
                gaps.map(move |(from, to)| format!("{} {from}..{to}", on.log))
            })
            .collect();
        if self.trees.is_empty() {
            "has covered nothing yet: no log was read".to_owned()
        } else if gaps.is_empty() {
            "covers everything that was read".to_owned()
        } else {
            format!(
                "never matched against {}: run `modelwatch rescan`",
                gaps.join(", ")
            )
        }
    }
}

impl AlertStatus {
    /// The state of the queues, by channel. `channels`: the names of the configured ones.
    pub fn of(queues: BTreeMap<String, ChannelQueue>, channels: &[String]) -> Self {
        let mut alerts = Self::default();
        for (channel, queue) in queues {
            if !channels.contains(&channel) {
                let waiting = queue.pending + queue.failed;
                if waiting > 0 {
                    alerts.errors.push(format!(
                        "{waiting} alerts were never delivered to {channel}, which is no longer configured"
                    ));
                }
                continue;
            }
            alerts.pending += queue.pending;
            #[cfg(feature = "web")]
            {
                alerts.due += queue.due;
            }
            alerts.failed += queue.failed;
            alerts
                .errors
                .extend(queue.last_error.map(|error| format!("{channel}: {error}")));
        }
        alerts
    }
}

/// What only the pages ask.
#[cfg(feature = "web")]
impl AlertStatus {
    /// Alerts that wait.
    pub fn pending(&self) -> u64 {
        self.pending
    }

    /// Alerts that are due, and that their channel has not accepted.
    pub fn due(&self) -> u64 {
        self.due
    }

    /// Alerts that were given up.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// The last error of each channel, raw.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// Whether a channel did not accept an alert.
    pub fn has_problem(&self) -> bool {
        self.failed > 0 || !self.errors.is_empty()
    }
}

impl From<Counts> for FindingStatus {
    fn from(counts: Counts) -> Self {
        Self {
            security: counts.security,
            health: counts.health,
        }
    }
}
