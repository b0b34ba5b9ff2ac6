//! One log in `status`: what is stored of it, put together from its trees.

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::output::time;
use crate::monitor::{Followed, Guided, Log, RekorV1Log};
use crate::shard::Protocol;
use crate::store::{LogState, LookupTally, PassError};

#[derive(Debug, Serialize)]
pub(super) struct LogStatus {
    pub(super) name: String,
    origin: String,
    #[serde(rename = "type")]
    protocol: &'static str,
    mode: &'static str,
    pub(super) seen: Option<u64>,
    pub(super) proven: Option<u64>,
    pub(super) head: Option<u64>,
    first: Option<u64>,
    pub(super) frozen: bool,
    pub(super) last_success: Option<Timestamp>,
    pub(super) error: Option<PassError>,
    trees: Vec<TreeStatus>,
    /// Of a guided log that was begun.
    pub(super) lookups: Option<LookupStatus>,
    /// By what name its look-ups are kept.
    #[serde(skip)]
    pub(super) guide: Option<String>,
}

/// How the queue of look-ups of a guided log stands.
#[derive(Debug, Serialize)]
pub(super) struct LookupStatus {
    due: u64,
    oldest_due: Option<Timestamp>,
    unread: u64,
}

/// One tree of a Rekor v1 log. Its positions count within it; `base` is what leads to those of the log.
#[derive(Debug, Serialize)]
struct TreeStatus {
    origin: String,
    base: u64,
    seen: u64,
    proven: u64,
    head: u64,
    first: u64,
    frozen: bool,
    last_success: Option<Timestamp>,
    error: Option<PassError>,
}

impl LogStatus {
    pub(super) fn of(log: &Followed, known: &[LogState]) -> Self {
        match log {
            Followed::Tree(log) => Self::of_tree(log, known),
            Followed::RekorV1(log) => Self::of_trees(log, known),
            Followed::Guided(guided) => Self::of_guided(guided, known),
        }
    }

    fn of_tree(log: &Log, known: &[LogState]) -> Self {
        let shard = &log.shard;
        let state = known
            .iter()
            .find(|state| state.origin == shard.origin.as_str());
        let tree = state.and_then(TreeStatus::of);
        Self {
            name: shard.name.clone(),
            origin: shard.origin.as_str().to_owned(),
            protocol: shard.protocol.as_str(),
            mode: "tail",
            seen: tree.as_ref().map(|tree| tree.seen),
            proven: tree.as_ref().map(|tree| tree.proven),
            head: tree.as_ref().map(|tree| tree.head),
            first: tree.as_ref().map(|tree| tree.first),
            frozen: state.is_some_and(|state| state.frozen.is_some()),
            last_success: state.and_then(|state| state.last_success),
            error: state.and_then(|state| state.error.clone()),
            trees: Vec::new(),
            lookups: None,
            guide: None,
        }
    }

    fn of_trees(log: &RekorV1Log, known: &[LogState]) -> Self {
        let origin = log.origin();
        let whole = known.iter().find(|state| state.origin == origin);
        let of_log = |state: &&LogState| {
            state.name == log.name && state.protocol == Protocol::RekorV1.as_str()
        };
        let mut trees: Vec<TreeStatus> = known
            .iter()
            .filter(of_log)
            .filter_map(TreeStatus::of)
            .collect();
        trees.sort_unstable_by_key(|tree| tree.base);
        let unread = known
            .iter()
            .filter(|state| state.name == log.name && state.follower.is_none())
            .find_map(|state| state.error.clone());
        Self {
            name: log.name.clone(),
            origin,
            protocol: Protocol::RekorV1.as_str(),
            mode: "tail",
            seen: contiguous(&trees, |tree| tree.seen),
            proven: contiguous(&trees, |tree| tree.proven),
            head: trees.iter().map(|tree| tree.base + tree.head).max(),
            first: trees.first().map(|tree| tree.base + tree.first),
            frozen: !trees.is_empty() && trees.iter().all(|tree| tree.frozen),
            // The tree that is behind says how old the proof of all is.
            last_success: trees.iter().map(|tree| tree.last_success).min().flatten(),
            error: whole
                .and_then(|state| state.error.clone())
                .or_else(|| trees.iter().find_map(|tree| tree.error.clone()))
                .or(unread),
            trees,
            lookups: None,
            guide: None,
        }
    }
}

/// What is true of a log that is not read in full, for people.
pub(super) const GUIDED: &str = "    guided: certificates of its CT logs are seen completely; entries as far as its search index names them, under the names in those certificates and those that watches spell out";

impl LogStatus {
    /// A log that is not read has no positions: only its trees' checkpoints are followed.
    fn of_guided(guided: &Guided, known: &[LogState]) -> Self {
        let log = &guided.log;
        let origin = log.origin();
        // Its trees, those that never verified too, and the log as a whole.
        let rows: Vec<&LogState> = known
            .iter()
            .filter(|state| state.name == log.name || state.origin == origin)
            .collect();
        let end = |state: &&LogState| Some(state.base + state.verified.as_ref()?.size);
        Self {
            name: log.name.clone(),
            origin,
            protocol: Protocol::RekorV1.as_str(),
            mode: "guided",
            seen: None,
            proven: None,
            head: rows.iter().filter_map(end).max(),
            first: None,
            frozen: false,
            last_success: rows.iter().map(|state| state.last_success).min().flatten(),
            error: rows.iter().find_map(|state| state.error.clone()),
            trees: Vec::new(),
            lookups: None,
            // What the origins of its trees have in common.
            guide: rows
                .iter()
                .filter(|state| state.verified.is_some())
                .find_map(|state| Some(state.origin.rsplit_once(" - ")?.0.to_owned())),
        }
    }

    /// Whether it is not read in full.
    pub(super) fn is_guided(&self) -> bool {
        self.mode == "guided"
    }
}

impl LookupStatus {
    pub(super) fn of(tally: &LookupTally) -> Self {
        Self {
            due: tally.due,
            oldest_due: tally.oldest_due,
            unread: tally.unread,
        }
    }

    /// For people.
    pub(super) fn said(&self) -> String {
        match self.oldest_due {
            Some(since) if self.due > 0 => {
                let unread = match self.unread {
                    0 => String::new(),
                    unread => format!("; {unread} entries under them are not read yet"),
                };
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
    fn of(state: &LogState) -> Option<Self> {
        let follower = state.follower.as_ref()?;
        let proven = follower.proven.size();
        Some(Self {
            origin: state.origin.clone(),
            base: state.base,
            seen: follower.seen.size(),
            proven,
            head: follower.head.as_ref().map_or(proven, |head| head.size),
            first: state.first,
            frozen: state.frozen.is_some(),
            last_success: state.last_success,
            error: state.error.clone(),
        })
    }
}

/// The end of the stretch without a hole, counted over all trees: through each that is done, into the first that is not.
fn contiguous(trees: &[TreeStatus], reached: impl Fn(&TreeStatus) -> u64) -> Option<u64> {
    let mut end = None;
    for tree in trees {
        if end.is_some_and(|end| end != tree.base) {
            break;
        }
        end = Some(tree.base + reached(tree));
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(base: u64, proven: u64) -> TreeStatus {
        TreeStatus {
            origin: String::new(),
            base,
            seen: proven,
            proven,
            head: proven,
            first: 0,
            frozen: false,
            last_success: None,
            error: None,
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
        ] {
            assert_eq!(
                contiguous(&trees, |tree| tree.proven),
                expected,
                "{trees:?}"
            );
        }
    }
}
