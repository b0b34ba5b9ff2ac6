//! The frontier of a growing tree: at most 63 hashes, from which the root at every later size can be computed.

use alloc::vec::Vec;

use crate::MAX_TREE_SIZE;
use crate::hash::{Hash, empty_root, node_hash};
use crate::proof::{self, ProofError};

/// The compact range of leaves `[0, size)`: the root of each maximal complete subtree, largest first.
///
/// There is one hash for each bit set in `size`. Two ranges are equal when they hold the same number of leaves with the same
/// hashes, up to collisions of SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    hashes: Vec<Hash>,
}

/// Parts that are not the frontier of a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrontierError {
    /// A tree larger than [`MAX_TREE_SIZE`].
    #[error("a tree of {0} leaves is larger than 2^63 - 1")]
    TooLarge(u64),
    /// Not one hash for each bit set in the size.
    #[error("the frontier of {size} leaves has {expected} hashes, found {found}")]
    Count {
        /// Leaves in the tree.
        size: u64,
        /// Bits set in `size`.
        expected: usize,
        /// Hashes given.
        found: usize,
    },
    /// An inclusion proof of the wrong shape.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl Default for CompactRange {
    fn default() -> Self {
        Self::new()
    }
}

impl CompactRange {
    /// The frontier of the empty tree.
    pub const fn new() -> Self {
        Self {
            size: 0,
            hashes: Vec::new(),
        }
    }

    /// Rebuilds a frontier from its size and its hashes, largest subtree first.
    ///
    /// The hashes are not verified: the caller has compared [`root`](Self::root) with a signed one, or stored the
    /// hashes after such a check.
    ///
    /// # Errors
    /// [`FrontierError::TooLarge`], [`FrontierError::Count`].
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Result<Self, FrontierError> {
        if size > MAX_TREE_SIZE {
            return Err(FrontierError::TooLarge(size));
        }
        let expected = size.count_ones() as usize;
        if hashes.len() != expected {
            return Err(FrontierError::Count {
                size,
                expected,
                found: hashes.len(),
            });
        }
        Ok(Self { size, hashes })
    }

    /// The frontier of `[0, index]` from an inclusion proof of leaf `index` in any tree that holds it.
    ///
    /// The hashes to the left of a leaf's path are the frontier of all leaves before it, in a tree of any size. So a
    /// reader can start in the middle of a log with a single proof.
    ///
    /// The proof is not verified: call [`verify_inclusion`](crate::verify_inclusion) with the same arguments and a
    /// signed root first. That verifies every hash used here.
    ///
    /// # Errors
    /// [`FrontierError::Proof`] when the proof cannot be one of this leaf in a tree of this size.
    pub fn from_last_leaf(
        index: u64,
        leaf_hash: &Hash,
        tree_size: u64,
        proof: &[Hash],
    ) -> Result<Self, FrontierError> {
        let shape = proof::Shape::of_inclusion(index, tree_size)?;
        shape.check(proof)?;
        let mut hashes: Vec<Hash> = proof
            .iter()
            .enumerate()
            .filter(|&(step, _)| shape.sibling_is_left(step))
            .map(|(_, hash)| *hash)
            .collect();
        hashes.reverse();
        let mut range = Self::from_parts(index, hashes)?;
        range.push(*leaf_hash);
        Ok(range)
    }

    /// Number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// One hash for each bit set in [`size`](Self::size), largest subtree first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Adds the hash of the next leaf. Amortized cost: one node hash.
    pub fn push(&mut self, leaf_hash: Hash) {
        let mut hash = leaf_hash;
        // Each trailing one of `size` is a complete subtree that the new leaf completes a larger one with.
        for _ in 0..self.size.trailing_ones() {
            // The invariant "one hash per bit" makes this `Some` each time.
            if let Some(left) = self.hashes.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.hashes.push(hash);
        // Cannot overflow: `from_parts` allows at most 2^63 - 1, and it is impossible to hash 2^63 more leaves.
        self.size += 1;
    }

    /// Root of the tree, RFC 6962 §2.1.
    pub fn root(&self) -> Hash {
        fold(&self.hashes).unwrap_or_else(empty_root)
    }

    /// Whether `self` can grow to `later`, as far as the two frontiers show: the subtrees in both are equal. (A subtree
    /// that was merged into a larger one since cannot be compared.)
    pub(crate) fn agrees_with(&self, later: &Self) -> bool {
        if self.size > later.size {
            return false;
        }
        // Subtrees are the same node of the tree as long as the bits of the two sizes agree from the top down.
        let differing = u64::BITS - (self.size ^ later.size).leading_zeros();
        let shared = self.size.checked_shr(differing).unwrap_or(0).count_ones() as usize;
        self.hashes
            .iter()
            .take(shared)
            .eq(later.hashes.iter().take(shared))
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;
    use crate::testing::{Tree, leaf};
    use crate::verify_inclusion;

    #[test]
    fn every_size_has_the_root_of_the_definition() {
        let mut range = CompactRange::new();
        for size in 0..=300 {
            assert_eq!(range.root(), Tree::of(size).root(), "size {size}");
            assert_eq!(range.hashes().len(), size.count_ones() as usize);
            range.push(leaf(size));
        }
    }

    #[test]
    fn the_reference_leaves_have_the_reference_roots() {
        // certificate-transparency's reference vectors (merkletree/tree_test.go).
        let leaves = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut range = CompactRange::new();
        for (leaf, root) in leaves.into_iter().zip(roots) {
            range.push(crate::leaf_hash(&hex::decode(leaf).unwrap()));
            assert_eq!(range.root().to_hex(), root);
        }
    }

    #[test]
    fn a_range_survives_its_parts() {
        let mut range = CompactRange::new();
        for index in 0..70 {
            let again = CompactRange::from_parts(range.size(), range.hashes().to_vec()).unwrap();
            assert_eq!(again, range);
            range.push(leaf(index));
        }
    }

    #[test]
    fn parts_of_the_wrong_size_are_refused() {
        let hash = leaf(0);
        assert!(CompactRange::from_parts(0, [hash].to_vec()).is_err());
        assert!(CompactRange::from_parts(3, [hash].to_vec()).is_err());
        assert!(CompactRange::from_parts(3, [hash; 3].to_vec()).is_err());
        assert!(CompactRange::from_parts(1 << 63, [hash].to_vec()).is_err());
        assert!(CompactRange::from_parts(u64::MAX, [hash; 64].to_vec()).is_err());
        assert!(CompactRange::from_parts(MAX_TREE_SIZE, [hash; 63].to_vec()).is_ok());
    }

    #[test]
    fn the_proof_of_a_leaf_in_any_tree_gives_the_frontier_after_it() {
        for size in 1..=70 {
            let tree = Tree::of(size);
            for index in 0..size {
                let proof = tree.inclusion(index);
                verify_inclusion(&leaf(index), index, size, &proof, &tree.root()).unwrap();
                let range =
                    CompactRange::from_last_leaf(index, &leaf(index), size, &proof).unwrap();
                assert_eq!(
                    range,
                    Tree::of(index + 1).frontier(),
                    "leaf {index} of {size}"
                );
            }
        }
        assert!(CompactRange::from_last_leaf(3, &leaf(3), 3, &[]).is_err());
        assert!(CompactRange::from_last_leaf(3, &leaf(3), 5, &[]).is_err());
        assert!(CompactRange::from_last_leaf(0, &leaf(0), u64::MAX, &[]).is_err());
    }

    #[test]
    fn an_earlier_frontier_agrees_with_a_later_one_of_the_same_tree_only() {
        for earlier in 0..40 {
            for later in 0..40 {
                let (a, b) = (Tree::of(earlier).frontier(), Tree::of(later).frontier());
                assert_eq!(a.agrees_with(&b), earlier <= later);
            }
        }
        let (a, mut b) = (Tree::of(6).frontier(), Tree::of(7).frontier());
        b.hashes[0] = leaf(99);
        assert!(!a.agrees_with(&b));
    }
}
