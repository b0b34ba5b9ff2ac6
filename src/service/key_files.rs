//! Public keys in files that the configuration names.

use std::path::Path;

use tlog::{KeyError, KeyName, Verifier};
use x509_parser::pem::parse_x509_pem;

use super::error::Mistake;
use crate::config::{LogKeySource, LogSettings, WitnessKey, WitnessSettings};
use crate::file::{self, FileError};
use crate::log::{LogKey, LogKeyError};

/// A public key in PEM is a few kilobytes; a chain of certificates some tens.
const MAX_PEM_BYTES: usize = 1 << 20;

/// Why a file has no usable key.
#[derive(Debug, thiserror::Error)]
enum KeyFileError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Neither PEM nor a verifier key.
    #[error("not a PEM file")]
    NotPem,
    /// PEM with another label.
    #[error("contains a `{label}`, not a `PUBLIC KEY`")]
    Label {
        /// The label of the first block.
        label: String,
    },
    /// A key that is not for logs.
    #[error(transparent)]
    Log(#[from] LogKeyError),
    /// A key that is not for cosignatures.
    #[error(transparent)]
    Witness(#[from] KeyError),
    /// A verifier key of a log, where one of a witness is required.
    #[error("is the key of a log, not of a witness")]
    NotOfWitness,
    /// A verifier key of another witness.
    #[error("is the key of {0}")]
    OfOther(KeyName),
}

/// The configured keys of a log.
///
/// # Errors
///
/// A file that cannot be read, or a key that cannot be used.
pub(super) fn of_log(log: &LogSettings) -> Result<Vec<LogKey>, Mistake> {
    let keys = log.public_keys.iter().map(|source| match source {
        LogKeySource::Written(spki_der) => LogKey::read(spki_der)
            .map_err(|why| Mistake(format!("log[{}].public_key: {why}", log.name))),
        LogKeySource::File(path) => log_key(path, log).map_err(|why| {
            let path = path.display();
            Mistake(format!("log[{}].public_key: {path}: {why}", log.name))
        }),
    });
    keys.collect()
}

/// The key of a log in a PEM file that an option of the command line names.
///
/// # Errors
///
/// A file that cannot be read, or a key that cannot be used.
pub fn read_log_key(path: &Path, option: &str) -> Result<LogKey, Mistake> {
    let read = || -> Result<LogKey, KeyFileError> {
        Ok(LogKey::read(&spki_der(&file::read(path, MAX_PEM_BYTES)?)?)?)
    };
    read().map_err(|why| Mistake(format!("{option} {}: {why}", path.display())))
}

fn log_key(path: &Path, log: &LogSettings) -> Result<LogKey, KeyFileError> {
    let bytes = file::read(path, MAX_PEM_BYTES)?;
    match verifier_key(&bytes) {
        Some(text) => Ok(LogKey::of_vkey(text, log.protocol, log.origin.as_ref())?),
        None => Ok(LogKey::read(&spki_der(&bytes)?)?),
    }
}

/// The key of a witness.
///
/// # Errors
///
/// A file that cannot be read, or a key that cannot be used.
pub(super) fn of_witness(settings: &WitnessSettings) -> Result<Verifier, Mistake> {
    let WitnessSettings { name, key } = settings;
    match key {
        WitnessKey::Written(key) => Ok((**key).clone()),
        WitnessKey::File(path) => witness_key(path, name).map_err(|why| {
            Mistake(format!(
                "witness[{name}].public_key: {}: {why}",
                path.display()
            ))
        }),
    }
}

fn witness_key(path: &Path, name: &KeyName) -> Result<Verifier, KeyFileError> {
    let bytes = file::read(path, MAX_PEM_BYTES)?;
    let Some(text) = verifier_key(&bytes) else {
        let der = spki_der(&bytes)?;
        return Ok(Verifier::cosigner_from_spki_der(name.clone(), &der)?);
    };
    let key = Verifier::from_vkey(text)?;
    if !key.is_witness() {
        return Err(KeyFileError::NotOfWitness);
    }
    if key.name() != name {
        return Err(KeyFileError::OfOther(key.name().clone()));
    }
    Ok(key)
}

/// The text of a file that holds a verifier key of C2SP signed-note rather than PEM.
fn verifier_key(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.trim_start_matches('\u{feff}').trim();
    (!text.starts_with('-') && text.contains('+')).then_some(text)
}

/// The SubjectPublicKeyInfo in a PEM file.
fn spki_der(pem: &[u8]) -> Result<Vec<u8>, KeyFileError> {
    // Editors of Windows write a byte order mark at the beginning.
    let pem = pem.strip_prefix(b"\xef\xbb\xbf").unwrap_or(pem);
    let (_, pem) = parse_x509_pem(pem).map_err(|_| KeyFileError::NotPem)?;
    if pem.label != "PUBLIC KEY" {
        return Err(KeyFileError::Label { label: pem.label });
    }
    Ok(pem.contents)
}
