//! Every stored moment, and what becomes of one that lies ahead of now: see [`moment`].
//!
//! A comparison with now could read such a moment as now. But what counts from a moment (a silence, a hold) would then begin
//! anew with each pass, so what only moves the program on is set to now, once, before a pass. What tells people when
//! something happened keeps its date.

use jiff::{SignedDuration, Timestamp};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::fail::Fail;
use super::outbox::waits_a_day;
use super::value;
use crate::moment;
use crate::store::{Delivery, Lookup, Span};

/// What becomes of a stored moment that lies ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Treatment {
    /// It has passed: set to now.
    Past,
    /// It is planned, at most so far ahead: set to now.
    Planned(SignedDuration),
    /// It is read as now where it is used, which writes it anew.
    AtUse,
    /// It says when something happened: kept, and not compared with now.
    Evidence,
    /// Not by the clock of this machine: kept.
    Foreign,
}

/// A column that holds moments.
struct Stored {
    table: &'static str,
    column: &'static str,
    treatment: Treatment,
    /// Which rows lie ahead: of $1, the latest moment that may have passed, and $2, the latest that may be planned.
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

/// Every column that holds moments; a test compares this list with the comments of the schema.
///
/// `memory` holds more, as JSON of its owners: each reads what lies ahead as now, and writes it anew.
const MOMENTS: [Stored; 24] = [
    stored("log", "last_success", Past, "last_success > $1"),
    stored("tree", "last_success", Past, "last_success > $1"),
    stored("tree", "size_since", Past, "size_since > $1"),
    stored("tree", "behind_since", Past, "behind_since > $1"),
    stored("checkpoint", "at", Evidence, "at > $1"),
    // It names a request, and is compared with itself alone.
    stored("rescan", "at", Evidence, "at > $1"),
    stored("signer", "not_before", Foreign, ""),
    stored("finding", "first_seen", Evidence, "first_seen > $1"),
    stored(
        "finding",
        "held_from",
        Past,
        "state = 'held' AND ifnull(held_from, first_seen) > $1",
    ),
    stored("history", "at", Evidence, "at > $1"),
    stored("expectation", "at", Evidence, "at > $1"),
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
    stored("alert", "delivered", Evidence, "delivered > $1"),
    // Before `asked` is set to now: what was asked for in the future is asked for again.
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
    // The budget of requests and the last refusal of an old server: their readers ignore times that lie ahead.
    stored("guided", "spent", AtUse, ""),
    stored("guided", "mail_only", AtUse, ""),
    stored("sought", "not_after", Foreign, ""),
    // JSON. Passes that lie ahead are left out when the next one is added.
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

    /// The earliest and the latest that lie ahead.
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

/// From when to when moments are stored that lie ahead, evidence too; `None` if none has to be set to now.
pub(super) async fn ahead_of(
    db: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Option<Span>, Fail> {
    let mut all: Option<Span> = None;
    let changing = MOMENTS.iter().filter(|stored| stored.longest().is_some());
    for stored in changing {
        all = Span::joined(all, stored.span(db, now).await?);
    }
    // Findings and their history are many, and are looked through only if it matters.
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

/// Sets to now what lies ahead and is no evidence.
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
