//! Copies of the database for people to keep.

use std::fs;
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt as _;
use modelwatch::store::sqlite::SqliteStore;
use modelwatch::store::{FindingQuery, Findings as _, StoreError};

use crate::scratch::{ScratchStore, settings, signing};

async fn back_up(from: &Path, to: &Path) -> Result<(), StoreError> {
    SqliteStore::backup(&settings(from.to_owned()), to).await
}

/// What a directory holds, by name.
fn names(directory: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_backup_beside_a_writer_holds_what_was_committed_and_is_the_owners_alone() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (9, 0), vec![signing(1)]).await;
    let kept = tempfile::tempdir().unwrap();
    let copy = kept.path().join("copy.db");
    back_up(&scratch.path(), &copy).await.unwrap();
    // The store continues, and the copy stays unchanged.
    scratch.read((9, 0), (20, 0), vec![signing(12)]).await;
    assert_eq!(names(kept.path()), std::slice::from_ref(&copy));
    let store = SqliteStore::open_read_only(settings(copy.clone()))
        .await
        .unwrap();
    let query = FindingQuery::default();
    let found: Vec<_> = store.findings(&query).try_collect().await.unwrap();
    assert_eq!(found, [scratch.get(signing(1).finding.id).await]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = copy.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_file_that_is_there_is_never_written_over() {
    let scratch = ScratchStore::with_log().await;
    let kept = tempfile::tempdir().unwrap();
    let there = kept.path().join("there");
    fs::write(&there, "precious").unwrap();
    let empty = kept.path().join("empty");
    fs::write(&empty, "").unwrap();
    let link = kept.path().join("link");
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    for path in [
        &there,
        &empty,
        &link,
        &kept.path().to_owned(),
        &scratch.path(),
    ] {
        let refused = back_up(&scratch.path(), path).await;
        assert!(
            matches!(refused, Err(StoreError::Exists { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(fs::read_to_string(&there).unwrap(), "precious");
}

#[tokio::test]
async fn what_cannot_be_copied_leaves_no_file() {
    let scratch = ScratchStore::with_log().await;
    let kept = tempfile::tempdir().unwrap();
    let copy = kept.path().join("copy.db");
    let absent = back_up(&kept.path().join("absent.db"), &copy).await;
    assert!(
        matches!(absent, Err(StoreError::Absent { .. })),
        "{absent:?}"
    );
    let elsewhere = tempfile::tempdir().unwrap();
    let damaged = elsewhere.path().join("damaged.db");
    let mut bytes = fs::read(scratch.path()).unwrap();
    let middle = bytes.len() / 2;
    bytes.truncate(middle);
    fs::write(&damaged, &bytes).unwrap();
    assert!(back_up(&damaged, &copy).await.is_err());
    let nowhere = back_up(&scratch.path(), &kept.path().join("no/such/copy.db")).await;
    assert!(
        matches!(nowhere, Err(StoreError::Open { .. })),
        "{nowhere:?}"
    );
    assert_eq!(names(kept.path()).len(), 0);
}
