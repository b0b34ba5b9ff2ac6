//! Directories on the disk: written as a whole, read with limits.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::format::{Files, limit_bytes};
use crate::file::{self, FileError};

/// More entries than a directory can have: reading its list ends here.
const MAX_ENTRIES: usize = 64;

/// Why a directory was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The system's error.
    #[error("{}: {error}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
    /// It is to be written, and something is there.
    #[error("{} is not empty: evidence is written into a new or an empty directory", .0.display())]
    NotEmpty(PathBuf),
    /// A file that cannot belong to it.
    #[error("{name}: {check}: {why}")]
    File {
        /// Its name, escaped.
        name: String,
        /// The check that failed, a word.
        check: &'static str,
        /// Why.
        why: String,
    },
}

fn at(path: &Path) -> impl Fn(io::Error) -> DirectoryError {
    move |error| DirectoryError::Io {
        path: path.to_owned(),
        error,
    }
}

/// Reads a directory of evidence: only regular files with the names of the format, each of limited size.
///
/// # Errors
/// See [`DirectoryError`].
pub fn read(directory: &Path) -> Result<Files, DirectoryError> {
    let mut files = Files::new();
    for (count, entry) in fs::read_dir(directory).map_err(at(directory))?.enumerate() {
        let entry = entry.map_err(at(directory))?;
        let name = entry.file_name();
        let shown = name.to_string_lossy().into_owned();
        let refused = |check, why: &str| DirectoryError::File {
            name: shown.clone(),
            check,
            why: why.to_owned(),
        };
        let limit = name.to_str().and_then(limit_bytes);
        let (Some(limit), true) = (limit, count < MAX_ENTRIES) else {
            return Err(refused("listed", "no file of the format has this name"));
        };
        // Of the name itself: a link leads to bytes that are not in the directory.
        let kind = entry.file_type().map_err(at(&entry.path()))?;
        if !kind.is_file() {
            return Err(refused("type", "it is not a regular file"));
        }
        let bytes = match file::read_regular(&entry.path(), limit) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(refused("listed", "the file is missing")),
            Err(FileError::Io(error)) => return Err(at(&entry.path())(error)),
            Err(error) => return Err(refused("size", &error.to_string())),
        };
        files.insert(shown, bytes);
    }
    Ok(files)
}

/// Writes the files into a new or empty directory. They are written beside it first and moved there in one step: an
/// interruption leaves the directory as it was.
///
/// # Errors
/// The directory has content, or cannot be written.
pub fn write(directory: &Path, files: &Files) -> Result<(), DirectoryError> {
    match fs::read_dir(directory) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(DirectoryError::NotEmpty(directory.to_owned()));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(directory)(error)),
    }
    // `.` and a path that ends in `/` have no name of their own.
    let absolute = std::path::absolute(directory).map_err(at(directory))?;
    let absolute = absolute.components().as_path();
    let parent = absolute.parent().unwrap_or(absolute);
    fs::create_dir_all(parent).map_err(at(parent))?;
    let mut staging = tempfile::Builder::new();
    staging.prefix(".evidence-");
    // As readable as any new directory of the user: the system applies the umask.
    #[cfg(unix)]
    staging.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let staged = staging.tempdir_in(parent).map_err(at(parent))?;
    for (name, bytes) in files {
        let path = staged.path().join(name);
        let mut file = fs::File::create_new(&path).map_err(at(&path))?;
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(at(&path))?;
    }
    file::sync_directory(staged.path()).map_err(at(staged.path()))?;
    // Replaces an empty directory, and fails if it has content by now.
    fs::rename(staged.path(), absolute).map_err(at(directory))?;
    // It is not there any more, so nothing is to be removed.
    drop(staged.keep());
    file::sync_directory(parent).map_err(at(parent))
}
