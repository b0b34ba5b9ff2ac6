//! The one place that asks for the time.

use jiff::Timestamp;

/// Tells the time to loops that wait; everything else is handed `now`.
///
/// Law: `now` never fails, and callers tolerate that it goes backwards.
pub trait Clock: Send + Sync {
    /// The present moment, UTC.
    fn now(&self) -> Timestamp;
}

/// The present moment, UTC, for a command that hands it on as `now`.
pub fn now() -> Timestamp {
    SystemClock.now()
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks for the time"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
