//! The signings and the problems of an entry, collected while it is parsed.

use serde::Deserialize;

use super::digest::Digest;
use super::error::{EntryError, Unreadable};
use super::kind::Kind;
use super::object::{Known, Object, object};
use super::search;
use super::signing::{Entry, MAX_SIGNINGS, Signing};
use crate::identity::Signer;

/// The results so far.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) signings: Vec<Signing>,
    /// Unreadable verifiers keep their number, so that those after them keep theirs.
    pub(super) unreadable: Vec<Unreadable>,
    /// Problems of the entry as a whole; these come last.
    pub(super) problems: Vec<EntryError>,
    pub(super) next: u32,
    pub(super) has_more: bool,
}

impl Reading {
    /// Adds the content of one verifier, readable or not: mostly one key, or every key of a block.
    pub(super) fn verifiers(
        &mut self,
        signers: Vec<Result<Signer, EntryError>>,
        digest: Option<Digest>,
        signature: Option<Vec<u8>>,
    ) {
        let signatures = std::iter::repeat_n(signature, signers.len());
        for (signer, signature) in signers.into_iter().zip(signatures) {
            self.verifier(signer, digest, signature);
        }
    }

    /// Adds the next verifier of the entry, readable or not.
    pub(super) fn verifier(
        &mut self,
        signer: Result<Signer, EntryError>,
        digest: Option<Digest>,
        signature: Option<Vec<u8>>,
    ) {
        if self.is_full() {
            return;
        }
        let ordinal = self.take_ordinal();
        if let Ok(Signer::Certificate(certificate)) = &signer
            && let Some(source) = certificate.irregularity()
        {
            // Present and unreadable: a verifier program that uses these bytes as another certificate must not go
            // unreported.
            let _ = self.part::<()>(Err(EntryError::NotDer { source }));
        }
        match signer {
            Ok(signer) => self.signings.push(Signing {
                ordinal,
                digest,
                signer,
                signature,
            }),
            Err(error) => self.unreadable.push(Unreadable::new(ordinal, error)),
        }
    }

    /// A part of a signing that is not needed to identify the signer: without it the signing still counts.
    pub(super) fn part<T>(&mut self, read: Result<T, EntryError>) -> Option<T> {
        read.map_err(|error| {
            if !self.problems.contains(&error) {
                self.problems.push(error);
            }
        })
        .ok()
    }

    /// Adds every signer in the leaf that is in the usual form and was not added yet.
    pub(super) fn search(&mut self, leaf: &[u8]) {
        search::usual_signers(leaf, &mut |signer| {
            if self.signings.iter().all(|known| known.signer != signer) {
                self.verifier(Ok(signer), None, None);
            }
            self.signings.len() < MAX_SIGNINGS
        });
    }

    pub(super) fn is_clean(&self) -> bool {
        self.unreadable.is_empty() && self.problems.is_empty()
    }

    pub(super) fn is_full(&mut self) -> bool {
        let full = self.signings.len() + self.unreadable.len() >= MAX_SIGNINGS;
        if full {
            let _ = self.part::<()>(Err(EntryError::TooManySignings {
                limit: MAX_SIGNINGS,
            }));
        }
        full
    }

    pub(super) fn take_ordinal(&mut self) -> u32 {
        let ordinal = self.next;
        self.next += 1;
        ordinal
    }

    pub(super) fn entry(mut self, kind: Kind) -> Entry {
        for error in std::mem::take(&mut self.problems) {
            let ordinal = self.take_ordinal();
            self.unreadable.push(Unreadable::new(ordinal, error));
        }
        Entry {
            kind,
            signings: self.signings,
            unreadable: self.unreadable,
            has_more: self.has_more,
        }
    }
}

object! {
    /// The part of the entry that depends on its kind. The kind is read first, in a separate pass, because `spec` may
    /// come before it. Skipping costs less than storing.
    Body[S] {
        required kind: Known = "kind",
        required api_version: Known = "apiVersion",
        required spec: S = "spec",
    }
}

/// The part of the entry that depends on its kind; records whether the leaf contains more than its kind has.
pub(super) fn read_spec<'a, S: Deserialize<'a> + Object>(
    leaf: &'a [u8],
    reading: &mut Reading,
) -> Result<S, EntryError> {
    let body = read_json::<Body<'a, S>>(leaf)?;
    reading.has_more |= body.has_more();
    Ok(body.spec)
}

/// Parses JSON. serde_json limits its depth; a repeated key is an error if this parser reads it, because two parsers
/// could each use another value.
pub(super) fn read_json<'a, T: Deserialize<'a>>(leaf: &'a [u8]) -> Result<T, EntryError> {
    serde_json::from_slice(leaf).map_err(|error| EntryError::from_json(&error))
}
