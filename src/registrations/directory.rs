//! Registrations in a directory of this machine.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::collector::{Collector, Found, MAX_FILE_BYTES, MAX_FILES};
use super::settings::DirectorySettings;
use crate::expect::Authority;
use crate::file::{self, FileError};

/// Most files and directories that are looked at, whether they match or not.
const MAX_ENTRIES: usize = 200_000;

/// Deepest directory below the source.
const MAX_DEPTH: usize = 32;

/// Why a directory was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum DirectoryError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{}: everybody can write to it, so it has no authority of the operator", path.display())]
    Writable { path: PathBuf },
    #[error("more than {MAX_FILES} files match")]
    TooMany,
    #[error("more than {MAX_ENTRIES} files and directories")]
    TooLarge,
    #[error("{}: more than {MAX_DEPTH} directories deep", path.display())]
    TooDeep { path: PathBuf },
}

/// Reads all files of a directory. Symbolic links below it are not followed: they are reported if they match.
pub(super) fn read(
    settings: &DirectorySettings,
    authority: Authority,
    collector: &mut Collector,
) -> Result<(), DirectoryError> {
    let mut walk = Walk {
        settings,
        authority,
        collector,
        entries: 0,
        files: 0,
    };
    walk.directory(&settings.path, "", 0)
}

struct Walk<'a> {
    settings: &'a DirectorySettings,
    authority: Authority,
    collector: &'a mut Collector,
    entries: usize,
    files: usize,
}

impl Walk<'_> {
    fn directory(&mut self, path: &Path, below: &str, depth: usize) -> Result<(), DirectoryError> {
        let failed = |error| DirectoryError::Io {
            path: path.to_owned(),
            error,
        };
        if depth > MAX_DEPTH {
            return Err(DirectoryError::TooDeep {
                path: path.to_owned(),
            });
        }
        let metadata = fs::metadata(path).map_err(failed)?;
        if self.is_open_to_everybody(&metadata) {
            return Err(DirectoryError::Writable {
                path: path.to_owned(),
            });
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(DirectoryError::TooLarge);
            }
            let entry = entry.map_err(failed)?;
            entries.push((entry.file_name(), entry.file_type().map_err(failed)?));
        }
        entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (name, kind) in entries {
            let at = path.join(&name);
            let Some(name) = name.to_str() else {
                let name = name.to_string_lossy();
                self.collector
                    .problem(format!("{below}{name}: its name is not UTF-8"));
                continue;
            };
            let relative = format!("{below}{name}");
            if kind.is_dir() {
                self.directory(&at, &format!("{relative}/"), depth + 1)?;
            } else if self.settings.patterns.matches(&relative) {
                self.files += 1;
                if self.files > MAX_FILES {
                    return Err(DirectoryError::TooMany);
                }
                if kind.is_file() {
                    self.file(&at, relative);
                } else {
                    self.collector
                        .problem(format!("{relative}: not a regular file"));
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, relative: String) {
        let metadata = fs::symlink_metadata(path);
        if metadata.is_ok_and(|metadata| self.is_open_to_everybody(&metadata)) {
            self.collector.problem(format!(
                "{relative}: everybody can write to it, so it has no authority of the operator"
            ));
            return;
        }
        match file::read_regular(path, MAX_FILE_BYTES) {
            Ok(Some(bytes)) => {
                let found = Found {
                    content: hex::encode(Sha256::digest(&bytes)),
                    file: relative,
                    commit: None,
                    author: None,
                };
                if !self.collector.keep(&found.file, &found.content) {
                    self.collector.add(&found, &bytes);
                }
            }
            // It went away while the directory was read.
            Ok(None) => {}
            Err(FileError::TooLong { .. }) => self.collector.too_long(&relative),
            Err(error) => {
                // What cannot be read now is not gone.
                self.collector.keep_file(&relative);
                self.collector.problem(format!("{relative}: {error}"));
            }
        }
    }

    /// Whether every user of the machine could register with the operator's authority.
    fn is_open_to_everybody(&self, metadata: &fs::Metadata) -> bool {
        self.authority == Authority::Operator && metadata.mode() & 0o002 != 0
    }
}
