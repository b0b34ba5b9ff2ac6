//! When a log contradicts itself: which promise was broken, and what is kept as evidence.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tlog::{Checkpoint, Follower, FollowerState, Hash, Head, LogFault};

use super::pass::{Halt, Pass, position};
use crate::finding::{Evidence, Finding, FindingId, NewFinding, Severity, Verdict};
use crate::log::Shard;
use crate::store::{Dispute, LogState, PassError, StoreError};

/// A smaller checkpoint than the largest one may be a lagging replica; when it persists for this
/// many passes, and for the log's `rollback_after`, the log was rolled back.
const ROLLBACK_PASSES: u32 = 3;

/// Whether a pass that was shown a smaller checkpoint at this time makes the row of such passes a rollback.
/// `known` is what was recorded before it.
pub(in crate::monitor) fn is_rollback(
    known: Option<&LogState>,
    shard: &Shard,
    now: Timestamp,
) -> bool {
    let Some(known) = known else { return false };
    // A row that an older version counted has no beginning yet: it begins with this pass. So does one that began in the
    // future, by a clock that was wrong.
    let since = known.behind_since.unwrap_or(now).min(now);
    // A duration beyond what the calendar holds never passes.
    let lasts = SignedDuration::try_from(shard.rollback_after).unwrap_or(SignedDuration::MAX);
    known.behind_passes.saturating_add(1) >= ROLLBACK_PASSES && now.duration_since(since) >= lasts
}

/// What a log did that grew to this after it had ended, as it had said under the checkpoint of that size.
pub(in crate::monitor) fn growth_after_end(
    frozen: Option<&(u64, Vec<u8>)>,
    head: &Head,
) -> Option<LogFault> {
    let (frozen_size, note) = frozen?;
    (head.size > *frozen_size).then(|| LogFault::GrewAfterFreeze {
        frozen_size: *frozen_size,
        size: head.size,
        notes: vec![note.as_slice().into(), Arc::clone(&head.note)],
    })
}

impl Pass<'_> {
    /// The leaves did not hash to the signed root. The log itself is asked which it is: if its
    /// tiles reproduce the new root but not the one that it signed before, it signed two histories.
    /// `from` is the recorded state; `findings` are those of the false batch.
    pub(in crate::monitor) async fn mismatch(
        &self,
        follower: &Follower,
        from: &FollowerState,
        fault: LogFault,
        findings: Vec<NewFinding>,
    ) -> Result<Halt, StoreError> {
        let mut fault = fault;
        let mut occurrence = Hash::new([0; 32]);
        if let LogFault::RootMismatch {
            since,
            size,
            signed,
            note,
            ..
        } = &fault
        {
            occurrence = *signed;
            let second = Head {
                size: *size,
                root: *signed,
                note: Arc::clone(note),
            };
            if let Some(first) = follower.state().proven_head
                && let Ok(split) = self.log.source.split(*since, *size).await
                && split.root() == *signed
                && split.root_at() != first.root
            {
                fault = LogFault::Fork {
                    size: *since,
                    first: Box::new(first),
                    second: Box::new(second),
                };
            }
        }
        let dispute = Dispute {
            expected: position(from),
            batch_is_false: true,
            findings,
            ..self.dispute(&fault, occurrence, follower.state())
        };
        self.monitor.store.dispute(&dispute).await?;
        Ok(Halt::failed("log-fault", fault.to_string()))
    }

    /// A signed root contradicts one that was signed before.
    pub(in crate::monitor) async fn contradicted(
        &self,
        follower: &Follower,
        fault: LogFault,
    ) -> Result<Halt, StoreError> {
        let occurrence = match &fault {
            LogFault::Fork { second, .. } => second.root,
            _ => Hash::new([0; 32]),
        };
        self.record_fault(&fault, occurrence, follower.state())
            .await?;
        Ok(Halt::failed("log-fault", fault.to_string()))
    }

    /// A validly signed checkpoint that is smaller than the largest one: a fork if its root is not
    /// the one that we know for its size, a rollback if it persists, a lagging replica until then.
    pub(in crate::monitor) async fn behind(
        &self,
        follower: &Follower,
        checkpoint: &Checkpoint,
    ) -> Result<Halt, StoreError> {
        let Some(head) = follower.head() else {
            return Ok(Halt::failed(
                "behind",
                "a checkpoint below nothing".to_owned(),
            ));
        };
        let origin = self.log.shard.origin.as_str();
        let (size, root) = (checkpoint.size(), checkpoint.root());
        let known = self.monitor.store.checkpoint(origin, size).await?;
        let fork = match known {
            Some(first) if first.root != root => Some(first),
            Some(_) => None,
            None if size == 0 => None,
            None => match self.log.source.split(size, head.size).await {
                Ok(split) if split.root() == head.root && split.root_at() != root => {
                    Some(head.clone())
                }
                Ok(_) | Err(_) => None,
            },
        };
        if let Some(first) = fork {
            let fault = LogFault::Fork {
                size,
                first: Box::new(first),
                second: Box::new(Head::from(checkpoint)),
            };
            return self.contradicted(follower, fault).await;
        }
        let message = format!(
            "its newest checkpoint has {size} entries, but it showed {} before",
            head.size
        );
        // By the present moment, as passes are recorded: this one may have lasted long.
        let now = self.monitor.clock.now();
        if is_rollback(self.state.as_ref(), &self.log.shard, now) {
            let fault = LogFault::Rollback {
                size,
                head_size: head.size,
                notes: vec![Arc::clone(&head.note), Arc::clone(checkpoint.raw())],
            };
            self.record_fault(&fault, root, follower.state()).await?;
        }
        Ok(Halt::Behind(PassError::new("behind", message)))
    }

    /// Records a fault that leaves the position where it is.
    pub(in crate::monitor) async fn record_fault(
        &self,
        fault: &LogFault,
        occurrence: Hash,
        position: FollowerState,
    ) -> Result<(), StoreError> {
        let dispute = self.dispute(fault, occurrence, position);
        self.monitor.store.dispute(&dispute).await
    }

    fn dispute(&self, fault: &LogFault, occurrence: Hash, follower: FollowerState) -> Dispute {
        let shard = &self.log.shard;
        say(shard, fault);
        Dispute {
            origin: shard.origin.as_str().to_owned(),
            expected: position(&follower),
            follower,
            fault: finding(shard, fault, self.now),
            occurrence: *occurrence.as_bytes(),
            batch_is_false: false,
            findings: Vec::new(),
            now: self.now,
        }
    }
}

/// Says on the log of this program what a log did.
pub(in crate::monitor) fn say(shard: &Shard, fault: &LogFault) {
    tracing::error!(
        log.name = shard.name,
        log.origin = shard.origin.as_str(),
        fault = fault.kind(),
        "{} broke a promise: {fault}",
        crate::escape::terminal(&shard.name),
    );
}

/// The finding of a fault, with the signed notes as evidence.
pub(in crate::monitor) fn finding(shard: &Shard, fault: &LogFault, now: Timestamp) -> NewFinding {
    let origin = shard.origin.as_str();
    NewFinding {
        finding: Finding {
            log: Some(shard.name.clone()),
            origin: Some(origin.to_owned()),
            fault: Some(fault.kind().to_owned()),
            ..Finding::new(
                FindingId::of_fault(fault.kind(), origin, contradicted_position(fault)),
                Verdict::LogFault,
                Severity::Critical,
                format!("{} ({origin}) broke a promise: {fault}", shard.name),
                now,
            )
        },
        rule: None,
        evidence: Evidence {
            notes: fault.notes().map(|note| note.to_vec()).collect(),
            ..Evidence::default()
        },
    }
}

/// The size that is contradicted: what makes two sightings of one fault the same finding.
fn contradicted_position(fault: &LogFault) -> u64 {
    match fault {
        LogFault::RootMismatch { size, .. } | LogFault::Fork { size, .. } => *size,
        LogFault::Rollback { head_size, .. } => *head_size,
        LogFault::GrewAfterFreeze { frozen_size, .. } => *frozen_size,
        _ => 0,
    }
}
