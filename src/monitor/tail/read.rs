//! From the seen position to the newest head: fetch, scan, absorb, commit.

use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use tlog::{AbsorbError, Checkpoint, Follower, FollowerState, Head};

use super::pass::{Halt, Pass, position};
use super::scan::{Scanned, scanned};
use crate::finding::NewFinding;
use crate::monitor::health::time_reports::TimeSource;
use crate::store::Batch;

/// A batch is committed when it holds this many entries: a transaction for each bundle would spend
/// more time on the disk than on the entries, and what is not committed is read again after a crash.
const BATCH_ENTRIES: u64 = 16 * 256;

/// A batch is committed when it holds this many findings, whatever its entries: memory stays flat
/// in a flood.
const BATCH_FINDINGS: usize = 1_000;

/// A batch is committed when its reading has taken this long, whatever its size: a log that answers slowly, read by a
/// process that is killed again and again, would otherwise be read from the same entry for ever.
const BATCH_TIME: SignedDuration = SignedDuration::from_secs(2);

/// How long the entries have been read that are not recorded yet, by the clock that is handed in.
///
/// A clock that was set back says nothing about it: then it is too long, which costs one early commit.
#[derive(Debug, Clone, Copy)]
pub(in crate::monitor) struct Unrecorded {
    since: Timestamp,
}

impl Unrecorded {
    pub(in crate::monitor) const fn since(since: Timestamp) -> Self {
        Self { since }
    }

    /// Whether they have to be recorded now.
    pub(in crate::monitor) fn is_due(self, now: Timestamp) -> bool {
        !(SignedDuration::ZERO..BATCH_TIME).contains(&now.duration_since(self.since))
    }

    /// How long they may wait for more.
    pub(in crate::monitor) fn patience(self, now: Timestamp) -> Duration {
        let left = BATCH_TIME - now.duration_since(self.since);
        // Nothing is left if it is due, and no more than all of it.
        Duration::try_from(left.min(BATCH_TIME)).unwrap_or_default()
    }
}

/// What has been read but not recorded.
struct Pending {
    from: FollowerState,
    findings: Vec<NewFinding>,
    checkpoints: Vec<Head>,
    read: Unrecorded,
}

impl Pass<'_> {
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
            read: Unrecorded::since(self.monitor.clock.now()),
        };
        let until = checkpoint.map_or(u64::MAX, Checkpoint::size);
        let ended = self.read_all(follower, &mut pending, until).await;
        // Whatever ended it: what was read is recorded before it is said. (A batch that turned out
        // false was recorded with its fault, and nothing is pending then.)
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
        let progress = &self.monitor.progress;
        progress.goal(&self.log.shard.name, range.end - range.start);
        let scanned = scanned(self.log, range.clone(), range.end, self.rules, self.now);
        let mut scanned = std::pin::pin!(scanned);
        loop {
            let has_read = follower.seen() > pending.from.seen.size();
            let patience = pending.read.patience(self.monitor.clock.now());
            let next = tokio::select! {
                biased;
                () = self.monitor.stop.wait() => return Err(Halt::Stopped),
                next = scanned.next() => next,
                // Last: what is there is taken, so each turn gets on.
                () = self.deadline.wait() => return Err(Halt::Stopped),
                // Nor does what was read wait for a log that falls silent.
                () = tokio::time::sleep(patience), if has_read => {
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
            } = next?;
            if let Some(logged) = logged_about {
                let teller = TimeSource::Certificates(self.log.shard.name.clone());
                self.monitor.time_reports.add(teller, logged, self.now);
            }
            let count = hashes.len() as u64;
            pending.findings.extend(findings);
            match follower.absorb(start, hashes) {
                Ok(_) => {}
                Err(AbsorbError::Fault(fault)) => {
                    let from = std::mem::replace(&mut pending.from, follower.state());
                    let findings = std::mem::take(&mut pending.findings);
                    pending.checkpoints.clear();
                    return Err(self.mismatch(follower, &from, fault, findings).await?);
                }
                Err(error) => return Err(Halt::failed("malformed", error.to_string())),
            }
            for unknown_issuer in unknown_issuers {
                self.unknown_issuers.count(unknown_issuer, self.now);
            }
            self.entries += count;
            progress.read(count);
            let unrecorded = follower.seen() - pending.from.seen.size();
            if unrecorded >= BATCH_ENTRIES
                || pending.findings.len() >= BATCH_FINDINGS
                || pending.read.is_due(self.monitor.clock.now())
            {
                self.commit(follower, pending).await?;
            }
            if self.deadline.is_over() && follower.seen() < range.end {
                return Err(Halt::Stopped);
            }
        }
    }

    /// Findings and position move together: if we crash before this commits, the leaves are read
    /// again and the finding ids make the repeats harmless.
    async fn commit(&self, follower: &Follower, pending: &mut Pending) -> Result<(), Halt> {
        let state = follower.state();
        if state == pending.from && pending.findings.is_empty() {
            pending.read = Unrecorded::since(self.monitor.clock.now());
            return Ok(());
        }
        self.monitor
            .store
            .commit(&Batch {
                origin: self.log.shard.origin.as_str().to_owned(),
                expected: position(&pending.from),
                follower: state.clone(),
                checkpoints: std::mem::take(&mut pending.checkpoints),
                findings: std::mem::take(&mut pending.findings),
                now: self.now,
            })
            .await?;
        let origin = self.log.shard.origin.as_str();
        self.monitor.reached.proven(origin, state.proven.size());
        pending.from = state;
        // What the commit itself took is no reading.
        pending.read = Unrecorded::since(self.monitor.clock.now());
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
        for (now, due, patience) in [
            (10_000, false, 2_000),
            (11_999, false, 1),
            (12_000, true, 0),
            (99_000, true, 0),
            (9_999, true, 2_000),
            (0, true, 2_000),
        ] {
            assert_eq!(read.is_due(at(now)), due, "{now}");
            assert_eq!(
                read.patience(at(now)),
                Duration::from_millis(patience),
                "{now}"
            );
        }
    }
}
