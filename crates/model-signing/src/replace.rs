//! Writing a signature so that it is there whole or not at all, and so that nothing else ever appears in the model.
//!
//! Other programs list the model meanwhile: a temporary file in it would become part of what they sign, and would be
//! there for good if this program were killed.

mod error;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub use error::ReplaceError;
#[cfg(unix)]
pub use unix::Destination;
#[cfg(windows)]
pub use windows::Destination;
