//! Where leaves come from: asks a log for its checkpoint, its leaves and its tree's hashes, and
//! hands back bytes. Nothing here is verified and nothing is interpreted: a caller proves what it
//! gets against a checkpoint whose signature it has checked.

mod at_most;
pub mod ct;
mod ct_rfc6962;
mod ct_static;
mod directory;
mod error;
mod leaves;
mod location;
mod prefetch;
pub mod rekor_v1;
mod rekor_v2;
mod tiles;
mod transport;

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use tlog::Split;

pub use crate::http::ServerDate;
pub use ct_rfc6962::CtRfc6962;
pub use ct_static::CtStatic;
pub use error::{Cause, SourceError};
pub use leaves::{Leaves, LeavesError};
pub use location::{Location, LocationError};
pub use prefetch::{Prefetch, leaves};
pub use rekor_v2::RekorV2;
pub use transport::Transport;

/// A log that can be read.
///
/// Laws, on which its callers rely and which every implementation keeps:
///
/// 1. *Nothing is verified.* Whatever the log serves, true or forged, is handed on, as long as it
///    has the form of what was asked for.
/// 2. *Absent is not unreadable.* [`SourceError::Absent`] means that the log says it does not have
///    it. Everything else that goes wrong is another error; nothing is left out in silence.
/// 3. *Bounded.* One call returns, holds and waits for no more than one resource's limits,
///    whatever the log serves and whatever `size` it claims.
/// 4. *`size` is a tree size that a verified checkpoint of this log gave.* A log only has to serve
///    what such a checkpoint implies, so nothing else is asked for.
/// 5. *No state that matters.* The same question can be asked again, concurrently, and after any
///    error; a call that is dropped leaves nothing behind.
#[async_trait]
pub trait LogSource: Send + Sync {
    /// The log's newest checkpoint as it stands there: any bytes at all, also none.
    ///
    /// # Errors
    /// [`SourceError::CheckpointTooLong`] if it cannot be a checkpoint for its length alone.
    async fn checkpoint(&self) -> Result<Bytes, SourceError>;

    /// The leaves that the log serves together with leaf `index` in a tree of `size` leaves: a
    /// range that contains `index` and ends at or before `size`.
    ///
    /// Pure arithmetic. `index` must be smaller than `size`.
    fn bundle(&self, index: u64, size: u64) -> Range<u64>;

    /// How far to read ahead of this log, which depends on what one request gives.
    fn prefetch(&self) -> Prefetch {
        Prefetch::default()
    }

    /// What the leaves of one bundle are expected to take in memory, before one was seen: how many are read
    /// ahead at first depends on it. 1 MiB unless a source knows better; Rekor v2's have 0.5 to 0.6 MB.
    fn usual_bundle_bytes(&self) -> usize {
        1024 * 1024
    }

    /// The leaves `want`, all of them, which must lie within one [`bundle`](Self::bundle).
    ///
    /// # Errors
    /// [`SourceError::Malformed`] if the log serves anything but exactly that bundle.
    async fn leaves(&self, want: Range<u64>, size: u64) -> Result<Leaves, SourceError>;

    /// As [`leaves`](Self::leaves), but gives up with [`SourceError::TooLarge`] once what is read
    /// for it exceeds `limit_bytes`. A source that holds its leaves in memory anyway need not
    /// implement it.
    ///
    /// # Errors
    /// As said.
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

    /// The tree of `size` leaves, cut before leaf `at`: enough to compute the frontier and the root
    /// of the first `at` leaves and the root of all. `at` is at most `size`.
    ///
    /// # Errors
    /// As any other resource. Whether the hashes are true shows only when the roots are compared.
    async fn split(&self, at: u64, size: u64) -> Result<Split, SourceError>;

    /// What time it is by the newest answer of the log's server; `None` if it has none or did not
    /// say. Asks nothing. A source without a server need not implement it.
    fn date(&self) -> Option<ServerDate> {
        None
    }
}
