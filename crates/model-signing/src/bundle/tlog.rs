//! The log entries of a bundle, as the log returned them to the signer. Claims, until they are proven.

use crate::json::{Field, JsonError, Object};

/// Most hashes of an inclusion proof: a tree of at most 2^63 - 1 leaves is 63 levels high.
pub const MAX_PROOF_HASHES: usize = 63;

/// A log entry that a bundle names (`TransparencyLogEntry` of sigstore_rekor.proto).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlogEntry {
    /// Index in the log. In Rekor v1 it counts over all shards; the index in the tree is the inclusion proof's.
    pub log_index: u64,
    /// Which log, by its key, 4 to 32 bytes. Rekor v1: SHA-256 of the key in DER, the same for all shards with that
    /// key. Rekor v2: the key id of the checkpoint's signer, whole or its first four bytes.
    pub log_id: Vec<u8>,
    /// Kind of the entry: `hashedrekord`, `dsse`, `intoto`…
    pub kind: String,
    /// Version of the kind: `0.0.1`, `0.0.2`.
    pub version: String,
    /// When the log integrated the entry, in Unix seconds, by its own clock. `None` where the file has no time or zero:
    /// Rekor v2 returns none. It is evidence only together with a verified inclusion promise.
    pub integrated_time: Option<i64>,
    /// The entry as the log hashed it; the leaf hash is over these bytes.
    pub canonicalized_body: Option<Vec<u8>>,
    /// Proof that the entry is in a tree. The oldest bundles have only a promise.
    pub inclusion_proof: Option<InclusionProof>,
    /// Rekor v1's signed entry timestamp: the log's promise to include the entry.
    pub inclusion_promise: Option<Vec<u8>>,
}

/// The path from a leaf to the root of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InclusionProof {
    /// Index of the leaf in its tree, which is one shard.
    pub log_index: u64,
    /// Root that the proof leads to.
    pub root_hash: [u8; 32],
    /// Size of the tree.
    pub tree_size: u64,
    /// The hashes of the path, from the leaf up, at most [`MAX_PROOF_HASHES`].
    pub hashes: Vec<[u8; 32]>,
    /// The log's signed note about that tree; only v0.3 requires it.
    pub checkpoint: Option<String>,
}

impl TlogEntry {
    pub(crate) fn read(object: &Object<'_>) -> Result<Self, JsonError> {
        let log_index = index(object)?;
        let log_id = object.required("logId")?.object()?;
        let kind_version = object.required("kindVersion")?.object()?;
        Ok(Self {
            log_index,
            log_id: log_id.required("keyId")?.bytes(4..=32)?,
            kind: kind_version.required("kind")?.text()?.to_owned(),
            version: kind_version.required("version")?.text()?.to_owned(),
            integrated_time: match object.optional("integratedTime")? {
                Some(time) => Some(time.integer()?).filter(|seconds| *seconds != 0),
                None => None,
            },
            canonicalized_body: match object.optional("canonicalizedBody")? {
                Some(body) => Some(body.bytes(1..=usize::MAX)?),
                None => None,
            },
            inclusion_proof: match object.optional("inclusionProof")? {
                Some(proof) => Some(InclusionProof::read(&proof.object()?)?),
                None => None,
            },
            inclusion_promise: match object.optional("inclusionPromise")? {
                Some(promise) => Some(signed_entry_timestamp(promise)?),
                None => None,
            },
        })
    }
}

impl InclusionProof {
    fn read(object: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self {
            log_index: index(object)?,
            root_hash: object.required("rootHash")?.array()?,
            tree_size: object.required("treeSize")?.integer()?.unsigned_abs(),
            // The only leaf of a tree needs no hashes, and protobuf's JSON mapping leaves an empty list out.
            hashes: match object.optional("hashes")? {
                Some(hashes) => hashes
                    .items(0..=MAX_PROOF_HASHES)?
                    .map(|item| item.array())
                    .collect::<Result<_, _>>()?,
                None => Vec::new(),
            },
            checkpoint: match object.optional("checkpoint")? {
                Some(checkpoint) => Some(
                    checkpoint
                        .object()?
                        .required("envelope")?
                        .text()?
                        .to_owned(),
                ),
                None => None,
            },
        })
    }
}

/// Protobuf's JSON mapping may leave a zero out, and the first entry of a log has index zero.
fn index(object: &Object<'_>) -> Result<u64, JsonError> {
    match object.optional("logIndex")? {
        Some(index) => Ok(index.integer()?.unsigned_abs()),
        None => Ok(0),
    }
}

fn signed_entry_timestamp(promise: Field<'_>) -> Result<Vec<u8>, JsonError> {
    promise
        .object()?
        .required("signedEntryTimestamp")?
        .bytes(1..=usize::MAX)
}
