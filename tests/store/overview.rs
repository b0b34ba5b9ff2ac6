//! The laws of `Overview`.

use std::collections::BTreeMap;

use modelwatch::finding::{Severity, Verdict};
use modelwatch::store::{Delivery, WaitingFindings};

use crate::scratch::{ScratchStore, ack, at, critical, held, signing, untrusted};

#[tokio::test]
async fn a_finding_is_counted_as_open_or_as_held_and_not_after_it_is_acknowledged() {
    let scratch = ScratchStore::with_log().await;
    let nothing = scratch.store.waiting_findings().await.unwrap();
    assert_eq!(nothing, WaitingFindings::default());

    let accepted = signing(5);
    let id = accepted.finding.id;
    let found = vec![
        signing(1),
        signing(2),
        critical(signing(3)),
        untrusted(4),
        accepted,
        held(6),
    ];
    scratch.read((0, 0), (9, 0), found).await;
    let request = ack("ours", at(2));
    scratch.store.handle(&[id], &request).await.unwrap();
    let waiting = scratch.store.waiting_findings().await.unwrap();
    let open = BTreeMap::from([
        ((Severity::High, Verdict::IdentityUnexpected), 2),
        ((Severity::Critical, Verdict::IdentityUnexpected), 1),
        ((Severity::Low, Verdict::UntrustedChain), 1),
    ]);
    assert_eq!(waiting, WaitingFindings { open, held: 1 });
}

#[tokio::test]
async fn the_last_delivery_of_a_channel_is_that_of_the_alert_that_it_accepted_last() {
    let scratch = ScratchStore::with_log().await;
    let found = vec![signing(1), signing(2), signing(3)];
    scratch.read((0, 0), (9, 0), found).await;
    let channels = ["all", "urgent", "gone"].map(str::to_owned);
    let last = async || scratch.store.last_deliveries(&channels).await.unwrap();
    assert_eq!(last().await, BTreeMap::new());

    let alerts = scratch.store.claim_alerts("all", 20, at(2)).await.unwrap();
    let retry = Delivery::Retry {
        at: at(30),
        error: "refused".into(),
        reached: Vec::new(),
    };
    // The first is accepted last.
    for (alert, delivery, minute) in [
        (&alerts[1], Delivery::Delivered, 3),
        (&alerts[2], retry, 9),
        (&alerts[0], Delivery::Delivered, 5),
    ] {
        let recorded = scratch
            .store
            .record_delivery(&alert.id, &delivery, at(minute));
        recorded.await.unwrap();
    }
    assert_eq!(last().await, BTreeMap::from([("all".to_owned(), at(5))]));
}

#[tokio::test]
async fn the_size_is_that_of_the_files() {
    let scratch = ScratchStore::with_log().await;
    let size = scratch.store.size_bytes().await.unwrap().unwrap();
    let database = scratch.path().metadata().unwrap().len();
    assert!(size > 4096 && size >= database, "{size}, {database}");
}
