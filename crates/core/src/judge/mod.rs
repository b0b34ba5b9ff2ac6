//! Turns a match into a finding: its verdict, its severity, and one sentence for a person.
//!
//! All functions are pure: they depend on the leaf, the rules and `now`, and return values.

mod again;
mod assessments;
mod context;
mod rules;
mod signer;
mod signing;
mod unreadable;

pub use context::{Judge, Payload, Place, extensions};
pub use rules::Rules;
pub use unreadable::{Hidden, reason};
