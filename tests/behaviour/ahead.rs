//! One pass with a clock that is a year ahead, then the right one: nothing waits for that year.

use std::time::Duration;

use modelwatch::finding::{Finding, State};
use modelwatch::monitor::CanarySettings;
use modelwatch::store::{Delivery, QueuedKind};

use crate::world::{
    Condition, Fault, MAIL, Mode, OWL, Signer, Spec, World, issue, other_leaves, usual,
};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

const TAGS: Condition =
    Condition::Glob("https://github.com/acme/owl/.github/workflows/release.yml@refs/tags/*");

/// One of each: a signing that is held for 45 minutes, and one that alerts at once.
fn specs() -> Vec<Spec> {
    let holding = Spec::new("scope", [Condition::Repository(OWL)]).shape([TAGS]);
    let mail = usual().into_iter().filter(|spec| spec.name == "mail");
    [holding.hold(45 * 60)].into_iter().chain(mail).collect()
}

async fn of_watch(world: &World, watch: &str) -> Finding {
    let mut findings = world.findings().await;
    findings.retain(|finding| finding.watch.as_deref() == Some(watch));
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.remove(0)
}

#[tokio::test]
async fn what_was_held_by_a_clock_that_was_ahead_is_held_from_the_first_right_pass() {
    let mut world = World::with(&["main.example"], specs(), &["oncall"]).await;
    world.clock.advance(YEAR);
    world.log().grow([Signer::Release.signs(0)]);
    world.good_step().await;
    let held = of_watch(&world, "scope").await;
    world.clock.advance(-YEAR);
    for (minutes, state) in [
        (0, State::Held),
        (44, State::Held),
        (2, State::Open),
        (9, State::Open),
    ] {
        world.clock.advance(minutes * 60);
        world.restart().await;
        world.log().grow(other_leaves(1));
        world.good_step().await;
        let now = of_watch(&world, "scope").await;
        assert_eq!(
            (now.id, now.state),
            (held.id, state),
            "after {minutes} minutes more"
        );
        assert_eq!(now.first_seen, held.first_seen, "evidence keeps its date");
    }
    assert_eq!(world.delivered(held.id).len(), 1);
    let record = world
        .truly()
        .finding(&held.id.to_string())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(record.history[0].at, held.first_seen);
    assert!(record.history[1].at < held.first_seen);
}

#[tokio::test]
async fn an_alert_that_failed_then_is_due_at_once() {
    for flood in [1, 30] {
        let mut world = World::with(&["main.example"], specs(), &["oncall"]).await;
        world.clock.advance(YEAR);
        world
            .log()
            .grow((0..flood).map(|salt| issue(MAIL, world.now(), true).signs(salt)));
        world.pass().await.unwrap();
        let claimed = world
            .truly()
            .claim_alerts("oncall", 20, world.now())
            .await
            .unwrap();
        let alert = &claimed[0];
        let retry = Delivery::Retry {
            at: world.now() + Duration::from_hours(1),
            error: "refused".to_owned(),
            reached: Vec::new(),
        };
        world
            .truly()
            .record_delivery(&alert.id, &retry, world.now())
            .await
            .unwrap();
        world.clock.advance(-YEAR);
        // The outbox works between passes, too.
        world.deliver().await.unwrap();
        assert!(world.inbox.iter().any(|message| message.id == alert.id));
        world.good_step().await;
        let tolls = world.truly().channel_queues(world.now()).await.unwrap();
        assert!(
            tolls
                .values()
                .all(|channel_queues| channel_queues.pending + channel_queues.failed == 0),
            "{tolls:?}"
        );
    }
}

#[tokio::test]
async fn an_overdue_daily_digest_is_sent_now_and_one_of_today_waits_for_its_day() {
    let mut world = World::with(&["main.example"], specs(), &["oncall"]).await;
    world.clock.advance(YEAR);
    world.log().grow([Signer::Impostor.signs(0)]);
    world.good_step().await;
    assert!(world.inbox.is_empty());
    world.clock.advance(-YEAR);
    world.log().grow([Signer::Impostor.signs(1)]);
    world.good_step().await;
    let digests = |world: &World| {
        let digests = world.inbox.iter().filter(|m| m.kind == QueuedKind::Digest);
        digests.count()
    };
    assert_eq!(digests(&world), 1);
    world.clock.advance(DAY);
    world.good_step().await;
    assert_eq!(digests(&world), 2);
}

#[tokio::test]
async fn a_silent_log_and_a_dead_canary_are_reported_after_their_time_from_the_first_right_pass() {
    let mut world = World::with(&["main.example"], specs(), &["oncall"]).await;
    world.settings.canaries = vec![CanarySettings {
        watch: "mail".to_owned(),
        every: Duration::from_hours(26),
    }];
    world.clock.advance(YEAR);
    world.log().grow([issue(MAIL, world.now(), true).signs(0)]);
    world.good_step().await;
    world.clock.advance(-YEAR);
    for (hours, silence, missing) in [(0, 0, 0), (24, 0, 0), (1, 1, 0), (1, 1, 0), (1, 1, 1)] {
        world.clock.advance(hours * HOUR);
        world.restart().await;
        world.step().await.unwrap();
        assert_eq!(world.of("silence").await.len(), silence, "{hours}");
        assert_eq!(world.of("canary-missing").await.len(), missing, "{hours}");
    }
}

#[tokio::test]
async fn the_span_of_times_in_the_future_is_reported_for_an_hour_and_not_again() {
    let mut world = World::with(&["main.example"], specs(), &["oncall"]).await;
    world.log().grow(other_leaves(3));
    world.good_step().await;
    world.clock.advance(YEAR);
    let then = world.now();
    world.log().grow([issue(MAIL, world.now(), true).signs(0)]);
    world.good_step().await;
    assert!(
        world.of("clock-skew").await.is_empty(),
        "there was no time source"
    );
    world.clock.advance(-YEAR);
    world.good_step().await;
    let open = |findings: Vec<Finding>| -> Vec<Finding> {
        findings
            .into_iter()
            .filter(|f| f.state == State::Open)
            .collect()
    };
    let reported = open(world.of("clock-skew").await);
    let at = |time: jiff::Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let span = format!(
        "from {0} to {0} were later than {1}",
        at(then),
        at(world.now())
    );
    assert!(
        reported.len() == 1 && reported[0].summary.contains(&span),
        "{reported:?}"
    );
    assert_eq!(world.delivered(reported[0].id).len(), 1);
    world.restart().await;
    world.clock.advance(HOUR);
    world.good_step().await;
    assert_eq!(open(world.of("clock-skew").await).len(), 1);
    // The date of a finding is in the future for a year, and nothing waits for it.
    world.clock.advance(1);
    world.good_step().await;
    assert!(open(world.of("clock-skew").await).is_empty());
    world.clock.advance(DAY);
    world.log().grow(other_leaves(1));
    world.good_step().await;
    assert!(open(world.of("clock-skew").await).is_empty());
    assert_eq!(of_watch(&world, "mail").await.first_seen, then);
}

#[tokio::test]
async fn a_clock_ahead_of_servers_is_reported_with_its_stored_times() {
    let mut world = World::with(&["main.example", "other.example"], specs(), &["oncall"]).await;
    for watched in &world.logs {
        watched.log.grow(other_leaves(3));
    }
    world.good_step().await;
    let before = world.now();
    world.clock.advance(40 * DAY);
    for watched in &world.logs {
        watched.log.set_time(before);
        watched.log.grow(other_leaves(1));
    }
    world.good_step().await;
    let reported = &world.of("clock-skew").await[0].summary;
    let at = world.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    assert!(reported.contains("at least 40 days ahead of"), "{reported}");
    assert!(
        reported.contains(&format!("the times stored from {at} to {at}")),
        "{reported}"
    );
}

#[tokio::test]
async fn five_minutes_are_what_two_clocks_may_differ_by() {
    let mut world = World::with(&["main.example"], specs(), &["oncall"]).await;
    world.clock.advance(300);
    world.log().grow([Signer::Release.signs(0)]);
    world.good_step().await;
    world.clock.advance(-300);
    world.good_step().await;
    assert!(world.of("clock-skew").await.is_empty());
    world.clock.advance(49 * 60);
    world.good_step().await;
    assert_eq!(of_watch(&world, "scope").await.state, State::Held);
    world.clock.advance(60);
    world.good_step().await;
    assert_eq!(of_watch(&world, "scope").await.state, State::Open);
}

#[tokio::test]
async fn an_action_of_the_store_that_fails_twice_succeeds_the_third_time() {
    for method in ["ahead_of", "correct_future_times"] {
        for mode in [Mode::NotDone, Mode::DoneButReportedFailed] {
            let mut world = World::with(&["main.example"], specs(), &["oncall"]).await;
            world.clock.advance(YEAR);
            world.log().grow([Signer::Release.signs(0)]);
            world.good_step().await;
            world.clock.advance(-YEAR);
            let (after, times) = (0, 2);
            world.faults.arm(Fault {
                method,
                mode,
                after,
                times,
            });
            world.settle().await;
            assert!(world.faults.fired() > 0, "{method} {mode:?}");
            assert_eq!(world.of("clock-skew").await.len(), 1, "{method} {mode:?}");
            assert_eq!(of_watch(&world, "scope").await.state, State::Held);
            world.clock.advance(46 * 60);
            world.good_step().await;
            assert_eq!(of_watch(&world, "scope").await.state, State::Open);
        }
    }
}
