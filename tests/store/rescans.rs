//! The laws of `Rescans`.

use modelwatch::store::RescanRequest;

use crate::scratch::{ScratchStore, at};

#[tokio::test]
async fn a_rescan_waits_until_it_is_done_and_stays_if_it_was_requested_meanwhile() {
    let scratch = ScratchStore::open().await;
    scratch
        .store
        .request_rescan(Some("falcon"), at(1))
        .await
        .unwrap();
    scratch.store.request_rescan(None, at(2)).await.unwrap();
    scratch
        .store
        .request_rescan(Some("falcon"), at(3))
        .await
        .unwrap();
    let asked = |watch: Option<&str>, second| RescanRequest {
        watch: watch.map(str::to_owned),
        at: at(second),
    };
    let (every, falcon) = (asked(None, 2), asked(Some("falcon"), 3));
    // A crash between reading and doing removes nothing.
    for _ in 0..2 {
        assert_eq!(
            scratch.store.rescans().await.unwrap(),
            [every.clone(), falcon.clone()]
        );
    }
    let scratch = scratch.after_a_crash().await;
    scratch.store.rescan_done(&every).await.unwrap();
    scratch
        .store
        .request_rescan(Some("falcon"), at(4))
        .await
        .unwrap();
    scratch.store.rescan_done(&falcon).await.unwrap();
    let again = asked(Some("falcon"), 4);
    assert_eq!(
        scratch.store.rescans().await.unwrap(),
        std::slice::from_ref(&again)
    );
    scratch.store.rescan_done(&again).await.unwrap();
    assert_eq!(scratch.store.rescans().await.unwrap(), []);
}
