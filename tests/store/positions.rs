//! The laws of `Positions`.

use jiff::SignedDuration;
use modelwatch::log::Protocol;
use modelwatch::store::{NewTree, StoreError};

use crate::scratch::{LOG, ScratchStore, at, batch, follower, head, log_id, signing, tree};

#[tokio::test]
async fn a_log_without_a_position_is_absent_and_not_an_error() {
    let scratch = ScratchStore::open().await;
    assert_eq!(scratch.store.tree(&tree()).await.unwrap(), None);
    assert_eq!(scratch.store.checkpoint(&tree(), 5).await.unwrap(), None);
    assert!(scratch.store.trees().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_follower_comes_back_exactly_as_it_was_stored() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (7, 0), vec![]).await;
    scratch.read((7, 0), (13, 11), vec![]).await;
    let scratch = scratch.after_a_crash().await;
    let log = scratch.store.tree(&tree()).await.unwrap().unwrap();
    assert_eq!(log.follower, Some(follower(13, 11)));
    assert_eq!(
        (log.first, log.name.as_str(), &log.log),
        (0, LOG, &log_id())
    );
    assert_eq!(scratch.store.trees().await.unwrap(), [log]);
}

#[tokio::test]
async fn a_log_has_one_first_position() {
    let scratch = ScratchStore::open().await;
    scratch.begin(5).await;
    let again = NewTree {
        id: tree(),
        log: log_id(),
        name: LOG.into(),
        protocol: Protocol::RekorV2,
        base: 0,
        follower: follower(9, 9),
        checkpoints: vec![head(9)],
        now: at(1),
    };
    assert!(matches!(
        scratch.store.begin(&again).await,
        Err(StoreError::Moved { .. })
    ));
    let log = scratch.store.tree(&tree()).await.unwrap().unwrap();
    assert_eq!((log.first, log.follower), (5, Some(follower(5, 5))));
    assert_eq!(
        scratch.store.checkpoint(&tree(), 9).await.unwrap(),
        None,
        "nothing of it was written"
    );
}

#[tokio::test]
async fn a_batch_from_another_position_writes_nothing() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (5, 5), vec![signing(1)]).await;
    for (from, to) in [
        ((0, 0), (5, 5)),
        ((5, 4), (6, 6)),
        ((4, 5), (6, 6)),
        ((5, 5), (4, 4)),
    ] {
        let mut late = batch(from, to, vec![signing(2)]);
        late.checkpoints.push(head(6));
        assert!(
            matches!(
                scratch.store.commit(&late).await,
                Err(StoreError::Moved { .. })
            ),
            "{from:?}"
        );
    }
    assert_eq!(scratch.list().await.len(), 1);
    assert_eq!(scratch.store.checkpoint(&tree(), 6).await.unwrap(), None);
    assert_eq!(
        scratch.store.tree(&tree()).await.unwrap().unwrap().follower,
        Some(follower(5, 5))
    );
}

#[tokio::test]
async fn proven_never_goes_back() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (5, 5), vec![]).await;
    let back = batch((5, 5), (6, 4), vec![]);
    assert!(matches!(
        scratch.store.commit(&back).await,
        Err(StoreError::Moved { .. })
    ));
}

#[tokio::test]
async fn of_two_commits_from_one_position_one_fails() {
    let scratch = ScratchStore::with_log().await;
    let (one, two) = (
        batch((0, 0), (5, 0), vec![signing(1)]),
        batch((0, 0), (5, 0), vec![signing(2)]),
    );
    let (one, two) = tokio::join!(scratch.store.commit(&one), scratch.store.commit(&two));
    assert!(one.is_ok() != two.is_ok());
    assert_eq!(scratch.list().await.len(), 1);
}

#[tokio::test]
async fn the_first_checkpoint_of_a_size_is_the_one_that_is_kept() {
    let scratch = ScratchStore::with_log().await;
    let mut first = batch((0, 0), (5, 5), vec![]);
    first.checkpoints = vec![head(5)];
    scratch.store.commit(&first).await.unwrap();
    let mut other = batch((5, 5), (5, 5), vec![]);
    let mut same_size = head(5);
    same_size.root = head(4).root;
    other.checkpoints = vec![same_size];
    other.now = at(2);
    scratch.store.commit(&other).await.unwrap();
    let kept = scratch.store.checkpoint(&tree(), 5).await.unwrap().unwrap();
    assert_eq!((kept.root, kept.note), (head(5).root, head(5).note));
}

#[tokio::test]
async fn of_the_checkpoints_of_a_day_that_is_over_the_largest_stays() {
    let scratch = ScratchStore::with_log().await;
    let day = |days: i64| at(0) + SignedDuration::from_hours(24 * days);
    for (from, to, now) in [
        (0, 2, day(0)),
        (2, 3, day(0)),
        (3, 5, day(1)),
        (5, 6, day(1)),
        (6, 8, day(2)),
        (8, 9, day(2)),
    ] {
        let mut step = batch((from, from), (to, to), vec![]);
        step.checkpoints = vec![head(to)];
        step.now = now;
        scratch.store.commit(&step).await.unwrap();
    }
    scratch.store.prune(day(2)).await.unwrap();
    let mut kept = Vec::new();
    for size in 0..10 {
        kept.extend(
            scratch
                .store
                .checkpoint(&tree(), size)
                .await
                .unwrap()
                .map(|_| size),
        );
    }
    assert_eq!(kept, [3, 6, 8, 9], "this day's are all still there");
}
