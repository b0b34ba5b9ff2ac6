//! The order of the queue of look-ups, and their results.

use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::fail::Fail;
use super::{logs, value};
use crate::log::LogId;
use crate::moment;
use crate::store::{
    Answered, Lookup, LookupCounts, PendingCertificate, PendingCertificateEnd, Postponed,
    SettledCertificate,
};

/// Older answers prove nothing about the index today.
const RECENT_PERIOD: SignedDuration = SignedDuration::from_hours(24);

/// What is due at $2. A clock that was ahead for a while must not delay a name until then. So a name is also due if it
/// was never looked up, or if it was looked up in what is the future now ($3 is the latest past moment), or if it is
/// due further ahead than any name is ($4).
const DUE: &str =
    "log = $1 AND due IS NOT NULL AND (due <= $2 OR asked IS NULL OR asked > $3 OR due > $4)";

/// $2 to $4 of `DUE`.
fn moments(now: Timestamp) -> [i64; 3] {
    [
        SignedDuration::ZERO,
        moment::TOLERANCE,
        Lookup::LONGEST_WAIT,
    ]
    .map(|longest| value::micros(moment::latest(longest, now)))
}

/// One of this many turns goes to a name that had a turn since its newest certificate. So names that sign all the time
/// do not block the others.
const OTHERS: i64 = 4;

/// The due look-ups in the order of their turns: see [`Lookups::due_lookups`](crate::store::Lookups::due_lookups).
pub(super) async fn due(
    db: &mut SqliteConnection,
    log: &LogId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Lookup>, Fail> {
    let log = logs::number_or_zero(db, log).await?;
    let turns: Option<i64> = sqlx::query_scalar("SELECT turns FROM guided WHERE log = $1")
        .bind(log)
        .fetch_optional(&mut *db)
        .await?;
    let mut fresh = due_where(db, FRESH, log, now, limit).await?.into_iter();
    let mut others = due_where(db, &format!("NOT ({FRESH})"), log, now, limit)
        .await?
        .into_iter();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut due = Vec::new();
    for turn in turns.unwrap_or_default().. {
        let next = if turn % OTHERS == OTHERS - 1 {
            others.next().or_else(|| fresh.next())
        } else {
            fresh.next().or_else(|| others.next())
        };
        match next {
            Some(lookup) if due.len() < limit => due.push(lookup),
            Some(_) | None => break,
        }
    }
    Ok(due)
}

/// It had no turn since its newest certificate.
const FRESH: &str = "turn IS NULL OR turn <= news";

async fn due_where(
    db: &mut SqliteConnection,
    condition: &str,
    log: i64,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Lookup>, Fail> {
    let [now_micros, past, planned] = moments(now);
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT subject, direct, tries, failures, position FROM lookup
         WHERE {DUE} AND (retry IS NULL OR retry <= $2 OR retry > $5) AND ({condition})
         ORDER BY ifnull(turn, 0), due, subject LIMIT $6"
    )))
    .bind(log)
    .bind(now_micros)
    .bind(past)
    .bind(planned)
    .bind(value::micros(moment::latest(Lookup::LONGEST_RETRY, now)))
    .bind(limit)
    .fetch_all(&mut *db)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Lookup {
                subject: row.try_get("subject")?,
                direct: row.try_get("direct")?,
                tries: value::small(row.try_get("tries")?)?,
                failures: value::small(row.try_get("failures")?)?,
                position: value::natural(row.try_get("position")?)?,
            })
        })
        .collect()
}

/// Counts a turn of this name.
async fn count_lookup(db: &mut SqliteConnection, log: i64, subject: &str) -> Result<(), Fail> {
    sqlx::query("UPDATE guided SET turns = turns + 1 WHERE log = $1")
        .bind(log)
        .execute(&mut *db)
        .await?;
    sqlx::query(
        "UPDATE lookup SET turn = (SELECT turns FROM guided WHERE log = $1) WHERE log = $1 AND subject = $2",
    )
    .bind(log)
    .bind(subject)
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Records an answer: the certificates that it settles, and the time of the next look-up.
pub(super) async fn answered(db: &mut SqliteConnection, answered: &Answered) -> Result<(), Fail> {
    let Answered {
        log,
        subject,
        entries,
        due,
        settled,
        now,
    } = answered;
    let log = logs::number_or_zero(db, log).await?;
    for settled in settled {
        settle(db, log, settled).await?;
    }
    count_lookup(db, log, subject).await?;
    sqlx::query(
        "UPDATE lookup SET tries = tries + 1, due = $3, asked = $4, entries = $5, unread = 0, position = 0,
                retry = NULL, failures = 0, error_kind = NULL, error_message = NULL
         WHERE log = $1 AND subject = $2",
    )
    .bind(log)
    .bind(subject)
    .bind(due.map(value::micros))
    .bind(value::micros(*now))
    .bind(value::integer(*entries)?)
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Records a failure, or that the answer is not read completely. The name gets another turn.
pub(super) async fn postponed(
    db: &mut SqliteConnection,
    postponed: &Postponed,
) -> Result<(), Fail> {
    let Postponed {
        log,
        subject,
        retry,
        error,
        unread,
        position,
    } = postponed;
    let log = logs::number_or_zero(db, log).await?;
    count_lookup(db, log, subject).await?;
    sqlx::query(
        "UPDATE lookup SET retry = $3, failures = CASE WHEN $4 IS NULL THEN 0 ELSE failures + 1 END,
                error_kind = $4, error_message = $5, unread = ifnull($6, unread), position = $7
         WHERE log = $1 AND subject = $2",
    )
    .bind(log)
    .bind(subject)
    .bind(value::micros(*retry))
    .bind(error.as_ref().map(|error| error.kind.as_str()))
    .bind(error.as_ref().map(|error| error.message.as_str()))
    .bind(unread.map(value::integer).transpose()?)
    .bind(value::integer(*position)?)
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Ends the search for a certificate's entries and appends the result to its findings. This happens once, because only
/// an open search can end.
async fn settle(
    db: &mut SqliteConnection,
    log: i64,
    settled: &SettledCertificate,
) -> Result<(), Fail> {
    let state = match settled.end {
        PendingCertificateEnd::InThisLog => "here",
        PendingCertificateEnd::InOtherLog => "elsewhere",
        PendingCertificateEnd::NotFound => "nowhere",
    };
    let done = sqlx::query(
        "UPDATE sought SET state = $3, said = $4 WHERE log = $1 AND key = $2 AND state = 'open'",
    )
    .bind(log)
    .bind(&settled.key)
    .bind(state)
    .bind(&settled.summary)
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query(
        "UPDATE finding SET summary = summary || $3
         WHERE number IN (SELECT finding FROM sought_finding WHERE log = $1 AND key = $2)",
    )
    .bind(log)
    .bind(&settled.key)
    .bind(&settled.summary)
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// The state of the queue.
pub(super) async fn counts(
    db: &mut SqliteConnection,
    log: &LogId,
    now: Timestamp,
) -> Result<LookupCounts, Fail> {
    let log = logs::number_or_zero(db, log).await?;
    let [now_micros, past, planned] = moments(now);
    let (due, oldest, fresh, unread): (i64, Option<i64>, i64, i64) = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT count(*), min(min(due, $2)), ifnull(sum({FRESH}), 0), ifnull(sum(unread), 0) FROM lookup WHERE {DUE}"
    )))
    .bind(log)
    .bind(now_micros)
    .bind(past)
    .bind(planned)
    .fetch_one(&mut *db)
    .await?;
    let failed: Option<(String, String)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT error_kind, ifnull(error_message, '') FROM lookup
         WHERE {DUE} AND error_kind IS NOT NULL ORDER BY due, subject LIMIT 1"
    )))
    .bind(log)
    .bind(now_micros)
    .bind(past)
    .bind(planned)
    .fetch_optional(&mut *db)
    .await?;
    let lag = i64::try_from(PendingCertificate::LAG.as_micros()).unwrap_or(i64::MAX);
    let recent = value::micros(now.saturating_sub(RECENT_PERIOD).unwrap_or(Timestamp::MIN));
    // A certificate that was used with another log proves nothing about this one's index.
    let (answered, known): (i64, i64) = sqlx::query_as(
        "SELECT count(*), ifnull(sum(l.entries > 0), 0) FROM lookup l
         WHERE l.log = $1 AND l.asked > $2
           AND EXISTS (SELECT 1 FROM sought_name n JOIN sought s ON s.log = n.log AND s.key = n.key
                       WHERE n.log = l.log AND n.subject = l.subject
                         AND s.state <> 'elsewhere' AND s.not_after + $3 <= l.asked)",
    )
    .bind(log)
    .bind(recent)
    .bind(lag)
    .fetch_one(&mut *db)
    .await?;
    // However long ago: if an owner signs once a week, an index that is no longer filled must be noticed too.
    let (ended, found): (i64, i64) = sqlx::query_as(
        "SELECT count(*), ifnull(sum(state = 'here'), 0) FROM (
           SELECT s.state FROM sought s
           WHERE s.log = $1 AND s.state <> 'elsewhere' AND s.not_after <= $4
             AND EXISTS (SELECT 1 FROM sought_name n JOIN lookup l ON l.log = n.log AND l.subject = n.subject
                         WHERE n.log = s.log AND n.key = s.key AND l.asked >= s.not_after + $2)
           ORDER BY s.not_after DESC, s.key LIMIT $3)",
    )
    .bind(log)
    .bind(lag)
    .bind(value::integer(LookupCounts::LAST)?)
    .bind(value::micros(now))
    .fetch_one(&mut *db)
    .await?;
    let pending_guides = sqlx::query_scalar(
        "SELECT ifnull((SELECT name FROM log l WHERE l.id = b.guide), b.guide) AS name
         FROM guided_by b WHERE b.log = $1 AND b.pending = 1 ORDER BY name",
    )
    .bind(log)
    .fetch_all(&mut *db)
    .await?;
    Ok(LookupCounts {
        fresh: value::natural(fresh)?,
        unread: value::natural(unread)?,
        pending_guides,
        due: value::natural(due)?,
        oldest_due: value::moment_if(oldest)?,
        failed: failed
            .map(|(kind, message): (String, String)| value::pass_error(&kind, message))
            .transpose()?,
        answered: value::natural(answered)?,
        known: value::natural(known)?,
        ended: value::natural(ended)?,
        found: value::natural(found)?,
    })
}
