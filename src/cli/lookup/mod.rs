//! `modelwatch lookup`: who signed what, and how far the answer goes.

mod args;
mod ask;
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
    let answer = if args.remote {
        remote::run(&question, args, config).await?
    } else {
        local(&question, args, config, screen).await?
    };
    print(&answer, args.json)?;
    Ok(match answer.ended() {
        Ended::Found => Outcome::Clean,
        Ended::None => Outcome::No,
        Ended::Unanswered => Outcome::Unanswered,
    })
}

/// Answers by the configuration and its database.
async fn local(
    question: &Question,
    args: &Args,
    config: &Path,
    screen: &Screen,
) -> anyhow::Result<Answer> {
    let setup = setup::load(config)?;
    let store = setup.reader().await?;
    let answer = if args.scan {
        scan::run(question, &setup, &*store, screen).await?
    } else {
        ask::findings(question, &setup, &*store).await?
    };
    store.close().await;
    Ok(answer)
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
