//! The laws of `CoveredRanges`.

#![expect(
    clippy::single_range_in_vec_init,
    reason = "one gap is a list of one range"
)]

use std::ops::Range;

use modelwatch::log::TreeId;
use modelwatch::store::{Dispute, Kept, Rescanned, WatchKey, WatchSet};

use crate::scratch::{ScratchStore, at, follower, signing, tree};

fn watch(name: &str) -> WatchKey {
    WatchKey {
        name: name.into(),
        conditions: [1; 32],
    }
}

/// What one watch covers of the tree.
struct Covered {
    /// From here on it covers everything up to `seen`.
    from: u64,
    seen: u64,
    gaps: Vec<Range<u64>>,
}

async fn covered(scratch: &ScratchStore, name: &str) -> Covered {
    covered_of(scratch, watch(name), Some(&tree())).await
}

/// The same of this tree, or of the only one that there is.
async fn covered_of(scratch: &ScratchStore, watch: WatchKey, of: Option<&TreeId>) -> Covered {
    let trees = scratch
        .store
        .tree_coverage(&WatchSet::from_iter([watch]), of)
        .await;
    let mut tree = trees.unwrap().remove(0);
    let uneven = tree.uneven.pop();
    Covered {
        from: uneven.as_ref().map_or(tree.first, |uneven| uneven.from),
        seen: tree.seen,
        gaps: uneven.map_or_else(Vec::new, |uneven| uneven.gaps),
    }
}

#[tokio::test]
async fn a_watch_covers_from_seen_on_and_batches_carry_it_along() {
    let scratch = ScratchStore::open().await;
    scratch.begin(3).await;
    scratch
        .store
        .watching(&tree(), &WatchSet::from_iter([watch("old")]))
        .await
        .unwrap();
    scratch.read((3, 3), (10, 10), vec![]).await;
    scratch
        .store
        .watching(&tree(), &WatchSet::from_iter([watch("new"), watch("old")]))
        .await
        .unwrap();
    scratch.read((10, 10), (20, 20), vec![]).await;
    let scratch = scratch.after_a_crash().await;
    let old = covered(&scratch, "old").await;
    assert_eq!((old.from, old.seen, old.gaps), (3, 20, vec![]));
    let new = covered(&scratch, "new").await;
    assert_eq!(
        (new.from, new.gaps),
        (10, vec![3..10]),
        "what lies before the log's first position is no gap"
    );
    let unknown = covered(&scratch, "unknown").await;
    assert_eq!((unknown.from, unknown.gaps), (20, vec![3..20]));
}

#[tokio::test]
async fn a_watch_that_is_gone_or_changed_stops_covering_there() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .store
        .watching(&tree(), &WatchSet::from_iter([watch("a")]))
        .await
        .unwrap();
    scratch.read((0, 0), (10, 10), vec![]).await;
    let changed = WatchKey {
        conditions: [2; 32],
        ..watch("a")
    };
    scratch
        .store
        .watching(&tree(), &WatchSet::from_iter([changed.clone()]))
        .await
        .unwrap();
    scratch.read((10, 10), (20, 20), vec![]).await;
    scratch
        .store
        .watching(&tree(), &WatchSet::from_iter([watch("a")]))
        .await
        .unwrap();
    scratch.read((20, 20), (30, 30), vec![]).await;
    let first = covered(&scratch, "a").await;
    assert_eq!((first.from, first.gaps), (20, vec![10..20]));
    let changed = covered_of(&scratch, changed, None).await;
    assert_eq!(changed.gaps, [0..10, 20..30]);
}

#[tokio::test]
async fn a_rescan_closes_a_gap_and_its_findings_are_alerted() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (10, 10), vec![]).await;
    scratch
        .store
        .watching(&tree(), &WatchSet::from_iter([watch("falcon")]))
        .await
        .unwrap();
    scratch.read((10, 10), (20, 20), vec![]).await;
    let mut found = signing(4);
    found.finding.proven = Some(true);
    let mut rescanned = Rescanned {
        tree: tree(),
        range: 2..7,
        watches: WatchSet::from_iter([watch("falcon")]),
        closes_gap: false,
        findings: vec![found],
        kept: Kept::default(),
        now: at(5),
    };
    assert_eq!(scratch.store.rescanned(&rescanned).await.unwrap(), 1);
    assert_eq!(scratch.store.rescanned(&rescanned).await.unwrap(), 0);
    assert_eq!(covered(&scratch, "falcon").await.gaps, [0..2, 7..10]);
    rescanned.range = 0..10;
    rescanned.closes_gap = true;
    scratch.store.rescanned(&rescanned).await.unwrap();
    let scratch = scratch.after_a_crash().await;
    let falcon = covered(&scratch, "falcon").await;
    assert_eq!((falcon.from, falcon.gaps), (0, vec![]));
    assert_eq!(scratch.alerts_of(signing(4).finding.id).await["all"], 1);
    scratch
        .store
        .watching(&tree(), &WatchSet::from_iter([]))
        .await
        .unwrap();
    scratch.read((20, 20), (25, 25), vec![]).await;
    assert_eq!(
        covered(&scratch, "falcon").await.gaps,
        [20..25],
        "the joined range ends like any other"
    );
}

#[tokio::test]
async fn ranges_that_will_be_read_again_belong_to_the_later_watches() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .store
        .watching(
            &tree(),
            &WatchSet::from_iter([watch("stays"), watch("goes")]),
        )
        .await
        .unwrap();
    scratch.read((0, 0), (10, 10), vec![]).await;
    scratch.read((10, 10), (20, 10), vec![]).await;
    scratch
        .store
        .watching(
            &tree(),
            &WatchSet::from_iter([watch("stays"), watch("comes")]),
        )
        .await
        .unwrap();
    let mut fault = signing(0);
    fault.finding.index = None;
    let dispute = Dispute {
        tree: tree(),
        expected: (20, 10),
        follower: follower(10, 10),
        fault,
        occurrence: [0; 32],
        batch_is_false: true,
        findings: vec![],
        now: at(2),
    };
    scratch.store.dispute(&dispute).await.unwrap();
    scratch
        .store
        .watching(
            &tree(),
            &WatchSet::from_iter([watch("stays"), watch("comes")]),
        )
        .await
        .unwrap();
    scratch.read((10, 10), (30, 30), vec![]).await;
    for (name, gaps) in [
        ("stays", vec![]),
        ("comes", vec![0..10]),
        ("goes", vec![10..30]),
    ] {
        assert_eq!(covered(&scratch, name).await.gaps, gaps, "{name}");
    }
}
