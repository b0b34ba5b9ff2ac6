//! The store in one SQLite database.
//!
//! One connection writes, others read at the same time (write-ahead log). Every writing method is one `BEGIN IMMEDIATE`
//! transaction, which other processes wait for. It changes what it finds after it has begun. Its `COMMIT` returns when
//! the log is on the disk (`synchronous = FULL`).

#[macro_use]
mod transaction;

mod backup;
mod batch;
mod compatibility;
#[cfg(test)]
mod cost;
mod coverage;
mod dispute;
mod expectations;
mod fail;
mod files;
mod finding_changes;
mod findings;
mod handling;
mod hash_end;
mod hash_searches;
mod health;
mod holder;
mod incoming;
mod insert;
mod kept;
mod kept_leaf;
mod lock;
mod logs;
mod lookup_queue;
mod lookups;
mod memory;
mod migrations;
mod moments;
mod open;
mod outbox;
mod overview;
mod pass_history;
mod payloads;
mod positions;
mod record;
mod recorded;
mod registered;
mod registered_entries;
mod registration_traits;
mod related;
mod reminder;
mod replays;
mod same_signing;
mod searches;
mod signer_terms;
mod signings;
mod sources;
mod standing;
mod traits;
mod value;

use std::path::PathBuf;

use sqlx::sqlite::SqlitePool;

use self::files::Place;
pub use self::lock::StoreLock;
use crate::finding::Routes;

/// The store in one SQLite database.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    routes: Routes,
    /// One connection: SQLite has one writer. `None`: opened for reading only.
    writer: Option<SqlitePool>,
    reader: SqlitePool,
    /// The files that were opened; `None` for a store that is only read, which exists for a short time.
    place: Option<Place>,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;
    use crate::store::{Settings, StoreError, Values as _};

    #[tokio::test]
    async fn a_full_disk_is_an_error_and_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings {
            path: dir.path().join("store.db"),
            routes: Routes::default(),
        };
        let store = SqliteStore::open(settings).await.unwrap();
        store.put_value("before", "kept").await.unwrap();
        // SQLite reports a database that may not grow like a full disk.
        let writer = store.writer.as_ref().unwrap();
        sqlx::query("PRAGMA max_page_count = 1")
            .execute(writer)
            .await
            .unwrap();
        let large = "x".repeat(1 << 20);
        let full = store.put_value("more", &large).await;
        assert!(matches!(full, Err(StoreError::Full { .. })), "{full:?}");
        assert_eq!(
            store.get_value("before").await.unwrap().as_deref(),
            Some("kept")
        );
        assert_eq!(store.get_value("more").await.unwrap(), None);
        // The limit ended with the connection: there is space again, and the store continues.
        store.put_value("more", &large).await.unwrap();
    }

    /// A `SCAN` of a table, or sorting by SQLite, must not occur in the plan of a query.
    async fn plan(store: &SqliteStore, sql: &'static str) -> String {
        let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(sql)
            .fetch_all(store.writer.as_ref().unwrap())
            .await
            .unwrap();
        rows.into_iter().map(|(.., detail)| detail + "; ").collect()
    }

    #[tokio::test]
    async fn frequent_queries_use_an_index() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings {
            path: dir.path().join("store.db"),
            routes: Routes::default(),
        };
        let store = SqliteStore::open(settings).await.unwrap();
        let table = [
            (
                "EXPLAIN QUERY PLAN SELECT * FROM finding f LEFT JOIN signer s ON s.key = f.signer
                 WHERE (f.list_log, f.list_index, f.list_watch, f.id) > ('', -2, '', x'') AND f.state IN ('open', 'disputed')
                 ORDER BY f.list_log, f.list_index, f.list_watch, f.id LIMIT 50",
                "finding_list_open",
            ),
            (
                "EXPLAIN QUERY PLAN SELECT count(*) FROM finding
                 WHERE health = 0 AND severity >= 3 AND state IN ('open', 'disputed')",
                "finding_open",
            ),
            (
                "EXPLAIN QUERY PLAN UPDATE finding SET proven = 1 WHERE number IN (
                   SELECT number FROM finding
                   WHERE origin = 'x' AND proven = 0 AND prior_state IS NULL
                     AND entry_index >= (SELECT base FROM tree WHERE origin = 'x') + 1
                     AND entry_index < (SELECT base FROM tree WHERE origin = 'x') + 2
                   LIMIT 3)",
                "finding_unproven",
            ),
            (
                "EXPLAIN QUERY PLAN SELECT f.number FROM expected_leaf e JOIN finding f
                   ON f.registered_end = substr(e.leaf_hash, -8) AND f.registered_as = e.leaf_hash
                 WHERE e.expectation = 1",
                "finding_registered_as",
            ),
            ("EXPLAIN QUERY PLAN SELECT number FROM finding WHERE state = 'held'", "finding_held"),
            (
                "EXPLAIN QUERY PLAN SELECT * FROM finding f LEFT JOIN signer s ON s.key = f.signer
                 WHERE (f.list_log, f.list_index, f.list_watch, f.id) > ('', -2, '', x'') AND f.state = 'held' AND f.state IN (?1)
                 ORDER BY f.list_log, f.list_index, f.list_watch, f.id LIMIT 50",
                "finding_held",
            ),
            (
                "EXPLAIN QUERY PLAN SELECT number FROM alert WHERE channel = 'a' AND state = 'pending' AND due <= 1",
                "alert_due",
            ),
        ];
        for (sql, index) in table {
            let plan = plan(&store, sql).await;
            assert!(
                plan.contains(index) && !plan.contains("TEMP B-TREE"),
                "{sql}: {plan}"
            );
        }
    }
}
