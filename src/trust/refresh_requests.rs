//! Updates of the trusted root that a failure requests before the next one is due.
//!
//! A failed verification may be explained by a trusted root that was published an hour ago. But a person who can cause
//! failures (with a broken log, or by logging certificates of invented authorities) must not make every monitor send
//! requests to the repository all the time.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The shortest time between two requested updates, and the pause after the first one without a change.
const FIRST_WAIT: SignedDuration = SignedDuration::from_mins(1);

/// The longest pause, after many updates without a change.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);

/// An unknown authority requests an update once in this time: as often as the trusted root is updated anyway.
const AUTHORITY_PAUSE: SignedDuration = SignedDuration::from_hours(6);

/// Number of stored authorities; the oldest are dropped. With one update a minute it takes hours to reach it.
const MAX_AUTHORITIES: usize = 512;

/// What newer trust may explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshReason {
    /// A checkpoint that is signed by no known key.
    Checkpoint,
    /// A log that the trusted root does not have.
    Log,
    /// A certificate with a watched name under an authority that the trusted root does not have; the id of its key.
    Authority([u8; 20]),
}

/// The requested updates, and their times.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RefreshRequests {
    /// When a refresh was last granted.
    last: Option<Timestamp>,
    /// The pause after that.
    wait_seconds: i64,
    /// Authorities by key id in hex, with the time of their request; `None` if they wait for the next update.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    authorities: BTreeMap<String, Option<Timestamp>>,
}

impl RefreshRequests {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Records these failures, and returns whether to update now, for them and for those that wait. `refreshed` is the
    /// time of the last update.
    pub(super) fn grants(
        &mut self,
        reasons: &[RefreshReason],
        refreshed: Timestamp,
        now: Timestamp,
    ) -> bool {
        // A time in the future comes from a wrong clock.
        self.authorities.retain(|_, requested| {
            requested.is_none_or(|requested| {
                requested <= now && now.duration_since(requested) < AUTHORITY_PAUSE
            })
        });
        let mut others = false;
        for reason in reasons {
            match reason {
                RefreshReason::Checkpoint | RefreshReason::Log => others = true,
                RefreshReason::Authority(id) => {
                    self.authorities.entry(hex::encode(id)).or_insert(None);
                }
            }
        }
        while self.authorities.len() > MAX_AUTHORITIES {
            let oldest = self
                .authorities
                .iter()
                .min_by_key(|(_, requested)| **requested);
            let oldest = oldest.map(|(id, _)| id.clone());
            oldest.map(|id| self.authorities.remove(&id));
        }
        if !others && self.authorities.values().all(Option::is_some) {
            return false;
        }
        let is_over = |since: Timestamp, wait: SignedDuration| {
            since > now || now.duration_since(since) >= wait
        };
        let wait = SignedDuration::from_secs(self.wait_seconds).clamp(FIRST_WAIT, LONGEST_WAIT);
        if !self.last.is_none_or(|last| is_over(last, wait)) || !is_over(refreshed, FIRST_WAIT) {
            return false;
        }
        if self
            .last
            .is_some_and(|last| is_over(last, LONGEST_WAIT + wait))
        {
            // Long ago: another failure.
            self.wait_seconds = 0;
        }
        self.last = Some(now);
        self.authorities.values_mut().for_each(|requested| {
            requested.get_or_insert(now);
        });
        true
    }

    /// Records the result of the update: whether the trusted root changed.
    pub(super) fn answered(&mut self, has_changed: bool) {
        let wait = SignedDuration::from_secs(self.wait_seconds);
        let wait = match (has_changed, wait.is_zero()) {
            (true, _) => SignedDuration::ZERO,
            (false, true) => FIRST_WAIT,
            (false, false) => wait.saturating_mul(2).min(LONGEST_WAIT),
        };
        self.wait_seconds = wait.as_secs();
    }

    /// Merges the requests of another process.
    pub(super) fn catch_up(&mut self, theirs: Self) {
        if theirs.last > self.last {
            *self = theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minutes).unwrap_or_default()
    }

    const LONG_AGO: i64 = -10_000;

    #[test]
    fn a_failure_that_lasts_requests_updates_less_and_less_often_down_to_one_an_hour() {
        let mut requests = RefreshRequests::default();
        let mut granted = Vec::new();
        for minute in 0..300 {
            if requests.grants(&[RefreshReason::Checkpoint], at(LONG_AGO), at(minute)) {
                granted.push(minute);
                requests.answered(false);
            }
        }
        assert_eq!(granted, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
        // The update changed the trusted root: the next failure has another cause.
        assert!(requests.grants(&[RefreshReason::Log], at(LONG_AGO), at(303)));
        requests.answered(true);
        assert!(!requests.grants(&[RefreshReason::Log], at(LONG_AGO), at(303)));
        assert!(requests.grants(&[RefreshReason::Log], at(LONG_AGO), at(304)));
    }

    #[test]
    fn an_unknown_authority_requests_an_update_once_in_six_hours_and_waits_for_the_next() {
        let (one, two) = (
            RefreshReason::Authority([1; 20]),
            RefreshReason::Authority([2; 20]),
        );
        let mut requests = RefreshRequests::default();
        assert!(requests.grants(std::slice::from_ref(&one), at(LONG_AGO), at(0)));
        requests.answered(false);
        for minute in [1, 10, 359] {
            assert!(!requests.grants(std::slice::from_ref(&one), at(LONG_AGO), at(minute)));
        }
        assert!(requests.grants(std::slice::from_ref(&one), at(LONG_AGO), at(360)));
        requests.answered(false);
        // It comes too soon. It causes an update later, although it does not come again.
        assert!(!requests.grants(&[two], at(LONG_AGO), at(360)));
        assert!(requests.grants(&[], at(LONG_AGO), at(361)));
        assert!(!requests.grants(&[], at(LONG_AGO), at(700)));
    }

    #[test]
    fn no_update_follows_a_recent_one_and_a_clock_that_was_wrong_blocks_none() {
        let mut requests = RefreshRequests::default();
        assert!(!requests.grants(&[RefreshReason::Checkpoint], at(0), at(0)));
        assert!(requests.grants(
            &[RefreshReason::Checkpoint, RefreshReason::Authority([1; 20])],
            at(0),
            at(1)
        ));
        // Its clock was a year ahead.
        let year = -365 * 24 * 60;
        assert!(requests.grants(&[RefreshReason::Checkpoint], at(0), at(year)));
        assert!(requests.grants(&[RefreshReason::Authority([1; 20])], at(0), at(year + 1)));
    }

    #[test]
    fn a_flood_of_authorities_is_bounded() {
        let mut requests = RefreshRequests::default();
        for number in 0..2_000_u32 {
            let mut id = [0; 20];
            id[..4].copy_from_slice(&number.to_be_bytes());
            requests.grants(&[RefreshReason::Authority(id)], at(0), at(0));
        }
        assert_eq!(requests.authorities.len(), MAX_AUTHORITIES);
    }
}
