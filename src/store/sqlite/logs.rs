//! Logs, and the trees of each.

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::fail::Fail;
use super::value;
use crate::log::{LogId, Protocol};
use crate::store::{ListedTrees, LogState, PassError};

/// The number of a log; `None` if it was never followed.
pub(super) async fn number(db: &mut SqliteConnection, log: &LogId) -> Result<Option<i64>, Fail> {
    Ok(sqlx::query_scalar("SELECT number FROM log WHERE id = $1")
        .bind(log.as_str())
        .fetch_optional(db)
        .await?)
}

/// The number of a log, or 0, which no log has: no row has it.
pub(super) async fn number_or_zero(db: &mut SqliteConnection, log: &LogId) -> Result<i64, Fail> {
    Ok(number(db, log).await?.unwrap_or(0))
}

/// The number of a log. A new log is recorded. `protocol` is empty where it is not known.
pub(super) async fn enter(
    db: &mut SqliteConnection,
    log: &LogId,
    name: &str,
    protocol: &str,
) -> Result<i64, Fail> {
    Ok(sqlx::query_scalar(
        "INSERT INTO log (id, name, protocol) VALUES ($1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name,
           protocol = CASE excluded.protocol WHEN '' THEN protocol ELSE excluded.protocol END
         RETURNING number",
    )
    .bind(log.as_str())
    .bind(name)
    .bind(protocol)
    .fetch_one(db)
    .await?)
}

/// One log.
pub(super) async fn log(db: &mut SqliteConnection, id: &LogId) -> Result<Option<LogState>, Fail> {
    let row = sqlx::query("SELECT * FROM log WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(db)
        .await?;
    row.as_ref().map(state).transpose()
}

/// Every log, by name.
pub(super) async fn logs(db: &mut SqliteConnection) -> Result<Vec<LogState>, Fail> {
    let rows = sqlx::query("SELECT * FROM log ORDER BY name, id")
        .fetch_all(db)
        .await?;
    rows.iter().map(state).collect()
}

fn state(row: &SqliteRow) -> Result<LogState, Fail> {
    Ok(LogState {
        id: LogId::new(row.try_get::<String, _>("id")?),
        name: row.try_get("name")?,
        protocol: Protocol::from_word(row.try_get("protocol")?),
        signed_name: row.try_get("signed_name")?,
        failed_passes: value::small(row.try_get("failed_passes")?)?,
        last_success: value::moment_if(row.try_get("last_success")?)?,
        error: value::last_error(row)?,
    })
}

/// Whether `list_trees` would change nothing.
pub(super) async fn is_listed_so(
    db: &mut SqliteConnection,
    listed: &ListedTrees,
) -> Result<bool, Fail> {
    let known = log(db, &listed.log).await?;
    let is_same = known.is_some_and(|log| {
        log.name == listed.name && log.signed_name.as_ref() == Some(&listed.signed_name)
    });
    if !is_same {
        return Ok(false);
    }
    let trees: Vec<String> = sqlx::query_scalar(
        "SELECT t.origin FROM tree t JOIN log l ON l.number = t.log WHERE l.id = $1 AND t.place IS NOT NULL ORDER BY t.place",
    )
    .bind(listed.log.as_str())
    .fetch_all(db)
    .await?;
    let listed = listed.trees.iter().map(|tree| tree.id.as_str());
    Ok(listed.eq(trees.iter().map(String::as_str)))
}

/// Records the trees of a log, as it listed them.
pub(super) async fn list_trees(
    db: &mut SqliteConnection,
    listed: &ListedTrees,
) -> Result<(), Fail> {
    take_over_moved(db, listed).await?;
    let log = enter(db, &listed.log, &listed.name, listed.protocol.as_str()).await?;
    sqlx::query("UPDATE log SET signed_name = $2 WHERE number = $1")
        .bind(log)
        .bind(&listed.signed_name)
        .execute(&mut *db)
        .await?;
    sqlx::query("UPDATE tree SET place = NULL WHERE log = $1 AND place IS NOT NULL")
        .bind(log)
        .execute(&mut *db)
        .await?;
    for (place, tree) in (0_i64..).zip(&listed.trees) {
        // A server that lists the tree of another log without a signature for it does not get the tree.
        sqlx::query(
            "INSERT INTO tree (origin, log, place, size_since) VALUES ($1, $2, $3, $4)
             ON CONFLICT (origin) DO UPDATE SET log = excluded.log, place = excluded.place
             WHERE tree.log = excluded.log OR $5",
        )
        .bind(tree.id.as_str())
        .bind(log)
        .bind(place)
        .bind(value::micros(listed.now))
        .bind(tree.is_verified)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// A new log that signs for a tree of another log is that log, and its server has another address now. Its look-ups and
/// all of its trees are moved to it.
async fn take_over_moved(db: &mut SqliteConnection, listed: &ListedTrees) -> Result<(), Fail> {
    let new = number(db, &listed.log).await?;
    if let Some(new) = new {
        let is_in_use: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM tree WHERE log = $1) OR EXISTS (SELECT 1 FROM guided WHERE log = $1)",
        )
        .bind(new)
        .fetch_one(&mut *db)
        .await?;
        if is_in_use {
            return Ok(());
        }
    }
    for tree in listed.trees.iter().filter(|tree| tree.is_verified) {
        let before: Option<(i64, String)> = sqlx::query_as(
            "SELECT l.number, l.id FROM tree t JOIN log l ON l.number = t.log WHERE t.origin = $1",
        )
        .bind(tree.id.as_str())
        .fetch_optional(&mut *db)
        .await?;
        let Some((number, id)) = before else {
            continue;
        };
        sqlx::query("DELETE FROM log WHERE number = $1")
            .bind(new)
            .execute(&mut *db)
            .await?;
        sqlx::query("UPDATE log SET id = $2 WHERE number = $1")
            .bind(number)
            .bind(listed.log.as_str())
            .execute(&mut *db)
            .await?;
        sqlx::query("UPDATE OR REPLACE pace SET origin = $2 WHERE origin = $1")
            .bind(id)
            .bind(listed.log.as_str())
            .execute(&mut *db)
            .await?;
        return Ok(());
    }
    Ok(())
}

/// The logs of the open findings about health: the origin in the finding, and the log that has it or is it; `None` if
/// no log has it.
pub(super) async fn unhealthy(
    db: &mut SqliteConnection,
) -> Result<Vec<(String, Option<LogId>)>, Fail> {
    let rows: Vec<(String, Option<String>)> = sqlx::query_as(
        "SELECT f.origin, coalesce(
           (SELECT l.id FROM tree t JOIN log l ON l.number = t.log WHERE t.origin = f.origin),
           (SELECT l.id FROM log l WHERE l.id = f.origin),
           (SELECT l.id FROM log l WHERE l.signed_name = f.origin AND EXISTS (SELECT 1 FROM guided g WHERE g.log = l.number)))
         FROM (SELECT DISTINCT origin FROM finding
               WHERE health = 1 AND state IN ('open', 'disputed') AND origin IS NOT NULL) f
         ORDER BY f.origin",
    )
    .fetch_all(db)
    .await?;
    let of_log = |(origin, log): (String, Option<String>)| (origin, log.map(LogId::new));
    Ok(rows.into_iter().map(of_log).collect())
}

/// Records the result of a pass over a log as a whole.
pub(super) async fn end_pass(
    db: &mut SqliteConnection,
    log: i64,
    word: &str,
    error: Option<&PassError>,
    now: i64,
) -> Result<(), Fail> {
    sqlx::query(
        "UPDATE log SET
           last_success  = CASE $2 WHEN 'proven' THEN $3 ELSE last_success END,
           failed_passes = CASE $2 WHEN 'failed' THEN failed_passes + 1 WHEN 'interrupted' THEN failed_passes ELSE 0 END,
           error_kind    = $4,
           error_message = $5
         WHERE number = $1",
    )
    .bind(log)
    .bind(word)
    .bind(now)
    .bind(error.map(|error| error.kind.as_str()))
    .bind(error.map(|error| error.message.as_str()))
    .execute(db)
    .await?;
    Ok(())
}
