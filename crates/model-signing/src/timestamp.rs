//! Timestamps by RFC 3161: proof by an authority that a signature existed at a time.
//!
//! A timestamp in a signature file is over the bytes of the signature. Anybody can run an authority, so a timestamp counts
//! only if its authority is one that the verifier trusts ([`Authorities`]); certificates that a token carries help to find
//! the way to such a one and are trusted for nothing else.

mod attach;
mod authority;
pub(crate) mod der;
mod error;
mod request;
mod signer;
mod token;
mod verified_path;

pub use attach::attach;
pub use authority::{Authorities, Authority, Stamped};
pub use error::TimestampError;
pub use request::Request;
#[cfg(feature = "sigstore")]
pub(crate) use token::Token;
pub use token::{MAX_TIMESTAMPS, MAX_TOKEN_BYTES};
