//! A copy of the database for people to keep.

use std::io;
use std::path::Path;

use sqlx::sqlite::SqlitePool;

use super::fail::Fail;
use super::{SqliteStore, files, open};
use crate::file;
use crate::store::{Settings, StoreError};

impl SqliteStore {
    /// Writes the database, as it stands at this moment, into the new file `to`, and checks the copy by opening it. The
    /// database is only read, and a monitor that works on it is not disturbed. It may be of an earlier version: a backup
    /// before an upgrade is of that version.
    ///
    /// The copy is complete and on the disk when this returns `Ok`; otherwise there is no file `to`. Only its owner may
    /// read and write it.
    ///
    /// # Errors
    /// [`StoreError::Exists`]: there is a file already. [`StoreError::Full`]: no space is left for the copy. As
    /// [`Self::open_read_only`]; or the copy cannot be written.
    pub async fn backup(settings: &Settings, to: &Path) -> Result<(), StoreError> {
        let writing = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => StoreError::Exists {
                path: to.to_owned(),
            },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full {
                path: to.to_owned(),
            },
            _ => StoreError::Open {
                path: to.to_owned(),
                source: error.into(),
            },
        };
        // A symbolic link without a target is a file of the user, too.
        if to.symlink_metadata().is_ok() {
            return Err(writing(io::ErrorKind::AlreadyExists.into()));
        }
        // Absolute: SQLite takes a name that begins with `file:` for a URI.
        let path = std::path::absolute(to).map_err(writing)?;
        if path.to_str().is_none() {
            let reason = "the path of a backup must be UTF-8";
            return Err(writing(io::Error::new(io::ErrorKind::InvalidInput, reason)));
        }
        let directory = path.parent().unwrap_or(&path);
        let (reader, version) = open::readable_of_any_version(&settings.path).await?;
        let copy = tempfile::Builder::new()
            .prefix(".modelwatch-backup-")
            .tempfile_in(directory)
            .map_err(writing)?;
        let copied = open::vacuum_into(&reader, copy.path()).await;
        reader.close().await;
        let checked = match copied {
            Ok(()) => check(copy.path(), version).await,
            Err(error) => Err(
                match Fail::Sql(error).during("copying it", &settings.path) {
                    StoreError::Full { .. } => StoreError::Full {
                        path: to.to_owned(),
                    },
                    other => other,
                },
            ),
        };
        if let Err(error) = checked {
            // SQLite may have made it beside the copy; the copy itself is removed when its handle is dropped.
            let _ = std::fs::remove_file(files::beside(copy.path(), "-journal"));
            return Err(error);
        }
        copy.as_file().sync_all().map_err(writing)?;
        copy.persist_noclobber(&path)
            .map_err(|refused| writing(refused.error))?;
        file::sync_directory(directory).map_err(writing)
    }
}

/// That the copy is a whole database of that version.
async fn check(copy: &Path, version: i64) -> Result<(), StoreError> {
    let (reader, found) = open::readable_of_any_version(copy).await?;
    let checked = quick_check(&reader).await;
    reader.close().await;
    let said = checked.map_err(|error| Fail::Sql(error).during("checking it", copy))?;
    if found == version && said == "ok" {
        return Ok(());
    }
    Err(StoreError::Corrupt {
        path: copy.to_owned(),
        what: said,
    })
}

async fn quick_check(reader: &SqlitePool) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(reader)
        .await
}
