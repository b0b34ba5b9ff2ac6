//! Stored moments that lie ahead of now.
//!
//! A clock that is wrong for one pass dates everything that this pass stores. Once the clock is right again, a past
//! moment that lies ahead would never grow old, and a planned one would never come: what waits for it would wait for
//! as long as the clock was off. So both count as now. Evidence keeps the date that it was written with.

use jiff::{SignedDuration, Timestamp};

/// How far ahead of now a past moment may lie, written by a clock that is right: two machines, or one before and after
/// its clock was corrected, differ by less.
pub const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// A stored moment that has passed: one that lies more than [`TOLERANCE`] ahead of `now` counts as now.
pub fn past(stored: Timestamp, now: Timestamp) -> Timestamp {
    planned(stored, TOLERANCE, now)
}

/// A stored moment that is planned: one that lies further ahead of `now` than `longest`, the longest delay that is ever
/// planned, counts as now.
pub fn planned(stored: Timestamp, longest: SignedDuration, now: Timestamp) -> Timestamp {
    if stored > latest(longest, now) {
        now
    } else {
        stored
    }
}

/// Whether a moment that should have passed lies ahead, so that it counts as now.
pub fn is_ahead(stored: Timestamp, now: Timestamp) -> bool {
    stored > latest(TOLERANCE, now)
}

/// The latest moment that [`planned`] leaves as it is: what a query compares with.
pub fn latest(longest: SignedDuration, now: Timestamp) -> Timestamp {
    now.checked_add(longest).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("within the calendar")
    }

    #[test]
    fn a_past_moment_over_five_minutes_ahead_counts_as_now() {
        let now = at(1_000_000);
        for (ahead, counts) in [
            (-1_000_000, -1_000_000),
            (0, 0),
            (300, 300),
            (301, 0),
            (365 * 86_400, 0),
        ] {
            let stored = at(1_000_000 + ahead);
            assert_eq!(past(stored, now), at(1_000_000 + counts), "{ahead}");
            assert_eq!(is_ahead(stored, now), ahead > 300, "{ahead}");
        }
        assert_eq!(past(Timestamp::MAX, now), now);
        // At the end of the calendar nothing lies ahead.
        assert_eq!(past(Timestamp::MAX, Timestamp::MAX), Timestamp::MAX);
    }

    #[test]
    fn a_planned_moment_further_ahead_than_its_longest_delay_counts_as_now() {
        let now = at(1_000_000);
        let hour = SignedDuration::from_hours(1);
        for (ahead, counts) in [(-7, -7), (3_600, 3_600), (3_601, 0)] {
            let stored = at(1_000_000 + ahead);
            assert_eq!(
                planned(stored, hour, now),
                at(1_000_000 + counts),
                "{ahead}"
            );
        }
        assert_eq!(
            planned(Timestamp::MAX, SignedDuration::MAX, now),
            Timestamp::MAX
        );
    }
}
