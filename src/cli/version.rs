//! `modelwatch version`: what this build is.

use serde::Serialize;

use super::output::{Outcome, Output};
use crate::outcome::CONTRACT;

/// The optional parts of the program, and whether this build has them.
const FEATURES: &[(&str, bool)] = &[
    ("pkcs11", cfg!(all(unix, feature = "pkcs11"))),
    ("web", cfg!(all(unix, feature = "web"))),
];

/// The commit of a released build. It is not read from a repository, because every commit would then compile the program
/// again, and the directory of the build would decide what the program contains.
const COMMIT: Option<&str> = option_env!("MODELWATCH_COMMIT");

/// Arguments of `version`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Build {
    version: &'static str,
    commit: Option<&'static str>,
    features: Vec<&'static str>,
    contract: u32,
    /// The monitor, which has it, is for Unix.
    #[cfg(unix)]
    database: i64,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let build = Build {
        version: env!("CARGO_PKG_VERSION"),
        commit: COMMIT.filter(|commit| !commit.is_empty()),
        features: FEATURES
            .iter()
            .filter_map(|&(name, is_built)| is_built.then_some(name))
            .collect(),
        contract: CONTRACT,
        #[cfg(unix)]
        database: crate::store::sqlite::SqliteStore::newest_schema(),
    };
    let mut output = Output::new();
    if args.json {
        output.json(&build)?;
    } else {
        output.line(&format!("modelwatch {}", build.version))?;
        output.line(&format!(
            "commit    {}",
            build.commit.unwrap_or("not recorded")
        ))?;
        output.line(&format!("features  {}", build.features.join(", ")))?;
        output.line(&format!("contract  {}", build.contract))?;
        #[cfg(unix)]
        output.line(&format!("database  {}", build.database))?;
    }
    output.end()?;
    Ok(Outcome::Clean)
}
