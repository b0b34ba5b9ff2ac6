//! Proves that an entry is in a tree of a log. Pure: the answers of the log are arguments.
//!
//! A search index, or a user, names an entry. Nothing in the log's answer is trusted before it is verified. [`place`]
//! verifies the entry itself and its inclusion proof, which leads to some root. [`Placed::root`] compares that root
//! with the known head of the tree, and [`Root::verify`] verifies the consistency proof between the two.

use std::sync::Arc;

use tlog::{Hash, Head, leaf_hash, verify_inclusion};

use super::head::{Inconsistent, extends, link};
use crate::log::Shard;
use crate::source::rekor_v1::{Entry, EntryId, Inclusion, TreeNumber};

/// A tree of a log, with its largest head that is consistent with all earlier ones.
pub(crate) struct KnownTree {
    pub(crate) id: TreeNumber,
    /// Its `base` is the index of its first entry over all trees.
    pub(crate) shard: Arc<Shard>,
    pub(crate) head: Head,
}

/// Why an entry is not proven.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unproven {
    /// What the log answered about it is invalid.
    #[error("{0}")]
    Invalid(String),
    /// Two heads that the log signed are not consistent.
    #[error("{0}")]
    Inconsistent(#[from] Inconsistent),
}

/// An entry whose inclusion proof is valid for the root that it leads to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed<'a> {
    /// The place of its tree in the list of trees.
    pub(crate) tree: usize,
    /// Its index within the tree.
    pub(crate) local: u64,
    inclusion: &'a Inclusion,
}

/// Verifies that an entry is the requested one: its body is the leaf of that id, its indexes over all trees and within
/// one belong together, and its inclusion proof is valid.
///
/// # Errors
/// [`Unproven::Invalid`] names the violated condition.
pub(crate) fn place<'a>(
    trees: &[KnownTree],
    asked: &EntryId,
    entry: &'a Entry,
) -> Result<Placed<'a>, Unproven> {
    let invalid = |why: String| Unproven::Invalid(format!("entry {asked}: {why}"));
    let hash = leaf_hash(&entry.body);
    if hash != asked.leaf || hash != entry.id.leaf {
        return Err(invalid(format!("its body has the leaf hash {hash}")));
    }
    let id = asked
        .tree
        .or(entry.id.tree)
        .ok_or_else(|| invalid("the log does not state which tree contains it".to_owned()))?;
    let (tree, of) = trees
        .iter()
        .enumerate()
        .find(|(_, tree)| tree.id == id)
        .ok_or_else(|| invalid(format!("the log lists no tree {id}")))?;
    let inclusion = entry
        .inclusion
        .as_ref()
        .ok_or_else(|| invalid("it comes without an inclusion proof".to_owned()))?;
    let local = inclusion.local;
    if entry.global.within(of.shard.base) != Some(local) {
        return Err(invalid(format!(
            "by its answer it is number {} of the log and leaf {local} of a tree that begins at {}",
            entry.global, of.shard.base
        )));
    }
    verify_inclusion(
        &hash,
        local,
        inclusion.tree_size,
        &inclusion.hashes,
        &inclusion.root,
    )
    .map_err(|error| invalid(format!("its inclusion proof is false: {error}")))?;
    Ok(Placed {
        tree,
        local,
        inclusion,
    })
}

/// The root that an inclusion proof leads to, compared with the known head of the tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// It is the root of the known head: the entry is proven.
    Known,
    /// The log signed it, for a tree that is not smaller than the known head. Once verified, it is the largest head.
    Newer(Head),
    /// The log signed it, for a smaller tree.
    Older(Head),
    /// The log did not sign it. It must be the root of a tree that the known head begins with.
    Unsigned(Head),
}

impl Placed<'_> {
    /// Size and root of the tree that the inclusion proof is for.
    pub(crate) fn size_and_root(&self) -> (u64, Hash) {
        (self.inclusion.tree_size, self.inclusion.root)
    }

    /// The signed head with that root, and the inclusion proof; `None`: the log did not sign that root.
    pub(crate) fn signed(&self, tree: &KnownTree) -> Option<(Head, Vec<Hash>)> {
        let head = match self.root(tree).ok()? {
            Root::Known => tree.head.clone(),
            Root::Newer(head) | Root::Older(head) => head,
            Root::Unsigned(_) => return None,
        };
        Some((head, self.inclusion.hashes.clone()))
    }

    /// The relation of that root to the tree.
    ///
    /// # Errors
    /// [`Unproven::Invalid`]: it is larger than the known head, and not signed.
    pub(crate) fn root(&self, tree: &KnownTree) -> Result<Root, Unproven> {
        let (size, root) = self.size_and_root();
        if (size, root) == (tree.head.size, tree.head.root) {
            return Ok(Root::Known);
        }
        let note = self.inclusion.checkpoint.as_ref();
        let signed = note
            .and_then(|note| tree.shard.open(note).ok())
            .map(|checkpoint| Head::from(&checkpoint))
            .filter(|head| (head.size, head.root) == (size, root));
        match signed {
            Some(head) if size >= tree.head.size => Ok(Root::Newer(head)),
            Some(head) => Ok(Root::Older(head)),
            None if size <= tree.head.size => Ok(Root::Unsigned(Head {
                size,
                root,
                note: Vec::new().into(),
            })),
            None => Err(Unproven::Invalid(format!(
                "no signed checkpoint vouches for leaf {} of {} yet",
                self.local, tree.shard.origin
            ))),
        }
    }
}

impl Root {
    /// The heads between which the log has to prove consistency, the smaller first; `None`: nothing has to be proven.
    pub(crate) fn heads<'a>(&'a self, known: &'a Head) -> Option<(&'a Head, &'a Head)> {
        match self {
            Self::Known => None,
            Self::Newer(head) => Some((known, head)),
            Self::Older(head) | Self::Unsigned(head) => Some((head, known)),
        }
    }

    /// Verifies the consistency proof between the two heads.
    ///
    /// # Errors
    /// [`Unproven`]. An unsigned root is no evidence against the log: if it is not consistent, the answer is invalid.
    pub(crate) fn verify(&self, known: &Head, proof: &[Hash]) -> Result<(), Unproven> {
        match (self, self.heads(known)) {
            (_, None) => Ok(()),
            (Self::Unsigned(_), Some((older, newer))) => {
                extends(older, newer, proof).map_err(|error| {
                    Unproven::Invalid(format!(
                        "the inclusion proof is of no tree that the log signed: {error}"
                    ))
                })
            }
            (_, Some((older, newer))) => Ok(link(older, newer, proof)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use tlog::{LogFault, Origin, node_hash};

    use super::*;
    use crate::log::{GlobalIndex, LogId, Protocol, Start};

    const BODY: &[u8] = b"{}";
    const BASE: u64 = 100;

    fn id() -> TreeNumber {
        "1".parse().expect("the id of a tree")
    }

    fn other_leaf() -> Hash {
        leaf_hash(b"other")
    }

    /// A tree of two leaves, of which `BODY` is the first.
    fn tree() -> KnownTree {
        let shard = Shard {
            name: "v1".to_owned(),
            log: LogId::new("https://rekor.example/"),
            origin: Origin::new("rekor.example - 1").expect("an origin"),
            label: Some("1".to_owned()),
            protocol: Protocol::RekorV1,
            base: BASE,
            ended: false,
            verifiers: Vec::new(),
            promise_keys: Vec::new(),
            start: Start::Beginning,
            silence_after: None,
            rollback_after: Duration::ZERO,
        };
        KnownTree {
            id: id(),
            shard: Arc::new(shard),
            head: head(2, node_hash(&leaf_hash(BODY), &other_leaf())),
        }
    }

    fn head(size: u64, root: Hash) -> Head {
        Head {
            size,
            root,
            note: Vec::new().into(),
        }
    }

    fn asked() -> EntryId {
        EntryId {
            tree: Some(id()),
            leaf: leaf_hash(BODY),
        }
    }

    /// The first entry, with an inclusion proof for a tree of that size.
    fn entry(tree_size: u64) -> Entry {
        let (root, hashes) = match tree_size {
            1 => (leaf_hash(BODY), Vec::new()),
            _ => (tree().head.root, vec![other_leaf()]),
        };
        Entry {
            id: asked(),
            body: Bytes::from_static(BODY),
            global: GlobalIndex::new(BASE),
            inclusion: Some(Inclusion {
                local: 0,
                tree_size,
                root,
                hashes,
                checkpoint: None,
            }),
            integrated_at: 0,
            signed_timestamp: None,
            attestation: None,
        }
    }

    #[test]
    fn an_entry_is_proven_by_the_known_root_or_by_one_that_is_consistent_with_it() {
        let trees = [tree()];
        let [known] = &trees;
        let entry_of_two = entry(2);
        let placed = place(&trees, &asked(), &entry_of_two).expect("an entry of the tree");
        assert_eq!((placed.tree, placed.local), (0, 0));
        let root = placed.root(known).expect("a root");
        assert_eq!(root, Root::Known);
        assert!(root.verify(&known.head, &[]).is_ok());
        let entry_of_one = entry(1);
        let placed = place(&trees, &asked(), &entry_of_one).expect("an entry of the tree");
        let root = placed.root(known).expect("a root");
        assert!(matches!(root, Root::Unsigned(_)));
        assert!(root.verify(&known.head, &[other_leaf()]).is_ok());
        let refused = root.verify(&known.head, &[leaf_hash(b"another")]);
        assert!(matches!(refused, Err(Unproven::Invalid(_))));
    }

    #[test]
    fn signed_roots_that_are_not_consistent_are_a_fault() {
        let known = tree().head;
        let forked = Root::Newer(head(2, other_leaf()));
        let refused = forked.verify(&known, &[]);
        assert!(matches!(
            refused,
            Err(Unproven::Inconsistent(Inconsistent::Fault(
                LogFault::Fork { .. }
            )))
        ));
        let older = Root::Older(head(1, leaf_hash(BODY)));
        assert!(older.verify(&known, &[other_leaf()]).is_ok());
        let none = older.verify(&known, &[]);
        assert!(matches!(
            none,
            Err(Unproven::Inconsistent(Inconsistent::NoProof(_)))
        ));
    }

    #[test]
    fn an_entry_that_differs_from_the_requested_one_is_invalid() {
        let trees = [tree()];
        let changes: [fn(&mut Entry); 6] = [
            |entry| entry.body = Bytes::from_static(b"[]"),
            |entry| entry.id.leaf = other_leaf(),
            |entry| entry.global = GlobalIndex::new(BASE + 1),
            |entry| entry.inclusion = None,
            |entry| entry.inclusion.as_mut().expect("it has one").local = 1,
            |entry| {
                let inclusion = entry.inclusion.as_mut().expect("it has one");
                inclusion.hashes = vec![leaf_hash(b"another")];
            },
        ];
        for (place_of_change, change) in changes.into_iter().enumerate() {
            let mut entry = entry(2);
            change(&mut entry);
            let refused = place(&trees, &asked(), &entry);
            assert!(
                matches!(refused, Err(Unproven::Invalid(_))),
                "{place_of_change}"
            );
        }
        let mut elsewhere = asked();
        elsewhere.tree = "2".parse().ok();
        assert!(place(&trees, &elsewhere, &entry(2)).is_err());
    }

    #[test]
    fn a_larger_root_without_a_signature_is_invalid() {
        let known = KnownTree {
            head: head(1, leaf_hash(BODY)),
            ..tree()
        };
        let trees = [known];
        let entry = entry(2);
        let placed = place(&trees, &asked(), &entry).expect("an entry of the tree");
        let [known] = &trees;
        assert!(matches!(placed.root(known), Err(Unproven::Invalid(_))));
    }
}
