//! The first entry of a guided log that is reported.

use jiff::Timestamp;

use super::state::GuidedPass;
use super::trees::Trees;
use crate::log::{Shard, Start};
use crate::monitor::halt::Halt;
use crate::monitor::monitored_log::Guided;
use crate::monitor::tail::position_of;
use crate::source::rekor_v1::TreeHead;
use crate::store::{Guide, PassErrorKind, Store, StoreError, TreeState};

/// Whether a guided log would begin at its end, and has no stored position.
pub(in crate::monitor) async fn would_begin_at_the_end(
    store: &dyn Store,
    guided: &Guided,
) -> Result<bool, StoreError> {
    if guided.log.start != Start::End {
        return Ok(false);
    }
    let id = guided.log.id();
    let is_known = |state: &TreeState| state.log == id && state.is_begun();
    if store.trees().await?.iter().any(is_known) {
        return Ok(false);
    }
    // It is new, or its server has another address now.
    let (trees, _) = guided.log.ask().await;
    for tree in &trees {
        if store
            .tree(&tree.shard.id())
            .await?
            .as_ref()
            .is_some_and(TreeState::is_begun)
        {
            return Ok(false);
        }
    }
    Ok(!trees.is_empty())
}

impl GuidedPass<'_> {
    /// What the store contains about the log. A new log is recorded first.
    pub(super) async fn guide(&self, listed: &[TreeHead], trees: &Trees) -> Result<Guide, Halt> {
        let store = &self.context.store;
        let log = self.guided.log.id();
        if let Some(guide) = store.guide(&log).await? {
            return Ok(guide);
        }
        let read_before = self.first_read(trees).await?;
        let start = match (read_before, self.guided.log.start) {
            // Entries that were reported when the log was read in full are reported again now, and none of them is left
            // out.
            (Some(first), _) => first,
            (None, Start::Beginning) => 0,
            (None, Start::Index(at)) => at,
            (None, Start::Time(since)) => self.logged_since(since, listed, trees).await?,
            (None, Start::End) if self.bootstrap => trees.total(),
            (None, Start::End) => {
                return Err(Halt::failed(
                    PassErrorKind::Unavailable,
                    "nothing is known of this log yet, and it would begin at its end: run once with --bootstrap".to_owned(),
                ));
            }
        };
        let guide = Guide {
            log,
            start,
            cursor: 0,
            rules: self.rules.conditions_hash(),
            spent: self.now,
            mail_only: None,
        };
        store.begin_guide(&guide).await?;
        Ok(guide)
    }

    /// The index, over all trees, of the first entry that may have been logged at or after that time.
    async fn logged_since(
        &self,
        since: Timestamp,
        listed: &[TreeHead],
        trees: &Trees,
    ) -> Result<u64, Halt> {
        for (head, tree) in listed.iter().zip(&trees.list) {
            let log = self.guided.log.tree(Shard::clone(&tree.shard), head);
            let size = tree.head.size;
            let authorities = self.rules.authorities();
            let local = position_of(since, &log, size, authorities, self.now).await?;
            if local < size {
                return Ok(tree.shard.base.saturating_add(local));
            }
        }
        Ok(trees.total())
    }

    /// The first entry that was read when this log was read in full.
    async fn first_read(&self, trees: &Trees) -> Result<Option<u64>, StoreError> {
        for tree in &trees.list {
            let state = self.context.store.tree(&tree.shard.id()).await?;
            if let Some(state) = state.filter(|state| state.follower.is_some()) {
                return Ok(Some(state.base.saturating_add(state.first)));
            }
        }
        Ok(None)
    }
}
