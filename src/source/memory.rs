//! A log in memory, for tests of what reads a log.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use tlog::{Hash, Node, Split, leaf_hash, node_hash};

use super::{Leaves, LogSource, SourceError};

/// A log that serves four leaves at once. It may serve other leaves than it hashes.
#[derive(Clone)]
pub(crate) struct Memory {
    /// What it serves as leaves.
    pub leaves: Vec<Vec<u8>>,
    /// What it hashes.
    pub hashed: Vec<Vec<u8>>,
    /// Where it stops answering.
    pub ends_at: u64,
}

impl Memory {
    /// A log that answers everything, truthfully.
    pub fn honest(leaves: Vec<Vec<u8>>) -> Self {
        Self {
            hashed: leaves.clone(),
            leaves,
            ends_at: u64::MAX,
        }
    }

    fn hash(&self, node: Node) -> Hash {
        let Some(level) = node.level.checked_sub(1) else {
            let index = usize::try_from(node.index).expect("a small number");
            return leaf_hash(&self.hashed[index]);
        };
        let below = |index| Node { level, index };
        node_hash(
            &self.hash(below(2 * node.index)),
            &self.hash(below(2 * node.index + 1)),
        )
    }
}

#[async_trait]
impl LogSource for Memory {
    async fn checkpoint(&self) -> Result<Bytes, SourceError> {
        unreachable!("the head is known")
    }

    fn bundle(&self, index: u64, size: u64) -> Range<u64> {
        let start = index / 4 * 4;
        start..size.min(start + 4)
    }

    async fn leaves(&self, want: Range<u64>, _: u64) -> Result<Leaves, SourceError> {
        if want.end > self.ends_at {
            return Err(SourceError::Malformed {
                resource: "a bundle".to_owned(),
                reason: "it is cut off".to_owned(),
            });
        }
        let all = self.leaves.iter().enumerate();
        let wanted = all.filter(|(index, _)| want.contains(&(*index as u64)));
        let wanted: Vec<&Vec<u8>> = wanted.map(|(_, leaf)| leaf).collect();
        Ok(Leaves::copied(want.start, wanted).expect("few short leaves"))
    }

    async fn split(&self, at: u64, size: u64) -> Result<Split, SourceError> {
        let (left, right) = Split::nodes(at, size).expect("within the tree");
        let hashes = |nodes: Vec<Node>| nodes.into_iter().map(|node| self.hash(node)).collect();
        Ok(Split::new(at, size, hashes(left), hashes(right)).expect("as many as there are nodes"))
    }
}
