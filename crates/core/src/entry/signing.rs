//! What an entry holds.

use super::digest::Digest;
use super::error::Unreadable;
use super::kind::Kind;
use crate::identity::Signer;

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
    /// writes, which other parsers may use instead, or an unknown kind. To miss no signer, also
    /// [search](super::search()) it.
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
