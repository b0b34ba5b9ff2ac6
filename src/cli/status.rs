//! `modelwatch status`: how far each log was read and proven, and whether alerts wait.

use std::path::Path;
use std::time::Duration;

use super::output::{Outcome, Output};
use super::{setup, values};
use crate::clock;
use crate::escape;

/// How many logs are named in one sentence.
const NAMED_LOGS: usize = 20;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Exit 3 unless a pass over each log has proven everything within this time
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    max_age: Option<Duration>,
}

pub(super) async fn run(args: &Args, config: &Path) -> anyhow::Result<Outcome> {
    let setup = setup::load(config)?;
    let store = setup.reader().await?;
    let now = clock::now();
    let status = setup.status(&*store, now).await?;
    let mut output = Output::new();
    if args.json {
        output.json(&status)?;
    } else {
        output.lines(&status.lines())?;
    }
    let stale = match args.max_age {
        Some(max_age) => status.stale(max_age, now),
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
