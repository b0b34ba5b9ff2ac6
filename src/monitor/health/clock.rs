//! Whether the clock of this machine is wrong, or was when something was stored.
//!
//! One source does not suffice: a server may be wrong, a proxy may cache, and anyone can log certificates.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::time_reports::{TimeReport, TimeSource};
use crate::escape::few;
use crate::moment;
use crate::store::{Span, StoreError, StoredTimes, Values};

/// Smaller differences come from queues, caches and the drift of a clock.
const TOLERANCE: SignedDuration = moment::TOLERANCE;

/// The key of the stored value.
const KEY: &str = "clock.ahead";

/// How long the finding lasts: long enough to reach every channel.
const REPORT_PERIOD: SignedDuration = SignedDuration::from_hours(1);

/// Stored times that were in the future.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Ahead {
    noticed: Timestamp,
    from: Timestamp,
    until: Timestamp,
}

/// Sets stored times that are in the future to now. Otherwise every waiting time would be longer by the error of the
/// clock.
///
/// Their span is stored first: after a crash between the two, the next pass finds them again.
pub(super) async fn correct_future_times(
    store: &(impl StoredTimes + Values + ?Sized),
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(Span { from, until }) = store.ahead_of(now).await? else {
        return Ok(());
    };
    let ahead = Ahead {
        noticed: now,
        from,
        until,
    };
    tracing::warn!("{}", ahead.sentence());
    let text = serde_json::to_string(&ahead).expect("a struct of times is JSON");
    store.put_value(KEY, &text).await?;
    store.correct_future_times(now).await
}

/// What is reported about stored times.
pub(super) enum Stored {
    /// They were in the future recently.
    Recent(String),
    /// That was reported for long enough.
    Over,
    /// There is nothing to report, and nothing was reported.
    Nothing,
}

/// What is reported about stored times that were in the future.
pub(super) async fn stored(store: &dyn Values, now: Timestamp) -> Result<Stored, StoreError> {
    let value = store.get_value(KEY).await?.filter(|text| !text.is_empty());
    let Some(text) = value else {
        return Ok(Stored::Nothing);
    };
    match serde_json::from_str::<Ahead>(&text) {
        Ok(ahead)
            if !moment::is_ahead(ahead.noticed, now)
                && now.duration_since(ahead.noticed) <= REPORT_PERIOD =>
        {
            Ok(Stored::Recent(ahead.sentence()))
        }
        _ => Ok(Stored::Over),
    }
}

/// Deletes their span, after the finding was resolved.
pub(super) async fn forget(store: &dyn Values) -> Result<(), StoreError> {
    store.put_value(KEY, "").await
}

/// The span of times that a clock stored that is ahead by this much: they will be in the future when the clock is
/// right.
pub(super) async fn will_be_ahead(
    store: &dyn StoredTimes,
    by: SignedDuration,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let Ok(right) = now.checked_sub(by) else {
        return Ok(None);
    };
    let span = store.ahead_of(right).await?;
    Ok(span.map(|Span { from, until }| {
        format!(
            "; the times stored from {} to {} are its own, and count as the present one when it is right again",
            moment::shown(from),
            moment::shown(until)
        )
    }))
}

impl Ahead {
    fn sentence(&self) -> String {
        format!(
            "the clock of this machine was ahead, or is behind now: the times stored from {} to {} were later than {}, and count as that time",
            moment::shown(self.from),
            moment::shown(self.until),
            moment::shown(self.noticed)
        )
    }
}

/// An error of the clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Skew {
    /// One sentence.
    pub(super) sentence: String,
    /// Least time by which it is ahead; `None`: it is behind.
    pub(super) ahead: Option<SignedDuration>,
}

/// Most sources that one sentence names.
const NAMED: usize = 5;

/// The error of the clock of this machine, if enough sources agree on it.
///
/// These are at least two, one of them a server, and more than the servers for which the clock is right. Certificates
/// and signed heads only show that the clock is behind: old ones prove nothing. They alone never suffice: anybody can
/// log a dozen of their own certificates, and a log can choose the dates of its heads.
pub(super) fn skew(time_reports: &[TimeReport]) -> Option<Skew> {
    let late: Vec<&TimeReport> = time_reports
        .iter()
        .filter(|c| c.ahead > TOLERANCE)
        .collect();
    let servers = || {
        time_reports
            .iter()
            .filter(|report| matches!(report.source, TimeSource::Server(_)))
    };
    let early: Vec<&TimeReport> = servers().filter(|c| c.ahead < -TOLERANCE).collect();
    let right = servers().filter(|c| c.ahead.abs() <= TOLERANCE).count();
    let (agreeing, word, is_ahead) = if late.len() > early.len() {
        (late, "behind", false)
    } else {
        (early, "ahead of", true)
    };
    let by_a_server = agreeing
        .iter()
        .any(|report| matches!(report.source, TimeSource::Server(_)));
    let believed = agreeing.len() >= 2 && by_a_server;
    if !believed || agreeing.len() <= right {
        return None;
    }
    // All of them agree on the smallest difference.
    let least = agreeing.iter().map(|report| report.ahead.abs()).min()?;
    let mut who: Vec<String> = agreeing
        .iter()
        .map(|report| named(&report.source))
        .collect();
    who.sort_unstable();
    Some(Skew {
        sentence: format!(
            "the clock of this machine is at least {} {word} the time of other sources: {}",
            length(least),
            few(who, NAMED)
        ),
        ahead: is_ahead.then_some(least),
    })
}

/// A duration in minutes, hours or days.
fn length(time: SignedDuration) -> String {
    if time < SignedDuration::from_hours(2) {
        format!("{} minutes", time.as_mins())
    } else if time < SignedDuration::from_hours(48) {
        format!("{} hours", time.as_hours())
    } else {
        format!("{} days", time.as_hours() / 24)
    }
}

fn named(source: &TimeSource) -> String {
    match source {
        TimeSource::Server(host) => host.clone(),
        TimeSource::Head(log) => format!("the newest head of {log}"),
        TimeSource::Certificates(log) => format!("the newest certificates in {log}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: &str, minutes: i64) -> TimeReport {
        TimeReport {
            source: TimeSource::Server(host.to_owned()),
            ahead: SignedDuration::from_mins(minutes),
        }
    }

    fn head(minutes: i64) -> TimeReport {
        TimeReport {
            source: TimeSource::Head("ct".to_owned()),
            ahead: SignedDuration::from_mins(minutes),
        }
    }

    fn certificates(minutes: i64) -> TimeReport {
        certificates_in("main", minutes)
    }

    fn certificates_in(log: &str, minutes: i64) -> TimeReport {
        TimeReport {
            source: TimeSource::Certificates(log.to_owned()),
            ahead: SignedDuration::from_mins(minutes),
        }
    }

    #[test]
    fn two_agreeing_sources_are_enough_and_one_is_not() {
        for (time_reports, sentence) in [
            (vec![], None),
            (vec![server("a", 60)], None),
            (vec![certificates(60)], None),
            (vec![certificates(60), certificates_in("other", 60)], None),
            (vec![server("a", 5), server("b", 5)], None),
            (vec![server("a", 60), server("b", -60)], None),
            (vec![server("a", 60), server("b", 0)], None),
            // As many servers report the same time as this clock.
            (
                vec![
                    server("a", 60),
                    server("b", 9),
                    server("c", 0),
                    server("d", 1),
                ],
                None,
            ),
            (vec![head(60), certificates(60)], None),
            (
                vec![head(60), server("a", 60)],
                Some("a, the newest head of ct"),
            ),
            // Old heads and certificates prove nothing.
            (vec![server("a", -60), head(-60)], None),
            (vec![server("a", -60), certificates(-600)], None),
            (
                vec![server("a", 60), server("b", 9)],
                Some("at least 9 minutes behind the time of other sources: a, b"),
            ),
            (
                vec![server("a", -60), server("b", -9)],
                Some("at least 9 minutes ahead of the time"),
            ),
            (
                vec![server("a", 300), server("b", 3_000)],
                Some("at least 5 hours behind"),
            ),
            (
                vec![server("a", -57_600), server("b", -57_600)],
                Some("at least 40 days ahead of"),
            ),
            (
                vec![server("a", 60), certificates(60)],
                Some("a, the newest certificates in main"),
            ),
            (
                vec![server("a", 60), server("b", 60), server("c", 0)],
                Some("60 minutes behind"),
            ),
        ] {
            let judged = skew(&time_reports).map(|skew| skew.sentence);
            match (&judged, sentence) {
                (Some(judged), Some(sentence)) => assert!(judged.contains(sentence), "{judged}"),
                _ => assert_eq!(judged.as_deref(), sentence, "{time_reports:?}"),
            }
        }
    }
}
