//! Opening the database: created and migrated by its owner, only read by others.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use super::fail::{self, Fail};
use crate::store::{Settings, StoreError};

/// Every schema that this version knows, built into the program.
static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// `PRAGMA application_id` of a modelwatch database: "mwat".
const APPLICATION_ID: i64 = 0x6d77_6174;

/// How long a writer waits for another process's transaction, such as `expect add` for a batch.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Page cache of the writer, KiB. The default of 2 MiB writes random index pages twice in a flood.
const WRITER_CACHE_KIB: i32 = 16 * 1024;

/// What the write-ahead log shrinks to again after a flood, in bytes.
const WAL_LIMIT_BYTES: i32 = 16 * 1024 * 1024;

/// Connections for reading. SQLite reads beside one writer; a list that is paged slowly into a pipe
/// must not keep others waiting.
const READERS: u32 = 4;

/// Scratch sets of a transaction: which findings it changes, which unsent alerts those leave.
const SCRATCH: &str = "CREATE TEMP TABLE touched (finding INTEGER NOT NULL PRIMARY KEY);
CREATE TEMP TABLE vacated (alert INTEGER NOT NULL PRIMARY KEY);";

/// The right to be the one monitor of a database.
///
/// The kernel releases it when the process dies, however it dies: no stale lock is ever left. The
/// file itself stays, because removing it would let two processes lock two files of one name.
#[derive(Debug)]
pub struct StoreLock {
    _file: File,
}

/// Takes the lock `<database>.lock`.
pub(super) fn lock(path: &Path) -> Result<StoreLock, StoreError> {
    require_directory(path)?;
    let mut lock = path.to_owned().into_os_string();
    lock.push(".lock");
    let lock = PathBuf::from(lock);
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&lock)
        .map_err(|error| match error.kind() {
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                StoreError::ReadOnly {
                    path: path.to_owned(),
                }
            }
            io::ErrorKind::StorageFull => StoreError::Full {
                path: path.to_owned(),
            },
            _ => StoreError::Open {
                path: lock.clone(),
                source: error.into(),
            },
        })?;
    match file.try_lock() {
        Ok(()) => {
            // For people only: the lock is what keeps others out, and holds on a full disk too.
            let _ = file
                .set_len(0)
                .and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
            Ok(StoreLock { _file: file })
        }
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked {
            path: path.to_owned(),
            holder: holder(&file),
            lock,
        }),
        Err(TryLockError::Error(error)) => Err(StoreError::Open {
            path: lock,
            source: error.into(),
        }),
    }
}

/// The number that the process which has the lock wrote there.
fn holder(lock: &File) -> Option<u32> {
    /// The longest process number, and the newline.
    const LONGEST: u64 = 11;
    let mut text = String::new();
    lock.take(LONGEST).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Opens for writing: the writer's one connection, and a pool for readers that connects on demand.
pub(super) async fn writable(settings: &Settings) -> Result<(SqlitePool, SqlitePool), StoreError> {
    let path = settings.path.as_path();
    require_directory(path)?;
    let options = options(path)
        .create_if_missing(true)
        // Law 4: WAL with NORMAL would lose the last commits when the machine dies.
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", (-WRITER_CACHE_KIB).to_string())
        .pragma("journal_size_limit", WAL_LIMIT_BYTES.to_string());
    let writer = pool(1)
        .after_connect(|connection, _| {
            Box::pin(async move { sqlx::raw_sql(SCRATCH).execute(connection).await.map(|_| ()) })
        })
        .connect_with(options)
        .await;
    let writer = writer.map_err(|error| opening(error, path))?;
    let version = version(&writer, path).await?;
    if version != newest() {
        MIGRATIONS
            .run(&writer)
            .await
            .map_err(|error| StoreError::Open {
                path: path.to_owned(),
                source: error.into(),
            })?;
    }
    // Only now: a database of another program was refused above, and stays as it is.
    sqlx::query("PRAGMA journal_mode = WAL")
        .execute(&writer)
        .await
        .map_err(|error| opening(error, path))?;
    let reader = pool(READERS).connect_lazy_with(self::options(path).read_only(true));
    Ok((writer, reader))
}

/// Opens for reading only: changes no byte, also where nothing can be written.
pub(super) async fn readable(settings: &Settings) -> Result<SqlitePool, StoreError> {
    let path = settings.path.as_path();
    let absent = || StoreError::Absent {
        path: path.to_owned(),
    };
    require_file(path)?;
    match path.metadata() {
        Ok(file) if file.len() == 0 && !wal_is_used(path) => return Err(absent()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(absent()),
        Err(error) => {
            return Err(StoreError::Open {
                path: path.to_owned(),
                source: error.into(),
            });
        }
    }
    let beside_a_writer = options(path).read_only(true);
    let reader = match first_read(beside_a_writer.clone()).await {
        Ok(reader) => reader,
        // A reader of a write-ahead log needs its index file, which it cannot create here. Without
        // such a log nobody writes, and the file alone is the whole truth. (`immutable` beside a
        // writer would read torn pages: so only then.)
        Err(error) if fail::cannot_open(&error) && !wal_is_used(path) => {
            first_read(beside_a_writer.immutable(true))
                .await
                .map_err(|error| opening(error, path))?
        }
        Err(error) => return Err(opening(error, path)),
    };
    match version(&reader, path).await? {
        0 => Err(absent()),
        version if version == newest() => Ok(reader),
        found => Err(StoreError::Older {
            path: path.to_owned(),
            found,
            known: newest(),
        }),
    }
}

/// Copies the database in one reading transaction.
pub(super) async fn copy(settings: &Settings, to: &Path) -> Result<(), StoreError> {
    let reader = readable(settings).await?;
    let copied = sqlx::query("VACUUM INTO ?")
        .bind(to.to_string_lossy().into_owned())
        .execute(&reader)
        .await;
    reader.close().await;
    copied
        .map(|_| ())
        .map_err(|error| Fail::Sql(error).during("copying it", &settings.path))
}

/// The directory of the database has to be there: a mistyped path must not become a new database.
fn require_directory(path: &Path) -> Result<(), StoreError> {
    require_file(path)?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => return Ok(()),
    };
    if directory.is_dir() {
        return Ok(());
    }
    let missing = format!("{} is not a directory", directory.display());
    Err(StoreError::Open {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::NotFound, missing).into(),
    })
}

/// What is at the path may only be a file.
fn require_file(path: &Path) -> Result<(), StoreError> {
    let not = |what| {
        Err(StoreError::NotADatabase {
            path: path.to_owned(),
            what,
        })
    };
    match path.metadata() {
        Ok(there) if there.is_dir() => not("a directory"),
        Ok(there) if !there.is_file() => not("not a file"),
        // That it is not there, or cannot be looked at, shows when it is opened.
        _ => Ok(()),
    }
}

/// Whether there is a write-ahead log with something in it.
fn wal_is_used(path: &Path) -> bool {
    let mut wal = path.to_owned().into_os_string();
    wal.push("-wal");
    Path::new(&wal).metadata().is_ok_and(|wal| wal.len() > 0)
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("temp_store", "MEMORY")
}

/// Connections are never retired: there is no network that could have cut them.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(0)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// Opening is lazy in SQLite: only a read tells whether the files can be used.
async fn first_read(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let reader = pool(1).connect_with(options).await?;
    sqlx::query("SELECT count(*) FROM sqlite_schema")
        .execute(&reader)
        .await?;
    Ok(reader)
}

fn opening(error: sqlx::Error, path: &Path) -> StoreError {
    match Fail::Sql(error).during("opening it", path) {
        StoreError::Database { path, source, .. } => StoreError::Open { path, source },
        other => other,
    }
}

/// The newest schema that this version knows.
fn newest() -> i64 {
    MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// The schema of the database, 0 for an empty one; a newer or a foreign one is an error.
async fn version(pool: &SqlitePool, path: &Path) -> Result<i64, StoreError> {
    let (application, tables, migrated): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT application_id FROM pragma_application_id),
                (SELECT count(*) FROM sqlite_schema WHERE type = 'table'),
                (SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations')",
    )
    .fetch_one(pool)
    .await
    .map_err(|error| opening(error, path))?;
    if application != APPLICATION_ID {
        // sqlx creates its table before the first migration sets the id: a crash may come between.
        if application == 0 && tables == migrated {
            return Ok(0);
        }
        return Err(StoreError::NotADatabase {
            path: path.to_owned(),
            what: "the database of another program",
        });
    }
    let found: i64 = sqlx::query_scalar("SELECT ifnull(max(version), 0) FROM _sqlx_migrations")
        .fetch_one(pool)
        .await
        .map_err(|error| opening(error, path))?;
    if found > newest() {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known: newest(),
        });
    }
    Ok(found)
}
