//! The laws of the store's traits, as claims about any of their implementations; and what SQLite adds to them.
//!
//! All except `files` use only `dyn Store`: another database needs only another `ScratchStore::open`.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod alerts;
mod authorities;
mod backup;
mod bundle_checkpoints;
mod channels;
mod conditions;
mod covered;
mod expectations;
mod faults;
mod files;
mod findings;
mod handling;
mod holds;
mod kept;
mod logs;
mod lookups;
mod overview;
mod passes;
mod plans;
mod positions;
mod recorded;
mod register_one;
mod registered_entries;
mod related;
mod rescans;
mod scratch;
mod searches;
mod seen_since;
mod signings;
mod sources;
mod times;
mod upgrade;
mod values;
