//! `modelwatch backup`: a consistent copy of the database, also while a monitor runs.

use std::path::{Path, PathBuf};

use super::output::{Mistake, Outcome, Output};
use super::setup;
use crate::escape;
use crate::store::StoreError;

/// Arguments of `backup`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The new file; one that is there is never written over
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn run(args: &Args, config: &Path) -> anyhow::Result<Outcome> {
    let setup = setup::load(config)?;
    match setup.back_up(&args.file).await {
        Err(error @ StoreError::Exists { .. }) => return Err(Mistake(error.to_string()).into()),
        done => done?,
    }
    let mut output = Output::new();
    let bytes = args.file.metadata().map_or(0, |file| file.len());
    let shown = args.file.display().to_string();
    output.line(&format!(
        "{}: {bytes} bytes, checked by opening it",
        escape::terminal(&shown)
    ))?;
    output.end()?;
    Ok(Outcome::Clean)
}
