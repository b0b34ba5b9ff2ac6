//! Names that are hard to look up, and keys with many certificates.

use jiff::SignedDuration;
use modelwatch::store::PassErrorKind;

use super::{MAIL, RELEASE, World, nothing};
use crate::world::{issue, issue_for};

#[tokio::test]
async fn an_old_server_is_queried_by_mail_address_and_impossible_queries_are_reported() {
    let mut world = World::new().await;
    world.v1.index(|index| index.is_old = true);
    let mail = world.issue(MAIL);
    let mailed = world.sign(&mail, MAIL);
    for tag in ["v1", "v2", "v3", "v4"] {
        world.issue(&RELEASE.replace("v1", tag));
    }
    let outcome = world.pass(false).await.unwrap();
    let error = outcome.error.unwrap();
    assert_eq!(error.kind, PassErrorKind::Unavailable);
    assert!(error.message.contains("mail addresses only"), "{error:?}");
    assert_eq!(world.entries().await, [(mailed, "mail".to_owned())]);
    assert!(world.guide().await.mail_only.is_some());
    // Each pass sends one harmless query, and none for a name that the index cannot contain.
    world.v1.count_anew();
    world.clock.advance(60);
    world.bad().await;
    let harmless = world.v1.asked("\"subject\":\"harmless-");
    assert_eq!(world.v1.asked("subject"), harmless);
    // It was brought up to date.
    world.v1.index(|index| index.is_old = false);
    world.good_after(3600).await;
    assert_eq!(world.guide().await.mail_only, None);
}

#[tokio::test]
async fn a_name_that_is_refused_for_itself_makes_no_server_old() {
    let mut world = World::new().await;
    let refused = world.issue(RELEASE);
    world
        .v1
        .index(|index| index.refuses.insert(RELEASE.to_ascii_lowercase()));
    let name = RELEASE.replace("v1", "v2");
    let certificate = world.issue(&name);
    let index = world.sign(&certificate, &name);
    assert_eq!(world.bad().await, "unavailable");
    assert_eq!(world.entries().await, [(index, "release".to_owned())]);
    assert_eq!(world.guide().await.mail_only, None);
    world.v1.index(|index| index.refuses.clear());
    world.sign(&refused, RELEASE);
    world.good_after(60).await;
    assert_eq!(world.entries().await.len(), 2);
}

#[tokio::test]
async fn a_name_that_is_too_long_to_look_up_is_reported() {
    let world = World::new().await;
    let name = RELEASE.replace("release", &"r".repeat(500));
    world.issue(&name);
    world.good().await;
    let reported = &world.reported().await[0];
    assert!(
        reported.starts_with("what was signed with it cannot be looked up in v1"),
        "{reported}"
    );
    assert_eq!(world.v1.asked("rrrr"), 0);
}

#[tokio::test]
async fn a_name_with_control_characters_is_looked_up_unchanged() {
    let mut world = World::new().await;
    let name = RELEASE.replace("release", "\u{1b}[31m\r\n\"\\{}release");
    let certificate = world.issue(&name);
    let index = world.sign(&certificate, &name);
    world.good().await;
    assert_eq!(world.entries().await, [(index, "release".to_owned())]);
}

#[tokio::test]
async fn an_entry_of_an_older_certificate_of_the_same_key_is_not_that_of_the_newer_one() {
    let mut world = World::new().await;
    let key = rcgen::KeyPair::generate().unwrap();
    let first = issue_for(RELEASE, world.now(), true, &key);
    world.ct.grow([first.logged()]);
    world.sign(&first, RELEASE);
    world.good().await;
    world.clock.advance(3600);
    let second = issue_for(RELEASE, world.now(), true, &key);
    world.ct.grow([second.logged()]);
    world.good().await;
    assert_eq!(
        world.reported().await,
        ["its signing is entry 25 of v1", ""]
    );
    let index = world.sign(&second, RELEASE);
    world.good_after(60).await;
    assert_eq!(world.entries().await.len(), 2);
    assert_eq!(
        world.reported().await[1],
        format!("its signing is entry {index} of v1")
    );
}

#[tokio::test]
async fn two_certificates_of_one_key_and_second_are_both_looked_up() {
    let mut world = World::new().await;
    let key = rcgen::KeyPair::generate().unwrap();
    let other = RELEASE.replace("v1", "v2");
    let first = issue_for(RELEASE, world.now(), true, &key);
    let second = issue_for(&other, world.now(), true, &key);
    world.ct.grow([first.logged()]);
    world.sign(&first, RELEASE);
    world.good().await;
    world.ct.grow([second.logged()]);
    world.good_after(1).await;
    let index = world.sign(&second, &other);
    // They cannot be distinguished, so a result for one name ends the search for both, except for the last look-up.
    world.good_after(1200).await;
    assert_eq!(world.entries().await[1].0, index);
}

#[tokio::test]
async fn a_flood_of_entries_under_one_name_keeps_no_other_name_waiting() {
    let mut world = World::new().await;
    world.good().await;
    let impostor = issue(RELEASE, world.now(), false);
    for _ in 0..250 {
        let leaf = world.signing(&impostor);
        world.v1.grow(0, [leaf]);
    }
    for local in 25..275 {
        let id = world.v1.id(0, local);
        world.v1.index(|index| index.file(RELEASE, &id));
    }
    world.issue(RELEASE);
    let name = RELEASE.replace("v1", "v2");
    let certificate = world.issue(&name);
    let index = world.sign(&certificate, &name);
    // Fifteen requests are left of the initial ones.
    let spent = world.now() + SignedDuration::from_secs(570);
    world
        .truly()
        .spend(&world.v1_log().id(), spent, None)
        .await
        .unwrap();
    assert_eq!(world.bad().await, "unavailable");
    let found = world.entries().await;
    assert!((2..=150).contains(&found.len()), "{}", found.len());
    assert!(found.iter().any(|(found, _)| *found == index), "{found:?}");
    // Each pass continues where the one before ended.
    world.clock.advance(10);
    world.bad().await;
    world.good_after(60).await;
    assert_eq!(world.entries().await.len(), 251);
    assert_eq!(world.v1.asked("entries/retrieve"), 26);
    assert_eq!(world.open().await, nothing());
}
