//! A database that the version before the table of trees has written, brought to this version.

use std::path::{Path, PathBuf};

use futures_util::TryStreamExt as _;
use modelwatch::expect::Authority;
use modelwatch::finding::Verdict;
use modelwatch::log::Protocol;
use modelwatch::log::{LogId, Part, TreeId};
use modelwatch::store::sqlite::SqliteStore;
use modelwatch::store::{
    Batch, Condition, Conditions as _, Expectations as _, FindingQuery, Findings as _, Kept,
    ListedTree, ListedTrees, Logs as _, Lookups as _, Outcome, PassReport, Passes as _,
    Positions as _, ProvenPart, RegisteredEntries as _, Registrar, Scope, SearchKey, Searches as _,
    SignerTerm, Store as _, StoreError,
};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::scratch::{at, follower, settings, signing};

const V1: &str = "https://rekor.example/";
const GUIDED: &str = "https://guided.example/";

/// What earlier versions wrote of each kind of log: a Rekor v2 log and two CT logs that are read, one that only ever failed, a
/// Rekor v1 log with two trees that are read and one that never verified, and a guided one with look-ups under way.
const ROWS: &str = "
INSERT INTO log (origin, name, protocol, first, seen, seen_frontier, proven, proven_frontier, last_success, size_since, base) VALUES
  ('log.example', 'main', 'rekor-v2', 0, 0, x'', 0, x'', 5, 5, 0),
  ('ct.example/2026', 'ct', 'ct-static', 0, 0, x'', 0, x'', 5, 5, 0),
  ('AbCd=', 'old ct', 'ct-rfc6962', 0, 0, x'', 0, x'', 5, 5, 0),
  ('rekor.example - 17', 'v1', 'rekor-v1', 0, 0, x'', 0, x'', 5, 5, 0),
  ('rekor.example - 18', 'v1', 'rekor-v1', 0, 0, x'', 0, x'', 5, 5, 40);
INSERT INTO log (origin, name, protocol, failed_passes, size_since, error_kind, error_message) VALUES
  ('failed.example', 'failed', '', 3, 5, 'unavailable', 'no answer'),
  ('rekor.example - 19', 'v1', '', 1, 5, 'unverifiable-checkpoint', 'not signed');
INSERT INTO log (origin, name, protocol, failed_passes, last_success, size_since, error_kind, error_message) VALUES
  ('https://rekor.example/', 'v1', '', 0, 9, 5, NULL, NULL),
  ('https://guided.example/', 'guided', '', 2, 7, 5, 'unavailable', 'its index is slow');
INSERT INTO log (origin, name, protocol, size_since, base) VALUES ('guided.example - 3', 'guided', 'rekor-v1', 5, 0);
INSERT INTO head (origin, role, size, root, note) VALUES
  ('guided.example - 3', 'verified', 7, zeroblob(32), x'6e'), ('log.example', 'largest', 9, zeroblob(32), x'6e');
INSERT INTO memory (key, value) VALUES
  ('trees https://rekor.example/', '[\"rekor.example - 17\",\"rekor.example - 18\",\"rekor.example - 19\"]'), ('heartbeat', '1');
INSERT INTO pace (origin, limited_passes) VALUES ('https://guided.example/', 2), ('log.example', 1);
INSERT INTO coverage (origin, watch, conditions, start) VALUES ('log.example', 'falcon', zeroblob(32), 0);
INSERT INTO finding (number, id, verdict, severity, judged_verdict, judged_severity, health, state, log, origin, subject, first_seen, summary) VALUES
  (1, randomblob(16), 'backlog', 3, 'backlog', 3, 1, 'open', 'guided', 'guided.example', 'guided.example', 5, 'names wait'),
  (2, randomblob(16), 'unavailable', 3, 'unavailable', 3, 1, 'open', 'v1', 'rekor.example - 17', 'rekor.example - 17', 5, 'no answer'),
  (3, randomblob(16), 'unavailable', 3, 'unavailable', 3, 1, 'open', 'v1', 'https://rekor.example/', 'https://rekor.example/', 5, 'no answer');
INSERT INTO alert (channel, kind, group_key, created, due) VALUES ('all', 'alert', 'a', 5, 5);
INSERT INTO member (alert, finding) VALUES (1, 1);
INSERT INTO guided (log, start, cursor, rules, spent, turns) VALUES ('guided.example', 4, 2, zeroblob(32), 5, 6);
INSERT INTO guided_by (log, guide, pending) VALUES ('guided.example', 'ct', 0), ('guided.example', 'old ct', 1);
INSERT INTO lookup (log, subject, direct, due, failures, turn) VALUES ('guided.example', 'a@b', 1, 5, 2, 3);
INSERT INTO sought (log, key, not_after) VALUES ('guided.example', 'k', 9);
INSERT INTO sought_name (log, subject, key) VALUES ('guided.example', 'a@b', 'k');
INSERT INTO sought_finding (log, key, finding) VALUES ('guided.example', 'k', 1);
INSERT INTO known_entry (log, origin, leaf_hash, key, entry_index, name, own) VALUES
  ('guided.example', 'guided.example - 3', 'l', 'k', 30, 'guided', 1);
";

/// A database of the version before, with these rows.
async fn earlier(path: &Path, rows: &'static str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let mut migrator = Migrator::new(directory).await.unwrap();
    let before = migrator.iter().filter(|migration| migration.version < 20);
    migrator.migrations = before.cloned().collect::<Vec<_>>().into();
    let mut connection = connect(path).await;
    migrator.run(&mut connection).await.unwrap();
    sqlx::raw_sql(rows).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    options.connect().await.unwrap()
}

fn database(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("store.db")
}

#[tokio::test]
async fn each_tree_of_an_earlier_version_gets_its_log_and_reading_continues() {
    let dir = tempfile::tempdir().unwrap();
    earlier(&database(&dir), ROWS).await;
    let store = SqliteStore::open(settings(database(&dir))).await.unwrap();
    let states = store.trees().await.unwrap();
    let mut trees: Vec<(&str, &str, bool, bool)> = states
        .iter()
        .map(|state| {
            (
                state.id.as_str(),
                state.log.as_str(),
                state.is_listed,
                state.follower.is_some(),
            )
        })
        .collect();
    trees.sort_unstable();
    assert_eq!(
        trees,
        [
            ("AbCd=", "AbCd=", false, true),
            ("ct.example/2026", "ct.example/2026", false, true),
            ("failed.example", "failed.example", false, false),
            ("guided.example - 3", GUIDED, false, false),
            ("log.example", "log.example", false, true),
            ("rekor.example - 17", V1, true, true),
            ("rekor.example - 18", V1, true, true),
            ("rekor.example - 19", V1, true, false),
        ]
    );
    let whole = store.log(&LogId::new(GUIDED)).await.unwrap().unwrap();
    assert_eq!(
        (whole.failed_passes, whole.signed_name.as_deref()),
        (2, Some("guided.example"))
    );
    let history = store
        .pass_history(&LogId::new(GUIDED), &Part::Whole)
        .await
        .unwrap();
    assert_eq!(history.limited_passes, 2);
    // Look-ups continue at their positions.
    let guided = LogId::new(GUIDED);
    let guide = store.guide(&guided).await.unwrap().unwrap();
    assert_eq!((guide.start, guide.cursor), (4, 2));
    let due = store.due_lookups(&guided, at(0), 10).await.unwrap();
    assert_eq!((due[0].subject.as_str(), due[0].failures), ("a@b", 2));
    let open = store.open_certificates(&guided, "a@b").await.unwrap();
    assert_eq!((open[0].key.as_str(), open[0].entries.len()), ("k", 1));
    let leaf = (TreeId::new("guided.example - 3"), "l".to_owned());
    let known = store
        .known_entries(&guided, std::slice::from_ref(&leaf))
        .await
        .unwrap();
    assert!(known.contains(&leaf));
    // The guides are the same ones: nothing is gone over again.
    let same = ["AbCd=", "ct.example/2026"].map(LogId::new);
    store.set_guides(&guided, &same).await.unwrap();
    assert_eq!(store.guide(&guided).await.unwrap().unwrap().cursor, 2);
    let counts = store.lookup_counts(&guided, at(0)).await.unwrap();
    assert_eq!(counts.pending_guides, ["old ct"]);
    // What is open about health is still of its log.
    let unhealthy = store.unhealthy_logs().await.unwrap();
    let of = |origin: &str| {
        unhealthy
            .iter()
            .find(|(of, _)| of == origin)
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(of("guided.example"), Some(guided));
    assert_eq!(of("rekor.example - 17"), Some(LogId::new(V1)));
    assert_eq!(of(V1), Some(LogId::new(V1)));
}

#[tokio::test]
async fn a_database_of_every_earlier_schema_is_brought_to_this_one() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let all = Migrator::new(directory).await.unwrap();
    let numbers: Vec<i64> = all.iter().map(|migration| migration.version).collect();
    for number in numbers {
        let dir = tempfile::tempdir().unwrap();
        let path = database(&dir);
        let until = all.iter().filter(|migration| migration.version <= number);
        let earlier = Migrator::with_migrations(until.cloned().collect());
        let mut connection = connect(&path).await;
        earlier.run(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let store = SqliteStore::open(settings(path.clone())).await.unwrap();
        assert_eq!(store.trees().await.unwrap().len(), 0, "{number}");
        store.close().await;
        // It records which versions may open it from now on.
        let mut connection = connect(&path).await;
        let recorded: String =
            sqlx::query_scalar("SELECT value FROM memory WHERE key = 'oldest version'")
                .fetch_one(&mut connection)
                .await
                .unwrap();
        assert_eq!(recorded, env!("CARGO_PKG_VERSION"), "{number}");
    }
}

#[tokio::test]
async fn a_pass_over_each_kind_of_log_continues_after_the_upgrade() {
    let dir = tempfile::tempdir().unwrap();
    earlier(&database(&dir), ROWS).await;
    let store = SqliteStore::open(settings(database(&dir))).await.unwrap();
    // Findings, positions and alerts.
    for origin in [
        "log.example",
        "ct.example/2026",
        "AbCd=",
        "rekor.example - 18",
    ] {
        let tree = TreeId::new(origin);
        let batch = Batch {
            tree: tree.clone(),
            expected: (0, 0),
            follower: follower(5, 5),
            checkpoints: Vec::new(),
            findings: if origin == "log.example" {
                vec![signing(3)]
            } else {
                Vec::new()
            },
            kept: Kept::default(),
            now: at(1),
        };
        store.commit(&batch).await.unwrap();
        let state = store.tree(&tree).await.unwrap().unwrap();
        let report = PassReport::new(
            state.log,
            Part::Tree(tree.clone()),
            &state.name,
            Outcome::Proven,
            at(2),
        );
        store.end_pass(&report).await.unwrap();
        let state = store.tree(&tree).await.unwrap().unwrap();
        assert_eq!(state.follower, Some(follower(5, 5)), "{origin}");
        assert_eq!(state.last_success, Some(at(2)), "{origin}");
    }
    let listed = ListedTrees {
        log: LogId::new(V1),
        name: "v1".to_owned(),
        protocol: Protocol::RekorV1,
        signed_name: "rekor.example".to_owned(),
        trees: [17, 18, 20]
            .map(|number| ListedTree {
                id: TreeId::new(format!("rekor.example - {number}")),
                is_verified: true,
            })
            .into(),
        now: at(3),
    };
    store.list_trees(&listed).await.unwrap();
    let new = store
        .tree(&TreeId::new("rekor.example - 20"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(new.log, LogId::new(V1));
    let scope = Scope {
        verdicts: &[Verdict::Backlog],
        origin: Some("guided.example".to_owned()),
    };
    store
        .assess(&scope, &[] as &[Condition], at(4))
        .await
        .unwrap();
    let open: Vec<_> = store
        .findings(&FindingQuery::open())
        .try_collect()
        .await
        .unwrap();
    assert!(
        open.iter()
            .all(|finding| finding.verdict != Verdict::Backlog)
    );
    assert!(
        open.iter()
            .any(|finding| finding.verdict == Verdict::IdentityUnexpected)
    );
}

#[tokio::test]
async fn an_upgrade_that_cannot_be_finished_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    earlier(&database(&dir), ROWS).await;
    let mut connection = connect(&database(&dir)).await;
    // The last table that the upgrade removes: it fails at its end.
    let block = "CREATE TABLE old_log (x)";
    sqlx::raw_sql(block).execute(&mut connection).await.unwrap();
    let refused = SqliteStore::open(settings(database(&dir))).await;
    assert!(
        matches!(refused, Err(StoreError::Open { .. })),
        "{refused:?}"
    );
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('tree', 'old_head')";
    let changed: i64 = sqlx::query_scalar(tables)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(changed, 0);
    let names: i64 = sqlx::query_scalar(AssertSqlSafe(
        "SELECT count(*) FROM lookup WHERE log = 'guided.example'",
    ))
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(names, 1);
    sqlx::raw_sql("DROP TABLE old_log")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    SqliteStore::open(settings(database(&dir)))
        .await
        .unwrap()
        .close()
        .await;
}

/// A registration as the version before the authorities wrote it.
const REGISTERED: &str = r#"INSERT INTO expectation (number, leaves, body, file, at) VALUES (7, x'00',
'{"leaf_hashes":["0000000000000000000000000000000000000000000000000000000000000003"],"digest":"sha256:00","who":"jane","certificate_sha256":"","key_sha256":"","not_before":"2026-11-21T08:00:00Z","entries":[{"log_id":"ABCDEF0123","log_index":3,"kind":"hashedrekord 0.0.2","origin":"log.example"}]}',
'a.sig', 1);
INSERT INTO expected_leaf (leaf_hash, expectation, named) VALUES ('0000000000000000000000000000000000000000000000000000000000000003', 7, 1);"#;

#[tokio::test]
async fn a_registration_of_an_earlier_version_is_the_operator_s_and_its_entry_is_compared() {
    let dir = tempfile::tempdir().unwrap();
    let path = database(&dir);
    earlier(&path, REGISTERED).await;
    let store = SqliteStore::open(settings(path)).await.unwrap();
    let registration = store.registrations().await.unwrap().remove(0);
    assert_eq!(
        (registration.number, registration.by),
        (7, Registrar::command(Authority::Operator, None))
    );
    let part = ProvenPart {
        tree: TreeId::new("log.example"),
        keys: Vec::new(),
        from: 0,
        to: 9,
    };
    let entry = store.registered_entries(&part, 9).await.unwrap().remove(0);
    assert_eq!(
        (entry.registration, entry.index, entry.who.as_str()),
        (7, 3, "jane")
    );
}

#[tokio::test]
async fn signers_digests_and_entries_of_an_earlier_version_are_found() {
    const FOUND: &str = "
INSERT INTO signer (key, san, issuer, extensions, certificate_sha256, key_sha256) VALUES
  (x'01', '[{\"type\":\"uri\",\"value\":\"https://h/Forge@refs/tags/v1\"},{\"type\":\"email\",\"value\":\"Jane@example.com\"}]', 'https://issuer.example',
   '{\"source_repository_uri\":\"https://github.com/Forge/Model\",\"source_repository_digest\":\"ABCD\"}', 'c1', 'k1'),
  (x'02', '[{\"type\":\"uri\",\"value\":\"https://h/f%6frge#\"}]', NULL, '{\"github_workflow_repository\":\"forge/model\"}', NULL, 'k2');
INSERT INTO finding (number, id, verdict, severity, judged_verdict, judged_severity, health, state, watch, log, origin, entry_index, leaf_hash,
  proven, kind, digest, signer, chain, first_seen, summary) VALUES
  (1, randomblob(16), 'identity-unexpected', 3, 'identity-unexpected', 3, 0, 'open', 'w', 'main', 'log.example', 1, 'l1', 1, 'dsse 0.0.1', 'sha256:d1', x'01', 'trusted', 5, 's'),
  (2, randomblob(16), 'identity-unexpected', 3, 'identity-unexpected', 3, 0, 'open', 'w', 'main', 'log.example', 2, 'l2', 1, 'dsse 0.0.1', 'sha256:d2', x'02', 'none', 5, 's');";
    let dir = tempfile::tempdir().unwrap();
    earlier(&database(&dir), FOUND).await;
    let store = SqliteStore::open(settings(database(&dir))).await.unwrap();
    let of = |term, value: &str| SearchKey::Signers(term, vec![value.to_owned()]);
    for (key, expected) in [
        (
            of(SignerTerm::Name, "https://h/forge@refs/tags/v1"),
            &[1][..],
        ),
        (of(SignerTerm::Name, "jane@example.com"), &[1]),
        (of(SignerTerm::Issuer, "https://issuer.example"), &[1]),
        (
            of(SignerTerm::Repository, "https://github.com/forge/model"),
            &[1, 2],
        ),
        (of(SignerTerm::Commit, "abcd"), &[1]),
        (of(SignerTerm::Key, "k2"), &[2]),
        (of(SignerTerm::Certificate, "c1"), &[1]),
        // Other readers write its name in another way: it is compared whatever name is asked for.
        (of(SignerTerm::Odd, ""), &[2]),
        (SearchKey::Digests(vec!["sha256:d2".to_owned()]), &[2]),
        (SearchKey::Entries(vec!["l1".to_owned()]), &[1]),
    ] {
        let found = store.search(&key, None, 9).await.unwrap();
        let found: Vec<u64> = found
            .iter()
            .filter_map(|found| found.finding.index)
            .collect();
        assert_eq!(found, expected, "{key:?}");
    }
}
