//! Sources that registrations are read from.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::expectations::{self, registration};
use super::fail::Fail;
use super::value;
use crate::finding::{FindingId, Routes};
use crate::store::{Registration, SourceContent, SourceFailure, SourceState};

/// Withdrawals of one transaction, as of registrations.
pub(super) const GROUP: usize = expectations::GROUP;

/// Everything that is kept of sources.
pub(super) async fn sources(db: &mut SqliteConnection) -> Result<Vec<SourceState>, Fail> {
    let rows = sqlx::query(
        "SELECT name, location, at, failures, error, problems, commit_id, rewritten FROM registration_source ORDER BY name",
    )
    .fetch_all(&mut *db)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(SourceState {
                name: row.try_get("name")?,
                location: row.try_get("location")?,
                at: value::moment(row.try_get("at")?)?,
                failures: value::small(row.try_get("failures")?)?,
                error: row.try_get("error")?,
                problems: serde_json::from_str(row.try_get("problems")?)
                    .map_err(|error| Fail::corrupt(format!("problems of a source: {error}")))?,
                commit: row.try_get("commit_id")?,
                rewritten: row.try_get("rewritten")?,
            })
        })
        .collect()
}

/// The registrations of a source.
pub(super) async fn registrations_of(
    db: &mut SqliteConnection,
    source: &str,
) -> Result<Vec<Registration>, Fail> {
    let rows = sqlx::query(
        "SELECT number, body, file, at, authority, source, commit_id, author, watches, content, 0 AS findings
         FROM expectation WHERE source = $1 AND source IS NOT NULL ORDER BY number",
    )
    .bind(source)
    .fetch_all(&mut *db)
    .await?;
    rows.iter().map(registration).collect()
}

/// Withdraws registrations; those that are gone already are passed over.
pub(super) async fn withdraw(
    db: &mut SqliteConnection,
    routes: &Routes,
    numbers: &[i64],
    now: Timestamp,
) -> Result<(u64, Vec<FindingId>), Fail> {
    let (mut withdrawn, mut findings) = (0, Vec::new());
    for number in numbers {
        if let Some(changed) = expectations::unregister(db, routes, *number, now).await? {
            withdrawn += 1;
            findings.extend(changed);
        }
    }
    Ok((withdrawn, findings))
}

/// Records that a source was read.
pub(super) async fn read(db: &mut SqliteConnection, content: &SourceContent) -> Result<(), Fail> {
    sqlx::query(
        "INSERT INTO registration_source (name, location, at, problems, commit_id) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (name) DO UPDATE SET location = excluded.location, at = excluded.at, failures = 0, error = NULL,
           problems = excluded.problems, commit_id = excluded.commit_id, rewritten = NULL",
    )
    .bind(&content.name)
    .bind(&content.location)
    .bind(value::micros(content.now))
    .bind(serde_json::json!(content.problems).to_string())
    .bind(&content.commit)
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Records that a source could not be read. What is kept of another location is forgotten.
pub(super) async fn failed(db: &mut SqliteConnection, failure: &SourceFailure) -> Result<(), Fail> {
    sqlx::query(
        "INSERT INTO registration_source AS s (name, location, at, failures, error, rewritten) VALUES ($1, $2, $3, 1, $4, $5)
         ON CONFLICT (name) DO UPDATE SET at = excluded.at, error = excluded.error, location = excluded.location,
           failures = iif(s.location = excluded.location, s.failures + 1, 1),
           problems = iif(s.location = excluded.location, s.problems, '[]'),
           commit_id = iif(s.location = excluded.location, s.commit_id, NULL),
           rewritten = CASE WHEN excluded.rewritten IS NOT NULL THEN excluded.rewritten
                            WHEN s.location = excluded.location THEN s.rewritten END",
    )
    .bind(&failure.name)
    .bind(&failure.location)
    .bind(value::micros(failure.now))
    .bind(&failure.error)
    .bind(&failure.rewritten)
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Accepts the history of a rewritten branch.
pub(super) async fn confirm(
    db: &mut SqliteConnection,
    name: &str,
    commit: &str,
) -> Result<bool, Fail> {
    let confirmed = sqlx::query(
        "UPDATE registration_source SET commit_id = rewritten, rewritten = NULL, error = NULL, failures = 0
         WHERE name = $1 AND rewritten = $2",
    )
    .bind(name)
    .bind(commit)
    .execute(&mut *db)
    .await?;
    Ok(confirmed.rows_affected() == 1)
}

/// The tags of open and held signings.
pub(super) async fn signed_tags(
    db: &mut SqliteConnection,
    watches: Option<&[String]>,
    limit: u32,
) -> Result<Vec<String>, Fail> {
    let watches = watches.map(|watches| serde_json::json!(watches).to_string());
    Ok(sqlx::query_scalar(
        "SELECT substr(r.ref, 11) FROM (
           SELECT f.number, coalesce(json_extract(s.extensions, '$.source_repository_ref'),
                                     json_extract(s.extensions, '$.github_workflow_ref')) AS ref
           FROM (SELECT number FROM finding WHERE health = 0 AND state IN ('open', 'disputed')
                 UNION ALL SELECT number FROM finding WHERE state = 'held') n
           CROSS JOIN finding f ON f.number = n.number CROSS JOIN signer s ON s.key = f.signer
           WHERE f.chain = 'trusted'
             AND f.verdict IN ('self-registered', 'model-unexpected', 'identity-unexpected', 'other-predicate')
             AND ($1 IS NULL OR f.watch IN (SELECT value FROM json_each($1)))) r
         WHERE substr(r.ref, 1, 10) = 'refs/tags/' GROUP BY r.ref ORDER BY max(r.number) DESC LIMIT $2",
    )
    .bind(watches)
    .bind(limit)
    .fetch_all(&mut *db)
    .await?)
}

/// The names of sources that something is kept of, and the numbers of their registrations, other than these.
pub(super) async fn others(
    db: &mut SqliteConnection,
    configured: &[String],
) -> Result<(Vec<String>, Vec<i64>), Fail> {
    let configured = serde_json::json!(configured).to_string();
    let names = sqlx::query_scalar(
        "SELECT name FROM registration_source WHERE name NOT IN (SELECT value FROM json_each($1))",
    )
    .bind(&configured)
    .fetch_all(&mut *db)
    .await?;
    let numbers = sqlx::query_scalar(
        "SELECT number FROM expectation
         WHERE source IS NOT NULL AND source NOT IN (SELECT value FROM json_each($1)) ORDER BY number",
    )
    .bind(&configured)
    .fetch_all(&mut *db)
    .await?;
    Ok((names, numbers))
}

/// Forgets what is kept of sources, after their registrations were withdrawn.
pub(super) async fn forget(db: &mut SqliteConnection, names: &[String]) -> Result<(), Fail> {
    for name in names {
        sqlx::query("DELETE FROM registration_source WHERE name = $1")
            .bind(name)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}
