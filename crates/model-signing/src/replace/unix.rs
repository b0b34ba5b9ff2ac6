//! Replacing a file on Unix.

use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::io::Errno;

use super::error::{ReplaceError, directory_of, temporary_prefix};
use crate::walk::resolve;

/// The unit of the number of blocks of a file, in bytes (`st_blocks` in stat(2)).
const STAT_BLOCK_BYTES: u64 = 512;

/// Where a signature is to be written, and how.
///
/// A symlink is neither followed, because it could lead to a file of another user, nor replaced, because it was meant to lead
/// somewhere; the same for everything else that is not a regular file.
#[derive(Debug)]
pub struct Destination {
    path: PathBuf,
    directory: PathBuf,
    way: Way,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// By a temporary file in this directory, which is renamed.
    Rename(PathBuf),
    /// By a file without a name, which is linked. There is no file in its place.
    Link,
    /// Into the file itself, so that a crash can leave half of it: there is no other way.
    InPlace,
}

impl Destination {
    /// Finds out how a file at `path` can be written, and whether it can be, without writing anything.
    ///
    /// In `model` no temporary file is made. It is made in the directory beside the model, if that is on the same file
    /// system and can be written; else a new signature gets its name when it is complete, where the file system can do
    /// that; else it is written in place. In place is also where a file is written that is itself a mount, as in a
    /// container, or whose directory cannot be written.
    ///
    /// # Errors
    ///
    /// [`ReplaceError`], with which [`write`](Self::write) would fail.
    pub fn prepare(path: &Path, model: &Path) -> Result<Self, ReplaceError> {
        let failed = |source: io::Error| ReplaceError::Unwritable {
            path: path.to_owned(),
            source,
        };
        let (directory, there) = place(path)?;
        let may_write = |path: &Path, access| rustix::fs::access(path, access);
        let way = match may_write(directory, Access::WRITE_OK | Access::EXEC_OK) {
            _ if there.as_ref().is_some_and(|there| is_mount(path, there)) => Way::InPlace,
            Ok(()) => Self::way(directory, model, there.is_some()).map_err(failed)?,
            Err(_) if there.is_some() => Way::InPlace,
            Err(error) => return Err(failed(error.into())),
        };
        if way == Way::InPlace && there.is_some() {
            may_write(path, Access::WRITE_OK).map_err(|error| failed(error.into()))?;
        }
        Ok(Self {
            path: path.to_owned(),
            directory: directory.to_owned(),
            way,
        })
    }

    /// How a file in a directory that can be written is written.
    fn way(directory: &Path, model: &Path, exists: bool) -> io::Result<Way> {
        let model = resolve(model)?;
        if !resolve(directory)?.starts_with(&model) || !model.is_dir() {
            return Ok(Way::Rename(directory.to_owned()));
        }
        if let Some(beside) = model.parent()
            && is_same_mount(directory, beside)
            && rustix::fs::access(beside, Access::WRITE_OK | Access::EXEC_OK).is_ok()
        {
            return Ok(Way::Rename(beside.to_owned()));
        }
        if !exists && unnamed(directory).is_ok() {
            return Ok(Way::Link);
        }
        Ok(Way::InPlace)
    }

    /// Whether there is space for this many bytes, as far as it is known without reserving it.
    ///
    /// # Errors
    ///
    /// [`ReplaceError::Unwritable`]: the disk is full, or a quota or another limit is reached.
    pub fn reserve(&self, bytes: u64) -> Result<(), ReplaceError> {
        if self.way == Way::InPlace
            && let Ok(there) = fs::symlink_metadata(&self.path)
        {
            return self.has_space_to_grow(&there, bytes);
        }
        // Without a name: no other program can open it, and nothing of it can remain.
        let reserved = unnamed(&self.directory).and_then(|file| fill(&file, bytes));
        match reserved {
            Err(error) if is_unsupported(&error) => match &self.way {
                Way::Rename(directory) => self
                    .temporary(directory)
                    .and_then(|file| fill(file.as_file(), bytes))
                    .map_err(|source| self.unwritable(source)),
                Way::Link | Way::InPlace => Ok(()),
            },
            reserved => reserved.map_err(|source| self.unwritable(source)),
        }
    }

    /// Whether the file that is in the place can grow to this many bytes: it uses its own space first.
    fn has_space_to_grow(&self, there: &Metadata, bytes: u64) -> Result<(), ReplaceError> {
        let own = there.blocks().saturating_mul(STAT_BLOCK_BYTES);
        match rustix::fs::statvfs(&self.directory) {
            // Some file systems do not say how much space they have: all they say is zero.
            Ok(space) if space.f_blocks > 0 => {
                let free = space.f_bavail.saturating_mul(space.f_frsize);
                if bytes > own.saturating_add(free) {
                    return Err(self.unwritable(Errno::NOSPC.into()));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Writes the file, to the disk, and into its place in one step: a reader of the path, also after a crash, finds the
    /// old content or the new one. Where it has to be written in place, a crash can leave a file that no verifier
    /// accepts. The file gets the permissions of a new one, or keeps its own in place.
    ///
    /// # Errors
    ///
    /// [`ReplaceError`].
    pub fn write(self, bytes: &[u8]) -> Result<(), ReplaceError> {
        // Hours may have passed.
        place(&self.path)?;
        let written = match &self.way {
            Way::Rename(directory) => self.rename(directory, bytes),
            Way::Link => self.link(bytes),
            Way::InPlace => self.in_place(bytes),
        };
        written
            .and_then(|()| File::open(&self.directory)?.sync_all())
            .map_err(|source| self.unwritable(source))
    }

    fn rename(&self, directory: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.temporary(directory)?;
        temporary.as_file().write_all(bytes)?;
        // Before the rename: a crash in between must not leave the new name on content that never reached the disk.
        temporary.as_file().sync_all()?;
        match temporary.persist(&self.path) {
            Ok(_) => Ok(()),
            // The file, or a directory between the two, is a mount, which could not be seen before.
            Err(error)
                if matches!(
                    Errno::from_io_error(&error.error),
                    Some(Errno::XDEV | Errno::BUSY)
                ) =>
            {
                drop(error.file);
                if self.path.exists() {
                    self.in_place(bytes)
                } else {
                    self.link(bytes)
                }
            }
            Err(error) => Err(error.error),
        }
    }

    fn link(&self, bytes: &[u8]) -> io::Result<()> {
        let linked = unnamed(&self.directory).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()?;
            link_into_place(&file, &self.path)
        });
        match linked {
            // It is there by now, or the system cannot link a file without a name.
            Err(error)
                if is_unsupported(&error)
                    || matches!(
                        error.kind(),
                        io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound
                    ) =>
            {
                self.in_place(bytes)
            }
            linked => linked,
        }
    }

    fn in_place(&self, bytes: &[u8]) -> io::Result<()> {
        let exists = self.path.exists();
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let file = File::options()
            .write(true)
            .create(!exists)
            .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
            .open(&self.path)?;
        let there = file.metadata()?;
        let written = if there.is_file() {
            if exists && let Err(error) = keep_space(&file, bytes.len() as u64) {
                // What was reserved behind the end until it failed is given back.
                let _ = file.set_len(there.len());
                return Err(error);
            }
            // What is longer than the new content goes last: until then a part of the old content is still there.
            file.write_all_at(bytes, 0)
                .and_then(|()| file.sync_all())
                .and_then(|()| file.set_len(bytes.len() as u64))
                .and_then(|()| file.sync_all())
        } else {
            Err(io::Error::other("it is not a regular file any more"))
        };
        if written.is_err() && !exists {
            let _ = fs::remove_file(&self.path);
        }
        written
    }

    fn temporary(&self, directory: &Path) -> io::Result<tempfile::NamedTempFile> {
        tempfile::Builder::new()
            .prefix(&temporary_prefix(&self.path))
            .make_in(directory, |path| File::create_new(path))
    }

    fn unwritable(&self, source: io::Error) -> ReplaceError {
        ReplaceError::Unwritable {
            path: self.path.clone(),
            source,
        }
    }
}

/// A file in a directory that has no name there.
#[cfg(target_os = "linux")]
fn unnamed(directory: &Path) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(CWD, directory, flags, Mode::from_raw_mode(0o666))?;
    Ok(file.into())
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Gives a file without a name its name.
#[cfg(target_os = "linux")]
fn link_into_place(file: &File, path: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;

    use rustix::fs::{AtFlags, CWD, linkat};
    // Linking by the descriptor itself takes a privilege, this way does not; see open(2), O_TMPFILE.
    let by_descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
    linkat(CWD, by_descriptor, CWD, path, AtFlags::SYMLINK_FOLLOW)?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn link_into_place(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether the file system does not support the request, for any file: old kernels read O_TMPFILE as a directory that
/// is to be written.
fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
        || matches!(
            Errno::from_io_error(error),
            Some(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOSYS | Errno::INVAL)
        )
}

/// Reserves space for this many bytes.
fn fill(file: &File, bytes: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
        filled => return Ok(filled?),
    }
    // Enough to meet a full disk.
    let some = usize::try_from(bytes).unwrap_or(usize::MAX).min(1 << 20);
    file.write_all_at(&vec![0; some], 0)
}

/// Reserves the space for this many bytes in a file that has content, and changes neither its content nor its length: a full
/// disk is then found before the first byte of the old content is overwritten.
fn keep_space(file: &File, bytes: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, bytes) {
        Err(error) if !is_unsupported(&error.into()) => return Err(error.into()),
        _ => {}
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, bytes);
    Ok(())
}

/// Whether a file is mounted on its name: then nothing can be renamed over it.
fn is_mount(path: &Path, there: &Metadata) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
        if let Ok(stat) = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty())
            && stat
                .stx_attributes_mask
                .contains(StatxAttributes::MOUNT_ROOT)
        {
            return stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
        }
    }
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    fs::metadata(directory.unwrap_or(Path::new(".")))
        .is_ok_and(|directory| directory.dev() != there.dev())
}

/// Whether a file can be renamed from one directory into the other.
fn is_same_mount(one: &Path, other: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
        let mount = |path: &Path| {
            let stat = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).ok()?;
            let has_id = stat.stx_mask & StatxFlags::MNT_ID.bits() != 0;
            has_id.then_some(stat.stx_mnt_id)
        };
        if let (Some(one), Some(other)) = (mount(one), mount(other)) {
            return one == other;
        }
    }
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev());
    matches!((device(one), device(other)), (Ok(one), Ok(other)) if one == other)
}

/// The directory of a file that is not there or is a regular one, and what is there. The path ends in a name.
fn place(path: &Path) -> Result<(&Path, Option<Metadata>), ReplaceError> {
    let there = match fs::symlink_metadata(path) {
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
            Some(there)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => {
            return Err(ReplaceError::Unwritable {
                path: path.to_owned(),
                source,
            });
        }
    };
    Ok((directory_of(path)?, there))
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

    fn write(path: &Path, model: &Path, bytes: &[u8]) -> Result<Way, ReplaceError> {
        let destination = Destination::prepare(path, model)?;
        destination.reserve(bytes.len() as u64)?;
        let way = destination.way.clone();
        destination.write(bytes)?;
        Ok(way)
    }

    #[test]
    fn a_file_is_made_and_replaced_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.sig");
        let model = directory.path().join("model");
        fs::create_dir(&model).unwrap();
        for content in ["one", "another"] {
            let way = write(&path, &model, content.as_bytes()).unwrap();
            assert_eq!(way, Way::Rename(directory.path().to_owned()));
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(names(directory.path()), ["model", "model.sig"]);
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
            let prepared = Destination::prepare(&at(name), &at("model"));
            let error = prepared.unwrap_err().to_string();
            assert!(error.contains(says), "{name}: {error}");
        }
        let model = Path::new("model");
        assert!(Destination::prepare(Path::new("/dev/null"), model).is_err());
        assert!(Destination::prepare(Path::new(".."), model).is_err());
        assert_eq!(names(directory.path()), before);
        assert_eq!(fs::read_to_string(at("target")).unwrap(), "kept");

        // What becomes a symlink after that is not followed either.
        let destination = Destination::prepare(&at("late"), &at("model")).unwrap();
        symlink("target", at("late")).unwrap();
        assert!(destination.write(b"x").is_err());
        assert_eq!(fs::read_to_string(at("target")).unwrap(), "kept");
    }

    #[test]
    fn the_temporary_file_of_a_signature_in_the_model_is_beside_the_model() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let model = root.join("model");
        fs::create_dir_all(model.join("sub")).unwrap();
        symlink("model", root.join("latest")).unwrap();
        for (path, model) in [
            ("model/model.sig", "model"),
            ("model/sub/model.sig", "model"),
            ("latest/model.sig", "model"),
            ("model/model.sig", "latest"),
            ("model/sub/../model.sig", "model/."),
        ] {
            for content in ["one", "another"] {
                let way = write(&root.join(path), &root.join(model), content.as_bytes());
                assert_eq!(way.unwrap(), Way::Rename(root.clone()), "{path}");
                assert_eq!(fs::read_to_string(root.join(path)).unwrap(), content);
            }
        }
        assert_eq!(names(&root), ["latest", "model"]);
        assert_eq!(names(&model), ["model.sig", "sub"]);
        // A directory whose name only begins like the model's.
        fs::create_dir(root.join("model-2")).unwrap();
        let way = write(&root.join("model-2/x.sig"), &model, b"x").unwrap();
        assert_eq!(way, Way::Rename(root.join("model-2")));
    }

    #[test]
    fn every_way_writes_the_whole_file_and_leaves_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.sig");
        for (way, old, new) in [
            (Way::Link, None, "new"),
            // Another program was faster.
            (Way::Link, Some("old and longer"), "new"),
            (Way::InPlace, None, "new"),
            (Way::InPlace, Some("old"), "new and longer"),
            (Way::InPlace, Some("old and longer"), "new"),
            (Way::Rename(directory.path().to_owned()), None, "new"),
        ] {
            let _ = fs::remove_file(&path);
            if let Some(old) = old {
                fs::write(&path, old).unwrap();
            }
            let destination = Destination {
                path: path.clone(),
                directory: directory.path().to_owned(),
                way: way.clone(),
            };
            destination.reserve(1 << 16).unwrap();
            destination.write(new.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), new, "{way:?}");
            assert_eq!(names(directory.path()), ["model.sig"], "{way:?}");
        }
    }

    #[test]
    fn more_than_the_disk_has_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.sig");
        let destination = Destination::prepare(&path, Path::new("model")).unwrap();
        let reserved = destination.reserve(1 << 60);
        assert!(matches!(reserved, Err(ReplaceError::Unwritable { .. })));
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn a_full_disk_leaves_a_signature_that_is_written_in_place_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.sig");
        fs::write(&path, "old").unwrap();
        let destination = Destination {
            path: path.clone(),
            directory: directory.path().to_owned(),
            way: Way::InPlace,
        };
        let reserved = destination.reserve(1 << 60);
        assert!(matches!(reserved, Err(ReplaceError::Unwritable { .. })));
        destination.reserve(3).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        // More than a file of any file system may have.
        #[cfg(target_os = "linux")]
        assert!(keep_space(&file, i64::MAX as u64).is_err());
        keep_space(&file, 1 << 16).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }
}
