//! `modelwatch digest`: the root digest of a model.

use model_signing::manifest::Manifest;
use serde::{Serialize, Serializer};

use super::messages::{Warnings, print};
use super::tree;
use crate::cli::output::Outcome;

/// Arguments of `digest`.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(args_override_self = true)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tree: tree::TreeArgs,

    #[command(flatten)]
    hashing: tree::HashingArgs,

    /// Print the whole manifest as one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let method = args.hashing.method()?;
    let mut warnings = Warnings::new(false);
    let ignored = args.tree.ignored(&mut warnings)?;
    let model = args.tree.open(false)?;
    let listing = model.walk(&ignored)?;
    tree::warn_of_gaps(&model, &listing, method, &mut warnings)?;
    let manifest = tree::hash(&model, &listing, method)?;
    print(|output| {
        if !args.json {
            return output.line(&format!("sha256:{}", manifest.root()));
        }
        output.json(&Report {
            name: model.name()?,
            root: manifest.root().to_string(),
            root_path_order: manifest.root_path_order().to_string(),
            resources: &manifest,
        })
    })?;
    Ok(Outcome::Clean)
}

/// A manifest as it is printed.
#[derive(Serialize)]
struct Report<'m> {
    name: &'m str,
    root: String,
    /// In the order of Python's `model_signing`.
    root_path_order: String,
    #[serde(serialize_with = "resources")]
    resources: &'m Manifest,
}

/// One after the other: of a model with a million files, all of them as JSON values would take several times the
/// manifest's memory.
fn resources<S: Serializer>(manifest: &Manifest, serializer: S) -> Result<S::Ok, S::Error> {
    let algorithm = manifest.method().algorithm().as_str();
    serializer.collect_seq(manifest.resources().iter().map(|resource| {
        let name = resource.name().to_string();
        (name, algorithm, resource.digest.to_string())
    }))
}
