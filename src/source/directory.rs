//! Reading files of a directory that someone else may write to.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Component, Path};

use bytes::Bytes;

use super::error::Cause;
use super::transport::TransportError;

/// Reads the file `path` below `root`, at most `limit_bytes` of it. `Ok(None)`: there is none.
///
/// Only regular files are read: a pipe would make us wait for whoever writes it, a device has no
/// end. Symbolic links are followed; whoever can place them decides about the content anyway.
pub(super) fn read(
    root: &Path,
    path: &str,
    limit_bytes: usize,
) -> Result<Option<Bytes>, TransportError> {
    let relative = Path::new(path);
    debug_assert!(
        relative
            .components()
            .all(|c| matches!(c, Component::Normal(_))),
        "paths within a log are made by us, from numbers"
    );
    let file = match open(&root.join(relative)) {
        Ok(file) => file,
        Err(e) if is_absent(&e) => return Ok(None),
        Err(e) => return Err(Cause::Io(e).into()),
    };
    // Asked of the open file: what lies at the path may have been replaced since.
    let metadata = file.metadata().map_err(Cause::Io)?;
    if !metadata.is_file() {
        return Err(Cause::NotAFile.into());
    }
    let limit = limit_bytes as u64;
    if metadata.len() > limit {
        return Err(TransportError::TooLarge { limit_bytes });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    // It may grow while it is read.
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(Cause::Io)?;
    if bytes.len() > limit_bytes {
        return Err(TransportError::TooLarge { limit_bytes });
    }
    Ok(Some(bytes.into()))
}

fn is_absent(error: &io::Error) -> bool {
    // `a/b` does not exist either if `a` is a file.
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Opening a pipe waits for a writer otherwise, before we can see that it is one.
        options.custom_flags(libc::O_NONBLOCK);
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;

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
