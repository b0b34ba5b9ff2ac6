//! `modelwatch init`: from nothing to a configuration that works.

mod answers;
mod file;
mod given;
mod instance;
mod text;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use url::Url;

use super::expect::{self, Own};
use super::output::{Mistake, Outcome, Output};
use crate::config;
use crate::escape;
use crate::secret::{SecretSource, UrlSource};
use crate::service::Setup;
use crate::watch::Meant;
use answers::{Answers, Channel};
use instance::Instance;

/// What its flags are about, in `--help`.
const WHOSE: &str = "Whose signings";
const WHICH: &str = "Which Sigstore; the public one by default";
const WHOM: &str = "Which channels; this terminal by default";

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Args {
    /// Sigstore bundles of yours (`model.sig`), in any form that `expect add` takes: their signers are watched; may be
    /// repeated; `-` is standard input
    #[arg(help_heading = WHOSE, long, value_name = "BUNDLE", num_args = 1..)]
    from: Vec<PathBuf>,
    /// Whom to watch: a repository's URL, a mail address, or a name as certificates have it, with `*` for any characters
    #[arg(help_heading = WHOSE, long, value_name = "SAN", value_parser = given::identity)]
    identity: Option<Box<Meant>>,
    /// The issuer of that name: with another issuer, a signing under it is critical
    #[arg(help_heading = WHOSE, long, value_name = "URL", requires = "identity", value_parser = given::issuer)]
    issuer: Option<String>,
    /// A public key or certificate in PEM to watch
    #[arg(help_heading = WHOSE, long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Where reading begins: `end`, `beginning`, or a date such as 2026-01-01
    #[arg(help_heading = WHOSE, long, value_name = "WHERE", value_parser = given::start)]
    start: Option<String>,

    /// Aim at the Sigstore instance whose TUF repository is there, instead of the public one
    #[arg(
        help_heading = WHICH,
        long,
        value_name = "URL",
        value_parser = given::mirror,
        requires = "root",
        conflicts_with_all = ["staging", "trusted_root"]
    )]
    tuf_mirror: Option<Url>,
    /// The root.json that this repository is trusted by
    #[arg(help_heading = WHICH, long, value_name = "FILE", requires = "tuf_mirror")]
    root: Option<PathBuf>,
    /// Aim at Sigstore's staging instance
    #[arg(help_heading = WHICH, long, conflicts_with = "trusted_root")]
    staging: bool,
    /// Aim at the logs of this trusted root, which is not renewed by itself
    #[arg(help_heading = WHICH, long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,

    /// Send alerts to this mail address
    #[arg(
        help_heading = WHOM,
        long,
        value_name = "ADDRESS",
        value_parser = given::mail,
        requires = "smtp",
        conflicts_with = "webhook_env"
    )]
    notify_email: Option<String>,
    /// The server that takes the mail: smtps://host:465, or smtp://host:587
    #[arg(help_heading = WHOM, long, value_name = "URL", requires = "notify_email", value_parser = given::smtp)]
    smtp: Option<String>,
    /// The sender of the mail; default: the address of the recipient
    #[arg(help_heading = WHOM, long, value_name = "ADDRESS", requires = "notify_email", value_parser = given::mail)]
    mail_from: Option<String>,
    /// Send alerts to the webhook whose URL is in this environment variable
    #[arg(help_heading = WHOM, long, value_name = "VARIABLE", value_parser = given::variable)]
    webhook_env: Option<String>,

    /// Register the bundles of --from as your own
    #[arg(help_heading = WHOSE, long, requires = "from")]
    register: bool,
    /// Where the configuration is written; default: the file of --config
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
    /// Ask nothing: take the defaults for what is not given
    #[arg(long)]
    yes: bool,
}

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
                "{error}: until it holds the webhook's URL where modelwatch runs, nobody is told."
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
        expect::record(&own.signings, &*store).await?;
        store.close().await;
    }
    next(path, &answers.start)?;
    Ok(own.outcome())
}

/// What to do now.
fn next(path: &Path, start: &str) -> anyhow::Result<()> {
    let config = if path == Path::new("modelwatch.toml") {
        String::new()
    } else {
        format!(" --config {}", quoted(&shown(path)))
    };
    let mut steps = vec![
        (
            format!("modelwatch{config} monitor --once"),
            "reads from where you said",
        ),
        (
            format!("modelwatch{config} drill"),
            "would it see, and tell? An alarm marked [DRILL] is sent",
        ),
        (format!("modelwatch{config} monitor"), "keeps watching"),
    ];
    if let Some((command, why)) = steps.first_mut().filter(|_| start == "end") {
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

/// Quoted for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"./_-+".contains(&byte);
    if word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
