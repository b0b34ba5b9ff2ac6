//! Every stored time, and what happens to one that is in the future: see [`moment`].
//!
//! A comparison with now could treat such a time as now. But a period that begins with it (a silence, a hold) would
//! then begin again with each pass. So times that only control the program are set to now, once, before a pass. Times
//! that are shown to people as the date of an event stay unchanged.

use jiff::{SignedDuration, Timestamp};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::fail::Fail;
use super::outbox::waits_a_day;
use super::value;
use crate::moment;
use crate::store::{Delivery, Lookup, Span};

/// What happens to a stored time that is in the future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Treatment {
    /// It should be in the past: set to now.
    Past,
    /// It is planned, at most this far ahead: set to now.
    Planned(SignedDuration),
    /// It is read as now where it is used, and written again there.
    AtUse,
    /// It is the date of an event: unchanged, and not compared with now.
    Evidence,
    /// Another clock made it: unchanged.
    Foreign,
}

/// A column that contains times.
struct Stored {
    table: &'static str,
    column: &'static str,
    treatment: Treatment,
    /// The rows that are in the future: after $1, the latest time in the past, or after $2, the latest time that can be
    /// planned.
    ahead: &'static str,
}

const fn stored(
    table: &'static str,
    column: &'static str,
    treatment: Treatment,
    ahead: &'static str,
) -> Stored {
    Stored {
        table,
        column,
        treatment,
        ahead,
    }
}

use Treatment::{AtUse, Evidence, Foreign, Past, Planned};

/// Every column that contains times. A test compares this list with the comments of the schema.
///
/// `memory` contains more, as JSON of its owners: each reads a time in the future as now, and writes it again.
const MOMENTS: [Stored; 27] = [
    stored("log", "last_success", Past, "last_success > $1"),
    stored("tree", "last_success", Past, "last_success > $1"),
    stored("tree", "size_since", Past, "size_since > $1"),
    stored("tree", "behind_since", Past, "behind_since > $1"),
    stored("checkpoint", "at", Evidence, "at > $1"),
    // It identifies a request, and is compared only for equality.
    stored("rescan", "at", Evidence, "at > $1"),
    stored("signer", "not_before", Foreign, ""),
    stored("finding", "first_seen", Evidence, "first_seen > $1"),
    stored("finding", "logged_at", Foreign, ""),
    stored(
        "finding",
        "held_from",
        Past,
        "state = 'held' AND ifnull(held_from, first_seen) > $1",
    ),
    stored("history", "at", Evidence, "at > $1"),
    stored("expectation", "at", Evidence, "at > $1"),
    stored("registration_source", "at", Past, "at > $1"),
    stored(
        "alert",
        "created",
        Past,
        "state = 'pending' AND created > $1",
    ),
    stored(
        "alert",
        "due",
        Planned(Delivery::LONGEST_RETRY),
        concat!(
            "state = 'pending' AND NOT ",
            waits_a_day!(),
            " AND due > $2"
        ),
    ),
    stored(
        "alert",
        "due",
        Planned(Delivery::DIGEST_AFTER),
        "state = 'pending' AND due > $2",
    ),
    // Where an alert is due again at this time, one in the future counts as now.
    stored("alert", "delayed", AtUse, ""),
    stored("alert", "delivered", Evidence, "delivered > $1"),
    // Before `asked` is set to now: a name that was looked up in the future is looked up again.
    stored(
        "lookup",
        "due",
        Planned(Lookup::LONGEST_WAIT),
        "due IS NOT NULL AND (due > $2 OR asked > $1)",
    ),
    stored("lookup", "asked", Past, "asked > $1"),
    stored(
        "lookup",
        "retry",
        Planned(Lookup::LONGEST_RETRY),
        "retry > $2",
    ),
    // The request budget and the last refusal of an old server: their readers ignore times in the future.
    stored("guided", "spent", AtUse, ""),
    stored("guided", "mail_only", AtUse, ""),
    stored("sought", "not_after", Foreign, ""),
    // JSON. Passes in the future are removed when the next one is added.
    stored("pace", "recent", AtUse, ""),
    stored("pace", "limited_since", Past, "limited_since > $1"),
    stored("restart", "at", Past, "at > $1"),
];

impl Stored {
    /// `None` where nothing is changed.
    fn longest(&self) -> Option<SignedDuration> {
        match self.treatment {
            Past => Some(moment::TOLERANCE),
            Planned(longest) => Some(longest),
            AtUse | Evidence | Foreign => None,
        }
    }

    /// The earliest and the latest time in the future.
    async fn span(&self, db: &mut SqliteConnection, now: Timestamp) -> Result<Option<Span>, Fail> {
        let Self {
            table,
            column,
            ahead,
            ..
        } = self;
        let latest = |longest| value::micros(moment::latest(longest, now));
        let (from, until): (Option<i64>, Option<i64>) = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT min({column}), max({column}) FROM {table} WHERE {ahead}"
        )))
        .bind(latest(moment::TOLERANCE))
        .bind(latest(self.longest().unwrap_or(moment::TOLERANCE)))
        .fetch_one(&mut *db)
        .await?;
        let (from, until) = (value::moment_if(from)?, value::moment_if(until)?);
        Ok(from.zip(until).map(|(from, until)| Span { from, until }))
    }
}

/// The span of stored times in the future, with evidence; `None` if none has to be set to now.
pub(super) async fn ahead_of(
    db: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Option<Span>, Fail> {
    let mut all: Option<Span> = None;
    let changing = MOMENTS.iter().filter(|stored| stored.longest().is_some());
    for stored in changing {
        all = Span::joined(all, stored.span(db, now).await?);
    }
    // Findings and their history are many rows, and are read only if the span is needed.
    let held: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM finding WHERE state = 'held' AND ifnull(held_from, first_seen) > $1)",
    )
    .bind(value::micros(moment::latest(moment::TOLERANCE, now)))
    .fetch_one(&mut *db)
    .await?;
    if all.is_none() && !held {
        return Ok(None);
    }
    for stored in MOMENTS.iter().filter(|stored| stored.treatment == Evidence) {
        all = Span::joined(all, stored.span(db, now).await?);
    }
    Ok(all)
}

/// Sets times in the future to now, except evidence.
pub(super) async fn correct_future_times(
    db: &mut SqliteConnection,
    now: Timestamp,
) -> Result<(), Fail> {
    let latest = |longest| value::micros(moment::latest(longest, now));
    for stored in &MOMENTS {
        let Some(longest) = stored.longest() else {
            continue;
        };
        let Stored {
            table,
            column,
            ahead,
            ..
        } = stored;
        sqlx::query(AssertSqlSafe(format!(
            "UPDATE {table} SET {column} = $3 WHERE {ahead}"
        )))
        .bind(latest(moment::TOLERANCE))
        .bind(latest(longest))
        .bind(value::micros(now))
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
