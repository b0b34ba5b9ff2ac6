//! Reads a proven range of one tree again, for watches that were added or changed after it was read.

use std::ops::Range;
use std::sync::Arc;

use futures_util::StreamExt as _;
use tlog::{CompactRange, Hash, Head, LogFault, Node, Split, TrackedRange};

use super::keep::places;
use super::read::{BATCH_FINDINGS, Unrecorded};
use super::scan::{Scanned, scanned};
use super::tree_pass::TreePass;
use crate::finding::NewFinding;
use crate::judge::Rules;
use crate::monitor::context::Context;
use crate::monitor::halt::Halt;
use crate::monitor::health::{self, Noticed, Subject};
use crate::monitor::log::Log;
use crate::monitor::outcome::RescanError;
use crate::monitor::pass_end::Ended;
use crate::store::{Kept, Outcome, PassErrorKind, Rescanned, StoreError, Uneven, WatchSet};

/// A rescan is recorded in steps of this many entries. Each step is proven by itself, and an interrupted rescan
/// continues after the last one.
const STEP_ENTRIES: u64 = 64 * 256;

pub(in crate::monitor) async fn rescan_tree(
    context: &Context,
    log: &Log,
    rules: &Arc<Rules>,
    only: Option<&str>,
) -> Result<(u64, u64), RescanError> {
    let tree = log.shard.id();
    context.store.watching(&tree, rules.watch_set()).await?;
    let Some(state) = context.store.tree(&tree).await? else {
        return Ok((0, 0));
    };
    let Some(follower) = state.follower.clone() else {
        return Ok((0, 0));
    };
    let coverage = context
        .store
        .tree_coverage(rules.watch_set(), Some(&tree))
        .await?;
    let gapped: Vec<Uneven> = coverage
        .into_iter()
        .flat_map(|tree| tree.uneven)
        .filter(|uneven| !uneven.gaps.is_empty())
        .filter(|uneven| only.is_none_or(|name| uneven.watch.name == name))
        .collect();
    let (Some(head), false) = (follower.proven_head.clone(), gapped.is_empty()) else {
        return Ok((0, 0));
    };
    let watches: WatchSet = gapped.iter().map(|c| c.watch.clone()).collect();
    let pass = TreePass::new(context, log, rules, Some(state)).await?;
    context.progress.begin();
    let mut done = (0, 0);
    let mut ended = pass.expect_base();
    for gap in union(&gapped) {
        if ended.is_err() {
            break;
        }
        // Entries that are read and not proven yet are covered by the pass that proves them.
        let gap = gap.start..gap.end.min(head.size);
        context
            .progress
            .goal(&log.shard.name, gap.end.saturating_sub(gap.start));
        let rescan = pass.rescan_gap(gap, &head, &watches, &mut done);
        ended = pass.deadline.bound(rescan).await;
    }
    context.progress.end();
    let subject = Subject::of(&log.shard);
    let now = context.clock.now();
    let noticed = Noticed {
        issuer_burst: pass
            .unknown_issuers
            .sentence(&log.shard.name, rules.authorities(), now),
        ..Noticed::default()
    };
    health::assess_log(&*context.store, &subject, rules, noticed, now).await?;
    match Ended::of(ended)?.outcome {
        Outcome::Proven => Ok(done),
        Outcome::Interrupted => Err(RescanError::Stopped),
        Outcome::Behind(error) | Outcome::Failed(error) => Err(RescanError::Log {
            log: log.shard.name.clone(),
            error,
        }),
    }
}

/// What was read again and is not recorded yet.
struct Step {
    from: u64,
    findings: Vec<NewFinding>,
    /// The entries that were found wait for hashes here,
    tracked: TrackedRange,
    /// and these are known.
    hashes: Vec<(Node, Hash)>,
    read: Unrecorded,
    /// The end of the gap that it is a part of.
    gap_end: u64,
}

impl TreePass<'_> {
    /// Reads a proven range again, in steps that are recorded one by one. `done` counts their entries and new findings.
    ///
    /// The frontiers before the range and after each step belong to the proven tree: adding the leaves of a step to the
    /// one before must lead to the one after it.
    async fn rescan_gap(
        &self,
        gap: Range<u64>,
        head: &Head,
        watches: &WatchSet,
        done: &mut (u64, u64),
    ) -> Result<(), Halt> {
        if gap.is_empty() {
            return Ok(());
        }
        let clock = &self.context.clock;
        let mut frontier = self.frontier(gap.start, head).await?;
        let mut step = Step {
            from: gap.start,
            findings: Vec::new(),
            tracked: TrackedRange::new(&frontier, |_| false),
            hashes: Vec::new(),
            read: Unrecorded::since(clock.now()),
            gap_end: gap.end,
        };
        let scanned = scanned(
            self.log,
            gap.clone(),
            head.size,
            self.rules,
            &self.context.budget,
            self.now,
        );
        let mut scanned = std::pin::pin!(scanned);
        while frontier.size() < gap.end {
            let next = tokio::select! {
                biased;
                () = self.context.stop.wait() => return Err(Halt::Stopped),
                next = scanned.next() => next,
                () = tokio::time::sleep(step.read.time_left(clock.now())), if step.from < frontier.size() => {
                    self.record_step(&frontier, head, watches, &mut step, done).await?;
                    continue;
                }
            };
            let Some(next) = next else {
                // The source must return all leaves or an error.
                return Err(Halt::failed(
                    PassErrorKind::Malformed,
                    format!("its leaves end at {}, before {}", frontier.size(), gap.end),
                ));
            };
            let Scanned {
                hashes,
                findings,
                unknown_authorities,
                ..
            } = next?;
            self.context.unknown_authorities.add(unknown_authorities);
            self.context.progress.read(hashes.len() as u64);
            let found = places(&findings, self.log.shard.base);
            let known = &mut step.hashes;
            for hash in hashes {
                let is_found = found.contains(&frontier.size());
                step.tracked
                    .push(hash, is_found, &mut |node, hash| known.push((node, hash)));
                frontier.push(hash);
            }
            step.findings.extend(findings);
            let length = frontier.size() - step.from;
            if length >= STEP_ENTRIES
                || step.findings.len() >= BATCH_FINDINGS
                || frontier.size() >= gap.end
                || step.read.is_due(clock.now())
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

    /// Records the findings of a step, if its leaves are those of the proven tree.
    async fn record_step(
        &self,
        frontier: &CompactRange,
        head: &Head,
        watches: &WatchSet,
        step: &mut Step,
        done: &mut (u64, u64),
    ) -> Result<(), Halt> {
        let reached = frontier.size();
        let split = self.split(reached, head).await?;
        if *frontier != split.frontier() {
            return Err(self.false_leaves(head, frontier.root()).await?);
        }
        let kept = self.kept(step, frontier, &split, head);
        let mut findings = std::mem::take(&mut step.findings);
        for found in &mut findings {
            found.finding.proven = Some(true);
        }
        let new = self
            .context
            .store
            .rescanned(&Rescanned {
                tree: self.log.shard.id(),
                range: step.from..reached,
                watches: watches.clone(),
                closes_gap: reached >= step.gap_end,
                findings,
                kept,
                now: self.now,
            })
            .await?;
        *done = (done.0 + reached - step.from, done.1 + new);
        step.from = reached;
        step.read = Unrecorded::since(self.context.clock.now());
        Ok(())
    }

    /// What proves the entries that were found in a step, in the proven tree. The next step begins.
    fn kept(&self, step: &mut Step, frontier: &CompactRange, split: &Split, head: &Head) -> Kept {
        let next = TrackedRange::new(frontier, |_| false);
        let mut tracked = std::mem::replace(&mut step.tracked, next);
        let mut hashes = std::mem::take(&mut step.hashes);
        if !tracked.is_tracking() {
            return Kept::default();
        }
        let mut add = |node, hash| hashes.push((node, hash));
        tracked.push_rest(split, &mut add);
        tracked.finish(&mut add);
        Kept {
            hashes,
            heads: vec![head.clone()],
            trusted_root: self.rules.trusted_root(),
            ..Kept::default()
        }
    }

    /// The frontier of the first `at` leaves of the proven tree, from the hashes of the log.
    pub(super) async fn frontier(&self, at: u64, head: &Head) -> Result<CompactRange, Halt> {
        Ok(self.split(at, head).await?.frontier())
    }

    /// The proven tree, split there, from the hashes of the log.
    async fn split(&self, at: u64, head: &Head) -> Result<Split, Halt> {
        let split = self.log.source.split(at, head.size).await?;
        if split.root() != head.root {
            return Err(self.false_leaves(head, split.root()).await?);
        }
        Ok(split)
    }

    /// The log shows other leaves than those that were proven: no finding of them is recorded.
    async fn false_leaves(&self, head: &Head, computed: Hash) -> Result<Halt, StoreError> {
        let fault = LogFault::RootMismatch {
            since: 0,
            size: head.size,
            computed,
            signed: head.root,
            note: head.note.clone(),
            proven_note: None,
        };
        self.record_fault(&fault, computed).await
    }
}

/// The union of the gaps of all these watches, in order.
fn union(gapped: &[Uneven]) -> Vec<Range<u64>> {
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
