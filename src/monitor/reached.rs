//! What this process has proven, kept in memory: a store that knows less of it was replaced meanwhile.
//!
//! A backup that is copied over a database in place is the same file with an older content, so its device and inode do
//! not tell. Proven positions never decrease: one that did is another content.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::{LogState, StoreError};

/// Up to where each log was proven, by its origin; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Reached(Arc<Mutex<HashMap<String, u64>>>);

impl Reached {
    /// A log was proven up to here, and it was recorded.
    pub(super) fn proven(&self, origin: &str, size: u64) {
        let mut reached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = reached.entry(origin.to_owned()).or_default();
        *known = size.max(*known);
    }

    /// That the store knows what was recorded.
    ///
    /// # Errors
    /// [`StoreError::Displaced`]: it does not.
    pub(super) fn expect(&self, origin: &str, state: Option<&LogState>) -> Result<(), StoreError> {
        let reached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = reached.get(origin).copied().unwrap_or(0);
        let stored = state
            .and_then(|state| state.follower.as_ref())
            .map_or(0, |follower| follower.proven.size());
        if stored >= known {
            return Ok(());
        }
        Err(StoreError::Displaced {
            what: format!(
                "the database was overwritten with an older one, in which {origin} is proven up to {stored} and not up to {known},"
            ),
        })
    }
}
