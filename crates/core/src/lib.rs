//! What modelwatch decides with: it takes bytes and values, `now` among them, and returns values.
//!
//! `docs/architecture.md` describes these modules as the bottom layer. No crate for a network, a database or the files of
//! the program is among the dependencies, so the compiler refuses their use; `tests/architecture` refuses what the standard
//! library has of them.

#![forbid(unsafe_code)]

pub mod codec;
pub mod entry;
pub mod escape;
pub mod expect;
pub mod finding;
pub mod identity;
pub mod judge;
pub mod log;
pub mod moment;
pub mod watch;
