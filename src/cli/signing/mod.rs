//! `modelwatch sign`, `verify` and `digest`: on the command line of the reference implementation (Python
//! `model_signing`), so that scripts need not know which of the two they call.
//!
//! These commands read no configuration. None opens a network connection, except that keyless verification with the
//! trusted root of an instance may ask its TUF repository for a newer one (`trusted`), and that signing asks the
//! timestamp authorities of `--tsa-url` (`stamping`).

mod digest;
mod keyless;
mod progress;
mod sign;
mod spelling;
mod stamping;
mod stamps;
mod tree;
mod trusted;
mod verify;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::builder::{OsStringValueParser, TypedValueParser as _};

use super::logging::Level;
use super::output::{self, Mistake, Outcome, Output};
use crate::escape;
use crate::file::{self, FileError};

pub(super) use digest::Args as DigestArgs;
pub(super) use sign::Method as SignMethod;
pub(super) use spelling::normalize;
pub(super) use verify::Method as VerifyMethod;

pub(super) fn sign(method: &SignMethod) -> Outcome {
    ended("Signing failed with error", sign::run(method))
}

pub(super) fn verify(method: &VerifyMethod, level: Option<Level>) -> Outcome {
    ended("Verification failed with error", verify::run(method, level))
}

pub(super) fn digest(args: &DigestArgs) -> Outcome {
    ended("Computing digest failed", digest::run(args))
}

/// What the reference's exit codes and words are: 1 for whatever went wrong, except for a command line that makes no
/// sense.
fn ended(what_failed: &str, done: anyhow::Result<Outcome>) -> Outcome {
    match done {
        Ok(outcome) => outcome,
        Err(error) if error.is::<Mistake>() => output::fail(&error),
        Err(error) => {
            let why = output::causes(&error);
            let _ = writeln!(io::stderr(), "{what_failed}: {}", shown(&why));
            Outcome::No
        }
    }
}

/// A message for the terminal.
///
/// It quotes the names of files and other foreign text, with escapes of its own. Those are not escaped once
/// more; what should have been quoted and was not is harmless all the same.
fn shown(message: &str) -> String {
    escape::terminal(message).replace(r"\\", r"\")
}

/// Writes to standard output.
///
/// If it is closed, the answer is in the exit code alone.
fn print(write: impl FnOnce(&mut Output) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut output = Output::new();
    match write(&mut output).and_then(|()| output.end()) {
        Err(error) if output::is_broken_pipe(&error) => Ok(()),
        written => written.context("standard output cannot be written"),
    }
}

/// The arguments of a method that is not there yet.
#[derive(Debug, clap::Args)]
pub(super) struct Sigstore {
    #[arg(hide = true, allow_hyphen_values = true, trailing_var_arg = true)]
    _rest: Vec<std::ffi::OsString>,
}

impl Sigstore {
    fn refusal(command: &str, methods: &str) -> anyhow::Error {
        Mistake(format!(
            "`{command} sigstore`, which is also what `{command}` is without a method, is not in this version; \
             there are {methods}"
        ))
        .into()
    }
}

/// A path as the user gives it; the reference takes an empty one for the working directory.
fn path() -> impl clap::builder::TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// Whether a path stands for standard output (`-`), or standard input where something is read.
fn is_standard(path: &Path) -> bool {
    let names = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
    names.iter().any(|name| path == Path::new(name))
}

/// Reads a file that must be small enough to be what it should be.
fn read(path: &Path, limit_bytes: usize) -> anyhow::Result<Vec<u8>> {
    file::read(path, limit_bytes).map_err(|error| match error {
        FileError::TooLong { .. } => anyhow::anyhow!("{} is {error}", path.display()),
        error => {
            let is_list = path.as_os_str().as_encoded_bytes().contains(&b',') && !path.exists();
            let hint = if is_list {
                " (a comma does not separate files: give the option once for each)"
            } else {
                ""
            };
            let context = format!("{} cannot be read{hint}", path.display());
            anyhow::Error::new(error).context(context)
        }
    })
}

/// Warnings go to stderr as they arise, and into a report at the end. In strict mode each is the end.
#[derive(Debug, Default)]
struct Warnings {
    strict: bool,
    said: Vec<String>,
}

impl Warnings {
    fn new(strict: bool) -> Self {
        Self {
            strict,
            said: Vec::new(),
        }
    }

    fn warn(&mut self, warning: String) -> anyhow::Result<()> {
        anyhow::ensure!(!self.strict, "{warning} (--strict)");
        let _ = writeln!(io::stderr(), "warning: {}", shown(&warning));
        self.said.push(warning);
        Ok(())
    }
}

/// At most ten names, for a message.
fn few(names: &[String]) -> String {
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
