//! Reads a proven range again for watches that were added or changed after it was read.

use std::ops::Range;
use std::sync::Arc;

use futures_util::StreamExt as _;
use tlog::{Hash, Head, LogFault};

use super::ending::Ended;
use super::health::{self, Noticed, Subject};
use super::pass::{Halt, Pass};
use super::scan::{Scanned, scanned};
use super::strangers::Strangers;
use super::turn::Turn;
use super::{Followed, Log, Monitor, Rules};
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
        log: &Followed,
        rules: &Arc<Rules>,
        only: Option<&str>,
    ) -> Result<(u64, u64), RescanError> {
        if let Some(name) = only
            && rules.watches().position(name).is_none()
        {
            return Err(RescanError::UnknownWatch(name.to_owned()));
        }
        let log = match log {
            Followed::Tree(log) => return self.rescan_tree(log, rules, only).await,
            Followed::RekorV1(log) => log,
            // When watches change, its next pass matches everything that its index names again. What was read while it was
            // read in full is read again here.
            Followed::Guided(guided) => &guided.log,
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
        logs: &[Followed],
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
            strangers: Strangers::recall(&*self.store, origin).await?,
            turn: Turn::of(&self.settings),
            state: Some(state),
        };
        self.progress.begin();
        let mut done = (0, 0);
        let mut ended = pass.expect_base();
        'gaps: for gap in union(&gapped) {
            let mut from = gap.start;
            // What is seen but not proven yet is covered by the pass that proves it.
            let end = gap.end.min(head.size);
            self.progress
                .goal(&log.shard.name, end.saturating_sub(from));
            while ended.is_ok() && from < end {
                let step = from..end.min(from + STEP_ENTRIES);
                if pass.turn.is_over() {
                    ended = Err(Halt::Stopped);
                    break 'gaps;
                }
                let scanned = pass.rescan_step(step.clone(), &head, &watches);
                match pass.turn.bound(scanned).await {
                    Ok(new) => done = (done.0 + step.end - step.start, done.1 + new),
                    Err(halt) => {
                        ended = Err(halt);
                        break 'gaps;
                    }
                }
                from = step.end;
            }
        }
        self.progress.end();
        let subject = Subject::of(&log.shard);
        let now = self.clock.now();
        let noticed = Noticed {
            lost: None,
            crowd: pass
                .strangers
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

impl Pass<'_> {
    /// The frontier before the step and the one after it both belong to the proven tree; pushing
    /// the step's leaves onto the first must give the second.
    async fn rescan_step(
        &self,
        step: Range<u64>,
        head: &Head,
        watches: &[WatchKey],
    ) -> Result<u64, Halt> {
        let source = &self.log.source;
        let before = source.split(step.start, head.size).await?;
        let after = source.split(step.end, head.size).await?;
        for split in [&before, &after] {
            if split.root() != head.root {
                return Err(self.false_leaves(head, split.root()).await?);
            }
        }
        let mut range = before.frontier();
        let mut findings = Vec::new();
        let scanned = scanned(self.log, step.clone(), head.size, self.rules, self.now);
        let mut scanned = std::pin::pin!(scanned);
        while let Some(next) = scanned.next().await {
            if self.monitor.stop.requested() {
                return Err(Halt::Stopped);
            }
            let Scanned {
                hashes,
                findings: found,
                ..
            } = next?;
            self.monitor.progress.read(hashes.len() as u64);
            for hash in hashes {
                range.push(hash);
            }
            findings.extend(found);
        }
        if range != after.frontier() {
            return Err(self.false_leaves(head, range.root()).await?);
        }
        for found in &mut findings {
            found.finding.proven = Some(true);
        }
        Ok(self
            .monitor
            .store
            .rescanned(&Rescanned {
                origin: self.log.shard.origin.as_str().to_owned(),
                range: step,
                watches: watches.to_vec(),
                findings,
                now: self.now,
            })
            .await?)
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
