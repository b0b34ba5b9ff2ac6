//! Logs and their trees: what identifies them, what type they are of, which keys sign their checkpoints.

mod checkpoint;
mod id;
mod key;
mod protocol;

use std::time::Duration;

use jiff::Timestamp;
use tlog::{Checkpoint, Note, Origin, Verifier};

pub use checkpoint::{OpenError, open_checkpoint};
pub use id::{LogId, Part, TreeId};
pub use key::{LogKey, LogKeyError, rekor_v1_verifier};
pub use protocol::{LeafFormat, Protocol};

/// An entry's place as Rekor v1 counts: over all trees of a log, from the first entry of the oldest one.
///
/// Within a tree an index is a bare `u64`. The two are never mixed up, because only a tree's base leads from one to the
/// other. For every other kind of log the base is 0, and both are the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GlobalIndex(u64);

impl GlobalIndex {
    /// An index that counts over all trees already.
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// The place of leaf `local` of a tree that begins at `base`; `None` beyond 64 bits.
    pub fn of(base: u64, local: u64) -> Option<Self> {
        base.checked_add(local).map(Self)
    }

    /// The leaf of a tree that begins at `base`; `None` if this place lies before it.
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

/// Where reading begins while there is no stored position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the newest checkpoint: what came before is not read. Never taken silently.
    End,
    /// At the first entry.
    Beginning,
    /// At this index.
    Index(u64),
    /// At the first entry that was logged then or later, or some way before it: what entries say of their time is
    /// rough.
    Time(Timestamp),
}

/// One tree that is followed.
#[derive(Debug, Clone)]
pub struct Shard {
    /// The log's name in findings and on the command line.
    pub name: String,
    /// The log that it is of.
    pub log: LogId,
    /// The first line of its checkpoints, which identifies it.
    pub origin: Origin,
    /// What people call it to tell it from the other trees of its log; `None`: the log has one tree.
    pub label: Option<String>,
    /// The type of its log.
    pub protocol: Protocol,
    /// What to add to an index within this tree to get the one that findings name. Rekor v1 counts over all its
    /// trees; everywhere else it is 0.
    pub base: u64,
    /// Whether its log lists it as a tree that takes no more entries: from then on it must never change.
    pub ended: bool,
    /// The keys that may sign its checkpoints; never empty.
    pub verifiers: Vec<Verifier>,
    /// Where reading begins while there is no stored position.
    pub start: Start,
    /// How long its size may stay the same before that is a finding; `None` is never.
    pub silence_after: Option<Duration>,
    /// How long it has to show smaller checkpoints than before, in passes in a row, before that is a rollback.
    pub rollback_after: Duration,
}

impl Shard {
    /// Which tree it is.
    pub fn id(&self) -> TreeId {
        TreeId::from(&self.origin)
    }

    /// A note as a checkpoint of this tree, signed by one of its keys.
    ///
    /// # Errors
    /// It is none, of another tree, or not signed by any of the keys.
    pub fn open(&self, note: &[u8]) -> Result<Checkpoint, OpenError> {
        open_checkpoint(note, &self.origin, &self.verifiers)
    }

    /// Under which names and key ids an opened checkpoint bears signatures in the log's name that are of algorithms which
    /// are not verified here, or by keys that are known and cannot be used.
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
