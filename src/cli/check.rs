//! `modelwatch check`: whether the configuration, the store, the logs and the channels are as they should be.

use std::path::{Path, PathBuf};

use super::bundles::{self, Given};
use super::output::{self, Mistake, Outcome, Output, time};
use super::setup;
use crate::clock;
use crate::escape;
use crate::monitor::MonitoredLog;
use crate::notify::Lacking;
use crate::service::{self, RefreshPolicy, Setup, discovery, start};
use crate::source::SourceError;
use crate::store::PassErrorKind;
use crate::watch;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show whether a watch selects the signer of a bundle or certificate and, if not, why
    Watch(WatchArgs),
    /// Send a test message to a channel, or to all of them
    Notify(NotifyArgs),
}

#[derive(Debug, clap::Args)]
struct WatchArgs {
    /// The watch's name
    name: String,
    /// Sigstore bundles in any form that `expect add` takes, certificates or public keys (PEM, DER, OpenPGP, SSH,
    /// minisign); `-` is standard input
    #[arg(long, value_name = "BUNDLE_OR_CERT")]
    against: PathBuf,
}

#[derive(Debug, clap::Args)]
struct NotifyArgs {
    /// The channel's name
    channel: Option<String>,
}

pub(super) async fn run(args: &Args, config: &Path) -> anyhow::Result<Outcome> {
    let setup = match &args.what {
        // What a watch selects does not depend on trust: no request is needed.
        Some(What::Notify(_) | What::Watch(_)) => setup::load(config)?,
        None => Setup::load_and_ask(config, RefreshPolicy::Now, output::warn).await?,
    };
    match &args.what {
        None => everything(&setup).await,
        Some(What::Watch(args)) => one_watch(&setup, args),
        Some(What::Notify(args)) => channels(&setup, args.channel.as_deref()).await,
    }
}

/// The configuration was valid, or we would not be here.
async fn everything(setup: &Setup) -> anyhow::Result<Outcome> {
    start::refuse_future(setup.config(), clock::now())?;
    let mut output = Output::new();
    let mut outcome = Outcome::Clean;
    let mut unreached = Vec::new();
    let rules = setup.rules_so_far()?;
    output.line(&format!(
        "ok    configuration: {} logs, {} watches, {} channels",
        setup.logs().len(),
        rules.watch_set().keys().len(),
        setup.channel_names().len()
    ))?;
    for line in setup.described_http().await? {
        output.line(&format!("ok    http: {}", escape::terminal(&line)))?;
    }
    let can_alert = channels_can_work(setup, &mut output).await?;
    if !trust(setup, &mut output)? {
        outcome = Outcome::Unanswered;
    }
    match setup.writer().await {
        Ok(_) => output.line("ok    store")?,
        Err(error) => {
            outcome = Outcome::Unanswered;
            output.line(&format!(
                "FAIL  store: {}",
                escape::terminal(&format!("{error:#}"))
            ))?;
        }
    }
    for exposed in service::exposed(setup) {
        output.line(&format!("warn  {}", escape::terminal(&exposed)))?;
    }
    for log in setup.logs() {
        let (trees, error) = match log {
            MonitoredLog::Tree(log) => (vec![log.clone()], None),
            MonitoredLog::RekorV1(log) => log.ask().await,
            MonitoredLog::Guided(guided) => guided.log.ask().await,
        };
        let name = escape::terminal(log.name()).into_owned();
        for tree in &trees {
            let said = match tree.source.checkpoint().await {
                Err(error) => {
                    if matches!(error, SourceError::Unavailable { .. }) {
                        unreached.push(log.name().to_owned());
                    }
                    Err(error.to_string())
                }
                Ok(raw) => tree.shard.open(&raw).map_err(|error| error.to_string()),
            };
            let of_tree = if matches!(log, MonitoredLog::RekorV1(_) | MonitoredLog::Guided(_)) {
                format!(", tree {}", escape::terminal(tree.shard.origin.as_str()))
            } else {
                String::new()
            };
            match said {
                Ok(checkpoint) => {
                    output.line(&format!(
                        "ok    log {name}{of_tree}: its checkpoint of {} entries verifies",
                        checkpoint.size()
                    ))?;
                    for key in tree.shard.unsupported(&checkpoint) {
                        output.line(&format!(
                            "note  log {name}{of_tree}: its checkpoint has a signature that is not verified here: {}",
                            escape::terminal(&key)
                        ))?;
                    }
                }
                Err(why) => {
                    outcome = Outcome::Unanswered;
                    output.line(&format!(
                        "FAIL  log {name}{of_tree}: {}",
                        escape::terminal(&why)
                    ))?;
                }
            }
        }
        if let Some(error) = error {
            outcome = Outcome::Unanswered;
            if error.kind == PassErrorKind::Unavailable {
                unreached.push(log.name().to_owned());
            }
            output.line(&format!(
                "FAIL  log {name}: {}",
                escape::terminal(&error.message)
            ))?;
        }
    }
    for name in setup.waiting_for_trust() {
        outcome = Outcome::Unanswered;
        output.line(&format!(
            "FAIL  log {}: not read, because there is no trusted root yet",
            escape::terminal(&name)
        ))?;
    }
    if let Some(advice) = setup.network_advice(&unreached) {
        output.line(&format!("note  {advice}"))?;
    }
    if setup.channel_names().is_empty() {
        output.line("note  no alert is sent: there is no [[channel]]")?;
    }
    output.end()?;
    Ok(if can_alert { outcome } else { Outcome::Wrong })
}

/// Looks whether the channels, the heartbeat, the server and the file of metrics have what they need on this machine;
/// nothing is sent. Answers whether all do.
async fn channels_can_work(setup: &Setup, output: &mut Output) -> anyhow::Result<bool> {
    let mut all = true;
    for name in setup.channel_names() {
        let mut lacking = setup.lacking(&name).await;
        if lacking.is_empty() {
            lacking = setup.refused(&name).await;
        }
        if lacking.is_empty() {
            output.line(&format!(
                "ok    channel {}: what it needs here is there; `modelwatch check notify` sends a test",
                escape::terminal(&name)
            ))?;
        }
        for lacking in lacking {
            all = false;
            output.line(&lacks(&format!("channel {name}"), &lacking))?;
        }
    }
    if let Some(lacking) = setup.heartbeat_lacks().await {
        all = false;
        output.line(&lacks("heartbeat", &lacking))?;
    }
    if let Some(error) = setup.web_lacks().await {
        all = false;
        let error = error.to_string();
        output.line(&format!("FAIL  web: {}", escape::terminal(&error)))?;
    }
    if let Some(textfile) = &setup.config().textfile {
        let directory = textfile.parent().filter(|parent| parent.is_dir());
        let shown = textfile.display().to_string();
        let shown = escape::terminal(&shown);
        if directory.is_some() {
            output.line(&format!("ok    metrics: each pass writes {shown}"))?;
        } else {
            all = false;
            output.line(&format!(
                "FAIL  metrics: the directory of {shown} does not exist"
            ))?;
        }
    }
    Ok(all)
}

fn lacks(what: &str, lacking: &Lacking) -> String {
    format!(
        "FAIL  {}: {}: {}",
        escape::terminal(what),
        lacking.key,
        escape::terminal(&lacking.error.to_string())
    )
}

/// Where trust comes from, how old it is, and which logs of it are not followed. Answers whether all is well.
fn trust(setup: &Setup, output: &mut Output) -> anyhow::Result<bool> {
    let Some(settings) = setup.trust_settings() else {
        return Ok(true);
    };
    let (known, report) = (setup.known(), setup.trust_report());
    let said = known.update.map_or_else(String::new, |update| {
        format!(
            ", version {} (root {}) of {}, expires {}",
            update.version,
            update.root_version,
            time(update.refreshed),
            time(update.expires)
        )
    });
    let source = settings.source.to_string();
    let source = escape::terminal(&source);
    if known.trust.is_some() {
        output.line(&format!("ok    trust: {source}{said}"))?;
    } else {
        output.line(&format!("FAIL  trust: {source}: nothing is trusted yet"))?;
    }
    let problem = known.problem.map(|problem| problem.to_string());
    for problem in problem.iter().chain(&report.stale) {
        output.line(&format!("FAIL  trust: {}", escape::terminal(problem)))?;
    }
    for remark in setup.trust_remarks() {
        let remark = remark.to_string();
        output.line(&format!("note  trust: {}", escape::terminal(&remark)))?;
    }
    for unfollowed in &report.unfollowed {
        output.line(&format!(
            "FAIL  {} (`ignore` in [trust] if that is intended)",
            escape::terminal(&unfollowed.summary)
        ))?;
    }
    for not in setup.not_followed() {
        if !report
            .unfollowed
            .iter()
            .any(|said| said.log == not.log.name)
        {
            let log = discovery::named(not.log);
            output.line(&format!("note  not followed: {}", escape::terminal(&log)))?;
        }
    }
    Ok(known.trust.is_some()
        && problem.is_none()
        && report.stale.is_none()
        && report.unfollowed.is_empty())
}

fn one_watch(setup: &Setup, args: &WatchArgs) -> anyhow::Result<Outcome> {
    let watch = setup.watch(&args.name)?;
    let given = Given::read(&args.against)?;
    let mut output = Output::new();
    let mut outcome = Outcome::Clean;
    for named in given.signers()? {
        let shown = given.shown(named.place.as_deref());
        let signer = match named.signer {
            Ok(signer) => signer,
            Err(why) => {
                bundles::complain(&shown, &why);
                if outcome == Outcome::Clean {
                    outcome = Outcome::Wrong;
                }
                continue;
            }
        };
        if named.place.is_some() {
            output.line(&format!("{}:", escape::terminal(&shown)))?;
        }
        let explanation = watch::explain(watch, &signer);
        if !explanation.selected {
            outcome = Outcome::No;
        }
        output.line(explanation.to_string().trim_end())?;
    }
    output.end()?;
    Ok(outcome)
}

async fn channels(setup: &Setup, only: Option<&str>) -> anyhow::Result<Outcome> {
    let names = setup.channel_names();
    if let Some(name) = only {
        setup.require_channel(name)?;
    }
    if names.is_empty() {
        return Err(Mistake(
            "the configuration has no [[channel]]: no alert would be sent".to_owned(),
        )
        .into());
    }
    let store = setup.writer().await?;
    let outbox = setup.outbox(store);
    let mut output = Output::new();
    let (mut outcome, mut all) = (Outcome::Clean, true);
    for name in names
        .iter()
        .filter(|name| only.is_none_or(|only| only == *name))
    {
        let lacking = setup.lacking(name).await;
        for lacking in &lacking {
            all = false;
            output.line(&lacks(name, lacking))?;
        }
        if !lacking.is_empty() {
            continue;
        }
        match outbox.send_test(name, clock::now()).await {
            Ok(()) => output.line(&format!("ok    {}", escape::terminal(name)))?,
            Err(error) => {
                outcome = Outcome::Unanswered;
                output.line(&format!(
                    "FAIL  {}: {}",
                    escape::terminal(name),
                    escape::terminal(&error.to_string())
                ))?;
            }
        }
    }
    output.end()?;
    Ok(if all { outcome } else { Outcome::Wrong })
}
