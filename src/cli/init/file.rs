//! The file that is written: whole or not at all, and never over another one by accident.

use std::io::Write as _;
use std::path::Path;

use crate::cli::output::Mistake;

/// Checked before any question.
pub(super) fn refuse(path: &Path, force: bool) -> anyhow::Result<()> {
    if path.is_dir() {
        return Err(Mistake(format!("{} is a directory", path.display())).into());
    }
    if !force && path.symlink_metadata().is_ok() {
        return Err(exists(path).into());
    }
    let directory = directory(path);
    if !directory.is_dir() {
        return Err(Mistake(format!("{} is not a directory", directory.display())).into());
    }
    // Otherwise the error would come after all questions were answered. The file is removed again at once.
    tempfile::NamedTempFile::new_in(directory).map_err(|error| unwritable(path, &error))?;
    Ok(())
}

/// Writes a file that only its owner may read: a URL or a command that is added to it later may hold a secret.
pub(super) fn write(path: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    let doing = |error: std::io::Error| unwritable(path, &error);
    // From its creation on, only its owner can read it.
    let mut file = tempfile::NamedTempFile::new_in(directory(path)).map_err(doing)?;
    file.write_all(text.as_bytes()).map_err(doing)?;
    file.as_file().sync_all().map_err(doing)?;
    // Crash before this: a temporary file is left over. After it: the whole configuration is there.
    if force {
        file.persist(path).map_err(|error| doing(error.error))?;
        return Ok(());
    }
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        // Another process created it after the first check.
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(exists(path).into())
        }
        Err(error) => Err(doing(error.error)),
    }
}

/// A place that does not take files is the operator's to choose; a disk that is full is not his mistake.
fn unwritable(path: &Path, error: &std::io::Error) -> anyhow::Error {
    use std::io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
    // Without the name of the temporary file, which the operator did not choose.
    let said = format!("{} cannot be written: {}", path.display(), error.kind());
    match error.kind() {
        NotFound | PermissionDenied | ReadOnlyFilesystem => Mistake(said).into(),
        _ => anyhow::anyhow!(said),
    }
}

fn exists(path: &Path) -> Mistake {
    Mistake(format!(
        "{} is there already: --force replaces it, --output FILE names another",
        path.display()
    ))
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn a_file_is_replaced_only_by_force_and_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.toml");
        write(&path, "first", false).unwrap();
        assert!(write(&path, "second", false).unwrap_err().is::<Mistake>());
        assert!(refuse(&path, false).unwrap_err().is::<Mistake>());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
        refuse(&path, true).unwrap();
        write(&path, "second", true).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "second");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(refuse(&directory.path().join("absent/x.toml"), false).is_err());
        assert!(refuse(directory.path(), true).is_err());
    }
}
