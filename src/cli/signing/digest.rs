//! `modelwatch digest`: the root digest of a model.

use serde_json::json;

use super::{Warnings, print, tree};
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
    let model = args.tree.open()?;
    let manifest = tree::hash(&model, &ignored, method, &mut warnings)?;
    print(|output| {
        if !args.json {
            return output.line(&format!("sha256:{}", manifest.root()));
        }
        let algorithm = manifest.method().to_string();
        let resources: Vec<_> = manifest
            .resources()
            .iter()
            .map(|resource| {
                json!([
                    resource.name().to_string(),
                    algorithm,
                    resource.digest.to_string()
                ])
            })
            .collect();
        output.json(&json!({
            "name": model.name()?,
            "root": manifest.root().to_string(),
            "resources": resources,
        }))
    })?;
    Ok(Outcome::Clean)
}
