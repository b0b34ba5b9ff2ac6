//! Findings about the trusted root.

use jiff::Timestamp;

use crate::finding::Verdict;
use crate::monitor::monitored_log::MonitoredLog;
use crate::store::{Condition, Scope, Store, StoreError};

/// The state of the trusted root for a pass, as far as it concerns users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustReport {
    /// There is no trusted root, so that nothing was read. The other fields have no meaning.
    pub nothing_known: bool,
    /// Why a newer trusted root was refused.
    pub refused: Option<String>,
    /// No newer trusted root could be requested: an earlier refusal may still be true.
    pub unanswered: bool,
    /// Since when it was not renewed, if that is too long ago.
    pub stale: Option<String>,
    /// Logs of the trusted root that are not monitored.
    pub unfollowed: Vec<Unfollowed>,
    /// The trusted root names the logs that are monitored: when all of them have ended, it should name the next one.
    pub discovers: bool,
}

/// A log of the trusted root that is not monitored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfollowed {
    /// Its name.
    pub log: String,
    /// One sentence.
    pub summary: String,
}

const ALL: &[Verdict] = &[
    Verdict::TrustRootStale,
    Verdict::LogUnfollowed,
    Verdict::LogEnded,
    Verdict::TrustRootRefused,
];

const ONLY_REFUSED: &[Verdict] = &[Verdict::TrustRootRefused];

const BUT_REFUSED: &[Verdict] = &[
    Verdict::TrustRootStale,
    Verdict::LogUnfollowed,
    Verdict::LogEnded,
];

/// Raises the findings about the trusted root, and resolves those that are over. `logs` are all logs that are
/// configured or found, also those that this pass left out.
///
/// # Errors
/// The store failed.
pub(in crate::monitor) async fn assess(
    store: &dyn Store,
    report: &TrustReport,
    logs: &[MonitoredLog],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut conditions = Vec::new();
    let mut raise = |verdict: Verdict, subject: &str, summary: &str| {
        conditions.push(Condition::new(verdict, subject, summary.to_owned()));
    };
    if let Some(refused) = &report.refused {
        raise(Verdict::TrustRootRefused, "trust", refused);
    }
    if let Some(stale) = &report.stale {
        raise(Verdict::TrustRootStale, "trust", stale);
    }
    for unfollowed in &report.unfollowed {
        raise(Verdict::LogUnfollowed, &unfollowed.log, &unfollowed.summary);
    }
    if report.discovers
        && !report.nothing_known
        && let Some(ended) = all_ended(store, logs).await?
    {
        raise(Verdict::LogEnded, "trust", &ended);
    }
    let verdicts = match (report.nothing_known, report.unanswered) {
        (true, true) => return Ok(()),
        (true, false) => ONLY_REFUSED,
        (false, true) => BUT_REFUSED,
        (false, false) => ALL,
    };
    let scope = Scope {
        verdicts,
        origin: None,
    };
    store.assess(&scope, &conditions, now).await
}

/// A sentence if every log that takes signings was ended by its operator; `None` if one continues.
async fn all_ended(store: &dyn Store, logs: &[MonitoredLog]) -> Result<Option<String>, StoreError> {
    let mut names = Vec::new();
    for log in logs {
        let log = match log {
            MonitoredLog::Tree(log) => log,
            // The log does not announce the end of its last tree.
            MonitoredLog::RekorV1(_) | MonitoredLog::Guided(_) => return Ok(None),
        };
        if log.shard.protocol.is_ct() {
            continue;
        }
        let state = store.tree(&log.shard.id()).await?;
        if state.is_none_or(|state| state.frozen.is_none()) {
            return Ok(None);
        }
        names.push(log.shard.name.as_str());
    }
    Ok((!names.is_empty()).then(|| {
        format!(
            "every log that is followed was ended by its operator, and the trusted root names none that continues: {}",
            names.join(", ")
        )
    }))
}
