//! The files of a directory, and the form of those that are JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tlog::Hash;

use crate::log::Protocol;

/// Names every other file and its hash.
pub(super) const MANIFEST: &str = "evidence.json";
/// The bytes that the log hashed.
pub(super) const LEAF: &str = "leaf";
/// Where the leaf is in the tree, and the hashes that lead to the root.
pub(super) const INCLUSION: &str = "inclusion.json";
/// The signed note with that root.
pub(super) const CHECKPOINT: &str = "checkpoint.txt";
/// The signer's certificate.
pub(super) const CERTIFICATE: &str = "certificate.pem";
/// The authorities above it.
pub(super) const CHAIN: &str = "chain.pem";
/// The Sigstore trusted root that was in force.
pub(super) const TRUSTED_ROOT: &str = "trusted_root.json";
/// What was found.
pub(super) const FINDING: &str = "finding.json";
/// The registered bundle.
pub(super) const BUNDLE: &str = "bundle.json";
/// For people.
pub(super) const README: &str = "README.md";
/// A signature over the whole directory. The manifest cannot name it, because it covers the manifest.
pub const SIGNATURE: &str = "evidence.sig";

/// The version of the format.
const FORMAT: u32 = 1;

/// Longest file of a directory, in bytes. A leaf of a Rekor v1 log has at most 32 MiB.
pub const MAX_FILE_BYTES: usize = crate::entry::MAX_LEAF_BYTES;

/// Longest of the files that are no leaf, in bytes. A trusted root has some tens of kilobytes.
const MAX_OTHER_BYTES: usize = 4 * 1024 * 1024;

/// The names that a directory may have, and whether it must have them.
const NAMES: [(&str, bool); 11] = [
    (BUNDLE, false),
    (CERTIFICATE, false),
    (CHAIN, false),
    (CHECKPOINT, true),
    (FINDING, true),
    (INCLUSION, true),
    (LEAF, true),
    (MANIFEST, true),
    (README, true),
    (SIGNATURE, false),
    (TRUSTED_ROOT, false),
];

/// How long a file with this name may be; `None`: no file has this name.
pub(super) fn limit_bytes(name: &str) -> Option<usize> {
    let known = NAMES.iter().any(|(known, _)| *known == name);
    known.then_some(match name {
        LEAF => MAX_FILE_BYTES,
        _ => MAX_OTHER_BYTES,
    })
}

/// The names that every directory has.
pub(super) fn required() -> impl Iterator<Item = &'static str> {
    NAMES
        .iter()
        .filter(|(_, is_required)| *is_required)
        .map(|(name, _)| *name)
}

/// The content of a directory, by the names of the files.
pub type Files = BTreeMap<String, Vec<u8>>;

/// `evidence.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the format: 1.
    pub format: u32,
    /// The type of the log, as in the configuration.
    pub log_type: String,
    /// SHA-256 of every other file by its name, lower-case hex, but for `evidence.sig`.
    pub files: BTreeMap<String, String>,
}

/// Why `evidence.json` cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MalformedManifest {
    /// Not the object that is expected.
    #[error("is not the JSON object of the format: {0}")]
    Json(#[from] serde_json::Error),
    /// Another version of the format.
    #[error("has the format {0}, and this program reads the format {FORMAT}")]
    Format(u32),
    /// The same object in another spelling: a changed byte must not pass as white space.
    #[error(
        "is not spelled as the format demands: JSON with an indentation of two spaces and a line feed at the end"
    )]
    Spelling,
    /// A type of log that does not exist.
    #[error("names the log type {0:?}, which does not exist")]
    LogType(String),
}

impl Manifest {
    /// The manifest of these files.
    pub(super) fn of(files: &Files, protocol: Protocol) -> Self {
        let listed = files
            .iter()
            .filter(|(name, _)| ![MANIFEST, SIGNATURE].contains(&name.as_str()));
        Self {
            format: FORMAT,
            log_type: protocol.as_str().to_owned(),
            files: listed
                .map(|(name, bytes)| (name.clone(), sha256(bytes)))
                .collect(),
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// See [`MalformedManifest`].
    pub fn read(bytes: &[u8]) -> Result<(Self, Protocol), MalformedManifest> {
        let read: Self = serde_json::from_slice(bytes)?;
        if read.format != FORMAT {
            return Err(MalformedManifest::Format(read.format));
        }
        if pretty(&read) != bytes {
            return Err(MalformedManifest::Spelling);
        }
        let protocol = Protocol::from_word(&read.log_type)
            .ok_or_else(|| MalformedManifest::LogType(read.log_type.clone()))?;
        Ok((read, protocol))
    }
}

/// `inclusion.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// The first line of the checkpoint.
    pub origin: String,
    /// The index of the entry in its log. A Rekor v1 log counts over all its trees; for every other log it is `tree_index`.
    pub log_index: u64,
    /// The index of the leaf in its tree.
    pub tree_index: u64,
    /// The number of leaves of the tree with the root.
    pub tree_size: u64,
    /// RFC 6962 leaf hash, lower-case hex.
    pub leaf_hash: String,
    /// The root of the tree, lower-case hex.
    pub root_hash: String,
    /// The inclusion proof of RFC 6962 §2.1.1, from the leaf up, lower-case hex.
    pub hashes: Vec<String>,
}

impl Inclusion {
    /// The hashes of the proof; `None`: one is not 32 bytes in lower-case hex.
    pub(super) fn path(&self) -> Option<Vec<Hash>> {
        self.hashes.iter().map(|hash| read_hash(hash)).collect()
    }
}

/// A hash in lower-case hex.
pub(super) fn read_hash(text: &str) -> Option<Hash> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    let hash = Hash::new(bytes);
    (hash.to_hex() == text).then_some(hash)
}

/// JSON as all files of a directory have it: two spaces of indentation, a line feed at the end.
pub(super) fn pretty(value: &impl Serialize) -> Vec<u8> {
    // Maps with string keys and plain values: this cannot fail, and an empty file would be refused.
    let mut json = serde_json::to_vec_pretty(value).unwrap_or_default();
    json.push(b'\n');
    json
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
