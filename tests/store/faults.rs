//! The laws of `LogFaults`.

use modelwatch::finding::{FaultKind, Finding, FindingId, NewFinding, Severity, State, Verdict};
use modelwatch::store::{Dispute, StoreError};

use crate::scratch::{ORIGIN, ScratchStore, ack, at, follower, held, signing, tree, untrusted};

fn fault(proven: u64) -> NewFinding {
    let template = signing(proven);
    NewFinding {
        finding: Finding {
            id: FindingId::of_fault(FaultKind::RootMismatch, ORIGIN, proven),
            verdict: Verdict::LogFault,
            severity: Severity::Critical,
            watch: None,
            index: None,
            leaf_hash: None,
            proven: None,
            fault: Some(FaultKind::RootMismatch),
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

pub(crate) fn mismatch(seen: u64, proven: u64, occurrence: u8) -> Dispute {
    Dispute {
        tree: tree(),
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
async fn read() -> ScratchStore {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (5, 5), vec![signing(1)]).await;
    scratch
        .read((5, 5), (20, 5), vec![signing(6), held(7), signing(8)])
        .await;
    scratch
}

#[tokio::test]
async fn a_false_batch_rewinds_and_disputes_what_is_unproven() {
    let scratch = read().await;
    let mut dispute = mismatch(20, 5, 1);
    dispute.findings = vec![signing(21), held(22)];
    scratch.store.dispute(&dispute).await.unwrap();
    let scratch = scratch.after_a_crash().await;
    assert_eq!(
        scratch.store.tree(&tree()).await.unwrap().unwrap().follower,
        Some(follower(5, 5))
    );
    assert_eq!(
        scratch.get(signing(1).finding.id).await.state,
        State::Open,
        "proven before"
    );
    for index in [6, 7, 8, 21, 22] {
        let finding = scratch.get(signing(index).finding.id).await;
        assert_eq!(
            (finding.state, finding.proven),
            (State::Disputed, Some(false)),
            "{index}"
        );
        assert_eq!(
            scratch.alerts_of(finding.id).await["all"],
            1,
            "{index}: a held one is alerted now, none twice"
        );
    }
    assert_eq!(
        scratch
            .store
            .counts(Severity::Critical)
            .await
            .unwrap()
            .security,
        1,
        "the fault"
    );
    assert_eq!(
        scratch.store.counts(Severity::High).await.unwrap().security,
        7,
        "disputed counts as open"
    );
}

#[tokio::test]
async fn a_dispute_from_another_position_writes_nothing() {
    let scratch = read().await;
    let moved = scratch.store.dispute(&mismatch(19, 5, 1)).await;
    assert!(matches!(moved, Err(StoreError::Moved { .. })));
    assert_eq!(scratch.list().await.len(), 4);
}

#[tokio::test]
async fn what_comes_back_is_as_it_was_and_what_does_not_stays_disputed_and_unproven() {
    let scratch = read().await;
    scratch
        .store
        .handle(&[signing(8).finding.id], &ack("known", at(2)))
        .await
        .unwrap();
    scratch.store.dispute(&mismatch(20, 5, 1)).await.unwrap();
    assert_eq!(
        scratch.get(signing(8).finding.id).await.state,
        State::Disputed
    );
    assert_eq!(
        scratch
            .read((5, 5), (20, 20), vec![held(7), signing(8)])
            .await,
        0
    );
    let state = async |index| {
        let finding = scratch.get(signing(index).finding.id).await;
        (finding.state, finding.proven)
    };
    assert_eq!(state(6).await, (State::Disputed, Some(false)));
    assert_eq!(
        state(7).await,
        (State::Open, Some(true)),
        "it was alerted: it waits no more"
    );
    assert_eq!(state(8).await, (State::Acked, Some(true)));
    scratch.read((20, 20), (30, 30), vec![]).await;
    assert_eq!(state(6).await, (State::Disputed, Some(false)), "for good");
}

#[tokio::test]
async fn a_disputed_finding_that_was_acknowledged_stays_so_and_is_proven_only_with_its_leaf() {
    let scratch = read().await;
    scratch.store.dispute(&mismatch(20, 5, 1)).await.unwrap();
    let ids = [signing(6).finding.id, signing(8).finding.id];
    scratch
        .store
        .handle(&ids, &ack("a lie", at(4)))
        .await
        .unwrap();
    scratch.read((5, 5), (20, 20), vec![signing(8)]).await;
    assert_eq!(scratch.get(ids[0]).await.proven, Some(false));
    let back = scratch.get(ids[1]).await;
    assert_eq!((back.state, back.proven), (State::Acked, Some(true)));
}

#[tokio::test]
async fn a_fault_is_recorded_once_and_reopened_when_it_comes_back_after_it_was_closed() {
    let scratch = read().await;
    let id = fault(5).finding.id;
    scratch.store.dispute(&mismatch(20, 5, 1)).await.unwrap();
    scratch.store.dispute(&mismatch(5, 5, 1)).await.unwrap();
    scratch.store.dispute(&mismatch(5, 5, 2)).await.unwrap();
    assert_eq!(
        scratch.alerts_of(id).await["urgent"],
        1,
        "while it is open there is nothing new to alert"
    );
    let record = scratch
        .store
        .finding(&id.to_string())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        record.evidence.notes.len(),
        2,
        "the other root is kept as evidence"
    );
    scratch
        .store
        .claim_alerts("urgent", 20, at(4))
        .await
        .unwrap();
    scratch
        .store
        .handle(&[id], &ack("asked the operator", at(4)))
        .await
        .unwrap();
    scratch.store.dispute(&mismatch(5, 5, 2)).await.unwrap();
    assert_eq!(
        scratch.get(id).await.state,
        State::Acked,
        "the same as was accepted"
    );
    scratch.store.dispute(&mismatch(5, 5, 3)).await.unwrap();
    assert_eq!(scratch.get(id).await.state, State::Open);
    assert_eq!(scratch.alerts_of(id).await["urgent"], 2);
}

#[tokio::test]
async fn a_log_with_a_false_batch_at_each_pass_does_not_fill_the_history() {
    let scratch = read().await;
    scratch.store.dispute(&mismatch(20, 5, 1)).await.unwrap();
    for _ in 0..80 {
        scratch.read((5, 5), (20, 5), vec![signing(6)]).await;
        scratch.store.dispute(&mismatch(20, 5, 1)).await.unwrap();
    }
    let id = signing(6).finding.id;
    assert!(scratch.history(id).await.len() <= 64);
    assert_eq!(scratch.get(id).await.state, State::Disputed);
    assert_eq!(scratch.alerts_of(id).await["all"], 1);
}

#[tokio::test]
async fn a_fault_that_does_not_concern_the_batch_disputes_nothing() {
    let scratch = read().await;
    let mut fork = mismatch(20, 5, 1);
    fork.batch_is_false = false;
    fork.follower = follower(20, 5);
    fork.findings = vec![untrusted(20)];
    scratch.store.dispute(&fork).await.unwrap();
    assert!(
        scratch
            .list()
            .await
            .iter()
            .all(|f| f.state != State::Disputed)
    );
    assert_eq!(scratch.list().await.len(), 6);
}
