//! Requests the missing parts of the proof of an entry, and records larger heads.

use std::collections::HashSet;

use tlog::Hash;

use super::state::GuidedPass;
use super::trees::Trees;
use crate::monitor::halt::Halt;
use crate::monitor::prove::{Placed, Root, Unproven};
use crate::store::PassErrorKind;

/// Roots of trees that this pass has proven: the place of the tree, size and root.
pub(super) type ProvenRoots = HashSet<(usize, u64, Hash)>;

impl GuidedPass<'_> {
    /// Proves that the root of an inclusion proof is a root of its tree. `false`: that takes one request more than the name may
    /// make now.
    pub(super) async fn is_in_tree(
        &mut self,
        trees: &mut Trees,
        proven_roots: &mut ProvenRoots,
        placed: &Placed<'_>,
    ) -> Result<bool, Halt> {
        let (size, root) = placed.size_and_root();
        let proven = (placed.tree, size, root);
        let Some(tree) = trees.list.get_mut(placed.tree) else {
            let why = "no such tree".to_owned();
            return Err(Halt::failed(PassErrorKind::Malformed, why));
        };
        if (size, root) == (tree.head.size, tree.head.root) || proven_roots.contains(&proven) {
            return Ok(true);
        }
        if self.lookup_is_over() {
            return Ok(false);
        }
        let root = placed.root(tree)?;
        if let Some((older, newer)) = root.heads(&tree.head) {
            let proof = self.consistency(tree.id, older, newer).await?;
            if let Err(unproven) = root.verify(&tree.head, &proof) {
                return Err(match unproven {
                    Unproven::Inconsistent(inconsistent) => {
                        self.inconsistent(&tree.shard, older, newer, inconsistent)
                            .await?
                    }
                    invalid @ Unproven::Invalid(_) => invalid.into(),
                });
            }
        }
        if let Root::Newer(head) = root {
            let known = self.context.store.tree(&tree.shard.id()).await?;
            let known = known.as_ref();
            let grown = self.grown_after_its_end(&tree.shard, known, &head).await?;
            if let Some(halt) = grown {
                return Err(halt);
            }
            self.record_head(&tree.shard, known, &head).await?;
            // Later entries are compared with it.
            proven_roots.insert((placed.tree, tree.head.size, tree.head.root));
            tree.head = head;
        }
        proven_roots.insert(proven);
        Ok(true)
    }
}

impl From<Unproven> for Halt {
    fn from(unproven: Unproven) -> Self {
        Self::failed(PassErrorKind::Malformed, unproven.to_string())
    }
}
