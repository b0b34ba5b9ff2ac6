//! `modelwatch findings`: list and show; what people do with them is in `handling`.

use std::path::{Path, PathBuf};

use futures_util::TryStreamExt as _;

use super::evidence;
use super::finding_filter::{Filter, find};
use super::handling::{self, HandlingArgs, HistoryArgs};
use super::output::{Outcome, Output};
use super::{setup, values};
use crate::finding::State;
use crate::report::finding;
use crate::store::{FindingQuery, Handling};

/// What to do with findings.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List findings, by log, index and watch
    List(ListArgs),
    /// Show one finding with its evidence and history
    Show(ShowArgs),
    /// Acknowledge findings: they stay on record, but no longer make the exit code 1
    Ack(HandlingArgs),
    /// Reopen acknowledged findings, without a new alert
    Reopen(HandlingArgs),
    /// Add a note to the history of findings, and change nothing else
    Note(HandlingArgs),
    /// Show the history of one finding: who did what, when and why
    History(HistoryArgs),
}

/// Arguments of `findings list`.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// One JSON object per line
    #[arg(long)]
    json: bool,
    /// Also findings that are held, acknowledged or resolved
    #[arg(long, conflicts_with = "state")]
    all: bool,
    /// At most this many
    #[arg(long, value_name = "N", value_parser = values::number::<u64>)]
    limit: Option<u64>,
    // The last one: its heading is that of all that follows.
    #[command(flatten)]
    filter: Filter,
}

/// Arguments of `findings show`.
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// The finding's id, or at least its first 4 digits
    id: String,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Write what proves the entry into this new or empty directory, for a third party
    #[arg(long, value_name = "DIR", conflicts_with = "json")]
    evidence: Option<PathBuf>,
    /// Sign the directory with this private key (PEM): `evidence.sig`, a signature in the format of OpenSSF Model Signing
    #[arg(long, value_name = "FILE", requires = "evidence")]
    private_key: Option<PathBuf>,
}

pub(super) async fn run(command: &Command, config: &Path) -> anyhow::Result<Outcome> {
    match command {
        Command::List(args) => list(args, config).await,
        Command::Show(args) => show(args, config).await,
        Command::Ack(args) => handling::run(Handling::Ack, args, config).await,
        Command::Reopen(args) => handling::run(Handling::Reopen, args, config).await,
        Command::Note(args) => handling::run(Handling::Note, args, config).await,
        Command::History(args) => handling::history(args, config).await,
    }
}

async fn list(args: &ListArgs, config: &Path) -> anyhow::Result<Outcome> {
    let store = setup::load(config)?.reader().await?;
    let states = if args.all {
        Vec::new()
    } else {
        FindingQuery::open().states
    };
    let query = FindingQuery {
        limit: args.limit,
        ..args.filter.query(states)
    };
    let mut output = Output::new();
    let mut findings = store.findings(&query);
    let mut listed = 0_u64;
    while let Some(found) = findings.try_next().await? {
        if args.json {
            output.json(&found)?;
        } else {
            if listed == 0 {
                output.line(&finding::heading_row())?;
            }
            output.line(&finding::row(&found))?;
        }
        listed += 1;
    }
    drop(findings);
    if !args.json {
        let is_default = !args.all && !args.filter.has_states();
        if listed == 0 {
            output.line(if is_default {
                "no open findings (--all shows those that are held, acknowledged or resolved)"
            } else {
                "no such findings"
            })?;
        }
        let held = FindingQuery {
            states: vec![State::Held],
            ..args.filter.query(Vec::new())
        };
        let held = if is_default {
            store.count(&held).await?
        } else {
            0
        };
        if held > 0 {
            output.line(&format!(
                "held, to be alerted if no bundle is registered in time: {held} (--state held)"
            ))?;
        }
    }
    output.end()?;
    Ok(Outcome::Clean)
}

async fn show(args: &ShowArgs, config: &Path) -> anyhow::Result<Outcome> {
    let setup = setup::load(config)?;
    let store = setup.reader().await?;
    let record = find(&*store, &args.id).await?;
    let mut output = Output::new();
    if let Some(directory) = &args.evidence {
        let lines = evidence::write(
            &setup,
            &*store,
            &record,
            directory,
            args.private_key.as_deref(),
        )
        .await?;
        output.lines(&lines)?;
    } else if args.json {
        output.json(&finding::record_json(&record))?;
    } else {
        for line in finding::record_lines(&record) {
            output.line(&line)?;
        }
    }
    output.end()?;
    Ok(Outcome::Clean)
}
