//! The result and the time of one drain.

use jiff::Timestamp;
use tokio::time::Instant;

/// The results of one [`Outbox::drain`](super::Outbox::drain).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drained {
    /// Accepted.
    pub delivered: u64,
    /// Not accepted; will be tried again.
    pub postponed: u64,
    /// Not accepted, and not tried again.
    pub gave_up: u64,
}

/// The present time for steps that take long: the given `now` plus the time since then.
#[derive(Clone, Copy)]
pub(super) struct Present {
    pub(super) now: Timestamp,
    pub(super) since: Instant,
    pub(super) until: Instant,
}

impl Drained {
    /// Whether something was due.
    pub fn is_any(&self) -> bool {
        self.delivered + self.postponed + self.gave_up > 0
    }
}

impl Present {
    pub(super) fn now(self) -> Timestamp {
        // Saturates only at the end of time.
        self.now
            .checked_add(self.since.elapsed())
            .unwrap_or(Timestamp::MAX)
    }

    pub(super) fn is_over(self) -> bool {
        Instant::now() >= self.until
    }
}
