//! The same parts over time, as far as the store knows the times: when each checkpoint was recorded.
//!
//! A log does not tell when it accepted an entry. An entry was logged after the last checkpoint that does not contain it, and
//! before the first one that does. What is not proven is drawn over all of that time.

use jiff::{SignedDuration, Timestamp};

use super::entries::{Kind, Part};
use crate::store::Reached;

/// Shortest stretch of time: a gap between two checkpoints of one moment must be seen.
const SHORTEST: SignedDuration = SignedDuration::from_secs(1);

/// The time that is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    /// When the first checkpoint was recorded.
    pub(super) begun: Timestamp,
    /// The end of the last pass that proved everything.
    pub(super) proven: Option<Timestamp>,
    /// That pass is too old, or a later one did not finish.
    pub(super) is_stale: bool,
    pub(super) now: Timestamp,
}

/// When the entries of a part were logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Logged {
    /// After this time; `None`: perhaps before the first checkpoint.
    pub(super) after: Option<Timestamp>,
    /// Before this time; `None`: perhaps after the last checkpoint.
    pub(super) by: Option<Timestamp>,
}

impl Logged {
    /// `from`: when the log reached the first entry of a part; `to`: its end.
    pub(super) fn between(from: Reached, to: Reached) -> Self {
        Self {
            after: from.after,
            by: to.by,
        }
    }
}

/// The stretches of time from the first checkpoint until now, in order and without a hole. Of each entry that is not proven
/// the stretch is the longest in which it may have been logged.
pub(super) fn stretches(axis: &Axis, parts: &[(Kind, Logged)]) -> Vec<Part> {
    let now = axis.now.max(axis.begun + SHORTEST);
    let proven = axis
        .proven
        .map_or(axis.begun, |at| at.clamp(axis.begun, now));
    let after = if axis.is_stale || axis.proven.is_none() {
        Kind::Unread
    } else {
        Kind::Since
    };
    let mut over = vec![(Kind::Proven, axis.begun, proven), (after, proven, now)];
    for (kind, logged) in parts {
        // What was logged before the first checkpoint is not in this time.
        if *kind == Kind::Proven || logged.by.is_some_and(|by| by <= axis.begun) {
            continue;
        }
        let from = logged.after.unwrap_or(axis.begun).clamp(axis.begun, now);
        let to = logged.by.unwrap_or(now).clamp(axis.begun, now);
        // The times of a clock that was set back are in the wrong order.
        let (from, to) = (from.min(to), from.max(to));
        if to.duration_since(from) >= SHORTEST {
            over.push((*kind, from, to));
        } else if from.duration_since(axis.begun) >= SHORTEST {
            over.push((*kind, to - SHORTEST, to));
        } else {
            over.push((*kind, from, from + SHORTEST));
        }
    }
    let micros = |at: Timestamp| u64::try_from(at.as_microsecond()).unwrap_or(0);
    let over: Vec<Part> = over
        .into_iter()
        .map(|(kind, from, to)| (kind, micros(from), micros(to)))
        .collect();
    let mut cuts: Vec<u64> = over.iter().flat_map(|(_, from, to)| [*from, *to]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut stretches: Vec<Part> = Vec::new();
    for (from, to) in cuts.iter().zip(cuts.iter().skip(1)) {
        let here = over
            .iter()
            .filter(|(_, begin, end)| begin <= from && to <= end);
        let Some(kind) = here.map(|(kind, ..)| *kind).max() else {
            continue;
        };
        match stretches.last_mut() {
            Some((before, _, end)) if *before == kind => *end = *to,
            _ => stretches.push((kind, *from, *to)),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;
    use Kind::{NotCompared, NotFollowed, Proven, Read, Since, Unread};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn axis(proven: Option<i64>, is_stale: bool) -> Axis {
        Axis {
            begun: at(100),
            proven: proven.map(at),
            is_stale,
            now: at(1_000),
        }
    }

    #[track_caller]
    fn check(
        axis: &Axis,
        parts: &[(Kind, Option<i64>, Option<i64>)],
        expected: &[(Kind, u64, u64)],
    ) {
        let parts: Vec<_> = parts
            .iter()
            .map(|(kind, after, by)| {
                let logged = Logged {
                    after: after.map(at),
                    by: by.map(at),
                };
                (*kind, logged)
            })
            .collect();
        let seconds: Vec<_> = stretches(axis, &parts)
            .into_iter()
            .map(|(kind, from, to)| (kind, from / 1_000_000, to / 1_000_000))
            .collect();
        assert_eq!(seconds, expected, "{axis:?} {parts:?}");
    }

    #[test]
    fn time_is_proven_up_to_the_last_pass_and_what_is_not_proven_is_drawn_over_it() {
        let fresh = axis(Some(900), false);
        let all = (Proven, None, Some(100));
        check(&fresh, &[all], &[(Proven, 100, 900), (Since, 900, 1_000)]);
        // Before the first checkpoint: not in this time.
        check(
            &fresh,
            &[(NotFollowed, None, Some(100)), (Proven, Some(100), None)],
            &[(Proven, 100, 900), (Since, 900, 1_000)],
        );
        // A position that was begun again later.
        check(
            &fresh,
            &[(NotFollowed, None, Some(300)), (Proven, Some(300), None)],
            &[
                (NotFollowed, 100, 300),
                (Proven, 300, 900),
                (Since, 900, 1_000),
            ],
        );
        // A gap between two checkpoints, and one within a single moment.
        check(
            &fresh,
            &[
                (NotCompared, Some(200), Some(300)),
                (NotCompared, Some(500), Some(500)),
            ],
            &[
                (Proven, 100, 200),
                (NotCompared, 200, 300),
                (Proven, 300, 499),
                (NotCompared, 499, 500),
                (Proven, 500, 900),
                (Since, 900, 1_000),
            ],
        );
        check(
            &axis(Some(1_000), false),
            &[(NotCompared, Some(100), Some(100)), all],
            &[(Proven, 100, 1_000)],
        );
    }

    #[test]
    fn a_log_that_is_not_proven_is_unread_since_its_last_pass() {
        check(
            &axis(Some(400), true),
            &[],
            &[(Proven, 100, 400), (Unread, 400, 1_000)],
        );
        check(&axis(None, true), &[], &[(Unread, 100, 1_000)]);
        check(&axis(None, false), &[], &[(Unread, 100, 1_000)]);
        // It has more entries than were read, and some that no checkpoint covers.
        check(
            &axis(Some(400), false),
            &[(Read, Some(390), Some(500)), (Unread, Some(450), Some(950))],
            &[
                (Proven, 100, 390),
                (Read, 390, 450),
                (Unread, 450, 950),
                (Since, 950, 1_000),
            ],
        );
    }

    #[test]
    fn times_of_a_wrong_clock_stay_within_the_strip() {
        let begun_now = Axis {
            begun: at(100),
            proven: Some(at(5_000)),
            is_stale: false,
            now: at(50),
        };
        check(
            &begun_now,
            &[(Unread, Some(7_000), Some(3))],
            &[(Proven, 100, 101)],
        );
        check(
            &axis(Some(1_000), false),
            &[(Unread, Some(7_000), Some(300))],
            &[(Proven, 100, 300), (Unread, 300, 1_000)],
        );
    }
}
