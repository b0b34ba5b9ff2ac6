//! Ways of being blind, judged after each pass: they are raised, and resolve themselves.
//!
//! What concerns one log is judged after its pass, the rest when all have ended. Each judgement names the verdicts
//! that it is about, so that the findings of others are left alone; what could not be judged in this pass is left as
//! it stands.

mod availability;
mod canary;
mod clock;
pub(super) mod outage;
mod position;
mod signatures;
pub(super) mod time_reports;
pub(super) mod trust;
pub(super) mod unknown_issuers;

use std::time::Duration;

use jiff::Timestamp;

pub(super) use signatures::Signatures;

use super::{Monitor, MonitoredLog, Rules};
use crate::escape::few;
use crate::finding::Verdict;
use crate::log::Shard;
use crate::store::{Condition, Conditions, Coverage, Positions, Scope, StoreError};

/// How many watches with a gap are named in one sentence.
const NAMED_WATCHES: usize = 20;

const OF_A_LOG: &[Verdict] = &[
    Verdict::UnverifiableCheckpoint,
    Verdict::Unavailable,
    Verdict::RateLimited,
    Verdict::Silence,
    Verdict::Backlog,
    Verdict::PositionLost,
    Verdict::CoverageGap,
    Verdict::EntriesMissing,
    Verdict::TrustRootStale,
];

/// Judged only where a checkpoint was opened: without one they are neither true nor over.
const OF_A_CHECKPOINT: &[Verdict] = &[
    Verdict::UnknownSignature,
    Verdict::WitnessContradiction,
    Verdict::ClockSkew,
];

const OF_THE_WHOLE: &[Verdict] = &[
    Verdict::PositionLost,
    Verdict::WatchIneffective,
    Verdict::CanaryMissing,
    Verdict::StoreFailing,
];

/// Judged only where somebody told the time.
const OF_THE_CLOCK: &[Verdict] = &[Verdict::ClockSkew];

/// What a pass has noticed that the store does not know.
#[derive(Default)]
pub(super) struct Noticed {
    /// Why the stored position cannot be used.
    pub(super) lost: Option<String>,
    /// Why the trusted root may be out of date.
    pub(super) crowd: Option<String>,
}

/// Which log is judged.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its identity.
    pub(super) origin: &'a str,
    /// How long it may stand still.
    pub(super) silence_after: Option<Duration>,
    /// The tree itself; none for what concerns a log of several trees as a whole.
    pub(super) tree: Option<&'a Shard>,
}

impl<'a> Subject<'a> {
    pub(super) fn of(shard: &'a Shard) -> Self {
        Self {
            name: &shard.name,
            origin: shard.origin.as_str(),
            silence_after: shard.silence_after,
            tree: Some(shard),
        }
    }
}

/// Judges one log after its pass.
pub(super) async fn assess_log(
    monitor: &Monitor,
    log: Subject<'_>,
    rules: &Rules,
    noticed: Noticed,
    now: Timestamp,
) -> Result<(), StoreError> {
    let origin = log.origin;
    let Some(state) = monitor.store.log(origin).await? else {
        return Ok(());
    };
    let pass_history = monitor.store.pass_history(origin).await?;
    let coverage = monitor.store.coverage(rules.keys(), Some(origin)).await?;
    let mut found = availability::assess(log, &state, &pass_history, now);
    let lost = noticed
        .lost
        .map(|why| format!("the stored position of {} cannot be used: {why}", log.name));
    if let Some(summary) = lost.or_else(|| position::assess(log, &state, &pass_history, now)) {
        found.push((Verdict::PositionLost, summary));
    }
    if let Some(summary) = noticed.crowd {
        found.push((Verdict::TrustRootStale, summary));
    }
    if let Some(summary) = gaps(log, &coverage) {
        tracing::warn!(log.name = log.name, "{}", crate::escape::terminal(&summary));
        found.push((Verdict::CoverageGap, summary));
    }
    record(monitor, log, OF_A_LOG, found, now).await
}

/// Judges what stands under the newest checkpoint of a log.
pub(super) async fn assess_checkpoint(
    monitor: &Monitor,
    shard: &Shard,
    signatures: &Signatures,
    now: Timestamp,
) -> Result<(), StoreError> {
    let required = monitor.settings.required_witnesses.get(&shard.name);
    let found = signatures.assess(shard, required.copied().unwrap_or(0), now);
    record(monitor, Subject::of(shard), OF_A_CHECKPOINT, found, now).await
}

async fn record(
    monitor: &Monitor,
    log: Subject<'_>,
    verdicts: &'static [Verdict],
    found: Vec<(Verdict, String)>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let origin = log.origin;
    let conditions: Vec<Condition> = found
        .into_iter()
        .map(|(verdict, summary)| Condition::of_log(verdict, log.name, origin, summary))
        .collect();
    let scope = Scope {
        verdicts,
        origin: Some(origin.to_owned()),
    };
    monitor.store.assess(&scope, &conditions, now).await
}

/// Notes what can only be seen before a pass gives the logs their positions.
pub(super) async fn before_a_pass(
    monitor: &Monitor,
    logs: &[MonitoredLog],
    now: Timestamp,
) -> Result<(), StoreError> {
    clock::bring_back(&*monitor.store, now).await?;
    if monitor.settings.every_log {
        position::note_foreign(&*monitor.store, logs, now).await?;
    }
    Ok(())
}

/// Judges what concerns no single log, after a pass over all of them.
pub(super) async fn assess_whole(
    monitor: &Monitor,
    logs: &[MonitoredLog],
    rules: &Rules,
    now: Timestamp,
) -> Result<(), StoreError> {
    let store = &*monitor.store;
    let mut conditions = Vec::new();
    let mut raise = |verdict, subject: &str, summary| {
        conditions.push(Condition::new(verdict, subject, summary));
    };
    for (watch, why) in rules.ineffective() {
        let summary = format!("the watch {watch} cannot select anything: {why}");
        raise(Verdict::WatchIneffective, watch, summary);
    }
    for (watch, summary) in canary::missing(store, &monitor.settings.canaries, now).await? {
        raise(Verdict::CanaryMissing, &watch, summary);
    }
    if let Some(summary) = monitor.outage.said(store, now).await? {
        raise(Verdict::StoreFailing, "store", summary);
    }
    if let Some(summary) = position::foreign(store, logs, now).await? {
        raise(Verdict::PositionLost, "database", summary);
    }
    let scope = |verdicts| Scope {
        verdicts,
        origin: None,
    };
    store.assess(&scope(OF_THE_WHOLE), &conditions, now).await?;
    if monitor.settings.every_log {
        forget_gone_logs(store, logs, now).await?;
    }
    assess_clock(monitor, &scope(OF_THE_CLOCK), now).await
}

/// Judges the clock, where somebody told the time or stored moments lay ahead.
async fn assess_clock(monitor: &Monitor, scope: &Scope, now: Timestamp) -> Result<(), StoreError> {
    let store = &*monitor.store;
    let time_reports = monitor.time_reports.take();
    let stored = clock::stored(store, now).await?;
    if time_reports.is_empty() && matches!(stored, clock::Stored::Nothing) {
        return Ok(());
    }
    let mut said = Vec::new();
    if let Some(skew) = clock::skew(&time_reports) {
        let span = match skew.ahead {
            Some(by) => clock::will_be_ahead(store, by, now).await?,
            None => None,
        };
        said.push(skew.said + &span.unwrap_or_default());
    }
    let is_over = matches!(stored, clock::Stored::Over);
    if let clock::Stored::Said(stored) = stored {
        said.push(stored);
    }
    let conditions: Vec<Condition> = (!said.is_empty())
        .then(|| Condition::new(Verdict::ClockSkew, "clock", said.join("; ")))
        .into_iter()
        .collect();
    store.assess(scope, &conditions, now).await?;
    if is_over {
        clock::forget(store).await?;
    }
    Ok(())
}

/// Ends what is open of logs that are not followed any more: no pass over them will, and nobody can acknowledge it.
async fn forget_gone_logs(
    store: &(impl Conditions + Positions + ?Sized),
    logs: &[MonitoredLog],
    now: Timestamp,
) -> Result<(), StoreError> {
    for (origin, name) in store.unhealthy_logs().await? {
        if logs.iter().any(|log| position::is_of(log, &origin, &name)) {
            continue;
        }
        let all = Scope {
            verdicts: &Verdict::ALL,
            origin: Some(origin),
        };
        store.assess(&all, &[], now).await?;
    }
    Ok(())
}

fn gaps(log: Subject<'_>, coverage: &[Coverage]) -> Option<String> {
    let with_gaps = coverage.iter().filter(|covered| !covered.gaps.is_empty());
    let mut named = with_gaps
        .map(|covered| {
            let missed: u64 = covered.gaps.iter().map(|gap| gap.end - gap.start).sum();
            format!("{} ({missed} entries)", covered.watch.name)
        })
        .peekable();
    named.peek()?;
    Some(format!(
        "entries of {} that were already read were never matched against {}: `modelwatch rescan` closes the gap",
        log.name,
        few(named, NAMED_WATCHES)
    ))
}
