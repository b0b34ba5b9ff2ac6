//! Coverage: the ranges of a tree that were matched against each watch.
//!
//! The watches that new entries of a tree are matched against are stored as one set, and trees share sets. A watch in
//! the tree's set without rows of its own covers everything from the tree's first position up to `seen`, as `seen`
//! grows. So 10,000 watches over 100 trees are 10,000 rows and not a million, a pass with the same watches as the pass
//! before compares one hash, and committing a batch changes nothing here.
//!
//! A range that a rescan has read so far is one row for all of its watches. It is merged into the ranges of each watch
//! when the gap is closed, or when the watches change.

use crate::log::TreeId;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use sqlx::sqlite::SqliteConnection;

use super::batch::insert_values;
use super::fail::Fail;
use super::incoming::Incoming;
use super::insert;
use super::kept;
use super::positions::{self, Extent};
use super::value;
use crate::finding::Routes;
use crate::store::{Rescanned, TreeCoverage, Uneven, WatchKey, WatchSet};

/// A range of entries. Without an end, it ends at `seen`, as `seen` grows.
type Stretch = (u64, Option<u64>);

/// The ranges of one tree that each watch covers.
struct Covered {
    extent: Extent,
    /// By watch, in order and disjoint.
    ranges: HashMap<WatchKey, Vec<Stretch>>,
    /// Watches that cover exactly the range up to `seen` without a row of their own.
    set: HashSet<WatchKey>,
}

impl Covered {
    /// `None` for a tree without a position: none of it was read.
    async fn read(db: &mut SqliteConnection, origin: &str) -> Result<Option<Self>, Fail> {
        let Some(extent) = positions::extents(db, Some(origin)).await?.remove(origin) else {
            return Ok(None);
        };
        let mut ranges = rows(db, Some(origin))
            .await?
            .remove(origin)
            .unwrap_or_default();
        let set: HashSet<WatchKey> = match sets(db, Some(origin)).await?.remove(origin) {
            Some((set, _)) => members(db, set).await?.into_iter().collect(),
            None => HashSet::new(),
        };
        for watch in &set {
            let whole = || vec![(extent.first, None)];
            ranges.entry(watch.clone()).or_insert_with(whole);
        }
        for (set, rescanned) in stretches(db, Some(origin))
            .await?
            .remove(origin)
            .unwrap_or_default()
        {
            for watch in members(db, set).await? {
                join(ranges.entry(watch).or_default(), rescanned);
            }
        }
        Ok(Some(Self {
            extent,
            ranges,
            set,
        }))
    }

    /// New watches cover from `seen` on; those that are no longer declared cover up to it.
    fn declare(&mut self, declared: &[WatchKey]) {
        let seen = self.extent.seen;
        self.set = declared.iter().cloned().collect();
        for (watch, ranges) in &mut self.ranges {
            if self.set.contains(watch) {
                continue;
            }
            for range in ranges.iter_mut() {
                range.1.get_or_insert(seen);
            }
            // An empty range is not stored.
            ranges.retain(|(start, end)| end.is_none_or(|end| *start < end));
        }
        for watch in declared {
            join(self.ranges.entry(watch.clone()).or_default(), (seen, None));
        }
    }

    /// Stores it. Only watches whose ranges differ from the tree's get rows.
    async fn write(self, db: &mut SqliteConnection, origin: &str) -> Result<(), Fail> {
        for statement in [
            "DELETE FROM coverage WHERE origin = $1",
            "DELETE FROM rescan_stretch WHERE origin = $1",
        ] {
            sqlx::query(statement)
                .bind(origin)
                .execute(&mut *db)
                .await?;
        }
        let whole = [(self.extent.first, None)];
        let mut rows = Vec::new();
        for (watch, ranges) in &self.ranges {
            let is_even = ranges.as_slice() == whole && self.set.contains(watch);
            if !is_even {
                for (start, end) in ranges {
                    let end = end.map(value::integer).transpose()?;
                    rows.push((watch, value::integer(*start)?, end));
                }
            }
        }
        insert_values(
            db,
            "INSERT INTO coverage (origin, watch, conditions, start, until) ",
            "",
            &rows,
            |mut row, (watch, start, end)| {
                row.push_bind(origin)
                    .push_bind(watch.name.as_str())
                    .push_bind(watch.conditions.as_slice())
                    .push_bind(*start)
                    .push_bind(*end);
            },
        )
        .await?;
        forget_unused(db).await
    }
}

/// Adds a range to others, in order and merged with adjacent ones.
fn join(ranges: &mut Vec<Stretch>, (mut start, mut end): Stretch) {
    let reaches = |end: Option<u64>, start: u64| end.is_none_or(|end| end >= start);
    ranges.retain(|(other_start, other_end)| {
        let is_adjacent = reaches(end, *other_start) && reaches(*other_end, start);
        if is_adjacent {
            start = start.min(*other_start);
            end = end.zip(*other_end).map(|(a, b)| a.max(b));
        }
        !is_adjacent
    });
    let place = ranges.partition_point(|(other, _)| *other < start);
    ranges.insert(place, (start, end));
}

/// Whether exactly these watches cover a tree up to `seen`.
pub(super) async fn is_declared(
    db: &mut SqliteConnection,
    origin: &str,
    watches: &WatchSet,
) -> Result<bool, Fail> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM tree_watch_set t JOIN watch_set w ON w.number = t.watch_set
                        WHERE t.origin = $1 AND w.hash = $2)",
    )
    .bind(origin)
    .bind(watches.hash().as_slice())
    .fetch_one(&mut *db)
    .await?)
}

/// New watches cover from `seen` on; removed ones cover up to it.
pub(super) async fn watching(
    db: &mut SqliteConnection,
    origin: &str,
    watches: &WatchSet,
) -> Result<(), Fail> {
    // Without a position nothing is read. The watches are declared again when there is one.
    let Some(mut covered) = Covered::read(db, origin).await? else {
        return Ok(());
    };
    covered.declare(watches.keys());
    let set = ensure(db, watches).await?;
    sqlx::query(
        "INSERT INTO tree_watch_set (origin, watch_set) VALUES ($1, $2)
         ON CONFLICT (origin) DO UPDATE SET watch_set = excluded.watch_set",
    )
    .bind(origin)
    .bind(set)
    .execute(&mut *db)
    .await?;
    covered.write(db, origin).await
}

/// Reading goes back to `seen`: the entries after it will be matched again, against the watches of that pass.
pub(super) async fn rewind(db: &mut SqliteConnection, origin: &str, seen: u64) -> Result<(), Fail> {
    let seen = value::integer(seen)?;
    for statement in [
        "DELETE FROM coverage WHERE origin = $1 AND start >= $2 AND until IS NOT NULL",
        "UPDATE coverage SET until = $2 WHERE origin = $1 AND until > $2",
        "UPDATE coverage SET start = $2 WHERE origin = $1 AND start > $2 AND until IS NULL",
        "DELETE FROM rescan_stretch WHERE origin = $1 AND start >= $2",
        "UPDATE rescan_stretch SET until = $2 WHERE origin = $1 AND until > $2",
    ] {
        sqlx::query(statement)
            .bind(origin)
            .bind(seen)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// The extent of a tree that exactly these watches cover from its first position on: with one statement, because each pass over
/// each log asks for it.
async fn even_extent(
    db: &mut SqliteConnection,
    watches: &WatchSet,
    origin: &str,
) -> Result<Option<Extent>, Fail> {
    let row: Option<(String, i64, i64, i64)> = sqlx::query_as(
        "SELECT l.name, t.base, t.first, t.seen
         FROM tree t JOIN log l ON l.number = t.log JOIN tree_watch_set s ON s.origin = t.origin
         JOIN watch_set w ON w.number = s.watch_set
         WHERE t.origin = $1 AND t.seen IS NOT NULL AND w.hash = $2
           AND NOT EXISTS (SELECT 1 FROM coverage c WHERE c.origin = $1)
           AND NOT EXISTS (SELECT 1 FROM rescan_stretch r WHERE r.origin = $1)",
    )
    .bind(origin)
    .bind(watches.hash().as_slice())
    .fetch_optional(&mut *db)
    .await?;
    row.map(|(name, base, first, seen)| Extent::new(name, base, first, seen))
        .transpose()
}

impl Extent {
    /// What watches cover of the tree, apart from those that cover all of it.
    fn covered(self, tree: TreeId, uneven: Vec<Uneven>) -> TreeCoverage {
        TreeCoverage {
            tree,
            log: self.name,
            base: self.base,
            first: self.first,
            seen: self.seen,
            uneven,
        }
    }
}

/// The ranges of every tree, or of one, that these watches cover.
pub(super) async fn coverage(
    db: &mut SqliteConnection,
    watches: &WatchSet,
    origin: Option<&str>,
) -> Result<Vec<TreeCoverage>, Fail> {
    if let Some(origin) = origin
        && let Some(extent) = even_extent(db, watches, origin).await?
    {
        return Ok(vec![extent.covered(TreeId::new(origin), Vec::new())]);
    }
    let extents: BTreeMap<String, Extent> =
        positions::extents(db, origin).await?.into_iter().collect();
    let mut rows = rows(db, origin).await?;
    let mut stretches = stretches(db, origin).await?;
    let sets = sets(db, origin).await?;
    let asked_hash = watches.hash();
    // For each set that differs from these watches: those of its watches that are among them.
    let mut known: HashMap<i64, HashSet<WatchKey>> = HashMap::new();
    let others = sets
        .values()
        .filter(|(_, hash)| *hash != asked_hash)
        .map(|(number, _)| *number)
        .chain(stretches.values().flatten().map(|(set, _)| *set));
    for set in others {
        if let Entry::Vacant(entry) = known.entry(set) {
            entry.insert(members(db, set).await?.into_iter().collect());
        }
    }
    let mut answer = Vec::with_capacity(extents.len());
    for (origin, extent) in extents {
        let set = sets.get(&origin);
        let own = rows.remove(&origin).unwrap_or_default();
        let rescanned = stretches.remove(&origin).unwrap_or_default();
        let is_even = own.is_empty()
            && rescanned.is_empty()
            && set.is_some_and(|(_, hash)| *hash == asked_hash);
        let mut uneven = Vec::new();
        let asked = if is_even { &[][..] } else { watches.keys() };
        for watch in asked {
            let is_member = |set: i64| known.get(&set).is_none_or(|known| known.contains(watch));
            let mut ranges = match (own.get(watch), set) {
                (Some(ranges), _) => ranges.clone(),
                (None, Some((set, _))) if is_member(*set) => continue,
                (None, _) => Vec::new(),
            };
            for (_, rescanned) in rescanned.iter().filter(|(set, _)| is_member(*set)) {
                join(&mut ranges, *rescanned);
            }
            let (from, gaps) = holes(&extent, &ranges);
            if from != extent.first || !gaps.is_empty() {
                uneven.push(Uneven {
                    watch: watch.clone(),
                    from,
                    gaps,
                });
            }
        }
        answer.push(extent.covered(TreeId::new(origin), uneven));
    }
    Ok(answer)
}

/// The parts of a tree that are in no range (ordered by their start), and the start of the last covered range if it
/// reaches the end.
fn holes(extent: &Extent, ranges: &[Stretch]) -> (u64, Vec<Range<u64>>) {
    let whole = extent.first..extent.seen;
    let mut gaps = Vec::new();
    let mut reached = whole.start;
    for (start, end) in ranges {
        if *start > reached {
            gaps.push(reached..whole.end.min(*start));
        }
        reached = reached.max(end.unwrap_or(whole.end));
    }
    if reached < whole.end {
        gaps.push(reached..whole.end);
    }
    gaps.retain(|gap| !gap.is_empty());
    let from = gaps.last().map_or(whole.start, |gap| gap.end);
    (from, gaps)
}

/// Records the findings of a rescan, and that the range is covered now.
pub(super) async fn rescanned(
    db: &mut SqliteConnection,
    routes: &Routes,
    rescanned: &Rescanned,
) -> Result<u64, Fail> {
    let incoming: Vec<Incoming<'_>> = rescanned.findings.iter().map(Incoming::of).collect();
    let inserted = insert::insert(db, routes, &incoming, rescanned.now).await?;
    positions::prove_again(db, &inserted.known, rescanned.now).await?;
    let Rescanned {
        tree,
        range,
        watches,
        closes_gap,
        kept,
        ..
    } = rescanned;
    kept::keep(db, tree, kept).await?;
    if !range.is_empty() && !watches.keys().is_empty() {
        reach(db, tree.as_str(), watches, range).await?;
    }
    if *closes_gap {
        fold(db, tree.as_str()).await?;
    }
    Ok(inserted.new)
}

/// Records the progress of a rescan for these watches.
async fn reach(
    db: &mut SqliteConnection,
    origin: &str,
    watches: &WatchSet,
    range: &Range<u64>,
) -> Result<(), Fail> {
    let (start, until) = (value::integer(range.start)?, value::integer(range.end)?);
    let set = ensure(db, watches).await?;
    let went_on = sqlx::query(
        "UPDATE rescan_stretch SET until = $4 WHERE origin = $1 AND watch_set = $2 AND until = $3",
    )
    .bind(origin)
    .bind(set)
    .bind(start)
    .bind(until)
    .execute(&mut *db)
    .await?;
    if went_on.rows_affected() == 0 {
        sqlx::query(
            "INSERT INTO rescan_stretch (origin, watch_set, start, until) VALUES ($1, $2, $3, $4)
             ON CONFLICT (origin, watch_set, start) DO UPDATE SET until = max(until, excluded.until)",
        )
        .bind(origin)
        .bind(set)
        .bind(start)
        .bind(until)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// Merges the ranges of unfinished rescans into those of each watch.
async fn fold(db: &mut SqliteConnection, origin: &str) -> Result<(), Fail> {
    let Some(covered) = Covered::read(db, origin).await? else {
        return Ok(());
    };
    covered.write(db, origin).await
}

/// The rows of watches whose ranges differ from those of their tree, ordered by tree and watch.
async fn rows(
    db: &mut SqliteConnection,
    origin: Option<&str>,
) -> Result<HashMap<String, HashMap<WatchKey, Vec<Stretch>>>, Fail> {
    type Row = (String, String, Vec<u8>, i64, Option<i64>);
    // Two statements, so that an index answers the one for a single tree.
    let rows: Vec<Row> = match origin {
        None => sqlx::query_as(
            "SELECT origin, watch, conditions, start, until FROM coverage ORDER BY origin, watch, conditions, start",
        ),
        Some(origin) => sqlx::query_as(
            "SELECT origin, watch, conditions, start, until FROM coverage WHERE origin = $1
             ORDER BY watch, conditions, start",
        )
        .bind(origin),
    }
    .fetch_all(&mut *db)
    .await?;
    let mut all: HashMap<String, HashMap<WatchKey, Vec<Stretch>>> = HashMap::new();
    for (origin, name, conditions, start, until) in rows {
        let watch = WatchKey {
            name,
            conditions: value::bytes32(&conditions)?,
        };
        let range = (
            value::natural(start)?,
            until.map(value::natural).transpose()?,
        );
        let of_tree = all.entry(origin).or_default();
        of_tree.entry(watch).or_default().push(range);
    }
    Ok(all)
}

/// The progress of unfinished rescans by tree: the set of watches and the range.
async fn stretches(
    db: &mut SqliteConnection,
    origin: Option<&str>,
) -> Result<HashMap<String, Vec<(i64, Stretch)>>, Fail> {
    let rows: Vec<(String, i64, i64, i64)> = match origin {
        None => sqlx::query_as("SELECT origin, watch_set, start, until FROM rescan_stretch"),
        Some(origin) => sqlx::query_as(
            "SELECT origin, watch_set, start, until FROM rescan_stretch WHERE origin = $1",
        )
        .bind(origin),
    }
    .fetch_all(&mut *db)
    .await?;
    let mut all: HashMap<String, Vec<(i64, Stretch)>> = HashMap::new();
    for (origin, set, start, until) in rows {
        let range = (value::natural(start)?, Some(value::natural(until)?));
        all.entry(origin).or_default().push((set, range));
    }
    Ok(all)
}

/// The set of each tree: its number and its hash.
async fn sets(
    db: &mut SqliteConnection,
    origin: Option<&str>,
) -> Result<HashMap<String, (i64, [u8; 32])>, Fail> {
    let rows: Vec<(String, i64, Vec<u8>)> = match origin {
        None => sqlx::query_as(
            "SELECT t.origin, w.number, w.hash FROM tree_watch_set t JOIN watch_set w ON w.number = t.watch_set",
        ),
        Some(origin) => sqlx::query_as(
            "SELECT t.origin, w.number, w.hash FROM tree_watch_set t JOIN watch_set w ON w.number = t.watch_set
             WHERE t.origin = $1",
        )
        .bind(origin),
    }
    .fetch_all(&mut *db)
    .await?;
    rows.into_iter()
        .map(|(origin, number, hash)| Ok((origin, (number, value::bytes32(&hash)?))))
        .collect()
}

/// The watches of a set.
async fn members(db: &mut SqliteConnection, set: i64) -> Result<Vec<WatchKey>, Fail> {
    let rows: Vec<(String, Vec<u8>)> =
        sqlx::query_as("SELECT watch, conditions FROM watch_set_member WHERE watch_set = $1")
            .bind(set)
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

/// The number of a set. A new set is recorded.
async fn ensure(db: &mut SqliteConnection, watches: &WatchSet) -> Result<i64, Fail> {
    let hash = watches.hash();
    let known: Option<i64> = sqlx::query_scalar("SELECT number FROM watch_set WHERE hash = $1")
        .bind(hash.as_slice())
        .fetch_optional(&mut *db)
        .await?;
    if let Some(known) = known {
        return Ok(known);
    }
    let number: i64 =
        sqlx::query_scalar("INSERT INTO watch_set (hash) VALUES ($1) RETURNING number")
            .bind(hash.as_slice())
            .fetch_one(&mut *db)
            .await?;
    insert_values(
        db,
        "INSERT INTO watch_set_member (watch_set, watch, conditions) ",
        " ON CONFLICT DO NOTHING",
        watches.keys(),
        |mut row, watch| {
            row.push_bind(number)
                .push_bind(watch.name.as_str())
                .push_bind(watch.conditions.as_slice());
        },
    )
    .await?;
    Ok(number)
}

/// Deletes the sets that no tree and no rescan has.
async fn forget_unused(db: &mut SqliteConnection) -> Result<(), Fail> {
    let unused: Vec<i64> = sqlx::query_scalar(
        "SELECT number FROM watch_set w
         WHERE NOT EXISTS (SELECT 1 FROM tree_watch_set t WHERE t.watch_set = w.number)
           AND NOT EXISTS (SELECT 1 FROM rescan_stretch r WHERE r.watch_set = w.number)",
    )
    .fetch_all(&mut *db)
    .await?;
    for number in unused {
        for statement in [
            "DELETE FROM watch_set_member WHERE watch_set = $1",
            "DELETE FROM watch_set WHERE number = $1",
        ] {
            sqlx::query(statement)
                .bind(number)
                .execute(&mut *db)
                .await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For a watch that covers `[10, 20)`: the index from which it covers the rest, and its gaps.
    type Case<'a> = (&'a [Range<u64>], u64, &'a [Range<u64>]);

    fn tree() -> Extent {
        Extent {
            name: String::new(),
            base: 0,
            first: 10,
            seen: 20,
        }
    }

    #[test]
    #[expect(
        clippy::single_range_in_vec_init,
        reason = "a list of one range is what is meant"
    )]
    fn holes_are_covered_by_no_range_and_from_is_the_start_of_the_last_range() {
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
            let closed: Vec<Stretch> = ranges.iter().map(|r| (r.start, Some(r.end))).collect();
            assert_eq!(holes(&tree(), &closed), (from, gaps.to_vec()), "{ranges:?}");
        }
        assert_eq!(holes(&tree(), &[(12, None)]), (12, vec![10..12]));
    }

    #[test]
    fn adjacent_ranges_are_merged_and_others_stay_separate() {
        let table: [(&[Stretch], Stretch, &[Stretch]); 8] = [
            (&[], (1, Some(2)), &[(1, Some(2))]),
            (&[(1, Some(2))], (2, Some(3)), &[(1, Some(3))]),
            (&[(1, Some(2))], (3, Some(4)), &[(1, Some(2)), (3, Some(4))]),
            (&[(3, Some(4))], (1, Some(2)), &[(1, Some(2)), (3, Some(4))]),
            (&[(1, Some(2)), (4, None)], (2, Some(4)), &[(1, None)]),
            (&[(1, None)], (5, Some(9)), &[(1, None)]),
            (&[(5, Some(9))], (1, None), &[(1, None)]),
            (
                &[(1, Some(2)), (4, Some(5))],
                (7, None),
                &[(1, Some(2)), (4, Some(5)), (7, None)],
            ),
        ];
        for (before, added, after) in table {
            let mut ranges = before.to_vec();
            join(&mut ranges, added);
            assert_eq!(ranges, after, "{before:?} and {added:?}");
        }
    }

    #[test]
    fn a_watch_that_goes_stops_at_seen_and_one_that_comes_begins_there() {
        let watch = |name: &str| WatchKey {
            name: name.to_owned(),
            conditions: [1; 32],
        };
        let mut covered = Covered {
            extent: tree(),
            ranges: HashMap::from([
                (watch("stays"), vec![(10, None)]),
                (watch("goes"), vec![(12, None)]),
                (watch("goes at once"), vec![(20, None)]),
                (watch("returns"), vec![(10, Some(20))]),
            ]),
            set: HashSet::new(),
        };
        covered.declare(&[watch("stays"), watch("comes"), watch("returns")]);
        for (name, ranges) in [
            ("stays", vec![(10, None)]),
            ("goes", vec![(12, Some(20))]),
            ("goes at once", Vec::new()),
            ("comes", vec![(20, None)]),
            ("returns", vec![(10, None)]),
        ] {
            assert_eq!(covered.ranges.get(&watch(name)), Some(&ranges), "{name}");
        }
    }
}
