//! `modelwatch expect`: which signings are the owner's own.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::bundles::{self, Given};
use super::output::{Mistake, Outcome, Output, Refused, time};
use super::{setup, values};
use crate::clock;
use crate::escape;
use crate::expect::{self, ExpectError, Expectation};
use crate::store::Expectations;

/// What to do with registrations.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Register the signings that these bundles (`model.sig`) hold
    ///
    /// Each is matched exactly: digest, signature and certificate. A bundle whose signature does
    /// not verify is refused, and then none is registered.
    ///
    /// A file may hold one bundle or many: JSON lines (`gh attestation download`), an array, an answer of GitHub's or
    /// npm's API, or PyPI's attestations and provenance. Those in it that cannot be registered, such as one that was
    /// signed with a bare key, are named, and the exit code is 2; the others are registered.
    Add(AddArgs),
    /// List registered signings
    List(ListArgs),
    /// Remove registrations; their findings are open again
    Remove(RemoveArgs),
}

/// Arguments of `expect add`.
#[derive(Debug, clap::Args)]
pub(super) struct AddArgs {
    /// Files with Sigstore bundles; `-` is standard input
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
    #[arg(required = true, value_name = "NUMBER", value_parser = values::number::<i64>)]
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
async fn register(bundles: &[PathBuf], config: &Path) -> anyhow::Result<Outcome> {
    let own = read(&Given::read_all(bundles)?)?;
    if !own.signings.is_empty() {
        let store = setup::load(config)?.writer().await?;
        record(&own.signings, &*store).await?;
        store.close().await;
    }
    Ok(own.outcome())
}

/// What is to be registered.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// Each with the file that it is from.
    pub(super) signings: Vec<(String, Expectation)>,
    /// How many others the files hold, which cannot be registered.
    failed: usize,
}

impl Own {
    /// Whether that is all that the files hold.
    pub(super) fn outcome(&self) -> Outcome {
        if self.failed == 0 {
            Outcome::Clean
        } else {
            Outcome::Wrong
        }
    }
}

/// What is to be registered of these files. All are read before one is registered: a script that fails half-way would
/// leave an unexpected state.
///
/// Those of a file with several bundles that cannot be registered are named on stderr.
///
/// # Errors
///
/// A bundle contradicts itself: then it is forged, and nothing in the same files is registered. Or a file that is no
/// bundle, or one that cannot be registered.
pub(super) fn read(files: &[Given]) -> anyhow::Result<Own> {
    let mut own = Own::default();
    let mut refused = Vec::new();
    let mut bundles = 0;
    for given in files {
        for item in given.bundles()? {
            bundles += 1;
            let place = item.place.as_deref();
            let shown = given.shown(place);
            let why = match item.bundle.map(|bundle| expect::of_bundle(&bundle)) {
                Ok(Ok(expectation)) => {
                    own.signings.push((given.recorded(place), expectation));
                    continue;
                }
                Ok(Err(error)) if contradicts_itself(&error) => {
                    refused.push((shown, error.to_string()));
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            if place.is_none() {
                return Err(Mistake(format!("{shown}: {why}")).into());
            }
            bundles::complain(&shown, &why);
            own.failed += 1;
        }
    }
    let Some((last, why)) = refused.pop() else {
        return Ok(own);
    };
    for (shown, why) in &refused {
        bundles::complain(shown, why);
    }
    let rest = if bundles > 1 {
        "; nothing is registered"
    } else {
        ""
    };
    Err(Refused(format!("{last}: {why}{rest}")).into())
}

/// Whether a bundle is refused, rather than of a kind that cannot be registered.
fn contradicts_itself(error: &ExpectError) -> bool {
    !matches!(error, ExpectError::Bundle(_) | ExpectError::NoCertificate)
}

/// Registers them, in groups. If the store fails, the groups before are registered; the same command registers the rest.
pub(super) async fn record(
    signings: &[(String, Expectation)],
    store: &dyn Expectations,
) -> anyhow::Result<()> {
    let mut output = Output::new();
    let registered = store.register_all(signings, clock::now()).await?;
    for ((file, _), (new, changed)) in signings.iter().zip(registered) {
        output.line(&format!(
            "{}: {}{}",
            escape::terminal(file),
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
    output.end()
}

async fn list(args: &ListArgs, config: &Path) -> anyhow::Result<Outcome> {
    let store = setup::load(config)?.reader().await?;
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
    let store = setup::load(config)?.writer().await?;
    let mut output = Output::new();
    let mut unknown = Vec::new();
    for number in &args.numbers {
        match store.unregister(*number, clock::now()).await? {
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
