//! What identifies a watch in the store.

use std::time::Duration;

/// A watch, for the record of what was matched against it. A watch with another name or other conditions is another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WatchKey {
    /// Its name.
    pub name: String,
    /// SHA-256 of its selecting conditions.
    pub conditions: [u8; 32],
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
