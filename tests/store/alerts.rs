//! The laws of `Alerts` and `ChannelQueues`.

use jiff::SignedDuration;
use modelwatch::finding::{Finding, Severity, Verdict};
use modelwatch::store::{Delivery, QueuedKind};

use crate::scratch::{ScratchStore, ack, at, critical, held, signing, untrusted, watched};

const FLOOD: u32 = 20;

#[tokio::test]
async fn a_finding_that_alerts_has_its_alerts_from_the_moment_it_exists() {
    let scratch = ScratchStore::with_log().await;
    let found = vec![
        signing(1),
        critical(signing(2)),
        critical(watched("quiet", 3)),
        held(4),
    ];
    scratch.read((0, 0), (9, 0), found).await;
    let scratch = scratch.after_a_crash().await;
    let channel_queues = scratch.store.channel_queues(at(1)).await.unwrap();
    assert_eq!(
        (channel_queues["all"].pending, channel_queues["all"].due),
        (3, 3)
    );
    assert_eq!(
        (
            channel_queues["urgent"].pending,
            channel_queues["urgent"].due
        ),
        (1, 1),
        "below critical, or another channel's"
    );
    assert!(scratch.alerts_of(held(4).finding.id).await.is_empty());
}

#[tokio::test]
async fn all_watches_of_one_run_are_one_alert_as_severe_as_its_worst() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (5, 0), vec![watched("a", 1)]).await;
    scratch
        .read((5, 0), (6, 0), vec![critical(watched("b", 1))])
        .await;
    let alerts = scratch
        .store
        .claim_alerts("all", FLOOD, at(2))
        .await
        .unwrap();
    assert_eq!(alerts.len(), 1);
    assert_eq!(
        (alerts[0].findings, alerts[0].severity),
        (2, Severity::Critical)
    );
    assert_eq!(
        (alerts[0].kind, &alerts[0].key),
        (QueuedKind::Alert, &alerts[0].id)
    );
    let findings = scratch
        .store
        .alert_findings(&alerts[0].id, 1)
        .await
        .unwrap();
    assert_eq!(
        findings[0].severity,
        Severity::Critical,
        "most severe first"
    );
    let tally = scratch.store.alert_counts(&alerts[0].id).await.unwrap();
    let watches: Vec<_> = tally
        .iter()
        .map(|t| (t.watch.as_deref(), t.count))
        .collect();
    assert_eq!(watches, [(Some("b"), 1), (Some("a"), 1)]);
}

#[tokio::test]
async fn a_claimed_alert_is_closed_to_what_comes_later() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (5, 0), vec![watched("a", 1)]).await;
    let first = scratch
        .store
        .claim_alerts("all", FLOOD, at(2))
        .await
        .unwrap();
    scratch.read((5, 0), (6, 0), vec![watched("b", 1)]).await;
    let both = scratch
        .store
        .claim_alerts("all", FLOOD, at(2))
        .await
        .unwrap();
    assert_eq!(both.len(), 2);
    assert_eq!(
        both[0], first[0],
        "not recorded: handed out again as it was"
    );
    assert_eq!(both[1].findings, 1);
}

#[tokio::test]
async fn who_has_an_alert_is_kept_until_all_have_it() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (5, 0), vec![signing(1)]).await;
    let claim = async |scratch: &ScratchStore, now| {
        let claimed = scratch.store.claim_alerts("all", FLOOD, at(now)).await;
        claimed.unwrap().remove(0)
    };
    let alert = claim(&scratch, 2).await;
    assert_eq!(alert.reached, Vec::<String>::new());
    let reached = vec!["a@corp.example".to_owned(), "c@corp.example".to_owned()];
    for due in [10, 20] {
        let retry = Delivery::Retry {
            at: at(due),
            error: "refused".into(),
            reached: reached.clone(),
        };
        let recorded = scratch
            .store
            .record_delivery(&alert.id, &retry, at(due - 1));
        recorded.await.unwrap();
    }
    let scratch = scratch.after_a_crash().await;
    let again = claim(&scratch, 20).await;
    assert_eq!((again.id, again.reached), (alert.id, reached));
}

#[tokio::test]
async fn an_alert_is_handed_out_until_its_delivery_is_recorded() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (5, 0), vec![signing(1)]).await;
    let first = scratch
        .store
        .claim_alerts("all", FLOOD, at(2))
        .await
        .unwrap();
    let scratch = scratch.after_a_crash().await;
    assert_eq!(
        scratch
            .store
            .claim_alerts("all", FLOOD, at(3))
            .await
            .unwrap(),
        first
    );
    let retry = Delivery::Retry {
        at: at(10),
        error: "refused".into(),
        reached: Vec::new(),
    };
    scratch
        .store
        .record_delivery(&first[0].id, &retry, at(3))
        .await
        .unwrap();
    assert!(
        scratch
            .store
            .claim_alerts("all", FLOOD, at(9))
            .await
            .unwrap()
            .is_empty()
    );
    let channel_queues = scratch.store.channel_queues(at(9)).await.unwrap();
    assert_eq!(
        (channel_queues["all"].pending, channel_queues["all"].due),
        (1, 0)
    );
    assert_eq!(channel_queues["all"].last_error.as_deref(), Some("refused"));
    let again = scratch
        .store
        .claim_alerts("all", FLOOD, at(10))
        .await
        .unwrap();
    assert_eq!(
        (again[0].id.as_str(), again[0].attempts),
        (first[0].id.as_str(), 1)
    );
    scratch
        .store
        .record_delivery(&first[0].id, &Delivery::Delivered, at(11))
        .await
        .unwrap();
    let scratch = scratch.after_a_crash().await;
    assert!(
        scratch
            .store
            .claim_alerts("all", FLOOD, at(99))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        scratch
            .store
            .channel_queues(at(99))
            .await
            .unwrap()
            .is_empty()
    );
    let record = scratch
        .store
        .finding(&signing(1).finding.id.to_string())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        record.alerts,
        [("all".into(), first[0].id.clone(), Some(at(11)))]
    );
}

#[tokio::test]
async fn an_alert_that_was_given_up_is_counted_as_failed() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (5, 0), vec![signing(1)]).await;
    let alerts = scratch
        .store
        .claim_alerts("all", FLOOD, at(2))
        .await
        .unwrap();
    let gone = Delivery::GaveUp {
        error: "gone".into(),
    };
    scratch
        .store
        .record_delivery(&alerts[0].id, &gone, at(2))
        .await
        .unwrap();
    let channel_queues = scratch.store.channel_queues(at(3)).await.unwrap();
    assert_eq!(
        (channel_queues["all"].pending, channel_queues["all"].failed),
        (0, 1)
    );
    assert!(
        scratch
            .store
            .record_delivery("unknown", &gone, at(2))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_flood_becomes_one_digest_but_what_was_handed_out_keeps_its_id() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (5, 0), vec![signing(1)]).await;
    let handed_out = scratch.store.claim_alerts("all", 2, at(1)).await.unwrap();
    scratch
        .read((5, 0), (50, 0), (10..13).map(signing).collect())
        .await;
    let alerts = scratch.store.claim_alerts("all", 2, at(2)).await.unwrap();
    assert_eq!(alerts.len(), 2);
    assert_eq!(alerts[0], handed_out[0]);
    assert_eq!(
        (alerts[1].kind, alerts[1].findings),
        (QueuedKind::Digest, 3)
    );
    let scratch = scratch.after_a_crash().await;
    assert_eq!(
        scratch.store.claim_alerts("all", 2, at(3)).await.unwrap(),
        alerts
    );
    for index in 10..13 {
        assert_eq!(
            scratch.alerts_of(signing(index).finding.id).await["all"],
            1,
            "in exactly one alert"
        );
    }
}

#[tokio::test]
async fn exactly_as_many_as_the_limit_are_no_flood() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .read((0, 0), (50, 0), (1..4).map(signing).collect())
        .await;
    assert_eq!(
        scratch
            .store
            .claim_alerts("all", 3, at(2))
            .await
            .unwrap()
            .len(),
        3
    );
}

#[tokio::test]
async fn impostors_come_in_one_digest_per_day_a_day_after_the_first() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .read((0, 0), (50, 0), (1..30).map(untrusted).collect())
        .await;
    let day = SignedDuration::from_hours(24);
    assert!(
        scratch
            .store
            .claim_alerts("all", FLOOD, at(0) + day)
            .await
            .unwrap()
            .is_empty()
    );
    let digest = scratch
        .store
        .claim_alerts("all", FLOOD, at(1) + day)
        .await
        .unwrap();
    assert_eq!(digest.len(), 1);
    assert_eq!(
        (digest[0].kind, digest[0].findings),
        (QueuedKind::Digest, 29)
    );
}

#[tokio::test]
async fn an_acknowledged_finding_leaves_its_unclaimed_alert_and_an_empty_one_disappears() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .read(
            (0, 0),
            (9, 0),
            vec![watched("a", 1), critical(watched("b", 1)), signing(2)],
        )
        .await;
    let ids = [watched("b", 1).finding.id, signing(2).finding.id];
    scratch
        .store
        .handle(&ids, &ack("known", at(2)))
        .await
        .unwrap();
    assert!(scratch.alerts_of(ids[0]).await.is_empty());
    let alerts = scratch
        .store
        .claim_alerts("all", FLOOD, at(2))
        .await
        .unwrap();
    assert_eq!(alerts.len(), 1);
    assert_eq!(
        (alerts[0].findings, alerts[0].severity),
        (1, Severity::High)
    );
    // Claimed: it has been sent, and an acknowledgement sends nothing more.
    scratch
        .store
        .handle(&[watched("a", 1).finding.id], &ack("known", at(3)))
        .await
        .unwrap();
    assert_eq!(
        scratch
            .store
            .claim_alerts("all", FLOOD, at(4))
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn unreadable_entries_that_name_a_watch_are_alerted_once_a_day_and_watch() {
    let scratch = ScratchStore::with_log().await;
    let unreadable = |index| {
        let mut new = signing(index);
        new.finding = Finding {
            verdict: Verdict::Unreadable,
            chain: None,
            ..new.finding
        };
        new
    };
    scratch.read((0, 0), (5, 0), vec![unreadable(1)]).await;
    let claim = async |now| scratch.store.claim_alerts("all", 20, now).await.unwrap();
    let first = claim(at(2)).await;
    assert_eq!(first.len(), 1);
    let id = first[0].id.as_str();
    let delivered = scratch
        .store
        .record_delivery(id, &Delivery::Delivered, at(2));
    delivered.await.unwrap();
    scratch.read((5, 0), (9, 0), vec![unreadable(6)]).await;
    assert_eq!(claim(at(3)).await, []);
    assert_eq!(claim(at(24 * 60 + 3)).await.len(), 1);
}
