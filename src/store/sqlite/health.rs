//! Findings that open and close without a person: health findings, and holds.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::fail::Fail;
use super::incoming::Incoming;
use super::insert;
use super::{finding_changes, record, value};
use crate::finding::{Evidence, Finding, FindingId, NewFinding, Routes, Severity};
use crate::moment;
use crate::store::{Condition, HoldRule, Scope};

/// The changes after which the open health findings are the conditions that are true now.
pub(super) struct Change<'a> {
    ended: Vec<i64>,
    changed: Vec<(i64, &'a str)>,
    begun: Vec<&'a Condition>,
}

impl<'a> Change<'a> {
    /// Compares the open findings with the conditions.
    pub(super) async fn between(
        db: &mut SqliteConnection,
        scope: &Scope,
        conditions: &'a [Condition],
    ) -> Result<Self, Fail> {
        let mut begun: HashMap<(&str, &str), &Condition> = conditions
            .iter()
            .map(|condition| {
                (
                    (condition.verdict.as_str(), condition.subject.as_str()),
                    condition,
                )
            })
            .collect();
        // By default SQLite would read the open health findings of all logs for each of them.
        let rows = sqlx::query(
            "SELECT number, verdict, subject, summary FROM finding INDEXED BY finding_unhealthy
             WHERE health = 1 AND state IN ('open', 'disputed') AND origin IS $1",
        )
        .bind(scope.origin.as_deref())
        .fetch_all(&mut *db)
        .await?;
        let (mut ended, mut changed) = (Vec::new(), Vec::new());
        for row in &rows {
            let number: i64 = row.try_get("number")?;
            let verdict = value::verdict(row.try_get("verdict")?)?;
            if !scope.verdicts.contains(&verdict) {
                continue;
            }
            let subject: Option<&str> = row.try_get("subject")?;
            match begun.remove(&(verdict.as_str(), subject.unwrap_or_default())) {
                None => ended.push(number),
                Some(condition) if condition.summary != row.try_get::<&str, _>("summary")? => {
                    changed.push((number, condition.summary.as_str()));
                }
                Some(_) => {}
            }
        }
        let mut begun: Vec<&Condition> = begun.into_values().collect();
        begun.sort_unstable_by_key(|condition| (condition.verdict, &condition.subject));
        Ok(Self {
            ended,
            changed,
            begun,
        })
    }

    /// Whether there is no change.
    pub(super) const fn is_empty(&self) -> bool {
        self.ended.is_empty() && self.changed.is_empty() && self.begun.is_empty()
    }

    /// Writes the changes.
    pub(super) async fn apply(
        &self,
        db: &mut SqliteConnection,
        routes: &Routes,
        now: Timestamp,
    ) -> Result<(), Fail> {
        for (number, summary) in &self.changed {
            sqlx::query("UPDATE finding SET summary = $2 WHERE number = $1")
                .bind(number)
                .bind(summary)
                .execute(&mut *db)
                .await?;
        }
        if !self.ended.is_empty() {
            finding_changes::clear(db).await?;
            for number in &self.ended {
                sqlx::query("INSERT INTO temp.finding_changes (finding) VALUES ($1)")
                    .bind(number)
                    .execute(&mut *db)
                    .await?;
            }
            finding_changes::begin_history(db).await?;
            sqlx::query(
                "UPDATE finding SET state = 'resolved' WHERE number IN (SELECT finding FROM temp.finding_changes)",
            )
            .execute(&mut *db)
            .await?;
            finding_changes::write_history(db, "over by itself", now).await?;
            finding_changes::leave_unclaimed_alerts(db).await?;
            finding_changes::queue_resolved_alerts(db, now).await?;
        }
        let begun: Vec<(NewFinding, &Condition)> = self
            .begun
            .iter()
            .map(|condition| (finding_of(condition, now), *condition))
            .collect();
        let incoming: Vec<Incoming<'_>> = begun
            .iter()
            .map(|(new, condition)| Incoming {
                subject: Some(&condition.subject),
                except: condition.except_channel.as_deref(),
                ..Incoming::of(new)
            })
            .collect();
        let inserted = insert::insert(db, routes, &incoming, now).await?;
        for (new, condition) in &begun {
            if inserted.known.contains(&new.finding.id) {
                reopen(db, routes, new, condition.except_channel.as_deref(), now).await?;
            }
        }
        Ok(())
    }
}

/// A condition that ended and began again at the same moment has the same id as before.
async fn reopen(
    db: &mut SqliteConnection,
    routes: &Routes,
    new: &NewFinding,
    except: Option<&str>,
    now: Timestamp,
) -> Result<(), Fail> {
    let number: i64 = sqlx::query_scalar("SELECT number FROM finding WHERE id = $1")
        .bind(new.finding.id.as_bytes().as_slice())
        .fetch_one(&mut *db)
        .await?;
    finding_changes::only(db, number).await?;
    finding_changes::begin_history(db).await?;
    sqlx::query("UPDATE finding SET state = 'open', summary = $2 WHERE number = $1")
        .bind(number)
        .bind(&new.finding.summary)
        .execute(&mut *db)
        .await?;
    finding_changes::write_history(db, "began again", now).await?;
    finding_changes::queue_alerts(db, routes, except, now).await
}

fn finding_of(condition: &Condition, now: Timestamp) -> NewFinding {
    let Condition {
        verdict,
        subject,
        log,
        origin,
        summary,
        ..
    } = condition;
    NewFinding {
        finding: Finding {
            log: log.clone(),
            origin: origin.clone(),
            ..Finding::new(
                FindingId::of_episode(*verdict, subject, now),
                *verdict,
                // The contract's word for findings about health.
                Severity::High,
                summary.clone(),
                now,
            )
        },
        rule: None,
        evidence: Evidence::default(),
    }
}

/// The part of a held finding that its release needs.
pub(super) struct Held {
    number: i64,
    watch: Option<String>,
    rule: Option<Vec<u8>>,
    /// The start of its hold.
    since: Timestamp,
    /// The signing has anomalies. An earlier version held it nevertheless.
    is_odd: bool,
}

/// All held findings.
pub(super) async fn held(db: &mut SqliteConnection) -> Result<Vec<Held>, Fail> {
    let rows =
        sqlx::query(
            "SELECT number, watch, rule, ifnull(held_from, first_seen) AS since, anomalies, summary, entry_index, log
             FROM finding WHERE state = 'held'",
        )
        .fetch_all(&mut *db)
        .await?;
    rows.iter()
        .map(|row| {
            let anomalies: Option<&str> = row.try_get("anomalies")?;
            let is_odd = if let Some(anomalies) = anomalies {
                anomalies != "[]"
            } else {
                let index: Option<i64> = row.try_get("entry_index")?;
                let index = index.map(value::natural).transpose()?;
                !record::anomalies_in(row.try_get("summary")?, index, row.try_get("log")?)
                    .is_empty()
            };
            Ok(Held {
                number: row.try_get("number")?,
                watch: row.try_get("watch")?,
                rule: row.try_get("rule")?,
                since: value::moment(row.try_get("since")?)?,
                is_odd,
            })
        })
        .collect()
}

/// Those to release, with the reason.
pub(super) fn released(
    held: &[Held],
    rules: &[HoldRule],
    now: Timestamp,
) -> Vec<(i64, &'static str)> {
    let rules: HashMap<(&str, &[u8]), &HoldRule> = rules
        .iter()
        .map(|rule| ((rule.watch.as_str(), rule.rule.as_slice()), rule))
        .collect();
    held.iter()
        .filter_map(|held| {
            let key = (
                held.watch.as_deref().unwrap_or_default(),
                held.rule.as_deref().unwrap_or_default(),
            );
            let Some(rule) = rules.get(&key) else {
                return Some((held.number, "its watch was removed or changed"));
            };
            if held.is_odd {
                return Some((held.number, "a signing with an anomaly is not held"));
            }
            // A hold that is too long to add never ends.
            let until = SignedDuration::try_from(rule.hold)
                .ok()
                .and_then(|hold| moment::past(held.since, now).checked_add(hold).ok())?;
            (until <= now).then_some((held.number, "no bundle was registered in time"))
        })
        .collect()
}

/// Opens and alerts them. Those that were registered or acknowledged meanwhile stay unchanged.
pub(super) async fn release(
    db: &mut SqliteConnection,
    routes: &Routes,
    released: &[(i64, &'static str)],
    now: Timestamp,
) -> Result<u64, Fail> {
    let mut count = 0;
    let mut reasons: Vec<&str> = released.iter().map(|(_, reason)| *reason).collect();
    reasons.sort_unstable();
    reasons.dedup();
    for reason in reasons {
        finding_changes::clear(db).await?;
        for (number, _) in released.iter().filter(|(_, why)| *why == reason) {
            count += sqlx::query(
                "INSERT INTO temp.finding_changes (finding)
                 SELECT number FROM finding WHERE number = $1 AND state = 'held'",
            )
            .bind(number)
            .execute(&mut *db)
            .await?
            .rows_affected();
        }
        finding_changes::begin_history(db).await?;
        sqlx::query(
            "UPDATE finding SET state = 'open' WHERE number IN (SELECT finding FROM temp.finding_changes)",
        )
        .execute(&mut *db)
        .await?;
        finding_changes::write_history(db, reason, now).await?;
        finding_changes::queue_alerts(db, routes, None, now).await?;
    }
    Ok(count)
}
