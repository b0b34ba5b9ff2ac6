//! Tests that signings are found and alerts arrive: logs, watches, channels and an outage, with the real configuration and a
//! copy of the store.

mod channels;
mod leaf;
mod logs;
mod outage;
mod report;
mod stage;
mod staged;
mod watches;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::clock;
use crate::judge::Rules;
use crate::report::log::ReadingMode;
use crate::report::time;
use crate::service::{ServiceError, Setup, discovery};
use crate::store::sqlite::SqliteStore;
use crate::store::{
    CoveredRanges as _, Logs as _, Lookups as _, Positions as _, Store as _, StoreError,
    TreeCoverage,
};
use logs::Known;
use report::{Answer, Check, LogReport, WatchReport};

pub use report::Report;
pub use stage::{Plan, Stage, run as run_stage};

/// Logs that are tested at once.
const LOGS_AT_ONCE: usize = 4;

/// Tests everything. The running daemon and its database are not changed.
///
/// # Errors
///
/// The self-test itself could not be done. The results of the tests are in the report.
pub async fn run(setup: &Setup, plan: &Plan<'_>) -> Result<Report, ServiceError> {
    // Without a trusted root no log is read; the tests that do not need it are done.
    let rules = setup.rules_so_far()?;
    let scratch = tempfile::tempdir()
        .map_err(ServiceError::system("a temporary directory cannot be made"))?;
    let copy = scratch.path().join("copy.db");
    let store = setup.copied(&copy).await?;
    let known = known(&store).await?;
    let coverage = store.tree_coverage(rules.watch_set(), None).await?;
    // The processes of the stages open it.
    store.close().await;

    let (logs, rehearsals) = try_logs(setup, &known, &rules, scratch.path()).await?;
    let mut watches = watches::try_all(&rules, clock::now());
    name_gaps(&mut watches, &coverage);
    let channels = channels::try_all(setup, plan, &copy).await?;
    let outage = outage::try_it(&rehearsals, &rules, scratch.path()).await?;
    let mut report = Report {
        trust: trusted(setup),
        heartbeat: setup.config().heartbeat.is_some(),
        cannot_see: Vec::new(),
        network: None,
        logs,
        watches,
        channels,
        outage,
    };
    report.cannot_see = cannot_see(setup, &report);
    let unreached = report
        .logs
        .iter()
        .filter(|log| log.entry.result == Answer::Unanswered);
    let unreached: Vec<String> = unreached.map(|log| log.name.clone()).collect();
    report.network = setup.network_advice(&unreached);
    Ok(report)
}

async fn known(store: &SqliteStore) -> Result<Known, StoreError> {
    let mut guided_from = BTreeMap::new();
    for log in store.logs().await? {
        if let Some(guide) = store.guide(&log.id).await? {
            guided_from.insert(log.id, guide.start);
        }
    }
    let trees = store.trees().await?.into_iter();
    Ok(Known {
        trees: trees.map(|state| (state.id.clone(), state)).collect(),
        guided_from,
    })
}

/// Tests whether there is a usable trusted root, and whether every log in it is read.
fn trusted(setup: &Setup) -> Option<Check> {
    let settings = setup.trust_settings()?;
    let (known, report) = (setup.known(), setup.trust_report());
    let unfollowed: Vec<_> = report
        .unfollowed
        .iter()
        .map(|log| log.summary.as_str())
        .collect();
    if !unfollowed.is_empty() {
        return Some(Check::failed(unfollowed.join("; ")));
    }
    if let Some(wrong) = report.refused.or(report.stale) {
        return Some(Check::unanswered(wrong));
    }
    if known.trust.is_none() {
        let why = known
            .problem
            .map_or_else(String::new, |problem| format!(": it {problem}"));
        return Some(Check::unanswered(format!(
            "{}: there is no trusted root yet, so no log with keys in it was read{why}",
            settings.source
        )));
    }
    let mut said = settings.source.to_string();
    if let Some(update) = known.update {
        // Writing to a String cannot fail.
        let _ = write!(
            said,
            ", version {}, verified {}",
            update.version,
            time(update.refreshed)
        );
    }
    if let Some(problem) = known.problem {
        let _ = write!(said, " and serving since: it {problem}");
    }
    Some(Check::ok(said))
}

async fn try_logs(
    setup: &Setup,
    known: &Known,
    rules: &Arc<Rules>,
    scratch: &Path,
) -> Result<(Vec<LogReport>, Vec<logs::Rehearsal>), ServiceError> {
    let listed: Vec<_> = futures_util::stream::iter(setup.logs())
        .map(logs::trials)
        .buffered(LOGS_AT_ONCE)
        .collect()
        .await;
    let (trials, unlisted): (Vec<_>, Vec<_>) = listed.into_iter().unzip();
    let trials: Vec<logs::Trial> = trials.into_iter().flatten().collect();
    let tried: Vec<_> = futures_util::stream::iter(&trials)
        .map(|trial| logs::try_one(trial, known, rules, scratch))
        .buffered(LOGS_AT_ONCE)
        .try_collect()
        .await?;
    let (mut reports, rehearsals): (Vec<_>, Vec<_>) = tried.into_iter().unzip();
    reports.extend(unlisted.into_iter().flatten());
    Ok((reports, rehearsals.into_iter().flatten().collect()))
}

fn name_gaps(watches: &mut [WatchReport], coverage: &[TreeCoverage]) {
    let mut by_name: HashMap<&str, Vec<String>> = HashMap::new();
    for tree in coverage {
        for uneven in &tree.uneven {
            let gaps = uneven.gaps.iter().map(|gap| {
                let (first, end) = (tree.base + gap.start, tree.base + gap.end);
                format!("{}: entries {first} to {}", tree.log, end.saturating_sub(1))
            });
            by_name.entry(&uneven.watch.name).or_default().extend(gaps);
        }
    }
    for watch in watches {
        watch.gaps = by_name.remove(watch.name.as_str()).unwrap_or_default();
    }
}

fn cannot_see(setup: &Setup, report: &Report) -> Vec<String> {
    let mut list = vec![
        "signings in a log that is not listed above, or in none".to_owned(),
        "what was signed: a log contains only a hash of it".to_owned(),
    ];
    let ignored = setup.not_followed().into_iter().filter(|not| not.ignored);
    list.extend(ignored.map(|not| {
        format!(
            "signings in {}, which [trust] ignores",
            discovery::named(not.log)
        )
    }));
    if report.trust.is_none() {
        list.push(
            "whether a certificate is Sigstore's or a forgery: there is no [trust]".to_owned(),
        );
    }
    list.extend(
        setup
            .waiting_for_trust()
            .into_iter()
            .map(|log| format!("signings in {log}, as long as there is no trusted root")),
    );
    for log in &report.logs {
        if log.mode == ReadingMode::Guided {
            let unseen = format!(
                "in {}, which is guided: signings that its search index does not name, and those by keys or by certificates of other CAs, unless a watch spells their name out",
                log.name
            );
            // Once for all of its trees.
            if !list.contains(&unseen) {
                list.push(unseen);
            }
        }
        // If a log has several trees, the last one that was begun late represents all before it.
        let is_later = |other: &&LogReport| {
            other.name == log.name && other.begun_late && other.from > log.from
        };
        if let Some(from) = log.from.filter(|_| log.begun_late)
            && report.logs.iter().find(is_later).is_none()
        {
            let before = format!(
                "what was logged in {} before entry {from}, where reading began",
                log.name
            );
            // The line is the same for all trees of a guided log.
            if !list.contains(&before) {
                list.push(before);
            }
        }
        if log.entry.result != Answer::Ok && log.entry.result != Answer::Skipped {
            list.push(format!(
                "{}, as long as the problems above remain",
                log.name
            ));
        }
    }
    for watch in &report.watches {
        for gap in &watch.gaps {
            list.push(format!(
                "for the watch {}, {gap}: `modelwatch rescan` matches them",
                watch.name
            ));
        }
        match watch.check.result {
            Answer::Ok => {}
            Answer::Skipped => list.push(format!(
                "whether the watch {} would select its signing",
                watch.name
            )),
            Answer::Failed | Answer::Unanswered => {
                list.push(format!("anything by the watch {}", watch.name));
            }
        }
    }
    if report.watches.is_empty() {
        list.push("anybody's signing: there is no [[watch]]".to_owned());
    }
    if report.channels.is_empty() {
        list.push(
            "how to reach a person: there is no [[channel]], and no alert is sent".to_owned(),
        );
    }
    if !report.heartbeat {
        list.push("its own end: there is no [heartbeat], and its end is not noticed".to_owned());
    }
    list
}
