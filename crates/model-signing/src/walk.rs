//! Which files a model consists of, and opening them safely.
//!
//! The rules are those of the specification (OpenSSF Model Signing 1.0, section 6) and of its reference implementation,
//! so that the same tree yields the same manifest. What the latter passes over in silence is an error or part of the
//! [`Listing`] here: a signature must not look complete when it is not.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, OFlags, Stat, fstat, statat};
use rustix::io::Errno;

mod beneath;
mod error;
mod ignored;
mod listing;
mod pointers;

use crate::manifest::{MAX_RESOURCES, SINGLE_FILE};
use beneath::{LIST, READ, READ_LINKED, SEARCH, anywhere, beneath};
pub use error::WalkError;
use error::{failure, special};
pub(crate) use ignored::resolve;
pub use ignored::{DOWNLOAD_CACHE, GIT_PATHS, Ignored, Inside, has_pattern};
pub use listing::{Listed, Listing};

/// A model on disk: a directory, or a single file. It stays open, so what is read belongs to what was checked.
#[derive(Debug)]
pub struct Model {
    path: PathBuf,
    name: OsString,
    root: OwnedFd,
    is_file: bool,
    allows_symlinks: bool,
}

impl Model {
    /// Opens the model at `path`; an empty path is the working directory.
    ///
    /// Symlinks are allowed or not in all that follows. A symlink *to* the model counts as one in it; those in the
    /// directories above do not.
    ///
    /// # Errors
    ///
    /// There is no such file or directory, it is a symlink, or it may not be read.
    pub fn open(path: &Path, allow_symlinks: bool) -> Result<Self, WalkError> {
        // Without `.` and a slash at the end, both of which would follow a symlink in silence.
        let path: PathBuf = match path.components().collect::<PathBuf>() {
            empty if empty.as_os_str().is_empty() => ".".into(),
            path => path,
        };
        let failed = |error| failure(path.clone(), error);
        let mut flags = OFlags::NOFOLLOW;
        let mut stat = statat(rustix::fs::CWD, &path, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        if kind(&stat) == FileType::Symlink {
            if !allow_symlinks {
                return Err(WalkError::Symlink { path });
            }
            flags = OFlags::empty();
            stat = statat(rustix::fs::CWD, &path, AtFlags::empty())
                .map_err(|_| special(path.clone(), FileType::Symlink))?;
        }
        // Before it is opened: to open a device can do something.
        let is_file = match kind(&stat) {
            FileType::Directory => false,
            FileType::RegularFile => true,
            other => return Err(special(path, other)),
        };
        let root = anywhere(&path, READ_LINKED | flags).map_err(failed)?;
        let opened = kind(&fstat(&root).map_err(failed)?);
        if opened != kind(&stat) {
            return Err(WalkError::Changed { path });
        }
        let name = name_of(&path).map_err(|source| WalkError::Unreadable {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            path,
            name,
            root,
            is_file,
            allows_symlinks: allow_symlinks,
        })
    }

    /// What the model is called in a signature: the last component of its path.
    ///
    /// # Errors
    ///
    /// It is not UTF-8. Such a model can be verified, but not signed.
    pub fn name(&self) -> Result<&str, WalkError> {
        self.name.to_str().ok_or_else(|| WalkError::NotUtf8 {
            path: self.path.clone(),
        })
    }

    /// Whether symlinks to files are followed.
    pub fn allows_symlinks(&self) -> bool {
        self.allows_symlinks
    }

    /// The path, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the model is a single file.
    pub fn is_file(&self) -> bool {
        self.is_file
    }

    /// What the file of a single-file model is called in a manifest: its name, or, where JSON has no text for that, what the
    /// reference calls it.
    fn file_name(&self) -> Arc<str> {
        self.name().unwrap_or(SINGLE_FILE).into()
    }

    /// The path of a file of the model, for messages.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.at(name.as_bytes())
    }

    /// Every file, except what is `ignored`.
    ///
    /// Empty directories leave no trace. Directories are not followed through symlinks, and files only if symlinks are
    /// allowed.
    ///
    /// # Errors
    ///
    /// At the first symlink that is not allowed, the first special file, name that is not UTF-8, or directory that
    /// cannot be read.
    pub fn walk(&self, ignored: &Ignored) -> Result<Listing, WalkError> {
        let mut listing = Listing::default();
        if ignored.hides_everything() {
            return Ok(listing);
        }
        if self.is_file {
            let stat = fstat(&self.root).map_err(|error| failure(self.path.clone(), error))?;
            listing.files.push(Listed {
                name: self.file_name(),
                size: size(&stat),
            });
            return Ok(listing);
        }
        // Names and not open directories: a deep tree must take neither all file descriptors nor the stack.
        let mut pending = vec![Vec::new()];
        while let Some(directory) = pending.pop() {
            self.list(&directory, ignored, &mut pending, &mut listing)?;
            if listing.files.len().saturating_add(pending.len()) > MAX_RESOURCES {
                return Err(self.too_many());
            }
        }
        Ok(listing)
    }

    /// The files of these names, found without walking; those that are not there are left out.
    ///
    /// # Errors
    ///
    /// One of them is no file, is a symlink that is not allowed, or is behind a symlink.
    pub fn find<'n>(
        &self,
        names: impl IntoIterator<Item = &'n Arc<str>>,
    ) -> Result<Listing, WalkError> {
        let mut listing = Listing::default();
        for name in names {
            let stat = if self.is_file {
                if **name != *self.file_name() {
                    continue;
                }
                fstat(&self.root)
            } else {
                self.stat_of(name.as_bytes())
            };
            let stat = match stat {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                // A file or a symlink where the name has a directory. Only what is a symlink is refused: where a file
                // has taken the place of a directory, the files in that are missing.
                Err(Errno::NOTDIR | Errno::LOOP) => match self.symlink_above(name) {
                    Some(path) => return Err(WalkError::Symlink { path }),
                    None => continue,
                },
                Err(error) => return Err(failure(self.path_of(name), error)),
            };
            match kind(&stat) {
                FileType::RegularFile => {}
                FileType::Symlink => {
                    return Err(WalkError::Symlink {
                        path: self.path_of(name),
                    });
                }
                FileType::Directory => continue,
                other => return Err(special(self.path_of(name), other)),
            }
            if self.allows_symlinks
                && self.path_of(name).is_symlink()
                && self.leads_outside(name.as_bytes())
            {
                listing.leading_outside.push(name.to_string());
            }
            listing.files.push(Listed {
                name: Arc::clone(name),
                size: size(&stat),
            });
        }
        Ok(listing)
    }

    /// Opens a file of the model for its content.
    pub(crate) fn open_file(&self, name: &str) -> Result<Opened, WalkError> {
        let path = || self.path_of(name);
        let file = if self.is_file {
            // With any name in the manifest.
            self.root
                .try_clone()
                .map_err(|source| WalkError::Unreadable {
                    path: path(),
                    source,
                })?
        } else {
            let name = name.as_bytes();
            let opened = match beneath(&self.root, name, READ) {
                // Only the file itself may be a symlink: the content of a linked directory is not in a manifest.
                Err(Errno::LOOP) if self.allows_symlinks => {
                    let (above, last) = split(name);
                    beneath(&self.root, above, SEARCH).and_then(|directory| {
                        rustix::fs::openat(&directory, last, READ_LINKED, rustix::fs::Mode::empty())
                    })
                }
                opened => opened,
            };
            opened.map_err(|error| match error {
                Errno::LOOP => WalkError::Symlink { path: path() },
                error => failure(path(), error),
            })?
        };
        let before = fstat(&file).map_err(|error| failure(path(), error))?;
        if kind(&before) != FileType::RegularFile {
            return Err(special(path(), kind(&before)));
        }
        Ok(Opened {
            file: file.into(),
            before,
        })
    }

    pub(crate) fn too_many(&self) -> WalkError {
        WalkError::TooMany {
            path: self.path.clone(),
            limit: MAX_RESOURCES,
        }
    }

    /// Adds what is in one directory.
    fn list(
        &self,
        directory: &[u8],
        ignored: &Ignored,
        pending: &mut Vec<Vec<u8>>,
        listing: &mut Listing,
    ) -> Result<(), WalkError> {
        let failed = |error| failure(self.at(directory), error);
        let opened = beneath(&self.root, directory, LIST).map_err(failed)?;
        for entry in Dir::read_from(&opened).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let last = entry.file_name().to_bytes();
            if last == b"." || last == b".." {
                continue;
            }
            let name = if directory.is_empty() {
                last.to_vec()
            } else {
                [directory, b"/", last].concat()
            };
            if ignored.contains(&name) {
                continue;
            }
            let stat = statat(&opened, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|error| failure(self.at(&name), error))?;
            match kind(&stat) {
                FileType::Directory => pending.push(name),
                FileType::RegularFile => listing.files.push(self.listed(name, &stat)?),
                FileType::Symlink => {
                    if !self.allows_symlinks {
                        return Err(WalkError::Symlink {
                            path: self.at(&name),
                        });
                    }
                    let target = statat(&opened, entry.file_name(), AtFlags::empty())
                        .map_err(|_| special(self.at(&name), FileType::Symlink))?;
                    if self.leads_outside(&name) {
                        let name = String::from_utf8_lossy(&name).into_owned();
                        listing.leading_outside.push(name);
                    }
                    match kind(&target) {
                        FileType::RegularFile => listing.files.push(self.listed(name, &target)?),
                        FileType::Directory => listing
                            .linked_directories
                            .push(String::from_utf8_lossy(&name).into_owned()),
                        other => return Err(special(self.at(&name), other)),
                    }
                }
                other => return Err(special(self.at(&name), other)),
            }
        }
        Ok(())
    }

    fn listed(&self, name: Vec<u8>, stat: &Stat) -> Result<Listed, WalkError> {
        let name = String::from_utf8(name).map_err(|error| WalkError::NotUtf8 {
            path: self.at(error.as_bytes()),
        })?;
        Ok(Listed {
            name: name.into(),
            size: size(stat),
        })
    }

    /// Whether what is at `name` is, in the end, not in the model.
    fn leads_outside(&self, name: &[u8]) -> bool {
        let (Ok(target), Ok(root)) = (resolve(&self.at(name)), resolve(&self.path)) else {
            return true;
        };
        !target.starts_with(root)
    }

    /// What is at `name`, through a symlink only if it is the last component and they are allowed.
    fn stat_of(&self, name: &[u8]) -> rustix::io::Result<Stat> {
        let (above, last) = split(name);
        let flags = if self.allows_symlinks {
            AtFlags::empty()
        } else {
            AtFlags::SYMLINK_NOFOLLOW
        };
        if above.is_empty() {
            return statat(&self.root, last, flags);
        }
        let directory = beneath(&self.root, above, SEARCH)?;
        statat(directory.as_fd(), last, flags)
    }

    /// The first component above `name` that is a symlink.
    fn symlink_above(&self, name: &str) -> Option<PathBuf> {
        name.match_indices('/')
            .map(|(at, _)| self.at(name.as_bytes().get(..at).unwrap_or_default()))
            .find(|path| path.is_symlink())
    }

    fn at(&self, name: &[u8]) -> PathBuf {
        if name.is_empty() || self.is_file {
            return self.path.clone();
        }
        self.path.join(OsStr::from_bytes(name))
    }
}

/// A file that is open for its content, and what it was when it was opened.
pub(crate) struct Opened {
    pub(crate) file: File,
    before: Stat,
}

impl Opened {
    pub(crate) fn size(&self) -> u64 {
        size(&self.before)
    }

    /// How it changed since it was opened.
    pub(crate) fn change(&self) -> rustix::io::Result<Change> {
        let (before, after) = (&self.before, fstat(&self.file)?);
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

    /// Whether both are the same file.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        let id = |stat: &Stat| (stat.st_dev, stat.st_ino);
        id(&self.before) == id(&other.before)
    }
}

/// How a file changed while it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing.
    None,
    /// The time of its last change (ctime) is another one, and nothing else. It becomes so with the permissions, the owner
    /// or another link, and when another file is renamed over this one; also when the content was changed and the time of
    /// the last modification set back, for which its owner has the right.
    Attributes,
    /// Its length or the time of its last modification.
    Content,
}

/// The last component of a path, and of what it leads to where it has none.
fn name_of(path: &Path) -> io::Result<OsString> {
    if let Some(name) = path.file_name() {
        return Ok(name.to_owned());
    }
    let resolved = resolve(path)?;
    Ok(resolved.file_name().unwrap_or_default().to_owned())
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
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
