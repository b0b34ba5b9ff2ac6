//! Signings that their owner registered, before or after they were seen.

use modelwatch::expect::Expectation;
use modelwatch::finding::{State, Verdict};
use modelwatch::store::QueuedKind;

use crate::world::{Leaf, RegisterOne as _, Signer, World, other_leaves};

/// What registering this leaf's bundle gives.
pub fn expectation(leaf: &Leaf) -> Expectation {
    let who = leaf.who.as_ref().unwrap();
    Expectation {
        leaf_hashes: vec![*leaf.hash.as_bytes()],
        digest: format!("sha256:{}", leaf.hash),
        who: who.san.clone().unwrap(),
        certificate_sha256: "00".repeat(32),
        logged_sha256: None,
        signing: None,
        statement: None,
        key_sha256: "00".repeat(32),
        not_before: "2026-11-21T00:00:00Z".parse().unwrap(),
        entries: Vec::new(),
    }
}

#[tokio::test]
async fn a_signing_that_was_registered_before_it_was_seen_never_alerts() {
    let mut world = World::new().await;
    let mine = Signer::Release.signs(0);
    let registered = world
        .truly()
        .register(&expectation(&mine), "owl.sigstore.json", world.now())
        .await;
    assert!(registered.unwrap().0);
    world.log().grow([mine, Signer::Release.signs(1)]);
    world.good_step().await;
    let expected = world.of("expected").await;
    assert_eq!(expected.len(), 2, "for both watches");
    for finding in &expected {
        assert_eq!((finding.index, finding.state), (Some(0), State::Resolved));
        assert!(world.delivered(finding.id).is_empty());
    }
    let other = world.of("identity-unexpected").await;
    assert!(
        other
            .iter()
            .all(|f| f.index == Some(1) && world.delivered(f.id).len() == 1)
    );
}

#[tokio::test]
async fn a_later_registration_changes_the_finding_and_is_reported() {
    let mut world = World::new().await;
    let mine = Signer::Mail.signs(0);
    world.log().grow([mine.clone()]);
    world.good_step().await;
    let id = world.of("identity-unexpected").await[0].id;
    let (new, changed) = world
        .truly()
        .register(&expectation(&mine), "owl.sigstore.json", world.now())
        .await
        .unwrap();
    assert!(new);
    assert_eq!(changed, [id]);
    world.good_step().await;
    let record = world
        .truly()
        .finding(&id.to_string())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (record.finding.verdict, record.finding.state),
        (Verdict::Expected, State::Resolved)
    );
    assert!(
        record
            .history
            .iter()
            .any(|row| row.reason.contains("owl.sigstore.json"))
    );
    let sent = world.delivered(id);
    assert_eq!((sent.len(), sent[1].kind), (2, QueuedKind::Resolved));
    assert_eq!(sent[1].key, sent[0].id);

    // Without the registration, it alerts again.
    let number = world.truly().registrations().await.unwrap()[0].number;
    let reopened = world.truly().unregister(number, world.now()).await.unwrap();
    assert_eq!(reopened.unwrap(), [id]);
    world.log().grow(other_leaves(3));
    world.good_step().await;
    let again = world.of("identity-unexpected").await;
    assert_eq!(
        (again.len(), again[0].id, again[0].state),
        (1, id, State::Open)
    );
    assert_eq!(world.delivered(id).len(), 3);
}

#[tokio::test]
async fn a_registration_covers_one_leaf_only() {
    let mut world = World::new().await;
    let mine = Signer::Release.signs(0);
    world.log().grow([mine.clone()]);
    world.good_step().await;
    world
        .truly()
        .register(&expectation(&mine), "a.json", world.now())
        .await
        .unwrap();
    world.log().grow([Signer::Release.signs(1)]);
    world.good_step().await;
    assert_eq!(
        world.of("identity-unexpected").await.len(),
        2,
        "the same signer, another signing"
    );
}
