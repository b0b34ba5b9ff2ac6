//! What SQLite adds: files, locks, schemas, full disks.

use std::path::Path;

use modelwatch::store::sqlite::SqliteStore;
use modelwatch::store::{Store, StoreError};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

use crate::hall::{ORIGIN, at, batch, follower, settings, signing};

async fn raw(path: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut connection: SqliteConnection = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}

async fn begun(dir: &TempDir) -> SqliteStore {
    let store = SqliteStore::open(settings(dir.path().join("hall.db")))
        .await
        .unwrap();
    let log = modelwatch::store::NewLog {
        origin: ORIGIN.into(),
        name: "main".into(),
        protocol: "rekor-v2".into(),
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
    let settings = settings(dir.path().join("mistyped/hall.db"));
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
async fn a_reader_says_that_there_is_no_database_and_creates_none() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path().join("hall.db"));
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
    let settings = settings(dir.path().join("hall.db"));
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
    let settings = settings(dir.path().join("hall.db"));
    std::fs::create_dir(&settings.path).unwrap();
    let opened = SqliteStore::open(settings.clone()).await.err();
    let read = SqliteStore::open_read_only(settings.clone()).await.err();
    let locked = SqliteStore::lock(&settings).err();
    for error in [opened, read, locked] {
        let said = error.expect("it is none").to_string();
        assert!(said.contains("hall.db is a directory: "), "{said}");
    }
}

#[tokio::test]
async fn one_monitor_has_the_lock_and_readers_need_none() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path().join("hall.db"));
    let _store = begun(&dir).await;
    let lock = SqliteStore::lock(&settings).unwrap();
    assert!(matches!(
        SqliteStore::lock(&settings),
        Err(StoreError::Locked { holder: Some(holder), .. }) if holder == std::process::id()
    ));
    let reader = SqliteStore::open_read_only(settings.clone()).await.unwrap();
    assert!(reader.log(ORIGIN).await.unwrap().is_some());
    let registrar = SqliteStore::open(settings.clone()).await.unwrap();
    registrar.remember("a", "b").await.unwrap();
    assert_eq!(
        reader.recall("a").await.unwrap().as_deref(),
        Some("b"),
        "readers see what others commit"
    );
    drop(lock);
    assert!(SqliteStore::lock(&settings).is_ok());
}

#[tokio::test]
async fn a_reader_changes_nothing_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    begun(&dir).await.close().await;
    let path = dir.path().join("hall.db");
    let before = std::fs::read(&path).unwrap();
    let reader = SqliteStore::open_read_only(settings(path.clone()))
        .await
        .unwrap();
    assert!(matches!(
        reader.remember("a", "b").await,
        Err(StoreError::ReadOnly { .. })
    ));
    reader.close().await;
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

/// As SQLite: `PRAGMA max_page_count` holds for a connection, so it cannot be set from outside. A
/// database whose file may not grow (`RLIMIT_FSIZE`) is beyond safe Rust; a trigger is not.
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
    let path = dir.path().join("hall.db");
    raw(&path, FULL).await;
    let flood = batch((5, 5), (6, 6), (0..1_000).map(signing).collect());
    assert!(matches!(
        store.commit(&flood).await,
        Err(StoreError::Database { .. })
    ));
    assert_eq!(
        store.log(ORIGIN).await.unwrap().unwrap().follower,
        Some(follower(5, 5))
    );
    raw(&path, "DROP TRIGGER full").await;
    assert_eq!(
        store.commit(&flood).await.unwrap(),
        999,
        "one of them was known"
    );
}
