//! One pass over one log, from its newest checkpoint to a proven position.

use std::sync::Arc;

use jiff::Timestamp;
use tlog::{Checkpoint, CompactRange, Follower, FollowerState, Head, LogFault, Offer};

use super::{Log, LogOutcome, Monitor, Rules, health};
use crate::shard::Start;
use crate::source::SourceError;
use crate::store::{LogState, NewLog, Outcome, PassError, PassReport, StoreError};

/// Why a pass over a log ends before everything is proven.
pub(super) enum Halt {
    /// Nothing can be recorded: this ends every log's pass.
    Store(StoreError),
    /// The log showed a smaller checkpoint than before.
    Behind(PassError),
    /// This log's pass cannot be finished.
    Failed(PassError),
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
        Self::failed(error.kind(), error.to_string())
    }
}

impl Halt {
    pub(super) fn failed(kind: &str, message: String) -> Self {
        Self::Failed(PassError {
            kind: kind.to_owned(),
            message,
        })
    }
}

/// A line that a Rekor v2 shard adds to its last checkpoint when it ends
/// (rekor-tiles `freeze-checkpoint`).
const FROZEN: &str = "Log frozen";

/// What a pass carries along.
pub(super) struct Pass<'a> {
    pub(super) monitor: &'a Monitor,
    pub(super) log: &'a Log,
    pub(super) rules: &'a Arc<Rules>,
    pub(super) now: Timestamp,
    pub(super) state: Option<LogState>,
    pub(super) frozen: Option<(u64, Vec<u8>)>,
    pub(super) witnessed: Option<Timestamp>,
    pub(super) entries: u64,
}

impl Monitor {
    pub(super) async fn pass_over(
        &self,
        log: &Log,
        rules: &Arc<Rules>,
    ) -> Result<LogOutcome, StoreError> {
        let origin = log.shard.origin.as_str().to_owned();
        let state = self.store.log(&origin).await?;
        let mut pass = Pass {
            monitor: self,
            log,
            rules,
            now: self.clock.now(),
            frozen: state.as_ref().and_then(|state| state.frozen.clone()),
            state,
            witnessed: None,
            entries: 0,
        };
        let ended = pass.run().await;
        let mut lost = None;
        let outcome = match ended {
            Ok(()) => Outcome::Proven,
            Err(Halt::Store(error)) => return Err(error),
            Err(Halt::Behind(error)) => Outcome::Behind(error),
            Err(Halt::Failed(error)) => Outcome::Failed(error),
            Err(Halt::Stopped) => Outcome::Interrupted,
            Err(Halt::PositionLost(why)) => {
                lost = Some(why.clone());
                Outcome::Failed(PassError {
                    kind: "position-lost".to_owned(),
                    message: why,
                })
            }
        };
        match &outcome {
            Outcome::Behind(error) | Outcome::Failed(error) => tracing::warn!(
                log.name = log.shard.name,
                log.origin = origin,
                error.kind = error.kind,
                "pass over {} not finished: {}",
                crate::escape::terminal(&log.shard.name),
                crate::escape::terminal(&error.message),
            ),
            Outcome::Proven | Outcome::Interrupted => tracing::info!(
                log.name = log.shard.name,
                log.origin = origin,
                entries = pass.entries,
                "{} entries read from {}",
                pass.entries,
                crate::escape::terminal(&log.shard.name),
            ),
        }
        let entries = pass.entries;
        let report = PassReport {
            origin,
            name: log.shard.name.clone(),
            outcome,
            frozen: pass.frozen,
            witnessed: pass.witnessed,
            now: self.clock.now(),
        };
        self.store.end_pass(&report).await?;
        health::assess_log(self, log, rules, lost, report.now).await?;
        Ok(LogOutcome {
            log: report.name,
            proven: report.outcome == Outcome::Proven,
            error: match report.outcome {
                Outcome::Behind(error) | Outcome::Failed(error) => Some(error),
                Outcome::Proven | Outcome::Interrupted => None,
            },
            entries,
        })
    }
}

impl Pass<'_> {
    async fn run(&mut self) -> Result<(), Halt> {
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
        if checkpoint
            .extensions()
            .iter()
            .any(|line| line.starts_with(FROZEN))
        {
            self.frozen = Some((checkpoint.size(), checkpoint.raw().to_vec()));
        }
        Ok(())
    }

    async fn newest_checkpoint(&mut self) -> Result<Checkpoint, Halt> {
        let shard = &self.log.shard;
        let raw = self.log.source.checkpoint().await?;
        let checkpoint = Checkpoint::open(&raw, &shard.origin, &shard.verifiers)
            .map_err(|error| Halt::failed("unverifiable-checkpoint", error.to_string()))?;
        self.witnessed = checkpoint
            .cosignatures()
            .iter()
            .filter_map(|cosignature| {
                Timestamp::from_second(i64::try_from(cosignature.time).ok()?).ok()
            })
            .max();
        Ok(checkpoint)
    }

    /// Where reading begins. A start in the middle is proven before anything is recorded: the
    /// frontier there and the rest of the tree must hash to the signed root.
    async fn first_position(&self, checkpoint: &Checkpoint) -> Result<Follower, Halt> {
        let shard = &self.log.shard;
        let at = match shard.start {
            Start::Beginning => 0,
            Start::End => checkpoint.size(),
            Start::Time(since) => self.position_of(since, checkpoint).await?,
            Start::Index(at) if at <= checkpoint.size() => at,
            Start::Index(at) => {
                return Err(Halt::failed(
                    "unavailable",
                    format!(
                        "the configuration starts at entry {at}, but the log has only {}",
                        checkpoint.size()
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
                        "its tiles hash to {}, but the signed root of size {} is {}",
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
        let Some((frozen_size, frozen_note)) = &self.frozen else {
            return Ok(());
        };
        if checkpoint.size() <= *frozen_size {
            return Ok(());
        }
        let fault = LogFault::GrewAfterFreeze {
            frozen_size: *frozen_size,
            size: checkpoint.size(),
            notes: vec![frozen_note.as_slice().into(), Arc::clone(checkpoint.raw())],
        };
        let state = follower.state();
        self.record_fault(
            &fault,
            checkpoint.root(),
            position(&state),
            state,
            false,
            Vec::new(),
        )
        .await
    }
}

/// `(seen, proven)`: what an update expects to find.
pub(super) fn position(state: &FollowerState) -> (u64, u64) {
    (state.seen.size(), state.proven.size())
}
