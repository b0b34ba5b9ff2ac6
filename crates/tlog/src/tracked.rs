//! The hashes that the inclusion proofs of some leaves need, collected while all leaves are read.
//!
//! A reader of a whole log computes the root and needs no inclusion proof. To prove some of its leaves to others later, it needs
//! for each of them the siblings on its path. [`TrackedRange`] is a frontier that knows which of its subtrees contain a wanted
//! leaf, one bit for each. When two subtrees are joined, and one of them contains a wanted leaf, the other is a sibling on its
//! path, and is handed over. So the memory does not depend on the number of wanted leaves, and neighbours share their siblings.

use alloc::vec::Vec;
use core::ops::Range;

use crate::CompactRange;
use crate::hash::{Hash, node_hash};
use crate::split::{Node, Split, SplitError};

/// A frontier that hands over the siblings of wanted leaves. See the [module](self) documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedRange {
    size: u64,
    /// The root of each maximal complete subtree, largest first, and whether it contains a wanted leaf.
    subtrees: Vec<(Hash, bool)>,
}

impl TrackedRange {
    /// Goes on after this frontier. `contains_wanted` tells of a range of leaves whether one of them is wanted.
    pub fn new(
        frontier: &CompactRange,
        mut contains_wanted: impl FnMut(Range<u64>) -> bool,
    ) -> Self {
        let size = frontier.size();
        let mut start = 0;
        let levels = (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1);
        let subtrees = levels
            .zip(frontier.hashes())
            .map(|(level, hash)| {
                // It cannot overflow: the lengths add up to the size.
                let end = start + (1 << level);
                let is_wanted = contains_wanted(start..end);
                start = end;
                (*hash, is_wanted)
            })
            .collect();
        Self { size, subtrees }
    }

    /// Number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Whether a wanted leaf waits for siblings.
    pub fn is_tracking(&self) -> bool {
        self.subtrees.iter().any(|(_, is_wanted)| *is_wanted)
    }

    /// Adds the hash of the next leaf. Siblings that are known by it are handed to `emit`.
    pub fn push(&mut self, leaf: Hash, is_wanted: bool, emit: &mut impl FnMut(Node, Hash)) {
        self.join(0, leaf, is_wanted, emit);
    }

    /// Adds the rest of the tree that a split shows, without a wanted leaf: the tree of a split at [`size`](Self::size) is
    /// complete then. Does nothing if it was split elsewhere.
    pub fn push_rest(&mut self, split: &Split, emit: &mut impl FnMut(Node, Hash)) {
        if split.at() == self.size {
            for (node, hash) in split.right() {
                self.join(node.level, hash, false, emit);
            }
        }
    }

    /// Adds a complete subtree of 2^`first` leaves, to which the size is aligned.
    fn join(&mut self, first: u8, root: Hash, is_wanted: bool, emit: &mut impl FnMut(Node, Hash)) {
        let (mut hash, mut wanted) = (root, is_wanted);
        let mut level = first;
        while self
            .size
            .checked_shr(level.into())
            .is_some_and(|index| index & 1 == 1)
        {
            // One hash for each bit: this is `Some` each time.
            let Some((left, left_wanted)) = self.subtrees.pop() else {
                break;
            };
            let index = self.size >> level;
            if left_wanted {
                emit(Node { level, index }, hash);
            }
            if wanted {
                emit(
                    Node {
                        level,
                        index: index - 1,
                    },
                    left,
                );
            }
            hash = node_hash(&left, &hash);
            wanted |= left_wanted;
            level += 1;
        }
        self.subtrees.push((hash, wanted));
        // Sizes of trees end at 2^63 - 1.
        self.size = self
            .size
            .saturating_add(1_u64.checked_shl(first.into()).unwrap_or_default());
    }

    /// The tree ends here: hands over the rest of what the proofs of all wanted leaves need in the tree of this size, and wants
    /// none of them any more. Does nothing if none is wanted.
    pub fn finish(&mut self, emit: &mut impl FnMut(Node, Hash)) {
        if !self.is_tracking() {
            return;
        }
        let size = self.size;
        let levels = (0_u8..64).rev().filter(|level| size >> level & 1 == 1);
        for (level, (hash, is_wanted)) in levels.zip(&mut self.subtrees) {
            // The subtree of this bit is the last one of its level that is complete.
            emit(
                Node {
                    level,
                    index: (size >> level) - 1,
                },
                *hash,
            );
            *is_wanted = false;
        }
    }
}

/// The inclusion proof of a leaf (RFC 6962 §2.1.1) from the hashes of nodes, which [`TrackedRange`] handed over. Nothing is
/// verified. `Ok(None)`: a node is missing.
///
/// # Errors
/// [`SplitError::OutOfRange`]: no leaf of that tree.
pub fn inclusion_path_of(
    index: u64,
    size: u64,
    mut hash_of: impl FnMut(Node) -> Option<Hash>,
) -> Result<Option<Vec<Hash>>, SplitError> {
    let after = index
        .checked_add(1)
        .ok_or(SplitError::OutOfRange { at: index, size })?;
    let (left, to_the_right) = Split::nodes(index, size)?;
    let (to_the_left, right) = Split::nodes(after, size)?;
    // Only the siblings are needed: the left ones of the first split, the right ones of the second.
    let needed = |nodes: &[Node],
                  hash_of: &mut dyn FnMut(Node) -> Option<Hash>|
     -> Option<Vec<Hash>> { nodes.iter().map(|node| hash_of(*node)).collect() };
    let (Some(left), Some(right)) = (needed(&left, &mut hash_of), needed(&right, &mut hash_of))
    else {
        return Ok(None);
    };
    let unused = |nodes: Vec<Node>| nodes.iter().map(|_| Hash::new([0; Hash::BYTES])).collect();
    let before = Split::new(index, size, left, unused(to_the_right))?;
    let after = Split::new(after, size, unused(to_the_left), right)?;
    Split::inclusion_path(&before, &after).map(Some)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use alloc::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Tree, leaf};
    use crate::verify_inclusion;

    fn frontier(size: u64) -> CompactRange {
        Tree::of(size).frontier()
    }

    fn prove(known: &BTreeMap<Node, Hash>, index: u64, size: u64) {
        let path = inclusion_path_of(index, size, |node| known.get(&node).copied()).unwrap();
        let path = path.unwrap_or_else(|| panic!("leaf {index} of {size} has all hashes"));
        let root = frontier(size).root();
        assert_eq!(
            verify_inclusion(&leaf(index), index, size, &path, &root),
            Ok(())
        );
    }

    proptest! {
        /// Leaves are read from any position on, in pieces between which only the frontier is kept, and several trees are proven
        /// on the way: each wanted leaf has its proof in the first tree that contains it.
        #[test]
        fn each_wanted_leaf_gets_its_proof(
            first in 0..40_u64,
            steps in prop::collection::vec((1..40_u64, any::<bool>()), 1..5),
            wanted in prop::collection::btree_set(0..200_u64, 0..12),
        ) {
            let mut known = BTreeMap::new();
            let mut size = first;
            let mut proven = first;
            let mut tracked = TrackedRange::new(&frontier(first), |_| false);
            for (length, is_proven) in steps {
                for index in size..size + length {
                    tracked.push(leaf(index), wanted.contains(&index), &mut |node, hash| {
                        known.insert(node, hash);
                    });
                }
                size += length;
                if is_proven {
                    tracked.finish(&mut |node, hash| { known.insert(node, hash); });
                    for index in wanted.range(proven..size) {
                        prove(&known, *index, size);
                    }
                    proven = size;
                }
                // A restart: only the frontier and the indices are stored.
                let again = TrackedRange::new(&frontier(size), |range| wanted.range(range).any(|index| *index >= proven));
                prop_assert_eq!(&tracked, &again);
                tracked = again;
            }
        }
    }

    #[test]
    fn the_rest_of_a_tree_comes_from_a_split() {
        for size in 1..40_u64 {
            for at in 0..=size {
                for first in 0..at {
                    let mut known = BTreeMap::new();
                    let mut emit = |node, hash| {
                        known.insert(node, hash);
                    };
                    let mut tracked = TrackedRange::new(&frontier(first), |_| false);
                    for index in first..at {
                        tracked.push(leaf(index), true, &mut emit);
                    }
                    let tree = Tree::of(size);
                    let (left, right) = Split::nodes(at, size).unwrap();
                    let hashes =
                        |nodes: Vec<Node>| nodes.into_iter().map(|node| tree.node(node)).collect();
                    let split = Split::new(at, size, hashes(left), hashes(right)).unwrap();
                    tracked.push_rest(&split, &mut emit);
                    tracked.finish(&mut emit);
                    assert_eq!(tracked.size(), size);
                    for index in first..at {
                        prove(&known, index, size);
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_is_handed_over_without_a_wanted_leaf() {
        let mut tracked = TrackedRange::new(&CompactRange::new(), |_| false);
        for index in 0..100 {
            tracked.push(leaf(index), false, &mut |node, _| panic!("{node:?}"));
        }
        tracked.finish(&mut |node, _| panic!("{node:?}"));
        assert_eq!(inclusion_path_of(5, 100, |_| None), Ok(None));
        assert!(inclusion_path_of(100, 100, |_| None).is_err());
        assert!(inclusion_path_of(u64::MAX, 100, |_| None).is_err());
    }

    #[test]
    fn neighbours_share_their_siblings() {
        let mut count = 0_u64;
        let mut tracked = TrackedRange::new(&CompactRange::new(), |_| false);
        for index in 0..4096 {
            tracked.push(leaf(index), true, &mut |_, _| count += 1);
        }
        tracked.finish(&mut |_, _| count += 1);
        // Each node of the tree once.
        assert_eq!(count, 2 * 4096 - 1);
    }
}
