//! The laws of `RelatedFindings`.

use modelwatch::finding::FindingId;
use modelwatch::store::NewRegistration;

use crate::faults::mismatch;
use crate::scratch::{LOG, ScratchStore, at, expectation, signing, watched};

fn registered(index: u64) -> NewRegistration {
    NewRegistration::by_operator(format!("{index}.sig"), expectation(index))
}

#[tokio::test]
async fn the_last_registered_signing_of_a_watch_is_the_one_before_or_else_after() {
    let scratch = ScratchStore::with_log().await;
    let found = vec![
        signing(0),
        signing(1),
        signing(2),
        watched("other", 2),
        signing(3),
        signing(4),
        signing(5),
    ];
    scratch.read((0, 0), (9, 0), found).await;
    let bundles = [registered(1), registered(2), registered(5)];
    let registered = scratch.store.register_all(&bundles, at(2)).await;
    registered.unwrap();
    let expected = async |watch: &str, index| {
        let id = watched(watch, index).finding.id;
        let found = scratch.store.last_expected(watch, id).await.unwrap();
        found.and_then(|found| found.index)
    };
    assert_eq!(expected("falcon", 3).await, Some(2));
    assert_eq!(expected("falcon", 2).await, Some(1));
    assert_eq!(expected("falcon", 0).await, Some(5));
    // It is not compared with itself.
    assert_eq!(expected("other", 2).await, None);
    assert_eq!(
        expected("falcon", 8).await,
        None,
        "there is no such finding"
    );
}

#[tokio::test]
async fn the_findings_around_one_are_those_that_were_recorded_next_to_it() {
    let scratch = ScratchStore::with_log().await;
    let found = (0..9).map(signing).collect();
    scratch.read((0, 0), (9, 0), found).await;
    let around = async |index: u64, limit| -> Vec<Option<u64>> {
        let id = signing(index).finding.id;
        let around = scratch.store.recorded_around(id, limit).await.unwrap();
        around.into_iter().map(|found| found.index).collect()
    };
    assert_eq!(around(4, 2).await, [2, 3, 5, 6].map(Some));
    assert_eq!(around(0, 2).await, [1, 2].map(Some));
    assert_eq!(around(8, 1).await, [Some(7)]);
    assert_eq!(around(20, 2).await, [], "there is no such finding");
}

#[tokio::test]
async fn faults_are_those_of_one_log_and_signings_are_none() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (5, 5), vec![signing(1)]).await;
    scratch.read((5, 5), (20, 5), vec![signing(6)]).await;
    let fault = mismatch(20, 5, 1);
    scratch.store.dispute(&fault).await.unwrap();
    let faults = scratch.store.faults_of(LOG, 9).await.unwrap();
    let ids: Vec<FindingId> = faults.iter().map(|fault| fault.id).collect();
    assert_eq!(ids, [fault.fault.finding.id]);
    assert_eq!(scratch.store.faults_of(LOG, 0).await.unwrap(), []);
    assert_eq!(scratch.store.faults_of("other", 9).await.unwrap(), []);
}

#[tokio::test]
async fn the_last_registrations_are_the_newest() {
    let scratch = ScratchStore::with_log().await;
    let bundles = [registered(1), registered(2), registered(3)];
    let registered = scratch.store.register_all(&bundles, at(2)).await;
    registered.unwrap();
    let last = async |limit| -> Vec<String> {
        let last = scratch.store.last_registrations(limit).await.unwrap();
        last.into_iter().map(|one| one.file).collect()
    };
    assert_eq!(last(2).await, ["3.sig", "2.sig"]);
    assert_eq!(last(9).await, ["3.sig", "2.sig", "1.sig"]);
    assert_eq!(last(0).await, [""; 0]);
}
