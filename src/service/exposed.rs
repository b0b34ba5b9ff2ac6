//! Files of a monitor that other users of the machine may read or write.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use super::setup::Setup;
use crate::store::sqlite::SqliteStore;
use crate::trust::SourceSettings;

/// Files of this configuration that other users may read or write, as sentences. The permissions are not changed: their
/// owner may have intended them.
pub fn exposed(setup: &Setup) -> Vec<String> {
    let mut files = SqliteStore::files(&setup.config.database);
    if let Some(settings) = setup.trust_settings()
        && let SourceSettings::Tuf { cache, .. } = &settings.source
    {
        files.push(cache.clone());
    }
    let mut said: Vec<String> = files
        .iter()
        .filter_map(|file| exposed_file(file, &file.metadata().ok()?))
        .collect();
    let directories = files.iter().map(|file| match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    });
    let mut directories: Vec<PathBuf> = directories.collect();
    directories.sort_unstable();
    directories.dedup();
    said.extend(
        directories
            .iter()
            .filter_map(|directory| exposed_directory(directory, &directory.metadata().ok()?)),
    );
    said
}

#[cfg(unix)]
fn mode(of: &Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&of.permissions()) & 0o7777
}

#[cfg(not(unix))]
fn mode(_of: &Metadata) -> u32 {
    0
}

fn exposed_file(path: &Path, file: &Metadata) -> Option<String> {
    let mode = mode(file);
    let may = match (mode & 0o044 != 0, mode & 0o022 != 0) {
        (_, true) => "write",
        (true, false) => "read",
        (false, false) => return None,
    };
    Some(format!(
        "{}: other users may {may} it (mode {mode:04o}), and every user who may open the lock can prevent the monitor from starting: chmod 600",
        path.display()
    ))
}

/// Other users who may write to a directory can replace the files in it, unless it is sticky, as /tmp is.
fn exposed_directory(path: &Path, directory: &Metadata) -> Option<String> {
    let mode = mode(directory);
    (mode & 0o002 != 0 && mode & 0o1000 == 0).then(|| {
        format!(
            "{}: other users may replace the files in this directory (mode {mode:04o}): chmod 700",
            path.display()
        )
    })
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_others_may_open_and_where_they_may_replace_files_is_exposed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("modelwatch.db.lock");
        fs::write(&file, "").unwrap();
        for (mode, expected) in [
            (0o600, None),
            (0o400, None),
            (0o644, Some("may read it (mode 0644)")),
            (0o640, Some("may read it (mode 0640)")),
            (0o604, Some("may read it (mode 0604)")),
            (0o666, Some("may write it (mode 0666)")),
            (0o602, Some("may write it (mode 0602)")),
        ] {
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            let said = exposed_file(&file, &file.metadata().unwrap());
            let has = |part: &str| said.as_ref().is_some_and(|said| said.contains(part));
            assert!(expected.map_or(said.is_none(), has), "{mode:o}: {said:?}");
        }
        for (mode, is_exposed) in [
            (0o700, false),
            (0o755, false),
            (0o777, true),
            (0o1777, false),
        ] {
            fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
            let said = exposed_directory(directory.path(), &directory.path().metadata().unwrap());
            assert_eq!(said.is_some(), is_exposed, "{mode:o}");
        }
    }
}
