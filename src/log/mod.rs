//! One tree of one log: its name, where it is read, and which keys speak for it.

mod key;

use std::time::Duration;

use jiff::Timestamp;
use tlog::{Checkpoint, CheckpointError, Note, NoteError, Origin, Verifier};

use crate::escape::few;

pub use key::{LogKey, LogKeyError, rekor_v1_verifier};

/// How a log is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Rekor v2: checkpoints, tiles and entry bundles as static files (C2SP tlog-tiles).
    RekorV2,
    /// Rekor v1: a Trillian tree behind a REST interface, one of several that follow each other.
    RekorV1,
    /// A certificate transparency log of RFC 6962.
    CtRfc6962,
    /// A certificate transparency log of static files (C2SP static-ct-api).
    CtStatic,
}

impl Protocol {
    /// The word in the configuration and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RekorV2 => "rekor-v2",
            Self::RekorV1 => "rekor-v1",
            Self::CtRfc6962 => "ct-rfc6962",
            Self::CtStatic => "ct-static",
        }
    }
}

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

/// Why a note is no checkpoint of a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// None of the tree's keys has signed it. Which keys are named by its signatures, and which were expected: by name and
    /// key id, as on a signature line.
    #[error(
        "the checkpoint of {origin} is not signed by a key of the log: it is signed by {signers}, and a signature by {keys} is expected"
    )]
    NotSigned {
        /// The tree that was asked for.
        origin: String,
        /// The keys that the note names, escaped.
        signers: String,
        /// The keys of the tree.
        keys: String,
    },
    /// Anything else.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// How many keys are named in one sentence.
const NAMED: usize = 5;

fn named(key: &Verifier) -> String {
    match key.why_unusable() {
        None => format!("{} ({})", key.name(), key.id()),
        Some(why) => format!("{} ({}), which cannot be used: {why}", key.name(), key.id()),
    }
}

/// The keys that a note names.
fn signers(note: &[u8]) -> String {
    let named = Note::parse(note).map(|note| {
        let keys = note.keys();
        few(
            keys.iter().map(|(name, id)| format!("{name} ({id})")),
            NAMED,
        )
    });
    named.unwrap_or_default()
}

/// One tree that is followed.
#[derive(Debug, Clone)]
pub struct Shard {
    /// Its name in findings and on the command line.
    pub name: String,
    /// The first line of its checkpoints: the identity of the tree. Positions are kept under it.
    pub origin: Origin,
    /// How it is spoken to.
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
    /// A note as a checkpoint of this tree, signed by one of its keys.
    ///
    /// # Errors
    /// It is none, of another tree, or not signed by any of the keys.
    pub fn open(&self, note: &[u8]) -> Result<Checkpoint, OpenError> {
        match Checkpoint::open(note, &self.origin, &self.verifiers) {
            Err(CheckpointError::Note(NoteError::NotSigned(_))) => Err(OpenError::NotSigned {
                origin: self.origin.to_string(),
                signers: signers(note),
                keys: few(self.verifiers.iter().map(named), NAMED),
            }),
            opened => Ok(opened?),
        }
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
