//! Errors of the store.

use std::fmt;
use std::path::PathBuf;

/// Why a call of the store failed. Nothing was written, unless a variant states otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the lock: a monitor, or any process that may open its file.
    #[error("{path} is in use: {lock} is locked by {holders}")]
    Locked {
        /// The database.
        path: PathBuf,
        /// The lock file.
        lock: PathBuf,
        /// The processes that hold it.
        holders: Holders,
    },
    /// The files are not those that this process opened: what it recorded from now on would be lost. A retry does not
    /// help.
    #[error(
        "{what} while this process works on it: nothing that it does now would be found there. Stop modelwatch before a database is removed, moved or restored, and start it again afterwards"
    )]
    Displaced {
        /// The file, and what happened to it.
        what: String,
    },
    /// A newer version wrote the database.
    #[error(
        "{path} was written by a newer modelwatch (schema {found}, this version supports {known}): {}",
        upgrade(oldest.as_deref())
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest that this version knows.
        known: i64,
        /// The oldest version that may open it, as far as the database names a newer one than this.
        oldest: Option<String>,
    },
    /// An older version wrote the database, and it was opened for reading only.
    #[error(
        "{path} was written by an older modelwatch (schema {found}, this version uses {known}): the next `modelwatch monitor` migrates it"
    )]
    Older {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// Opened for reading only, and the database does not exist.
    #[error("{path} does not exist yet: the first `modelwatch monitor` creates it")]
    Absent {
        /// The database.
        path: PathBuf,
    },
    /// The stored position is not the expected one: another process changed it.
    #[error("the position of {origin} is not where it was expected: another monitor moved it")]
    Moved {
        /// The log.
        origin: String,
    },
    /// A file that must be new is there already.
    #[error("{path} exists already, and is never written over: name a file that is not there")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("no space is left for {path}")]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// The database cannot be written.
    #[error("{path} cannot be written: it, or its directory, is read-only")]
    ReadOnly {
        /// The database.
        path: PathBuf,
    },
    /// A stored value is not one that this program writes.
    #[error(
        "{path} is damaged ({what}): restore a copy of it; without one, move it away, and the next `modelwatch monitor` begins again and names what it would leave out"
    )]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// Which value.
        what: String,
    },
    /// The file is not a database of this program.
    #[error(
        "{path} is {what}: `url` in [store] has to name the database, or a file that is not there yet"
    )]
    NotADatabase {
        /// The path.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// Several findings have ids that begin with these digits.
    #[error("several findings have an id that begins with {0}: give more digits")]
    Ambiguous(String),
    /// The database cannot be opened.
    #[error("{path} cannot be opened")]
    Open {
        /// The database.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An error of the database.
    #[error("{path}: {action}")]
    Database {
        /// The database.
        path: PathBuf,
        /// The action that failed.
        action: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What to do about a database of a newer version. `oldest` comes from the database, and was parsed as a version.
fn upgrade(oldest: Option<&str>) -> String {
    match oldest {
        Some(oldest) => format!("use modelwatch {oldest} or newer"),
        None => "upgrade this program".to_owned(),
    }
}

/// The processes that hold the lock of a database, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holders {
    /// The processes that the system names. It does not name those of other machines and other PID namespaces.
    pub processes: Vec<Holder>,
    /// The process id that the last monitor wrote to the lock file. That process may have ended long ago.
    pub written: Option<u32>,
}

/// A process that holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub process: u32,
    /// The user id of the process; `None` if it has ended, and a process that it started holds the lock.
    pub user: Option<u32>,
    /// Its command line, cut. The user who started it chose the text: escape it where it is shown.
    pub command: Option<String>,
}

impl fmt::Display for Holders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, holder) in self.processes.iter().enumerate() {
            let before = if place == 0 { "" } else { " and by " };
            write!(f, "{before}{holder}")?;
        }
        if self.processes.is_empty() {
            f.write_str("a process that this system does not name")?;
            if let Some(written) = self.written {
                write!(f, "; process {written} had it last")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.process)?;
        match (self.user, &self.command) {
            (Some(user), Some(command)) => write!(f, " of user {user} ({command})"),
            (Some(user), None) => write!(f, " of user {user}"),
            (None, _) => f.write_str(", which has ended, through another one that it started"),
        }
    }
}
