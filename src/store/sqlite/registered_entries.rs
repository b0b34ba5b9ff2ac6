//! Entries that registered bundles name: whether the log has them.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::fail::Fail;
use super::incoming::Incoming;
use super::insert;
use super::{finding_changes, value};
use crate::expect::Expectation;
use crate::finding::{NewFinding, Routes};
use crate::store::{ProvenPart, RegisteredEntry};

/// Most entries of one bundle; real ones have one.
const MAX_ENTRIES: usize = 16;

/// Passes in which another leaf is proven before that is a finding.
const PASSES: i64 = 2;

/// Keeps the entries that a registered bundle names.
pub(super) async fn add(
    db: &mut SqliteConnection,
    expectation: &Expectation,
    number: i64,
) -> Result<(), Fail> {
    for entry in expectation.entries.iter().take(MAX_ENTRIES) {
        // An index that cannot be stored is far beyond every log.
        let (Ok(index), Some(key)) = (i64::try_from(entry.log_index), entry.log_id.get(..8)) else {
            continue;
        };
        sqlx::query(
            "INSERT INTO registered_entry (expectation, origin, key, entry_index) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
        )
        .bind(number)
        .bind(&entry.origin)
        .bind(key.to_ascii_lowercase())
        .bind(index)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// Those that wait in a proven part of a tree.
pub(super) async fn waiting(
    db: &mut SqliteConnection,
    part: &ProvenPart,
    limit: u32,
) -> Result<Vec<RegisteredEntry>, Fail> {
    let keys = serde_json::json!(part.keys).to_string();
    // Asked in each pass over each tree: SQLite prepares a statement again each time that its limit is bound.
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT n.number, n.expectation, n.entry_index, x.file, json_extract(x.body, '$.who') AS who,
                (SELECT json_group_array(e.leaf_hash) FROM expected_leaf e WHERE e.expectation = n.expectation) AS leaves,
                EXISTS (SELECT 1 FROM expected_leaf e CROSS JOIN finding f
                          ON f.registered_end = substr(e.leaf_hash, -8) AND f.registered_as = e.leaf_hash
                        WHERE e.expectation = n.expectation AND f.leaf_hash = e.leaf_hash
                          AND f.origin = $1 AND f.entry_index = n.entry_index AND f.proven = 1) AS is_found
         FROM (SELECT * FROM registered_entry
               WHERE origin = $1 AND origin IS NOT NULL AND state = 'waiting' AND entry_index >= $3 AND entry_index < $4
               UNION ALL
               SELECT * FROM registered_entry
               WHERE key IN (SELECT value FROM json_each($2)) AND origin IS NULL AND state = 'waiting'
                 AND entry_index >= $3 AND entry_index < $4) n
         CROSS JOIN expectation x ON x.number = n.expectation
         WHERE x.authority IN ('operator', 'repository')
         ORDER BY n.misses DESC, n.number LIMIT {limit}"
    )))
    .bind(part.tree.as_str())
    .bind(keys)
    .bind(value::integer(part.from)?)
    .bind(value::integer(part.to)?)
    .fetch_all(&mut *db)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(RegisteredEntry {
                number: row.try_get("number")?,
                registration: row.try_get("expectation")?,
                index: value::natural(row.try_get("entry_index")?)?,
                leaves: serde_json::from_str(row.try_get("leaves")?)
                    .map_err(|error| Fail::corrupt(format!("leaves of a registration: {error}")))?,
                file: row.try_get("file")?,
                who: row.try_get::<Option<String>, _>("who")?.unwrap_or_default(),
                is_found: row.try_get("is_found")?,
            })
        })
        .collect()
}

/// The log has it.
pub(super) async fn there(db: &mut SqliteConnection, number: i64) -> Result<(), Fail> {
    sqlx::query("UPDATE registered_entry SET state = 'there' WHERE number = $1")
        .bind(number)
        .execute(&mut *db)
        .await?;
    Ok(())
}

/// Another leaf is proven there.
pub(super) async fn missed(
    db: &mut SqliteConnection,
    routes: &Routes,
    entry: &RegisteredEntry,
    finding: &NewFinding,
    now: Timestamp,
) -> Result<bool, Fail> {
    let misses: Option<i64> = sqlx::query_scalar(
        "UPDATE registered_entry SET misses = misses + 1, state = iif(misses + 1 >= $2, 'missing', state)
         WHERE number = $1 AND state = 'waiting' RETURNING misses",
    )
    .bind(entry.number)
    .bind(PASSES)
    .fetch_optional(&mut *db)
    .await?;
    // `None`: its registration was removed meanwhile.
    if misses.is_none_or(|misses| misses < PASSES) {
        return Ok(false);
    }
    insert::insert(db, routes, &[Incoming::of(finding)], now).await?;
    let number: i64 = sqlx::query_scalar("SELECT number FROM finding WHERE id = $1")
        .bind(finding.finding.id.as_bytes().as_slice())
        .fetch_one(&mut *db)
        .await?;
    sqlx::query("UPDATE finding SET registration = $2 WHERE number = $1")
        .bind(number)
        .bind(entry.registration)
        .execute(&mut *db)
        .await?;
    Ok(true)
}

/// Resolves what was raised about the entries of a registration that is removed.
pub(super) async fn resolve(
    db: &mut SqliteConnection,
    registration: i64,
    reason: &str,
    now: Timestamp,
) -> Result<(), Fail> {
    finding_changes::clear(db).await?;
    let raised = sqlx::query(
        "INSERT INTO temp.finding_changes (finding)
         SELECT number FROM finding WHERE registration = $1 AND registration IS NOT NULL AND state <> 'resolved'",
    )
    .bind(registration)
    .execute(&mut *db)
    .await?;
    if raised.rows_affected() == 0 {
        return Ok(());
    }
    finding_changes::begin_history(db).await?;
    sqlx::query(
        "UPDATE finding SET state = 'resolved' WHERE number IN (SELECT finding FROM temp.finding_changes)",
    )
    .execute(&mut *db)
    .await?;
    finding_changes::write_history(db, reason, now).await?;
    finding_changes::leave_unclaimed_alerts(db).await?;
    finding_changes::queue_resolved_alerts(db, now).await
}
