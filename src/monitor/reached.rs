//! The positions that this process has proven, kept in memory. A store with smaller ones was replaced.
//!
//! A backup that is copied over the database is the same file with older content: device and inode do not change. But
//! proven positions never decrease.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::log::TreeId;
use crate::store::{StoreError, TreeState};

/// The proven position of each tree; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Reached(Arc<Mutex<HashMap<TreeId, u64>>>);

impl Reached {
    /// Records that a tree was proven up to this size, and that this was stored.
    pub(super) fn proven(&self, tree: TreeId, size: u64) {
        let mut reached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = reached.entry(tree).or_default();
        *known = size.max(*known);
    }

    /// Verifies that the store has at least this position.
    ///
    /// # Errors
    /// [`StoreError::Displaced`]: it has a smaller one.
    pub(super) fn expect(
        &self,
        tree: &TreeId,
        state: Option<&TreeState>,
    ) -> Result<(), StoreError> {
        let reached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = reached.get(tree).copied().unwrap_or(0);
        let stored = state
            .and_then(|state| state.follower.as_ref())
            .map_or(0, |follower| follower.proven.size());
        if stored >= known {
            return Ok(());
        }
        Err(StoreError::Displaced {
            what: format!(
                "the database was overwritten with an older one, in which {tree} is proven up to {stored} and not up to {known},"
            ),
        })
    }
}
