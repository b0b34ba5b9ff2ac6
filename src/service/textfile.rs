//! The file with the metrics, for node_exporter's textfile collector.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::error::{ServiceError, causes};
use super::view::View;
use crate::clock;
use crate::escape;
use crate::file;
use crate::store::Store;

/// Writes the metrics after each pass.
pub(super) struct Textfile {
    path: PathBuf,
    /// The last problem that was reported: a daemon reports each once.
    reported: Option<String>,
}

/// Why the metrics were not written.
#[derive(Debug, thiserror::Error)]
enum TextfileError {
    #[error(transparent)]
    Metrics(#[from] ServiceError),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
}

impl Textfile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            reported: None,
        }
    }

    /// Replaces the file. If that is not possible, this is logged, and the old file stays: its time of the last pass
    /// shows its age.
    pub(super) async fn replace(&mut self, view: &View, store: &dyn Store) {
        match self.try_replace(view, store).await {
            Ok(()) => {
                if self.reported.take().is_some() {
                    let path = self.path.display().to_string();
                    tracing::warn!("the metrics are written again: {}", escape::terminal(&path));
                }
            }
            Err(error) => {
                let problem = causes(&error);
                if self.reported.as_ref() != Some(&problem) {
                    tracing::error!(
                        "the metrics were not written, and the file shows an old state: {}",
                        escape::terminal(&problem)
                    );
                }
                self.reported = Some(problem);
            }
        }
    }

    async fn try_replace(&self, view: &View, store: &dyn Store) -> Result<(), TextfileError> {
        let text = view.metrics(store, clock::now()).await?;
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || write(&path, text.as_bytes())).await;
        written
            .unwrap_or_else(|ended| Err(io::Error::other(ended)))
            .map_err(|source| TextfileError::File {
                path: self.path.clone(),
                source,
            })
    }
}

/// Replaces the file in one step: a reader sees the old content or the new one, and every user may read it, whatever the
/// umask.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it names no file",
        ));
    };
    // node_exporter reads only names that end in `.prom`.
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(".tmp");
    let beside = directory.join(beside);
    // Of a pass that was killed here.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = fill(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&beside);
    }
    written?;
    // `Path::parent` of a bare name is empty.
    let is_here = directory.as_os_str().is_empty();
    file::sync_directory(if is_here { Path::new(".") } else { directory })
}

/// Creates a file with this content and syncs it. A link that another user has put there is not followed.
fn fill(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn content(path: &Path) -> (String, u32) {
        let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
        (file::read_text(path, 100).unwrap(), mode)
    }

    #[test]
    fn the_file_is_replaced_readable_for_all_and_leaves_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m.prom");
        write(&path, b"one").unwrap();
        assert_eq!(content(&path), ("one".to_owned(), 0o644));
        // What a killed pass leaves, and a link that would lead elsewhere.
        let other = directory.path().join("other");
        fs::write(&other, "theirs").unwrap();
        symlink(&other, directory.path().join(".m.prom.tmp")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(content(&path), ("two".to_owned(), 0o644));
        assert_eq!(content(&other).0, "theirs");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_cannot_be_written_is_an_error_and_the_old_file_stays() {
        let directory = tempfile::tempdir().unwrap();
        let absent = directory.path().join("absent/m.prom");
        assert_eq!(
            write(&absent, b"x").unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        // A directory in the place of the file cannot be replaced by a file.
        let path = directory.path().join("m.prom");
        fs::create_dir(&path).unwrap();
        write(&path, b"x").unwrap_err();
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
