//! Every method fails: before anything was done, or after all of it was, twice in a row, and the process ends each
//! time. The result is always the same as without a failure.

use std::collections::BTreeSet;

use modelwatch::finding::FindingId;

use crate::registered::expectation;
use crate::world::{
    Condition, Fault, MAIL, Mode, OWL, Question, RegisterOne as _, Signer, Spec, World, ack,
    other_leaves, unreadable,
};

/// Methods that change the stored data.
pub const WRITING: [&str; 18] = [
    "begin",
    "commit",
    "dispute",
    "end_pass",
    "watching",
    "rescanned",
    "release_holds",
    "request_rescan",
    "rescan_done",
    "assess",
    "handle",
    "rejudge",
    "register_all",
    "unregister",
    "claim_alerts",
    "record_delivery",
    "put_value",
    "prune",
];

/// Methods that only read: for them, a late failure is like an early one.
const READING: [&str; 12] = [
    "tree",
    "passed_tree",
    "checkpoint",
    "tree_coverage",
    "untrusted",
    "registrations",
    "rescans",
    "unhealthy_logs",
    "ahead_of",
    "alert_findings",
    "get_value",
    "finding",
];

type Outcome = BTreeSet<(FindingId, &'static str, &'static str, Option<bool>)>;

pub fn specs() -> Vec<Spec> {
    let tags =
        Condition::Glob("https://github.com/acme/owl/.github/workflows/release.yml@refs/tags/*");
    vec![
        Spec::new("scope", [Condition::Repository(OWL)])
            .shape([tags])
            .hold(600),
        Spec::new("mail", [Condition::San(MAIL)]),
    ]
}

/// A sequence that calls every method: two logs, a hold, a false leaf, a lagging replica, a later watch, a change of
/// the trusted root, registrations and an acknowledgement. Each step is repeated until it succeeds, with a restart
/// after each failure, and the invariants are checked every time.
async fn live(fault: Option<Fault>) -> (World, Outcome) {
    let mut world = World::with(
        &["main.example", "other.example"],
        specs(),
        &["oncall", "chat"],
    )
    .await;
    if let Some(fault) = fault {
        world.faults.arm(fault);
    }
    world.trust(false);
    world.log().grow(Signer::ALL.map(|signer| signer.signs(0)));
    world.log().grow(other_leaves(10));
    world.logs[1]
        .log
        .grow([Signer::Mail.signs(7), unreadable(0)]);
    world.settle().await;
    // Its CA is trusted now: the findings are judged again, and a signing in shape does not wait longer than it would
    // have.
    world.trust(true);
    world.log().grow([Signer::Release.signs(1)]);
    world.settle().await;
    world.clock.advance(700);
    world.settle().await;

    // A false leaf, served twice, then the true one.
    world.log().grow([
        Signer::Mail.signs(1),
        Signer::Release.signs(2),
        Signer::UnknownIssuer.signs(2),
    ]);
    world.log().swap(17, Signer::Mail.signs(99));
    until(&mut world, async |world| world.step().await.is_ok()).await;
    world.log().heal();
    world.settle().await;

    // A replica that lags.
    let size = world.log().truth().len() as u64;
    world.log().show(size - 2);
    until(&mut world, async |world| world.step().await.is_ok()).await;
    world.log().show(size);
    world.settle().await;

    // A watch that is added later, and the rescan that it needs.
    let mut later = specs();
    later.push(Spec::new("late", [Condition::Issuer(crate::world::GITHUB)]));
    world.watch(later).await;
    world.settle().await;
    until(&mut world, async |world| {
        let now = world.now();
        world.store().request_rescan(None, now).await.is_ok()
    })
    .await;
    world.settings.every_log = true;
    // Requested once: whatever fails from here on, the request stays until the rescan is done.
    until(&mut world, async |world| {
        world.rescan_as_requested().await.is_ok()
    })
    .await;
    assert_eq!(world.truly().rescans().await.unwrap(), []);
    world.settle().await;

    // The owner's signings, registered before and after they are seen; one of the registrations is removed.
    let (early, late) = (Signer::Mail.signs(50), Signer::Mail.signs(1));
    for leaf in [&early, &late] {
        until(&mut world, async |world| {
            world
                .store()
                .register(&expectation(leaf), "mine.json", world.now())
                .await
                .is_ok()
        })
        .await;
    }
    world.log().grow([early]);
    world.settle().await;
    until(&mut world, async |world| {
        let Ok(all) = world.store().registrations().await else {
            return false;
        };
        let of_late = all
            .iter()
            .find(|r| r.expectation.leaf_hashes == [*late.hash.as_bytes()]);
        match of_late {
            Some(registration) => world
                .store()
                .unregister(registration.number, world.now())
                .await
                .is_ok(),
            None => true,
        }
    })
    .await;
    world.settle().await;
    until(&mut world, async |world| {
        let mail = world.findings().await;
        let mail = mail
            .iter()
            .find(|f| f.watch.as_deref() == Some("mail") && f.index == Some(2));
        let id = mail.expect("the person's first signing").id;
        let known = world.store().finding(&id.to_string()).await.is_ok();
        known
            && world
                .store()
                .handle(&[id], &ack("known", world.now()))
                .await
                .is_ok()
    })
    .await;
    // The day's digests.
    world.clock.advance(25 * 3600);
    world.log().grow(other_leaves(3));
    world.logs[1].log.grow(other_leaves(3));
    world.settle().await;
    let outcome = world.outcome().await;
    (world, outcome)
}

/// Repeats the failed step, after a restart, until it succeeds.
async fn until(world: &mut World, mut step: impl AsyncFnMut(&mut World) -> bool) {
    for _ in 0..8 {
        if step(world).await {
            world.check().await;
            return;
        }
        world.restart().await;
        world.check().await;
    }
    panic!("it never goes well");
}

#[tokio::test]
async fn every_method_of_the_store_may_fail_twice_in_either_way() {
    let (world, expected) = live(None).await;
    let uses = world.faults.uses();
    for method in WRITING.iter().chain(&READING) {
        assert!(uses.contains_key(method), "nothing goes through {method}");
    }
    for (methods, modes) in [
        (
            &WRITING[..],
            &[Mode::NotDone, Mode::DoneButReportedFailed][..],
        ),
        (&READING[..], &[Mode::NotDone][..]),
    ] {
        for method in methods {
            for mode in modes {
                // The first use, and one in the middle of the life.
                let middle = uses[method] / 2;
                for after in BTreeSet::from([0, middle]) {
                    let fault = Fault {
                        method,
                        mode: *mode,
                        after,
                        times: 2,
                    };
                    let (world, outcome) = live(Some(fault)).await;
                    assert!(world.faults.fired() > 0, "{fault:?} never struck");
                    assert_same(&expected, &outcome, &format!("{fault:?}"));
                }
            }
        }
    }
}

#[tokio::test]
async fn every_question_to_a_log_may_fail_at_any_use() {
    for question in Question::ALL {
        for after in 0..6 {
            let mut world = World::new().await;
            world.logs[0] =
                crate::world::Watched::new("main.example", modelwatch::log::Start::Index(3));
            world.log().grow((0..1300).map(|at| {
                if at % 50 == 0 {
                    Signer::ALL[at / 50 % 5].signs(at as u64)
                } else {
                    plain(at)
                }
            }));
            world.log().refuse(question, after, 2);
            let mut passes = 0;
            while world
                .step()
                .await
                .unwrap()
                .iter()
                .any(|outcome| !outcome.proven)
            {
                world.restart().await;
                passes += 1;
                assert!(
                    passes <= 2,
                    "{question:?} after {after}: more failures than were planned"
                );
            }
            // Requests are sent in advance: both failures may happen in one pass.
            assert!(world.log().refused() >= passes && (after > 0 || passes > 0));
            assert_eq!(
                world.position().await,
                (1300, 1300),
                "{question:?} after {after}"
            );
            assert!(
                world
                    .findings()
                    .await
                    .iter()
                    .all(|f| f.proven == Some(true)),
                "{question:?} after {after}"
            );
        }
    }
}

fn plain(at: usize) -> crate::world::Leaf {
    let recorded = crate::world::recorded();
    recorded[at % recorded.len()].clone()
}

fn assert_same(expected: &Outcome, outcome: &Outcome, what: &str) {
    let missing: Vec<_> = expected.difference(outcome).collect();
    let unwanted: Vec<_> = outcome.difference(expected).collect();
    assert!(
        missing.is_empty() && unwanted.is_empty(),
        "{what}\nmissing: {missing:#?}\nunwanted: {unwanted:#?}"
    );
}
