//! The check of the world itself: it must notice changes of the database that the program did not make.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use modelwatch::monitor::MonitorError;
use modelwatch::store::StoreError;

use crate::world::{Signer, World, other_leaves};

#[tokio::test]
async fn every_kind_of_damage_to_the_store_is_noticed() {
    for (what, sql, noticed) in [
        (
            "a finding is lost",
            "DELETE FROM member; DELETE FROM history; DELETE FROM finding WHERE entry_index = 2",
            "no finding at 2",
        ),
        (
            "a finding about nothing",
            "UPDATE finding SET watch = 'release' WHERE watch = 'mail'",
            "for nothing",
        ),
        (
            "a proof is lost",
            "UPDATE finding SET proven = 0 WHERE entry_index = 0",
            "not proven",
        ),
        (
            "a leaf that the log never signed",
            "UPDATE finding SET leaf_hash = lower(hex(zeroblob(32))) WHERE entry_index = 0",
            "never signed",
        ),
        (
            "an alert is lost",
            "DELETE FROM member WHERE finding = 1",
            "alerted of",
        ),
        (
            "a finding is in two alerts",
            "INSERT INTO alert (channel, kind, group_key, created, due, closed, state)
               SELECT channel, kind, 'again', created, due, 1, 'delivered' FROM alert LIMIT 1;
             INSERT INTO member SELECT (SELECT max(number) FROM alert), number FROM finding",
            "alerted of",
        ),
        (
            "a watch covers less than it should",
            "INSERT INTO coverage
               SELECT origin, watch, conditions, 3, NULL FROM tree_watch_set JOIN watch_set_member USING (watch_set)
               WHERE watch = 'mail'",
            "unexplained gaps",
        ),
        (
            "a stored checkpoint is not signed",
            "UPDATE head SET note = x'00'",
            "a stored checkpoint",
        ),
        (
            "a checkpoint of another tree",
            "UPDATE head SET root = zeroblob(32)",
            "left == right",
        ),
        (
            "the frontier is another tree's",
            "UPDATE tree SET proven_frontier = zeroblob(length(proven_frontier))",
            "never signed what is proven",
        ),
    ] {
        let mut world = World::new().await;
        world.log().grow(Signer::ALL.map(|signer| signer.signs(0)));
        world.log().grow(other_leaves(3));
        world.good_step().await;
        world.sabotage(sql).await;
        let noticing = AssertUnwindSafe(world.check()).catch_unwind().await;
        let Err(panic) = noticing else {
            panic!("{what}: not noticed")
        };
        let reported = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        assert!(reported.contains(noticed), "{what}: {reported}");
    }
}

#[tokio::test]
async fn a_database_that_is_overwritten_with_an_older_one_ends_the_process() {
    let mut world = World::new().await;
    world.keep_running();
    world.log().grow(other_leaves(3));
    world.good_step().await;
    // As the backup of a second ago: the same file, and less in it.
    let older = "UPDATE tree SET seen = 0, seen_frontier = x'', proven = 0, proven_frontier = x''; DELETE FROM head";
    world.sabotage(older).await;
    let ended = world.pass().await;
    let Err(MonitorError::Store(error @ StoreError::Displaced { .. })) = ended else {
        panic!("{ended:?}")
    };
    assert!(
        error
            .to_string()
            .contains("main.example is proven up to 0 and not up to 3"),
        "{error}"
    );
    // The next process has no other information, and reads on from there.
    world.restart().await;
    assert!(world.pass().await.unwrap()[0].proven);
}
