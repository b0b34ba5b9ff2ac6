//! What is told past the store: because it cannot be used, or is another process's.
//!
//! The outbox is in the store. So such a message is not queued and not tried again.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::setup::{self, Setup};
use crate::escape;
use crate::finding::{Finding, FindingId, Severity, Verdict};
use crate::notify::{NotifyError, Outbox};
use crate::store::StoreError;
use crate::store::sqlite::{SqliteStore, StoreLock};
use crate::trust::SourceSettings;

/// How often it is told that the same process has the lock: cron may start a monitor every minute.
const LOCK_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// Where it is remembered that it was told.
const MEMORY: &str = "lock.told";

/// A lock that could not be had, and that somebody knows of it.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    at: Timestamp,
    what: String,
}

/// The finding that the store cannot be used, and why.
pub fn finding(subject: &str, since: Timestamp, summary: String) -> Finding {
    Finding::new(
        FindingId::of_episode(Verdict::StoreFailing, subject, since),
        Verdict::StoreFailing,
        Severity::High,
        summary,
        since,
    )
}

/// Says on the log of this program which channels did not take a message.
pub fn say_untold(untold: &[(String, NotifyError)]) {
    for (channel, error) in untold {
        tracing::error!(
            "{}: {}",
            escape::terminal(channel),
            escape::terminal(&error.without_names())
        );
    }
}

/// Whether it does not pass by trying again: what this process knows and what is stored are no longer the same.
pub fn is_final(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Moved { .. } | StoreError::Corrupt { .. } | StoreError::Displaced { .. }
    )
}

/// The error of the store that is behind this one, if it is final.
pub fn final_error(error: &anyhow::Error) -> Option<&StoreError> {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<StoreError>())
        .find(|error| is_final(error))
}

/// Takes the lock that keeps a second monitor off the store. That it cannot be had is told to the channels: a process that
/// holds it, whoever started it, keeps this one from seeing anything.
pub async fn lock(setup: &Setup) -> Result<StoreLock, StoreError> {
    let error = match setup.lock() {
        Err(error @ StoreError::Locked { .. }) => error,
        taken => return taken,
    };
    let now = setup::now();
    let what = error.to_string();
    if was_told(setup, &what, now).await {
        return Err(error);
    }
    let channels = setup.channels_for(Severity::High);
    let summary = format!("this monitor could not begin and has read nothing: {what}");
    let untold = Outbox::send_without_a_store(
        setup
            .config()
            .channels
            .iter()
            .filter(|channel| channels.contains(&channel.name)),
        setup.http(),
        finding("lock", now, summary),
        now,
    )
    .await;
    say_untold(&untold);
    if untold.is_empty() {
        put_last_alert(setup, what, now).await;
    }
    Err(error)
}

/// Whether the same was told within the hour. A store that cannot be asked knows nothing of it.
async fn was_told(setup: &Setup, what: &str, now: Timestamp) -> bool {
    let Ok(store) = setup.reader().await else {
        return false;
    };
    let told = store.get_value(MEMORY).await.ok().flatten();
    store.close().await;
    told.and_then(|told| serde_json::from_str::<Told>(&told).ok())
        .is_some_and(|told| {
            // One of the future was written by a clock that was wrong.
            told.what == what
                && (SignedDuration::ZERO..LOCK_PAUSE).contains(&now.duration_since(told.at))
        })
}

/// Keeps it for the next hour, beside whoever has the lock, as a registration is kept. Only where there is a store of this
/// version: without the lock none is created and none is changed.
async fn put_last_alert(setup: &Setup, what: String, now: Timestamp) {
    let Ok(reader) = setup.reader().await else {
        return;
    };
    reader.close().await;
    let told = Told { at: now, what };
    let Ok(told) = serde_json::to_string(&told) else {
        return;
    };
    if let Ok(store) = setup.writer().await {
        // It is told once more then.
        let _ = store.put_value(MEMORY, &told).await;
        store.close().await;
    }
}

/// Files of this configuration that others than their owner may read or write, as sentences. They stay as they are: their
/// owner may have meant it.
pub fn exposed(setup: &Setup) -> Vec<String> {
    let mut files = SqliteStore::files(&setup.config().database);
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
        "{}: other users may {may} it (mode {mode:04o}), and whoever may open the lock can keep the monitor from starting: chmod 600",
        path.display()
    ))
}

/// Who may write to a directory may put another file in the place of one in it, unless it is sticky, as /tmp is.
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
