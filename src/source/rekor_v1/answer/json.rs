//! The JSON of a server's responses, as it is written.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use base64::Engine as _;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use tlog::{Hash, MAX_TREE_SIZE};

use super::{EntryId, Inclusion, Leaf, MAX_PROOF_HASHES, NotAnAnswer, TreeHead};
use crate::codec::STANDARD;
use crate::log::GlobalIndex;
use crate::source::at_most::AtMost;

#[derive(Deserialize)]
pub(super) struct RawLog {
    #[serde(flatten)]
    pub(super) active: RawTree,
    #[serde(rename = "inactiveShards")]
    pub(super) inactive_shards: Option<Vec<RawTree>>,
}

#[derive(Deserialize)]
pub(super) struct RawTree {
    #[serde(rename = "treeID")]
    id: String,
    #[serde(rename = "treeSize")]
    size: u64,
    #[serde(rename = "signedTreeHead")]
    note: String,
}

impl RawTree {
    pub(super) fn read(self) -> Result<TreeHead, NotAnAnswer> {
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

/// An entry; `I` is what is read of its inclusion proof.
#[derive(Deserialize)]
pub(super) struct RawEntry<'a, I> {
    #[serde(borrow)]
    body: Cow<'a, str>,
    #[serde(rename = "integratedTime")]
    integrated_at: i64,
    #[serde(rename = "logIndex")]
    global: u64,
    #[serde(borrow)]
    attestation: Option<RawAttestation<'a>>,
    verification: Option<RawVerification<I>>,
}

#[derive(Deserialize)]
pub(super) struct RawAttestation<'a> {
    #[serde(borrow)]
    data: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
pub(super) struct RawVerification<I> {
    #[serde(rename = "inclusionProof")]
    inclusion: Option<I>,
}

#[derive(Deserialize)]
pub(super) struct RawInclusion<'a> {
    #[serde(rename = "logIndex")]
    local: u64,
    #[serde(rename = "treeSize")]
    tree_size: u64,
    #[serde(borrow, rename = "rootHash")]
    root: Text<'a>,
    #[serde(borrow)]
    hashes: AtMost<Text<'a>, MAX_PROOF_HASHES>,
    checkpoint: Option<String>,
}

/// What a reader of all leaves reads of an inclusion proof.
#[derive(Deserialize)]
pub(super) struct RawPlace {
    #[serde(rename = "logIndex")]
    pub(super) local: u64,
    #[serde(rename = "treeSize")]
    pub(super) tree_size: u64,
}

#[derive(Deserialize)]
pub(super) struct RawProof<'a> {
    #[serde(borrow)]
    pub(super) hashes: AtMost<Text<'a>, MAX_PROOF_HASHES>,
}

/// Text that is borrowed from the response if it has no escapes, in lists too.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<I> RawEntry<'_, I> {
    /// The entry but for its place within its tree, what was read of its proof, and the time at which the log took it.
    pub(super) fn read(self, id: &str) -> Result<(Leaf, Option<I>, i64), NotAnAnswer> {
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
        };
        let inclusion = self
            .verification
            .and_then(|verification| verification.inclusion);
        Ok((leaf, inclusion, self.integrated_at))
    }
}

impl RawInclusion<'_> {
    pub(super) fn read(self) -> Result<Inclusion, NotAnAnswer> {
        Ok(Inclusion {
            local: in_tree(self.local, self.tree_size)?,
            tree_size: self.tree_size,
            root: hash(&self.root.0)?,
            hashes: hashes(&self.hashes)?,
            checkpoint: self.checkpoint.map(Bytes::from),
        })
    }
}

/// The place of a leaf in a tree of that size, if there is such a place.
pub(super) fn in_tree(local: u64, tree_size: u64) -> Result<u64, NotAnAnswer> {
    if tree_size > MAX_TREE_SIZE || local >= tree_size {
        return Err(NotAnAnswer(format!(
            "leaf {local} of a tree of {tree_size}"
        )));
    }
    Ok(local)
}

pub(super) fn hash(hex: &str) -> Result<Hash, NotAnAnswer> {
    Hash::from_hex(hex).map_err(|e| NotAnAnswer(e.to_string()))
}

pub(super) fn hashes(hex: &AtMost<Text<'_>, MAX_PROOF_HASHES>) -> Result<Vec<Hash>, NotAnAnswer> {
    hex.0.iter().map(|hex| hash(&hex.0)).collect()
}

/// An object with exactly one key, which is how entries are named.
pub(super) struct OneKey<'a, T>(pub(super) Cow<'a, str>, pub(super) T);

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for OneKey<'a, T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Only<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Only<T> {
            type Value = OneKey<'de, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with one key")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                use serde::de::Error as _;
                let Some((Text(key), value)) = map.next_entry()? else {
                    return Err(A::Error::custom("an empty object instead of an entry"));
                };
                if map.next_key::<serde::de::IgnoredAny>()?.is_some() {
                    return Err(A::Error::custom("two entries in one object"));
                }
                Ok(OneKey(key, value))
            }
        }

        deserializer.deserialize_map(Only(PhantomData))
    }
}
