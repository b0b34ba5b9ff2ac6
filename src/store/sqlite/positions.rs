//! Positions of trees, their checkpoints, and the results of passes.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _};
use tlog::{FollowerState, Head};

use super::fail::Fail;
use super::incoming::Incoming;
use super::insert;
use super::{finding_changes, kept, logs, value};
use crate::finding::{FindingId, Routes};
use crate::log::{LogId, Part, TreeId};
use crate::store::{Batch, NewTree, Outcome, PassReport, TreeState, VerifiedHead};

/// Trees with their logs and heads.
const SELECT: &str = "SELECT t.*, l.id AS log_id, l.name, h.role, h.size, h.root, h.note
     FROM tree t JOIN log l ON l.number = t.log LEFT JOIN head h ON h.origin = t.origin";

/// One tree.
pub(super) async fn tree(
    db: &mut SqliteConnection,
    id: &TreeId,
) -> Result<Option<TreeState>, Fail> {
    // One statement is one snapshot: it cannot read half of a batch that is committed meanwhile.
    let rows = sqlx::query(AssertSqlSafe(format!(
        "{SELECT} WHERE t.origin = $1 ORDER BY h.size"
    )))
    .bind(id.as_str())
    .fetch_all(&mut *db)
    .await?;
    Ok(states(&rows)?.pop())
}

/// Every tree.
pub(super) async fn trees(db: &mut SqliteConnection) -> Result<Vec<TreeState>, Fail> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "{SELECT} ORDER BY l.name, l.number, t.place IS NULL, t.place, t.origin, h.size"
    )))
    .fetch_all(&mut *db)
    .await?;
    states(&rows)
}

/// Rows of trees joined with their heads, in order.
fn states(rows: &[SqliteRow]) -> Result<Vec<TreeState>, Fail> {
    let mut states: Vec<TreeState> = Vec::new();
    for row in rows {
        let origin: &str = row.try_get("origin")?;
        if states.last().is_none_or(|last| last.id.as_str() != origin) {
            states.push(state(row)?);
        }
        let Some(role) = row.try_get::<Option<&str>, _>("role")? else {
            continue;
        };
        let head = value::head(
            row.try_get("size")?,
            row.try_get("root")?,
            row.try_get("note")?,
        )?;
        let state = states.last_mut();
        if role == VERIFIED {
            if let Some(state) = state {
                state.verified = Some(head);
            }
            continue;
        }
        let Some(follower) = state.and_then(|state| state.follower.as_mut()) else {
            return Err(Fail::corrupt(format!(
                "a checkpoint of {origin}, which has no position"
            )));
        };
        match role {
            PROVEN => follower.proven_head = Some(head),
            LARGEST => follower.head = Some(head),
            PENDING => follower.pending.push(head),
            _ => return Err(Fail::corrupt(format!("role of a checkpoint {role:?}"))),
        }
    }
    Ok(states)
}

/// Findings that one statement marks as proven.
const PROVE: i64 = 2_000;

// `head.role`.
const PROVEN: &str = "proven";
const LARGEST: &str = "largest";
const PENDING: &str = "pending";
const VERIFIED: &str = "verified";

/// A tree without its heads.
fn state(row: &SqliteRow) -> Result<TreeState, Fail> {
    let follower = match row.try_get::<Option<i64>, _>("seen")? {
        None => None,
        Some(seen) => Some(FollowerState {
            proven: value::frontier(row.try_get("proven")?, row.try_get("proven_frontier")?)?,
            proven_head: None,
            seen: value::frontier(seen, row.try_get("seen_frontier")?)?,
            head: None,
            pending: Vec::new(),
        }),
    };
    let frozen = match (
        row.try_get::<Option<i64>, _>("frozen_size")?,
        row.try_get("frozen_note")?,
    ) {
        (Some(size), Some(note)) => Some((value::natural(size)?, note)),
        _ => None,
    };
    Ok(TreeState {
        id: TreeId::new(row.try_get::<String, _>("origin")?),
        log: LogId::new(row.try_get::<String, _>("log_id")?),
        name: row.try_get("name")?,
        is_listed: row.try_get::<Option<i64>, _>("place")?.is_some(),
        base: value::natural(row.try_get("base")?)?,
        first: value::natural(row.try_get::<Option<i64>, _>("first")?.unwrap_or(0))?,
        follower,
        verified: None,
        frozen,
        behind_passes: value::small(row.try_get("behind_passes")?)?,
        behind_since: value::moment_if(row.try_get("behind_since")?)?,
        backlog_passes: value::small(row.try_get("backlog_passes")?)?,
        failed_passes: value::small(row.try_get("failed_passes")?)?,
        last_success: value::moment_if(row.try_get("last_success")?)?,
        size_since: value::moment(row.try_get("size_since")?)?,
        error: value::last_error(row)?,
    })
}

/// Sets the first position of a tree.
pub(super) async fn begin(db: &mut SqliteConnection, tree: &NewTree) -> Result<(), Fail> {
    let FollowerState { seen, proven, .. } = &tree.follower;
    let log = logs::enter(db, &tree.log, &tree.name, tree.protocol.as_str()).await?;
    let done = sqlx::query(
        "INSERT INTO tree (origin, log, first, seen, seen_frontier, proven, proven_frontier, size_since, base)
         VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (origin) DO UPDATE SET log = excluded.log, base = excluded.base,
           first = excluded.first, seen = excluded.seen, seen_frontier = excluded.seen_frontier,
           proven = excluded.proven, proven_frontier = excluded.proven_frontier, size_since = excluded.size_since
         WHERE tree.seen IS NULL",
    )
    .bind(tree.id.as_str())
    .bind(log)
    .bind(value::integer(seen.size())?)
    .bind(value::frontier_bytes(seen))
    .bind(value::integer(proven.size())?)
    .bind(value::frontier_bytes(proven))
    .bind(value::micros(tree.now))
    .bind(value::integer(tree.base)?)
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Fail::Moved(tree.id.to_string()));
    }
    replace_heads(db, &tree.id, &tree.follower).await?;
    add_checkpoints(db, &tree.id, &tree.checkpoints, tree.now).await
}

/// Moves a position, if it is the expected one.
///
/// The condition enforces law 2: a caller that would lower `proven` gets [`StoreError::Moved`](crate::store::StoreError::Moved).
pub(super) async fn advance(
    db: &mut SqliteConnection,
    tree: &TreeId,
    expected: (u64, u64),
    follower: &FollowerState,
    now: Timestamp,
) -> Result<(), Fail> {
    let largest: Option<i64> =
        sqlx::query_scalar("SELECT size FROM head WHERE origin = $1 AND role = $2")
            .bind(tree.as_str())
            .bind(LARGEST)
            .fetch_optional(&mut *db)
            .await?;
    let head = follower
        .head
        .as_ref()
        .map(|head| value::integer(head.size))
        .transpose()?;
    let done = sqlx::query(
        "UPDATE tree SET seen = $4, seen_frontier = $5, proven = $6, proven_frontier = $7,
                size_since = CASE WHEN $8 THEN $9 ELSE size_since END
         WHERE origin = $1 AND seen = $2 AND proven = $3 AND proven <= $6",
    )
    .bind(tree.as_str())
    .bind(value::integer(expected.0)?)
    .bind(value::integer(expected.1)?)
    .bind(value::integer(follower.seen.size())?)
    .bind(value::frontier_bytes(&follower.seen))
    .bind(value::integer(follower.proven.size())?)
    .bind(value::frontier_bytes(&follower.proven))
    .bind(head > largest)
    .bind(value::micros(now))
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Fail::Moved(tree.to_string()));
    }
    replace_heads(db, tree, follower).await
}

async fn replace_heads(
    db: &mut SqliteConnection,
    tree: &TreeId,
    follower: &FollowerState,
) -> Result<(), Fail> {
    sqlx::query("DELETE FROM head WHERE origin = $1 AND role <> $2")
        .bind(tree.as_str())
        .bind(VERIFIED)
        .execute(&mut *db)
        .await?;
    let heads = follower
        .proven_head
        .iter()
        .map(|head| (PROVEN, head))
        .chain(follower.head.iter().map(|head| (LARGEST, head)))
        .chain(follower.pending.iter().map(|head| (PENDING, head)));
    for (role, head) in heads {
        insert_head(db, tree, role, head).await?;
    }
    Ok(())
}

async fn insert_head(
    db: &mut SqliteConnection,
    tree: &TreeId,
    role: &str,
    head: &Head,
) -> Result<(), Fail> {
    sqlx::query("INSERT INTO head (origin, role, size, root, note) VALUES ($1, $2, $3, $4, $5)")
        .bind(tree.as_str())
        .bind(role)
        .bind(value::integer(head.size)?)
        .bind(head.root.as_bytes().as_slice())
        .bind(&*head.note)
        .execute(db)
        .await?;
    Ok(())
}

/// Records the newest checkpoint of a tree that is not read, if the one before is the expected one.
///
/// A log that was read before keeps its position: the checkpoint proves nothing about the entries.
pub(super) async fn record_head(
    db: &mut SqliteConnection,
    verified: &VerifiedHead,
) -> Result<(), Fail> {
    let VerifiedHead {
        tree,
        log,
        name,
        protocol,
        base,
        expected,
        head,
        now,
    } = verified;
    let log = logs::enter(db, log, name, protocol.as_str()).await?;
    sqlx::query(
        "INSERT INTO tree (origin, log, size_since, base) VALUES ($1, $2, $3, $4)
         ON CONFLICT (origin) DO UPDATE SET log = excluded.log,
           base = CASE WHEN tree.seen IS NULL THEN excluded.base ELSE tree.base END",
    )
    .bind(tree.as_str())
    .bind(log)
    .bind(value::micros(*now))
    .bind(value::integer(*base)?)
    .execute(&mut *db)
    .await?;
    let known: Option<i64> =
        sqlx::query_scalar("DELETE FROM head WHERE origin = $1 AND role = $2 RETURNING size")
            .bind(tree.as_str())
            .bind(VERIFIED)
            .fetch_optional(&mut *db)
            .await?;
    let size = value::integer(head.size)?;
    if known != expected.map(value::integer).transpose()? || known > Some(size) {
        return Err(Fail::Moved(tree.to_string()));
    }
    insert_head(db, tree, VERIFIED, head).await?;
    if known < Some(size) {
        sqlx::query("UPDATE tree SET size_since = $2 WHERE origin = $1")
            .bind(tree.as_str())
            .bind(value::micros(*now))
            .execute(&mut *db)
            .await?;
    }
    add_checkpoints(db, tree, std::slice::from_ref(head), *now).await
}

async fn add_checkpoints(
    db: &mut SqliteConnection,
    tree: &TreeId,
    checkpoints: &[Head],
    now: Timestamp,
) -> Result<(), Fail> {
    for head in checkpoints {
        sqlx::query(
            "INSERT INTO checkpoint (origin, size, root, note, at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (origin, size, root) DO NOTHING",
        )
        .bind(tree.as_str())
        .bind(value::integer(head.size)?)
        .bind(head.root.as_bytes().as_slice())
        .bind(&*head.note)
        .bind(value::micros(now))
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// Records a batch: position, checkpoints, findings, alerts, proofs.
pub(super) async fn commit(
    db: &mut SqliteConnection,
    routes: &Routes,
    batch: &Batch,
) -> Result<u64, Fail> {
    let Batch {
        tree,
        expected,
        follower,
        checkpoints,
        findings,
        kept,
        now,
    } = batch;
    if follower.seen.size() < expected.0 {
        // Only a dispute moves it back.
        return Err(Fail::Moved(tree.to_string()));
    }
    advance(db, tree, *expected, follower, *now).await?;
    add_checkpoints(db, tree, checkpoints, *now).await?;
    let incoming: Vec<Incoming<'_>> = findings.iter().map(Incoming::of).collect();
    let inserted = insert::insert(db, routes, &incoming, *now).await?;
    take_back_disputes(db, &inserted.known, *now).await?;
    kept::keep(db, tree, kept).await?;
    // In steps: the first proof of a long catch-up may cover 100,000 findings, whose numbers SQLite collects in memory. `OR FAIL`: it
    // keeps no copy of the pages that a step changes, and every error ends the whole transaction.
    loop {
        // A finding of a false batch that was not found again is not part of what is proven now.
        let proven = sqlx::query(AssertSqlSafe(format!(
            "UPDATE OR FAIL finding SET proven = 1 WHERE number IN (
               SELECT number FROM finding
               WHERE origin = $1 AND proven = 0 AND prior_state IS NULL
                 AND entry_index >= (SELECT base FROM tree WHERE origin = $1) + $2
                 AND entry_index < (SELECT base FROM tree WHERE origin = $1) + $3
               LIMIT {PROVE})"
        )))
        .bind(tree.as_str())
        .bind(value::integer(expected.1)?)
        .bind(value::integer(follower.proven.size())?)
        .execute(&mut *db)
        .await?;
        if proven.rows_affected() == 0 {
            break;
        }
    }
    Ok(inserted.new)
}

/// Disputed findings whose leaf was found again return to their earlier state.
pub(super) async fn take_back_disputes(
    db: &mut SqliteConnection,
    known: &[FindingId],
    now: Timestamp,
) -> Result<(), Fail> {
    if known.is_empty() {
        return Ok(());
    }
    finding_changes::clear(db).await?;
    for id in known {
        sqlx::query(
            "INSERT INTO temp.finding_changes (finding)
             SELECT number FROM finding WHERE id = $1 AND prior_state IS NOT NULL ON CONFLICT DO NOTHING",
        )
        .bind(id.as_bytes().as_slice())
        .execute(&mut *db)
        .await?;
    }
    // A finding that was acknowledged or registered meanwhile stays unchanged.
    sqlx::query(
        "UPDATE finding SET prior_state = NULL
         WHERE state <> 'disputed' AND number IN (SELECT finding FROM temp.finding_changes)",
    )
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "DELETE FROM temp.finding_changes WHERE EXISTS (
           SELECT 1 FROM finding f WHERE f.number = finding_changes.finding AND f.prior_state IS NULL)",
    )
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "UPDATE finding SET state = prior_state, prior_state = NULL
         WHERE number IN (SELECT finding FROM temp.finding_changes)",
    )
    .execute(&mut *db)
    .await?;
    finding_changes::write_flip(db, "the log served its entry again", now).await?;
    // A finding that was closed before the dispute is closed again, without an alert.
    sqlx::query(
        "DELETE FROM temp.finding_changes WHERE EXISTS (
           SELECT 1 FROM finding f WHERE f.number = finding_changes.finding AND f.state = 'open')",
    )
    .execute(&mut *db)
    .await?;
    finding_changes::leave_unclaimed_alerts(db).await
}

/// Marks findings that were found again in proven leaves: at first their batch was not proven yet, or was false.
pub(super) async fn prove_again(
    db: &mut SqliteConnection,
    known: &[FindingId],
    now: Timestamp,
) -> Result<(), Fail> {
    take_back_disputes(db, known, now).await?;
    for id in known {
        sqlx::query("UPDATE finding SET proven = 1 WHERE id = $1 AND proven = 0")
            .bind(id.as_bytes().as_slice())
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// Records the result of a pass.
pub(super) async fn end_pass(db: &mut SqliteConnection, report: &PassReport) -> Result<(), Fail> {
    let log = logs::enter(db, &report.log, &report.name, "").await?;
    let word = match &report.outcome {
        Outcome::Proven => "proven",
        Outcome::Interrupted => "interrupted",
        Outcome::Behind(_) => "behind",
        Outcome::Failed(_) => "failed",
    };
    let error = report.outcome.error();
    let tree = match &report.part {
        Part::Whole => {
            return logs::end_pass(db, log, word, error, value::micros(report.now)).await;
        }
        Part::Tree(tree) => tree,
    };
    // An unverified checkpoint takes no tree from another log.
    sqlx::query(
        "INSERT INTO tree (origin, log, size_since) VALUES ($1, $2, $3)
         ON CONFLICT (origin) DO UPDATE SET log = excluded.log WHERE $4",
    )
    .bind(tree.as_str())
    .bind(log)
    .bind(value::micros(report.now))
    .bind(report.outcome == Outcome::Proven)
    .execute(&mut *db)
    .await?;
    // A failed pass saw no checkpoint: it neither continues nor ends a row of smaller checkpoints. Otherwise a log
    // could hide a rollback behind outages. A row that began in the future, by a wrong clock, begins now. Otherwise its
    // age would stay zero. If everything up to the largest checkpoint was read, there is no backlog, whatever the
    // result of the pass.
    sqlx::query(
        "UPDATE tree SET
           last_success   = CASE $2 WHEN 'proven' THEN $3 ELSE last_success END,
           behind_passes  = CASE $2 WHEN 'behind' THEN behind_passes + 1 WHEN 'failed' THEN behind_passes ELSE 0 END,
           behind_since   = CASE $2 WHEN 'behind' THEN min(ifnull(behind_since, $3), $3) WHEN 'failed' THEN behind_since END,
           failed_passes  = CASE $2 WHEN 'failed' THEN failed_passes + 1 WHEN 'interrupted' THEN failed_passes ELSE 0 END,
           backlog_passes = CASE WHEN $2 <> 'proven' AND proven < (SELECT h.size FROM head h WHERE h.origin = $1 AND h.role = 'largest')
                                 THEN backlog_passes + 1 ELSE 0 END,
           error_kind     = $4,
           error_message  = $5,
           frozen_size    = ifnull($6, frozen_size),
           frozen_note    = ifnull($7, frozen_note),
           size_since     = ifnull(min($9, $3), max(size_since, min(ifnull($8, size_since), $3)))
         WHERE origin = $1",
    )
    .bind(tree.as_str())
    .bind(word)
    .bind(value::micros(report.now))
    .bind(error.map(|error| error.kind.as_str()))
    .bind(error.map(|error| error.message.as_str()))
    .bind(report.frozen.as_ref().map(|(size, _)| value::integer(*size)).transpose()?)
    .bind(report.frozen.as_ref().map(|(_, note)| note.as_slice()))
    .bind(report.witnessed.map(value::micros))
    .bind(report.head_time.map(value::micros))
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// The checkpoint of this size that was recorded first.
pub(super) async fn checkpoint(
    db: &mut SqliteConnection,
    tree: &TreeId,
    size: u64,
) -> Result<Option<Head>, Fail> {
    let Ok(size) = value::integer(size) else {
        return Ok(None);
    };
    let row: Option<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "SELECT root, note FROM checkpoint WHERE origin = $1 AND size = $2 ORDER BY rowid LIMIT 1",
    )
    .bind(tree.as_str())
    .bind(size)
    .fetch_optional(&mut *db)
    .await?;
    row.map(|(root, note)| value::head(size, &root, &note))
        .transpose()
}

/// Deletes the checkpoints of past days, except the largest of each day.
///
/// Checkpoints stay that are evidence, and those in the follower's state.
pub(super) async fn prune(db: &mut SqliteConnection, now: Timestamp) -> Result<(), Fail> {
    sqlx::query(
        "DELETE FROM checkpoint
         WHERE at < $1 - $1 % $2
           AND rowid NOT IN (
             SELECT number FROM (
               SELECT rowid AS number,
                      row_number() OVER (PARTITION BY origin, at / $2 ORDER BY size DESC, rowid) AS place
               FROM checkpoint)
             WHERE place = 1)
           AND NOT EXISTS (SELECT 1 FROM head h WHERE h.origin = checkpoint.origin AND h.size = checkpoint.size
                           AND h.root = checkpoint.root)
           AND note NOT IN (SELECT body FROM evidence WHERE kind = 'note')",
    )
    .bind(value::micros(now))
    .bind(MICROS_A_DAY)
    .execute(&mut *db)
    .await?;
    Ok(())
}

const MICROS_A_DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// The origin, name, first position and `seen` of every log with a position, or of one.
pub(super) async fn extents(
    db: &mut SqliteConnection,
    origin: Option<&str>,
) -> Result<HashMap<String, Extent>, Fail> {
    let rows: Vec<(String, String, i64, i64, i64)> = match origin {
        None => sqlx::query_as("SELECT t.origin, l.name, t.base, t.first, t.seen FROM tree t JOIN log l ON l.number = t.log WHERE t.seen IS NOT NULL"),
        Some(origin) => sqlx::query_as(
            "SELECT t.origin, l.name, t.base, t.first, t.seen FROM tree t JOIN log l ON l.number = t.log
             WHERE t.seen IS NOT NULL AND t.origin = $1",
        )
        .bind(origin),
    }
    .fetch_all(&mut *db)
    .await?;
    rows.into_iter()
        .map(|(origin, name, base, first, seen)| {
            Ok((origin, Extent::new(name, base, first, seen)?))
        })
        .collect()
}

/// The extent of a tree that was read.
pub(super) struct Extent {
    /// The log's name.
    pub name: String,
    /// What to add to count over all trees of the log.
    pub base: u64,
    /// Where reading began.
    pub first: u64,
    /// The present position.
    pub seen: u64,
}

impl Extent {
    /// As it is stored.
    pub(super) fn new(name: String, base: i64, first: i64, seen: i64) -> Result<Self, Fail> {
        Ok(Self {
            name,
            base: value::natural(base)?,
            first: value::natural(first)?,
            seen: value::natural(seen)?,
        })
    }
}
