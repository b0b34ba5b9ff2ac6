//! What is wrong with the trust that a pass was made with: raised after it, and resolved by itself.

use jiff::Timestamp;

use crate::finding::Verdict;
use crate::monitor::{Monitor, MonitoredLog};
use crate::store::{Condition, Scope, StoreError};

/// Trust as it was for a pass, as far as somebody should know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustReport {
    /// Nothing is trusted, so nothing was read: of the rest nothing can be said.
    pub nothing_known: bool,
    /// Why a newer trust was refused.
    pub refused: Option<String>,
    /// Nobody could be asked: what was refused before may be so still.
    pub unanswered: bool,
    /// Since when it was not renewed, if that is too long.
    pub stale: Option<String>,
    /// Logs that trust names and that nobody reads.
    pub unfollowed: Vec<Unfollowed>,
    /// Trust says which logs there are: when all have ended, the next one should have been named.
    pub discovers: bool,
}

/// A log that trust names and that nobody reads.
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

impl Monitor {
    /// Raises what is wrong with trust, and resolves what no longer is. `logs` are all that are configured or
    /// found, also those that this pass left out.
    ///
    /// # Errors
    /// The store could not do it.
    pub async fn assess_trust(
        &self,
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
            && let Some(ended) = self.all_ended(logs).await?
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
        self.store.assess(&scope, &conditions, now).await
    }

    /// That every log which takes signings was ended by its operator; `None` while one goes on.
    async fn all_ended(&self, logs: &[MonitoredLog]) -> Result<Option<String>, StoreError> {
        let mut names = Vec::new();
        for log in logs {
            let log = match log {
                MonitoredLog::Tree(log) => log,
                // It ends when its last tree does, which nobody has announced.
                MonitoredLog::RekorV1(_) | MonitoredLog::Guided(_) => return Ok(None),
            };
            if log.shard.protocol.is_ct() {
                continue;
            }
            let state = self.store.log(log.shard.origin.as_str()).await?;
            if state.is_none_or(|state| state.frozen.is_none()) {
                return Ok(None);
            }
            names.push(log.shard.name.as_str());
        }
        Ok((!names.is_empty()).then(|| {
            format!(
                "every log that is followed was ended by its operator, and trust names none that goes on: {}",
                names.join(", ")
            )
        }))
    }
}
