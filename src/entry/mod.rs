//! From a leaf's bytes to who signed what.
//!
//! A leaf may contain anything, so parsing never silently returns nothing: it returns signings, or errors, or both. A
//! signing is what every verifier reads from the same place. Verifiers differ on unusual input: a broken field, a
//! member with its name in another case, a second PEM block. Such an entry is unreadable, or [has
//! more](Entry::has_more) than was parsed, and [`search()`] finds every certificate and key that any of them could find
//! in it: a signing must not escape a watch because it is logged in an unusual form. In an entry of an unknown kind,
//! the certificates and keys in the usual form are its signings.

mod canonical;
mod ct;
mod digest;
mod error;
mod kind;
mod material;
mod object;
mod pem;
mod search;
mod statement;
#[cfg(test)]
mod tests;
mod v1;
mod v2;

use std::borrow::Cow;

use serde::Deserialize;

pub use ct::parse_certificate;
pub use digest::{Digest, HashAlgorithm};
pub use error::{EntryError, Unreadable};
pub use kind::Kind;
pub use search::{Found, search, visit_strings};
pub use statement::Statement;

use crate::identity::Signer;
use object::{Known, Object, object};

/// Longest accepted leaf, in bytes. A tiled log's leaves have at most 65,535 (C2SP tlog-tiles); those of Rekor v1
/// contain whole signatures of packages, up to some megabytes.
pub const MAX_LEAF_BYTES: usize = 32 * 1024 * 1024;

/// Most signings in one entry. An envelope has one signature, rarely a few; a leaf of a tiled log has space for about
/// 600 of the shortest.
pub const MAX_SIGNINGS: usize = 1024;

/// One entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The kind that it claims.
    pub kind: Kind,
    /// Who signed what. Empty for kinds that hold no signer (`rfc3161`).
    pub signings: Vec<Signing>,
    /// What in it could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Whether it contains more than is parsed here, although nothing in it is unreadable: members that no server
    /// writes, which other parsers may use instead, or an unknown kind. To miss no signer, also [search](search()) it.
    pub has_more: bool,
}

/// A signature by a key; or, in a certificate transparency log, the possibility of one: a certificate was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signing {
    /// Its number in the entry: the same leaf always gives the same ordinals, and an [`Unreadable`] has one too.
    pub ordinal: u32,
    /// The digest of the signed content in the entry: the hash of the data; of the payload (`dsse`, `intoto`); of the
    /// envelope's pre-authentication encoding (DSSE in `hashedrekord 0.0.2`). `None` if the entry has none, or an
    /// unreadable one.
    pub digest: Option<Digest>,
    /// Whose key it was.
    pub signer: Signer,
    /// The signature itself, if the entry contains it in a known form.
    pub signature: Option<Vec<u8>>,
}

/// Reads a leaf of Rekor; for those of certificate transparency logs see [`parse_certificate`].
///
/// # Errors
/// A leaf that is too long, or in which neither an entry nor any certificate or key can be found.
pub fn parse(leaf: &[u8]) -> Result<Entry, EntryError> {
    if leaf.len() > MAX_LEAF_BYTES {
        return Err(EntryError::TooLong {
            length: leaf.len(),
            limit: MAX_LEAF_BYTES,
        });
    }
    let mut reading = Reading::default();
    let kind = reading.read(leaf);
    if kind != Kind::UNKNOWN && reading.is_clean() {
        return Ok(reading.entry(kind));
    }
    // An unknown kind is not a problem in itself: the signers found in it are its content, and signers that only a more
    // lenient parser finds are left to the search.
    if reading.problems == [EntryError::UnknownKind] {
        reading.has_more = true;
        reading.search(leaf);
        if !reading.signings.is_empty() {
            reading.problems.retain(|p| *p != EntryError::UnknownKind);
        }
    }
    match reading.problems.first() {
        Some(error) if kind == Kind::UNKNOWN => Err(error.clone()),
        _ => Ok(reading.entry(kind)),
    }
}

/// Reads the entry in the shape of its kind.
fn read_kind(kind: &Kind, leaf: &[u8], reading: &mut Reading) -> Result<(), EntryError> {
    match (kind.name(), kind.version()) {
        ("hashedrekord", "0.0.2") => v2::hashedrekord(leaf, reading),
        ("dsse", "0.0.2") => v2::dsse(leaf, reading),
        ("hashedrekord", "0.0.1") => v1::hashedrekord(leaf, reading),
        ("rekord", "0.0.1") => v1::rekord(leaf, reading),
        ("dsse", "0.0.1") => v1::dsse(leaf, reading),
        ("intoto", "0.0.1") => v1::intoto_001(leaf, reading),
        ("intoto", "0.0.2") => v1::intoto_002(leaf, reading),
        ("rpm", "0.0.1") => v1::rpm(leaf, reading),
        ("alpine", "0.0.1") => v1::alpine(leaf, reading),
        ("jar", "0.0.1") => v1::jar(leaf, reading),
        ("helm", "0.0.1") => v1::helm(leaf, reading),
        ("tuf", "0.0.1") => v1::tuf(leaf, reading),
        ("cose", "0.0.1") => v1::cose(leaf, reading),
        ("rfc3161", "0.0.1") => v1::rfc3161(leaf, reading),
        _ => Err(EntryError::UnknownKind),
    }
}

/// The results so far.
#[derive(Default)]
struct Reading {
    signings: Vec<Signing>,
    /// Unreadable verifiers keep their number, so that those after them keep theirs.
    unreadable: Vec<Unreadable>,
    /// Problems of the entry as a whole; these come last.
    problems: Vec<EntryError>,
    next: u32,
    has_more: bool,
}

impl Reading {
    /// Parses the leaf in the structure of its kind, and returns the kind.
    fn read(&mut self, leaf: &[u8]) -> Kind {
        // Nearly every leaf of a Rekor v2 log.
        if v2::canonical_hashedrekord(leaf, self) {
            return Kind::new("hashedrekord", "0.0.2");
        }
        // Nearly every leaf of a Rekor v1 log: one pass instead of two.
        if let Some(kind) = canonical_kind(leaf) {
            if read_kind(&kind, leaf, self).is_ok() {
                return kind;
            }
            *self = Self::default();
        }
        let header = match read_json::<Header<'_>>(leaf) {
            Ok(header) => header,
            Err(error) => {
                self.problems.push(error);
                return Kind::UNKNOWN;
            }
        };
        let kind = Kind::new(&header.kind, &header.api_version);
        if let Err(error) = read_kind(&kind, leaf, self) {
            self.problems.push(error);
        }
        kind
    }

    /// Adds the content of one verifier, readable or not: mostly one key, or every key of a block.
    fn verifiers(
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
    fn verifier(
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
    fn part<T>(&mut self, read: Result<T, EntryError>) -> Option<T> {
        read.map_err(|error| {
            if !self.problems.contains(&error) {
                self.problems.push(error);
            }
        })
        .ok()
    }

    /// Adds every signer in the leaf that is in the usual form and was not added yet.
    fn search(&mut self, leaf: &[u8]) {
        search::usual_signers(leaf, &mut |signer| {
            if self.signings.iter().all(|known| known.signer != signer) {
                self.verifier(Ok(signer), None, None);
            }
            self.signings.len() < MAX_SIGNINGS
        });
    }

    fn is_clean(&self) -> bool {
        self.unreadable.is_empty() && self.problems.is_empty()
    }

    fn is_full(&mut self) -> bool {
        let full = self.signings.len() + self.unreadable.len() >= MAX_SIGNINGS;
        if full {
            let _ = self.part::<()>(Err(EntryError::TooManySignings {
                limit: MAX_SIGNINGS,
            }));
        }
        full
    }

    fn take_ordinal(&mut self) -> u32 {
        let ordinal = self.next;
        self.next += 1;
        ordinal
    }

    fn entry(mut self, kind: Kind) -> Entry {
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

/// The kind of an entry in the form in which logs serve it: without white space and with sorted keys (RFC 8785), so
/// that its kind is known before the rest is parsed. [`Body`] checks that no other kind follows.
fn canonical_kind(leaf: &[u8]) -> Option<Kind> {
    fn word(text: &[u8]) -> Option<(&str, &[u8])> {
        let end = text
            .iter()
            .take(Kind::MAX_CHARS)
            .position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'.')?;
        let (word, rest) = text.split_at_checked(end)?;
        Some((std::str::from_utf8(word).ok()?, rest))
    }
    let (version, rest) = word(leaf.strip_prefix(br#"{"apiVersion":""#)?)?;
    let (name, rest) = word(rest.strip_prefix(br#"","kind":""#)?)?;
    rest.starts_with(br#"","spec":"#)
        .then(|| Kind::new(name, version))
}

/// What every entry begins with. Borrowed from the leaf: this is read for every leaf of a log.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, rename = "apiVersion")]
    api_version: Cow<'a, str>,
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

/// Text that is borrowed from the leaf if it has no escapes, inside options and lists too.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The part of the entry that depends on its kind; records whether the leaf contains more than its kind has.
fn read_spec<'a, S: Deserialize<'a> + Object>(
    leaf: &'a [u8],
    reading: &mut Reading,
) -> Result<S, EntryError> {
    let body = read_json::<Body<'a, S>>(leaf)?;
    reading.has_more |= body.has_more();
    Ok(body.spec)
}

/// Parses JSON. serde_json limits its depth; a repeated key is an error if this parser reads it, because two parsers
/// could each use another value.
fn read_json<'a, T: Deserialize<'a>>(leaf: &'a [u8]) -> Result<T, EntryError> {
    serde_json::from_slice(leaf).map_err(|error| EntryError::from_json(&error))
}
