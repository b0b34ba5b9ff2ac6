//! Answers who signed what, and which entries the answer is about: "nothing found" means something only for entries that were
//! compared.
//!
//! A [`Question`] is a set of conditions. `matcher` compares signings with it, by the code that compares them with watches.
//! `findings` answers from the store, which holds the signings of watched identities: `pages` reads them part by part, by the values
//! in `keys`.
//! `coverage` computes what of the logs the answer is about; it is pure. `scan` reads the followed logs again: `reread` reads one tree and proves it, `leaves` compares
//! its leaves, `suspect` looks for what only some readers find, and `saved` keeps what an interrupted scan has done.
//! `remote` asks search indexes, and proves each entry that they name.

mod answer;
mod coverage;
mod error;
mod findings;
mod held;
mod keys;
mod leaves;
mod line;
mod matcher;
mod model;
mod pages;
mod question;
mod remote;
mod reread;
mod saved;
mod scan;
mod suspect;
mod trees;
mod world;
pub mod written;

pub use answer::{Answer, Ended, from_findings};
pub use coverage::{Coverage, Why, WhyKind};
pub use error::LookupError;
pub use keys::Position;
pub use line::{LogCoverage, Matched, Signing, Unproven};
pub use model::{ModelError, roots};
pub use pages::{Item, Pages};
pub use question::{BundleIs, CertificateIs, DigestIs, Question, Repository};
pub use remote::{Remote, remote};
pub use scan::{Estimate, Scan, scan};
pub use world::World;
