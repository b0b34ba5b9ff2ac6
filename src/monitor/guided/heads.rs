//! Verifies the checkpoints of the trees of a guided log: each must be consistent with the last one that was recorded.

use std::sync::Arc;

use tlog::{Head, KeyName, LogFault};

use super::state::GuidedPass;
use super::trees::Trees;
use crate::log::{Part, Shard, TreeId};
use crate::monitor::fault;
use crate::monitor::halt::Halt;
use crate::monitor::head::{self, Inconsistent, Smaller};
use crate::monitor::health::{Noticed, Signatures};
use crate::monitor::pass_end::{self, Ended};
use crate::monitor::prove::KnownTree;
use crate::monitor::rekor_v1::SignedOrigin;
use crate::source::SourceError;
use crate::source::rekor_v1::{TreeHead, TreeNumber};
use crate::store::{
    ListedTree, Outcome, PassError, PassErrorKind, PassReport, StoreError, TreeState, VerifiedHead,
};

impl GuidedPass<'_> {
    /// The trees with their newest heads. An error of one tree is recorded, and the tree keeps its last head. If that
    /// is not known, the indexes of all later entries are not known either: `None`.
    pub(super) async fn trees(&mut self, answer: &[TreeHead]) -> Result<Option<Trees>, Halt> {
        let Some((signed_name, shards)) = self.record_trees(answer).await? else {
            let why = "it lists no tree".to_owned();
            return Err(Halt::failed(PassErrorKind::UnverifiableCheckpoint, why));
        };
        let mut trees = Trees {
            signed_name,
            list: Vec::new(),
        };
        for (place, (listed, mut shard)) in answer.iter().zip(shards).enumerate() {
            shard.base = trees.total();
            if place + 1 < answer.len() {
                // A tree with a newer one after it must not change any more.
                shard.ended = true;
                shard.silence_after = None;
            }
            let known = self.context.store.tree(&shard.id()).await?;
            match self.tree(shard, listed, known).await? {
                Some(tree) => trees.list.push(tree),
                // Entries in the older trees can be found without the newest one.
                None if place > 0 && place + 1 == answer.len() => {}
                None => return Ok(None),
            }
        }
        self.report_missing(&trees).await?;
        Ok(Some(trees))
    }

    /// Records which trees the log lists. Returns the name of the log that all of their origins have in common, and the trees
    /// in this order, each with a base of 0; `None`: it lists none.
    async fn record_trees(
        &self,
        answer: &[TreeHead],
    ) -> Result<Option<(KeyName, Vec<Shard>)>, Halt> {
        let unverifiable = |why: String| Halt::failed(PassErrorKind::UnverifiableCheckpoint, why);
        let log = &self.guided.log;
        let mut common: Option<KeyName> = None;
        let mut listed = Vec::with_capacity(answer.len());
        let mut shards = Vec::with_capacity(answer.len());
        for head in answer {
            let SignedOrigin { origin, name } = SignedOrigin::of(head).map_err(unverifiable)?;
            let common = common.get_or_insert_with(|| name.clone());
            if *common != name {
                // The entries of a log are found under one name. A tree with another name does not belong to it.
                return Err(unverifiable(format!(
                    "its trees have different names: {origin} is not of {common}"
                )));
            }
            let shard = log.shard(head, 0).map_err(unverifiable)?;
            listed.push(ListedTree {
                id: shard.id(),
                is_verified: shard.open(&head.note).is_ok(),
            });
            shards.push(shard);
        }
        let Some(name) = common else { return Ok(None) };
        let listed = log.listed(&name, listed, self.now);
        self.context.store.list_trees(&listed).await?;
        Ok(Some((name, shards)))
    }

    /// Records the trees that were listed before and are not listed now.
    async fn report_missing(&mut self, trees: &Trees) -> Result<(), StoreError> {
        let log = self.guided.log.id();
        let is_listed = |id: &TreeId| trees.list.iter().any(|tree| tree.shard.id() == *id);
        for state in self.context.store.trees().await? {
            if state.log != log || !state.is_begun() || is_listed(&state.id) {
                continue;
            }
            let why = format!("the log does not list its tree {} any more", state.id);
            let error = PassError::new(PassErrorKind::Unavailable, why);
            self.tree_error.get_or_insert_with(|| error.clone());
            let name = &self.guided.log.name;
            let outcome = Outcome::Failed(error);
            let part = Part::Tree(state.id);
            let report = PassReport::new(log.clone(), part, name, outcome, self.now);
            pass_end::end_without_reading(self.context, report, self.rules).await?;
        }
        Ok(())
    }

    async fn tree(
        &mut self,
        shard: Shard,
        listed: &TreeHead,
        known: Option<TreeState>,
    ) -> Result<Option<KnownTree>, Halt> {
        let shard = Arc::new(shard);
        let before = known.as_ref().and_then(TreeState::largest_head).cloned();
        // The size of a tree that has ended is known. The size of another one, and so the indexes of all later entries,
        // depend on its newest checkpoint.
        let is_certain = known.as_ref().is_none_or(|known| {
            known.base == shard.base && (!shard.ended || known.frozen.is_some())
        });
        let opened = shard.open(&listed.note).map_err(|error| {
            Halt::failed(PassErrorKind::UnverifiableCheckpoint, error.to_string())
        });
        let witnesses = &self.context.settings.witnesses;
        let signatures = opened
            .as_ref()
            .ok()
            .map(|checkpoint| Signatures::of(checkpoint, &shard, witnesses));
        let judged = match opened {
            Ok(checkpoint) => {
                let head = Head::from(&checkpoint);
                self.judge_head(&shard, listed.id, known.as_ref(), before.as_ref(), head)
                    .await
            }
            Err(halt) => Err(halt),
        };
        let (head, run) = match judged {
            Ok(head) => (Some(head), Ok(())),
            Err(halt) => (before.filter(|_| is_certain), Err(halt)),
        };
        let Ended {
            outcome,
            rate_limited,
        } = Ended::of(run)?;
        let frozen = head
            .as_ref()
            .filter(|_| shard.ended && outcome == Outcome::Proven)
            .map(|head| (head.size, head.note.to_vec()));
        if let Some(error) = outcome.error() {
            self.tree_error.get_or_insert_with(|| error.clone());
        }
        let report = PassReport {
            frozen,
            witnessed: signatures
                .as_ref()
                .and_then(|signatures| signatures.witnessed(self.now)),
            rate_limited,
            ..PassReport::new(
                shard.log.clone(),
                Part::Tree(shard.id()),
                &shard.name,
                outcome,
                self.now,
            )
        };
        let noticed = Noticed::default();
        let signatures = signatures.as_ref();
        pass_end::end_of_tree(
            self.context,
            &report,
            &shard,
            self.rules,
            noticed,
            signatures,
        )
        .await?;
        if rate_limited && let Some(error) = report.outcome.error() {
            return Err(Halt::Limited(error.clone()));
        }
        Ok(head.map(|head| KnownTree {
            id: listed.id,
            shard,
            head,
        }))
    }

    /// The newest head, if it is consistent with the one before.
    async fn judge_head(
        &self,
        shard: &Shard,
        tree: TreeNumber,
        known: Option<&TreeState>,
        before: Option<&Head>,
        head: Head,
    ) -> Result<Head, Halt> {
        let Some(before) = before else {
            self.record_head(shard, known, &head).await?;
            return Ok(head);
        };
        if let Some(known) = known.filter(|known| known.base != shard.base) {
            // Entries of existing findings would have another index.
            return Err(Halt::failed(
                PassErrorKind::Malformed,
                format!(
                    "the first entry of {} was number {} of the log, and would be number {} by the sizes of its older trees now",
                    shard.origin, known.base, shard.base
                ),
            ));
        }
        if head.size < before.size {
            return Err(self.smaller(shard, tree, known, before, &head).await?);
        }
        self.link(shard, tree, before, &head).await?;
        if let Some(halt) = self.grown_after_its_end(shard, known, &head).await? {
            return Err(halt);
        }
        if head.size > before.size || known.is_some_and(|known| known.verified.is_none()) {
            self.record_head(shard, known, &head).await?;
        }
        Ok(head)
    }

    /// The fault of a tree that had ended before it grew to this head.
    pub(super) async fn grown_after_its_end(
        &self,
        shard: &Shard,
        known: Option<&TreeState>,
        head: &Head,
    ) -> Result<Option<Halt>, StoreError> {
        let frozen = known.and_then(|known| known.frozen.as_ref());
        match head::growth_after_end(frozen, head) {
            Some(fault) => self.record_fault(shard, &fault, head).await.map(Some),
            None => Ok(None),
        }
    }

    /// Requests and verifies that the larger of two signed trees extends the smaller one.
    ///
    /// # Errors
    /// A recorded fault if it does not; otherwise why the log did not prove it.
    async fn link(
        &self,
        shard: &Shard,
        tree: TreeNumber,
        older: &Head,
        newer: &Head,
    ) -> Result<(), Halt> {
        let proof = self.consistency(tree, older, newer).await?;
        match head::link(older, newer, &proof) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.inconsistent(shard, older, newer, error).await?),
        }
    }

    /// Records the fault of two signed heads that are not consistent, if they show one.
    pub(super) async fn inconsistent(
        &self,
        shard: &Shard,
        older: &Head,
        newer: &Head,
        error: Inconsistent,
    ) -> Result<Halt, StoreError> {
        match error {
            Inconsistent::Fault(fault) => self.record_fault(shard, &fault, newer).await,
            Inconsistent::NoProof(error) => Ok(Halt::failed(
                PassErrorKind::Malformed,
                format!(
                    "its proof between {} and {} entries is invalid: {error}",
                    older.size, newer.size
                ),
            )),
        }
    }

    /// The consistency proof between two heads. Two heads of one size and the empty tree need none.
    pub(super) async fn consistency(
        &self,
        tree: TreeNumber,
        older: &Head,
        newer: &Head,
    ) -> Result<Vec<tlog::Hash>, SourceError> {
        if older.size == newer.size || older.size == 0 {
            return Ok(Vec::new());
        }
        self.guided
            .log
            .server
            .consistency(tree, older.size, newer.size)
            .await
    }

    /// A validly signed checkpoint that is smaller than the largest one: a fork, a rollback, or a replica that lags.
    async fn smaller(
        &self,
        shard: &Shard,
        tree: TreeNumber,
        known: Option<&TreeState>,
        largest: &Head,
        shown: &Head,
    ) -> Result<Halt, StoreError> {
        let smaller = Smaller { shown, largest };
        let tree_id = shard.id();
        let recorded = self.context.store.checkpoint(&tree_id, shown.size).await?;
        let root = async {
            let proof = self.consistency(tree, shown, largest).await.ok()?;
            head::root_by_proof(shown, largest, &proof)
        };
        if let Some(first) = smaller.contradicts(recorded, root).await {
            let fault = head::fork(shown.size, first, shown.clone());
            return self.record_fault(shard, &fault, shown).await;
        }
        if let Some(fault) = smaller.rollback(known, shard, self.now) {
            self.record_fault(shard, &fault, shown).await?;
        }
        let message = format!(
            "the newest checkpoint of {} has {} entries, but it showed {} before",
            shard.origin, shown.size, largest.size
        );
        Ok(Halt::Behind(PassError::new(PassErrorKind::Behind, message)))
    }

    async fn record_fault(
        &self,
        shard: &Shard,
        fault: &LogFault,
        newer: &Head,
    ) -> Result<Halt, StoreError> {
        fault::record(self.context, shard, fault, newer.root, self.now).await
    }

    pub(super) async fn record_head(
        &self,
        shard: &Shard,
        known: Option<&TreeState>,
        head: &Head,
    ) -> Result<(), StoreError> {
        self.context
            .store
            .record_head(&VerifiedHead {
                tree: shard.id(),
                log: shard.log.clone(),
                name: shard.name.clone(),
                protocol: shard.protocol,
                base: shard.base,
                expected: known
                    .and_then(|known| known.verified.as_ref())
                    .map(|head| head.size),
                head: head.clone(),
                now: self.now,
            })
            .await
    }
}
