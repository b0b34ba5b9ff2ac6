//! The faults of a log, with the signed notes that prove them.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::{Hash, Head};

/// A promise that a log broke.
///
/// Every variant contains the raw signed notes, so that anyone can verify them with the log's public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogFault {
    /// The leaves that the log served do not hash to the root that it signed.
    #[error(
        "leaves {since}..{size} hash to root {computed}, but the log signed {signed} for {size} leaves"
    )]
    RootMismatch {
        /// Every leaf below this index was proven before.
        since: u64,
        /// Number of leaves under the signed root.
        size: u64,
        /// Root of the served leaves.
        computed: Hash,
        /// The signed root.
        signed: Hash,
        /// The signed note.
        note: Arc<[u8]>,
        /// The note that proves every leaf below `since`, if there is one.
        proven_note: Option<Arc<[u8]>>,
    },
    /// Two signed roots that cannot belong to one append-only tree.
    #[error(
        "the log signed two histories that differ within their first {size} leaves: root {} for {} leaves, and root {} for {}",
        first.root, first.size, second.root, second.size
    )]
    Fork {
        /// The two trees differ within these first leaves.
        size: u64,
        /// The head that was accepted first.
        first: Box<Head>,
        /// The head that contradicts it. It has another size if the contradiction was proven with the log's own hashes.
        second: Box<Head>,
    },
    /// The log signed a smaller tree than one that it signed before.
    #[error("the log signs {size} leaves after it had signed {head_size}")]
    Rollback {
        /// Leaves in the smaller tree.
        size: u64,
        /// Leaves in the largest tree that it signed.
        head_size: u64,
        /// The signed notes, the larger tree's first.
        notes: Vec<Arc<[u8]>>,
    },
    /// The log grew after it had declared its end.
    #[error("the log signs {size} leaves after it was frozen at {frozen_size}")]
    GrewAfterFreeze {
        /// Leaves in the tree that was declared the last one.
        frozen_size: u64,
        /// Leaves in the tree after it.
        size: u64,
        /// The signed notes, the one that freezes the log first.
        notes: Vec<Arc<[u8]>>,
    },
}

/// Which promise a log broke: a [`LogFault`] without its evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// [`LogFault::Fork`].
    Fork,
    /// [`LogFault::GrewAfterFreeze`].
    GrewAfterFreeze,
    /// [`LogFault::Rollback`].
    Rollback,
    /// [`LogFault::RootMismatch`].
    RootMismatch,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [
        Self::Fork,
        Self::GrewAfterFreeze,
        Self::Rollback,
        Self::RootMismatch,
    ];

    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::GrewAfterFreeze => "grew-after-freeze",
            Self::Rollback => "rollback",
            Self::RootMismatch => "root-mismatch",
        }
    }

    /// From the word in JSON.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl LogFault {
    /// Which promise the log broke.
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::RootMismatch { .. } => FaultKind::RootMismatch,
            Self::Fork { .. } => FaultKind::Fork,
            Self::Rollback { .. } => FaultKind::Rollback,
            Self::GrewAfterFreeze { .. } => FaultKind::GrewAfterFreeze,
        }
    }

    /// The raw signed notes, in the order in which the log signed them, as far as it is known.
    pub fn notes(&self) -> impl Iterator<Item = &Arc<[u8]>> {
        let (one, other, more): (_, _, &[_]) = match self {
            Self::RootMismatch {
                note, proven_note, ..
            } => (proven_note.as_ref(), Some(note), &[]),
            Self::Fork { first, second, .. } => (Some(&first.note), Some(&second.note), &[]),
            Self::Rollback { notes, .. } | Self::GrewAfterFreeze { notes, .. } => {
                (None, None, notes)
            }
        };
        one.into_iter().chain(other).chain(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;
    use alloc::vec;

    #[test]
    fn each_fault_names_itself_and_shows_its_notes_in_order() {
        let note = |text: &str| Arc::<[u8]>::from(text.as_bytes());
        let head = |size, text| Head {
            size,
            root: Hash::new([0; 32]),
            note: note(text),
        };
        let root = Hash::new([0; 32]);
        for (fault, kind, notes) in [
            (
                LogFault::RootMismatch {
                    since: 3,
                    size: 5,
                    computed: root,
                    signed: root,
                    note: note("b"),
                    proven_note: Some(note("a")),
                },
                "root-mismatch",
                vec!["a", "b"],
            ),
            (
                LogFault::RootMismatch {
                    since: 0,
                    size: 5,
                    computed: root,
                    signed: root,
                    note: note("b"),
                    proven_note: None,
                },
                "root-mismatch",
                vec!["b"],
            ),
            (
                LogFault::Fork {
                    size: 5,
                    first: head(7, "a").into(),
                    second: head(5, "b").into(),
                },
                "fork",
                vec!["a", "b"],
            ),
            (
                LogFault::Rollback {
                    size: 5,
                    head_size: 7,
                    notes: vec![note("a"), note("b")],
                },
                "rollback",
                vec!["a", "b"],
            ),
            (
                LogFault::GrewAfterFreeze {
                    frozen_size: 5,
                    size: 7,
                    notes: vec![note("a")],
                },
                "grew-after-freeze",
                vec!["a"],
            ),
        ] {
            assert_eq!(fault.kind().as_str(), kind);
            assert_eq!(FaultKind::from_word(kind), Some(fault.kind()));
            assert!(
                fault
                    .notes()
                    .map(|note| &**note)
                    .eq(notes.iter().map(|note| note.as_bytes()))
            );
            assert!(fault.to_string().contains(" 5"), "{fault}");
        }
    }
}
