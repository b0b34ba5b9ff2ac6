//! Changes of findings by people: the history has who, why and when, in the transaction of the change.

use modelwatch::finding::{FaultKind, FindingId, State};
use modelwatch::store::{Action, FindingQuery, Handling, HandlingOutcome, HandlingRequest};

use crate::scratch::{ScratchStore, ack, at, held, signing, watched};

fn request(handling: Handling, minutes: i64) -> HandlingRequest<'static> {
    HandlingRequest {
        handling,
        author: "bob",
        reason: "why",
        at: at(minutes),
    }
}

/// The state, the action, who it was by and why, of each row of history.
async fn rows(
    scratch: &ScratchStore,
    id: FindingId,
) -> Vec<(State, Action, Option<String>, String)> {
    let record = scratch
        .store
        .finding(&id.to_string())
        .await
        .unwrap()
        .unwrap();
    record
        .history
        .into_iter()
        .map(|row| (row.state, row.action, row.author, row.reason))
        .collect()
}

async fn handle(
    scratch: &ScratchStore,
    id: FindingId,
    request: &HandlingRequest<'_>,
) -> HandlingOutcome {
    let outcomes = scratch.store.handle(&[id], request).await.unwrap();
    outcomes[0].1
}

#[tokio::test]
async fn who_did_what_and_why_stands_in_the_history_with_the_change() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (9, 0), vec![signing(1)]).await;
    let id = signing(1).finding.id;
    let row = |state, action, author: Option<&str>, reason: &str| {
        (state, action, author.map(str::to_owned), reason.to_owned())
    };
    let seen = row(State::Open, Action::Seen, None, "first seen");
    assert_eq!(rows(&scratch, id).await, std::slice::from_ref(&seen));
    scratch
        .store
        .handle(&[id], &ack("known", at(2)))
        .await
        .unwrap();
    let reopen = request(Handling::Reopen, 3);
    assert_eq!(handle(&scratch, id, &reopen).await, HandlingOutcome::Done);
    let note = request(Handling::Note, 4);
    assert_eq!(handle(&scratch, id, &note).await, HandlingOutcome::Done);
    assert_eq!(
        rows(&scratch, id).await,
        [
            seen,
            row(State::Acked, Action::Ack, Some("jane"), "known"),
            row(State::Open, Action::Reopen, Some("bob"), "why"),
            row(State::Open, Action::Note, Some("bob"), "why"),
        ]
    );
}

#[tokio::test]
async fn what_a_person_does_first_keeps_the_state_in_which_the_finding_was_seen() {
    for handling in [Handling::Ack, Handling::Note] {
        let scratch = ScratchStore::with_log().await;
        let found = vec![signing(1), held(2)];
        scratch.read((0, 0), (9, 0), found.clone()).await;
        for (new, seen) in found.iter().zip([State::Open, State::Held]) {
            let id = new.finding.id;
            let before = scratch.get(id).await;
            let outcome = handle(&scratch, id, &request(handling, 3)).await;
            assert_eq!(outcome, HandlingOutcome::Done);
            let record = scratch.store.finding(&id.to_string()).await;
            let [first, second] = &record.unwrap().unwrap().history[..] else {
                panic!("two rows of history");
            };
            assert_eq!((first.action, first.state), (Action::Seen, seen));
            assert_eq!(
                (first.at, first.author.as_deref()),
                (before.first_seen, None)
            );
            for row in [first, second] {
                assert_eq!(
                    (row.verdict, row.severity),
                    (before.verdict, before.severity)
                );
            }
            let state = scratch.get(id).await.state;
            assert_eq!(
                (second.action, second.state),
                (Action::from(handling), state)
            );
            assert_eq!((second.at, second.author.as_deref()), (at(3), Some("bob")));
        }
    }
}

#[tokio::test]
async fn reopening_opens_without_a_new_alert() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (9, 0), vec![signing(1)]).await;
    let id = signing(1).finding.id;
    let sent = scratch.store.claim_alerts("all", 20, at(2)).await.unwrap();
    assert_eq!(sent.len(), 1);
    scratch
        .store
        .handle(&[id], &ack("known", at(3)))
        .await
        .unwrap();
    let before = scratch.alerts_of(id).await;
    handle(&scratch, id, &request(Handling::Reopen, 4)).await;
    assert_eq!(scratch.get(id).await.state, State::Open);
    assert_eq!(scratch.alerts_of(id).await, before);
}

#[tokio::test]
async fn only_what_is_acknowledged_is_reopened() {
    let scratch = ScratchStore::with_log().await;
    let found = vec![signing(1), held(2)];
    scratch.read((0, 0), (9, 0), found).await;
    let reopen = request(Handling::Reopen, 3);
    for (id, expected) in [
        (signing(1).finding.id, HandlingOutcome::Before),
        (held(2).finding.id, HandlingOutcome::NotAcked),
        (
            FindingId::of_fault(FaultKind::Fork, "b", 1),
            HandlingOutcome::Unknown,
        ),
    ] {
        assert_eq!(handle(&scratch, id, &reopen).await, expected);
    }
    // Neither changed, and neither has a row of it.
    assert_eq!(scratch.get(signing(1).finding.id).await.state, State::Open);
    assert_eq!(scratch.get(held(2).finding.id).await.state, State::Held);
    assert_eq!(rows(&scratch, held(2).finding.id).await.len(), 1);
}

#[tokio::test]
async fn what_was_disputed_when_it_was_acknowledged_is_disputed_again() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (20, 0), vec![signing(6)]).await;
    let id = signing(6).finding.id;
    scratch
        .store
        .dispute(&crate::faults::mismatch(20, 0, 1))
        .await
        .unwrap();
    assert_eq!(scratch.get(id).await.state, State::Disputed);
    scratch
        .store
        .handle(&[id], &ack("a lie", at(4)))
        .await
        .unwrap();
    handle(&scratch, id, &request(Handling::Reopen, 5)).await;
    assert_eq!(scratch.get(id).await.state, State::Disputed);
    // Its leaf comes back: it is open, not acknowledged.
    scratch.read((0, 0), (20, 20), vec![signing(6)]).await;
    assert_eq!(scratch.get(id).await.state, State::Open);
}

#[tokio::test]
async fn each_action_takes_what_a_query_selects_of_what_it_can_change() {
    let scratch = ScratchStore::with_log().await;
    let found = vec![signing(1), watched("eagle", 2), held(3), signing(4)];
    scratch.read((0, 0), (9, 0), found).await;
    let [one, two, three, four] = [
        signing(1).finding.id,
        watched("eagle", 2).finding.id,
        held(3).finding.id,
        signing(4).finding.id,
    ];
    let all = FindingQuery::default();
    let lengths = async || {
        let mut lengths = Vec::new();
        for id in [one, two, three, four] {
            lengths.push((id, rows(&scratch, id).await.len()));
        }
        lengths
    };
    // Those that have another row of history.
    let matching = async |query: &FindingQuery, handling| {
        let before = lengths().await;
        let request = request(handling, 5);
        let handled = scratch.store.handle_matching(query, &request).await;
        let after = lengths().await.into_iter().zip(before);
        let changed: Vec<_> = after
            .filter(|(after, before)| after.1 > before.1)
            .map(|(after, _)| after.0)
            .collect();
        assert_eq!(handled.unwrap(), changed.len() as u64);
        changed
    };
    scratch
        .store
        .handle(&[one, two], &ack("known", at(2)))
        .await
        .unwrap();
    // A note without states is for what is open.
    assert_eq!(matching(&all, Handling::Note).await, [four]);
    let every = FindingQuery {
        states: State::ALL.to_vec(),
        ..all.clone()
    };
    assert_eq!(
        matching(&every, Handling::Note).await,
        [one, two, three, four]
    );
    let eagle = FindingQuery {
        watches: vec!["eagle".into()],
        ..all.clone()
    };
    assert_eq!(matching(&eagle, Handling::Reopen).await, [two]);
    assert_eq!(matching(&eagle, Handling::Reopen).await, []);
    assert_eq!(matching(&every, Handling::Reopen).await, [one]);
    assert_eq!(matching(&all, Handling::Ack).await, [one, two, four]);
}
