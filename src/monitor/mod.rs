//! Follows the logs.
//!
//! A pass goes over every log at once, one task per log, each in the same order:
//! `pass` asks for the newest checkpoint, verifies it and offers it to the follower; `read` fetches
//! the leaves up to it; `scan` hashes and parses them on all cores and matches the watches;
//! `judge` turns a match into a finding; batch by batch, position and findings go to the store in
//! one transaction. What goes wrong on the way is a `fault` of the log or a matter of `health`.
//! `since` finds where a date begins, for a log that starts there.
//! `rescan` reads a proven range again for watches that came later.
//!
//! Nothing here sends an alert or reads the configuration: alerts are rows in the store.

mod fault;
mod health;
mod judge;
mod pass;
pub mod progress;
mod read;
mod rescan;
mod rules;
mod scan;
pub mod schedule;
mod since;
mod stop;
mod trusting;

use std::sync::Arc;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::finding::Verdict;
use crate::shard::{Shard, Start};
use crate::source::LogSource;
use crate::store::{PassError, Store, StoreError};

pub use progress::Progress;
pub use rescan::RescanError;
pub use rules::Rules;
pub use schedule::{Schedule, ScheduleError};
pub use stop::Stop;
pub use trusting::{TrustReport, Unfollowed};

/// One log that is followed: what it is, and where its bytes come from.
#[derive(Clone)]
pub struct Log {
    /// What it is.
    pub shard: Arc<Shard>,
    /// Where its bytes come from.
    pub source: Arc<dyn LogSource>,
}

/// Follows logs into a store.
#[derive(Clone)]
pub struct Monitor {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    progress: Progress,
    stop: Stop,
}

/// How a pass over one log ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOutcome {
    /// The log's name.
    pub log: String,
    /// Everything up to the newest checkpoint was read and proven.
    pub proven: bool,
    /// Why not.
    pub error: Option<PassError>,
    /// Entries that were read.
    pub entries: u64,
}

/// What a pass needs before it may begin, or why it had to end for every log.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// Taking a first position at the end would skip what came before, unseen: a lost database
    /// must not look like a quiet night.
    #[error(
        "no position is stored for {}, and the configuration says to start at the end: entries that are already there would never be read. \
         If this is the first run, run once with --bootstrap. If it is not, the database was lost: restore it, or give `start` an index that you know was read",
        .0.join(", ")
    )]
    NeedsBootstrap(Vec<String>),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Monitor {
    /// A monitor over this store.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        progress: Progress,
        stop: Stop,
    ) -> Self {
        Self {
            store,
            clock,
            progress,
            stop,
        }
    }

    /// One pass over these logs, each up to its newest checkpoint. A log that fails never stops
    /// the others; a store that fails stops all, because nothing could be recorded.
    ///
    /// # Errors
    ///
    /// Before anything is read: [`MonitorError::NeedsBootstrap`] names every log that has no
    /// position, would start at its end, and was not allowed to.
    pub async fn pass(
        &self,
        logs: &[Log],
        rules: &Arc<Rules>,
        bootstrap: bool,
    ) -> Result<Vec<LogOutcome>, MonitorError> {
        self.refuse_silent_starts(logs, bootstrap).await?;
        let now = self.clock.now();
        self.store.release_holds(rules.holds(), now).await?;
        self.judge_again(rules, now).await?;
        self.progress.begin();

        let mut tasks = tokio::task::JoinSet::new();
        for (place, log) in logs.iter().enumerate() {
            let (monitor, log, rules) = (self.clone(), log.clone(), Arc::clone(rules));
            tasks.spawn(async move { (place, monitor.pass_over(&log, &rules).await) });
        }
        let mut outcomes = Vec::with_capacity(logs.len());
        let mut broken = None;
        while let Some(ended) = tasks.join_next().await {
            match ended {
                Ok((place, Ok(outcome))) => outcomes.push((place, outcome)),
                Ok((_, Err(error))) => broken = Some(error),
                // Only a bug gets here: let it be seen as one.
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
        self.progress.end();
        if let Some(error) = broken {
            return Err(error.into());
        }
        self.store.prune(self.clock.now()).await?;
        outcomes.sort_unstable_by_key(|(place, _)| *place);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    async fn refuse_silent_starts(
        &self,
        logs: &[Log],
        bootstrap: bool,
    ) -> Result<(), MonitorError> {
        let mut silent = Vec::new();
        for log in logs.iter().filter(|log| log.shard.start == Start::End) {
            let known = self.store.log(log.shard.origin.as_str()).await?;
            if known.is_none_or(|state| state.follower.is_none()) {
                silent.push(log.shard.name.clone());
            }
        }
        if silent.is_empty() || bootstrap {
            Ok(())
        } else {
            Err(MonitorError::NeedsBootstrap(silent))
        }
    }

    /// When the CAs of the trusted root change, what led to none of them is judged again: a
    /// certificate of a new CA must not stay a curiosity.
    async fn judge_again(&self, rules: &Rules, now: Timestamp) -> Result<(), StoreError> {
        const KEY: &str = "authorities";
        const PAGE: u32 = 256;
        let Some(authorities) = rules.authorities() else {
            return Ok(());
        };
        let fingerprint = hex::encode(authorities.fingerprint());
        let known = self.store.recall(KEY).await?;
        if known.as_deref() == Some(fingerprint.as_str()) {
            return Ok(());
        }
        let mut after = None;
        loop {
            let page = self.store.untrusted(after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.id);
            for (finding, evidence) in page {
                if let Some(judged) = rules.judge_again(&finding, &evidence) {
                    self.store
                        .rejudge(
                            finding.id,
                            judged.chain,
                            Verdict::IdentityUnexpected,
                            judged.severity,
                            &judged.summary,
                            now,
                        )
                        .await?;
                }
            }
        }
        self.store.remember(KEY, &fingerprint).await
    }
}
