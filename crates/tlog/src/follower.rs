//! Following a log: which leaves to read next, and how far the leaves are proven.
//!
//! A [`Follower`] has two positions. *seen*: every leaf below it was read. *proven*: a signed root covers every leaf
//! below it. The leaves between the two were read on the way to a larger checkpoint. The follower adds the hash of each
//! leaf to the frontier and compares the root at the size of each checkpoint. This one computation proves that the log
//! only appended, and that it served exactly the leaves that it signed. It needs no inclusion or consistency proof.
//!
//! [`FollowerState`] is the whole state of a follower, to be stored in one transaction with the results from the
//! leaves. Every error leaves the follower in a valid state.

mod state;

pub use state::{FollowerState, ResumeError};

use alloc::collections::VecDeque;
use core::ops::Range;

use crate::{Checkpoint, CompactRange, Hash, Head, LogFault};

/// Most accepted checkpoints that are not reached yet.
///
/// One would be enough to read a log. The sizes in between prove progress during a long catch-up, and reveal a
/// contradiction between them. Each contains a note, so this number bounds the storage that a log can cause.
pub const MAX_PENDING: usize = 16;

/// Follows one log. See the [module](self) documentation.
///
/// ```
/// use tlog::{CompactRange, Follower, leaf_hash};
///
/// let mut follower = Follower::new(CompactRange::new());
/// assert_eq!(follower.want(256), None); // nothing to read before a checkpoint was offered
/// assert!(follower.absorb(0, [leaf_hash(b"unasked")]).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follower {
    /// Frontier of the leaves that a signed root covers.
    proven: CompactRange,
    /// The checkpoint with that root. `None` until the first one, if the caller verified the base.
    proven_head: Option<Head>,
    /// Frontier of all leaves that were read. Equal to `proven` if nothing is pending.
    seen: CompactRange,
    /// Accepted checkpoints that are not reached yet, by strictly increasing size, all larger than `seen`.
    pending: VecDeque<Head>,
}

/// The result of an offered checkpoint that contradicts no earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Offer {
    /// Accepted; the state changed. Next, read the range that [`want`](Follower::want) returns. (If the checkpoint
    /// covers exactly the leaves that were read, it is settled at once.)
    Ahead,
    /// This size and root were accepted before; nothing changed.
    Known,
    /// Smaller than the largest head, but not smaller than the leaves that were read: accepted, the state changed.
    /// Replicas lag, so one such answer is no fault, and the leaves under a smaller root are proven too. Otherwise a
    /// log that once signed a size that it never reaches could prevent every proof.
    Between,
    /// Smaller than the leaves that were read, or than the base; nothing changed. The checkpoint alone does not show
    /// whether it belongs to the same history.
    Behind,
    /// Too many heads are pending: absorb leaves, then offer it again. Nothing changed.
    Full,
}

/// The state of the follower after it absorbed leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Progress {
    /// Every leaf below this one was read.
    pub seen: u64,
    /// Every leaf below this one is proven, if that changed.
    pub proven: Option<u64>,
}

/// Why leaves were not absorbed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AbsorbError {
    /// The leaves do not begin at the next index. Nothing changed.
    #[error("the next leaf to absorb is {expected}, the leaves begin at {found}")]
    Gap {
        /// Index of the next leaf.
        expected: u64,
        /// Index of the first leaf given.
        found: u64,
    },
    /// There are more leaves than any accepted checkpoint covers. Nothing changed.
    #[error("leaves beyond the largest accepted checkpoint, which has {head}")]
    TooMany {
        /// Leaves in the largest accepted checkpoint, or the number of leaves read if none is pending.
        head: u64,
    },
    /// The log broke a promise. The follower went back to its proven state.
    #[error(transparent)]
    Fault(#[from] LogFault),
}

impl Follower {
    /// Begins to follow a log after `base`: an empty range, or one that the caller verified against a signed root.
    ///
    /// Offer the checkpoint against which `base` was verified first: it becomes the evidence for the proven leaves.
    pub fn new(base: CompactRange) -> Self {
        Self {
            proven: base.clone(),
            proven_head: None,
            seen: base,
            pending: VecDeque::new(),
        }
    }

    /// Number of leaves that were read, and index of the next one.
    pub const fn seen(&self) -> u64 {
        self.seen.size()
    }

    /// Number of leaves that a signed root covers; never more than [`seen`](Self::seen).
    pub const fn proven(&self) -> u64 {
        self.proven.size()
    }

    /// The largest accepted checkpoint.
    pub fn head(&self) -> Option<&Head> {
        self.pending.back().or(self.proven_head.as_ref())
    }

    /// Records a checkpoint. The caller has checked that it belongs to the followed log.
    ///
    /// # Errors
    /// [`LogFault::Fork`] if another root is known for the same size; nothing changed. [`LogFault::RootMismatch`] if
    /// exactly this number of leaves was read and has another root; the follower went back to its proven state.
    pub fn offer(&mut self, checkpoint: &Checkpoint) -> Result<Offer, LogFault> {
        let offered = Head::from(checkpoint);
        if let Some(known) = self
            .proven_head
            .iter()
            .chain(&self.pending)
            .find(|known| known.size == offered.size)
        {
            return if known.root == offered.root {
                Ok(Offer::Known)
            } else {
                Err(LogFault::Fork {
                    size: offered.size,
                    first: known.clone().into(),
                    second: offered.into(),
                })
            };
        }
        if offered.size == self.seen() {
            let computed = self.seen.root();
            if computed != offered.root {
                return Err(self.rewind(&offered, computed));
            }
            if self.head().is_none() {
                // Nothing is pending, so the leaves read are the base, and this is its evidence.
                self.proven_head = Some(offered);
                return Ok(Offer::Ahead);
            }
            // These leaves were read on the way to a larger head, and are covered now.
            self.proven = self.seen.clone();
            self.proven_head = Some(offered);
            return Ok(Offer::Between);
        }
        let largest = self.head().map_or(self.seen(), |head| head.size);
        if offered.size < self.seen() || self.pending.is_empty() && offered.size < largest {
            return Ok(Offer::Behind);
        }
        if self.pending.len() >= MAX_PENDING {
            return Ok(Offer::Full);
        }
        let place = self
            .pending
            .partition_point(|head| head.size < offered.size);
        self.pending.insert(place, offered);
        Ok(if place + 1 == self.pending.len() {
            Offer::Ahead
        } else {
            Offer::Between
        })
    }

    /// The next leaves to read, at most `limit` of them: never empty, and never beyond the largest accepted checkpoint.
    pub fn want(&self, limit: u64) -> Option<Range<u64>> {
        let start = self.seen();
        let end = self.pending.back()?.size.min(start.saturating_add(limit));
        (start < end).then_some(start..end)
    }

    /// Adds the hashes of leaves `start`, `start + 1`, … to what was read, and compares the root at the size of every
    /// pending checkpoint on the way.
    ///
    /// # Errors
    /// [`AbsorbError`]. After any of them, none of these leaves counts as read. Otherwise a caller that reports batch
    /// by batch would lose the leaves of the failed batch.
    pub fn absorb(
        &mut self,
        start: u64,
        leaf_hashes: impl IntoIterator<Item = Hash>,
    ) -> Result<Progress, AbsorbError> {
        if start != self.seen() {
            return Err(AbsorbError::Gap {
                expected: self.seen(),
                found: start,
            });
        }
        // Works on a copy, a frontier of at most 63 hashes.
        let mut seen = self.seen.clone();
        let mut reached = 0;
        let mut proven = None;
        let mut next = self.pending.front();
        for leaf_hash in leaf_hashes {
            let Some(head) = next else {
                return Err(AbsorbError::TooMany { head: seen.size() });
            };
            seen.push(leaf_hash);
            if seen.size() == head.size {
                let computed = seen.root();
                if computed != head.root {
                    let head = head.clone();
                    return Err(self.rewind(&head, computed).into());
                }
                proven = Some(seen.clone());
                reached += 1;
                next = self.pending.get(reached);
            }
        }
        self.seen = seen;
        if let Some(range) = proven {
            self.proven = range;
            self.proven_head = self.pending.drain(..reached).next_back();
            return Ok(Progress {
                seen: self.seen(),
                proven: Some(self.proven()),
            });
        }
        Ok(Progress {
            seen: self.seen(),
            proven: None,
        })
    }

    /// Goes back to the proven state, and returns the fault.
    ///
    /// It is unknown which of the accepted checkpoints are wrong, so all of them are dropped. If the log later serves
    /// correct data again, it can be proven from here. The fault contains the contradicting note.
    fn rewind(&mut self, signed: &Head, computed: Hash) -> LogFault {
        self.seen = self.proven.clone();
        self.pending.clear();
        LogFault::RootMismatch {
            since: self.proven(),
            size: signed.size,
            computed,
            signed: signed.root,
            note: signed.note.clone(),
            proven_note: self.proven_head.as_ref().map(|head| head.note.clone()),
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
