//! Collects, while a tree is read, what proves the entries that were found.

use std::collections::BTreeSet;

use tlog::{CompactRange, FollowerState, Hash, Head, Node, TrackedRange};

use crate::finding::NewFinding;
use crate::log::TreeId;
use crate::store::{Kept, Store, StoreError};

/// What proves the entries that were found, as far as it is known.
///
/// Before the first finding, and after a checkpoint that covers all of them, it does nothing.
#[derive(Default)]
pub(super) struct Keeper {
    tracked: Option<TrackedRange>,
    hashes: Vec<(Node, Hash)>,
    /// The checkpoints that cover entries that were found, each of them others: two may be reached before one is recorded.
    covers: Vec<Head>,
}

impl Keeper {
    /// Goes on after an interruption: findings that are not proven yet still wait for hashes.
    pub(super) async fn resumed(
        store: &dyn Store,
        tree: &TreeId,
        state: &FollowerState,
    ) -> Result<Self, StoreError> {
        let (proven, seen) = (state.proven.size(), &state.seen);
        if proven == seen.size() {
            return Ok(Self::default());
        }
        let mut ranges = Vec::new();
        TrackedRange::new(seen, |range| {
            ranges.push(range.start.max(proven)..range.end.max(proven));
            false
        });
        let mut found = store.has_unproven(tree, &ranges).await?.into_iter();
        let tracked = TrackedRange::new(seen, |_| found.next().unwrap_or_default());
        Ok(Self {
            tracked: tracked.is_tracking().then_some(tracked),
            ..Self::default()
        })
    }

    /// Whether it begins to collect with these entries, and needs the frontier before them.
    pub(super) fn begins_with(&self, found: &BTreeSet<u64>) -> bool {
        self.tracked.is_none() && !found.is_empty()
    }

    /// Leaves were read; `before` is the frontier before them, if it begins with them. `proven` is the newest checkpoint that was
    /// reached with them.
    pub(super) fn absorbed(
        &mut self,
        before: Option<CompactRange>,
        hashes: &[Hash],
        found: &BTreeSet<u64>,
        proven: Option<&Head>,
    ) {
        if let Some(before) = before {
            self.tracked = Some(TrackedRange::new(&before, |_| false));
        }
        let Some(tracked) = &mut self.tracked else {
            return;
        };
        let out = &mut self.hashes;
        for hash in hashes {
            let is_found = found.contains(&tracked.size());
            tracked.push(*hash, is_found, &mut |node, hash| out.push((node, hash)));
            if let Some(head) = proven
                && head.size == tracked.size()
            {
                self.covers.extend(finished(tracked, head, out));
            }
        }
        if !tracked.is_tracking() {
            self.tracked = None;
        }
    }

    /// A checkpoint covers exactly what was read.
    pub(super) fn proven(&mut self, head: Option<&Head>) {
        if let (Some(tracked), Some(head)) = (&mut self.tracked, head)
            && head.size == tracked.size()
        {
            self.covers
                .extend(finished(tracked, head, &mut self.hashes));
            self.tracked = None;
        }
    }

    /// Takes what is known for the next step that is recorded.
    pub(super) fn take(&mut self) -> Kept {
        Kept {
            hashes: std::mem::take(&mut self.hashes),
            heads: std::mem::take(&mut self.covers),
            ..Kept::default()
        }
    }
}

fn finished(tracked: &mut TrackedRange, head: &Head, out: &mut Vec<(Node, Hash)>) -> Option<Head> {
    let is_covering = tracked.is_tracking();
    tracked.finish(&mut |node, hash| out.push((node, hash)));
    is_covering.then(|| head.clone())
}

/// The indices within the tree of the entries that were found.
pub(super) fn places(findings: &[NewFinding], base: u64) -> BTreeSet<u64> {
    let indices = findings.iter().filter_map(|new| new.finding.index);
    indices
        .filter_map(|index| index.checked_sub(base))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_checkpoints_that_are_reached_before_one_is_recorded_are_both_kept() {
        let head = |size| Head {
            size,
            root: Hash::new([0; Hash::BYTES]),
            note: Vec::new().into(),
        };
        let leaf = Hash::new([1; Hash::BYTES]);
        let mut keeper = Keeper::default();
        let (first, second) = (BTreeSet::from([1]), BTreeSet::from([6]));
        assert!(keeper.begins_with(&first));
        // The checkpoint of 3 leaves lies within what was read at once.
        let mut before = CompactRange::new();
        keeper.absorbed(Some(before.clone()), &[leaf; 5], &first, Some(&head(3)));
        assert!(keeper.begins_with(&second));
        for _ in 0..5 {
            before.push(leaf);
        }
        keeper.absorbed(Some(before), &[leaf; 3], &second, None);
        keeper.proven(Some(&head(8)));
        let sizes: Vec<u64> = keeper.take().heads.iter().map(|head| head.size).collect();
        assert_eq!(sizes, [3, 8]);
    }
}
