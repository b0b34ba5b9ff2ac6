//! The one place that knows what time it is.

use jiff::Timestamp;

/// Tells the time to loops that wait; everything else is handed `now`.
///
/// Law: `now` never fails, and callers tolerate that it goes backwards.
pub trait Clock: Send + Sync {
    /// The present moment, UTC.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one door to the machine's clock"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
