//! How SQLite answers what the store asks of it: no statement reads a growing table from its beginning to its end.
//!
//! The statements are those that the other tests of this program run: it is run once more, and sqlx logs them. So a
//! statement that is added is looked at without being listed here; one that no test runs is reported.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr as _;
use std::sync::Once;

use proc_macro2::{TokenStream, TokenTree};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::scratch::{ScratchStore, signing};

/// Names the file to which the statements are logged.
const STATEMENTS: &str = "MODELWATCH_TEST_STATEMENTS";

/// Tables that do not grow with findings, entries, registrations or alerts.
const SMALL: &[&str] = &[
    // A row for each log and each tree, its few checkpoints that wait, and what its last passes did.
    "log",
    "tree",
    "head",
    "pace",
    "restart",
    "tree_watch_set",
    // A row for each set of watches that a tree or a rescan has, and for each unfinished rescan.
    "watch_set",
    "rescan_stretch",
    // A row for each log, and for each pair of logs.
    "guided",
    "guided_by",
    // A few rows for each log and channel.
    "memory",
    // A row for each source of registrations in the configuration.
    "registration_source",
    // A row for each watch with a requested rescan.
    "rescan",
    // What the transaction changes: to read all of it is the work itself.
    "finding_changes",
    "vacated",
    "sqlite_schema",
    "_sqlx_migrations",
];

/// Statements that may read a whole table or index: how they begin, which table, and why.
#[rustfmt::skip]
const WHOLE: &[(&str, &str, &str)] = &[
    ("SELECT EXISTS (SELECT 1 FROM expectation)", "expectation", "one row is enough"),
    ("SELECT EXISTS (SELECT 1 FROM known_payload)", "known_payload", "one row is enough"),
    ("SELECT number FROM expectation ORDER BY number DESC", "expectation", "no more rows than are asked for, from the end"),
    ("SELECT substr(r.ref, 11)", "finding", "what is held, in an index of its own"),
    ("SELECT verdict, severity, count(*) FROM finding", "finding", "what is counted: that is open, in an index of its own"),
    ("SELECT count(*) FROM finding WHERE state = 'held'", "finding", "what is counted: that is held, in an index of its own"),
    ("SELECT number FROM expectation WHERE source IS NOT NULL AND source NOT IN", "expectation", "once when a source is configured no longer"),
    ("SELECT max(number) FROM finding", "finding", "SQLite looks up the last row"),
    ("SELECT (SELECT max(entry_index) + 1 FROM finding", "finding", "asked once for each tree, when it is begun"),
    ("SELECT number, watch, rule,", "finding", "what is held, in an index of its own: each may have to be released"),
    ("SELECT count(*) FROM finding f LEFT JOIN signer", "finding", "what is counted: that is held, in an index of its own"),
    ("SELECT EXISTS (SELECT 1 FROM finding WHERE state = 'held'", "finding", "what is held, in an index of its own"),
    ("SELECT channel, count(*), sum(", "alert", "alerts that wait or were given up, in indexes of their own"),
    ("SELECT origin, watch, conditions, start, until FROM coverage ORDER", "coverage", "`status` lists all logs"),
    ("DELETE FROM checkpoint WHERE at <", "checkpoint", "each log keeps one of each day"),
    ("DELETE FROM checkpoint WHERE at <", "evidence", "signed notes are no checkpoints to delete"),
    // SQLite looks there only while a transaction has broken a foreign key, which it would have to mend.
    ("INSERT OR FAIL INTO finding (id,", "sought_finding", "not run"),
    // Times in the future: plans are found by an index; evidence is searched only after such a time was found.
    ("SELECT min(held_from)", "finding", "what is held, in an index of its own"),
    ("SELECT min(created)", "alert", "alerts that wait, in an index of their own"),
    ("SELECT min(due), max(due) FROM alert", "alert", "alerts that wait, in an index of their own"),
    ("SELECT min(", "finding", "only when the clock was set back"),
    ("SELECT min(", "history", "only when the clock was set back"),
    ("SELECT min(", "checkpoint", "only when the clock was set back"),
    ("SELECT min(", "expectation", "only when the clock was set back"),
    ("SELECT min(", "alert", "only when the clock was set back"),
    ("SELECT (SELECT count(*) FROM (SELECT 1 FROM signer", "finding", "no more rows than are asked for, in an index of its own"),
    ("SELECT * FROM (SELECT f.log", "finding", "no more than were counted, in an index of their own"),
    ("SELECT min(", "lookup", "names that are looked up, once in a pass"),
    ("UPDATE ", "lookup", "only when the clock was set back"),
    ("UPDATE ", "finding", "only when the clock was set back"),
    ("UPDATE ", "alert", "only when the clock was set back"),
];

/// Called before a store is opened: logs its statements if the test below has started this process.
pub(crate) fn log_statements() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Some(path) = std::env::var_os(STATEMENTS) else {
            return;
        };
        tracing_subscriber::fmt()
            .json()
            .with_env_filter("sqlx::query=debug")
            .with_writer(File::create(path).unwrap())
            .init();
    });
}

#[tokio::test]
async fn no_statement_reads_all_of_a_table_that_grows() {
    let statements = executed();
    let scratch = ScratchStore::with_log().await;
    let found = (1..=2_000).map(signing).collect();
    scratch.read((0, 0), (2_000, 2_000), found).await;
    let mut db = connected(&scratch).await;
    let growing = growing(&mut db).await;

    let mut problems = BTreeSet::new();
    let mut used = BTreeSet::new();
    for statement in &statements {
        let aliases = aliases(statement, &growing);
        for step in plan(&mut db, statement).await {
            let Some(table) = read_whole(&step).and_then(|name| aliases.get(name)) else {
                continue;
            };
            let allowed = WHOLE
                .iter()
                .find(|(begins, of, _)| statement.starts_with(begins) && of == table);
            match allowed {
                Some((begins, ..)) => {
                    used.insert(*begins);
                }
                None => {
                    problems.insert(format!("{step}: {statement}"));
                }
            }
        }
    }
    for (begins, ..) in WHOLE.iter().filter(|(begins, ..)| !used.contains(begins)) {
        problems.insert(format!("needs no exception any more: {begins}"));
    }
    for literal in literals() {
        if !statements
            .iter()
            .any(|statement| statement.contains(&literal))
        {
            problems.insert(format!(
                "no test of the store runs this statement: {literal}"
            ));
        }
    }
    assert!(
        problems.is_empty(),
        "\n{}",
        problems.into_iter().collect::<Vec<_>>().join("\n")
    );
}

/// Every statement that the other tests of this program run, each once, without the spaces between its words.
fn executed() -> BTreeSet<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("statements");
    Command::new(std::env::current_exe().unwrap())
        // What an earlier version wrote has other tables.
        .args(["--skip", "plans::", "--skip", "upgrade::"])
        .env(STATEMENTS, &path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let logged = fs::read_to_string(path).unwrap();
    let events = logged.lines().map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let field = |name| event["fields"][name].as_str().unwrap_or_default().trim();
        // A statement of four words or less is its own summary.
        let whole = field("db.statement");
        let statement = if whole.is_empty() {
            field("summary")
        } else {
            whole
        };
        without_spaces(statement)
    });
    events
        .filter(|statement| is_about_rows(statement))
        .map(|statement| folded(&statement))
        .collect()
}

fn without_spaces(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_about_rows(sql: &str) -> bool {
    let first = sql.split(' ').next().unwrap_or_default();
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].contains(&first)
}

/// An insert of many rows in the form of a single row: their plans are the same.
fn folded(sql: &str) -> String {
    let Some((head, rows)) = sql.split_once(" VALUES (") else {
        return sql.to_owned();
    };
    let Some((row, rest)) = rows.split_once("), (") else {
        return sql.to_owned();
    };
    let tail = rest.rfind("?)").map_or("", |end| &rest[end + 2..]);
    format!("{head} VALUES ({row}){tail}")
}

async fn connected(scratch: &ScratchStore) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(scratch.path());
    let mut db = SqliteConnection::connect_with(&options).await.unwrap();
    // As `SCRATCH` of the store has them.
    for table in [
        "CREATE TEMP TABLE finding_changes (finding INTEGER NOT NULL PRIMARY KEY, strength INTEGER, verdict TEXT)",
        "CREATE TEMP TABLE vacated (alert INTEGER NOT NULL PRIMARY KEY)",
    ] {
        sqlx::query(table).execute(&mut db).await.unwrap();
    }
    db
}

async fn growing(db: &mut SqliteConnection) -> BTreeSet<String> {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
            .fetch_all(db)
            .await
            .unwrap();
    tables
        .into_iter()
        .filter(|table| !SMALL.contains(&table.as_str()))
        .collect()
}

async fn plan(db: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain)
        .fetch_all(db)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
    rows.into_iter().map(|(.., detail)| detail).collect()
}

/// The name by which a step of a plan reads a whole table or index, if it does: a scan; the search of a smallest or largest
/// value without an index; an index that is made for this one statement.
fn read_whole(step: &str) -> Option<&str> {
    let (kind, rest) = step.split_once(' ')?;
    let name = rest.split(' ').next()?;
    match kind {
        "SCAN" => Some(name),
        "SEARCH" if rest == name || rest.contains(" AUTOMATIC ") => Some(name),
        _ => None,
    }
}

/// What a statement calls the growing tables: by their names or otherwise.
fn aliases<'a>(statement: &str, growing: &'a BTreeSet<String>) -> BTreeMap<String, &'a str> {
    const BEFORE: &[&str] = &["FROM", "JOIN", "INTO", "UPDATE"];
    let words: Vec<&str> = statement
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty() && *word != "AS")
        .collect();
    let mut aliases = BTreeMap::new();
    for table in growing {
        aliases.insert(table.clone(), table.as_str());
        for three in words.windows(3) {
            if let [before, name, alias] = three
                && BEFORE.contains(before)
                && name == table
            {
                aliases.insert((*alias).to_owned(), table.as_str());
            }
        }
    }
    aliases
}

/// The beginnings of the statements that the store's sources hold, as far as they are written in one piece.
fn literals() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sqlite");
    collect(&folder, &mut found);
    found
}

fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
            continue;
        }
        // Compiled for tests alone.
        if path.ends_with("tests.rs") || path.ends_with("cost.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // Code that is compiled only for tests is at the end of a file.
        let text = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        strings(TokenStream::from_str(text).unwrap(), found);
    }
}

fn strings(tokens: TokenStream, found: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => strings(group.stream(), found),
            TokenTree::Literal(literal) => {
                let written = literal.to_string();
                let Some(text) = written
                    .strip_prefix('"')
                    .and_then(|text| text.strip_suffix('"'))
                else {
                    continue;
                };
                let text = text
                    .replace("\\'", "'")
                    .replace("\\\"", "\"")
                    .replace("\\\\", "\\");
                // What is put in at run time ends the piece.
                let piece = text.split('{').next().unwrap_or_default();
                let sql = without_spaces(piece);
                if is_about_rows(&sql) {
                    let head = sql.split(" VALUES (").next().unwrap_or_default();
                    found.insert(head.to_owned());
                }
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}
