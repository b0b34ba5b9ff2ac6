//! What commands print, and their exit codes.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::config::{ConfigError, Problems};
use crate::escape;
pub(super) use crate::report::{Outcome, time};
pub(super) use crate::service::Mistake;
use crate::service::{self, ServiceError};

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

/// Prints the warnings about a configuration.
pub(super) fn warn(warnings: &Problems) {
    // As one string: stderr has no buffer, and a warning has many parts.
    let warnings = warnings.to_string();
    // There is no other place to print them.
    let _ = write!(io::stderr(), "{warnings}");
}

/// Prints why a command failed, and finds the exit code.
pub(super) fn fail(error: &anyhow::Error) -> Outcome {
    if is_broken_pipe(error) {
        // The reader of the output has seen enough.
        return Outcome::Clean;
    }
    let of_service: Option<&ServiceError> = error.downcast_ref();
    let of_config = match of_service {
        Some(ServiceError::Config(problems)) => Some(problems),
        _ => error.downcast_ref(),
    };
    if let Some(problems) = of_config {
        let _ = match problems {
            // One line for each problem, already escaped.
            ConfigError::Wrong(problems) => write!(io::stderr(), "{problems}"),
            ConfigError::Unreadable { .. } => writeln!(
                io::stderr(),
                "error: the configuration {} (--config FILE or $MODELWATCH_CONFIG names another; `modelwatch init` writes one)",
                escape::terminal(problems.to_string().trim_end())
            ),
        };
        return Outcome::Wrong;
    }
    let mut causes = causes(error);
    if error.is::<StdoutError>() {
        causes.insert_str(0, "standard output cannot be written: ");
    }
    let causes = escape::without_userinfo(&causes);
    let _ = writeln!(io::stderr(), "error: {}", escape::terminal(&causes));
    if error.is::<Refused>() {
        Outcome::No
    } else if error.is::<Mistake>() || matches!(of_service, Some(ServiceError::Mistake(_))) {
        Outcome::Wrong
    } else {
        Outcome::Unanswered
    }
}

/// An error with all its causes, not escaped.
pub(super) fn causes(error: &anyhow::Error) -> String {
    service::causes(error.as_ref())
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
