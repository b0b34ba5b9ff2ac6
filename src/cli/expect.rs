//! `modelwatch expect`: which signings are the owner's own.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::output::{Mistake, Outcome, Output, Refused, time};
use super::setup;
use crate::escape;
use crate::expect::{self, ExpectError};

/// What to do with registrations.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Register the signings that these bundles (`model.sig`) hold
    ///
    /// Each is matched exactly: digest, signature and certificate. A bundle whose signature does
    /// not verify is refused, and then none is registered.
    Add(AddArgs),
    /// List registered signings
    List(ListArgs),
    /// Remove registrations; their findings are open again
    Remove(RemoveArgs),
}

/// Arguments of `expect add`.
#[derive(Debug, clap::Args)]
pub(super) struct AddArgs {
    /// Sigstore bundles
    #[arg(required = true, value_name = "BUNDLE")]
    bundles: Vec<PathBuf>,
}

/// Arguments of `expect list`.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// One JSON object per line
    #[arg(long)]
    json: bool,
}

/// Arguments of `expect remove`.
#[derive(Debug, clap::Args)]
pub(super) struct RemoveArgs {
    /// Numbers from `expect list`
    #[arg(required = true, value_name = "NUMBER")]
    numbers: Vec<i64>,
}

pub(super) async fn run(command: &Command, config: &Path) -> anyhow::Result<Outcome> {
    match command {
        Command::Add(args) => register(&args.bundles, config).await,
        Command::List(args) => list(args, config).await,
        Command::Remove(args) => remove(args, config).await,
    }
}

/// Registers the signings that these bundles hold.
pub(super) async fn register(bundles: &[PathBuf], config: &Path) -> anyhow::Result<Outcome> {
    // All are read before one is registered: a script that fails half-way would leave a state that
    // nobody asked for.
    let mut expectations = Vec::new();
    for path in bundles {
        let bytes = setup::read_bounded(path, model_signing::bundle::MAX_BUNDLE_BYTES)?;
        let expectation = expect::from_bundle(&bytes).map_err(|error| refusal(path, &error))?;
        let file = std::path::absolute(path)
            .with_context(|| format!("{} has no absolute path", path.display()))?;
        expectations.push((file, expectation));
    }
    let store = setup::writer(config).await?;
    let mut output = Output::new();
    for (file, expectation) in &expectations {
        let file = file.display().to_string();
        let (new, changed) = store.register(expectation, &file, setup::now()).await?;
        output.line(&format!(
            "{}: {}{}",
            escape::terminal(&file),
            if new {
                "registered"
            } else {
                "was registered before"
            },
            match changed.len() {
                0 => String::new(),
                1 => ", 1 finding is expected now".to_owned(),
                n => format!(", {n} findings are expected now"),
            }
        ))?;
    }
    store.close().await;
    output.end()?;
    Ok(Outcome::Clean)
}

/// A wrong file is a mistake; a bundle that contradicts itself is refused.
fn refusal(path: &Path, error: &ExpectError) -> anyhow::Error {
    let why = format!("{}: {error}", path.display());
    match error {
        ExpectError::Bundle(_) | ExpectError::NoCertificate => Mistake(why).into(),
        _ => Refused(why).into(),
    }
}

async fn list(args: &ListArgs, config: &Path) -> anyhow::Result<Outcome> {
    let store = setup::reader(config).await?;
    let mut output = Output::new();
    let registrations = store.registrations().await?;
    for registration in &registrations {
        if args.json {
            output.json(&json!({
                "number": registration.number,
                "file": registration.file,
                "registered": registration.at,
                "findings": registration.findings,
                "expectation": registration.expectation,
            }))?;
        } else {
            output.line(&format!(
                "{:>5}  {}  {:>3} {:<8}  {}  {}",
                registration.number,
                time(registration.at),
                registration.findings,
                if registration.findings == 1 {
                    "finding"
                } else {
                    "findings"
                },
                escape::terminal(&registration.expectation.who),
                escape::terminal(&registration.file),
            ))?;
        }
    }
    if registrations.is_empty() && !args.json {
        output.line(
            "nothing is registered: `modelwatch expect add BUNDLE` registers a signing of yours",
        )?;
    }
    output.end()?;
    Ok(Outcome::Clean)
}

async fn remove(args: &RemoveArgs, config: &Path) -> anyhow::Result<Outcome> {
    let store = setup::writer(config).await?;
    let mut output = Output::new();
    let mut unknown = Vec::new();
    for number in &args.numbers {
        match store.unregister(*number, setup::now()).await? {
            Some(reopened) => output.line(&format!(
                "{number} removed; {} findings are open again",
                reopened.len()
            ))?,
            None => unknown.push(number.to_string()),
        }
    }
    store.close().await;
    output.end()?;
    if unknown.is_empty() {
        return Ok(Outcome::Clean);
    }
    Err(Mistake(format!(
        "no registration has the number {}: see `modelwatch expect list`",
        unknown.join(", ")
    ))
    .into())
}
