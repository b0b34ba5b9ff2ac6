//! The last verified version, in one file that is always complete, also after a crash.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sigstore_tuf::{Error, MetadataStore};

use crate::file::{self, FileError};
use crate::trust::refresh_requests::RefreshRequests;

/// Longest accepted cache in memory and on disk, in bytes: 32 roots and one of every other file at their limits. That
/// of the public instance has 200 KiB.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// The prefix of the names under which the updater stores the chain of roots.
const ROOTS: &str = "root_history/";

/// The metadata and targets of a repository by name, in memory. The updater reads the versions that it must not go
/// below, and writes what it has verified.
///
/// One update works on a copy, and [`Cache::write`] stores the copy only when all of it was verified: an update that is
/// refused half-way never replaces a valid version.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<BTreeMap<String, String>>);

impl MetadataStore for Kept {
    fn load(&self, name: &str) -> sigstore_tuf::Result<Option<Vec<u8>>> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(files.get(name).map(|text| text.clone().into_bytes()))
    }

    fn store(&self, name: &str, bytes: &[u8]) -> sigstore_tuf::Result<()> {
        // The same file under the name that only a mirror needs; they would pile up.
        if name.ends_with(".snapshot.json") {
            return Ok(());
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Error::Malformed(format!("{name} is not text")))?;
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let others = files.iter().filter(|(known, _)| *known != name);
        let held: usize = others.map(|(_, text)| text.len()).sum();
        // A repository with an endless chain of roots costs time, and at most this much memory.
        if held.saturating_add(text.len()) > MAX_BYTES {
            return Err(Error::Malformed(format!(
                "{name} exceeds the size limit of the cache"
            )));
        }
        files.insert(name.to_owned(), text.to_owned());
        Ok(())
    }
}

/// The stored documents, and when they were verified against their repository.
///
/// The content of the file is not trusted: all of it is verified again at each use, as of the time of its update,
/// because metadata that has expired since stays in use while there is no newer one. A person who can write to the file
/// can write to the database beside it.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    pub(super) refreshed: Timestamp,
    pub(super) kept: Arc<Kept>,
    /// Roots that were verified since, in refreshes that were then refused or cut off.
    roots: BTreeMap<String, String>,
    /// Updates that failures have requested.
    pub(super) refresh_requests: RefreshRequests,
}

#[derive(Serialize, Deserialize)]
struct Written {
    refreshed: Timestamp,
    files: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    roots: BTreeMap<String, String>,
    #[serde(
        rename = "asked",
        default,
        skip_serializing_if = "RefreshRequests::is_empty"
    )]
    refresh_requests: RefreshRequests,
}

impl Cache {
    /// All documents as they are verified now.
    pub(super) const fn new(
        refreshed: Timestamp,
        kept: Arc<Kept>,
        refresh_requests: RefreshRequests,
    ) -> Self {
        Self {
            refreshed,
            kept,
            roots: BTreeMap::new(),
            refresh_requests,
        }
    }

    /// A copy for an update, with the newest roots.
    pub(super) fn working_copy(&self) -> Kept {
        let mut files = self.kept.copied();
        files.extend(self.roots.clone());
        Kept(Mutex::new(files))
    }

    /// Adds the roots that an update has verified before it failed, and returns whether there are any.
    ///
    /// The root before has signed each of them, so they are valid whatever follows: a key that they withdraw must not
    /// be trusted again because the mirror goes back to an older root (TUF specification 5.3.8). They are stored
    /// separately, because the other documents need not verify under them, and stay in use until newer ones do.
    pub(super) fn adopt_roots(&mut self, worked_on: &Kept) -> bool {
        let known = self.kept.copied();
        let newer = worked_on
            .copied()
            .into_iter()
            .filter(|(name, text)| name.starts_with(ROOTS) && known.get(name) != Some(text));
        let newer: BTreeMap<_, _> = newer.collect();
        let is_new = newer
            .iter()
            .any(|(name, text)| self.roots.get(name) != Some(text));
        self.roots.extend(newer);
        is_new
    }

    /// Reads it; `None` if the file does not exist.
    ///
    /// # Errors
    /// A file that cannot be read, or that this program did not write.
    pub(super) fn read(path: &Path) -> std::io::Result<Option<Self>> {
        let bytes = match file::read(path, MAX_BYTES).map_err(std::io::Error::from) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let written: Written = serde_json::from_slice(&bytes)?;
        Ok(Some(Self {
            refreshed: written.refreshed,
            kept: Arc::new(Kept(Mutex::new(written.files))),
            roots: written.roots,
            refresh_requests: written.refresh_requests,
        }))
    }

    /// Replaces the file. If we crash here, either the old one is there or the new one.
    pub(super) fn write(&self, path: &Path) -> std::io::Result<()> {
        let files = self.kept.copied();
        let bytes = serde_json::to_vec(&Written {
            refreshed: self.refreshed,
            files,
            roots: self.roots.clone(),
            refresh_requests: self.refresh_requests.clone(),
        })?;
        if bytes.len() > MAX_BYTES {
            return Err(FileError::TooLong {
                limit_bytes: MAX_BYTES,
            }
            .into());
        }
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        // Readable for the owner alone whatever the umask, which may remove permissions of a new file.
        #[cfg(unix)]
        {
            file.as_file()
                .set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
            if rustix::process::geteuid().is_root() {
                use rustix::fs::{Mode, OFlags, open};
                let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
                let directory = open(directory, flags, Mode::empty())?;
                file::give_to_owner_of(directory, file.as_file())?;
            }
        }
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

impl Kept {
    /// The present content, for an update.
    pub(super) fn copy(&self) -> Self {
        Self(Mutex::new(self.copied()))
    }

    fn copied(&self) -> BTreeMap<String, String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
