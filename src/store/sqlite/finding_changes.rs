//! Changes of findings, always in the same steps: the set of findings (the scratch set `finding_changes`), the first
//! row of their history, the change itself, its row in the history, and its effect on alerts. What people do changes the state
//! alone: it is one row of history, which is written before the change and contains the first one.
//!
//! `finding_changes` and `vacated` are temporary tables of the writer's connection: changes of one finding and of a
//! thousand use the same statements. Both tables are in memory, and until a statement ends SQLite has a second copy of
//! each page that it changes. So a caller that may change very many findings does it in groups.
//!
//! `CROSS JOIN` makes SQLite read the scratch set first and look up the rest by it. With `JOIN` it may read every
//! finding and look for it in the set, because it has no statistics about the size of the set.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::fail::Fail;
use super::outbox::{self, AlertRequest};
use super::record::{numbered, select_finding};
use super::value;
use crate::finding::Routes;
use crate::store::{Action, Handling, HandlingRequest};

/// Number of findings that are read into memory at once.
const PAGE: i64 = 400;

/// Most rows of history that a log can cause for one finding with alternating answers: a log that serves a false batch
/// at each pass must not fill the disk.
const MAX_FLIPS: i64 = 64;

/// Empties the set.
pub(super) async fn clear(db: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::query("DELETE FROM temp.finding_changes")
        .execute(&mut *db)
        .await?;
    Ok(())
}

/// Makes the set one finding.
pub(super) async fn only(db: &mut SqliteConnection, number: i64) -> Result<(), Fail> {
    clear(db).await?;
    sqlx::query("INSERT INTO temp.finding_changes (finding) VALUES ($1)")
        .bind(number)
        .execute(&mut *db)
        .await?;
    Ok(())
}

/// Writes the first row of history of those that have none: their state before the change.
pub(super) async fn begin_history(db: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::query(
        "INSERT INTO history (finding, at, verdict, severity, state, reason, action)
         SELECT f.number, f.first_seen, f.verdict, f.severity, f.state, 'first seen', 'seen'
         FROM temp.finding_changes t CROSS JOIN finding f ON f.number = t.finding
         WHERE NOT EXISTS (SELECT 1 FROM history h WHERE h.finding = f.number)",
    )
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// The row of history of what people do, written before the change: `$state` is the state after it, in SQL. If it is the first row
/// of a finding, it has the state before too.
macro_rules! handled {
    ($state:literal) => {
        concat!(
            "INSERT OR FAIL INTO history (finding, at, verdict, severity, state, reason, action, author, began) ",
            "SELECT f.number, $1, f.verdict, f.severity, ",
            $state,
            ", $2, $3, $4, iif(EXISTS (SELECT 1 FROM history h WHERE h.finding = f.number), NULL, f.state) ",
            "FROM temp.finding_changes t CROSS JOIN finding f ON f.number = t.finding"
        )
    };
}

/// A row of history for each of them.
macro_rules! write {
    ($clauses:literal) => {
        concat!(
            "INSERT INTO history (finding, at, verdict, severity, state, reason, action, author) ",
            "SELECT f.number, $1, f.verdict, f.severity, f.state, $2, $3, $4 ",
            "FROM temp.finding_changes t CROSS JOIN finding f ON f.number = t.finding ",
            $clauses
        )
    };
}

/// Writes a row of history with the state now, and the reason.
pub(super) async fn write_history(
    db: &mut SqliteConnection,
    reason: &str,
    now: Timestamp,
) -> Result<(), Fail> {
    sqlx::query(write!(""))
        .bind(value::micros(now))
        .bind(reason)
        .bind(Action::Change.as_str())
        .bind(None::<&str>)
        .execute(&mut *db)
        .await?;
    Ok(())
}

/// Writes a row of history for what a person does, before it changes the findings.
pub(super) async fn write_handling(
    db: &mut SqliteConnection,
    request: &HandlingRequest<'_>,
) -> Result<(), Fail> {
    sqlx::query(match request.handling {
        Handling::Ack => handled!("'acked'"),
        // One whose batch is false goes back to being disputed.
        Handling::Reopen => handled!("iif(f.prior_state IS NULL, 'open', 'disputed')"),
        Handling::Note => handled!("f.state"),
    })
    .bind(value::micros(request.at))
    .bind(request.reason)
    .bind(Action::from(request.handling).as_str())
    .bind(request.author)
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// The same for a change that the log causes.
pub(super) async fn write_flip(
    db: &mut SqliteConnection,
    reason: &str,
    now: Timestamp,
) -> Result<(), Fail> {
    sqlx::query(write!(
        "WHERE (SELECT count(*) FROM history h WHERE h.finding = f.number) < $5"
    ))
    .bind(value::micros(now))
    .bind(reason)
    .bind(Action::Change.as_str())
    .bind(None::<&str>)
    .bind(MAX_FLIPS)
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Removes them from alerts that no outbox has claimed yet. An empty alert is deleted.
pub(super) async fn leave_unclaimed_alerts(db: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::query("DELETE FROM temp.vacated")
        .execute(&mut *db)
        .await?;
    let left = sqlx::query(
        "INSERT INTO temp.vacated (alert)
         SELECT DISTINCT a.number
         FROM temp.finding_changes t CROSS JOIN member m ON m.finding = t.finding CROSS JOIN alert a ON a.number = m.alert
         WHERE a.closed = 0 AND a.kind NOT IN ('resolved', 'acknowledged')",
    )
    .execute(&mut *db)
    .await?;
    if left.rows_affected() == 0 {
        // Mostly: otherwise the members of every finding would be looked up once more.
        return Ok(());
    }
    sqlx::query(
        "DELETE FROM member WHERE (alert, finding) IN (
           SELECT m.alert, m.finding FROM temp.finding_changes t CROSS JOIN member m ON m.finding = t.finding
           WHERE m.alert IN (SELECT alert FROM temp.vacated))",
    )
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "DELETE FROM alert WHERE number IN (SELECT alert FROM temp.vacated)
         AND NOT EXISTS (SELECT 1 FROM member m WHERE m.alert = alert.number)",
    )
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// The statements of [`queue_ends`] for a kind of message, which is a literal in them: the indexes of these kinds are partial.
macro_rules! ends {
    ($kind:literal, $which:literal) => {
        [
            concat!(
                "INSERT INTO temp.vacated (alert)
                 SELECT DISTINCT a.number
                 FROM temp.finding_changes t CROSS JOIN member m ON m.finding = t.finding
                 CROSS JOIN alert a ON a.number = m.alert
                 WHERE a.closed = 1 AND a.kind NOT IN ('resolved', 'acknowledged') AND a.state <> 'failed' ",
                $which,
                " AND NOT EXISTS (SELECT 1 FROM alert r WHERE r.kind = '",
                $kind,
                "' AND r.key = a.id)
                  AND NOT EXISTS (
                    SELECT 1 FROM member o CROSS JOIN finding f ON f.number = o.finding
                    WHERE o.alert = a.number AND f.state IN ('open', 'held', 'disputed'))"
            ),
            concat!(
                "INSERT INTO alert (channel, kind, key, group_key, created, due)
                 SELECT a.channel, '",
                $kind,
                "', a.id, '",
                $kind,
                " ' || a.id, $1, $1
                 FROM temp.vacated v CROSS JOIN alert a ON a.number = v.alert ORDER BY v.alert"
            ),
            concat!(
                "INSERT INTO member (alert, finding)
                 SELECT r.number, m.finding
                 FROM temp.vacated v CROSS JOIN alert a ON a.number = v.alert
                 CROSS JOIN alert r ON r.kind = '",
                $kind,
                "' AND r.key = a.id
                 CROSS JOIN member m ON m.alert = a.number"
            ),
        ]
    };
}

/// Queues the message that all is closed, for each claimed alert whose last open finding is in the set.
///
/// There is none for an alert that was given up: no receiver has it.
pub(super) async fn queue_resolved_alerts(
    db: &mut SqliteConnection,
    now: Timestamp,
) -> Result<(), Fail> {
    queue_ends(db, ends!("resolved", ""), None, now).await
}

/// Queues the message that all is acknowledged, once for each claimed alert of a channel that takes it, if none of its
/// findings is open.
pub(super) async fn queue_acknowledgements(
    db: &mut SqliteConnection,
    routes: &Routes,
    now: Timestamp,
) -> Result<(), Fail> {
    let channels: Vec<&str> = routes.acknowledged_channels().collect();
    if channels.is_empty() {
        return Ok(());
    }
    let ends = ends!(
        "acknowledged",
        "AND a.channel IN (SELECT value FROM json_each($1))"
    );
    let channels = serde_json::json!(channels).to_string();
    queue_ends(db, ends, Some(channels), now).await
}

/// Queues a message for each claimed alert that contains a finding of the set and none that is open, unless it was queued
/// before. `channels` is the argument of the first statement, if it has one.
async fn queue_ends(
    db: &mut SqliteConnection,
    [vacate, queue, join]: [&'static str; 3],
    channels: Option<String>,
    now: Timestamp,
) -> Result<(), Fail> {
    sqlx::query("DELETE FROM temp.vacated")
        .execute(&mut *db)
        .await?;
    let mut vacating = sqlx::query(vacate);
    if let Some(channels) = channels {
        vacating = vacating.bind(channels);
    }
    vacating.execute(&mut *db).await?;
    sqlx::query(queue)
        .bind(value::micros(now))
        .execute(&mut *db)
        .await?;
    sqlx::query(join).execute(&mut *db).await?;
    Ok(())
}

/// Removes from the set those that are in an alert.
pub(super) async fn keep_unalerted(db: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::query(
        "DELETE FROM temp.finding_changes WHERE EXISTS (
           SELECT 1 FROM member m CROSS JOIN alert a ON a.number = m.alert
           WHERE m.finding = finding_changes.finding AND a.kind NOT IN ('resolved', 'acknowledged'))",
    )
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Queues the alerts of the findings in the set, according to their present verdict and state.
pub(super) async fn queue_alerts(
    db: &mut SqliteConnection,
    routes: &Routes,
    except: Option<&str>,
    now: Timestamp,
) -> Result<(), Fail> {
    let mut after = i64::MIN;
    loop {
        let rows = sqlx::query(select_finding!(
            "JOIN temp.finding_changes t ON t.finding = f.number
             WHERE t.finding > $1 ORDER BY t.finding LIMIT $2"
        ))
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut *db)
        .await?;
        let page = rows
            .iter()
            .map(numbered)
            .collect::<Result<Vec<_>, Fail>>()?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        after = *last;
        let requests: Vec<AlertRequest<'_>> = page
            .iter()
            .map(|(number, finding)| AlertRequest {
                number: *number,
                finding,
                except,
            })
            .collect();
        outbox::queue_alerts(db, routes, &requests, now).await?;
    }
}
