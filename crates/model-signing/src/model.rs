//! Hashing a model on disk, and comparing it with what was signed.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use model_signing::hash::Algorithm;
//! use model_signing::manifest::Method;
//! use model_signing::model;
//! use model_signing::walk::{Ignored, Model};
//!
//! let model = Model::open(Path::new("falcon-7b"), false)?;
//! let mut ignored = Ignored::none();
//! ignored.add_git_paths();
//! let listing = model.walk(&ignored)?;
//! let manifest = model::hash(&model, &listing, Method::files(Algorithm::Sha256), &|_| ())?;
//! println!("sha256:{}", manifest.root());
//! # Ok::<(), model_signing::walk::WalkError>(())
//! ```

use std::collections::BTreeSet;

use crate::manifest::{Differences, Method, SINGLE_FILE};
use crate::statement::Statement;
use crate::walk::{Ignored, Listing, Model, WalkError};

mod hashing;
mod several;

pub use hashing::hash;
pub(crate) use hashing::stable;
pub use several::hash_by_each;

/// The options of a comparison.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What the verifier leaves out; what the signer left out is added to it.
    pub ignored: Ignored,
    /// Whether files that were not signed are passed over.
    pub ignore_unsigned: bool,
}

/// Why a model is not the one that was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MismatchError {
    /// The model cannot be listed or read.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// Files are missing, were not signed, or have another content.
    #[error("the model is not what was signed: {0}")]
    Differs(Differences),
    /// The signature leaves out the whole model: it would fit any.
    #[error("the signature leaves out everything: its ignore_paths name the model itself")]
    HidesEverything,
    /// The signature has digests that a list of digests by another method cannot be compared with.
    #[error("the signature has digests by {method}, and an OCI manifest has sha256 of whole files")]
    Method {
        /// How the signer hashed.
        method: Method,
    },
}

/// Compares the model on disk with a statement, whose signature was verified before.
///
/// The files are hashed by the statement's method. Symlinks are followed if the [`Model`] was opened so: the caller
/// opens it by the statement's policy. `progress` gets the number of bytes that were hashed since it was last called.
/// The listing is returned for the warnings that it gives cause for.
///
/// # Errors
///
/// [`MismatchError`]: the answer is no, or there is no answer.
pub fn verify(
    model: &Model,
    statement: &Statement,
    options: &Options,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Listing, MismatchError> {
    let listing = list(model, statement, options)?;
    compare(model, &listing, statement, progress)?;
    Ok(listing)
}

/// The second half of [`verify`]: hashes what was listed.
///
/// # Errors
///
/// As [`verify`]'s.
pub fn compare(
    model: &Model,
    listing: &Listing,
    statement: &Statement,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), MismatchError> {
    let found = hash(model, listing, statement.manifest.method(), progress)?;
    let differences = statement.manifest.compare(&found);
    if differences.is_empty() {
        Ok(())
    } else {
        Err(MismatchError::Differs(differences))
    }
}

/// The first half of [`verify`]: what is to be hashed.
///
/// # Errors
///
/// As [`verify`]'s, as far as no file has to be read for it.
pub fn list(
    model: &Model,
    statement: &Statement,
    options: &Options,
) -> Result<Listing, MismatchError> {
    let mut ignored = options.ignored.clone();
    ignored.add_recorded(statement.ignored_paths.iter().map(String::as_str));
    if ignored.hides_everything() {
        return Err(MismatchError::HidesEverything);
    }
    // Before the specification, the file of a single-file model had no name of its own.
    if model.is_file()
        && statement
            .manifest
            .paths()
            .all(|path| &**path == SINGLE_FILE)
    {
        let mut listing = model.walk(&ignored)?;
        for file in &mut listing.files {
            file.name = SINGLE_FILE.into();
        }
        return Ok(listing);
    }
    if !options.ignore_unsigned {
        return Ok(model.walk(&ignored)?);
    }
    let names = statement.manifest.paths();
    Ok(model.find(names.filter(|name| !ignored.covers(name)))?)
}

/// As [`compare`], without reading a file: only the names are compared. Of a file in shards it is the name of the file, and
/// an empty one is passed over: it has no shard.
///
/// # Errors
///
/// [`MismatchError::Differs`].
pub fn compare_names(listing: &Listing, statement: &Statement) -> Result<(), MismatchError> {
    let has_shards = statement.manifest.method().shard_bytes().is_some();
    let signed: BTreeSet<&str> = statement.manifest.paths().map(|path| &**path).collect();
    let files = listing.files.iter();
    let files = files.filter(|file| file.size > 0 || !has_shards || signed.contains(&*file.name));
    let there: BTreeSet<&str> = files.map(|file| &*file.name).collect();
    let names = |one: &BTreeSet<&str>, other: &BTreeSet<&str>| -> Vec<String> {
        one.difference(other)
            .map(|name| (*name).to_owned())
            .collect()
    };
    let differences = Differences {
        missing: names(&signed, &there),
        extra: names(&there, &signed),
        changed: Vec::new(),
    };
    if differences.is_empty() {
        Ok(())
    } else {
        Err(MismatchError::Differs(differences))
    }
}

#[cfg(test)]
mod tests;
