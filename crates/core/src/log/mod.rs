//! Logs and their trees: their identities, their types, and the keys that sign their checkpoints.

mod checkpoint;
mod id;
mod key;
mod promise;
mod protocol;

use std::time::Duration;

use jiff::Timestamp;
use tlog::{Checkpoint, Note, Origin, Verifier};

pub use checkpoint::{OpenError, open_checkpoint};
pub use id::{LogId, Part, TreeId};
pub use key::{LogKey, LogKeyError, rekor_v1_verifier};
pub use promise::Promise;
pub use protocol::{LeafFormat, Protocol};

/// An entry's index as Rekor v1 counts: over all trees of a log, from the first entry of the oldest one.
///
/// An index within a tree is a `u64`. The two types cannot be confused, because only a tree's base converts one into
/// the other. For every other type of log the base is 0, and both are the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GlobalIndex(u64);

impl GlobalIndex {
    /// An index that already counts over all trees.
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// The index of leaf `local` of a tree that begins at `base`; `None` beyond 64 bits.
    pub fn of(base: u64, local: u64) -> Option<Self> {
        base.checked_add(local).map(Self)
    }

    /// The leaf of a tree that begins at `base`; `None` if this index is before the tree.
    pub const fn within(self, base: u64) -> Option<u64> {
        self.0.checked_sub(base)
    }

    /// The number, counted over all trees.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl std::fmt::Display for GlobalIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The first position of a tree without a stored one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The newest checkpoint: earlier entries are not read. This is never chosen silently.
    End,
    /// The first entry.
    Beginning,
    /// This index.
    Index(u64),
    /// The first entry that was logged at that time or later, or some entries before it: the times in entries are
    /// approximate.
    Time(Timestamp),
}

/// One tree that is followed.
#[derive(Debug, Clone)]
pub struct Shard {
    /// The log's name in findings and on the command line.
    pub name: String,
    /// The log of the tree.
    pub log: LogId,
    /// The first line of its checkpoints, which identifies it.
    pub origin: Origin,
    /// A name for people that distinguishes it from the other trees of its log; `None`: the log has one tree.
    pub label: Option<String>,
    /// The type of its log.
    pub protocol: Protocol,
    /// Added to an index within this tree, it gives the index in findings. Rekor v1 counts over all its trees; for
    /// every other type it is 0.
    pub base: u64,
    /// Whether its log lists it as a tree that takes no more entries: then it must not change any more.
    pub ended: bool,
    /// The keys that may sign its checkpoints; never empty.
    pub verifiers: Vec<Verifier>,
    /// The keys that may sign when a Rekor v1 log accepted an entry, each a SubjectPublicKeyInfo in DER. Empty for every other
    /// type: their entries have no such promise.
    pub promise_keys: Vec<Vec<u8>>,
    /// The first position if there is no stored one.
    pub start: Start,
    /// How long its size may stay the same before that is a finding; `None` means no limit.
    pub silence_after: Option<Duration>,
    /// How long it must show smaller checkpoints than before, in passes in a row, before that is a rollback.
    pub rollback_after: Duration,
}

impl Shard {
    /// The id of the tree.
    pub fn id(&self) -> TreeId {
        TreeId::from(&self.origin)
    }

    /// A note as a checkpoint of this tree, signed by one of its keys.
    ///
    /// # Errors
    /// It is not a checkpoint, is of another tree, or is not signed by any of the keys.
    pub fn open(&self, note: &[u8]) -> Result<Checkpoint, OpenError> {
        open_checkpoint(note, &self.origin, &self.verifiers)
    }

    /// The names and key ids of signatures on an opened checkpoint that use the log's name and cannot be verified here:
    /// their algorithm is unknown, or their key cannot be used.
    pub fn unsupported(&self, checkpoint: &Checkpoint) -> Vec<String> {
        let Ok(note) = Note::parse(checkpoint.raw()) else {
            return Vec::new();
        };
        let listed = self.verifiers.iter().filter_map(|key| {
            let why = key.why_unusable()?;
            let is_there = note.has_signature_of(key);
            is_there.then(|| format!("{} ({}), {why}", key.name(), key.id()))
        });
        let others = note.unsupported(&self.verifiers).into_iter();
        listed
            .chain(others.map(|(name, id)| format!("{name} ({id})")))
            .collect()
    }
}
