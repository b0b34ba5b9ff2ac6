//! The trees of a guided log.

use tlog::Origin;

use crate::monitor::prove::KnownTree;
use crate::source::rekor_v1::TreeId;

/// The separator between the name of a log and the id of a tree in an origin.
pub(super) const BETWEEN: &str = " - ";

/// All trees, oldest first.
pub(super) struct Trees {
    /// The name of the log, which the origins have in common.
    pub(super) log: String,
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

/// The name of the log in the origin of one of its trees.
pub(super) fn name_in(origin: &Origin, id: TreeId) -> Option<&str> {
    let name = origin
        .as_str()
        .strip_suffix(&id.to_string())?
        .strip_suffix(BETWEEN)?;
    (!name.is_empty()).then_some(name)
}
