//! Failures of the monitoring: each is raised, alerted once, and resolved when it has ended, with a resolution.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use modelwatch::finding::{Finding, State};
use modelwatch::log::Start;
use modelwatch::monitor::CanarySettings;
use modelwatch::store::{PassErrorKind, QueuedKind};

use crate::world::{
    Condition, Fault, MAIL, Mode, Question, Signer, Spec, Watched, Witness, World, issue, line,
    other_leaves, usual,
};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// The one open finding of this verdict, which was alerted once.
async fn raised(world: &World, verdict: &str) -> Finding {
    let mut open = world.of(verdict).await;
    open.retain(|finding| finding.state == State::Open);
    assert_eq!(open.len(), 1, "{verdict}: {open:?}");
    assert_eq!(sent(world, &open[0]), [QueuedKind::Alert], "{verdict}");
    open.remove(0)
}

fn sent(world: &World, finding: &Finding) -> Vec<QueuedKind> {
    let sent = world.delivered(finding.id);
    sent.iter().map(|message| message.kind).collect()
}

async fn none(world: &World, verdict: &str) {
    let found = world.of(verdict).await;
    assert!(found.is_empty(), "{found:?}");
}

/// It has ended, and the resolution was sent.
async fn resolved(world: &mut World, finding: &Finding) {
    world.deliver().await.unwrap();
    let all = world.findings().await;
    let now = all.iter().find(|f| f.id == finding.id).unwrap();
    assert_eq!(now.state, State::Resolved, "{now:?}");
    assert_eq!(
        sent(world, finding),
        [QueuedKind::Alert, QueuedKind::Resolved]
    );
}

#[tokio::test]
async fn a_watch_that_cannot_select_anything_is_reported_until_it_is_changed() {
    let mut specs = usual();
    specs.push(Spec::new(
        "dead",
        [Condition::San("https://github.com/acme/*")],
    ));
    let mut world = World::with(&["main.example"], specs, &["oncall"]).await;
    world.log().grow(other_leaves(3));
    world.good_step().await;
    world.good_step().await;
    let finding = raised(&world, "watch-ineffective").await;
    assert!(finding.summary.contains("dead"), "{}", finding.summary);
    world.watch(usual()).await;
    world.good_step().await;
    resolved(&mut world, &finding).await;
}

#[tokio::test]
async fn a_log_that_limits_requests_is_reported_after_three_passes_and_is_not_called_unavailable() {
    let mut world = World::new().await;
    world.log().grow(other_leaves(300));
    world.good_step().await;
    world.log().limit(true);
    for _ in 0..2 {
        assert_eq!(world.bad_step().await, "unavailable");
        none(&world, "rate-limited").await;
        world.restart().await;
    }
    world.bad_step().await;
    let finding = raised(&world, "rate-limited").await;
    none(&world, "unavailable").await;
    world.log().heal();
    world.log().grow(other_leaves(1));
    world.good_step().await;
    resolved(&mut world, &finding).await;
}

#[tokio::test]
async fn a_log_that_limits_requests_is_reported_after_an_hour_of_fewer_passes() {
    let mut world = World::new().await;
    world.log().grow(other_leaves(300));
    world.good_step().await;
    world.log().limit(true);
    world.bad_step().await;
    none(&world, "rate-limited").await;
    world.clock.advance(60 * 60 + 1);
    world.bad_step().await;
    raised(&world, "rate-limited").await;
}

#[tokio::test]
async fn a_log_that_limits_requests_now_and_then_and_is_never_read_is_unavailable() {
    let mut world = World::new().await;
    world.log().grow(other_leaves(300));
    world.good_step().await;
    for limits in [true, false, true] {
        none(&world, "unavailable").await;
        world.log().heal();
        if limits {
            world.log().limit(true);
        } else {
            world.log().refuse(Question::Checkpoint, 0, 1);
        }
        world.bad_step().await;
    }
    raised(&world, "unavailable").await;
    none(&world, "rate-limited").await;
}

#[tokio::test]
async fn an_unknown_key_in_the_log_s_name_is_reported_and_one_of_another_name_is_not() {
    let mut world = World::new().await;
    world.log().grow(other_leaves(3));
    world
        .log()
        .sign_also(|_| line("someone.example", [1, 2, 3, 4], &[0; 64]));
    world.good_step().await;
    none(&world, "unknown-signature").await;
    // Of an unsupported algorithm, beside a supported one: everything is still read.
    world
        .log()
        .sign_also(|_| line("main.example", [1, 2, 3, 4], &[0; 2420]));
    world.good_step().await;
    none(&world, "unknown-signature").await;
    world
        .log()
        .sign_also(|_| line("main.example", [1, 2, 3, 4], &[0; 64]));
    world.good_step().await;
    let finding = raised(&world, "unknown-signature").await;
    assert!(
        finding.summary.contains("main.example 01020304"),
        "{}",
        finding.summary
    );
    // A pass without a checkpoint neither ends it nor reports it again.
    world.log().forge_checkpoint(b"nothing");
    world.bad_step().await;
    raised(&world, "unknown-signature").await;
    world.log().heal();
    world.good_step().await;
    resolved(&mut world, &finding).await;
}

#[tokio::test]
async fn a_witness_that_cosigned_something_else_is_a_contradiction_and_the_log_is_still_read() {
    let mut world = World::new().await;
    world.settings.witnesses = vec![Witness::new("w.example").verifier()];
    world.log().grow(other_leaves(3));
    world
        .log()
        .sign_also(|text| Witness::new("w.example").cosign(7, text));
    world.good_step().await;
    none(&world, "witness-contradiction").await;
    world
        .log()
        .sign_also(|_| Witness::new("w.example").cosign(7, "main.example\n2\nroot\n"));
    world.log().grow([Signer::Mail.signs(0)]);
    world.good_step().await;
    assert_eq!(world.position().await, (4, 4));
    let finding = raised(&world, "witness-contradiction").await;
    world.log().heal();
    world.good_step().await;
    resolved(&mut world, &finding).await;
}

#[tokio::test]
async fn a_cosignature_from_the_future_is_reported_and_hides_no_silence() {
    let mut world = World::new().await;
    world.settings.witnesses = vec![Witness::new("w.example").verifier()];
    world.log().grow(other_leaves(3));
    // The year 2200.
    world
        .log()
        .sign_also(|text| Witness::new("w.example").cosign(7_258_118_400, text));
    world.good_step().await;
    let finding = raised(&world, "clock-skew").await;
    assert!(
        finding.summary.contains("2200-01-01"),
        "{}",
        finding.summary
    );
    none(&world, "silence").await;
    for _ in 0..3 {
        world.clock.advance(12 * 3600);
        world.good_step().await;
    }
    raised(&world, "silence").await;
    world.log().heal();
    world.good_step().await;
    resolved(&mut world, &finding).await;
}

#[tokio::test]
async fn witnesses_that_are_required_and_missing_are_reported() {
    let mut world = World::new().await;
    let names = ["a.example", "b.example", "c.example"];
    world.settings.witnesses = names.map(|name| Witness::new(name).verifier()).to_vec();
    let name = world.logs[0].shard.name.clone();
    world.settings.required_witnesses.insert(name, 2);
    world.log().grow(other_leaves(3));
    let cosigned = |names: &'static [&str]| {
        move |text: &str| {
            names
                .iter()
                .map(|name| Witness::new(name).cosign(7, text))
                .collect()
        }
    };
    world.log().sign_also(cosigned(&["a.example"]));
    world.good_step().await;
    let finding = raised(&world, "witness-contradiction").await;
    assert!(
        finding.summary.contains("by 1 of the witnesses, where 2"),
        "{}",
        finding.summary
    );
    world.log().sign_also(cosigned(&["c.example", "a.example"]));
    world.good_step().await;
    resolved(&mut world, &finding).await;
}

#[tokio::test]
async fn a_clock_that_two_servers_disagree_with_is_reported_and_one_proves_nothing() {
    let mut world = World::with(&["main.example", "other.example"], usual(), &["oncall"]).await;
    for watched in &world.logs {
        watched.log.grow(other_leaves(3));
    }
    let hour = SignedDuration::from_hours(1);
    world.logs[0].log.set_time(world.now() + hour);
    world.good_step().await;
    none(&world, "clock-skew").await;
    world.logs[1].log.set_time(world.now() + hour + hour);
    world.good_step().await;
    let finding = raised(&world, "clock-skew").await;
    assert!(
        finding.summary.contains("60 minutes behind"),
        "{}",
        finding.summary
    );
    for watched in &world.logs {
        watched.log.set_time(world.now());
    }
    world.good_step().await;
    resolved(&mut world, &finding).await;
}

#[tokio::test]
async fn a_canary_that_is_not_seen_for_its_period_is_missing_until_it_is_seen_again() {
    let mut world = World::new().await;
    world.settings.canaries = vec![CanarySettings {
        watch: "mail".to_owned(),
        every: Duration::from_hours(26),
    }];
    world.log().grow([Signer::Mail.signs(0)]);
    world.good_step().await;
    world.clock.advance(20 * HOUR);
    // Neither another watch's signing nor a restart is a sign of life.
    world.log().grow([Signer::Branch.signs(0)]);
    world.restart().await;
    world.good_step().await;
    none(&world, "canary-missing").await;
    world.clock.advance(7 * HOUR);
    world.log().grow(other_leaves(1));
    world.good_step().await;
    world.good_step().await;
    let finding = raised(&world, "canary-missing").await;
    assert!(
        finding.summary.contains("the watch mail"),
        "{}",
        finding.summary
    );
    // Its old signing, logged again, proves nothing; a certificate that was issued today does.
    world
        .log()
        .grow([Signer::Mail.signs(0), Signer::Mail.signs(1)]);
    world.good_step().await;
    raised(&world, "canary-missing").await;
    world.log().grow([issue(MAIL, world.now(), true).signs(2)]);
    world.good_step().await;
    resolved(&mut world, &finding).await;
}

#[tokio::test]
async fn a_canary_that_was_never_seen_is_missing_after_its_first_period() {
    let mut world = World::new().await;
    world.settings.canaries = vec![CanarySettings {
        watch: "mail".to_owned(),
        every: Duration::from_hours(2),
    }];
    world.log().grow(other_leaves(1));
    world.good_step().await;
    // In a certificate that no trusted CA issued, anyone can use the name.
    world.trust(false);
    world.clock.advance(2 * HOUR);
    world.log().grow([Signer::Mail.signs(0)]);
    world.good_step().await;
    none(&world, "canary-missing").await;
    world.clock.advance(1);
    world.good_step().await;
    raised(&world, "canary-missing").await;
}

#[tokio::test]
async fn a_store_that_failed_is_reported_when_it_can_be_written_again() {
    let mut world = World::new().await;
    world.log().grow(other_leaves(3));
    world.good_step().await;
    world.keep_running();
    world.log().grow([Signer::Mail.signs(0)]);
    world.faults.arm(Fault {
        method: "commit",
        mode: Mode::NotDone,
        after: 0,
        times: 2,
    });
    let from = world.now();
    for _ in 0..2 {
        assert!(world.step().await.is_err());
        world.clock.advance(600);
    }
    none(&world, "store-failing").await;
    world.good_step().await;
    let finding = raised(&world, "store-failing").await;
    let span = format!(
        "from {} to {}",
        from.strftime("%Y-%m-%dT%H:%M:%SZ"),
        world.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    );
    assert!(finding.summary.contains(&span), "{}", finding.summary);
    assert_eq!(
        world.of("identity-unexpected").await.len(),
        1,
        "it was read again"
    );
    // Long enough to alert every channel, also after a restart, and then it ends.
    world.restart().await;
    world.clock.advance(HOUR);
    world.good_step().await;
    raised(&world, "store-failing").await;
    world.clock.advance(1);
    world.good_step().await;
    resolved(&mut world, &finding).await;
}

#[tokio::test]
async fn passes_that_take_ever_longer_are_a_backlog() {
    let mut world = World::new().await;
    for minutes in [10, 12, 14, 17, 20, 24] {
        world.log().grow(other_leaves(3));
        // The log answers slowly: time passes while it is read.
        let clock = Arc::clone(&world.clock);
        world.log().sign_also(move |_| {
            clock.advance(minutes * 60);
            String::new()
        });
        none(&world, "backlog").await;
        world.good_step().await;
    }
    let finding = raised(&world, "backlog").await;
    assert!(
        finding.summary.contains("24 minutes"),
        "{}",
        finding.summary
    );
    world.log().heal();
    world.log().grow(other_leaves(1));
    world.good_step().await;
    resolved(&mut world, &finding).await;
}

#[tokio::test]
async fn a_stored_position_that_is_damaged_is_reported_until_it_is_restored() {
    let mut world = World::new().await;
    world.log().grow(other_leaves(256));
    world.good_step().await;
    let good = world.replace_frontier(&[7; 32]).await;
    // Without the check of the world, which relies on the stored data.
    for _ in 0..2 {
        let outcomes = world.pass().await.unwrap();
        let error = outcomes[0].error.as_ref().unwrap();
        assert_eq!(error.kind, PassErrorKind::PositionLost);
    }
    world.deliver().await.unwrap();
    let finding = raised(&world, "position-lost").await;
    world.replace_frontier(&good).await;
    world.log().grow([Signer::Mail.signs(0)]);
    world.good_step().await;
    assert_eq!(world.position().await, (257, 257));
    resolved(&mut world, &finding).await;
}

#[tokio::test]
async fn the_gap_of_a_new_watch_is_reported_until_the_requested_rescan_is_done() {
    let mut world = World::new().await;
    world.settings.every_log = true;
    world.log().grow([Signer::Mail.signs(0)]);
    world.log().grow(other_leaves(299));
    world.good_step().await;
    let mut specs = usual();
    specs.push(Spec::new("late", [Condition::San(MAIL)]));
    world.watch(specs).await;
    world.good_step().await;
    let finding = raised(&world, "coverage-gap").await;
    assert!(finding.summary.contains("late (300 entries)"));
    let now = world.now();
    world.store().request_rescan(None, now).await.unwrap();
    // The log does not answer, then the process is ended: the request is still stored.
    world.log().limit(true);
    world.rescan_as_requested().await.unwrap();
    world.log().heal();
    world.restart().await;
    world.rescan_as_requested().await.unwrap();
    assert_eq!(world.truly().rescans().await.unwrap(), []);
    resolved(&mut world, &finding).await;
}

#[tokio::test]
async fn a_rescan_of_some_of_the_logs_is_still_pending_for_the_others() {
    let mut world = World::new().await;
    world.log().grow(other_leaves(3));
    world.good_step().await;
    let now = world.now();
    world
        .store()
        .request_rescan(Some("mail"), now)
        .await
        .unwrap();
    world.settings.every_log = false;
    world.rescan_as_requested().await.unwrap();
    assert_eq!(world.truly().rescans().await.unwrap().len(), 1);
    world.settings.every_log = true;
    world.rescan_as_requested().await.unwrap();
    assert_eq!(world.truly().rescans().await.unwrap(), []);
}

#[tokio::test]
async fn a_rescan_for_an_unknown_watch_waits_for_a_process_with_the_watch() {
    let mut world = World::new().await;
    world.settings.every_log = true;
    world.log().grow([Signer::Mail.signs(0)]);
    world.good_step().await;
    let now = world.now();
    let store = world.store();
    store.request_rescan(Some("late"), now).await.unwrap();
    world.rescan_as_requested().await.unwrap();
    assert_eq!(world.truly().rescans().await.unwrap().len(), 1);
    let mut specs = usual();
    specs.push(Spec::new("late", [Condition::San(MAIL)]));
    world.watch(specs).await;
    world.rescan_as_requested().await.unwrap();
    assert_eq!(world.truly().rescans().await.unwrap(), []);
    none(&world, "coverage-gap").await;
}

#[tokio::test]
async fn a_log_with_a_new_first_position_is_reported_for_a_week() {
    let mut world = World::new().await;
    world.log().grow([Signer::Mail.signs(0)]);
    world.log().grow(other_leaves(299));
    world.good_step().await;
    // An operator "repaired" the database: the position is gone, the findings are still there.
    world.forget_position().await;
    world.log().grow(other_leaves(100));
    world.logs[0] = Watched {
        log: Arc::clone(world.log()),
        ..Watched::new("main.example", Start::Index(350))
    };
    world.good_step().await;
    let finding = raised(&world, "position-lost").await;
    assert!(
        finding.summary.contains("begun again at entry 350"),
        "{}",
        finding.summary
    );
    assert!(
        finding.summary.contains("up to entry 300"),
        "{}",
        finding.summary
    );
    world.log().grow(other_leaves(1));
    world.clock.advance(7 * DAY + 1);
    world.log().grow(other_leaves(1));
    world.good_step().await;
    resolved(&mut world, &finding).await;
}

#[tokio::test]
async fn a_restart_at_the_beginning_of_a_log_leaves_nothing_out() {
    let mut world = World::new().await;
    world.log().grow([Signer::Mail.signs(0)]);
    world.good_step().await;
    world.forget_position().await;
    world.good_step().await;
    none(&world, "position-lost").await;
}

#[tokio::test]
async fn a_position_under_another_key_is_reported_until_the_log_s_own_key_covers_it() {
    let mut world = World::new().await;
    world.log().grow(other_leaves(300));
    world.good_step().await;
    let right = Arc::clone(&world.logs[0].shard);
    let mut wrong = (*right).clone();
    wrong.verifiers = vec![
        Watched::new("other.example", Start::Beginning)
            .log
            .verifier(),
    ];
    world.logs[0].shard = Arc::new(wrong);
    // Past the check of the world, which opens stored checkpoints with the key of the shard.
    let outcomes = world.pass().await.unwrap();
    assert!(!outcomes[0].proven);
    world.deliver().await.unwrap();
    let finding = raised(&world, "position-lost").await;
    world.logs[0].shard = right;
    world.log().grow(other_leaves(1));
    world.good_step().await;
    resolved(&mut world, &finding).await;
}

#[tokio::test]
async fn a_database_with_other_logs_only_is_reported_until_one_of_them_is_back() {
    let mut world = World::with(&["main.example"], usual(), &["oncall"]).await;
    world.settings.every_log = true;
    world.log().grow(other_leaves(3));
    world.good_step().await;
    none(&world, "position-lost").await;
    let known = world.logs.clone();
    world.logs = vec![Watched::new("other.example", Start::Beginning)];
    world.log().grow(other_leaves(3));
    world.good_step().await;
    world.good_step().await;
    let finding = raised(&world, "position-lost").await;
    assert!(finding.summary.contains("but main"), "{}", finding.summary);
    world.logs.extend(known);
    world.good_step().await;
    resolved(&mut world, &finding).await;
}

#[tokio::test]
async fn what_was_wrong_with_a_log_ends_when_it_is_not_followed_any_more() {
    let mut world = World::with(&["old.example", "new.example"], usual(), &["oncall"]).await;
    world.settings.every_log = true;
    for watched in &world.logs {
        watched.log.grow(other_leaves(3));
    }
    world.logs[0].log.forge_checkpoint(b"<html>moved</html>");
    world.step().await.unwrap();
    let finding = raised(&world, "unverifiable-checkpoint").await;
    // A pass over one of them is no evidence about the others.
    let old = world.logs.remove(0);
    world.settings.every_log = false;
    world.good_step().await;
    raised(&world, "unverifiable-checkpoint").await;
    world.settings.every_log = true;
    world.good_step().await;
    resolved(&mut world, &finding).await;
    // It is followed again, with its former state.
    world.logs.push(old);
    world.step().await.unwrap();
    let open = world.of("unverifiable-checkpoint").await;
    assert_eq!(open.iter().filter(|f| f.state == State::Open).count(), 1);
}

#[tokio::test]
async fn a_new_log_beside_known_ones_is_no_loss() {
    let mut world = World::new().await;
    world.settings.every_log = true;
    world.log().grow(other_leaves(3));
    world.good_step().await;
    world
        .logs
        .push(Watched::new("other.example", Start::Beginning));
    world.logs[1].log.grow(other_leaves(3));
    world.good_step().await;
    // Only one log was selected on the command line.
    world.settings.every_log = false;
    world.logs = vec![Watched::new("third.example", Start::Beginning)];
    world.log().grow(other_leaves(3));
    world.good_step().await;
    none(&world, "position-lost").await;
}
