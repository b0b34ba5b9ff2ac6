//! Entries by their ids: fetched, proven, matched and recorded, one hiding no other.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::Pass;
use super::heads::Trees;
use super::plan::CertificateId;
use super::prove::{self, ProvenRoots};
use crate::finding::NewFinding;
use crate::monitor::tail::pass::Halt;
use crate::monitor::tail::scan;
use crate::source::rekor_v1::{Entry, EntryId, MAX_ENTRIES_BYTES};
use crate::source::{Leaves, SourceError};
use crate::store::{FoundEntries, Guide, KnownEntry, PassError};

impl Pass<'_> {
    /// Those that were not fetched, proven and matched before.
    pub(super) async fn unknown(
        &self,
        guide: &Guide,
        trees: &Trees,
        ids: Vec<EntryId>,
    ) -> Result<Vec<EntryId>, Halt> {
        // An id without a tree may be of each of them.
        let named: Vec<(EntryId, (String, String))> = ids
            .iter()
            .flat_map(|id| {
                trees
                    .list
                    .iter()
                    .filter(|tree| id.tree.is_none_or(|named| named == tree.id))
                    .map(|tree| {
                        let origin = tree.shard.origin.as_str().to_owned();
                        (*id, (origin, id.leaf.to_hex()))
                    })
            })
            .collect();
        let leaves: Vec<(String, String)> = named.iter().map(|(_, leaf)| leaf.clone()).collect();
        let store = &self.monitor.store;
        let known = store.known_entries(&guide.log, &leaves).await?;
        let known: BTreeSet<EntryId> = named
            .into_iter()
            .filter(|(_, leaf)| known.contains(leaf))
            .map(|(id, _)| id)
            .collect();
        Ok(ids.into_iter().filter(|id| !known.contains(id)).collect())
    }

    /// Fetches, proves, matches and records up to ten entries. One that cannot be had or proven hides no other: it is not
    /// among those that were recorded.
    ///
    /// # Errors
    /// Only what ends the turn of the name.
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
            if self.deadline_is_used() {
                fetched.left.extend(ids);
                continue;
            }
            let server = &self.guided.log.server;
            let answer = match server.retrieve_uuids(&ids, MAX_ENTRIES_BYTES).await {
                Ok(answer) => answer,
                // An entry that is too long, or that nobody can read, or that the log fails at, must not hide those that are
                // asked for with it.
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
                    // One entry may be what the log wants to be left alone about; of several, it is not known which.
                    Halt::Limited(error) if ids.len() == 1 => {
                        fetched.trouble.get_or_insert(error);
                        continue;
                    }
                    Halt::Failed(error) => {
                        fetched.trouble.get_or_insert(error);
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
            now: self.now,
        };
        let mut recorded = Vec::new();
        let mut halted = None;
        for (id, entry) in ids.iter().zip(answer) {
            let Some(entry) = entry else {
                fetched.trouble.get_or_insert_with(|| {
                    let why = format!("the index names entry {id}, which the log does not show");
                    PassError::new("entries-missing", why)
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
                    fetched.trouble.get_or_insert(error);
                }
                Err(halt) => {
                    halted = Some(halt);
                    break;
                }
            }
        }
        if !found.entries.is_empty() {
            self.monitor.store.found_entries(&found).await?;
            self.entries += found.entries.len() as u64;
        }
        fetched.recorded.extend(recorded);
        halted.map_or(Ok(()), Err)
    }

    /// Proves one entry, and adds it and what watches find in it. `false`: proving it takes more requests than the turn has.
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
        let (index, leaf_hash) = (entry.global.get(), id.leaf.to_hex());
        let mut leaves = Leaves::copied(local, [&entry.body])
            .map_err(|error| Halt::failed("malformed", error.to_string()))?;
        if let Some(attestation) = entry.attestation {
            leaves = leaves.with(local, attestation);
        }
        let shard = Arc::clone(&tree.shard);
        let rules = Arc::clone(self.rules);
        let scanned = scan::scan(leaves, shard, rules, self.now).await;
        let known = |CertificateId { key, alike }| KnownEntry {
            origin: tree.shard.origin.as_str().to_owned(),
            name: self.guided.log.name.clone(),
            index,
            leaf_hash: leaf_hash.clone(),
            key,
            alike,
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
                alike: String::new(),
            }));
        }
        found.entries.extend(signers.into_iter().map(known));
        if index >= guide.start {
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

/// What came of a request for entries.
#[derive(Default)]
pub(super) struct Fetched {
    /// Those that were proven and recorded.
    pub(super) recorded: HashSet<EntryId>,
    /// Those that the turn had no request for.
    pub(super) left: Vec<EntryId>,
    /// What was wrong with the first of the others.
    pub(super) trouble: Option<PassError>,
}
