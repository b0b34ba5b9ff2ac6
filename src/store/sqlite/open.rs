//! Opening the database: its owner creates and migrates it, others only read it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::Sqlite;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use super::compatibility::{self, version};
use super::fail::{self, Fail, opening};
use super::files::{self, Place};
use super::migrations::{MIGRATIONS, newest};
use super::{SqliteStore, StoreLock, lock};
use crate::store::{Settings, StoreError};

/// How long a writer waits for another process's transaction, such as `expect add` for a batch.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Page cache of the writer, KiB. The default of 2 MiB writes random index pages twice in a flood; with half as much as this a
/// finding costs 3 % more, with half as much again 1 % less.
const WRITER_CACHE_KIB: i32 = 8 * 1024;

/// Page cache of each reader beside the writer, KiB. The kernel has the pages too.
const READER_CACHE_KIB: i32 = 1024;

/// The size to which the write-ahead log is reduced after a flood, in bytes.
const WAL_LIMIT_BYTES: i32 = 16 * 1024 * 1024;

/// Pages in the write-ahead log from which they are copied into the database: [`WAL_LIMIT_BYTES`]. In a flood the same pages of
/// indexes change in each batch; with SQLite's 1,000 pages they are copied, and synced, four times as often.
const CHECKPOINT_PAGES: i32 = 4_000;

/// Connections for reading. SQLite reads concurrently with one writer. A list that is read slowly through a pipe must
/// not delay other readers.
const READERS: u32 = 4;

/// Scratch sets of a transaction: the changed findings (with the strength of their registration, and their new verdict), and
/// the unsent alerts that lose findings.
const SCRATCH: &str = "CREATE TEMP TABLE finding_changes (finding INTEGER NOT NULL PRIMARY KEY, strength INTEGER, verdict TEXT);
CREATE TEMP TABLE vacated (alert INTEGER NOT NULL PRIMARY KEY);";

impl SqliteStore {
    /// Opens a database for reading and writing. Creates it if necessary, and migrates it to this version's schema.
    ///
    /// # Errors
    /// [`StoreError::Open`] (its directory does not exist, …), [`StoreError::Newer`], [`StoreError::Corrupt`]
    /// for a file that is no database, [`StoreError::NotADatabase`] for a path that is no file, or a database of
    /// another program.
    pub async fn open(settings: Settings) -> Result<Self, StoreError> {
        let (writer, reader, place) = writable(&settings).await?;
        let Settings { path, routes } = settings;
        Ok(Self {
            path,
            routes,
            writer: Some(writer),
            reader,
            place: Some(place),
        })
    }

    /// Opens a database for reading only. It creates, migrates and changes nothing, and works where nothing can be
    /// written. Its writing methods return [`StoreError::ReadOnly`].
    ///
    /// # Errors
    /// [`StoreError::Absent`] if there is none; [`StoreError::Older`], [`StoreError::Newer`];
    /// [`StoreError::Open`], [`StoreError::Corrupt`].
    pub async fn open_read_only(settings: Settings) -> Result<Self, StoreError> {
        let reader = readable(&settings).await?;
        let Settings { path, routes } = settings;
        Ok(Self {
            path,
            routes,
            writer: None,
            reader,
            place: None,
        })
    }

    /// Copies the database, in its present state, into the new file `to`. The database is only read, and a monitor that
    /// uses it is not disturbed.
    ///
    /// # Errors
    /// As [`Self::open_read_only`]; or the file cannot be written.
    pub async fn copy(settings: &Settings, to: &Path) -> Result<(), StoreError> {
        copy(settings, to).await
    }

    /// Takes the right to be the only monitor of a database, until the lock is dropped or the process ends. Readers and
    /// `expect` do not need it.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process has it, or a process of another program holds a lock on its file.
    pub fn lock(settings: &Settings) -> Result<StoreLock, StoreError> {
        lock::take(&settings.path)
    }

    /// The newest schema that this version knows: the number of its last migration.
    pub fn newest_schema() -> i64 {
        newest()
    }

    /// Every file that belongs to a database, whether it exists or not.
    pub fn files(database: &Path) -> Vec<PathBuf> {
        files::all(database)
    }
}

impl SqliteStore {
    pub(super) async fn read(&self) -> Result<PoolConnection<Sqlite>, Fail> {
        self.in_place()?;
        Ok(self.reader.acquire().await?)
    }

    pub(super) async fn writer(&self) -> Result<PoolConnection<Sqlite>, Fail> {
        let writer = self.writer.as_ref().ok_or(Fail::ReadOnly)?;
        self.in_place()?;
        Ok(writer.acquire().await?)
    }

    /// Checks that the files are those that were opened. Called before every query: otherwise passes, deliveries and
    /// heartbeats would use files that other processes do not see.
    fn in_place(&self) -> Result<(), Fail> {
        self.place.as_ref().map_or(Ok(()), Place::check)
    }
}

/// Opens for writing: one connection for writing, a pool for readers that connects on demand, and the files.
async fn writable(settings: &Settings) -> Result<(SqlitePool, SqlitePool, Place), StoreError> {
    let path = settings.path.as_path();
    files::require_directory(path)?;
    files::create_for_owner(path).map_err(|error| opening(sqlx::Error::Io(error), path))?;
    // SQLite itself creates none: a database that is removed later must not return empty.
    let options = options(path)
        // Law 3: WAL with NORMAL would lose the last commits in a crash of the machine.
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", (-WRITER_CACHE_KIB).to_string())
        .pragma("journal_size_limit", WAL_LIMIT_BYTES.to_string())
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string());
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
    compatibility::record(&writer, path).await?;
    // Only now: a database of another program was refused above, and is unchanged.
    sqlx::query("PRAGMA journal_mode = WAL")
        .execute(&writer)
        .await
        .map_err(|error| opening(error, path))?;
    let reader = pool(READERS).connect_lazy_with(
        self::options(path)
            .read_only(true)
            .pragma("cache_size", (-READER_CACHE_KIB).to_string()),
    );
    let place = Place::of(path).map_err(|error| opening(sqlx::Error::Io(error), path))?;
    Ok((writer, reader, place))
}

/// Opens for reading only. It changes no byte, and works where nothing can be written.
async fn readable(settings: &Settings) -> Result<SqlitePool, StoreError> {
    match readable_of_any_version(&settings.path).await? {
        (reader, version) if version == newest() => Ok(reader),
        (_, found) => Err(StoreError::Older {
            path: settings.path.clone(),
            found,
            known: newest(),
        }),
    }
}

/// The same for a database of this or an earlier version of the schema; which one it is.
pub(super) async fn readable_of_any_version(path: &Path) -> Result<(SqlitePool, i64), StoreError> {
    let absent = || StoreError::Absent {
        path: path.to_owned(),
    };
    files::require_file(path)?;
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
        // A reader of a write-ahead log needs its index file, which it cannot create here. Without an index file no
        // process writes to such a log, and the file alone is complete. (`immutable` during a writer's transaction
        // would read torn pages, so it is set only then.)
        Err(error) if fail::cannot_open(&error) && !wal_is_used(path) => {
            first_read(beside_a_writer.immutable(true))
                .await
                .map_err(|error| opening(error, path))?
        }
        Err(error) => return Err(opening(error, path)),
    };
    match version(&reader, path).await? {
        0 => Err(absent()),
        version => Ok((reader, version)),
    }
}

/// Copies the database in one reading transaction.
async fn copy(settings: &Settings, to: &Path) -> Result<(), StoreError> {
    let reader = readable(settings).await?;
    // SQLite treats an empty file as a new database.
    files::create(to).map_err(|error| opening(sqlx::Error::Io(error), to))?;
    let copied = vacuum_into(&reader, to).await;
    reader.close().await;
    copied.map_err(|error| Fail::Sql(error).during("copying it", &settings.path))
}

/// Writes what a database holds at this moment into an empty file. SQLite does not sync the file.
pub(super) async fn vacuum_into(reader: &SqlitePool, to: &Path) -> Result<(), sqlx::Error> {
    sqlx::query("VACUUM INTO ?")
        .bind(to.to_string_lossy().into_owned())
        .execute(reader)
        .await
        .map(drop)
}

/// Whether there is a write-ahead log that is not empty.
fn wal_is_used(path: &Path) -> bool {
    let wal = files::wal_of(path);
    wal.metadata().is_ok_and(|wal| wal.len() > 0)
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("temp_store", "MEMORY")
}

/// Connections are never closed because of their age: there is no network that could have cut them.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(0)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// SQLite opens files when they are first used: only a read shows whether they can be used.
async fn first_read(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let reader = pool(1).connect_with(options).await?;
    sqlx::query("SELECT count(*) FROM sqlite_schema")
        .execute(&reader)
        .await?;
    Ok(reader)
}
