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
mod files;
mod identity;
mod keyless;
mod lifetime;
mod messages;
mod oci;
mod progress;
mod registering;
mod report;
mod sign;
mod sign_in;
mod signer;
mod sigstore;
mod spelling;
mod stamping;
mod stamps;
mod token;
mod tree;
mod trusted;
mod verify;

use std::io::{self, Write as _};
use std::path::Path;

use super::logging::Level;
use super::output::{self, Mistake, Outcome};
use crate::service::ServiceError;

pub(super) use digest::Args as DigestArgs;
pub(super) use sign::Method as SignMethod;
pub(super) use spelling::{normalize, slip};
pub(super) use verify::Method as VerifyMethod;

use messages::shown;

/// `config` is read with `--register` alone.
pub(super) fn sign(method: &SignMethod, config: &Path) -> Outcome {
    ended("Signing failed with error", sign::run(method, config))
}

pub(super) fn verify(method: &VerifyMethod, level: Option<Level>) -> Outcome {
    ended("Verification failed with error", verify::run(method, level))
}

pub(super) fn digest(args: &DigestArgs) -> Outcome {
    ended("Computing digest failed", digest::run(args))
}

/// What the reference's exit codes and words are: 1 for every failure, except for a command line that makes no
/// sense.
fn ended(what_failed: &str, done: anyhow::Result<Outcome>) -> Outcome {
    match done {
        Ok(outcome) => outcome,
        Err(error) if error.is::<Mistake>() || is_of_configuration(&error) => output::fail(&error),
        Err(error) => {
            let why = output::causes(&error);
            let _ = writeln!(io::stderr(), "{what_failed}: {}", shown(&why));
            Outcome::No
        }
    }
}

/// Whether the configuration is wrong, which only `sign --register` reads.
fn is_of_configuration(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(ServiceError::Config(_) | ServiceError::Mistake(_))
    )
}
