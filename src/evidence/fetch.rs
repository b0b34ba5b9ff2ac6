//! One entry with its inclusion proof, from the log itself.

use tlog::{Hash, Head, ProofError, Split, SplitError, leaf_hash, verify_inclusion};

use crate::source::{LogSource, SourceError};

/// A leaf and its proven place in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The bytes that the log hashed.
    pub leaf: Vec<u8>,
    /// Its index in the tree.
    pub index: u64,
    /// The signed checkpoint whose root the path leads to.
    pub head: Head,
    /// The inclusion proof, from the leaf up.
    pub hashes: Vec<Hash>,
}

/// Why an entry could not be fetched with its proof.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The checkpoint does not cover the entry.
    #[error(
        "the checkpoint covers {size} entries of the tree, and the entry is number {index} of it"
    )]
    NotCovered {
        /// The entry's index in the tree.
        index: u64,
        /// The number of leaves of the tree.
        size: u64,
    },
    /// The log did not answer, or not in its form.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The hashes that the log serves have not the form of a proof.
    #[error("the hashes of the tree that the log serves are no inclusion proof: {0}")]
    Split(#[from] SplitError),
    /// The log does not serve the leaf that it signed.
    #[error(
        "the leaf or the hashes that the log serves do not lead to the root that it signed: {0}"
    )]
    Proof(#[from] ProofError),
}

impl Proof {
    /// Verifies that the path leads from the leaf to the root of the checkpoint.
    ///
    /// # Errors
    /// It does not.
    pub fn verify(&self) -> Result<(), ProofError> {
        let Self {
            leaf,
            index,
            head,
            hashes,
        } = self;
        verify_inclusion(&leaf_hash(leaf), *index, head.size, hashes, &head.root)
    }
}

/// Fetches the leaf at `index` of a tree and its inclusion proof for `head`, a verified checkpoint of it. The proof is verified.
///
/// It takes one bundle of leaves and the hashes of two splits: for a log of tiles some tiles.
///
/// # Errors
/// See [`FetchError`].
pub async fn fetch(source: &dyn LogSource, head: &Head, index: u64) -> Result<Proof, FetchError> {
    let size = head.size;
    let after = index.checked_add(1).filter(|after| *after <= size);
    let after = after.ok_or(FetchError::NotCovered { index, size })?;
    let range = source.bundle(index, size);
    let leaves = source.leaves(range, size).await?;
    let leaf = leaves.iter().find(|(place, _)| *place == index);
    let leaf = leaf.map(|(_, leaf)| leaf.to_vec()).unwrap_or_default();
    let before = source.split(index, size).await?;
    let hashes = Split::inclusion_path(&before, &source.split(after, size).await?)?;
    let proof = Proof {
        leaf,
        index,
        head: head.clone(),
        hashes,
    };
    proof.verify()?;
    Ok(proof)
}
