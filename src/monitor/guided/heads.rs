//! Verifies the checkpoints of the trees of a guided log: each must be consistent with the last one that was recorded.

use std::sync::Arc;

use tlog::{Head, LogFault};

use super::state::GuidedPass;
use super::trees::{BETWEEN, Trees, name_in};
use crate::log::Shard;
use crate::monitor::fault;
use crate::monitor::halt::Halt;
use crate::monitor::head::{self, Inconsistent, Smaller};
use crate::monitor::health::{self, Noticed, Signatures, Subject};
use crate::monitor::pass_end::{self, Ended};
use crate::monitor::prove::KnownTree;
use crate::source::SourceError;
use crate::source::rekor_v1::{TreeHead, TreeId};
use crate::store::{
    LogState, Outcome, PassError, PassErrorKind, PassReport, StoreError, VerifiedHead,
};

impl GuidedPass<'_> {
    /// The trees with their newest heads. An error of one tree is recorded, and the tree keeps its last head. If that
    /// is not known, the indexes of all later entries are not known either: `None`.
    pub(super) async fn trees(&mut self, answer: &[TreeHead]) -> Result<Option<Trees>, Halt> {
        let unverifiable = |why: String| Halt::failed(PassErrorKind::UnverifiableCheckpoint, why);
        let mut trees = Trees {
            log: String::new(),
            list: Vec::new(),
        };
        for (place, listed) in answer.iter().enumerate() {
            let mut shard = self
                .guided
                .log
                .shard(listed, trees.total())
                .map_err(unverifiable)?;
            let name = name_in(&shard.origin, listed.id).unwrap_or_default();
            if place == 0 {
                name.clone_into(&mut trees.log);
            }
            if name.is_empty() || name != trees.log {
                // The entries of a log are found under one name. A tree with another name does not belong to it.
                return Err(unverifiable(format!(
                    "its trees have different names: {} is not of {}",
                    shard.origin, trees.log
                )));
            }
            if place + 1 < answer.len() {
                // A tree with a newer tree behind it must not change any more.
                shard.ended = true;
                shard.silence_after = None;
            }
            let known = self.context.store.log(shard.origin.as_str()).await?;
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

    /// Records the trees that were listed before and are not listed now.
    async fn report_missing(&mut self, trees: &Trees) -> Result<(), StoreError> {
        let is_listed = |origin: &str| trees.list.iter().any(|t| t.shard.origin.as_str() == origin);
        for state in self.context.store.logs().await? {
            let is_tree = state
                .origin
                .strip_prefix(&trees.log)
                .is_some_and(|rest| rest.starts_with(BETWEEN));
            if !is_tree || !state.is_begun() || is_listed(&state.origin) {
                continue;
            }
            let why = format!("the log does not list its tree {} any more", state.origin);
            let error = PassError::new(PassErrorKind::Unavailable, why);
            self.tree_trouble.get_or_insert_with(|| error.clone());
            let name = &self.guided.log.name;
            let report = PassReport::new(&state.origin, name, Outcome::Failed(error), self.now);
            pass_end::end_without_reading(self.context, report, self.rules).await?;
        }
        Ok(())
    }

    async fn tree(
        &mut self,
        shard: Shard,
        listed: &TreeHead,
        known: Option<LogState>,
    ) -> Result<Option<KnownTree>, Halt> {
        let shard = Arc::new(shard);
        let before = known.as_ref().and_then(LogState::largest_head).cloned();
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
            lost: _,
        } = Ended::of(run)?;
        let frozen = head
            .as_ref()
            .filter(|_| shard.ended && outcome == Outcome::Proven)
            .map(|head| (head.size, head.note.to_vec()));
        if let Some(error) = outcome.error() {
            self.tree_trouble.get_or_insert_with(|| error.clone());
        }
        let report = PassReport {
            frozen,
            witnessed: signatures
                .as_ref()
                .and_then(|signatures| signatures.witnessed(self.now)),
            rate_limited,
            ..PassReport::new(shard.origin.as_str(), &shard.name, outcome, self.now)
        };
        self.context.store.end_pass(&report).await?;
        let subject = Subject::of(&shard);
        health::assess_log(
            &*self.context.store,
            subject,
            self.rules,
            Noticed::default(),
            self.now,
        )
        .await?;
        if let Some(signatures) = &signatures {
            health::assess_checkpoint(
                &*self.context.store,
                &self.context.settings,
                &shard,
                signatures,
                self.now,
            )
            .await?;
        }
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
        tree: TreeId,
        known: Option<&LogState>,
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
                    "the first entry of {} was number {} of the log, and would be number {} by what the log says of its older trees",
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
        known: Option<&LogState>,
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
        tree: TreeId,
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
                    "what it shows between {} and {} entries is no proof: {error}",
                    older.size, newer.size
                ),
            )),
        }
    }

    /// The consistency proof between two heads. Two heads of one size and the empty tree need none.
    pub(super) async fn consistency(
        &self,
        tree: TreeId,
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
        tree: TreeId,
        known: Option<&LogState>,
        largest: &Head,
        shown: &Head,
    ) -> Result<Halt, StoreError> {
        let smaller = Smaller { shown, largest };
        let origin = shard.origin.as_str();
        let recorded = self.context.store.checkpoint(origin, shown.size).await?;
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
        known: Option<&LogState>,
        head: &Head,
    ) -> Result<(), StoreError> {
        self.context
            .store
            .record_head(&VerifiedHead {
                origin: shard.origin.as_str().to_owned(),
                name: shard.name.clone(),
                protocol: shard.protocol.as_str().to_owned(),
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
