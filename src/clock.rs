//! The only code that reads the time.

use jiff::Timestamp;

/// Gives the time to loops that wait; all other code takes `now` as an argument.
///
/// Law: `now` never fails, and callers must work when it goes backwards.
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
        reason = "this is the only place that reads the machine's clock"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
