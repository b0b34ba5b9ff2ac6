//! The laws of `Expectations`.

use modelwatch::expect::{Expectation, RegisteredSigning, SignedAs};
use modelwatch::finding::{NewFinding, Severity, State, Verdict};
use modelwatch::identity::Chain;
use modelwatch::store::{Delivery, NewRegistration, QueuedKind};

use crate::register_one::RegisterOne as _;
use crate::scratch::{
    ScratchStore, ack, at, batch, critical, expectation, held, leaf, signing, watched,
};

fn bundle_of(indices: &[u64]) -> Expectation {
    Expectation {
        leaf_hashes: indices.iter().map(|index| leaf(*index)).collect(),
        logged_sha256: Some([3; 32]),
        ..expectation(0)
    }
}

#[tokio::test]
async fn neither_order_of_registering_and_finding_loses_the_other() {
    for registered_first in [true, false] {
        let scratch = ScratchStore::with_log().await;
        let register = async || {
            scratch
                .store
                .register(&bundle_of(&[3]), "a.sig", at(2))
                .await
                .unwrap()
        };
        if registered_first {
            assert_eq!(register().await, (true, vec![]));
        }
        let found = vec![critical(signing(3)), watched("quiet", 3), signing(4)];
        scratch.read((0, 0), (9, 0), found).await;
        if !registered_first {
            assert_eq!(register().await.1.len(), 2, "of both watches");
        }
        let scratch = scratch.after_a_crash().await;
        let finding = scratch.get(signing(3).finding.id).await;
        assert_eq!(
            (finding.verdict, finding.severity),
            (Verdict::Expected, Severity::Info)
        );
        assert_eq!(finding.state, State::Resolved);
        assert!(scratch.alerts_of(finding.id).await.is_empty());
        let last = scratch.history(finding.id).await.pop().unwrap();
        assert_eq!(last, (State::Resolved, "registered: a.sig".into()));
        assert_eq!(
            scratch.unresolved().await.len(),
            1,
            "another leaf stays what it was"
        );
        assert_eq!(scratch.store.registrations().await.unwrap()[0].findings, 2);
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
        let scratch = ScratchStore::with_log().await;
        let register = async || {
            scratch
                .store
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
        scratch.read((0, 0), (9, 0), found).await;
        if !registered_first {
            assert_eq!(register().await.1.len(), 1);
        }
        let verdict = async |index| scratch.get(signing(index).finding.id).await.verdict;
        assert_eq!(verdict(3).await, Verdict::Expected);
        assert_eq!(verdict(4).await, Verdict::IdentityUnexpected);
        assert_eq!(verdict(7).await, Verdict::IdentityUnexpected);
        let registered = &scratch.store.registrations().await.unwrap()[0];
        assert_eq!(registered.findings, 1);
        let removed = scratch.store.unregister(registered.number, at(9)).await;
        assert_eq!(removed.unwrap().unwrap().len(), 1);
        assert_eq!(verdict(3).await, Verdict::IdentityUnexpected);
    }
}

#[tokio::test]
async fn a_signing_is_registered_once() {
    let scratch = ScratchStore::with_log().await;
    assert!(
        scratch
            .store
            .register(&bundle_of(&[3, 4]), "a.sig", at(2))
            .await
            .unwrap()
            .0
    );
    assert!(
        !scratch
            .store
            .register(&bundle_of(&[4, 3]), "b.sig", at(3))
            .await
            .unwrap()
            .0
    );
    let registrations = scratch.store.registrations().await.unwrap();
    assert_eq!(registrations.len(), 1);
    assert_eq!(
        (registrations[0].file.as_str(), registrations[0].at),
        ("a.sig", at(2))
    );
    assert_eq!(registrations[0].expectation, bundle_of(&[3, 4]));
}

#[tokio::test]
async fn a_removed_registration_reopens_and_alerts_findings_without_another_one() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .store
        .register(&bundle_of(&[3]), "a.sig", at(2))
        .await
        .unwrap();
    scratch
        .store
        .register(&bundle_of(&[3, 5]), "b.sig", at(2))
        .await
        .unwrap();
    scratch
        .read((0, 0), (9, 0), vec![critical(signing(3)), held(5)])
        .await;
    let numbers: Vec<i64> = scratch
        .store
        .registrations()
        .await
        .unwrap()
        .iter()
        .map(|r| r.number)
        .collect();
    assert_eq!(scratch.store.unregister(999, at(3)).await.unwrap(), None);
    assert_eq!(
        scratch.store.unregister(numbers[1], at(3)).await.unwrap(),
        Some(vec![held(5).finding.id])
    );
    assert_eq!(
        scratch.get(held(5).finding.id).await.state,
        State::Open,
        "nothing is waited for any more"
    );
    assert_eq!(
        scratch.get(signing(3).finding.id).await.verdict,
        Verdict::Expected
    );
    scratch.store.unregister(numbers[0], at(4)).await.unwrap();
    let finding = scratch.get(signing(3).finding.id).await;
    assert_eq!(
        (finding.verdict, finding.severity),
        (Verdict::IdentityUnexpected, Severity::Critical)
    );
    assert_eq!(finding.state, State::Open);
    assert_eq!(scratch.alerts_of(finding.id).await["urgent"], 1);
}

#[tokio::test]
async fn a_held_signing_that_is_registered_in_time_is_never_alerted() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (9, 0), vec![held(3)]).await;
    scratch
        .store
        .register(&bundle_of(&[3]), "a.sig", at(2))
        .await
        .unwrap();
    assert_eq!(scratch.store.release_holds(&[], at(99)).await.unwrap(), 0);
    assert!(scratch.alerts_of(held(3).finding.id).await.is_empty());
}

#[tokio::test]
async fn when_the_last_finding_of_an_alert_is_registered_one_resolution_is_sent() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .read((0, 0), (9, 0), vec![watched("a", 3), watched("b", 3)])
        .await;
    let alert = scratch
        .store
        .claim_alerts("all", 20, at(2))
        .await
        .unwrap()
        .remove(0);
    scratch
        .store
        .record_delivery(&alert.id, &Delivery::Delivered, at(2))
        .await
        .unwrap();
    scratch
        .store
        .register(&bundle_of(&[3]), "a.sig", at(3))
        .await
        .unwrap();
    let resolved = scratch.store.claim_alerts("all", 20, at(3)).await.unwrap();
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
    let scratch = ScratchStore::with_log().await;
    scratch
        .read((0, 0), (9, 0), (1..5).map(signing).collect())
        .await;
    let digest = scratch
        .store
        .claim_alerts("all", 1, at(2))
        .await
        .unwrap()
        .remove(0);
    scratch
        .store
        .record_delivery(&digest.id, &Delivery::Delivered, at(2))
        .await
        .unwrap();
    scratch
        .store
        .register(&bundle_of(&[1, 2]), "a.sig", at(3))
        .await
        .unwrap();
    scratch
        .store
        .handle(&[signing(3).finding.id], &ack("known", at(3)))
        .await
        .unwrap();
    assert!(
        scratch
            .store
            .claim_alerts("all", 1, at(3))
            .await
            .unwrap()
            .is_empty()
    );
    scratch
        .store
        .register(&bundle_of(&[4]), "b.sig", at(4))
        .await
        .unwrap();
    let resolved = scratch.store.claim_alerts("all", 1, at(4)).await.unwrap();
    assert_eq!((resolved.len(), &resolved[0].key), (1, &digest.id));
}

/// The signing of entry 3, by the certificate of every `signing`.
fn signed(indices: &[u64]) -> Expectation {
    Expectation {
        certificate_sha256: hex::encode([7; 32]),
        signing: Some(RegisteredSigning {
            signature_sha256: hex::encode([5; 32]),
            tbs_sha256: hex::encode([6; 32]),
            message: Some("sha256:01".into()),
            payload: Some("sha256:02".into()),
            leaves: Vec::new(),
        }),
        ..bundle_of(indices)
    }
}

/// Another entry of it; the caller changes the difference to that signing.
fn again(index: u64) -> NewFinding {
    let mut new = signing(index);
    new.finding.digest = Some("sha256:01".into());
    new.evidence.signed_as = Some(SignedAs {
        signature: [5; 32],
        tbs: Some([6; 32]),
        leaves: Vec::new(),
    });
    new
}

fn changed(index: u64, change: impl Fn(&mut NewFinding)) -> NewFinding {
    let mut new = again(index);
    change(&mut new);
    new
}

#[tokio::test]
async fn certificate_digest_and_signature_make_another_entry_the_registered_signing() {
    let kind = |new: &mut NewFinding, kind: &str| new.finding.kind = Some(kind.into());
    let payload = |new: &mut NewFinding| new.finding.digest = Some("sha256:02".into());
    let signature = |new: &mut NewFinding, signature| {
        new.evidence.signed_as.as_mut().unwrap().signature = signature;
    };
    let certificate = |new: &mut NewFinding, tbs, chain| {
        new.finding.certificate_sha256 = Some(hex::encode([8; 32]));
        new.evidence.signed_as.as_mut().unwrap().tbs = Some(tbs);
        new.finding.chain = Some(chain);
        if chain == Chain::Untrusted {
            new.finding.verdict = Verdict::UntrustedChain;
        }
    };
    let table = [
        (again(10), true),
        (changed(11, |new| kind(new, "hashedrekord 0.0.1")), true),
        (changed(12, |new| kind(new, "rekord 0.0.1")), true),
        (
            changed(13, |new| {
                kind(new, "dsse 0.0.1");
                payload(new);
            }),
            true,
        ),
        (
            changed(14, |new| {
                kind(new, "intoto 0.0.2");
                payload(new);
            }),
            true,
        ),
        (
            changed(15, |new| certificate(new, [6; 32], Chain::Trusted)),
            true,
        ),
        // The digest that another kind of entry would hold, another one, another signature.
        (changed(20, |new| kind(new, "dsse 0.0.1")), false),
        (changed(21, payload), false),
        (changed(22, |new| kind(new, "cose 0.0.1")), false),
        (
            changed(23, |new| new.finding.digest = Some("sha256:03".into())),
            false,
        ),
        (changed(24, |new| new.finding.digest = None), false),
        (changed(25, |new| signature(new, [4; 32])), false),
        // Another certificate; and one without a trusted chain, or with another one.
        (
            changed(26, |new| certificate(new, [9; 32], Chain::Trusted)),
            false,
        ),
        (
            changed(27, |new| certificate(new, [6; 32], Chain::Untrusted)),
            false,
        ),
        (
            changed(28, |new| certificate(new, [6; 32], Chain::Unknown)),
            false,
        ),
        (changed(29, |new| new.evidence.signed_as = None), false),
    ];
    // A certificate with the same chain as the registered one is known by that entry, before or after.
    for (registered_first, original_first) in
        [(true, true), (true, false), (false, true), (false, false)]
    {
        let scratch = ScratchStore::with_log().await;
        let register = async || {
            scratch
                .store
                .register(&signed(&[3]), "a.sig", at(2))
                .await
                .unwrap()
        };
        if registered_first {
            register().await;
        }
        let mut found: Vec<NewFinding> = table.iter().map(|(new, _)| new.clone()).collect();
        found.insert(if original_first { 0 } else { found.len() }, again(3));
        for new in found {
            // Each in its own transaction.
            scratch
                .store
                .commit(&batch((0, 0), (0, 0), vec![new]))
                .await
                .unwrap();
        }
        if !registered_first {
            assert_eq!(register().await.1.len(), 7);
        }
        let scratch = scratch.after_a_crash().await;
        let original = scratch.get(again(3).finding.id).await;
        assert!(original.verdict == Verdict::Expected && original.anomalies.is_empty());
        for (new, expected) in &table {
            let finding = scratch.get(new.finding.id).await;
            let index = finding.index;
            assert_eq!(finding.verdict == Verdict::Expected, *expected, "{index:?}");
            let anomalies: &[&str] = if *expected { &["logged again"] } else { &[] };
            assert_eq!(finding.anomalies, anomalies, "{index:?}");
            let is_alerted = !scratch.alerts_of(finding.id).await.is_empty();
            assert_eq!(is_alerted, !*expected, "{index:?}");
        }
        let registered = &scratch.store.registrations().await.unwrap()[0];
        assert_eq!(registered.findings, 7);
        let removed = scratch.store.unregister(registered.number, at(9)).await;
        assert_eq!(removed.unwrap().unwrap().len(), 7);
        assert!(
            scratch
                .list()
                .await
                .iter()
                .all(|f| f.verdict != Verdict::Expected)
        );
    }
}

#[tokio::test]
async fn a_registration_of_an_earlier_version_is_completed_by_an_entry_or_by_the_bundle() {
    let earlier = || Expectation {
        signing: None,
        statement: None,
        ..signed(&[3])
    };
    let of_a_leaf = |index, hash| {
        changed(index, |new| {
            new.evidence.signed_as.as_mut().unwrap().leaves = vec![hash];
        })
    };
    for by_the_bundle in [false, true] {
        let scratch = ScratchStore::with_log().await;
        scratch
            .store
            .register(&earlier(), "a.sig", at(2))
            .await
            .unwrap();
        // It is not a registered leaf, in any form.
        scratch
            .read((0, 0), (9, 0), vec![of_a_leaf(4, leaf(4))])
            .await;
        let finding = async |index| scratch.get(signing(index).finding.id).await;
        assert_eq!(finding(4).await.verdict, Verdict::IdentityUnexpected);
        if by_the_bundle {
            let (new, changed) = scratch
                .store
                .register(&signed(&[3]), "b.sig", at(3))
                .await
                .unwrap();
            assert_eq!((new, changed), (false, vec![again(4).finding.id]));
        } else {
            scratch
                .read((9, 0), (10, 0), vec![of_a_leaf(5, leaf(3))])
                .await;
            assert_eq!(finding(5).await.anomalies, ["logged again"]);
        }
        assert_eq!(finding(4).await.verdict, Verdict::Expected);
        let registrations = scratch.store.registrations().await.unwrap();
        assert_eq!(
            (registrations.len(), registrations[0].file.as_str()),
            (1, "a.sig")
        );
    }
}

#[tokio::test]
async fn a_finding_of_an_earlier_version_is_completed_when_its_entry_is_read_again() {
    let scratch = ScratchStore::with_log().await;
    let mut earlier = again(4);
    earlier.evidence.signed_as = None;
    scratch.read((0, 0), (9, 0), vec![earlier]).await;
    scratch
        .store
        .register(&signed(&[3]), "a.sig", at(2))
        .await
        .unwrap();
    let finding = async || scratch.get(again(4).finding.id).await;
    assert_eq!(finding().await.verdict, Verdict::IdentityUnexpected);
    scratch
        .store
        .commit(&batch((9, 0), (9, 0), vec![again(4)]))
        .await
        .unwrap();
    assert_eq!(finding().await.verdict, Verdict::Expected);
    assert!(scratch.alerts_of(again(4).finding.id).await.is_empty());
}

#[tokio::test]
async fn one_of_two_bundles_of_a_signing_still_expects_its_findings() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .store
        .register(&signed(&[3]), "a.sig", at(2))
        .await
        .unwrap();
    scratch
        .store
        .register(&signed(&[5]), "b.sig", at(2))
        .await
        .unwrap();
    scratch
        .read((0, 0), (9, 0), vec![again(3), again(5), again(7)])
        .await;
    let numbers = scratch.store.registrations().await.unwrap();
    let removed = scratch
        .store
        .unregister(numbers[0].number, at(3))
        .await
        .unwrap();
    assert_eq!(removed, Some(vec![]));
    let anomalies = async |index| scratch.get(again(index).finding.id).await.anomalies;
    assert_eq!(
        anomalies(3).await,
        ["logged again"],
        "by its own entry no more"
    );
    assert!(anomalies(5).await.is_empty());
    let removed = scratch
        .store
        .unregister(numbers[1].number, at(4))
        .await
        .unwrap();
    assert_eq!(removed.unwrap().len(), 3);
}

#[tokio::test]
async fn more_bundles_than_one_transaction_takes_are_all_registered_in_order() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .read((0, 0), (250, 0), (0..250).map(signing).collect())
        .await;
    let signings: Vec<_> = (0..250)
        .map(|index| NewRegistration::by_operator(format!("{index}.sig"), bundle_of(&[index])))
        .collect();
    for expected in [true, false] {
        let registered = scratch.store.register_all(&signings, at(5)).await.unwrap();
        let (new, affected): (Vec<_>, Vec<_>) = registered.into_iter().unzip();
        assert_eq!(new, vec![expected; 250]);
        let ids = (0..250).map(|index| signing(index).finding.id);
        let changes: Vec<_> = ids.filter(|_| expected).collect();
        assert_eq!(affected.concat(), changes);
    }
}

#[tokio::test]
async fn registrations_are_read_in_parts_by_their_numbers() {
    let scratch = ScratchStore::with_log().await;
    for index in 0..4 {
        let file = format!("{index}.sig");
        let of_one = Expectation {
            leaf_hashes: vec![leaf(index)],
            ..expectation(index)
        };
        scratch.store.register(&of_one, &file, at(2)).await.unwrap();
    }
    let every = scratch.store.registrations().await.unwrap();
    assert_eq!(every.len(), 4);
    scratch
        .store
        .unregister(every[1].number, at(3))
        .await
        .unwrap();
    for (after, limit, expected) in [
        (i64::MIN, 2, vec![0, 2]),
        (every[0].number, 9, vec![2, 3]),
        (every[1].number, 1, vec![2]),
        (every[3].number, 9, vec![]),
    ] {
        let part = scratch
            .store
            .registrations_after(after, limit)
            .await
            .unwrap();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|place: usize| every[place].clone())
            .collect();
        assert_eq!(part, expected, "{after} {limit}");
    }
}
