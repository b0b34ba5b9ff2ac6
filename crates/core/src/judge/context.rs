//! The values besides the match that a finding is made from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tlog::Hash;

use super::Rules;
use crate::entry::{Entry, Signing, Statement};
use crate::finding::Finding;
use crate::identity::{Certificate, Extension, Signer};
use crate::log::{Promise, Shard};

/// A leaf and its place in a log.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Its index over all trees of its log.
    pub index: u64,
    /// RFC 6962 hash of the leaf.
    pub hash: Hash,
    /// Its bytes, as the log hashes them.
    pub leaf: &'a [u8],
    /// What the log served with it. No hash covers this.
    pub beside: Option<&'a [u8]>,
    /// When a Rekor v1 log accepted it, according to the log.
    pub promise: Option<&'a Promise>,
}

/// The bytes that a log served with an entry as its signed payload.
#[derive(Debug, Default)]
pub struct Payload {
    /// The statement in it, if its digest is the one that was signed.
    pub(super) statement: Option<Statement>,
    /// Its SHA-256, if that is another digest.
    pub(super) contradicting: Option<[u8; 32]>,
}

impl Payload {
    /// What the log served with this entry, compared with the digest that was signed.
    pub fn of(entry: &Entry, signing: &Signing, beside: Option<&[u8]>) -> Self {
        let beside = beside.filter(|_| entry.kind.has_stored_payload());
        Self {
            statement: beside.and_then(|beside| Statement::signed(signing, beside)),
            contradicting: beside.and_then(|beside| Statement::contradicting(signing, beside)),
        }
    }
}

/// Makes the findings of one bundle of leaves.
pub struct Judge<'a> {
    /// The tree of the leaves.
    pub shard: &'a Shard,
    /// The watches and the trusted authorities.
    pub rules: &'a Rules,
    /// When the findings are made.
    pub now: Timestamp,
    /// Roughly when the leaves of the bundle were logged.
    pub logged_about: Option<Timestamp>,
}

/// A finding with the fields of its signer.
pub(super) fn of_signer(signer: &Signer, finding: Finding) -> Finding {
    let certificate = signer.certificate();
    Finding {
        issuer: certificate.and_then(Certificate::issuer).map(str::to_owned),
        extensions: certificate.map(extensions).unwrap_or_default(),
        certificate_sha256: certificate.and_then(Certificate::sha256).map(hex::encode),
        key_sha256: Some(hex::encode(signer.key_sha256())),
        key_fingerprint: match signer {
            Signer::Key(key) => key.fingerprint().map(str::to_owned),
            Signer::Certificate(_) => None,
        },
        not_before: certificate.map(Certificate::not_before),
        ..finding
    }
}

/// The values of Fulcio's extensions by their names, without the issuer.
pub fn extensions(certificate: &Certificate) -> BTreeMap<String, String> {
    certificate
        .extensions()
        .iter()
        .filter(|(extension, _)| *extension != Extension::Issuer)
        .map(|(extension, value)| (extension.name().to_owned(), value.to_owned()))
        .collect()
}
