//! Why the store could not do it.

use std::path::PathBuf;

/// Why the store could not do it. Nothing was written, except where a variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another monitor holds the lock.
    #[error("{path} is in use by another monitor ({}lock {lock})", .holder.map(|id| format!("process {id}, ")).unwrap_or_default())]
    Locked {
        /// The database.
        path: PathBuf,
        /// The lock file.
        lock: PathBuf,
        /// The process that wrote its number there when it took the lock.
        holder: Option<u32>,
    },
    /// Written by a newer version.
    #[error(
        "{path} was written by a newer modelwatch (schema {found}, this version knows {known}): upgrade this program"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// Written by an older version, and opened for reading only.
    #[error(
        "{path} was written by an older modelwatch (schema {found}, this version knows {known}): the next `modelwatch monitor` brings it up to date"
    )]
    Older {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// Opened for reading only, and not there.
    #[error("{path} does not exist yet: the first `modelwatch monitor` creates it")]
    Absent {
        /// The database.
        path: PathBuf,
    },
    /// The stored position is not the expected one: somebody else moved it.
    #[error("the position of {origin} is not where it was expected: another monitor moved it")]
    Moved {
        /// The log.
        origin: String,
    },
    /// The disk is full.
    #[error("no space is left for {path}")]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("{path} cannot be written: it, or its directory, is read-only")]
    ReadOnly {
        /// The database.
        path: PathBuf,
    },
    /// A stored value is not what this program writes.
    #[error(
        "{path} is damaged ({what}): restore a copy of it; without one, move it away, and the next `modelwatch monitor` begins anew and says what it would leave out"
    )]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// Which value.
        what: String,
    },
    /// What is there is no database of this program.
    #[error(
        "{path} is {what}: `url` in [store] has to name the database, or a file that is not there yet"
    )]
    NotADatabase {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Several findings have ids that begin like this.
    #[error("several findings have an id that begins with {0}: give more digits")]
    Ambiguous(String),
    /// It cannot be opened.
    #[error("{path} cannot be opened")]
    Open {
        /// The database.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database refused.
    #[error("{path}: {action}")]
    Database {
        /// The database.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
