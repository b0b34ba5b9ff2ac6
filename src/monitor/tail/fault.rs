//! Leaves or checkpoints of a tree that contradict what the log signed.

use std::sync::Arc;

use tlog::{Checkpoint, Follower, FollowerState, Hash, Head, LogFault};

use super::tree_pass::{TreePass, position};
use crate::finding::NewFinding;
use crate::monitor::fault;
use crate::monitor::halt::Halt;
use crate::monitor::head::{self, Smaller};
use crate::store::{Dispute, PassError, PassErrorKind, StoreError};

impl TreePass<'_> {
    /// The leaves did not hash to the signed root. If the log's own hashes lead to the new root but not to the one that it
    /// signed before, it signed two histories; otherwise the leaves are false. `from` is the recorded state; `findings` are
    /// those of the false batch.
    pub(super) async fn mismatch(
        &self,
        follower: &Follower,
        from: &FollowerState,
        fault: LogFault,
        findings: Vec<NewFinding>,
    ) -> Result<Halt, StoreError> {
        let state = follower.state();
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
            if let Some(first) = state.proven_head.clone()
                && let Some(root) = self.root_at(*since, &second).await
                && root != first.root
            {
                fault = head::fork(*since, first, second);
            }
        }
        let dispute = Dispute {
            tree: self.log.shard.id(),
            expected: position(from),
            follower: state,
            fault: fault::finding(&self.log.shard, &fault, self.now),
            occurrence: *occurrence.as_bytes(),
            batch_is_false: true,
            findings,
            now: self.now,
        };
        self.context.store.dispute(&dispute).await?;
        Ok(Halt::failed(PassErrorKind::LogFault, fault.to_string()))
    }

    /// A signed root contradicts one that was signed before.
    pub(super) async fn contradicted(&self, fault: &LogFault) -> Result<Halt, StoreError> {
        let occurrence = match fault {
            LogFault::Fork { second, .. } => second.root,
            _ => Hash::new([0; 32]),
        };
        self.record_fault(fault, occurrence).await
    }

    /// A validly signed checkpoint that is smaller than the largest one: a fork, a rollback, or a replica that lags.
    pub(super) async fn behind(
        &self,
        follower: &Follower,
        checkpoint: &Checkpoint,
    ) -> Result<Halt, StoreError> {
        let Some(largest) = follower.head() else {
            return Ok(Halt::failed(
                PassErrorKind::Behind,
                "a checkpoint below nothing".to_owned(),
            ));
        };
        let shown = Head::from(checkpoint);
        let smaller = Smaller {
            shown: &shown,
            largest,
        };
        let tree = self.log.shard.id();
        let recorded = self.context.store.checkpoint(&tree, shown.size).await?;
        let root = self.root_at(shown.size, largest);
        if let Some(first) = smaller.contradicts(recorded, root).await {
            return self
                .contradicted(&head::fork(shown.size, first, shown.clone()))
                .await;
        }
        // The time at which the pass is recorded, not that of its start: it may have lasted long.
        let now = self.context.clock.now();
        if let Some(fault) = smaller.rollback(self.state.as_ref(), &self.log.shard, now) {
            self.record_fault(&fault, shown.root).await?;
        }
        let message = format!(
            "its newest checkpoint has {} entries, but it showed {} before",
            shown.size, largest.size
        );
        Ok(Halt::Behind(PassError::new(PassErrorKind::Behind, message)))
    }

    /// Records a fault that leaves the position where it is.
    pub(super) async fn record_fault(
        &self,
        fault: &LogFault,
        occurrence: Hash,
    ) -> Result<Halt, StoreError> {
        fault::record(self.context, &self.log.shard, fault, occurrence, self.now).await
    }

    /// The root of the first `size` leaves by the log's own hashes, if these lead to the root of `head`.
    async fn root_at(&self, size: u64, head: &Head) -> Option<Hash> {
        let split = self.log.source.split(size, head.size).await.ok()?;
        head::root_by_split(&split, head)
    }
}
