//! How far the logs that a question is about were read.

use std::collections::BTreeSet;
use std::ops::Range;

use futures_util::TryStreamExt as _;

use super::coverage::{LogReach, TreeReach};
use super::error::LookupError;
use super::matcher::{Matcher, may_contain};
use super::question::Question;
use super::world::World;
use crate::finding::Verdict;
use crate::log::TreeId;
use crate::monitor::MonitoredLog;
use crate::report::log::ReadingMode;
use crate::store::{FindingQuery, LogState, TreeCoverage, TreeState};

/// The logs of a question.
#[derive(Default)]
pub(super) struct Trees {
    /// How far each of them was read.
    pub(super) logs: Vec<LogReach>,
    /// The origins of all their trees.
    pub(super) origins: BTreeSet<String>,
    /// The names of the watches that select everything that is asked for.
    pub(super) covering: Vec<String>,
}

/// Collects how far each log was read that the question is about.
pub(super) async fn gather(
    question: &Question,
    matcher: &Matcher,
    world: &World<'_>,
) -> Result<Trees, LookupError> {
    let wanted = wanted(question, world)?;
    let watches = world.rules.watches();
    let covering: Vec<String> = watches
        .iter()
        .filter(|watch| matcher.is_covered_by(watch))
        .map(|watch| watch.name.clone())
        .collect();
    let states = world.store.trees().await?;
    let log_states = world.store.logs().await?;
    let coverage = world
        .store
        .tree_coverage(world.rules.watch_set(), None)
        .await?;
    let faulty = faulty(world).await?;
    let mut logs = Vec::new();
    for log in world.logs.iter().filter(|log| wanted.is_asked(log.name())) {
        let id = log.id();
        let state = log_states.iter().find(|state| state.id == id);
        let of_log = states.iter().filter(|state| state.log == id);
        let mut trees = Vec::new();
        for tree in of_log {
            if !may_contain(&tree.id, question.uuid.and_then(|id| id.tree)) {
                continue;
            }
            let covered = coverage.iter().find(|covered| covered.tree == tree.id);
            let first = tree.follower.as_ref().map(|_| tree.first);
            let first_time = match first {
                Some(first) => world.store.first_recorded(&tree.id, first).await?,
                None => None,
            };
            trees.push(TreeReach {
                first,
                first_time,
                gaps: gaps(&covering, covered, tree),
                is_faulty: faulty.contains(tree.id.as_str()) || faulty.contains(id.as_str()),
                only: wanted.entry.and_then(|index| index.checked_sub(tree.base)),
                ..reach(tree)
            });
        }
        if let Some(index) = wanted.entry {
            only_tree_of(index, &mut trees);
        }
        if trees.is_empty()
            && let MonitoredLog::Tree(tree) = log
        {
            // No pass over it has ended yet.
            trees.push(never_read(&tree.shard.id()));
        }
        logs.push(log_reach(log, state, trees));
    }
    for name in world.waiting.iter().filter(|name| wanted.is_asked(name)) {
        logs.push(LogReach {
            name: name.clone(),
            mode: ReadingMode::Tail,
            guides: Vec::new(),
            list: None,
            unreadable: Some(
                "there is no trusted root yet, so it is not read: `modelwatch check` requests one"
                    .to_owned(),
            ),
            trees: Vec::new(),
        });
    }
    let origins = logs
        .iter()
        .flat_map(|log| log.trees.iter().map(|tree| tree.origin.clone()))
        .collect();
    Ok(Trees {
        logs,
        origins,
        covering,
    })
}

/// Which logs the question is about.
struct Wanted {
    /// Their names; `None`: all.
    names: Option<BTreeSet<String>>,
    /// The only entry that is asked for, over all trees of its log.
    entry: Option<u64>,
}

impl Wanted {
    fn is_asked(&self, name: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(name))
    }
}

fn wanted(question: &Question, world: &World<'_>) -> Result<Wanted, LookupError> {
    let is_known = |name: &str| {
        world.logs.iter().any(|log| log.name() == name)
            || world.waiting.iter().any(|waiting| waiting == name)
    };
    if let Some(unknown) = question.logs.iter().find(|name| !is_known(name)) {
        return Err(LookupError::UnknownLog(unknown.clone()));
    }
    let mut names: Option<BTreeSet<String>> =
        (!question.logs.is_empty()).then(|| question.logs.iter().cloned().collect());
    let entry = match &question.entry {
        None => None,
        Some((log, index)) => {
            let log_asked = world
                .logs
                .iter()
                .find(|known| known.name() == log || known.id().as_str() == log);
            let name = log_asked.map_or(log.as_str(), MonitoredLog::name);
            if !is_known(name) {
                return Err(LookupError::UnknownLog(log.clone()));
            }
            let only = BTreeSet::from([name.to_owned()]);
            names = Some(match names {
                Some(names) => names.intersection(&only).cloned().collect(),
                None => only,
            });
            Some(*index)
        }
    };
    Ok(Wanted { names, entry })
}

/// Keeps the tree that holds an index over all trees: the last one that begins at or before it.
fn only_tree_of(index: u64, trees: &mut Vec<TreeReach>) {
    let begins = trees
        .iter()
        .filter(|tree| tree.first.is_some() && tree.base <= index)
        .map(|tree| tree.base)
        .max();
    if let Some(base) = begins {
        trees.retain(|tree| tree.first.is_none() || tree.base == base);
    }
}

fn log_reach(log: &MonitoredLog, state: Option<&LogState>, trees: Vec<TreeReach>) -> LogReach {
    let (mode, guides) = match log {
        MonitoredLog::Tree(_) | MonitoredLog::RekorV1(_) => (ReadingMode::Tail, Vec::new()),
        MonitoredLog::Guided(guided) => {
            let names = guided.guides.iter().map(|guide| guide.name.clone());
            (ReadingMode::Guided, names.collect())
        }
    };
    let list = matches!(log, MonitoredLog::RekorV1(_)).then(|| {
        let error = state.and_then(|state| state.error.as_ref());
        (
            state.and_then(|state| state.last_success),
            error.map(|error| error.message.clone()),
        )
    });
    LogReach {
        name: log.name().to_owned(),
        mode,
        guides,
        list,
        unreadable: None,
        trees,
    }
}

/// A tree of which nothing was read.
pub(super) fn never_read(tree: &TreeId) -> TreeReach {
    TreeReach {
        origin: tree.as_str().to_owned(),
        base: 0,
        first: None,
        first_time: None,
        proven: 0,
        head: None,
        has_ended: false,
        proven_at: None,
        error: None,
        is_faulty: false,
        gaps: None,
        scan: None,
        only: None,
    }
}

fn reach(tree: &TreeState) -> TreeReach {
    let follower = tree.follower.as_ref();
    let proven = follower.map_or(0, |follower| follower.proven.size());
    TreeReach {
        base: tree.base,
        proven,
        head: tree.largest_head().map(|head| head.size),
        has_ended: tree
            .frozen
            .as_ref()
            .is_some_and(|(size, _)| *size <= proven),
        proven_at: tree.last_success,
        error: tree.error.as_ref().map(|error| error.message.clone()),
        ..never_read(&tree.id)
    }
}

/// What of a tree was read and compared with none of the watches that select everything that is asked for.
fn gaps(
    covering: &[String],
    covered: Option<&TreeCoverage>,
    tree: &TreeState,
) -> Option<Vec<Range<u64>>> {
    if covering.is_empty() {
        return None;
    }
    let covered = covered?;
    let all = covered.first..covered.seen;
    let mut common = vec![all];
    for name in covering {
        let uneven = covered
            .uneven
            .iter()
            .filter(|uneven| uneven.watch.name == *name);
        let gaps: Vec<Range<u64>> = uneven.flat_map(|uneven| uneven.gaps.clone()).collect();
        common = intersection(&common, &gaps);
    }
    debug_assert_eq!(covered.tree, tree.id, "the coverage of this tree");
    Some(common)
}

/// What is in both lists of ranges.
fn intersection(one: &[Range<u64>], other: &[Range<u64>]) -> Vec<Range<u64>> {
    let pairs = one
        .iter()
        .flat_map(|one| other.iter().map(move |other| (one, other)));
    pairs
        .map(|(one, other)| one.start.max(other.start)..one.end.min(other.end))
        .filter(|both| !both.is_empty())
        .collect()
}

/// Origins of trees and ids of logs whose broken promise is an open finding.
async fn faulty(world: &World<'_>) -> Result<BTreeSet<String>, LookupError> {
    let query = FindingQuery {
        verdicts: vec![Verdict::LogFault],
        ..FindingQuery::open()
    };
    let open: Vec<_> = world.store.findings(&query).try_collect().await?;
    Ok(open.into_iter().filter_map(|fault| fault.origin).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_watch_covers_is_what_is_in_all_their_gaps() {
        let one = |range: Range<u64>| std::iter::once(range).collect::<Vec<_>>();
        let two = [3..5, 8..20];
        assert_eq!(intersection(&one(0..10), &[]), []);
        assert_eq!(intersection(&one(0..10), &two), [3..5, 8..10]);
        assert_eq!(intersection(&[3..5, 8..10], &one(4..9)), [4..5, 8..9]);
    }
}
