//! `modelwatch init`: from nothing to a configuration that works.

mod answers;
mod file;
mod instance;
mod text;

use std::path::{Path, PathBuf};

use url::Url;

use super::expect;
use super::output::{Mistake, Outcome, Output};
use crate::config;
use crate::escape;
use answers::Answers;
use instance::Instance;

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Args {
    /// A Sigstore bundle of yours (`model.sig`): its signer is watched; may be repeated
    #[arg(long, value_name = "BUNDLE", num_args = 1..)]
    from: Vec<PathBuf>,
    /// A name to watch: a mail address, a workflow's URI, with `*` for any characters
    #[arg(long, value_name = "SAN")]
    identity: Option<String>,
    /// Who vouches for that name: with another issuer, a signing under it is critical
    #[arg(long, value_name = "URL", requires = "identity")]
    issuer: Option<String>,
    /// A public key or certificate in PEM to watch
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Where reading begins: `end`, `beginning`, or a date such as 2026-01-01
    #[arg(long, value_name = "WHERE", value_parser = answers::start)]
    start: Option<String>,

    /// Aim at the Sigstore instance whose TUF repository is there, instead of the public one
    #[arg(long, value_name = "URL", requires = "root", conflicts_with_all = ["staging", "trusted_root"])]
    tuf_mirror: Option<Url>,
    /// The root.json that this repository is trusted by
    #[arg(long, value_name = "FILE", requires = "tuf_mirror")]
    root: Option<PathBuf>,
    /// Aim at Sigstore's staging instance
    #[arg(long, conflicts_with = "trusted_root")]
    staging: bool,
    /// Aim at the logs of this trusted root, which is not renewed by itself
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,

    /// Tell this mail address
    #[arg(
        long,
        value_name = "ADDRESS",
        requires = "smtp",
        conflicts_with = "webhook_env"
    )]
    notify_email: Option<String>,
    /// The server that takes the mail: smtps://host:465, or smtp://host:587
    #[arg(long, value_name = "URL", requires = "notify_email")]
    smtp: Option<String>,
    /// The sender of the mail; default: the address that is told
    #[arg(long, value_name = "ADDRESS", requires = "notify_email")]
    mail_from: Option<String>,
    /// Tell the webhook whose URL is in this environment variable
    #[arg(long, value_name = "VARIABLE")]
    webhook_env: Option<String>,

    /// Register the bundles of --from as your own
    #[arg(long, requires = "from")]
    register: bool,
    /// Where the configuration is written; default: where --config says
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    /// Ask nothing: take the defaults for what is not given
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(args: &Args, config: &Path) -> anyhow::Result<Outcome> {
    let path = args.output.as_deref().unwrap_or(config);
    file::refuse(path, args.force)?;
    let answers = Answers::of(args)?;
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
    output.line(&format!(
        "{} is written.{}",
        shown(path),
        instance
            .remark()
            .map_or(String::new(), |remark| format!("\n{remark}"))
    ))?;
    if answers.register {
        // What it says comes after what was said.
        output.end()?;
        expect::register(&answers.bundles, path).await?;
        output = Output::new();
    }
    let with = if path == Path::new("modelwatch.toml") {
        String::new()
    } else {
        format!(" --config {}", shown(path))
    };
    let bootstrap = if answers.start == "end" {
        " --bootstrap     # yes, begin at the end of the logs"
    } else {
        "                 # reads from where you said"
    };
    output.line("\nNext:")?;
    output.line(&format!("    modelwatch{with} monitor --once{bootstrap}"))?;
    output.line(&format!(
        "    modelwatch{with} drill                          # would it see, and tell? A marked alarm is sent"
    ))?;
    output.end()?;
    Ok(Outcome::Clean)
}

fn shown(path: &Path) -> String {
    escape::terminal(&path.display().to_string()).into_owned()
}
