//! One tree of a Rekor v1 log, read leaf by leaf.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tlog::checkpoint::MAX_CHECKPOINT_BYTES;
use tlog::split::LeafPath;
use tlog::{Split, leaf_hash};

use super::answer::{Entry, Leaf, MAX_RETRIEVED, Retrieved, TreeHead};
use super::client::{Client, MAX_ENTRIES_BYTES};
use super::entry_id::TreeNumber;
use crate::log::GlobalIndex;
use crate::source::{Leaves, LogSource, Prefetch, ServerDate, SourceError};

/// Pauses before each request: for all entries, then for the missing ones. Replicas catch up within seconds; entries
/// that are still missing are left to the next pass, and reported.
const PAUSES: [Duration; 5] = [
    Duration::ZERO,
    Duration::ZERO,
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// At the public log's 220 ms an answer, 44 requests of ten entries at once give 2,000 entries a second.
const MAX_IN_FLIGHT: usize = 64;

/// One tree, from the description in the log's list of trees.
#[derive(Debug, Clone)]
pub struct Tree {
    client: Client,
    id: TreeNumber,
    base: u64,
    note: Bytes,
}

impl Tree {
    /// The tree of `head`, whose first entry has the global index `base`. Its checkpoint is that of `head`: all trees
    /// of a log are read from one response, in which their sizes and therefore their bases are consistent.
    pub fn new(client: Client, head: &TreeHead, base: u64) -> Self {
        Self {
            client,
            id: head.id,
            base,
            note: head.note.clone(),
        }
    }

    /// The entries of these leaves, in order. Entries that a response leaves out, or that are not `enough`, are
    /// requested again.
    async fn entries<T: Retrieved>(
        &self,
        locals: &[u64],
        limit_bytes: usize,
        enough: impl Fn(&T) -> bool + Send,
    ) -> Result<Vec<T>, SourceError> {
        let mut found: Vec<Option<T>> = locals.iter().map(|_| None).collect();
        for pause in PAUSES {
            let missing: Vec<usize> = found
                .iter()
                .enumerate()
                .filter(|(_, entry)| !entry.as_ref().is_some_and(&enough))
                .map(|(place, _)| place)
                .collect();
            if missing.is_empty() {
                break;
            }
            tokio::time::sleep(pause).await;
            let requested = missing
                .iter()
                .filter_map(|place| locals.get(*place))
                .map(|local| self.global(*local))
                .collect::<Result<Vec<_>, _>>()?;
            let answer = self.retrieve(&requested, limit_bytes).await?;
            for (place, entry) in missing.into_iter().zip(answer) {
                if let (Some(slot), Some(local), Some(entry)) =
                    (found.get_mut(place), locals.get(place), entry)
                {
                    self.expect_at(*local, &entry)?;
                    *slot = Some(entry);
                }
            }
        }
        if found
            .iter()
            .all(|entry| entry.as_ref().is_some_and(&enough))
        {
            Ok(found.into_iter().flatten().collect())
        } else {
            Err(self.unanswered(locals, &found))
        }
    }

    /// The responses for these indexes, with fewer at once if a response is too long. Otherwise ten huge entries in a
    /// row would end the monitoring there. The caller may set a lower limit.
    async fn retrieve<T: Retrieved>(
        &self,
        requested: &[GlobalIndex],
        limit_bytes: usize,
    ) -> Result<Vec<Option<T>>, SourceError> {
        let mut answers = Vec::with_capacity(requested.len());
        let mut rest = requested;
        let mut at_once = requested.len();
        while let Some((now, later)) = rest.split_at_checked(at_once.min(rest.len()))
            && !now.is_empty()
        {
            match self.client.retrieve_indexes(now, limit_bytes).await {
                Ok(answer) => {
                    answers.extend(answer);
                    rest = later;
                }
                Err(SourceError::TooLarge { .. })
                    if now.len() > 1 && limit_bytes >= MAX_ENTRIES_BYTES =>
                {
                    at_once = now.len() / 2;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(answers)
    }

    /// Verifies that the log counts as we do. If its trees changed their order, each index would belong to another
    /// entry.
    fn expect_at(&self, local: u64, entry: &impl Retrieved) -> Result<(), SourceError> {
        let tree = entry.id().tree.unwrap_or(self.id);
        let leaf = entry.local().unwrap_or(local);
        if (tree, leaf) != (self.id, local) {
            return Err(SourceError::Malformed {
                resource: format!("entry {}", entry.global()),
                reason: format!(
                    "it is leaf {leaf} of tree {tree}, expected was leaf {local} of tree {}",
                    self.id
                ),
            });
        }
        Ok(())
    }

    /// What is still missing after the last request: entries, or a replica that has grown far enough.
    fn unanswered<T>(&self, locals: &[u64], found: &[Option<T>]) -> SourceError {
        let mut missing = locals
            .iter()
            .zip(found)
            .filter(|(_, entry)| entry.is_none())
            .filter_map(|(local, _)| GlobalIndex::of(self.base, *local));
        match missing.next() {
            Some(first) => SourceError::EntriesMissing {
                first,
                count: 1 + missing.count(),
            },
            None => SourceError::Skew {
                resource: "an inclusion proof".to_owned(),
                message: "every answer comes from a smaller tree".to_owned(),
            },
        }
    }

    fn global(&self, local: u64) -> Result<GlobalIndex, SourceError> {
        GlobalIndex::of(self.base, local).ok_or(SourceError::OutOfRange {
            start: local,
            end: local,
            size: u64::MAX - self.base,
        })
    }
}

/// The path in an entry, from the actual hash of its body.
fn path(entry: &Entry) -> Option<LeafPath<'_>> {
    let inclusion = entry.inclusion.as_ref()?;
    Some(LeafPath {
        leaf: leaf_hash(&entry.body),
        tree_size: inclusion.tree_size,
        hashes: &inclusion.hashes,
    })
}

#[async_trait]
impl LogSource for Tree {
    async fn checkpoint(&self) -> Result<Bytes, SourceError> {
        if self.note.len() > MAX_CHECKPOINT_BYTES {
            return Err(SourceError::CheckpointTooLong {
                limit_bytes: MAX_CHECKPOINT_BYTES,
            });
        }
        Ok(self.note.clone())
    }

    fn bundle(&self, index: u64, size: u64) -> Range<u64> {
        let width = MAX_RETRIEVED as u64;
        let start = index / width * width;
        start..size.min(start.saturating_add(width))
    }

    fn prefetch(&self) -> Prefetch {
        Prefetch {
            max_in_flight: MAX_IN_FLIGHT,
            ..Prefetch::default()
        }
    }

    async fn leaves(&self, want: Range<u64>, size: u64) -> Result<Leaves, SourceError> {
        self.leaves_within(want, size, MAX_ENTRIES_BYTES).await
    }

    async fn leaves_within(
        &self,
        want: Range<u64>,
        size: u64,
        limit_bytes: usize,
    ) -> Result<Leaves, SourceError> {
        if want.is_empty() || want.end > self.bundle(want.start, size).end {
            return Err(SourceError::OutOfRange {
                start: want.start,
                end: want.end,
                size,
            });
        }
        let locals: Vec<u64> = want.clone().collect();
        // Their proofs are not read: the root over all leaves proves each of them.
        let entries: Vec<Leaf> = self.entries(&locals, limit_bytes, |_| true).await?;
        let bodies = entries.iter().map(|entry| &entry.body);
        let buffer = Vec::with_capacity(bodies.clone().map(Bytes::len).sum());
        let mut leaves = Leaves::copied_into(buffer, want.start, bodies).map_err(|e| {
            SourceError::Malformed {
                resource: format!("the leaves from {}", want.start),
                reason: e.to_string(),
            }
        })?;
        for (local, entry) in want.zip(entries) {
            if let Some(attestation) = entry.attestation {
                leaves = leaves.with(local, attestation);
            }
            if let Some(promise) = entry.promise {
                leaves = leaves.with_promise(local, promise);
            }
        }
        Ok(leaves)
    }

    /// From the inclusion proofs of the last leaf before the split and of the last leaf of the tree, for any larger
    /// trees: one request.
    async fn split(&self, at: u64, size: u64) -> Result<Split, SourceError> {
        let (before, last) = (at.checked_sub(1), size.checked_sub(1));
        let mut locals: Vec<u64> = before.into_iter().chain(last).collect();
        locals.dedup();
        let shown = |entry: &Entry| entry.inclusion.as_ref().is_none_or(|i| i.tree_size >= size);
        let entries = self.entries(&locals, MAX_ENTRIES_BYTES, shown).await?;
        let (first, second) = (entries.first(), entries.last());
        Split::from_paths(at, size, first.and_then(path), second.and_then(path)).map_err(|e| {
            SourceError::Malformed {
                resource: format!("the inclusion proofs of a tree of {size}, split at {at}"),
                reason: e.to_string(),
            }
        })
    }

    fn date(&self) -> Option<ServerDate> {
        self.client.date()
    }
}
