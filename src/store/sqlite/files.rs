//! The files of a database: readable by their owner only, and checked to stay the same files.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::fail::Fail;
use crate::store::StoreError;

/// The directory of the database must exist. Otherwise a mistyped path would become a new database.
pub(super) fn require_directory(path: &Path) -> Result<(), StoreError> {
    require_file(path)?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => return Ok(()),
    };
    if directory.is_dir() {
        return Ok(());
    }
    let missing = format!("{} is not a directory", directory.display());
    Err(StoreError::Open {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::NotFound, missing).into(),
    })
}

/// The path must be a file.
pub(super) fn require_file(path: &Path) -> Result<(), StoreError> {
    let not = |what| {
        Err(StoreError::NotADatabase {
            path: path.to_owned(),
            what,
        })
    };
    match path.metadata() {
        Ok(there) if there.is_dir() => not("a directory"),
        Ok(there) if !there.is_file() => not("not a file"),
        // A missing or unreadable file causes an error later, when it is opened.
        _ => Ok(()),
    }
}

/// The path with this suffix.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.to_owned().into_os_string();
    path.push(suffix);
    PathBuf::from(path)
}

/// The write-ahead log of a database.
pub(super) fn wal_of(database: &Path) -> PathBuf {
    beside(database, "-wal")
}

/// Every file that belongs to a database, whether it exists or not.
pub(super) fn all(database: &Path) -> Vec<PathBuf> {
    let mut files = vec![database.to_owned()];
    files.extend(["-wal", "-shm", "-journal"].map(|suffix| beside(database, suffix)));
    files.push(lock_of(database));
    files
}

/// Creates an empty file that only its owner may read and write, with every umask. An existing file stays unchanged.
///
/// SQLite gives the files that it creates beside a database the permissions of the database.
pub(super) fn create(path: &Path) -> io::Result<()> {
    // Also if nothing can be created.
    if path.try_exists()? {
        return Ok(());
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let created = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if path.try_exists()? {
                // Another process created it just now.
                return Ok(());
            }
            // A symbolic link to a file that does not exist.
            options.create_new(false).create(true).open(path)?
        }
        created => created?,
    };
    #[cfg(unix)]
    created.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    drop(created);
    Ok(())
}

/// The same, but root gives the new file to the owner of its directory.
pub(super) fn create_for_owner(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if rustix::process::geteuid().is_root()
        && !path.try_exists()?
        && let Some(name) = path.file_name()
    {
        use rustix::fs::{CWD, Mode, OFlags, fchmod, openat};
        let mode = Mode::RUSR | Mode::WUSR;
        // Created in the directory that is asked for its owner: another one may have its name by then.
        let directory = openat(
            CWD,
            directory_of(path),
            OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        match openat(&directory, name, flags, mode) {
            Ok(created) => {
                fchmod(&created, mode)?;
                return crate::file::give_to_owner_of(directory, created);
            }
            // It was created just now, or is a symbolic link to a file that does not exist.
            Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    create(path)
}

/// The directory in which a file is.
#[cfg(unix)]
fn directory_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Identifies a file independently of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// `None` if there is no file, or if this system does not identify files.
    fn of(path: &Path) -> io::Result<Option<(Self, u64)>> {
        match path.metadata() {
            #[cfg(unix)]
            Ok(file) => {
                use std::os::unix::fs::MetadataExt as _;
                let id = Self {
                    device: file.dev(),
                    inode: file.ino(),
                };
                Ok(Some((id, file.len())))
            }
            #[cfg(not(unix))]
            Ok(file) => Ok(Some((
                Self {
                    device: 0,
                    inode: 0,
                },
                file.len(),
            ))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The files that this process works on. SQLite continues to read and write files that were removed, and its next
/// connection opens the files that replace them: what it recorded would be lost.
#[derive(Debug)]
pub(super) struct Place {
    database: PathBuf,
    wal_path: PathBuf,
    id: FileId,
    wal: Mutex<Wal>,
}

/// The write-ahead log when it was last checked.
#[derive(Debug, Default)]
struct Wal {
    id: Option<FileId>,
    /// The number of connections that are being closed: SQLite removes the file with the last one, and creates it again
    /// with the next one.
    closing: u32,
}

/// A connection of the database is being closed while this exists.
pub(super) struct Closing<'a>(&'a Place);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut wal = self.0.lock();
        wal.id = None;
        wal.closing = wal.closing.saturating_sub(1);
    }
}

impl Place {
    /// The files of a database that was just opened.
    pub(super) fn of(database: &Path) -> io::Result<Self> {
        let (id, _) = FileId::of(database)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self {
            wal_path: wal_of(database),
            database: database.to_owned(),
            id,
            wal: Mutex::default(),
        })
    }

    /// The caller keeps it until the connection is closed.
    pub(super) fn closing(&self) -> Closing<'_> {
        self.lock().closing += 1;
        Closing(self)
    }

    /// Checks that the files are those that were opened.
    ///
    /// # Errors
    /// They are not, or it cannot be determined.
    pub(super) fn check(&self) -> Result<(), Fail> {
        let displaced = |what: String| Err(Fail::Displaced(what));
        let database = self.database.display();
        match FileId::of(&self.database).map_err(sqlx::Error::Io)? {
            None => return displaced(format!("{database} was removed or renamed")),
            Some((id, _)) if id != self.id => {
                return displaced(format!("another file was put in the place of {database}"));
            }
            // A database contains at least its schema.
            Some((_, 0)) => return displaced(format!("{database} was emptied")),
            Some(_) => {}
        }
        let mut wal = self.lock();
        if wal.closing > 0 {
            return Ok(());
        }
        let path = self.wal_path.display();
        let found = FileId::of(&self.wal_path).map_err(sqlx::Error::Io)?;
        match (wal.id, found.map(|(id, _)| id)) {
            (None, found) => wal.id = found,
            (Some(known), Some(found)) if found == known => {}
            (Some(_), Some(_)) => {
                return displaced(format!("another file was put in the place of {path}"));
            }
            (Some(_), None) => return displaced(format!("{path} was removed")),
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Wal> {
        self.wal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lock file of a database.
pub(super) fn lock_of(database: &Path) -> PathBuf {
    beside(database, ".lock")
}
