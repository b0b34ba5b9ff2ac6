//! Follows the logs.
//!
//! A pass goes over every log at once, one task per log, each in the same order:
//! `pass` asks for the newest checkpoint, verifies it and offers it to the follower; `read` fetches
//! the leaves up to it; `scan` hashes and parses them on all cores and matches the watches;
//! `judge` turns a match into a finding; batch by batch, position and findings go to the store in
//! one transaction. What goes wrong on the way is a `fault` of the log or a matter of `health`.
//! `start_position` finds where a date begins, for a log that starts there.
//! `rescan` reads a proven range again for watches that came later.
//!
//! Nothing here sends an alert or reads the configuration: alerts are rows in the store.

mod guided;
mod health;
mod judge;
mod monitored_log;
mod pass_deadline;
mod pass_end;
pub mod progress;
mod reached;
mod rekor_v1;
mod rules;
pub mod schedule;
mod settings;
mod stop;
mod tail;
mod unreadable;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use self::health::outage::Outage;
use self::health::time_reports::TimeReports;
use self::reached::Reached;
use crate::clock::Clock;
use crate::log::Start;
use crate::store::{PassError, Store, StoreError};

pub use guided::Guided;
pub use health::trust::{TrustReport, Unfollowed};
pub use monitored_log::{Log, MonitoredLog};
pub use progress::Progress;
pub use rekor_v1::{RekorV1Log, listed_trees};
pub use rules::Rules;
pub use schedule::{Schedule, ScheduleError};
pub use settings::{CanarySettings, Settings};
pub use stop::Stop;
pub use tail::rescan::RescanError;

use guided::GuideStatus;
use rekor_v1::{Listing, is_tree_of};

/// Follows logs into a store.
#[derive(Clone)]
pub struct Monitor {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    progress: Progress,
    stop: Stop,
    settings: Arc<Settings>,
    time_reports: TimeReports,
    outage: Outage,
    reached: Reached,
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
            settings: Arc::default(),
            time_reports: TimeReports::default(),
            outage: Outage::default(),
            reached: Reached::default(),
        }
    }

    /// The same monitor with these settings.
    #[must_use]
    pub fn with(mut self, settings: Settings) -> Self {
        self.settings = Arc::new(settings);
        self
    }

    /// Since when this process could not record its passes; `None` if the last one was recorded.
    pub fn failing_since(&self) -> Option<Timestamp> {
        self.outage.since()
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
        logs: &[MonitoredLog],
        rules: &Arc<Rules>,
        bootstrap: bool,
    ) -> Result<Vec<LogOutcome>, MonitorError> {
        let ended = self.pass_over_all(logs, rules, bootstrap).await;
        if let Err(MonitorError::Store(error)) = &ended {
            self.outage.goes_on(error, self.clock.now());
        }
        ended
    }

    async fn pass_over_all(
        &self,
        logs: &[MonitoredLog],
        rules: &Arc<Rules>,
        bootstrap: bool,
    ) -> Result<Vec<LogOutcome>, MonitorError> {
        let mut listings = if bootstrap {
            HashMap::new()
        } else {
            self.refuse_silent_starts(logs).await?
        };
        let now = self.clock.now();
        health::before_a_pass(self, logs, now).await?;
        self.store.release_holds(rules.holds(), now).await?;
        self.judge_again(rules, now).await?;
        self.progress.begin();

        let mut tasks = tokio::task::JoinSet::new();
        let (ends, guides) = guides(logs);
        for ((place, log), end) in logs.iter().enumerate().zip(ends) {
            let (monitor, log, rules) = (self.clone(), log.clone(), Arc::clone(rules));
            let listing = listings.remove(&place);
            let guides = guides.get(&place).cloned().unwrap_or_default();
            tasks.spawn(async move {
                let outcome = match log {
                    MonitoredLog::Tree(log) => monitor.pass_over(&log, &rules).await,
                    MonitoredLog::RekorV1(log) => {
                        monitor.pass_over_trees(&log, listing, &rules).await
                    }
                    MonitoredLog::Guided(log) => {
                        monitor
                            .pass_over_guided(&log, guides, &rules, bootstrap)
                            .await
                    }
                };
                end.send_replace(outcome.as_ref().ok().map(|outcome| outcome.proven));
                (place, outcome)
            });
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
        let now = self.clock.now();
        health::assess_whole(self, logs, rules, now).await?;
        self.store.prune(now).await?;
        outcomes.sort_unstable_by_key(|(place, _)| *place);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    /// Names the logs that would start at their end, unasked. Which trees a Rekor v1 log has, only the log can tell; what it
    /// answered is returned, by the log's place, so that the pass goes by the same answer.
    async fn refuse_silent_starts(
        &self,
        logs: &[MonitoredLog],
    ) -> Result<HashMap<usize, Listing>, MonitorError> {
        let mut silent = Vec::new();
        let mut listings = HashMap::new();
        for (place, log) in logs.iter().enumerate() {
            let is_silent = match log {
                MonitoredLog::Tree(log) if log.shard.start == Start::End => {
                    let known = self.store.log(log.shard.origin.as_str()).await?;
                    known.is_none_or(|state| state.follower.is_none())
                }
                MonitoredLog::RekorV1(log) if log.start == Start::End => {
                    let states = self.store.logs().await?;
                    if states.iter().any(|state| is_tree_of(state, &log.name)) {
                        false
                    } else {
                        // New, or known under another name.
                        let listing = self.list(log).await?;
                        let is_silent = !listing.known && !listing.trees.is_empty();
                        listings.insert(place, listing);
                        is_silent
                    }
                }
                MonitoredLog::Guided(log) => self.would_begin_at_the_end(log).await?,
                MonitoredLog::Tree(_) | MonitoredLog::RekorV1(_) => false,
            };
            if is_silent {
                silent.push(log.name().to_owned());
            }
        }
        if silent.is_empty() {
            Ok(listings)
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
        let known = self.store.get_value(KEY).await?;
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
                    self.store.rejudge(finding.id, &judged, now).await?;
                }
            }
        }
        self.store.put_value(KEY, &fingerprint).await
    }
}

/// Says that the pass over a log has ended, and whether it proved everything.
type End = watch::Sender<Option<bool>>;

/// The end of each log's pass, and what each guided log, by its place, waits for.
fn guides(logs: &[MonitoredLog]) -> (Vec<End>, HashMap<usize, Vec<GuideStatus>>) {
    let ends: Vec<End> = logs.iter().map(|_| End::new(None)).collect();
    let mut guides = HashMap::new();
    for (place, log) in logs.iter().enumerate() {
        let MonitoredLog::Guided(guided) = log else {
            continue;
        };
        let waits_for = guided.guides.iter().map(|name| {
            let guide = logs.iter().zip(&ends).find(|(log, _)| log.name() == name);
            GuideStatus {
                name: name.clone(),
                origin: guide.and_then(|(log, _)| match log {
                    MonitoredLog::Tree(log) => Some(log.shard.origin.as_str().to_owned()),
                    MonitoredLog::RekorV1(_) | MonitoredLog::Guided(_) => None,
                }),
                ended: guide.map(|(_, end)| end.subscribe()),
            }
        });
        guides.insert(place, waits_for.collect());
    }
    (ends, guides)
}
