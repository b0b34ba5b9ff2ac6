//! One tree of one log: its name, where it is read, and which keys speak for it.

use std::time::Duration;

use tlog::{Origin, Verifier};

/// How a log is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Rekor v2: checkpoints, tiles and entry bundles as static files (C2SP tlog-tiles).
    RekorV2,
}

impl Protocol {
    /// The word in the configuration and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RekorV2 => "rekor-v2",
        }
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
    /// The keys that may sign its checkpoints; never empty.
    pub verifiers: Vec<Verifier>,
    /// Where reading begins while there is no stored position.
    pub start: Start,
    /// How long its size may stay the same before that is a finding; `None` is never.
    pub silence_after: Option<Duration>,
}
