//! Quiet hours, and acknowledgements that are passed on.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use modelwatch::finding::{ChannelRoute, QuietHours, Severity};
use modelwatch::store::{Delivery, QueuedAlert, QueuedKind};

use crate::scratch::{ScratchStore, ack, at, critical, signing};

const FLOOD: u32 = 20;

/// From 08:30 to 10:30 UTC; [`at`] counts from 08:00.
fn quiet_until(to: &str) -> ChannelRoute {
    ChannelRoute {
        name: "all".to_owned(),
        quiet_hours: Some(QuietHours {
            from: "08:30".parse().unwrap(),
            to: to.parse().unwrap(),
            zone: TimeZone::UTC,
            except: Severity::Critical,
        }),
        ..ChannelRoute::default()
    }
}

async fn claim(scratch: &ScratchStore, channel: &str, now: Timestamp) -> Vec<QueuedAlert> {
    scratch
        .store
        .claim_alerts(channel, FLOOD, now)
        .await
        .unwrap()
}

/// Pending, due and delayed alerts of the channel.
async fn queue(scratch: &ScratchStore, now: Timestamp) -> (u64, u64, u64) {
    let queues = scratch.store.channel_queues(now).await.unwrap();
    let queue = &queues["all"];
    (queue.pending, queue.due, queue.delayed)
}

async fn quiet() -> ScratchStore {
    let scratch = ScratchStore::open().await;
    let scratch = scratch.with_channels(vec![quiet_until("10:30")]).await;
    scratch.begin(0).await;
    scratch
}

#[tokio::test]
async fn quiet_hours_delay_what_is_not_severe_and_the_delay_survives_a_restart() {
    let scratch = quiet().await;
    let found = vec![signing(1), critical(signing(2))];
    scratch.read((0, 0), (5, 0), found).await;
    let sent = claim(&scratch, "all", at(31)).await;
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].severity, Severity::Critical);
    scratch
        .store
        .record_delivery(&sent[0].id, &Delivery::Delivered, at(31))
        .await
        .unwrap();
    assert_eq!(
        queue(&scratch, at(32)).await,
        (1, 0, 1),
        "not due meanwhile"
    );
    let scratch = scratch.with_channels(vec![quiet_until("10:30")]).await;
    assert!(claim(&scratch, "all", at(149)).await.is_empty());
    assert_eq!(queue(&scratch, at(150)).await, (1, 1, 0));
    assert_eq!(claim(&scratch, "all", at(150)).await.len(), 1);
}

#[tokio::test]
async fn a_delay_ends_when_the_quiet_hours_are_changed_or_removed() {
    for channel in [
        quiet_until("08:45"),
        ChannelRoute {
            name: "all".to_owned(),
            ..ChannelRoute::default()
        },
    ] {
        let scratch = quiet().await;
        scratch.read((0, 0), (5, 0), vec![signing(1)]).await;
        assert!(claim(&scratch, "all", at(31)).await.is_empty());
        let scratch = scratch.with_channels(vec![channel]).await;
        assert_eq!(claim(&scratch, "all", at(46)).await.len(), 1);
    }
}

#[tokio::test]
async fn a_severe_finding_takes_the_alert_that_it_joins_out_of_its_delay() {
    let scratch = quiet().await;
    let mut joining = critical(crate::scratch::watched("b", 1));
    joining.finding.first_seen = at(32);
    scratch
        .read((0, 0), (5, 0), vec![crate::scratch::watched("a", 1)])
        .await;
    assert!(claim(&scratch, "all", at(31)).await.is_empty());
    scratch.read((5, 0), (6, 0), vec![joining]).await;
    let sent = claim(&scratch, "all", at(33)).await;
    assert_eq!((sent.len(), sent[0].findings), (1, 2));
}

#[tokio::test]
async fn a_retry_waits_for_the_end_of_quiet_hours_too() {
    let scratch = quiet().await;
    scratch.read((0, 0), (5, 0), vec![signing(1)]).await;
    let sent = claim(&scratch, "all", at(29)).await;
    let retry = Delivery::Retry {
        at: at(31),
        error: "busy".to_owned(),
        reached: Vec::new(),
    };
    scratch
        .store
        .record_delivery(&sent[0].id, &retry, at(29))
        .await
        .unwrap();
    assert!(claim(&scratch, "all", at(32)).await.is_empty());
    assert_eq!(queue(&scratch, at(32)).await, (1, 0, 1));
    let again = claim(&scratch, "all", at(151)).await;
    assert_eq!(again[0].id, sent[0].id);
}

#[tokio::test]
async fn what_waited_through_a_flood_is_one_digest() {
    let scratch = quiet().await;
    scratch
        .read((0, 0), (100, 0), (1..100).map(signing).collect())
        .await;
    assert!(claim(&scratch, "all", at(31)).await.is_empty());
    let sent = claim(&scratch, "all", at(151)).await;
    assert_eq!(
        (sent.len(), sent[0].kind, sent[0].findings),
        (1, QueuedKind::Digest, 99)
    );
}

#[tokio::test]
async fn a_wrong_clock_delays_nothing_for_longer_than_quiet_hours() {
    let scratch = quiet().await;
    scratch.read((0, 0), (5, 0), vec![signing(1)]).await;
    // Ten years ahead.
    let wrong = at(31 + 10 * 365 * 24 * 60);
    assert!(claim(&scratch, "all", wrong).await.is_empty());
    assert!(claim(&scratch, "all", at(31)).await.is_empty());
    assert_eq!(claim(&scratch, "all", at(151)).await.len(), 1);
}

fn taking() -> Vec<ChannelRoute> {
    let channel = |name: &str, takes_acknowledgements| ChannelRoute {
        name: name.to_owned(),
        takes_acknowledgements,
        ..ChannelRoute::default()
    };
    vec![channel("pager", true), channel("mail", false)]
}

#[tokio::test]
async fn an_alert_whose_findings_are_acknowledged_is_acknowledged_once_where_that_is_taken() {
    let scratch = ScratchStore::open().await.with_channels(taking()).await;
    scratch.begin(0).await;
    let found = vec![
        crate::scratch::watched("a", 1),
        crate::scratch::watched("b", 1),
    ];
    let ids = [found[0].finding.id, found[1].finding.id];
    scratch.read((0, 0), (5, 0), found).await;
    let mut alerts = Vec::new();
    for channel in ["pager", "mail"] {
        let sent = claim(&scratch, channel, at(1)).await;
        scratch
            .store
            .record_delivery(&sent[0].id, &Delivery::Delivered, at(1))
            .await
            .unwrap();
        alerts.extend(sent);
    }
    scratch
        .store
        .handle(&ids[..1], &ack("known", at(2)))
        .await
        .unwrap();
    assert!(
        claim(&scratch, "pager", at(3)).await.is_empty(),
        "one of two"
    );
    scratch
        .store
        .handle(&ids[1..], &ack("known", at(4)))
        .await
        .unwrap();
    let acknowledged = claim(&scratch, "pager", at(5)).await;
    assert_eq!(acknowledged.len(), 1);
    assert_eq!(acknowledged[0].kind, QueuedKind::Acknowledged);
    assert_eq!(
        (&acknowledged[0].key, acknowledged[0].findings),
        (&alerts[0].id, 2)
    );
    assert!(claim(&scratch, "mail", at(5)).await.is_empty());
    scratch
        .store
        .record_delivery(&acknowledged[0].id, &Delivery::Delivered, at(5))
        .await
        .unwrap();
    scratch
        .store
        .handle(&ids, &ack("again", at(6)))
        .await
        .unwrap();
    assert!(claim(&scratch, "pager", at(7)).await.is_empty());
}

#[tokio::test]
async fn an_acknowledgement_waits_for_its_alert_and_one_that_was_never_sent_has_none() {
    let scratch = ScratchStore::open().await.with_channels(taking()).await;
    scratch.begin(0).await;
    let found = [signing(1), signing(2)];
    let ids = [found[0].finding.id, found[1].finding.id];
    scratch.read((0, 0), (5, 0), found[..1].to_vec()).await;
    let sent = claim(&scratch, "pager", at(1)).await;
    let retry = Delivery::Retry {
        at: at(10),
        error: "busy".to_owned(),
        reached: Vec::new(),
    };
    scratch
        .store
        .record_delivery(&sent[0].id, &retry, at(1))
        .await
        .unwrap();
    scratch.read((5, 0), (6, 0), found[1..].to_vec()).await;
    scratch
        .store
        .handle(&ids, &ack("known", at(2)))
        .await
        .unwrap();
    assert!(claim(&scratch, "pager", at(3)).await.is_empty());
    let sent = claim(&scratch, "pager", at(11)).await;
    assert_eq!((sent.len(), sent[0].kind), (1, QueuedKind::Alert));
    scratch
        .store
        .record_delivery(&sent[0].id, &Delivery::Delivered, at(11))
        .await
        .unwrap();
    let then = claim(&scratch, "pager", at(12)).await;
    assert_eq!((then.len(), then[0].kind), (1, QueuedKind::Acknowledged));
}
