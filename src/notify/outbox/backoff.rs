//! When an alert is tried again, and when it is given up.

use std::time::Duration;

use jiff::Timestamp;

use crate::moment;
use crate::store::Delivery;

/// Before the second attempt: about the time of a restart of a mail server.
const FIRST_DELAY: Duration = Duration::from_mins(1);

/// Longest delay between later attempts: after a repair the alert is soon delivered.
pub(super) const LONGEST_DELAY: Duration = Delivery::LONGEST_RETRY.unsigned_abs();

/// A younger alert is not given up: this allows for a weekend, and a Monday morning for repairs.
const MIN_AGE: Duration = Duration::from_hours(3 * 24);

/// Nor is one with fewer attempts: it may be old because modelwatch was not running.
const FEWEST_ATTEMPTS: u32 = 10;

/// The delay after this many failed attempts: doubled from a minute to an hour. `jitter`, from 0 to 1, spreads the
/// upper half, so that alerts that failed together are not repeated together. A time requested by the receiver
/// lengthens it, up to an hour.
pub(super) fn delay(attempts: u32, wish: Option<Duration>, jitter: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(10);
    let ceiling = (FIRST_DELAY * 2u32.pow(doublings)).min(LONGEST_DELAY);
    let spread = ceiling / 2 + (ceiling / 2).mul_f64(jitter.clamp(0.0, 1.0));
    // At least the first delay, also for the first retry with little jitter.
    spread
        .max(FIRST_DELAY)
        .max(wish.unwrap_or_default())
        .min(LONGEST_DELAY)
}

/// Whether it is time to give up an alert that was created then, after this many failed attempts.
pub(super) fn is_hopeless(created: Timestamp, attempts: u32, now: Timestamp) -> bool {
    // If the clock was set back, no alert becomes older.
    let age = now.duration_since(moment::past(created, now));
    let age = Duration::try_from(age).unwrap_or_default();
    attempts >= FEWEST_ATTEMPTS && age >= MIN_AGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_from_a_minute_to_an_hour() {
        let minutes: Vec<_> = (1..=8)
            .map(|n| delay(n, None, 1.0).as_secs() / 60)
            .collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(delay(u32::MAX, None, 1.0), LONGEST_DELAY);
        assert_eq!(delay(0, None, 1.0), FIRST_DELAY);
    }

    #[test]
    fn jitter_takes_at_most_half_and_leaves_a_minute() {
        assert_eq!(delay(5, None, 0.0), Duration::from_mins(8));
        assert_eq!(delay(1, None, 0.0), FIRST_DELAY);
        assert_eq!(delay(5, None, f64::MAX), delay(5, None, 1.0));
    }

    #[test]
    fn the_delay_that_a_receiver_requests_is_used_up_to_an_hour() {
        let wish = |secs| delay(1, Some(Duration::from_secs(secs)), 1.0).as_secs();
        assert_eq!((wish(1), wish(600), wish(u64::MAX)), (60, 600, 3600));
    }

    #[test]
    fn an_alert_is_given_up_only_when_it_is_old_and_was_tried_often() {
        let created = Timestamp::UNIX_EPOCH;
        let after = |hours: u64| created + Duration::from_secs(hours * 3600);
        assert!(!is_hopeless(created, 100, after(71)));
        assert!(!is_hopeless(created, 9, after(1000)));
        assert!(is_hopeless(created, 10, after(72)));
        assert!(!is_hopeless(after(1), 100, created));
    }
}
