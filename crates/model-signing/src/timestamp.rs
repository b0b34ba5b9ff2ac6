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

/// How far a timestamp may be ahead of this machine's clock, in seconds.
const CLOCK_SKEW_SECONDS: i64 = 300;

/// Whether a time is after the present, both in seconds of Unix time, and not only because of a clock that is a little slow.
pub(crate) const fn is_ahead(time: i64, now: i64) -> bool {
    time > now.saturating_add(CLOCK_SKEW_SECONDS)
}
