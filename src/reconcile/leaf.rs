//! One leaf of a log, fetched and proven: that it lies at its index in a tree whose root was verified before.

use tlog::{Hash, Head, leaf_hash};

use crate::monitor::{self, is_of_tree};
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
    let before = monitor::frontier(source, head, range.start).await?;
    let mut frontier = before.ok_or_else(is_false)?;
    let mut wanted = None;
    for (place, leaf) in leaves.iter() {
        let hash = leaf_hash(leaf);
        frontier.push(hash);
        if place == index {
            wanted = Some((leaf.to_vec(), hash));
        }
    }
    let is_proven = frontier.size() == range.end && is_of_tree(source, head, &frontier).await?;
    match wanted {
        Some(leaf) if is_proven => Ok(leaf),
        _ => Err(is_false()),
    }
}

#[cfg(test)]
mod tests {
    use tlog::CompactRange;

    use super::*;
    use crate::source::Memory;

    const LEAVES: [&[u8]; 10] = [b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9"];

    fn honest() -> Memory {
        Memory::honest(LEAVES.map(<[u8]>::to_vec).to_vec())
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
            served.leaves[swapped] = b"swapped".to_vec();
            let mut hashed = served.clone();
            hashed.hashed[swapped] = b"swapped".to_vec();
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
