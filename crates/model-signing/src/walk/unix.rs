//! What a walk needs of Unix.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, DirEntry, FileType, OFlags, fstat, statat};
use rustix::io::{Errno, Result};

use super::beneath::{LIST, READ, READ_LINKED, SEARCH, anywhere, beneath};
use super::kind::{Change, Failure, Kind};

impl Failure for Errno {
    fn is_missing(&self) -> bool {
        *self == Self::NOENT
    }

    fn is_link(&self) -> bool {
        *self == Self::LOOP
    }

    fn is_blocked(&self) -> bool {
        matches!(*self, Self::NOTDIR | Self::LOOP)
    }
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stat(rustix::fs::Stat);

impl Stat {
    pub(super) fn of_opened(file: &File) -> Result<Self> {
        fstat(file).map(Self)
    }

    pub(super) fn kind(&self) -> Kind {
        match FileType::from_raw_mode(self.0.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink,
            FileType::Fifo => Kind::Special("a FIFO"),
            FileType::Socket => Kind::Special("a socket"),
            FileType::CharacterDevice | FileType::BlockDevice => Kind::Special("a device"),
            FileType::Unknown => Kind::Special("something else"),
        }
    }

    pub(super) fn size(&self) -> u64 {
        u64::try_from(self.0.st_size).unwrap_or(0)
    }

    /// How an open file changed since this was read.
    pub(super) fn change(&self, file: &File) -> std::io::Result<Change> {
        let (before, after) = (&self.0, fstat(file)?);
        if before.st_size != after.st_size
            || before.st_mtime != after.st_mtime
            || before.st_mtime_nsec != after.st_mtime_nsec
        {
            return Ok(Change::Content);
        }
        Ok(
            if before.st_ctime == after.st_ctime && before.st_ctime_nsec == after.st_ctime_nsec {
                Change::None
            } else {
                Change::Attributes
            },
        )
    }

    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        (self.0.st_dev, self.0.st_ino) == (other.0.st_dev, other.0.st_ino)
    }
}

/// What is at a path, or what it leads to.
pub(super) fn stat_path(path: &Path, follows: bool) -> Result<Stat> {
    statat(CWD, path, stat_flags(follows)).map(Stat)
}

fn stat_flags(follows: bool) -> AtFlags {
    if follows {
        AtFlags::empty()
    } else {
        AtFlags::SYMLINK_NOFOLLOW
    }
}

/// The path of a name in a model, for messages and for what it leads to.
pub(super) fn relative(name: &[u8]) -> PathBuf {
    OsStr::from_bytes(name).into()
}

/// The directory or the file that is the model.
#[derive(Debug)]
pub(super) struct Root(OwnedFd);

impl Root {
    pub(super) fn open(path: &Path, follows: bool) -> Result<Self> {
        let flags = if follows {
            OFlags::empty()
        } else {
            OFlags::NOFOLLOW
        };
        anywhere(path, READ_LINKED | flags).map(Self)
    }

    pub(super) fn stat(&self) -> Result<Stat> {
        fstat(&self.0).map(Stat)
    }

    /// The path of a name, as the system takes it; `path` is that of the model.
    #[expect(
        clippy::unused_self,
        reason = "elsewhere the path of the model is not the one that was given"
    )]
    pub(super) fn locate(&self, path: &Path, name: &[u8]) -> PathBuf {
        path.join(relative(name))
    }

    /// The model itself, which is a file.
    pub(super) fn file(&self) -> std::io::Result<File> {
        self.0.try_clone().map(File::from)
    }

    /// Opens a file. Only the file itself may be a symlink: the content of a linked directory is not in a manifest.
    pub(super) fn open_file(&self, name: &[u8], follows: bool) -> Result<File> {
        let opened = match beneath(&self.0, name, READ) {
            Err(Errno::LOOP) if follows => {
                let (above, last) = split(name);
                beneath(&self.0, above, SEARCH).and_then(|directory| {
                    rustix::fs::openat(&directory, last, READ_LINKED, rustix::fs::Mode::empty())
                })
            }
            opened => opened,
        };
        opened.map(File::from)
    }

    /// What is at a name; through a symlink only if it is the last component and is to be followed.
    pub(super) fn stat_of(&self, name: &[u8], follows: bool) -> Result<Stat> {
        let (above, last) = split(name);
        if above.is_empty() {
            return statat(&self.0, last, stat_flags(follows)).map(Stat);
        }
        let directory = beneath(&self.0, above, SEARCH)?;
        statat(&directory, last, stat_flags(follows)).map(Stat)
    }

    pub(super) fn directory(&self, name: &[u8]) -> Result<Directory> {
        beneath(&self.0, name, LIST).map(Directory)
    }
}

/// An open directory of the model.
pub(super) struct Directory(OwnedFd);

impl Directory {
    /// Everything in it, with `.` and `..`.
    pub(super) fn entries(&self) -> Result<impl Iterator<Item = Result<Entry>> + use<>> {
        Ok(Dir::read_from(&self.0)?.map(|entry| entry.map(Entry)))
    }

    /// What an entry is, or what it leads to.
    pub(super) fn stat(&self, entry: &Entry, follows: bool) -> Result<Stat> {
        statat(&self.0, entry.0.file_name(), stat_flags(follows)).map(Stat)
    }
}

pub(super) struct Entry(DirEntry);

impl Entry {
    /// Without directories.
    pub(super) fn name(&self) -> &[u8] {
        self.0.file_name().to_bytes()
    }
}

/// Whether names are what the files themselves have for a name: Unix knows no other spelling.
#[derive(Debug)]
pub(super) struct Spelling;

impl Spelling {
    pub(super) fn new() -> Self {
        Self
    }

    #[expect(
        clippy::unused_self,
        reason = "elsewhere it remembers the directories that it has read"
    )]
    pub(super) fn is_exact(&mut self, _: &Root, _: &[u8]) -> bool {
        true
    }
}

fn split(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|&byte| byte == b'/') {
        Some(at) => {
            let (above, rest) = name.split_at(at);
            (above, rest.get(1..).unwrap_or_default())
        }
        None => (b"", name),
    }
}
