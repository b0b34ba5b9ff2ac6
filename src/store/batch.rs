//! What is written in one transaction.

use crate::log::{LogId, Part, Protocol, TreeId};
use std::ops::Range;

use jiff::Timestamp;
use tlog::{FollowerState, Head};

use super::pass_error::PassError;
use crate::finding::{NewFinding, Verdict};
use crate::watch::WatchKey;

/// What is known of one tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeState {
    /// Which tree.
    pub id: TreeId,
    /// The log that it is of.
    pub log: LogId,
    /// The log's name in the configuration at the last pass.
    pub name: String,
    /// Whether its log listed it last; `false` also of a log that lists no trees.
    pub is_listed: bool,
    /// The entries of its log before its first one: added to an index within the tree, it gives that of findings. 0 for logs
    /// of one tree.
    pub base: u64,
    /// Where reading began: what lies before is no gap.
    pub first: u64,
    /// The two positions; `None` while passes have only failed.
    pub follower: Option<FollowerState>,
    /// The largest verified checkpoint of a tree that is followed without being read in full.
    pub verified: Option<Head>,
    /// The checkpoint that ended the tree: (size, raw note).
    pub frozen: Option<(u64, Vec<u8>)>,
    /// Passes in a row that were shown a smaller checkpoint than the largest one.
    pub behind_passes: u32,
    /// When the first of those ended.
    pub behind_since: Option<Timestamp>,
    /// Passes in a row that ended below the newest checkpoint.
    pub backlog_passes: u32,
    /// Passes in a row that could not be finished.
    pub failed_passes: u32,
    /// The end of the last pass that proved everything up to the newest checkpoint.
    pub last_success: Option<Timestamp>,
    /// When the present size was seen first, or a witness's later time.
    pub size_since: Timestamp,
    /// Why the last pass could not be finished.
    pub error: Option<PassError>,
}

impl TreeState {
    /// Whether it has a position, or its checkpoints are followed without one.
    pub fn is_begun(&self) -> bool {
        self.follower.is_some() || self.verified.is_some()
    }

    /// The largest checkpoint that was accepted, whether the log is read or only its checkpoints are.
    pub fn largest_head(&self) -> Option<&Head> {
        let followed = self.follower.as_ref().and_then(|f| f.head.as_ref());
        followed
            .into_iter()
            .chain(&self.verified)
            .max_by_key(|head| head.size)
    }
}

/// The first position of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTree {
    /// Which tree.
    pub id: TreeId,
    /// The log that it is of.
    pub log: LogId,
    /// The log's name in the configuration.
    pub name: String,
    /// The log's type.
    pub protocol: Protocol,
    /// The entries of its log before its first one.
    pub base: u64,
    /// Empty, or a frontier that was verified against a checkpoint.
    pub follower: FollowerState,
    /// The checkpoints that were verified on the way.
    pub checkpoints: Vec<Head>,
    /// When.
    pub now: Timestamp,
}

/// A step of reading a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The tree.
    pub tree: TreeId,
    /// `(seen, proven)` that this batch goes on from.
    pub expected: (u64, u64),
    /// The state after it.
    pub follower: FollowerState,
    /// Checkpoints that were verified since the last batch.
    pub checkpoints: Vec<Head>,
    /// What was found between the expected and the new `seen`.
    pub findings: Vec<NewFinding>,
    /// When.
    pub now: Timestamp,
}

/// A fault of a log and what it does to the position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// The tree.
    pub tree: TreeId,
    /// `(seen, proven)` that this goes on from.
    pub expected: (u64, u64),
    /// The state after it: rewound to the proven position, or as it was.
    pub follower: FollowerState,
    /// The fault, with the signed notes as evidence.
    pub fault: NewFinding,
    /// What tells two occurrences of one fault apart: hash of the contradicting root.
    pub occurrence: [u8; 32],
    /// Whether the unproven findings from the proven position on are disputed.
    pub batch_is_false: bool,
    /// What was found in the false batch since the last commit: recorded as disputed, and alerted.
    pub findings: Vec<NewFinding>,
    /// When.
    pub now: Timestamp,
}

/// How a pass over one log ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassReport {
    /// The log.
    pub log: LogId,
    /// What of it the pass went over.
    pub part: Part,
    /// The log's name in the configuration.
    pub name: String,
    /// Whether everything up to the newest checkpoint is proven, or why not.
    pub outcome: Outcome,
    /// The freezing checkpoint, once seen: (size, raw note).
    pub frozen: Option<(u64, Vec<u8>)>,
    /// When the log was last known to move by a witness's signed time.
    pub witnessed: Option<Timestamp>,
    /// When the pass began.
    pub began: Timestamp,
    /// Entries that it read.
    pub entries: u64,
    /// Whether the log ended it by asking for fewer requests.
    pub rate_limited: bool,
    /// When the log itself says that it signed its newest head (CT logs do): the head is as old as that, however lately it
    /// was first seen here.
    pub head_time: Option<Timestamp>,
    /// When.
    pub now: Timestamp,
}

impl PassReport {
    /// Of a pass that began and ended now, and had nothing to read; what else is known of it is set on it.
    pub fn new(log: LogId, part: Part, name: &str, outcome: Outcome, now: Timestamp) -> Self {
        Self {
            log,
            part,
            name: name.to_owned(),
            outcome,
            frozen: None,
            witnessed: None,
            began: now,
            entries: 0,
            rate_limited: false,
            head_time: None,
            now,
        }
    }

    /// What it is recorded under: the origin of the tree, or the id of the log.
    pub fn key(&self) -> &str {
        self.part.key(&self.log)
    }
}

/// How the last passes over a log went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PassHistory {
    /// The last [`RECENT_PASSES`], oldest first.
    pub recent: Vec<RecentPass>,
    /// Passes in a row that the log ended by asking for fewer requests.
    pub limited_passes: u32,
    /// When the first of those ended.
    pub limited_since: Option<Timestamp>,
    /// The log was begun anew, although it had been read before.
    pub restart: Option<Restart>,
}

/// How many passes are remembered of each log.
pub const RECENT_PASSES: usize = 6;

/// One of the last passes over a log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RecentPass {
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Entries that it read.
    pub entries: u64,
    /// Whether everything up to the newest checkpoint was proven.
    pub proven: bool,
}

/// A first position that was taken although findings or recorded checkpoints show an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restart {
    /// When.
    pub at: Timestamp,
    /// Where it begins since then.
    pub first: u64,
    /// Up to where the log had been followed before, as far as can be told.
    pub reached: u64,
}

/// A checkpoint that a registered bundle carries; nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleCheckpoint {
    /// Its number.
    pub number: i64,
    /// The note, as the bundle has it.
    pub note: Vec<u8>,
    /// The registered file.
    pub file: String,
}

/// What came of comparing a bundle's checkpoint with the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The log's history holds it.
    Agrees,
    /// The log signed another history than the one it shows.
    Contradicts,
    /// No key that we know of the log signed it, or it is no checkpoint: it says nothing.
    Unknown,
}

/// The end of a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything up to the newest checkpoint is proven.
    Proven,
    /// Ended by us below the newest checkpoint: on request, or because it was the turn of other logs.
    Interrupted,
    /// The log showed a smaller checkpoint than before.
    Behind(PassError),
    /// It could not be finished.
    Failed(PassError),
}

impl Outcome {
    /// Why not everything is proven; `None` also for a pass that was stopped.
    pub fn error(&self) -> Option<&PassError> {
        match self {
            Self::Proven | Self::Interrupted => None,
            Self::Behind(error) | Self::Failed(error) => Some(error),
        }
    }
}

/// A rescan that was requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RescanRequest {
    /// The watch; `None` is every one.
    pub watch: Option<String>,
    /// When it was asked for last.
    pub at: Timestamp,
}

/// What a rescan of a proven range found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescanned {
    /// The tree.
    pub tree: TreeId,
    /// The range, counted within the tree, whose leaves were read again and hash to the proven root.
    pub range: Range<u64>,
    /// The watches that cover the range now.
    pub watches: Vec<WatchKey>,
    /// The gap ends with the range: what was recorded of it so far is joined with what each watch covers.
    pub closes_gap: bool,
    /// What was found; all proven.
    pub findings: Vec<NewFinding>,
    /// When.
    pub now: Timestamp,
}

/// Stored moments, from the earliest to the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The earliest.
    pub from: Timestamp,
    /// The latest.
    pub until: Timestamp,
}

impl Span {
    /// The span over both.
    pub fn joined(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(Self {
                from: one.from.min(other.from),
                until: one.until.max(other.until),
            }),
            (one, other) => one.or(other),
        }
    }
}

/// Which health findings an assessment is about: all others are left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// These verdicts,
    pub verdicts: &'static [Verdict],
    /// and this log only; `None`: findings of no log.
    pub origin: Option<String>,
}

/// A way of being blind that is true now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Which way.
    pub verdict: Verdict,
    /// What tells it from others of its verdict: an origin, a channel, a watch and an origin.
    pub subject: String,
    /// The log's name, if it is about one.
    pub log: Option<String>,
    /// The log's identity, if it is about one.
    pub origin: Option<String>,
    /// A channel that the news is not told on, because it is the one that fails.
    pub except_channel: Option<String>,
    /// One sentence.
    pub summary: String,
}

impl Condition {
    /// One that is about no single log.
    pub fn new(verdict: Verdict, subject: &str, summary: String) -> Self {
        Self {
            verdict,
            subject: subject.to_owned(),
            log: None,
            origin: None,
            except_channel: None,
            summary,
        }
    }

    /// One that is about a log.
    pub fn of_log(verdict: Verdict, log: &str, origin: &str, summary: String) -> Self {
        Self {
            log: Some(log.to_owned()),
            origin: Some(origin.to_owned()),
            ..Self::new(verdict, origin, summary)
        }
    }
}
