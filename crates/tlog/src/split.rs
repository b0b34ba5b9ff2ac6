//! A tree cut in two: one set of nodes that gives the frontier at a position, the root there, and the root of the whole.

use alloc::vec::Vec;

use crate::hash::{Hash, empty_root, node_hash};
use crate::{CompactRange, MAX_TREE_SIZE};

/// One node of a log's tree: the root of leaves `[index * 2^level, (index + 1) * 2^level)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Height above the leaves; a leaf has level 0.
    pub level: u8,
    /// Number of the node within its level.
    pub index: u64,
}

impl Node {
    /// One past the last leaf below this node; `None` beyond [`MAX_TREE_SIZE`].
    pub fn end(&self) -> Option<u64> {
        let leaves = 1_u64.checked_shl(self.level.into())?;
        self.index
            .checked_add(1)?
            .checked_mul(leaves)
            .filter(|&end| end <= MAX_TREE_SIZE)
    }
}

/// The hashes of the maximal complete subtrees of `[0, at)` and of `[at, size)`.
///
/// A reader that starts at `at` fetches the [`nodes`](Self::nodes) (from hash tiles, say), compares [`root`](Self::root) with
/// a signed root at `size`, and has then a [`frontier`](Self::frontier) at `at` that the log has signed for. Comparing
/// [`root_at`](Self::root_at) with a root signed at `at` shows, from the same hashes, that the log only appended in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    at: u64,
    size: u64,
    left: Vec<Hash>,
    right: Vec<Hash>,
}

/// Parts that do not cut a tree in two.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The cut lies beyond the tree, or the tree is larger than [`MAX_TREE_SIZE`].
    #[error("a tree of {size} leaves cannot be cut at {at}")]
    OutOfRange {
        /// Where to cut.
        at: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// Not one hash for each node.
    #[error(
        "a tree of {size} leaves cut at {at} has {expected_left} and {expected_right} subtrees, found hashes of {left} and {right}"
    )]
    Count {
        /// Where to cut.
        at: u64,
        /// Leaves in the tree.
        size: u64,
        /// Subtrees before the cut.
        expected_left: usize,
        /// Subtrees after the cut.
        expected_right: usize,
        /// Hashes given for before the cut.
        left: usize,
        /// Hashes given for after the cut.
        right: usize,
    },
}

impl Split {
    /// The nodes whose hashes [`new`](Self::new) takes: the maximal complete subtrees of `[0, at)`, and those of `[at, size)`,
    /// both from left to right. At most 63 and 125.
    ///
    /// # Errors
    /// [`SplitError::OutOfRange`] unless `at <= size <= MAX_TREE_SIZE`.
    pub fn nodes(at: u64, size: u64) -> Result<(Vec<Node>, Vec<Node>), SplitError> {
        if at > size || size > MAX_TREE_SIZE {
            return Err(SplitError::OutOfRange { at, size });
        }
        Ok((subtrees(0, at), subtrees(at, size)))
    }

    /// Puts together the hashes of [`nodes`](Self::nodes), in the same order.
    ///
    /// # Errors
    /// [`SplitError::OutOfRange`], [`SplitError::Count`].
    pub fn new(at: u64, size: u64, left: Vec<Hash>, right: Vec<Hash>) -> Result<Self, SplitError> {
        let (left_nodes, right_nodes) = Self::nodes(at, size)?;
        let expected = (left_nodes.len(), right_nodes.len());
        if (left.len(), right.len()) != expected {
            return Err(SplitError::Count {
                at,
                size,
                expected_left: expected.0,
                expected_right: expected.1,
                left: left.len(),
                right: right.len(),
            });
        }
        Ok(Self {
            at,
            size,
            left,
            right,
        })
    }

    /// Frontier of the first `at` leaves. Vouched for once [`root`](Self::root) equals a signed root.
    pub fn frontier(&self) -> CompactRange {
        // `new` counted the hashes, so this never falls back.
        CompactRange::from_parts(self.at, self.left.clone()).unwrap_or_default()
    }

    /// Root of the first `at` leaves.
    pub fn root_at(&self) -> Hash {
        fold(&self.left).unwrap_or_else(empty_root)
    }

    /// Root of all `size` leaves.
    pub fn root(&self) -> Hash {
        let mut stack: Vec<(u8, Hash)> = Vec::new();
        let nodes = subtrees(0, self.at)
            .into_iter()
            .chain(subtrees(self.at, self.size));
        for (node, hash) in nodes.zip(self.left.iter().chain(&self.right)) {
            let (mut level, mut hash) = (node.level, *hash);
            // Everything to the left is complete, so two neighbours of one level are the children of one parent.
            while let Some((_, left)) = stack.pop_if(|(top, _)| *top == level) {
                hash = node_hash(&left, &hash);
                level += 1;
            }
            stack.push((level, hash));
        }
        let hashes: Vec<Hash> = stack.into_iter().map(|(_, hash)| hash).collect();
        fold(&hashes).unwrap_or_else(empty_root)
    }
}

/// Root over a frontier, largest subtree first; `None` for the empty tree.
pub(crate) fn fold(frontier: &[Hash]) -> Option<Hash> {
    frontier
        .iter()
        .rev()
        .copied()
        .reduce(|right, left| node_hash(&left, &right))
}

/// Maximal complete subtrees of `[start, end)`, from left to right.
fn subtrees(start: u64, end: u64) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut position = start;
    while position < end {
        // As large as its left edge is aligned, and as still fits. Both are below 64, so they fit a u8.
        let level = position.trailing_zeros().min((end - position).ilog2());
        nodes.push(Node {
            level: u8::try_from(level).unwrap_or(u8::MAX),
            index: position >> level,
        });
        position += 1 << level;
    }
    nodes
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;
    use crate::testing::Tree;

    #[test]
    fn one_set_of_nodes_gives_frontier_and_both_roots_for_every_cut_of_every_tree() {
        for size in 0..=72 {
            let tree = Tree::of(size);
            for at in 0..=size {
                let (left, right) = Split::nodes(at, size).unwrap();
                let hashes = |nodes: &[Node]| {
                    nodes
                        .iter()
                        .map(|node| tree.node(*node))
                        .collect::<Vec<_>>()
                };
                let split = Split::new(at, size, hashes(&left), hashes(&right)).unwrap();
                assert_eq!(split.root(), tree.root(), "cut {size} at {at}");
                assert_eq!(split.root_at(), Tree::of(at).root());
                assert_eq!(split.frontier(), Tree::of(at).frontier());
            }
        }
    }

    #[test]
    fn a_changed_node_changes_the_root_of_the_whole() {
        let tree = Tree::of(13);
        let (left, right) = Split::nodes(6, 13).unwrap();
        for changed in 0..left.len() + right.len() {
            let mut hashes: Vec<Hash> = left
                .iter()
                .chain(&right)
                .map(|node| tree.node(*node))
                .collect();
            hashes[changed] = crate::testing::leaf(500);
            let after = hashes.split_off(left.len());
            assert_ne!(
                Split::new(6, 13, hashes, after).unwrap().root(),
                tree.root()
            );
        }
    }

    #[test]
    fn the_nodes_of_the_largest_trees_are_few() {
        for (at, size) in [
            (0, MAX_TREE_SIZE),
            (MAX_TREE_SIZE, MAX_TREE_SIZE),
            (1, MAX_TREE_SIZE),
            (1 << 62, MAX_TREE_SIZE),
        ] {
            let (left, right) = Split::nodes(at, size).unwrap();
            assert!(
                left.len() <= 63 && right.len() <= 125,
                "{} {}",
                left.len(),
                right.len()
            );
            assert!(left.iter().chain(&right).all(|node| node.end().is_some()));
        }
        assert!(Split::nodes(2, 1).is_err());
        assert!(Split::nodes(0, u64::MAX).is_err());
        assert!(Split::new(1, 2, [].into(), [].into()).is_err());
    }
}
