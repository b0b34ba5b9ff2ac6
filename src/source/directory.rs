//! Reading files of a directory that someone else may write to.

use std::io;
use std::path::{Component, Path};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::buffers::Buffers;
use super::error::Cause;
use super::transport_error::TransportError;
use crate::file::{self, FileError};

/// Most files that are read at once. Each is read by a thread of its own, and the allocator keeps memory for each thread: five
/// hundred logs that begin together would otherwise need as many threads.
const MAX_AT_ONCE: usize = 4;

/// How long a file waits until others were read. After that time it is read all the same: a disk that does not answer must not
/// stop the logs on other disks.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads the files of logs in directories. Clones share the buffers, and the limit of what is read at once: a hundred logs need
/// no more of both than one.
#[derive(Clone, Debug)]
pub struct Files {
    buffers: Buffers,
    readers: Arc<Semaphore>,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            buffers: Buffers::default(),
            readers: Arc::new(Semaphore::new(MAX_AT_ONCE)),
        }
    }
}

impl Files {
    /// Reads the file `path` below `root`, as [`read`] does, without blocking the task.
    pub(super) async fn read(
        &self,
        root: &Arc<Path>,
        path: &str,
        limit_bytes: usize,
    ) -> Result<Option<Bytes>, TransportError> {
        let reader = timeout(PATIENCE, Arc::clone(&self.readers).acquire_owned()).await;
        let (root, path, buffers) = (Arc::clone(root), path.to_owned(), self.buffers.clone());
        tokio::task::spawn_blocking(move || {
            // Also when the task that waits is dropped: the thread still reads.
            let _reader = reader;
            read(&root, &path, limit_bytes, &buffers)
        })
        .await
        .unwrap_or_else(|e| Err(Cause::Io(io::Error::other(e)).into()))
    }
}

/// Reads the file `path` below `root`, at most `limit_bytes` of it. `Ok(None)`: there is none.
///
/// Only regular files are read: a pipe would block until data is written to it, and a device has no end. Symbolic links
/// are followed, because a person who can create them controls the content anyway.
fn read(
    root: &Path,
    path: &str,
    limit_bytes: usize,
    buffers: &Buffers,
) -> Result<Option<Bytes>, TransportError> {
    let relative = Path::new(path);
    debug_assert!(
        relative
            .components()
            .all(|c| matches!(c, Component::Normal(_))),
        "paths within a log are built here, from numbers"
    );
    let take = |length| buffers.take(length);
    match file::read_regular_into(&root.join(relative), limit_bytes, take) {
        Ok(bytes) => Ok(bytes.map(|bytes| buffers.share_bytes(bytes))),
        Err(FileError::TooLong { limit_bytes }) => Err(TransportError::TooLarge { limit_bytes }),
        Err(FileError::NotRegular) => Err(Cause::NotAFile.into()),
        Err(FileError::Io(error)) => Err(Cause::Io(error).into()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;

    fn read(root: &Path, path: &str, limit: usize) -> Result<Option<Bytes>, TransportError> {
        super::read(root, path, limit, &Buffers::default())
    }

    #[test]
    fn a_file_is_read_up_to_the_limit_and_not_beyond() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), [7; 10]).unwrap();
        let whole = read(dir.path(), "file", 10).unwrap();
        assert_eq!(whole.as_deref(), Some(&[7; 10][..]));
        assert!(matches!(
            read(dir.path(), "file", 9),
            Err(TransportError::TooLarge { limit_bytes: 9 })
        ));
    }

    #[test]
    fn only_what_does_not_exist_is_absent() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        std::fs::create_dir(dir.path().join("000")).unwrap();
        for path in ["missing", "missing/too", "file/below"] {
            assert!(matches!(read(dir.path(), path, 10), Ok(None)), "{path}");
        }
        assert!(matches!(
            read(dir.path(), "000", 10),
            Err(TransportError::Other(Cause::NotAFile))
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn few_files_are_read_at_once_and_none_waits_without_end() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "x").unwrap();
        let (files, root) = (Files::default(), Arc::from(dir.path()));
        let all = u32::try_from(MAX_AT_ONCE).unwrap();
        let busy = files.clone().readers.acquire_many_owned(all).await;
        let before = tokio::time::Instant::now();
        assert!(files.read(&root, "file", 1).await.unwrap().is_some());
        assert_eq!(before.elapsed(), PATIENCE, "clones share the limit");
        drop(busy);
        let before = tokio::time::Instant::now();
        assert!(files.read(&root, "file", 1).await.unwrap().is_some());
        assert_eq!(before.elapsed(), Duration::ZERO);
        assert_eq!(files.readers.available_permits(), MAX_AT_ONCE);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_or_a_device_in_the_place_of_a_file_neither_blocks_nor_streams() {
        let dir = tempfile::tempdir().unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(dir.path().join("pipe"))
            .status()
            .unwrap();
        assert!(made.success());
        std::os::unix::fs::symlink("/dev/zero", dir.path().join("zero")).unwrap();
        for path in ["pipe", "zero"] {
            assert!(
                matches!(
                    read(dir.path(), path, 10),
                    Err(TransportError::Other(Cause::NotAFile))
                ),
                "{path}"
            );
        }
    }
}
