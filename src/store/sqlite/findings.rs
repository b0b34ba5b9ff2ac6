//! Findings: listed, shown, counted, judged again.

use std::collections::{BTreeMap, VecDeque};

use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use serde_json::json;
use sqlx::Row as _;
use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqlitePool};

use super::batch::push_list;
use super::fail::Fail;
use super::record::{finding, numbered, select_finding};
use super::{finding_changes, payloads, registered, replays, value};
use crate::finding::{Class, Evidence, Finding, FindingId, Routes, Severity, State};
use crate::store::{Counts, FindingPlace, FindingQuery, FindingRecord, HistoryRow, Judged};

/// Findings of one page of a list: a few hundred kilobytes.
const PAGE: u64 = 200;

/// Digits of an id that a look-up requires: 4 hexadecimal digits distinguish 65,536 ids.
const MIN_PREFIX: usize = 4;

/// All findings of a query in pages. Each page continues from the last row of the one before, so that none is skipped
/// or repeated while others write.
pub(super) fn list(
    reader: &SqlitePool,
    query: &FindingQuery,
) -> BoxStream<'static, Result<Finding, Fail>> {
    let paging = Paging {
        reader: reader.clone(),
        query: query.clone(),
        left: query.limit.unwrap_or(u64::MAX),
        last: None,
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
    query: FindingQuery,
    left: u64,
    /// The last row that was read; `None` before the first page.
    last: Option<FindingPlace>,
}

/// A position in the order of lists.
pub(super) struct Place {
    pub(super) log: String,
    pub(super) index: i64,
    pub(super) watch: String,
    pub(super) id: Vec<u8>,
}

impl Place {
    /// Before every other: stored indexes begin at 0, and -1 means none.
    pub(super) const fn before_all() -> Self {
        Self {
            log: String::new(),
            index: -2,
            watch: String::new(),
            id: Vec::new(),
        }
    }

    fn of(place: &FindingPlace) -> Result<Self, Fail> {
        Ok(Self {
            log: place.log.clone().unwrap_or_default(),
            index: place.index.map_or(Ok(-1), value::integer)?,
            watch: place.watch.clone().unwrap_or_default(),
            id: place.id.as_bytes().to_vec(),
        })
    }

    /// Its four values, separated by commas.
    pub(super) fn bind(&self, sql: &mut QueryBuilder<Sqlite>) {
        let mut place = sql.separated(", ");
        place
            .push_bind(self.log.clone())
            .push_bind(self.index)
            .push_bind(self.watch.clone())
            .push_bind(self.id.clone());
    }
}

impl Paging {
    async fn next(&mut self) -> Result<VecDeque<Finding>, Fail> {
        let limit = self.left.min(PAGE);
        if limit == 0 {
            return Ok(VecDeque::new());
        }
        let mut query = QueryBuilder::<Sqlite>::new(select_finding!(
            "WHERE (f.list_log, f.list_index, f.list_watch, f.id) > ("
        ));
        let last = self.last.as_ref().or(self.query.after.as_ref());
        last.map_or(Ok(Place::before_all()), Place::of)?
            .bind(&mut query);
        query.push(")");
        conditions(&mut query, &self.query);
        query.push(" ORDER BY f.list_log, f.list_index, f.list_watch, f.id LIMIT ");
        query.push_bind(value::integer(limit)?);
        let rows = query
            .build()
            .persistent(false)
            .fetch_all(&self.reader)
            .await?;
        let page = rows
            .iter()
            .map(finding)
            .collect::<Result<VecDeque<_>, Fail>>()?;
        self.last = page.back().map(FindingPlace::from);
        // A short page is the last one.
        self.left = if (page.len() as u64) < limit {
            0
        } else {
            self.left - limit
        };
        Ok(page)
    }
}

/// The condition of the index of lists that has all findings in these states, and its name.
///
/// SQLite uses such an index only for a statement that has the same condition, word for word and without parameters.
pub(super) fn list_index(states: &[State]) -> (&'static str, &'static str) {
    let is_open = |state: &State| matches!(state, State::Open | State::Disputed);
    match states {
        [] => ("", "finding_list"),
        [State::Held] => (" AND f.state = 'held'", "finding_held"),
        states if states.iter().all(is_open) => {
            (" AND f.state IN ('open', 'disputed')", "finding_list_open")
        }
        _ => ("", "finding_list"),
    }
}

/// How many findings a query has.
pub(super) async fn count(db: &mut SqliteConnection, query: &FindingQuery) -> Result<u64, Fail> {
    let mut sql = QueryBuilder::<Sqlite>::new(
        "SELECT count(*) FROM finding f LEFT JOIN signer s ON s.key = f.signer WHERE true",
    );
    conditions(&mut sql, query);
    let count: i64 = sql
        .build_query_scalar()
        .persistent(false)
        .fetch_one(&mut *db)
        .await?;
    let count = value::natural(count)?;
    Ok(query.limit.map_or(count, |limit| limit.min(count)))
}

/// Appends the conditions of a query on the finding `f` and its signer `s`, each with `AND`.
pub(super) fn conditions(sql: &mut QueryBuilder<Sqlite>, query: &FindingQuery) {
    if !query.states.is_empty() {
        sql.push(list_index(&query.states).0);
        let states = query.states.iter().map(|state| state.as_str());
        one_of(sql, "f.state", states);
    }
    if !query.watches.is_empty() {
        one_of(sql, "f.watch", query.watches.iter().map(String::as_str));
    }
    if !query.verdicts.is_empty() {
        let verdicts = query.verdicts.iter().map(|verdict| verdict.as_str());
        one_of(sql, "f.verdict", verdicts);
    }
    if let Some(severity) = query.min_severity {
        sql.push(" AND f.severity >= ");
        sql.push_bind(value::rank(severity));
    }
    if let Some(since) = query.since {
        sql.push(" AND f.first_seen >= ");
        sql.push_bind(value::micros(since));
    }
    if let Some(digest) = &query.digest {
        sql.push(if digest.contains(':') {
            " AND f.digest = "
        } else {
            " AND substr(f.digest, instr(f.digest, ':') + 1) = "
        });
        sql.push_bind(digest.to_ascii_lowercase());
    }
    if let Some(san) = &query.san {
        // LIKE ignores the case of ASCII letters, as a watch does.
        sql.push(
            " AND EXISTS (SELECT 1 FROM json_each(s.san) n WHERE json_extract(n.value, '$.value') LIKE ",
        );
        sql.push_bind(like(san));
        sql.push(" ESCAPE '\\')");
    }
}

pub(super) fn one_of<'q>(
    sql: &mut QueryBuilder<Sqlite>,
    column: &'static str,
    values: impl Iterator<Item = &'q str>,
) {
    sql.push(" AND ").push(column).push(" IN (");
    push_list(sql, values);
}

/// A glob as the pattern of LIKE.
fn like(glob: &str) -> String {
    let mut pattern = String::with_capacity(glob.len());
    for character in glob.chars() {
        match character {
            '*' => pattern.push('%'),
            '%' | '_' | '\\' => pattern.extend(['\\', character]),
            other => pattern.push(other),
        }
    }
    pattern
}

/// One finding with everything that is stored about it.
pub(super) async fn show(
    db: &mut SqliteConnection,
    prefix: &str,
) -> Result<Option<FindingRecord>, Fail> {
    if prefix.len() > 32 || !prefix.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(None);
    }
    if prefix.len() < MIN_PREFIX {
        return Err(Fail::Ambiguous(prefix.to_owned()));
    }
    let bound =
        |fill: &str| format!("{prefix}{}", fill.repeat(32 - prefix.len())).parse::<FindingId>();
    let (Ok(low), Ok(high)) = (bound("0"), bound("f")) else {
        return Ok(None);
    };
    let rows = sqlx::query(select_finding!(
        "WHERE f.id BETWEEN $1 AND $2 ORDER BY f.id LIMIT 2"
    ))
    .bind(low.as_bytes().as_slice())
    .bind(high.as_bytes().as_slice())
    .fetch_all(&mut *db)
    .await?;
    let row = match rows.as_slice() {
        [] => return Ok(None),
        [row] => row,
        _ => return Err(Fail::Ambiguous(prefix.to_owned())),
    };
    let (number, finding) = numbered(row)?;
    Ok(Some(FindingRecord {
        evidence: evidence(db, number).await?,
        payload: payloads::shown(db, number).await?,
        history: history(db, number).await?,
        alerts: alerts(db, number).await?,
        finding,
    }))
}

async fn evidence(db: &mut SqliteConnection, number: i64) -> Result<Evidence, Fail> {
    let certificate = sqlx::query_scalar(
        "SELECT s.certificate FROM finding f JOIN signer s ON s.key = f.signer WHERE f.number = $1",
    )
    .bind(number)
    .fetch_optional(&mut *db)
    .await?
    .flatten();
    let mut evidence = Evidence {
        certificate,
        ..Evidence::default()
    };
    let rows: Vec<(String, Vec<u8>)> =
        sqlx::query_as("SELECT kind, body FROM evidence WHERE finding = $1 ORDER BY kind, ordinal")
            .bind(number)
            .fetch_all(&mut *db)
            .await?;
    for (kind, body) in rows {
        match kind.as_str() {
            "note" => evidence.notes.push(body),
            "leaf" => evidence.leaf = Some(body),
            _ => return Err(Fail::corrupt(format!("kind of evidence {kind:?}"))),
        }
    }
    Ok(evidence)
}

/// Its history. A finding that never changed has one row: its beginning.
async fn history(db: &mut SqliteConnection, number: i64) -> Result<Vec<HistoryRow>, Fail> {
    let rows = sqlx::query(
        "SELECT at, verdict, severity, state, reason, number, author, action FROM history WHERE finding = $1
         UNION ALL
         SELECT f.first_seen, h.verdict, h.severity, h.began, 'first seen', 0, NULL, 'seen'
         FROM history h JOIN finding f ON f.number = h.finding WHERE h.finding = $1 AND h.began IS NOT NULL
         UNION ALL
         SELECT first_seen, verdict, severity, state, 'first seen', 0, NULL, 'seen' FROM finding
         WHERE number = $1 AND NOT EXISTS (SELECT 1 FROM history h WHERE h.finding = $1)
         ORDER BY 6",
    )
    .bind(number)
    .fetch_all(&mut *db)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(HistoryRow {
                at: value::moment(row.try_get(0)?)?,
                verdict: value::verdict(row.try_get(1)?)?,
                severity: value::severity(row.try_get(2)?)?,
                state: value::state(row.try_get(3)?)?,
                reason: row.try_get(4)?,
                author: row.try_get(6)?,
                action: value::action(row.try_get(7)?)?,
            })
        })
        .collect()
}

async fn alerts(
    db: &mut SqliteConnection,
    number: i64,
) -> Result<Vec<(String, String, Option<Timestamp>)>, Fail> {
    let rows: Vec<(String, String, Option<i64>)> = sqlx::query_as(
        "SELECT a.channel, a.id, a.delivered FROM member m JOIN alert a ON a.number = m.alert
         WHERE m.finding = $1 ORDER BY a.number",
    )
    .bind(number)
    .fetch_all(&mut *db)
    .await?;
    rows.into_iter()
        .map(|(channel, id, delivered)| Ok((channel, id, value::moment_if(delivered)?)))
        .collect()
}

/// Numbers of open findings, by their meaning for the exit code.
pub(super) async fn counts(db: &mut SqliteConnection, fail_on: Severity) -> Result<Counts, Fail> {
    let (security, health): (i64, i64) = sqlx::query_as(
        // What only its signer registered counts as if it were not registered.
        "SELECT (SELECT count(*) FROM finding
                 WHERE health = 0 AND severity >= $1 AND state IN ('open', 'disputed'))
                + (SELECT count(*) FROM finding
                   WHERE verdict = 'self-registered' AND state IN ('open', 'disputed')
                     AND judged_severity >= $1 AND severity < $1),
                (SELECT count(*) FROM finding WHERE health = 1 AND state IN ('open', 'disputed'))",
    )
    .bind(value::rank(fail_on))
    .fetch_one(&mut *db)
    .await?;
    Ok(Counts {
        security: value::natural(security)?,
        health: value::natural(health)?,
    })
}

/// Findings that are judged `untrusted-chain`, registered ones too, with their certificates.
pub(super) async fn untrusted(
    db: &mut SqliteConnection,
    after: Option<FindingId>,
    limit: u32,
) -> Result<Vec<(Finding, Evidence)>, Fail> {
    let rows = sqlx::query(select_finding!(
        "WHERE f.judged_verdict = 'untrusted-chain' AND f.id > $1 ORDER BY f.id LIMIT $2"
    ))
    .bind(
        after
            .as_ref()
            .map_or(&[][..], |id| id.as_bytes().as_slice()),
    )
    .bind(i64::from(limit))
    .fetch_all(&mut *db)
    .await?;
    let mut answer = Vec::with_capacity(rows.len());
    for row in &rows {
        let (number, finding) = numbered(row)?;
        answer.push((finding, evidence(db, number).await?));
    }
    Ok(answer)
}

/// Replaces the judgement of a finding. A finding that a person accepted under another verdict is opened again: the
/// person accepted "an impostor", not the real identity.
pub(super) async fn rejudge(
    db: &mut SqliteConnection,
    routes: &Routes,
    id: FindingId,
    judged: &Judged,
    now: Timestamp,
) -> Result<(), Fail> {
    let row: Option<(i64, String, i64)> =
        sqlx::query_as("SELECT number, judged_verdict, judged_severity FROM finding WHERE id = $1")
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&mut *db)
            .await?;
    let Some((number, verdict, severity)) = row else {
        return Ok(());
    };
    let news = verdict != judged.verdict.as_str() || severity != value::rank(judged.severity);
    finding_changes::only(db, number).await?;
    if news {
        finding_changes::begin_history(db).await?;
    }
    sqlx::query(
        "UPDATE finding SET chain = $2, summary = $3, judged_verdict = $4, judged_severity = $5, health = $6, anomalies = $7,
           state = CASE WHEN state = 'acked' AND judged_verdict <> $4
                        THEN iif(prior_state IS NULL, 'open', 'disputed') ELSE state END,
           severity = CASE WHEN verdict IN ('expected', 'self-registered') THEN severity ELSE $5 END,
           verdict = CASE WHEN verdict IN ('expected', 'self-registered') THEN verdict ELSE $4 END
         WHERE number = $1",
    )
    .bind(number)
    .bind(judged.chain.as_str())
    .bind(&judged.summary)
    .bind(judged.verdict.as_str())
    .bind(value::rank(judged.severity))
    .bind(judged.verdict.class() == Class::Health)
    .bind(json!(judged.anomalies).to_string())
    .execute(&mut *db)
    .await?;
    payloads::judge_one(db, number).await?;
    find_replays(db, routes, number, now).await?;
    finding_changes::only(db, number).await?;
    if news {
        finding_changes::write_history(db, "judged again by another trusted root", now).await?;
        finding_changes::leave_unclaimed_alerts(db).await?;
        finding_changes::queue_alerts(db, routes, None, now).await?;
    }
    Ok(())
}

/// The result of verifying a certificate decides which of its findings belong to a registered signing: this one and, if
/// this one does, others.
async fn find_replays(
    db: &mut SqliteConnection,
    routes: &Routes,
    number: i64,
    now: Timestamp,
) -> Result<(), Fail> {
    replays::judge_one(db, routes, number, now).await?;
    let rows: Vec<(i64, String, String)> = sqlx::query_as(
        "SELECT x.number, x.authority, x.file FROM finding f JOIN expected_leaf l ON l.leaf_hash = f.registered_as
         JOIN expectation x ON x.number = l.expectation WHERE f.number = $1
         UNION
         SELECT x.number, x.authority, x.file FROM finding f JOIN expected_signing e ON e.signature_sha256 = f.signature_sha256
         JOIN expectation x ON x.number = e.expectation WHERE f.number = $1",
    )
    .bind(number)
    .fetch_all(&mut *db)
    .await?;
    let mut registered = BTreeMap::new();
    for (number, authority, file) in rows {
        let authority = registered::authority(&authority)?;
        registered.insert(number, registered::reason(authority, &file));
    }
    replays::settle_again(db, routes, &registered, now).await
}
