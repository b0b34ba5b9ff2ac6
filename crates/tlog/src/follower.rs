//! Following a log: which leaves to read next, and how far what was read is proven.
//!
//! A [`Follower`] has two positions. *seen*: every leaf below it was read. *proven*: a signed root vouches for
//! every leaf below it. Between the two lie leaves that were read on the way to a checkpoint that is still ahead.
//! Hashing every leaf onto the frontier and comparing the root at each checkpoint's size proves two things in one
//! computation: that the log only appended, and that it served exactly the leaves it committed to. No inclusion or
//! consistency proof is needed on this path.
//!
//! What a follower knows is in its [`FollowerState`], to be stored together with whatever was made of the leaves.
//! Everything that fails leaves the follower in a valid state.

mod state;

pub use state::{FollowerState, ResumeError};

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::ops::Range;

use crate::{Checkpoint, CompactRange, Hash, LogFault};

/// Most accepted checkpoints that wait for their leaves.
///
/// One would be enough to read a log. Keeping the sizes in between proves progress during a long catch-up, and makes a
/// contradiction between them visible. Each holds a note, so the number bounds what an eager log makes us store.
pub const MAX_PENDING: usize = 16;

/// What one verified checkpoint committed to.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    /// Leaves in the tree.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
    /// The signed note, byte for byte: the evidence.
    pub note: Arc<[u8]>,
}

/// Follows one log. See the [module](self).
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
    /// Frontier up to the position that a signed root vouches for.
    proven: CompactRange,
    /// The checkpoint that vouches for it. `None` until the first one, when the caller verified the base.
    proven_head: Option<Head>,
    /// Frontier of all that was read. Equal to `proven` whenever nothing is pending.
    seen: CompactRange,
    /// Accepted and not yet reached, by strictly increasing size, all larger than `seen`.
    pending: VecDeque<Head>,
}

/// What became of an offered checkpoint that contradicts nothing we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Offer {
    /// Accepted; the state changed. Read what the follower [wants](Follower::want). (For a checkpoint of exactly what was
    /// read already there is nothing left to read: it is settled at once.)
    Ahead,
    /// We had this size with this root already; nothing changed.
    Known,
    /// Smaller than the largest head, but not than what was read: accepted, the state changed. Replicas lag, so one such
    /// answer is no fault, and what a smaller root vouches for is proven all the same: a log that once signed a size that
    /// it never reaches must not keep us from proving what is there.
    Between,
    /// Smaller than what was read, or than where the follower began; nothing changed. Whether it is of our history cannot be
    /// told from the checkpoint alone.
    Behind,
    /// Too many heads are pending: absorb leaves, then offer it again. Nothing changed.
    Full,
}

/// Where the follower stands after it absorbed leaves.
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
    /// The leaves do not begin where reading stopped. Nothing changed.
    #[error("the next leaf to absorb is {expected}, the leaves begin at {found}")]
    Gap {
        /// Index of the next leaf.
        expected: u64,
        /// Index of the first leaf given.
        found: u64,
    },
    /// There are more leaves than any accepted checkpoint commits to. Nothing changed.
    #[error("leaves beyond the largest accepted checkpoint, which has {head}")]
    TooMany {
        /// Leaves in the largest accepted checkpoint, or read so far when none is pending.
        head: u64,
    },
    /// The log broke a promise. The follower went back to what is proven.
    #[error(transparent)]
    Fault(#[from] LogFault),
}

impl Follower {
    /// Begins to follow a log behind `base`: an empty range, or one that the caller verified against a signed root.
    ///
    /// Offer the checkpoint that `base` was verified against first: it becomes the evidence of what is proven.
    pub fn new(base: CompactRange) -> Self {
        Self {
            proven: base.clone(),
            proven_head: None,
            seen: base,
            pending: VecDeque::new(),
        }
    }

    /// Number of leaves that were read: the index of the next one.
    pub const fn seen(&self) -> u64 {
        self.seen.size()
    }

    /// Number of leaves that a signed root vouches for; never more than [`seen`](Self::seen).
    pub const fn proven(&self) -> u64 {
        self.proven.size()
    }

    /// The largest accepted checkpoint.
    pub fn head(&self) -> Option<&Head> {
        self.pending.back().or(self.proven_head.as_ref())
    }

    /// Takes note of a checkpoint. The caller made sure that it is of the log being followed.
    ///
    /// # Errors
    /// [`LogFault::Fork`] when we know another root for the same size; nothing changed. [`LogFault::RootMismatch`] when
    /// what was read to exactly this size has another root; the follower went back to what is proven.
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
                // Nothing is pending, so what was seen is the base: this is its evidence.
                self.proven_head = Some(offered);
                return Ok(Offer::Ahead);
            }
            // Read on the way to a larger head, and vouched for already.
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
    /// [`AbsorbError`]. After any of them, none of these leaves counts as read: whoever reports on leaves batch by batch would
    /// otherwise lose the leaves of the batch that failed.
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
        // The work is done on a copy, a frontier of at most 63 hashes.
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

    /// Goes back to what is proven, and says why.
    ///
    /// Which of the accepted checkpoints lie is unknown, so none of them stays: a log that tells the truth again later can
    /// then be proven from here on. The signed note that did not fit goes out with the fault.
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

impl From<&Checkpoint> for Head {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self {
            size: checkpoint.size(),
            root: checkpoint.root(),
            note: checkpoint.raw().clone(),
        }
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let note: String = String::from_utf8_lossy(&self.note).into_owned();
        f.debug_struct("Head")
            .field("size", &self.size)
            .field("root", &self.root)
            .field("note", &note)
            .finish()
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
