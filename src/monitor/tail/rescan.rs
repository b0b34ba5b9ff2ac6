//! Reads a proven range again for watches that were added or changed after it was read.

use std::ops::Range;
use std::sync::Arc;

use futures_util::StreamExt as _;
use tlog::{CompactRange, Hash, Head, LogFault};

use super::pass::{Halt, Pass};
use super::read::Unrecorded;
use super::scan::{Scanned, scanned};
use crate::finding::NewFinding;
use crate::monitor::health::unknown_issuers::UnknownIssuers;
use crate::monitor::health::{self, Noticed, Subject};
use crate::monitor::pass_deadline::PassDeadline;
use crate::monitor::pass_end::Ended;
use crate::monitor::{Log, Monitor, MonitoredLog, Rules};
use crate::store::{Coverage, Outcome, PassError, Rescanned, StoreError, WatchKey};

/// A rescan is recorded in steps of this many entries: each is proven by itself, and a long one
/// goes on where it was interrupted.
const STEP_ENTRIES: u64 = 64 * 256;

/// Why a rescan could not be finished. What was rescanned before is recorded.
#[derive(Debug, thiserror::Error)]
pub enum RescanError {
    /// No such watch in the configuration.
    #[error("there is no watch named {0}")]
    UnknownWatch(String),
    /// The log could not be read, or what it showed is not what was proven.
    #[error("{log}: {}", .error.message)]
    Log {
        /// The log's name.
        log: String,
        /// Why.
        error: PassError,
    },
    /// It was asked to end.
    #[error("stopped before the end: run it again to go on")]
    Stopped,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RescanError {
    /// Whether the same question may be answered later.
    fn may_pass(&self) -> bool {
        match self {
            Self::Log { error, .. } => error.kind != "log-fault",
            Self::UnknownWatch(_) | Self::Stopped | Self::Store(_) => true,
        }
    }
}

impl Monitor {
    /// Closes the gaps of these watches (or of this one) over one log. Answers how many entries
    /// were read again and how many findings are new.
    ///
    /// # Errors
    ///
    /// See [`RescanError`]. Leaves that do not hash to the proven root are a fault of the log,
    /// recorded like one of a pass.
    pub async fn rescan(
        &self,
        log: &MonitoredLog,
        rules: &Arc<Rules>,
        only: Option<&str>,
    ) -> Result<(u64, u64), RescanError> {
        if let Some(name) = only
            && rules.watches().position(name).is_none()
        {
            return Err(RescanError::UnknownWatch(name.to_owned()));
        }
        let log = match log {
            MonitoredLog::Tree(log) => return self.rescan_tree(log, rules, only).await,
            MonitoredLog::RekorV1(log) => log,
            // When watches change, its next pass matches everything that its index names again. What was read while it was
            // read in full is read again here.
            MonitoredLog::Guided(guided) => &guided.log,
        };
        let listing = self.list(log).await?;
        let mut done = (0, 0);
        for tree in &listing.trees {
            let (entries, found) = self.rescan_tree(tree, rules, only).await?;
            done = (done.0 + entries, done.1 + found);
        }
        match listing.error {
            None => Ok(done),
            Some(error) => Err(RescanError::Log {
                log: log.name.clone(),
                error,
            }),
        }
    }

    /// Does the rescans that somebody asked for. A request is let go of only when it was done: if we die before, or a
    /// log does not answer, the next pass does it again, and what was matched meanwhile is no gap any more.
    ///
    /// # Errors
    ///
    /// The store could not do it.
    pub async fn rescan_as_asked(
        &self,
        logs: &[MonitoredLog],
        rules: &Arc<Rules>,
    ) -> Result<(), StoreError> {
        for request in self.store.rescans().await? {
            // Whoever asked has a newer configuration than this process: the next one knows the watch.
            if let Some(name) = &request.watch
                && rules.watches().position(name).is_none()
            {
                tracing::info!(
                    "a rescan waits for a monitor that knows the watch {}",
                    crate::escape::terminal(name)
                );
                continue;
            }
            // A log that was left out of this run is still owed.
            let mut done = self.settings.every_log;
            for log in logs {
                match self.rescan(log, rules, request.watch.as_deref()).await {
                    Ok(_) => {}
                    Err(RescanError::Store(error)) => return Err(error),
                    // Asked to end, or the logs want to be read again: it goes on after the next pass.
                    Err(RescanError::Stopped) => return Ok(()),
                    Err(error) => {
                        // Not of a log that contradicts itself: that is a finding, and does not pass by asking again.
                        done &= !error.may_pass();
                        tracing::warn!("rescan: {}", crate::escape::terminal(&error.to_string()));
                    }
                }
            }
            if done {
                self.store.rescan_done(&request).await?;
            }
        }
        Ok(())
    }

    async fn rescan_tree(
        &self,
        log: &Log,
        rules: &Arc<Rules>,
        only: Option<&str>,
    ) -> Result<(u64, u64), RescanError> {
        let origin = log.shard.origin.as_str();
        self.store.watching(origin, rules.keys()).await?;
        let Some(state) = self.store.log(origin).await? else {
            return Ok((0, 0));
        };
        let Some(follower) = state.follower.clone() else {
            return Ok((0, 0));
        };
        let gapped: Vec<Coverage> = self
            .store
            .coverage(rules.keys(), Some(origin))
            .await?
            .into_iter()
            .filter(|c| !c.gaps.is_empty())
            .filter(|c| only.is_none_or(|name| c.watch.name == name))
            .collect();
        let (Some(head), false) = (follower.proven_head.clone(), gapped.is_empty()) else {
            return Ok((0, 0));
        };
        let watches: Vec<WatchKey> = gapped.iter().map(|c| c.watch.clone()).collect();
        let pass = Pass {
            monitor: self,
            log,
            rules,
            now: self.clock.now(),
            frozen: None,
            witnessed: None,
            signatures: None,
            head_time: None,
            entries: 0,
            unknown_issuers: UnknownIssuers::load(&*self.store, origin).await?,
            deadline: PassDeadline::of(&self.settings),
            state: Some(state),
        };
        self.progress.begin();
        let mut done = (0, 0);
        let mut ended = pass.expect_base();
        for gap in union(&gapped) {
            if ended.is_err() {
                break;
            }
            // What is seen but not proven yet is covered by the pass that proves it.
            let gap = gap.start..gap.end.min(head.size);
            self.progress
                .goal(&log.shard.name, gap.end.saturating_sub(gap.start));
            let rescan = pass.rescan_gap(gap, &head, &watches, &mut done);
            ended = pass.deadline.bound(rescan).await;
        }
        self.progress.end();
        let subject = Subject::of(&log.shard);
        let now = self.clock.now();
        let noticed = Noticed {
            lost: None,
            crowd: pass
                .unknown_issuers
                .said(&log.shard.name, rules.authorities(), now),
        };
        health::assess_log(self, subject, rules, noticed, now).await?;
        match Ended::of(ended)?.outcome {
            Outcome::Proven => Ok(done),
            Outcome::Interrupted => Err(RescanError::Stopped),
            Outcome::Behind(error) | Outcome::Failed(error) => Err(RescanError::Log {
                log: log.shard.name.clone(),
                error,
            }),
        }
    }
}

/// What was read again and is not recorded yet.
struct Step {
    from: u64,
    findings: Vec<NewFinding>,
    read: Unrecorded,
}

impl Pass<'_> {
    /// Reads a proven range again, in steps that are recorded one by one: `done` counts the entries and the new findings
    /// of those that were.
    ///
    /// The frontier before the range and the one after each step belong to the proven tree; pushing the step's leaves
    /// onto the one before must give the one after it.
    async fn rescan_gap(
        &self,
        gap: Range<u64>,
        head: &Head,
        watches: &[WatchKey],
        done: &mut (u64, u64),
    ) -> Result<(), Halt> {
        if gap.is_empty() {
            return Ok(());
        }
        let clock = &self.monitor.clock;
        let mut frontier = self.frontier(gap.start, head).await?;
        let mut step = Step {
            from: gap.start,
            findings: Vec::new(),
            read: Unrecorded::since(clock.now()),
        };
        let scanned = scanned(self.log, gap.clone(), head.size, self.rules, self.now);
        let mut scanned = std::pin::pin!(scanned);
        while frontier.size() < gap.end {
            let next = tokio::select! {
                biased;
                () = self.monitor.stop.wait() => return Err(Halt::Stopped),
                next = scanned.next() => next,
                () = tokio::time::sleep(step.read.patience(clock.now())), if step.from < frontier.size() => {
                    self.record_step(&frontier, head, watches, &mut step, done).await?;
                    continue;
                }
            };
            let Some(next) = next else {
                // Only a source that breaks its own law ends before the range does.
                return Err(Halt::failed(
                    "malformed",
                    format!("its leaves end at {}, before {}", frontier.size(), gap.end),
                ));
            };
            let Scanned {
                hashes, findings, ..
            } = next?;
            self.monitor.progress.read(hashes.len() as u64);
            for hash in hashes {
                frontier.push(hash);
            }
            step.findings.extend(findings);
            let length = frontier.size() - step.from;
            if length >= STEP_ENTRIES || frontier.size() >= gap.end || step.read.is_due(clock.now())
            {
                self.record_step(&frontier, head, watches, &mut step, done)
                    .await?;
            }
            if self.deadline.is_over() && frontier.size() < gap.end {
                return Err(Halt::Stopped);
            }
        }
        Ok(())
    }

    /// Records what was found from the beginning of the step on, if its leaves are those of the proven tree.
    async fn record_step(
        &self,
        frontier: &CompactRange,
        head: &Head,
        watches: &[WatchKey],
        step: &mut Step,
        done: &mut (u64, u64),
    ) -> Result<(), Halt> {
        let reached = frontier.size();
        if *frontier != self.frontier(reached, head).await? {
            return Err(self.false_leaves(head, frontier.root()).await?);
        }
        let mut findings = std::mem::take(&mut step.findings);
        for found in &mut findings {
            found.finding.proven = Some(true);
        }
        let new = self
            .monitor
            .store
            .rescanned(&Rescanned {
                origin: self.log.shard.origin.as_str().to_owned(),
                range: step.from..reached,
                watches: watches.to_vec(),
                findings,
                now: self.now,
            })
            .await?;
        *done = (done.0 + reached - step.from, done.1 + new);
        step.from = reached;
        step.read = Unrecorded::since(self.monitor.clock.now());
        Ok(())
    }

    /// The frontier of the first `at` leaves of the proven tree, by the log's own hashes.
    async fn frontier(&self, at: u64, head: &Head) -> Result<CompactRange, Halt> {
        let split = self.log.source.split(at, head.size).await?;
        if split.root() != head.root {
            return Err(self.false_leaves(head, split.root()).await?);
        }
        Ok(split.frontier())
    }

    /// What the log shows now is not what it committed to: nothing of it is recorded as found.
    async fn false_leaves(&self, head: &Head, computed: Hash) -> Result<Halt, StoreError> {
        let fault = LogFault::RootMismatch {
            since: 0,
            size: head.size,
            computed,
            signed: head.root,
            note: head.note.clone(),
            proven_note: None,
        };
        let state = self.state.as_ref().and_then(|state| state.follower.clone());
        if let Some(state) = state {
            self.record_fault(&fault, computed, state).await?;
        }
        Ok(Halt::failed("log-fault", fault.to_string()))
    }
}

/// The gaps of all these watches together, in order.
fn union(gapped: &[Coverage]) -> Vec<Range<u64>> {
    let mut all: Vec<Range<u64>> = gapped.iter().flat_map(|c| c.gaps.iter().cloned()).collect();
    all.sort_unstable_by_key(|gap| gap.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for gap in all {
        match joined.last_mut() {
            Some(last) if gap.start <= last.end => last.end = last.end.max(gap.end),
            _ => joined.push(gap),
        }
    }
    joined
}
