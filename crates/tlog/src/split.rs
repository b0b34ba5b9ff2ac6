//! A tree split at a position: one set of nodes that gives the frontier at the position, the root there, and the root
//! of the whole tree.

use alloc::vec::Vec;

use crate::frontier::fold;
use crate::hash::{Hash, empty_root, node_hash};
use crate::proof::{ProofError, Shape};
use crate::{CompactRange, FrontierError, MAX_TREE_SIZE};

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
/// A reader that starts at `at` fetches the [`nodes`](Self::nodes) (for example from hash tiles) and compares
/// [`root`](Self::root) with a signed root at `size`. Then it has a [`frontier`](Self::frontier) at `at` that the log
/// has signed. A comparison of [`root_at`](Self::root_at) with a root signed at `at` shows, from the same hashes, that
/// the log only appended in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    at: u64,
    size: u64,
    left: Vec<Hash>,
    right: Vec<Hash>,
}

/// A leaf's path to the root of some tree that holds it: what an inclusion proof is, before it is verified.
#[derive(Clone, Copy, Debug)]
pub struct LeafPath<'a> {
    /// Hash of the leaf.
    pub leaf: Hash,
    /// Size of the tree that the path is for.
    pub tree_size: u64,
    /// The path's siblings, from the leaf up.
    pub hashes: &'a [Hash],
}

/// Parts that do not cut a tree in two.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The position is beyond the tree, or the tree is larger than [`MAX_TREE_SIZE`].
    #[error("a tree of {size} leaves cannot be split at {at}")]
    OutOfRange {
        /// Where to cut.
        at: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// Not one hash for each node.
    #[error(
        "a tree of {size} leaves split at {at} has {expected_left} and {expected_right} subtrees, found hashes of {left} and {right}"
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
    /// A path in a tree that is smaller than the one to split.
    #[error("a path in a tree of {tree_size} leaves does not show one of {size}")]
    Behind {
        /// Leaves in the tree that the path is for.
        tree_size: u64,
        /// Leaves in the tree to cut.
        size: u64,
    },
    /// A path of the wrong length.
    #[error(transparent)]
    Path(#[from] FrontierError),
}

impl From<ProofError> for SplitError {
    fn from(error: ProofError) -> Self {
        Self::Path(error.into())
    }
}

impl Split {
    /// The nodes whose hashes [`new`](Self::new) needs: the maximal complete subtrees of `[0, at)`, and those of
    /// `[at, size)`, both from left to right. At most 63 and 125.
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

    /// Splits a tree with the paths of two leaves, for logs that serve inclusion proofs instead of hash tiles: of leaf
    /// `at - 1` (unused if `at` is 0), and of leaf `size - 1` (unused if `size` is 0).
    ///
    /// The paths may belong to any trees of at least `size` leaves, and to different ones: the nodes to the left of a
    /// leaf do not change, and from those to the right only subtrees are used that are complete at `size`.
    ///
    /// # Errors
    /// [`SplitError::OutOfRange`]; [`SplitError::Behind`] and [`SplitError::Path`] for paths that are missing or do not
    /// belong to these leaves.
    pub fn from_paths(
        at: u64,
        size: u64,
        before: Option<LeafPath<'_>>,
        last: Option<LeafPath<'_>>,
    ) -> Result<Self, SplitError> {
        let (_, right_nodes) = Self::nodes(at, size)?;
        let mut known: Vec<(Node, Hash)> = Vec::new();
        let mut left = Vec::new();
        if let Some(index) = at.checked_sub(1) {
            let (path, frontier) = after(index, size, before)?;
            left = frontier.hashes().to_vec();
            known.extend(complete_right_siblings(index, size, &path)?);
        }
        if let Some(index) = size.checked_sub(1) {
            let (_, frontier) = after(index, size, last)?;
            known.extend(
                subtrees(0, size)
                    .into_iter()
                    .zip(frontier.hashes().to_vec()),
            );
        }
        let right = right_nodes
            .iter()
            .filter_map(|node| known.iter().find(|(known, _)| known == node))
            .map(|(_, hash)| *hash)
            .collect();
        Self::new(at, size, left, right)
    }

    /// Number of leaves before the cut.
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// The maximal complete subtrees after the cut, from left to right, with their hashes.
    pub fn right(&self) -> impl Iterator<Item = (Node, Hash)> {
        // `new` counted the hashes.
        subtrees(self.at, self.size)
            .into_iter()
            .zip(self.right.iter().copied())
    }

    /// Frontier of the first `at` leaves. It is proven once [`root`](Self::root) equals a signed root.
    pub fn frontier(&self) -> CompactRange {
        // `new` counted the hashes, so this never falls back.
        CompactRange::from_parts(self.at, self.left.clone()).unwrap_or_default()
    }

    /// The inclusion proof of a leaf (RFC 6962 §2.1.1), from the tree split before the leaf and split after it.
    ///
    /// # Errors
    /// [`SplitError::OutOfRange`] unless both are of one tree, and one leaf lies between the cuts.
    pub fn inclusion_path(before: &Self, after: &Self) -> Result<Vec<Hash>, SplitError> {
        let (at, size) = (before.at, before.size);
        let out_of_range = SplitError::OutOfRange { at, size };
        if after.size != size || Some(after.at) != at.checked_add(1) {
            return Err(out_of_range);
        }
        let shape = Shape::of_inclusion(at, size)?;
        let mut left = before.left.iter().rev();
        let mut right = after.right.as_slice();
        let steps = 0..shape.steps();
        let last = steps.clone().rfind(|step| !shape.sibling_is_left(*step));
        let path = steps.map(|step| {
            if shape.sibling_is_left(step) {
                left.next().copied()
            } else if Some(step) == last {
                // The only sibling that reaches to the end of the tree: it may be incomplete, and then has several nodes.
                fold(right)
            } else {
                let (first, rest) = right.split_first()?;
                right = rest;
                Some(*first)
            }
        });
        path.collect::<Option<_>>().ok_or(out_of_range)
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

/// The frontier after leaf `index`, from its path in a tree of at least `size` leaves.
fn after(
    index: u64,
    size: u64,
    path: Option<LeafPath<'_>>,
) -> Result<(LeafPath<'_>, CompactRange), SplitError> {
    let path = path.ok_or(SplitError::Behind { tree_size: 0, size })?;
    if path.tree_size < size {
        let tree_size = path.tree_size;
        return Err(SplitError::Behind { tree_size, size });
    }
    let frontier = CompactRange::from_last_leaf(index, &path.leaf, path.tree_size, path.hashes)?;
    Ok((path, frontier))
}

/// The siblings on the right of a leaf's path that are complete in the tree of the first `size` leaves.
///
/// Every maximal subtree of `[index + 1, size)` is one of these, or part of the frontier at `size`: from the position
/// to the right, subtrees grow while they are right siblings of the path, and shrink once they are part of the
/// frontier.
fn complete_right_siblings(
    index: u64,
    size: u64,
    path: &LeafPath<'_>,
) -> Result<Vec<(Node, Hash)>, SplitError> {
    let shape = Shape::of_inclusion(index, path.tree_size)?;
    shape.check(path.hashes)?;
    Ok(path
        .hashes
        .iter()
        .enumerate()
        .filter(|(step, _)| !shape.sibling_is_left(*step))
        .filter_map(|(step, hash)| {
            // On the right there are siblings only below the border, where a step is a level.
            let level = u8::try_from(step).ok()?;
            let node = Node {
                level,
                index: (index >> step) + 1,
            };
            (node.end()? <= size).then_some((node, *hash))
        })
        .collect())
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
    use crate::testing::{Tree, leaf};

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
    fn the_cuts_before_and_after_a_leaf_give_its_inclusion_proof() {
        let split = |at: u64, tree: &Tree, size: u64| {
            let (left, right) = Split::nodes(at, size).unwrap();
            let hashes = |nodes: &[Node]| nodes.iter().map(|n| tree.node(*n)).collect::<Vec<_>>();
            Split::new(at, size, hashes(&left), hashes(&right)).unwrap()
        };
        for size in 1..=40 {
            let tree = Tree::of(size);
            for index in 0..size {
                let (before, after) = (split(index, &tree, size), split(index + 1, &tree, size));
                let path = Split::inclusion_path(&before, &after).unwrap();
                assert_eq!(path, tree.inclusion(index), "{index} of {size}");
                assert!(Split::inclusion_path(&after, &before).is_err());
            }
        }
        let (tree, other) = (Tree::of(5), Tree::of(6));
        assert!(Split::inclusion_path(&split(2, &tree, 5), &split(3, &other, 6)).is_err());
    }

    fn path(index: u64, tree_size: u64, hashes: &[Hash]) -> LeafPath<'_> {
        LeafPath {
            leaf: leaf(index),
            tree_size,
            hashes,
        }
    }

    #[test]
    fn two_paths_in_later_trees_give_the_same_cut_as_the_nodes() {
        for size in 0..=40 {
            for at in 0..=size {
                let (left, right) = Split::nodes(at, size).unwrap();
                let tree = Tree::of(size);
                let hashes =
                    |nodes: &[Node]| nodes.iter().map(|n| tree.node(*n)).collect::<Vec<_>>();
                let expected = Split::new(at, size, hashes(&left), hashes(&right)).unwrap();
                for (first, second) in [(size, size), (size + 1, size), (size + 5, size + 40)] {
                    let proof = |index: u64, size: u64| Tree::of(size).inclusion(index);
                    let (a, b) = (at.checked_sub(1), size.checked_sub(1));
                    let (a_proof, b_proof) = (
                        a.map(|index| proof(index, first)),
                        b.map(|index| proof(index, second)),
                    );
                    let split = Split::from_paths(
                        at,
                        size,
                        a.zip(a_proof.as_deref()).map(|(i, p)| path(i, first, p)),
                        b.zip(b_proof.as_deref()).map(|(i, p)| path(i, second, p)),
                    )
                    .unwrap();
                    assert_eq!(split, expected, "{size} at {at} by {first} and {second}");
                }
            }
        }
    }

    #[test]
    fn paths_that_show_too_little_are_refused() {
        let proof = Tree::of(8).inclusion(7);
        let last = Some(path(7, 8, &proof));
        let early = Tree::of(6).inclusion(4);
        for (before, last) in [
            (None, last),
            (Some(path(4, 6, &early)), last),
            (Some(path(4, 8, &early)), last),
            (Some(path(4, u64::MAX, &early)), last),
            (Some(path(4, 8, &Tree::of(8).inclusion(4))), None),
        ] {
            assert!(Split::from_paths(5, 8, before, last).is_err());
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
            hashes[changed] = leaf(500);
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
