//! The trees of a guided log.

use tlog::KeyName;

use crate::monitor::prove::KnownTree;

/// All trees, oldest first.
pub(super) struct Trees {
    /// The name of the log in the origins of its trees.
    pub(super) signed_name: KeyName,
    pub(super) list: Vec<KnownTree>,
}

impl Trees {
    /// Number of entries in all of them.
    pub(super) fn total(&self) -> u64 {
        self.list
            .iter()
            .fold(0, |total, tree| total.saturating_add(tree.head.size))
    }
}
