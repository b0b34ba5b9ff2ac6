//! Quiet hours: a time of day in which a channel gets only severe findings.

use jiff::civil::Time;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::Severity;

/// The longest time that an alert is delayed at once. A day with a change to winter time has 25 hours.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// A time of each day in which alerts wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuietHours {
    /// When they begin, on the clocks of the zone.
    pub from: Time,
    /// When they end. Before `from`: on the next day.
    pub to: Time,
    /// Where the clocks are.
    pub zone: TimeZone,
    /// Alerts of this severity and above do not wait.
    pub except: Severity,
}

/// Quiet hours that have begun and not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// Their end.
    pub until: Timestamp,
    /// Alerts of this severity and above do not wait.
    pub except: Severity,
}

impl QuietHours {
    /// The quiet hours at this time; `None` outside them.
    ///
    /// The clocks of the zone decide. An end that they skip is the time after the gap; of an end that they show twice, the
    /// first that is still to come counts.
    pub fn at(&self, now: Timestamp) -> Option<Quiet> {
        let local = now.to_zoned(self.zone.clone()).datetime();
        let (time, today) = (local.time(), local.date());
        let ends_on = if self.from < self.to {
            (self.from <= time && time < self.to).then_some(today)
        } else if time >= self.from {
            Some(today.tomorrow().ok()?)
        } else {
            (time < self.to).then_some(today)
        }?;
        let end = self
            .zone
            .to_ambiguous_timestamp(ends_on.to_datetime(self.to));
        let is_fold = matches!(end.offset(), AmbiguousOffset::Fold { .. });
        let first = end.compatible().ok()?;
        let until = if first <= now && is_fold {
            end.later().ok()?
        } else {
            first
        };
        let latest = now.checked_add(LONGEST).ok()?;
        (until > now).then(|| Quiet {
            until: until.min(latest),
            except: self.except,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;

    fn hours(from: &str, to: &str, zone: &str) -> QuietHours {
        QuietHours {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            zone: TimeZone::get(zone).unwrap(),
            except: Severity::High,
        }
    }

    #[test]
    fn quiet_hours_end_by_the_clocks_of_their_zone() {
        let night = ("22:00", "07:00", "Europe/Berlin");
        for ((from, to, zone), now, until) in [
            // Summer time is UTC+2, winter time UTC+1.
            (night, "2026-07-01T19:59:59Z", None),
            (night, "2026-07-01T20:00:00Z", Some("2026-07-02T05:00:00Z")),
            (night, "2026-07-02T04:59:59Z", Some("2026-07-02T05:00:00Z")),
            (night, "2026-07-02T05:00:00Z", None),
            (night, "2026-12-01T21:00:00Z", Some("2026-12-02T06:00:00Z")),
            // The nights in which the clocks change.
            (night, "2026-03-28T21:00:00Z", Some("2026-03-29T05:00:00Z")),
            (night, "2026-10-24T20:00:00Z", Some("2026-10-25T06:00:00Z")),
            (
                ("09:00", "17:00", "America/New_York"),
                "2026-07-01T13:00:00Z",
                Some("2026-07-01T21:00:00Z"),
            ),
            (
                ("09:00", "17:00", "America/New_York"),
                "2026-07-01T12:59:00Z",
                None,
            ),
            // 02:30 does not exist in this night, and exists twice in that one.
            (
                ("22:00", "02:30", "Europe/Berlin"),
                "2026-03-28T23:00:00Z",
                Some("2026-03-29T01:30:00Z"),
            ),
            (
                ("22:00", "02:30", "Europe/Berlin"),
                "2026-10-24T23:00:00Z",
                Some("2026-10-25T00:30:00Z"),
            ),
            (
                ("22:00", "02:30", "Europe/Berlin"),
                "2026-10-25T00:45:00Z",
                None,
            ),
            (
                ("22:00", "02:30", "Europe/Berlin"),
                "2026-10-25T01:15:00Z",
                Some("2026-10-25T01:30:00Z"),
            ),
            (
                ("00:00", "23:59", "UTC"),
                "2026-07-01T00:00:00Z",
                Some("2026-07-01T23:59:00Z"),
            ),
            // The clocks of Samoa skipped the 30th of December 2011.
            (
                ("22:00", "07:00", "Pacific/Apia"),
                "2011-12-30T09:00:00Z",
                Some("2011-12-30T17:00:00Z"),
            ),
        ] {
            let quiet = hours(from, to, zone).at(now.parse().unwrap());
            let until: Option<Timestamp> = until.map(|until: &str| until.parse().unwrap());
            assert_eq!(
                quiet.map(|quiet| quiet.until),
                until,
                "{from} {to} {zone} at {now}"
            );
        }
    }

    #[test]
    fn the_end_is_always_ahead_and_never_more_than_a_day() {
        for zone in [
            "Europe/Berlin",
            "America/St_Johns",
            "Australia/Lord_Howe",
            "Pacific/Apia",
        ] {
            for (from, to) in [
                ("22:00", "07:00"),
                ("02:30", "02:00"),
                ("01:15", "02:15"),
                ("03:00", "02:59"),
            ] {
                let hours = hours(from, to, zone);
                let begin: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
                for step in 0..(366 * 24 * 4) {
                    let now = begin + SignedDuration::from_mins(15 * step);
                    if let Some(quiet) = hours.at(now) {
                        assert!(
                            quiet.until > now && quiet.until <= now + LONGEST,
                            "{zone} {from} {now}"
                        );
                    }
                }
            }
        }
    }
}
