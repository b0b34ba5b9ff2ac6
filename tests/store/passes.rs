//! The laws of `Passes`.

use jiff::Timestamp;
use modelwatch::log::{LogId, Part, Protocol, TreeId};
use modelwatch::store::{
    NewTree, Outcome, PassError, PassErrorKind, PassHistory, PassReport, RECENT_PASSES, Restart,
    VerifiedHead,
};

use crate::scratch::{LOG, ScratchStore, at, batch, follower, head, log_id, signing, tree};

fn report(outcome: Outcome, now: Timestamp) -> PassReport {
    PassReport {
        log: log_id(),
        part: Part::Tree(tree()),
        name: "renamed".into(),
        outcome,
        frozen: None,
        witnessed: None,
        began: now,
        entries: 0,
        rate_limited: false,
        head_time: None,
        now,
    }
}

fn error(kind: PassErrorKind) -> PassError {
    PassError {
        kind,
        message: "why".into(),
    }
}

#[tokio::test]
async fn passes_are_counted_in_rows() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (7, 0), vec![]).await;
    let unavailable = || Outcome::Failed(error(PassErrorKind::Unavailable));
    let behind = || Outcome::Behind(error(PassErrorKind::Behind));
    // (behind, failed, backlog): 7 of 17 entries are read, so that all but a proven pass leave a backlog.
    let table = [
        (behind(), (1, 0, 1)),
        (unavailable(), (1, 1, 2)),
        (behind(), (2, 0, 3)),
        (unavailable(), (2, 1, 4)),
        (unavailable(), (2, 2, 5)),
        (Outcome::Interrupted, (0, 2, 6)),
        (Outcome::Proven, (0, 0, 0)),
    ];
    for (step, (outcome, counts)) in table.into_iter().enumerate() {
        scratch
            .store
            .end_pass(&report(outcome.clone(), at(9)))
            .await
            .unwrap();
        let log = scratch.store.tree(&tree()).await.unwrap().unwrap();
        assert_eq!(
            (log.behind_passes, log.failed_passes, log.backlog_passes),
            counts,
            "step {step}"
        );
        assert_eq!(
            log.error.is_some(),
            matches!(outcome, Outcome::Behind(_) | Outcome::Failed(_))
        );
        assert_eq!(
            log.last_success,
            (outcome == Outcome::Proven).then(|| at(9))
        );
        assert_eq!(log.name, "renamed");
    }
}

#[tokio::test]
async fn a_log_that_was_never_reached_is_known_by_its_errors_and_can_still_begin() {
    let scratch = ScratchStore::open().await;
    scratch
        .store
        .end_pass(&report(
            Outcome::Failed(error(PassErrorKind::Unavailable)),
            at(1),
        ))
        .await
        .unwrap();
    let log = scratch.store.tree(&tree()).await.unwrap().unwrap();
    assert_eq!((log.follower, log.failed_passes), (None, 1));
    scratch.begin(3).await;
    let log = scratch.store.tree(&tree()).await.unwrap().unwrap();
    assert_eq!((log.follower, log.failed_passes), (Some(follower(3, 3)), 1));
}

#[tokio::test]
async fn the_age_of_a_size_counts_from_its_first_sight_or_a_witness_but_never_from_the_future() {
    let scratch = ScratchStore::with_log().await;
    let since = async || {
        scratch
            .store
            .tree(&tree())
            .await
            .unwrap()
            .unwrap()
            .size_since
    };
    scratch.read((0, 0), (5, 5), vec![]).await;
    assert_eq!(since().await, at(1));
    let mut same = batch((5, 5), (5, 5), vec![]);
    same.now = at(7);
    scratch.store.commit(&same).await.unwrap();
    assert_eq!(since().await, at(1), "no larger size was seen");
    for (witnessed, expected) in [(at(3), at(3)), (at(2), at(3)), (at(99), at(10))] {
        let report = PassReport {
            witnessed: Some(witnessed),
            ..report(Outcome::Proven, at(10))
        };
        scratch.store.end_pass(&report).await.unwrap();
        assert_eq!(since().await, expected);
    }
    // A head with a time is as old as that, even if it is older than the last one; but never from the future.
    for (head_time, expected) in [(at(1), at(1)), (at(5), at(5)), (at(99), at(10))] {
        let report = PassReport {
            head_time: Some(head_time),
            ..report(Outcome::Proven, at(10))
        };
        scratch.store.end_pass(&report).await.unwrap();
        assert_eq!(since().await, expected);
    }
}

fn ended(outcome: Outcome, minutes: i64, rate_limited: bool) -> PassReport {
    PassReport {
        log: log_id(),
        part: Part::Tree(tree()),
        name: LOG.into(),
        outcome,
        frozen: None,
        witnessed: None,
        began: at(minutes - 1),
        entries: minutes.unsigned_abs(),
        rate_limited,
        head_time: None,
        now: at(minutes),
    }
}

fn refused() -> Outcome {
    Outcome::Failed(PassError {
        kind: PassErrorKind::Unavailable,
        message: "why".into(),
    })
}

#[tokio::test]
async fn the_last_passes_are_kept_oldest_first_and_no_more() {
    let scratch = ScratchStore::with_log().await;
    assert_eq!(
        scratch
            .store
            .pass_history(&log_id(), &Part::Tree(tree()))
            .await
            .unwrap(),
        PassHistory::default()
    );
    for minutes in 1..=9 {
        let outcome = if minutes == 8 {
            refused()
        } else {
            Outcome::Proven
        };
        let report = ended(outcome, minutes, false);
        scratch.store.end_pass(&report).await.unwrap();
    }
    let scratch = scratch.after_a_crash().await;
    let recent = scratch
        .store
        .pass_history(&log_id(), &Part::Tree(tree()))
        .await
        .unwrap()
        .recent;
    assert_eq!(recent.len(), RECENT_PASSES);
    let ends: Vec<_> = recent
        .iter()
        .map(|pass| (pass.ended, pass.proven))
        .collect();
    assert_eq!(ends.first(), Some(&(at(4), true)));
    assert_eq!(ends[4..], [(at(8), false), (at(9), true)]);
    assert_eq!((recent[5].began, recent[5].entries), (at(8), 9));
    let other = Part::Tree(TreeId::new("other.example"));
    let other = scratch.store.pass_history(&log_id(), &other).await.unwrap();
    assert_eq!(other, PassHistory::default());
}

#[tokio::test]
async fn refusals_are_counted_from_the_first_and_only_another_end_ends_them() {
    let scratch = ScratchStore::with_log().await;
    let table = [
        (refused(), true, (1, Some(1))),
        (refused(), true, (2, Some(1))),
        // The program itself ended it: this is no evidence about the log.
        (Outcome::Interrupted, false, (2, Some(1))),
        (refused(), true, (3, Some(1))),
        (refused(), false, (0, None)),
        (refused(), true, (1, Some(6))),
        (Outcome::Proven, false, (0, None)),
    ];
    for (minutes, (outcome, limited, (passes, since))) in (1..).zip(table) {
        let report = ended(outcome, minutes, limited);
        scratch.store.end_pass(&report).await.unwrap();
        let pass_history = scratch
            .store
            .pass_history(&log_id(), &Part::Tree(tree()))
            .await
            .unwrap();
        assert_eq!(
            (pass_history.limited_passes, pass_history.limited_since),
            (passes, since.map(at)),
            "after pass {minutes}"
        );
    }
}

/// Replaces the position of the log, as a manual repair would.
async fn begun_anew(first: u64, found: bool) -> Option<Restart> {
    let scratch = ScratchStore::open().await;
    if found {
        // What was found there before is all that is left.
        scratch.begin(0).await;
        scratch.read((0, 0), (9, 0), vec![signing(3)]).await;
    }
    let log = NewTree {
        id: TreeId::new("again.example"),
        log: LogId::new("again.example"),
        name: LOG.into(),
        protocol: Protocol::RekorV2,
        base: 0,
        follower: follower(first, first),
        checkpoints: vec![head(first.max(1))],
        now: at(1),
    };
    scratch.store.begin(&log).await.unwrap();
    scratch
        .store
        .pass_history(&log.log, &Part::Tree(log.id.clone()))
        .await
        .unwrap()
        .restart
}

#[tokio::test]
async fn the_first_position_of_a_new_log_is_no_restart() {
    for (first, found) in [(0, false), (5, false), (5, true)] {
        assert_eq!(
            begun_anew(first, found).await,
            None,
            "another log's past is no past"
        );
    }
}

#[tokio::test]
async fn a_first_position_behind_earlier_findings_is_a_restart() {
    let scratch = ScratchStore::open().await;
    let shown = VerifiedHead {
        tree: tree(),
        log: log_id(),
        name: LOG.into(),
        protocol: Protocol::RekorV2,
        base: 0,
        expected: None,
        head: head(7),
        now: at(0),
    };
    scratch.store.record_head(&shown).await.unwrap();
    scratch.begin(9).await;
    let restart = scratch
        .store
        .pass_history(&log_id(), &Part::Tree(tree()))
        .await
        .unwrap()
        .restart;
    let restart = restart.map(|restart| (restart.first, restart.reached));
    assert_eq!(restart, Some((9, 7)));
}
