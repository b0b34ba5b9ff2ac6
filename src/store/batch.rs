//! What is written in one transaction.

use crate::log::{LogId, Part, Protocol, TreeId};
use std::ops::Range;

use jiff::Timestamp;
use tlog::{FollowerState, Head};

use super::kept::Kept;
use super::pass_error::PassError;
use super::query::TreeCoverage;
use crate::finding::{NewFinding, Verdict};
use crate::watch::WatchSet;

/// The state of one tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeState {
    /// Which tree.
    pub id: TreeId,
    /// The log of the tree.
    pub log: LogId,
    /// The log's name in the configuration at the last pass.
    pub name: String,
    /// Whether its log listed it last. `false` also for a log that lists no trees.
    pub is_listed: bool,
    /// The entries of its log before its first one: added to an index within the tree, it gives the index in findings.
    /// 0 for logs with one tree.
    pub base: u64,
    /// Where reading began. Entries before it are not a gap.
    pub first: u64,
    /// The two positions; `None` while all passes have failed.
    pub follower: Option<FollowerState>,
    /// The largest verified checkpoint of a tree that is followed without being read in full.
    pub verified: Option<Head>,
    /// The checkpoint that ended the tree: (size, raw note).
    pub frozen: Option<(u64, Vec<u8>)>,
    /// Passes in a row in which the log showed a smaller checkpoint than the largest one.
    pub behind_passes: u32,
    /// The end of the first of those.
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
    /// Whether it has a position, or only its checkpoints are followed.
    pub fn is_begun(&self) -> bool {
        self.follower.is_some() || self.verified.is_some()
    }

    /// The largest checkpoint that was accepted, whether the log is read or only its checkpoints are followed.
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
    /// The log of the tree.
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
    /// The time.
    pub now: Timestamp,
}

/// A step of reading a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The tree.
    pub tree: TreeId,
    /// `(seen, proven)` that this batch continues from.
    pub expected: (u64, u64),
    /// The state after it.
    pub follower: FollowerState,
    /// Checkpoints that were verified since the last batch.
    pub checkpoints: Vec<Head>,
    /// The findings between the expected and the new `seen`.
    pub findings: Vec<NewFinding>,
    /// What proves found entries, of this batch and earlier ones.
    pub kept: Kept,
    /// The time.
    pub now: Timestamp,
}

/// A fault of a log and its effect on the position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// The tree.
    pub tree: TreeId,
    /// `(seen, proven)` that this continues from.
    pub expected: (u64, u64),
    /// The state after it: rewound to the proven position, or unchanged.
    pub follower: FollowerState,
    /// The fault, with the signed notes as evidence.
    pub fault: NewFinding,
    /// What distinguishes two occurrences of one fault: the hash of the contradicting root.
    pub occurrence: [u8; 32],
    /// Whether the unproven findings from the proven position on are disputed.
    pub batch_is_false: bool,
    /// The findings of the false batch since the last commit: recorded as disputed, and alerted.
    pub findings: Vec<NewFinding>,
    /// The time.
    pub now: Timestamp,
}

/// The result of a pass over one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassReport {
    /// The log.
    pub log: LogId,
    /// The part of the log that the pass read.
    pub part: Part,
    /// The log's name in the configuration.
    pub name: String,
    /// Whether everything up to the newest checkpoint is proven, or why not.
    pub outcome: Outcome,
    /// The freezing checkpoint, once seen: (size, raw note).
    pub frozen: Option<(u64, Vec<u8>)>,
    /// The last time at which the log moved, by a witness's signed time.
    pub witnessed: Option<Timestamp>,
    /// When the pass began.
    pub began: Timestamp,
    /// Entries that it read.
    pub entries: u64,
    /// Whether the log ended it by a rate limit.
    pub rate_limited: bool,
    /// The time at which the log signed its newest head, by the head itself (only CT logs state it). The head is as old
    /// as that, even if it was first seen here just now.
    pub head_time: Option<Timestamp>,
    /// The end of the pass.
    pub now: Timestamp,
}

impl PassReport {
    /// The report of a pass that began and ended now and had nothing to read. The caller sets what else is known.
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

    /// The key under which it is recorded: the origin of the tree, or the id of the log.
    pub fn key(&self) -> &str {
        self.part.key(&self.log)
    }
}

/// The results of the last passes over a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PassHistory {
    /// The last [`RECENT_PASSES`], oldest first.
    pub recent: Vec<RecentPass>,
    /// Passes in a row that the log ended by a rate limit.
    pub limited_passes: u32,
    /// The end of the first of those.
    pub limited_since: Option<Timestamp>,
    /// The last time that reading of the log began at a new position, although it had been read before.
    pub restart: Option<Restart>,
}

/// A tree after a pass over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedTree {
    /// Its state.
    pub state: TreeState,
    /// The results of the last passes over it.
    pub history: PassHistory,
    /// What each watch covers of it; `None` without a position.
    pub coverage: Option<TreeCoverage>,
}

/// Number of passes that are stored for each log.
pub const RECENT_PASSES: usize = 6;

/// One of the last passes over a log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RecentPass {
    /// The beginning of the pass.
    pub began: Timestamp,
    /// The end of the pass.
    pub ended: Timestamp,
    /// Entries that it read.
    pub entries: u64,
    /// Whether everything up to the newest checkpoint was proven.
    pub proven: bool,
}

/// A first position that was set although findings or recorded checkpoints show an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restart {
    /// The time.
    pub at: Timestamp,
    /// Where reading begins since then.
    pub first: u64,
    /// Up to where the log was followed before, as far as it is known.
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

/// The result of comparing a bundle's checkpoint with the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The history of the log contains it.
    Agrees,
    /// The log signed another history than the one that it shows.
    Contradicts,
    /// No known key of the log signed it, or it is not a checkpoint: it proves nothing.
    Unknown,
}

/// Whether a pass proved everything, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything up to the newest checkpoint is proven.
    Proven,
    /// modelwatch ended it below the newest checkpoint: on request, or at the pass deadline.
    Interrupted,
    /// The log showed a smaller checkpoint than before.
    Behind(PassError),
    /// The pass failed.
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
    /// The watch; `None` means all.
    pub watch: Option<String>,
    /// The time of the last request.
    pub at: Timestamp,
}

/// The result of rescanning a proven range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescanned {
    /// The tree.
    pub tree: TreeId,
    /// The range, counted within the tree. Its leaves were read again and hash to the proven root.
    pub range: Range<u64>,
    /// The watches that cover the range now.
    pub watches: WatchSet,
    /// The gap ends with the range: the rows of the steps so far are merged into the ranges of each watch.
    pub closes_gap: bool,
    /// The findings, all proven.
    pub findings: Vec<NewFinding>,
    /// What proves their entries.
    pub kept: Kept,
    /// The time.
    pub now: Timestamp,
}

/// Stored times, from the earliest to the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The earliest.
    pub from: Timestamp,
    /// The latest.
    pub until: Timestamp,
}

impl Span {
    /// The span that contains both.
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

/// The health findings that an assessment replaces. All others stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Only findings with these verdicts,
    pub verdicts: &'static [Verdict],
    /// and only of this log; `None`: findings of no log.
    pub origin: Option<String>,
}

/// A problem of the monitoring that exists now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The kind of problem.
    pub verdict: Verdict,
    /// What distinguishes it from others with its verdict: an origin, a channel, a watch and an origin.
    pub subject: String,
    /// The log's name, if it is about one.
    pub log: Option<String>,
    /// The log's identity, if it is about one.
    pub origin: Option<String>,
    /// A channel on which it is not alerted, because that channel is the one that fails.
    pub except_channel: Option<String>,
    /// One sentence.
    pub summary: String,
}

impl Condition {
    /// A condition that is not about one log.
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

    /// A condition about one log.
    pub fn of_log(verdict: Verdict, log: &str, origin: &str, summary: String) -> Self {
        Self {
            log: Some(log.to_owned()),
            origin: Some(origin.to_owned()),
            ..Self::new(verdict, origin, summary)
        }
    }
}
