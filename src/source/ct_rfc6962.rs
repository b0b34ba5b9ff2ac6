//! A certificate transparency log that answers questions (RFC 6962 §4).

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use tlog::note::tree_head;
use tlog::{CompactRange, Hash, KeyName, Node, Split, consistency_ranges, leaf_hash};

use super::log_source::{LogSource, Prefetch};
use super::tiles::absent;
use super::transport::{Got, Transport};
use super::transport_error::TransportError;
use super::{Leaves, ServerDate, SourceError, ct};

/// Entries in one request. If a server returns fewer, the rest is requested again. If a server returns entries only up
/// to the next multiple of its own limit (as CTFE does), this number is such a multiple.
const BATCH: u64 = ct::MAX_ENTRIES as u64;

/// Longest accepted response, in bytes. A thousand entries of Fulcio have five million; of longer entries fewer are
/// requested at once.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// The responses for one bundle together, in bytes: a thousand entries with the longest accepted certificate and
/// precertificate (64 KiB each), in base64.
const MAX_BUNDLE_BYTES: usize = 4 * MAX_ANSWER_BYTES;

/// Longest tree head or proof, in bytes: a proof has at most 64 hashes of 44 characters.
const MAX_PROOF_BYTES: usize = 64 * 1024;

/// A log of RFC 6962, on a server.
#[derive(Debug)]
pub struct CtRfc6962 {
    transport: Transport,
    log_id: [u8; 32],
    /// The largest number of entries in a request that the server has not refused.
    at_once: AtomicU64,
}

impl CtRfc6962 {
    /// The log at `transport`. `log_id` is SHA-256 of its key; in hex it is the origin of its checkpoints and the name
    /// of its key. No request is sent yet.
    pub fn new(transport: Transport, log_id: [u8; 32]) -> Self {
        Self {
            transport,
            log_id,
            at_once: AtomicU64::new(BATCH),
        }
    }

    async fn get(&self, path: &str, limit_bytes: usize) -> Result<Bytes, SourceError> {
        match self.transport.get(path, limit_bytes).await {
            Ok(Got::File(answer)) => Ok(answer),
            Ok(Got::Absent(asked)) => Err(absent(path, asked)),
            Err(error) => Err(error.about(path)),
        }
    }

    /// The tree head as the note that a static log would publish; `None` if it is not in the form of one.
    fn note(&self, answer: &[u8]) -> Option<String> {
        let head: TreeHead = serde_json::from_slice(answer).ok()?;
        let root = STANDARD.decode(head.sha256_root_hash).ok()?;
        let signature = STANDARD.decode(head.signature).ok()?;
        Some(tree_head::to_note(
            &KeyName::new(&hex::encode(self.log_id)).ok()?,
            &self.log_id,
            head.tree_size,
            Hash::new(root.try_into().ok()?),
            head.timestamp,
            &signature,
        ))
    }

    /// The nodes of the tree of `new` leaves that a consistency proof with that of `old` leaves holds.
    async fn nodes(&self, old: u64, new: u64, nodes: &mut Nodes) -> Result<(), SourceError> {
        let path = format!("ct/v1/get-sth-consistency?first={old}&second={new}");
        let malformed = |reason: String| SourceError::Malformed {
            resource: self.transport.address(&path),
            reason,
        };
        let ranges = consistency_ranges(old, new).map_err(|e| malformed(e.to_string()))?;
        if ranges.is_empty() {
            return Ok(());
        }
        let answer = self.get(&path, MAX_PROOF_BYTES).await?;
        let proof: Proof = serde_json::from_slice(&answer).map_err(|e| malformed(e.to_string()))?;
        if proof.consistency.len() != ranges.len() {
            return Err(malformed(format!(
                "the proof has {} hashes instead of {}",
                proof.consistency.len(),
                ranges.len()
            )));
        }
        for (range, hash) in ranges.into_iter().zip(&proof.consistency) {
            let hash = Hash::from_base64(hash).map_err(|e| malformed(e.to_string()))?;
            nodes.0.insert((range.start, range.end), hash);
        }
        Ok(())
    }

    /// The frontier of the first `at` leaves of a tree of `size` leaves.
    ///
    /// A log of RFC 6962 does not serve the frontier. But a consistency proof begins with the subtrees of the older
    /// tree: all of them, unless there is only one or it is the whole tree. In these cases the proof for one or two
    /// leaves fewer is used, which contains these leaves as well.
    async fn frontier(
        &self,
        at: u64,
        size: u64,
        nodes: &mut Nodes,
    ) -> Result<CompactRange, SourceError> {
        // No tree of three leaves has an earlier one of that kind.
        if at <= 3 {
            let mut frontier = CompactRange::new();
            if at > 0 {
                let leaves = self.leaves(0..at, size).await?;
                leaves
                    .iter()
                    .for_each(|(_, leaf)| frontier.push(leaf_hash(leaf)));
            }
            return Ok(frontier);
        }
        let old = (at - 2..=at)
            .rev()
            .find(|old| *old < size && !old.is_power_of_two())
            .unwrap_or(at - 2);
        self.nodes(old, size, nodes).await?;
        let left = Split::nodes(old, size).map(|(left, _)| left);
        let hashes: Option<Vec<Hash>> = left
            .unwrap_or_default()
            .iter()
            .map(|node| nodes.hash(node))
            .collect();
        let mut frontier = hashes
            .and_then(|hashes| CompactRange::from_parts(old, hashes).ok())
            .ok_or_else(|| missing(at, size))?;
        for index in old..at {
            let leaf = nodes.0.get(&(index, index + 1));
            frontier.push(*leaf.ok_or_else(|| missing(at, size))?);
        }
        Ok(frontier)
    }
}

#[async_trait]
impl LogSource for CtRfc6962 {
    /// Its tree head, written as a note.
    async fn checkpoint(&self) -> Result<Bytes, SourceError> {
        let answer = self.get("ct/v1/get-sth", MAX_PROOF_BYTES).await?;
        // Other bytes are passed on: the code that verifies signatures reports that they are no tree head.
        Ok(self.note(&answer).map_or(answer, Bytes::from))
    }

    fn bundle(&self, index: u64, size: u64) -> Range<u64> {
        if index >= size {
            return index..index;
        }
        let start = index - index % BATCH;
        start..size.min(start.saturating_add(BATCH))
    }

    fn prefetch(&self) -> Prefetch {
        Prefetch {
            // A thousand entries with their precertificates and chains.
            first_guess_bytes: 5 * 1024 * 1024,
            ..Prefetch::default()
        }
    }

    async fn leaves(&self, want: Range<u64>, size: u64) -> Result<Leaves, SourceError> {
        self.leaves_within(want, size, MAX_BUNDLE_BYTES).await
    }

    /// Sends requests until all entries are there: each response contains at least one entry, or is refused. If the log
    /// refuses a range, or its response is too long, the range is halved, down to a single entry. A long certificate,
    /// or a server that refuses instead of returning fewer entries, must not end the monitoring there.
    async fn leaves_within(
        &self,
        want: Range<u64>,
        size: u64,
        limit_bytes: usize,
    ) -> Result<Leaves, SourceError> {
        let bundle = self.bundle(want.start, size);
        let out_of_range = || SourceError::OutOfRange {
            start: want.start,
            end: want.end,
            size,
        };
        if want.is_empty() || want.end > bundle.end {
            return Err(out_of_range());
        }
        let limit_bytes = limit_bytes.min(MAX_BUNDLE_BYTES);
        // Joined once, at the end: a log that gives its entries one by one must not make us copy them a thousand times.
        let (mut parts, mut left_bytes) = (Vec::new(), limit_bytes);
        let mut next = want.start;
        let mut at_once = self.at_once.load(Ordering::Relaxed);
        while next < want.end {
            let end = want.end.min(next.saturating_add(at_once));
            let path = format!("ct/v1/get-entries?start={next}&end={}", end - 1);
            let malformed = |reason: String| SourceError::Malformed {
                resource: self.transport.address(&path),
                reason,
            };
            let several = end - next > 1;
            let answer = self
                .transport
                .get(&path, left_bytes.min(MAX_ANSWER_BYTES))
                .await;
            let answer = match answer {
                Ok(Got::File(answer)) => answer,
                Ok(Got::Absent(asked)) => return Err(absent(&path, asked)),
                // The caller may set a lower limit.
                Err(TransportError::TooLarge { .. })
                    if several && left_bytes >= MAX_ANSWER_BYTES =>
                {
                    at_once = (end - next) / 2;
                    continue;
                }
                Err(TransportError::TooLarge { .. }) => {
                    return Err(SourceError::TooLarge {
                        resource: self.transport.address(&path),
                        limit_bytes,
                    });
                }
                Err(error) if several && error.is_refusal_of_many() => {
                    at_once = (end - next) / 2;
                    self.at_once.fetch_min(at_once, Ordering::Relaxed);
                    continue;
                }
                Err(error) => return Err(error.about(&path)),
            };
            let wanted = usize::try_from(end - next).unwrap_or(usize::MAX);
            let part = ct::entries(&answer, next, wanted).map_err(|e| malformed(e.to_string()))?;
            left_bytes = left_bytes.saturating_sub(answer.len());
            next = part.end();
            parts.push(part);
        }
        let all = Leaves::joined(parts).map_err(|error| SourceError::Malformed {
            resource: format!("the entries {}..{}", want.start, want.end),
            reason: error.to_string(),
        })?;
        all.ok_or_else(out_of_range)
    }

    async fn split(&self, at: u64, size: u64) -> Result<Split, SourceError> {
        let out_of_range = || SourceError::OutOfRange {
            start: at,
            end: at,
            size,
        };
        let (left, right) = Split::nodes(at, size).map_err(|_| out_of_range())?;
        let mut nodes = Nodes::default();
        let frontier = self.frontier(at, size, &mut nodes).await?;
        nodes.add(&left, &frontier);
        if !right.is_empty() {
            // On its way up, the proof has the complete subtrees after the cut, but of the right border only a root.
            self.nodes(at, size, &mut nodes).await?;
            let border = self.frontier(size, size, &mut nodes).await?;
            let of_all = Split::nodes(size, size).map_err(|_| out_of_range())?.0;
            nodes.add(&of_all, &border);
        }
        let hashes = |wanted: &[Node]| -> Option<Vec<Hash>> {
            wanted.iter().map(|node| nodes.hash(node)).collect()
        };
        let (left, right) = hashes(&left)
            .zip(hashes(&right))
            .ok_or_else(|| missing(at, size))?;
        Split::new(at, size, left, right).map_err(|_| out_of_range())
    }

    fn date(&self) -> Option<ServerDate> {
        self.transport.date()
    }
}

/// Answer of `get-sth`, RFC 6962 §4.3.
#[derive(Deserialize)]
struct TreeHead {
    tree_size: u64,
    timestamp: u64,
    sha256_root_hash: String,
    #[serde(rename = "tree_head_signature")]
    signature: String,
}

/// Answer of `get-sth-consistency`, RFC 6962 §4.4.
#[derive(Deserialize)]
struct Proof {
    consistency: Vec<String>,
}

/// Roots of consecutive leaves, by the first and one past the last.
#[derive(Default)]
struct Nodes(HashMap<(u64, u64), Hash>);

impl Nodes {
    fn add(&mut self, nodes: &[Node], frontier: &CompactRange) {
        for (node, hash) in nodes.iter().zip(frontier.hashes()) {
            if let Some(range) = range(node) {
                self.0.insert(range, *hash);
            }
        }
    }

    fn hash(&self, node: &Node) -> Option<Hash> {
        self.0.get(&range(node)?).copied()
    }
}

fn range(node: &Node) -> Option<(u64, u64)> {
    let end = node.end()?;
    Some((end - (1_u64.checked_shl(node.level.into())?), end))
}

/// The proofs have the right number of hashes, so this is an error in this code. The caller gets an unreadable log and
/// not a wrong tree.
fn missing(at: u64, size: u64) -> SourceError {
    SourceError::Malformed {
        resource: format!("the tree of {size} leaves, split at {at}"),
        reason: "its proofs do not contain every node".to_owned(),
    }
}
