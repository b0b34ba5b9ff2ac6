//! Why a branch was not read.

use std::path::PathBuf;

use super::super::collector::MAX_FILES;
use super::super::program::ProgramError;

/// Why a branch was not read.
#[derive(Debug, thiserror::Error)]
pub(in crate::registrations) enum GitError {
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("{what}: {why}{advice}")]
    Failed {
        what: &'static str,
        why: String,
        /// What to do; empty, or after a semicolon.
        advice: &'static str,
    },
    #[error(
        "git received nothing: the server may have a shallow copy, without the history that is needed; let it have a whole one"
    )]
    Shallow,
    #[error("{}: {error}", path.display())]
    Io {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("another process reads it at this moment")]
    Busy,
    #[error("the repository takes more than {limit_bytes} bytes")]
    TooLarge { limit_bytes: u64 },
    #[error("more than {MAX_FILES} files match")]
    TooMany,
    #[error("git's answer cannot be read: {0}")]
    Answer(&'static str),
    #[error(
        "the branch was rewritten: {to} does not contain {from}, which was read last; nothing is taken from it until \
         `modelwatch expect confirm NAME`"
    )]
    Rewritten { from: String, to: String },
    #[error("the credentials for it: {0}")]
    Credentials(String),
    #[error("`ca_certificates` of [http]: {}: {why}", path.display())]
    Authorities { path: PathBuf, why: String },
}
