//! One pass over one tree, from its newest checkpoint to a proven position.

use std::sync::Arc;

use tlog::{Checkpoint, CompactRange, Follower, Head, LogFault, Offer};

use super::start_position::position_of;
use super::tree_pass::TreePass;
use crate::judge::Rules;
use crate::log::{Part, Start};
use crate::monitor::context::Context;
use crate::monitor::halt::Halt;
use crate::monitor::head;
use crate::monitor::health::{Noticed, Signatures, TimeSource};
use crate::monitor::log::Log;
use crate::monitor::outcome::LogOutcome;
use crate::monitor::pass_end::{self, Ended};
use crate::store::{NewTree, PassErrorKind, PassReport, StoreError};

/// The line in the last checkpoint of a Rekor v2 shard that has ended (rekor-tiles `freeze-checkpoint`).
const FROZEN: &str = "Log frozen";

/// One pass over one tree.
pub(in crate::monitor) async fn pass_over(
    context: &Context,
    log: &Log,
    rules: &Arc<Rules>,
) -> Result<LogOutcome, StoreError> {
    let tree = log.shard.id();
    let state = context.store.tree(&tree).await?;
    context.reached.expect(&tree, state.as_ref())?;
    let mut pass = TreePass::new(context, log, rules, state).await?;
    let counted = pass.unknown_issuers.clone();
    pass.unknown_issuers.correct_future_times(pass.now);
    let deadline = pass.deadline;
    let run = deadline.bound(pass.run()).await;
    let Ended {
        outcome,
        rate_limited,
    } = Ended::of(run)?;
    if pass.unknown_issuers != counted {
        pass.unknown_issuers.save(&*context.store, &tree).await?;
    }
    let issuer_burst =
        pass.unknown_issuers
            .sentence(&log.shard.name, rules.authorities(), pass.now);
    let report = PassReport {
        frozen: pass.frozen,
        witnessed: pass.witnessed,
        began: pass.now,
        entries: pass.entries,
        rate_limited,
        head_time: pass.head_time,
        ..PassReport::new(
            log.shard.log.clone(),
            Part::Tree(tree),
            &log.shard.name,
            outcome,
            context.clock.now(),
        )
    };
    if let Some(error) = report.outcome.error() {
        pass_end::say(&report.name, report.key(), error);
    } else {
        tracing::info!(
            log.name = report.name,
            log.origin = report.key(),
            entries = report.entries,
            "{} entries read from {}",
            report.entries,
            crate::escape::terminal(&report.name),
        );
    }
    let lost = report.outcome.error();
    let lost = lost.filter(|error| error.kind == PassErrorKind::PositionLost);
    let noticed = Noticed {
        lost: lost.map(|error| error.message.clone()),
        issuer_burst,
        ..Noticed::default()
    };
    let signatures = pass.signatures.as_ref();
    pass_end::end_of_tree(context, &report, &log.shard, rules, noticed, signatures).await?;
    if let Some(signed) = signatures.and_then(Signatures::dated) {
        let source = TimeSource::Head(report.name.clone());
        context.time_reports.add(source, signed, report.now);
    }
    if let Some(server) = log.source.date() {
        let source = TimeSource::Server(server.host);
        context.time_reports.add(source, server.now, report.now);
    }
    Ok(report.into())
}

impl TreePass<'_> {
    async fn run(&mut self) -> Result<(), Halt> {
        self.expect_base()?;
        let saved = self.state.as_ref().and_then(|state| state.follower.clone());
        // Before any request: a damaged position is found without one.
        let follower = saved
            .map(|saved| {
                Follower::resume(saved)
                    .map_err(|error| Halt::failed(PassErrorKind::PositionLost, error.to_string()))
            })
            .transpose()?;
        let checkpoint = self.newest_checkpoint().await?;
        let mut follower = match follower {
            Some(follower) => follower,
            None => self.first_position(&checkpoint).await?,
        };
        self.context
            .store
            .watching(&self.log.shard.id(), self.rules.watch_set())
            .await?;
        self.record_growth_after_end(&checkpoint).await?;
        loop {
            let before = follower.state();
            match follower.offer(&checkpoint) {
                Ok(Offer::Ahead | Offer::Known) => {
                    self.read(&mut follower, &before, Some(&checkpoint)).await?;
                    break;
                }
                // Heads of earlier passes must be reached first.
                Ok(Offer::Full) => self.read(&mut follower, &before, None).await?,
                // The leaves of a smaller checkpoint are read and proven before its size is judged.
                Ok(Offer::Between) => {
                    self.read(&mut follower, &before, Some(&checkpoint)).await?;
                    return Err(self.behind(&follower, &checkpoint).await?);
                }
                Ok(Offer::Behind) => return Err(self.behind(&follower, &checkpoint).await?),
                // The leaves up to this size have another root: the follower went back.
                Err(fault @ LogFault::RootMismatch { .. }) => {
                    return Err(self.mismatch(&follower, &before, fault, Vec::new()).await?);
                }
                Err(fault) => {
                    let halt = self.contradicted(&fault).await?;
                    // The leaves show which of two heads of one size is false. A forged head that waits must not delay
                    // reading the true one.
                    self.read(&mut follower, &before, None).await?;
                    return Err(halt);
                }
            }
        }
        let is_marker = |line: &String| line.starts_with(FROZEN);
        if self.log.shard.ended || checkpoint.extensions().iter().any(is_marker) {
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
        self.compare_bundle_checkpoints(&follower).await?;
        self.compare_registered_entries(&follower).await
    }

    /// Verifies that the first index of the tree is unchanged. With another one, entries of existing findings would
    /// have other indexes: the log has changed the sizes or the order of its trees.
    pub(in crate::monitor) fn expect_base(&self) -> Result<(), Halt> {
        let now = self.log.shard.base;
        match &self.state {
            Some(state) if state.follower.is_some() && state.base != now => Err(Halt::failed(
                PassErrorKind::Malformed,
                format!(
                    "its first entry was number {} of the log, and would be number {now} by the sizes of its older trees now",
                    state.base
                ),
            )),
            _ => Ok(()),
        }
    }

    async fn newest_checkpoint(&mut self) -> Result<Checkpoint, Halt> {
        let shard = &self.log.shard;
        let raw = self.log.source.checkpoint().await?;
        let checkpoint = shard.open(&raw).map_err(|error| {
            Halt::failed(PassErrorKind::UnverifiableCheckpoint, error.to_string())
        })?;
        let witnesses = &self.context.settings.witnesses;
        let signatures = Signatures::of(&checkpoint, shard, witnesses);
        self.witnessed = signatures.witnessed(self.now);
        self.head_time = signatures.head_time(self.now);
        self.signatures = Some(signatures);
        Ok(checkpoint)
    }

    /// The first position. A start in the middle is proven before it is recorded: the frontier there and the rest of
    /// the tree must hash to the signed root.
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
                    PassErrorKind::Unavailable,
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
                    PassErrorKind::Malformed,
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
        self.context
            .store
            .begin(&NewTree {
                id: shard.id(),
                log: shard.log.clone(),
                name: shard.name.clone(),
                protocol: shard.protocol,
                base: shard.base,
                follower: follower.state(),
                checkpoints: vec![Head::from(checkpoint)],
                now: self.now,
            })
            .await?;
        Ok(follower)
    }

    async fn record_growth_after_end(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        match head::growth_after_end(self.frozen.as_ref(), &Head::from(checkpoint)) {
            Some(fault) => {
                self.record_fault(&fault, checkpoint.root()).await?;
                Ok(())
            }
            None => Ok(()),
        }
    }
}
