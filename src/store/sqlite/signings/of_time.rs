//! The signings of a time, found by their signers: so what is stored of other times is not read.

use std::collections::VecDeque;

use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqlitePool};

use super::row::{push_watches, signing, signing_columns};
use crate::store::sqlite::fail::Fail;
use crate::store::sqlite::value;
use crate::store::{SigningQuery, StoredSigning};

/// How many signers of that time there are and signings without a time, up to `$3` of each.
const COUNT: &str = "SELECT
    (SELECT count(*) FROM (SELECT 1 FROM signer WHERE not_before >= $1 AND not_before < $2 LIMIT $3)),
    (SELECT count(*) FROM (SELECT 1 FROM signer WHERE not_before IS NULL LIMIT $3)),
    (SELECT count(*) FROM (
       SELECT 1 FROM finding INDEXED BY finding_without_time
       WHERE chain IS NOT 'trusted' AND watch IS NOT NULL AND leaf_hash IS NOT NULL AND health = 0 AND fault IS NULL LIMIT $3))";

/// From the signers to their signings, which the planner would not do without statistics.
const BY_SIGNER: &str = concat!(
    signing_columns!(),
    "FROM signer s INDEXED BY signer_not_before CROSS JOIN finding f INDEXED BY finding_signer ON f.signer = s.key
     WHERE f.chain = 'trusted' AND f.watch IS NOT NULL AND f.leaf_hash IS NOT NULL AND f.health = 0 AND f.fault IS NULL",
);

const WITHOUT_TIME: &str = concat!(
    signing_columns!(),
    "FROM finding f INDEXED BY finding_without_time LEFT JOIN signer s ON s.key = f.signer
     WHERE f.chain IS NOT 'trusted' AND f.watch IS NOT NULL AND f.leaf_hash IS NOT NULL AND f.health = 0 AND f.fault IS NULL",
);

/// All signings of a query that says since when, in the order of lists. `None`: there may be more than `most`, and reading them
/// one after the other costs less than by their signers.
pub(super) async fn few(
    reader: &SqlitePool,
    query: &SigningQuery,
    most: u64,
) -> Result<Option<VecDeque<StoredSigning>>, Fail> {
    let Some(since) = query.since.map(value::micros) else {
        return Ok(None);
    };
    let until = query.until.map_or(i64::MAX, value::micros);
    let most = value::integer(most)?;
    let (of_time, without, untrusted): (i64, i64, i64) = sqlx::query_as(COUNT)
        .bind(since)
        .bind(until)
        .bind(most + 1)
        .fetch_one(reader)
        .await?;
    if of_time + without + untrusted > most {
        return Ok(None);
    }
    let mut sql = QueryBuilder::<Sqlite>::new("SELECT * FROM (");
    sql.push(BY_SIGNER).push(" AND s.not_before >= ");
    sql.push_bind(since).push(" AND s.not_before < ");
    sql.push_bind(until);
    push_watches(&mut sql, query);
    sql.push(" UNION ALL ").push(BY_SIGNER);
    sql.push(" AND s.not_before IS NULL");
    push_watches(&mut sql, query);
    sql.push(" UNION ALL ").push(WITHOUT_TIME);
    push_watches(&mut sql, query);
    // A signer may have any number of signings.
    sql.push(" LIMIT ").push_bind(most + 1);
    sql.push(") ORDER BY list_log, list_index, list_watch, id");
    let rows = sql.build().persistent(false).fetch_all(reader).await?;
    if value::integer(rows.len() as u64)? > most {
        return Ok(None);
    }
    rows.iter().map(signing).collect::<Result<_, _>>().map(Some)
}
