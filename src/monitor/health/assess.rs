//! The assessments after a pass over one log, and after the passes over all logs.

use jiff::Timestamp;

use super::outage::Outage;
use super::signatures::Signatures;
use super::subject::{Noticed, Subject};
use super::time_reports::TimeReports;
use super::{availability, backlog, canary, clock, position, silence};
use crate::escape::few;
use crate::finding::Verdict;
use crate::judge::Rules;
use crate::log::{Part, Shard};
use crate::monitor::monitored_log::MonitoredLog;
use crate::monitor::settings::Settings;
use crate::store::{
    Condition, Conditions, Logs, PassedTree, Scope, Store, StoreError, TreeCoverage,
};

/// Most watches with a gap that one sentence names.
const NAMED_WATCHES: usize = 20;

/// Those of a log, and after them those of its newest checkpoint.
const OF_A_LOG_AND_ITS_CHECKPOINT: &[Verdict] = &[
    Verdict::UnverifiableCheckpoint,
    Verdict::Unavailable,
    Verdict::RateLimited,
    Verdict::Silence,
    Verdict::Backlog,
    Verdict::PositionLost,
    Verdict::CoverageGap,
    Verdict::EntriesMissing,
    Verdict::TrustRootStale,
    Verdict::UnknownSignature,
    Verdict::WitnessContradiction,
    Verdict::ClockSkew,
];

/// Those of a log: the others are assessed only if a checkpoint was opened.
const OF_A_LOG: &[Verdict] = OF_A_LOG_AND_ITS_CHECKPOINT.split_at(9).0;

const OF_THE_WHOLE: &[Verdict] = &[
    Verdict::PositionLost,
    Verdict::WatchIneffective,
    Verdict::CanaryMissing,
    Verdict::StoreFailing,
];

/// Assessed only if there are time reports.
const OF_THE_CLOCK: &[Verdict] = &[Verdict::ClockSkew];

/// Assesses one log after its pass, and the signatures of its newest checkpoint. All is recorded together: each pass over each
/// log asks the store for what is open.
pub(in crate::monitor) async fn assess_log(
    store: &dyn Store,
    log: &Subject<'_>,
    rules: &Rules,
    noticed: Noticed,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (mut found, lost, coverage) = match &log.part {
        Part::Whole => {
            let history = store.pass_history(log.log, &log.part).await?;
            let Some(state) = store.log(log.log).await? else {
                return Ok(());
            };
            let (error, failed) = (state.error.as_ref(), state.failed_passes);
            let mut found = availability::assess(log, error, failed, &history, now);
            let behind = backlog::assess(log, 0, &history);
            found.extend(behind.map(|summary| (Verdict::Backlog, summary)));
            (found, None, None)
        }
        Part::Tree(tree) => {
            let Some(passed) = store.passed_tree(tree, rules.watch_set()).await? else {
                return Ok(());
            };
            let PassedTree {
                state,
                history,
                coverage,
            } = passed;
            let (error, failed) = (state.error.as_ref(), state.failed_passes);
            let mut found = availability::assess(log, error, failed, &history, now);
            let silent = silence::assess(log, &state, now);
            found.extend(silent.map(|summary| (Verdict::Silence, summary)));
            let behind = backlog::assess(log, state.backlog_passes, &history);
            found.extend(behind.map(|summary| (Verdict::Backlog, summary)));
            let lost = position::assess(log, &state, &history, now);
            (found, lost, coverage)
        }
    };
    let unusable = noticed
        .lost
        .map(|why| format!("the stored position of {} cannot be used: {why}", log.name));
    if let Some(summary) = unusable.or(lost) {
        found.push((Verdict::PositionLost, summary));
    }
    if let Some(summary) = noticed.issuer_burst {
        found.push((Verdict::TrustRootStale, summary));
    }
    if let Some(summary) = coverage.and_then(|coverage| gaps(log, &coverage)) {
        tracing::warn!(log.name = log.name, "{}", crate::escape::terminal(&summary));
        found.push((Verdict::CoverageGap, summary));
    }
    let verdicts = match noticed.signatures {
        Some(signatures) => {
            found.extend(signatures);
            OF_A_LOG_AND_ITS_CHECKPOINT
        }
        None => OF_A_LOG,
    };
    record(store, log, verdicts, found, now).await
}

/// What the signatures of the newest checkpoint of a log show.
pub(in crate::monitor) fn of_checkpoint(
    settings: &Settings,
    shard: &Shard,
    signatures: &Signatures,
    now: Timestamp,
) -> Vec<(Verdict, String)> {
    let required = settings.required_witnesses.get(&shard.name);
    signatures.assess(shard, required.copied().unwrap_or(0), now)
}

async fn record(
    store: &dyn Store,
    log: &Subject<'_>,
    verdicts: &'static [Verdict],
    found: Vec<(Verdict, String)>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let origin = log.origin();
    let conditions: Vec<Condition> = found
        .into_iter()
        .map(|(verdict, summary)| Condition::of_log(verdict, log.name, origin, summary))
        .collect();
    let scope = Scope {
        verdicts,
        origin: Some(origin.to_owned()),
    };
    store.assess(&scope, &conditions, now).await
}

/// Records what can be noticed only before a pass gives the logs their positions.
pub(in crate::monitor) async fn before_a_pass(
    store: &dyn Store,
    settings: &Settings,
    logs: &[MonitoredLog],
    now: Timestamp,
) -> Result<(), StoreError> {
    clock::correct_future_times(store, now).await?;
    if settings.every_log {
        position::note_foreign(store, logs, now).await?;
    }
    Ok(())
}

/// Assesses what concerns no single log, after the passes over all of them.
pub(in crate::monitor) async fn assess_whole(
    store: &dyn Store,
    settings: &Settings,
    outage: &Outage,
    time_reports: &TimeReports,
    logs: &[MonitoredLog],
    rules: &Rules,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut conditions = Vec::new();
    let mut raise = |verdict, subject: &str, summary| {
        conditions.push(Condition::new(verdict, subject, summary));
    };
    for (watch, why) in rules.ineffective() {
        let summary = format!("the watch {watch} cannot select anything: {why}");
        raise(Verdict::WatchIneffective, watch, summary);
    }
    for (watch, summary) in canary::missing(store, &settings.canaries, now).await? {
        raise(Verdict::CanaryMissing, &watch, summary);
    }
    if let Some(summary) = outage.sentence(store, now).await? {
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
    if settings.every_log {
        forget_gone_logs(store, logs, now).await?;
    }
    assess_clock(store, time_reports, &scope(OF_THE_CLOCK), now).await
}

/// Assesses the clock, if there are time reports or if stored times were in the future.
async fn assess_clock(
    store: &dyn Store,
    time_reports: &TimeReports,
    scope: &Scope,
    now: Timestamp,
) -> Result<(), StoreError> {
    let time_reports = time_reports.take();
    let stored = clock::stored(store, now).await?;
    if time_reports.is_empty() && matches!(stored, clock::Stored::Nothing) {
        return Ok(());
    }
    let mut sentence = Vec::new();
    if let Some(skew) = clock::skew(&time_reports) {
        let span = match skew.ahead {
            Some(by) => clock::will_be_ahead(store, by, now).await?,
            None => None,
        };
        sentence.push(skew.sentence + &span.unwrap_or_default());
    }
    let is_over = matches!(stored, clock::Stored::Over);
    if let clock::Stored::Recent(stored) = stored {
        sentence.push(stored);
    }
    let conditions: Vec<Condition> = (!sentence.is_empty())
        .then(|| Condition::new(Verdict::ClockSkew, "clock", sentence.join("; ")))
        .into_iter()
        .collect();
    store.assess(scope, &conditions, now).await?;
    if is_over {
        clock::forget(store).await?;
    }
    Ok(())
}

/// Resolves the findings about logs that are not monitored any more: no pass does, and they cannot be acknowledged.
async fn forget_gone_logs(
    store: &(impl Conditions + Logs + ?Sized),
    logs: &[MonitoredLog],
    now: Timestamp,
) -> Result<(), StoreError> {
    for (origin, id) in store.unhealthy_logs().await? {
        if id.is_some_and(|id| logs.iter().any(|log| log.id() == id)) {
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

fn gaps(log: &Subject<'_>, coverage: &TreeCoverage) -> Option<String> {
    let uneven = coverage.uneven.iter();
    let with_gaps = uneven.filter(|covered| !covered.gaps.is_empty());
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
