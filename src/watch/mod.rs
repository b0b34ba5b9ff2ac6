//! Watches: which signings the operator wants to hear of, and which of those are normal.
//!
//! A [`Watch`] is a set of conditions over a [`Signer`](crate::identity::Signer). All watches are compiled once into
//! [`Watches`], whose cost for a signing hardly depends on how many there are: each watch is indexed under the
//! one value that fewest others share, and only watches whose value occurs are compared in full.
//!
//! The room is pure: it reads no file and no clock, and what it is given was parsed before.

mod certificate;
mod compiled;
mod conditions;
mod doubts;
mod explain;
mod forms;
mod glob;
mod index_key;
mod issued;
mod language;
mod meant;
mod part;
mod pattern;
mod provider;
mod samples;
mod severity;
mod subject;
mod suggest;
mod suggest_meant;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod unsatisfiable;
mod uri;

use std::time::Duration;

pub use compiled::{Match, WatchError, Watches};
pub use conditions::Conditions;
pub use doubts::{Doubt, Set};
pub use explain::{Checked, Explanation, explain};
pub use forms::Forms;
pub use glob::Glob;
pub use meant::{Meant, read as read_meant};
pub use pattern::{PatternError, SanRegex};
pub use samples::{Sample, Samples, samples};
pub use severity::{Severity, UnknownSeverity};
use sha2::{Digest, Sha256};
pub(crate) use suggest::quoted as toml_string;
pub use suggest::{SuggestError, several, suggest, suggest_all, without_authorities};
pub use suggest_meant::suggest_meant;

use self::subject::Subject;
use crate::identity::San;

/// One `[[watch]]`: what it selects, what is normal there, and whom it tells.
///
/// A signing is selected if all of `conditions` hold and, where `any` is not empty, all conditions of at least
/// one of its sets as well.
#[derive(Debug, Clone)]
pub struct Watch {
    /// Its name: part of the id of each of its findings, so a rename is a new watch.
    pub name: String,
    /// How bad an undeclared signing in shape is.
    pub severity: Severity,
    /// The channels that are told; `None` is every channel.
    pub notify: Option<Vec<String>>,
    /// What must hold for a signing to be selected; may be empty if `any` is not.
    pub conditions: Conditions,
    /// Alternatives, one of which must hold as well; none of them is empty.
    pub any: Vec<Conditions>,
    /// What a selected signing is expected to meet.
    pub shape: Option<Conditions>,
    /// How long a signing in shape waits, unalerted, for its bundle to be registered.
    pub hold: Option<Duration>,
}

impl Watch {
    /// A watch of severity `high` that selects by `conditions` and tells every channel.
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
    /// The order of values, sets and keys does not count, nor does case where matching ignores it. Name, severity,
    /// channels, shape and hold do not count: changing them leaves no gap in what was matched.
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

    /// Identifies what this watch selects and what it holds for normal: SHA-256 over [`Self::conditions_hash`] and the
    /// shape. A signing that waits because it was in shape is judged anew when this changes.
    pub fn rule_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"modelwatch rule 1\n");
        hash.update(self.conditions_hash());
        if let Some(shape) = &self.shape {
            hash.update(shape.hash());
            // Apart from the hash of the looser reading, in which that `*` matched `@` too: what waits because it was in
            // shape by that one waits no longer.
            if shape.has_star_before_at() {
                hash.update(b"a star before @ does not match @");
            }
        }
        hash.finalize().into()
    }

    /// The names, in ASCII lower case, one of which everything bears that this watch selects through a name that it
    /// spells out. Who can be asked for names, but not for patterns, is asked for these.
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

    /// The names of a signer, those first that this watch selects by: a certificate may hold others before them, and
    /// who reads of it has to see what the watch saw.
    pub fn selected_first(&self, names: &[San]) -> Vec<San> {
        let sets = || std::iter::once(&self.conditions).chain(&self.any);
        let (mut first, rest): (Vec<San>, Vec<San>) = names.iter().cloned().partition(|san| {
            let forms = subject::other_forms(san);
            let mut names = std::iter::once(&san.value).chain(&forms);
            names.any(|name| sets().any(|set| set.select_name(name)))
        });
        first.extend(rest);
        first
    }

    /// Whether some of what it selects is named by nothing but a key or a certificate: there is no name under which
    /// that could be looked up.
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

    /// Judges one signer without the index of [`Watches`].
    fn judge(&self, subject: &Subject<'_>) -> Option<Selected> {
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

/// What is known of a signer that a watch selects.
struct Selected {
    in_shape: Option<bool>,
    by_key: bool,
}
