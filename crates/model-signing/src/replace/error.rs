//! Why a file is not written, and the names that belong to one.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Why a file was not written. What was there before is still there, unless it had to be written in place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplaceError {
    /// Something that is no regular file is in its place.
    #[error("{path:?} is {what}: only a regular file is replaced")]
    NotAFile {
        /// Of that.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The path does not end in a name.
    #[error("{path:?} is not the path of a file")]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// The system does not let it be written.
    #[error("{path:?} cannot be written: {source}")]
    Unwritable {
        /// Of the file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// The directory of a file. The path ends in a name.
pub(super) fn directory_of(path: &Path) -> Result<&Path, ReplaceError> {
    let (Some(_), Some(directory)) = (path.file_name(), path.parent()) else {
        return Err(ReplaceError::NoName {
            path: path.to_owned(),
        });
    };
    Ok(if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    })
}

/// How the name of the temporary file for a path begins.
pub(super) fn temporary_prefix(path: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    prefix
}
