//! Checkpoints: the size and root of a log's tree, signed by the log (C2SP tlog-checkpoint).

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::excerpt::excerpt;
use crate::note::{self, Cosignature, Note, NoteError, Verifier};
use crate::size::parse_size;
use crate::{Hash, HashError, empty_root};

/// Longest accepted checkpoint, in bytes: that of a [note](note::MAX_NOTE_BYTES), which allows for many witnesses.
pub const MAX_CHECKPOINT_BYTES: usize = note::MAX_NOTE_BYTES;

/// The first line of a log's checkpoints. It identifies the log, and for logs with several trees the tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

/// A text that cannot be the first line of a checkpoint, escaped and cut for display.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an origin is one line, not empty and without control characters: \"{0}\"")]
pub struct OriginError(String);

/// A tree head that the log has signed. A value exists only after the signature of one of the log's keys was verified.
///
/// It keeps the signed bytes. They are the evidence if two checkpoints contradict each other, which only the holder of
/// the log's key can cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: Origin,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
    cosignatures: Vec<Cosignature>,
    timestamp: Option<u64>,
    raw: Arc<[u8]>,
}

/// Why a checkpoint was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not a note, or not signed by the log.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Signed, but without an origin, a size or a root.
    #[error("a checkpoint has an origin, a size and a root, each on a line; it has {0} lines")]
    MissingLine(usize),
    /// A checkpoint about another log, or another tree of the same log.
    #[error("the checkpoint is of \"{found}\", not of \"{expected}\"")]
    WrongOrigin {
        /// The expected origin.
        expected: Origin,
        /// The checkpoint's first line, escaped and cut for display.
        found: String,
    },
    /// A size that is not in canonical decimal form.
    #[error("\"{0}\" is not a size in decimal without sign and leading zeros, of at most 2^63 - 1")]
    Size(String),
    /// A root that is not 32 bytes in canonical base64.
    #[error("the root is not a hash: {0}")]
    Root(HashError),
    /// A tree without leaves whose root is not that of the empty tree.
    #[error("the tree is empty, but its root is {0}")]
    EmptyTreeRoot(Hash),
    /// An extension line without text.
    #[error("line {0} is empty")]
    EmptyExtension(usize),
}

impl Origin {
    /// Checks that a text can be an origin.
    ///
    /// # Errors
    /// [`OriginError`].
    pub fn new(origin: &str) -> Result<Self, OriginError> {
        if origin.is_empty() || origin.contains(|c: char| c < ' ') {
            return Err(OriginError(excerpt(origin)));
        }
        Ok(Self(origin.to_owned()))
    }

    /// The origin as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Checkpoint {
    /// Reads a checkpoint of the log `origin`, signed by at least one of the log's keys among `verifiers`.
    ///
    /// The signatures are verified before the text is parsed. The names of the keys may differ from the origin.
    ///
    /// # Errors
    /// [`CheckpointError`], which names the broken rule.
    pub fn open(
        raw: &[u8],
        origin: &Origin,
        verifiers: &[Verifier],
    ) -> Result<Self, CheckpointError> {
        let verified = Note::parse(raw)?.verify(verifiers)?;
        let text = verified.text();
        let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
        let (Some(found), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::MissingLine(text.matches('\n').count()));
        };
        if found != origin.as_str() {
            return Err(CheckpointError::WrongOrigin {
                expected: origin.clone(),
                found: excerpt(found),
            });
        }
        let size = parse_size(size).ok_or_else(|| CheckpointError::Size(excerpt(size)))?;
        let root = Hash::from_base64(root).map_err(CheckpointError::Root)?;
        if size == 0 && root != empty_root() {
            return Err(CheckpointError::EmptyTreeRoot(root));
        }
        let extensions = lines
            .enumerate()
            .map(|(at, line)| {
                if line.is_empty() {
                    Err(CheckpointError::EmptyExtension(at + 4))
                } else {
                    Ok(line.to_owned())
                }
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            origin: origin.clone(),
            size,
            root,
            extensions,
            timestamp: verified.timestamp(),
            cosignatures: verified.into_cosignatures(),
            raw: raw.into(),
        })
    }

    /// The log's origin.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Leaves in the tree, at most [`MAX_TREE_SIZE`](crate::MAX_TREE_SIZE).
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Root hash of the tree.
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// The lines after the root. They are signed, and this crate does not interpret them; none is empty.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// Valid cosignatures by the witnesses among the verifiers.
    pub fn cosignatures(&self) -> &[Cosignature] {
        &self.cosignatures
    }

    /// When the log signed, by its own clock, in milliseconds since the Unix epoch. `None` except for certificate
    /// transparency logs.
    pub const fn timestamp(&self) -> Option<u64> {
        self.timestamp
    }

    /// The signed note, byte for byte.
    pub const fn raw(&self) -> &Arc<[u8]> {
        &self.raw
    }
}

#[cfg(test)]
mod tests;
