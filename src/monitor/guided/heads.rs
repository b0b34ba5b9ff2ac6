//! The trees of a guided log: each checkpoint verified, and consistent with the last one that was recorded.

use std::sync::Arc;

use tlog::{Head, LogFault, Origin, ProofError, verify_consistency};

use super::Pass;
use crate::log::Shard;
use crate::monitor::health::{self, Noticed, Signatures, Subject};
use crate::monitor::pass_end::Ended;
use crate::monitor::tail::fault;
use crate::monitor::tail::pass::Halt;
use crate::source::SourceError;
use crate::source::rekor_v1::{TreeHead, TreeId};
use crate::store::{
    Contradiction, LogState, Outcome, PassError, PassReport, StoreError, VerifiedHead,
};

/// What stands between the log's name and a tree's number in an origin.
pub(super) const BETWEEN: &str = " - ";

/// A tree of the log, with the largest checkpoint that is consistent with all before.
pub(super) struct Tree {
    pub(super) id: TreeId,
    /// Its `base` is the index of its first entry over all trees.
    pub(super) shard: Arc<Shard>,
    pub(super) head: Head,
}

/// All trees, oldest first.
pub(super) struct Trees {
    /// What their origins have in common.
    pub(super) log: String,
    pub(super) list: Vec<Tree>,
}

impl Trees {
    /// Entries in all of them.
    pub(super) fn total(&self) -> u64 {
        self.list
            .iter()
            .fold(0, |total, tree| total.saturating_add(tree.head.size))
    }
}

/// The log's name in the origin of one of its trees.
pub(super) fn name_in(origin: &Origin, id: TreeId) -> Option<&str> {
    let name = origin
        .as_str()
        .strip_suffix(&id.to_string())?
        .strip_suffix(BETWEEN)?;
    (!name.is_empty()).then_some(name)
}

impl Pass<'_> {
    /// The trees as they are now. What is wrong with one of them is recorded and leaves it as it was known before; when that
    /// leaves its size unknown, and with it the place of all entries after it, there are no trees: `None`.
    pub(super) async fn trees(&mut self, answer: &[TreeHead]) -> Result<Option<Trees>, Halt> {
        let unverifiable = |why: String| Halt::failed("unverifiable-checkpoint", why);
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
                // One log is covered under one name: another's tree is none of it.
                return Err(unverifiable(format!(
                    "its trees have different names: {} is not of {}",
                    shard.origin, trees.log
                )));
            }
            if place + 1 < answer.len() {
                // A tree that was followed by another one stands still for good.
                shard.ended = true;
                shard.silence_after = None;
            }
            let known = self.monitor.store.log(shard.origin.as_str()).await?;
            match self.tree(shard, listed, known).await? {
                Some(tree) => trees.list.push(tree),
                // What lies in the older ones can be found without the newest.
                None if place > 0 && place + 1 == answer.len() => {}
                None => return Ok(None),
            }
        }
        self.report_missing(&trees).await?;
        Ok(Some(trees))
    }

    /// Says which trees were listed before and are not listed now.
    async fn report_missing(&mut self, trees: &Trees) -> Result<(), StoreError> {
        let is_listed = |origin: &str| trees.list.iter().any(|t| t.shard.origin.as_str() == origin);
        for state in self.monitor.store.logs().await? {
            let is_tree = state
                .origin
                .strip_prefix(&trees.log)
                .is_some_and(|rest| rest.starts_with(BETWEEN));
            if !is_tree || !state.is_begun() || is_listed(&state.origin) {
                continue;
            }
            let why = format!("the log does not list its tree {} any more", state.origin);
            let error = PassError::new("unavailable", why);
            self.tree_trouble.get_or_insert_with(|| error.clone());
            let name = &self.guided.log.name;
            let report = PassReport::new(&state.origin, name, Outcome::Failed(error), self.now);
            self.monitor.end_without_reading(report, self.rules).await?;
        }
        Ok(())
    }

    async fn tree(
        &mut self,
        shard: Shard,
        listed: &TreeHead,
        known: Option<LogState>,
    ) -> Result<Option<Tree>, Halt> {
        let shard = Arc::new(shard);
        let before = known.as_ref().and_then(LogState::largest_head).cloned();
        // Of a tree that has ended the size is known for good; of another one, the place of all entries after it hangs on
        // what it shows now.
        let is_certain = known.as_ref().is_none_or(|known| {
            known.base == shard.base && (!shard.ended || known.frozen.is_some())
        });
        let opened = shard
            .open(&listed.note)
            .map_err(|error| Halt::failed("unverifiable-checkpoint", error.to_string()));
        let witnesses = &self.monitor.settings.witnesses;
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
        self.monitor.store.end_pass(&report).await?;
        let subject = Subject::of(&shard);
        health::assess_log(
            self.monitor,
            subject,
            self.rules,
            Noticed::default(),
            self.now,
        )
        .await?;
        if let Some(signatures) = &signatures {
            health::assess_checkpoint(self.monitor, &shard, signatures, self.now).await?;
        }
        if rate_limited && let Some(error) = report.outcome.error() {
            return Err(Halt::Limited(error.clone()));
        }
        Ok(head.map(|head| Tree {
            id: listed.id,
            shard,
            head,
        }))
    }

    /// The newest checkpoint, if it goes on from the one before.
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
            // Entries that are told already would have another index now.
            return Err(Halt::failed(
                "malformed",
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

    /// A fault if the tree had ended before it grew to this.
    pub(super) async fn grown_after_its_end(
        &self,
        shard: &Shard,
        known: Option<&LogState>,
        head: &Head,
    ) -> Result<Option<Halt>, StoreError> {
        match fault::growth_after_end(known.and_then(|known| known.frozen.as_ref()), head) {
            Some(fault) => self.contradicted(shard, &fault, head).await.map(Some),
            None => Ok(None),
        }
    }

    /// That the larger of two signed trees extends the smaller one.
    ///
    /// # Errors
    /// A recorded fault if it does not; otherwise whatever kept the log from showing it.
    pub(super) async fn link(
        &self,
        shard: &Shard,
        tree: TreeId,
        older: &Head,
        newer: &Head,
    ) -> Result<(), Halt> {
        let proof = self.consistency(tree, older, newer).await?;
        let Err(error) = extends(older, newer, &proof) else {
            return Ok(());
        };
        match contradiction(older, newer, &proof, &error) {
            Some(fault) => Err(self.contradicted(shard, &fault, newer).await?),
            None => Err(Halt::failed(
                "malformed",
                format!(
                    "what it shows between {} and {} entries is no proof: {error}",
                    older.size, newer.size
                ),
            )),
        }
    }

    /// The hashes that show it; none are needed for two roots of one size and for the empty tree.
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

    /// A validly signed checkpoint that is smaller than the largest one: a fork if its root is not that of our tree at its
    /// size, a rollback if it persists, a lagging replica until then.
    async fn smaller(
        &self,
        shard: &Shard,
        tree: TreeId,
        known: Option<&LogState>,
        before: &Head,
        head: &Head,
    ) -> Result<Halt, StoreError> {
        let store = &self.monitor.store;
        let recorded = store.checkpoint(shard.origin.as_str(), head.size).await?;
        let forked = match recorded {
            Some(first) if first.root != head.root => Some(first),
            Some(_) => None,
            // What the log does not show, or shows wrongly, is no word about its smaller checkpoint.
            None => match self.consistency(tree, head, before).await {
                Ok(proof) => match extends(head, before, &proof) {
                    Err(error) if is_of_the_older(&error, head) => Some(before.clone()),
                    _ => None,
                },
                Err(_) => None,
            },
        };
        if let Some(first) = forked {
            let fault = LogFault::Fork {
                size: head.size,
                first: Box::new(first),
                second: Box::new(head.clone()),
            };
            return self.contradicted(shard, &fault, head).await;
        }
        if fault::is_rollback(known, shard, self.now) {
            let fault = LogFault::Rollback {
                size: head.size,
                head_size: before.size,
                notes: vec![Arc::clone(&before.note), Arc::clone(&head.note)],
            };
            self.contradicted(shard, &fault, head).await?;
        }
        let message = format!(
            "the newest checkpoint of {} has {} entries, but it showed {} before",
            shard.origin, head.size, before.size
        );
        Ok(Halt::Behind(PassError::new("behind", message)))
    }

    pub(super) async fn contradicted(
        &self,
        shard: &Shard,
        found: &LogFault,
        newer: &Head,
    ) -> Result<Halt, StoreError> {
        fault::say(shard, found);
        self.monitor
            .store
            .contradicted(&Contradiction {
                fault: fault::finding(shard, found, self.now),
                occurrence: *newer.root.as_bytes(),
                now: self.now,
            })
            .await?;
        Ok(Halt::failed("log-fault", found.to_string()))
    }

    pub(super) async fn record_head(
        &self,
        shard: &Shard,
        known: Option<&LogState>,
        head: &Head,
    ) -> Result<(), StoreError> {
        self.monitor
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

/// That the tree of `newer` begins with that of `older`.
pub(super) fn extends(older: &Head, newer: &Head, proof: &[tlog::Hash]) -> Result<(), ProofError> {
    verify_consistency(older.size, &older.root, newer.size, &newer.root, proof)
}

/// Whether a proof fits the newer tree and not the older one.
fn is_of_the_older(error: &ProofError, older: &Head) -> bool {
    matches!(error, ProofError::RootMismatch { size, .. } if *size == older.size)
}

/// What a log did that signed both heads and shows such a proof: two roots of one size are a fork, and so is a tree that
/// the log's own hashes lead to from another beginning than the one it signed. Hashes that lead nowhere leave a root
/// that nothing supports; `None`: they are too few or too many to lead anywhere.
fn contradiction(
    older: &Head,
    newer: &Head,
    proof: &[tlog::Hash],
    error: &ProofError,
) -> Option<LogFault> {
    let fork = LogFault::Fork {
        size: older.size,
        first: Box::new(older.clone()),
        second: Box::new(newer.clone()),
    };
    if older.size == newer.size {
        return Some(fork);
    }
    let computed = match error {
        ProofError::RootMismatch { size, computed, .. } if *size == older.size => {
            let other_beginning = Head {
                root: *computed,
                ..older.clone()
            };
            match extends(&other_beginning, newer, proof) {
                Ok(()) => return Some(fork),
                Err(ProofError::RootMismatch { computed, .. }) => computed,
                Err(_) => *computed,
            }
        }
        ProofError::RootMismatch { computed, .. } => *computed,
        _ => return None,
    };
    Some(LogFault::RootMismatch {
        since: older.size,
        size: newer.size,
        computed,
        signed: newer.root,
        note: Arc::clone(&newer.note),
        proven_note: Some(Arc::clone(&older.note)),
    })
}
