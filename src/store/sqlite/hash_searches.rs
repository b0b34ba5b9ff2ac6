//! Signings, found by hashes of which the index has the ends.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde_json::json;
use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};

use super::batch::push_list;
use super::fail::Fail;
use super::hash_end::end;
use crate::store::Place;

/// Values of one question: far below SQLite's limit of parameters.
pub(super) const VALUES: usize = 500;

/// How the findings with a hash in a column are found, in the order of the ends of the hashes and of their numbers.
pub(super) struct HashColumn {
    /// Those whose hash has one end, behind a number.
    of_end: &'static str,
    /// Those of a list of ends, which follows.
    of_list: &'static str,
    /// What follows the list: the hashes, as a JSON array.
    of_hashes: &'static str,
    /// What follows the hashes.
    limit: &'static str,
}

macro_rules! hash_column {
    ($column:literal, $end:literal) => {
        HashColumn {
            of_end: concat!(
                "SELECT ", $end, ", number FROM finding WHERE ", $end, " = $1 AND number > $2 AND ", $column,
                " IN (SELECT value FROM json_each($3)) AND leaf_hash IS NOT NULL AND health = 0 AND fault IS NULL",
                " ORDER BY number LIMIT $4",
            ),
            of_list: concat!("SELECT ", $end, ", number FROM finding WHERE ", $end, " IN ("),
            of_hashes: concat!(
                " AND leaf_hash IS NOT NULL AND health = 0 AND fault IS NULL AND ", $column,
                " IN (SELECT value FROM json_each(",
            ),
            limit: concat!(")) ORDER BY ", $end, ", number LIMIT "),
        }
    };
}

pub(super) const DIGEST: HashColumn = hash_column!("digest", "digest_end");
pub(super) const ENTRY: HashColumn = hash_column!("registered_as", "registered_end");

/// The places of the findings with one of these hashes: those that are left of the end where the search stands, then those of the
/// ends behind it. The value of a place is the end.
pub(super) async fn of_hashes(
    db: &mut SqliteConnection,
    column: &HashColumn,
    hashes: &[String],
    after: Option<&Place>,
    limit: u32,
) -> Result<Vec<Place>, Fail> {
    let mut by_end: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for hash in hashes {
        by_end.entry(end(hash)).or_default().insert(hash);
    }
    let place = |(value, number): (String, i64)| Place {
        value,
        number,
        ..Place::default()
    };
    let mut places: Vec<Place> = Vec::new();
    let mut rest = Bound::Unbounded;
    if let Some(after) = after {
        if let Some(hashes) = by_end.get(after.value.as_str()) {
            let rows: Vec<(String, i64)> = sqlx::query_as(column.of_end)
                .bind(after.value.as_str())
                .bind(after.number)
                .bind(json!(hashes).to_string())
                .bind(i64::from(limit))
                .fetch_all(&mut *db)
                .await?;
            places.extend(rows.into_iter().map(place));
        }
        rest = Bound::Excluded(after.value.as_str());
    }
    let rest: Vec<(&&str, &BTreeSet<&str>)> =
        by_end.range::<str, _>((rest, Bound::Unbounded)).collect();
    for group in rest.chunks(VALUES) {
        let left = left(limit, &places);
        if left == 0 {
            break;
        }
        // One parameter, however many hashes have one end.
        let hashes: BTreeSet<&str> = group
            .iter()
            .flat_map(|(_, hashes)| *hashes)
            .copied()
            .collect();
        let mut query = QueryBuilder::<Sqlite>::new(column.of_list);
        push_list(&mut query, group.iter().map(|(end, _)| **end));
        query.push(column.of_hashes);
        query.push_bind(json!(hashes).to_string());
        query.push(column.limit);
        query.push_bind(left);
        let rows: Vec<(String, i64)> = query
            .build_query_as()
            .persistent(false)
            .fetch_all(&mut *db)
            .await?;
        places.extend(rows.into_iter().map(place));
    }
    Ok(places)
}

/// How many places are wanted yet.
pub(super) fn left(limit: u32, places: &[Place]) -> i64 {
    let found = i64::try_from(places.len()).unwrap_or(i64::MAX);
    i64::from(limit).saturating_sub(found).max(0)
}
