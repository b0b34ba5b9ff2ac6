//! A model as the manifest of an OCI image: signed and verified without its files.

use std::path::PathBuf;

use anyhow::Context as _;
use model_signing::hash::Algorithm;
use model_signing::manifest::{Manifest, Method};
use model_signing::oci::{ImageManifest, MAX_MANIFEST_BYTES};
use model_signing::walk::Ignored;

use super::files::{path, read};
use super::messages::{Warnings, few};
use super::tree::TreeArgs;
use crate::cli::output::Mistake;

/// The manifest, in place of a model.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct OciArgs {
    /// The manifest of an OCI image (JSON) in place of a model: its layers are the files, by the
    /// annotation org.opencontainers.image.title or org.cncf.model.filepath
    #[arg(long, value_name = "FILE", value_parser = path(), conflicts_with_all = ["model", "ignore_paths", "allow_symlinks"])]
    oci_manifest: Option<PathBuf>,
}

/// A manifest that was read.
pub(super) struct Image {
    pub(super) manifest: ImageManifest,
    path: PathBuf,
}

impl OciArgs {
    /// Reads the manifest, if there is one.
    pub(super) fn load(&self) -> anyhow::Result<Option<Image>> {
        let Some(path) = &self.oci_manifest else {
            return Ok(None);
        };
        let json = read(path, MAX_MANIFEST_BYTES)?;
        let manifest = ImageManifest::parse(&json)
            .with_context(|| format!("--oci-manifest {}", path.display()))?;
        Ok(Some(Image {
            manifest,
            path: path.clone(),
        }))
    }

    /// The file with the manifest.
    pub(super) const fn path(&self) -> Option<&PathBuf> {
        self.oci_manifest.as_ref()
    }
}

impl Image {
    /// The name of the model in its signature: that of the file with the manifest, without its extension.
    pub(super) fn name(&self) -> anyhow::Result<&str> {
        let name = self.path.file_stem().and_then(|stem| stem.to_str());
        name.with_context(|| {
            format!(
                "the name of {} is not UTF-8, so no signature can hold it",
                self.path.display()
            )
        })
    }
}

/// What is left out of an image: the files of git at its top, as of a model.
pub(super) fn ignored(tree: &TreeArgs) -> Ignored {
    let mut ignored = Ignored::none();
    if tree.ignores_git_paths() {
        ignored.add_git_paths();
    }
    ignored
}

/// Warns of what of the image a signature of these files does not cover.
pub(super) fn warn_of_gaps(
    image: &Image,
    signed: &Manifest,
    warnings: &mut Warnings,
) -> anyhow::Result<()> {
    let not_signed = image.manifest.not_signed(signed);
    if !not_signed.layers.is_empty() {
        warnings.warn(format!(
            "layers of the image are not signed: {}",
            few(&not_signed.layers)
        ))?;
    }
    if not_signed.config {
        warnings.warn(
            "the configuration of the image is not signed, and can be replaced: use only its layers".to_owned(),
        )?;
    }
    Ok(())
}

/// That the digests in a manifest are those that the signature is to have.
pub(super) fn check_method(method: Method) -> anyhow::Result<()> {
    if method == Method::files(Algorithm::Sha256) {
        return Ok(());
    }
    Err(Mistake(
        "--oci-manifest: the manifest of an image has SHA-256 of whole files: leave out --hash and --shard-size"
            .to_owned(),
    )
    .into())
}
