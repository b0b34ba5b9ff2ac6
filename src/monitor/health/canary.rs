//! Canaries: identities that sign regularly. If one is not seen, it has stopped, or monitoring does not work.
//!
//! Old bundles of a canary are public: if another person logs them again, that is no new signing. The time when the
//! certificate was issued counts, or that the signature is new; the store provides both.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::moment;
use crate::monitor::settings::CanarySettings;
use crate::store::{Findings, StoreError, Values};

/// The key of the stored value.
const KEY: &str = "canaries";

/// The state of all canaries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Canaries {
    /// The number of the newest finding that was read.
    after: i64,
    canaries: BTreeMap<String, Known>,
}

/// The state of one canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// The time of the first pass with this canary. Its first period begins then.
    since: Timestamp,
    /// When it signed last, if that is known.
    seen: Option<Timestamp>,
}

/// The overdue canaries: the name of the watch, and one sentence.
pub(super) async fn missing(
    store: &(impl Findings + Values + ?Sized),
    canaries: &[CanarySettings],
    now: Timestamp,
) -> Result<Vec<(String, String)>, StoreError> {
    let value = store.get_value(KEY).await?;
    if canaries.is_empty() && value.is_none() {
        return Ok(Vec::new());
    }
    // A value that this version cannot read is ignored: the period of each canary begins now.
    let before: Canaries = value
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let watches: Vec<String> = canaries.iter().map(|canary| canary.watch.clone()).collect();
    let (after, seen) = store.seen_since(&watches, before.after).await?;
    let canaries_seen = before.with(canaries, after, &seen, now);
    if canaries_seen != before {
        let text = serde_json::to_string(&canaries_seen).expect("maps of plain values are JSON");
        store.put_value(KEY, &text).await?;
    }
    Ok(canaries_seen.overdue(canaries, now))
}

impl Canaries {
    /// The state after these signings. A canary that is not configured any more is removed. If it returns, its period
    /// begins again.
    fn with(
        &self,
        canaries: &[CanarySettings],
        after: i64,
        seen: &BTreeMap<String, Timestamp>,
        now: Timestamp,
    ) -> Self {
        let known = |canary: &CanarySettings| {
            let known = self.canaries.get(&canary.watch);
            let newest = seen.get(&canary.watch).copied();
            // Times in the future, by a clock that was wrong, are replaced once. Otherwise each pass would count them
            // as now.
            let past = |stored| moment::past(stored, now);
            let known = Known {
                since: known.map_or(now, |known| past(known.since)),
                seen: newest.max(known.and_then(|known| known.seen)).map(past),
            };
            (canary.watch.clone(), known)
        };
        Self {
            after,
            canaries: canaries.iter().map(known).collect(),
        }
    }

    fn overdue(&self, canaries: &[CanarySettings], now: Timestamp) -> Vec<(String, String)> {
        let mut overdue = Vec::new();
        for canary in canaries {
            let Some(known) = self.canaries.get(&canary.watch) else {
                continue;
            };
            let last = known.seen.map_or(known.since, |seen| seen.max(known.since));
            let every = SignedDuration::try_from(canary.every).unwrap_or(SignedDuration::MAX);
            if now.duration_since(last) <= every {
                continue;
            }
            let at = moment::shown(last);
            let since = if known.seen.is_some() {
                format!("the last one is of {at}")
            } else {
                format!("none was seen since {at}, when it was first looked for")
            };
            overdue.push((
                canary.watch.clone(),
                format!(
                    "no signing that the watch {} selects came in time, although one should every {every:#}: {since}",
                    canary.watch
                ),
            ));
        }
        overdue
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3600).expect("in range")
    }

    fn nightly() -> Vec<CanarySettings> {
        vec![CanarySettings {
            watch: "nightly".to_owned(),
            every: Duration::from_hours(26),
        }]
    }

    #[test]
    fn the_period_of_a_canary_begins_with_its_first_pass_and_with_each_signing() {
        let canaries = nightly();
        let nothing = BTreeMap::new();
        let missing =
            |canaries_seen: &Canaries, hour| !canaries_seen.overdue(&canaries, at(hour)).is_empty();
        let canaries_seen = Canaries::default().with(&canaries, 0, &nothing, at(100));
        assert!(!missing(&canaries_seen, 126) && missing(&canaries_seen, 127));
        // A pass without a signing does not restart the period.
        let canaries_seen = canaries_seen.with(&canaries, 0, &nothing, at(120));
        assert!(!missing(&canaries_seen, 126) && missing(&canaries_seen, 127));
        let seen = BTreeMap::from([("nightly".to_owned(), at(125))]);
        let canaries_seen = canaries_seen.with(&canaries, 7, &seen, at(125));
        assert!(!missing(&canaries_seen, 151) && missing(&canaries_seen, 152));
        let (_, sentence) = canaries_seen.overdue(&canaries, at(152)).remove(0);
        assert!(
            sentence.contains("every 26h") && sentence.contains("1970-01-06T05:00:00Z"),
            "{sentence}"
        );
        // A time in the future counts from the first pass that finds it.
        let ahead = BTreeMap::from([("nightly".to_owned(), at(9000))]);
        let skewed = Canaries::default().with(&canaries, 8, &ahead, at(9000));
        let skewed = skewed.with(&canaries, 8, &nothing, at(200));
        let skewed = skewed.with(&canaries, 8, &nothing, at(210));
        assert!(!missing(&skewed, 226) && missing(&skewed, 227));
        // Removed and added again: an old signing does not make it overdue at once.
        let canaries_seen =
            canaries_seen
                .with(&[], 7, &nothing, at(300))
                .with(&canaries, 7, &nothing, at(400));
        assert!(!missing(&canaries_seen, 426) && missing(&canaries_seen, 427));
    }

    #[test]
    fn the_stored_state_of_canaries_is_read_again() {
        let canaries_seen = Canaries::default().with(&nightly(), 3, &BTreeMap::new(), at(1));
        let text = serde_json::to_string(&canaries_seen).expect("plain values");
        assert_eq!(
            serde_json::from_str::<Canaries>(&text).expect("as written"),
            canaries_seen
        );
    }
}
