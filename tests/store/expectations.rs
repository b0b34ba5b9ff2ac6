use modelwatch::expect::Expectation;
use modelwatch::finding::{Severity, State, Verdict};
use modelwatch::store::{Delivery, QueuedKind};

use crate::hall::{Hall, at, critical, held, leaf, signing, watched};

fn bundle_of(indices: &[u64]) -> Expectation {
    Expectation {
        leaf_hashes: indices.iter().map(|index| leaf(*index)).collect(),
        digest: "sha256:00".into(),
        who: "somebody".into(),
        certificate_sha256: hex::encode([1; 32]),
        logged_sha256: Some([3; 32]),
        key_sha256: hex::encode([2; 32]),
        not_before: at(-1),
        entries: Vec::new(),
    }
}

#[tokio::test]
async fn neither_order_of_registering_and_finding_loses_the_other() {
    for registered_first in [true, false] {
        let hall = Hall::with_log().await;
        let register = async || {
            hall.store
                .register(&bundle_of(&[3]), "a.sig", at(2))
                .await
                .unwrap()
        };
        if registered_first {
            assert_eq!(register().await, (true, vec![]));
        }
        let found = vec![critical(signing(3)), watched("quiet", 3), signing(4)];
        hall.read((0, 0), (9, 0), found).await;
        if !registered_first {
            assert_eq!(register().await.1.len(), 2, "of both watches");
        }
        let hall = hall.after_a_crash().await;
        let finding = hall.get(signing(3).finding.id).await;
        assert_eq!(
            (finding.verdict, finding.severity),
            (Verdict::Expected, Severity::Info)
        );
        assert_eq!(finding.state, State::Resolved);
        assert!(hall.told(finding.id).await.is_empty());
        let last = hall.history(finding.id).await.pop().unwrap();
        assert_eq!(last, (State::Resolved, "registered: a.sig".into()));
        assert_eq!(
            hall.unresolved().await.len(),
            1,
            "another leaf stays what it was"
        );
        assert_eq!(hall.store.registrations().await.unwrap()[0].findings, 2);
    }
}

#[tokio::test]
async fn a_certificate_in_a_ct_log_is_expected_by_what_was_logged_and_not_by_its_leaf() {
    let certificate = |index, logged| {
        let mut found = signing(index);
        found.evidence.logged_sha256 = Some(logged);
        found
    };
    for registered_first in [true, false] {
        let hall = Hall::with_log().await;
        let register = async || {
            hall.store
                .register(&bundle_of(&[7]), "a.sig", at(2))
                .await
                .unwrap()
        };
        if registered_first {
            register().await;
        }
        // The last one has the leaf of the registered signing, but is another certificate.
        let found = vec![
            certificate(3, [3; 32]),
            certificate(4, [4; 32]),
            certificate(7, [7; 32]),
        ];
        hall.read((0, 0), (9, 0), found).await;
        if !registered_first {
            assert_eq!(register().await.1.len(), 1);
        }
        let verdict = async |index| hall.get(signing(index).finding.id).await.verdict;
        assert_eq!(verdict(3).await, Verdict::Expected);
        assert_eq!(verdict(4).await, Verdict::IdentityUnexpected);
        assert_eq!(verdict(7).await, Verdict::IdentityUnexpected);
        let registered = &hall.store.registrations().await.unwrap()[0];
        assert_eq!(registered.findings, 1);
        let removed = hall.store.unregister(registered.number, at(9)).await;
        assert_eq!(removed.unwrap().unwrap().len(), 1);
        assert_eq!(verdict(3).await, Verdict::IdentityUnexpected);
    }
}

#[tokio::test]
async fn a_signing_is_registered_once() {
    let hall = Hall::with_log().await;
    assert!(
        hall.store
            .register(&bundle_of(&[3, 4]), "a.sig", at(2))
            .await
            .unwrap()
            .0
    );
    assert!(
        !hall
            .store
            .register(&bundle_of(&[4, 3]), "b.sig", at(3))
            .await
            .unwrap()
            .0
    );
    let registrations = hall.store.registrations().await.unwrap();
    assert_eq!(registrations.len(), 1);
    assert_eq!(
        (registrations[0].file.as_str(), registrations[0].at),
        ("a.sig", at(2))
    );
    assert_eq!(registrations[0].expectation, bundle_of(&[3, 4]));
}

#[tokio::test]
async fn a_removed_registration_reopens_and_alerts_what_nobody_else_expects() {
    let hall = Hall::with_log().await;
    hall.store
        .register(&bundle_of(&[3]), "a.sig", at(2))
        .await
        .unwrap();
    hall.store
        .register(&bundle_of(&[3, 5]), "b.sig", at(2))
        .await
        .unwrap();
    hall.read((0, 0), (9, 0), vec![critical(signing(3)), held(5)])
        .await;
    let numbers: Vec<i64> = hall
        .store
        .registrations()
        .await
        .unwrap()
        .iter()
        .map(|r| r.number)
        .collect();
    assert_eq!(hall.store.unregister(999, at(3)).await.unwrap(), None);
    assert_eq!(
        hall.store.unregister(numbers[1], at(3)).await.unwrap(),
        Some(vec![held(5).finding.id])
    );
    assert_eq!(
        hall.get(held(5).finding.id).await.state,
        State::Open,
        "nothing is waited for any more"
    );
    assert_eq!(
        hall.get(signing(3).finding.id).await.verdict,
        Verdict::Expected
    );
    hall.store.unregister(numbers[0], at(4)).await.unwrap();
    let finding = hall.get(signing(3).finding.id).await;
    assert_eq!(
        (finding.verdict, finding.severity),
        (Verdict::IdentityUnexpected, Severity::Critical)
    );
    assert_eq!(finding.state, State::Open);
    assert_eq!(hall.told(finding.id).await["urgent"], 1);
}

#[tokio::test]
async fn a_held_signing_that_is_registered_in_time_is_never_told() {
    let hall = Hall::with_log().await;
    hall.read((0, 0), (9, 0), vec![held(3)]).await;
    hall.store
        .register(&bundle_of(&[3]), "a.sig", at(2))
        .await
        .unwrap();
    assert_eq!(hall.store.release_holds(&[], at(99)).await.unwrap(), 0);
    assert!(hall.told(held(3).finding.id).await.is_empty());
}

#[tokio::test]
async fn when_the_last_of_an_alert_is_registered_its_channel_is_told_once() {
    let hall = Hall::with_log().await;
    hall.read((0, 0), (9, 0), vec![watched("a", 3), watched("b", 3)])
        .await;
    let alert = hall
        .store
        .claim_alerts("all", 20, at(2))
        .await
        .unwrap()
        .remove(0);
    hall.store
        .record_delivery(&alert.id, &Delivery::Delivered, at(2))
        .await
        .unwrap();
    hall.store
        .register(&bundle_of(&[3]), "a.sig", at(3))
        .await
        .unwrap();
    let resolved = hall.store.claim_alerts("all", 20, at(3)).await.unwrap();
    assert_eq!(resolved.len(), 1);
    assert_eq!(
        (resolved[0].kind, &resolved[0].key),
        (QueuedKind::Resolved, &alert.id)
    );
    assert_eq!(resolved[0].findings, 2);
    assert_ne!(resolved[0].id, alert.id);
}

#[tokio::test]
async fn an_alert_with_something_open_in_it_is_not_over() {
    let hall = Hall::with_log().await;
    hall.read((0, 0), (9, 0), (1..5).map(signing).collect())
        .await;
    let digest = hall
        .store
        .claim_alerts("all", 1, at(2))
        .await
        .unwrap()
        .remove(0);
    hall.store
        .record_delivery(&digest.id, &Delivery::Delivered, at(2))
        .await
        .unwrap();
    hall.store
        .register(&bundle_of(&[1, 2]), "a.sig", at(3))
        .await
        .unwrap();
    hall.store
        .acknowledge(&[signing(3).finding.id], "known", at(3))
        .await
        .unwrap();
    assert!(
        hall.store
            .claim_alerts("all", 1, at(3))
            .await
            .unwrap()
            .is_empty()
    );
    hall.store
        .register(&bundle_of(&[4]), "b.sig", at(4))
        .await
        .unwrap();
    let resolved = hall.store.claim_alerts("all", 1, at(4)).await.unwrap();
    assert_eq!((resolved.len(), &resolved[0].key), (1, &digest.id));
}
