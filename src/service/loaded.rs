//! The configuration of the running daemon, as a value in the store.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::error::ServiceError;
use crate::config::MAX_CONFIG_BYTES;
use crate::file;
use crate::report::DaemonStatus;
use crate::store::{StoreError, Values};

/// The key of the value; it is empty while no daemon runs.
const KEY: &str = "daemon-configuration";

#[derive(Debug, Serialize, Deserialize)]
struct Loaded {
    /// The file, as an absolute path.
    file: PathBuf,
    /// SHA-256 of its bytes, hex.
    sha256: String,
    /// When it was read.
    at: Timestamp,
    /// The process.
    process: u32,
}

/// SHA-256 of a configuration, hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The same for a file; `None` if it cannot be read.
fn fingerprint(path: &Path) -> Option<String> {
    let bytes = file::read(path, MAX_CONFIG_BYTES).ok()?;
    Some(sha256(&bytes))
}

/// Records the configuration of this daemon.
///
/// # Errors
///
/// The store cannot be written, or the path of the file cannot be made absolute.
pub(super) async fn record(
    store: &dyn Values,
    path: &Path,
    sha256: &str,
    now: Timestamp,
) -> Result<(), ServiceError> {
    let loaded = Loaded {
        file: std::path::absolute(path)
            .map_err(ServiceError::system("the working directory cannot be read"))?,
        sha256: sha256.to_owned(),
        at: now,
        process: std::process::id(),
    };
    let text = serde_json::to_string(&loaded).map_err(|error| {
        ServiceError::system("the name of the configuration file is not UTF-8")(error.into())
    })?;
    store.put_value(KEY, &text).await?;
    Ok(())
}

/// Removes the record: the daemon ends.
///
/// # Errors
///
/// The store cannot be written.
pub(super) async fn clear(store: &dyn Values) -> Result<(), StoreError> {
    store.put_value(KEY, "").await
}

/// The running daemon; `None` if no daemon runs.
///
/// # Errors
///
/// The store cannot be read.
pub(super) async fn daemon(store: &dyn Values) -> Result<Option<DaemonStatus>, StoreError> {
    let Some(text) = store.get_value(KEY).await? else {
        return Ok(None);
    };
    let Ok(loaded) = serde_json::from_str::<Loaded>(&text) else {
        return Ok(None);
    };
    if !is_running(loaded.process) {
        return Ok(None);
    }
    Ok(Some(DaemonStatus {
        process: loaded.process,
        loaded: loaded.at,
        // A file that cannot be read has changed.
        changed: fingerprint(&loaded.file).is_none_or(|now| now != loaded.sha256),
        file: loaded.file,
    }))
}

/// Whether there is such a process, as far as this system shows it.
fn is_running(process: u32) -> bool {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, test_kill_process};
        i32::try_from(process)
            .ok()
            .and_then(Pid::from_raw)
            .is_some_and(|pid| {
                // A process of another user exists too.
                !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH))
            })
    }
    #[cfg(not(unix))]
    {
        let _ = process;
        true
    }
}
