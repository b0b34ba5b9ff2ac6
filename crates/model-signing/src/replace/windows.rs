//! Replacing a file on Windows.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek as _, Write as _};
use std::os::windows::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::error::{ReplaceError, directory_of, temporary_prefix};
use crate::walk::{is_same_volume, resolve};

// Constants of the Windows API: "File Attribute Constants", CreateFileW.
const FILE_ATTRIBUTE_READONLY: u32 = 0x1;
const FILE_ATTRIBUTE_DIRECTORY: u32 = 0x10;
const FILE_ATTRIBUTE_REPARSE_POINT: u32 = 0x400;
const FILE_SHARE_READ: u32 = 1;
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// Where a signature is to be written, and how.
///
/// A symlink, a junction or another reparse point is neither followed, because it could lead to a file of another user, nor
/// replaced, because it was meant to lead somewhere; the same for everything else that is not a regular file.
#[derive(Debug)]
pub struct Destination {
    path: PathBuf,
    way: Way,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// By a temporary file in this directory, which is renamed.
    Rename(PathBuf),
    /// Into the file itself, so that a crash can leave half of it: there is no other way.
    InPlace,
}

impl Destination {
    /// Finds out how a file at `path` can be written, and whether it can be.
    ///
    /// In `model` no temporary file is made. It is made in the directory beside the model, if that is on the same volume and can
    /// be written; else the file is written in place. In which directory files can be made, Windows says only when one is made:
    /// this makes one, which is gone when this returns.
    ///
    /// # Errors
    ///
    /// [`ReplaceError`], with which [`write`](Self::write) would fail.
    pub fn prepare(path: &Path, model: &Path) -> Result<Self, ReplaceError> {
        let failed = |source: io::Error| ReplaceError::Unwritable {
            path: path.to_owned(),
            source,
        };
        let (directory, exists) = place(path)?;
        let way = Self::way(directory, model).map_err(failed)?;
        match &way {
            Way::Rename(directory) => {
                tempfile::tempfile_in(directory).map_err(failed)?;
            }
            Way::InPlace if exists => {
                open_in_place(path, false).map_err(failed)?;
            }
            Way::InPlace => {}
        }
        Ok(Self {
            path: path.to_owned(),
            way,
        })
    }

    fn way(directory: &Path, model: &Path) -> io::Result<Way> {
        let model = resolve(model)?;
        if !resolve(directory)?.starts_with(&model) || !model.is_dir() {
            return Ok(Way::Rename(directory.to_owned()));
        }
        if let Some(beside) = model.parent()
            && is_same_volume(directory, beside)
            && tempfile::tempfile_in(beside).is_ok()
        {
            return Ok(Way::Rename(beside.to_owned()));
        }
        Ok(Way::InPlace)
    }

    /// Whether there is space for this many bytes, as far as it is known.
    ///
    /// # Errors
    ///
    /// [`ReplaceError::Unwritable`]: the disk is full, or a quota or another limit is reached.
    pub fn reserve(&self, bytes: u64) -> Result<(), ReplaceError> {
        match &self.way {
            // It is gone when it is closed, also by the end of this program.
            Way::Rename(directory) => tempfile::tempfile_in(directory)
                .and_then(|file| file.set_len(bytes))
                .map_err(|source| self.unwritable(source)),
            Way::InPlace => Ok(()),
        }
    }

    /// Writes the file, to the disk, and into its place in one step: a reader of the path, also after a crash, finds the
    /// old content or the new one. Where it has to be written in place, a crash can leave a file that no verifier
    /// accepts.
    ///
    /// # Errors
    ///
    /// [`ReplaceError`]. Also when another program has the file open and does not let it be replaced.
    pub fn write(self, bytes: &[u8]) -> Result<(), ReplaceError> {
        // Hours may have passed.
        let (_, exists) = place(&self.path)?;
        let written = match &self.way {
            Way::Rename(directory) => self.rename(directory, bytes),
            Way::InPlace => self.in_place(exists, bytes),
        };
        written.map_err(|source| self.unwritable(source))
    }

    fn rename(&self, directory: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut temporary = tempfile::Builder::new()
            .prefix(&temporary_prefix(&self.path))
            .make_in(directory, |path| File::create_new(path))?;
        temporary.write_all(bytes)?;
        // Before the rename: a crash in between must not leave the new name on content that never reached the disk.
        temporary.as_file().sync_all()?;
        // Closed, because a scanner may want it for itself at this moment.
        let temporary = temporary.into_temp_path();
        temporary.persist(&self.path).map_err(|error| error.error)
    }

    fn in_place(&self, exists: bool, bytes: &[u8]) -> io::Result<()> {
        let mut file = open_in_place(&self.path, !exists)?;
        // What is longer than the new content goes last: until then a part of the old content is still there.
        let written = file
            .rewind()
            .and_then(|()| file.write_all(bytes))
            .and_then(|()| file.sync_all())
            .and_then(|()| file.set_len(bytes.len() as u64))
            .and_then(|()| file.sync_all());
        drop(file);
        if written.is_err() && !exists {
            let _ = fs::remove_file(&self.path);
        }
        written
    }

    fn unwritable(&self, source: io::Error) -> ReplaceError {
        ReplaceError::Unwritable {
            path: self.path.clone(),
            source,
        }
    }
}

/// Opens the file itself, and no reparse point in its place, to write it. Others can read it meanwhile.
fn open_in_place(path: &Path, new: bool) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(new)
        .share_mode(FILE_SHARE_READ)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)
}

/// The directory of a file that is not there or is a regular one, and whether it is there. The path ends in a name.
fn place(path: &Path) -> Result<(&Path, bool), ReplaceError> {
    let directory = directory_of(path)?;
    // `name:stream` is a part of another file.
    if path
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().contains(&b':'))
    {
        return Err(ReplaceError::NoName {
            path: path.to_owned(),
        });
    }
    let exists = match fs::symlink_metadata(path) {
        Ok(there) => {
            let attributes = there.file_attributes();
            let not_a_file = |what| {
                Err(ReplaceError::NotAFile {
                    path: path.to_owned(),
                    what,
                })
            };
            if attributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
                return not_a_file("a symlink, a junction or another reparse point");
            }
            if attributes & FILE_ATTRIBUTE_DIRECTORY != 0 {
                return not_a_file("a directory");
            }
            if attributes & FILE_ATTRIBUTE_READONLY != 0 {
                return Err(ReplaceError::Unwritable {
                    path: path.to_owned(),
                    source: io::Error::new(ErrorKind::PermissionDenied, "it is read-only"),
                });
            }
            true
        }
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(source) => {
            return Err(ReplaceError::Unwritable {
                path: path.to_owned(),
                source,
            });
        }
    };
    Ok((directory, exists))
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        reason = "a temporary directory that cannot be written is a failed test"
    )]

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
        let model = directory.path().join("model");
        fs::create_dir(&model).unwrap();
        for (path, left) in [
            ("model.sig", vec!["model", "model.sig"]),
            ("model\\model.sig", vec!["model", "model.sig"]),
        ] {
            let path = directory.path().join(path);
            for content in ["one", "another"] {
                let destination = Destination::prepare(&path, &model).unwrap();
                let beside = matches!(&destination.way, Way::Rename(by) if !by.ends_with("model"));
                assert!(beside, "{:?}", destination.way);
                destination.reserve(content.len() as u64).unwrap();
                destination.write(content.as_bytes()).unwrap();
                assert_eq!(fs::read_to_string(&path).unwrap(), content);
                assert_eq!(names(directory.path()), left);
            }
        }
        assert_eq!(names(&model), ["model.sig"]);
    }

    #[test]
    fn in_place_the_whole_file_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.sig");
        for content in ["old", "new and longer", "new"] {
            let destination = Destination {
                path: path.clone(),
                way: Way::InPlace,
            };
            destination.reserve(1 << 16).unwrap();
            destination.write(content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(names(directory.path()), ["model.sig"]);
    }

    #[test]
    fn what_is_no_file_or_held_by_another_program_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("directory")).unwrap();
        fs::write(at("read-only"), "kept").unwrap();
        let mut permissions = fs::metadata(at("read-only")).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(at("read-only"), permissions.clone()).unwrap();
        for (name, says) in [
            ("directory", "is a directory"),
            ("read-only", "it is read-only"),
            ("file:stream", "is not the path of a file"),
        ] {
            let error = Destination::prepare(&at(name), &at("model")).unwrap_err();
            assert!(error.to_string().contains(says), "{name}: {error}");
        }
        assert_eq!(fs::read_to_string(at("read-only")).unwrap(), "kept");
        // So that the directory can be removed.
        #[expect(clippy::permissions_set_readonly_false, reason = "this is Windows")]
        permissions.set_readonly(false);
        fs::set_permissions(at("read-only"), permissions).unwrap();

        fs::write(at("held"), "kept").unwrap();
        let destination = Destination::prepare(&at("held"), &at("model")).unwrap();
        let held = OpenOptions::new()
            .read(true)
            .share_mode(FILE_SHARE_READ)
            .open(at("held"))
            .unwrap();
        assert!(destination.write(b"x").is_err());
        drop(held);
        assert_eq!(fs::read_to_string(at("held")).unwrap(), "kept");
        assert_eq!(names(directory.path()), ["directory", "held", "read-only"]);
    }
}
