//! Reads from the stored position to the newest head: fetch, scan, absorb, commit.

use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use tlog::{AbsorbError, Checkpoint, Follower, FollowerState, Head};

use super::keep::{Keeper, places};
use super::scan::{Scanned, scanned};
use super::tree_pass::{TreePass, position};
use crate::finding::NewFinding;
use crate::monitor::halt::Halt;
use crate::monitor::health::TimeSource;
use crate::store::{Batch, Kept, PassErrorKind};

/// A batch is committed when it has this many entries. A transaction for each bundle would take more time than its
/// entries; entries that are not committed are read again after a crash.
const BATCH_ENTRIES: u64 = 16 * 256;

/// A batch is committed when it has this many findings, so that its memory is bounded.
pub(super) const BATCH_FINDINGS: usize = 1_000;

/// A batch is committed after this time, whatever its size. Otherwise a slow log, read by a process that is killed
/// again and again, would always be read from the same entry.
const BATCH_TIME: SignedDuration = SignedDuration::from_secs(2);

/// How long ago the oldest entry was read that is not recorded yet.
///
/// If the clock was set back, that is not known, and the batch is committed at once.
#[derive(Debug, Clone, Copy)]
pub(in crate::monitor) struct Unrecorded {
    since: Timestamp,
}

impl Unrecorded {
    pub(in crate::monitor) const fn since(since: Timestamp) -> Self {
        Self { since }
    }

    /// Whether the batch must be committed now.
    pub(in crate::monitor) fn is_due(self, now: Timestamp) -> bool {
        !(SignedDuration::ZERO..BATCH_TIME).contains(&now.duration_since(self.since))
    }

    /// How long it may wait for more entries.
    pub(in crate::monitor) fn time_left(self, now: Timestamp) -> Duration {
        let left = BATCH_TIME - now.duration_since(self.since);
        // Zero if it is due, and at most all of it.
        Duration::try_from(left.min(BATCH_TIME)).unwrap_or_default()
    }
}

/// What was read and is not recorded yet.
struct Pending {
    from: FollowerState,
    findings: Vec<NewFinding>,
    checkpoints: Vec<Head>,
    read: Unrecorded,
}

impl TreePass<'_> {
    /// Reads up to the checkpoint, or to the largest head without one. `before` is the recorded
    /// state, from before `checkpoint` was offered.
    pub(in crate::monitor) async fn read(
        &mut self,
        follower: &mut Follower,
        before: &FollowerState,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<(), Halt> {
        let mut pending = Pending {
            from: before.clone(),
            findings: Vec::new(),
            checkpoints: checkpoint.map(Head::from).into_iter().collect(),
            read: Unrecorded::since(self.context.clock.now()),
        };
        if self.keeper.is_none() {
            let tree = self.log.shard.id();
            self.keeper = Some(Keeper::resumed(&*self.context.store, &tree, before).await?);
        }
        let until = checkpoint.map_or(u64::MAX, Checkpoint::size);
        let ended = self.read_all(follower, &mut pending, until).await;
        // What was read is recorded, whatever the reason for the end. (After a false batch, which is recorded with its
        // fault, nothing is pending.)
        if !matches!(ended, Err(Halt::Store(_))) {
            self.commit(follower, &mut pending).await?;
        }
        ended
    }

    async fn read_all(
        &mut self,
        follower: &mut Follower,
        pending: &mut Pending,
        until: u64,
    ) -> Result<(), Halt> {
        let Some(range) = follower.want(until.saturating_sub(follower.seen())) else {
            return Ok(());
        };
        let progress = &self.context.progress;
        progress.goal(&self.log.shard.name, range.end - range.start);
        let scanned = scanned(
            self.log,
            range.clone(),
            range.end,
            self.rules,
            &self.context.budget,
            self.now,
        );
        let mut scanned = std::pin::pin!(scanned);
        loop {
            let has_read = follower.seen() > pending.from.seen.size();
            let time_left = pending.read.time_left(self.context.clock.now());
            let next = tokio::select! {
                biased;
                () = self.context.stop.wait() => return Err(Halt::Stopped),
                next = scanned.next() => next,
                // Last, so that leaves that have arrived are used and each pass makes progress.
                () = self.deadline.wait() => return Err(Halt::Stopped),
                // Entries that were read are committed even if the log stops answering.
                () = tokio::time::sleep(time_left), if has_read => {
                    self.commit(follower, pending).await?;
                    continue;
                }
            };
            let Some(next) = next else { return Ok(()) };
            let Scanned {
                start,
                hashes,
                findings,
                logged_about,
                unknown_issuers,
                unknown_authorities,
            } = next?;
            self.context.unknown_authorities.add(unknown_authorities);
            if let Some(logged) = logged_about {
                let source = TimeSource::Certificates(self.log.shard.name.clone());
                self.context.time_reports.add(source, logged, self.now);
            }
            let count = hashes.len() as u64;
            let found = places(&findings, self.log.shard.base);
            pending.findings.extend(findings);
            let keeper = self.keeper.get_or_insert_default();
            let before = keeper.begins_with(&found).then(|| follower.state().seen);
            match follower.absorb(start, hashes.iter().copied()) {
                Ok(absorbed) => {
                    let proven = absorbed.proven.and_then(|_| follower.state().proven_head);
                    keeper.absorbed(before, &hashes, &found, proven.as_ref());
                }
                Err(AbsorbError::Fault(fault)) => {
                    pending.checkpoints.clear();
                    let findings = self.commit_proven(follower, pending).await?;
                    self.keeper = Some(Keeper::default());
                    let from = std::mem::replace(&mut pending.from, follower.state());
                    return Err(self.mismatch(follower, &from, fault, findings).await?);
                }
                Err(error) => {
                    return Err(Halt::failed(PassErrorKind::Malformed, error.to_string()));
                }
            }
            for unknown_issuer in unknown_issuers {
                self.unknown_issuers.count(unknown_issuer, self.now);
            }
            self.entries += count;
            progress.read(count);
            let unrecorded = follower.seen() - pending.from.seen.size();
            if unrecorded >= BATCH_ENTRIES
                || pending.findings.len() >= BATCH_FINDINGS
                || pending.read.is_due(self.context.clock.now())
            {
                self.commit(follower, pending).await?;
            }
            if self.deadline.is_over() && follower.seen() < range.end {
                return Err(Halt::Stopped);
            }
        }
    }

    /// After a fault, when the follower is back at its proven position: commits what was proven since the last commit, and
    /// returns the findings behind it. A fault that is found later takes nothing back that a checkpoint covered before.
    async fn commit_proven(
        &mut self,
        follower: &Follower,
        pending: &mut Pending,
    ) -> Result<Vec<NewFinding>, Halt> {
        let proven = follower.proven();
        let mut findings = std::mem::take(&mut pending.findings);
        if proven > pending.from.proven.size() {
            let end = self.log.shard.base.saturating_add(proven);
            let is_proven = |new: &mut NewFinding| new.finding.index.is_some_and(|at| at < end);
            pending.findings = findings.extract_if(.., is_proven).collect();
            self.commit(follower, pending).await?;
        }
        Ok(findings)
    }

    /// Findings and position are committed together. After a crash before this commit, the leaves are read again; the
    /// ids of findings make that harmless.
    async fn commit(&mut self, follower: &Follower, pending: &mut Pending) -> Result<(), Halt> {
        let state = follower.state();
        if state == pending.from && pending.findings.is_empty() {
            pending.read = Unrecorded::since(self.context.clock.now());
            return Ok(());
        }
        let batch_findings = std::mem::take(&mut pending.findings);
        let ids: Vec<_> = batch_findings
            .iter()
            .map(|new| (new.finding.id, new.finding.verdict))
            .collect();
        let keeper = self.keeper.get_or_insert_default();
        keeper.proven(state.proven_head.as_ref());
        let kept = Kept {
            trusted_root: self.rules.trusted_root(),
            ..keeper.take()
        };
        self.context
            .store
            .commit(&Batch {
                tree: self.log.shard.id(),
                expected: position(&pending.from),
                follower: state.clone(),
                checkpoints: std::mem::take(&mut pending.checkpoints),
                findings: batch_findings,
                kept,
                now: self.now,
            })
            .await?;
        for (id, verdict) in ids {
            let span = tracing::info_span!("finding", finding = %id);
            span.in_scope(|| tracing::info!("a finding is recorded: {verdict}"));
        }
        let tree = self.log.shard.id();
        self.context.reached.proven(tree, state.proven.size());
        pending.from = state;
        // The time of the commit does not count.
        pending.read = Unrecorded::since(self.context.clock.now());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_due_after_two_seconds_and_when_the_clock_was_set_back() {
        let at = |millisecond| Timestamp::from_millisecond(millisecond).unwrap_or_default();
        let read = Unrecorded::since(at(10_000));
        for (now, due, time_left) in [
            (10_000, false, 2_000),
            (11_999, false, 1),
            (12_000, true, 0),
            (99_000, true, 0),
            (9_999, true, 2_000),
            (0, true, 2_000),
        ] {
            assert_eq!(read.is_due(at(now)), due, "{now}");
            assert_eq!(
                read.time_left(at(now)),
                Duration::from_millis(time_left),
                "{now}"
            );
        }
    }
}
