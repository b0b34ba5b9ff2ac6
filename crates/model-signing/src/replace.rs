//! Writing a file so that it is there whole or not at all.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

/// Why a file was not written. What was there before is still there, unless only the last step failed.
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

/// Writes `bytes` into the file at `path`, which may exist.
///
/// They go into a new file beside it, to the disk, and then into its place in one step: whoever reads the path, also
/// after a crash, finds the old content or the new one. The directory has to be writable, and the file gets the
/// permissions of a new one.
///
/// A symlink is neither followed, for it could lead to a file of somebody else, nor replaced, for it was meant to lead
/// somewhere; the same for `/dev/stdout` and all else that is no regular file.
///
/// # Errors
///
/// [`ReplaceError`].
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), ReplaceError> {
    let failed = |source| ReplaceError::Unwritable {
        path: path.to_owned(),
        source,
    };
    let (directory, name) = place(path)?;
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    let file = tempfile::Builder::new()
        .prefix(&prefix)
        .make_in(directory, |path| File::create_new(path))
        .map_err(failed)?;
    let mut content = file.as_file();
    content.write_all(bytes).map_err(failed)?;
    // Before the rename: a crash in between must not leave the new name on content that never reached the disk.
    content.sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    // The rename itself is durable with the directory.
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed)
}

/// Whether a file can be written at `path`, as far as can be said without writing one: for whoever would rather know it
/// before an hour's work.
///
/// # Errors
///
/// [`ReplaceError`], with which [`replace`] would fail.
pub fn replaceable(path: &Path) -> Result<(), ReplaceError> {
    let (directory, _) = place(path)?;
    rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
        ReplaceError::Unwritable {
            path: path.to_owned(),
            source: error.into(),
        }
    })
}

/// The directory of a file that is not there or is a regular one, and its name.
fn place(path: &Path) -> Result<(&Path, &OsStr), ReplaceError> {
    match fs::symlink_metadata(path) {
        Ok(there) => {
            let kind = there.file_type();
            let what = if kind.is_symlink() {
                "a symlink"
            } else if kind.is_dir() {
                "a directory"
            } else if kind.is_fifo() {
                "a FIFO"
            } else {
                "a device or socket"
            };
            if !kind.is_file() {
                return Err(ReplaceError::NotAFile {
                    path: path.to_owned(),
                    what,
                });
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => {
            return Err(ReplaceError::Unwritable {
                path: path.to_owned(),
                source,
            });
        }
    }
    let (Some(name), Some(directory)) = (path.file_name(), path.parent()) else {
        return Err(ReplaceError::NoName {
            path: path.to_owned(),
        });
    };
    let directory = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    Ok((directory, name))
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        reason = "a temporary directory that cannot be written is a failed test"
    )]

    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_file_is_made_and_replaced_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.sig");
        for content in ["one", "another"] {
            replaceable(&path).unwrap();
            replace(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(names(directory.path()), ["model.sig"]);
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        let plain = directory.path().join("plain");
        fs::write(&plain, "").unwrap();
        assert_eq!(mode(&path), mode(&plain));
    }

    #[test]
    fn what_is_no_file_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("target"), "kept").unwrap();
        symlink("target", at("link")).unwrap();
        symlink("nothing", at("dangling")).unwrap();
        fs::create_dir(at("directory")).unwrap();
        let before = names(directory.path());
        for (name, says) in [
            ("link", "a symlink"),
            ("dangling", "a symlink"),
            ("directory", "a directory"),
            ("target/x", "cannot be written"),
            ("no/such", "cannot be written"),
        ] {
            let error = replace(&at(name), b"x").unwrap_err().to_string();
            assert!(error.contains(says), "{name}: {error}");
            assert_eq!(
                replaceable(&at(name)).unwrap_err().to_string(),
                error,
                "{name}"
            );
        }
        assert!(replace(Path::new("/dev/null"), b"x").is_err());
        assert!(replace(Path::new(".."), b"x").is_err());
        assert_eq!(names(directory.path()), before);
        assert_eq!(fs::read_to_string(at("target")).unwrap(), "kept");
    }
}
