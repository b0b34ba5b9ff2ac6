//! The trees of a guided log: forks, rollbacks, rotations.

use std::time::Duration;

use super::{RELEASE, World, nothing};
use crate::world::{Anomaly, Signer, other_leaves};

impl World {
    /// A second tree under a known key.
    fn rotate(&mut self) {
        let key = self.v1.rotate(202);
        self.keys.push(key);
        self.v1.grow(1, other_leaves(4));
    }
}

#[tokio::test]
async fn a_tree_with_another_history_is_a_fork_and_what_it_shows_is_no_finding() {
    for grows in [0, 8] {
        let mut world = World::new().await;
        world.good().await;
        let certificate = world.issue(RELEASE);
        let leaf = world.signing(&certificate);
        world.v1.fork(0, 3, leaf);
        let id = world.v1.id(0, 3);
        world.v1.index(|index| index.file(RELEASE, &id));
        world.v1.grow(0, other_leaves(grows));
        for _ in 0..2 {
            assert_eq!(world.bad().await, "log-fault", "{grows}");
            assert_eq!(world.open().await, ["fork"]);
            assert_eq!(world.entries().await, []);
        }
        assert_eq!(world.verified(0).await, (0, 25));
        // The faults of a log stay.
        let fork = world.findings().await;
        let fork = fork.iter().find(|f| f.fault.is_some()).unwrap();
        let record = world.truly().finding(&fork.id.to_string()).await.unwrap();
        assert_eq!(record.unwrap().evidence.notes.len(), 2);
    }
}

#[tokio::test]
async fn a_smaller_checkpoint_is_a_lagging_replica_until_it_is_a_rollback() {
    let mut world = World::new().await;
    let certificate = world.issue(RELEASE);
    world.good().await;
    world.v1.show(0, 20);
    for _ in 0..2 {
        assert_eq!(world.bad().await, "behind");
        assert_eq!(world.open().await, nothing());
    }
    assert_eq!(world.bad().await, "behind");
    assert_eq!(world.open().await, ["rollback"]);
    // Its index is still queried, and the returned entries are proven against the signed trees.
    let index = world.sign(&certificate, RELEASE);
    world.v1.show(0, 20);
    world.clock.advance(60);
    world.bad().await;
    assert_eq!(world.entries().await, [(index, "release".to_owned())]);
}

#[tokio::test]
async fn a_smaller_checkpoint_of_a_guided_log_is_a_rollback_only_after_its_time_too() {
    let mut world = World::new().await;
    world.rollback_after = Duration::from_mins(10);
    world.issue(RELEASE);
    world.good().await;
    world.v1.show(0, 20);
    for _ in 0..4 {
        assert_eq!(world.bad().await, "behind");
        assert_eq!(world.open().await, nothing());
    }
    world.clock.advance(10 * 60);
    assert_eq!(world.bad().await, "behind");
    assert_eq!(world.open().await, ["rollback"]);
}

#[tokio::test]
async fn a_rotation_gives_entries_of_the_new_tree_their_place_behind_the_old_one() {
    let mut world = World::new().await;
    world.good().await;
    world.v1.grow(0, other_leaves(6));
    world.rotate();
    let certificate = world.issue(RELEASE);
    let index = world.sign(&certificate, RELEASE);
    world.good().await;
    assert_eq!(index, 35);
    assert_eq!(world.entries().await, [(35, "release".to_owned())]);
    assert_eq!(world.verified(0).await, (0, 31));
    assert_eq!(world.verified(1).await, (31, 5));
    assert_eq!(world.tree(0).await.frozen.unwrap().0, 31);
    world.v1.grow(1, other_leaves(3));
    world.good_after(60).await;
    assert_eq!(world.open().await, nothing());
}

#[tokio::test]
async fn an_ended_tree_that_grows_is_a_fault_and_moves_nothing() {
    let mut world = World::new().await;
    world.rotate();
    world.good().await;
    world.v1.grow(0, other_leaves(1));
    assert_eq!(world.bad().await, "log-fault");
    assert_eq!(world.open().await, ["grew-after-freeze"]);
    assert_eq!(world.verified(0).await, (0, 25));
    assert_eq!(world.verified(1).await, (25, 4));
}

#[tokio::test]
async fn a_tree_that_vanishes_is_reported_and_no_entry_gets_another_place() {
    let mut world = World::new().await;
    world.rotate();
    world.good().await;
    let certificate = world.issue(RELEASE);
    world.sign(&certificate, RELEASE);
    world.v1.odd(Anomaly::ForgetsOldest);
    for _ in 0..3 {
        world.bad().await;
    }
    assert_eq!(world.entries().await, []);
    assert!(world.open().await.contains(&"unavailable".to_owned()));
    world.v1.heal();
    world.good_after(60).await;
    assert_eq!(world.entries().await, [(29, "release".to_owned())]);
    assert_eq!(world.open().await, nothing());
}

#[tokio::test]
async fn a_tree_under_an_unknown_key_is_not_trusted_and_the_older_ones_are_requested() {
    let mut world = World::new().await;
    let certificate = world.issue(RELEASE);
    let index = world.sign(&certificate, RELEASE);
    world.v1.rotate(202);
    world.v1.grow(1, [Signer::Release.signs(1)]);
    let id = world.v1.id(1, 0);
    world.v1.index(|index| index.file(RELEASE, &id));
    assert_eq!(world.bad().await, "unverifiable-checkpoint");
    assert_eq!(world.entries().await, [(index, "release".to_owned())]);
    assert_eq!(world.open().await, ["unverifiable-checkpoint"]);
}
