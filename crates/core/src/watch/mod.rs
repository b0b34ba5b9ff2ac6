//! Watches: which signings to report, and which of them are normal.
//!
//! A [`Watch`] is a set of conditions over a [`Signer`](crate::identity::Signer). All watches are compiled once into
//! [`Watches`], whose cost for a signing hardly depends on their number: each watch is indexed under the value that it
//! shares with the fewest others, and only watches whose value occurs are compared in full.
//!
//! The module is pure: it reads no file and no clock, and its input is parsed before.

mod beginnings;
mod certificate;
mod compiled;
mod conditions;
mod definition;
mod doubts;
mod explain;
mod forms;
mod glob;
mod index_key;
mod issued;
mod key;
mod language;
mod meant;
mod part;
mod pattern;
mod provider;
mod samples;
mod severity;
mod subject;
mod suggest;
mod suggest_meant;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod unsatisfiable;
mod uri;
#[cfg(feature = "web")]
mod words;

pub use compiled::{Match, WatchError, Watches};
pub use conditions::Conditions;
pub use definition::Watch;
pub use doubts::{Doubt, Set};
pub use explain::{Checked, Explanation, explain};
pub use forms::Forms;
pub use glob::Glob;
pub use key::{HoldRule, WatchKey, WatchSet};
pub use meant::{Meant, read as read_meant};
pub use pattern::{PatternError, SanRegex};
pub use samples::{Sample, Samples, samples};
pub use severity::{Severity, UnknownSeverity};
pub use subject::other_forms;
pub use suggest::quoted as toml_string;
pub use suggest::{SuggestError, several, suggest, suggest_all, without_authorities};
pub use suggest_meant::suggest_meant;
#[cfg(feature = "web")]
pub use words::Described;
