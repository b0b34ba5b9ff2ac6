//! What a follower knows, as plain values to be stored, and the way back that believes none of them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{Follower, Head, MAX_PENDING};
use crate::{CompactRange, MAX_TREE_SIZE};

/// Everything that a [`Follower`] knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowerState {
    /// Frontier of the leaves that a signed root vouches for.
    pub proven: CompactRange,
    /// The checkpoint that vouches for them; `None` before the first one.
    pub proven_head: Option<Head>,
    /// Frontier of the leaves that were read.
    pub seen: CompactRange,
    /// The largest accepted checkpoint: the last one pending, otherwise the proven one.
    pub head: Option<Head>,
    /// Accepted checkpoints that are not reached yet, by increasing size.
    pub pending: Vec<Head>,
}

/// A stored state that no follower was ever in: the storage was damaged, or mixes two states.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// Fewer leaves read than proven, or other ones.
    #[error("the frontier of {seen} leaves read does not extend that of {proven} proven ones")]
    SeenDoesNotExtendProven {
        /// Leaves read.
        seen: u64,
        /// Leaves proven.
        proven: u64,
    },
    /// The proven checkpoint is not of the proven frontier.
    #[error(
        "the proven checkpoint is of {size} leaves and does not vouch for the frontier of {proven}"
    )]
    ProvenHead {
        /// Leaves in the checkpoint.
        size: u64,
        /// Leaves in the frontier.
        proven: u64,
    },
    /// Leaves read beyond what is proven, on the way to no checkpoint.
    #[error("{seen} leaves are read and {proven} proven, but no checkpoint is pending")]
    SeenWithoutPending {
        /// Leaves read.
        seen: u64,
        /// Leaves proven.
        proven: u64,
    },
    /// A pending checkpoint that is not larger than what comes before it, or than any tree.
    #[error("the pending checkpoint of {size} leaves comes after {after}")]
    PendingOrder {
        /// Leaves in the checkpoint.
        size: u64,
        /// Leaves in the one before it, or leaves read.
        after: u64,
    },
    /// More than [`MAX_PENDING`] checkpoints.
    #[error("at most {MAX_PENDING} checkpoints are pending, found {0}")]
    TooManyPending(usize),
    /// The largest checkpoint is neither the last one pending nor the proven one.
    #[error("the largest checkpoint is not the last one that was accepted")]
    Head,
}

impl Follower {
    /// Everything that this follower knows.
    pub fn state(&self) -> FollowerState {
        FollowerState {
            proven: self.proven.clone(),
            proven_head: self.proven_head.clone(),
            seen: self.seen.clone(),
            head: self.head().cloned(),
            pending: self.pending.iter().cloned().collect(),
        }
    }

    /// Goes on from a stored state.
    ///
    /// All that can be checked without the log is checked, so that damaged storage is an error here and not an accusation
    /// of the log later. The signatures of the stored notes are not verified again.
    ///
    /// # Errors
    /// [`ResumeError`].
    pub fn resume(state: FollowerState) -> Result<Self, ResumeError> {
        let FollowerState {
            proven,
            proven_head,
            seen,
            head,
            pending,
        } = state;
        let (proven_size, seen_size) = (proven.size(), seen.size());
        if !proven.agrees_with(&seen) {
            return Err(ResumeError::SeenDoesNotExtendProven {
                seen: seen_size,
                proven: proven_size,
            });
        }
        if let Some(Head { size, root, .. }) = &proven_head
            && (*size != proven_size || *root != proven.root())
        {
            return Err(ResumeError::ProvenHead {
                size: *size,
                proven: proven_size,
            });
        }
        if pending.is_empty() && seen_size != proven_size {
            return Err(ResumeError::SeenWithoutPending {
                seen: seen_size,
                proven: proven_size,
            });
        }
        if pending.len() > MAX_PENDING {
            return Err(ResumeError::TooManyPending(pending.len()));
        }
        pending
            .iter()
            .try_fold(seen_size, |after, Head { size, .. }| {
                if *size > after && *size <= MAX_TREE_SIZE {
                    Ok(*size)
                } else {
                    Err(ResumeError::PendingOrder { size: *size, after })
                }
            })?;
        let follower = Self {
            proven,
            proven_head,
            seen,
            pending: VecDeque::from(pending),
        };
        if follower.head() == head.as_ref() {
            Ok(follower)
        } else {
            Err(ResumeError::Head)
        }
    }
}
