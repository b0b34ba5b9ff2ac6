//! Compares the checkpoints in registered bundles with those of the log.
//!
//! A log that shows one history to its signers and another one to its monitors signs both. A signer receives a
//! checkpoint with the inclusion proof and stores it in the bundle: such a checkpoint contradicts the ones that are
//! monitored.

use tlog::{Checkpoint, Follower, Hash, Head};

use super::tree_pass::TreePass;
use crate::monitor::halt::Halt;
use crate::monitor::head;
use crate::source::SourceError;
use crate::store::{BundleCheckpoint, PassErrorKind, Settled};

/// Most checkpoints that are compared in one pass.
const IN_A_PASS: u32 = 1000;

/// Most of them that may take requests: a release may register thousands.
const ASKED_IN_A_PASS: u32 = 16;

/// The result of a comparison.
enum Compared {
    Settled(Settled),
    /// The log also signed this head.
    Contradicts(Box<Head>),
    /// It cannot be compared yet.
    Later,
}

impl TreePass<'_> {
    /// Compares the checkpoints that wait. A log that does not answer, or whose hashes do not lead to its own root, has
    /// not proven that it shows all readers the same history: such a pass is not finished.
    pub(in crate::monitor) async fn compare_bundle_checkpoints(
        &self,
        follower: &Follower,
    ) -> Result<(), Halt> {
        let tree = self.log.shard.id();
        let store = &self.context.store;
        let Some(head) = follower.head() else {
            return Ok(());
        };
        let mut asked = 0;
        for bundle_checkpoint in store.bundle_checkpoints(&tree, IN_A_PASS).await? {
            let shard = &self.log.shard;
            let Ok(checkpoint) = shard.open(&bundle_checkpoint.note) else {
                tracing::warn!(
                    log.name = shard.name,
                    "the checkpoint of {} in {} is not signed by a key of the log: it proves nothing",
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
                    store.settle(bundle_checkpoint.number, settled).await?;
                }
                Compared::Contradicts(first) => {
                    return Err(self
                        .split_view(*first, &checkpoint, &bundle_checkpoint)
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
            // Its signer saw more entries: it is compared when they have been read.
            return Ok(Compared::Later);
        }
        if size == head.size {
            return Ok(judged(head.root, head.clone()));
        }
        let tree = self.log.shard.id();
        if let Some(known) = self.context.store.checkpoint(&tree, size).await? {
            return Ok(judged(known.root, known));
        }
        if *asked >= ASKED_IN_A_PASS {
            return Ok(Compared::Later);
        }
        *asked += 1;
        let split = match self.log.source.split(size, head.size).await {
            Ok(split) => split,
            // Some mirrors have leaves and no hashes. Such a log can be read and proven, but this cannot be compared.
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
        // Hashes that lead to another root than the known one show nothing.
        let Some(root_at) = head::root_by_split(&split, head) else {
            return Err(Halt::failed(
                PassErrorKind::Malformed,
                format!(
                    "its tiles hash to {}, but the signed root of size {} is {}",
                    split.root(),
                    head.size,
                    head.root
                ),
            ));
        };
        Ok(judged(root_at, head.clone()))
    }

    /// The fault is recorded first: after a crash between the two, it is found again.
    async fn split_view(
        &self,
        first: Head,
        checkpoint: &Checkpoint,
        bundle_checkpoint: &BundleCheckpoint,
    ) -> Result<Halt, Halt> {
        let fault = head::fork(checkpoint.size(), first, Head::from(checkpoint));
        let halt = self.contradicted(&fault).await?;
        self.context
            .store
            .settle(bundle_checkpoint.number, Settled::Contradicts)
            .await?;
        Ok(halt)
    }
}
