//! What every type of log is read through.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use tlog::Split;

use super::budget::Budget;
use super::error::SourceError;
use super::leaves::Leaves;
use crate::http::ServerDate;

/// A log that can be read.
///
/// Laws, on which the callers rely and which every implementation must satisfy:
///
/// 1. *Nothing is verified.* All data of the log, true or forged, is returned, if it has the form of the requested
///    resource.
/// 2. *Absent is not unreadable.* [`SourceError::Absent`] means that the log reports the resource as absent. Every
///    other failure is another error; nothing is left out silently.
/// 3. *Bounded.* One call returns, stores and waits for no more than one resource's limits, whatever the log serves
///    and whatever `size` it claims.
/// 4. *`size` is a tree size from a verified checkpoint of this log.* A log only has to serve what such a checkpoint
///    implies, so nothing else is requested.
/// 5. *No relevant state.* The same call can be repeated, concurrently, and after any error; a dropped call has no
///    effect.
#[async_trait]
pub trait LogSource: Send + Sync {
    /// The log's newest checkpoint, unverified: any bytes, possibly none.
    ///
    /// # Errors
    /// [`SourceError::CheckpointTooLong`] if it cannot be a checkpoint for its length alone.
    async fn checkpoint(&self) -> Result<Bytes, SourceError>;

    /// The range of leaves that the log serves together with leaf `index` in a tree of `size` leaves: it contains
    /// `index` and ends at or before `size`.
    ///
    /// Pure arithmetic. `index` must be smaller than `size`.
    fn bundle(&self, index: u64, size: u64) -> Range<u64>;

    /// How far to read ahead of this log, which depends on the size of one answer.
    fn prefetch(&self) -> Prefetch {
        Prefetch::default()
    }

    /// All leaves of `want`, which must lie within one [`bundle`](Self::bundle).
    ///
    /// # Errors
    /// [`SourceError::Malformed`] if the log serves anything else than exactly that bundle.
    async fn leaves(&self, want: Range<u64>, size: u64) -> Result<Leaves, SourceError>;

    /// Like [`leaves`](Self::leaves), but fails with [`SourceError::TooLarge`] when the data read exceeds
    /// `limit_bytes`. A source with its leaves in memory need not implement it.
    ///
    /// # Errors
    /// As above.
    async fn leaves_within(
        &self,
        want: Range<u64>,
        size: u64,
        limit_bytes: usize,
    ) -> Result<Leaves, SourceError> {
        let start = want.start;
        let leaves = self.leaves(want, size).await?;
        if leaves.size_bytes() > limit_bytes {
            return Err(SourceError::TooLarge {
                resource: format!("the leaves from {start}"),
                limit_bytes,
            });
        }
        Ok(leaves)
    }

    /// The tree of `size` leaves, split before leaf `at`: enough to compute the frontier and the root of the first `at`
    /// leaves and the root of the whole tree. `at` is at most `size`.
    ///
    /// # Errors
    /// As for any other resource. Only the comparison of the roots shows whether the hashes are right.
    async fn split(&self, at: u64, size: u64) -> Result<Split, SourceError>;

    /// The time of the log's server in its newest response; `None` if it has none. Sends no request. A source without a
    /// server need not implement it.
    fn date(&self) -> Option<ServerDate> {
        None
    }
}

/// How far to read ahead.
#[derive(Clone, Debug)]
pub struct Prefetch {
    /// Most concurrent requests. More give no gain at the latencies of real logs, and burden the server.
    pub max_in_flight: usize,
    /// The memory for bundles that are being read, or wait for delivery, in total. One bundle is always read, whatever
    /// its size.
    pub budget_bytes: usize,
    /// The expected size of a bundle before the first was read.
    pub first_guess_bytes: usize,
    /// The budget that all logs share. A log waits for a part of it for one bundle, and reads further ahead only with
    /// free parts.
    pub shared: Option<Budget>,
}

impl Default for Prefetch {
    fn default() -> Self {
        Self {
            max_in_flight: 32,
            // 18 bundles of Rekor's usual 0.58 MB with reserve: over 40,000 entries/s at 100 ms.
            budget_bytes: 16 * 1024 * 1024,
            // Rekor v2's have 0.5 to 0.6 MB.
            first_guess_bytes: 1024 * 1024,
            shared: None,
        }
    }
}
