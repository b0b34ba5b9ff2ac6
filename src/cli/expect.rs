//! `modelwatch expect`: which signings are the owner's own.

use std::path::{Path, PathBuf};

use super::bundles::{self, Given};
use super::output::{Mistake, Outcome, Output, Refused, time};
use super::{handling, setup, values};
use crate::clock;
use crate::escape;
use crate::expect::{self, Authority, ExpectError, Expectation};
use crate::report::registration_json;
use crate::service::ASKED_FOR;
use crate::store::{Expectations, NewRegistration, Registrar};

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
    ///
    /// Registered by the operator, a signing is `expected`. With `--authority signer`, which is for the job that signs, its
    /// finding stays open as `self-registered`, until the operator confirms it.
    Add(AddArgs),
    /// List registered signings
    List(ListArgs),
    /// Remove registrations; their findings are open again
    Remove(RemoveArgs),
    /// Confirm as the operator what others registered
    ///
    /// A number confirms the signing of that registration: its findings are `expected`. The name of an `[[expect_from]]`
    /// accepts the rewritten history of its branch; the next pass reads it.
    Confirm(ConfirmArgs),
    /// Read the `[[expect_from]]` now
    ///
    /// The exit code is 3 if one cannot be read, or if some of its files do not count.
    Sync(SyncArgs),
}

/// Arguments of `expect add`.
#[derive(Debug, clap::Args)]
pub(super) struct AddArgs {
    /// Files with Sigstore bundles; `-` is standard input
    #[arg(required = true, value_name = "BUNDLE")]
    bundles: Vec<PathBuf>,

    /// Who registers: `operator` or `signer`
    #[arg(long, value_name = "WHO", default_value = "operator", value_parser = by_a_command)]
    authority: Authority,
}

/// The authorities that a command can have. That of a repository is proven by its commits.
fn by_a_command(word: &str) -> Result<Authority, &'static str> {
    match Authority::from_word(word) {
        Some(authority @ (Authority::Operator | Authority::Signer)) => Ok(authority),
        _ => Err(
            "an authority is `operator` or `signer`; `repository` comes from an [[expect_from]] of type git",
        ),
    }
}

/// Arguments of `expect list`.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// One JSON object per line
    #[arg(long)]
    json: bool,
}

/// Arguments of `expect confirm`.
#[derive(Debug, clap::Args)]
pub(super) struct ConfirmArgs {
    /// Numbers from `expect list`, or names of an `[[expect_from]]`
    #[arg(required = true, value_name = "NUMBER|NAME")]
    what: Vec<String>,
}

/// Arguments of `expect sync`.
#[derive(Debug, clap::Args)]
pub(super) struct SyncArgs {
    /// The name of one `[[expect_from]]`; without it, all of them are read
    #[arg(value_name = "NAME")]
    name: Option<String>,
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
        Command::Add(args) => register(args, config).await,
        Command::List(args) => list(args, config).await,
        Command::Remove(args) => remove(args, config).await,
        Command::Confirm(args) => confirm(args, config).await,
        Command::Sync(args) => sync(args, config).await,
    }
}

/// Registers the signings that these bundles hold.
async fn register(args: &AddArgs, config: &Path) -> anyhow::Result<Outcome> {
    let own = read(&Given::read_all(&args.bundles)?)?;
    if !own.signings.is_empty() {
        let store = setup::load(config)?.writer().await?;
        record(&own.signings, args.authority, &*store).await?;
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

/// Registers them, in groups, and prints a line for each. If the store fails, the groups before are registered; the same
/// command registers the rest.
pub(super) async fn record(
    signings: &[(String, Expectation)],
    authority: Authority,
    store: &dyn Expectations,
) -> anyhow::Result<()> {
    let mut output = Output::new();
    output.lines(&record_quietly(signings, authority, store).await?)?;
    output.end()
}

/// Registers them as [`record`] does, and returns what is to be said of each.
pub(super) async fn record_quietly(
    signings: &[(String, Expectation)],
    authority: Authority,
    store: &dyn Expectations,
) -> anyhow::Result<Vec<String>> {
    let new: Vec<NewRegistration> = signings
        .iter()
        .map(|(file, expectation)| NewRegistration {
            expectation: expectation.clone(),
            file: file.clone(),
            by: Registrar::command(authority, Some(handling::this_user())),
            content: None,
        })
        .collect();
    let registered = store.register_all(&new, clock::now()).await?;
    let verdict = match authority {
        Authority::Signer => "self-registered",
        Authority::Operator | Authority::Repository => "expected",
    };
    let described = |(new, (is_new, changed)): (&NewRegistration, (bool, Vec<_>))| {
        format!(
            "{}: {}{}",
            escape::terminal(&new.file),
            if is_new {
                "registered"
            } else {
                "was registered before"
            },
            match changed.len() {
                0 => String::new(),
                1 => format!(", 1 finding is {verdict} now"),
                n => format!(", {n} findings are {verdict} now"),
            }
        )
    };
    Ok(new.iter().zip(registered).map(described).collect())
}

async fn list(args: &ListArgs, config: &Path) -> anyhow::Result<Outcome> {
    let store = setup::load(config)?.reader().await?;
    let mut output = Output::new();
    let registrations = store.registrations().await?;
    for registration in &registrations {
        if args.json {
            output.json(&registration_json(registration))?;
        } else {
            output.line(&format!(
                "{:>5}  {}  {:<10}  {:>3} {:<8}  {}  {}{}",
                registration.number,
                time(registration.at),
                registration.by.authority,
                registration.findings,
                if registration.findings == 1 {
                    "finding"
                } else {
                    "findings"
                },
                escape::terminal(&registration.expectation.who),
                escape::terminal(&registration.file),
                match &registration.by.source {
                    Some(source) => format!(" (from {})", escape::terminal(source)),
                    None => String::new(),
                },
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
    let registrations = store.registrations().await?;
    for number in &args.numbers {
        let registration = registrations.iter().find(|known| known.number == *number);
        if let Some(source) = registration.and_then(|known| known.by.source.as_deref()) {
            return Err(Mistake(format!(
                "{number} is from the source {source}, which would register it again: remove its file there, or its [[expect_from]]"
            ))
            .into());
        }
        match store.unregister(*number, clock::now()).await? {
            Some(reopened) => output.line(&format!(
                "{number} removed; {} open again",
                findings_are(reopened.len())
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

/// `1 finding is`, `2 findings are`.
fn findings_are(count: usize) -> String {
    let verb = if count == 1 { "is" } else { "are" };
    format!("{} {verb}", counted(count, "finding"))
}

async fn confirm(args: &ConfirmArgs, config: &Path) -> anyhow::Result<Outcome> {
    let store = setup::load(config)?.writer().await?;
    let mut output = Output::new();
    let mut unknown = Vec::new();
    for what in &args.what {
        // The name of a source begins with a letter.
        if let Ok(number) = what.parse::<i64>() {
            match store
                .confirm(number, Some(&handling::this_user()), clock::now())
                .await?
            {
                Some(changed) => output.line(&format!(
                    "{number} confirmed; {} expected now",
                    findings_are(changed.len())
                ))?,
                None => unknown.push(format!("no registration has the number {number}")),
            }
            continue;
        }
        let sources = store.sources().await?;
        let source = sources.iter().find(|source| source.name == *what);
        let commit = source.and_then(|source| source.rewritten.as_deref());
        let confirmed = match commit {
            Some(commit) => store.confirm_source(what, commit).await?,
            None => false,
        };
        match (confirmed, commit) {
            (true, Some(commit)) => output.line(&format!(
                "{}: the branch at {commit} is accepted; the next pass reads it, or `modelwatch expect sync`",
                escape::terminal(what)
            ))?,
            _ => unknown.push(format!("{what} is no [[expect_from]] whose branch was rewritten")),
        }
    }
    store.close().await;
    output.end()?;
    if unknown.is_empty() {
        return Ok(Outcome::Clean);
    }
    Err(Mistake(format!(
        "{}: see `modelwatch expect list` and `modelwatch status`",
        unknown.join("; ")
    ))
    .into())
}

async fn sync(args: &SyncArgs, config: &Path) -> anyhow::Result<Outcome> {
    let setup = setup::load(config)?;
    let registrations = setup.registrations();
    if let Some(name) = &args.name
        && !registrations.names().any(|known| known == name)
    {
        return Err(Mistake(format!("there is no [[expect_from]] named {name}")).into());
    }
    let store = setup.writer().await?;
    let only = args.name.as_deref();
    let reports = registrations
        .sync_now(only, &*store, ASKED_FOR, clock::now())
        .await?;
    store.close().await;
    let mut output = Output::new();
    let mut outcome = Outcome::Clean;
    for report in &reports {
        if !report.is_complete() {
            outcome = Outcome::Unanswered;
        }
        let name = escape::terminal(&report.name);
        match &report.outcome {
            Ok(change) => output.line(&format!(
                "{name}: {} registered, {} withdrawn, {} changed",
                change.registered,
                change.withdrawn,
                counted(change.findings.len(), "finding")
            ))?,
            Err(why) => output.line(&format!("{name}: not read: {}", escape::terminal(why)))?,
        }
        for problem in &report.problems {
            output.line(&format!(
                "{name}: does not count: {}",
                escape::terminal(problem)
            ))?;
        }
    }
    if reports.is_empty() {
        output.line("the configuration has no [[expect_from]]")?;
    }
    output.end()?;
    Ok(outcome)
}

/// `1 finding`, `2 findings`.
fn counted(count: usize, of: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {of}{plural}")
}
