//! `modelwatch monitor`: passes over the logs, once or on the schedule.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use super::logging::Screen;
use super::output::{self, Outcome};
use super::progress::show_progress;
use super::serve;
use crate::clock;
use crate::escape;
use crate::finding::Severity;
use crate::monitor::Stop;
use crate::report::PassResult;
use crate::service::{
    self, Daemon, Hangup, RefreshPolicy, Run, RunOptions, Setup, start, stop_on_signals,
};

/// Arguments of `monitor`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One pass over every log up to its newest checkpoint, then exit: 0 clean, 1 an open security
    /// finding, 3 part of the question could not be answered
    #[arg(long)]
    once: bool,
    /// Allow logs without a stored position to start at their end
    #[arg(long)]
    bootstrap: bool,
    /// Only this log; may be repeated
    #[arg(long, value_name = "NAME")]
    log: Vec<String>,
}

impl Args {
    /// Whether it runs until it is requested to end.
    pub(super) fn is_daemon(&self) -> bool {
        !self.once
    }
}

pub(super) async fn run(args: &Args, config: &Path, screen: &Screen) -> anyhow::Result<Outcome> {
    // Before anything else: without it SIGHUP ends the program.
    let stop = Stop::default();
    let hangup = args.is_daemon().then(|| Hangup::listen(stop.clone()));
    let mut setup = Setup::load_and_ask(config, RefreshPolicy::IfDue, output::warn).await?;
    start::refuse_future(setup.config(), clock::now())?;
    for exposed in service::exposed(&setup) {
        tracing::warn!("{}", escape::terminal(&exposed));
    }
    let fail_on = setup.config().fail_on;
    if let Err(error) = setup.require_trust() {
        return without_trust(setup, fail_on, error.into(), stop).await;
    }
    setup.select(args.log.clone())?;
    setup.rules()?;
    let _lock = service::lock(&setup).await?;
    stop_on_signals(stop.clone());
    let options = RunOptions {
        once: args.once,
        bootstrap: args.bootstrap,
    };
    let run = Run::begin(setup, options, stop).await?;
    let Some(hangup) = hangup else {
        let bar = tokio::spawn(show_progress(run.progress(), screen.clone()));
        let result = run.once().await;
        bar.abort();
        screen.show(None);
        let result = result?;
        conclude(result, fail_on)?;
        return Ok(result.outcome());
    };
    let views = watch::Sender::new(Arc::new(run.view()));
    let server = serve::beside_the_daemon(&views, &run)?;
    let daemon = Daemon {
        config,
        warn: output::warn,
        hangup,
        views,
    };
    let ended = Box::pin(daemon.run(run)).await;
    if let Some(server) = server {
        server.abort();
    }
    ended?;
    Ok(Outcome::Clean)
}

/// Nothing is trusted, so nothing may be read. A trusted root that was refused becomes a finding all the same, for those who
/// read findings and not the output of this program; that no server answered is only in the exit code.
async fn without_trust(
    setup: Setup,
    fail_on: Severity,
    error: anyhow::Error,
    stop: Stop,
) -> anyhow::Result<Outcome> {
    if setup.trust_report().refused.is_none() {
        return Err(error);
    }
    let _lock = service::lock(&setup).await?;
    let result = service::without_trust(setup, stop).await?;
    output::fail(&error);
    conclude(result, fail_on)?;
    Ok(result.outcome())
}

/// The last lines, for people and for scripts.
fn conclude(result: PassResult, fail_on: Severity) -> anyhow::Result<()> {
    let mut stderr = std::io::stderr().lock();
    for line in result.lines(fail_on) {
        writeln!(stderr, "{line}")?;
    }
    writeln!(stderr, "RESULT={}", serde_json::to_string(&result)?)?;
    Ok(())
}
