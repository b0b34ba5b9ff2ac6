//! Signings under watched identities, in pages or by the hashes of their leaves.

mod of_time;
mod row;

use std::collections::VecDeque;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use sqlx::Row as _;
use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqlitePool};

use super::fail::Fail;
use super::findings::Place;
use super::{SqliteStore, hash_end, value};
use crate::store::{SigningQuery, Signings, StoreError, StoredSigning};
use row::{push_watches, signing, signing_columns};

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

/// What is read of a signing, with the tables; followed by the rest of the statement.
macro_rules! select_signing {
    ($rest:literal) => {
        concat!(
            signing_columns!(),
            "FROM finding f LEFT JOIN signer s ON s.key = f.signer ",
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
        is_begun: false,
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
    is_begun: bool,
    /// `None`: there are no more.
    last: Option<Place>,
}

impl Paging {
    async fn next(&mut self) -> Result<VecDeque<StoredSigning>, Fail> {
        let Some(last) = self.last.take() else {
            return Ok(VecDeque::new());
        };
        if !std::mem::replace(&mut self.is_begun, true)
            && let Some(all) = of_time::few(&self.reader, &self.query, PAGE).await?
        {
            return Ok(all);
        }
        let mut sql = QueryBuilder::<Sqlite>::new(select_signing!(
            "WHERE (f.list_log, f.list_index, f.list_watch, f.id) > ("
        ));
        last.bind(&mut sql);
        sql.push(
            ") AND f.watch IS NOT NULL AND f.leaf_hash IS NOT NULL AND f.health = 0 AND f.fault IS NULL",
        );
        push_watches(&mut sql, &self.query);
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
