//! Values that modules keep between processes and passes, and requested rescans.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::fail::Fail;
use super::value;
use crate::store::RescanRequest;

/// Reads a value.
pub(super) async fn get_value(
    db: &mut SqliteConnection,
    key: &str,
) -> Result<Option<String>, Fail> {
    Ok(
        sqlx::query_scalar("SELECT value FROM memory WHERE key = $1")
            .bind(key)
            .fetch_optional(&mut *db)
            .await?,
    )
}

/// Writes a value.
pub(super) async fn put_value(
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

/// Forgets a value.
pub(super) async fn forget_value(db: &mut SqliteConnection, key: &str) -> Result<(), Fail> {
    sqlx::query("DELETE FROM memory WHERE key = $1")
        .bind(key)
        .execute(&mut *db)
        .await?;
    Ok(())
}

/// Requests a rescan. The empty name, which no watch has, means every watch.
pub(super) async fn request_rescan(
    db: &mut SqliteConnection,
    watch: Option<&str>,
    now: Timestamp,
) -> Result<(), Fail> {
    // The newer time distinguishes the request from the one that is being done now.
    sqlx::query(
        "INSERT INTO rescan (watch, at) VALUES ($1, $2) ON CONFLICT (watch) DO UPDATE SET at = excluded.at",
    )
    .bind(watch.unwrap_or_default())
    .bind(value::micros(now))
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// The requested rescans.
pub(super) async fn rescans(db: &mut SqliteConnection) -> Result<Vec<RescanRequest>, Fail> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT watch, at FROM rescan ORDER BY at, watch")
            .fetch_all(&mut *db)
            .await?;
    rows.into_iter()
        .map(|(watch, at)| {
            Ok(RescanRequest {
                watch: (!watch.is_empty()).then_some(watch),
                at: value::moment(at)?,
            })
        })
        .collect()
}

/// Deletes a request, unless it was repeated.
pub(super) async fn rescan_done(
    db: &mut SqliteConnection,
    request: &RescanRequest,
) -> Result<(), Fail> {
    sqlx::query("DELETE FROM rescan WHERE watch = $1 AND at = $2")
        .bind(request.watch.as_deref().unwrap_or_default())
        .bind(value::micros(request.at))
        .execute(&mut *db)
        .await?;
    Ok(())
}
