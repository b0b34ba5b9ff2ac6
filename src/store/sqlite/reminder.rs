//! The daily digest of findings that only their signer registered.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::batch::insert_values;
use super::fail::Fail;
use super::record::{numbered, select_finding};
use super::{memory, value};
use crate::finding::Routes;
use crate::moment;
use crate::store::{Delivery, QueuedKind};

/// Under which key the time of the last digest is kept, as microseconds; absent: nothing waits for one.
const KEY: &str = "self-registered digest";

/// Joins the findings of one digest on a channel.
const GROUP: &str = "self-registered";

/// What is to be done about the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// The first finding is there: its day begins.
    Begin,
    /// No finding is left.
    End,
    /// A day is over.
    Send,
}

/// What is to be done now.
pub(super) async fn due(db: &mut SqliteConnection, now: Timestamp) -> Result<Due, Fail> {
    let any: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM finding WHERE verdict = 'self-registered' AND state IN ('open', 'disputed'))",
    )
    .fetch_one(&mut *db)
    .await?;
    let last = memory::get_value(db, KEY).await?;
    Ok(match (any, last) {
        (false, None) => Due::Nothing,
        (false, Some(_)) => Due::End,
        (true, None) => Due::Begin,
        (true, Some(last)) => {
            let last: i64 = last
                .parse()
                .map_err(|_| Fail::corrupt("the time of the last digest is no number"))?;
            let last = moment::past(value::moment(last)?, now);
            match last.checked_add(Delivery::DIGEST_AFTER) {
                Ok(next) if next <= now => Due::Send,
                Ok(_) if last == now => Due::Begin,
                _ => Due::Nothing,
            }
        }
    })
}

/// Does it; answers how many findings the digest has.
pub(super) async fn remind(
    db: &mut SqliteConnection,
    routes: &Routes,
    now: Timestamp,
) -> Result<u64, Fail> {
    match due(db, now).await? {
        Due::Nothing => return Ok(0),
        Due::End => {
            memory::forget_value(db, KEY).await?;
            return Ok(0);
        }
        Due::Begin => {
            memory::put_value(db, KEY, &value::micros(now).to_string()).await?;
            return Ok(0);
        }
        Due::Send => memory::put_value(db, KEY, &value::micros(now).to_string()).await?,
    }
    let rows = sqlx::query(select_finding!(
        "WHERE f.verdict = 'self-registered' AND f.state IN ('open', 'disputed')"
    ))
    .fetch_all(&mut *db)
    .await?;
    let mut by_channel: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for row in &rows {
        let (number, finding) = numbered(row)?;
        for channel in routes.channels(&finding, None) {
            by_channel.entry(channel).or_default().push(number);
        }
    }
    for (channel, findings) in by_channel {
        let alert: i64 = sqlx::query_scalar(
            "INSERT INTO alert (channel, kind, group_key, created, due) VALUES ($1, $2, $3, $4, $4)
             ON CONFLICT (channel, group_key) WHERE closed = 0 DO UPDATE SET closed = 0 RETURNING number",
        )
        .bind(channel)
        .bind(QueuedKind::Digest.as_str())
        .bind(GROUP)
        .bind(value::micros(now))
        .fetch_one(&mut *db)
        .await?;
        insert_values(
            db,
            "INSERT INTO member (alert, finding) ",
            " ON CONFLICT DO NOTHING",
            &findings,
            |mut row, finding| {
                row.push_bind(alert).push_bind(*finding);
            },
        )
        .await?;
    }
    Ok(rows.len() as u64)
}
