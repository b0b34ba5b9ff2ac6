//! An index with false answers, and entries that cannot be proven.

use super::{RELEASE, World, nothing};
use crate::world::Anomaly;

#[tokio::test]
async fn other_peoples_entries_under_a_watched_name_are_no_findings() {
    let mut world = World::new().await;
    let certificate = world.issue(RELEASE);
    let index = world.sign(&certificate, RELEASE);
    for other in 0..25 {
        let id = world.v1.id(0, other);
        world.v1.index(|index| index.file(RELEASE, &id));
    }
    world.good().await;
    assert_eq!(world.entries().await, [(index, "release".to_owned())]);
    // And they are not fetched twice.
    world.v1.count_anew();
    world.good_after(1200).await;
    assert_eq!(world.questions(), 1);
    assert_eq!(world.v1.asked("entries/retrieve"), 0);
}

#[tokio::test]
async fn an_entry_that_cannot_be_proven_is_refused_and_reported_and_hides_no_other() {
    for anomaly in [Anomaly::Misproves, Anomaly::Swaps, Anomaly::Garbles] {
        let mut world = World::new().await;
        let certificate = world.issue(RELEASE);
        let mut expected = Vec::new();
        for _ in 0..12 {
            expected.push((world.sign(&certificate, RELEASE), "release".to_owned()));
        }
        let refused = expected.remove(5);
        world.v1.odd(anomaly(refused.0));
        assert_eq!(world.bad().await, "malformed", "{:?}", anomaly(0));
        assert_eq!(world.entries().await, expected);
        // It is requested again with growing delay; until then the pass is not complete.
        for (seconds, questions) in [(30, 0), (30, 1), (60, 0), (240, 1)] {
            world.clock.advance(seconds);
            world.v1.count_anew();
            assert_eq!(world.bad().await, "malformed");
            assert_eq!(world.questions(), questions, "{seconds}");
        }
        assert_eq!(world.open().await, ["unavailable"]);
        world.v1.heal();
        world.good_after(1800).await;
        expected.insert(5, refused);
        assert_eq!(world.entries().await, expected);
        assert_eq!(world.open().await, nothing());
    }
}

#[tokio::test]
async fn an_entry_that_the_index_names_and_the_log_does_not_show_is_reported() {
    let mut world = World::new().await;
    let certificate = world.issue(RELEASE);
    let shown = world.sign(&certificate, RELEASE);
    let hidden = world.sign(&certificate, RELEASE);
    world.v1.odd(Anomaly::Hides(hidden));
    assert_eq!(world.bad().await, "entries-missing");
    assert_eq!(world.entries().await, [(shown, "release".to_owned())]);
    // Between two requests it is still missing.
    world.clock.advance(1);
    assert_eq!(world.bad().await, "entries-missing");
    assert_eq!(world.open().await, ["entries-missing"]);
    world.v1.heal();
    world.good_after(60).await;
    assert_eq!(world.entries().await.len(), 2);
    assert_eq!(world.open().await, nothing());
}

#[tokio::test]
async fn an_entry_of_a_tree_that_the_log_does_not_list_is_refused() {
    let world = World::new().await;
    world.issue(RELEASE);
    let id = world
        .v1
        .id(0, 3)
        .replace("0000000000000065", "00000000000000ff");
    world.v1.index(|index| index.file(RELEASE, &id));
    assert_eq!(world.bad().await, "entries-missing");
    assert_eq!(world.entries().await, []);
}

#[tokio::test]
async fn hundreds_of_entries_that_are_not_there_hide_none_that_is() {
    let mut world = World::new().await;
    world.good().await;
    let spent = world.now() + jiff::SignedDuration::from_secs(580);
    world
        .truly()
        .spend(&world.v1_log().id(), spent, None)
        .await
        .unwrap();
    let certificate = world.issue(RELEASE);
    let index = world.sign(&certificate, RELEASE);
    let tree = &world.v1.id(0, 3)[..16];
    for number in 0..400 {
        let id = format!("{tree}ffffff{number:058x}");
        world.v1.index(|index| index.file(RELEASE, &id));
    }
    for _ in 0..9 {
        world.clock.advance(50);
        world.bad().await;
    }
    assert_eq!(world.entries().await, [(index, "release".to_owned())]);
}
