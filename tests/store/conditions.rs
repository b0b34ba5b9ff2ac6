//! The laws of `Conditions`.

use modelwatch::finding::Severity;
use modelwatch::finding::{FindingId, State, Verdict};
use modelwatch::store::{Condition, Delivery, FindingQuery, HandlingOutcome, QueuedKind, Scope};

use crate::scratch::{LOG, ORIGIN, ScratchStore, ack, at, held, log_id};

fn scope() -> Scope {
    Scope {
        verdicts: &[Verdict::Silence, Verdict::Backlog],
        origin: Some(ORIGIN.into()),
    }
}

fn silence(summary: &str) -> Condition {
    Condition {
        verdict: Verdict::Silence,
        subject: ORIGIN.into(),
        log: Some(LOG.into()),
        origin: Some(ORIGIN.into()),
        except_channel: None,
        summary: summary.into(),
    }
}

async fn health(scratch: &ScratchStore) -> u64 {
    scratch.store.counts(Severity::Info).await.unwrap().health
}

#[tokio::test]
async fn one_episode_is_one_finding_and_is_resolved_when_it_ends() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .store
        .assess(&scope(), &[silence("quiet")], at(5))
        .await
        .unwrap();
    scratch
        .store
        .assess(&scope(), &[silence("still quiet")], at(6))
        .await
        .unwrap();
    let scratch = scratch.after_a_crash().await;
    assert_eq!(health(&scratch).await, 1);
    let finding = scratch.list().await.remove(0);
    assert_eq!(
        finding.id,
        FindingId::of_episode(Verdict::Silence, ORIGIN, at(5))
    );
    assert_eq!(finding.summary, "still quiet");
    let acked = scratch
        .store
        .handle(&[finding.id], &ack("never mind", at(7)))
        .await
        .unwrap();
    assert_eq!(acked, [(finding.id, HandlingOutcome::Health)]);
    let every = FindingQuery::default();
    let request = ack("all", at(7));
    let all = scratch.store.handle_matching(&every, &request);
    assert_eq!(all.await.unwrap(), 0);
    scratch.store.assess(&scope(), &[], at(8)).await.unwrap();
    assert_eq!(health(&scratch).await, 0);
    scratch
        .store
        .assess(&scope(), &[silence("again")], at(9))
        .await
        .unwrap();
    assert_eq!(scratch.list().await.len(), 2, "another episode");
}

#[tokio::test]
async fn an_assessment_changes_only_findings_of_its_scope() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .store
        .assess(&scope(), &[silence("quiet")], at(5))
        .await
        .unwrap();
    let others = Scope {
        verdicts: &[Verdict::Backlog],
        ..scope()
    };
    scratch.store.assess(&others, &[], at(6)).await.unwrap();
    let elsewhere = Scope {
        origin: Some("other.example".into()),
        ..scope()
    };
    scratch.store.assess(&elsewhere, &[], at(6)).await.unwrap();
    scratch
        .store
        .assess(
            &Scope {
                origin: None,
                ..scope()
            },
            &[],
            at(6),
        )
        .await
        .unwrap();
    assert_eq!(health(&scratch).await, 1);
}

#[tokio::test]
async fn the_resolution_is_sent_on_the_channels_of_the_alert() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .store
        .assess(&scope(), &[silence("quiet")], at(5))
        .await
        .unwrap();
    let alert = scratch
        .store
        .claim_alerts("all", 20, at(5))
        .await
        .unwrap()
        .remove(0);
    let retry = Delivery::Retry {
        at: at(20),
        error: "refused".into(),
        reached: Vec::new(),
    };
    scratch
        .store
        .record_delivery(&alert.id, &retry, at(5))
        .await
        .unwrap();
    scratch.store.assess(&scope(), &[], at(6)).await.unwrap();
    assert!(
        scratch
            .store
            .claim_alerts("all", 20, at(7))
            .await
            .unwrap()
            .is_empty(),
        "that it is over must not arrive first"
    );
    assert_eq!(
        scratch
            .store
            .claim_alerts("all", 20, at(20))
            .await
            .unwrap()
            .len(),
        1
    );
    scratch
        .store
        .record_delivery(&alert.id, &Delivery::Delivered, at(20))
        .await
        .unwrap();
    let resolved = scratch
        .store
        .claim_alerts("all", 20, at(20))
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (resolved.kind, resolved.key),
        (QueuedKind::Resolved, alert.id)
    );
}

#[tokio::test]
async fn a_finding_that_ends_before_its_alert_is_not_alerted() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .store
        .assess(&scope(), &[silence("quiet")], at(5))
        .await
        .unwrap();
    scratch.store.assess(&scope(), &[], at(6)).await.unwrap();
    assert!(
        scratch
            .store
            .claim_alerts("all", 20, at(7))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(scratch.list().await[0].state, State::Resolved);
}

#[tokio::test]
async fn an_episode_that_ends_and_begins_in_one_instant_is_alerted_again() {
    let scratch = ScratchStore::with_log().await;
    for conditions in [&[silence("quiet")][..], &[], &[silence("quiet again")]] {
        scratch
            .store
            .assess(&scope(), conditions, at(5))
            .await
            .unwrap();
    }
    assert_eq!(health(&scratch).await, 1);
    assert_eq!(
        scratch
            .store
            .claim_alerts("all", 20, at(5))
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn the_failure_of_a_channel_is_not_sent_on_it() {
    let scratch = ScratchStore::open().await;
    let scope = Scope {
        verdicts: &[Verdict::NotifierFailing],
        origin: None,
    };
    let condition = Condition {
        verdict: Verdict::NotifierFailing,
        subject: "all".into(),
        log: None,
        origin: None,
        except_channel: Some("all".into()),
        summary: "all does not deliver".into(),
    };
    scratch
        .store
        .assess(&scope, &[condition], at(5))
        .await
        .unwrap();
    assert_eq!(health(&scratch).await, 1);
    assert!(
        scratch
            .store
            .claim_alerts("all", 20, at(6))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn each_log_with_an_open_finding_about_health_is_named_once() {
    let scratch = ScratchStore::with_log().await;
    let backlog = Condition {
        verdict: Verdict::Backlog,
        ..silence("behind")
    };
    let both = [silence("quiet"), backlog];
    scratch.store.assess(&scope(), &both, at(5)).await.unwrap();
    let unhealthy = scratch.store.unhealthy_logs().await.unwrap();
    assert_eq!(unhealthy, [(ORIGIN.to_owned(), Some(log_id()))]);
    scratch.store.assess(&scope(), &[], at(6)).await.unwrap();
    assert_eq!(scratch.store.unhealthy_logs().await.unwrap(), []);
}

#[tokio::test]
async fn moments_ahead_of_now_are_found_and_set_to_now() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (9, 0), vec![held(2)]).await;
    let span = scratch.store.ahead_of(at(-600)).await.unwrap().unwrap();
    assert_eq!((span.from, span.until), (at(1), at(1)));
    scratch.store.correct_future_times(at(-600)).await.unwrap();
    assert_eq!(scratch.store.ahead_of(at(-600)).await.unwrap(), None);
}
