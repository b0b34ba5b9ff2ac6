//! What commands are given as files or on standard input: bundles in every form, certificates and keys.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use model_signing::bundle::{Bundle, Collected, MAX_BUNDLE_BYTES, is_json, read_collection};

use super::output::Mistake;
use super::signer_file;
use crate::escape;
use crate::file::{self, FileError};
use crate::identity::Signer;
use crate::watch;

/// Means standard input on the command line. A file of that name is `./-`.
const STANDARD_INPUT: &str = "-";

/// One file, read once: standard input cannot be read again.
#[derive(Debug)]
pub(super) struct Given {
    /// As it was written on the command line.
    name: String,
    /// Where it is, for the record: an absolute path.
    file: String,
    bytes: Vec<u8>,
}

/// One of the signers that a file names.
pub(super) struct Named {
    /// Where in the file; `None` if that holds one certificate, key or bundle.
    pub(super) place: Option<String>,
    /// The signer, or why there is none.
    pub(super) signer: Result<Signer, String>,
}

impl Given {
    /// Reads a file, or standard input for `-`, up to the size of the largest bundle.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new(STANDARD_INPUT) {
            let name = "standard input".to_owned();
            let bytes = match file::read_from(io::stdin().lock(), MAX_BUNDLE_BYTES) {
                Ok(bytes) => bytes,
                Err(error @ FileError::TooLong { .. }) => {
                    return Err(Mistake(format!("{name}: {error}")).into());
                }
                Err(error) => return Err(error).context("standard input cannot be read"),
            };
            return Ok(Self {
                file: name.clone(),
                name,
                bytes,
            });
        }
        let bytes = file::read(path, MAX_BUNDLE_BYTES)
            .map_err(|error| Mistake(format!("{}: {error}", path.display())))?;
        let file = std::path::absolute(path)
            .with_context(|| format!("{} has no absolute path", path.display()))?;
        Ok(Self {
            name: path.display().to_string(),
            file: file.display().to_string(),
            bytes,
        })
    }

    /// All of them.
    pub(super) fn read_all<P: AsRef<Path>>(paths: &[P]) -> anyhow::Result<Vec<Self>> {
        paths.iter().map(|path| Self::read(path.as_ref())).collect()
    }

    /// As it was written on the command line.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What is recorded as the origin of the bundle at this place.
    pub(super) fn recorded(&self, place: Option<&str>) -> String {
        placed(&self.file, place)
    }

    /// What is shown of the bundle at this place.
    pub(super) fn shown(&self, place: Option<&str>) -> String {
        placed(&self.name, place)
    }

    /// Whether it holds bundles rather than a certificate or a key.
    pub(super) fn has_bundles(&self) -> bool {
        is_json(&self.bytes)
    }

    /// Its bundles, at least one.
    pub(super) fn bundles(&self) -> anyhow::Result<Vec<Collected>> {
        read_collection(&self.bytes)
            .map_err(|error| Mistake(format!("{}: {error}", self.name)).into())
    }

    /// The signers of its certificates or public keys, at least one; for a file that holds no bundles.
    ///
    /// # Errors
    ///
    /// It holds none, or something else.
    pub(super) fn certificates_and_keys(&self) -> anyhow::Result<Vec<Signer>> {
        signer_file::read(&self.bytes)
            .map_err(|why| Mistake(format!("{}: {why:#}", self.name)).into())
    }

    /// The signers of its bundles, or of the certificates or keys that it is; of a chain of certificates the one that is no
    /// authority's.
    ///
    /// # Errors
    ///
    /// The file has none at all. Of several bundles, those without a signer have their own errors.
    pub(super) fn signers(&self) -> anyhow::Result<Vec<Named>> {
        let mistake = |why: String| Mistake(format!("{}: {why}", self.name));
        if !self.has_bundles() {
            let signers = watch::without_authorities(self.certificates_and_keys()?);
            let several = signers.len() > 1;
            let named = signers.into_iter().zip(1..).map(|(signer, number)| {
                let what = match signer {
                    Signer::Certificate(_) => "certificate",
                    Signer::Key(_) => "public key",
                };
                Named {
                    place: several.then(|| format!("{what} {number}")),
                    signer: Ok(signer),
                }
            });
            return Ok(named.collect());
        }
        let named: Vec<Named> = self
            .bundles()?
            .into_iter()
            .map(|item| Named {
                place: item.place,
                signer: match item.bundle {
                    Ok(bundle) => signer(&bundle).map_err(|why| format!("{why:#}")),
                    Err(error) => Err(error.to_string()),
                },
            })
            .collect();
        match named.as_slice() {
            [
                Named {
                    place: None,
                    signer: Err(why),
                },
            ] => Err(mistake(why.clone()).into()),
            _ => Ok(named),
        }
    }
}

fn signer(bundle: &Bundle) -> anyhow::Result<Signer> {
    let leaf = bundle.leaf_certificate().context(
        "the bundle contains no certificate, only a hint of a key: give the public key's PEM file instead",
    )?;
    signer_file::certificate(leaf.to_vec())
}

fn placed(file: &str, place: Option<&str>) -> String {
    place.map_or_else(|| file.to_owned(), |place| format!("{file} ({place})"))
}

/// Names one bundle of several that cannot be used, while the others are.
pub(super) fn complain(what: &str, why: &str) {
    let said = format!("error: {}\n", escape::terminal(&format!("{what}: {why}")));
    // There is no other place to report that stderr cannot be written.
    let _ = io::stderr().write_all(said.as_bytes());
}
