//! The laws of `Store`, as claims about any of its implementations; and what SQLite adds to them.
//!
//! All but `files` speak to `dyn Store` only: another database runs them by another `ScratchStore::open`.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod alerts;
mod coverage;
mod disputes;
mod expectations;
mod files;
mod findings;
mod health;
mod lookups;
mod pass_history;
mod plans;
mod positions;
mod scratch;
