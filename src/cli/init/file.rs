//! The file that is written: whole or not at all, and never over another one by accident.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

use crate::cli::output::Mistake;

/// Refuses before any question is asked.
pub(super) fn refuse(path: &Path, force: bool) -> anyhow::Result<()> {
    if !force && path.symlink_metadata().is_ok() {
        return Err(exists(path).into());
    }
    let directory = directory(path);
    if !directory.is_dir() {
        return Err(Mistake(format!("{} is not a directory", directory.display())).into());
    }
    if path.is_dir() {
        return Err(Mistake(format!("{} is a directory", path.display())).into());
    }
    Ok(())
}

/// Writes a file that only its owner may read: a URL or a command that is added to it later may hold a secret.
pub(super) fn write(path: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    let doing = || format!("{} cannot be written", path.display());
    // Readable by its owner alone from its first moment.
    let mut file = tempfile::NamedTempFile::new_in(directory(path)).with_context(doing)?;
    file.write_all(text.as_bytes()).with_context(doing)?;
    file.as_file().sync_all().with_context(doing)?;
    // Crash before this: a temporary file is left over. After it: the whole configuration is there.
    if force {
        file.persist(path)
            .map_err(|error| error.error)
            .with_context(doing)?;
        return Ok(());
    }
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        // Somebody else was faster than our first look.
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(exists(path).into())
        }
        Err(error) => Err(error.error).with_context(doing),
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
