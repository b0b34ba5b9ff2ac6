//! The trees that are followed: how far each is proven, and how one of its leaves is asked for.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use tlog::{Hash, Head};

use super::leaf;
use crate::finding::Verdict;
use crate::log::LogId;
use crate::monitor::{Log, MonitoredLog};
use crate::source::LogSource;
use crate::store::{FindingQuery, Store, StoreError, TreeState};

/// Leaves that are kept in memory: bundles of one release are neighbours in their log.
const KEPT: usize = 100_000;

/// A tree of a followed log.
pub(super) struct Tree {
    /// The log's name.
    pub(super) log: String,
    /// The entries of the log before the tree's first one.
    pub(super) base: u64,
    /// The checkpoint that covers everything that is proven.
    pub(super) head: Option<Head>,
    /// The log is not read in full.
    pub(super) is_guided: bool,
    /// The tree takes no more entries: its last size.
    pub(super) ended_at: Option<u64>,
    /// Which of the logs.
    place: usize,
}

/// The followed logs and their trees.
pub(super) struct Followed<'a> {
    logs: &'a [MonitoredLog],
    trees: HashMap<String, Tree>,
    /// Trees and logs with a broken promise whose finding is open.
    faulty: BTreeSet<String>,
    /// The sources of the trees of a log that lists them, by the place of the log; why there are none.
    listed: BTreeMap<usize, Result<Vec<Log>, String>>,
    /// Leaf hashes that were proven: (origin, index within the tree).
    proven: HashMap<(String, u64), Hash>,
}

impl<'a> Followed<'a> {
    pub(super) async fn of(
        logs: &'a [MonitoredLog],
        store: &dyn Store,
    ) -> Result<Self, StoreError> {
        let mut trees = HashMap::new();
        for state in store.trees().await? {
            if let Some((place, log)) = logs
                .iter()
                .enumerate()
                .find(|(_, log)| log.id() == state.log)
            {
                trees.insert(state.id.as_str().to_owned(), Tree::of(&state, place, log));
            }
        }
        // A log of one tree that no pass has begun yet.
        for (place, log) in logs.iter().enumerate() {
            if let MonitoredLog::Tree(tree) = log {
                let origin = tree.shard.origin.as_str().to_owned();
                trees.entry(origin).or_insert_with(|| Tree {
                    log: log.name().to_owned(),
                    base: 0,
                    head: None,
                    is_guided: false,
                    ended_at: None,
                    place,
                });
            }
        }
        let query = FindingQuery {
            verdicts: vec![Verdict::LogFault],
            ..FindingQuery::open()
        };
        let open: Vec<_> = store.findings(&query).try_collect().await?;
        let faulty = open.into_iter().filter_map(|fault| fault.origin);
        Ok(Self {
            logs,
            trees,
            faulty: faulty.collect(),
            listed: BTreeMap::new(),
            proven: HashMap::new(),
        })
    }

    /// The tree with this origin, if its log is followed.
    pub(super) fn tree(&self, origin: &str) -> Option<&Tree> {
        self.trees.get(origin)
    }

    /// The logs, each with whether a promise that it broke is not dealt with.
    pub(super) fn logs(&self) -> &'a [MonitoredLog] {
        self.logs
    }

    /// Whether the log of a tree broke a promise, and that finding is open: then nothing that it shows is evidence.
    pub(super) fn is_faulty(&self, origin: &str) -> bool {
        let log = self
            .trees
            .get(origin)
            .and_then(|tree| self.logs.get(tree.place));
        self.faulty.contains(origin)
            || log.is_some_and(|log| self.faulty.contains(log.id().as_str()))
    }

    /// The hash of the leaf at this index within a tree, fetched and proven, and the leaf itself unless it was proven before.
    ///
    /// # Errors
    ///
    /// Why it is not proven, for people.
    pub(super) async fn leaf(
        &mut self,
        origin: &str,
        index: u64,
    ) -> Result<(Hash, Option<Vec<u8>>), String> {
        let key = (origin.to_owned(), index);
        if let Some(hash) = self.proven.get(&key) {
            return Ok((*hash, None));
        }
        let tree = self.trees.get(origin).ok_or("the log is not followed")?;
        let head = tree.head.clone().ok_or("nothing of the tree is proven")?;
        let source = self.source(origin).await?;
        let (leaf, hash) = leaf::prove(&*source, &head, index)
            .await
            .map_err(|error| error.to_string())?;
        if self.proven.len() < KEPT {
            self.proven.insert(key, hash);
        }
        Ok((hash, Some(leaf)))
    }

    async fn source(&mut self, origin: &str) -> Result<Arc<dyn LogSource>, String> {
        let place = self
            .trees
            .get(origin)
            .ok_or("the log is not followed")?
            .place;
        let log = self.logs.get(place).ok_or("the log is not followed")?;
        let server = match log {
            MonitoredLog::Tree(log) => return Ok(Arc::clone(&log.source)),
            MonitoredLog::RekorV1(log) => log,
            MonitoredLog::Guided(guided) => &guided.log,
        };
        if let Entry::Vacant(listing) = self.listed.entry(place) {
            let (trees, error) = server.ask().await;
            let listed = match error {
                Some(error) if trees.is_empty() => Err(error.message),
                _ => Ok(trees),
            };
            listing.insert(listed);
        }
        let Some(Ok(trees)) = self.listed.get(&place) else {
            let why = self
                .listed
                .get(&place)
                .and_then(|listed| listed.as_ref().err());
            return Err(why.cloned().unwrap_or_default());
        };
        let found = trees
            .iter()
            .find(|tree| tree.shard.origin.as_str() == origin);
        found
            .map(|tree| Arc::clone(&tree.source))
            .ok_or_else(|| format!("the log does not list the tree {origin}"))
    }

    /// The trees of a log, with their first indexes over all trees.
    pub(super) fn trees_of(&self, log: &LogId) -> impl Iterator<Item = (&String, &Tree)> {
        let place = self.logs.iter().position(|known| known.id() == *log);
        self.trees
            .iter()
            .filter(move |(_, tree)| Some(tree.place) == place)
    }
}

impl Tree {
    fn of(state: &TreeState, place: usize, log: &MonitoredLog) -> Self {
        let is_guided = matches!(log, MonitoredLog::Guided(_));
        let proven = state
            .follower
            .as_ref()
            .and_then(|follower| follower.proven_head.clone());
        Self {
            log: log.name().to_owned(),
            base: state.base,
            head: if is_guided {
                state.verified.clone().or(proven)
            } else {
                proven
            },
            is_guided,
            ended_at: state.frozen.as_ref().map(|(size, _)| *size),
            place,
        }
    }

    /// How many entries are proven.
    pub(super) fn proven(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.size)
    }
}

#[cfg(test)]
impl Followed<'_> {
    /// One tree, proven up to `size`, with these proven leaves; nothing can be fetched.
    pub(super) fn of_one(
        origin: &str,
        tree: (u64, u64, bool),
        ended_at: Option<u64>,
        leaves: &[(u64, Hash)],
    ) -> Self {
        let (base, size, is_guided) = tree;
        let head = Head {
            size,
            root: tlog::leaf_hash(b"root"),
            note: Vec::new().into(),
        };
        let tree = Tree {
            log: "main".to_owned(),
            base,
            head: Some(head),
            is_guided,
            ended_at,
            place: 0,
        };
        let proven = leaves.iter();
        Self {
            logs: &[],
            trees: HashMap::from([(origin.to_owned(), tree)]),
            faulty: BTreeSet::new(),
            listed: BTreeMap::new(),
            proven: proven
                .map(|(index, hash)| ((origin.to_owned(), *index), *hash))
                .collect(),
        }
    }

    pub(super) fn break_promise(&mut self, origin: &str) {
        self.faulty.insert(origin.to_owned());
    }
}
