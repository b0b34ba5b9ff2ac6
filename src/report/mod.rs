//! What people and programs are shown.

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
