//! Which registrations a finding is of, and what its history states of them.

use std::collections::HashMap;

use sqlx::Row as _;
use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};

use super::batch::push_list;
use super::fail::Fail;
use crate::expect::Authority;
use crate::finding::{NewFinding, Verdict};

/// Whether a registration has an effect on findings with this verdict. (The same as the list in `ADD_FINDINGS`.)
pub(super) const fn can_be_expected(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::ModelUnexpected
            | Verdict::IdentityUnexpected
            | Verdict::OtherPredicate
            | Verdict::UntrustedChain
    )
}

/// A registration that a finding is of.
#[derive(Debug, Clone)]
pub(super) struct Registered {
    /// Its number.
    pub number: i64,
    /// From which file.
    pub file: String,
    /// Who registered it.
    pub authority: Authority,
    /// The watches whose findings it counts for; `None`: every watch.
    pub watches: Option<Vec<String>>,
    /// By its signing alone: the entry is not the registered one.
    pub again: bool,
}

impl Registered {
    /// Whether it counts for the findings of a watch.
    pub(super) fn counts_for(&self, watch: Option<&str>) -> bool {
        let Some(watches) = &self.watches else {
            return true;
        };
        watch.is_some_and(|watch| watches.iter().any(|name| name == watch))
    }

    /// What the history states.
    pub(super) fn reason(&self) -> String {
        let reason = reason(self.authority, &self.file);
        if self.again {
            reason_of_replay(&reason)
        } else {
            reason
        }
    }
}

/// The names of watches, as `expectation.watches` has them.
pub(super) fn watches(json: Option<&str>) -> Result<Option<Vec<String>>, Fail> {
    json.map(|json| {
        serde_json::from_str(json)
            .map_err(|error| Fail::corrupt(format!("the watches of a registration: {error}")))
    })
    .transpose()
}

/// An authority, as `expectation.authority` has it.
pub(super) fn authority(word: &str) -> Result<Authority, Fail> {
    Authority::from_word(word).ok_or_else(|| Fail::corrupt(format!("the authority {word:?}")))
}

/// What the history states of a registration.
pub(super) fn reason(authority: Authority, file: &str) -> String {
    match authority {
        Authority::Operator => format!("registered: {file}"),
        Authority::Repository => format!("registered by a repository: {file}"),
        Authority::Signer => format!("registered by its signer: {file}"),
    }
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

/// The registrations of each of these leaves, oldest first.
pub(super) async fn of(
    db: &mut SqliteConnection,
    leaves: impl Iterator<Item = &str>,
) -> Result<HashMap<String, Vec<Registered>>, Fail> {
    let leaves: Vec<&str> = leaves.collect();
    let mut registered: HashMap<String, Vec<Registered>> = HashMap::new();
    if leaves.is_empty() || !any(db).await? {
        return Ok(registered);
    }
    // At most one leaf for each row of an insert: far below SQLite's limit of parameters.
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT e.leaf_hash, x.number, x.file, x.authority, x.watches, e.named
         FROM expected_leaf e JOIN expectation x ON x.number = e.expectation WHERE e.leaf_hash IN (",
    );
    push_list(&mut query, leaves);
    query.push(" ORDER BY x.number");
    let rows = query.build().persistent(false).fetch_all(&mut *db).await?;
    for row in &rows {
        let named: bool = row.try_get("named")?;
        let found = Registered {
            number: row.try_get("number")?,
            file: row.try_get("file")?,
            authority: authority(row.try_get("authority")?)?,
            watches: watches(row.try_get("watches")?)?,
            again: !named,
        };
        registered
            .entry(row.try_get("leaf_hash")?)
            .or_default()
            .push(found);
    }
    Ok(registered)
}

/// Of these registrations the one that counts most for the findings of a watch; of equal ones the first.
pub(super) fn strongest<'r>(
    registered: impl Iterator<Item = &'r Registered>,
    watch: Option<&str>,
) -> Option<&'r Registered> {
    registered
        .filter(|registered| registered.counts_for(watch))
        .reduce(|best, next| {
            if next.authority > best.authority {
                next
            } else {
                best
            }
        })
}

/// What the history states of a signing that is registered, and was logged again.
pub(super) fn reason_of_replay(registration: &str) -> String {
    format!("logged again, {registration}")
}
