//! Entries by their ids: fetched, proven, matched and recorded, one hiding no other.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::heads::Trees;
use super::prove::{self, Linked};
use super::{Pass, plan};
use crate::finding::NewFinding;
use crate::monitor::pass::Halt;
use crate::monitor::scan;
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

    /// Fetches, proves, matches and records up to ten entries.
    ///
    /// # Errors
    /// Where one of them cannot be had or proven, the others are recorded first.
    pub(super) async fn fetch(
        &mut self,
        guide: &Guide,
        trees: &mut Trees,
        linked: &mut Linked,
        ids: Vec<EntryId>,
    ) -> Result<(), Halt> {
        let mut trouble = None;
        let mut parts = vec![ids];
        while let Some(mut ids) = parts.pop() {
            self.afford()?;
            let server = &self.guided.log.server;
            let answer = match server.retrieve_uuids(&ids, MAX_ENTRIES_BYTES).await {
                Ok(answer) => answer,
                // An entry that is too long, or that nobody can read, must not hide those that are asked for with it.
                Err(SourceError::TooLarge { .. } | SourceError::Malformed { .. })
                    if ids.len() > 1 =>
                {
                    parts.push(ids.split_off(ids.len() / 2));
                    parts.push(ids);
                    continue;
                }
                Err(error) => match Halt::from(error) {
                    Halt::Failed(error) if is_of_the_entry(&error) => {
                        trouble.get_or_insert(error);
                        continue;
                    }
                    halt => return Err(halt),
                },
            };
            let mut found = FoundEntries {
                log: guide.log.clone(),
                entries: Vec::new(),
                findings: Vec::new(),
                now: self.now,
            };
            let mut halted = None;
            for (id, entry) in ids.iter().zip(answer) {
                let Some(entry) = entry else {
                    trouble.get_or_insert_with(|| {
                        let why =
                            format!("the index names entry {id}, which the log does not show");
                        PassError::new("entries-missing", why)
                    });
                    continue;
                };
                match self
                    .prove(guide, trees, linked, id, entry, &mut found)
                    .await
                {
                    Ok(()) => {}
                    Err(Halt::Failed(error)) if is_of_the_entry(&error) => {
                        trouble.get_or_insert(error);
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
            if let Some(halt) = halted {
                return Err(halt);
            }
        }
        trouble.map_or(Ok(()), |error| Err(Halt::Failed(error)))
    }

    /// Proves one entry, and adds it and what watches find in it.
    async fn prove(
        &mut self,
        guide: &Guide,
        trees: &mut Trees,
        linked: &mut Linked,
        id: &EntryId,
        entry: Entry,
        found: &mut FoundEntries,
    ) -> Result<(), Halt> {
        let named = id.tree.or(entry.id.tree);
        if named.is_some_and(|named| trees.list.iter().all(|tree| tree.id != named)) {
            self.knows_all_trees = false;
        }
        let placed = prove::place(&trees.list, id, &entry)?;
        self.vouched(trees, linked, &placed).await?;
        let (tree, local) = (placed.tree, placed.local);
        let Some(tree) = trees.list.get(tree) else {
            return Ok(());
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
        let known = |key: String| KnownEntry {
            origin: tree.shard.origin.as_str().to_owned(),
            name: self.guided.log.name.clone(),
            index,
            leaf_hash: leaf_hash.clone(),
            key,
        };
        let signers: BTreeSet<String> = scanned
            .findings
            .iter()
            .filter_map(|NewFinding { finding, .. }| {
                let key = finding.key_sha256.as_ref()?;
                Some(plan::certificate_id(key, finding.not_before))
            })
            .collect();
        if signers.is_empty() {
            found.entries.push(known(String::new()));
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
        Ok(())
    }
}

/// Whether this was wrong with one entry, so that the next one may be had.
pub(super) fn is_of_the_entry(error: &PassError) -> bool {
    ["malformed", "entries-missing", "log-fault"].contains(&error.kind.as_str())
}
