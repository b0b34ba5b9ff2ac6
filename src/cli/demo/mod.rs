//! `modelwatch demo`: a recorded log that ships in the program, read by the code that reads real ones.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use futures_util::TryStreamExt as _;

use super::output::{Mistake, Outcome, Output};
use crate::clock::{self, SystemClock};
use crate::escape;
use crate::expect;
use crate::finding::{Finding, Verdict};
use crate::monitor::{Monitor, Progress, Stop};
use crate::service::{Setup, record_pass};
use crate::store::{FindingQuery, NewRegistration};

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Keep the log, the configuration and the database in this new directory, where you can try other commands
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// The bundle of the one release that the fictional owner really made.
const BUNDLE: &str = "falcon-7b.model.sig";

const BUNDLE_BYTES: &[u8] = include_bytes!("falcon-7b.model.sig");

/// A log of 161 entries, recorded from a real Rekor v2 server: real certificates of a real Fulcio
/// under fictional names.
const FILES: [(&str, &[u8]); 5] = [
    ("log/checkpoint", include_bytes!("log/checkpoint")),
    (
        "log/tile/entries/000.p/161",
        include_bytes!("log/tile/entries/000.p/161"),
    ),
    ("key.pub.pem", include_bytes!("key.pub.pem")),
    ("trusted_root.json", include_bytes!("trusted_root.json")),
    (BUNDLE, BUNDLE_BYTES),
];

const CONFIG: &str = include_str!("modelwatch.toml");

pub(super) async fn run(args: &Args) -> anyhow::Result<Outcome> {
    let temporary;
    let directory = if let Some(directory) = &args.keep {
        std::fs::create_dir(directory).map_err(|error| {
            Mistake(format!(
                "--keep {}: a new directory cannot be made: {error}",
                directory.display()
            ))
        })?;
        directory.as_path()
    } else {
        temporary = tempfile::tempdir().context("a temporary directory cannot be made")?;
        temporary.path()
    };
    let config = unpack(directory)?;
    let setup = Setup::load(&config, |_| ())?;
    let store = setup.writer().await?;
    let expectation = expect::from_bundle(BUNDLE_BYTES).context(BUNDLE)?;
    let signing = NewRegistration::by_operator(BUNDLE.to_owned(), expectation);
    store.register_all(&[signing], clock::now()).await?;

    let monitor = Monitor::new(
        Arc::clone(&store),
        Arc::new(SystemClock),
        Progress::default(),
        Stop::default(),
    );
    let began = Instant::now();
    let outcomes = monitor.pass(setup.logs(), &setup.rules()?, false).await?;
    let took = began.elapsed();
    record_pass(&*store, clock::now(), took).await?;
    if let Some(error) = outcomes.iter().find_map(|outcome| outcome.error.as_ref()) {
        anyhow::bail!("{}", error.message);
    }
    let entries: u64 = outcomes.iter().map(|outcome| outcome.entries).sum();
    let query = FindingQuery::default();
    let findings: Vec<Finding> = store.findings(&query).try_collect().await?;
    print_findings(&findings, entries, took, args.keep.as_deref())?;
    Ok(Outcome::Clean)
}

fn unpack(directory: &Path) -> anyhow::Result<PathBuf> {
    for (name, bytes) in FILES {
        let path = directory.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        }
        std::fs::write(&path, bytes).with_context(|| path.display().to_string())?;
    }
    let config = directory.join("modelwatch.toml");
    std::fs::write(&config, CONFIG).with_context(|| config.display().to_string())?;
    Ok(config)
}

fn print_findings(
    findings: &[Finding],
    entries: u64,
    took: std::time::Duration,
    kept: Option<&Path>,
) -> anyhow::Result<()> {
    let mut output = Output::new();
    let expected: Vec<_> = of(findings, |v| v == Verdict::Expected);
    let alarms: Vec<_> = of(findings, |v| v == Verdict::IdentityUnexpected);
    let forged: Vec<_> = of(findings, |v| v == Verdict::UntrustedChain);
    output.line(
        "harbor-ml-example publishes the model falcon. Its release workflow signs it, and every such\n\
         signature leaves an entry in a public log. The owner watches every signing of the repository, and\n\
         has registered its only release.\n",
    )?;
    output.line(&format!(
        "read {entries} entries of a recorded log in {} ms, and proved that they are exactly what the\n\
         log signed: nothing was hidden, nothing was changed.\n",
        took.as_millis()
    ))?;
    output.line("EXPECTED: the owner's own release, recognized by its bundle")?;
    list(&expected, &mut output)?;
    output.line("\nALARM: signed under the owner's identity, but not registered by the owner")?;
    list(&alarms, &mut output)?;
    output.line(
        "\n    Entry 158 is a poisoned model with the name and tag of the real release: its signature\n    \
         verifies, and no user could notice. The log shows it, and the owner gets an alert.",
    )?;
    output.line("\nNOISE: the same name in certificates that no trusted authority issued; anyone can write those")?;
    list(&forged, &mut output)?;
    output.line("\nWhat next")?;
    if let Some(directory) = kept {
        let config = directory.join("modelwatch.toml");
        output.line(&format!(
            "    modelwatch --config {0} findings list\n    \
             modelwatch --config {0} findings show 'ID of a finding'",
            escape::terminal(&config.display().to_string())
        ))?;
    } else {
        output.line("    modelwatch demo --keep DIR           keeps all this to look around in")?;
    }
    output.line(
        "    modelwatch init --from model.sig     writes the configuration that watches the signer of your own model\n    \
         modelwatch init                      asks whom to watch, if you have no bundle of theirs\n    \
         README.md                            leads from there to the first real watch",
    )?;
    output.end()
}

fn of(findings: &[Finding], wanted: impl Fn(Verdict) -> bool) -> Vec<&Finding> {
    findings.iter().filter(|f| wanted(f.verdict)).collect()
}

fn list(findings: &[&Finding], output: &mut Output) -> anyhow::Result<()> {
    for finding in findings {
        let who = finding.san.first().map_or("", |san| san.value.as_str());
        // The fixed part of the name is the same in all rows: it is left out.
        let short = who.rsplit_once("/workflows/").map_or(who, |(_, end)| end);
        let odd = finding
            .summary
            .split_once("; ")
            .map_or(String::new(), |(_, odd)| format!("  ({odd})"));
        output.line(&format!(
            "    entry {:>3}  {:<8}  {}{}",
            finding.index.unwrap_or_default(),
            finding.severity.as_str(),
            escape::terminal(short),
            escape::terminal(&odd),
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn the_configuration_of_the_demo_is_valid_and_warns_of_nothing() {
        let (valid, problems) = config::validate(CONFIG, Path::new("modelwatch.toml"), &|_| true);
        assert!(valid.is_some());
        assert_eq!(problems.to_string(), "");
    }
}
