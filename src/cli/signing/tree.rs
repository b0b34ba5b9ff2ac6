//! The model on the command line: what it is, what is left out of it, how it is hashed.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use model_signing::hash::Algorithm;
use model_signing::manifest::{Manifest, Method};
use model_signing::model;
use model_signing::walk::{Ignored, Listing, Model};

use super::progress::Meter;
use super::{Warnings, few, path};
use crate::cli::output::Mistake;

/// Which files.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct TreeArgs {
    /// The model: a directory, or a single file
    #[arg(value_name = "MODEL_PATH", value_parser = path())]
    pub(super) model: PathBuf,

    /// Leave out this file or directory (repeatable); relative to the working directory
    #[arg(long, value_name = "PATH", value_parser = path())]
    ignore_paths: Vec<PathBuf>,

    /// Leave out .git, .gitattributes, .github and .gitignore at the top of the model (the default)
    #[arg(long, overrides_with = "no_ignore_git_paths")]
    ignore_git_paths: bool,

    /// Do not leave them out
    #[arg(long, overrides_with = "ignore_git_paths")]
    no_ignore_git_paths: bool,

    /// Hash the files that symlinks lead to; without it, a symlink is an error
    #[arg(long)]
    allow_symlinks: bool,
}

/// How they are hashed, where nothing else says it.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct HashingArgs {
    /// The hash function: sha256, blake2b or blake3. Python's command line verifies sha256 only
    #[arg(long, value_name = "NAME", default_value = "sha256", value_parser = algorithm)]
    hash: Algorithm,

    /// Hash files in shards of so many bytes, several at a time. Python's command line verifies
    /// whole files only
    #[arg(long, value_name = "BYTES", value_parser = shard_size)]
    shard_size: Option<NonZeroU64>,
}

impl HashingArgs {
    pub(super) fn method(&self) -> anyhow::Result<Method> {
        Ok(match self.shard_size {
            None => Method::files(self.hash),
            Some(bytes) => Method::shards(self.hash, bytes)
                .map_err(|error| Mistake(format!("--shard-size: {error}")))?,
        })
    }
}

fn shard_size(bytes: &str) -> Result<NonZeroU64, &'static str> {
    let bytes = bytes.parse().ok().and_then(NonZeroU64::new);
    bytes.ok_or("a shard has a whole number of bytes, at least one")
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    // The reference's library calls it blake2, and records blake2b.
    let name = if name == "blake2" { "blake2b" } else { name };
    Algorithm::from_name(name).ok_or_else(|| {
        let known: Vec<_> = Algorithm::ALL.iter().map(|known| known.as_str()).collect();
        format!("there are {}", known.join(", "))
    })
}

impl TreeArgs {
    pub(super) fn open(&self) -> anyhow::Result<Model> {
        Ok(Model::open(&self.model, self.allow_symlinks)?)
    }

    pub(super) fn ignores_git_paths(&self) -> bool {
        !self.no_ignore_git_paths
    }

    /// What is left out. What cannot be meant is said: a slip in a path is not noticed otherwise.
    pub(super) fn ignored(&self, warnings: &mut Warnings) -> anyhow::Result<Ignored> {
        let mut ignored = Ignored::none();
        if self.ignores_git_paths() {
            ignored.add_git_paths();
        }
        for path in &self.ignore_paths {
            if !self.ignore(&mut ignored, path)? {
                warnings.warn(format!(
                    "--ignore-paths {} is not in the model: nothing is left out by it",
                    path.display()
                ))?;
            }
        }
        Ok(ignored)
    }

    /// What is left out where a signature is written or read: itself, too, and not the whole model.
    pub(super) fn ignored_beside(
        &self,
        signature: &Path,
        warnings: &mut Warnings,
    ) -> anyhow::Result<Ignored> {
        let mut ignored = self.ignored(warnings)?;
        anyhow::ensure!(
            !ignored.hides_everything(),
            "--ignore-paths leaves out the whole model: a signature without it would fit any other"
        );
        self.ignore(&mut ignored, signature)?;
        anyhow::ensure!(
            !ignored.hides_everything(),
            "--signature {} is the model itself",
            signature.display()
        );
        Ok(ignored)
    }

    fn ignore(&self, ignored: &mut Ignored, path: &Path) -> anyhow::Result<bool> {
        ignored
            .add(&self.model, path)
            .with_context(|| format!("{} cannot be resolved", path.display()))
    }
}

/// Says what a manifest of these files does not cover.
pub(super) fn warn_of_gaps(
    listing: &Listing,
    method: Method,
    warnings: &mut Warnings,
) -> anyhow::Result<()> {
    if listing.files.is_empty() {
        warnings.warn("there is no file in the model, or all of them are left out".to_owned())?;
    }
    let linked = &listing.linked_directories;
    if !linked.is_empty() {
        warnings.warn(format!(
            "what lies behind symlinks to directories is not covered: {}",
            few(linked)
        ))?;
    }
    if method.shard_bytes().is_some() {
        let empty = listing.files.iter().filter(|file| file.size == 0);
        let empty: Vec<_> = empty.map(|file| file.name.to_string()).collect();
        if !empty.is_empty() {
            warnings.warn(format!(
                "empty files have no shards, and are not covered: {}",
                few(&empty)
            ))?;
        }
    }
    Ok(())
}

/// A meter for hashing these files.
pub(super) fn meter(listing: &Listing) -> Meter {
    let total = listing
        .files
        .iter()
        .fold(0_u64, |sum, file| sum.saturating_add(file.size));
    Meter::new(total)
}

/// Hashes a model that nothing was said about yet.
pub(super) fn hash(
    model: &Model,
    ignored: &Ignored,
    method: Method,
    warnings: &mut Warnings,
) -> anyhow::Result<Manifest> {
    let listing = model.walk(ignored)?;
    warn_of_gaps(&listing, method, warnings)?;
    let meter = meter(&listing);
    Ok(model::hash(model, &listing, method, &|bytes| {
        meter.add(bytes);
    })?)
}
