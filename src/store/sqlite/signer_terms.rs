//! The values by which a signer is found.

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::identity::{Certificate, Extension};
use crate::store::{MAX_TERM_CHARS, SignerTerm};
use crate::watch::other_forms;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Term {
    pub(super) kind: SignerTerm,
    pub(super) value: String,
}

/// The part of a value that is stored.
pub(super) fn cut(value: &str) -> &str {
    match value.char_indices().nth(MAX_TERM_CHARS) {
        Some((end, _)) => value.get(..end).unwrap_or(value),
        None => value,
    }
}

/// The extensions that name a commit.
const COMMITS: [Extension; 4] = [
    Extension::SourceRepositoryDigest,
    Extension::BuildSignerDigest,
    Extension::BuildConfigDigest,
    Extension::GithubWorkflowSha,
];

/// The values of a signer, each once.
pub(super) fn of(
    finding: &Finding,
    certificate: Option<&[u8]>,
    key_hashes: &[[u8; 32]],
) -> BTreeSet<Term> {
    let mut terms = BTreeSet::new();
    let mut add = |kind, value: &str| {
        let value = cut(value).to_owned();
        terms.insert(Term { kind, value });
    };
    for san in &finding.san {
        for name in std::iter::once(&san.value).chain(&other_forms(san)) {
            add(SignerTerm::Name, &name.to_ascii_lowercase());
        }
    }
    for hash in key_hashes {
        add(SignerTerm::Key, &hex::encode(hash));
    }
    if let Some(hash) = &finding.key_sha256 {
        add(SignerTerm::Key, hash);
    }
    if let Some(hash) = &finding.certificate_sha256 {
        add(SignerTerm::Certificate, hash);
    }
    // An odd certificate names an extension twice, and has several hashes: only the certificate itself shows it.
    let parsed = certificate.and_then(|der| Certificate::parse(der.to_vec()).ok());
    let values = |extension: Extension| -> Vec<String> {
        let stored = finding.extensions.get(extension.name());
        let read = parsed.as_ref().into_iter();
        let read = read.flat_map(|read| read.extensions().values(extension).map(str::to_owned));
        stored.cloned().into_iter().chain(read).collect()
    };
    let read = parsed.as_ref().into_iter();
    let issuers = read.flat_map(|read| read.issuers().map(str::to_owned));
    for issuer in finding.issuer.clone().into_iter().chain(issuers) {
        add(SignerTerm::Issuer, &issuer);
    }
    for uri in values(Extension::SourceRepositoryUri) {
        add(SignerTerm::Repository, &uri.to_ascii_lowercase());
    }
    for name in values(Extension::GithubWorkflowRepository) {
        let uri = format!("https://github.com/{}", name.to_ascii_lowercase());
        add(SignerTerm::Repository, &uri);
    }
    for commit in COMMITS.into_iter().flat_map(values) {
        add(SignerTerm::Commit, &commit.to_ascii_lowercase());
    }
    for hash in parsed.iter().flat_map(Certificate::hashes) {
        add(SignerTerm::Certificate, &hex::encode(hash));
    }
    terms
}
