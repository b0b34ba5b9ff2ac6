//! Keys and certificates in files that the configuration or a command names.

use std::path::Path;

use anyhow::Context as _;
use tlog::{KeyName, Verifier};
use x509_parser::pem::parse_x509_pem;

use super::Mistake;
use crate::config::{WitnessKey, WitnessSettings};
use crate::file;
use crate::identity::{Certificate, Signer};

/// A public key or certificate in PEM is a few kilobytes; a chain of them some tens.
pub const MAX_PEM_BYTES: usize = 1 << 20;

/// The SubjectPublicKeyInfo in a PEM file.
pub fn public_key_der(pem: &[u8]) -> anyhow::Result<Vec<u8>> {
    // Editors of Windows put a byte order mark in front.
    let pem = pem.strip_prefix(b"\xef\xbb\xbf").unwrap_or(pem);
    let (_, pem) = parse_x509_pem(pem).map_err(|_| anyhow::anyhow!("not a PEM file"))?;
    if pem.label != "PUBLIC KEY" {
        anyhow::bail!("holds a `{}`, not a `PUBLIC KEY`", pem.label);
    }
    Ok(pem.contents)
}

pub fn witness(settings: &WitnessSettings) -> Result<Verifier, Mistake> {
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

fn witness_key(path: &Path, name: &KeyName) -> anyhow::Result<Verifier> {
    let bytes = read_bounded(path, MAX_PEM_BYTES)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let text = text.trim_start_matches('\u{feff}').trim();
    if !text.starts_with('-') && text.contains('+') {
        let key = Verifier::from_vkey(text)?;
        anyhow::ensure!(key.is_witness(), "is the key of a log, not of a witness");
        anyhow::ensure!(key.name() == name, "is the key of {}", key.name());
        return Ok(key);
    }
    Ok(Verifier::cosigner_from_spki_der(
        name.clone(),
        &public_key_der(&bytes)?,
    )?)
}

/// The signer that a certificate names.
pub fn certificate(der: Vec<u8>) -> anyhow::Result<Signer> {
    let certificate = Certificate::parse(der).context("a certificate that cannot be read")?;
    Ok(Signer::Certificate(Box::new(certificate)))
}

/// Reads a file of the operator's, up to a limit.
pub fn read_bounded(path: &Path, limit_bytes: usize) -> anyhow::Result<Vec<u8>> {
    let bytes = file::read(path, limit_bytes);
    Ok(bytes.map_err(|error| Mistake(format!("{}: {error}", path.display())))?)
}
