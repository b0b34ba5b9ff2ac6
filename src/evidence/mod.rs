//! The evidence of one entry of a log, as a directory of files that a third party can check without this program's database
//! and without a network.
//!
//! [`Package`] joins what proves an entry, and writes the directory. [`check()`] verifies one against trust that comes from
//! outside of it. The formats are described for third parties in `docs/evidence.md`; `docs/verify_evidence.py` checks the same
//! with other code.

mod anchor;
mod check;
mod directory;
mod facts;
mod fetch;
mod format;
mod package;
mod readme;

pub use anchor::Anchor;
pub use check::{Checked, Outcome, Refused, check};
pub use directory::{DirectoryError, read, write};
pub use fetch::{FetchError, Proof, fetch};
pub use format::{Files, Inclusion, MAX_FILE_BYTES, MalformedManifest, Manifest, SIGNATURE};
pub use package::{Package, PackageError};
