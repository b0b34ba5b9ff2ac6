use modelwatch::finding::{Finding, FindingId, NewFinding, Severity, State, Verdict};
use modelwatch::store::{Dispute, StoreError};

use crate::hall::{Hall, ORIGIN, at, follower, held, signing, untrusted};

fn fault(proven: u64) -> NewFinding {
    let template = signing(proven);
    NewFinding {
        finding: Finding {
            id: FindingId::of_fault("root-mismatch", ORIGIN, proven),
            verdict: Verdict::LogFault,
            severity: Severity::Critical,
            watch: None,
            index: None,
            leaf_hash: None,
            proven: None,
            fault: Some("root-mismatch".into()),
            chain: None,
            ..template.finding
        },
        rule: None,
        evidence: modelwatch::finding::Evidence {
            notes: vec![b"note".to_vec()],
            ..Default::default()
        },
    }
}

fn mismatch(seen: u64, proven: u64, occurrence: u8) -> Dispute {
    Dispute {
        origin: ORIGIN.into(),
        expected: (seen, proven),
        follower: follower(proven, proven),
        fault: fault(proven),
        occurrence: [occurrence; 32],
        batch_is_false: true,
        findings: Vec::new(),
        now: at(3),
    }
}

/// Proven to 5, read to 20.
async fn read() -> Hall {
    let hall = Hall::with_log().await;
    hall.read((0, 0), (5, 5), vec![signing(1)]).await;
    hall.read((5, 5), (20, 5), vec![signing(6), held(7), signing(8)])
        .await;
    hall
}

#[tokio::test]
async fn a_false_batch_rewinds_and_disputes_what_is_unproven() {
    let hall = read().await;
    let mut dispute = mismatch(20, 5, 1);
    dispute.findings = vec![signing(21), held(22)];
    hall.store.dispute(&dispute).await.unwrap();
    let hall = hall.after_a_crash().await;
    assert_eq!(
        hall.store.log(ORIGIN).await.unwrap().unwrap().follower,
        Some(follower(5, 5))
    );
    assert_eq!(
        hall.get(signing(1).finding.id).await.state,
        State::Open,
        "proven before"
    );
    for index in [6, 7, 8, 21, 22] {
        let finding = hall.get(signing(index).finding.id).await;
        assert_eq!(
            (finding.state, finding.proven),
            (State::Disputed, Some(false)),
            "{index}"
        );
        assert_eq!(
            hall.told(finding.id).await["all"],
            1,
            "{index}: a held one is told now, none twice"
        );
    }
    assert_eq!(
        hall.store
            .counts(Severity::Critical)
            .await
            .unwrap()
            .security,
        1,
        "the fault"
    );
    assert_eq!(
        hall.store.counts(Severity::High).await.unwrap().security,
        7,
        "disputed counts as open"
    );
}

#[tokio::test]
async fn a_dispute_from_another_position_writes_nothing() {
    let hall = read().await;
    let moved = hall.store.dispute(&mismatch(19, 5, 1)).await;
    assert!(matches!(moved, Err(StoreError::Moved { .. })));
    assert_eq!(hall.list().await.len(), 4);
}

#[tokio::test]
async fn what_comes_back_is_as_it_was_and_what_does_not_stays_disputed_and_unproven() {
    let hall = read().await;
    hall.store
        .acknowledge(&[signing(8).finding.id], "known", at(2))
        .await
        .unwrap();
    hall.store.dispute(&mismatch(20, 5, 1)).await.unwrap();
    assert_eq!(hall.get(signing(8).finding.id).await.state, State::Disputed);
    assert_eq!(
        hall.read((5, 5), (20, 20), vec![held(7), signing(8)]).await,
        0
    );
    let state = async |index| {
        let finding = hall.get(signing(index).finding.id).await;
        (finding.state, finding.proven)
    };
    assert_eq!(state(6).await, (State::Disputed, Some(false)));
    assert_eq!(
        state(7).await,
        (State::Open, Some(true)),
        "it was told: it waits no more"
    );
    assert_eq!(state(8).await, (State::Acked, Some(true)));
    hall.read((20, 20), (30, 30), vec![]).await;
    assert_eq!(state(6).await, (State::Disputed, Some(false)), "for good");
}

#[tokio::test]
async fn a_disputed_finding_that_was_acknowledged_stays_so_and_is_proven_only_with_its_leaf() {
    let hall = read().await;
    hall.store.dispute(&mismatch(20, 5, 1)).await.unwrap();
    let ids = [signing(6).finding.id, signing(8).finding.id];
    hall.store.acknowledge(&ids, "a lie", at(4)).await.unwrap();
    hall.read((5, 5), (20, 20), vec![signing(8)]).await;
    assert_eq!(hall.get(ids[0]).await.proven, Some(false));
    let back = hall.get(ids[1]).await;
    assert_eq!((back.state, back.proven), (State::Acked, Some(true)));
}

#[tokio::test]
async fn a_fault_is_recorded_once_and_reopened_when_it_comes_back_after_it_was_closed() {
    let hall = read().await;
    let id = fault(5).finding.id;
    hall.store.dispute(&mismatch(20, 5, 1)).await.unwrap();
    hall.store.dispute(&mismatch(5, 5, 1)).await.unwrap();
    hall.store.dispute(&mismatch(5, 5, 2)).await.unwrap();
    assert_eq!(
        hall.told(id).await["urgent"],
        1,
        "while it is open there is nothing new to tell"
    );
    let record = hall.store.finding(&id.to_string()).await.unwrap().unwrap();
    assert_eq!(
        record.evidence.notes.len(),
        2,
        "the other root is kept as evidence"
    );
    hall.store.claim_alerts("urgent", 20, at(4)).await.unwrap();
    hall.store
        .acknowledge(&[id], "asked the operator", at(4))
        .await
        .unwrap();
    hall.store.dispute(&mismatch(5, 5, 2)).await.unwrap();
    assert_eq!(
        hall.get(id).await.state,
        State::Acked,
        "the same as was accepted"
    );
    hall.store.dispute(&mismatch(5, 5, 3)).await.unwrap();
    assert_eq!(hall.get(id).await.state, State::Open);
    assert_eq!(hall.told(id).await["urgent"], 2);
}

#[tokio::test]
async fn a_log_that_lies_at_each_pass_does_not_fill_the_history() {
    let hall = read().await;
    hall.store.dispute(&mismatch(20, 5, 1)).await.unwrap();
    for _ in 0..80 {
        hall.read((5, 5), (20, 5), vec![signing(6)]).await;
        hall.store.dispute(&mismatch(20, 5, 1)).await.unwrap();
    }
    let id = signing(6).finding.id;
    assert!(hall.history(id).await.len() <= 64);
    assert_eq!(hall.get(id).await.state, State::Disputed);
    assert_eq!(hall.told(id).await["all"], 1);
}

#[tokio::test]
async fn a_fault_that_says_nothing_of_the_batch_disputes_nothing() {
    let hall = read().await;
    let mut fork = mismatch(20, 5, 1);
    fork.batch_is_false = false;
    fork.follower = follower(20, 5);
    fork.findings = vec![untrusted(20)];
    hall.store.dispute(&fork).await.unwrap();
    assert!(hall.list().await.iter().all(|f| f.state != State::Disputed));
    assert_eq!(hall.list().await.len(), 6);
}
