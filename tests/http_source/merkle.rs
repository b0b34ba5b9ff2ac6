//! Proofs as RFC 6962 defines them, by recursion. The tests of behaviour use this file too.

use tlog::{Hash, empty_root, node_hash};

/// MTH(D), RFC 6962 §2.1.
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&root(left), &root(right))
        }
    }
}

/// SUBPROOF, RFC 6962 §2.1.2.
pub fn subproof(old: usize, hashes: &[Hash], known: bool) -> Vec<Hash> {
    if old == hashes.len() {
        return if known { vec![] } else { vec![root(hashes)] };
    }
    let (left, right) = hashes.split_at(hashes.len().next_power_of_two() / 2);
    let (mut proof, sibling) = if old <= left.len() {
        (subproof(old, left, known), root(right))
    } else {
        (subproof(old - left.len(), right, false), root(left))
    };
    proof.push(sibling);
    proof
}
