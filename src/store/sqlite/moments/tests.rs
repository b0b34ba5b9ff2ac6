#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::path::Path;

use sqlx::sqlite::SqlitePool;

use super::*;
use crate::finding::Routes;
use crate::store::Settings;
use crate::store::sqlite::SqliteStore;

/// Whether a comment describes a time: 0001 defines how times are written, and their comments begin like this.
fn is_of_a_moment(comment: &str) -> bool {
    let comment = comment.trim_start_matches([' ', '-']).to_ascii_lowercase();
    let begins = comment
        .strip_prefix("time")
        .is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()));
    begins || comment.contains("(time")
}

/// Every column of the migrations with its comment: behind it, or in the lines above a column that is added.
fn columns() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut columns: Vec<(String, String)> = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        let (mut table, mut above) = (None, String::new());
        for line in text.lines() {
            let (sql, comment) = line.split_once("--").unwrap_or((line, ""));
            let words: Vec<&str> = sql.split_whitespace().collect();
            match words.as_slice() {
                ["CREATE", "TABLE", name, ..] => table = Some((*name).to_owned()),
                ["ALTER", "TABLE", from, "RENAME", "TO", to] => {
                    let (from, to) = (format!("{from}."), to.trim_end_matches(';'));
                    for (column, _) in &mut columns {
                        if let Some(rest) = column.strip_prefix(&from) {
                            *column = format!("{to}.{rest}");
                        }
                    }
                }
                ["DROP", "TABLE", name] => {
                    let gone = format!("{}.", name.trim_end_matches(';'));
                    columns.retain(|(column, _)| !column.starts_with(&gone));
                }
                ["ALTER", "TABLE", name, "ADD", "COLUMN", column, ..] => {
                    let comment = if comment.is_empty() {
                        above.as_str()
                    } else {
                        comment
                    };
                    columns.push((format!("{name}.{column}"), comment.to_owned()));
                }
                [")" | ");", ..] => table = None,
                [column, ..] if table.is_some() => {
                    let table = table.as_deref().unwrap();
                    columns.push((format!("{table}.{column}"), comment.to_owned()));
                }
                _ => {}
            }
            // A comment of several lines belongs to the column after it.
            match (words.is_empty(), comment.is_empty()) {
                (true, false) if above.is_empty() => comment.clone_into(&mut above),
                (true, false) => {}
                _ => above.clear(),
            }
        }
    }
    columns
}

async fn open() -> (tempfile::TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        path: dir.path().join("store.db"),
        routes: Routes::default(),
    };
    let store = SqliteStore::open(settings).await.unwrap();
    (dir, store)
}

fn pool(store: &SqliteStore) -> &SqlitePool {
    store.writer.as_ref().unwrap()
}

#[tokio::test]
async fn every_column_with_a_time_is_listed() {
    let columns = columns();
    let by_comment: BTreeSet<&str> = columns
        .iter()
        .filter(|(_, comment)| is_of_a_moment(comment))
        .map(|(column, _)| column.as_str())
        .collect();
    let listed: BTreeSet<String> = MOMENTS
        .iter()
        .map(|stored| format!("{}.{}", stored.table, stored.column))
        .collect();
    let listed: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
    assert_eq!(
        by_comment, listed,
        "a column whose comment begins with \"time\" belongs into MOMENTS, and the other way round"
    );
    // The comments were read for the same columns as the database has.
    let (_dir, store) = open().await;
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT m.name || '.' || c.name FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) c
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '_sqlx_%'",
    )
    .fetch_all(pool(&store))
    .await
    .unwrap();
    let read: BTreeSet<&str> = columns.iter().map(|(column, _)| column.as_str()).collect();
    for name in &names {
        assert!(
            read.contains(name.as_str()),
            "{name} has no line of its own"
        );
    }
}

/// A row in each table, with every time at $1.
const ROWS: &str = "
INSERT INTO log (number, id, name, protocol, last_success) VALUES (7, 'l', 'n', '', $1);
INSERT INTO tree (origin, log, last_success, size_since, behind_since) VALUES ('o', 7, $1, $1, $1);
INSERT INTO checkpoint (origin, size, root, note, at) VALUES ('o', 1, x'00', x'00', $1);
INSERT INTO rescan (watch, at) VALUES ('w', $1);
INSERT INTO signer (key, san, extensions, not_before) VALUES (x'00', '[]', '{}', $1);
INSERT INTO finding (number, id, verdict, severity, judged_verdict, judged_severity, health, state, summary, first_seen, held_from, logged_at)
  VALUES (1, x'01', '', 0, '', 0, 0, 'held', '', $1, NULL, $1), (2, x'02', '', 0, '', 0, 0, 'held', '', $1, $1, $1),
         (3, x'03', '', 0, '', 0, 0, 'open', '', $1, NULL, $1);
INSERT INTO history (finding, at, verdict, severity, state, reason) VALUES (1, $1, '', 0, '', '');
INSERT INTO expectation (leaves, body, file, at) VALUES (x'00', '{}', '', $1);
INSERT INTO registration_source (name, location, at) VALUES ('s', '', $1);
INSERT INTO alert (channel, kind, group_key, closed, created, due, state, delivered, delayed)
  VALUES ('c', 'alert', 'a', 1, $1, $1, 'pending', NULL, NULL), ('c', 'digest', 'b', 1, $1, $1, 'pending', NULL, NULL),
         ('c', 'alert', 'd', 1, $1, $1, 'delivered', $1, $1);
INSERT INTO guided (log, start, cursor, rules, spent, mail_only) VALUES (7, 0, 0, x'00', $1, $1);
INSERT INTO lookup (log, subject, direct, due, asked, retry) VALUES (7, 'a', 0, $1, $1, $1), (7, 'b', 0, NULL, $1, NULL);
INSERT INTO sought (log, key, not_after) VALUES (7, 'k', $1);
INSERT INTO pace (origin, limited_since) VALUES ('o', $1);
INSERT INTO restart (origin, at, first, reached) VALUES ('o', $1, 0, 0);
";

fn at(hours: i64) -> Timestamp {
    "2026-11-21T08:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
}

/// Every time in the rows: (column, its values).
async fn all(store: &SqliteStore) -> Vec<(String, Vec<Option<i64>>)> {
    let mut all = Vec::new();
    for Stored { table, column, .. } in &MOMENTS {
        if *column == "recent" {
            continue;
        }
        let values = sqlx::query_scalar(AssertSqlSafe(format!("SELECT {column} FROM {table}")))
            .fetch_all(pool(store))
            .await
            .unwrap();
        all.push((format!("{table}.{column}"), values));
    }
    all
}

async fn with_moments_at(time: Timestamp) -> (tempfile::TempDir, SqliteStore) {
    let (dir, store) = open().await;
    let micros = value::micros(time).to_string();
    let rows = ROWS.replace("$1", &micros);
    sqlx::raw_sql(AssertSqlSafe(rows))
        .execute(pool(&store))
        .await
        .unwrap();
    (dir, store)
}

#[tokio::test]
async fn times_a_year_in_the_future_are_set_to_now_and_evidence_stays() {
    use crate::store::StoredTimes as _;
    const YEAR: i64 = 365 * 24;
    let (_dir, store) = with_moments_at(at(YEAR)).await;
    let span = store.ahead_of(at(0)).await.unwrap();
    let whole = Span {
        from: at(YEAR),
        until: at(YEAR),
    };
    assert_eq!(span, Some(whole));
    store.correct_future_times(at(0)).await.unwrap();
    let (then, now) = (value::micros(at(YEAR)), value::micros(at(0)));
    for (column, values) in all(&store).await {
        let expected: Vec<Option<i64>> = match column.as_str() {
            "log.last_success"
            | "tree.last_success"
            | "tree.size_since"
            | "tree.behind_since"
            | "pace.limited_since"
            | "restart.at"
            | "lookup.asked"
            | "registration_source.at" => vec![Some(now); values.len()],
            "lookup.due" | "lookup.retry" => vec![Some(now), None],
            // Without a hold, the start of the hold does not matter.
            "finding.held_from" => vec![Some(now), Some(now), None],
            // A delivered alert has no further times.
            "alert.created" | "alert.due" => vec![Some(now), Some(now), Some(then)],
            "alert.delivered" | "alert.delayed" => vec![None, None, Some(then)],
            _ => vec![Some(then); values.len()],
        };
        assert_eq!(values, expected, "{column}");
    }
    // If only evidence is in the future, nothing changes.
    assert_eq!(store.ahead_of(at(0)).await.unwrap(), None);
}

#[tokio::test]
async fn what_may_be_planned_and_what_two_clocks_differ_by_stays() {
    use crate::store::StoredTimes as _;
    let (_dir, store) = with_moments_at(at(0)).await;
    let before = all(&store).await;
    for now in [at(0), at(9), at(0) - moment::TOLERANCE] {
        assert_eq!(store.ahead_of(now).await.unwrap(), None, "{now}");
        store.correct_future_times(now).await.unwrap();
        assert_eq!(all(&store).await, before, "{now}");
    }
    // Each planned time alone, at the end of its longest delay and just after it.
    for (change, longest) in [
        (
            "UPDATE alert SET due = $1 WHERE group_key = 'a'",
            Delivery::LONGEST_RETRY,
        ),
        (
            "UPDATE alert SET due = $1 WHERE group_key = 'b'",
            Delivery::DIGEST_AFTER,
        ),
        (
            "UPDATE lookup SET due = $1 WHERE subject = 'a'",
            Lookup::LONGEST_WAIT,
        ),
        (
            "UPDATE lookup SET retry = $1 WHERE subject = 'a'",
            Lookup::LONGEST_RETRY,
        ),
    ] {
        for (more, is_ahead) in [(0, false), (1, true)] {
            let (_dir, store) = with_moments_at(at(0)).await;
            let time = at(0) + longest + SignedDuration::from_micros(more);
            sqlx::query(change)
                .bind(value::micros(time))
                .execute(pool(&store))
                .await
                .unwrap();
            let span = store.ahead_of(at(0)).await.unwrap();
            assert_eq!(span.is_some(), is_ahead, "{change} {more}");
        }
    }
}
