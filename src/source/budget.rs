//! Memory for leaves that all logs share: a hundred logs together have no more of them in memory than one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The unit of the budget: small enough for the bundles of any log, large enough for a count of 32 bits.
const UNIT_BYTES: usize = 16 * 1024;

/// How long a log waits for its part. If the server of a log is slow, the log has a part and does not use it yet. So
/// after that time the others continue without one: slow servers never stop other logs, and a part that is not used is
/// not in memory.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// A number of bytes, shared by all clones.
#[derive(Clone, Debug)]
pub struct Budget {
    units: Arc<Semaphore>,
    total: u32,
}

/// A part of a [`Budget`]: free again when the last clone of it is dropped.
#[derive(Clone, Debug, Default)]
pub(super) struct Share(Option<Arc<OwnedSemaphorePermit>>);

/// Leaves are equal independently of the budget that counts them.
impl PartialEq for Share {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Share {}

impl Share {
    fn of(permit: OwnedSemaphorePermit) -> Self {
        Self(Some(Arc::new(permit)))
    }

    /// Returns what a bundle of this size does not need. A share with clones stays unchanged.
    pub(super) fn shrink(mut self, bytes: usize) -> Self {
        if let Some(permit) = self.0.as_mut().and_then(Arc::get_mut) {
            let needed = bytes.div_ceil(UNIT_BYTES).max(1);
            drop(permit.split(permit.num_permits().saturating_sub(needed)));
        }
        self
    }
}

impl Budget {
    /// This many bytes.
    pub fn new(bytes: usize) -> Self {
        let total = u32::try_from(bytes / UNIT_BYTES)
            .unwrap_or(u32::MAX >> 4)
            .max(1);
        Self {
            units: Arc::new(Semaphore::new(total as usize)),
            total,
        }
    }

    /// At most the whole budget: a larger bundle is read nevertheless.
    fn units_of(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT_BYTES))
            .unwrap_or(u32::MAX)
            .clamp(1, self.total)
    }

    /// A part of that size if it is free.
    pub(super) fn take(&self, bytes: usize) -> Option<Share> {
        let permit = Arc::clone(&self.units).try_acquire_many_owned(self.units_of(bytes));
        permit.ok().map(Share::of)
    }

    /// Waits for a part of that size, in the order of the calls. Continues without one when that takes too long.
    pub(super) async fn wait(&self, bytes: usize) -> Share {
        let permit = Arc::clone(&self.units).acquire_many_owned(self.units_of(bytes));
        match timeout(MAX_WAIT, permit).await {
            Ok(Ok(permit)) => Share::of(permit),
            Ok(Err(_)) | Err(_) => Share::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_part_is_free_again_when_its_last_clone_is_dropped() {
        let budget = Budget::new(4 * UNIT_BYTES);
        let first = budget.take(3 * UNIT_BYTES);
        assert!(first.is_some() && budget.take(2 * UNIT_BYTES).is_none());
        let clone = first.clone();
        drop(first);
        assert!(budget.take(2 * UNIT_BYTES).is_none());
        drop(clone);
        let all = budget.take(usize::MAX);
        assert!(all.is_some(), "all of it, never more");
        let small = all.map(|all| all.shrink(UNIT_BYTES + 1));
        assert!(budget.take(2 * UNIT_BYTES).is_some() && budget.take(3 * UNIT_BYTES).is_none());
        drop(small);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_log_has_priority_over_prefetching_and_no_log_waits_forever() {
        let budget = Budget::new(4 * UNIT_BYTES);
        let held = budget.take(4 * UNIT_BYTES);
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.wait(3 * UNIT_BYTES).await }
        });
        tokio::task::yield_now().await;
        drop(held);
        assert!(
            budget.take(2 * UNIT_BYTES).is_none(),
            "promised to the one that waits"
        );
        let share = waiting.await.unwrap_or_default();
        assert!(share.0.is_some());
        let before = tokio::time::Instant::now();
        assert!(budget.wait(2 * UNIT_BYTES).await.0.is_none());
        assert_eq!(before.elapsed(), MAX_WAIT);
    }
}
