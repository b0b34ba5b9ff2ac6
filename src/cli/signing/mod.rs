//! `modelwatch sign`, `verify` and `digest`: with the command line of the reference implementation (Python
//! `model_signing`), so that scripts can call either.
//!
//! These commands read no configuration, except `sign --register`, which writes to its database (`registering`). None opens a network connection, except that keyless verification with the
//! trusted root of an instance may ask its TUF repository for a newer one (`trusted`), that signing asks the timestamp
//! authorities of `--tsa-url` (`stamping`), and that signing without a key asks the services of an instance (`sigstore`).

mod attestation;
mod attestation_signer;
mod common;
mod digest;
pub(super) mod direct;
mod files;
mod identity;
mod keyless;
mod lifetime;
mod messages;
mod oci;
mod progress;
#[cfg(unix)]
mod registering;
#[cfg(not(unix))]
#[path = "no_registering.rs"]
mod registering;
mod report;
mod sign;
mod sign_in;
mod signer;
mod sigstore;
mod spelling;
mod stamping;
mod stamps;
mod system;
mod token;
mod tree;
mod trusted;
mod verify;

use std::io::{self, Write as _};
use std::path::Path;

use super::logging::Level;
use super::output::{self, Outcome};

#[cfg(any(not(unix), test))]
pub(super) use spelling::command;
pub(super) use spelling::{normalize, slip};

use messages::shown;

/// The commands about models.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Sign a model
    #[command(subcommand)]
    Sign(sign::Method),
    /// Verify that a model is what was signed, and by whom
    #[command(subcommand)]
    Verify(verify::Method),
    /// Compute the digest of a model
    Digest(digest::Args),
}

impl Command {
    /// `config` is read by `sign --register` alone.
    pub(super) fn run(&self, config: &Path, level: Option<Level>) -> Outcome {
        match self {
            Self::Sign(method) => ended("Signing failed with error", sign::run(method, config)),
            Self::Verify(method) => {
                ended("Verification failed with error", verify::run(method, level))
            }
            Self::Digest(args) => ended("Computing digest failed", digest::run(args)),
        }
    }
}

/// What the reference's exit codes and words are: 1 for every failure, except for a command line that makes no
/// sense.
fn ended(what_failed: &str, done: anyhow::Result<Outcome>) -> Outcome {
    match done {
        Ok(outcome) => outcome,
        Err(error) if output::is_mistake(&error) => output::fail(&error),
        Err(error) => {
            let why = output::causes(&error);
            let _ = writeln!(io::stderr(), "{what_failed}: {}", shown(&why));
            Outcome::No
        }
    }
}
