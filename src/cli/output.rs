//! What commands print, and their exit codes.

#[cfg(unix)]
mod of_configuration;

use std::io::{self, Write};
use std::process::ExitCode;

use crate::escape;
use crate::outcome;
pub(super) use crate::outcome::{Mistake, Outcome};
#[cfg(unix)]
pub(super) use {crate::report::time, of_configuration::warn};

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Clean => 0,
            Outcome::No => 1,
            Outcome::Wrong => 2,
            Outcome::Unanswered => 3,
        })
    }
}

/// The answer is no: exit 1.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) String);

/// Prints why a command failed, and finds the exit code.
pub(super) fn fail(error: &anyhow::Error) -> Outcome {
    if is_broken_pipe(error) {
        // The reader of the output has seen enough.
        return Outcome::Clean;
    }
    #[cfg(unix)]
    if let Some(outcome) = of_configuration::fail(error) {
        return outcome;
    }
    let mut causes = causes(error);
    if error.is::<StdoutError>() {
        causes.insert_str(0, "standard output cannot be written: ");
    }
    let causes = escape::without_userinfo(&causes);
    let _ = writeln!(io::stderr(), "error: {}", escape::terminal(&causes));
    if error.is::<Refused>() {
        Outcome::No
    } else if is_mistake(error) {
        Outcome::Wrong
    } else {
        Outcome::Unanswered
    }
}

/// Whether the command line, the configuration or a file that it names is wrong.
pub(super) fn is_mistake(error: &anyhow::Error) -> bool {
    #[cfg(unix)]
    if of_configuration::is_mistake(error) {
        return true;
    }
    error.is::<Mistake>()
}

/// An error with all its causes, not escaped.
pub(super) fn causes(error: &anyhow::Error) -> String {
    outcome::causes(error.as_ref())
}

pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| {
            let stdout = cause.downcast_ref().map(|StdoutError(error)| error);
            stdout.or_else(|| cause.downcast_ref::<io::Error>())
        })
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Standard output could not be written: a full disk behind a redirection.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct StdoutError(#[from] io::Error);

/// Standard output, buffered; what was written is flushed by [`Output::end`].
pub(super) struct Output(io::BufWriter<io::Stdout>);

impl Output {
    pub(super) fn new() -> Self {
        Self(io::BufWriter::new(io::stdout()))
    }

    /// One JSON value on one line, in ASCII.
    pub(super) fn json(&mut self, value: &impl serde::Serialize) -> anyhow::Result<()> {
        let line = escape::json(value).map_err(|e| StdoutError(e.into()))?;
        self.line(&line)?;
        Ok(())
    }

    /// A line of text; text from a log must have been escaped.
    pub(super) fn line(&mut self, line: &str) -> anyhow::Result<()> {
        writeln!(self.0, "{line}").map_err(StdoutError)?;
        Ok(())
    }

    /// Several of them.
    pub(super) fn lines(&mut self, lines: &[String]) -> anyhow::Result<()> {
        lines.iter().try_for_each(|line| self.line(line))
    }

    pub(super) fn end(mut self) -> anyhow::Result<()> {
        self.0.flush().map_err(StdoutError)?;
        Ok(())
    }
}
