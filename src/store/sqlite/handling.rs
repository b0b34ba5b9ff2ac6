//! What people do with findings: each change and its row of history are one transaction.

use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};

use super::fail::Fail;
use super::findings::{Place, conditions, list_index};
use super::{finding_changes, value};
use crate::finding::{FindingId, Routes, State};
use crate::store::{FindingQuery, Handling, HandlingOutcome, HandlingRequest};

/// The progress of handling the findings of a query. It is done in groups, each in one transaction: a transaction over a
/// million would need a second copy of every changed page in memory, and a long command could not be interrupted.
pub(super) struct Matching<'a> {
    /// In states that can be handled so.
    query: FindingQuery,
    request: &'a HandlingRequest<'a>,
    routes: &'a Routes,
    left: u64,
    last: Place,
}

impl<'a> Matching<'a> {
    /// Findings of one transaction.
    pub(super) const GROUP: u64 = 5_000;

    /// Before the first group.
    pub(super) fn of(
        query: &FindingQuery,
        routes: &'a Routes,
        request: &'a HandlingRequest<'a>,
    ) -> Self {
        let (usual, possible): (&[State], &[State]) = match request.handling {
            Handling::Ack => (&[State::Open], &[State::Open, State::Disputed, State::Held]),
            Handling::Reopen => (&State::ALL, &[State::Acked]),
            Handling::Note => (&[State::Open, State::Disputed], &State::ALL),
        };
        let mut query = query.clone();
        if query.states.is_empty() {
            query.states.extend(usual);
        }
        query.states.retain(|state| possible.contains(state));
        Self {
            left: match query.states.as_slice() {
                [] => 0,
                _ => query.limit.unwrap_or(u64::MAX),
            },
            last: Place::before_all(),
            request,
            routes,
            query,
        }
    }

    /// Handles the next security findings of the query, and answers how many: 0 means that none are left.
    pub(super) async fn next_group(&mut self, db: &mut SqliteConnection) -> Result<u64, Fail> {
        let limit = self.left.min(Self::GROUP);
        if limit == 0 {
            return Ok(0);
        }
        finding_changes::clear(db).await?;
        // In the order of lists, from the end of the last group: with another index SQLite would sort all remaining
        // ones for each group.
        let mut sql = QueryBuilder::<Sqlite>::new(
            "INSERT INTO temp.finding_changes (finding) SELECT f.number FROM finding f INDEXED BY ",
        );
        sql.push(list_index(&self.query.states).1).push(
            " LEFT JOIN signer s ON s.key = f.signer
             WHERE (f.list_log, f.list_index, f.list_watch, f.id) > (",
        );
        self.last.bind(&mut sql);
        sql.push(") AND f.health = 0");
        conditions(&mut sql, &self.query);
        sql.push(" ORDER BY f.list_log, f.list_index, f.list_watch, f.id LIMIT ");
        sql.push_bind(value::integer(limit)?);
        let found = sql.build().persistent(false).execute(&mut *db).await?;
        let last: Option<(Vec<u8>, String, i64, String)> = sqlx::query_as(
            "SELECT f.id, f.list_log, f.list_index, f.list_watch
             FROM temp.finding_changes t CROSS JOIN finding f ON f.number = t.finding
             ORDER BY f.list_log DESC, f.list_index DESC, f.list_watch DESC, f.id DESC LIMIT 1",
        )
        .fetch_optional(&mut *db)
        .await?;
        let Some((id, log, index, watch)) = last else {
            return Ok(0);
        };
        self.last = Place {
            log,
            index,
            watch,
            id,
        };
        change(db, self.routes, self.request).await?;
        let handled = found.rows_affected();
        self.left = self.left.saturating_sub(handled);
        Ok(handled)
    }
}

/// Handles findings by their ids.
pub(super) async fn handle(
    db: &mut SqliteConnection,
    routes: &Routes,
    ids: &[FindingId],
    request: &HandlingRequest<'_>,
) -> Result<Vec<(FindingId, HandlingOutcome)>, Fail> {
    finding_changes::clear(db).await?;
    let mut outcomes = Vec::new();
    for id in ids {
        outcomes.push((*id, take(db, *id, request.handling).await?));
    }
    change(db, routes, request).await?;
    Ok(outcomes)
}

/// Adds a finding to the scratch set, if it can be handled so.
async fn take(
    db: &mut SqliteConnection,
    id: FindingId,
    handling: Handling,
) -> Result<HandlingOutcome, Fail> {
    let row: Option<(i64, bool, String)> =
        sqlx::query_as("SELECT number, health, state FROM finding WHERE id = $1")
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&mut *db)
            .await?;
    let Some((number, health, state)) = row else {
        return Ok(HandlingOutcome::Unknown);
    };
    match (handling, value::state(&state)?) {
        (Handling::Note, _) => {}
        _ if health => return Ok(HandlingOutcome::Health),
        (Handling::Ack, State::Acked | State::Resolved)
        | (Handling::Reopen, State::Open | State::Disputed) => return Ok(HandlingOutcome::Before),
        (Handling::Reopen, State::Held | State::Resolved) => return Ok(HandlingOutcome::NotAcked),
        (Handling::Ack, State::Open | State::Held | State::Disputed)
        | (Handling::Reopen, State::Acked) => {}
    }
    sqlx::query("INSERT INTO temp.finding_changes (finding) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(number)
        .execute(&mut *db)
        .await?;
    Ok(HandlingOutcome::Done)
}

/// Handles the findings of the scratch set. `OR FAIL`: SQLite keeps no copy of the pages that the statement changes, which only an
/// error would need, and every error ends the whole transaction.
async fn change(
    db: &mut SqliteConnection,
    routes: &Routes,
    request: &HandlingRequest<'_>,
) -> Result<(), Fail> {
    finding_changes::write_handling(db, request).await?;
    match request.handling {
        Handling::Ack => {
            sqlx::query(
                "UPDATE OR FAIL finding SET state = 'acked' WHERE number IN (SELECT finding FROM temp.finding_changes)",
            )
            .execute(&mut *db)
            .await?;
        }
        Handling::Reopen => {
            // One whose batch is false goes back to being disputed, and to open with its leaf.
            sqlx::query(
                "UPDATE OR FAIL finding SET state = iif(prior_state IS NULL, 'open', 'disputed'),
                   prior_state = iif(prior_state IS NULL, NULL, 'open')
                 WHERE number IN (SELECT finding FROM temp.finding_changes)",
            )
            .execute(&mut *db)
            .await?;
        }
        Handling::Note => {}
    }
    if request.handling == Handling::Ack {
        finding_changes::leave_unclaimed_alerts(db).await?;
        finding_changes::queue_acknowledgements(db, routes, request.at).await?;
    }
    Ok(())
}
