//! The results of earlier passes and the checkpoints of bundles, which the assessment of health needs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{AssertSqlSafe, Row as _};

use super::batch::push_list;
use super::fail::Fail;
use super::{coverage, positions, value};
use crate::expect::Expectation;
use crate::log::TreeId;
use crate::moment;
use crate::store::{
    BundleCheckpoint, NewTree, Outcome, PassHistory, PassReport, PassedTree, RECENT_PASSES,
    RecentPass, Restart, Settled, WatchSet,
};

/// Checkpoints that are stored for one registration: a bundle names one or two entries.
const MAX_BUNDLE_CHECKPOINTS: usize = 16;

/// The results of the last passes over a log.
pub(super) async fn pass_history(
    db: &mut SqliteConnection,
    key: &str,
) -> Result<PassHistory, Fail> {
    let row = sqlx::query(
        "SELECT p.recent, p.limited_passes, p.limited_since, r.at, r.first, r.reached
         FROM (SELECT $1 AS origin) k LEFT JOIN pace p ON p.origin = k.origin LEFT JOIN restart r ON r.origin = k.origin",
    )
    .bind(key)
    .fetch_one(&mut *db)
    .await?;
    let mut pass_history = PassHistory {
        recent: recent(row.try_get("recent")?)?,
        limited_passes: value::small(
            row.try_get::<Option<i64>, _>("limited_passes")?
                .unwrap_or(0),
        )?,
        limited_since: value::moment_if(row.try_get("limited_since")?)?,
        restart: None,
    };
    if let Some(at) = row.try_get("at")? {
        pass_history.restart = Some(Restart {
            at: value::moment(at)?,
            first: value::natural(row.try_get("first")?)?,
            reached: value::natural(row.try_get("reached")?)?,
        });
    }
    Ok(pass_history)
}

/// What the assessment after a pass over one tree needs. It is asked for once per pass and tree: a connection for each of the three
/// answers would cost as much as they do.
pub(super) async fn passed_tree(
    db: &mut SqliteConnection,
    tree: &TreeId,
    watches: &WatchSet,
) -> Result<Option<PassedTree>, Fail> {
    let Some(state) = positions::tree(db, tree).await? else {
        return Ok(None);
    };
    let mut coverage = coverage::coverage(db, watches, Some(tree.as_str())).await?;
    Ok(Some(PassedTree {
        state,
        history: pass_history(db, tree.as_str()).await?,
        coverage: coverage.pop(),
    }))
}

/// The last passes as they are stored; none of a log that is new.
fn recent(stored: Option<&str>) -> Result<Vec<RecentPass>, Fail> {
    let Some(stored) = stored else {
        return Ok(Vec::new());
    };
    serde_json::from_str(stored).map_err(|error| Fail::corrupt(error.to_string()))
}

/// Adds the pass that ended.
pub(super) async fn add(db: &mut SqliteConnection, report: &PassReport) -> Result<(), Fail> {
    let stored: Option<String> = sqlx::query_scalar("SELECT recent FROM pace WHERE origin = $1")
        .bind(report.key())
        .fetch_optional(&mut *db)
        .await?;
    let mut recent = recent(stored.as_deref())?;
    // Passes with unknown times are not usable.
    recent.retain(|pass| !moment::is_ahead(pass.ended, report.now));
    if recent.len() >= RECENT_PASSES {
        recent.drain(..=recent.len() - RECENT_PASSES);
    }
    recent.push(RecentPass {
        began: report.began,
        ended: report.now,
        entries: report.entries,
        proven: report.outcome == Outcome::Proven,
    });
    let recent = serde_json::to_string(&recent)
        .map_err(|error| Fail::Sql(sqlx::Error::Encode(error.into())))?;
    // A pass that modelwatch ended proves nothing about the log.
    let interrupted = report.outcome == Outcome::Interrupted;
    sqlx::query(
        "INSERT INTO pace (origin, recent, limited_passes, limited_since)
         VALUES ($1, $2, $3, CASE WHEN $3 THEN $4 END)
         ON CONFLICT (origin) DO UPDATE SET
           recent         = excluded.recent,
           limited_passes = CASE WHEN $5 THEN limited_passes WHEN $3 THEN limited_passes + 1 ELSE 0 END,
           limited_since  = CASE WHEN $5 THEN limited_since WHEN $3 THEN ifnull(limited_since, $4) END",
    )
    .bind(report.key())
    .bind(recent)
    .bind(report.rate_limited)
    .bind(value::micros(report.now))
    .bind(interrupted)
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Records that reading of a log begins at a new position, if it was followed before and the new position may leave
/// entries out.
///
/// It is called before the new position is written.
pub(super) async fn begun(db: &mut SqliteConnection, tree: &NewTree) -> Result<(), Fail> {
    let (found, shown): (Option<i64>, Option<i64>) = sqlx::query_as(
        "SELECT (SELECT max(entry_index) + 1 FROM finding WHERE origin = $1),
                (SELECT max(size) FROM checkpoint WHERE origin = $1)",
    )
    .bind(tree.id.as_str())
    .fetch_one(&mut *db)
    .await?;
    let first = value::integer(tree.follower.seen.size())?;
    // The finding's entry was read; the entries of a checkpoint may not have been.
    let is_covered = first == 0 || found.is_some_and(|found| first <= found);
    match found.max(shown) {
        Some(reached) if !is_covered => {
            sqlx::query(
                "INSERT INTO restart (origin, at, first, reached) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (origin) DO UPDATE SET at = excluded.at, first = excluded.first, reached = excluded.reached",
            )
            .bind(tree.id.as_str())
            .bind(value::micros(tree.now))
            .bind(first)
            .bind(reached)
            .execute(&mut *db)
            .await?;
        }
        _ => {
            sqlx::query("DELETE FROM restart WHERE origin = $1")
                .bind(tree.id.as_str())
                .execute(&mut *db)
                .await?;
        }
    }
    Ok(())
}

/// The last time at which a holder of the key signed under each of these watches, by the findings after number `after`.
///
/// Anybody can log a public bundle again, as a new entry. So for a trusted certificate, the time when it was issued
/// counts. For any other key, only a signature counts that is in no earlier entry; where entries have no signature, the
/// digest. Findings are never deleted, so earlier signatures are known without another table.
pub(super) async fn seen_since(
    db: &mut SqliteConnection,
    watches: &[String],
    after: i64,
) -> Result<(i64, BTreeMap<String, Timestamp>), Fail> {
    let last: Option<i64> = sqlx::query_scalar("SELECT max(number) FROM finding")
        .fetch_one(&mut *db)
        .await?;
    let last = last.unwrap_or(0);
    if watches.is_empty() || last <= after {
        return Ok((last, BTreeMap::new()));
    }
    // Two watches that match one entry are two findings. Findings of an earlier version are compared by their digest,
    // and so is an entry whose signature cannot be read: anyone can log a known signing in such an entry.
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT f.watch, max(CASE f.chain WHEN 'trusted' THEN min(ifnull(s.not_before, 0), f.first_seen)
                                          WHEN 'unknown' THEN min(ifnull(s.not_before, f.first_seen), f.first_seen)
                                          ELSE f.first_seen END)
         FROM finding f JOIN signer s ON s.key = f.signer
         WHERE f.verdict IN ('expected', 'model-unexpected', 'identity-unexpected', 'other-predicate')
           AND (f.chain = 'trusted'
                OR (ifnull(f.signature_sha256, f.digest) IS NOT NULL
                    AND NOT EXISTS (SELECT 1 FROM finding g
                                    WHERE g.signature_end = f.signature_end AND g.signature_sha256 = f.signature_sha256
                                      AND g.number < f.number
                                      AND (g.origin, g.entry_index) IS NOT (f.origin, f.entry_index))
                    AND NOT EXISTS (SELECT 1 FROM finding g JOIN signer t ON t.key = g.signer
                                    WHERE g.digest = f.digest AND g.signature_sha256 IS NULL AND g.digest IS NOT NULL
                                      AND t.key_sha256 = s.key_sha256 AND g.number < f.number
                                      AND (g.origin, g.entry_index) IS NOT (f.origin, f.entry_index))
                    AND (f.signature_sha256 IS NOT NULL
                         OR NOT EXISTS (SELECT 1 FROM finding g JOIN signer t ON t.key = g.signer
                                        WHERE g.digest_end = f.digest_end AND g.digest = f.digest AND g.signature_sha256 IS NOT NULL
                                          AND t.key_sha256 = s.key_sha256 AND g.number < f.number
                                          AND (g.origin, g.entry_index) IS NOT (f.origin, f.entry_index)))))
           AND f.number > ",
    );
    query
        .push_bind(after)
        .push(" AND f.number <= ")
        .push_bind(last);
    query.push(" AND f.watch IN (");
    push_list(&mut query, watches);
    query.push(" GROUP BY f.watch");
    let rows: Vec<(String, i64)> = query.build_query_as().fetch_all(&mut *db).await?;
    let seen = rows
        .into_iter()
        .map(|(watch, seen)| Ok((watch, value::moment(seen)?)))
        .collect::<Result<_, Fail>>()?;
    Ok((last, seen))
}

/// Stores the checkpoints of a registration.
pub(super) async fn add_bundle_checkpoints(
    db: &mut SqliteConnection,
    expectation: &Expectation,
    file: &str,
) -> Result<(), Fail> {
    let carried = expectation
        .entries
        .iter()
        .filter_map(|entry| entry.origin.as_ref().zip(entry.checkpoint.as_ref()))
        .filter(|(_, note)| note.len() <= tlog::checkpoint::MAX_CHECKPOINT_BYTES)
        .take(MAX_BUNDLE_CHECKPOINTS);
    for (origin, note) in carried {
        sqlx::query(
            "INSERT INTO vouched (origin, note, file) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(origin)
        .bind(note.as_bytes())
        .bind(file)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// Those that are not compared with their log yet.
pub(super) async fn bundle_checkpoints(
    db: &mut SqliteConnection,
    tree: &TreeId,
    limit: u32,
) -> Result<Vec<BundleCheckpoint>, Fail> {
    // Asked in each pass over each tree: SQLite prepares a statement again each time that its limit is bound.
    let rows: Vec<(i64, Vec<u8>, String)> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT number, note, file FROM vouched WHERE origin = $1 AND state = 'waiting' ORDER BY number LIMIT {limit}"
    )))
    .bind(tree.as_str())
    .fetch_all(&mut *db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(number, note, file)| BundleCheckpoint { number, note, file })
        .collect())
}

/// Records the result of a comparison.
pub(super) async fn settle(
    db: &mut SqliteConnection,
    number: i64,
    settled: Settled,
) -> Result<(), Fail> {
    let word = match settled {
        Settled::Agrees => "agrees",
        Settled::Contradicts => "contradicts",
        Settled::Unknown => "unknown",
    };
    sqlx::query("UPDATE vouched SET state = $2 WHERE number = $1")
        .bind(number)
        .bind(word)
        .execute(&mut *db)
        .await?;
    Ok(())
}
