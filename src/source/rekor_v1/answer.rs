//! The responses of a Rekor v1 server, parsed strictly: bounded, every hash and number checked.

mod json;

use base64::Engine as _;
use bytes::Bytes;
use serde::Deserialize;
use tlog::{Hash, MAX_TREE_SIZE};

use self::json::{
    MAX_PROOF_HASHES, OneKey, RawEntry, RawInclusion, RawLog, RawPlace, RawProof, RawTree, Text,
};
use super::entry_id::{EntryId, TreeNumber};
use super::error::NotAnAnswer;
use crate::codec::STANDARD;
use crate::log::{GlobalIndex, Promise};
use crate::source::at_most::AtMost;

/// Most trees of one log. The public log has three after five years.
const MAX_TREES: usize = 256;

/// Most entries in one request (rekor's `openapi.yaml`: more give 422).
pub const MAX_RETRIEVED: usize = 10;

/// The log's description of one of its trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeHead {
    /// The id of the tree.
    pub id: TreeNumber,
    /// Its size beside the note, unsigned: only the size in the note counts.
    pub claimed_size: u64,
    /// Its checkpoint as a signed note, not verified.
    pub note: Bytes,
}

/// One entry as the log serves it. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The id in the response. The caller has to verify that `body` hashes to it.
    pub id: EntryId,
    /// The leaf.
    pub body: Bytes,
    /// Its place, counted over all trees.
    pub global: GlobalIndex,
    /// Its inclusion in its tree; not every server returns it.
    pub inclusion: Option<Inclusion>,
    /// When the log accepted the entry, according to the log, in seconds since 1970. No tree hash covers it.
    pub integrated_at: i64,
    /// The log's signature over body, time and place: the signed entry timestamp.
    pub signed_timestamp: Option<Bytes>,
    /// The attestation, for some entries of some kinds. No tree hash covers it; the leaf contains its hash.
    pub attestation: Option<Bytes>,
}

/// One entry without its inclusion proof, for a reader of all leaves: the root over all of them proves each. Nothing of it is
/// verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The id that the server gave it.
    pub id: EntryId,
    /// The leaf.
    pub body: Bytes,
    /// Its place, counted over all trees.
    pub global: GlobalIndex,
    /// Its place within the tree; not every server gives it.
    pub local: Option<u64>,
    /// As [`Entry::attestation`].
    pub attestation: Option<Bytes>,
    /// When the log accepted the entry, if it signed that.
    pub promise: Option<Promise>,
}

impl Entry {
    /// When the log accepted the entry, if it signed that.
    pub fn promise(&self) -> Option<Promise> {
        let signature = self.signed_timestamp.clone()?;
        Some(Promise {
            integrated_at: self.integrated_at,
            signature,
        })
    }
}

/// The type that an answer with entries is read as.
pub(super) trait Retrieved: Sized {
    /// Reads the answer.
    fn read(json: &[u8]) -> Result<Vec<Self>, NotAnAnswer>;
    fn id(&self) -> EntryId;
    fn global(&self) -> GlobalIndex;
    /// Its place within the tree, where the server gives it.
    fn local(&self) -> Option<u64>;
}

impl Retrieved for Entry {
    fn read(json: &[u8]) -> Result<Vec<Self>, NotAnAnswer> {
        entries(json)
    }

    fn id(&self) -> EntryId {
        self.id
    }

    fn global(&self) -> GlobalIndex {
        self.global
    }

    fn local(&self) -> Option<u64> {
        Some(self.inclusion.as_ref()?.local)
    }
}

impl Retrieved for Leaf {
    fn read(json: &[u8]) -> Result<Vec<Self>, NotAnAnswer> {
        leaves(json)
    }

    fn id(&self) -> EntryId {
        self.id
    }

    fn global(&self) -> GlobalIndex {
        self.global
    }

    fn local(&self) -> Option<u64> {
        self.local
    }
}

/// The index of an entry in its tree, and the path from it to a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// Its place within the tree.
    pub local: u64,
    /// The size of the tree that the path is for. Two entries of one answer may have different ones.
    pub tree_size: u64,
    /// The root that the path leads to.
    pub root: Hash,
    /// The path, from the leaf's sibling up.
    pub hashes: Vec<Hash>,
    /// The checkpoint of that size as a signed note, not verified.
    pub checkpoint: Option<Bytes>,
}

/// `GET log`: its trees, oldest first. The last one is the one that grows.
///
/// # Errors
/// Bytes that are no such answer.
pub fn trees(json: &[u8]) -> Result<Vec<TreeHead>, NotAnAnswer> {
    let info: RawLog = serde_json::from_slice(json)?;
    let older = info.inactive_shards.unwrap_or_default();
    if older.len() >= MAX_TREES {
        return Err(NotAnAnswer(format!("more than {MAX_TREES} trees")));
    }
    let mut trees = Vec::with_capacity(older.len() + 1);
    for tree in older.into_iter().chain([info.active]) {
        let head = tree.read()?;
        if trees.iter().any(|known: &TreeHead| known.id == head.id) {
            return Err(NotAnAnswer(format!("tree {} is listed twice", head.id)));
        }
        trees.push(head);
    }
    Ok(trees)
}

/// `POST log/entries/retrieve`: entries in no promised order.
///
/// # Errors
/// Bytes that are no such answer.
pub fn entries(json: &[u8]) -> Result<Vec<Entry>, NotAnAnswer> {
    let raw: AtMost<OneKey<'_, RawEntry<'_, RawInclusion<'_>>>, MAX_RETRIEVED> =
        serde_json::from_slice(json)?;
    raw.0
        .into_iter()
        .map(|OneKey(id, raw)| {
            let Read {
                leaf,
                inclusion,
                integrated_at,
                signed_timestamp,
            } = raw.read(&id)?;
            Ok(Entry {
                signed_timestamp,
                id: leaf.id,
                body: leaf.body,
                global: leaf.global,
                inclusion: inclusion.map(RawInclusion::read).transpose()?,
                integrated_at,
                attestation: leaf.attestation,
            })
        })
        .collect()
}

/// The same answer without the proofs, which are two thirds of it.
///
/// # Errors
/// Bytes that are no such answer. Of a proof, only the entry's index and the size of the tree are read.
pub fn leaves(json: &[u8]) -> Result<Vec<Leaf>, NotAnAnswer> {
    let raw: AtMost<OneKey<'_, RawEntry<'_, RawPlace>>, MAX_RETRIEVED> =
        serde_json::from_slice(json)?;
    raw.0
        .into_iter()
        .map(|OneKey(id, raw)| {
            let Read {
                leaf,
                inclusion,
                integrated_at,
                signed_timestamp,
            } = raw.read(&id)?;
            let local = inclusion.map(|place| in_tree(place.local, place.tree_size));
            Ok(Leaf {
                local: local.transpose()?,
                promise: signed_timestamp.map(|signature| Promise {
                    integrated_at,
                    signature,
                }),
                ..leaf
            })
        })
        .collect()
}

/// `GET log/proof`: the hashes of a consistency proof.
///
/// # Errors
/// Bytes that are no such answer.
pub fn proof(json: &[u8]) -> Result<Vec<Hash>, NotAnAnswer> {
    let raw: RawProof<'_> = serde_json::from_slice(json)?;
    hashes(&raw.hashes)
}

/// The server's message about a wrong request: `{"code":400,"message":"…"}`.
pub fn complaint(json: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Complaint {
        message: String,
    }
    let complaint: Complaint = serde_json::from_str(json).ok()?;
    Some(complaint.message)
}

impl RawTree {
    fn read(self) -> Result<TreeHead, NotAnAnswer> {
        Ok(TreeHead {
            id: self
                .id
                .parse()
                .map_err(|_| NotAnAnswer(format!("{:?} is not the id of a tree", self.id)))?,
            claimed_size: self.size,
            note: self.note.into(),
        })
    }
}

/// An entry; `I` is the part of its inclusion proof that is read.
struct Read<I> {
    /// Without its index in its tree and its promise.
    leaf: Leaf,
    inclusion: Option<I>,
    integrated_at: i64,
    signed_timestamp: Option<Bytes>,
}

impl<I> RawEntry<'_, I> {
    fn read(self, id: &str) -> Result<Read<I>, NotAnAnswer> {
        let id: EntryId = id
            .parse()
            .map_err(|_| NotAnAnswer(format!("{id:?} is not the id of an entry")))?;
        let decode = |text: &str, what: &str| {
            STANDARD
                .decode(text)
                .map(Bytes::from)
                .map_err(|e| NotAnAnswer(format!("the {what} of {id} is not base64: {e}")))
        };
        let attestation = self
            .attestation
            .and_then(|attestation| attestation.data)
            .filter(|data| !data.is_empty())
            .map(|data| decode(&data, "attestation"))
            .transpose()?;
        let leaf = Leaf {
            id,
            body: decode(&self.body, "body")?,
            global: GlobalIndex::new(self.global),
            local: None,
            attestation,
            promise: None,
        };
        let (inclusion, signed) = match self.verification {
            Some(verification) => (verification.inclusion, verification.signed_timestamp),
            None => (None, None),
        };
        // What cannot be decoded is no signature of the log: the time is then not known.
        let signed = signed.and_then(|signed| STANDARD.decode(&*signed).ok());
        Ok(Read {
            leaf,
            inclusion,
            integrated_at: self.integrated_at,
            signed_timestamp: signed.map(Bytes::from),
        })
    }
}

impl RawInclusion<'_> {
    fn read(self) -> Result<Inclusion, NotAnAnswer> {
        Ok(Inclusion {
            local: in_tree(self.local, self.tree_size)?,
            tree_size: self.tree_size,
            root: hash(&self.root.0)?,
            hashes: hashes(&self.hashes)?,
            checkpoint: self.checkpoint.map(Bytes::from),
        })
    }
}

/// The index of a leaf in a tree of that size, if it is valid.
fn in_tree(local: u64, tree_size: u64) -> Result<u64, NotAnAnswer> {
    if tree_size > MAX_TREE_SIZE || local >= tree_size {
        return Err(NotAnAnswer(format!(
            "leaf {local} of a tree of {tree_size}"
        )));
    }
    Ok(local)
}

fn hash(hex: &str) -> Result<Hash, NotAnAnswer> {
    Hash::from_hex(hex).map_err(|e| NotAnAnswer(e.to_string()))
}

fn hashes(hex: &AtMost<Text<'_>, MAX_PROOF_HASHES>) -> Result<Vec<Hash>, NotAnAnswer> {
    hex.0.iter().map(|hex| hash(&hex.0)).collect()
}

#[cfg(test)]
mod tests;
