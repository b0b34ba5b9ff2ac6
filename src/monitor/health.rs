//! Ways of being blind, judged after each pass: they are raised, and resolve themselves.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Monitor, Rules};
use crate::finding::Verdict;
use crate::shard::Shard;
use crate::store::{Condition, Coverage, LogState, Scope, StoreError};

/// A log that cannot be read for this many passes in a row is a finding; until then the exit code
/// and `status` say it. A single lost connection is not worth waking somebody.
const UNAVAILABLE_PASSES: u32 = 3;

/// Entries that a log holds back, asked for again and again in this many passes: longer than any replica lags.
const MISSING_PASSES: u32 = 2;

/// Passes in a row that end below the newest checkpoint.
const BACKLOG_PASSES: u32 = 3;

/// How many watches with a gap are named in one sentence.
const NAMED_WATCHES: usize = 20;

/// How far a log's clock may be ahead of ours. Clocks that are set over the network differ by less than a second.
const MAX_AHEAD: SignedDuration = SignedDuration::from_mins(5);

const OF_A_LOG: &[Verdict] = &[
    Verdict::UnverifiableCheckpoint,
    Verdict::Unavailable,
    Verdict::Silence,
    Verdict::Backlog,
    Verdict::PositionLost,
    Verdict::CoverageGap,
    Verdict::EntriesMissing,
];

const OF_A_HEAD: &[Verdict] = &[Verdict::ClockSkew];

/// Which log is judged.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its identity.
    pub(super) origin: &'a str,
    /// How long it may stand still.
    pub(super) silence_after: Option<Duration>,
}

impl<'a> Subject<'a> {
    pub(super) fn of(shard: &'a Shard) -> Self {
        Self {
            name: &shard.name,
            origin: shard.origin.as_str(),
            silence_after: shard.silence_after,
        }
    }
}

/// Judges one log after its pass.
pub(super) async fn assess_log(
    monitor: &Monitor,
    log: Subject<'_>,
    rules: &Rules,
    lost: Option<String>,
    head_time: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let origin = log.origin;
    let Some(state) = monitor.store.log(origin).await? else {
        return Ok(());
    };
    let coverage = monitor.store.coverage(rules.keys()).await?;
    let mut conditions = Vec::new();
    let mut raise = |verdict: Verdict, summary: String| {
        conditions.push(Condition {
            verdict,
            subject: origin.to_owned(),
            log: Some(log.name.to_owned()),
            origin: Some(origin.to_owned()),
            except_channel: None,
            summary,
        });
    };
    for (verdict, summary) in assess(log, &state, now) {
        raise(verdict, summary);
    }
    if let Some(summary) = head_time.and_then(|time| ahead(log, time, now)) {
        raise(Verdict::ClockSkew, summary);
    }
    if let Some(why) = lost {
        raise(
            Verdict::PositionLost,
            format!("the stored position of {} cannot be used: {why}", log.name),
        );
    }
    if let Some(summary) = gaps(log, &coverage) {
        tracing::warn!(log.name = log.name, "{}", crate::escape::terminal(&summary));
        raise(Verdict::CoverageGap, summary);
    }
    let mut scope = Scope {
        verdicts: OF_A_LOG,
        origin: Some(origin.to_owned()),
    };
    let (of_a_head, of_a_log): (Vec<_>, Vec<_>) = conditions
        .into_iter()
        .partition(|condition| OF_A_HEAD.contains(&condition.verdict));
    monitor.store.assess(&scope, &of_a_log, now).await?;
    // Without a new head nothing has changed about the last one.
    if head_time.is_some() {
        scope.verdicts = OF_A_HEAD;
        monitor.store.assess(&scope, &of_a_head, now).await?;
    }
    Ok(())
}

/// Whether a head claims to be signed in the future: the log's clock is off, or ours. Either way nobody can say how old
/// the head is, and a log that dates its heads ahead could fall silent unnoticed.
fn ahead(log: Subject<'_>, head_time: Timestamp, now: Timestamp) -> Option<String> {
    (head_time.duration_since(now) > MAX_AHEAD).then(|| {
        format!(
            "the newest head of {} says that it was signed at {}, which is in the future of this machine: one of the clocks is off",
            log.name,
            head_time.strftime("%Y-%m-%dT%H:%M:%SZ")
        )
    })
}

/// What the recorded passes say about a log.
fn assess(log: Subject<'_>, state: &LogState, now: Timestamp) -> Vec<(Verdict, String)> {
    let name = log.name;
    let mut found = Vec::new();
    if let Some(error) = &state.error {
        match error.kind.as_str() {
            "unverifiable-checkpoint" => found.push((
                Verdict::UnverifiableCheckpoint,
                format!(
                    "the newest checkpoint of {name} cannot be verified: {}",
                    error.message
                ),
            )),
            "entries-missing" if state.failed_passes >= MISSING_PASSES => found.push((
                Verdict::EntriesMissing,
                format!("{name} does not show all of its entries: {}", error.message),
            )),
            "unavailable" | "malformed" if state.failed_passes >= UNAVAILABLE_PASSES => {
                found.push((
                    Verdict::Unavailable,
                    format!(
                        "{name} could not be read to its end for {} passes: {}",
                        state.failed_passes, error.message
                    ),
                ));
            }
            _ => {}
        }
    }
    if let Some(limit) = log.silence_after
        && state.frozen.is_none()
        && (state.follower.is_some() || state.verified.is_some())
    {
        let limit = SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX);
        let silent = now.duration_since(state.size_since);
        if silent > limit {
            found.push((
                Verdict::Silence,
                format!(
                    "{name} has shown nothing new since {}: it may have stopped, or an old checkpoint is being replayed",
                    state.size_since.strftime("%Y-%m-%dT%H:%M:%SZ")
                ),
            ));
        }
    }
    if state.backlog_passes >= BACKLOG_PASSES {
        found.push((
            Verdict::Backlog,
            format!(
                "{} passes in a row ended below the newest checkpoint of {name}",
                state.backlog_passes
            ),
        ));
    }
    found
}

fn gaps(log: Subject<'_>, coverage: &[Coverage]) -> Option<String> {
    let mut with_gaps = coverage
        .iter()
        .filter(|c| c.origin == log.origin && !c.gaps.is_empty());
    let mut named: Vec<String> = Vec::new();
    for covered in with_gaps.by_ref().take(NAMED_WATCHES) {
        let missed: u64 = covered.gaps.iter().map(|gap| gap.end - gap.start).sum();
        named.push(format!("{} ({missed} entries)", covered.watch.name));
    }
    if named.is_empty() {
        return None;
    }
    let more = with_gaps.count();
    if more > 0 {
        named.push(format!("{more} more"));
    }
    Some(format!(
        "entries of {} that were already read were never matched against {}: `modelwatch rescan` closes the gap",
        log.name,
        named.join(", ")
    ))
}
