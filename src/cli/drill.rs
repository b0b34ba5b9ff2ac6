//! `modelwatch drill`: tests that signings are found and alerts arrive, with the operator's own configuration and a copy of
//! the store.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use tokio::process::Command;

use super::output::{self, Outcome, Output};
use crate::selftest::{self, Plan, Stage};
use crate::service::{RefreshPolicy, Setup};

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
    #[arg(long, hide = true, requires = "copy", value_parser = stage())]
    stage: Option<Stage>,
    /// The copy of the store that it works on
    #[arg(long, hide = true, requires = "stage", value_name = "FILE")]
    copy: Option<PathBuf>,
}

pub(super) async fn run(args: &Args, config: &Path) -> anyhow::Result<Outcome> {
    if let (Some(stage), Some(copy)) = (args.stage, &args.copy) {
        selftest::run_stage(stage, config, copy, &args.channel).await?;
        return Ok(Outcome::Clean);
    }
    let setup = Setup::load_and_ask(config, RefreshPolicy::IfDue, output::warn).await?;
    let names = setup.channel_names();
    for name in &args.channel {
        setup.require_channel(name)?;
    }
    let program = std::env::current_exe().context("the path of this program is not known")?;
    let plan = Plan {
        channels: match (args.no_channels, args.channel.is_empty()) {
            (true, _) => Vec::new(),
            (false, true) => names,
            (false, false) => args.channel.clone(),
        },
        // Standard output is for a script then: a channel of that type writes elsewhere.
        keeps_stdout: args.json,
        process: &|stage, copy, channels| {
            let mut command = Command::new(&program);
            command.arg("--config").arg(config);
            command.args(["drill", "--stage", stage.as_str(), "--copy"]);
            command.arg(copy);
            for channel in channels {
                command.arg("--channel").arg(channel);
            }
            command
        },
    };
    let report = selftest::run(&setup, &plan).await?;
    let mut output = Output::new();
    if args.json {
        output.json(&report.json())?;
    } else {
        output.lines(&report.lines())?;
    }
    output.end()?;
    Ok(report.outcome())
}

/// One of the words for stages.
fn stage() -> impl TypedValueParser<Value = Stage> {
    PossibleValuesParser::new(Stage::ALL.map(Stage::as_str))
        .map(|word| Stage::from_word(&word).expect("each of these words has its stage"))
}
