//! A clock that a test sets.

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use modelwatch::clock::Clock;

/// A clock that changes only when it is set.
pub struct TestClock(Mutex<Timestamp>);

impl TestClock {
    /// The recorded leaves were logged on this day; generated certificates are valid from here on.
    pub const DAWN: i64 = 1_795_248_000;

    pub fn new() -> Self {
        Self(Mutex::new(
            Timestamp::from_second(Self::DAWN).expect("in range"),
        ))
    }

    pub fn advance(&self, seconds: i64) {
        let mut now = self.0.lock().expect("nothing panics under it");
        *now += SignedDuration::from_secs(seconds);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("nothing panics under it")
    }
}
