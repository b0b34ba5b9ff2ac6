//! What is signed: an in-toto statement that holds the [manifest](Manifest) of a model.
//!
//! A statement is written as the reference implementation writes it ([`Statement::to_json`]). It is never written anew to
//! be verified: a signature is over the bytes that were received, and they are read by [`Statement::parse`].
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

/// What version 1.0 of the format calls itself: since release 0.3 of the reference.
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
}

/// The version of the format that a statement has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// [`PREDICATE_TYPE_V0_2`].
    V0_2,
    /// [`PREDICATE_TYPE`].
    V1_0,
}

/// A model without a name: the root directory of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the model has no name to be signed under")]
pub struct NoName;

impl Statement {
    /// A statement in the current version of the format.
    ///
    /// # Errors
    ///
    /// The name is empty: protobuf's JSON omits what is empty, and no verifier accepts a subject without a name.
    pub fn new(
        name: &str,
        manifest: Manifest,
        allow_symlinks: bool,
        mut ignored_paths: Vec<String>,
    ) -> Result<Self, NoName> {
        if name.is_empty() {
            return Err(NoName);
        }
        ignored_paths.sort_unstable();
        ignored_paths.dedup();
        Ok(Self {
            name: Some(name.to_owned()),
            manifest,
            allow_symlinks,
            ignored_paths,
            version: Version::V1_0,
        })
    }

    /// Which version of the format it was read from.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The root digest of the manifest.
    pub fn root(&self) -> Digest {
        self.manifest.root()
    }
}
