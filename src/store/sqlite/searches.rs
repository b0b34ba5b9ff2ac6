//! Signings, found through the indexes of `signer_term` and `finding`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{Encode, Row as _, Type};

use super::batch::push_list;
use super::fail::Fail;
use super::record::{numbered, select_finding};
use super::signer_terms::cut;
use super::{SqliteStore, registered, value};
use crate::expect::{Authority, Part};
use crate::finding::Finding;
use crate::log::TreeId;
use crate::store::{FoundSigning, SearchKey, Searches, SignerTerm, StoreError};

/// Values of one question: far below SQLite's limit of parameters.
const VALUES: usize = 500;

#[async_trait]
impl Searches for SqliteStore {
    async fn search(
        &self,
        key: &SearchKey,
        after: i64,
        limit: u32,
    ) -> Result<Vec<FoundSigning>, StoreError> {
        reading!(self, "looking up signings", |db| search(
            db, key, after, limit
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
    after: i64,
    limit: u32,
) -> Result<Vec<FoundSigning>, Fail> {
    let mut numbers = Vec::new();
    match key {
        SearchKey::Signer(term, whole) => {
            numbers = of_signers(db, *term, (cut(whole), cut(whole)), after, limit).await?;
        }
        SearchKey::SignerBeginning(term, beginning) => {
            let from = cut(beginning);
            // The largest character of UTF-8 is behind every other.
            let until = format!("{from}\u{10ffff}");
            numbers = of_signers(db, *term, (from, &until), after, limit).await?;
        }
        SearchKey::Digests(digests) => {
            let sql = "SELECT number FROM finding WHERE digest IS NOT NULL AND digest IN (";
            numbers.extend(of_values(db, sql, digests, after, limit).await?);
        }
        SearchKey::Entries(hashes) => {
            for sql in [
                "SELECT number FROM finding WHERE registered_as IS NOT NULL AND registered_as IN (",
                "SELECT number FROM finding WHERE logged_sha256 IS NOT NULL AND leaf_hash IN (",
            ] {
                numbers.extend(of_values(db, sql, hashes, after, limit).await?);
            }
        }
        SearchKey::Indexes(indexes) => {
            let indexes = indexes.iter().map(|index| value::integer(*index));
            let indexes = indexes.collect::<Result<Vec<i64>, Fail>>()?;
            let sql =
                "SELECT number FROM finding WHERE entry_index IS NOT NULL AND entry_index IN (";
            numbers = of_values(db, sql, &indexes, after, limit).await?;
        }
        SearchKey::Unreadable(watches) => {
            let sql = "SELECT number FROM finding WHERE verdict = 'unreadable' AND watch IS NOT NULL AND watch IN (";
            numbers.extend(of_values(db, sql, watches, after, limit).await?);
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    numbers.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    found(db, &numbers).await
}

/// The findings of signers with a value in this range, its ends included.
async fn of_signers(
    db: &mut SqliteConnection,
    term: SignerTerm,
    (from, until): (&str, &str),
    after: i64,
    limit: u32,
) -> Result<Vec<i64>, Fail> {
    // Each row of the index leads to a few findings: CROSS JOIN keeps SQLite from going through all findings instead.
    let numbers = sqlx::query_scalar(
        "SELECT DISTINCT f.number FROM signer_term t CROSS JOIN finding f ON f.signer = t.signer AND f.signer IS NOT NULL
         WHERE t.kind = $1 AND t.value BETWEEN $2 AND $3 AND +f.number > $4 AND f.leaf_hash IS NOT NULL
         AND f.health = 0 AND f.fault IS NULL ORDER BY +f.number LIMIT $5",
    )
    .bind(term.as_str())
    .bind(from)
    .bind(until)
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(&mut *db)
    .await?;
    Ok(numbers)
}

/// The findings with one of these values, in groups.
async fn of_values<'q, T>(
    db: &mut SqliteConnection,
    sql: &'static str,
    values: &'q [T],
    after: i64,
    limit: u32,
) -> Result<Vec<i64>, Fail>
where
    &'q T: Encode<'q, Sqlite> + Type<Sqlite>,
{
    let mut numbers = Vec::new();
    for group in values.chunks(VALUES) {
        let mut query = QueryBuilder::<Sqlite>::new(sql);
        push_list(&mut query, group);
        // The sign keeps SQLite from going through all findings in the order of their numbers.
        query.push(" AND leaf_hash IS NOT NULL AND health = 0 AND fault IS NULL AND +number > ");
        query.push_bind(after);
        query.push(" ORDER BY +number LIMIT ");
        query.push_bind(i64::from(limit));
        let of_group: Vec<i64> = query
            .build_query_scalar()
            .persistent(false)
            .fetch_all(&mut *db)
            .await?;
        numbers.extend(of_group);
    }
    Ok(numbers)
}

/// The findings about entries with these numbers.
async fn found(db: &mut SqliteConnection, numbers: &[i64]) -> Result<Vec<FoundSigning>, Fail> {
    let mut all = Vec::with_capacity(numbers.len());
    for group in numbers.chunks(VALUES) {
        let mut findings: BTreeMap<i64, Finding> = BTreeMap::new();
        let mut query = QueryBuilder::<Sqlite>::new(select_finding!("WHERE f.number IN ("));
        push_list(&mut query, group);
        let rows = query.build().persistent(false).fetch_all(&mut *db).await?;
        for row in &rows {
            let (number, finding) = numbered(row)?;
            findings.insert(number, finding);
        }
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT f.number, s.certificate, f.logged_sha256, f.logged_at, f.signature_sha256
             FROM finding f LEFT JOIN signer s ON s.key = f.signer WHERE f.number IN (",
        );
        push_list(&mut query, group);
        let rows = query.build().persistent(false).fetch_all(&mut *db).await?;
        for row in &rows {
            let number: i64 = row.try_get(0)?;
            let Some(finding) = findings.remove(&number) else {
                continue;
            };
            all.push(FoundSigning {
                number,
                finding,
                certificate: row.try_get(1)?,
                logged_sha256: row.try_get(2)?,
                logged_at: value::moment_if(row.try_get(3)?)?,
                signature_sha256: row.try_get(4)?,
            });
        }
    }
    all.sort_unstable_by_key(|found| found.number);
    Ok(all)
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
