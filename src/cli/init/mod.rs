//! `modelwatch init`: from nothing to a configuration that works.

mod answers;
mod args;
mod file;
mod given;
mod instance;
mod text;

use std::path::Path;

use anyhow::Context as _;

use super::expect::{self, Own};
use super::output::{Mistake, Outcome, Output};
use crate::config;
use crate::escape;
use crate::expect::Authority;
use crate::secret::{SecretSource, UrlSource};
use crate::service::Setup;
use answers::{Answers, Channel};
pub(super) use args::Args;
use given::Start;
use instance::Instance;

pub(super) async fn run(args: &Args, config: &Path) -> anyhow::Result<Outcome> {
    let path = args.output.as_deref().unwrap_or(config);
    file::refuse(path, args.force)?;
    let answers = Answers::of(args, path)?;
    let own = if answers.register {
        expect::read(&answers.bundles)?
    } else {
        Own::default()
    };
    let instance = Instance::of(args, path).await?;
    let text = text::configuration(&instance, &answers);
    // Held against our own rules before anything is written: what was given may be wrong, too.
    let (valid, problems) = config::validate(&text, path, &|file| file.is_file());
    // One line for each, already escaped.
    let said = problems.to_string();
    eprint!("{said}");
    if valid.is_none() {
        return Err(Mistake(
            "with what was given this would be no valid configuration, so none was written"
                .to_owned(),
        )
        .into());
    }
    file::write(path, &text, args.force)?;
    let mut output = Output::new();
    output.line(&format!("{} is written.", shown(path)))?;
    if let Channel::Webhook(variable) = &answers.channel {
        let url = UrlSource::Secret(SecretSource::Env(variable.clone()));
        if let Err(error) = url.read().await {
            output.line(&format!(
                "{error}: until it contains the webhook's URL where modelwatch runs, no alert is sent."
            ))?;
        }
    }
    for remark in instance.remarks(&answers.start) {
        output.line(&remark)?;
    }
    // The lines about each bundle come after that.
    output.end()?;
    if answers.register {
        let store = Setup::load(path, |_| ())?.writer().await;
        let store = store.context("the configuration is written, but nothing is registered")?;
        expect::record(&own.signings, Authority::Operator, &*store).await?;
        store.close().await;
    }
    next(path, &answers.start)?;
    Ok(own.outcome())
}

/// What to do now.
fn next(path: &Path, start: &Start) -> anyhow::Result<()> {
    let config = if path == Path::new("modelwatch.toml") {
        String::new()
    } else {
        format!(
            " --config {}",
            escape::shell_word(&path.display().to_string())
        )
    };
    let mut steps = vec![
        (
            format!("modelwatch{config} monitor --once"),
            "reads from the given start",
        ),
        (
            format!("modelwatch{config} drill"),
            "tests detection and alerts; sends an alarm marked [DRILL]",
        ),
        (format!("modelwatch{config} monitor"), "keeps watching"),
    ];
    if let Some((command, why)) = steps.first_mut().filter(|_| *start == Start::End) {
        command.push_str(" --bootstrap");
        *why = "yes, begin at the end of the logs";
    }
    let longest = steps.iter().map(|(command, _)| command.len()).max();
    let width = longest.unwrap_or_default();
    let mut output = Output::new();
    output.line("\nNext:")?;
    for (command, why) in steps {
        output.line(&format!("    {command:<width$}   # {why}"))?;
    }
    output.end()
}

fn shown(path: &Path) -> String {
    escape::terminal(&path.display().to_string()).into_owned()
}
