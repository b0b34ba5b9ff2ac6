//! Reads a tree again for somebody who records nothing: the same leaves in the same way as a pass.

use std::ops::Range;
use std::sync::Arc;

use futures_util::Stream;
use jiff::Timestamp;
use tlog::{CompactRange, Head};

use super::context;
use super::halt::Halt;
use super::log::Log;
use super::tail;
use crate::identity::Authorities;
use crate::source::{Budget, Leaves, LogSource, SourceError};
use crate::store::{PassError, PassErrorKind};

/// Reads leaves ahead and hands them to all cores. Clones share the memory for leaves.
#[derive(Debug, Clone)]
pub struct LeafReader {
    budget: Budget,
}

impl Default for LeafReader {
    fn default() -> Self {
        Self {
            budget: context::budget(),
        }
    }
}

impl LeafReader {
    /// Reads these leaves of a tree of `size` leaves, and applies `scan` to each bundle of them on the thread pool. The results
    /// come in the order of the leaves. The first error is the last item.
    pub fn read<T, F>(
        &self,
        log: &Log,
        range: Range<u64>,
        size: u64,
        scan: F,
    ) -> impl Stream<Item = Result<T, SourceError>> + use<T, F>
    where
        T: Send + 'static,
        F: Fn(&Leaves) -> T + Clone + Send + 'static,
    {
        tail::read_leaves(Arc::clone(&log.source), range, size, &self.budget, scan)
    }
}

/// The frontier of the first `at` leaves of the tree with this head, from the hashes of the log. `None`: they do not lead to the
/// root of the head.
///
/// # Errors
///
/// The log does not answer.
pub async fn frontier(
    source: &dyn LogSource,
    head: &Head,
    at: u64,
) -> Result<Option<CompactRange>, SourceError> {
    if at == 0 {
        return Ok(Some(CompactRange::new()));
    }
    let split = source.split(at, head.size).await?;
    Ok((split.root() == head.root).then(|| split.frontier()))
}

/// Whether a frontier is that of the first leaves of the tree with this head.
///
/// # Errors
///
/// As of [`frontier`].
pub async fn is_of_tree(
    source: &dyn LogSource,
    head: &Head,
    range: &CompactRange,
) -> Result<bool, SourceError> {
    if range.size() == head.size {
        return Ok(range.root() == head.root);
    }
    Ok(frontier(source, head, range.size()).await?.as_ref() == Some(range))
}

/// An index of a tree of `size` entries: all entries before it were logged before `since`, by the times in the entries.
///
/// # Errors
///
/// The log does not answer, or `since` is in the future.
pub async fn first_since(
    since: Timestamp,
    log: &Log,
    size: u64,
    authorities: Option<&Authorities>,
    now: Timestamp,
) -> Result<u64, PassError> {
    let found = tail::position_of(since, log, size, authorities, now).await;
    found.map_err(|halt| match halt {
        Halt::Failed(error) | Halt::Limited(error) | Halt::Behind(error) => error,
        Halt::Store(error) => PassError::new(PassErrorKind::Unavailable, error.to_string()),
        Halt::Stopped => PassError::new(PassErrorKind::Unavailable, "it was stopped"),
    })
}
