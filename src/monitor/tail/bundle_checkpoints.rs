//! Checkpoints that registered bundles carry, compared with what the log shows here.
//!
//! A log that shows its signers one history and its monitors another signs both. Whoever signs is told a checkpoint
//! with the proof of inclusion, and keeps it in the bundle: where the two meet, they contradict each other.

use tlog::{Checkpoint, Follower, Hash, Head, LogFault};

use super::pass::{Halt, Pass};
use crate::source::SourceError;
use crate::store::{BundleCheckpoint, Settled};

/// How many are looked at in one pass.
const IN_A_PASS: u32 = 1000;

/// How many of them may cost requests: a release may register thousands, and the log is somebody's guest room.
const ASKED_IN_A_PASS: u32 = 16;

/// What a comparison says.
enum Compared {
    Settled(Settled),
    /// The log signed this one as well.
    Contradicts(Box<Head>),
    /// It cannot be told yet.
    Later,
}

impl Pass<'_> {
    /// Compares those that wait. A log that does not answer, or whose hashes do not lead to its own root, has not
    /// proven that it shows everybody the same: such a pass is not finished.
    pub(in crate::monitor) async fn compare_bundle_checkpoints(
        &self,
        follower: &Follower,
    ) -> Result<(), Halt> {
        let origin = self.log.shard.origin.as_str();
        let store = &self.monitor.store;
        let Some(head) = follower.head() else {
            return Ok(());
        };
        let mut asked = 0;
        for bundle_checkpoint in store.bundle_checkpoints(origin, IN_A_PASS).await? {
            let shard = &self.log.shard;
            let Ok(checkpoint) = shard.open(&bundle_checkpoint.note) else {
                tracing::warn!(
                    log.name = shard.name,
                    "the checkpoint of {} in {} is not signed by a key of the log: it says nothing",
                    crate::escape::terminal(&shard.name),
                    crate::escape::terminal(&bundle_checkpoint.file),
                );
                store
                    .settle(bundle_checkpoint.number, Settled::Unknown)
                    .await?;
                continue;
            };
            match self.compare(head, &checkpoint, &mut asked).await? {
                Compared::Later => {}
                Compared::Settled(settled) => {
                    store.settle(bundle_checkpoint.number, settled).await?
                }
                Compared::Contradicts(first) => {
                    return Err(self
                        .split_view(follower, *first, &checkpoint, &bundle_checkpoint)
                        .await?);
                }
            }
        }
        Ok(())
    }

    async fn compare(
        &self,
        head: &Head,
        checkpoint: &Checkpoint,
        asked: &mut u32,
    ) -> Result<Compared, Halt> {
        let (size, root) = (checkpoint.size(), checkpoint.root());
        let judged = |ours: Hash, first: Head| {
            if ours == root {
                Compared::Settled(Settled::Agrees)
            } else {
                Compared::Contradicts(Box::new(first))
            }
        };
        if size == 0 {
            return Ok(Compared::Settled(Settled::Agrees));
        }
        if size > head.size {
            // Its signer was shown more than we: it is compared when we have read that far.
            return Ok(Compared::Later);
        }
        if size == head.size {
            return Ok(judged(head.root, head.clone()));
        }
        let origin = self.log.shard.origin.as_str();
        if let Some(known) = self.monitor.store.checkpoint(origin, size).await? {
            return Ok(judged(known.root, known));
        }
        if *asked >= ASKED_IN_A_PASS {
            return Ok(Compared::Later);
        }
        *asked += 1;
        let split = match self.log.source.split(size, head.size).await {
            Ok(split) => split,
            // Some mirrors hold leaves and no hashes. Their log can be read and proven, and not be asked this.
            Err(SourceError::Absent { resource, .. }) => {
                tracing::info!(
                    log.name = self.log.shard.name,
                    "{} has no {}: a checkpoint of a registered bundle waits to be compared",
                    crate::escape::terminal(&self.log.shard.name),
                    crate::escape::terminal(&resource),
                );
                return Ok(Compared::Later);
            }
            Err(error) => return Err(error.into()),
        };
        // Only hashes that lead to the root that we know say anything.
        if split.root() != head.root {
            return Err(Halt::failed(
                "malformed",
                format!(
                    "its tiles hash to {}, but the signed root of size {} is {}",
                    split.root(),
                    head.size,
                    head.root
                ),
            ));
        }
        Ok(judged(split.root_at(), head.clone()))
    }

    /// The fault is recorded before the comparison is settled: if we crash between the two, it is found again.
    async fn split_view(
        &self,
        follower: &Follower,
        first: Head,
        checkpoint: &Checkpoint,
        bundle_checkpoint: &BundleCheckpoint,
    ) -> Result<Halt, Halt> {
        let fault = LogFault::Fork {
            size: checkpoint.size(),
            first: Box::new(first),
            second: Box::new(Head::from(checkpoint)),
        };
        let halt = self.contradicted(follower, fault).await?;
        self.monitor
            .store
            .settle(bundle_checkpoint.number, Settled::Contradicts)
            .await?;
        Ok(halt)
    }
}
