//! Queries to the store, and their results.

use crate::log::TreeId;
use std::ops::Range;

use jiff::{SignedDuration, Timestamp};

use super::WatchKey;
use super::handling::Action;
use crate::finding::{Evidence, Finding, FindingId, Severity, State, Verdict};

/// The findings to list or acknowledge: those that meet every condition. The default is every finding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FindingQuery {
    /// In one of these states; empty: in any state.
    pub states: Vec<State>,
    /// Of one of these watches, by name; empty: of any watch, and of none.
    pub watches: Vec<String>,
    /// With one of these verdicts; empty: with any verdict.
    pub verdicts: Vec<Verdict>,
    /// At least this severe.
    pub min_severity: Option<Severity>,
    /// First seen at this time or later.
    pub since: Option<Timestamp>,
    /// With this digest: `algorithm:hex`, or the hex alone for any algorithm.
    pub digest: Option<String>,
    /// With this name, whatever the case of ASCII letters; `*` matches any characters.
    pub san: Option<String>,
    /// After this place in the order of lists; `None`: from the beginning.
    pub after: Option<FindingPlace>,
    /// At most this many.
    pub limit: Option<u64>,
}

/// The place of a finding in the order of lists. It never changes, so that a list continues there although others were
/// written meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FindingPlace {
    /// Its log.
    pub log: Option<String>,
    /// Its index.
    pub index: Option<u64>,
    /// Its watch.
    pub watch: Option<String>,
    /// Its id.
    pub id: FindingId,
}

impl From<&Finding> for FindingPlace {
    fn from(finding: &Finding) -> Self {
        Self {
            log: finding.log.clone(),
            index: finding.index,
            watch: finding.watch.clone(),
            id: finding.id,
        }
    }
}

/// Longest name to look for, in bytes: SQLite compares no longer pattern than 50,000, and no certificate has such a name.
const MAX_SAN_BYTES: usize = 4096;

impl FindingQuery {
    /// The `digest` of a query from what a person wrote.
    ///
    /// # Errors
    ///
    /// It is no digest.
    pub fn digest_of(written: &str) -> Result<String, String> {
        let hex = written.split_once(':').map_or(written, |(_, hex)| hex);
        if hex.is_empty() || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err("a digest is sha256:HEX, or the hexadecimal digits alone".to_owned());
        }
        Ok(written.to_ascii_lowercase())
    }

    /// The `san` of a query from what a person wrote.
    ///
    /// # Errors
    ///
    /// It is empty or too long.
    pub fn san_of(written: &str) -> Result<String, String> {
        if written.is_empty() || written.len() > MAX_SAN_BYTES {
            return Err(format!("a name has 1 to {MAX_SAN_BYTES} bytes"));
        }
        Ok(written.to_owned())
    }

    /// Findings that a person has to look at.
    pub fn open() -> Self {
        let states = State::ALL.into_iter().filter(|state| state.is_open());
        Self {
            states: states.collect(),
            ..Self::default()
        }
    }
}

/// One finding with everything that is stored about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingRecord {
    /// The finding.
    pub finding: Finding,
    /// Certificate, notes, leaf.
    pub evidence: Evidence,
    /// What was signed, if a bundle showed it.
    pub payload: Option<KnownPayload>,
    /// What became of it, oldest first.
    pub history: Vec<HistoryRow>,
    /// Its alerts: (channel, alert id, time of delivery).
    pub alerts: Vec<(String, String, Option<Timestamp>)>,
}

/// The statement that a bundle showed for the digest in an entry.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct KnownPayload {
    /// Its type and subjects in words. The signer chose the text.
    pub statement: String,
    /// The file with the bundle that showed it first.
    pub file: String,
}

/// One change of a finding.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct HistoryRow {
    /// The time.
    pub at: Timestamp,
    /// Who did it; `None`: the program, or an earlier version recorded it.
    pub author: Option<String>,
    /// What was done.
    pub action: Action,
    /// The state from then on.
    pub state: State,
    /// The verdict from then on.
    pub verdict: Verdict,
    /// The severity from then on.
    pub severity: Severity,
    /// The reason: a person's text, the registered file, or what ended it.
    pub reason: String,
}

/// Numbers of open findings, by their meaning for the exit code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Open or disputed security findings of at least `fail_on`: exit 1.
    pub security: u64,
    /// Open health findings: exit 3.
    pub health: u64,
}

/// The part of one tree that each watch covers.
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
    /// The end of what was read.
    pub seen: u64,
    /// The watches that do not cover all of it, in the order of the question.
    pub uneven: Vec<Uneven>,
}

/// A watch that does not cover all of a tree that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uneven {
    /// The watch.
    pub watch: WatchKey,
    /// From here on it covers everything up to `seen`.
    pub from: u64,
    /// The ranges between the first position and `seen` that were never matched against it.
    pub gaps: Vec<Range<u64>>,
}

/// The kind of a queued message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueuedKind {
    /// One group of findings.
    Alert,
    /// Many findings: a flood, or those of a day with low severity.
    Digest,
    /// All findings of an alert are closed.
    Resolved,
    /// All findings of an alert are acknowledged or closed.
    Acknowledged,
}

impl QueuedKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [
        Self::Alert,
        Self::Digest,
        Self::Resolved,
        Self::Acknowledged,
    ];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Digest => "digest",
            Self::Resolved => "resolved",
            Self::Acknowledged => "acknowledged",
        }
    }
}

/// A message in the outbox of one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedAlert {
    /// The same for all attempts: receivers drop repeats by it.
    pub id: String,
    /// The kind.
    pub kind: QueuedKind,
    /// Joins an alert and its resolution: the alert's id.
    pub key: String,
    /// The highest severity of its findings.
    pub severity: Severity,
    /// The number of its findings.
    pub findings: u64,
    /// When it was created.
    pub created: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// For a channel with several recipients: those that have it.
    pub reached: Vec<String>,
}

/// The result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The receiver accepted it.
    Delivered,
    /// The next attempt is at `at`.
    Retry {
        /// The time.
        at: Timestamp,
        /// The error.
        error: String,
        /// All recipients that have it: the next attempt leaves them out.
        reached: Vec<String>,
    },
    /// There is no further attempt.
    GaveUp {
        /// The error.
        error: String,
    },
}

impl Delivery {
    /// The longest delay before a retry.
    pub const LONGEST_RETRY: SignedDuration = SignedDuration::from_hours(1);

    /// How long a daily digest collects findings before its first attempt.
    pub const DIGEST_AFTER: SignedDuration = SignedDuration::from_hours(24);
}

/// Findings of one alert with the same watch, verdict and severity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingCounts {
    /// The watch, if they have one.
    pub watch: Option<String>,
    /// Their verdict.
    pub verdict: Verdict,
    /// Their severity.
    pub severity: Severity,
    /// Their number.
    pub count: u64,
}

/// The alerts of one channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelQueue {
    /// Not delivered yet.
    pub pending: u64,
    /// Not delivered yet, and due.
    pub due: u64,
    /// Not delivered yet, and not due on purpose: a digest that collects, or what quiet hours delay.
    pub delayed: u64,
    /// Given up: there is no further attempt.
    pub failed: u64,
    /// The last error of one that is pending or was given up.
    pub last_error: Option<String>,
}
