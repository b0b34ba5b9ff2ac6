//! What identifies a watch in the store.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// A watch, for the record of what was matched against it. A watch with another name or other conditions is another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WatchKey {
    /// Its name.
    pub name: String,
    /// SHA-256 of its selecting conditions.
    pub conditions: [u8; 32],
}

/// Watches that entries are matched against, and the hash that identifies them together. It is computed once: each log of a
/// pass compares it with what was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchSet {
    keys: Vec<WatchKey>,
    hash: [u8; 32],
}

impl WatchSet {
    /// The watches, in the order of the configuration.
    pub fn keys(&self) -> &[WatchKey] {
        &self.keys
    }

    /// SHA-256 over names and conditions, in their order.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }
}

impl FromIterator<WatchKey> for WatchSet {
    fn from_iter<T: IntoIterator<Item = WatchKey>>(keys: T) -> Self {
        let keys: Vec<WatchKey> = keys.into_iter().collect();
        let mut hash = Sha256::new();
        for key in &keys {
            // The length keeps names and conditions apart, whatever they are.
            hash.update((key.name.len() as u64).to_be_bytes());
            hash.update(&key.name);
            hash.update(key.conditions);
        }
        let hash = hash.finalize().into();
        Self { keys, hash }
    }
}

/// A watch whose findings wait for their registration, as it is configured now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRule {
    /// The watch's name.
    pub watch: String,
    /// SHA-256 of its selecting conditions and its shape. A held finding of another rule is released.
    pub rule: [u8; 32],
    /// How long after `first_seen` a finding waits.
    pub hold: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_other_names_conditions_or_orders_have_other_hashes() {
        let key = |name: &str, conditions| WatchKey {
            name: name.to_owned(),
            conditions: [conditions; 32],
        };
        let sets = [
            vec![],
            vec![key("a", 1)],
            vec![key("a", 2)],
            vec![key("b", 1)],
            vec![key("a", 1), key("b", 1)],
            vec![key("b", 1), key("a", 1)],
            vec![key("a", 1), key("a", 1)],
        ];
        let sets = sets.map(WatchSet::from_iter);
        for (place, set) in sets.iter().enumerate() {
            let same = sets.iter().filter(|other| other.hash() == set.hash());
            assert_eq!(same.count(), 1, "{place}");
            assert_eq!(WatchSet::from_iter(set.keys().to_vec()), *set);
        }
    }
}
