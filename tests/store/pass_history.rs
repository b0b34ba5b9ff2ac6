//! The history of passes and bundles that the health checks need.

use modelwatch::expect::{Expectation, NamedEntry, SignedAs};
use modelwatch::finding::{Evidence, NewFinding};
use modelwatch::identity::Chain;
use modelwatch::store::{
    NewLog, Outcome, PassError, PassHistory, PassReport, RECENT_PASSES, Restart, Settled,
    VerifiedHead,
};

use crate::scratch::{LOG, ORIGIN, ScratchStore, at, follower, head, leaf, signing, watched};

fn report(outcome: Outcome, minutes: i64, rate_limited: bool) -> PassReport {
    PassReport {
        origin: ORIGIN.into(),
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
        kind: "unavailable".into(),
        message: "why".into(),
    })
}

#[tokio::test]
async fn the_last_passes_are_kept_oldest_first_and_no_more() {
    let scratch = ScratchStore::with_log().await;
    assert_eq!(
        scratch.store.pass_history(ORIGIN).await.unwrap(),
        PassHistory::default()
    );
    for minutes in 1..=9 {
        let outcome = if minutes == 8 {
            refused()
        } else {
            Outcome::Proven
        };
        let report = report(outcome, minutes, false);
        scratch.store.end_pass(&report).await.unwrap();
    }
    let scratch = scratch.after_a_crash().await;
    let recent = scratch.store.pass_history(ORIGIN).await.unwrap().recent;
    assert_eq!(recent.len(), RECENT_PASSES);
    let ends: Vec<_> = recent
        .iter()
        .map(|pass| (pass.ended, pass.proven))
        .collect();
    assert_eq!(ends.first(), Some(&(at(4), true)));
    assert_eq!(ends[4..], [(at(8), false), (at(9), true)]);
    assert_eq!((recent[5].began, recent[5].entries), (at(8), 9));
    let other = scratch.store.pass_history("other.example").await.unwrap();
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
        let report = report(outcome, minutes, limited);
        scratch.store.end_pass(&report).await.unwrap();
        let pass_history = scratch.store.pass_history(ORIGIN).await.unwrap();
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
        // Only the earlier findings are left.
        scratch.begin(0).await;
        scratch.read((0, 0), (9, 0), vec![signing(3)]).await;
    }
    let log = NewLog {
        origin: "again.example".into(),
        name: LOG.into(),
        protocol: "rekor-v2".into(),
        base: 0,
        follower: follower(first, first),
        checkpoints: vec![head(first.max(1))],
        now: at(1),
    };
    scratch.store.begin(&log).await.unwrap();
    scratch
        .store
        .pass_history("again.example")
        .await
        .unwrap()
        .restart
}

#[tokio::test]
async fn a_log_without_a_past_is_not_begun_anew() {
    for (first, found) in [(0, false), (5, false), (5, true)] {
        assert_eq!(
            begun_anew(first, found).await,
            None,
            "another log's past is no past"
        );
    }
}

#[tokio::test]
async fn a_log_that_begins_behind_what_was_shown_of_it_is_begun_anew() {
    let scratch = ScratchStore::open().await;
    let shown = VerifiedHead {
        origin: ORIGIN.into(),
        name: LOG.into(),
        protocol: "rekor-v2".into(),
        base: 0,
        expected: None,
        head: head(7),
        now: at(0),
    };
    scratch.store.record_head(&shown).await.unwrap();
    scratch.begin(9).await;
    let restart = scratch.store.pass_history(ORIGIN).await.unwrap().restart;
    let restart = restart.map(|restart| (restart.first, restart.reached));
    assert_eq!(restart, Some((9, 7)));
}

#[tokio::test]
async fn signings_are_seen_once_and_by_the_watches_that_were_asked_for() {
    let scratch = ScratchStore::with_log().await;
    let watches = ["quiet".to_owned(), "absent".to_owned()];
    let seen = async |after| scratch.store.seen_since(&watches, after).await.unwrap();
    assert_eq!(seen(0).await, (0, [].into()));
    scratch
        .read((0, 0), (9, 0), vec![watched("quiet", 3), signing(4)])
        .await;
    let (after, found) = seen(0).await;
    // The issue date of a trusted certificate shows when its owner signed.
    let when = scratch.get(watched("quiet", 3).finding.id).await.not_before;
    assert_eq!(found, [("quiet".to_owned(), when.unwrap())].into());
    assert_eq!(seen(after).await, (after, [].into()));
    assert_eq!(scratch.store.seen_since(&[], 0).await.unwrap().0, after);
}

fn carrying(index: u64, checkpoint: Option<&str>) -> Expectation {
    Expectation {
        leaf_hashes: vec![leaf(index)],
        digest: "sha256:00".into(),
        who: "somebody".into(),
        certificate_sha256: hex::encode([1; 32]),
        logged_sha256: None,
        signing: None,
        key_sha256: hex::encode([2; 32]),
        not_before: at(-1),
        entries: vec![NamedEntry {
            log_id: "00".into(),
            log_index: index,
            kind: "hashedrekord 0.0.2".into(),
            origin: checkpoint.map(|_| ORIGIN.to_owned()),
            checkpoint: checkpoint.map(str::to_owned),
        }],
    }
}

#[tokio::test]
async fn checkpoints_of_bundles_wait_once_until_they_are_settled() {
    let scratch = ScratchStore::with_log().await;
    let notes = async |scratch: &ScratchStore| -> Vec<String> {
        let waiting = scratch.store.bundle_checkpoints(ORIGIN, 10).await.unwrap();
        let notes = waiting
            .into_iter()
            .map(|bundle_checkpoints| bundle_checkpoints.note);
        notes.map(|note| String::from_utf8(note).unwrap()).collect()
    };
    // The same bundle again, later with a newer proof, and one without any.
    for (index, note) in [
        (1, Some("one")),
        (1, Some("one")),
        (1, Some("two")),
        (2, None),
    ] {
        let expectation = carrying(index, note);
        scratch
            .store
            .register(&expectation, "a.sig", at(1))
            .await
            .unwrap();
    }
    let scratch = scratch.after_a_crash().await;
    assert_eq!(notes(&scratch).await, ["one", "two"]);
    assert!(
        scratch
            .store
            .bundle_checkpoints("other.example", 10)
            .await
            .unwrap()
            .is_empty()
    );
    let first = scratch
        .store
        .bundle_checkpoints(ORIGIN, 1)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(first.file, "a.sig");
    scratch
        .store
        .settle(first.number, Settled::Agrees)
        .await
        .unwrap();
    scratch
        .store
        .register(&carrying(3, Some("one")), "b.sig", at(2))
        .await
        .unwrap();
    assert_eq!(
        notes(&scratch).await,
        ["two"],
        "what was settled is not asked again"
    );
}

/// A signing under a bare key.
fn by_key(index: u64, signature: Option<u8>, digest: &str) -> NewFinding {
    let mut new = watched("quiet", index);
    new.finding.chain = Some(Chain::None);
    new.finding.not_before = None;
    new.finding.certificate_sha256 = None;
    new.finding.digest = Some(digest.to_owned());
    new.finding.first_seen = at(i64::try_from(index).unwrap());
    new.evidence = Evidence {
        signed_as: signature.map(|signature| SignedAs {
            signature: [signature; 32],
            tbs: None,
            leaves: Vec::new(),
        }),
        ..Evidence::default()
    };
    new
}

#[tokio::test]
async fn a_signing_that_is_logged_again_is_no_sign_of_life() {
    let trusted = |index, not_before, first_seen| {
        let mut new = watched("quiet", index);
        new.finding.not_before = Some(at(not_before));
        new.finding.first_seen = at(first_seen);
        new
    };
    let unknown = |index, signature| {
        let mut new = by_key(index, Some(signature), "sha256:09");
        new.finding.chain = Some(Chain::Unknown);
        new.finding.not_before = Some(at(-7));
        new
    };
    let scratch = ScratchStore::with_log().await;
    let mut after = 0;
    let mut position = 0;
    for (what, found, seen) in [
        ("a certificate of then", vec![trusted(1, -9, 1)], Some(-9)),
        (
            "the same again: it was still issued then",
            vec![trusted(2, -9, 2)],
            Some(-9),
        ),
        (
            "one from the future counts from when it was seen",
            vec![trusted(3, 99, 3)],
            Some(3),
        ),
        (
            "a signature by a key",
            vec![by_key(4, Some(1), "sha256:01")],
            Some(4),
        ),
        (
            "the same again",
            vec![by_key(5, Some(1), "sha256:01")],
            None,
        ),
        (
            "as another kind, over another digest of it",
            vec![by_key(6, Some(1), "sha256:02")],
            None,
        ),
        (
            "another signature over the same",
            vec![by_key(7, Some(2), "sha256:01")],
            Some(7),
        ),
        (
            "both at once",
            vec![
                by_key(8, Some(3), "sha256:03"),
                by_key(9, Some(3), "sha256:03"),
            ],
            Some(8),
        ),
        (
            "none that is known, over something new",
            vec![by_key(10, None, "sha256:04")],
            Some(10),
        ),
        (
            "none that is known, over the same",
            vec![by_key(11, None, "sha256:04")],
            None,
        ),
        (
            "what was recorded without its signature",
            vec![by_key(12, Some(4), "sha256:04")],
            None,
        ),
        (
            "a known one in an entry that does not show its signature",
            vec![by_key(13, None, "sha256:01")],
            None,
        ),
        ("without a trusted issuer", vec![unknown(14, 5)], Some(-7)),
        ("nor when", vec![unknown(15, 5)], None),
    ] {
        let to = found.last().unwrap().finding.index.unwrap() + 1;
        scratch.read((position, 0), (to, 0), found).await;
        position = to;
        let (next, newest) = scratch
            .store
            .seen_since(&["quiet".to_owned()], after)
            .await
            .unwrap();
        after = next;
        assert_eq!(newest.get("quiet").copied(), seen.map(at), "{what}");
    }
}

#[tokio::test]
async fn one_entry_that_two_watches_select_is_seen_for_both() {
    let scratch = ScratchStore::with_log().await;
    let mut other = by_key(4, Some(1), "sha256:01");
    other.finding.watch = Some("falcon".to_owned());
    other.finding.id = watched("falcon", 4).finding.id;
    scratch
        .read((0, 0), (9, 0), vec![by_key(4, Some(1), "sha256:01"), other])
        .await;
    let watches = ["quiet".to_owned(), "falcon".to_owned()];
    let (_, seen) = scratch.store.seen_since(&watches, 0).await.unwrap();
    assert_eq!(seen.len(), 2);
}
