//! Opening checkpoints: from bytes to a statement that a key of the log signed.

use tlog::{Checkpoint, CheckpointError, Note, NoteError, Origin, Verifier};

use crate::escape::few;

/// Why a note is not a checkpoint of a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No key of the tree has signed it. The keys that its signatures name, and the expected ones, by name and key id,
    /// as on a signature line.
    #[error(
        "the checkpoint of {origin} is not signed by a key of the log: it is signed by {signers}, and a signature by {keys} is expected"
    )]
    NotSigned {
        /// The expected tree.
        origin: String,
        /// The keys that the note names, escaped.
        signers: String,
        /// The keys of the tree.
        keys: String,
    },
    /// Any other error.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// Most keys that one sentence names.
const NAMED: usize = 5;

fn named(key: &Verifier) -> String {
    match key.why_unusable() {
        None => format!("{} ({})", key.name(), key.id()),
        Some(why) => format!("{} ({}), which cannot be used: {why}", key.name(), key.id()),
    }
}

/// The keys that a note names.
fn signers(note: &[u8]) -> String {
    let named = Note::parse(note).map(|note| {
        let keys = note.keys();
        few(
            keys.iter().map(|(name, id)| format!("{name} ({id})")),
            NAMED,
        )
    });
    named.unwrap_or_default()
}

/// A note as a checkpoint of the tree of this origin, signed by one of these keys.
///
/// # Errors
/// It is not a checkpoint, is of another tree, or is not signed by any of the keys.
pub fn open_checkpoint(
    note: &[u8],
    origin: &Origin,
    keys: &[Verifier],
) -> Result<Checkpoint, OpenError> {
    match Checkpoint::open(note, origin, keys) {
        Err(CheckpointError::Note(NoteError::NotSigned(_))) => Err(OpenError::NotSigned {
            origin: origin.to_string(),
            signers: signers(note),
            keys: few(keys.iter().map(named), NAMED),
        }),
        opened => Ok(opened?),
    }
}
