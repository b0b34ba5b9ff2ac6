//! The outbox: alerts by channel, grouped until they are claimed.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::batch::insert_values;
use super::fail::Fail;
use super::record::{finding, select_finding};
use super::value;
use crate::finding::{self as words, Finding, Quiet, Routes};
use crate::moment;
use crate::store::{ChannelQueue, Delivery, FindingCounts, QueuedAlert, QueuedKind};

/// Whether an alert may wait for up to a day: the first attempt of a digest, or of one that is sent once a day, and what
/// quiet hours delay.
macro_rules! waits_a_day {
    () => {
        "((kind = 'digest' OR group_key LIKE 'unreadable %') AND attempts = 0 OR delayed IS NOT NULL)"
    };
}

pub(super) use waits_a_day;

/// Most alerts that one claim returns.
const CLAIM: i64 = 100;

/// What is due at $2. $3 and $4 are the latest times for which a retry and a daily alert can be planned. A later time
/// was set by a wrong clock, and counts as now.
macro_rules! due {
    () => {
        concat!("(due <= $2 OR due > iif(", waits_a_day!(), ", $4, $3))")
    };
}

/// $3 and $4 of `due!`.
fn latest(now: Timestamp) -> (i64, i64) {
    let latest = |longest| value::micros(moment::latest(longest, now));
    (
        latest(Delivery::LONGEST_RETRY),
        latest(Delivery::DIGEST_AFTER),
    )
}

/// A finding to alert.
#[derive(Clone, Copy)]
pub(super) struct AlertRequest<'a> {
    /// Its row.
    pub number: i64,
    /// Its present state.
    pub finding: &'a Finding,
    /// A channel on which it is not alerted.
    pub except: Option<&'a str>,
}

/// Queues the alerts of these findings: each joins the unclaimed alert of its channel and group, or begins one.
pub(super) async fn queue_alerts(
    db: &mut SqliteConnection,
    routes: &Routes,
    requests: &[AlertRequest<'_>],
    now: Timestamp,
) -> Result<(), Fail> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places: HashMap<(&str, String), usize> = HashMap::new();
    let mut members: Vec<(usize, i64)> = Vec::new();
    let is_limited = |request: &AlertRequest<'_>| {
        request.finding.alert_policy() == words::AlertPolicy::OncePerWatch
    };
    let earlier = if requests.iter().any(is_limited) {
        recently_alerted(db, now).await?
    } else {
        HashMap::new()
    };
    for request in requests {
        let Some(envelope) = Envelope::of(request.finding, now)? else {
            continue;
        };
        for channel in routes.channels(request.finding, request.except) {
            let key = (channel, envelope.group_key.clone());
            let place = if let Some(place) = places.get(&key) {
                *place
            } else {
                let mut envelope = envelope.clone();
                if is_limited(request)
                    && let Some(last) = earlier.get(&(channel.to_owned(), key.1.clone()))
                {
                    // A time in the future counts as now.
                    envelope.due = a_day_after(now.min(*last))?.max(now);
                }
                groups.push(Group { channel, envelope });
                places.insert(key, groups.len() - 1);
                groups.len() - 1
            };
            members.push((place, request.number));
        }
    }
    let rows = insert_values(
        db,
        "INSERT INTO alert (channel, kind, group_key, created, due) ",
        // `DO NOTHING` would not return the number of the alert that is there.
        // What joins a delayed alert may be so severe that it is not delayed: the next claim judges it again.
        " ON CONFLICT (channel, group_key) WHERE closed = 0
          DO UPDATE SET due = ifnull(delayed, due), delayed = NULL
          RETURNING number, channel, group_key",
        &groups,
        |mut row, Group { channel, envelope }| {
            row.push_bind(*channel)
                .push_bind(envelope.kind.as_str())
                .push_bind(envelope.group_key.as_str())
                .push_bind(value::micros(now))
                .push_bind(value::micros(envelope.due));
        },
    )
    .await?;
    let mut numbers = vec![None; groups.len()];
    for row in &rows {
        let place = (row.try_get("channel")?, row.try_get("group_key")?);
        if let Some(slot) = places.get(&place).and_then(|&place| numbers.get_mut(place)) {
            *slot = Some(row.try_get::<i64, _>("number")?);
        }
    }
    let members = members
        .into_iter()
        .map(|(place, finding)| {
            let alert = numbers.get(place).copied().flatten();
            // If an alert were missing, the finding must not be recorded either.
            alert
                .map(|alert| (alert, finding))
                .ok_or_else(|| Fail::corrupt("an alert was not queued"))
        })
        .collect::<Result<Vec<_>, Fail>>()?;
    insert_values(
        db,
        "INSERT INTO member (alert, finding) ",
        " ON CONFLICT DO NOTHING",
        &members,
        |mut row, (alert, finding)| {
            row.push_bind(*alert).push_bind(*finding);
        },
    )
    .await?;
    Ok(())
}

struct Group<'a> {
    channel: &'a str,
    envelope: Envelope,
}

/// The message and the group of a finding.
#[derive(Clone)]
struct Envelope {
    kind: QueuedKind,
    group_key: String,
    due: Timestamp,
}

impl Envelope {
    /// `None` if it is not alerted.
    fn of(finding: &Finding, now: Timestamp) -> Result<Option<Self>, Fail> {
        Ok(match finding.alert_policy() {
            words::AlertPolicy::Never => None,
            words::AlertPolicy::AtOnce | words::AlertPolicy::OncePerWatch => Some(Self {
                kind: QueuedKind::Alert,
                group_key: finding.group_key(),
                due: now,
            }),
            words::AlertPolicy::Daily => {
                let origin = finding.origin.as_deref().unwrap_or_default();
                let day = now.to_zoned(TimeZone::UTC).date();
                let due = a_day_after(now)?;
                let group_key = format!("daily {origin} {} {day}", finding.verdict);
                Some(Self {
                    kind: QueuedKind::Digest,
                    group_key,
                    due,
                })
            }
        })
    }
}

/// The last alerts within a day of unreadable entries that name a watch, by channel and group: alone, or as part of a
/// flood.
async fn recently_alerted(
    db: &mut SqliteConnection,
    now: Timestamp,
) -> Result<HashMap<(String, String), Timestamp>, Fail> {
    let since = now.checked_sub(Delivery::DIGEST_AFTER);
    let since = since.map_err(|_| Fail::corrupt(format!("the time {now} is out of range")))?;
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT channel, group_key, max(due) FROM alert
         WHERE closed = 1 AND due > $1 AND group_key LIKE 'unreadable %' GROUP BY channel, group_key
         UNION ALL
         SELECT a.channel, 'unreadable ' || length(CAST(f.watch AS BLOB)) || ' ' || f.watch || ' ' || f.origin, max(a.due)
         FROM alert a JOIN member m ON m.alert = a.number JOIN finding f ON f.number = m.finding
         WHERE a.closed = 1 AND a.due > $1 AND a.group_key = 'flood'
           AND f.judged_verdict = 'unreadable' AND f.watch IS NOT NULL AND f.origin IS NOT NULL
         GROUP BY a.channel, f.watch, f.origin",
    )
    .bind(value::micros(since))
    .fetch_all(&mut *db)
    .await?;
    let mut last = HashMap::new();
    for (channel, group_key, due) in rows {
        let due = value::moment(due)?;
        let latest = last.entry((channel, group_key)).or_insert(due);
        *latest = due.max(*latest);
    }
    Ok(last)
}

fn a_day_after(time: Timestamp) -> Result<Timestamp, Fail> {
    time.checked_add(Delivery::DIGEST_AFTER)
        .map_err(|_| Fail::corrupt(format!("the time {time} is out of range")))
}

/// Returns the due alerts and closes their groups.
///
/// If the process dies before it records the results, the next call returns the same alerts with the same ids.
pub(super) async fn claim(
    db: &mut SqliteConnection,
    channel: &str,
    flood: u32,
    quiet: Option<Quiet>,
    now: Timestamp,
) -> Result<Vec<QueuedAlert>, Fail> {
    delay(db, channel, quiet, now).await?;
    merge_flood(db, channel, flood, now).await?;
    // A resolution and an acknowledgement wait for their alert: "it is over" must not arrive first.
    sqlx::query("DELETE FROM temp.vacated")
        .execute(&mut *db)
        .await?;
    let (retry, digest) = latest(now);
    sqlx::query(concat!(
        "INSERT INTO temp.vacated (alert)
         SELECT number FROM alert a
         WHERE channel = $1 AND state = 'pending' AND ",
        due!(),
        "  AND NOT EXISTS (SELECT 1 FROM alert b
                           WHERE a.kind IN ('resolved', 'acknowledged') AND b.id = a.key AND b.state = 'pending')
         ORDER BY number LIMIT $5"
    ))
    .bind(channel)
    .bind(value::micros(now))
    .bind(retry)
    .bind(digest)
    .bind(CLAIM)
    .execute(&mut *db)
    .await?;
    sqlx::query("UPDATE alert SET closed = 1 WHERE closed = 0 AND number IN (SELECT alert FROM temp.vacated)")
        .execute(&mut *db)
        .await?;
    let rows = sqlx::query(
        "SELECT a.id, a.kind, ifnull(a.key, a.id) AS key, a.created, a.attempts, a.reached,
                count(*) AS findings, max(f.severity) AS severity
         FROM temp.vacated v CROSS JOIN alert a ON a.number = v.alert
         CROSS JOIN member m ON m.alert = a.number CROSS JOIN finding f ON f.number = m.finding
         GROUP BY v.alert ORDER BY v.alert",
    )
    .fetch_all(&mut *db)
    .await?;
    rows.iter().map(queued).collect()
}

/// Moves what is due in quiet hours to their end, and back what other quiet hours delayed.
async fn delay(
    db: &mut SqliteConnection,
    channel: &str,
    quiet: Option<Quiet>,
    now: Timestamp,
) -> Result<(), Fail> {
    // In the order of an index: a delayed alert has the time at which its quiet hours end.
    sqlx::query(
        "UPDATE alert SET due = delayed, delayed = NULL
         WHERE channel = $1 AND state = 'pending' AND delayed IS NOT NULL AND due > $2 AND due <> $3",
    )
    .bind(channel)
    .bind(value::micros(now))
    .bind(quiet.map_or(i64::MIN, |quiet| value::micros(quiet.until)))
    .execute(&mut *db)
    .await?;
    let Some(quiet) = quiet else {
        return Ok(());
    };
    let (retry, digest) = latest(now);
    sqlx::query(concat!(
        "UPDATE alert SET delayed = ifnull(delayed, due), due = $5
         WHERE channel = $1 AND state = 'pending' AND ",
        due!(),
        " AND NOT EXISTS (SELECT 1 FROM member m CROSS JOIN finding f ON f.number = m.finding
                          WHERE m.alert = alert.number AND f.severity >= $6)"
    ))
    .bind(channel)
    .bind(value::micros(now))
    .bind(retry)
    .bind(digest)
    .bind(value::micros(quiet.until))
    .bind(value::rank(quiet.except))
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Whether any alert is due, or no longer delayed by these quiet hours; it takes no lock on the database.
pub(super) async fn is_due(
    db: &mut SqliteConnection,
    channel: &str,
    quiet: Option<Quiet>,
    now: Timestamp,
) -> Result<bool, Fail> {
    let (retry, digest) = latest(now);
    Ok(sqlx::query_scalar(concat!(
        "SELECT EXISTS (SELECT 1 FROM alert WHERE channel = $1 AND state = 'pending' AND ",
        due!(),
        ") OR EXISTS (SELECT 1 FROM alert WHERE channel = $1 AND state = 'pending'
                      AND delayed IS NOT NULL AND due > max($2, $5))
           OR EXISTS (SELECT 1 FROM alert WHERE channel = $1 AND state = 'pending'
                      AND delayed IS NOT NULL AND due > $2 AND due < $5)"
    ))
    .bind(channel)
    .bind(value::micros(now))
    .bind(retry)
    .bind(digest)
    .bind(quiet.map_or(i64::MIN, |quiet| value::micros(quiet.until)))
    .fetch_one(&mut *db)
    .await?)
}

/// Merges more than `flood` alerts that no outbox has claimed into one digest. Claimed alerts keep their ids: they may
/// have been sent.
async fn merge_flood(
    db: &mut SqliteConnection,
    channel: &str,
    flood: u32,
    now: Timestamp,
) -> Result<(), Fail> {
    sqlx::query("DELETE FROM temp.vacated")
        .execute(&mut *db)
        .await?;
    let (retry, digest) = latest(now);
    let merged = sqlx::query(concat!(
        "INSERT INTO temp.vacated (alert)
         SELECT number FROM alert
         WHERE channel = $1 AND state = 'pending' AND closed = 0 AND kind = 'alert' AND ",
        due!()
    ))
    .bind(channel)
    .bind(value::micros(now))
    .bind(retry)
    .bind(digest)
    .execute(&mut *db)
    .await?
    .rows_affected();
    if merged <= u64::from(flood) {
        return Ok(());
    }
    let digest: i64 = sqlx::query_scalar(
        "INSERT INTO alert (channel, kind, group_key, closed, created, due)
         SELECT $1, 'digest', 'flood', 1, min(created), $2
         FROM alert WHERE number IN (SELECT alert FROM temp.vacated)
         RETURNING number",
    )
    .bind(channel)
    .bind(value::micros(now))
    .fetch_one(&mut *db)
    .await?;
    sqlx::query(
        "INSERT INTO member (alert, finding)
         SELECT DISTINCT $1, finding FROM member WHERE alert IN (SELECT alert FROM temp.vacated)",
    )
    .bind(digest)
    .execute(&mut *db)
    .await?;
    sqlx::query("DELETE FROM member WHERE alert IN (SELECT alert FROM temp.vacated)")
        .execute(&mut *db)
        .await?;
    sqlx::query("DELETE FROM alert WHERE number IN (SELECT alert FROM temp.vacated)")
        .execute(&mut *db)
        .await?;
    Ok(())
}

fn queued(row: &SqliteRow) -> Result<QueuedAlert, Fail> {
    let kind: &str = row.try_get("kind")?;
    let kind = QueuedKind::ALL
        .into_iter()
        .find(|known| known.as_str() == kind)
        .ok_or_else(|| Fail::corrupt(format!("kind of alert {kind:?}")))?;
    Ok(QueuedAlert {
        id: row.try_get("id")?,
        kind,
        key: row.try_get("key")?,
        severity: value::severity(row.try_get("severity")?)?,
        findings: value::natural(row.try_get("findings")?)?,
        created: value::moment(row.try_get("created")?)?,
        attempts: value::small(row.try_get("attempts")?)?,
        reached: reached(row.try_get("reached")?)?,
    })
}

fn reached(json: Option<&str>) -> Result<Vec<String>, Fail> {
    json.map_or(Ok(Vec::new()), |json| {
        serde_json::from_str(json)
            .map_err(|_| Fail::corrupt("the recipients that have an alert are no list"))
    })
}

/// The findings of an alert, most severe first.
pub(super) async fn findings(
    db: &mut SqliteConnection,
    alert: &str,
    limit: u32,
) -> Result<Vec<Finding>, Fail> {
    let rows = sqlx::query(select_finding!(
        "JOIN member m ON m.finding = f.number
         WHERE m.alert = (SELECT number FROM alert WHERE id = $1)
         ORDER BY f.severity DESC, f.list_log, f.list_index, f.list_watch, f.id LIMIT $2"
    ))
    .bind(alert)
    .bind(i64::from(limit))
    .fetch_all(&mut *db)
    .await?;
    rows.iter().map(finding).collect()
}

/// The findings of an alert, counted.
pub(super) async fn counts(
    db: &mut SqliteConnection,
    alert: &str,
) -> Result<Vec<FindingCounts>, Fail> {
    let rows: Vec<(Option<String>, String, i64, i64)> = sqlx::query_as(
        "SELECT f.watch, f.verdict, f.severity, count(*)
         FROM member m JOIN finding f ON f.number = m.finding
         WHERE m.alert = (SELECT number FROM alert WHERE id = $1)
         GROUP BY f.watch, f.verdict, f.severity
         ORDER BY f.severity DESC, f.list_watch, f.verdict",
    )
    .bind(alert)
    .fetch_all(&mut *db)
    .await?;
    rows.into_iter()
        .map(|(watch, verdict, severity, count)| {
            Ok(FindingCounts {
                watch,
                verdict: value::verdict(&verdict)?,
                severity: value::severity(severity)?,
                count: value::natural(count)?,
            })
        })
        .collect()
}

/// Records the result of an attempt.
pub(super) async fn record_delivery(
    db: &mut SqliteConnection,
    alert: &str,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<(), Fail> {
    let query = match delivery {
        Delivery::Delivered => sqlx::query(
            "UPDATE alert SET closed = 1, attempts = attempts + 1, state = 'delivered',
                    delivered = $2, last_error = NULL, reached = NULL WHERE id = $1",
        )
        .bind(alert)
        .bind(value::micros(now)),
        Delivery::Retry { at, error, reached } => sqlx::query(
            "UPDATE alert SET closed = 1, attempts = attempts + 1, due = $2, delayed = NULL, last_error = $3, reached = $4
             WHERE id = $1",
        )
        .bind(alert)
        .bind(value::micros(*at))
        .bind(error.as_str())
        .bind((!reached.is_empty()).then(|| serde_json::json!(reached).to_string())),
        Delivery::GaveUp { error } => sqlx::query(
            "UPDATE alert SET closed = 1, attempts = attempts + 1, state = 'failed', last_error = $2
             WHERE id = $1",
        )
        .bind(alert)
        .bind(error.as_str()),
    };
    if query.execute(&mut *db).await?.rows_affected() == 0 {
        return Err(Fail::corrupt(format!(
            "the claimed alert {alert} is not there"
        )));
    }
    Ok(())
}

/// Alerts by channel.
pub(super) async fn channel_queues(
    db: &mut SqliteConnection,
    now: Timestamp,
) -> Result<BTreeMap<String, ChannelQueue>, Fail> {
    let (retry, digest) = latest(now);
    let rows: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(concat!(
        "SELECT channel, count(*), sum(",
        due!(),
        "), sum((attempts = 0 OR delayed IS NOT NULL) AND NOT ",
        due!(),
        "), 0 FROM alert WHERE state = $1 AND state = 'pending' GROUP BY channel
         UNION ALL
         SELECT channel, 0, 0, 0, count(*) FROM alert WHERE state = 'failed' GROUP BY channel"
    ))
    .bind("pending")
    .bind(value::micros(now))
    .bind(retry)
    .bind(digest)
    .fetch_all(&mut *db)
    .await?;
    let mut tolls: BTreeMap<String, ChannelQueue> = BTreeMap::new();
    for (channel, pending, due, delayed, failed) in rows {
        let channel_queues = tolls.entry(channel).or_default();
        channel_queues.pending += value::natural(pending)?;
        channel_queues.due += value::natural(due)?;
        channel_queues.delayed += value::natural(delayed)?;
        channel_queues.failed += value::natural(failed)?;
    }
    for (channel, channel_queues) in &mut tolls {
        channel_queues.last_error = sqlx::query_scalar(
            "SELECT last_error FROM alert
             WHERE channel = $1 AND last_error IS NOT NULL AND state <> 'delivered'
             ORDER BY number DESC LIMIT 1",
        )
        .bind(channel)
        .fetch_optional(&mut *db)
        .await?;
    }
    Ok(tolls)
}
