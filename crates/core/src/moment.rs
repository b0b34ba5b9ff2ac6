//! Stored times that are later than now, and how a sentence shows a time.
//!
//! If the clock is wrong during one pass, everything that this pass stores has a wrong time. When the clock is right
//! again, a past event with a later time would never become old, and a plan with a later time would be delayed by the
//! error of the clock. So both count as now. Evidence keeps its original date.

use jiff::{SignedDuration, Timestamp};

/// A time in a sentence: in UTC, to the second.
pub fn shown(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// How much later than now the time of a past event may be with correct clocks: two machines, or one machine before and
/// after its clock is corrected, differ by less.
pub const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// The stored time of a past event: one that is more than [`TOLERANCE`] later than `now` counts as now.
pub fn past(stored: Timestamp, now: Timestamp) -> Timestamp {
    planned(stored, TOLERANCE, now)
}

/// The stored time of a plan: one that is further ahead of `now` than `longest`, the longest delay that is ever
/// planned, counts as now.
pub fn planned(stored: Timestamp, longest: SignedDuration, now: Timestamp) -> Timestamp {
    if stored > latest(longest, now) {
        now
    } else {
        stored
    }
}

/// Whether the time of a past event is later than now, so that it counts as now.
pub fn is_ahead(stored: Timestamp, now: Timestamp) -> bool {
    stored > latest(TOLERANCE, now)
}

/// The latest time that [`planned`] does not change: the bound for a query.
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
        // At the end of the calendar no time is later.
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
