//! A Rekor v1 log and the list of its trees.
//!
//! Each answer of the log lists its trees, oldest first. The first index of a tree is the sum of the *signed* sizes of
//! the older ones, so the indexes of findings depend on signatures. Errors of the log as a whole are recorded under its
//! URL.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tlog::{KeyName, Origin};

use super::log::Log;
use crate::log::{GlobalIndex, LogId, Protocol, Shard, Start, rekor_v1_verifier};
use crate::source::rekor_v1::{Client, Tree, TreeHead};
use crate::store::{ListedTree, ListedTrees, PassError, PassErrorKind, Store, StoreError};

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
    /// Whether a key of the log signed the checkpoint that was listed with each.
    pub(super) verified: Vec<bool>,
    /// The log's name in the origin of the oldest one.
    pub(super) signed_name: Option<KeyName>,
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
            Ok(heads) => {
                let listing = self.trees(&heads);
                (listing.trees, listing.error)
            }
            Err(error) => (Vec::new(), Some(PassError::from(&error))),
        }
    }

    /// Which log it is.
    pub fn id(&self) -> LogId {
        LogId::of_server(self.server.base())
    }

    /// What is recorded of its trees.
    pub(super) fn listed(
        &self,
        signed_name: &KeyName,
        trees: Vec<ListedTree>,
        now: Timestamp,
    ) -> ListedTrees {
        ListedTrees {
            log: self.id(),
            name: self.name.clone(),
            protocol: Protocol::RekorV1,
            signed_name: signed_name.as_str().to_owned(),
            trees,
            now,
        }
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
        let SignedOrigin { origin, name } = SignedOrigin::of(head)?;
        let verifiers = self
            .keys
            .iter()
            .map(|key| rekor_v1_verifier(&name, key))
            .collect();
        Ok(Shard {
            name: self.name.clone(),
            log: self.id(),
            origin,
            label: Some(head.id.to_string()),
            protocol: Protocol::RekorV1,
            base,
            ended: false,
            verifiers,
            promise_keys: self.keys.clone(),
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
    fn trees(&self, heads: &[TreeHead]) -> Listing {
        let mut listing = Listing::default();
        let failed = |kind: PassErrorKind, message: String| Some(PassError::new(kind, message));
        let mut base = 0_u64;
        let last = heads.len().saturating_sub(1);
        for (place, head) in heads.iter().enumerate() {
            let mut shard = match self.shard(head, base) {
                Ok(shard) => shard,
                Err(why) => {
                    listing.error = failed(PassErrorKind::UnverifiableCheckpoint, why);
                    break;
                }
            };
            if place == 0 {
                listing.signed_name = SignedOrigin::of(head).ok().map(|signed| signed.name);
            }
            let opened = shard.open(&head.note);
            if place == last {
                // The pass over it verifies its checkpoint; no index depends on it.
                listing.add(self.tree(shard, head), opened.is_ok());
                break;
            }
            let checkpoint = match opened {
                Ok(checkpoint) => checkpoint,
                Err(error) => {
                    let why = format!("tree {}: {error}", head.id);
                    listing.error = failed(PassErrorKind::UnverifiableCheckpoint, why);
                    break;
                }
            };
            shard.ended = true;
            shard.silence_after = None;
            listing.add(self.tree(shard, head), true);
            let Some(next) = GlobalIndex::of(base, checkpoint.size()) else {
                let why = "its trees have more entries than can be counted".to_owned();
                listing.error = failed(PassErrorKind::Malformed, why);
                break;
            };
            base = next.get();
        }
        listing
    }
}

impl Listing {
    fn add(&mut self, tree: Log, is_verified: bool) {
        self.trees.push(tree);
        self.verified.push(is_verified);
    }
}

/// The origin in a checkpoint of a Rekor v1 tree: the log's name, " - " and the tree's number (rekor
/// `pkg/util/checkpoint.go`). It is verified when the checkpoint is opened.
pub(super) struct SignedOrigin {
    pub(super) origin: Origin,
    /// The log's name.
    pub(super) name: KeyName,
}

impl SignedOrigin {
    /// For the requested tree: a checkpoint of another tree under the same key is refused.
    pub(super) fn of(head: &TreeHead) -> Result<Self, String> {
        let first_line = head.note.split(|byte| *byte == b'\n').next();
        let origin = String::from_utf8_lossy(first_line.unwrap_or_default());
        let name = origin
            .strip_suffix(&format!(" - {}", head.id))
            .ok_or_else(|| {
                let shown: String = origin.chars().take(100).collect();
                format!("the checkpoint of tree {} is of {shown:?}", head.id)
            })?;
        Ok(Self {
            name: KeyName::new(name).map_err(|error| error.to_string())?,
            origin: Origin::new(&origin).map_err(|error| error.to_string())?,
        })
    }
}

impl RekorV1Log {
    /// Requests the list of trees, and finds out which of them are stored.
    pub(super) async fn list(&self, store: &dyn Store) -> Result<Listing, StoreError> {
        let mut listing = match self.server.info().await {
            Ok(heads) => self.trees(&heads),
            Err(error) => Listing {
                error: Some(PassError::from(&error)),
                rate_limited: error.is_rate_limit(),
                ..Listing::default()
            },
        };
        let trees = &mut listing.trees;
        let mut newest_known = None;
        for (place, tree) in trees.iter().enumerate() {
            let state = store.tree(&tree.shard.id()).await?;
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
        listing.known = newest_known.is_some();
        Ok(listing)
    }
}
