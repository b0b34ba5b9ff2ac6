//! What every way of signing has in common: the model before and while it is hashed, the place of its signature, and the
//! report.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use model_signing::Destination;
use model_signing::manifest::{self, Manifest};
use model_signing::model;
use model_signing::sigstore::Verified;
use model_signing::statement::{NotSignable, Statement};
use model_signing::walk::{Listed, Listing, Model};
use serde_json::{Value, json};

use super::files::{is_same_file, is_standard, path};
use super::lifetime::Estimate;
use super::messages::Warnings;
use super::oci::{self, Image, OciArgs};
use super::registering::RegisterArgs;
use super::stamping::{self, StampingArgs};
use super::{keyless, tree};
use crate::cli::output::Mistake;

/// What every method takes.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(mut_arg("model", |model| model.required(false).required_unless_present("oci_manifest")))]
pub(in crate::cli) struct Common {
    #[command(flatten)]
    tree: tree::TreeArgs,

    #[command(flatten)]
    pub(super) oci: OciArgs,

    /// Where the signature is written; a file that is there is replaced. `-`: to standard output
    #[arg(long, value_name = "PATH", default_value = "model.sig", value_parser = path())]
    pub(super) signature: PathBuf,

    #[command(flatten)]
    hashing: tree::HashingArgs,

    #[command(flatten)]
    pub(super) stamping: StampingArgs,

    #[command(flatten)]
    pub(super) register: RegisterArgs,

    /// Sign nothing if there is a warning
    #[arg(long)]
    pub(super) strict: bool,

    /// Print a report as one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// What was signed.
pub(super) struct Signed {
    /// The statement, as a report has it.
    pub(super) statement: Value,
    /// Of a keyless signature: by whom, when, and where it is logged.
    pub(super) verified: Option<Verified>,
    /// The signature as it was written.
    pub(super) file: Vec<u8>,
}

/// A model before it is hashed.
pub(super) struct Hashing {
    files: Files,
    name: String,
    recorded: Vec<String>,
}

/// The files of a model.
enum Files {
    /// On the disk.
    Listed {
        model: Model,
        listing: Listing,
        method: manifest::Method,
    },
    /// In the manifest of an image, with their digests.
    Image(Manifest),
}

impl Hashing {
    /// How long hashing will take.
    pub(super) fn estimate(&self) -> Estimate {
        match &self.files {
            Files::Listed {
                listing, method, ..
            } => {
                let sizes: Vec<u64> = listing.files.iter().map(|file| file.size).collect();
                Estimate::measure(&sizes, *method)
            }
            Files::Image(manifest) => Estimate::measure(&[], manifest.method()),
        }
    }

    /// Hashes it. Answers the statement to be signed, and the statement as a report has it.
    pub(super) fn payload(self) -> anyhow::Result<(String, Value)> {
        let (manifest, is_following) = match self.files {
            Files::Listed {
                model,
                listing,
                method,
            } => {
                let manifest = tree::hash(&model, &listing, method)?;
                (manifest, model.allows_symlinks())
            }
            Files::Image(manifest) => (manifest, false),
        };
        let statement = Statement::new(&self.name, manifest, is_following, self.recorded)?;
        Ok((statement.to_json(), super::verify::signed(&statement)))
    }
}

/// Where a signature goes: a file, or standard output.
pub(super) struct Place(Option<Destination>);

impl Place {
    pub(super) fn write(self, file: &[u8]) -> anyhow::Result<()> {
        match self.0 {
            Some(destination) => Ok(destination.write(file)?),
            None => io::stdout()
                .write_all(file)
                .and_then(|()| io::stdout().flush())
                .context("standard output cannot be written"),
        }
    }
}

impl Common {
    /// Everything that can be checked before the model is hashed, which may take an hour.
    pub(super) fn prepare(&self, warnings: &mut Warnings) -> anyhow::Result<(Hashing, Place)> {
        if self.json && is_standard(&self.signature) {
            return Err(Mistake(
                "--json and --signature - both write to standard output: choose one".to_owned(),
            )
            .into());
        }
        let method = self.hashing.method()?;
        if let Some(image) = self.oci.load()? {
            oci::check_method(method)?;
            return self.prepare_image(&image, warnings);
        }
        let ignored = self.tree.ignored_beside(self.place(), warnings)?;
        let recorded = ignored.recorded().map_err(|path| {
            anyhow::anyhow!(
                "the path {path:?} to leave out is not UTF-8, so no signature can contain it"
            )
        })?;
        let model = self.tree.open(false)?;
        let name = model.name()?.to_owned();
        let destination = self.destination(model.path())?;
        let listing = model.walk(&ignored)?;
        let is_signed = |file: &Listed| method.shard_bytes().is_none() || file.size > 0;
        if !listing.files.iter().any(is_signed) {
            return Err(NotSignable::NoResources.into());
        }
        let left = stamping::incomplete(&self.signature);
        let mut files = listing.files.iter();
        anyhow::ensure!(
            !files.any(|file| is_same_file(&model.path().join(&*file.name), &left)),
            "{} is in the model, and would be signed: an earlier run left it; complete it with --resume, or remove it",
            left.display()
        );
        tree::refuse_left_over(&model, &listing, &self.signature, |_| false)?;
        tree::warn_of_gaps(&model, &listing, method, warnings)?;
        if let Some(destination) = &destination {
            destination.reserve(expected_bytes(&listing))?;
        }
        let hashing = Hashing {
            files: Files::Listed {
                model,
                listing,
                method,
            },
            name,
            recorded,
        };
        Ok((hashing, Place(destination)))
    }

    /// The same for the manifest of an image, which has the digests already.
    fn prepare_image(
        &self,
        image: &Image,
        warnings: &mut Warnings,
    ) -> anyhow::Result<(Hashing, Place)> {
        let ignored = oci::ignored(&self.tree);
        let manifest = image.manifest.manifest(&ignored)?;
        oci::warn_of_gaps(image, &manifest, warnings)?;
        let hashing = Hashing {
            files: Files::Image(manifest),
            name: image.name()?.to_owned(),
            recorded: ignored.recorded().unwrap_or_default(),
        };
        let destination = self.destination(Path::new(NO_MODEL))?;
        Ok((hashing, Place(destination)))
    }

    /// Where a completed signature goes, if it is of this model: of this name, with these files. Whether their content has
    /// changed since it was signed is found out when it is verified.
    pub(super) fn place_of(
        &self,
        statement: &Statement,
        warnings: &mut Warnings,
    ) -> anyhow::Result<Place> {
        let left = stamping::incomplete(&self.signature);
        let comparing = || format!("{} is of another model", left.display());
        if let Some(image) = self.oci.load()? {
            let options = model::Options {
                ignored: oci::ignored(&self.tree),
                ignore_unsigned: false,
            };
            let compared = image.manifest.compare(statement, &options);
            compared.with_context(comparing)?;
            return Ok(Place(self.destination(Path::new(NO_MODEL))?));
        }
        let mut ignored = self.tree.ignored_beside(self.place(), warnings)?;
        self.tree.ignore(&mut ignored, &left)?;
        let model = self.tree.open(statement.allow_symlinks)?;
        let name = model.name()?;
        let signed = statement.name.as_deref().unwrap_or_default();
        anyhow::ensure!(signed == name, "{}: {signed:?}, not {name:?}", comparing());
        let options = model::Options {
            ignored,
            ignore_unsigned: false,
        };
        let listing = model::list(&model, statement, &options).with_context(comparing)?;
        model::compare_names(&listing, statement).with_context(comparing)?;
        Ok(Place(self.destination(model.path())?))
    }

    /// Where the signature is a file, if it is one: the shell may have opened one in the model.
    fn place(&self) -> &Path {
        if is_standard(&self.signature) {
            Path::new("/dev/stdout")
        } else {
            &self.signature
        }
    }

    /// `None`: standard output.
    fn destination(&self, model: &Path) -> anyhow::Result<Option<Destination>> {
        if is_standard(&self.signature) {
            return Ok(None);
        }
        Ok(Some(Destination::prepare(&self.signature, model)?))
    }
}

/// In place of the model where there is none: no directory, so a signature is never in it.
const NO_MODEL: &str = "/dev/null";

/// About how long the signature of these files will be, at least.
fn expected_bytes(listing: &Listing) -> u64 {
    /// What one resource takes in JSON, without its name.
    const RESOURCE_BYTES: usize = 150;
    let names = listing.files.iter().map(|file| file.name.len());
    let json = names.fold(4096, |sum: usize, name| {
        sum.saturating_add(name + RESOURCE_BYTES)
    });
    // In base64.
    (json / 3 * 4) as u64
}

/// What is reported of a signing, or of why there is none. `registered` is how it was registered, if it should be.
pub(super) fn report(
    common: &Common,
    signed: &anyhow::Result<Signed>,
    registered: Option<&anyhow::Result<()>>,
    warnings: &Warnings,
) -> Value {
    let failed = signed.as_ref().err();
    let failed = failed.or_else(|| registered.and_then(|registered| registered.as_ref().err()));
    let error = failed.map(crate::cli::output::causes);
    let written: Option<&Path> = signed.is_ok().then_some(&common.signature);
    let signed = signed.as_ref().ok();
    let mut report = json!({
        "ok": error.is_none(),
        "error": error,
        "warnings": warnings.list,
        "signature": written.map(|path| path.display().to_string()),
        "signed": signed.map(|signed| &signed.statement),
    });
    if let Some(verified) = signed.and_then(|signed| signed.verified.as_ref()) {
        keyless::describe(verified, &mut report);
    }
    if let Some(registered) = registered {
        report["registered"] = registered.is_ok().into();
    }
    report
}
