//! Coverage: which ranges of a log were matched against which watch.
//!
//! A row without an end covers up to `seen`, wherever that is: committing a batch touches none, and
//! 10,000 watches cost nothing while they do not change.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::fail::Fail;
use super::insert::{self, Incoming, insert_values};
use super::{positions, value};
use crate::finding::Routes;
use crate::store::{Coverage, Rescanned, WatchKey};

/// The watches that cover this log now.
pub(super) async fn open_watches(
    db: &mut SqliteConnection,
    origin: &str,
) -> Result<HashSet<WatchKey>, Fail> {
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
        "SELECT watch, conditions FROM coverage WHERE origin = $1 AND until IS NULL",
    )
    .bind(origin)
    .fetch_all(&mut *db)
    .await?;
    rows.into_iter()
        .map(|(name, conditions)| {
            Ok(WatchKey {
                name,
                conditions: value::bytes32(&conditions)?,
            })
        })
        .collect()
}

/// Whether exactly these watches cover a log.
pub(super) fn is_same(open: &HashSet<WatchKey>, watches: &[WatchKey]) -> bool {
    let declared: HashSet<&WatchKey> = watches.iter().collect();
    declared.len() == open.len() && declared.iter().all(|watch| open.contains(*watch))
}

/// New watches cover from `seen` on; gone ones stop there.
pub(super) async fn watching(
    db: &mut SqliteConnection,
    origin: &str,
    watches: &[WatchKey],
) -> Result<(), Fail> {
    let seen: Option<i64> = sqlx::query_scalar("SELECT seen FROM log WHERE origin = $1")
        .bind(origin)
        .fetch_optional(&mut *db)
        .await?
        .flatten();
    // Without a position nothing is read: the watches are declared again once there is one.
    let Some(seen) = seen else { return Ok(()) };
    let open = open_watches(db, origin).await?;
    let declared: HashSet<&WatchKey> = watches.iter().collect();
    for gone in open.iter().filter(|watch| !declared.contains(watch)) {
        // A row that would cover nothing is none.
        for statement in [
            "DELETE FROM coverage WHERE origin = $1 AND watch = $2 AND conditions = $3 AND until IS NULL AND start >= $4",
            "UPDATE coverage SET until = $4 WHERE origin = $1 AND watch = $2 AND conditions = $3 AND until IS NULL",
        ] {
            sqlx::query(statement)
                .bind(origin)
                .bind(&gone.name)
                .bind(gone.conditions.as_slice())
                .bind(seen)
                .execute(&mut *db)
                .await?;
        }
    }
    let new: Vec<&WatchKey> = declared
        .into_iter()
        .filter(|watch| !open.contains(*watch))
        .collect();
    insert_values(
        db,
        "INSERT INTO coverage (origin, watch, conditions, start) ",
        // A range that was found by a rescan may begin here: the open one takes its place.
        " ON CONFLICT (origin, watch, conditions, start) DO UPDATE SET until = NULL",
        &new,
        |mut row, watch| {
            row.push_bind(origin)
                .push_bind(watch.name.as_str())
                .push_bind(watch.conditions.as_slice())
                .push_bind(seen);
        },
    )
    .await?;
    Ok(())
}

/// Reading goes back to `seen`: what lies after it will be matched again, by the watches of then.
pub(super) async fn rewind(db: &mut SqliteConnection, origin: &str, seen: u64) -> Result<(), Fail> {
    let seen = value::integer(seen)?;
    for statement in [
        "DELETE FROM coverage WHERE origin = $1 AND start >= $2 AND until IS NOT NULL",
        "UPDATE coverage SET until = $2 WHERE origin = $1 AND until > $2",
        "UPDATE coverage SET start = $2 WHERE origin = $1 AND start > $2 AND until IS NULL",
    ] {
        sqlx::query(statement)
            .bind(origin)
            .bind(seen)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// What each of these watches covers of every log, or of one.
pub(super) async fn coverage(
    db: &mut SqliteConnection,
    watches: &[WatchKey],
    origin: Option<&str>,
) -> Result<Vec<Coverage>, Fail> {
    let mut logs = positions::extents(db).await?;
    if let Some(origin) = origin {
        logs.retain(|of, _| of == origin);
    }
    // Two statements, so that one log's is answered from the index.
    let rows = match origin {
        None => sqlx::query(
            "SELECT origin, watch, conditions, start, until FROM coverage ORDER BY start",
        ),
        Some(origin) => sqlx::query(
            "SELECT origin, watch, conditions, start, until FROM coverage WHERE origin = $1 ORDER BY start",
        )
        .bind(origin),
    }
    .fetch_all(&mut *db)
    .await?;
    let mut covered: HashMap<(String, WatchKey), Vec<Range<u64>>> = HashMap::new();
    for row in &rows {
        let origin: String = row.try_get("origin")?;
        let Some(log) = logs.get(&origin) else {
            continue;
        };
        let start = value::natural(row.try_get("start")?)?;
        let until: Option<i64> = row.try_get("until")?;
        let until = until.map(value::natural).transpose()?.unwrap_or(log.seen);
        let watch = WatchKey {
            name: row.try_get("watch")?,
            conditions: value::bytes32(row.try_get("conditions")?)?,
        };
        covered
            .entry((origin, watch))
            .or_default()
            .push(start..until);
    }
    let mut origins: Vec<&String> = logs.keys().collect();
    origins.sort_unstable();
    let mut answer = Vec::with_capacity(watches.len().saturating_mul(origins.len()));
    for watch in watches {
        for origin in &origins {
            let Some(log) = logs.get(*origin) else {
                continue;
            };
            let key = ((*origin).clone(), watch.clone());
            let ranges = covered.get(&key).map_or(&[][..], Vec::as_slice);
            let (from, gaps) = holes(log.first..log.seen, ranges);
            answer.push(Coverage {
                watch: watch.clone(),
                origin: (*origin).clone(),
                log: log.name.clone(),
                base: log.base,
                from,
                seen: log.seen,
                gaps,
            });
        }
    }
    Ok(answer)
}

/// What of `whole` lies in no range (they are ordered by their start), and where the last covered
/// stretch begins that reaches its end.
fn holes(whole: Range<u64>, ranges: &[Range<u64>]) -> (u64, Vec<Range<u64>>) {
    let mut gaps = Vec::new();
    let mut reached = whole.start;
    for range in ranges {
        if range.start > reached {
            gaps.push(reached..range.start.min(whole.end));
        }
        reached = reached.max(range.end);
    }
    if reached < whole.end {
        gaps.push(reached..whole.end);
    }
    gaps.retain(|gap| !gap.is_empty());
    let from = gaps.last().map_or(whole.start, |gap| gap.end);
    (from, gaps)
}

/// Findings of a rescan, and the range that is covered now.
pub(super) async fn rescanned(
    db: &mut SqliteConnection,
    routes: &Routes,
    rescanned: &Rescanned,
) -> Result<u64, Fail> {
    let incoming: Vec<Incoming<'_>> = rescanned.findings.iter().map(Incoming::of).collect();
    let inserted = insert::insert(db, routes, &incoming, rescanned.now).await?;
    positions::prove_again(db, &inserted.known, rescanned.now).await?;
    for watch in &rescanned.watches {
        cover(db, &rescanned.origin, watch, rescanned.range.clone()).await?;
    }
    Ok(inserted.new)
}

/// Adds a range, joined with those that it touches.
async fn cover(
    db: &mut SqliteConnection,
    origin: &str,
    watch: &WatchKey,
    range: Range<u64>,
) -> Result<(), Fail> {
    if range.is_empty() {
        return Ok(());
    }
    let (mut start, mut until) = (
        value::integer(range.start)?,
        Some(value::integer(range.end)?),
    );
    let rows: Vec<(i64, Option<i64>)> = sqlx::query_as(
        "DELETE FROM coverage
         WHERE origin = $1 AND watch = $2 AND conditions = $3 AND start <= $5 AND ifnull(until >= $4, 1)
         RETURNING start, until",
    )
    .bind(origin)
    .bind(&watch.name)
    .bind(watch.conditions.as_slice())
    .bind(start)
    .bind(until)
    .fetch_all(&mut *db)
    .await?;
    for (other_start, other_until) in rows {
        start = start.min(other_start);
        until = until.zip(other_until).map(|(a, b)| a.max(b));
    }
    sqlx::query("INSERT INTO coverage (origin, watch, conditions, start, until) VALUES ($1, $2, $3, $4, $5)")
        .bind(origin)
        .bind(&watch.name)
        .bind(watch.conditions.as_slice())
        .bind(start)
        .bind(until)
        .execute(&mut *db)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What covers `[10, 20)`; from where on it covers all of it; what it leaves open.
    type Case<'a> = (&'a [Range<u64>], u64, &'a [Range<u64>]);

    #[test]
    #[expect(
        clippy::single_range_in_vec_init,
        reason = "a list of one range is what is meant"
    )]
    fn holes_are_what_no_range_covers_and_from_is_where_the_last_stretch_begins() {
        let table: [Case<'_>; 7] = [
            (&[], 20, &[10..20]),
            (&[10..20], 10, &[]),
            (&[15..20], 15, &[10..15]),
            (&[10..12, 15..20], 15, &[12..15]),
            (&[10..15, 15..20], 10, &[]),
            (&[0..11, 12..18], 20, &[11..12, 18..20]),
            (&[10..19, 12..14, 20..20], 20, &[19..20]),
        ];
        for (ranges, from, gaps) in table {
            assert_eq!(holes(10..20, ranges), (from, gaps.to_vec()), "{ranges:?}");
        }
    }
}
