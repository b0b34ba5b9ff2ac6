//! Authorities that issued certificates with watched names and that the trusted root does not contain.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Most key ids that are kept. A newer trusted root is requested for the first one already.
const MAX_AUTHORITIES: usize = 64;

/// Key ids of such authorities, until they are taken; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct UnknownAuthorities(Arc<Mutex<BTreeSet<[u8; 20]>>>);

impl UnknownAuthorities {
    /// Adds key ids, up to the limit.
    pub(super) fn add(&self, key_ids: impl IntoIterator<Item = [u8; 20]>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key_id in key_ids {
            if known.len() < MAX_AUTHORITIES {
                known.insert(key_id);
            }
        }
    }

    /// Takes all of them.
    pub(super) fn take(&self) -> BTreeSet<[u8; 20]> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
