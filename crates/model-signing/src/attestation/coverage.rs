//! The subjects of attestations, held against the files of a model.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use rayon::prelude::*;

use super::function::Hasher;
use super::{Attestation, HashFunction, Subject};
use crate::hash::Algorithm;
use crate::json::excerpt;
use crate::manifest::{Manifest, Method, SINGLE_FILE};
use crate::model::{self, stable};
use crate::positioned::FileExt as _;
use crate::walk::{Listing, Model, WalkError};

/// How much is read at once where one pass over a file computes several digests.
const BLOCK_BYTES: usize = 256 << 10;

/// How many mismatches a message names.
const SHOWN: usize = 10;

/// Most characters of a digest that a message repeats: SHA-512 has 128.
const MAX_DIGEST_CHARS: usize = 128;

/// The digests of a model that its attestations are held against.
#[derive(Debug)]
pub struct Measured {
    /// SHA-256 of files, in lower-case hexadecimal; not of those that no attestation needs.
    files: BTreeMap<Arc<str>, Digests>,
    /// The root digests in both orders, if an attestation may have one.
    roots: Option<[String; 2]>,
    /// The name of the only file of a model that is a single file.
    only_file: Option<Arc<str>>,
}

/// Digests of one file.
type Digests = BTreeMap<HashFunction, String>;

/// What one attestation is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// The files that it names and whose digests are right, in order.
    pub files: BTreeSet<Arc<str>>,
    /// Whether a subject is the root digest of the model, which covers the contents of all files and no name.
    pub has_root: bool,
    /// Subjects that are neither: their names, or for those without a name their first digest; in the order of the
    /// statement. Foreign text.
    pub others: Vec<String>,
    /// Those of `others` that name a file: the model has none of that name, or it is left out. Foreign text.
    pub missing: Vec<String>,
    /// The names of digests in subjects of `files` by which nothing is computed here: these digests were not compared. Foreign
    /// text.
    pub not_compared: BTreeSet<String>,
}

/// A file that is not what an attestation has under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// The name of the file.
    pub name: Arc<str>,
    /// The hash function, by the name that the subject gives it.
    pub function: String,
    /// The digest in the subject, shortened.
    pub attested: String,
    /// The digest of the file; `None`: no digest of the subject is proof of a content.
    pub found: Option<String>,
}

/// Why an attestation is not about a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CoverageError {
    /// Two subjects name one file: two readers could take two.
    #[error("two subjects name the file {name:?}")]
    Repeated {
        /// The file.
        name: Arc<str>,
    },
    /// Files are not what was attested.
    #[error("files are not what is attested: {}", Shown(.0))]
    Differs(Vec<Mismatch>),
    /// No subject is a file of the model or its root digest.
    #[error("no subject is a file of this model, or its root digest")]
    AnotherModel,
}

struct Shown<'m>(&'m [Mismatch]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for mismatch in self.0.iter().take(SHOWN) {
            let Mismatch {
                name,
                function,
                attested,
                found,
            } = mismatch;
            match found {
                Some(found) => write!(
                    f,
                    "{separator}{name:?} ({function} {attested:?} attested, {found} found)"
                )?,
                None => write!(
                    f,
                    "{separator}{name:?} (its only digests are by {function}, which prove nothing here)"
                )?,
            }
            separator = ", ";
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// The files of a listing whose digests the attestations need: those that they name, or all if a subject may be the root
/// digest.
pub fn files_to_hash(model: &Model, listing: &Listing, attestations: &[Attestation]) -> Listing {
    let listed: HashSet<&str> = listing.files.iter().map(|file| &*file.name).collect();
    let only_file = only_file(model, listing);
    let subjects = || attestations.iter().flat_map(|it| &it.subjects);
    let named = |subject: &Subject| {
        let name = file_named(subject, only_file.as_ref())?;
        listed.get(name).copied().map(str::to_owned)
    };
    let is_candidate =
        |subject: &Subject| named(subject).is_none() && root_digest(subject).is_some();
    if subjects().any(is_candidate) {
        return listing.clone();
    }
    let wanted: HashSet<String> = subjects().filter_map(named).collect();
    let files = listing.files.iter();
    Listing {
        files: files
            .filter(|file| wanted.contains(&*file.name))
            .cloned()
            .collect(),
        ..Listing::default()
    }
}

impl Measured {
    /// Hashes the files of `needed`, which [`files_to_hash`] found in `listing`, on the threads of the current rayon pool.
    ///
    /// `progress` gets the number of bytes that were hashed since it was last called, from any thread.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or changed while it was read.
    pub fn new(
        model: &Model,
        listing: &Listing,
        needed: &Listing,
        attestations: &[Attestation],
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Self, WalkError> {
        let only_file = only_file(model, listing);
        let manifest = model::hash(model, needed, Method::files(Algorithm::Sha256), progress)?;
        let mut files: BTreeMap<Arc<str>, Digests> =
            manifest.resources().iter().map(sha256).collect();
        let subjects = attestations.iter().flat_map(|it| &it.subjects);
        let mut wanted: HashMap<&str, BTreeSet<HashFunction>> = HashMap::new();
        for subject in subjects {
            let Some(name) = file_named(subject, only_file.as_ref()) else {
                continue;
            };
            let functions = functions(subject).filter(|function| *function != HashFunction::Sha256);
            if files.contains_key(name) {
                wanted.entry(name).or_default().extend(functions);
            }
        }
        wanted.retain(|_, functions| !functions.is_empty());
        let more: Vec<(Arc<str>, Digests)> = needed
            .files
            .par_iter()
            .filter_map(|file| Some((file, wanted.get(&*file.name)?)))
            .map(|(file, functions)| {
                let digests = stable(model, file, |opened| {
                    digests(&opened.file, file.size, functions)
                })?;
                Ok((Arc::clone(&file.name), digests))
            })
            .collect::<Result<_, WalkError>>()?;
        for (name, digests) in more {
            files.entry(name).or_default().extend(digests);
        }
        Ok(Self {
            files,
            roots: (needed.files.len() == listing.files.len()).then(|| roots(&manifest)),
            only_file,
        })
    }

    /// What an attestation is about. Every subject that names a file of the model has its digests, each that is computed
    /// here, and one of them is proof of the content.
    ///
    /// # Errors
    ///
    /// [`CoverageError`]: the attestation is about other contents, about another model, or ambiguous.
    pub fn cover(&self, attestation: &Attestation) -> Result<Coverage, CoverageError> {
        let mut coverage = Coverage::default();
        let mut differs = Vec::new();
        for subject in &attestation.subjects {
            let name = file_named(subject, self.only_file.as_ref());
            let file = name.and_then(|name| self.files.get_key_value(name));
            if let Some((name, found)) = file {
                if !coverage.files.insert(Arc::clone(name)) {
                    return Err(CoverageError::Repeated {
                        name: Arc::clone(name),
                    });
                }
                differs.extend(mismatch(name, subject, found));
                coverage.not_compared.extend(not_compared(subject));
            } else if self.is_root(subject) {
                coverage.has_root = true;
            } else {
                if subject.names_a_file() {
                    coverage.missing.push(shown(subject));
                }
                coverage.others.push(shown(subject));
            }
        }
        if !differs.is_empty() {
            return Err(CoverageError::Differs(differs));
        }
        if coverage.files.is_empty() && !coverage.has_root {
            return Err(CoverageError::AnotherModel);
        }
        Ok(coverage)
    }

    fn is_root(&self, subject: &Subject) -> bool {
        let digest = root_digest(subject);
        let mut roots = self.roots.iter().flatten();
        digest.is_some_and(|digest| roots.any(|root| root == digest))
    }
}

fn sha256(resource: &crate::manifest::Resource) -> (Arc<str>, Digests) {
    let digest = (HashFunction::Sha256, resource.digest.to_string());
    (Arc::clone(&resource.path), Digests::from([digest]))
}

fn roots(manifest: &Manifest) -> [String; 2] {
    [
        manifest.root().to_string(),
        manifest.root_path_order().to_string(),
    ]
}

fn only_file(model: &Model, listing: &Listing) -> Option<Arc<str>> {
    let first = listing.files.first().filter(|_| model.is_file())?;
    Some(Arc::clone(&first.name))
}

/// The file that a subject names, whether there is one of that name or not. Before the specification, the file of a model
/// that is a single file had the name `.`.
fn file_named<'s>(subject: &'s Subject, only_file: Option<&'s Arc<str>>) -> Option<&'s str> {
    match (subject.name.as_deref()?, only_file) {
        (SINGLE_FILE, Some(only)) => Some(only),
        (name, _) => Some(name),
    }
}

/// The digest that would be the model's root, which SHA-256 makes whatever the files were hashed with. `None` if the subject
/// has another digest as well that is computed here: there is none of the root.
fn root_digest(subject: &Subject) -> Option<&str> {
    let mut known = subject.digests.iter().filter_map(|(name, digest)| {
        let function = HashFunction::meant_by(name)?;
        Some((function, name, digest))
    });
    match (known.next(), known.next()) {
        (Some((HashFunction::Sha256, name, digest)), None) if name == "sha256" => Some(digest),
        _ => None,
    }
}

fn functions(subject: &Subject) -> impl Iterator<Item = HashFunction> {
    let names = subject.digests.iter();
    names.filter_map(|(name, _)| HashFunction::meant_by(name))
}

/// The names in a subject that are of no function which is computed here.
fn not_compared(subject: &Subject) -> impl Iterator<Item = String> {
    let names = subject.digests.iter().map(|(name, _)| name);
    names
        .filter(|name| HashFunction::meant_by(name).is_none())
        .map(|name| excerpt(name))
}

/// The first digest of the subject that is not the file's, or that nothing in it is proof.
fn mismatch(name: &Arc<str>, subject: &Subject, found: &Digests) -> Option<Mismatch> {
    let mut is_proven = false;
    for (written, attested) in &subject.digests {
        let Some(function) = HashFunction::meant_by(written) else {
            continue;
        };
        let digest = found.get(&function);
        if digest != Some(attested) {
            return Some(Mismatch {
                name: Arc::clone(name),
                function: excerpt(written),
                attested: attested.chars().take(MAX_DIGEST_CHARS).collect(),
                found: digest.cloned(),
            });
        }
        is_proven |= function.is_proof() && written == function.as_str();
    }
    let names = subject
        .digests
        .iter()
        .take(SHOWN)
        .map(|(name, _)| excerpt(name));
    (!is_proven).then(|| Mismatch {
        name: Arc::clone(name),
        function: names.collect::<Vec<_>>().join(", "),
        attested: String::new(),
        found: None,
    })
}

fn shown(subject: &Subject) -> String {
    match (&subject.name, subject.digests.first()) {
        (Some(name), _) => excerpt(name),
        (None, Some((name, digest))) => format!("{}:{}", excerpt(name), excerpt(digest)),
        (None, None) => String::new(),
    }
}

/// Several digests of one file in one pass.
fn digests(
    file: &std::fs::File,
    size: u64,
    functions: &BTreeSet<HashFunction>,
) -> std::io::Result<Digests> {
    let hashers = functions.iter();
    let mut hashers: Vec<_> = hashers
        .map(|function| (*function, Hasher::new(*function)))
        .collect();
    let mut block = vec![0; BLOCK_BYTES];
    let mut at = 0;
    while at < size {
        let len = usize::try_from(size - at)
            .unwrap_or(BLOCK_BYTES)
            .min(BLOCK_BYTES);
        let part = block.get_mut(..len).unwrap_or_default();
        file.read_exact_at(part, at)?;
        for (_, hasher) in &mut hashers {
            hasher.update(part);
        }
        at += len as u64;
    }
    let digests = hashers.into_iter();
    Ok(digests
        .map(|(function, hasher)| (function, hasher.finish()))
        .collect())
}

#[cfg(test)]
mod tests;
