//! One watch of the owner.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::conditions::Conditions;
use super::severity::Severity;
use super::subject::{self, Subject};
use crate::identity::San;

/// One `[[watch]]`: what it selects, what is normal, and its channels.
///
/// A signing is selected if all of `conditions` are satisfied and, if `any` is not empty, all conditions of at least
/// one of its sets as well.
#[derive(Debug, Clone)]
pub struct Watch {
    /// Its name: part of the id of each of its findings, so a rename is a new watch.
    pub name: String,
    /// The severity of an unregistered signing in shape.
    pub severity: Severity,
    /// The channels of its alerts; `None` for every channel.
    pub notify: Option<Vec<String>>,
    /// The conditions of a selected signing; may be empty if `any` is not.
    pub conditions: Conditions,
    /// Alternatives, one of which must be satisfied as well; none of them is empty.
    pub any: Vec<Conditions>,
    /// The conditions of a normal signing.
    pub shape: Option<Conditions>,
    /// How long a signing in shape waits, unalerted, for its bundle to be registered.
    pub hold: Option<Duration>,
}

impl Watch {
    /// A watch of severity `high` that selects by `conditions` and alerts on every channel.
    pub fn new(name: impl Into<String>, conditions: Conditions) -> Self {
        Self {
            name: name.into(),
            severity: Severity::High,
            notify: None,
            conditions,
            any: Vec::new(),
            shape: None,
            hold: None,
        }
    }

    /// Identifies what this watch selects: SHA-256 over `conditions` and `any` in a canonical form.
    ///
    /// The order of values, sets and keys does not count, nor does case if the comparison ignores it. Name, severity,
    /// channels, shape and hold do not count: to change them leaves no coverage gap.
    pub fn conditions_hash(&self) -> [u8; 32] {
        let mut alternatives: Vec<[u8; 32]> = self.any.iter().map(Conditions::hash).collect();
        alternatives.sort_unstable();
        alternatives.dedup();
        let mut hash = Sha256::new();
        hash.update(b"modelwatch watch 1\n");
        hash.update(self.conditions.hash());
        for alternative in &alternatives {
            hash.update(alternative);
        }
        hash.finalize().into()
    }

    /// Identifies what this watch selects and what is normal: SHA-256 over [`Self::conditions_hash`] and the shape. A
    /// signing that waits because it was in shape is judged again when this changes.
    pub fn rule_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"modelwatch rule 1\n");
        hash.update(self.conditions_hash());
        if let Some(shape) = &self.shape {
            hash.update(shape.hash());
            // Different from the hash of the earlier rule, in which that `*` matched `@` too: signings that waited by
            // that rule wait no longer.
            if shape.has_star_before_at() {
                hash.update(b"a star before @ does not match @");
            }
        }
        hash.finalize().into()
    }

    /// The exact names, in ASCII lower case, one of which every signing has that this watch selects by an exact name.
    /// An index that can be searched only by name is searched for these.
    pub fn spelled_out_sans(&self) -> Vec<String> {
        let sets: Vec<&[String]> = if self.conditions.san.is_empty() {
            self.any.iter().map(|set| set.san.as_slice()).collect()
        } else {
            vec![&self.conditions.san]
        };
        let mut sans: Vec<String> = sets
            .concat()
            .iter()
            .map(|san| san.to_ascii_lowercase())
            .collect();
        sans.sort_unstable();
        sans.dedup();
        sans
    }

    /// All of its sets of conditions.
    pub fn sets(&self) -> impl Iterator<Item = &Conditions> {
        std::iter::once(&self.conditions).chain(&self.any)
    }

    /// The names of a signer, with the selected ones first: a certificate may contain others, and the reader of an
    /// alert should see the name that the watch selected.
    pub fn selected_first(&self, names: &[San]) -> Vec<San> {
        let (mut first, rest): (Vec<San>, Vec<San>) = names.iter().cloned().partition(|san| {
            let forms = subject::other_forms(san);
            let mut names = std::iter::once(&san.value).chain(&forms);
            names.any(|name| self.sets().any(|set| set.select_name(name)))
        });
        first.extend(rest);
        first
    }

    /// Whether it selects some signers only by a key or a certificate: there is no name with which they could be looked
    /// up.
    pub fn selects_without_a_name(&self) -> bool {
        if !self.conditions.san.is_empty() {
            return false;
        }
        self.conditions.names_key()
            || self
                .any
                .iter()
                .any(|set| set.names_key() && set.san.is_empty())
    }

    /// Judges one signer without the index of [`Watches`](super::Watches).
    pub(super) fn judge(&self, subject: &Subject<'_>) -> Option<Selected> {
        if !self.conditions.hold(subject) {
            return None;
        }
        // Every alternative is looked at: that one of them proves the key must not depend on their order.
        let mut selected = self.any.is_empty();
        let mut by_key = self.conditions.names_key();
        for alternative in &self.any {
            if !(selected && (by_key || !alternative.names_key())) && alternative.hold(subject) {
                selected = true;
                by_key |= alternative.names_key();
            }
        }
        selected.then(|| Selected {
            in_shape: self.shape.as_ref().map(|shape| shape.fit(subject)),
            by_key,
        })
    }
}

/// The properties of a selected signer.
pub(super) struct Selected {
    pub(super) in_shape: Option<bool>,
    pub(super) by_key: bool,
}
