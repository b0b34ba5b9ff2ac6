//! From a leaf of Rekor to an entry.

use std::borrow::Cow;

use serde::Deserialize;

use super::error::EntryError;
use super::kind::Kind;
use super::reading::{Reading, read_json};
use super::signing::{Entry, MAX_LEAF_BYTES};
use super::{v1, v2};

/// Reads a leaf of Rekor; for those of certificate transparency logs see [`parse_certificate`](super::parse_certificate).
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

/// The kind of an entry in the form in which logs serve it: without white space and with sorted keys (RFC 8785), so
/// that its kind is known before the rest is parsed. `read_spec` checks that no other kind follows.
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
