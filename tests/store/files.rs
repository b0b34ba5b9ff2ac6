//! What SQLite adds: files, locks, schemas, full disks.

use std::path::Path;

use modelwatch::log::Protocol;
use modelwatch::store::sqlite::SqliteStore;
use modelwatch::store::{Positions as _, Store as _, StoreError, Values as _};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

use crate::scratch::{at, batch, follower, log_id, settings, signing, tree};

async fn raw(path: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut connection: SqliteConnection = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}

/// A single text.
async fn text(path: &Path, sql: &'static str) -> String {
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection: SqliteConnection = options.connect().await.unwrap();
    let found = sqlx::query_scalar(sql)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    found
}

async fn begun(dir: &TempDir) -> SqliteStore {
    let store = SqliteStore::open(settings(dir.path().join("store.db")))
        .await
        .unwrap();
    let log = modelwatch::store::NewTree {
        id: tree(),
        log: log_id(),
        name: "main".into(),
        protocol: Protocol::RekorV2,
        base: 0,
        follower: follower(0, 0),
        checkpoints: Vec::new(),
        now: at(0),
    };
    store.begin(&log).await.unwrap();
    store
}

#[tokio::test]
async fn a_database_in_no_directory_is_not_created() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path().join("mistyped/store.db"));
    assert!(matches!(
        SqliteStore::open(settings.clone()).await,
        Err(StoreError::Open { .. })
    ));
    assert!(matches!(
        SqliteStore::lock(&settings),
        Err(StoreError::Open { .. })
    ));
}

#[tokio::test]
async fn a_reader_reports_that_there_is_no_database_and_creates_none() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path().join("store.db"));
    let absent = SqliteStore::open_read_only(settings.clone()).await;
    assert!(matches!(absent, Err(StoreError::Absent { .. })));
    assert!(!settings.path.exists());
    std::fs::write(&settings.path, b"").unwrap();
    let empty = SqliteStore::open_read_only(settings).await;
    assert!(matches!(empty, Err(StoreError::Absent { .. })));
}

#[tokio::test]
async fn a_newer_database_is_refused_by_writers_and_readers() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path().join("store.db"));
    begun(&dir).await.close().await;
    raw(
        &settings.path,
        "INSERT INTO _sqlx_migrations VALUES (99, 'x', 0, 1, x'00', 1)",
    )
    .await;
    let writer = SqliteStore::open(settings.clone()).await;
    assert!(matches!(writer, Err(StoreError::Newer { found: 99, .. })));
    let reader = SqliteStore::open_read_only(settings).await;
    assert!(matches!(reader, Err(StoreError::Newer { found: 99, .. })));
}

#[tokio::test]
async fn a_newer_database_names_the_oldest_version_that_may_open_it() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path().join("store.db"));
    begun(&dir).await.close().await;
    // This version may open what it has written.
    let of_this_version = "SELECT value FROM memory WHERE key = 'oldest version'";
    assert_eq!(
        text(&settings.path, of_this_version).await,
        env!("CARGO_PKG_VERSION")
    );
    // A later version, with and without a migration of its own.
    let raise = "UPDATE memory SET value = '78.0.1' WHERE key = 'oldest version'";
    let migrate = "INSERT INTO _sqlx_migrations VALUES (99, 'x', 0, 1, x'00', 1)";
    for change in [raise, migrate] {
        raw(&settings.path, change).await;
        let writer = SqliteStore::open(settings.clone()).await.map(drop);
        let reader = SqliteStore::open_read_only(settings.clone())
            .await
            .map(drop);
        for refused in [writer, reader] {
            let message = refused.unwrap_err().to_string();
            assert!(
                message.ends_with(": use modelwatch 78.0.1 or newer"),
                "{message}"
            );
        }
    }
    raw(
        &settings.path,
        "DELETE FROM _sqlx_migrations WHERE version = 99",
    )
    .await;
    raw(
        &settings.path,
        "UPDATE memory SET value = 'x' WHERE key = 'oldest version'",
    )
    .await;
    let damaged = SqliteStore::open(settings).await;
    assert!(
        matches!(damaged, Err(StoreError::Corrupt { .. })),
        "{damaged:?}"
    );
}

/// As root, which may give files away: a `check` by root before the service starts must not leave files that the service
/// cannot open.
#[cfg(unix)]
#[tokio::test]
async fn the_files_of_a_database_belong_to_the_owner_of_its_directory() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let dir = tempfile::tempdir().unwrap();
    // Not everybody may.
    let _ = chown(dir.path(), Some(61_234), Some(61_234));
    let owner = dir.path().metadata().unwrap().uid();
    let settings = settings(dir.path().join("store.db"));
    let _lock = SqliteStore::lock(&settings).unwrap();
    let _store = begun(&dir).await;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let file = entry.metadata().unwrap();
        assert_eq!(file.uid(), owner, "{entry:?}");
        assert_eq!(file.mode() & 0o777, 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort_unstable();
    assert_eq!(
        names,
        ["store.db", "store.db-shm", "store.db-wal", "store.db.lock"]
    );
}

#[tokio::test]
async fn what_is_no_database_or_another_programs_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let text = settings(dir.path().join("notes.txt"));
    std::fs::write(&text.path, [b'x'; 5000]).unwrap();
    assert!(matches!(
        SqliteStore::open(text.clone()).await,
        Err(StoreError::Corrupt { .. })
    ));
    assert_eq!(std::fs::read(&text.path).unwrap(), [b'x'; 5000]);
    let other = settings(dir.path().join("other.db"));
    raw(&other.path, "CREATE TABLE theirs (x)").await;
    let before = std::fs::read(&other.path).unwrap();
    assert!(matches!(
        SqliteStore::open(other.clone()).await,
        Err(StoreError::NotADatabase { .. })
    ));
    assert!(matches!(
        SqliteStore::open_read_only(other.clone()).await,
        Err(StoreError::NotADatabase { .. })
    ));
    assert_eq!(std::fs::read(&other.path).unwrap(), before);
}

#[tokio::test]
async fn a_directory_in_place_of_the_database_is_named_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path().join("store.db"));
    std::fs::create_dir(&settings.path).unwrap();
    let opened = SqliteStore::open(settings.clone()).await.err();
    let read = SqliteStore::open_read_only(settings.clone()).await.err();
    let locked = SqliteStore::lock(&settings).err();
    for error in [opened, read, locked] {
        let reported = error.expect("it is none").to_string();
        assert!(reported.contains("store.db is a directory: "), "{reported}");
    }
}

#[tokio::test]
async fn one_monitor_has_the_lock_and_readers_need_none() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path().join("store.db"));
    let _store = begun(&dir).await;
    let lock = SqliteStore::lock(&settings).unwrap();
    assert!(matches!(
        SqliteStore::lock(&settings),
        Err(StoreError::Locked { holders, .. }) if holders.written == Some(std::process::id())
    ));
    let reader = SqliteStore::open_read_only(settings.clone()).await.unwrap();
    assert!(reader.tree(&tree()).await.unwrap().is_some());
    let registrar = SqliteStore::open(settings.clone()).await.unwrap();
    registrar.put_value("a", "b").await.unwrap();
    assert_eq!(
        reader.get_value("a").await.unwrap().as_deref(),
        Some("b"),
        "readers see what others commit"
    );
    drop(lock);
    assert!(SqliteStore::lock(&settings).is_ok());
}

#[tokio::test]
async fn a_reader_changes_nothing_and_reports_that_it_cannot() {
    let dir = tempfile::tempdir().unwrap();
    begun(&dir).await.close().await;
    let path = dir.path().join("store.db");
    let before = std::fs::read(&path).unwrap();
    let reader = SqliteStore::open_read_only(settings(path.clone()))
        .await
        .unwrap();
    assert!(matches!(
        reader.put_value("a", "b").await,
        Err(StoreError::ReadOnly { .. })
    ));
    reader.close().await;
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

/// Like SQLite: `PRAGMA max_page_count` applies to a connection, so it cannot be set from outside. A limit on the size
/// of the file (`RLIMIT_FSIZE`) is not possible in safe Rust; a trigger is.
const FULL: &str =
    "CREATE TRIGGER full BEFORE INSERT ON member BEGIN SELECT RAISE(ABORT, 'refused'); END;";

#[tokio::test]
async fn a_refused_write_at_the_last_step_of_a_batch_undoes_all_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = begun(&dir).await;
    store
        .commit(&batch((0, 0), (5, 5), vec![signing(1)]))
        .await
        .unwrap();
    let path = dir.path().join("store.db");
    raw(&path, FULL).await;
    let flood = batch((5, 5), (6, 6), (0..1_000).map(signing).collect());
    assert!(matches!(
        store.commit(&flood).await,
        Err(StoreError::Database { .. })
    ));
    assert_eq!(
        store.tree(&tree()).await.unwrap().unwrap().follower,
        Some(follower(5, 5))
    );
    raw(&path, "DROP TRIGGER full").await;
    assert_eq!(
        store.commit(&flood).await.unwrap(),
        999,
        "one of them was known"
    );
}

/// The results of the next query and the next change, if the files are not those that were opened.
async fn displaced(store: &SqliteStore) -> String {
    let read = store.tree(&tree()).await;
    assert!(
        matches!(read, Err(StoreError::Displaced { .. })),
        "{read:?}"
    );
    let written = store.put_value("a", "b").await;
    assert!(
        matches!(written, Err(StoreError::Displaced { .. })),
        "{written:?}"
    );
    written.unwrap_err().to_string()
}

#[tokio::test]
async fn a_database_that_is_removed_moved_replaced_or_emptied_is_not_worked_on_any_more() {
    type Deed = fn(&Path);
    let table: [(Deed, &str); 6] = [
        (
            |path| std::fs::remove_file(path).unwrap(),
            "removed or renamed",
        ),
        (
            |path| std::fs::rename(path, path.with_extension("old")).unwrap(),
            "removed or renamed",
        ),
        (
            |path| {
                let copy = path.with_extension("copy");
                std::fs::copy(path, &copy).unwrap();
                std::fs::rename(copy, path).unwrap();
            },
            "another file was put in the place of",
        ),
        (|path| std::fs::write(path, "").unwrap(), "was emptied"),
        (
            |path| std::fs::remove_file(path.with_extension("db-wal")).unwrap(),
            "store.db-wal was removed",
        ),
        (
            |path| {
                let wal = path.with_extension("db-wal");
                std::fs::write(wal.with_extension("new"), "").unwrap();
                std::fs::rename(wal.with_extension("new"), wal).unwrap();
            },
            "another file was put in the place of",
        ),
    ];
    for (deed, reported) in table {
        let dir = tempfile::tempdir().unwrap();
        let store = begun(&dir).await;
        let path = dir.path().join("store.db");
        assert!(store.tree(&tree()).await.unwrap().is_some());
        deed(&path);
        let error = displaced(&store).await;
        assert!(error.contains(reported), "{error}");
        // It does not come back, and no new file is created in its place.
        assert!(displaced(&store).await.contains(reported));
        store.close().await;
    }
}

#[tokio::test]
async fn a_write_ahead_log_that_is_created_again_after_an_error_is_ours() {
    let dir = tempfile::tempdir().unwrap();
    let store = begun(&dir).await;
    raw(&dir.path().join("store.db"), FULL).await;
    for first in [0, 10] {
        let flood = batch((0, 0), (6, 6), (first..first + 5).map(signing).collect());
        assert!(matches!(
            store.commit(&flood).await,
            Err(StoreError::Database { .. })
        ));
        store.tree(&tree()).await.unwrap();
        store.put_value("a", "b").await.unwrap();
    }
}

#[tokio::test]
#[cfg(unix)]
async fn every_file_of_a_new_database_is_its_owners_alone_and_one_that_is_there_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path().join("store.db"));
    let lock = SqliteStore::lock(&settings).unwrap();
    let store = begun(&dir).await;
    store.tree(&tree()).await.unwrap();
    let there: Vec<_> = SqliteStore::files(&settings.path)
        .into_iter()
        .filter(|file| file.exists())
        .collect();
    assert_eq!(
        there.len(),
        4,
        "the database, -wal, -shm and the lock: {there:?}"
    );
    for file in &there {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    store.close().await;
    drop(lock);
    for file in [&settings.path, &dir.path().join("store.db.lock")] {
        std::fs::set_permissions(file, PermissionsExt::from_mode(0o640)).unwrap();
        let _lock = SqliteStore::lock(&settings).unwrap();
        SqliteStore::open(settings.clone()).await.unwrap();
        assert_eq!(mode(file), 0o640);
    }
    let copy = dir.path().join("copy.db");
    SqliteStore::copy(&settings, &copy).await.unwrap();
    assert_eq!(mode(&copy), 0o600);
}
