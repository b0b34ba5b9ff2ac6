//! Compares the entries that registered bundles name with the log.
//!
//! A bundle of the operator or of a repository names the entry of its signing. If the log has another leaf there, it never
//! accepted the signing, or it has lost it, or it shows another history to its signers.

use tlog::{CompactRange, Follower, Head, leaf_hash};

use super::tree_pass::TreePass;
use crate::finding::{Evidence, Finding, FindingId, NewFinding, Severity, Verdict};
use crate::monitor::halt::Halt;
use crate::source::SourceError;
use crate::store::{PassErrorKind, ProvenPart, RegisteredEntry};

/// Most entries that are compared in one pass.
const IN_A_PASS: u32 = 1000;

/// Most of them that may take requests: a source may register thousands.
const ASKED_IN_A_PASS: u32 = 16;

impl TreePass<'_> {
    /// Looks for the entries of registered bundles below the proven position, also before the first position. An entry that cannot
    /// be fetched is looked for again: it is not missing.
    pub(super) async fn compare_registered_entries(&self, follower: &Follower) -> Result<(), Halt> {
        let state = follower.state();
        let Some(head) = &state.proven_head else {
            return Ok(());
        };
        let shard = &self.log.shard;
        let Some(to) = shard.base.checked_add(head.size) else {
            return Ok(());
        };
        let part = ProvenPart {
            tree: shard.id(),
            keys: shard
                .verifiers
                .iter()
                .map(|key| key.id().to_string())
                .collect(),
            from: shard.base,
            to,
        };
        let store = &self.context.store;
        let mut asked = 0;
        for entry in store.registered_entries(&part, IN_A_PASS).await? {
            if entry.is_found {
                store.entry_there(entry.number).await?;
                continue;
            }
            if asked >= ASKED_IN_A_PASS || self.deadline.is_over() {
                continue;
            }
            asked += 1;
            match self
                .proven_leaf(entry.index.saturating_sub(shard.base), head)
                .await?
            {
                Some(leaf) if entry.leaves.contains(&leaf) => {
                    store.entry_there(entry.number).await?;
                }
                Some(leaf) => {
                    let finding = self.missing(&entry, &leaf);
                    store.entry_missed(&entry, &finding, self.now).await?;
                }
                None => {}
            }
        }
        Ok(())
    }

    /// The hash of a leaf, proven to be in the tree of this head: it leads from the frontier before it to the one after it. `None`:
    /// this log has no hashes to prove it with, as some mirrors.
    async fn proven_leaf(&self, index: u64, head: &Head) -> Result<Option<String>, Halt> {
        let source = &self.log.source;
        if let Err(SourceError::Absent { .. }) = source.split(index, head.size).await {
            return Ok(None);
        }
        let bundle = source.bundle(index, head.size);
        let leaves = source.leaves(bundle, head.size).await?;
        let leaf = leaves
            .iter()
            .find(|(at, _)| *at == index)
            .map(|(_, leaf)| leaf_hash(leaf));
        let Some(leaf) = leaf else {
            return Err(Halt::failed(
                PassErrorKind::Malformed,
                format!("its leaves do not contain the entry {index}"),
            ));
        };
        let mut frontier: CompactRange = self.frontier(index, head).await?;
        frontier.push(leaf);
        if frontier != self.frontier(index + 1, head).await? {
            return Err(Halt::failed(
                PassErrorKind::Malformed,
                format!("its leaf {index} does not hash to its signed root"),
            ));
        }
        Ok(Some(leaf.to_hex()))
    }

    fn missing(&self, entry: &RegisteredEntry, leaf: &str) -> NewFinding {
        let shard = &self.log.shard;
        let origin = shard.origin.as_str();
        let summary = format!(
            "the registered bundle {} of {} names entry {} of {}, which is another one: its leaf hash is {leaf}",
            entry.file, entry.who, entry.index, shard.name
        );
        NewFinding {
            finding: Finding {
                log: Some(shard.name.clone()),
                origin: Some(origin.to_owned()),
                index: Some(entry.index),
                leaf_hash: Some(leaf.to_owned()),
                proven: Some(true),
                ..Finding::new(
                    FindingId::of_missing(origin, entry.index, entry.registration),
                    Verdict::Missing,
                    Severity::High,
                    summary,
                    self.now,
                )
            },
            rule: None,
            evidence: Evidence::default(),
        }
    }
}
