//! A Rekor v1 log: its trees are followed one by one, as the log lists them.
//!
//! The log says with each answer which trees it has, oldest first. Where a tree begins is the sum of the sizes that the
//! older ones are *signed* with, so the global indexes of findings rest on signatures. What goes wrong with the log as a
//! whole is recorded under its URL, beside the trees.

use std::sync::Arc;
use std::time::Duration;

use tlog::{KeyName, Origin};

use super::pass_end;
use super::{Log, LogOutcome, Monitor, Rules, guided};
use crate::log::{GlobalIndex, Protocol, Shard, Start, rekor_v1_verifier};
use crate::source::SourceError;
use crate::source::rekor_v1::{Client, Tree, TreeHead};
use crate::store::{LogState, Outcome, PassError, PassReport, StoreError, Values};

/// A Rekor v1 log.
#[derive(Debug, Clone)]
pub struct RekorV1Log {
    /// Its name in findings and on the command line.
    pub name: String,
    /// Its server.
    pub server: Client,
    /// The keys that may sign for its trees, each a SubjectPublicKeyInfo in DER; never empty.
    pub keys: Vec<Vec<u8>>,
    /// Where reading begins while no tree has a stored position, counted over all trees.
    pub start: Start,
    /// How long the tree that grows may stand still; `None` is for ever.
    pub silence_after: Option<Duration>,
    /// How long a tree has to show smaller checkpoints than before, in passes in a row, before that is a rollback.
    pub rollback_after: Duration,
}

/// The trees of a log, as it listed them.
#[derive(Default)]
pub(super) struct Listing {
    /// Those that can be read, oldest first.
    pub(super) trees: Vec<Log>,
    /// Why there are no more.
    pub(super) error: Option<PassError>,
    /// The log would not say because it was asked too often.
    pub(super) rate_limited: bool,
    /// Whether some tree has a stored position.
    pub(super) known: bool,
}

impl RekorV1Log {
    /// Asks the log for its trees: those that can be read, oldest first, and why there are no more.
    pub async fn ask(&self) -> (Vec<Log>, Option<PassError>) {
        match self.server.info().await {
            Ok(heads) => self.trees(&heads),
            Err(error) => (Vec::new(), Some(unanswered(&error))),
        }
    }

    /// What the log as a whole is recorded under. No tree's origin is a URL.
    pub fn origin(&self) -> String {
        self.server.base().to_string()
    }

    /// Where to begin in a tree, while it has no position.
    fn start_in(&self, base: u64, ended_at: Option<u64>, appeared_later: bool) -> Start {
        match self.start {
            // What was not there when the watch began is read from its first entry.
            _ if appeared_later => Start::Beginning,
            Start::Index(at) => match GlobalIndex::new(at).within(base) {
                None | Some(0) => Start::Beginning,
                Some(local) => Start::Index(local.min(ended_at.unwrap_or(u64::MAX))),
            },
            start => start,
        }
    }

    /// The tree that `head` is about, as far as can be said before its signature is checked.
    pub(super) fn shard(&self, head: &TreeHead, base: u64) -> Result<Shard, String> {
        let first_line = head.note.split(|byte| *byte == b'\n').next();
        let origin = String::from_utf8_lossy(first_line.unwrap_or_default());
        // Of several trees under one key, the one that was asked for: no other one's checkpoint stands in for it.
        let name = origin
            .strip_suffix(&format!(" - {}", head.id))
            .ok_or_else(|| {
                let shown: String = origin.chars().take(100).collect();
                format!("the checkpoint of tree {} is of {shown:?}", head.id)
            })?;
        let name = KeyName::new(name).map_err(|error| error.to_string())?;
        let verifiers = self
            .keys
            .iter()
            .map(|key| rekor_v1_verifier(&name, key))
            .collect();
        Ok(Shard {
            name: self.name.clone(),
            origin: Origin::new(&origin).map_err(|error| error.to_string())?,
            protocol: Protocol::RekorV1,
            base,
            ended: false,
            verifiers,
            start: self.start,
            silence_after: self.silence_after,
            rollback_after: self.rollback_after,
        })
    }

    /// The tree of `head`, ready to be read.
    pub(super) fn tree(&self, shard: Shard, head: &TreeHead) -> Log {
        Log {
            source: Arc::new(Tree::new(self.server.clone(), head, shard.base)),
            shard: Arc::new(shard),
        }
    }

    /// The trees, oldest first, and what keeps the rest from being read.
    fn trees(&self, heads: &[TreeHead]) -> (Vec<Log>, Option<PassError>) {
        let failed = |kind: &str, message: String| Some(PassError::new(kind, message));
        let mut trees = Vec::with_capacity(heads.len());
        let mut base = 0_u64;
        let last = heads.len().saturating_sub(1);
        for (place, head) in heads.iter().enumerate() {
            let mut shard = match self.shard(head, base) {
                Ok(shard) => shard,
                Err(why) => return (trees, failed("unverifiable-checkpoint", why)),
            };
            if place == last {
                // Whether its checkpoint verifies is for its own pass to see: nothing is counted from it.
                trees.push(self.tree(shard, head));
                break;
            }
            let checkpoint = match shard.open(&head.note) {
                Ok(checkpoint) => checkpoint,
                Err(error) => {
                    let why = format!("tree {}: {error}", head.id);
                    return (trees, failed("unverifiable-checkpoint", why));
                }
            };
            shard.ended = true;
            shard.silence_after = None;
            trees.push(self.tree(shard, head));
            let Some(next) = GlobalIndex::of(base, checkpoint.size()) else {
                let why = "its trees have more entries than can be counted".to_owned();
                return (trees, failed("malformed", why));
            };
            base = next.get();
        }
        (trees, None)
    }
}

impl Monitor {
    /// Asks a log for its trees, and looks up which are known.
    pub(super) async fn list(&self, log: &RekorV1Log) -> Result<Listing, StoreError> {
        let (mut trees, error, rate_limited) = match log.server.info().await {
            Ok(heads) => {
                let (trees, error) = log.trees(&heads);
                (trees, error, false)
            }
            Err(error) => (Vec::new(), Some(unanswered(&error)), error.is_rate_limit()),
        };
        let mut newest_known = None;
        for (place, tree) in trees.iter().enumerate() {
            let state = self.store.log(tree.shard.origin.as_str()).await?;
            if state.is_some_and(|state| state.follower.is_some()) {
                newest_known = Some(place);
            }
        }
        let bases: Vec<u64> = trees.iter().map(|tree| tree.shard.base).collect();
        for (place, tree) in trees.iter_mut().enumerate() {
            let base = tree.shard.base;
            let ended_at = bases.get(place + 1).map(|next| next.saturating_sub(base));
            let later = newest_known.is_some_and(|known| place > known);
            let mut shard = Shard::clone(&tree.shard);
            shard.start = log.start_in(base, ended_at, later);
            tree.shard = Arc::new(shard);
        }
        Ok(Listing {
            trees,
            error,
            rate_limited,
            known: newest_known.is_some(),
        })
    }

    /// One pass over all trees of a log.
    pub(super) async fn pass_over_trees(
        &self,
        log: &RekorV1Log,
        listed: Option<Listing>,
        rules: &Arc<Rules>,
    ) -> Result<LogOutcome, StoreError> {
        let listing = match listed {
            Some(listing) => listing,
            None => self.list(log).await?,
        };
        let now = self.clock.now();
        let outcome = listing.error.map_or(Outcome::Proven, Outcome::Failed);
        let report = PassReport {
            rate_limited: listing.rate_limited,
            ..PassReport::new(&log.origin(), &log.name, outcome, now)
        };
        match report.outcome.error() {
            Some(error) => pass_end::say(&report.name, &report.origin, error),
            None => self.remember_trees(log, &listing.trees).await?,
        }
        let mut whole = self.end_without_reading(report, rules).await?;
        if whole.proven {
            for gone in self.vanished(log, &listing.trees).await? {
                let why = format!("the log does not list its tree {gone} any more");
                let error = PassError::new("unavailable", why);
                pass_end::say(&log.name, &gone, &error);
                let report = PassReport::new(&gone, &log.name, Outcome::Failed(error), now);
                whole.add(self.end_without_reading(report, rules).await?);
            }
        }
        if let Some(tree) = listing.trees.first() {
            let origin = tree.shard.origin.as_str();
            guided::no_longer_guided(self, origin, self.clock.now()).await?;
        }
        // A tree that is newer than every known one is read from its first entry. So on first contact the newest one gets
        // its position first: were it the one that fails, the next pass would take all of it for new.
        let first_contact = !listing.known && log.start != Start::Beginning;
        let mut trees = listing.trees;
        if first_contact {
            trees.reverse();
        }
        for tree in &trees {
            let outcome = self.pass_over(tree, rules).await?;
            let failed = !outcome.proven;
            whole.add(outcome);
            if failed && first_contact {
                break;
            }
        }
        Ok(whole)
    }

    /// Keeps which trees the log lists, oldest first, before any of them is read: one whose checkpoint never verified has
    /// no place among them otherwise.
    async fn remember_trees(&self, log: &RekorV1Log, trees: &[Log]) -> Result<(), StoreError> {
        let origins: Vec<&str> = trees
            .iter()
            .map(|tree| tree.shard.origin.as_str())
            .collect();
        let listed = serde_json::to_string(&origins).expect("strings are JSON");
        let key = trees_key(log);
        if self.store.get_value(&key).await?.as_deref() == Some(&listed) {
            return Ok(());
        }
        self.store.put_value(&key, &listed).await
    }

    /// Trees of this log that were read before, and that it does not list now.
    async fn vanished(&self, log: &RekorV1Log, trees: &[Log]) -> Result<Vec<String>, StoreError> {
        let listed = |state: &LogState| {
            trees
                .iter()
                .any(|tree| tree.shard.origin.as_str() == state.origin)
        };
        let states = self.store.logs().await?;
        Ok(states
            .into_iter()
            .filter(|state| is_tree_of(state, &log.name) && !listed(state))
            .map(|state| state.origin)
            .collect())
    }
}

fn trees_key(log: &RekorV1Log) -> String {
    format!("trees {}", log.origin())
}

/// The origins of the trees that a log listed when it was last asked with success, oldest first; none before its first pass.
///
/// # Errors
/// The store cannot say.
pub async fn listed_trees(store: &dyn Values, log: &RekorV1Log) -> Result<Vec<String>, StoreError> {
    let listed = store.get_value(&trees_key(log)).await?;
    // What a later version wrote is not known to this one.
    Ok(listed
        .and_then(|listed| serde_json::from_str(&listed).ok())
        .unwrap_or_default())
}

fn unanswered(error: &SourceError) -> PassError {
    PassError::new(error.kind(), error.to_string())
}

/// Whether this is the state of a tree that was followed under that name.
pub(super) fn is_tree_of(state: &LogState, name: &str) -> bool {
    state.name == name && state.protocol == Protocol::RekorV1.as_str() && state.follower.is_some()
}

impl LogOutcome {
    fn add(&mut self, part: Self) {
        self.proven &= part.proven;
        self.error = self.error.take().or(part.error);
        self.entries += part.entries;
    }
}
