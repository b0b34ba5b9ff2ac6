//! From a leaf's bytes to who signed what.
//!
//! A leaf may contain anything, so parsing never silently returns nothing: it returns signings, or errors, or both. A
//! signing is what every verifier reads from the same place. Verifiers differ on unusual input: a broken field, a
//! member with its name in another case, a second PEM block. Such an entry is unreadable, or [has
//! more](Entry::has_more) than was parsed, and [`search()`] finds every certificate and key that any of them could find
//! in it: a signing must not escape a watch because it is logged in an unusual form. In an entry of an unknown kind,
//! the certificates and keys in the usual form are its signings.

mod accepted;
mod canonical;
mod ct;
mod digest;
mod error;
mod kind;
mod material;
mod object;
mod parse;
mod pem;
mod reading;
mod search;
mod signing;
mod statement;
#[cfg(test)]
mod tests;
mod v1;
mod v2;

pub use accepted::accepted_at;
pub use ct::{logged_at, parse_certificate};
pub use digest::{Digest, HashAlgorithm};
pub use error::{EntryError, Unreadable};
pub use kind::Kind;
pub use parse::parse;
pub use search::{Found, search};
pub use signing::{Entry, MAX_LEAF_BYTES, MAX_SIGNINGS, Signing};
pub use statement::{Statement, statement_digests};
