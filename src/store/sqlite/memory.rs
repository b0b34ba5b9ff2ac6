//! Small things between processes and passes: remembered values, and rescans that were asked for.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::fail::Fail;
use super::value;

/// A remembered value.
pub(super) async fn recall(db: &mut SqliteConnection, key: &str) -> Result<Option<String>, Fail> {
    Ok(
        sqlx::query_scalar("SELECT value FROM memory WHERE key = $1")
            .bind(key)
            .fetch_optional(&mut *db)
            .await?,
    )
}

/// Remembers a value.
pub(super) async fn remember(
    db: &mut SqliteConnection,
    key: &str,
    value: &str,
) -> Result<(), Fail> {
    sqlx::query(
        "INSERT INTO memory (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )
    .bind(key)
    .bind(value)
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Asks for a rescan. Every watch is the name that no watch has: the empty one.
pub(super) async fn request_rescan(
    db: &mut SqliteConnection,
    watch: Option<&str>,
    now: Timestamp,
) -> Result<(), Fail> {
    sqlx::query("INSERT INTO rescan (watch, at) VALUES ($1, $2) ON CONFLICT (watch) DO NOTHING")
        .bind(watch.unwrap_or_default())
        .bind(value::micros(now))
        .execute(&mut *db)
        .await?;
    Ok(())
}

/// Whether a rescan was asked for.
pub(super) async fn rescans_wait(db: &mut SqliteConnection) -> Result<bool, Fail> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM rescan)")
        .fetch_one(&mut *db)
        .await?)
}

/// Takes up what was asked for.
pub(super) async fn take_rescans(db: &mut SqliteConnection) -> Result<Vec<Option<String>>, Fail> {
    let mut rows: Vec<(i64, String)> = sqlx::query_as("DELETE FROM rescan RETURNING at, watch")
        .fetch_all(&mut *db)
        .await?;
    rows.sort_unstable();
    Ok(rows
        .into_iter()
        .map(|(_, watch)| (!watch.is_empty()).then_some(watch))
        .collect())
}
