//! Why a model cannot be listed or read.

use std::io;
use std::path::PathBuf;

use super::kind::Kind;

/// Why a model cannot be listed or read. Every message names the path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// A symlink, and they were not allowed.
    #[error("{path:?} is a symlink, and symlinks are not allowed; --allow-symlinks allows them")]
    Symlink {
        /// Of the symlink.
        path: PathBuf,
    },
    /// Neither a file nor a directory: a FIFO, a socket, a device, or a symlink that leads to nothing.
    #[error("{path:?} is {what}, neither a regular file nor a directory")]
    Special {
        /// Of that.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A file whose name is not UTF-8; JSON has no way to write it.
    #[error("the name {path:?} is not UTF-8, so no signature can contain it")]
    NotUtf8 {
        /// Of the file.
        path: PathBuf,
    },
    /// Something that is not there, or that this user may not read.
    #[error("{path:?} cannot be read: {source}")]
    Unreadable {
        /// Of that.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file that was not the same after it had been read: what was hashed may never have been in it.
    #[error("{path:?} was changed while it was read")]
    Changed {
        /// Of the file.
        path: PathBuf,
    },
    /// More files or shards than one manifest may have.
    #[error("{path:?} has more than {limit} files or shards")]
    TooMany {
        /// Of the model.
        path: PathBuf,
        /// How many it may have.
        limit: usize,
    },
}

pub(super) fn failure(path: PathBuf, error: impl Into<io::Error>) -> WalkError {
    WalkError::Unreadable {
        path,
        source: error.into(),
    }
}

pub(super) fn special(path: PathBuf, kind: Kind) -> WalkError {
    let what = match kind {
        Kind::Special(what) => what,
        Kind::Symlink => "a symlink that leads to nothing",
        Kind::Directory => "a directory",
        Kind::File => "a file",
    };
    WalkError::Special { path, what }
}
