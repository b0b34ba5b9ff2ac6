//! A signed head of a log, as the follower keeps it.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use crate::{Checkpoint, Hash};

/// The content of one verified checkpoint.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    /// Leaves in the tree.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
    /// The signed note, byte for byte: the evidence.
    pub note: Arc<[u8]>,
}

impl From<&Checkpoint> for Head {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self {
            size: checkpoint.size(),
            root: checkpoint.root(),
            note: checkpoint.raw().clone(),
        }
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let note: String = String::from_utf8_lossy(&self.note).into_owned();
        f.debug_struct("Head")
            .field("size", &self.size)
            .field("root", &self.root)
            .field("note", &note)
            .finish()
    }
}
