//! The JSON of a server's responses, as the server writes it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

use crate::source::at_most::AtMost;

/// Longest inclusion or consistency proof, in hashes: a tree of 2^63 leaves has paths of 63.
pub(super) const MAX_PROOF_HASHES: usize = 64;

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
    pub(super) id: String,
    #[serde(rename = "treeSize")]
    pub(super) size: u64,
    #[serde(rename = "signedTreeHead")]
    pub(super) note: String,
}

/// An entry; `I` is the part of its inclusion proof that is read.
#[derive(Deserialize)]
pub(super) struct RawEntry<'a, I> {
    #[serde(borrow)]
    pub(super) body: Cow<'a, str>,
    #[serde(rename = "integratedTime")]
    pub(super) integrated_at: i64,
    #[serde(rename = "logIndex")]
    pub(super) global: u64,
    #[serde(borrow)]
    pub(super) attestation: Option<RawAttestation<'a>>,
    pub(super) verification: Option<RawVerification<I>>,
}

#[derive(Deserialize)]
pub(super) struct RawAttestation<'a> {
    #[serde(borrow)]
    pub(super) data: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
pub(super) struct RawVerification<I> {
    #[serde(rename = "inclusionProof")]
    pub(super) inclusion: Option<I>,
    #[serde(rename = "signedEntryTimestamp")]
    pub(super) signed_timestamp: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct RawInclusion<'a> {
    #[serde(rename = "logIndex")]
    pub(super) local: u64,
    #[serde(rename = "treeSize")]
    pub(super) tree_size: u64,
    #[serde(borrow, rename = "rootHash")]
    pub(super) root: Text<'a>,
    #[serde(borrow)]
    pub(super) hashes: AtMost<Text<'a>, MAX_PROOF_HASHES>,
    pub(super) checkpoint: Option<String>,
}

/// The part of an inclusion proof that is read with all leaves.
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
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

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
