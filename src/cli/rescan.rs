//! `modelwatch rescan`: compares entries that were already read with watches that were added later.

use std::path::Path;

use super::output::{Outcome, Output};
use super::setup;
use crate::clock::{self, SystemClock};
use crate::escape;
use crate::monitor::{Monitor, Progress, RescanError, Stop};
use crate::service::stop_on_signals;
use crate::store::StoreError;

/// Arguments of `rescan`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this watch
    #[arg(long, value_name = "NAME")]
    watch: Option<String>,
}

pub(super) async fn run(args: &Args, config: &Path) -> anyhow::Result<Outcome> {
    let setup = setup::load(config)?;
    let rules = setup.rules()?;
    if let Some(name) = &args.watch {
        setup.watch(name)?;
    }
    let mut output = Output::new();
    let _lock = match setup.lock() {
        Ok(lock) => lock,
        Err(StoreError::Locked { .. }) => {
            // The daemon owns the positions: the request is recorded, and the daemon does it before its next pass.
            let store = setup.writer().await?;
            store
                .request_rescan(args.watch.as_deref(), clock::now())
                .await?;
            output.line(
                "a monitor is running on this store: it will rescan after its next pass (a watch that is newer than it, after it is started again)",
            )?;
            output.end()?;
            return Ok(Outcome::Clean);
        }
        Err(error) => return Err(error.into()),
    };
    let store = setup.writer().await?;
    let stop = Stop::default();
    stop_on_signals(stop.clone());
    let monitor = Monitor::new(
        store,
        std::sync::Arc::new(SystemClock),
        Progress::default(),
        stop,
    );
    let (mut outcome, mut is_done) = (Outcome::Clean, true);
    for log in setup.logs() {
        match monitor.rescan(log, &rules, args.watch.as_deref()).await {
            Ok((0, _)) => {}
            Ok((entries, found)) => {
                is_done = false;
                output.line(&format!(
                    "{}: {entries} entries matched again, {found} new findings",
                    escape::terminal(log.name())
                ))?;
            }
            Err(error @ RescanError::Log { .. }) => {
                outcome = Outcome::Unanswered;
                is_done = false;
                eprintln!("error: {}", escape::terminal(&error.to_string()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if is_done {
        let whom = match &args.watch {
            Some(name) => format!("the watch {} covers", escape::terminal(name)),
            None => "each watch covers".to_owned(),
        };
        output.line(&format!(
            "nothing to do: {whom} everything that was read of the logs"
        ))?;
    }
    output.end()?;
    Ok(outcome)
}
