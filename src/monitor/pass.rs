//! One pass over all logs.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;
use tracing::Instrument as _;

use super::context::Context;
use super::guide_status::GuideStatus;
use super::health::{self, TrustReport};
use super::monitored_log::MonitoredLog;
use super::outcome::{LogOutcome, MonitorError, RescanError};
use super::progress::Progress;
use super::rekor_v1::Listing;
use super::rescan;
use super::settings::Settings;
use super::stop::Stop;
use super::{guided, tail, trees};
use crate::clock::Clock;
use crate::judge::Rules;
use crate::log::Start;
use crate::store::{Store, StoreError, TreeState};

/// Follows logs, and records what it reads in a store.
#[derive(Clone)]
pub struct Monitor(Context);

impl Monitor {
    /// A monitor over this store.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        progress: Progress,
        stop: Stop,
    ) -> Self {
        Self(Context::new(store, clock, progress, stop))
    }

    /// The same monitor with these settings.
    #[must_use]
    pub fn with(mut self, settings: Settings) -> Self {
        self.0.settings = Arc::new(settings);
        self
    }

    /// Since when this process could not record its passes; `None` if the last one was recorded.
    pub fn failing_since(&self) -> Option<Timestamp> {
        self.0.outage.since()
    }

    /// Takes the key ids of the unknown authorities that certificates with watched names were issued by, since the last call.
    pub fn take_unknown_authorities(&self) -> BTreeSet<[u8; 20]> {
        self.0.unknown_authorities.take()
    }

    /// One pass over these logs, each up to its newest checkpoint. A log that fails does not stop the others. A store
    /// that fails stops all, because nothing can be recorded.
    ///
    /// # Errors
    ///
    /// Before anything is read, [`MonitorError::NeedsBootstrap`] names all logs that have no position and would start
    /// at their end without permission.
    pub async fn pass(
        &self,
        logs: &[MonitoredLog],
        rules: &Arc<Rules>,
        bootstrap: bool,
    ) -> Result<Vec<LogOutcome>, MonitorError> {
        let ended = self.pass_over_all(logs, rules, bootstrap).await;
        if let Err(MonitorError::Store(error)) = &ended {
            self.0.outage.record_failure(error, self.0.clock.now());
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
        let now = self.0.clock.now();
        health::before_a_pass(&*self.0.store, &self.0.settings, logs, now).await?;
        self.0.store.release_holds(rules.holds(), now).await?;
        self.judge_again(rules, now).await?;
        self.0.progress.begin();

        let mut tasks = tokio::task::JoinSet::new();
        let (ends, guides) = guides(logs);
        for ((place, log), end) in logs.iter().enumerate().zip(ends) {
            let (context, log, rules) = (self.0.clone(), log.clone(), Arc::clone(rules));
            let listing = listings.remove(&place);
            let guides = guides.get(&place).cloned().unwrap_or_default();
            let span = tracing::error_span!("log", log = log.name());
            let task = async move {
                let outcome = match log {
                    MonitoredLog::Tree(log) => tail::pass_over(&context, &log, &rules).await,
                    MonitoredLog::RekorV1(log) => {
                        trees::pass_over(&context, &log, listing, &rules).await
                    }
                    MonitoredLog::Guided(log) => {
                        let pass = guided::pass_over(&context, &log, guides, &rules, bootstrap);
                        Box::pin(pass).await
                    }
                };
                end.send_replace(outcome.as_ref().ok().map(|outcome| outcome.proven));
                (place, outcome)
            };
            tasks.spawn(task.instrument(span));
        }
        let mut outcomes = Vec::with_capacity(logs.len());
        let mut broken = None;
        while let Some(ended) = tasks.join_next().await {
            match ended {
                Ok((place, Ok(outcome))) => outcomes.push((place, outcome)),
                Ok((_, Err(error))) => broken = Some(error),
                // Only a bug panics: do not hide it.
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
        self.0.progress.end();
        if let Some(error) = broken {
            return Err(error.into());
        }
        let now = self.0.clock.now();
        health::assess_whole(
            &*self.0.store,
            &self.0.settings,
            &self.0.outage,
            &self.0.time_reports,
            logs,
            rules,
            now,
        )
        .await?;
        self.0.store.remind_of_self_registered(now).await?;
        self.0.store.prune(now).await?;
        outcomes.sort_unstable_by_key(|(place, _)| *place);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    /// Finds the logs that would start at their end without permission. Only a Rekor v1 log itself knows its trees. Its
    /// answer is returned, by the place of the log, so that the pass uses the same one.
    async fn refuse_silent_starts(
        &self,
        logs: &[MonitoredLog],
    ) -> Result<HashMap<usize, Listing>, MonitorError> {
        let mut silent = Vec::new();
        let mut listings = HashMap::new();
        for (place, log) in logs.iter().enumerate() {
            let is_silent = match log {
                MonitoredLog::Tree(log) if log.shard.start == Start::End => {
                    let known = self.0.store.tree(&log.shard.id()).await?;
                    known.is_none_or(|state| state.follower.is_none())
                }
                MonitoredLog::RekorV1(log) if log.start == Start::End => {
                    let id = log.id();
                    let states = self.0.store.trees().await?;
                    let is_read = |state: &TreeState| state.log == id && state.follower.is_some();
                    if states.iter().any(is_read) {
                        false
                    } else {
                        // It is new, or its server has another address now.
                        let listing = log.list(&*self.0.store).await?;
                        let is_silent = !listing.known && !listing.trees.is_empty();
                        listings.insert(place, listing);
                        is_silent
                    }
                }
                MonitoredLog::Guided(log) => {
                    guided::would_begin_at_the_end(&*self.0.store, log).await?
                }
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

    /// Judges the findings without a trusted CA again, if the CAs of the trusted root have changed.
    async fn judge_again(&self, rules: &Rules, now: Timestamp) -> Result<(), StoreError> {
        const KEY: &str = "authorities";
        const PAGE: u32 = 256;
        let Some(authorities) = rules.authorities() else {
            return Ok(());
        };
        let fingerprint = hex::encode(authorities.fingerprint());
        let known = self.0.store.get_value(KEY).await?;
        if known.as_deref() == Some(fingerprint.as_str()) {
            return Ok(());
        }
        let mut after = None;
        loop {
            let page = self.0.store.untrusted(after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.id);
            for (finding, evidence) in page {
                if let Some(judged) = rules.judge_again(&finding, &evidence) {
                    self.0.store.rejudge(finding.id, &judged, now).await?;
                }
            }
        }
        self.0.store.put_value(KEY, &fingerprint).await
    }

    /// Raises the findings about the trusted root, and resolves those that are over. `logs` are all logs that are configured or
    /// found, also those that this pass left out.
    ///
    /// # Errors
    /// The store failed.
    pub async fn assess_trust(
        &self,
        report: &TrustReport,
        logs: &[MonitoredLog],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        health::assess_trust(&*self.0.store, report, logs, now).await
    }

    /// Closes the gaps of all watches, or of one watch, over one log. Returns the number of entries that were read again and
    /// the number of new findings.
    ///
    /// # Errors
    /// See [`RescanError`]. Leaves that do not hash to the proven root are recorded as a fault of the log.
    pub async fn rescan(
        &self,
        log: &MonitoredLog,
        rules: &Arc<Rules>,
        only: Option<&str>,
    ) -> Result<(u64, u64), RescanError> {
        rescan::rescan(&self.0, log, rules, only).await
    }

    /// Does the rescans that users requested. A request is deleted after its rescan: if this process dies before, or a log
    /// does not answer, the next pass repeats it, without the ranges that were matched meanwhile.
    ///
    /// # Errors
    /// The store failed.
    pub async fn rescan_as_asked(
        &self,
        logs: &[MonitoredLog],
        rules: &Arc<Rules>,
    ) -> Result<(), StoreError> {
        rescan::rescan_as_asked(&self.0, logs, rules).await
    }
}

/// Sends whether the pass over a log proved everything, when it ends.
type End = watch::Sender<Option<bool>>;

/// The senders for the ends of all passes, and the logs that each guided log, by its place, waits for.
fn guides(logs: &[MonitoredLog]) -> (Vec<End>, HashMap<usize, Vec<GuideStatus>>) {
    let ends: Vec<End> = logs.iter().map(|_| End::new(None)).collect();
    let mut guides = HashMap::new();
    for (place, log) in logs.iter().enumerate() {
        let MonitoredLog::Guided(monitored) = log else {
            continue;
        };
        let waits_for = monitored.guides.iter().map(|guide| {
            let is_guide = |log: &MonitoredLog| Some(log.id()) == guide.id;
            let of_this_pass = logs.iter().zip(&ends).find(|(log, _)| is_guide(log));
            GuideStatus {
                guide: guide.clone(),
                ended: of_this_pass.map(|(_, end)| end.subscribe()),
            }
        });
        guides.insert(place, waits_for.collect());
    }
    (ends, guides)
}
