//! Logs that grow faster than they are read.

use jiff::SignedDuration;

use super::subject::Subject;
use crate::store::{PassHistory, RECENT_PASSES, RecentPass};

/// Passes in a row that end below the newest checkpoint.
const BACKLOG_PASSES: u32 = 3;

/// Shorter passes than this one are no backlog: alerts are not late enough.
const LATE: SignedDuration = SignedDuration::from_mins(5);

/// Why the log is not read to its end, if that has lasted long enough for a finding.
pub(super) fn assess(
    log: &Subject<'_>,
    backlog_passes: u32,
    history: &PassHistory,
) -> Option<String> {
    let name = log.name;
    if backlog_passes >= BACKLOG_PASSES {
        return Some(format!(
            "{backlog_passes} passes in a row ended below the newest checkpoint of {name}"
        ));
    }
    let minutes = growing_lag(&history.recent)?;
    Some(format!(
        "{name} grows faster than it is read: each pass takes longer than the one before, the last one {minutes} minutes"
    ))
}

/// How many minutes the last pass took, if passes take longer and longer because the log grows while they read.
///
/// A pass reads the entries that were added since the last one began. While reading is faster than the growth, passes
/// become shorter, also after an outage or at the first start. While it is slower, each pass is longer than the one
/// before by the same factor, although each ends proven. So the lag grows if, over all stored passes, the monitor was
/// busier than idle, and the median of the last three took longer by a fifth than that of the first three. (The median:
/// a single slow or fast pass changes nothing.)
fn growing_lag(recent: &[RecentPass]) -> Option<i64> {
    if recent.len() < RECENT_PASSES || !recent.iter().all(|pass| pass.proven && pass.entries > 0) {
        return None;
    }
    let took = |pass: &RecentPass| pass.ended.duration_since(pass.began);
    let busy = recent.windows(2).all(|two| match two {
        [before, pass] => took(pass) >= pass.began.duration_since(before.ended),
        _ => true,
    });
    let mut lengths: Vec<SignedDuration> = recent.iter().map(took).collect();
    let last = *lengths.last()?;
    let (first, second) = lengths.split_at_mut_checked(RECENT_PASSES / 2)?;
    let (before, after) = (middle(first)?, middle(second)?);
    // 6/5: by a fifth, without fractions.
    let grows = after.as_secs().saturating_mul(5) > before.as_secs().saturating_mul(6);
    (busy && last >= LATE && grows).then(|| last.as_mins())
}

fn middle(lengths: &mut [SignedDuration]) -> Option<SignedDuration> {
    lengths.sort_unstable();
    lengths.get(lengths.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    /// Passes with these minutes, and this many minutes of pause between them.
    fn passes(minutes: &[i64], pause: i64) -> Vec<RecentPass> {
        let mut now = Timestamp::UNIX_EPOCH;
        let mut passes = Vec::new();
        for length in minutes {
            let began = now;
            let ended = began + SignedDuration::from_mins(*length);
            passes.push(RecentPass {
                began,
                ended,
                entries: 1000,
                proven: true,
            });
            now = ended + SignedDuration::from_mins(pause);
        }
        passes
    }

    #[test]
    fn passes_that_take_ever_longer_are_a_lag_that_grows() {
        for (minutes, pause, lag) in [
            (&[4, 5, 6, 7, 8, 10][..], 0, Some(10)),
            (&[10, 12, 14, 17, 20, 24], 1, Some(24)),
            // One fast or slow pass changes nothing.
            (&[10, 12, 14, 1, 20, 24], 1, Some(24)),
            (&[10, 10, 60, 10, 10, 10], 0, None),
            // Catching up: each pass is shorter, or all are equal.
            (&[120, 60, 30, 15, 8, 4], 0, None),
            (&[10, 10, 10, 10, 10, 10], 0, None),
            // Longer, and idle most of the time.
            (&[10, 12, 14, 17, 20, 24], 60, None),
            // Longer, and still quick.
            (&[1, 1, 1, 2, 3, 4], 0, None),
            // Too few passes.
            (&[10, 20, 40, 80], 0, None),
        ] {
            assert_eq!(growing_lag(&passes(minutes, pause)), lag, "{minutes:?}");
        }
    }

    #[test]
    fn passes_that_read_nothing_or_proved_nothing_do_not_count_for_the_lag() {
        let minutes = [10, 12, 14, 17, 20, 24];
        let mut idle = passes(&minutes, 0);
        idle[2].entries = 0;
        assert_eq!(growing_lag(&idle), None);
        let mut failed = passes(&minutes, 0);
        failed[4].proven = false;
        assert_eq!(growing_lag(&failed), None);
    }
}
