//! Signing without a key of one's own: what is sent to the services of an instance, and what must hold of their answers.
//!
//! The steps, of which the requests between them are the caller's:
//!
//! 1. [`EphemeralKey::new`], and its [`request`](EphemeralKey::request) to the certificate authority;
//! 2. [`Certificate::accept`]: the answer has a certificate for that key that verifiers will accept;
//! 3. [`Draft::sign`]: the payload is signed; the key is dropped;
//! 4. timestamps over [`Draft::signature`], and entries of logs: [`LogRequest`] and its answers;
//! 5. [`Draft::finish`]: the bundle, which has passed the same verification as every other bundle.
//!
//! A draft can be written to a file after each of the last two steps ([`Draft::to_json`]) and read again.

mod accept;
mod certificate;
mod draft;
mod entry;
mod key;

pub use certificate::Certificate;
pub use draft::{Draft, DraftError, Finished};
pub use entry::{AnswerError, LogRequest};
pub use key::{EphemeralKey, KeyFailure};
