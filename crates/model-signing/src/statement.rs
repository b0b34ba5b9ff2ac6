//! What is signed: an in-toto statement that holds the [manifest](Manifest) of a model.
//!
//! A statement is written as the reference implementation writes it ([`Statement::to_json`]). To verify one, the
//! received bytes are read by [`Statement::parse`] and never written again: the signature is over these bytes.
//!
//! ```
//! use model_signing::hash::Algorithm;
//! use model_signing::manifest::{Manifest, Method, Resource};
//! use model_signing::statement::Statement;
//!
//! let weights = Resource {
//!     path: "weights.bin".into(),
//!     shard: None,
//!     digest: Algorithm::Sha256.digest(b"0.1 0.2 0.3"),
//! };
//! let manifest = Manifest::new(Method::files(Algorithm::Sha256), vec![weights])?;
//! let statement = Statement::new("falcon", manifest, false, vec![".git".to_owned()])?;
//!
//! let payload = statement.to_json();
//! assert_eq!(Statement::parse(payload.as_bytes())?, statement);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::hash::Digest;
use crate::manifest::Manifest;

mod error;
mod read;
mod write;

pub use error::StatementError;

/// The type of every statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// What version 1.0 of the format calls itself: since release 0.3 of the reference. Later minor versions end in `v1.1` and
/// so on: they only add fields, and a verifier of version 1 reads them.
pub const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";

/// What release 0.2 of the reference wrote: the files are the subjects of the statement.
pub const PREDICATE_TYPE_V0_2: &str = "https://model_signing/Digests/v0.1";

/// Most bytes of one statement: 512 MiB. With 1,000,000 files the reference writes 220 MB.
pub const MAX_STATEMENT_BYTES: usize = 512 << 20;

/// Most ignored paths of one statement: each costs the verifier memory, and the reference's signers name four and a few.
pub const MAX_IGNORED_PATHS: usize = 65_536;

/// The signed description of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What the signer called the model. Nothing depends on it; `None` in the old format, which has no such name.
    pub name: Option<String>,
    /// Every file, with the method that made the digests.
    pub manifest: Manifest,
    /// Whether the signer followed symlinks to files.
    pub allow_symlinks: bool,
    /// What the signer left out, relative to the model, sorted.
    pub ignored_paths: Vec<String>,
    version: Version,
    /// As it was signed: over the order of the statement, which may be that of the reference.
    root: Digest,
}

/// The version of the format that a statement has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// [`PREDICATE_TYPE_V0_2`].
    V0_2,
    /// [`PREDICATE_TYPE`], or a later minor version of it.
    V1 {
        /// The number after the point.
        minor: u32,
    },
}

/// Why there is no statement about a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSignable {
    /// A model without a name: the root directory of the machine.
    #[error("the model has no name to be signed under")]
    NoName,
    /// A model without any file, or with shards of empty files only: its signature would protect nothing.
    #[error(
        "there is nothing to sign: no file in the model, all of them left out, or, with shards, all of them empty"
    )]
    NoResources,
}

impl Statement {
    /// A statement in the current version of the format.
    ///
    /// # Errors
    ///
    /// The name or the manifest is empty: no verifier accepts either.
    pub fn new(
        name: &str,
        manifest: Manifest,
        allow_symlinks: bool,
        mut ignored_paths: Vec<String>,
    ) -> Result<Self, NotSignable> {
        if name.is_empty() {
            return Err(NotSignable::NoName);
        }
        if manifest.resources().is_empty() {
            return Err(NotSignable::NoResources);
        }
        ignored_paths.sort_unstable();
        ignored_paths.dedup();
        Ok(Self {
            name: Some(name.to_owned()),
            root: manifest.root(),
            manifest,
            allow_symlinks,
            ignored_paths,
            version: Version::V1 { minor: 0 },
        })
    }

    /// Which version of the format it was read from.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The root digest that was signed: over the order of the statement. [`Manifest::root`] and
    /// [`Manifest::root_path_order`] are those of the two orders that are in use.
    pub fn root(&self) -> Digest {
        self.root
    }
}
