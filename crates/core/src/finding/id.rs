//! Ids of findings, which stay the same over repeated passes, restarts and changes of verdict.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tlog::FaultKind;

use super::Verdict;

/// The first 16 bytes of SHA-256 over the subject of the finding. Evidence, severity and the verdict of a signing are
/// not included: they may change later, the id does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "web", schema(value_type = String, pattern = "^[0-9a-f]{32}$"))]
pub struct FindingId([u8; 16]);

impl FindingId {
    /// A signing of an entry, seen through a watch. `ordinal` counts the signings in the entry.
    pub fn of_signing(
        watch: &str,
        origin: &str,
        index: u64,
        leaf_hash: &[u8; 32],
        ordinal: u32,
    ) -> Self {
        Self::digest(&[
            watch.as_bytes(),
            origin.as_bytes(),
            &index.to_be_bytes(),
            leaf_hash,
            &ordinal.to_be_bytes(),
        ])
    }

    /// A part of an entry that cannot be read. It differs from the readable signing with the same ordinal.
    pub fn of_unreadable(
        watch: Option<&str>,
        origin: &str,
        index: u64,
        leaf_hash: &[u8; 32],
        ordinal: u32,
    ) -> Self {
        Self::of_signing(
            watch.unwrap_or_default(),
            origin,
            index,
            leaf_hash,
            ordinal | 1 << 31,
        )
    }

    /// A fault of a log; `position` is the contradicted size.
    pub fn of_fault(fault: FaultKind, origin: &str, position: u64) -> Self {
        Self::digest(&[
            Verdict::LogFault.as_str().as_bytes(),
            fault.as_str().as_bytes(),
            origin.as_bytes(),
            &position.to_be_bytes(),
        ])
    }

    /// An entry that the registration with this number names, and that the log does not have.
    pub fn of_missing(origin: &str, index: u64, registration: i64) -> Self {
        Self::digest(&[
            Verdict::Missing.as_str().as_bytes(),
            origin.as_bytes(),
            &index.to_be_bytes(),
            &registration.to_be_bytes(),
        ])
    }

    /// A health problem of `subject` that began at `since`.
    pub fn of_episode(verdict: Verdict, subject: &str, since: Timestamp) -> Self {
        Self::digest(&[
            verdict.as_str().as_bytes(),
            b"",
            subject.as_bytes(),
            &since.as_microsecond().to_be_bytes(),
        ])
    }

    /// The bytes, for storage.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// From stored bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Every part is prefixed with its length, so that no two lists of parts are the same bytes.
    fn digest(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        Self(id)
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the id of a finding is 32 hexadecimal digits")]
pub struct FindingIdError;

impl FromStr for FindingId {
    type Err = FindingIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map_err(|_| FindingIdError)?;
        Ok(Self(id))
    }
}

impl Serialize for FindingId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FindingId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
