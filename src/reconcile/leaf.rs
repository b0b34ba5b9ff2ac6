//! One leaf of a log, fetched and proven: that it lies at its index in a tree whose root was verified before.

use tlog::{CompactRange, Hash, Head, leaf_hash};

use crate::source::{LogSource, SourceError};

/// Why a leaf is not proven.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unproven {
    /// The log did not answer, or not in its form.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// What it serves is not what it signed.
    #[error(
        "the log serves entries that do not hash to the root that it signed for {size} entries"
    )]
    Root {
        /// The size of the tree.
        size: u64,
    },
}

/// The leaf at `index`, which is below the size of `head`, and its hash. All leaves that the log serves together with it are
/// hashed, and have to lead from one frontier of the tree to the next; both frontiers belong to the root of `head`.
pub(super) async fn prove(
    source: &dyn LogSource,
    head: &Head,
    index: u64,
) -> Result<(Vec<u8>, Hash), Unproven> {
    let is_false = || Unproven::Root { size: head.size };
    let range = source.bundle(index, head.size);
    let leaves = source.leaves(range.clone(), head.size).await?;
    let mut frontier = frontier(source, head, range.start).await?;
    let mut wanted = None;
    for (place, leaf) in leaves.iter() {
        let hash = leaf_hash(leaf);
        frontier.push(hash);
        if place == index {
            wanted = Some((leaf.to_vec(), hash));
        }
    }
    let is_proven = if range.end == head.size {
        frontier.size() == head.size && frontier.root() == head.root
    } else {
        frontier == self::frontier(source, head, range.end).await?
    };
    match wanted {
        Some(leaf) if is_proven => Ok(leaf),
        _ => Err(is_false()),
    }
}

/// The frontier of the first `at` leaves of the tree.
async fn frontier(source: &dyn LogSource, head: &Head, at: u64) -> Result<CompactRange, Unproven> {
    if at == 0 {
        return Ok(CompactRange::new());
    }
    let split = source.split(at, head.size).await?;
    if split.root() == head.root {
        Ok(split.frontier())
    } else {
        Err(Unproven::Root { size: head.size })
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use async_trait::async_trait;
    use bytes::Bytes;
    use tlog::{Node, Split, node_hash};

    use super::*;
    use crate::source::Leaves;

    /// A log in memory, which serves four leaves at once.
    #[derive(Clone)]
    struct Memory {
        /// What it serves as leaves.
        leaves: Vec<&'static [u8]>,
        /// What it hashes.
        hashed: Vec<&'static [u8]>,
    }

    impl Memory {
        fn hash(&self, node: Node) -> Hash {
            let Some(level) = node.level.checked_sub(1) else {
                let index = usize::try_from(node.index).expect("a small number");
                return leaf_hash(self.hashed[index]);
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
            unreachable!("the checkpoint is known")
        }

        fn bundle(&self, index: u64, size: u64) -> Range<u64> {
            let start = index / 4 * 4;
            start..size.min(start + 4)
        }

        async fn leaves(&self, want: Range<u64>, _: u64) -> Result<Leaves, SourceError> {
            let all = self.leaves.iter().enumerate();
            let wanted = all.filter(|(index, _)| want.contains(&(*index as u64)));
            let wanted: Vec<&[u8]> = wanted.map(|(_, leaf)| *leaf).collect();
            Ok(Leaves::copied(want.start, wanted).expect("few short leaves"))
        }

        async fn split(&self, at: u64, size: u64) -> Result<Split, SourceError> {
            let (left, right) = Split::nodes(at, size).expect("within the tree");
            let hashes = |nodes: Vec<Node>| nodes.into_iter().map(|node| self.hash(node)).collect();
            Ok(Split::new(at, size, hashes(left), hashes(right))
                .expect("as many as there are nodes"))
        }
    }

    const LEAVES: [&[u8]; 10] = [b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9"];

    fn honest() -> Memory {
        Memory {
            leaves: LEAVES.to_vec(),
            hashed: LEAVES.to_vec(),
        }
    }

    fn head(size: u64) -> Head {
        let mut range = CompactRange::new();
        for leaf in LEAVES
            .iter()
            .take(usize::try_from(size).expect("a small number"))
        {
            range.push(leaf_hash(leaf));
        }
        Head {
            size,
            root: range.root(),
            note: Vec::new().into(),
        }
    }

    #[tokio::test]
    async fn every_leaf_of_every_tree_is_proven() {
        for size in 1..=10 {
            for (index, leaf) in (0..size).zip(LEAVES) {
                let proven = prove(&honest(), &head(size), index).await;
                assert_eq!(proven.expect("an honest log").0, leaf, "{index} of {size}");
            }
        }
    }

    #[tokio::test]
    async fn a_swapped_leaf_is_not_proven_whether_or_not_the_log_hashes_it() {
        for swapped in 0..10 {
            let mut served = honest();
            served.leaves[swapped] = b"swapped";
            let mut hashed = served.clone();
            hashed.hashed[swapped] = b"swapped";
            for liar in [served, hashed] {
                let index = swapped as u64;
                let refused = prove(&liar, &head(10), index).await;
                assert!(
                    matches!(refused, Err(Unproven::Root { size: 10 })),
                    "{swapped}"
                );
            }
        }
    }
}
