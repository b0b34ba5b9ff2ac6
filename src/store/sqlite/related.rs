//! Findings that are looked at beside another one.

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;

use super::fail::Fail;
use super::record::{finding, select_finding};
use super::{SqliteStore, expectations};
use crate::finding::{Finding, FindingId};
use crate::store::{Registration, RelatedFindings, StoreError};

#[async_trait]
impl RelatedFindings for SqliteStore {
    async fn last_expected(
        &self,
        watch: &str,
        finding: FindingId,
    ) -> Result<Option<Finding>, StoreError> {
        reading!(self, "looking up a registered signing", |db| last_expected(
            db, watch, finding
        ))
    }

    async fn recorded_around(
        &self,
        finding: FindingId,
        limit: u32,
    ) -> Result<Vec<Finding>, StoreError> {
        reading!(self, "reading findings", |db| recorded_around(
            db, finding, limit
        ))
    }

    async fn faults_of(&self, log: &str, limit: u32) -> Result<Vec<Finding>, StoreError> {
        reading!(self, "reading faults of a log", |db| faults_of(
            db, log, limit
        ))
    }

    async fn last_registrations(&self, limit: u32) -> Result<Vec<Registration>, StoreError> {
        reading!(self, "reading registrations", |db| last_registrations(
            db, limit
        ))
    }
}

async fn number(db: &mut SqliteConnection, finding: FindingId) -> Result<Option<i64>, Fail> {
    let number = sqlx::query_scalar("SELECT number FROM finding WHERE id = $1")
        .bind(finding.as_bytes().as_slice())
        .fetch_optional(&mut *db)
        .await?;
    Ok(number)
}

async fn last_expected(
    db: &mut SqliteConnection,
    watch: &str,
    id: FindingId,
) -> Result<Option<Finding>, Fail> {
    let Some(number) = number(db, id).await? else {
        return Ok(None);
    };
    let before = sqlx::query(select_finding!(
        "WHERE f.verdict = 'expected' AND f.watch = $1 AND f.number < $2 ORDER BY f.number DESC LIMIT 1"
    ))
    .bind(watch)
    .bind(number)
    .fetch_optional(&mut *db)
    .await?;
    let row = match before {
        Some(before) => Some(before),
        None => {
            sqlx::query(select_finding!(
                "WHERE f.verdict = 'expected' AND f.watch = $1 AND f.number > $2 ORDER BY f.number DESC LIMIT 1"
            ))
            .bind(watch)
            .bind(number)
            .fetch_optional(&mut *db)
            .await?
        }
    };
    row.as_ref().map(finding).transpose()
}

async fn recorded_around(
    db: &mut SqliteConnection,
    id: FindingId,
    limit: u32,
) -> Result<Vec<Finding>, Fail> {
    let Some(number) = number(db, id).await? else {
        return Ok(Vec::new());
    };
    // No finding is ever deleted: there is one for each number.
    let rows = sqlx::query(select_finding!(
        "WHERE f.number BETWEEN $1 AND $2 AND f.number <> $3 ORDER BY f.number"
    ))
    .bind(number.saturating_sub(i64::from(limit)))
    .bind(number.saturating_add(i64::from(limit)))
    .bind(number)
    .fetch_all(&mut *db)
    .await?;
    rows.iter().map(finding).collect()
}

/// Findings about a whole log have no index: they are the first of the log in the order of lists.
async fn faults_of(db: &mut SqliteConnection, log: &str, limit: u32) -> Result<Vec<Finding>, Fail> {
    let rows = sqlx::query(select_finding!(
        "WHERE f.list_log = $1 AND f.list_index = -1 AND f.verdict = 'log-fault'
         ORDER BY f.list_watch, f.id LIMIT $2"
    ))
    .bind(log)
    .bind(i64::from(limit))
    .fetch_all(&mut *db)
    .await?;
    rows.iter().map(finding).collect()
}

async fn last_registrations(
    db: &mut SqliteConnection,
    limit: u32,
) -> Result<Vec<Registration>, Fail> {
    let before: Option<i64> =
        sqlx::query_scalar("SELECT number FROM expectation ORDER BY number DESC LIMIT 1 OFFSET $1")
            .bind(i64::from(limit))
            .fetch_optional(&mut *db)
            .await?;
    let after = before.unwrap_or(i64::MIN);
    let mut last = expectations::registrations(db, after, i64::from(limit)).await?;
    last.reverse();
    Ok(last)
}
