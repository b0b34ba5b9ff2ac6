//! From an entry that somebody names to one that a signed checkpoint vouches for: nothing of an answer is believed
//! before it hashes to that.

use std::collections::HashSet;

use tlog::{Hash, Head, leaf_hash, verify_inclusion};

use super::Pass;
use super::heads::{Tree, Trees, extends};
use crate::monitor::tail::pass::Halt;
use crate::source::rekor_v1::{Entry, EntryId, Inclusion};

/// An entry whose place in a tree is proven, but for the root that the proof leads to.
pub(super) struct Placed<'a> {
    pub(super) tree: usize,
    pub(super) local: u64,
    inclusion: &'a Inclusion,
}

/// Roots of this pass that are known to be of our trees: (tree, size, root).
pub(super) type ProvenRoots = HashSet<(usize, u64, Hash)>;

/// Checks all that an entry says about itself: that it is the one that was asked for, that its body is the leaf that the
/// name stands for, its indexes over all trees and within one, and the path from the leaf to a root.
pub(super) fn place<'a>(
    trees: &[Tree],
    asked: &EntryId,
    entry: &'a Entry,
) -> Result<Placed<'a>, Halt> {
    let refuse = |why: String| Halt::failed("malformed", format!("entry {asked}: {why}"));
    let hash = leaf_hash(&entry.body);
    if hash != asked.leaf || hash != entry.id.leaf {
        return Err(refuse(format!("its body has the leaf hash {hash}")));
    }
    let id = asked
        .tree
        .or(entry.id.tree)
        .ok_or_else(|| refuse("the log does not say which tree holds it".to_owned()))?;
    let (tree, of) = trees
        .iter()
        .enumerate()
        .find(|(_, tree)| tree.id == id)
        .ok_or_else(|| refuse(format!("the log lists no tree {id}")))?;
    let inclusion = entry
        .inclusion
        .as_ref()
        .ok_or_else(|| refuse("it comes without an inclusion proof".to_owned()))?;
    let local = inclusion.local;
    if entry.global.within(of.shard.base) != Some(local) {
        return Err(refuse(format!(
            "it says that it is number {} of the log and leaf {local} of a tree that begins at {}",
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
    .map_err(|error| refuse(format!("its inclusion proof is false: {error}")))?;
    Ok(Placed {
        tree,
        local,
        inclusion,
    })
}

impl Pass<'_> {
    /// That the root which an entry's proof leads to is one of our tree: signed by the log, and consistent with what it
    /// signed before; or, without a signature, the root of a beginning of what it signed. `false`: this takes a request more
    /// than the turn has.
    pub(super) async fn is_in_tree(
        &mut self,
        trees: &mut Trees,
        proven_roots: &mut ProvenRoots,
        placed: &Placed<'_>,
    ) -> Result<bool, Halt> {
        let (size, root) = (placed.inclusion.tree_size, placed.inclusion.root);
        let Some(tree) = trees.list.get(placed.tree) else {
            return Err(Halt::failed("malformed", "no such tree".to_owned()));
        };
        if (size, root) == (tree.head.size, tree.head.root)
            || proven_roots.contains(&(placed.tree, size, root))
        {
            return Ok(true);
        }
        let signed = placed
            .inclusion
            .checkpoint
            .as_ref()
            .and_then(|note| tree.shard.open(note).ok())
            .map(|checkpoint| Head::from(&checkpoint))
            .filter(|head| (head.size, head.root) == (size, root));
        if self.deadline_is_used() {
            return Ok(false);
        }
        match signed {
            Some(head) if size >= tree.head.size => {
                self.link(&tree.shard, tree.id, &tree.head, &head).await?;
                let origin = tree.shard.origin.as_str();
                let known = self.monitor.store.log(origin).await?;
                if let Some(halt) = self
                    .grown_after_its_end(&tree.shard, known.as_ref(), &head)
                    .await?
                {
                    return Err(halt);
                }
                self.record_head(&tree.shard, known.as_ref(), &head).await?;
                // From here on it is what later entries are compared with.
                let before = (placed.tree, tree.head.size, tree.head.root);
                proven_roots.insert(before);
                if let Some(tree) = trees.list.get_mut(placed.tree) {
                    tree.head = head;
                }
            }
            Some(head) => {
                self.link(&tree.shard, tree.id, &head, &tree.head).await?;
            }
            None if size <= tree.head.size => {
                let unsigned = Head {
                    size,
                    root,
                    note: Vec::new().into(),
                };
                let proof = self.consistency(tree.id, &unsigned, &tree.head).await?;
                // Nobody signed this root, so it is no evidence against anybody.
                extends(&unsigned, &tree.head, &proof).map_err(|error| {
                    Halt::failed(
                        "malformed",
                        format!("the inclusion proof of leaf {} is of no tree that the log signed: {error}", placed.local),
                    )
                })?;
            }
            None => {
                return Err(Halt::failed(
                    "malformed",
                    format!(
                        "no signed checkpoint vouches for leaf {} of {} yet",
                        placed.local, tree.shard.origin
                    ),
                ));
            }
        }
        proven_roots.insert((placed.tree, size, root));
        Ok(true)
    }
}
