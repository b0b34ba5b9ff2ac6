//! A clock that jumps delays no look-up.

use super::{MAIL, RELEASE, World};

const YEAR: i64 = 365 * 24 * 3600;

#[tokio::test]
async fn a_clock_that_was_ahead_for_a_pass_delays_nothing() {
    let mut world = World::new().await;
    world.clock.advance(YEAR);
    world.good().await;
    world.clock.advance(-YEAR);
    let certificate = world.issue(RELEASE);
    let released = world.sign(&certificate, RELEASE);
    let mailed = world.sign(&certificate, MAIL);
    world.good().await;
    assert_eq!(
        world.entries().await,
        [
            (released, "release".to_owned()),
            (mailed, "release".to_owned())
        ]
    );
    assert_eq!(world.v1.asked(MAIL), 2);
}

#[tokio::test]
async fn a_name_that_came_while_the_clock_was_ahead_waits_for_nothing() {
    let mut world = World::new().await;
    world.good().await;
    let certificate = world.issue(RELEASE);
    world.clock.advance(YEAR);
    // It is queued, and cannot be looked up.
    world.v1.fail("index/retrieve", 0, 99, 503);
    world.bad().await;
    world.v1.heal();
    world.clock.advance(-YEAR);
    let index = world.sign(&certificate, RELEASE);
    world.good_after(60).await;
    assert_eq!(world.entries().await, [(index, "release".to_owned())]);
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_an_old_server_old_for_no_longer() {
    let mut world = World::new().await;
    world.v1.index(|index| index.is_old = true);
    let certificate = world.issue(RELEASE);
    world.clock.advance(YEAR);
    assert_eq!(world.bad().await, "unavailable");
    world.clock.advance(-YEAR);
    world.v1.index(|index| index.is_old = false);
    let index = world.sign(&certificate, RELEASE);
    world.good_after(60).await;
    assert_eq!(world.entries().await, [(index, "release".to_owned())]);
}
