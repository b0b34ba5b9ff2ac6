//! Findings that a registration expects.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};

use super::fail::Fail;
use super::{finding_changes, value};
use crate::finding::{FindingId, NewFinding, Verdict};

/// Whether a registration has an effect on findings with this verdict. (The same as the list in `expectations::ADD_FINDINGS`.)
pub(super) const fn can_be_expected(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::ModelUnexpected
            | Verdict::IdentityUnexpected
            | Verdict::OtherPredicate
            | Verdict::UntrustedChain
    )
}

/// The registration that expects a finding.
#[derive(Debug, Clone)]
pub(super) struct Registered {
    /// Its number.
    pub number: i64,
    /// From which file.
    pub file: String,
    /// It has the registered signing, but is not the registered entry.
    pub again: bool,
}

impl Registered {
    /// The reason in the history.
    pub(super) fn reason(&self) -> String {
        if self.again {
            reason_of_replay(&self.file)
        } else {
            reason(&self.file)
        }
    }
}

/// The reason in the history.
pub(super) fn reason(file: &str) -> String {
    format!("registered: {file}")
}

/// What a registration must contain to expect this finding, hex.
pub(super) fn registered_as(new: &NewFinding) -> Option<String> {
    let finding = &new.finding;
    if !can_be_expected(finding.verdict) {
        return None;
    }
    match new.evidence.logged_sha256 {
        Some(logged) => Some(hex::encode(logged)),
        None => finding.leaf_hash.clone(),
    }
}

/// Whether anything is registered.
pub(super) async fn any(db: &mut SqliteConnection) -> Result<bool, Fail> {
    Ok(
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM expectation)")
            .fetch_one(&mut *db)
            .await?,
    )
}

/// Those of these that are registered, with the first registration.
pub(super) async fn of(
    db: &mut SqliteConnection,
    leaves: impl Iterator<Item = &str>,
) -> Result<HashMap<String, Registered>, Fail> {
    let leaves: Vec<&str> = leaves.collect();
    if leaves.is_empty() || !any(db).await? {
        return Ok(HashMap::new());
    }
    // At most one leaf for each row of an insert: far below SQLite's limit of parameters.
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT e.leaf_hash, x.number, x.file, e.named FROM expected_leaf e JOIN expectation x ON x.number = e.expectation
         WHERE e.leaf_hash IN (",
    );
    let mut list = query.separated(", ");
    for leaf in leaves {
        list.push_bind(leaf);
    }
    query.push(") ORDER BY x.number DESC");
    let rows: Vec<(String, i64, String, bool)> = query
        .build_query_as()
        .persistent(false)
        .fetch_all(&mut *db)
        .await?;
    // The oldest registration comes last and replaces the others.
    let registered = rows.into_iter().map(|(leaf, number, file, named)| {
        let again = !named;
        (
            leaf,
            Registered {
                number,
                file,
                again,
            },
        )
    });
    Ok(registered.collect())
}

/// Makes the findings of the scratch set expected, except those that are. Returns the changed ones.
pub(super) async fn expect_changed(
    db: &mut SqliteConnection,
    reason: &str,
    now: Timestamp,
) -> Result<Vec<FindingId>, Fail> {
    sqlx::query(
        "DELETE FROM temp.finding_changes WHERE EXISTS (
           SELECT 1 FROM finding f WHERE f.number = finding_changes.finding AND f.verdict = 'expected')",
    )
    .execute(&mut *db)
    .await?;
    let changed = ids(db).await?;
    if changed.is_empty() {
        return Ok(changed);
    }
    finding_changes::begin_history(db).await?;
    sqlx::query(
        "UPDATE finding SET verdict = 'expected', severity = 0, state = 'resolved'
         WHERE number IN (SELECT finding FROM temp.finding_changes)",
    )
    .execute(&mut *db)
    .await?;
    finding_changes::write_history(db, reason, now).await?;
    finding_changes::leave_unclaimed_alerts(db).await?;
    finding_changes::queue_resolved_alerts(db, now).await?;
    Ok(changed)
}

/// The ids of the scratch set.
pub(super) async fn ids(db: &mut SqliteConnection) -> Result<Vec<FindingId>, Fail> {
    let ids: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT f.id FROM temp.finding_changes t CROSS JOIN finding f ON f.number = t.finding
         ORDER BY f.list_log, f.list_index, f.list_watch, f.id",
    )
    .fetch_all(&mut *db)
    .await?;
    ids.iter().map(|id| value::finding_id(id)).collect()
}

/// The reason in the history of a registered signing that was logged again.
pub(super) fn reason_of_replay(file: &str) -> String {
    format!("logged again, registered: {file}")
}
