//! The state of a follower as plain values to store, and the checks when it is loaded.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{Follower, MAX_PENDING};
use crate::{CompactRange, Head, MAX_TREE_SIZE};

/// The complete state of a [`Follower`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowerState {
    /// Frontier of the leaves that a signed root covers.
    pub proven: CompactRange,
    /// The checkpoint with that root; `None` before the first one.
    pub proven_head: Option<Head>,
    /// Frontier of the leaves that were read.
    pub seen: CompactRange,
    /// The largest accepted checkpoint: the last one pending, otherwise the proven one.
    pub head: Option<Head>,
    /// Accepted checkpoints that are not reached yet, by increasing size.
    pub pending: Vec<Head>,
}

/// A stored state in which no follower can be: the storage was damaged, or mixes two states.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// Fewer leaves are read than proven, or different ones.
    #[error("the frontier of {seen} leaves read does not extend that of {proven} proven ones")]
    SeenDoesNotExtendProven {
        /// Leaves read.
        seen: u64,
        /// Leaves proven.
        proven: u64,
    },
    /// The proven checkpoint does not match the proven frontier.
    #[error(
        "the proven checkpoint is of {size} leaves and does not match the frontier of {proven}"
    )]
    ProvenHead {
        /// Leaves in the checkpoint.
        size: u64,
        /// Leaves in the frontier.
        proven: u64,
    },
    /// Leaves were read beyond the proven ones, but no checkpoint is pending.
    #[error("{seen} leaves are read and {proven} proven, but no checkpoint is pending")]
    SeenWithoutPending {
        /// Leaves read.
        seen: u64,
        /// Leaves proven.
        proven: u64,
    },
    /// A pending checkpoint that is not larger than the one before it, or is larger than any tree may be.
    #[error("the pending checkpoint of {size} leaves comes after {after}")]
    PendingOrder {
        /// Leaves in the checkpoint.
        size: u64,
        /// Leaves in the checkpoint before it, or leaves read.
        after: u64,
    },
    /// More than [`MAX_PENDING`] checkpoints.
    #[error("at most {MAX_PENDING} checkpoints are pending, found {0}")]
    TooManyPending(usize),
    /// The largest checkpoint is neither the last pending one nor the proven one.
    #[error("the largest checkpoint is not the last one that was accepted")]
    Head,
}

impl Follower {
    /// The complete state of this follower.
    pub fn state(&self) -> FollowerState {
        FollowerState {
            proven: self.proven.clone(),
            proven_head: self.proven_head.clone(),
            seen: self.seen.clone(),
            head: self.head().cloned(),
            pending: self.pending.iter().cloned().collect(),
        }
    }

    /// Continues from a stored state.
    ///
    /// Checks everything that can be checked without the log, so that damaged storage is an error here and not a fault
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
