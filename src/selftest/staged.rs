//! A log with a change that the drill makes.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tlog::Split;

use crate::source::{Cause, Leaves, LogSource, SourceError};

/// The change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twist {
    /// No change.
    Honest,
    /// One bit of this leaf is flipped.
    Swapped(u64),
    /// No request is answered.
    Unreachable,
}

/// A real log, fixed at the checkpoint that was verified.
pub(super) struct Staged {
    pub(super) inner: Arc<dyn LogSource>,
    pub(super) checkpoint: Bytes,
    pub(super) twist: Twist,
}

impl Staged {
    fn reach(&self, resource: &str) -> Result<(), SourceError> {
        if self.twist == Twist::Unreachable {
            return Err(SourceError::Unavailable {
                resource: resource.to_owned(),
                cause: Cause::Io(io::Error::other("the drill plays an outage")),
            });
        }
        Ok(())
    }
}

#[async_trait]
impl LogSource for Staged {
    async fn checkpoint(&self) -> Result<Bytes, SourceError> {
        self.reach("checkpoint")?;
        Ok(self.checkpoint.clone())
    }

    fn bundle(&self, index: u64, size: u64) -> Range<u64> {
        self.inner.bundle(index, size)
    }

    async fn leaves(&self, want: Range<u64>, size: u64) -> Result<Leaves, SourceError> {
        self.reach("leaves")?;
        let leaves = self.inner.leaves(want, size).await?;
        match self.twist {
            Twist::Swapped(index) => Ok(swapped(leaves, index)),
            _ => Ok(leaves),
        }
    }

    async fn split(&self, at: u64, size: u64) -> Result<Split, SourceError> {
        self.reach("hashes")?;
        self.inner.split(at, size).await
    }
}

/// The same leaves, one bit of one of them flipped.
fn swapped(leaves: Leaves, index: u64) -> Leaves {
    let changed = leaves.iter().map(|(at, leaf)| {
        let mut leaf = leaf.to_vec();
        if at == index {
            // In the middle, where the byte belongs to neither a length nor an end.
            let middle = leaf.len() / 2;
            match leaf.get_mut(middle) {
                Some(byte) => *byte ^= 1,
                None => leaf.push(0),
            }
        }
        leaf
    });
    // It has the same length as the leaf, so it fits.
    Leaves::copied(leaves.start(), changed).unwrap_or(leaves)
}
