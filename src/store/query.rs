//! What is read from the store.

use crate::log::TreeId;
use std::ops::Range;

use jiff::{SignedDuration, Timestamp};

use super::WatchKey;
use crate::expect::Expectation;
use crate::finding::{Evidence, Finding, Severity, State, Verdict};

/// Which findings are listed or acknowledged: those that meet every condition. The default is every finding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FindingQuery {
    /// In one of these states; empty: in any.
    pub states: Vec<State>,
    /// Of one of these watches, by name; empty: of any, and of none.
    pub watches: Vec<String>,
    /// With one of these verdicts; empty: with any.
    pub verdicts: Vec<Verdict>,
    /// At least this severe.
    pub min_severity: Option<Severity>,
    /// First seen at this time or later.
    pub since: Option<Timestamp>,
    /// Of this digest: `algorithm:hex`, or the hex alone, which then is of any algorithm.
    pub digest: Option<String>,
    /// One of its names is this one, whatever the case of ASCII letters; `*` is any number of any characters.
    pub san: Option<String>,
    /// At most this many.
    pub limit: Option<u64>,
}

impl FindingQuery {
    /// Open: a person has to look at it.
    pub fn open() -> Self {
        let states = State::ALL.into_iter().filter(|state| state.is_open());
        Self {
            states: states.collect(),
            ..Self::default()
        }
    }
}

/// One finding with everything that is kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingRecord {
    /// The finding.
    pub finding: Finding,
    /// Certificate, notes, leaf.
    pub evidence: Evidence,
    /// What became of it, oldest first.
    pub history: Vec<HistoryRow>,
    /// Where it was told: (channel, alert id, when delivered).
    pub alerts: Vec<(String, String, Option<Timestamp>)>,
}

/// One change of a finding.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct HistoryRow {
    /// When.
    pub at: Timestamp,
    /// The verdict from then on.
    pub verdict: Verdict,
    /// The severity from then on.
    pub severity: Severity,
    /// The state from then on.
    pub state: State,
    /// Why: a person's reason, the registered file, what ended it.
    pub reason: String,
}

/// What became of a request to acknowledge a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckOutcome {
    /// Done.
    Acked,
    /// It was acknowledged or resolved before.
    AlreadyClosed,
    /// A finding about health resolves itself.
    Health,
    /// No such finding.
    Unknown,
}

/// Open findings, by what they mean for the exit code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Open or disputed security findings of at least `fail_on`: exit 1.
    pub security: u64,
    /// Open health findings: exit 3.
    pub health: u64,
}

/// What one watch covers of one tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The watch.
    pub watch: WatchKey,
    /// The tree.
    pub tree: TreeId,
    /// The log's name.
    pub log: String,
    /// What to add to the positions below to count over all trees of the log.
    pub base: u64,
    /// From here on it covers everything up to `seen`.
    pub from: u64,
    /// The log's `seen`.
    pub seen: u64,
    /// What was never matched against it between the log's first position and `seen`.
    pub gaps: Vec<Range<u64>>,
}

/// What watches cover of one tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeCoverage {
    /// Which tree.
    pub tree: TreeId,
    /// The log's name.
    pub log: String,
    /// What to add to the positions below to count over all trees of the log.
    pub base: u64,
    /// Its first position.
    pub first: u64,
    /// Up to where it was read.
    pub seen: u64,
    /// The watches that do not cover all of it, in the order in which they were asked for.
    pub uneven: Vec<Uneven>,
}

/// A watch that does not cover all that was read of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uneven {
    /// The watch.
    pub watch: WatchKey,
    /// From here on it covers everything up to `seen`.
    pub from: u64,
    /// What was never matched against it between the first position and `seen`.
    pub gaps: Vec<Range<u64>>,
}

impl TreeCoverage {
    /// A row for each of these watches, by watch and then by tree.
    pub fn of_each(trees: &[Self], watches: &[WatchKey]) -> Vec<Coverage> {
        let mut all = Vec::with_capacity(trees.len().saturating_mul(watches.len()));
        for watch in watches {
            for tree in trees {
                let uneven = tree.uneven.iter().find(|uneven| uneven.watch == *watch);
                all.push(Coverage {
                    watch: watch.clone(),
                    tree: tree.tree.clone(),
                    log: tree.log.clone(),
                    base: tree.base,
                    from: uneven.map_or(tree.first, |uneven| uneven.from),
                    seen: tree.seen,
                    gaps: uneven.map_or_else(Vec::new, |uneven| uneven.gaps.clone()),
                });
            }
        }
        all
    }
}

/// A registered signing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its number, for `expect remove`.
    pub number: i64,
    /// What was registered.
    pub expectation: Expectation,
    /// From which file.
    pub file: String,
    /// When.
    pub at: Timestamp,
    /// How many findings are of it.
    pub findings: u64,
}

/// What kind of message is queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueuedKind {
    /// One group of findings.
    Alert,
    /// Many: a flood, or the day's low ones.
    Digest,
    /// What was alerted is over.
    Resolved,
}

impl QueuedKind {
    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Digest => "digest",
            Self::Resolved => "resolved",
        }
    }
}

/// A message that waits in the outbox of one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedAlert {
    /// Stable over attempts: receivers drop repeats by it.
    pub id: String,
    /// What kind.
    pub kind: QueuedKind,
    /// Joins an alert and its resolution: the alert's id.
    pub key: String,
    /// The highest of its findings'.
    pub severity: Severity,
    /// How many findings it has.
    pub findings: u64,
    /// When it was created.
    pub created: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// Recipients that have it, of a channel that has several.
    pub reached: Vec<String>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It was taken.
    Delivered,
    /// It will be tried again at `at`.
    Retry {
        /// When.
        at: Timestamp,
        /// Why.
        error: String,
        /// All recipients that have it, now or since earlier: they are left out of the next attempt.
        reached: Vec<String>,
    },
    /// It will not be tried again.
    GaveUp {
        /// Why.
        error: String,
    },
}

impl Delivery {
    /// A retry is never further ahead.
    pub const LONGEST_RETRY: SignedDuration = SignedDuration::from_hours(1);

    /// How long a daily digest collects before its first attempt.
    pub const DIGEST_AFTER: SignedDuration = SignedDuration::from_hours(24);
}

/// Findings of one alert that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingCounts {
    /// The watch, if they have one.
    pub watch: Option<String>,
    /// Their verdict.
    pub verdict: Verdict,
    /// Their severity.
    pub severity: Severity,
    /// How many.
    pub count: u64,
}

/// The alerts of one channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelQueue {
    /// Not delivered yet.
    pub pending: u64,
    /// Not delivered yet, and it is time.
    pub due: u64,
    /// Given up.
    pub failed: u64,
    /// The last error of one that is pending or was given up.
    pub last_error: Option<String>,
}
