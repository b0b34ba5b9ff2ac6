//! How a finding stands, once registrations are taken into account.
//!
//! `judged_verdict` and `judged_severity` are what the entry shows; `verdict` and `severity` follow from them and from the strongest
//! authority that registered the signing. This is the only place that computes the second from the first for findings that are
//! stored; `insert` does the same for new ones.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::fail::Fail;
use super::same_signing::same_signing;
use super::{finding_changes, value};
use crate::expect::Authority;
use crate::finding::{Finding, FindingId, Routes, Severity, State, Verdict};

/// How much the registration `x` counts: see `Authority`. (0: none.)
macro_rules! strength {
    () => {
        "CASE x.authority WHEN 'operator' THEN 3 WHEN 'repository' THEN 2 WHEN 'signer' THEN 1 ELSE 0 END"
    };
}

/// Whether the registration `x` counts for the finding `f`.
macro_rules! in_scope {
    () => {
        "(x.watches IS NULL OR EXISTS (SELECT 1 FROM json_each(x.watches) w WHERE w.value = f.watch))"
    };
}
pub(super) use in_scope;

/// The verdict of the finding `f` in the scratch set `c`, which holds the strength of its registration.
macro_rules! verdict {
    () => {
        "CASE WHEN c.strength >= 2 THEN 'expected'
              WHEN c.strength = 1 AND f.judged_verdict IN ('model-unexpected', 'identity-unexpected', 'other-predicate')
                   AND ifnull(f.in_shape, 1) = 1 AND ifnull(f.anomalies, '') = '[]' THEN 'self-registered'
              ELSE f.judged_verdict END"
    };
}

/// Its severity, of its new verdict `verdict`.
macro_rules! severity {
    () => {
        "CASE c.verdict WHEN 'expected' THEN 0 WHEN 'self-registered' THEN max(1, f.judged_severity - 1)
                        ELSE f.judged_severity END"
    };
}

/// The verdict, severity and state that a registration of this authority gives a finding that is new; `None`: it changes nothing.
pub(super) fn of_new(
    finding: &Finding,
    authority: Authority,
) -> Option<(Verdict, Severity, State)> {
    if authority.makes_expected() {
        return Some((Verdict::Expected, Severity::Info, State::Resolved));
    }
    let is_plain = matches!(
        finding.verdict,
        Verdict::ModelUnexpected | Verdict::IdentityUnexpected | Verdict::OtherPredicate
    );
    let in_order = finding.in_shape != Some(false) && finding.anomalies.is_empty();
    (is_plain && in_order).then(|| {
        (
            Verdict::SelfRegistered,
            finding.severity.one_below(),
            finding.state,
        )
    })
}

/// Gives the findings of the scratch set the verdicts that their registrations make, with history and alerts; answers which it changed.
/// Those that do not change are taken out of the set.
pub(super) async fn settle(
    db: &mut SqliteConnection,
    routes: &Routes,
    reason: &str,
    now: Timestamp,
) -> Result<Vec<FindingId>, Fail> {
    sqlx::query(concat!(
        "UPDATE temp.finding_changes AS c SET strength = (
           SELECT max(
             ifnull((SELECT max(", strength!(), ") FROM expected_leaf e CROSS JOIN expectation x ON x.number = e.expectation
                     WHERE e.leaf_hash = f.registered_as AND ", in_scope!(), "), 0),
             ifnull((SELECT max(", strength!(), ") FROM expected_signing e CROSS JOIN expectation x ON x.number = e.expectation
                     WHERE e.signature_sha256 = f.signature_sha256 AND ", in_scope!(), " AND ", same_signing!(), "), 0))
           FROM finding f LEFT JOIN signer s ON s.key = f.signer
           WHERE f.number = c.finding
             AND f.judged_verdict IN ('model-unexpected', 'identity-unexpected', 'other-predicate', 'untrusted-chain'))"
    ))
    .execute(&mut *db)
    .await?;
    sqlx::query(concat!(
        "UPDATE temp.finding_changes AS c SET verdict = (SELECT ",
        verdict!(),
        " FROM finding f WHERE f.number = c.finding)"
    ))
    .execute(&mut *db)
    .await?;
    sqlx::query(concat!(
        "DELETE FROM temp.finding_changes AS c WHERE EXISTS (
           SELECT 1 FROM finding f WHERE f.number = c.finding AND f.verdict = c.verdict AND f.severity = ", severity!(), ")"
    ))
    .execute(&mut *db)
    .await?;
    let changed = ids(db).await?;
    if changed.is_empty() {
        return Ok(changed);
    }
    finding_changes::begin_history(db).await?;
    // One whose batch is false goes back to being disputed, and to open with its leaf. What a person accepted because the signer
    // had registered it is open again without that registration.
    sqlx::query(concat!(
        "UPDATE finding AS f SET (verdict, severity, state, prior_state) = (
           SELECT c.verdict, ",
        severity!(),
        ",
             CASE WHEN c.verdict = 'expected' THEN 'resolved'
                  WHEN f.verdict = 'expected' OR (f.verdict = 'self-registered' AND f.state = 'acked')
                  THEN iif(f.prior_state IS NULL, 'open', 'disputed')
                  ELSE f.state END,
             CASE WHEN f.prior_state IS NULL OR c.verdict = 'expected' THEN f.prior_state
                  WHEN f.verdict = 'expected' OR (f.verdict = 'self-registered' AND f.prior_state = 'acked') THEN 'open'
                  ELSE f.prior_state END
           FROM temp.finding_changes c WHERE c.finding = f.number)
         WHERE f.number IN (SELECT finding FROM temp.finding_changes)"
    ))
    .execute(&mut *db)
    .await?;
    finding_changes::write_history(db, reason, now).await?;
    finding_changes::leave_unclaimed_alerts(db).await?;
    finding_changes::queue_resolved_alerts(db, now).await?;
    finding_changes::queue_alerts(db, routes, None, now).await?;
    Ok(changed)
}

/// The ids of the scratch set.
async fn ids(db: &mut SqliteConnection) -> Result<Vec<FindingId>, Fail> {
    let ids: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT f.id FROM temp.finding_changes c CROSS JOIN finding f ON f.number = c.finding
         ORDER BY f.list_log, f.list_index, f.list_watch, f.id",
    )
    .fetch_all(&mut *db)
    .await?;
    ids.iter().map(|id| value::finding_id(id)).collect()
}
