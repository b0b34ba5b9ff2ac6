//! `modelwatch lookup`: who signed what, and how far the answer goes.

mod args;
mod ask;
mod evidence;
mod remote;
mod scan;
mod table;

use std::path::Path;

use super::logging::Screen;
use super::output::{Outcome, Output};
use super::setup;
use crate::lookup::{Answer, Ended, Question};

pub(super) use args::Args;

pub(super) async fn run(args: &Args, config: &Path, screen: &Screen) -> anyhow::Result<Outcome> {
    let question = args.question()?;
    if let Some(directory) = &args.evidence {
        evidence::check(directory)?;
    }
    let (answer, is_written) = if args.remote {
        (remote::run(&question, args, config).await?, true)
    } else {
        local(&question, args, config, screen).await?
    };
    print(&answer, args.json)?;
    Ok(match answer.ended() {
        Ended::Found if !is_written => Outcome::Unanswered,
        Ended::Found => Outcome::Clean,
        Ended::None => Outcome::No,
        Ended::Unanswered => Outcome::Unanswered,
    })
}

/// Answers by the configuration and its database, and whether all evidence that is wanted is written.
async fn local(
    question: &Question,
    args: &Args,
    config: &Path,
    screen: &Screen,
) -> anyhow::Result<(Answer, bool)> {
    let setup = setup::load(config)?;
    let store = setup.reader().await?;
    let answer = if args.scan {
        scan::run(question, &setup, &*store, screen).await?
    } else {
        ask::findings(question, &setup, &*store).await?
    };
    let is_written = match &args.evidence {
        Some(directory) => evidence::write(&answer, directory, &setup, &*store).await?,
        None => true,
    };
    store.close().await;
    Ok((answer, is_written))
}

fn print(answer: &Answer, json: bool) -> anyhow::Result<()> {
    let mut output = Output::new();
    if json {
        for signing in &answer.signings {
            output.json(signing)?;
        }
        for unproven in &answer.unproven {
            output.json(unproven)?;
        }
        output.json(&answer.coverage)?;
    } else {
        output.lines(&table::lines(answer, table::width()))?;
    }
    output.end()
}
