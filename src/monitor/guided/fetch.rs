//! Fetches entries by their ids, proves and matches them, and records them. One entry that fails hides no other.

use crate::log::TreeId;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::plan::CertificateId;
use super::prove::ProvenRoots;
use super::state::GuidedPass;
use super::trees::Trees;
use crate::finding::NewFinding;
use crate::monitor::halt::Halt;
use crate::monitor::prove;
use crate::monitor::tail;
use crate::source::rekor_v1::{Entry, EntryId, MAX_ENTRIES_BYTES};
use crate::source::{Leaves, SourceError};
use crate::store::{FoundEntries, Guide, Kept, KnownEntry, PassError, PassErrorKind};

impl GuidedPass<'_> {
    /// The ids of entries that were not fetched, proven and matched before.
    pub(super) async fn unknown(
        &self,
        guide: &Guide,
        trees: &Trees,
        ids: Vec<EntryId>,
    ) -> Result<Vec<EntryId>, Halt> {
        // An id without a tree may belong to any of them.
        let named: Vec<(EntryId, (TreeId, String))> = ids
            .iter()
            .flat_map(|id| {
                trees
                    .list
                    .iter()
                    .filter(|tree| id.tree.is_none_or(|named| named == tree.id))
                    .map(|tree| (*id, (tree.shard.id(), id.leaf.to_hex())))
            })
            .collect();
        let leaves: Vec<(TreeId, String)> = named.iter().map(|(_, leaf)| leaf.clone()).collect();
        let store = &self.context.store;
        let known = store.known_entries(&guide.log, &leaves).await?;
        let known: BTreeSet<EntryId> = named
            .into_iter()
            .filter(|(_, leaf)| known.contains(leaf))
            .map(|(id, _)| id)
            .collect();
        Ok(ids.into_iter().filter(|id| !known.contains(id)).collect())
    }

    /// Fetches, proves, matches and records up to ten entries. One that cannot be fetched or proven hides no other: it
    /// is left out of the recorded ones.
    ///
    /// # Errors
    /// Only errors that end the look-up of the name.
    pub(super) async fn fetch(
        &mut self,
        guide: &Guide,
        trees: &mut Trees,
        proven_roots: &mut ProvenRoots,
        ids: Vec<EntryId>,
    ) -> Result<Fetched, Halt> {
        let mut fetched = Fetched::default();
        let mut parts = vec![ids];
        while let Some(mut ids) = parts.pop() {
            if self.lookup_is_over() {
                fetched.left.extend(ids);
                continue;
            }
            let server = &self.guided.log.server;
            let answer = match server.retrieve_uuids(&ids, MAX_ENTRIES_BYTES).await {
                Ok(answer) => answer,
                // An entry that is too long or unreadable, or at which the log fails, must not hide the others of its
                // request.
                Err(
                    SourceError::TooLarge { .. }
                    | SourceError::Malformed { .. }
                    | SourceError::Unavailable { .. },
                ) if ids.len() > 1 => {
                    parts.push(ids.split_off(ids.len() / 2));
                    parts.push(ids);
                    continue;
                }
                Err(error) => match Halt::from(error) {
                    // The log may refuse a single entry. Of several, the cause is not known.
                    Halt::Limited(error) if ids.len() == 1 => {
                        fetched.first_error.get_or_insert(error);
                        continue;
                    }
                    Halt::Failed(error) => {
                        fetched.first_error.get_or_insert(error);
                        continue;
                    }
                    halt => return Err(halt),
                },
            };
            self.record(guide, trees, proven_roots, &ids, answer, &mut fetched)
                .await?;
        }
        Ok(fetched)
    }

    /// Proves, matches and records the entries of one answer.
    async fn record(
        &mut self,
        guide: &Guide,
        trees: &mut Trees,
        proven_roots: &mut ProvenRoots,
        ids: &[EntryId],
        answer: Vec<Option<Entry>>,
        fetched: &mut Fetched,
    ) -> Result<(), Halt> {
        let mut found = FoundEntries {
            log: guide.log.clone(),
            entries: Vec::new(),
            findings: Vec::new(),
            kept: Vec::new(),
            now: self.now,
        };
        let mut recorded = Vec::new();
        let mut halted = None;
        for (id, entry) in ids.iter().zip(answer) {
            let Some(entry) = entry else {
                fetched.first_error.get_or_insert_with(|| {
                    let why = format!("the index names entry {id}, which the log does not show");
                    PassError::new(PassErrorKind::EntriesMissing, why)
                });
                continue;
            };
            match self
                .prove(guide, trees, proven_roots, id, entry, &mut found)
                .await
            {
                Ok(true) => recorded.push(*id),
                Ok(false) => fetched.left.push(*id),
                Err(Halt::Failed(error) | Halt::Limited(error)) => {
                    fetched.first_error.get_or_insert(error);
                }
                Err(halt) => {
                    halted = Some(halt);
                    break;
                }
            }
        }
        if !found.entries.is_empty() {
            self.context.store.found_entries(&found).await?;
            self.entries += found.entries.len() as u64;
        }
        fetched.recorded.extend(recorded);
        halted.map_or(Ok(()), Err)
    }

    /// Proves one entry, and adds it and its findings. `false`: the proof takes more requests than the name may make.
    async fn prove(
        &mut self,
        guide: &Guide,
        trees: &mut Trees,
        proven_roots: &mut ProvenRoots,
        id: &EntryId,
        entry: Entry,
        found: &mut FoundEntries,
    ) -> Result<bool, Halt> {
        let named = id.tree.or(entry.id.tree);
        if named.is_some_and(|named| trees.list.iter().all(|tree| tree.id != named)) {
            self.knows_all_trees = false;
        }
        let placed = prove::place(&trees.list, id, &entry)?;
        if !self.is_in_tree(trees, proven_roots, &placed).await? {
            return Ok(false);
        }
        let (tree, local) = (placed.tree, placed.local);
        let Some(tree) = trees.list.get(tree) else {
            return Ok(false);
        };
        let signed = placed.signed(tree);
        let (index, leaf_hash) = (entry.global.get(), id.leaf.to_hex());
        let mut leaves = Leaves::copied(local, [&entry.body])
            .map_err(|error| Halt::failed(PassErrorKind::Malformed, error.to_string()))?;
        if let Some(promise) = entry.promise() {
            leaves = leaves.with_promise(local, promise);
        }
        if let Some(attestation) = entry.attestation {
            leaves = leaves.with(local, attestation);
        }
        let shard = Arc::clone(&tree.shard);
        let rules = Arc::clone(self.rules);
        let scanned = tail::scan(leaves, shard, rules, self.now).await;
        self.context
            .unknown_authorities
            .add(scanned.unknown_authorities);
        let known = |CertificateId { key, key_and_start }| KnownEntry {
            tree: tree.shard.id(),
            name: self.guided.log.name.clone(),
            index,
            leaf_hash: leaf_hash.clone(),
            key,
            key_and_start,
        };
        let signers: BTreeSet<CertificateId> = scanned
            .findings
            .iter()
            .filter_map(
                |NewFinding {
                     finding, evidence, ..
                 }| {
                    let key = finding.key_sha256.as_ref()?;
                    let certificate = evidence.certificate.as_deref();
                    Some(CertificateId::of(
                        key,
                        finding.not_before,
                        finding.chain,
                        None,
                        certificate,
                    ))
                },
            )
            .collect();
        if signers.is_empty() {
            found.entries.push(known(CertificateId {
                key: String::new(),
                key_and_start: String::new(),
            }));
        }
        found.entries.extend(signers.into_iter().map(known));
        if index >= guide.start {
            if let Some((head, path)) = signed
                && !scanned.findings.is_empty()
            {
                let findings = scanned.findings.iter();
                let kept = Kept {
                    paths: findings
                        .map(|new| (new.finding.id, head.size, path.clone()))
                        .collect(),
                    heads: vec![head],
                    trusted_root: self.rules.trusted_root(),
                    ..Kept::default()
                };
                found.kept.push((tree.shard.id(), kept));
            }
            found
                .findings
                .extend(scanned.findings.into_iter().map(|mut new| {
                    new.finding.proven = Some(true);
                    new
                }));
        }
        Ok(true)
    }
}

/// The result of a request for entries.
#[derive(Default)]
pub(super) struct Fetched {
    /// The entries that were proven and recorded.
    pub(super) recorded: HashSet<EntryId>,
    /// The entries for which no request was left.
    pub(super) left: Vec<EntryId>,
    /// The error of the first other entry.
    pub(super) first_error: Option<PassError>,
}
