//! Reading of logs that keep their promises.

use std::time::Duration;

use modelwatch::finding::{FaultKind, State};
use modelwatch::log::{Start, TreeId};
use modelwatch::monitor::{MonitorError, RescanError};
use modelwatch::store::{PassErrorKind, QueuedKind};

use crate::world::{
    Condition, MAIL, Question, Signer, Spec, Watched, World, ack, dated, one_of_many, other_leaves,
    recorded, unreadable, usual,
};

#[tokio::test]
async fn every_recorded_signing_of_a_watched_identity_is_found_and_proven() {
    let mut world = World::new().await;
    world.log().grow(recorded().to_vec());
    world.log().grow(Signer::ALL.map(|signer| signer.signs(0)));
    world.good_step().await;
    let size = recorded().len() as u64 + 5;
    assert_eq!(world.position().await, (size, size));
    let found = world.findings().await;
    assert!(
        found.iter().any(|f| f.watch.as_deref() == Some("harbor")),
        "recorded ones too"
    );
    assert!(found.iter().all(|f| f.proven == Some(true)));
    let mail = world
        .findings()
        .await
        .into_iter()
        .find(|f| f.watch.as_deref() == Some("mail"));
    assert_eq!(
        mail.unwrap().san[0].value,
        MAIL,
        "names are compared without regard to case"
    );
}

#[tokio::test]
async fn growth_in_any_steps_finds_everything_once() {
    let mut world = World::new().await;
    let mut size: usize = 0;
    for target in [0, 1, 2, 255, 256, 257, 300, 511, 512, 513, 1024] {
        world
            .log()
            .grow((size..target).map(|at| Signer::ALL[at % 5].signs(at as u64)));
        size = target;
        world.good_step().await;
        assert_eq!(world.position().await, (target as u64, target as u64));
        // A pass over known entries changes nothing.
        let before = world.outcome().await;
        world.restart().await;
        world.good_step().await;
        assert_eq!(world.outcome().await, before);
    }
}

#[tokio::test]
async fn an_empty_log_is_a_log() {
    let mut world = World::new().await;
    world.good_step().await;
    assert_eq!(world.position().await, (0, 0));
    assert!(world.findings().await.is_empty());
}

#[tokio::test]
async fn a_log_without_position_is_never_started_silently() {
    let mut world = World::new().await;
    world.logs.push(Watched::new("quiet.example", Start::End));
    for watched in &world.logs {
        watched.log.grow(other_leaves(10));
    }
    let Err(MonitorError::NeedsBootstrap(named)) = world.step().await else {
        panic!("it started in silence");
    };
    assert_eq!(named, ["quiet"]);
    assert!(
        world.truly().trees().await.unwrap().is_empty(),
        "nothing is read, of no log"
    );
    world.bootstrap = true;
    world.good_step().await;
    let quiet = world
        .truly()
        .tree(&TreeId::new("quiet.example"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(quiet.first, 10);
    // Allowed once more, it continues at its position.
    world.logs[1].log.grow([Signer::Mail.signs(1)]);
    world.good_step().await;
    assert!(
        world
            .findings()
            .await
            .iter()
            .any(|f| f.log.as_deref() == Some("quiet"))
    );
    world.bootstrap = false;
    world.good_step().await;
}

#[tokio::test]
async fn a_start_in_the_middle_reads_from_there_and_is_proven_too() {
    for at in [1, 255, 256, 257, 300, 599, 600] {
        let mut world = World::new().await;
        world.logs[0] = Watched::new("main.example", Start::Index(at));
        world
            .log()
            .grow((0..600).map(|at| Signer::ALL[at % 5].signs(at as u64)));
        world.good_step().await;
        assert_eq!(world.position().await, (600, 600), "from {at}");
        let findings = world.findings().await;
        assert!(findings.iter().all(|f| f.index.unwrap() >= at), "from {at}");
    }
}

/// A log of 100 entries a day from the 1st to the 20th, each followed by one with an invented date.
fn twenty_days() -> impl Iterator<Item = crate::world::Leaf> {
    (0..2000).flat_map(|i| [dated((i / 100 + 1) as u8, true, i), dated(30, false, i)])
}

#[tokio::test]
async fn a_start_at_a_date_skips_nothing_of_that_day_and_little_before() {
    for (since, first_of_the_day) in [
        ("2026-11-01T00:00:00Z", 0),
        ("2026-11-02T00:00:00Z", 200),
        ("2026-11-13T00:00:00Z", 2400),
        ("2026-11-20T00:00:00Z", 3800),
        // Later than every entry, and in the past: new entries are read.
        ("2026-11-21T00:00:00Z", 4000),
    ] {
        let mut world = World::new().await;
        world.logs[0] = Watched::new("main.example", Start::Time(since.parse().unwrap()));
        world.log().grow(twenty_days());
        world.good_step().await;
        let first = world.state().await.first;
        assert!(first <= first_of_the_day, "{since}: {first}");
        assert!(first + 1024 >= first_of_the_day, "{since}: {first}");
        assert_eq!(world.position().await, (4000, 4000));
    }
}

#[tokio::test]
async fn a_start_in_the_future_is_refused_and_before_all_entries_is_the_beginning() {
    let mut world = World::new().await;
    let start = Start::Time("2126-01-01T00:00:00Z".parse().unwrap());
    world.logs[0] = Watched::new("main.example", start);
    world.log().grow(other_leaves(10));
    assert_eq!(world.bad_step().await, "unavailable");

    let start = Start::Time("2020-01-01T00:00:00Z".parse().unwrap());
    world.logs[0] = Watched::new("main.example", start);
    world.log().grow(other_leaves(600));
    world.good_step().await;
    assert_eq!(world.state().await.first, 0);
}

#[tokio::test]
async fn of_two_logs_a_slow_one_never_keeps_the_other_waiting() {
    let mut world = World::with(&["slow.example", "quick.example"], usual(), &["oncall"]).await;
    world.settings.pass_limit = Some(Duration::from_secs(1));
    world.logs[0].log.grow(other_leaves(600));
    world.logs[0].log.stall_from(300);
    for salt in 0..3 {
        world.logs[1].log.grow([Signer::Mail.signs(salt)]);
        let outcomes = world.step().await.unwrap();
        assert!(!outcomes[0].proven && outcomes[0].error.is_none());
        assert!(outcomes[1].proven);
        let mut found = world.of("identity-unexpected").await;
        found.retain(|finding| finding.origin.as_deref() == Some("quick.example"));
        assert_eq!(found.len() as u64, salt + 1);
    }
    // The entries that it served were read once; the backlog is reported, and ends when it has caught up.
    assert_eq!(world.position().await, (256, 0));
    assert_eq!(world.of("backlog").await[0].state, State::Open);
    world.settings.pass_limit = None;
    world.logs[0].log.heal();
    world.good_step().await;
    assert_eq!(world.position().await, (600, 600));
    assert_eq!(world.of("backlog").await[0].state, State::Resolved);
}

/// Waits until this is true, while a task runs that does not end.
async fn until(is_so: impl AsyncFn() -> bool) {
    while !is_so().await {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_a_slow_log_has_shown_is_recorded_before_its_batch_is_full() {
    let mut world = World::new().await;
    world.log().grow(other_leaves(1000));
    world.log().stall_from(800);
    // A process that is killed again and again makes progress each time: the next one continues with its entries.
    for seconds in [2, 5] {
        world.log().slow(&world.clock, seconds);
        let seen = world.truly().tree(&world.tree_id()).await.unwrap();
        let seen = seen.map_or(0, |state| state.follower.unwrap().seen.size());
        let gets_on = async || {
            let state = world.truly().tree(&world.tree_id()).await.unwrap();
            let follower = state.and_then(|state| state.follower);
            follower
                .is_some_and(|follower| follower.seen.size() > seen || follower.seen.size() == 768)
        };
        tokio::select! {
            _ = world.pass() => panic!("the log never answers for its last bundle"),
            () = until(gets_on) => {}
        }
        world.restart().await;
    }
    world.log().heal();
    world.good_step().await;
    assert_eq!(world.position().await, (1000, 1000));
}

#[tokio::test]
async fn what_a_rescan_of_a_slow_log_has_matched_is_recorded_before_its_step_is_full() {
    let mut world = World::new().await;
    world.log().grow([Signer::Mail.signs(0)]);
    world.log().grow(other_leaves(999));
    world.good_step().await;
    let mut specs = usual();
    specs.push(Spec::new("late", [Condition::San(MAIL)]));
    world.watch(specs).await;
    world.log().stall_from(800);
    world.log().slow(&world.clock, 3);
    let gap = async || {
        let open = world.open_gaps().await;
        let late = open.iter().find(|(_, of)| of.watch.name == "late");
        late.and_then(|(_, late)| late.gaps.first().cloned())
    };
    let closes = async || gap().await.is_some_and(|gap| gap.start >= 256);
    tokio::select! {
        _ = world.rescan_only() => panic!("the log never answers for its last bundle"),
        () = until(closes) => {}
    }
    world.restart().await;
    let found = world.findings().await;
    assert!(found.iter().any(|f| f.watch.as_deref() == Some("late")));
    world.log().heal();
    world.rescan().await.unwrap();
    world.good_step().await;
}

#[tokio::test]
async fn of_two_logs_a_dead_one_never_stops_the_other() {
    let mut world = World::with(&["main.example", "other.example"], usual(), &["oncall"]).await;
    for watched in &world.logs {
        watched.log.grow(other_leaves(300));
    }
    world.log().refuse(Question::Checkpoint, 0, u32::MAX);
    let outcomes = world.step().await.unwrap();
    assert_eq!(
        outcomes.iter().map(|o| o.proven).collect::<Vec<_>>(),
        [false, true]
    );
    let other = world
        .truly()
        .tree(&TreeId::new("other.example"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(other.follower.unwrap().proven.size(), 300);
    assert_eq!(
        world.state().await.error.unwrap().kind,
        PassErrorKind::Unavailable
    );
    world.log().heal();
    world.good_step().await;
}

#[tokio::test]
async fn a_watch_added_later_leaves_a_gap_that_a_rescan_closes() {
    let mut world = World::with(&["main.example"], usual(), &["oncall"]).await;
    world
        .log()
        .grow((0..300).map(|at| Signer::ALL[at % 5].signs(at as u64)));
    world.good_step().await;
    let mut specs = usual();
    specs.push(Spec::new("late", [Condition::San(MAIL)]));
    world.watch(specs).await;
    world.good_step().await;
    let gap = world.of("coverage-gap").await;
    assert_eq!(
        (gap.len(), gap[0].state),
        (1, State::Open),
        "a gap is a finding about health"
    );
    let late = |f: &modelwatch::finding::Finding| f.watch.as_deref() == Some("late");
    assert!(!world.findings().await.iter().any(late));
    // New entries are covered.
    world.log().grow([Signer::Mail.signs(999)]);
    world.good_step().await;
    assert_eq!(world.findings().await.iter().filter(|f| late(f)).count(), 1);

    assert_eq!(world.rescan().await.unwrap(), 60);
    world.deliver().await.unwrap();
    world.check().await;
    assert_eq!(world.of("coverage-gap").await[0].state, State::Resolved);
    assert_eq!(world.rescan().await.unwrap(), 0, "nothing is left to close");
}

#[tokio::test]
async fn a_rescan_accepts_only_the_leaves_that_were_proven() {
    let mut world = World::new().await;
    world.log().grow(other_leaves(300));
    world.good_step().await;
    let mut specs = usual();
    specs.push(Spec::new("late", [Condition::San(MAIL)]));
    world.watch(specs).await;
    world.log().swap(17, Signer::Mail.signs(1));
    let Err(RescanError::Log { error, .. }) = world.rescan().await else {
        panic!("it believed a leaf that was never signed");
    };
    assert_eq!(error.kind, PassErrorKind::LogFault);
    assert_eq!(
        world.of("log-fault").await[0].fault,
        Some(FaultKind::RootMismatch)
    );
    assert!(!world.findings().await.iter().any(|f| f.index == Some(17)));
    world.log().heal();
    world.rescan().await.unwrap();
    assert_eq!(world.position().await, (300, 300));
}

#[tokio::test]
async fn unreadable_leaves_are_reported_and_hide_nothing() {
    let mut world = World::new().await;
    world
        .log()
        .grow([unreadable(0), Signer::Release.signs(0), unreadable(1)]);
    world.good_step().await;
    let reported = world.of("unreadable").await;
    assert_eq!(
        reported
            .iter()
            .map(|f| f.index.unwrap())
            .collect::<Vec<_>>(),
        [0, 2]
    );
    assert!(
        reported.iter().all(|f| world.delivered(f.id).is_empty()),
        "one digest a day"
    );
    world.clock.advance(25 * 3600);
    world.log().grow(other_leaves(1));
    world.good_step().await;
    let digest = world.delivered(reported[0].id);
    assert_eq!((digest.len(), digest[0].kind), (1, QueuedKind::Digest));
    assert_eq!(world.delivered(reported[1].id), digest, "both in one");
}

#[tokio::test]
async fn a_watch_alerts_the_channels_that_it_names() {
    let mut specs = usual();
    specs.retain(|spec| spec.name == "mail");
    specs[0] = specs[0].clone().notify(["oncall"]);
    let mut world = World::with(&["main.example"], specs, &["oncall", "archive"]).await;
    world.log().grow([Signer::Mail.signs(0), unreadable(0)]);
    world.good_step().await;
    let channels: Vec<_> = world
        .inbox
        .iter()
        .map(|message| message.channel.as_str())
        .collect();
    assert_eq!(channels, ["oncall"]);
    world.clock.advance(25 * 3600);
    world.step().await.unwrap();
    assert!(
        world
            .inbox
            .iter()
            .any(|message| message.channel == "archive")
    );
}

#[tokio::test]
async fn all_watches_and_entries_of_one_certificate_are_one_alert() {
    let mut world = World::new().await;
    world
        .log()
        .grow((0..10).map(|salt| Signer::Release.signs(salt)));
    world.good_step().await;
    assert_eq!(world.inbox.len(), 1);
    assert_eq!(world.inbox[0].findings.len(), 20, "10 entries, two watches");
    // The group is closed: later findings alert again.
    world.log().grow([Signer::Release.signs(10)]);
    world.good_step().await;
    assert_eq!(world.inbox.len(), 2);
}

#[tokio::test]
async fn an_impostor_is_no_alarm_until_his_ca_is_trusted() {
    let mut world = World::new().await;
    world.trust(false);
    world
        .log()
        .grow([Signer::Release.signs(0), Signer::Impostor.signs(0)]);
    world.good_step().await;
    assert_eq!(
        world.of("untrusted-chain").await.len(),
        4,
        "both, seen by two watches"
    );
    assert!(world.inbox.is_empty(), "one digest a day");
    world.trust(true);
    world.good_step().await;
    assert_eq!(world.of("untrusted-chain").await.len(), 2, "the impostor's");
    let now_trusted = world.of("identity-unexpected").await;
    assert_eq!(now_trusted.len(), 2);
    assert!(now_trusted.iter().all(|f| world.delivered(f.id).len() == 1));
}

#[tokio::test]
async fn a_flood_is_one_digest_with_each_finding_once() {
    // Certificates group what they signed, so that a flood needs many certificates.
    let specs = vec![Spec::new("everybody", [Condition::Glob("*e*")])];
    let mut world = World::with(&["main.example"], specs, &["oncall"]).await;
    world.log().grow((0..50).map(one_of_many));
    world.good_step().await;
    let found = world.findings().await;
    assert_eq!(found.len(), 50);
    assert_eq!(world.inbox.len(), 1);
    assert_eq!(
        (world.inbox[0].kind, world.inbox[0].findings.len()),
        (QueuedKind::Digest, 50)
    );
}

#[tokio::test]
async fn what_was_acknowledged_stays_so() {
    let mut world = World::new().await;
    world.log().grow([Signer::Mail.signs(0)]);
    world.good_step().await;
    let id = world.of("identity-unexpected").await[0].id;
    world
        .truly()
        .handle(&[id], &ack("it was me", world.now()))
        .await
        .unwrap();
    world.log().grow(other_leaves(10));
    world.restart().await;
    world.good_step().await;
    assert!(
        world
            .findings()
            .await
            .iter()
            .any(|f| f.id == id && f.state == State::Acked)
    );
    assert_eq!(world.delivered(id).len(), 1);
}
