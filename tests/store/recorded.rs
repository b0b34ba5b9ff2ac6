//! The laws of `RecordedCheckpoints`.

use modelwatch::log::TreeId;
use modelwatch::store::{Reached, RecordedCheckpoint};

use crate::scratch::{ScratchStore, at, batch, head, tree};

/// Checkpoints of these sizes, each recorded at the minute of its size.
async fn with_checkpoints(sizes: &[u64]) -> ScratchStore {
    let scratch = ScratchStore::with_log().await;
    let mut before = 0;
    for size in sizes {
        let mut step = batch((before, before), (*size, *size), vec![]);
        step.checkpoints = vec![head(*size)];
        step.now = at((*size).try_into().unwrap());
        scratch.store.commit(&step).await.unwrap();
        before = *size;
    }
    scratch
}

#[tokio::test]
async fn a_size_was_reached_between_the_checkpoints_around_it() {
    let scratch = with_checkpoints(&[5, 8, 20]).await;
    let mut reached = Vec::new();
    for size in [0, 5, 6, 8, 19, 20, 21] {
        reached.push(scratch.store.reached(&tree(), size).await.unwrap());
    }
    let expected = [
        (None, Some(5)),
        (Some(5), Some(5)),
        (Some(5), Some(8)),
        (Some(8), Some(8)),
        (Some(8), Some(20)),
        (Some(20), Some(20)),
        (Some(20), None),
    ];
    let expected = expected.map(|(after, by): (Option<i64>, Option<i64>)| Reached {
        after: after.map(at),
        by: by.map(at),
    });
    assert_eq!(reached, expected);
    let other = TreeId::new("other.example");
    let nothing = scratch.store.reached(&other, 7).await.unwrap();
    assert_eq!(nothing, Reached::default());
}

#[tokio::test]
async fn the_last_checkpoints_are_the_largest_and_keep_the_time_of_the_first_time() {
    let scratch = with_checkpoints(&[5, 8, 20]).await;
    let mut again = batch((20, 20), (20, 20), vec![]);
    again.checkpoints = vec![head(20)];
    again.now = at(500);
    scratch.store.commit(&again).await.unwrap();
    let recorded = |size: u64, minute| RecordedCheckpoint {
        head: head(size),
        at: at(minute),
    };
    let last = scratch.store.last_checkpoints(&tree(), 2).await.unwrap();
    assert_eq!(last, [recorded(20, 20), recorded(8, 8)]);
    let first = scratch.store.first_checkpoint(&tree()).await.unwrap();
    assert_eq!(first, Some(recorded(5, 5)));
    let other = TreeId::new("other.example");
    assert_eq!(scratch.store.first_checkpoint(&other).await.unwrap(), None);
    let last = scratch.store.last_checkpoints(&other, 2).await.unwrap();
    assert_eq!(last, []);
}
