//! When passes begin: a cron expression in UTC, with the fields of crontab(5).

use std::str::FromStr;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A cron expression of five fields, or a nickname such as `@hourly`.
#[derive(Debug, Clone)]
pub struct Schedule {
    written: String,
    cron: Cron,
}

/// Why a schedule cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// It cannot be read.
    #[error(
        "`{written}` is not a cron schedule (five fields as in crontab(5): minute hour day month weekday): {reason}"
    )]
    Unreadable {
        /// As it was written.
        written: String,
        /// The error of the parser.
        reason: String,
    },
    /// It matches no moment, such as `0 0 30 2 *`.
    #[error("`{0}` never comes")]
    Never(String),
}

impl Schedule {
    /// The first moment of the schedule after this one.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.cron
            .find_next_occurrence(&after.to_zoned(TimeZone::UTC), false)
            .ok()
            .map(|next| next.timestamp())
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let cron = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(written)
            .map_err(|error| ScheduleError::Unreadable {
                written: written.to_owned(),
                reason: error.to_string(),
            })?;
        let schedule = Self {
            written: written.to_owned(),
            cron,
        };
        // Any time will do: an expression that matches no time after this one matches none at all.
        match schedule.next(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(ScheduleError::Never(schedule.written)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: &str) -> String {
        let schedule: Schedule = schedule.parse().expect("a schedule");
        let after = after.parse().expect("a time");
        schedule.next(after).expect("a next moment").to_string()
    }

    #[test]
    fn fields_are_those_of_crontab() {
        assert_eq!(
            next("* * * * *", "2026-11-21T08:00:30Z"),
            "2026-11-21T08:01:00Z"
        );
        assert_eq!(
            next("*/15 * * * *", "2026-11-21T08:01:00Z"),
            "2026-11-21T08:15:00Z"
        );
        assert_eq!(
            next("0 3 * * 1", "2026-11-21T08:01:00Z"),
            "2026-11-23T03:00:00Z"
        );
        assert_eq!(
            next("@hourly", "2026-11-21T08:01:00Z"),
            "2026-11-21T09:00:00Z"
        );
    }

    #[test]
    fn day_and_weekday_are_alternatives_as_in_crontab() {
        // 2026-11-21 is a Saturday: the next Monday comes before the 30th.
        assert_eq!(
            next("0 0 30 * 1", "2026-11-21T08:01:00Z"),
            "2026-11-23T00:00:00Z"
        );
    }

    #[test]
    fn seconds_nonsense_and_what_never_comes_are_refused() {
        for written in ["* * * * * *", "often", "61 * * * *", ""] {
            let error = written.parse::<Schedule>().expect_err(written);
            assert!(
                matches!(error, ScheduleError::Unreadable { .. }),
                "{written}: {error}"
            );
        }
        let error = "0 0 30 2 *"
            .parse::<Schedule>()
            .expect_err("February has no 30th");
        assert!(matches!(error, ScheduleError::Never(_)), "{error}");
    }
}
