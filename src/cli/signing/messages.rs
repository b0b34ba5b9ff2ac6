//! Messages for the terminal, warnings and the output of the signing commands.

use std::io::{self, Write as _};

use anyhow::Context as _;

use crate::cli::output::{self, Output};
use crate::escape;

/// A message for the terminal.
///
/// It quotes the names of files and other foreign text, with escapes of its own. Those are not escaped once
/// more; what should have been quoted and was not is harmless all the same.
pub(super) fn shown(message: &str) -> String {
    escape::terminal(message).replace(r"\\", r"\")
}

/// Writes a line to standard error, which may be closed.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", shown(line));
}

/// Writes to standard output.
///
/// If it is closed, only the exit code contains the answer.
pub(super) fn print(write: impl FnOnce(&mut Output) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut output = Output::new();
    match write(&mut output).and_then(|()| output.end()) {
        Err(error) if output::is_broken_pipe(&error) => Ok(()),
        written => written.context("standard output cannot be written"),
    }
}

/// Warnings go to stderr as they arise, and into a report at the end. In strict mode each is the end.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    pub(super) strict: bool,
    pub(super) list: Vec<String>,
}

impl Warnings {
    pub(super) fn new(strict: bool) -> Self {
        Self {
            strict,
            list: Vec::new(),
        }
    }

    pub(super) fn warn(&mut self, warning: String) -> anyhow::Result<()> {
        anyhow::ensure!(!self.strict, "{warning} (--strict)");
        let _ = writeln!(io::stderr(), "warning: {}", shown(&warning));
        self.list.push(warning);
        Ok(())
    }
}

/// At most ten names, for a message.
pub(super) fn few<T: std::fmt::Debug>(names: &[T]) -> String {
    let shown: Vec<_> = names
        .iter()
        .take(10)
        .map(|name| format!("{name:?}"))
        .collect();
    let more = names.len().saturating_sub(shown.len());
    if more == 0 {
        shown.join(", ")
    } else {
        format!("{} and {more} more", shown.join(", "))
    }
}
