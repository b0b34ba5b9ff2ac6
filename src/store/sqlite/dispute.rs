//! Faults of logs, and their effect on what was read before.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::fail::Fail;
use super::incoming::Incoming;
use super::insert;
use super::{coverage, finding_changes, positions, value};
use crate::finding::{NewFinding, Routes};
use crate::store::{Contradiction, Dispute};

/// Notes that are stored for one fault: enough for both sides and several repeats, but limited, because a log can sign
/// another root each minute.
const MAX_NOTES: i64 = 16;

/// Records a fault, and disputes the batch that it makes false.
pub(super) async fn dispute(
    db: &mut SqliteConnection,
    routes: &Routes,
    dispute: &Dispute,
) -> Result<(), Fail> {
    let Dispute {
        tree,
        expected,
        follower,
        now,
        ..
    } = dispute;
    positions::advance(db, tree, *expected, follower, *now).await?;
    let seen = follower.seen.size();
    if seen < expected.0 {
        coverage::rewind(db, tree.as_str(), seen).await?;
    }
    let incoming: Vec<Incoming<'_>> = dispute.findings.iter().map(Incoming::of).collect();
    insert::insert(db, routes, &incoming, *now).await?;
    if dispute.batch_is_false {
        dispute_unproven(db, routes, dispute).await?;
    }
    record_fault(db, routes, &dispute.fault, &dispute.occurrence, *now).await
}

/// Records a fault of a log without changing its position.
pub(super) async fn contradicted(
    db: &mut SqliteConnection,
    routes: &Routes,
    contradiction: &Contradiction,
) -> Result<(), Fail> {
    let Contradiction {
        fault,
        occurrence,
        now,
    } = contradiction;
    record_fault(db, routes, fault, occurrence, *now).await
}

/// Every unproven finding from the proven position on becomes disputed.
async fn dispute_unproven(
    db: &mut SqliteConnection,
    routes: &Routes,
    dispute: &Dispute,
) -> Result<(), Fail> {
    finding_changes::clear(db).await?;
    sqlx::query(
        "INSERT INTO temp.finding_changes (finding)
         SELECT number FROM finding
         WHERE origin = $1 AND proven = 0 AND prior_state IS NULL
           AND entry_index >= (SELECT base FROM tree WHERE origin = $1) + $2",
    )
    .bind(dispute.tree.as_str())
    .bind(value::integer(dispute.expected.1)?)
    .execute(&mut *db)
    .await?;
    finding_changes::begin_history(db).await?;
    // A held one is alerted now: the reason to hold it is not proven any more.
    sqlx::query(
        "UPDATE finding SET prior_state = CASE state WHEN 'held' THEN 'open' ELSE state END, state = 'disputed'
         WHERE number IN (SELECT finding FROM temp.finding_changes)",
    )
    .execute(&mut *db)
    .await?;
    finding_changes::write_flip(
        db,
        "the log's entries do not hash to what it signed",
        dispute.now,
    )
    .await?;
    finding_changes::keep_unalerted(db).await?;
    finding_changes::queue_alerts(db, routes, None, dispute.now).await
}

/// The fault itself: recorded once while it lasts, and again when it returns after it was closed.
async fn record_fault(
    db: &mut SqliteConnection,
    routes: &Routes,
    fault: &NewFinding,
    occurrence: &[u8; 32],
    now: Timestamp,
) -> Result<(), Fail> {
    let incoming = Incoming {
        occurrence: Some(occurrence),
        ..Incoming::of(fault)
    };
    let inserted = insert::insert(db, routes, &[incoming], now).await?;
    if inserted.new > 0 {
        return Ok(());
    }
    let row = sqlx::query("SELECT number, state, occurrence FROM finding WHERE id = $1")
        .bind(fault.finding.id.as_bytes().as_slice())
        .fetch_one(&mut *db)
        .await?;
    let number: i64 = row.try_get("number")?;
    let state: &str = row.try_get("state")?;
    let another_root = row.try_get::<Option<&[u8]>, _>("occurrence")? != Some(occurrence);
    let again = match state {
        "resolved" => true,
        "acked" => another_root,
        _ => false,
    };
    if !again && !another_root {
        return Ok(());
    }
    finding_changes::only(db, number).await?;
    sqlx::query("UPDATE finding SET occurrence = $2 WHERE number = $1")
        .bind(number)
        .bind(occurrence.as_slice())
        .execute(&mut *db)
        .await?;
    if another_root {
        add_notes(db, number, &fault.evidence.notes).await?;
    }
    if again {
        finding_changes::begin_history(db).await?;
        sqlx::query("UPDATE finding SET state = 'open', summary = $2 WHERE number = $1")
            .bind(number)
            .bind(&fault.finding.summary)
            .execute(&mut *db)
            .await?;
        finding_changes::write_history(db, "the log did it again", now).await?;
        finding_changes::queue_alerts(db, routes, None, now).await?;
    }
    Ok(())
}

async fn add_notes(db: &mut SqliteConnection, number: i64, notes: &[Vec<u8>]) -> Result<(), Fail> {
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM evidence WHERE finding = $1 AND kind = 'note'")
            .bind(number)
            .fetch_one(&mut *db)
            .await?;
    let free = usize::try_from(MAX_NOTES - kept).unwrap_or(0);
    let notes = notes.get(..free.min(notes.len())).unwrap_or_default();
    insert::insert_evidence(db, number, notes, kept).await
}
