//! Errors inside the store, and their conversion into the error that the caller gets.

use std::path::Path;

use crate::file;
use crate::store::StoreError;

/// An error without the name of the database and of the action.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fail {
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error("the position of {0} moved")]
    Moved(String),
    #[error("{0}")]
    Corrupt(String),
    #[error("{0} is ambiguous")]
    Ambiguous(String),
    #[error("opened for reading only")]
    ReadOnly,
    #[error("{0}")]
    Displaced(String),
}

/// An error while a database is opened.
pub(super) fn opening(error: sqlx::Error, path: &Path) -> StoreError {
    match Fail::Sql(error).during("opening it", path) {
        StoreError::Database { path, source, .. } => StoreError::Open { path, source },
        other => other,
    }
}

impl Fail {
    /// A stored value that this program does not write.
    pub(super) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt(what.into())
    }

    /// Converts it into the error that the caller gets.
    pub(super) fn during(self, action: &'static str, path: &Path) -> StoreError {
        let path = path.to_owned();
        match self {
            Self::Moved(origin) => StoreError::Moved { origin },
            Self::Ambiguous(prefix) => StoreError::Ambiguous(prefix),
            Self::Corrupt(what) => StoreError::Corrupt { path, what },
            Self::ReadOnly => StoreError::ReadOnly { path },
            Self::Displaced(what) => StoreError::Displaced { what },
            Self::Sql(error) => match primary_code(&error) {
                Some(SQLITE_FULL) => StoreError::Full { path },
                Some(SQLITE_READONLY) => StoreError::ReadOnly { path },
                Some(SQLITE_CANTOPEN) => StoreError::Open {
                    path,
                    source: error.into(),
                },
                Some(SQLITE_NOTADB) if !begins_as_a_database(&path) => StoreError::Corrupt {
                    path,
                    what: "it does not begin as a database".to_owned(),
                },
                Some(SQLITE_CORRUPT | SQLITE_NOTADB) => StoreError::Corrupt {
                    path,
                    what: error.to_string(),
                },
                _ if is_undecodable(&error) => StoreError::Corrupt {
                    path,
                    what: error.to_string(),
                },
                _ => StoreError::Database {
                    path,
                    action,
                    source: error.into(),
                },
            },
        }
    }
}

// Primary result codes, https://www.sqlite.org/rescode.html.
const SQLITE_READONLY: u32 = 8;
const SQLITE_CORRUPT: u32 = 11;
const SQLITE_FULL: u32 = 13;
const SQLITE_CANTOPEN: u32 = 14;
const SQLITE_NOTADB: u32 = 26;

/// Whether the file begins as every SQLite database does (<https://www.sqlite.org/fileformat.html> §1.3.1). Otherwise
/// it was overwritten, or is no database.
fn begins_as_a_database(path: &Path) -> bool {
    const MAGIC: &[u8; 16] = b"SQLite format 3\0";
    file::read_head(path, MAGIC.len()).is_ok_and(|head| head == MAGIC)
}

/// The low byte of SQLite's extended result code is the primary one.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

/// A column that has a value of another type than this program writes.
fn is_undecodable(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_)
    )
}

/// Whether SQLite could not open the files that a reader of a write-ahead log needs.
pub(super) fn cannot_open(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(SQLITE_CANTOPEN | SQLITE_READONLY))
}
