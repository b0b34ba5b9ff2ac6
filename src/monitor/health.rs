//! Ways of being blind, judged after each pass: they are raised, and resolve themselves.

use jiff::{SignedDuration, Timestamp};

use super::{Log, Monitor, Rules};
use crate::finding::Verdict;
use crate::shard::Shard;
use crate::store::{Condition, Coverage, LogState, Scope, StoreError};

/// A log that cannot be read for this many passes in a row is a finding; until then the exit code
/// and `status` say it. A single lost connection is not worth waking somebody.
const UNAVAILABLE_PASSES: u32 = 3;

/// Passes in a row that end below the newest checkpoint.
const BACKLOG_PASSES: u32 = 3;

/// How many watches with a gap are named in one sentence.
const NAMED_WATCHES: usize = 20;

const OF_A_LOG: &[Verdict] = &[
    Verdict::UnverifiableCheckpoint,
    Verdict::Unavailable,
    Verdict::Silence,
    Verdict::Backlog,
    Verdict::PositionLost,
    Verdict::CoverageGap,
    Verdict::TrustRootStale,
];

/// What a pass has noticed that the store does not know.
pub(super) struct Noticed {
    /// Why the stored position cannot be used.
    pub(super) lost: Option<String>,
    /// Why the trusted root may be out of date.
    pub(super) crowd: Option<String>,
}

/// Judges one log after its pass.
pub(super) async fn assess_log(
    monitor: &Monitor,
    log: &Log,
    rules: &Rules,
    noticed: Noticed,
    now: Timestamp,
) -> Result<(), StoreError> {
    let origin = log.shard.origin.as_str();
    let Some(state) = monitor.store.log(origin).await? else {
        return Ok(());
    };
    let coverage = monitor.store.coverage(rules.keys()).await?;
    let mut conditions = Vec::new();
    let mut raise = |verdict: Verdict, summary: String| {
        conditions.push(Condition {
            verdict,
            subject: origin.to_owned(),
            log: Some(log.shard.name.clone()),
            origin: Some(origin.to_owned()),
            except_channel: None,
            summary,
        });
    };
    for (verdict, summary) in assess(&log.shard, &state, now) {
        raise(verdict, summary);
    }
    if let Some(summary) = noticed.crowd {
        raise(Verdict::TrustRootStale, summary);
    }
    if let Some(why) = noticed.lost {
        raise(
            Verdict::PositionLost,
            format!(
                "the stored position of {} cannot be used: {why}",
                log.shard.name
            ),
        );
    }
    if let Some(summary) = gaps(&log.shard, &coverage) {
        tracing::warn!(
            log.name = log.shard.name,
            "{}",
            crate::escape::terminal(&summary)
        );
        raise(Verdict::CoverageGap, summary);
    }
    let scope = Scope {
        verdicts: OF_A_LOG,
        origin: Some(origin.to_owned()),
    };
    monitor.store.assess(&scope, &conditions, now).await
}

/// What the recorded passes say about a log.
fn assess(shard: &Shard, state: &LogState, now: Timestamp) -> Vec<(Verdict, String)> {
    let name = &shard.name;
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
    if let Some(limit) = shard.silence_after
        && state.frozen.is_none()
        && state.follower.is_some()
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

fn gaps(shard: &Shard, coverage: &[Coverage]) -> Option<String> {
    let mut with_gaps = coverage
        .iter()
        .filter(|c| c.origin == shard.origin.as_str() && !c.gaps.is_empty());
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
        shard.name,
        named.join(", ")
    ))
}
