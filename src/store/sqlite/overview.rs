//! Numbers for reports, each from an index of its own.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::fail::Fail;
use super::{SqliteStore, files, value};
use crate::store::{Overview, RecentFinding, StoreError, WaitingFindings};

#[async_trait]
impl Overview for SqliteStore {
    async fn waiting_findings(&self) -> Result<WaitingFindings, StoreError> {
        reading!(self, "counting what is open", |db| waiting_findings(db))
    }

    async fn recent_findings(&self, limit: u32) -> Result<Vec<RecentFinding>, StoreError> {
        reading!(self, "reading the last findings", |db| recent_findings(
            db, limit
        ))
    }

    async fn last_deliveries(
        &self,
        channels: &[String],
    ) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        reading!(self, "reading the last deliveries", |db| last_deliveries(
            db, channels
        ))
    }

    async fn size_bytes(&self) -> Result<Option<u64>, StoreError> {
        Ok(size_bytes(&self.path))
    }
}

/// The numbers of open and of held findings.
async fn waiting_findings(db: &mut SqliteConnection) -> Result<WaitingFindings, Fail> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT verdict, severity, count(*) FROM finding INDEXED BY finding_open_kind
         WHERE state IN ('open', 'disputed') GROUP BY verdict, severity",
    )
    .fetch_all(&mut *db)
    .await?;
    let held: i64 = sqlx::query_scalar("SELECT count(*) FROM finding WHERE state = 'held'")
        .fetch_one(&mut *db)
        .await?;
    let mut waiting = WaitingFindings {
        held: value::natural(held)?,
        ..WaitingFindings::default()
    };
    for (verdict, severity, count) in rows {
        let kind = (value::severity(severity)?, value::verdict(&verdict)?);
        waiting.open.insert(kind, value::natural(count)?);
    }
    Ok(waiting)
}

/// The last findings by their numbers. None is ever deleted, so that there is one for each number.
async fn recent_findings(
    db: &mut SqliteConnection,
    limit: u32,
) -> Result<Vec<RecentFinding>, Fail> {
    type Row = (Vec<u8>, Option<String>, String, i64, String, i64);
    let last: Option<i64> = sqlx::query_scalar("SELECT max(number) FROM finding")
        .fetch_one(&mut *db)
        .await?;
    let before = last.unwrap_or(0).saturating_sub(i64::from(limit));
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, watch, verdict, severity, state, first_seen FROM finding
         WHERE number > $1 ORDER BY number DESC LIMIT $2",
    )
    .bind(before)
    .bind(i64::from(limit))
    .fetch_all(&mut *db)
    .await?;
    let found = rows.into_iter();
    found
        .map(|(id, watch, verdict, severity, state, first_seen)| {
            Ok(RecentFinding {
                id: value::finding_id(&id)?,
                watch,
                verdict: value::verdict(&verdict)?,
                severity: value::severity(severity)?,
                state: value::state(&state)?,
                first_seen: value::moment(first_seen)?,
            })
        })
        .collect()
}

/// When each of these channels accepted an alert last.
async fn last_deliveries(
    db: &mut SqliteConnection,
    channels: &[String],
) -> Result<BTreeMap<String, Timestamp>, Fail> {
    let mut last = BTreeMap::new();
    for channel in channels {
        let delivered: Option<i64> = sqlx::query_scalar(
            "SELECT max(delivered) FROM alert WHERE channel = $1 AND state = 'delivered'",
        )
        .bind(channel)
        .fetch_one(&mut *db)
        .await?;
        if let Some(at) = value::moment_if(delivered)? {
            last.insert(channel.clone(), at);
        }
    }
    Ok(last)
}

/// The bytes of the files of a database.
fn size_bytes(database: &Path) -> Option<u64> {
    let sizes = files::all(database).into_iter();
    let sizes = sizes.filter_map(|file| Some(file.metadata().ok()?.len()));
    sizes.reduce(u64::saturating_add)
}
