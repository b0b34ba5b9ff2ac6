//! Signings under watched identities, in pages or by the hashes of their leaves.

use std::collections::VecDeque;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use sqlx::Row as _;
use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqlitePool, SqliteRow};

use super::fail::Fail;
use super::findings::{Place, one_of};
use super::{SqliteStore, hash_end, value};
use crate::finding::State;
use crate::store::{SigningQuery, Signings, StoreError, StoredSigning};

/// Rows of one page: a few megabytes.
const PAGE: u64 = 5_000;

/// Leaf hashes of one question: far below SQLite's limit of parameters.
const HASHES: usize = 500;

#[async_trait]
impl Signings for SqliteStore {
    fn signings<'a>(
        &'a self,
        query: &SigningQuery,
    ) -> BoxStream<'a, Result<StoredSigning, StoreError>> {
        list(&self.reader, query)
            .map(|found| found.map_err(|fail| fail.during("listing signings", &self.path)))
            .boxed()
    }

    async fn signings_of_leaves(
        &self,
        leaf_hashes: &[String],
    ) -> Result<Vec<StoredSigning>, StoreError> {
        reading!(self, "reading signings", |db| of_leaves(db, leaf_hashes))
    }
}

/// What is read of a finding `f` and its signer `s`; followed by the rest of the statement.
macro_rules! select_signing {
    ($rest:literal) => {
        concat!(
            "SELECT f.log, f.origin, f.entry_index, f.leaf_hash, f.proven, f.verdict, f.state, f.kind, f.digest,
               f.signature_sha256, f.tbs_sha256, f.logged_sha256, f.chain, s.certificate_sha256, s.key_sha256, s.san, s.issuer,
               f.list_watch, f.id
             FROM finding f LEFT JOIN signer s ON s.key = f.signer ",
            $rest
        )
    };
}

/// The signings of a query, a page at a time: each goes on from the last row of the one before.
fn list(
    reader: &SqlitePool,
    query: &SigningQuery,
) -> BoxStream<'static, Result<StoredSigning, Fail>> {
    let paging = Paging {
        reader: reader.clone(),
        query: query.clone(),
        last: Some(Place::before_all()),
    };
    stream::try_unfold(paging, |mut paging| async move {
        let page = paging.next().await?;
        Ok::<_, Fail>((!page.is_empty()).then(|| (stream::iter(page.into_iter().map(Ok)), paging)))
    })
    .try_flatten()
    .boxed()
}

struct Paging {
    reader: SqlitePool,
    query: SigningQuery,
    /// `None`: there are no more.
    last: Option<Place>,
}

impl Paging {
    async fn next(&mut self) -> Result<VecDeque<StoredSigning>, Fail> {
        let Some(last) = self.last.take() else {
            return Ok(VecDeque::new());
        };
        let mut sql = QueryBuilder::<Sqlite>::new(select_signing!(
            "WHERE (f.list_log, f.list_index, f.list_watch, f.id) > ("
        ));
        last.bind(&mut sql);
        sql.push(
            ") AND f.watch IS NOT NULL AND f.leaf_hash IS NOT NULL AND f.health = 0 AND f.fault IS NULL",
        );
        if !self.query.watches.is_empty() {
            one_of(
                &mut sql,
                "f.watch",
                self.query.watches.iter().map(String::as_str),
            );
        }
        for (time, outside) in [(self.query.since, " < "), (self.query.until, " >= ")] {
            if let Some(time) = time {
                sql.push(" AND NOT (ifnull(f.chain, '') = 'trusted' AND ifnull(s.not_before");
                sql.push(outside);
                sql.push_bind(value::micros(time));
                sql.push(", 0))");
            }
        }
        sql.push(" ORDER BY f.list_log, f.list_index, f.list_watch, f.id LIMIT ");
        sql.push_bind(value::integer(PAGE)?);
        let rows = sql
            .build()
            .persistent(false)
            .fetch_all(&self.reader)
            .await?;
        if rows.len() as u64 == PAGE
            && let Some(last) = rows.last()
        {
            self.last = Some(Place {
                log: last
                    .try_get::<Option<String>, _>("log")?
                    .unwrap_or_default(),
                index: last.try_get("entry_index")?,
                watch: last.try_get("list_watch")?,
                id: last.try_get("id")?,
            });
        }
        rows.iter().map(signing).collect()
    }
}

/// The signings whose entry has one of these leaf hashes.
async fn of_leaves(
    db: &mut SqliteConnection,
    leaf_hashes: &[String],
) -> Result<Vec<StoredSigning>, Fail> {
    let mut found = Vec::new();
    for group in leaf_hashes.chunks(HASHES) {
        // The end of `registered_as` has an index, and it is the leaf hash of what is not a certificate in a CT log.
        let mut sql = QueryBuilder::<Sqlite>::new(select_signing!(
            "WHERE f.logged_sha256 IS NULL AND f.watch IS NOT NULL AND f.health = 0 AND f.fault IS NULL AND "
        ));
        hash_end::one_of(&mut sql, "f.registered_as", "f.registered_end", group);
        let rows = sql.build().persistent(false).fetch_all(&mut *db).await?;
        for row in &rows {
            found.push(signing(row)?);
        }
    }
    Ok(found)
}

fn signing(row: &SqliteRow) -> Result<StoredSigning, Fail> {
    let state = value::state(row.try_get(6)?)?;
    let chain: Option<&str> = row.try_get(12)?;
    Ok(StoredSigning {
        log: row.try_get::<Option<String>, _>(0)?.unwrap_or_default(),
        origin: row.try_get::<Option<String>, _>(1)?.unwrap_or_default(),
        index: value::natural(row.try_get(2)?)?,
        leaf_hash: row.try_get(3)?,
        is_proven: row.try_get::<Option<bool>, _>(4)? == Some(true) && state != State::Disputed,
        verdict: value::verdict(row.try_get(5)?)?,
        state,
        kind: row.try_get::<Option<String>, _>(7)?.unwrap_or_default(),
        digest: row.try_get(8)?,
        signature_sha256: row.try_get(9)?,
        tbs_sha256: row.try_get(10)?,
        logged_sha256: row.try_get(11)?,
        chain: chain.map(value::word).transpose()?,
        certificate_sha256: row.try_get(13)?,
        key_sha256: row.try_get(14)?,
        names: row.try_get::<Option<String>, _>(15)?.unwrap_or_default(),
        issuer: row.try_get(16)?,
    })
}
