//! Signings, found through the indexes of `signer_term` and `finding`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{Decode, Encode, Row as _, Type};

use super::batch::push_list;
use super::fail::Fail;
use super::hash_searches::{DIGEST, ENTRY, VALUES, left, of_hashes};
use super::record::{numbered, select_finding};
use super::signer_terms::cut;
use super::{SqliteStore, registered, value};
use crate::expect::{Authority, Part};
use crate::finding::Finding;
use crate::log::TreeId;
use crate::store::{FoundSigning, Place, SearchKey, Searches, SignerTerm, StoreError};

#[async_trait]
impl Searches for SqliteStore {
    async fn search(
        &self,
        key: &SearchKey,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<Vec<FoundSigning>, StoreError> {
        reading!(self, "looking up signings", |db| search(
            db, key, after, limit
        ))
    }

    async fn names(
        &self,
        beginning: &str,
        from: &str,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        reading!(self, "looking up names", |db| names(
            db, beginning, from, limit
        ))
    }

    async fn has_value(
        &self,
        place: &Place,
        term: SignerTerm,
        values: &[String],
    ) -> Result<bool, StoreError> {
        reading!(self, "looking up a signer", |db| has_value(
            db, place, term, values
        ))
    }

    async fn payloads_about(&self, digests: &[String]) -> Result<Vec<(Part, String)>, StoreError> {
        reading!(self, "looking up payloads", |db| payloads_about(
            db, digests
        ))
    }

    async fn authorities_of(
        &self,
        hashes: &[String],
    ) -> Result<BTreeMap<String, Authority>, StoreError> {
        reading!(self, "looking up registrations", |db| authorities_of(
            db, hashes
        ))
    }

    async fn first_recorded(
        &self,
        tree: &TreeId,
        size: u64,
    ) -> Result<Option<Timestamp>, StoreError> {
        reading!(self, "looking up a checkpoint", |db| first_recorded(
            db, tree, size
        ))
    }
}

async fn search(
    db: &mut SqliteConnection,
    key: &SearchKey,
    after: Option<&Place>,
    limit: u32,
) -> Result<Vec<FoundSigning>, Fail> {
    let places = match key {
        SearchKey::Signers(term, values) => {
            let values: BTreeSet<&str> = values.iter().map(|value| cut(value)).collect();
            of_signers(db, *term, &values, after, limit).await?
        }
        SearchKey::Digests(digests) => of_hashes(db, &DIGEST, digests, after, limit).await?,
        SearchKey::Entries(hashes) => of_hashes(db, &ENTRY, hashes, after, limit).await?,
        SearchKey::CertificateEntries(hashes) => {
            of_texts(db, &CERTIFICATE_ENTRY, hashes, after, limit).await?
        }
        SearchKey::Indexes(indexes) => {
            let indexes = indexes.iter().map(|index| value::integer(*index));
            let indexes = indexes.collect::<Result<BTreeSet<i64>, Fail>>()?;
            let after = after.and_then(|place| Some((place.value.parse().ok()?, place.number)));
            of_values(db, &INDEX, &indexes, after, limit).await?
        }
        SearchKey::Unreadable(watches) => of_texts(db, &UNREADABLE, watches, after, limit).await?,
    };
    found(db, places).await
}

/// How the findings with a value in a column are found through its index, in the order of the values and of their numbers.
struct Column {
    /// Those of one value behind a number.
    of_value: &'static str,
    /// Those of a list of values, which follows.
    of_list: &'static str,
    /// What follows the list.
    order: &'static str,
}

macro_rules! column {
    ($column:literal, $where:literal) => {
        Column {
            of_value: concat!(
                "SELECT ", $column, ", number FROM finding WHERE ", $where, " AND ", $column,
                " = $1 AND number > $2 AND leaf_hash IS NOT NULL AND health = 0 AND fault IS NULL ORDER BY number LIMIT $3",
            ),
            of_list: concat!(
                "SELECT ", $column, ", number FROM finding WHERE ", $where, " AND ", $column, " IN (",
            ),
            order: concat!(
                " AND leaf_hash IS NOT NULL AND health = 0 AND fault IS NULL ORDER BY ", $column, ", number LIMIT ",
            ),
        }
    };
}

const CERTIFICATE_ENTRY: Column = column!("leaf_hash", "logged_sha256 IS NOT NULL");
const INDEX: Column = column!("entry_index", "entry_index IS NOT NULL");
const UNREADABLE: Column = column!("watch", "verdict = 'unreadable' AND watch IS NOT NULL");

async fn of_texts(
    db: &mut SqliteConnection,
    column: &Column,
    values: &[String],
    after: Option<&Place>,
    limit: u32,
) -> Result<Vec<Place>, Fail> {
    let values: BTreeSet<String> = values.iter().cloned().collect();
    let after = after.map(|place| (place.value.clone(), place.number));
    of_values(db, column, &values, after, limit).await
}

/// The places of the findings with one of these values: those that are left of the value where the search stands, then those of
/// the values behind it.
async fn of_values<T>(
    db: &mut SqliteConnection,
    column: &Column,
    values: &BTreeSet<T>,
    after: Option<(T, i64)>,
    limit: u32,
) -> Result<Vec<Place>, Fail>
where
    T: Ord + Clone + ToString + Unpin + Send + for<'q> Encode<'q, Sqlite> + Type<Sqlite>,
    for<'r> T: Decode<'r, Sqlite>,
{
    let mut places: Vec<Place> = Vec::new();
    let place = |(value, number): (T, i64)| Place {
        value: value.to_string(),
        number,
        ..Place::default()
    };
    let mut rest = Bound::Unbounded;
    if let Some((value, number)) = after {
        if values.contains(&value) {
            let rows: Vec<(T, i64)> = sqlx::query_as(column.of_value)
                .bind(value.clone())
                .bind(number)
                .bind(i64::from(limit))
                .fetch_all(&mut *db)
                .await?;
            places.extend(rows.into_iter().map(place));
        }
        rest = Bound::Excluded(value);
    }
    let rest: Vec<&T> = values.range((rest, Bound::Unbounded)).collect();
    for group in rest.chunks(VALUES) {
        let left = left(limit, &places);
        if left == 0 {
            break;
        }
        let mut query = QueryBuilder::<Sqlite>::new(column.of_list);
        push_list(&mut query, group.iter().map(|value| (*value).clone()));
        query.push(column.order);
        query.push_bind(left);
        let rows: Vec<(T, i64)> = query
            .build_query_as()
            .persistent(false)
            .fetch_all(&mut *db)
            .await?;
        places.extend(rows.into_iter().map(place));
    }
    Ok(places)
}

/// The places of the findings of signers with one of these values, as above.
async fn of_signers(
    db: &mut SqliteConnection,
    term: SignerTerm,
    values: &BTreeSet<&str>,
    after: Option<&Place>,
    limit: u32,
) -> Result<Vec<Place>, Fail> {
    let mut places = Vec::new();
    let mut rest = Bound::Unbounded;
    if let Some(after) = after {
        if values.contains(after.value.as_str()) {
            // CROSS JOIN keeps SQLite from going through all findings: each row of the index leads to a few.
            let rows = sqlx::query(
                "SELECT t.value, t.recorded, t.signer, f.number
                 FROM signer_term t CROSS JOIN finding f ON f.signer = t.signer AND f.signer IS NOT NULL
                 WHERE t.kind = $1 AND t.value = $2 AND (t.recorded, t.signer) >= ($3, $4)
                 AND ((t.recorded, t.signer) > ($3, $4) OR f.number > $5)
                 AND f.leaf_hash IS NOT NULL AND f.health = 0 AND f.fault IS NULL
                 ORDER BY t.recorded, t.signer, f.number LIMIT $6",
            )
            .bind(term.as_str())
            .bind(after.value.as_str())
            .bind(after.recorded)
            .bind(after.signer.as_slice())
            .bind(after.number)
            .bind(i64::from(limit))
            .fetch_all(&mut *db)
            .await?;
            for row in &rows {
                places.push(place_of_signer(row)?);
            }
        }
        rest = Bound::Excluded(after.value.as_str());
    }
    let rest: Vec<&str> = values
        .range::<str, _>((rest, Bound::Unbounded))
        .copied()
        .collect();
    for group in rest.chunks(VALUES) {
        let left = left(limit, &places);
        if left == 0 {
            break;
        }
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT t.value, t.recorded, t.signer, f.number
             FROM signer_term t CROSS JOIN finding f ON f.signer = t.signer AND f.signer IS NOT NULL
             WHERE t.kind = ",
        );
        query.push_bind(term.as_str()).push(" AND t.value IN (");
        push_list(&mut query, group.iter().copied());
        query.push(
            " AND f.leaf_hash IS NOT NULL AND f.health = 0 AND f.fault IS NULL
             ORDER BY t.value, t.recorded, t.signer, f.number LIMIT ",
        );
        query.push_bind(left);
        let rows = query.build().persistent(false).fetch_all(&mut *db).await?;
        for row in &rows {
            places.push(place_of_signer(row)?);
        }
    }
    Ok(places)
}

fn place_of_signer(row: &SqliteRow) -> Result<Place, Fail> {
    Ok(Place {
        value: row.try_get(0)?,
        recorded: row.try_get(1)?,
        signer: row.try_get(2)?,
        number: row.try_get(3)?,
    })
}

async fn names(
    db: &mut SqliteConnection,
    beginning: &str,
    from: &str,
    limit: u32,
) -> Result<Vec<String>, Fail> {
    let beginning = cut(beginning);
    let from = beginning.max(cut(from));
    // The largest character of UTF-8 is behind every other.
    let until = format!("{beginning}\u{10ffff}");
    // Each step looks up the next name: many signers may have the same one.
    let names = sqlx::query_scalar(
        "WITH RECURSIVE name (value) AS (
            SELECT min(value) FROM signer_term WHERE kind = 'name' AND value BETWEEN $1 AND $2
            UNION ALL
            SELECT (SELECT min(value) FROM signer_term WHERE kind = 'name' AND value > name.value AND value <= $2)
            FROM name WHERE name.value IS NOT NULL
         )
         SELECT value FROM name WHERE value IS NOT NULL LIMIT $3",
    )
    .bind(from)
    .bind(until)
    .bind(i64::from(limit))
    .fetch_all(&mut *db)
    .await?;
    Ok(names)
}

async fn has_value(
    db: &mut SqliteConnection,
    place: &Place,
    term: SignerTerm,
    values: &[String],
) -> Result<bool, Fail> {
    for group in values.chunks(VALUES) {
        let mut query =
            QueryBuilder::<Sqlite>::new("SELECT EXISTS (SELECT 1 FROM signer_term WHERE kind = ");
        query.push_bind(term.as_str());
        query.push(" AND recorded = ").push_bind(place.recorded);
        query.push(" AND signer = ");
        query.push_bind(place.signer.as_slice());
        query.push(" AND value IN (");
        push_list(&mut query, group.iter().map(|value| cut(value)));
        query.push(")");
        let has: bool = query
            .build_query_scalar()
            .persistent(false)
            .fetch_one(&mut *db)
            .await?;
        if has {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The findings at these places, in their order.
async fn found(db: &mut SqliteConnection, places: Vec<Place>) -> Result<Vec<FoundSigning>, Fail> {
    let mut read: HashMap<i64, FoundSigning> = HashMap::with_capacity(places.len());
    for group in places.chunks(VALUES) {
        let numbers = || group.iter().map(|place| place.number);
        let mut findings: BTreeMap<i64, Finding> = BTreeMap::new();
        let mut query = QueryBuilder::<Sqlite>::new(select_finding!("WHERE f.number IN ("));
        push_list(&mut query, numbers());
        let rows = query.build().persistent(false).fetch_all(&mut *db).await?;
        for row in &rows {
            let (number, finding) = numbered(row)?;
            findings.insert(number, finding);
        }
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT f.number, s.certificate, f.logged_sha256, f.logged_at, f.signature_sha256
             FROM finding f LEFT JOIN signer s ON s.key = f.signer WHERE f.number IN (",
        );
        push_list(&mut query, numbers());
        let rows = query.build().persistent(false).fetch_all(&mut *db).await?;
        for row in &rows {
            let number: i64 = row.try_get(0)?;
            let Some(finding) = findings.remove(&number) else {
                continue;
            };
            let stored = FoundSigning {
                place: Place::default(),
                number,
                finding,
                certificate: row.try_get(1)?,
                logged_sha256: row.try_get(2)?,
                logged_at: value::moment_if(row.try_get(3)?)?,
                signature_sha256: row.try_get(4)?,
            };
            read.insert(number, stored);
        }
    }
    let at_place = |place: Place| {
        let stored = read.get(&place.number)?.clone();
        Some(FoundSigning { place, ..stored })
    };
    Ok(places.into_iter().filter_map(at_place).collect())
}

async fn payloads_about(
    db: &mut SqliteConnection,
    digests: &[String],
) -> Result<Vec<(Part, String)>, Fail> {
    let mut payloads = Vec::new();
    for group in digests.chunks(VALUES) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT DISTINCT part, payload FROM known_digest WHERE digest IN (",
        );
        push_list(&mut query, group);
        let rows: Vec<(String, String)> = query
            .build_query_as()
            .persistent(false)
            .fetch_all(&mut *db)
            .await?;
        for (word, payload) in rows {
            let part = Part::ALL.into_iter().find(|part| part.as_str() == word);
            let part = part.ok_or_else(|| Fail::corrupt(format!("part {word:?}")))?;
            payloads.push((part, payload));
        }
    }
    Ok(payloads)
}

async fn authorities_of(
    db: &mut SqliteConnection,
    hashes: &[String],
) -> Result<BTreeMap<String, Authority>, Fail> {
    let mut strongest: BTreeMap<String, Authority> = BTreeMap::new();
    for group in hashes.chunks(VALUES) {
        for sql in [
            "SELECT l.leaf_hash, x.authority FROM expected_leaf l JOIN expectation x ON x.number = l.expectation WHERE l.leaf_hash IN (",
            "SELECT e.signature_sha256, x.authority FROM expected_signing e JOIN expectation x ON x.number = e.expectation WHERE e.signature_sha256 IN (",
        ] {
            let mut query = QueryBuilder::<Sqlite>::new(sql);
            push_list(&mut query, group);
            let rows: Vec<(String, String)> = query
                .build_query_as()
                .persistent(false)
                .fetch_all(&mut *db)
                .await?;
            for (hash, word) in rows {
                let authority = registered::authority(&word)?;
                let known = strongest.entry(hash).or_insert(authority);
                *known = (*known).max(authority);
            }
        }
    }
    Ok(strongest)
}

async fn first_recorded(
    db: &mut SqliteConnection,
    tree: &TreeId,
    size: u64,
) -> Result<Option<Timestamp>, Fail> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT min(at) FROM checkpoint WHERE origin = $1 AND size >= $2")
            .bind(tree.as_str())
            .bind(value::integer(size)?)
            .fetch_one(&mut *db)
            .await?;
    value::moment_if(at)
}
