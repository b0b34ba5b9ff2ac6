//! Paths on the command line, and the small files that they name.

use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser as _};

pub(super) use super::system::is_same_file;
use crate::file::{self, FileError};

/// A path as the user gives it; the reference takes an empty one for the working directory.
pub(super) fn path() -> impl clap::builder::TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// Whether a path means standard output (`-`), or standard input where something is read.
pub(super) fn is_standard(path: &Path) -> bool {
    let names = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
    names.iter().any(|name| path == Path::new(name))
}

/// Reads a file that must be small enough to be what it should be.
pub(super) fn read(path: &Path, limit_bytes: usize) -> anyhow::Result<Vec<u8>> {
    file::read(path, limit_bytes).map_err(|error| match error {
        FileError::TooLong { .. } => anyhow::anyhow!("{} is {error}", path.display()),
        error => {
            let is_list = path.as_os_str().as_encoded_bytes().contains(&b',') && !path.exists();
            let hint = if is_list {
                " (a comma does not separate files: give the option once for each)"
            } else {
                ""
            };
            let context = format!("{} cannot be read{hint}", path.display());
            anyhow::Error::new(error).context(context)
        }
    })
}
