//! `modelwatch watch suggest`: a watch for the signer of a bundle or certificate.

use std::path::PathBuf;

use super::output::{Mistake, Outcome, Output};
use super::setup;
use crate::watch;

/// What to do with watches.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print the `[[watch]]` block for the signer of a bundle or certificate
    Suggest(SuggestArgs),
}

/// Arguments of `watch suggest`.
#[derive(Debug, clap::Args)]
pub(super) struct SuggestArgs {
    /// A Sigstore bundle (`model.sig`), a certificate (PEM or DER), or a public key (PEM, OpenPGP, SSH)
    #[arg(value_name = "BUNDLE_OR_CERT")]
    file: PathBuf,
}

pub(super) fn run(command: &Command) -> anyhow::Result<Outcome> {
    let Command::Suggest(args) = command;
    let signer = setup::signer_of(&args.file)?;
    let block = watch::suggest(&signer)
        .map_err(|error| Mistake(format!("{}: {error}", args.file.display())))?;
    let mut output = Output::new();
    output.line(block.trim_end())?;
    output.end()?;
    Ok(Outcome::Clean)
}
