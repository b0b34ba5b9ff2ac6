//! Where reading begins, and changes between the modes of a log.

use std::sync::Arc;

use modelwatch::log::{Protocol, Start};
use modelwatch::monitor::{Guided, MonitorError, MonitoredLog, RekorV1Log};
use modelwatch::source::rekor_v1::Client;

use super::{MAIL, RELEASE, World, log, nothing, specs};
use crate::world::{FakeLog, FakeV1, OTHER_HOST, dated, issue, other_leaves, rules};

#[tokio::test]
async fn an_end_is_never_taken_silently_and_earlier_entries_are_not_alerted() {
    let mut world = World::new().await;
    world.start = Start::End;
    let before = world.issue(RELEASE);
    world.sign(&before, RELEASE);
    let refused = world.pass(false).await;
    assert!(matches!(refused, Err(MonitorError::NeedsBootstrap(names)) if names == ["v1"]));
    assert_eq!(world.findings().await, []);
    assert!(world.pass(true).await.unwrap().proven);
    assert_eq!(world.guide().await.start, 26);
    assert_eq!(world.entries().await, []);
    // The certificate is alerted, with the place of its entry.
    assert_eq!(world.reported().await, ["its signing is entry 25 of v1"]);
    let after = world.issue(RELEASE);
    let index = world.sign(&after, RELEASE);
    world.good_after(60).await;
    assert_eq!(world.entries().await, [(index, "release".to_owned())]);
    // Under another name it is the same log, and continues at its position.
    world.name = "rekor".to_owned();
    let another = world.issue(MAIL);
    let index = world.sign(&another, MAIL);
    world.good_after(3600).await;
    assert_eq!(world.guide().await.start, 26);
    assert_eq!(world.entries().await, [(index, "mail".to_owned())]);
}

#[tokio::test]
async fn a_log_that_is_down_at_its_first_pass_is_not_begun() {
    let mut world = World::new().await;
    world.start = Start::End;
    world.v1.odd(crate::world::Anomaly::Down);
    assert_eq!(world.bad().await, "unavailable");
    world.v1.heal();
    let refused = world.pass(false).await;
    assert!(
        matches!(refused, Err(MonitorError::NeedsBootstrap(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_index_to_start_at_counts_over_all_trees() {
    for (at, sent) in [(0, vec![25, 26]), (26, vec![26]), (1_000, vec![])] {
        let mut world = World::new().await;
        world.start = Start::Index(at);
        let certificate = world.issue(RELEASE);
        world.sign(&certificate, RELEASE);
        let key = world.v1.rotate(202);
        world.keys.push(key);
        world.sign(&certificate, RELEASE);
        world.good().await;
        let found: Vec<u64> = world
            .entries()
            .await
            .into_iter()
            .map(|(at, _)| at)
            .collect();
        assert_eq!(found, sent, "{at}");
    }
}

#[tokio::test]
async fn a_date_to_start_at_is_found_in_the_log() {
    let mut world = World::new().await;
    world.v1 = FakeV1::start().await;
    world.keys = vec![world.v1.rotate(101)];
    world.v1.grow(0, (0..40).map(|salt| dated(10, true, salt)));
    world.v1.grow(0, (40..80).map(|salt| dated(20, true, salt)));
    world.start = Start::Time("2026-11-15T00:00:00Z".parse().unwrap());
    world.good().await;
    let start = world.guide().await.start;
    assert!((1..=40).contains(&start), "{start}");
}

#[tokio::test]
async fn read_in_full_then_guided_then_in_full_skips_nothing_silently() {
    let mut world = World::new().await;
    let ct = log(&world.ct, "ct", Protocol::CtRfc6962);
    let certificate = world.issue(RELEASE);
    let first = world.sign(&certificate, RELEASE);
    let tail = |world: &World| {
        [
            MonitoredLog::from(ct.clone()),
            MonitoredLog::RekorV1(world.v1_log()),
        ]
    };
    let outcome = world.pass_over(&tail(&world), false).await.unwrap();
    assert!(outcome.proven, "{outcome:?}");
    let seen = world.tree(0).await.follower.unwrap().seen.size();
    assert_eq!(seen, 26);
    // Guided: entries that the index returns, and one that it does not.
    world.clock.advance(60);
    let leaf = world.signing(&certificate);
    world.v1.grow(0, [leaf]);
    let named = world.sign(&certificate, RELEASE);
    world.v1.index(crate::world::FakeIndex::clear);
    let id = world.v1.id(0, 27);
    world.v1.index(|index| index.file(RELEASE, &id));
    world.good().await;
    let indexes =
        |found: Vec<(u64, String)>| -> Vec<u64> { found.into_iter().map(|(at, _)| at).collect() };
    assert_eq!(indexes(world.entries().await), [first, named]);
    let state = world.tree(0).await;
    assert_eq!(state.follower.unwrap().seen.size(), 26);
    // A watch that was added meanwhile: earlier entries can be read again.
    let mut more = specs();
    more.push(crate::world::Spec::new(
        "crowd",
        [crate::world::Condition::Glob("*")],
    ));
    world.rules = rules(&more, true);
    world.good_after(60).await;
    let gaps = world.open().await;
    assert!(gaps.contains(&"coverage-gap".to_owned()), "{gaps:?}");
    let monitor = world.monitor();
    for log in world.logs() {
        monitor.rescan(&log, &world.rules, None).await.unwrap();
    }
    world.good_after(60).await;
    assert_eq!(world.open().await, nothing());
    // In full again: it continues at its position, and finds the entries that the index did not return.
    world.rules = rules(&specs(), true);
    let outcome = world.pass_over(&tail(&world), false).await.unwrap();
    assert!(outcome.proven, "{outcome:?}");
    let state = world.tree(0).await;
    assert_eq!(state.follower.unwrap().proven.size(), 28);
    let mut findings = world.found_in("v1").await;
    findings.retain(|finding| finding.watch.as_deref() == Some("release"));
    assert_eq!(findings.len(), 3);
    assert_eq!(world.open().await, nothing());
}

#[tokio::test]
async fn findings_about_a_guided_log_end_when_it_is_read_in_full() {
    let world = World::new().await;
    world.issue(RELEASE);
    world.good().await;
    world.good_after(2400).await;
    assert_eq!(world.open().await, ["index-silent"]);
    let ct = log(&world.ct, "ct", Protocol::CtRfc6962);
    let logs = [
        MonitoredLog::from(ct),
        MonitoredLog::RekorV1(world.v1_log()),
    ];
    let outcome = world.pass_over(&logs, false).await.unwrap();
    assert!(outcome.proven, "{outcome:?}");
    assert_eq!(world.open().await, nothing());
}

#[tokio::test]
async fn a_certificate_in_two_ct_logs_is_looked_up_once_and_reported_in_both() {
    let mut world = World::new().await;
    let second = Arc::new(FakeLog::new("ct-2.example"));
    world.more.push(log(&second, "ct-2", Protocol::CtRfc6962));
    world.guides.push("ct-2".to_owned());
    let certificate = world.issue(RELEASE);
    second.grow([certificate.logged()]);
    let index = world.sign(&certificate, RELEASE);
    world.good().await;
    assert_eq!(world.entries().await, [(index, "release".to_owned())]);
    assert_eq!(world.questions() - world.v1.asked(MAIL), 1);
    // Once more, late: its summary is like the others.
    second.grow([
        certificate.logged(),
        issue(MAIL, world.now(), true).logged(),
    ]);
    world.good_after(1200).await;
    for log in ["ct", "ct-2"] {
        for finding in world.found_in(log).await {
            let is_released = finding.watch.as_deref() == Some("release");
            let reported = finding.summary.ends_with("; its signing is entry 25 of v1");
            assert_eq!(reported, is_released, "{}", finding.summary);
        }
    }
    assert_eq!(world.v1.asked("tags/v1"), 2);
}

#[tokio::test]
async fn two_guided_logs_share_a_ct_log_and_nothing_else() {
    let mut world = World::new().await;
    let other = FakeV1::start_as(OTHER_HOST).await;
    let keys = vec![other.rotate(303)];
    other.grow(0, other_leaves(2));
    let second = MonitoredLog::Guided(Guided {
        log: RekorV1Log {
            name: "other".to_owned(),
            server: Client::new(modelwatch::http::Client::default(), other.url.clone()),
            keys,
            ..world.v1_log()
        },
        guides: vec![world.guide_named("ct")],
    });
    let certificate = world.issue(RELEASE);
    world.sign(&certificate, RELEASE);
    let leaf = world.signing(&certificate);
    other.log(leaf, RELEASE);
    let logs: Vec<MonitoredLog> = world.logs().into_iter().chain([second]).collect();
    let outcomes = world
        .monitor()
        .pass(&logs, &world.rules, false)
        .await
        .unwrap();
    assert!(
        outcomes.iter().all(|outcome| outcome.proven),
        "{outcomes:?}"
    );
    assert_eq!(world.entries().await.len(), 1);
    assert_eq!(world.found_in("other").await.len(), 1);
    let reported = &world.reported().await[0];
    assert!(
        reported.contains("entry 25 of v1") && reported.contains("entry 2 of other"),
        "{reported}"
    );
}

#[tokio::test]
async fn a_second_log_of_the_same_name_is_reported_and_stops_no_other() {
    let mut world = World::new().await;
    let twin = FakeV1::start().await;
    let keys = vec![twin.rotate(303)];
    twin.grow(0, other_leaves(2));
    let second = MonitoredLog::Guided(Guided {
        log: RekorV1Log {
            name: "twin".to_owned(),
            server: Client::new(modelwatch::http::Client::default(), twin.url.clone()),
            keys,
            ..world.v1_log()
        },
        guides: vec![world.guide_named("ct")],
    });
    let certificate = world.issue(RELEASE);
    world.sign(&certificate, RELEASE);
    let logs: Vec<MonitoredLog> = world.logs().into_iter().chain([second]).collect();
    let mut are_proven = true;
    for _ in 0..2 {
        let outcomes = world
            .monitor()
            .pass(&logs, &world.rules, false)
            .await
            .unwrap();
        assert!(outcomes[0].proven, "{outcomes:?}");
        are_proven = outcomes.iter().all(|outcome| outcome.proven);
        world.clock.advance(60);
    }
    assert!(!are_proven);
}

#[tokio::test]
async fn a_ct_log_that_is_renamed_while_the_log_is_down_still_guides_it() {
    let mut world = World::new().await;
    let certificate = world.issue(RELEASE);
    world.v1.odd(crate::world::Anomaly::Down);
    world.bad().await;
    assert_eq!(world.found_in("ct").await.len(), 1);
    world.v1.heal();
    let index = world.sign(&certificate, RELEASE);
    world.ct_name = "fulcio";
    world.guides = vec!["fulcio".to_owned()];
    world.good_after(60).await;
    assert_eq!(world.entries().await, [(index, "release".to_owned())]);
}
