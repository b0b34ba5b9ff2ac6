//! The first position of a log that is read from a date.
//!
//! Entries of a log are in the order in which they were logged, and most of them contain the time: the `notBefore` of a
//! certificate, or the timestamp of a CT log. So a binary search finds a date, in as many requests as the size has
//! binary digits. The order is only rough, because of queues, clocks, and certificates that are used minutes after
//! their issuance. Anybody may log a certificate with any date. Therefore:
//!
//! * the median of the times in a bundle counts, and with a trusted root only certificates of its CAs;
//! * the search aims [`MARGIN`] before the date, and ends at the start of a bundle;
//! * where no time is found, it continues with older entries.
//!
//! All of these make the monitor read too much rather than too little.

use crate::store::PassErrorKind;
use std::ops::Range;

use jiff::{SignedDuration, Timestamp};

use super::scan::median;
use crate::entry;
use crate::identity::{Authorities, Chain};
use crate::log::LeafFormat;
use crate::monitor::halt::Halt;
use crate::monitor::log::Log;
use crate::source::Leaves;

/// How far the times of entries may be out of order. Certificates of Fulcio are valid for ten minutes, and clocks and
/// queues of a public log differ by less: an hour is several times both.
pub(in crate::monitor) const MARGIN: SignedDuration = SignedDuration::from_hours(1);

/// Bundles without a time that are skipped, towards newer entries, before the search continues with older ones. Each
/// one is a request.
const MAX_UNDATED: u32 = 8;

/// A position in a tree of `size` entries. All entries before it were logged before `since`, by the times in the
/// entries.
///
/// # Errors
/// `since` is in the future.
pub(in crate::monitor) async fn position_of(
    since: Timestamp,
    log: &Log,
    size: u64,
    authorities: Option<&Authorities>,
    now: Timestamp,
) -> Result<u64, Halt> {
    if since > now {
        return Err(Halt::failed(
            PassErrorKind::Unavailable,
            format!("the configuration starts at {since}, which is in the future"),
        ));
    }
    let mut search = Search::new(since, size);
    while let Some(index) = search.probe() {
        let range = log.source.bundle(index, size);
        let leaves = log.source.leaves(range.clone(), size).await?;
        let time = logged_about(&leaves, log.shard.protocol.leaf_format(), authorities);
        search.record(&range, time);
    }
    tracing::info!(
        log.name = log.shard.name,
        "the first position of {} for {since} is {}",
        crate::escape::terminal(&log.shard.name),
        search.position(),
    );
    Ok(search.position())
}

/// Roughly when these leaves were logged; `None` if they contain no time.
fn logged_about(
    leaves: &Leaves,
    format: LeafFormat,
    authorities: Option<&Authorities>,
) -> Option<Timestamp> {
    let mut times = Vec::new();
    for (_, leaf) in leaves.iter() {
        match format {
            LeafFormat::Certificate => times.extend(entry::logged_at(leaf)),
            LeafFormat::RekorEntry => {
                let Ok(entry) = entry::parse(leaf) else {
                    continue;
                };
                let trusted = entry.signings.iter().filter_map(|signing| {
                    let certificate = signing.signer.certificate()?;
                    let chain = signing.signer.judge(authorities).chain;
                    (chain != Chain::Untrusted).then(|| certificate.not_before())
                });
                times.extend(trusted);
            }
        }
    }
    median(&mut times)
}

/// A binary search over bundles, without the requests.
///
/// Entries before `low` were logged before the date, entries from `high` on at or after it, as far as is known.
struct Search {
    date: Timestamp,
    size: u64,
    low: u64,
    high: u64,
    /// The start of the bundle that ends at `low`: its entries may be as late as those after it.
    position: u64,
    /// Bundles without a time: the start of the first, the end of the last, and their number.
    undated: Option<(u64, u64, u32)>,
}

impl Search {
    fn new(since: Timestamp, size: u64) -> Self {
        Self {
            date: since.checked_sub(MARGIN).unwrap_or(Timestamp::MIN),
            size,
            low: 0,
            high: size,
            position: 0,
            undated: None,
        }
    }

    /// An index in the bundle to read next; `None` at the end.
    fn probe(&self) -> Option<u64> {
        if let Some((_, end, _)) = self.undated {
            return Some(end);
        }
        (self.low < self.high).then(|| self.low + (self.high - self.low) / 2)
    }

    /// Records the time in the bundle of the last [`Self::probe`].
    fn record(&mut self, bundle: &Range<u64>, time: Option<Timestamp>) {
        let first = self.undated.map_or(bundle.start, |(first, ..)| first);
        match time {
            Some(time) if time < self.date => {
                self.low = bundle.end.clamp(self.low, self.size);
                self.position = bundle.start;
                self.undated = None;
            }
            Some(_) => self.search_earlier(first),
            None => {
                let count = self.undated.map_or(0, |(.., count)| count) + 1;
                if bundle.end >= self.high || count > MAX_UNDATED {
                    self.search_earlier(first);
                } else {
                    self.undated = Some((first, bundle.end, count));
                }
            }
        }
    }

    /// Continues before `first`. It ends also for a source whose bundles overlap.
    fn search_earlier(&mut self, first: u64) {
        self.high = first.clamp(self.low, self.high.saturating_sub(1).max(self.low));
        self.undated = None;
    }

    fn position(&self) -> u64 {
        self.position
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::*;

    const MARGIN_SECONDS: i64 = 3600;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Searches entries with these times in bundles of `width`. Returns the position and the number of bundles that
    /// were read.
    fn search(times: &[Option<i64>], width: u64, since: i64) -> (u64, u32) {
        let size = times.len() as u64;
        let mut search = Search::new(at(since), size);
        let mut fetches = 0;
        while let Some(index) = search.probe() {
            assert!(index < size, "{index} of {size}");
            let start = index / width * width;
            let bundle = start..(start + width).min(size);
            let mut held: Vec<Timestamp> = times
                [usize::try_from(bundle.start).unwrap()..usize::try_from(bundle.end).unwrap()]
                .iter()
                .filter_map(|time| time.map(at))
                .collect();
            search.record(&bundle, median(&mut held));
            fetches += 1;
            assert!(fetches < 10_000, "it never ends");
        }
        (search.position(), fetches)
    }

    fn first_since(times: &[Option<i64>], since: i64) -> u64 {
        let found = times
            .iter()
            .position(|time| time.is_some_and(|time| time >= since));
        found.unwrap_or(times.len()) as u64
    }

    proptest! {
        #[test]
        fn no_entry_of_the_date_or_later_is_ever_skipped(
            entries in prop::collection::vec((0i64..4000, -1800i64..=1800, prop::bool::weighted(0.8)), 0..600),
            width in 1u64..40,
            since in 0i64..1_000_000,
        ) {
            let mut now = 0;
            let times: Vec<Option<i64>> = entries
                .iter()
                .map(|(gap, jitter, dated)| {
                    now += gap;
                    dated.then_some(now + jitter)
                })
                .collect();
            let (position, _) = search(&times, width, since);
            prop_assert!(position <= first_since(&times, since));
        }

        #[test]
        fn in_a_log_in_order_it_is_off_by_the_margin_and_two_bundles_at_most(
            gaps in prop::collection::vec(0i64..4000, 1..600),
            width in 1u64..40,
            since in 0i64..1_000_000,
        ) {
            let mut now = 0;
            let times: Vec<Option<i64>> = gaps.iter().map(|gap| { now += gap; Some(now) }).collect();
            let (position, fetches) = search(&times, width, since);
            let earliest = first_since(&times, since - MARGIN_SECONDS);
            prop_assert!(position + 2 * width >= earliest, "{position} for {earliest}");
            let bundles = (times.len() as u64).div_ceil(width);
            prop_assert!(fetches <= bundles.ilog2() + 2);
        }
    }

    #[test]
    fn a_log_without_times_is_read_from_its_beginning() {
        let (position, fetches) = search(&vec![None; 100_000], 256, 5);
        assert_eq!(position, 0);
        assert!(fetches < 100, "{fetches}");
        assert_eq!(search(&[], 256, 5), (0, 0));
    }

    #[test]
    fn forged_times_that_are_not_most_of_a_bundle_move_nothing() {
        let honest: Vec<Option<i64>> = (0..10_000).map(|i| Some(i * 100)).collect();
        let mut forged = honest.clone();
        for time in forged.iter_mut().step_by(3) {
            *time = Some(0);
        }
        let (position, _) = search(&forged, 256, 500_000);
        assert!(position <= first_since(&honest, 500_000));
        assert!(
            position + 1024 > first_since(&honest, 500_000),
            "{position}"
        );
    }
}
