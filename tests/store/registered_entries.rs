//! The laws of `RegisteredEntries`.

use modelwatch::expect::{Authority, Expectation, NamedEntry};
use modelwatch::finding::{Finding, FindingId, NewFinding, Severity, State, Verdict};
use modelwatch::log::TreeId;
use modelwatch::store::{NewRegistration, ProvenPart, RegisteredEntry, Registrar};

use crate::scratch::{ORIGIN, ScratchStore, at, expectation, leaf, signing};

fn naming(index: u64, origin: Option<&str>) -> Expectation {
    Expectation {
        entries: vec![NamedEntry {
            log_id: "ABCDEF0123456789".to_owned(),
            log_index: index,
            kind: "hashedrekord 0.0.2".to_owned(),
            origin: origin.map(str::to_owned),
            checkpoint: None,
        }],
        ..expectation(index)
    }
}

async fn register(scratch: &ScratchStore, authority: Authority, expectation: Expectation) -> i64 {
    let new = NewRegistration {
        by: Registrar::command(authority, None),
        ..NewRegistration::by_operator("a.sig".to_owned(), expectation)
    };
    scratch.store.register_all(&[new], at(1)).await.unwrap();
    let all = scratch.store.registrations().await.unwrap();
    all.last().unwrap().number
}

fn part(from: u64, to: u64) -> ProvenPart {
    ProvenPart {
        tree: TreeId::new(ORIGIN),
        keys: vec!["abcdef01".to_owned()],
        from,
        to,
    }
}

fn missing(entry: &RegisteredEntry) -> NewFinding {
    NewFinding {
        finding: Finding::new(
            FindingId::of_missing(ORIGIN, entry.index, entry.registration),
            Verdict::Missing,
            Severity::High,
            "missing".to_owned(),
            at(2),
        ),
        rule: None,
        evidence: modelwatch::finding::Evidence::default(),
    }
}

#[tokio::test]
async fn an_entry_waits_until_it_is_there_or_was_missed_twice() {
    let scratch = ScratchStore::with_log().await;
    let by_origin = register(&scratch, Authority::Operator, naming(3, Some(ORIGIN))).await;
    let by_key = register(&scratch, Authority::Repository, naming(5, None)).await;
    register(
        &scratch,
        Authority::Operator,
        naming(6, Some("other.example")),
    )
    .await;
    register(&scratch, Authority::Signer, naming(7, Some(ORIGIN))).await;
    let waiting = async |part| scratch.store.registered_entries(&part, 9).await.unwrap();
    let numbers = async |part| {
        let waiting = waiting(part).await;
        waiting
            .iter()
            .map(|entry| entry.registration)
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers(part(0, 9)).await, [by_origin, by_key]);
    assert_eq!(numbers(part(0, 5)).await, [by_origin]);
    assert_eq!(numbers(part(4, 9)).await, [by_key]);
    assert_eq!(
        scratch
            .store
            .registered_entries(&part(0, 9), 1)
            .await
            .unwrap()
            .len(),
        1
    );
    let other_key = ProvenPart {
        keys: vec!["00000000".to_owned()],
        ..part(0, 9)
    };
    assert_eq!(numbers(other_key).await, [by_origin]);

    let entries = waiting(part(0, 9)).await;
    assert_eq!(
        (entries[0].leaves.clone(), entries[0].is_found),
        (vec![hex::encode(leaf(3))], false)
    );
    scratch.store.entry_there(entries[0].number).await.unwrap();
    let finding = missing(&entries[1]);
    for expected in [false, true, false] {
        let raised = scratch
            .store
            .entry_missed(&entries[1], &finding, at(2))
            .await
            .unwrap();
        assert_eq!(raised, expected);
    }
    assert!(waiting(part(0, 9)).await.is_empty());
    let id = finding.finding.id;
    assert_eq!(scratch.get(id).await.state, State::Open);
    assert_eq!(scratch.alerts_of(id).await["all"], 1);
    let scratch = scratch.after_a_crash().await;
    scratch.store.unregister(by_key, at(3)).await.unwrap();
    assert_eq!(scratch.get(id).await.state, State::Resolved);
    let raised = scratch
        .store
        .entry_missed(&entries[1], &finding, at(4))
        .await
        .unwrap();
    assert!(!raised, "its registration is gone");
}

#[tokio::test]
async fn a_proven_finding_at_the_place_shows_the_entry() {
    let scratch = ScratchStore::with_log().await;
    register(&scratch, Authority::Operator, naming(3, Some(ORIGIN))).await;
    let is_found = async || {
        let waiting = scratch
            .store
            .registered_entries(&part(0, 9), 9)
            .await
            .unwrap();
        waiting[0].is_found
    };
    scratch.read((0, 0), (9, 0), vec![signing(3)]).await;
    assert!(!is_found().await, "not proven yet");
    scratch
        .store
        .commit(&crate::scratch::batch((9, 0), (9, 9), vec![]))
        .await
        .unwrap();
    assert!(is_found().await);
}
