//! The laws of `StoredTimes`.

use jiff::SignedDuration;
use modelwatch::log::Part;
use modelwatch::store::{Outcome, PassReport, Span};

use crate::scratch::{LOG, ScratchStore, at, batch, head, log_id, tree};

#[tokio::test]
async fn what_a_clock_dated_ahead_counts_as_now_and_evidence_keeps_its_time() {
    let scratch = ScratchStore::with_log().await;
    assert_eq!(scratch.store.ahead_of(at(0)).await.unwrap(), None);
    let ahead = at(60 * 24 * 365);
    let mut dated = batch((0, 0), (5, 5), Vec::new());
    dated.checkpoints = vec![head(5)];
    dated.now = ahead;
    scratch.store.commit(&dated).await.unwrap();
    let report = PassReport::new(log_id(), Part::Tree(tree()), LOG, Outcome::Proven, ahead);
    scratch.store.end_pass(&report).await.unwrap();
    let whole = Span {
        from: ahead,
        until: ahead,
    };
    assert_eq!(scratch.store.ahead_of(at(0)).await.unwrap(), Some(whole));
    // Two clocks may differ by a little.
    let near = ahead - SignedDuration::from_secs(1);
    assert_eq!(scratch.store.ahead_of(near).await.unwrap(), None);
    scratch.store.correct_future_times(at(1)).await.unwrap();
    let log = scratch.store.tree(&tree()).await.unwrap().unwrap();
    assert_eq!((log.last_success, log.size_since), (Some(at(1)), at(1)));
    // The time of the checkpoint is evidence: nothing waits for it.
    assert_eq!(scratch.store.ahead_of(at(1)).await.unwrap(), None);
    assert!(
        scratch
            .store
            .checkpoint(&tree(), 5)
            .await
            .unwrap()
            .is_some()
    );
}
