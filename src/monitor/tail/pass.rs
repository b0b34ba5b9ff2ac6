//! One pass over one log, from its newest checkpoint to a proven position.

use std::sync::Arc;

use jiff::Timestamp;
use tlog::{Checkpoint, CompactRange, Follower, FollowerState, Head, LogFault, Offer};

use super::fault::growth_after_end;
use super::start_position::position_of;
use crate::log::Start;
use crate::monitor::health::time_reports::TimeSource;
use crate::monitor::health::unknown_issuers::UnknownIssuers;
use crate::monitor::health::{self, Noticed, Subject};
use crate::monitor::pass_deadline::PassDeadline;
use crate::monitor::pass_end::{self, Ended};
use crate::monitor::{Log, LogOutcome, Monitor, Rules};
use crate::source::SourceError;
use crate::store::{LogState, NewLog, PassError, PassReport, StoreError};

/// Why a pass over a log ends before everything is proven.
pub(in crate::monitor) enum Halt {
    /// Nothing can be recorded: this ends every log's pass.
    Store(StoreError),
    /// The log showed a smaller checkpoint than before.
    Behind(PassError),
    /// This log's pass cannot be finished.
    Failed(PassError),
    /// This log's pass cannot be finished because it wants fewer requests.
    Limited(PassError),
    /// It was asked to end.
    Stopped,
    /// The stored position cannot be used.
    PositionLost(String),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<SourceError> for Halt {
    fn from(error: SourceError) -> Self {
        let said = PassError::new(error.kind(), error.to_string());
        if error.is_rate_limit() {
            Self::Limited(said)
        } else {
            Self::Failed(said)
        }
    }
}

impl Halt {
    pub(in crate::monitor) fn failed(kind: &str, message: String) -> Self {
        Self::Failed(PassError::new(kind, message))
    }
}

/// A line that a Rekor v2 shard adds to its last checkpoint when it ends
/// (rekor-tiles `freeze-checkpoint`).
const FROZEN: &str = "Log frozen";

/// What a pass carries along.
pub(in crate::monitor) struct Pass<'a> {
    pub(in crate::monitor) monitor: &'a Monitor,
    pub(in crate::monitor) log: &'a Log,
    pub(in crate::monitor) rules: &'a Arc<Rules>,
    pub(in crate::monitor) now: Timestamp,
    pub(in crate::monitor) state: Option<LogState>,
    pub(in crate::monitor) frozen: Option<(u64, Vec<u8>)>,
    pub(in crate::monitor) witnessed: Option<Timestamp>,
    /// What stands under the newest checkpoint, once it was opened.
    pub(in crate::monitor) signatures: Option<health::Signatures>,
    /// When the log says that it signed its newest head.
    pub(in crate::monitor) head_time: Option<Timestamp>,
    pub(in crate::monitor) entries: u64,
    pub(in crate::monitor) unknown_issuers: UnknownIssuers,
    /// When the others get their turn again.
    pub(in crate::monitor) deadline: PassDeadline,
}

impl Monitor {
    pub(in crate::monitor) async fn pass_over(
        &self,
        log: &Log,
        rules: &Arc<Rules>,
    ) -> Result<LogOutcome, StoreError> {
        let origin = log.shard.origin.as_str().to_owned();
        let state = self.store.log(&origin).await?;
        self.reached.expect(&origin, state.as_ref())?;
        let mut pass = Pass {
            monitor: self,
            log,
            rules,
            now: self.clock.now(),
            frozen: state.as_ref().and_then(|state| state.frozen.clone()),
            state,
            witnessed: None,
            signatures: None,
            head_time: None,
            entries: 0,
            unknown_issuers: UnknownIssuers::load(&*self.store, &origin).await?,
            deadline: PassDeadline::of(&self.settings),
        };
        let counted = pass.unknown_issuers.clone();
        pass.unknown_issuers.bring_back(pass.now);
        let deadline = pass.deadline;
        let run = deadline.bound(pass.run()).await;
        let Ended {
            outcome,
            rate_limited,
            lost,
        } = Ended::of(run)?;
        if pass.unknown_issuers != counted {
            pass.unknown_issuers.save(&*self.store, &origin).await?;
        }
        let crowd = pass
            .unknown_issuers
            .said(&log.shard.name, rules.authorities(), pass.now);
        let report = PassReport {
            frozen: pass.frozen,
            witnessed: pass.witnessed,
            began: pass.now,
            entries: pass.entries,
            rate_limited,
            head_time: pass.head_time,
            ..PassReport::new(&origin, &log.shard.name, outcome, self.clock.now())
        };
        if let Some(error) = report.outcome.error() {
            pass_end::say(&report.name, &report.origin, error);
        } else {
            tracing::info!(
                log.name = report.name,
                log.origin = report.origin,
                entries = report.entries,
                "{} entries read from {}",
                report.entries,
                crate::escape::terminal(&report.name),
            );
        }
        self.store.end_pass(&report).await?;
        let subject = Subject::of(&log.shard);
        let noticed = Noticed { lost, crowd };
        health::assess_log(self, subject, rules, noticed, report.now).await?;
        if let Some(signatures) = &pass.signatures {
            health::assess_checkpoint(self, &log.shard, signatures, report.now).await?;
            if let Some(signed) = signatures.dated() {
                let teller = TimeSource::Head(report.name.clone());
                self.time_reports.add(teller, signed, report.now);
            }
        }
        if let Some(server) = log.source.date() {
            let teller = TimeSource::Server(server.host);
            self.time_reports.add(teller, server.now, report.now);
        }
        Ok(report.into())
    }
}

impl Pass<'_> {
    async fn run(&mut self) -> Result<(), Halt> {
        self.expect_base()?;
        let saved = self.state.as_ref().and_then(|state| state.follower.clone());
        // Before the network: a damaged position is known without it.
        let follower = saved
            .map(|saved| {
                Follower::resume(saved).map_err(|error| Halt::PositionLost(error.to_string()))
            })
            .transpose()?;
        let checkpoint = self.newest_checkpoint().await?;
        let mut follower = match follower {
            Some(follower) => follower,
            None => self.first_position(&checkpoint).await?,
        };
        self.monitor
            .store
            .watching(self.log.shard.origin.as_str(), self.rules.keys())
            .await?;
        self.say_growth_after_freeze(&follower, &checkpoint).await?;
        loop {
            let before = follower.state();
            match follower.offer(&checkpoint) {
                Ok(Offer::Ahead | Offer::Known) => {
                    self.read(&mut follower, &before, Some(&checkpoint)).await?;
                    break;
                }
                // Heads of earlier passes wait to be reached first.
                Ok(Offer::Full) => self.read(&mut follower, &before, None).await?,
                // What a smaller checkpoint vouches for is read and proven before its being smaller
                // is judged.
                Ok(Offer::Between) => {
                    self.read(&mut follower, &before, Some(&checkpoint)).await?;
                    return Err(self.behind(&follower, &checkpoint).await?);
                }
                Ok(Offer::Behind) => return Err(self.behind(&follower, &checkpoint).await?),
                // What was read to exactly this size has another root: the follower went back.
                Err(fault @ LogFault::RootMismatch { .. }) => {
                    return Err(self.mismatch(&follower, &before, fault, Vec::new()).await?);
                }
                Err(fault) => {
                    let halt = self.contradicted(&follower, fault).await?;
                    // Which of two heads of one size lies, the leaves tell: a forged one that waits
                    // must not keep the true one from ever being read.
                    self.read(&mut follower, &before, None).await?;
                    return Err(halt);
                }
            }
        }
        let says_so = |line: &String| line.starts_with(FROZEN);
        if self.log.shard.ended || checkpoint.extensions().iter().any(says_so) {
            if self.frozen.is_none() {
                tracing::info!(
                    log.name = self.log.shard.name,
                    "the tree {} of {} has ended at {} entries: nothing will be added to it",
                    crate::escape::terminal(self.log.shard.origin.as_str()),
                    crate::escape::terminal(&self.log.shard.name),
                    checkpoint.size(),
                );
            }
            self.frozen = Some((checkpoint.size(), checkpoint.raw().to_vec()));
        }
        self.compare_bundle_checkpoints(&follower).await
    }

    /// That the tree begins where it began. Another base would give its entries other indexes than those of the findings
    /// that are told already, and means that the log's trees changed their sizes or their order.
    pub(in crate::monitor) fn expect_base(&self) -> Result<(), Halt> {
        let now = self.log.shard.base;
        match &self.state {
            Some(state) if state.follower.is_some() && state.base != now => Err(Halt::failed(
                "malformed",
                format!(
                    "its first entry was number {} of the log, and would be number {now} by what the log says of its older trees",
                    state.base
                ),
            )),
            _ => Ok(()),
        }
    }

    async fn newest_checkpoint(&mut self) -> Result<Checkpoint, Halt> {
        let shard = &self.log.shard;
        let raw = self.log.source.checkpoint().await?;
        let checkpoint = shard
            .open(&raw)
            .map_err(|error| Halt::failed("unverifiable-checkpoint", error.to_string()))?;
        let witnesses = &self.monitor.settings.witnesses;
        let signatures = health::Signatures::of(&checkpoint, shard, witnesses);
        self.witnessed = signatures.witnessed(self.now);
        self.head_time = signatures.head_time(self.now);
        self.signatures = Some(signatures);
        Ok(checkpoint)
    }

    /// Where reading begins. A start in the middle is proven before anything is recorded: the
    /// frontier there and the rest of the tree must hash to the signed root.
    async fn first_position(&self, checkpoint: &Checkpoint) -> Result<Follower, Halt> {
        let shard = &self.log.shard;
        let at = match shard.start {
            Start::Beginning => 0,
            Start::End => checkpoint.size(),
            Start::Time(since) => {
                let authorities = self.rules.authorities();
                position_of(since, self.log, checkpoint.size(), authorities, self.now).await?
            }
            Start::Index(at) if at <= checkpoint.size() => at,
            Start::Index(at) => {
                return Err(Halt::failed(
                    "unavailable",
                    format!(
                        "the configuration starts at entry {}, but the log has only {}",
                        shard.base.saturating_add(at),
                        shard.base.saturating_add(checkpoint.size())
                    ),
                ));
            }
        };
        let base = if at == 0 {
            CompactRange::new()
        } else {
            let split = self.log.source.split(at, checkpoint.size()).await?;
            if split.root() != checkpoint.root() {
                return Err(Halt::failed(
                    "malformed",
                    format!(
                        "the hashes of its tree lead to {}, but the signed root of size {} is {}",
                        split.root(),
                        checkpoint.size(),
                        checkpoint.root()
                    ),
                ));
            }
            split.frontier()
        };
        let follower = Follower::new(base);
        self.monitor
            .store
            .begin(&NewLog {
                origin: shard.origin.as_str().to_owned(),
                name: shard.name.clone(),
                protocol: shard.protocol.as_str().to_owned(),
                base: shard.base,
                follower: follower.state(),
                checkpoints: vec![Head::from(checkpoint)],
                now: self.now,
            })
            .await?;
        Ok(follower)
    }

    async fn say_growth_after_freeze(
        &self,
        follower: &Follower,
        checkpoint: &Checkpoint,
    ) -> Result<(), StoreError> {
        match growth_after_end(self.frozen.as_ref(), &Head::from(checkpoint)) {
            Some(fault) => {
                self.record_fault(&fault, checkpoint.root(), follower.state())
                    .await
            }
            None => Ok(()),
        }
    }
}

/// `(seen, proven)`: what an update expects to find.
pub(in crate::monitor) fn position(state: &FollowerState) -> (u64, u64) {
    (state.seen.size(), state.proven.size())
}
