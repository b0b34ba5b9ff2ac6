//! Reads logs: fetches a log's checkpoint, its leaves and its tree's hashes, and returns bytes. Nothing is verified or
//! interpreted here: the caller proves the bytes with a checkpoint whose signature it has verified.

mod at_most;
mod budget;
mod buffers;
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
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tlog::Split;

pub use crate::http::ServerDate;
use crate::log::Protocol;
pub use budget::Budget;
pub use ct_rfc6962::CtRfc6962;
pub use ct_static::CtStatic;
pub use error::{Cause, SourceError, SourceErrorKind};
pub use leaves::{Leaves, LeavesError};
pub use location::{Location, LocationError};
pub use prefetch::{Prefetch, leaves};
pub use rekor_v2::RekorV2;
pub use transport::Transport;

/// The constructors of logs with one tree, a row for each type. The second argument is the id of the log's key (RFC
/// 6962 section 3.2), from which logs without an origin get one.
#[expect(
    clippy::type_complexity,
    reason = "a row is read in one glance; a name for the function would hide its arguments"
)]
const ONE_TREE: [(Protocol, fn(Transport, [u8; 32]) -> Arc<dyn LogSource>); 3] = [
    (Protocol::RekorV2, |transport, _| {
        Arc::new(RekorV2::new(transport))
    }),
    (Protocol::CtStatic, |transport, _| {
        Arc::new(CtStatic::new(transport))
    }),
    (Protocol::CtRfc6962, |transport, key_id| {
        Arc::new(CtRfc6962::new(transport, key_id))
    }),
];

/// A log with one tree; no request is sent yet. `None` for a type of log that has several: its server must list them
/// first.
pub fn of_one_tree(
    protocol: Protocol,
    transport: Transport,
    key_id: [u8; 32],
) -> Option<Arc<dyn LogSource>> {
    let (_, open) = ONE_TREE.iter().find(|(of, _)| *of == protocol)?;
    Some(open(transport, key_id))
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Client;

    #[test]
    fn every_type_of_log_with_one_tree_can_be_read() {
        for protocol in Protocol::ALL {
            let location = "https://log.example".parse().expect("a URL");
            let transport = Transport::new(location, Client::default());
            let source = of_one_tree(protocol, transport, [0; 32]);
            assert_eq!(
                source.is_none(),
                protocol.has_several_trees(),
                "{protocol:?}"
            );
        }
    }
}
