//! Logs that break promises, and logs that only seem to.

use std::sync::Arc;
use std::time::Duration;

use modelwatch::finding::{FaultKind, Finding, State};

use crate::world::{MAIL, Question, Signer, World, ack, other_leaves};

/// A log of 300 entries that is proven, and a signing by the owner at 300 that is not read yet.
async fn proven_300() -> World {
    let mut world = World::new().await;
    world.log().grow(other_leaves(300));
    world.good_step().await;
    world.log().grow([Signer::Release.signs(0)]);
    world.log().grow(other_leaves(99));
    world
}

async fn fault(world: &World) -> String {
    let faults = world.of("log-fault").await;
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].fault.unwrap().to_string()
}

#[tokio::test]
async fn a_swapped_leaf_is_a_fault_and_rewinds_to_the_proven_position() {
    let mut world = proven_300().await;
    world.log().swap(310, Signer::UnknownIssuer.signs(1));
    assert_eq!(world.bad_step().await, "log-fault");
    assert_eq!(fault(&world).await, "root-mismatch");
    assert_eq!(world.position().await, (300, 300));
    let evidence = world.of("log-fault").await[0].id.to_string();
    let evidence = world
        .truly()
        .finding(&evidence)
        .await
        .unwrap()
        .unwrap()
        .evidence;
    assert!(!evidence.notes.is_empty(), "the signed notes are kept");
    assert_eq!(world.delivered(world.of("log-fault").await[0].id).len(), 1);
    // It is reported once, however often it is seen.
    assert_eq!(world.bad_step().await, "log-fault");
    assert_eq!(fault(&world).await, "root-mismatch");
    assert_eq!(world.delivered(world.of("log-fault").await[0].id).len(), 1);
}

#[tokio::test]
async fn a_dropped_leaf_is_a_fault() {
    let mut world = proven_300().await;
    world.log().drop_leaf(300);
    assert_eq!(world.bad_step().await, "log-fault");
    assert_eq!(fault(&world).await, "root-mismatch");
    world.log().heal();
    world.good_step().await;
    assert_eq!(world.position().await, (400, 400));
}

#[tokio::test]
async fn a_false_batch_is_disputed_and_returns_when_the_leaf_comes_back() {
    let mut world = proven_300().await;
    let mine = Signer::Release.signs(0).hash.to_hex();
    let of_mine = |findings: Vec<Finding>| {
        let mut mine: Vec<_> = findings
            .into_iter()
            .filter(|f| f.leaf_hash.as_deref() == Some(mine.as_str()))
            .collect();
        mine.sort_by(|a, b| a.watch.cmp(&b.watch));
        mine
    };
    // Another leaf of the batch is false: the true signing in it cannot be distinguished from a false one.
    world.log().swap(310, Signer::Mail.signs(7));
    world.bad_step().await;
    let disputed = of_mine(world.findings().await);
    assert_eq!(disputed.len(), 2, "release and scope");
    for finding in &disputed {
        assert_eq!(
            (finding.state, finding.proven),
            (State::Disputed, Some(false))
        );
    }
    assert!(
        !world.delivered(disputed[0].id).is_empty(),
        "alerted when seen, proven or not"
    );
    let forged = |findings: Vec<Finding>| {
        findings
            .into_iter()
            .find(|f| f.index == Some(310) && f.san.iter().any(|san| san.value == MAIL))
    };
    assert_eq!(
        forged(world.findings().await).unwrap().state,
        State::Disputed
    );

    world.log().heal();
    world.good_step().await;
    let returned = of_mine(world.findings().await);
    assert_eq!(returned.len(), 2);
    for (finding, before) in returned.iter().zip(&disputed) {
        assert_eq!(finding.id, before.id);
        assert_eq!((finding.state, finding.proven), (State::Open, Some(true)));
    }
    let forged = forged(world.findings().await).unwrap();
    assert_eq!(
        (forged.state, forged.proven),
        (State::Disputed, Some(false))
    );
}

#[tokio::test]
async fn a_fault_behind_a_checkpoint_that_waited_takes_nothing_back_before_it() {
    let mut world = World::new().await;
    world.log().grow([Signer::Release.signs(0)]);
    world.log().grow(other_leaves(2));
    world.log().refuse(Question::Leaves, 0, 1);
    assert_eq!(world.bad_step().await, "unavailable");
    // The checkpoint of 3 entries waits. One pass reads the bundle with them and the false leaf in the next one.
    world.log().grow([Signer::Release.signs(1)]);
    world.log().grow(other_leaves(400));
    world.log().swap(390, Signer::Mail.signs(7));
    assert_eq!(world.bad_step().await, "log-fault");
    assert_eq!(world.position().await, (3, 3));
    let at = |findings: &[Finding], index| {
        let at = findings.iter().filter(|f| f.index == Some(index));
        at.map(|f| (f.state, f.proven)).collect::<Vec<_>>()
    };
    let findings = world.findings().await;
    assert_eq!(at(&findings, 0), [(State::Open, Some(true)); 2]);
    assert_eq!(at(&findings, 3), [(State::Disputed, Some(false)); 2]);
    let first = findings.iter().find(|f| f.index == Some(0)).unwrap();
    let kept = world.truly().kept_entry(first.id).await.unwrap().unwrap();
    assert!(kept.proof.is_some(), "its proof is kept with it");

    world.log().heal();
    world.good_step().await;
    let findings = world.findings().await;
    assert_eq!(at(&findings, 0), [(State::Open, Some(true)); 2]);
    assert_eq!(at(&findings, 3), [(State::Open, Some(true)); 2]);
}

#[tokio::test]
async fn a_log_that_signs_another_history_is_a_fork() {
    let mut world = proven_300().await;
    world.log().fork(200, Signer::UnknownIssuer.signs(2));
    assert_eq!(world.bad_step().await, "log-fault");
    assert_eq!(fault(&world).await, "fork");
    assert_eq!(world.position().await, (300, 300));
    let id = world.of("log-fault").await[0].id.to_string();
    let evidence = world.truly().finding(&id).await.unwrap().unwrap().evidence;
    assert_eq!(evidence.notes.len(), 2, "both signed notes");
}

#[tokio::test]
async fn a_fork_whose_tiles_cannot_be_had_is_a_root_mismatch() {
    let mut world = proven_300().await;
    world.log().fork(200, Signer::UnknownIssuer.signs(2));
    world.log().refuse(Question::Split, 0, 1);
    assert_eq!(world.bad_step().await, "log-fault");
    assert_eq!(fault(&world).await, "root-mismatch");
}

#[tokio::test]
async fn two_roots_for_one_size_are_a_fork_without_asking() {
    let mut world = proven_300().await;
    world.good_step().await;
    world.log().fork(5, Signer::UnknownIssuer.signs(3));
    world.log().refuse(Question::Split, 0, u32::MAX);
    assert_eq!(world.bad_step().await, "log-fault");
    assert_eq!(fault(&world).await, "fork");
    assert_eq!(world.position().await, (400, 400));
}

#[tokio::test]
async fn a_smaller_checkpoint_of_another_history_is_a_fork_at_once() {
    for known in [true, false] {
        let mut world = proven_300().await;
        world.good_step().await;
        world.log().fork(5, Signer::UnknownIssuer.signs(3));
        // 300 was verified before; for 350 only the proven tree shows the root.
        world.log().show(if known { 300 } else { 350 });
        if known {
            assert_eq!(world.bad_step().await, "log-fault");
            assert_eq!(fault(&world).await, "fork");
        } else {
            // The tiles that it serves belong to the other history: they do not give our root.
            assert_eq!(world.bad_step().await, "behind");
        }
        assert_eq!(world.position().await, (400, 400));
    }
}

#[tokio::test]
async fn a_lagging_replica_is_no_rollback_until_the_third_pass() {
    let mut world = proven_300().await;
    world.good_step().await;
    world.log().show(300);
    for _ in 0..2 {
        assert_eq!(world.bad_step().await, "behind");
        assert!(world.of("log-fault").await.is_empty());
    }
    // A replica that catches up in between starts the count again.
    world.log().show(400);
    world.good_step().await;
    world.log().show(300);
    for _ in 0..2 {
        assert_eq!(world.bad_step().await, "behind");
        world.restart().await;
        assert!(
            world.of("log-fault").await.is_empty(),
            "counted in the store"
        );
    }
    world.bad_step().await;
    assert_eq!(fault(&world).await, "rollback");
    assert_eq!(world.position().await, (400, 400));
    world.bad_step().await;
    assert_eq!(fault(&world).await, "rollback");
}

/// [`proven_300`], read to its end, with the usual time before a smaller checkpoint is a rollback.
async fn patient() -> World {
    let mut world = proven_300().await;
    world.good_step().await;
    Arc::make_mut(&mut world.logs[0].shard).rollback_after = Duration::from_mins(10);
    world
}

#[tokio::test]
async fn passes_within_a_second_are_no_rollback_before_its_time_is_over() {
    let mut world = patient().await;
    world.log().show(300);
    for _ in 0..5 {
        assert_eq!(world.bad_step().await, "behind");
        assert!(world.of("log-fault").await.is_empty());
        world.restart().await;
    }
    world.clock.advance(10 * 60 - 1);
    world.bad_step().await;
    assert!(world.of("log-fault").await.is_empty(), "a second too early");
    world.clock.advance(1);
    assert_eq!(world.bad_step().await, "behind");
    assert_eq!(fault(&world).await, "rollback");
}

#[tokio::test]
async fn the_time_of_a_rollback_without_its_three_passes_is_none() {
    let mut world = patient().await;
    world.log().show(300);
    for _ in 0..2 {
        assert_eq!(world.bad_step().await, "behind");
        world.clock.advance(60 * 60);
        assert!(world.of("log-fault").await.is_empty());
    }
    world.bad_step().await;
    assert_eq!(fault(&world).await, "rollback");
}

#[tokio::test]
async fn a_replica_that_catches_up_resets_the_time_of_a_rollback_and_an_outage_does_not() {
    let mut world = patient().await;
    world.log().show(300);
    world.bad_step().await;
    world.bad_step().await;
    world.clock.advance(11 * 60);
    world.log().show(400);
    world.good_step().await;
    world.log().show(300);
    for _ in 0..3 {
        world.bad_step().await;
    }
    assert!(world.of("log-fault").await.is_empty());
    world.log().refuse(Question::Checkpoint, 0, 1);
    world.clock.advance(10 * 60);
    assert_eq!(world.bad_step().await, "unavailable");
    assert_eq!(world.bad_step().await, "behind");
    assert_eq!(fault(&world).await, "rollback");
}

#[tokio::test]
async fn a_row_of_smaller_checkpoints_that_began_by_a_clock_far_ahead_begins_when_it_is_right_again()
 {
    let mut world = patient().await;
    world.log().show(300);
    let year = 365 * 24 * 60 * 60;
    world.clock.advance(year);
    world.bad_step().await;
    world.clock.advance(-year);
    for _ in 0..2 {
        world.bad_step().await;
    }
    assert!(world.of("log-fault").await.is_empty());
    world.clock.advance(10 * 60);
    world.bad_step().await;
    assert_eq!(fault(&world).await, "rollback");
}

#[tokio::test]
async fn growth_after_a_freeze_is_a_fault_and_is_read_all_the_same() {
    let mut world = proven_300().await;
    world.good_step().await;
    world.log().freeze();
    world.good_step().await;
    assert_eq!(world.state().await.frozen.unwrap().0, 400);
    world.log().heal();
    world.log().grow([Signer::Release.signs(9)]);
    world.step().await.unwrap();
    assert_eq!(fault(&world).await, "grew-after-freeze");
    assert_eq!(world.position().await, (401, 401));
    assert!(
        world
            .findings()
            .await
            .iter()
            .any(|f| f.index == Some(400) && f.proven == Some(true))
    );
}

#[tokio::test]
async fn a_fault_that_is_acknowledged_returns_with_another_root() {
    let mut world = proven_300().await;
    world.log().fork(200, Signer::UnknownIssuer.signs(2));
    world.bad_step().await;
    let id = world.of("log-fault").await[0].id;
    world
        .truly()
        .handle(&[id], &ack("known", world.now()))
        .await
        .unwrap();
    // The same fault again is the acknowledged one.
    world.bad_step().await;
    assert_eq!(world.of("log-fault").await[0].state, State::Acked);
    world.log().fork(200, Signer::UnknownIssuer.signs(3));
    world.bad_step().await;
    let again = world.of("log-fault").await;
    assert_eq!(
        (again.len(), again[0].id, again[0].state),
        (1, id, State::Open)
    );
    assert_eq!(world.delivered(id).len(), 2);
}

#[tokio::test]
async fn a_missing_bundle_keeps_what_was_read_before_it() {
    let mut world = proven_300().await;
    world.log().grow(other_leaves(300));
    world.log().hide_from(512);
    assert_eq!(world.bad_step().await, "unavailable");
    assert_eq!(world.position().await, (512, 300));
    // Signings are alerted when they are seen, proven or not.
    let mine = world
        .findings()
        .await
        .into_iter()
        .find(|f| f.index == Some(300))
        .unwrap();
    assert_eq!((mine.state, mine.proven), (State::Open, Some(false)));
    assert_eq!(world.delivered(mine.id).len(), 1);
    world.log().heal();
    world.good_step().await;
    assert_eq!(world.position().await, (700, 700));
}

#[tokio::test]
async fn a_forged_head_that_waits_is_distinguished_from_the_true_one_by_the_leaves() {
    let mut world = proven_300().await;
    world.log().grow(other_leaves(300));
    world.log().fork(200, Signer::UnknownIssuer.signs(2));
    world.log().hide_from(512);
    assert_eq!(world.bad_step().await, "unavailable");
    assert_eq!(world.position().await, (512, 300));
    // The true checkpoint of the same size contradicts the pending one: two histories were signed. The leaves show
    // which of them is served, and the forged one is dropped.
    world.log().heal();
    assert_eq!(world.bad_step().await, "log-fault");
    let mut faults: Vec<_> = world.of("log-fault").await;
    faults.sort_by_key(|finding| finding.fault);
    let kinds: Vec<_> = faults
        .iter()
        .filter_map(|f| f.fault.map(FaultKind::as_str))
        .collect();
    assert_eq!(kinds, ["fork", "root-mismatch"]);
    world.settle().await;
    assert_eq!(world.position().await, (700, 700));
}

#[tokio::test]
async fn a_log_that_cannot_be_read_for_three_passes_is_a_finding_that_resolves_itself() {
    let mut world = proven_300().await;
    world.log().hide_from(300);
    for _ in 0..2 {
        assert_eq!(world.bad_step().await, "unavailable");
        assert!(
            world.of("unavailable").await.is_empty(),
            "a lost connection is no news"
        );
    }
    world.bad_step().await;
    let blind = world.of("unavailable").await;
    assert_eq!((blind.len(), blind[0].state), (1, State::Open));
    world.log().heal();
    world.good_step().await;
    assert_eq!(world.of("unavailable").await[0].state, State::Resolved);
    let sent = world.delivered(blind[0].id);
    assert_eq!(sent.len(), 2, "the alert and its resolution");
    assert_eq!(sent[0].key, sent[1].key);
}

#[tokio::test]
async fn an_unverifiable_checkpoint_is_reported_at_once_and_moves_nothing() {
    let mut world = proven_300().await;
    let honest = String::from_utf8(world.log().note()).unwrap();
    for (what, note) in [
        ("empty", String::new()),
        ("a page", "<html>moved</html>".to_owned()),
        ("another size", honest.replacen("\n400\n", "\n500\n", 1)),
        (
            "another origin",
            honest.replacen("main.example", "mainz.example", 1),
        ),
        (
            "no signature",
            honest.split("\n\n").next().unwrap().to_owned() + "\n",
        ),
    ] {
        world.log().forge_checkpoint(note.as_bytes());
        assert_eq!(world.bad_step().await, "unverifiable-checkpoint", "{what}");
        assert_eq!(world.position().await, (300, 300), "{what}");
        let open = world.of("unverifiable-checkpoint").await;
        assert_eq!(
            open.iter().filter(|f| f.state == State::Open).count(),
            1,
            "{what}"
        );
    }
    world.log().heal();
    world.good_step().await;
    for finding in world.of("unverifiable-checkpoint").await {
        assert_eq!(finding.state, State::Resolved);
    }
}

#[tokio::test]
async fn an_old_checkpoint_that_is_replayed_ends_as_silence() {
    let mut world = proven_300().await;
    world.good_step().await;
    world.clock.advance(23 * 3600);
    world.good_step().await;
    assert!(world.of("silence").await.is_empty());
    world.clock.advance(2 * 3600);
    world.good_step().await;
    world.good_step().await;
    assert_eq!(world.of("silence").await.len(), 1, "once per episode");
    world.log().grow(other_leaves(1));
    world.good_step().await;
    assert_eq!(world.of("silence").await[0].state, State::Resolved);
    // A log that has declared its end need not grow.
    world.log().freeze();
    world.good_step().await;
    world.clock.advance(48 * 3600);
    world.good_step().await;
    assert_eq!(world.of("silence").await.len(), 1);
}
