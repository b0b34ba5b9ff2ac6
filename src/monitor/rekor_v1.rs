//! A Rekor v1 log and the list of its trees.
//!
//! Each answer of the log lists its trees, oldest first. The first index of a tree is the sum of the *signed* sizes of
//! the older ones, so the indexes of findings depend on signatures. Errors of the log as a whole are recorded under its
//! URL.

use std::sync::Arc;
use std::time::Duration;

use tlog::{KeyName, Origin};

use super::log::Log;
use crate::log::{GlobalIndex, Protocol, Shard, Start, rekor_v1_verifier};
use crate::source::rekor_v1::{Client, Tree, TreeHead};
use crate::store::{LogState, PassError, PassErrorKind, Store, StoreError, Values};

/// A Rekor v1 log.
#[derive(Debug, Clone)]
pub struct RekorV1Log {
    /// Its name in findings and on the command line.
    pub name: String,
    /// Its server.
    pub server: Client,
    /// The keys that may sign for its trees, each a SubjectPublicKeyInfo in DER; never empty.
    pub keys: Vec<Vec<u8>>,
    /// The first index that is read, over all trees, while no tree has a stored position.
    pub start: Start,
    /// How long the newest tree may show no new entry; `None`: without limit.
    pub silence_after: Option<Duration>,
    /// How long a tree must show smaller checkpoints than before, in passes in a row, until that is a rollback.
    pub rollback_after: Duration,
}

/// The trees of a log, as it listed them.
#[derive(Default)]
pub(super) struct Listing {
    /// The trees that can be read, oldest first.
    pub(super) trees: Vec<Log>,
    /// Why there are no more.
    pub(super) error: Option<PassError>,
    /// The log refused the request because there were too many.
    pub(super) rate_limited: bool,
    /// Whether some tree has a stored position.
    pub(super) known: bool,
}

impl RekorV1Log {
    /// Requests the list of trees. Returns those that can be read, oldest first, and why there are no more.
    pub async fn ask(&self) -> (Vec<Log>, Option<PassError>) {
        match self.server.info().await {
            Ok(heads) => self.trees(&heads),
            Err(error) => (Vec::new(), Some(PassError::from(&error))),
        }
    }

    /// The origin under which errors of the log as a whole are recorded. No origin of a tree is a URL.
    pub fn origin(&self) -> String {
        self.server.base().to_string()
    }

    /// The first entry of a tree without a position.
    fn start_in(&self, base: u64, ended_at: Option<u64>, appeared_later: bool) -> Start {
        match self.start {
            // A tree that appeared later is read from its first entry.
            _ if appeared_later => Start::Beginning,
            Start::Index(at) => match GlobalIndex::new(at).within(base) {
                None | Some(0) => Start::Beginning,
                Some(local) => Start::Index(local.min(ended_at.unwrap_or(u64::MAX))),
            },
            start => start,
        }
    }

    /// The tree of `head`, before its signature is verified.
    pub(super) fn shard(&self, head: &TreeHead, base: u64) -> Result<Shard, String> {
        let first_line = head.note.split(|byte| *byte == b'\n').next();
        let origin = String::from_utf8_lossy(first_line.unwrap_or_default());
        // Several trees have the same key: the checkpoint of another one must not stand in for it.
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

    /// The trees, oldest first, and why there are no more.
    fn trees(&self, heads: &[TreeHead]) -> (Vec<Log>, Option<PassError>) {
        let failed = |kind: PassErrorKind, message: String| Some(PassError::new(kind, message));
        let mut trees = Vec::with_capacity(heads.len());
        let mut base = 0_u64;
        let last = heads.len().saturating_sub(1);
        for (place, head) in heads.iter().enumerate() {
            let mut shard = match self.shard(head, base) {
                Ok(shard) => shard,
                Err(why) => return (trees, failed(PassErrorKind::UnverifiableCheckpoint, why)),
            };
            if place == last {
                // The pass over it verifies its checkpoint; no index depends on it.
                trees.push(self.tree(shard, head));
                break;
            }
            let checkpoint = match shard.open(&head.note) {
                Ok(checkpoint) => checkpoint,
                Err(error) => {
                    let why = format!("tree {}: {error}", head.id);
                    return (trees, failed(PassErrorKind::UnverifiableCheckpoint, why));
                }
            };
            shard.ended = true;
            shard.silence_after = None;
            trees.push(self.tree(shard, head));
            let Some(next) = GlobalIndex::of(base, checkpoint.size()) else {
                let why = "its trees have more entries than can be counted".to_owned();
                return (trees, failed(PassErrorKind::Malformed, why));
            };
            base = next.get();
        }
        (trees, None)
    }

    /// Requests the list of trees, and finds out which of them are stored.
    pub(super) async fn list(&self, store: &dyn Store) -> Result<Listing, StoreError> {
        let (mut trees, error, rate_limited) = match self.server.info().await {
            Ok(heads) => {
                let (trees, error) = self.trees(&heads);
                (trees, error, false)
            }
            Err(error) => (
                Vec::new(),
                Some(PassError::from(&error)),
                error.is_rate_limit(),
            ),
        };
        let mut newest_known = None;
        for (place, tree) in trees.iter().enumerate() {
            let state = store.log(tree.shard.origin.as_str()).await?;
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
            shard.start = self.start_in(base, ended_at, later);
            tree.shard = Arc::new(shard);
        }
        Ok(Listing {
            trees,
            error,
            rate_limited,
            known: newest_known.is_some(),
        })
    }
}

pub(super) fn trees_key(log: &RekorV1Log) -> String {
    format!("trees {}", log.origin())
}

/// The origins of the trees in the last successful answer of a log, oldest first; none before its first pass.
///
/// # Errors
/// The store failed.
pub async fn listed_trees(store: &dyn Values, log: &RekorV1Log) -> Result<Vec<String>, StoreError> {
    let listed = store.get_value(&trees_key(log)).await?;
    // A value of a later version is ignored.
    Ok(listed
        .and_then(|listed| serde_json::from_str(&listed).ok())
        .unwrap_or_default())
}

/// Whether this is the state of a tree of the log with that name.
pub(super) fn is_tree_of(state: &LogState, name: &str) -> bool {
    state.name == name && state.protocol == Protocol::RekorV1.as_str() && state.follower.is_some()
}
