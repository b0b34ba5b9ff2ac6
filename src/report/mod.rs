//! Logs, watches, findings and passes as people and programs see them: one description of each.
//!
//! The strings of a description are raw. The code that writes a medium escapes them: `text` for a terminal and the
//! plain part of a mail, `html` for its other part, JSON by its encoding.

pub mod advice;
#[cfg(feature = "web")]
mod coverage;
#[cfg(feature = "web")]
pub mod difference;
mod exposition;
pub mod finding;
#[cfg(feature = "web")]
mod headline;
pub mod html;
pub mod log;
mod metrics;
pub mod page;
mod pass;
mod registration;
mod status;
pub mod text;

pub use crate::outcome::{CONTRACT, Outcome};
#[cfg(feature = "web")]
pub use coverage::Coverage;
#[cfg(feature = "web")]
pub use headline::Headline;
pub use metrics::{LastPass, Metrics};
pub use pass::{PassResult, PassSummary, unread};
#[cfg(feature = "web")]
pub use registration::RegistrationJson;
pub use registration::registration_json;
pub use status::{
    AlertStatus, DaemonStatus, FindingStatus, NotFollowedStatus, Status, TrustStatus, WatchStatus,
};

use crate::escape;

/// A time to the second, for people.
pub fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A text of a log in a column of this width: escaped, cut, padded.
pub fn cell(text: &str, width: usize) -> String {
    let shown = escape::terminal(&escape::truncate(text, width)).into_owned();
    format!("{shown:<width$}")
}
