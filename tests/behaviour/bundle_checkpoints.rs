//! Checkpoints in registered bundles: the history that the log showed a signer, compared with the one that it shows
//! here.

use modelwatch::expect::{Expectation, NamedEntry};
use modelwatch::finding::{FaultKind, State};

use crate::registered::expectation;
use crate::world::{Question, RegisterOne as _, Signer, World, other_leaves};

/// A registration that carries this checkpoint.
fn carrying(salt: u64, note: &[u8]) -> Expectation {
    let note = String::from_utf8(note.to_vec()).unwrap();
    Expectation {
        entries: vec![NamedEntry {
            log_id: "00".to_owned(),
            log_index: 0,
            kind: "hashedrekord 0.0.2".to_owned(),
            origin: note.lines().next().map(str::to_owned),
            checkpoint: Some(note),
        }],
        ..expectation(&Signer::Mail.signs(salt))
    }
}

async fn register(world: &World, salt: u64, note: &[u8]) {
    let expectation = carrying(salt, note);
    world
        .truly()
        .register(&expectation, "owl.sigstore.json", world.now())
        .await
        .unwrap();
}

async fn waiting(world: &World) -> usize {
    world
        .truly()
        .bundle_checkpoints(&world.tree_id(), 100)
        .await
        .unwrap()
        .len()
}

/// The checkpoint of another history of this size that the log signed for another reader.
fn other_history(world: &World, size: u64) -> Vec<u8> {
    let log = world.log();
    log.fork(size - 1, Signer::UnknownIssuer.signs(99));
    log.show(size);
    let note = log.note();
    log.heal();
    note
}

#[tokio::test]
async fn a_bundle_of_the_same_history_agrees_and_is_not_compared_again() {
    let mut world = World::new().await;
    world.log().grow(other_leaves(100));
    let note = world.log().note();
    world.log().grow(other_leaves(200));
    register(&world, 0, &note).await;
    world.good_step().await;
    assert_eq!(waiting(&world).await, 0);
    assert!(world.of("log-fault").await.is_empty());
}

#[tokio::test]
async fn a_bundle_of_another_history_is_a_fork_with_both_notes() {
    for (shown, registered) in [(300, 100), (300, 300), (300, 257)] {
        let mut world = World::new().await;
        world.log().grow(other_leaves(shown));
        let note = other_history(&world, registered);
        world.good_step().await;
        register(&world, 0, &note).await;
        assert_eq!(world.bad_step().await, "log-fault", "{registered}");
        let fault = world.of("log-fault").await.remove(0);
        assert_eq!(
            (fault.fault, fault.state),
            (Some(FaultKind::Fork), State::Open)
        );
        let record = world.truly().finding(&fault.id.to_string()).await;
        let notes = record.unwrap().unwrap().evidence.notes;
        assert!(
            notes.len() == 2 && notes.contains(&note),
            "{} notes",
            notes.len()
        );
        assert_eq!(world.delivered(fault.id).len(), 1);
        // It is reported once, and the log is still read.
        world.log().grow(other_leaves(10));
        world.good_step().await;
        assert_eq!(waiting(&world).await, 0);
        assert_eq!(world.of("log-fault").await.len(), 1);
    }
}

#[tokio::test]
async fn a_bundle_that_is_ahead_of_us_waits_until_we_have_read_that_far() {
    let mut world = World::new().await;
    world.log().grow(other_leaves(300));
    let note = world.log().note();
    world.log().show(200);
    register(&world, 0, &note).await;
    world.good_step().await;
    assert_eq!(waiting(&world).await, 1);
    world.log().heal();
    world.good_step().await;
    assert_eq!(waiting(&world).await, 0);
}

#[tokio::test]
async fn a_checkpoint_without_a_signature_of_the_log_is_ignored() {
    let mut world = World::new().await;
    world.log().grow(other_leaves(30));
    let forged = String::from_utf8(other_history(&world, 20)).unwrap();
    let forged = forged.replace("\n20\n", "\n21\n");
    register(&world, 0, forged.as_bytes()).await;
    world.good_step().await;
    assert_eq!(waiting(&world).await, 0);
    assert!(world.of("log-fault").await.is_empty());
}

#[tokio::test]
async fn a_log_that_does_not_answer_has_not_agreed() {
    let mut world = World::new().await;
    world.log().grow(other_leaves(100));
    let note = world.log().note();
    world.log().grow(other_leaves(200));
    world.good_step().await;
    // No checkpoint of this size was recorded here: only the log's hashes show the root.
    register(&world, 0, &note).await;
    world.log().refuse(Question::Split, 0, 1);
    assert_eq!(world.bad_step().await, "unavailable");
    assert_eq!(waiting(&world).await, 1);
    world.good_step().await;
    assert_eq!(waiting(&world).await, 0);
}
