//! What an entry holds of one signing: as it was read from a log, or as it is stored.

use jiff::Timestamp;

use crate::entry::{Entry, Signing, Statement, accepted_at, logged_at, statement_digests};
use crate::expect::SignedAs;
use crate::identity::{Certificate, Chain};
use crate::log::{LeafFormat, Promise};
use crate::store::FoundSigning;

/// The place of an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) log: &'a str,
    pub(super) origin: &'a str,
    /// Over all trees of its log.
    pub(super) index: u64,
    /// Hex.
    pub(super) leaf_hash: &'a str,
}

/// The bytes of an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeafBytes<'a> {
    pub(super) leaf: &'a [u8],
    /// What the log served with it. No hash covers this.
    pub(super) beside: Option<&'a [u8]>,
    pub(super) format: LeafFormat,
    /// When a Rekor v1 log accepted it, according to the log, and the keys that may sign that.
    pub(super) promise: Option<&'a Promise>,
    pub(super) promise_keys: &'a [Vec<u8>],
}

/// One signing.
#[derive(Clone, Copy)]
pub(super) enum Held<'a> {
    /// In an entry that was read.
    Read {
        place: Place<'a>,
        bytes: LeafBytes<'a>,
        entry: &'a Entry,
        signing: &'a Signing,
    },
    /// In a finding.
    Stored(&'a FoundSigning),
}

impl Held<'_> {
    pub(super) fn log(&self) -> &str {
        match self {
            Self::Read { place, .. } => place.log,
            Self::Stored(found) => found.finding.log.as_deref().unwrap_or_default(),
        }
    }

    pub(super) fn origin(&self) -> &str {
        match self {
            Self::Read { place, .. } => place.origin,
            Self::Stored(found) => found.finding.origin.as_deref().unwrap_or_default(),
        }
    }

    pub(super) fn index(&self) -> Option<u64> {
        match self {
            Self::Read { place, .. } => Some(place.index),
            Self::Stored(found) => found.finding.index,
        }
    }

    pub(super) fn leaf_hash(&self) -> &str {
        match self {
            Self::Read { place, .. } => place.leaf_hash,
            Self::Stored(found) => found.finding.leaf_hash.as_deref().unwrap_or_default(),
        }
    }

    pub(super) fn kind(&self) -> String {
        match self {
            Self::Read { entry, .. } => entry.kind.to_string(),
            Self::Stored(found) => found.finding.kind.clone().unwrap_or_default(),
        }
    }

    pub(super) fn digest(&self) -> Option<String> {
        match self {
            Self::Read { signing, .. } => signing.digest.as_ref().map(ToString::to_string),
            Self::Stored(found) => found.finding.digest.clone(),
        }
    }

    /// Of a certificate in a CT log: the hash of what is logged of it, hex.
    pub(super) fn logged_sha256(&self) -> Option<String> {
        match self {
            Self::Read { bytes, signing, .. } => match bytes.format {
                LeafFormat::Certificate => {
                    let certificate = signing.signer.certificate()?;
                    certificate.logged_sha256().map(hex::encode)
                }
                LeafFormat::RekorEntry => None,
            },
            Self::Stored(found) => found.logged_sha256.clone(),
        }
    }

    /// The hash of the signature, hex.
    pub(super) fn signature_sha256(&self) -> Option<String> {
        match self {
            Self::Read { entry, signing, .. } => {
                SignedAs::of(&entry.kind, signing).map(|signed| hex::encode(signed.signature))
            }
            Self::Stored(found) => found.signature_sha256.clone(),
        }
    }

    /// What the statement is about that the log keeps beside the entry, if it is the one that was signed.
    pub(super) fn statement_digests(&self) -> Vec<String> {
        let Self::Read {
            bytes,
            entry,
            signing,
            ..
        } = self
        else {
            return Vec::new();
        };
        let beside = bytes.beside.filter(|_| entry.kind.has_stored_payload());
        let signed = beside.filter(|beside| Statement::signed(signing, beside).is_some());
        signed.map(statement_digests).unwrap_or_default()
    }

    /// When it was logged: by the timestamp of a CT log, by the time that a Rekor v1 log signed, otherwise when a trusted
    /// authority issued its certificate. `None`: nothing that is trusted shows it. `chain`: the assessment of a signing that was read.
    pub(super) fn time(&self, chain: Chain) -> Option<Timestamp> {
        match self {
            Self::Read {
                place,
                bytes,
                signing,
                ..
            } => match bytes.format {
                LeafFormat::Certificate => logged_at(bytes.leaf),
                LeafFormat::RekorEntry => {
                    let certificate = signing.signer.certificate();
                    let trusted = certificate.filter(|_| chain == Chain::Trusted);
                    accepted_at(bytes.leaf, place.index, bytes.promise, bytes.promise_keys)
                        .or(trusted.map(Certificate::not_before))
                }
            },
            Self::Stored(found) => found.logged_at.or_else(|| {
                let is_trusted = found.finding.chain == Some(Chain::Trusted);
                found.finding.not_before.filter(|_| is_trusted)
            }),
        }
    }
}
