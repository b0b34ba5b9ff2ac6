//! What a pass looks for: the watches, and the authorities that judge certificates.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::identity::{Authorities, Certificate};
use crate::store::{HoldRule, WatchKey};
use crate::watch::{Forms, Watches};

/// The watches, compiled, and who is trusted to vouch for names.
pub struct Rules {
    watches: Watches,
    authorities: Option<Authorities>,
    keys: Vec<WatchKey>,
    hashes: Vec<[u8; 32]>,
    holds: Vec<HoldRule>,
    ineffective: Vec<(String, String)>,
    unknown: Mutex<BTreeSet<[u8; 20]>>,
}

/// Unknown authorities that are kept until they are taken: a flood of them says no more than some.
const MAX_UNKNOWN: usize = 64;

impl Rules {
    /// Without authorities every chain is `unknown` and judged as if trusted.
    pub fn new(watches: Watches, authorities: Option<Authorities>) -> Self {
        let mut keys = Vec::new();
        let mut hashes = Vec::new();
        let mut holds = Vec::new();
        let mut ineffective = Vec::new();
        let forms = Forms::new();
        for watch in &watches {
            let conditions = watch.conditions_hash();
            let rule = watch.rule_hash();
            keys.push(WatchKey {
                name: watch.name.clone(),
                conditions,
            });
            hashes.push(rule);
            ineffective.extend(
                watch
                    .ineffective(&forms)
                    .map(|why| (watch.name.clone(), why)),
            );
            if let Some(hold) = watch.hold {
                holds.push(HoldRule {
                    watch: watch.name.clone(),
                    rule,
                    hold,
                });
            }
        }
        Self {
            watches,
            authorities,
            keys,
            hashes,
            holds,
            ineffective,
            unknown: Mutex::default(),
        }
    }

    /// Notes that a certificate with a watched name led to no authority: newer trust may know its authority.
    pub(super) fn note_untrusted(&self, certificate: &Certificate) {
        let Some(authorities) = &self.authorities else {
            return;
        };
        if let Some(id) = authorities.unknown_issuer(certificate) {
            let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
            if unknown.len() < MAX_UNKNOWN {
                unknown.insert(id);
            }
        }
    }

    /// Takes the key ids of the authorities that certificates with watched names name and that nobody knows, since the last
    /// time.
    pub fn take_unknown_authorities(&self) -> BTreeSet<[u8; 20]> {
        std::mem::take(&mut *self.unknown.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The compiled watches.
    pub fn watches(&self) -> &Watches {
        &self.watches
    }

    /// Who is trusted to vouch for names.
    pub fn authorities(&self) -> Option<&Authorities> {
        self.authorities.as_ref()
    }

    /// The watches as coverage knows them.
    pub fn keys(&self) -> &[WatchKey] {
        &self.keys
    }

    /// Identifies what all watches select, in one hash: what was matched under another one is matched again.
    pub(super) fn conditions_hash(&self) -> [u8; 32] {
        let mut keys: Vec<_> = self
            .keys
            .iter()
            .map(|key| (&key.name, &key.conditions))
            .collect();
        keys.sort_unstable();
        let mut hash = Sha256::new();
        for (name, conditions) in keys {
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
            hash.update(conditions);
        }
        hash.finalize().into()
    }

    /// The watches that hold.
    pub fn holds(&self) -> &[HoldRule] {
        &self.holds
    }

    /// Watches that cannot select anything, with the reason.
    pub(super) fn ineffective(&self) -> &[(String, String)] {
        &self.ineffective
    }

    /// The selecting part and the shape of a watch, in one hash.
    pub(super) fn rule(&self, watch: usize) -> Option<[u8; 32]> {
        self.hashes.get(watch).copied()
    }
}
