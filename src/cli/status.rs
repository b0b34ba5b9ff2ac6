//! `modelwatch status`: how far each log was read and proven, and whether alerts wait.

mod log;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::output::{Outcome, Output, cell, time};
use crate::service::reload::DaemonStatus;
use crate::service::setup::{self, Setup};
use crate::service::discovery;
use crate::escape;
use crate::moment;
use crate::monitor::{MonitoredLog, listed_trees};
use crate::store::{LogState, Store};
use log::{GUIDED, LogStatus, LookupStatus};

/// How many logs are named in one sentence.
const NAMED_LOGS: usize = 20;

/// The version of the machine-readable forms that scripts rely on.
const CONTRACT: u32 = 1;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Exit 3 unless a pass over each log has proven everything within this time
    #[arg(long, value_name = "DURATION", value_parser = setup::duration)]
    max_age: Option<Duration>,
}

#[derive(Debug, Serialize)]
struct Status {
    contract: u32,
    /// The daemon that runs, if one does.
    daemon: Option<DaemonStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust: Option<TrustStatus>,
    logs: Vec<LogStatus>,
    watches: Vec<WatchStatus>,
    alerts: AlertStatus,
    findings: FindingStatus,
}

/// What is trusted, as far as it is known without asking.
#[derive(Debug, Serialize)]
struct TrustStatus {
    source: String,
    /// Something is trusted.
    known: bool,
    version: Option<u64>,
    expires: Option<Timestamp>,
    refreshed: Option<Timestamp>,
    /// The logs that it names and that are not followed.
    not_followed: Vec<NotFollowedStatus>,
    /// What is wrong with single items of it, which are left out or read all the same.
    remarks: Vec<String>,
}

#[derive(Debug, Serialize)]
struct NotFollowedStatus {
    log: String,
    ignored: bool,
}

#[derive(Debug, Serialize)]
struct WatchStatus {
    name: String,
    logs: Vec<WatchOnLog>,
}

#[derive(Debug, Serialize)]
struct WatchOnLog {
    log: String,
    origin: String,
    /// From here on everything up to `seen` was matched.
    from: u64,
    /// What was read and never matched: `[first, end)`.
    gaps: Vec<(u64, u64)>,
}

#[derive(Debug, Default, Serialize)]
struct AlertStatus {
    pending: u64,
    failed: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
}

#[derive(Debug, Serialize)]
struct FindingStatus {
    security: u64,
    health: u64,
}

pub(super) async fn run(args: &Args, config: &Path) -> anyhow::Result<Outcome> {
    let setup = Setup::load(config)?;
    let store = setup.reader().await?;
    let now = setup::now();
    let known = store.logs().await?;
    let mut logs = logs(&setup, &*store, &known).await?;
    for log in &mut logs {
        if let Some(guide) = &log.guide {
            let counts = store.lookup_counts(guide, now).await?;
            log.lookups = Some(LookupStatus::of(&counts));
        }
    }
    let channels = setup.channel_names();
    let mut alerts = AlertStatus::default();
    for (channel, queue) in store.channel_queues(now).await? {
        if !channels.contains(&channel) {
            let waiting = queue.pending + queue.failed;
            if waiting > 0 {
                alerts.errors.push(format!(
                    "{waiting} alerts were never delivered to {channel}, which is no longer configured"
                ));
            }
            continue;
        }
        alerts.pending += queue.pending;
        alerts.failed += queue.failed;
        alerts
            .errors
            .extend(queue.last_error.map(|error| format!("{channel}: {error}")));
    }
    let counts = store.counts(setup.fail_on()).await?;
    let status = Status {
        contract: CONTRACT,
        daemon: DaemonStatus::of(&*store).await?,
        trust: trust_status(&setup),
        watches: watches(&setup, &*store).await?,
        logs,
        alerts,
        findings: FindingStatus {
            security: counts.security,
            health: counts.health,
        },
    };
    let mut output = Output::new();
    if args.json {
        output.json(&status)?;
    } else {
        print(&status, &mut output)?;
    }
    let stale = match args.max_age {
        Some(max_age) => stale(&status, max_age, now),
        None => Vec::new(),
    };
    if !stale.is_empty() && !args.json {
        let names = stale.iter().map(|name| escape::terminal(name));
        output.line(&format!(
            "not proven for longer than --max-age allows, or never: {}",
            escape::few(names, NAMED_LOGS)
        ))?;
    }
    output.end()?;
    Ok(if stale.is_empty() {
        Outcome::Clean
    } else {
        Outcome::Unanswered
    })
}

/// Whether the last proven pass is older than that, or was never. Of one that lies ahead nobody knows how old it is: a
/// clock that was wrong has dated it.
fn is_older(last: Option<Timestamp>, max_age: SignedDuration, now: Timestamp) -> bool {
    last.is_none_or(|last| moment::is_ahead(last, now) || now.duration_since(last) > max_age)
}

/// The logs that are followed, and those of the configuration that wait for trust.
async fn logs(
    setup: &Setup,
    store: &dyn Store,
    known: &[LogState],
) -> anyhow::Result<Vec<LogStatus>> {
    let mut logs = Vec::with_capacity(setup.logs().len());
    for log in setup.logs() {
        let listed = match log {
            MonitoredLog::RekorV1(log) => listed_trees(store, log).await?,
            MonitoredLog::Tree(_) | MonitoredLog::Guided(_) => Vec::new(),
        };
        logs.push(LogStatus::of(log, known, &listed));
    }
    let waiting = setup
        .config()
        .logs
        .iter()
        .filter(|settings| !setup.logs().iter().any(|log| log.name() == settings.name));
    logs.extend(waiting.map(|settings| LogStatus::waiting(settings, known)));
    Ok(logs)
}

/// What was not proven in that time. Nothing that could be proven at all is no proof either: trust that was to name the
/// logs never came.
fn stale(status: &Status, max_age: Duration, now: Timestamp) -> Vec<String> {
    let max_age = SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX);
    let is_stale = |log: &&LogStatus| is_older(log.last_success, max_age, now);
    let mut stale: Vec<String> = status
        .logs
        .iter()
        .filter(is_stale)
        .map(|log| log.name.clone())
        .collect();
    match &status.trust {
        Some(trust) if !trust.known => stale.push(format!("trust from {}", trust.source)),
        _ if status.logs.is_empty() => stale.push("no log is followed".to_owned()),
        _ => {}
    }
    stale
}

fn trust_status(setup: &Setup) -> Option<TrustStatus> {
    let settings = setup.trust_settings()?;
    let known = setup.known();
    let update = known.update;
    Some(TrustStatus {
        known: known.trust.is_some(),
        source: settings.source.to_string(),
        version: update.map(|update| update.version),
        expires: update.map(|update| update.expires),
        refreshed: update.map(|update| update.refreshed),
        not_followed: setup
            .not_followed()
            .iter()
            .map(|not| NotFollowedStatus {
                log: discovery::named(not.log),
                ignored: not.ignored,
            })
            .collect(),
        remarks: setup
            .trust_remarks()
            .iter()
            .map(ToString::to_string)
            .collect(),
    })
}

async fn watches(setup: &Setup, store: &dyn Store) -> anyhow::Result<Vec<WatchStatus>> {
    let keys = setup.watch_keys();
    let mut by_name: HashMap<String, Vec<WatchOnLog>> = HashMap::new();
    for covered in store.coverage(&keys, None).await? {
        by_name
            .entry(covered.watch.name)
            .or_default()
            .push(WatchOnLog {
                log: covered.log,
                origin: covered.origin,
                from: covered.base + covered.from,
                gaps: covered
                    .gaps
                    .iter()
                    .map(|gap| (covered.base + gap.start, covered.base + gap.end))
                    .collect(),
            });
    }
    Ok(keys
        .into_iter()
        .map(|key| WatchStatus {
            logs: by_name.remove(&key.name).unwrap_or_default(),
            name: key.name,
        })
        .collect())
}

/// Watches that are listed one by one; beyond, only those with gaps are.
const LISTED_WATCHES: usize = 20;

fn print_trust(trust: &TrustStatus, output: &mut Output) -> anyhow::Result<()> {
    output.line("")?;
    let refreshed = match (trust.refreshed, trust.version) {
        (Some(at), Some(version)) => format!(", version {version} of {}", time(at)),
        _ if !trust.known => ": never verified, so nothing is read".to_owned(),
        _ => String::new(),
    };
    let source = escape::terminal(&trust.source);
    output.line(&format!("trust from {source}{refreshed}"))?;
    for log in &trust.not_followed {
        output.line(&format!(
            "    not followed{}: {}",
            if log.ignored { ", as configured" } else { "" },
            escape::terminal(&log.log)
        ))?;
    }
    for remark in &trust.remarks {
        output.line(&format!("    {}", escape::terminal(remark)))?;
    }
    Ok(())
}

fn print(status: &Status, output: &mut Output) -> anyhow::Result<()> {
    output.line(&format!(
        "{:<20}  {:>12}  {:>12}  {:>12}  LAST PROVEN",
        "LOG", "PROVEN", "SEEN", "HEAD"
    ))?;
    let number = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
    for log in &status.logs {
        output.line(&format!(
            "{}  {:>12}  {:>12}  {:>12}  {}{}",
            cell(&log.name, 20),
            number(log.proven),
            number(log.seen),
            number(log.head),
            log.last_success.map_or("never".to_owned(), time),
            if log.frozen {
                "  (ended by its operator)"
            } else {
                ""
            },
        ))?;
        for tree in log.unverified_trees() {
            output.line(&format!(
                "    its tree {} was never verified: what is logged there is not seen, nor how far the log goes",
                escape::terminal(tree)
            ))?;
        }
        if log.is_guided() {
            output.line(GUIDED)?;
        }
        if let Some(lookups) = &log.lookups {
            output.line(&lookups.said())?;
        }
        if let Some(error) = &log.error {
            output.line(&format!(
                "    {}: {}",
                error.kind,
                escape::terminal(&error.message)
            ))?;
        }
    }
    if status.logs.is_empty() {
        output.line("no log is followed: nothing is read")?;
    }
    if let Some(trust) = &status.trust {
        print_trust(trust, output)?;
    }
    if let Some(line) = status.daemon.as_ref().and_then(DaemonStatus::line) {
        output.line(&line)?;
    }
    output.line("")?;
    for watch in &status.watches {
        let gaps: Vec<String> = watch
            .logs
            .iter()
            .flat_map(|on| {
                on.gaps
                    .iter()
                    .map(move |(from, to)| format!("{} {from}..{to}", on.log))
            })
            .collect();
        if gaps.is_empty() && status.watches.len() > LISTED_WATCHES {
            continue;
        }
        let said = if watch.logs.is_empty() {
            "has covered nothing yet: no log was read".to_owned()
        } else if gaps.is_empty() {
            "covers everything that was read".to_owned()
        } else {
            format!(
                "never matched against {}: run `modelwatch rescan`",
                gaps.join(", ")
            )
        };
        output.line(&format!(
            "watch {}  {}",
            cell(&watch.name, 24),
            escape::terminal(&said)
        ))?;
    }
    output.line("")?;
    output.line(&format!(
        "open findings: {} security, {} health; alerts: {} pending, {} given up",
        status.findings.security,
        status.findings.health,
        status.alerts.pending,
        status.alerts.failed
    ))?;
    for error in &status.alerts.errors {
        output.line(&format!("    {}", escape::terminal(error)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proven_pass_that_lies_ahead_is_older_than_any_age() {
        let hours = SignedDuration::from_hours;
        let now = Timestamp::UNIX_EPOCH + hours(1_000_000);
        for (ago, older) in [
            (Some(hours(0)), false),
            (Some(hours(2)), false),
            (Some(hours(2) + SignedDuration::from_secs(1)), true),
            (Some(-SignedDuration::from_mins(5)), false),
            (Some(-SignedDuration::from_mins(6)), true),
            (Some(-hours(365 * 24)), true),
            (None, true),
        ] {
            let last = ago.map(|ago| now - ago);
            assert_eq!(is_older(last, hours(2), now), older, "{ago:?}");
        }
    }
}
