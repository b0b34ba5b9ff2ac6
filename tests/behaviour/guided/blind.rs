//! What a guided log cannot show, and how that is reported.

use std::sync::Arc;

use modelwatch::judge::Rules;
use modelwatch::log::Protocol;
use modelwatch::watch::{Conditions, Watch, Watches};

use super::{MAIL, RELEASE, World, log, nothing};
use crate::world::{FakeLog, Question, issue};

#[tokio::test]
async fn an_index_without_entries_of_ended_certificates_is_silent_until_it_answers() {
    let mut world = World::new().await;
    let certificate = world.issue(RELEASE);
    for seconds in [0, 60, 300] {
        world.good_after(seconds).await;
        assert_eq!(world.open().await, nothing());
    }
    world.good_after(1800).await;
    assert_eq!(world.open().await, ["index-silent"]);
    world.sign(&certificate, RELEASE);
    world.good_after(3600).await;
    assert_eq!(world.entries().await.len(), 1);
    assert_eq!(world.open().await, nothing());
}

#[tokio::test]
async fn an_index_that_is_no_longer_filled_is_silent_although_it_has_old_entries() {
    let mut world = World::new().await;
    let before = world.now() - jiff::SignedDuration::from_hours(48);
    let old = issue(RELEASE, before, true);
    world.sign(&old, RELEASE);
    for _ in 0..5 {
        world.issue(RELEASE);
    }
    world.good().await;
    assert_eq!(world.open().await, nothing());
    world.good_after(2400).await;
    assert_eq!(world.open().await, ["index-silent"]);
    let certificate = world.issue(RELEASE);
    world.sign(&certificate, RELEASE);
    world.good().await;
    world.good_after(1200).await;
    assert_eq!(world.open().await, nothing());
}

#[tokio::test]
async fn a_certificate_that_was_used_with_another_log_is_found_there() {
    let mut world = World::new().await;
    let main = Arc::new(FakeLog::new("main.example"));
    world.more.push(log(&main, "main", Protocol::RekorV2));
    let certificate = world.issue(RELEASE);
    let leaf = world.signing(&certificate);
    main.grow([leaf]);
    world.good().await;
    world.good_after(60).await;
    assert_eq!(world.reported().await, ["its signing is entry 0 of main"]);
    world.good_after(3600).await;
    assert_eq!(world.open().await, nothing());
}

#[tokio::test]
async fn a_certificate_in_a_ct_log_that_is_no_guide_is_no_signing() {
    let mut world = World::new().await;
    let other = Arc::new(FakeLog::new("other-ct.example"));
    world
        .more
        .push(log(&other, "other-ct", Protocol::CtRfc6962));
    let certificate = world.issue(RELEASE);
    other.grow([certificate.logged()]);
    // Perhaps of another CA: its name is not watched.
    let private = issue(&RELEASE.replace("v1", "v9"), world.now(), true);
    other.grow([private.logged()]);
    world.good().await;
    world.good_after(60).await;
    assert_eq!(world.reported().await, [""]);
    assert_eq!(world.v1.asked("tags/v9"), 0);
    let index = world.sign(&certificate, RELEASE);
    world.good_after(300).await;
    assert_eq!(world.entries().await, [(index, "release".to_owned())]);
}

#[tokio::test]
async fn a_watch_by_key_alone_is_ineffective_in_that_log() {
    let mut world = World::new().await;
    let usual = Arc::clone(&world.rules);
    let by_key = Conditions {
        key_sha256: vec![[7; 32]],
        ..Conditions::default()
    };
    let watches = Watches::compile(vec![Watch::new("by-key", by_key)]).unwrap();
    world.rules = Arc::new(Rules::new(watches, None));
    world.good().await;
    assert_eq!(world.open().await, ["watch-ineffective"]);
    let findings = world.findings().await;
    assert_eq!(findings[0].log.as_deref(), Some("v1"));
    assert!(findings[0].summary.contains("by-key"), "{findings:?}");
    world.rules = usual;
    world.good().await;
    let open = world.open().await;
    assert!(!open.contains(&"watch-ineffective".to_owned()), "{open:?}");
}

#[tokio::test]
async fn a_guide_that_is_not_followed_or_not_proven_leaves_the_pass_incomplete() {
    let mut world = World::new().await;
    world.guides.push("ct-2025".to_owned());
    assert_eq!(world.bad().await, "unavailable");
    world.guides.pop();
    // The log alone, with a guide that was never read.
    let outcome = world.pass_over(&[world.guided()], false).await.unwrap();
    assert!(
        outcome.proven,
        "it was proven by the pass before: {outcome:?}"
    );
    let certificate = world.issue(MAIL);
    let index = world.sign(&certificate, MAIL);
    world.ct.refuse(Question::Checkpoint, 0, 9);
    world.clock.advance(3600);
    assert_eq!(world.bad().await, "unavailable");
    // What can be found is found.
    assert_eq!(world.entries().await, [(index, "mail".to_owned())]);
    let alone = world.pass_over(&[world.guided()], false).await.unwrap();
    assert!(!alone.proven, "{alone:?}");
    world.ct.heal();
    world.good().await;
}

#[tokio::test]
async fn a_false_certificate_in_the_ct_log_leaves_the_pass_incomplete() {
    let world = World::new().await;
    world.issue(RELEASE);
    let other = issue(MAIL, world.now(), true);
    world.ct.swap(1, other.logged());
    assert_eq!(world.bad().await, "unavailable");
    assert_eq!(world.open().await, ["root-mismatch"]);
}
