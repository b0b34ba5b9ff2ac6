//! The laws of `Overview`.

use std::collections::BTreeMap;

use modelwatch::finding::{Severity, State, Verdict};
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

#[tokio::test]
async fn the_last_findings_are_those_that_were_recorded_last() {
    let scratch = ScratchStore::with_log().await;
    assert_eq!(scratch.store.recent_findings(3).await.unwrap(), []);
    let found: Vec<_> = (1..=5).map(signing).collect();
    let ids: Vec<_> = found.iter().map(|new| new.finding.id).collect();
    scratch.read((0, 0), (9, 0), found).await;
    let request = ack("ours", at(2));
    scratch.store.handle(&[ids[4]], &request).await.unwrap();
    for limit in [0_u32, 1, 3, 5, 100] {
        let recent = scratch.store.recent_findings(limit).await.unwrap();
        let recent: Vec<_> = recent.iter().map(|found| found.id).collect();
        let newest = ids.iter().rev().take(limit.try_into().unwrap());
        assert_eq!(recent, newest.copied().collect::<Vec<_>>());
    }
    let recent = scratch.store.recent_findings(2).await.unwrap();
    let states: Vec<_> = recent.iter().map(|found| found.state).collect();
    assert_eq!(states, [State::Acked, State::Open]);
    let expected = signing(4).finding;
    let found = &recent[1];
    assert_eq!(
        (&found.watch, found.verdict),
        (&expected.watch, expected.verdict)
    );
    assert_eq!(
        (found.severity, found.first_seen),
        (expected.severity, expected.first_seen)
    );
}
