//! Which files a model consists of, and opening them safely.
//!
//! The rules are those of the specification (OpenSSF Model Signing 1.0, section 6) and of its reference implementation,
//! so that the same tree yields the same manifest. What the latter passes over in silence is an error or part of the
//! [`Listing`] here: a signature must not look complete when it is not.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(unix)]
mod beneath;
mod error;
mod ignored;
mod kind;
mod listing;
mod pointers;
mod resolve;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use crate::manifest::{MAX_RESOURCES, SINGLE_FILE};
pub use error::WalkError;
use error::{failure, special};
pub use ignored::{DOWNLOAD_CACHE, GIT_PATHS, Ignored, Inside, has_pattern};
pub(crate) use kind::Change;
use kind::{Failure as _, Kind};
pub use listing::{Listed, Listing};
pub(crate) use resolve::resolve;
#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;
#[cfg(windows)]
pub(crate) use windows::is_same_volume;

use system::{Root, Spelling, Stat};

/// A model on disk: a directory, or a single file. It stays open, so what is read belongs to what was checked.
#[derive(Debug)]
pub struct Model {
    path: PathBuf,
    name: OsString,
    root: Root,
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
        let mut follows = false;
        let mut stat = system::stat_path(&path, false).map_err(failed)?;
        if stat.kind() == Kind::Symlink {
            if !allow_symlinks {
                return Err(WalkError::Symlink { path });
            }
            follows = true;
            stat =
                system::stat_path(&path, true).map_err(|_| special(path.clone(), Kind::Symlink))?;
        }
        // Before it is opened: to open a device can do something.
        let is_file = match stat.kind() {
            Kind::Directory => false,
            Kind::File => true,
            other => return Err(special(path, other)),
        };
        let root = Root::open(&path, follows).map_err(failed)?;
        let opened = root.stat().map_err(failed)?.kind();
        if opened != stat.kind() {
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
            let stat = self.root.stat();
            let stat = stat.map_err(|error| failure(self.path.clone(), error))?;
            listing.files.push(Listed {
                name: self.file_name(),
                size: stat.size(),
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
        let mut spelling = Spelling::new();
        for name in names {
            let stat = if self.is_file {
                if **name != *self.file_name() {
                    continue;
                }
                self.root.stat()
            } else {
                if !spelling.is_exact(&self.root, name.as_bytes()) {
                    continue;
                }
                self.root.stat_of(name.as_bytes(), self.allows_symlinks)
            };
            let stat = match stat {
                Ok(stat) => stat,
                Err(error) if error.is_missing() => continue,
                // A file or a symlink where the name has a directory. Only what is a symlink is refused: where a file
                // has taken the place of a directory, the files in that are missing.
                Err(error) if error.is_blocked() => match self.symlink_above(name) {
                    Some(path) => return Err(WalkError::Symlink { path }),
                    None => continue,
                },
                Err(error) => return Err(failure(self.path_of(name), error)),
            };
            match stat.kind() {
                Kind::File => {}
                Kind::Symlink => {
                    return Err(WalkError::Symlink {
                        path: self.path_of(name),
                    });
                }
                Kind::Directory => continue,
                other @ Kind::Special(_) => return Err(special(self.path_of(name), other)),
            }
            if self.allows_symlinks
                && self.is_symlink(name.as_bytes())
                && self.leads_outside(name.as_bytes())
            {
                listing.leading_outside.push(name.to_string());
            }
            listing.files.push(Listed {
                name: Arc::clone(name),
                size: stat.size(),
            });
        }
        Ok(listing)
    }

    /// Opens a file of the model for its content.
    pub(crate) fn open_file(&self, name: &str) -> Result<Opened, WalkError> {
        let path = || self.path_of(name);
        let file = if self.is_file {
            // With any name in the manifest.
            self.root.file().map_err(|source| WalkError::Unreadable {
                path: path(),
                source,
            })?
        } else {
            let opened = self.root.open_file(name.as_bytes(), self.allows_symlinks);
            opened.map_err(|error| {
                if error.is_link() {
                    WalkError::Symlink { path: path() }
                } else {
                    failure(path(), error)
                }
            })?
        };
        let before = Stat::of_opened(&file).map_err(|error| failure(path(), error))?;
        if before.kind() != Kind::File {
            return Err(special(path(), before.kind()));
        }
        Ok(Opened { file, before })
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
        let opened = self.root.directory(directory).map_err(failed)?;
        for entry in opened.entries().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let last = entry.name();
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
            let stat = opened
                .stat(&entry, false)
                .map_err(|error| failure(self.at(&name), error))?;
            match stat.kind() {
                Kind::Directory => pending.push(name),
                Kind::File => listing.files.push(self.listed(name, &stat)?),
                Kind::Symlink => {
                    if !self.allows_symlinks {
                        return Err(WalkError::Symlink {
                            path: self.at(&name),
                        });
                    }
                    let target = opened
                        .stat(&entry, true)
                        .map_err(|_| special(self.at(&name), Kind::Symlink))?;
                    if self.leads_outside(&name) {
                        let name = String::from_utf8_lossy(&name).into_owned();
                        listing.leading_outside.push(name);
                    }
                    match target.kind() {
                        Kind::File => listing.files.push(self.listed(name, &target)?),
                        Kind::Directory => listing
                            .linked_directories
                            .push(String::from_utf8_lossy(&name).into_owned()),
                        other => return Err(special(self.at(&name), other)),
                    }
                }
                other @ Kind::Special(_) => return Err(special(self.at(&name), other)),
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
            size: stat.size(),
        })
    }

    /// Whether what is at `name` is, in the end, not in the model.
    fn leads_outside(&self, name: &[u8]) -> bool {
        let locate = |name| resolve(&self.root.locate(&self.path, name));
        let (Ok(target), Ok(root)) = (locate(name), locate(b"")) else {
            return true;
        };
        !target.starts_with(root)
    }

    /// Whether a symlink is at `name`.
    fn is_symlink(&self, name: &[u8]) -> bool {
        system::stat_path(&self.root.locate(&self.path, name), false)
            .is_ok_and(|stat| stat.kind() == Kind::Symlink)
    }

    /// The first component above `name` that is a symlink.
    fn symlink_above(&self, name: &str) -> Option<PathBuf> {
        name.match_indices('/')
            .map(|(at, _)| name.as_bytes().get(..at).unwrap_or_default())
            .find(|above| self.is_symlink(above))
            .map(|above| self.at(above))
    }

    fn at(&self, name: &[u8]) -> PathBuf {
        if name.is_empty() || self.is_file {
            return self.path.clone();
        }
        self.path.join(system::relative(name))
    }
}

/// A file that is open for its content, and what it was when it was opened.
pub(crate) struct Opened {
    pub(crate) file: File,
    before: Stat,
}

impl Opened {
    pub(crate) fn size(&self) -> u64 {
        self.before.size()
    }

    /// How it changed since it was opened.
    pub(crate) fn change(&self) -> io::Result<Change> {
        self.before.change(&self.file)
    }

    /// Whether both are the same file.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        self.before.is_same_file(&other.before)
    }
}

/// The last component of a path, and of what it leads to where it has none.
fn name_of(path: &Path) -> io::Result<OsString> {
    if let Some(name) = path.file_name() {
        return Ok(name.to_owned());
    }
    let resolved = resolve(path)?;
    Ok(resolved.file_name().unwrap_or_default().to_owned())
}
