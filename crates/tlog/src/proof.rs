//! Inclusion and consistency proofs, RFC 9162 §2.1 (the same trees as RFC 6962, with an explicit verification
//! algorithm).

use alloc::vec::Vec;
use core::ops::Range;

use crate::MAX_TREE_SIZE;
use crate::hash::{Hash, empty_root, node_hash};

/// A proof that is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The leaf is outside the tree.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    IndexOutOfRange {
        /// Index of the leaf.
        index: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// The older tree is the larger one.
    #[error("a tree of {new_size} leaves cannot extend one of {old_size}")]
    Shrunk {
        /// Leaves in the older tree.
        old_size: u64,
        /// Leaves in the newer tree.
        new_size: u64,
    },
    /// A tree larger than [`MAX_TREE_SIZE`].
    #[error("a tree of {0} leaves is larger than 2^63 - 1")]
    TooLarge(u64),
    /// Too few or too many hashes.
    #[error("the proof has {found} hashes instead of {expected}")]
    Length {
        /// Hashes that a proof about these sizes has.
        expected: usize,
        /// Hashes given.
        found: usize,
    },
    /// The proof leads to another root than the one given.
    #[error("the proof leads to root {computed}, the root at size {size} is {given}")]
    RootMismatch {
        /// Leaves in the tree that the root is of.
        size: u64,
        /// Root that follows from the proof.
        computed: Hash,
        /// Root that was to be proven.
        given: Hash,
    },
}

/// Which side the sibling is on at each step from a leaf up to the root.
pub(crate) struct Shape {
    index: u64,
    /// Steps on which the path is not yet on the right border of the tree: the sibling's side follows the bits of `index`.
    inner: u32,
    /// Steps on the border: there, a sibling exists only on the left.
    border: u32,
}

impl Shape {
    pub(crate) fn of_inclusion(index: u64, size: u64) -> Result<Self, ProofError> {
        if size > MAX_TREE_SIZE {
            return Err(ProofError::TooLarge(size));
        }
        if index >= size {
            return Err(ProofError::IndexOutOfRange { index, size });
        }
        let inner = u64::BITS - (index ^ (size - 1)).leading_zeros();
        let border = index.checked_shr(inner).unwrap_or(0).count_ones();
        Ok(Self {
            index,
            inner,
            border,
        })
    }

    pub(crate) fn check(&self, proof: &[Hash]) -> Result<(), ProofError> {
        let expected = self.steps();
        if proof.len() == expected {
            Ok(())
        } else {
            Err(ProofError::Length {
                expected,
                found: proof.len(),
            })
        }
    }

    /// How many steps there are, each with one hash.
    pub(crate) const fn steps(&self) -> usize {
        (self.inner + self.border) as usize
    }

    pub(crate) fn sibling_is_left(&self, step: usize) -> bool {
        step >= self.inner as usize || (self.index >> step) & 1 == 1
    }
}

/// Verifies that the leaf with hash `leaf` is number `index` of the tree of `size` leaves with that `root`.
///
/// # Errors
/// [`ProofError`], which names the difference.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let shape = Shape::of_inclusion(index, size)?;
    shape.check(proof)?;
    let computed = proof
        .iter()
        .enumerate()
        .fold(*leaf, |hash, (step, sibling)| {
            if shape.sibling_is_left(step) {
                node_hash(sibling, &hash)
            } else {
                node_hash(&hash, sibling)
            }
        });
    expect_root(size, computed, root)
}

/// The ranges of leaves whose roots are the hashes of a consistency proof, in the proof's order (RFC 6962 §2.1.2). A
/// reader uses them to get the nodes from a log without hash tiles.
///
/// None for the empty tree and for a tree and itself. The length of at most one range is no power of two: the range at
/// the end of the newer tree.
///
/// # Errors
/// [`ProofError::Shrunk`], [`ProofError::TooLarge`].
pub fn consistency_ranges(old_size: u64, new_size: u64) -> Result<Vec<Range<u64>>, ProofError> {
    if new_size > MAX_TREE_SIZE {
        return Err(ProofError::TooLarge(new_size));
    }
    if old_size > new_size {
        return Err(ProofError::Shrunk { old_size, new_size });
    }
    let mut ranges = Vec::new();
    if old_size == 0 {
        return Ok(ranges);
    }
    let (mut start, mut end) = (0, new_size);
    while old_size < end {
        // The largest power of two below the number of leaves.
        let left = 1 << (u64::BITS - 1 - (end - start - 1).leading_zeros());
        let middle = start + left;
        if old_size <= middle {
            ranges.push(middle..end);
            end = middle;
        } else {
            ranges.push(start..middle);
            start = middle;
        }
    }
    // The reader has the root of the older tree already.
    if start > 0 {
        ranges.push(start..end);
    }
    ranges.reverse();
    Ok(ranges)
}

/// Verifies that the tree of `new_size` leaves and root `new_root` begins with the tree of `old_size` leaves and root `old_root`.
///
/// The empty tree is the beginning of every tree, and a tree is the beginning of itself: for both, the proof is empty
/// and the known root is checked.
///
/// # Errors
/// [`ProofError`], which names the difference.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if new_size > MAX_TREE_SIZE {
        return Err(ProofError::TooLarge(new_size));
    }
    if old_size > new_size {
        return Err(ProofError::Shrunk { old_size, new_size });
    }
    if old_size == 0 || old_size == new_size {
        if !proof.is_empty() {
            return Err(ProofError::Length {
                expected: 0,
                found: proof.len(),
            });
        }
        if old_size == new_size {
            expect_root(new_size, *old_root, new_root)?;
        }
        return if old_size == 0 {
            expect_root(0, empty_root(), old_root)
        } else {
            Ok(())
        };
    }

    // The proof climbs from the last complete subtree of the old tree. When the old tree is one complete subtree, its
    // root is where the climb starts and is not repeated in the proof (RFC 9162 §2.1.4.2).
    let skipped = old_size.trailing_zeros();
    let path = Shape::of_inclusion((old_size - 1) >> skipped, ((new_size - 1) >> skipped) + 1)?;
    let steps = (path.inner + path.border) as usize;
    let (start, rest) = if old_size.is_power_of_two() {
        (*old_root, proof)
    } else {
        match proof.split_first() {
            Some((first, rest)) => (*first, rest),
            None => {
                return Err(ProofError::Length {
                    expected: steps + 1,
                    found: 0,
                });
            }
        }
    };
    if rest.len() != steps {
        return Err(ProofError::Length {
            expected: steps + proof.len() - rest.len(),
            found: proof.len(),
        });
    }
    let (old, new) = rest
        .iter()
        .enumerate()
        .fold((start, start), |(old, new), (step, sibling)| {
            if path.sibling_is_left(step) {
                (node_hash(sibling, &old), node_hash(sibling, &new))
            } else {
                // A sibling on the right is newer than the old tree.
                (old, node_hash(&new, sibling))
            }
        });
    expect_root(old_size, old, old_root)?;
    expect_root(new_size, new, new_root)
}

fn expect_root(size: u64, computed: Hash, given: &Hash) -> Result<(), ProofError> {
    if computed == *given {
        Ok(())
    } else {
        Err(ProofError::RootMismatch {
            size,
            computed,
            given: *given,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;
    use crate::testing::{Tree, leaf};
    use alloc::vec::Vec;

    /// Every way to damage a proof: a hash changed, one dropped, one doubled, one more.
    fn damaged(proof: &[Hash]) -> Vec<Vec<Hash>> {
        let mut all = Vec::new();
        for at in 0..proof.len() {
            let mut changed = proof.to_vec();
            changed[at] = leaf(10_000);
            all.push(changed);
            let mut dropped = proof.to_vec();
            dropped.remove(at);
            all.push(dropped);
            let mut doubled = proof.to_vec();
            doubled.insert(at, proof[at]);
            all.push(doubled);
        }
        let mut longer = proof.to_vec();
        longer.push(leaf(10_000));
        all.push(longer);
        all
    }

    #[test]
    fn every_leaf_of_every_tree_is_included_and_nothing_else_is() {
        for size in 1..=40 {
            let tree = Tree::of(size);
            let root = tree.root();
            for index in 0..size {
                let proof = tree.inclusion(index);
                verify_inclusion(&leaf(index), index, size, &proof, &root).unwrap();
                assert!(verify_inclusion(&leaf(index + 1), index, size, &proof, &root).is_err());
                assert!(verify_inclusion(&leaf(index), index + 1, size, &proof, &root).is_err());
                for wrong in damaged(&proof) {
                    assert!(verify_inclusion(&leaf(index), index, size, &wrong, &root).is_err());
                }
            }
        }
    }

    #[test]
    fn every_tree_extends_every_smaller_one_and_no_other() {
        for new in 0..=40 {
            let tree = Tree::of(new);
            for old in 0..=new {
                let proof = tree.consistency(old);
                let old_root = Tree::of(old).root();
                verify_consistency(old, &old_root, new, &tree.root(), &proof).unwrap();
                assert!(verify_consistency(old, &leaf(7), new, &tree.root(), &proof).is_err());
                // With an empty older tree, any newer root is an extension.
                assert_eq!(
                    verify_consistency(old, &old_root, new, &leaf(7), &proof).is_ok(),
                    old == 0 && new > 0
                );
                for wrong in damaged(&proof) {
                    assert!(
                        verify_consistency(old, &old_root, new, &tree.root(), &wrong).is_err(),
                        "{old} {new}"
                    );
                }
            }
        }
    }

    #[test]
    fn each_hash_of_a_consistency_proof_is_the_root_of_its_range() {
        for new in 0..=40 {
            let tree = Tree::of(new);
            for old in 0..=new {
                let proof = tree.consistency(old);
                let ranges = consistency_ranges(old, new).unwrap();
                let roots: Vec<_> = ranges.iter().map(|r| tree.root_of(r.clone())).collect();
                assert_eq!(roots, proof, "{old} {new}");
                let odd = ranges.iter().filter(|r| {
                    assert!(r.start >= old || r.end <= old);
                    !(r.end - r.start).is_power_of_two()
                });
                assert!(odd.map(|r| r.end).all(|end| end == new));
            }
        }
        assert!(consistency_ranges(2, 1).is_err());
        assert!(consistency_ranges(1, u64::MAX).is_err());
        assert!(consistency_ranges(MAX_TREE_SIZE - 1, MAX_TREE_SIZE).is_ok());
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        let (hash, max) = (leaf(0), MAX_TREE_SIZE);
        assert!(verify_inclusion(&hash, 0, 0, &[], &hash).is_err());
        assert!(verify_inclusion(&hash, 0, u64::MAX, &[hash; 64], &hash).is_err());
        assert!(verify_inclusion(&hash, max - 1, max, &[hash; 63], &hash).is_err());
        assert!(verify_consistency(2, &hash, 1, &hash, &[]).is_err());
        assert!(verify_consistency(1, &hash, u64::MAX, &hash, &[hash; 64]).is_err());
        assert!(verify_consistency(max - 1, &hash, max, &hash, &[hash; 63]).is_err());
    }
}
