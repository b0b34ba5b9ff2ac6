//! A store with any number of findings, written in SQL: the program would need minutes to find so many.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use modelwatch::finding::Routes;
use modelwatch::store::Settings;
use modelwatch::store::sqlite::SqliteStore;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

use super::linux::Bench;

/// How many findings share an alert.
const IN_ONE_ALERT: u64 = 10;

/// How many of the first findings are disputed.
pub(super) const DISPUTED: u64 = 1_000;

/// Alerts that wait to be claimed.
pub(super) const PENDING: u64 = 5;

/// Copies a store of so many findings to `to`; it is made once and kept.
pub(super) fn copy(bench: &Bench, findings: u64, to: &Path) -> io::Result<()> {
    let made = make(bench, findings)?;
    // Also the database itself: a store that was dropped may still be closing, and must not write into the copy.
    for suffix in ["", "-wal", "-shm"] {
        let mut beside = to.as_os_str().to_owned();
        beside.push(suffix);
        match fs::remove_file(beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::copy(made, to).map(|_| ())
}

/// The leaf hash of finding `number`, which is also the hash of its signature.
pub(super) fn leaf(number: u64) -> [u8; 32] {
    let mut leaf = [0; 32];
    let (_, end) = leaf.split_at_mut(24);
    end.copy_from_slice(&number.to_be_bytes());
    leaf
}

/// The name of the signer of finding `number` of so many, which has signed ten of them.
pub(super) fn signer(number: u64, findings: u64) -> String {
    let signer = 1 + number % (findings / 10 + 1);
    format!("https://github.com/owner/model/{signer}")
}

/// The id of finding `number`, in hex: spread evenly, as hashes are.
pub(super) fn id(number: u64) -> String {
    hex::encode(format!("{:016x}", number * SPREAD % (1 << 32)))
}

/// A prime, so that no two numbers below 2^32 have one id.
const SPREAD: u64 = 2_654_435_761;

fn make(bench: &Bench, findings: u64) -> io::Result<PathBuf> {
    let path = bench.directory.join(format!("findings-{findings}.db"));
    if path.exists() {
        return Ok(path);
    }
    fs::create_dir_all(&bench.directory)?;
    let half = bench.directory.join("half-made.db");
    for name in SqliteStore::files(&half) {
        match fs::remove_file(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let settings = Settings {
            path: half.clone(),
            routes: Routes::default(),
        };
        let store = SqliteStore::open(settings)
            .await
            .map_err(io::Error::other)?;
        modelwatch::store::Store::close(&store).await;
        fill(&half, findings).await.map_err(io::Error::other)
    })?;
    // Renamed last, so that a store of this name is whole.
    fs::rename(&half, &path)?;
    Ok(path)
}

async fn fill(path: &Path, findings: u64) -> Result<(), sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Off)
        // One file at the end, which can be copied.
        .journal_mode(SqliteJournalMode::Delete);
    let mut db = SqliteConnection::connect_with(&options).await?;
    let signers = findings / 10 + 1;
    let alerts = findings / IN_ONE_ALERT + 1;
    let first_pending = alerts - PENDING.min(alerts);
    let script = format!(
        "BEGIN;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {signers})
         INSERT INTO signer (key, san, issuer, extensions, certificate_sha256, key_sha256, not_before, certificate)
         SELECT CAST(printf('%016x', i) AS BLOB),
                '[{{\"type\":\"uri\",\"value\":\"https://github.com/owner/model/' || i || '\"}}]',
                'https://token.actions.githubusercontent.com', '{{}}', printf('%064x', i), printf('%064x', i),
                1700000000000000, zeroblob(900)
         FROM n;
         INSERT INTO signer_term (kind, value, recorded, signer)
         SELECT 'name', json_extract(san, '$[0].value'), rowid, key FROM signer;
         INSERT INTO signer_term (kind, value, recorded, signer) SELECT 'key', key_sha256, rowid, key FROM signer;
         INSERT INTO signer_term (kind, value, recorded, signer) SELECT 'issuer', issuer, rowid, key FROM signer;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {findings})
         INSERT INTO finding (number, id, verdict, severity, judged_verdict, judged_severity, health, state, prior_state,
             watch, rule, in_shape, log, origin, entry_index, leaf_hash, proven, kind, digest, signer, chain, first_seen,
             summary, signature_sha256, tbs_sha256, anomalies, registered_end, signature_end, digest_end)
         SELECT i, CAST(printf('%016x', i * {SPREAD} % 4294967296) AS BLOB),
                'identity-unexpected', 3, 'identity-unexpected', 3, 0, iif(i <= {DISPUTED}, 'disputed', 'open'),
                iif(i <= {DISPUTED}, 'open', NULL), 'watch-' || i % 100, x'00', 1, 'log-0', 'filled.example', i,
                printf('%064x', i), 1, 'hashedrekord 0.0.1', 'sha256:' || printf('%064x', i),
                CAST(printf('%016x', 1 + i % {signers}) AS BLOB), 'trusted', 1700000000000000 + i,
                'https://github.com/owner/model/' || i || ' signed something, which is not registered: entry ' || i || ' of log-0',
                printf('%064x', i), printf('%064x', i), '[]', printf('%08x', i), printf('%08x', i), printf('%08x', i)
         FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {alerts})
         INSERT INTO alert (number, channel, kind, group_key, closed, created, due, state, delivered)
         SELECT i, 'terminal', 'alert', 'group ' || i, i <= {first_pending}, 0, 0,
                iif(i <= {first_pending}, 'delivered', 'pending'), iif(i <= {first_pending}, 0, NULL)
         FROM n;
         INSERT INTO member (alert, finding) SELECT 1 + number / {IN_ONE_ALERT}, number FROM finding;
         COMMIT;"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(script))
        .execute(&mut db)
        .await?;
    db.close().await
}
