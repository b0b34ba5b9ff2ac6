//! Shell completions and man pages, made from the command line's own definition.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::Cli;
use super::output::Outcome;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// An existing directory; the pages of every command are written into it
    directory: PathBuf,
}

pub(super) fn completions(args: &CompletionsArgs) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "modelwatch", &mut script);
    std::io::Write::write_all(&mut std::io::stdout(), &script)?;
    Ok(Outcome::Clean)
}

pub(super) fn man(args: &ManArgs) -> anyhow::Result<Outcome> {
    clap_mangen::generate_to(Cli::command(), &args.directory).with_context(|| {
        format!(
            "man pages cannot be written into {}",
            args.directory.display()
        )
    })?;
    Ok(Outcome::Clean)
}
