//! The model on the command line: what it is, what is left out of it, how it is hashed.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use model_signing::hash::Algorithm;
use model_signing::manifest::{Manifest, Method};
use model_signing::model;
use model_signing::walk::{DOWNLOAD_CACHE, Ignored, Inside, Listing, Model, has_pattern};

use super::files::path;
use super::messages::{Warnings, few};
use super::progress::Meter;
use crate::cli::output::Mistake;

/// Which files.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct TreeArgs {
    /// The model: a directory, or a single file
    #[arg(value_name = "MODEL_PATH", required = true, value_parser = path())]
    model: Option<PathBuf>,

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

/// How they are hashed, where no signature records it.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct HashingArgs {
    /// The hash function: sha256, blake2b or blake3. Python's command line verifies sha256 only
    #[arg(long, value_name = "NAME", default_value = "sha256", value_parser = algorithm)]
    hash: Algorithm,

    /// Hash files in shards of this many bytes, several at a time. Python's model_signing verifies
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
    /// The path of the model; a command that takes a manifest in its place has checked that there is none.
    fn model(&self) -> &Path {
        self.model.as_deref().unwrap_or(Path::new(""))
    }

    /// Opens the model; symlinks are followed if the option or `recorded`, the policy of the signature, allows them.
    pub(super) fn open(&self, recorded: bool) -> anyhow::Result<Model> {
        Ok(Model::open(self.model(), self.allow_symlinks || recorded)?)
    }

    pub(super) fn allows_symlinks(&self) -> bool {
        self.allow_symlinks
    }

    pub(super) fn ignores_git_paths(&self) -> bool {
        !self.no_ignore_git_paths
    }

    /// What is left out. A path that leaves out nothing is reported: a slip would not be noticed otherwise.
    pub(super) fn ignored(&self, warnings: &mut Warnings) -> anyhow::Result<Ignored> {
        let mut ignored = Ignored::none();
        if self.ignores_git_paths() {
            ignored.add_git_paths();
        }
        for path in &self.ignore_paths {
            let inside = self.ignore(&mut ignored, path)?;
            let shown = format!("--ignore-paths {}", path.display());
            let exists = inside.map_or_else(|| path.exists(), |inside| inside.exists);
            let is_pattern = inside.map_or_else(
                || has_pattern(path.as_os_str().as_encoded_bytes()) && !exists,
                |inside| inside.has_pattern,
            );
            anyhow::ensure!(
                !is_pattern,
                "{shown}: a path to leave out is not a pattern, and has none of the characters `*`, `?` and `[`; \
                 give the option once for each file or directory"
            );
            anyhow::ensure!(
                exists || !shown.contains(','),
                "{shown} does not exist; a comma does not separate paths: give the option once for each"
            );
            match inside {
                Some(Inside { exists: true, .. }) => {}
                Some(_) => {
                    warnings.warn(format!("{shown} does not exist: nothing is left out by it"))?;
                }
                None => {
                    warnings.warn(format!(
                        "{shown} is not in the model: nothing is left out by it"
                    ))?;
                }
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
        let inside = self.ignore(&mut ignored, signature)?;
        anyhow::ensure!(
            !inside.is_some_and(|inside| inside.has_pattern),
            "--signature {}: the path of a signature in the model is recorded in it, and must have none of the \
             characters `*`, `?` and `[`",
            signature.display()
        );
        anyhow::ensure!(
            !ignored.hides_everything(),
            "--signature {} is the model itself",
            signature.display()
        );
        Ok(ignored)
    }

    /// Leaves out a path, if it is in the model.
    pub(super) fn ignore(
        &self,
        ignored: &mut Ignored,
        path: &Path,
    ) -> anyhow::Result<Option<Inside>> {
        ignored
            .add(self.model(), path)
            .with_context(|| format!("{} cannot be resolved", path.display()))
    }
}

/// Warns of what a manifest of these files does not cover, and of what is signed by mistake in most cases.
pub(super) fn warn_of_gaps(
    model: &Model,
    listing: &Listing,
    method: Method,
    warnings: &mut Warnings,
) -> anyhow::Result<()> {
    if listing.files.is_empty() {
        warnings.warn("there is no file in the model, or all of them are left out".to_owned())?;
    }
    if !listing.leading_outside.is_empty() {
        warnings.warn(format!(
            "symlinks lead out of the model: {}",
            few(&listing.leading_outside)
        ))?;
    }
    let pointers = listing.lfs_pointers(model)?;
    if !pointers.is_empty() {
        warnings.warn(format!(
            "pointer files of Git LFS are in the model, and not the files that they represent (`git lfs pull` downloads them): {}",
            few(&pointers)
        ))?;
    }
    let is_of_download = |name: &str| {
        let rest = name.strip_prefix(DOWNLOAD_CACHE);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    if listing.files.iter().any(|file| is_of_download(&file.name)) {
        warnings.warn(format!(
            "{DOWNLOAD_CACHE} is in the model: a download has left it there, and it differs in each copy; \
             `--ignore-paths {}` leaves it out",
            model.path().join(DOWNLOAD_CACHE).display()
        ))?;
    }
    let linked = &listing.linked_directories;
    if !linked.is_empty() {
        warnings.warn(format!(
            "the content behind symlinks to directories is not covered: {}",
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

/// Refuses a model with a file in it that an earlier version left there when it was killed.
pub(super) fn refuse_left_over(
    model: &Model,
    listing: &Listing,
    signature: &Path,
    is_signed: impl Fn(&str) -> bool,
) -> anyhow::Result<()> {
    let signature = signature.file_name().and_then(|name| name.to_str());
    let mut left_over = listing.left_over(signature);
    left_over.retain(|name| !is_signed(name));
    let Some(first) = left_over.first() else {
        return Ok(());
    };
    let quoted = |name: &str| {
        let path = model.path().join(name).display().to_string();
        format!("'{}'", path.replace('\'', r"'\''"))
    };
    let paths: Vec<_> = left_over.iter().map(|name| quoted(name)).collect();
    anyhow::bail!(
        "{} was left in the model by an earlier version of modelwatch that was interrupted while it wrote a \
         signature; remove it: rm -- {}",
        quoted(first),
        paths.join(" ")
    )
}

/// A meter for hashing these files.
pub(super) fn meter(listing: &Listing) -> Meter {
    Meter::new(listing.bytes())
}

/// Hashes a model of which no signature is given.
pub(super) fn hash(model: &Model, listing: &Listing, method: Method) -> anyhow::Result<Manifest> {
    let meter = meter(listing);
    Ok(model::hash(model, listing, method, &|bytes| {
        meter.add(bytes);
    })?)
}
