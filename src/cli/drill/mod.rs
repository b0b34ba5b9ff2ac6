//! `modelwatch drill`: shows that the watch is not blind, on the operator's own configuration and a copy of the store.

mod channels;
mod leaf;
mod logs;
mod outage;
mod report;
mod stage;
mod staged;
mod watches;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::output::{Mistake, Outcome, Output};
use super::setup::{self, Asking, Setup};
use crate::monitor::Rules;
use crate::store::{Coverage, LogState, Store};
use report::{Answer, LogReport, Report, WatchReport};

/// Logs that are tried at once.
const LOGS_AT_ONCE: usize = 4;

/// Arguments of `drill`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Send the drill's alarm on this channel only; may be repeated
    #[arg(long, value_name = "NAME")]
    channel: Vec<String>,
    /// Send it on no channel
    #[arg(long, conflicts_with = "channel")]
    no_channels: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// One of the processes that the drill itself starts
    #[arg(long, hide = true, requires = "copy")]
    stage: Option<stage::Stage>,
    /// The copy of the store that it works on
    #[arg(long, hide = true, requires = "stage", value_name = "FILE")]
    copy: Option<PathBuf>,
}

pub(super) async fn run(args: &Args, config: &Path) -> anyhow::Result<Outcome> {
    if let (Some(stage), Some(copy)) = (args.stage, &args.copy) {
        return stage::run(stage, config, copy, &args.channel).await;
    }
    let setup = Setup::load_with_trust(config, Asking::IfDue).await?;
    let names = setup.channel_names();
    for name in &args.channel {
        if !names.contains(name) {
            return Err(Mistake(format!(
                "the configuration has no channel named {name}: {}",
                setup::listed(&names)
            ))
            .into());
        }
    }
    let tell = match (args.no_channels, args.channel.is_empty()) {
        (true, _) => Vec::new(),
        (false, true) => names,
        (false, false) => args.channel.clone(),
    };
    let rules = setup.rules()?;
    let scratch = tempfile::tempdir().context("a temporary directory cannot be made")?;
    let copy = scratch.path().join("copy.db");
    let store = setup.copied(&copy).await?;
    let known: BTreeMap<String, LogState> = store
        .logs()
        .await?
        .into_iter()
        .map(|state| (state.origin.clone(), state))
        .collect();
    let coverage = store.coverage(rules.keys(), None).await?;
    // The processes that come need it for themselves.
    store.close().await;

    let (logs, rehearsals) = try_logs(&setup, &known, &rules, scratch.path()).await?;
    let mut watches = watches::try_all(&rules, setup::now());
    name_gaps(&mut watches, &coverage);
    let wanted = channels::Wanted {
        tell: &tell,
        json: args.json,
    };
    let channels = channels::try_all(&setup, config, &copy, &wanted).await?;
    let outage = outage::try_it(&rehearsals, &rules, scratch.path()).await?;
    let mut report = Report {
        heartbeat: setup.has_heartbeat(),
        cannot_see: Vec::new(),
        logs,
        watches,
        channels,
        outage,
    };
    report.cannot_see = cannot_see(&report);
    let mut output = Output::new();
    if args.json {
        report.json(&mut output)?;
    } else {
        report.text(&mut output)?;
    }
    output.end()?;
    Ok(report.outcome())
}

async fn try_logs(
    setup: &Setup,
    known: &BTreeMap<String, LogState>,
    rules: &Arc<Rules>,
    scratch: &Path,
) -> anyhow::Result<(Vec<LogReport>, Vec<logs::Rehearsal>)> {
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

fn name_gaps(watches: &mut [WatchReport], coverage: &[Coverage]) {
    for watch in watches {
        let of_watch = coverage
            .iter()
            .filter(|covered| covered.watch.name == watch.name);
        watch.gaps = of_watch
            .flat_map(|covered| {
                let gaps = covered.gaps.iter();
                gaps.map(|gap| {
                    format!(
                        "{}: entries {} to {}",
                        covered.log,
                        covered.base + gap.start,
                        (covered.base + gap.end).saturating_sub(1)
                    )
                })
            })
            .collect();
    }
}

fn cannot_see(report: &Report) -> Vec<String> {
    let mut list = vec![
        "signings in a log that is not listed above, or in none".to_owned(),
        "what was signed: a log holds a hash of it".to_owned(),
    ];
    for log in &report.logs {
        if log.mode == "guided" {
            let unseen = format!(
                "in {}, which is guided: signings that its search index does not name, and those by keys or by certificates of other CAs, unless a watch spells their name out",
                log.name
            );
            // Once for all of its trees.
            if !list.contains(&unseen) {
                list.push(unseen);
            }
        }
        if let Some(from @ 1..) = log.from {
            list.push(format!(
                "what was logged in {} before entry {from}, where reading began",
                log.name
            ));
        }
        if log.entry.result != Answer::Ok && log.entry.result != Answer::Skipped {
            list.push(format!("{}, as long as what is said above is so", log.name));
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
        list.push("a person: there is no [[channel]], and nobody is told".to_owned());
    }
    if !report.heartbeat {
        list.push(
            "its own end: there is no [heartbeat], and nobody notices when the watch stops"
                .to_owned(),
        );
    }
    list
}
