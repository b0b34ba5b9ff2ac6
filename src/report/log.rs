//! One log: its stored state, combined from its trees.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{cell, time};
use crate::escape;
#[cfg(feature = "web")]
use crate::log::TreeId;
use crate::log::{LogId, Protocol};
use crate::moment;
use crate::monitor::{Guided, Log, MonitoredLog, RekorV1Log, unread_entries};
use crate::store::{LogState, LookupCounts, PassError, PassErrorKind, TreeState};

/// A log of the configuration whose keys are not known before there is a trusted root.
#[derive(Debug)]
pub struct WaitingLog {
    /// Its name.
    pub name: String,
    /// Its origin, if the configuration has it.
    pub origin: Option<String>,
    /// Its URL or directory, if the configuration has it.
    pub location: Option<String>,
    /// Its protocol.
    pub protocol: Protocol,
    /// It is not read in full.
    pub is_guided: bool,
}

/// The stored state of logs and trees.
#[derive(Debug, Default)]
pub struct StoredLogs {
    /// Every log.
    pub logs: Vec<LogState>,
    /// Every tree, those of a log in the order in which it listed them.
    pub trees: Vec<TreeState>,
}

impl StoredLogs {
    fn trees_of(&self, log: &LogId) -> impl Iterator<Item = &TreeState> {
        self.trees.iter().filter(move |tree| tree.log == *log)
    }
}

/// How a log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub enum ReadingMode {
    /// Every entry is read.
    Tail,
    /// Entries are looked up by certificates from CT logs.
    Guided,
}

impl fmt::Display for ReadingMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tail => "tail",
            Self::Guided => "guided",
        })
    }
}

/// One log, as `status --json` writes it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct LogStatus {
    pub name: String,
    /// `None`: it is not known before there is a trusted root.
    origin: Option<String>,
    #[serde(rename = "type")]
    protocol: &'static str,
    mode: ReadingMode,
    pub seen: Option<u64>,
    pub proven: Option<u64>,
    /// `None` also if the checkpoint of some tree was never verified: the end of the log is not known.
    pub head: Option<u64>,
    first: Option<u64>,
    pub frozen: bool,
    pub last_success: Option<Timestamp>,
    pub error: Option<PassError>,
    trees: Vec<TreeStatus>,
    /// For a guided log with a stored state.
    pub lookups: Option<LookupStatus>,
    /// The name under which its look-ups are stored.
    #[serde(skip)]
    #[cfg_attr(feature = "web", schema(ignore))]
    pub guide: Option<LogId>,
}

/// The state of the queue of look-ups of a guided log.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct LookupStatus {
    /// Names that wait to be looked up.
    pub due: u64,
    oldest_due: Option<Timestamp>,
    unread: u64,
}

/// One tree of a Rekor v1 log. Its positions count within it; `base` converts them to those of the log. There are none
/// if its checkpoint was never verified.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub struct TreeStatus {
    pub origin: String,
    pub base: Option<u64>,
    pub seen: Option<u64>,
    pub proven: Option<u64>,
    pub head: Option<u64>,
    first: Option<u64>,
    pub frozen: bool,
    pub last_success: Option<Timestamp>,
    pub error: Option<PassError>,
}

impl LogStatus {
    /// A log that is followed.
    pub fn of(log: &MonitoredLog, known: &StoredLogs) -> Self {
        match log {
            MonitoredLog::Tree(log) => Self::of_tree(log, known),
            MonitoredLog::RekorV1(log) => Self::of_trees(log, known),
            MonitoredLog::Guided(guided) => Self::of_guided(guided, known),
        }
    }

    /// A log of the configuration without known keys: there is no trusted root, so nothing is read.
    pub fn waiting(log: &WaitingLog, known: &StoredLogs) -> Self {
        let is_rekor_v1 = log.protocol == Protocol::RekorV1;
        let origin = match (&log.origin, &log.location) {
            (Some(origin), _) => Some(origin.clone()),
            (None, Some(location)) if is_rekor_v1 => Some(location.clone()),
            (None, _) => None,
        };
        // Without keys only its name in the configuration may identify it.
        let is_it = |state: &&LogState| match &origin {
            Some(origin) if !is_rekor_v1 => state.id.as_str() == origin,
            _ => state.name == log.name,
        };
        let logs = known.logs.iter().filter(is_it);
        let successes = logs.flat_map(|state| {
            let whole = is_rekor_v1.then_some(state.last_success);
            let trees = known.trees_of(&state.id).map(|tree| tree.last_success);
            trees.chain(whole)
        });
        let last_success = successes.min().flatten();
        let why =
            "there is no trusted root yet, so it is not read: `modelwatch check` requests one";
        Self {
            name: log.name.clone(),
            origin,
            protocol: log.protocol.as_str(),
            mode: if log.is_guided {
                ReadingMode::Guided
            } else {
                ReadingMode::Tail
            },
            // With its keys its positions are known.
            seen: None,
            proven: None,
            head: None,
            first: None,
            frozen: false,
            last_success,
            error: Some(PassError::new(PassErrorKind::Unavailable, why)),
            trees: Vec::new(),
            lookups: None,
            guide: None,
        }
    }

    /// The headings over the first of the [`lines`](Self::lines) of each log.
    pub fn heading_row() -> String {
        format!(
            "{:<20}  {:>12}  {:>12}  {:>12}  LAST PROVEN",
            "LOG", "PROVEN", "SEEN", "HEAD"
        )
    }

    /// The log for a terminal: escaped lines.
    pub fn lines(&self) -> Vec<String> {
        let number = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
        let mut lines = vec![format!(
            "{}  {:>12}  {:>12}  {:>12}  {}{}",
            cell(&self.name, 20),
            number(self.proven),
            number(self.seen),
            number(self.head),
            self.last_success.map_or("never".to_owned(), time),
            if self.frozen {
                "  (ended by its operator)"
            } else {
                ""
            },
        )];
        lines.extend(self.unverified_trees().map(|tree| {
            format!(
                "    its tree {} was never verified: what is logged there is not seen, nor how far the log goes",
                escape::terminal(tree)
            )
        }));
        if self.is_guided() {
            lines.push(GUIDED.to_owned());
        }
        lines.extend(self.lookups.as_ref().map(LookupStatus::line));
        lines.extend(
            self.error
                .as_ref()
                .map(|error| format!("    {}: {}", error.kind, escape::terminal(&error.message))),
        );
        lines
    }

    fn of_tree(log: &Log, known: &StoredLogs) -> Self {
        let shard = &log.shard;
        let id = shard.id();
        let state = known.trees.iter().find(|state| state.id == id);
        let tree = state.map(TreeStatus::of);
        Self {
            name: shard.name.clone(),
            origin: Some(shard.origin.as_str().to_owned()),
            protocol: shard.protocol.as_str(),
            mode: ReadingMode::Tail,
            seen: tree.as_ref().and_then(|tree| tree.seen),
            proven: tree.as_ref().and_then(|tree| tree.proven),
            head: tree.as_ref().and_then(|tree| tree.head),
            first: tree.as_ref().and_then(|tree| tree.first),
            frozen: state.is_some_and(|state| state.frozen.is_some()),
            last_success: state.and_then(|state| state.last_success),
            error: state.and_then(|state| state.error.clone()),
            trees: Vec::new(),
            lookups: None,
            guide: None,
        }
    }

    /// The newest tree decides about the health of a log, even if it was never verified: that the older ones are proven
    /// to their end shows nothing about new entries.
    fn of_trees(log: &RekorV1Log, known: &StoredLogs) -> Self {
        let id = log.id();
        let whole = known.logs.iter().find(|state| state.id == id);
        let mut states: Vec<&TreeState> = known.trees_of(&id).collect();
        // The log has not listed its trees to this version: every stored tree counts.
        let lists = states.iter().any(|state| state.is_listed);
        states.retain(|state| state.follower.is_some() || state.is_listed || !lists);
        // In the order in which the log lists them, oldest first; those that it no longer lists come after them.
        states.sort_by_key(|state| {
            let base = (!state.is_listed).then_some((state.follower.is_none(), state.base));
            (!state.is_listed, base)
        });
        let trees: Vec<TreeStatus> = states.into_iter().map(TreeStatus::of).collect();
        let every_head = trees.iter().all(|tree| tree.head.is_some());
        let ends = trees.iter().filter_map(TreeStatus::end);
        // Entries after the proven trees: if the log did not answer, or not validly, it is not proven that it has no
        // more trees.
        let successes = trees.iter().map(|tree| tree.last_success);
        let listings = whole.map(|state| state.last_success);
        Self {
            name: log.name.clone(),
            protocol: Protocol::RekorV1.as_str(),
            mode: ReadingMode::Tail,
            seen: contiguous(&trees, |tree| tree.seen),
            proven: contiguous(&trees, |tree| tree.proven),
            head: ends.max().filter(|_| every_head),
            first: trees
                .iter()
                .find_map(|tree| tree.base?.checked_add(tree.first?)),
            frozen: !trees.is_empty() && trees.iter().all(|tree| tree.frozen),
            // The proof of the log is as old as that of its oldest tree.
            last_success: if trees.is_empty() {
                None
            } else {
                successes.chain(listings).min().flatten()
            },
            error: whole
                .and_then(|state| state.error.clone())
                .or_else(|| trees.iter().find_map(|tree| tree.error.clone())),
            trees,
            lookups: None,
            guide: None,
            origin: Some(id.to_string()),
        }
    }

    /// Its trees whose checkpoint was never verified.
    fn unverified_trees(&self) -> impl Iterator<Item = &str> {
        self.trees
            .iter()
            .filter(|tree| tree.head.is_none())
            .map(|tree| tree.origin.as_str())
    }
}

/// The properties of a log that is not read in full, for people.
const GUIDED: &str = "    guided: certificates of its CT logs are seen completely; entries as far as its search index names them, under the names in those certificates and those that watches spell out";

impl LogStatus {
    /// A log that is not read has no positions: only the checkpoints of its trees are followed.
    fn of_guided(guided: &Guided, known: &StoredLogs) -> Self {
        let log = &guided.log;
        let id = log.id();
        let whole = known.logs.iter().find(|state| state.id == id);
        // Also those that were never verified.
        let trees: Vec<&TreeState> = known.trees_of(&id).collect();
        let end = |state: &&TreeState| state.base.checked_add(state.verified.as_ref()?.size);
        // A tree that has always failed: the end of the log is not known.
        let every_head = trees.iter().all(|state| state.is_begun());
        let successes = trees.iter().map(|state| state.last_success);
        let is_verified = trees.iter().any(|state| state.verified.is_some());
        Self {
            name: log.name.clone(),
            protocol: Protocol::RekorV1.as_str(),
            mode: ReadingMode::Guided,
            seen: None,
            proven: None,
            head: trees.iter().filter_map(end).max().filter(|_| every_head),
            first: None,
            frozen: false,
            last_success: successes
                .chain(whole.map(|state| state.last_success))
                .min()
                .flatten(),
            error: whole
                .and_then(|state| state.error.clone())
                .or_else(|| trees.iter().find_map(|state| state.error.clone())),
            trees: Vec::new(),
            lookups: None,
            origin: Some(id.to_string()),
            guide: is_verified.then_some(id),
        }
    }

    /// Whether it is not read in full.
    pub fn is_guided(&self) -> bool {
        self.mode == ReadingMode::Guided
    }

    /// Whether no pass has proven all of it within this time.
    pub fn is_stale(&self, max_age: Duration, now: Timestamp) -> bool {
        let max_age = SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX);
        is_older(self.last_success, max_age, now)
    }
}

/// What only the server asks.
#[cfg(feature = "web")]
impl LogStatus {
    /// Its type, as in the configuration.
    pub fn protocol(&self) -> &'static str {
        self.protocol
    }

    /// The trees that are read, oldest first, each with the number of entries of the log before it.
    pub fn tree_bases(&self) -> Vec<(TreeId, u64)> {
        if self.trees.is_empty() {
            let origin = self.origin.as_deref();
            return origin
                .map(|origin| (TreeId::new(origin), 0))
                .into_iter()
                .collect();
        }
        let trees = self.trees.iter();
        trees
            .filter_map(|tree| Some((TreeId::new(&tree.origin), tree.base?)))
            .collect()
    }

    /// The trees of a Rekor v1 log.
    pub fn trees(&self) -> &[TreeStatus] {
        &self.trees
    }

    /// How it is read.
    pub fn mode(&self) -> ReadingMode {
        self.mode
    }

    /// Its identity, raw.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Where reading began.
    pub fn first(&self) -> Option<u64> {
        self.first
    }
}

/// Whether the last proven pass is older than that, or never happened. A pass in the future has no known age: a wrong
/// clock set its time.
fn is_older(last: Option<Timestamp>, max_age: SignedDuration, now: Timestamp) -> bool {
    last.is_none_or(|last| moment::is_ahead(last, now) || now.duration_since(last) > max_age)
}

impl LookupStatus {
    pub fn of(counts: &LookupCounts) -> Self {
        Self {
            due: counts.due,
            oldest_due: counts.oldest_due,
            unread: counts.unread,
        }
    }

    fn line(&self) -> String {
        match self.oldest_due {
            Some(since) if self.due > 0 => {
                let unread = unread_entries(self.unread)
                    .map(|unread| format!("; {unread}"))
                    .unwrap_or_default();
                format!(
                    "    {} names wait to be looked up, the first since {}{unread}",
                    self.due,
                    time(since)
                )
            }
            _ => "    no name waits to be looked up".to_owned(),
        }
    }
}

impl TreeStatus {
    fn of(state: &TreeState) -> Self {
        let follower = state.follower.as_ref();
        let is_begun = |value: u64| follower.map(|_| value);
        let proven = follower.map(|follower| follower.proven.size());
        let head = follower.and_then(|follower| follower.head.as_ref());
        Self {
            origin: state.id.to_string(),
            base: is_begun(state.base),
            seen: follower.map(|follower| follower.seen.size()),
            proven,
            head: head.map(|head| head.size).or(proven),
            first: is_begun(state.first),
            frozen: state.frozen.is_some(),
            last_success: state.last_success,
            error: state.error.clone(),
        }
    }

    /// Its end, counted over all trees.
    fn end(&self) -> Option<u64> {
        self.base?.checked_add(self.head?)
    }
}

/// The end of the range without a hole, counted over all trees: through each complete tree, into the first incomplete
/// one.
fn contiguous(trees: &[TreeStatus], reached: impl Fn(&TreeStatus) -> Option<u64>) -> Option<u64> {
    let mut end = None;
    for tree in trees {
        let (Some(base), Some(reached)) = (tree.base, reached(tree)) else {
            break;
        };
        if end.is_some_and(|end| end != base) {
            break;
        }
        end = base.checked_add(reached);
    }
    end
}

#[cfg(all(test, feature = "web"))]
impl LogStatus {
    /// A log of one tree with these positions, for the tests of what is made of it.
    pub(super) fn example(
        name: &str,
        [first, proven, seen, head]: [Option<u64>; 4],
        last_success: Option<Timestamp>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            origin: Some(name.to_owned()),
            protocol: Protocol::RekorV2.as_str(),
            mode: ReadingMode::Tail,
            seen,
            proven,
            head,
            first,
            frozen: false,
            last_success,
            error: None,
            trees: Vec::new(),
            lookups: None,
            guide: None,
        }
    }

    /// The same, not read in full.
    pub(super) fn guided_example(name: &str, last_success: Option<Timestamp>) -> Self {
        Self {
            mode: ReadingMode::Guided,
            ..Self::example(name, [None, None, None, Some(9)], last_success)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree that was never verified.
    fn unknown() -> TreeStatus {
        TreeStatus {
            origin: String::new(),
            base: None,
            seen: None,
            proven: None,
            head: None,
            first: None,
            frozen: false,
            last_success: None,
            error: None,
        }
    }

    fn tree(base: u64, proven: u64) -> TreeStatus {
        TreeStatus {
            base: Some(base),
            seen: Some(proven),
            proven: Some(proven),
            head: Some(proven),
            first: Some(0),
            ..unknown()
        }
    }

    #[test]
    fn what_is_proven_ends_where_the_first_tree_is_not_done() {
        for (trees, expected) in [
            (vec![], None),
            (vec![tree(0, 0)], Some(0)),
            (vec![tree(0, 10), tree(10, 5)], Some(15)),
            (vec![tree(0, 9), tree(10, 5)], Some(9)),
            (vec![tree(0, 10), tree(10, 0), tree(10, 3)], Some(13)),
            (vec![tree(10, 5)], Some(15)),
            (vec![tree(0, 10), unknown()], Some(10)),
            (vec![unknown(), tree(0, 10)], None),
        ] {
            assert_eq!(
                contiguous(&trees, |tree| tree.proven),
                expected,
                "{trees:?}"
            );
        }
    }

    #[test]
    fn a_proven_pass_in_the_future_is_older_than_any_age() {
        let hours = SignedDuration::from_hours;
        let now = Timestamp::UNIX_EPOCH + hours(1_000_000);
        for (ago, older) in [
            (Some(hours(0)), false),
            (Some(hours(2)), false),
            (Some(hours(2) + SignedDuration::from_secs(1)), true),
            (Some(-SignedDuration::from_mins(5)), false),
            (Some(-SignedDuration::from_mins(6)), true),
            (Some(-hours(365 * 24)), true),
            (None, true),
        ] {
            let last = ago.map(|ago| now - ago);
            assert_eq!(is_older(last, hours(2), now), older, "{ago:?}");
        }
    }
}
