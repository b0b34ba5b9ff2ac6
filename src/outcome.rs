//! The result of a command: its exit code, and why it failed.

use std::error::Error;

/// The version of the machine-readable forms that scripts rely on.
pub const CONTRACT: u32 = 1;

/// The result of a command. The exit codes are 0 to 3, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Yes, clean, done.
    Clean,
    /// No: a security finding is open, or the answer to the question is no.
    No,
    /// The command or its configuration is wrong.
    Wrong,
    /// The question could not be answered, or the monitor is not healthy.
    Unanswered,
}

/// A mistake of the operator: in a file that the configuration names, in a key that contradicts the trusted root, on
/// the command line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Mistake(pub String);

/// An error with all its causes, not escaped. The message of a `reqwest::Error` ends with the URL and its query: remove that first
/// (`without_url`).
pub fn causes(error: &dyn Error) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        let cause = error.to_string();
        // Many errors repeat their cause in their own message.
        if text.ends_with(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}
