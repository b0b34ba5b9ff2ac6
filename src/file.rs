//! The one place for bounded reads of files: nothing that is larger than it may be is read into memory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system's error.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file has more bytes than it may have.
    #[error("longer than {limit_bytes} bytes")]
    TooLong {
        /// How many it may have.
        limit_bytes: usize,
    },
    /// A directory, a device or a pipe where only a regular file is read.
    #[error("not a regular file")]
    NotRegular,
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        let kind = match error {
            FileError::Io(error) => return error,
            FileError::TooLong { .. } => io::ErrorKind::FileTooLarge,
            FileError::NotRegular => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error.to_string())
    }
}

/// Reads a file of at most `limit_bytes`. The operator named it: it may be a pipe.
///
/// # Errors
/// The file cannot be read, or is longer.
pub fn read(path: &Path, limit_bytes: usize) -> Result<Vec<u8>, FileError> {
    read_from(File::open(path)?, limit_bytes)
}

/// As [`read`], for text in UTF-8.
///
/// # Errors
/// As [`read`], or it is not UTF-8.
pub fn read_text(path: &Path, limit_bytes: usize) -> Result<String, FileError> {
    read(path, limit_bytes).and_then(text)
}

/// The bytes of a file as text.
///
/// # Errors
/// They are not UTF-8.
pub fn text(bytes: Vec<u8>) -> Result<String, FileError> {
    let text = String::from_utf8(bytes);
    // The error of `String::from_utf8` holds the bytes, which may be a secret.
    Ok(text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not valid UTF-8"))?)
}

/// As [`read`], on a thread that may wait for the disk.
///
/// # Errors
/// As [`read`].
pub async fn read_async(path: &Path, limit_bytes: usize) -> Result<Vec<u8>, FileError> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || read(&path, limit_bytes));
    read.await
        .unwrap_or_else(|error| Err(io::Error::other(error).into()))
}

/// Reads a stream of at most `limit_bytes` to its end.
///
/// # Errors
/// The stream cannot be read, or is longer.
pub fn read_from(stream: impl Read, limit_bytes: usize) -> Result<Vec<u8>, FileError> {
    read_into(Vec::new(), stream, limit_bytes)
}

fn read_into(
    mut bytes: Vec<u8>,
    stream: impl Read,
    limit_bytes: usize,
) -> Result<Vec<u8>, FileError> {
    // One byte more shows that there is more.
    let limit = (limit_bytes as u64).saturating_add(1);
    stream.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > limit_bytes {
        return Err(FileError::TooLong { limit_bytes });
    }
    Ok(bytes)
}

/// Reads a regular file of at most `limit_bytes` that another user may have written; `Ok(None)` if it does not exist.
///
/// A pipe would make this program wait for its writer, and a device has no end. Symbolic links are followed: the owner of
/// the directory decides about its content anyway.
///
/// # Errors
/// The file cannot be read, is longer, or is not a regular file.
pub fn read_regular(path: &Path, limit_bytes: usize) -> Result<Option<Vec<u8>>, FileError> {
    read_regular_into(path, limit_bytes, Vec::with_capacity)
}

/// As [`read_regular`], into the empty buffer that `buffer` gives for the length of the file.
///
/// # Errors
/// As [`read_regular`].
pub fn read_regular_into(
    path: &Path,
    limit_bytes: usize,
    buffer: impl FnOnce(usize) -> Vec<u8>,
) -> Result<Option<Vec<u8>>, FileError> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Otherwise opening a pipe waits for a writer, before its type can be read.
        options.custom_flags(libc::O_NONBLOCK);
    }
    let file = match options.open(path) {
        Ok(file) => file,
        // `a/b` does not exist either if `a` is a file.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    // The type of the open file: the file at this path may have been replaced since.
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(FileError::NotRegular);
    }
    match usize::try_from(metadata.len()) {
        // The file may grow while it is read, so its length is only a hint.
        Ok(length) if length <= limit_bytes => {
            read_into(buffer(length), file, limit_bytes).map(Some)
        }
        _ => Err(FileError::TooLong { limit_bytes }),
    }
}

/// Waits until the names in a directory are on the disk: those of files that were put there just now.
///
/// # Errors
/// The directory cannot be opened or written.
#[cfg(unix)]
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Reads the beginning of a file: `limit_bytes`, or fewer if the file has fewer.
///
/// # Errors
/// The file cannot be read.
pub fn read_head(path: &Path, limit_bytes: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(limit_bytes as u64)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Gives a new file to the owner of the directory that it is in, if this process is root's.
///
/// For files of a service's state. Otherwise the service could not read what a `modelwatch check` by root has created.
/// Without the capability to do it, as in some containers, the file stays root's.
///
/// # Errors
/// The directory cannot be asked for its owner.
#[cfg(unix)]
pub fn give_to_owner_of(
    directory: impl std::os::fd::AsFd,
    file: impl std::os::fd::AsFd,
) -> io::Result<()> {
    use rustix::fs::{Gid, Uid, fchown, fstat};
    if rustix::process::geteuid().is_root() {
        let owner = fstat(directory)?;
        let (user, group) = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
        let _ = fchown(file, Some(user), Some(group));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;

    #[test]
    fn a_file_of_the_limit_is_read_and_one_byte_more_is_too_long() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, [b'x'; 10]).unwrap();
        assert_eq!(read(&path, 10).unwrap(), [b'x'; 10]);
        assert_eq!(read_text(&path, 10).unwrap(), "xxxxxxxxxx");
        assert_eq!(read_regular(&path, 10).unwrap().unwrap(), [b'x'; 10]);
        for error in [
            read(&path, 9).unwrap_err(),
            read_text(&path, 9).unwrap_err(),
            read_regular(&path, 9).unwrap_err(),
        ] {
            assert_eq!(error.to_string(), "longer than 9 bytes");
            assert_eq!(io::Error::from(error).kind(), io::ErrorKind::FileTooLarge);
        }
        assert_eq!(read_head(&path, 3).unwrap(), b"xxx");
        assert_eq!(read_head(&path, 30).unwrap(), [b'x'; 10]);
        assert_eq!(read_from(io::empty(), 0).unwrap(), b"");
        assert!(matches!(
            read_from(io::repeat(0), 100),
            Err(FileError::TooLong { limit_bytes: 100 })
        ));
    }

    #[test]
    fn absent_is_never_the_same_as_unreadable() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, b"\xff").unwrap();
        assert!(
            read_regular(&directory.path().join("none"), 1)
                .unwrap()
                .is_none()
        );
        assert!(read_regular(&file.join("below"), 1).unwrap().is_none());
        assert!(matches!(
            read_regular(directory.path(), 1),
            Err(FileError::NotRegular)
        ));
        let error = read_text(&file, 1).unwrap_err();
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidData);
        let error = read(&directory.path().join("none"), 1).unwrap_err();
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn an_asynchronous_read_has_the_same_limit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "ab").unwrap();
        assert_eq!(read_async(&path, 2).await.unwrap(), b"ab");
        assert!(matches!(
            read_async(&path, 1).await,
            Err(FileError::TooLong { .. })
        ));
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_and_a_device_are_refused_where_only_files_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("zero");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert!(matches!(
            read_regular(&link, 10),
            Err(FileError::NotRegular)
        ));
    }
}
