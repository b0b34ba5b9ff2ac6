#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use super::*;
use crate::FaultKind;
use crate::testing::{Signer, Tree, leaf};
use alloc::vec;
use alloc::vec::Vec;

fn checkpoint(size: u64) -> Checkpoint {
    Signer::new("log.example", 1).checkpoint(size, Tree::of(size).root())
}

fn lying(size: u64) -> Checkpoint {
    Signer::new("log.example", 1).checkpoint(size, leaf(1_000_000 + size))
}

fn leaves(range: Range<u64>) -> Vec<Hash> {
    range.map(leaf).collect()
}

/// Follows the honest log to `size`.
fn proven_at(size: u64) -> Follower {
    let mut follower = Follower::new(CompactRange::new());
    assert_eq!(follower.offer(&checkpoint(size)), Ok(Offer::Ahead));
    let _ = follower.absorb(0, leaves(0..size)).unwrap();
    assert_eq!(follower.proven(), size);
    follower
}

#[test]
fn an_empty_log_is_followed() {
    let mut follower = proven_at(0);
    assert_eq!(follower.head().unwrap().size, 0);
    assert_eq!(follower.offer(&checkpoint(0)), Ok(Offer::Known));
    assert_eq!(follower.want(10), None);
}

#[test]
fn leaves_are_wanted_up_to_the_largest_head() {
    let mut follower = proven_at(3);
    assert_eq!(follower.want(10), None);
    assert_eq!(follower.offer(&checkpoint(5)), Ok(Offer::Ahead));
    assert_eq!(follower.offer(&checkpoint(9)), Ok(Offer::Ahead));
    assert_eq!(follower.want(10), Some(3..9));
    assert_eq!(follower.want(1), Some(3..4));
    assert_eq!(follower.want(0), None);
    assert_eq!(follower.want(u64::MAX), Some(3..9));
}

#[test]
fn progress_contains_the_proven_position() {
    let mut follower = proven_at(3);
    for size in [5, 7, 9] {
        assert_eq!(follower.offer(&checkpoint(size)), Ok(Offer::Ahead));
    }
    assert_eq!(
        follower.absorb(3, leaves(3..4)),
        Ok(Progress {
            seen: 4,
            proven: None
        })
    );
    assert_eq!(
        follower.absorb(4, leaves(4..8)),
        Ok(Progress {
            seen: 8,
            proven: Some(7)
        })
    );
    assert_eq!(
        follower.absorb(8, []),
        Ok(Progress {
            seen: 8,
            proven: None
        })
    );
    assert_eq!(
        follower.absorb(8, leaves(8..9)),
        Ok(Progress {
            seen: 9,
            proven: Some(9)
        })
    );
    assert_eq!(follower.state().pending, vec![]);
    assert_eq!(
        follower.state().proven_head,
        Some(Head::from(&checkpoint(9)))
    );
}

#[test]
fn a_checkpoint_smaller_than_what_was_read_moves_nothing() {
    let mut follower = proven_at(5);
    assert_eq!(follower.offer(&checkpoint(9)), Ok(Offer::Ahead));
    let _ = follower.absorb(5, leaves(5..7)).unwrap();
    let before = follower.clone();
    for size in [0, 4, 6] {
        assert_eq!(
            follower.offer(&checkpoint(size)),
            Ok(Offer::Behind),
            "size {size}"
        );
    }
    assert_eq!(follower.offer(&lying(4)), Ok(Offer::Behind));
    assert_eq!(follower.offer(&checkpoint(5)), Ok(Offer::Known));
    assert_eq!(follower.offer(&checkpoint(9)), Ok(Offer::Known));
    assert_eq!(follower, before);
}

#[test]
fn a_smaller_checkpoint_ahead_of_what_was_read_is_proven_on_the_way() {
    let mut follower = proven_at(5);
    assert_eq!(follower.offer(&checkpoint(9)), Ok(Offer::Ahead));
    let _ = follower.absorb(5, leaves(5..6)).unwrap();
    assert_eq!(follower.offer(&checkpoint(8)), Ok(Offer::Between));
    let progress = follower.absorb(6, leaves(6..8)).unwrap();
    assert_eq!(progress.proven, Some(8));
    assert_eq!(follower.head().map(|head| head.size), Some(9));
    assert_eq!(follower.want(9), Some(8..9));
}

#[test]
fn a_smaller_checkpoint_of_exactly_what_was_read_is_settled_at_once() {
    let mut follower = proven_at(5);
    assert_eq!(follower.offer(&checkpoint(9)), Ok(Offer::Ahead));
    let _ = follower.absorb(5, leaves(5..7)).unwrap();
    assert_eq!(follower.offer(&checkpoint(7)), Ok(Offer::Between));
    assert_eq!(follower.proven(), 7);
    let state = follower.state();
    assert_eq!(
        Follower::resume(state.clone()).map(|f| f.state()),
        Ok(state)
    );
}

#[test]
fn two_roots_for_one_size_are_a_fork_with_both_notes_and_move_nothing() {
    let mut follower = proven_at(5);
    assert_eq!(follower.offer(&checkpoint(9)), Ok(Offer::Ahead));
    let before = follower.clone();
    for size in [5, 9] {
        let fault = follower.offer(&lying(size)).unwrap_err();
        assert_eq!(
            fault,
            LogFault::Fork {
                size,
                first: Head::from(&checkpoint(size)).into(),
                second: Head::from(&lying(size)).into()
            }
        );
        assert_eq!(fault.notes().count(), 2);
        assert_eq!(follower, before);
    }
}

#[test]
fn a_checkpoint_for_exactly_what_we_read_is_settled_at_once() {
    let mut follower = Follower::new(Tree::of(5).frontier());
    assert_eq!(
        (follower.seen(), follower.proven(), follower.head()),
        (5, 5, None)
    );
    assert_eq!(follower.offer(&checkpoint(4)), Ok(Offer::Behind));
    assert_eq!(follower.offer(&checkpoint(5)), Ok(Offer::Ahead));
    assert_eq!(follower.want(10), None);
    assert_eq!(
        follower.state().proven_head,
        Some(Head::from(&checkpoint(5)))
    );
    assert_eq!(follower.offer(&checkpoint(5)), Ok(Offer::Known));
}

#[test]
fn a_checkpoint_that_contradicts_exactly_what_we_read_is_a_mismatch() {
    // With a base that was verified, but without the note with its root.
    let mut follower = Follower::new(Tree::of(5).frontier());
    let before = follower.clone();
    let fault = follower.offer(&lying(5)).unwrap_err();
    let expected = LogFault::RootMismatch {
        since: 5,
        size: 5,
        computed: Tree::of(5).root(),
        signed: lying(5).root(),
        note: lying(5).raw().clone(),
        proven_note: None,
    };
    assert_eq!(fault, expected);
    assert_eq!(follower, before);

    // With leaves that are read and not proven.
    let mut follower = proven_at(3);
    assert_eq!(follower.offer(&checkpoint(9)), Ok(Offer::Ahead));
    let _ = follower.absorb(3, leaves(3..5)).unwrap();
    assert_eq!(
        follower.offer(&lying(5)).unwrap_err().kind(),
        FaultKind::RootMismatch
    );
    assert_eq!(follower, proven_at(3));
}

#[test]
fn a_swapped_leaf_is_a_fault_and_rewinds_to_the_proven_head() {
    for swapped in 3..9 {
        for batch in 1..=6 {
            let mut follower = proven_at(3);
            assert_eq!(follower.offer(&checkpoint(9)), Ok(Offer::Ahead));
            let mut served = leaves(0..9);
            served[swapped] = leaf(77);
            let fault = loop {
                let want = follower.want(batch).unwrap();
                let part = usize::try_from(want.start).unwrap()..usize::try_from(want.end).unwrap();
                match follower.absorb(want.start, served[part].iter().copied()) {
                    Ok(progress) => assert_eq!(progress.proven, None),
                    Err(AbsorbError::Fault(fault)) => break fault,
                    Err(error) => panic!("{error}"),
                }
            };
            let LogFault::RootMismatch {
                since: 3,
                size: 9,
                signed,
                note,
                proven_note,
                ..
            } = fault
            else {
                panic!("{fault}")
            };
            assert_eq!(
                (signed, note, proven_note),
                (
                    checkpoint(9).root(),
                    checkpoint(9).raw().clone(),
                    Some(checkpoint(3).raw().clone())
                )
            );
            assert_eq!(follower, proven_at(3));

            assert_eq!(follower.offer(&checkpoint(9)), Ok(Offer::Ahead));
            assert_eq!(
                follower.absorb(3, leaves(3..9)),
                Ok(Progress {
                    seen: 9,
                    proven: Some(9)
                })
            );
        }
    }
}

#[test]
fn a_batch_that_fails_proves_none_of_its_leaves() {
    // The first of two heads matches, the second does not: nothing of this batch was reported yet, so none of it may
    // count.
    let mut follower = proven_at(3);
    assert_eq!(follower.offer(&checkpoint(5)), Ok(Offer::Ahead));
    assert_eq!(follower.offer(&lying(9)), Ok(Offer::Ahead));
    let Err(AbsorbError::Fault(fault)) = follower.absorb(3, leaves(3..9)) else {
        panic!("not noticed")
    };
    assert!(matches!(
        fault,
        LogFault::RootMismatch {
            since: 3,
            size: 9,
            ..
        }
    ));
    assert_eq!(follower, proven_at(3));
}

#[test]
fn leaves_out_of_place_change_nothing() {
    let mut follower = proven_at(3);
    assert_eq!(
        follower.absorb(3, leaves(3..4)),
        Err(AbsorbError::TooMany { head: 3 })
    );
    assert_eq!(follower.offer(&checkpoint(9)), Ok(Offer::Ahead));
    let before = follower.clone();
    assert_eq!(
        follower.absorb(4, leaves(4..5)),
        Err(AbsorbError::Gap {
            expected: 3,
            found: 4
        })
    );
    assert_eq!(
        follower.absorb(2, leaves(2..9)),
        Err(AbsorbError::Gap {
            expected: 3,
            found: 2
        })
    );
    assert_eq!(
        follower.absorb(3, (3..).map(leaf)),
        Err(AbsorbError::TooMany { head: 9 })
    );
    assert_eq!(follower, before);
}

#[test]
fn pending_heads_are_bounded_and_none_is_dropped() {
    let mut follower = proven_at(1);
    let most = u64::try_from(MAX_PENDING).unwrap();
    for size in 2..2 + most {
        assert_eq!(follower.offer(&checkpoint(size)), Ok(Offer::Ahead));
    }
    let next = checkpoint(2 + most);
    assert_eq!(follower.offer(&next), Ok(Offer::Full));
    assert_eq!(
        follower.offer(&lying(2)).unwrap_err().kind(),
        FaultKind::Fork
    );
    let _ = follower.absorb(1, leaves(1..2)).unwrap();
    assert_eq!(follower.offer(&next), Ok(Offer::Ahead));
    assert_eq!(follower.state().pending.len(), MAX_PENDING);
}

type Damage = fn(&mut FollowerState);

#[test]
fn a_stored_state_is_accepted_only_if_a_follower_could_be_in_it() {
    let mut follower = proven_at(6);
    assert_eq!(follower.offer(&checkpoint(20)), Ok(Offer::Ahead));
    assert_eq!(follower.offer(&checkpoint(30)), Ok(Offer::Ahead));
    let _ = follower.absorb(6, leaves(6..7)).unwrap();
    let good = follower.state();
    assert_eq!(Follower::resume(good.clone()), Ok(follower));

    let head = |size| Head::from(&checkpoint(size));
    let many = || {
        (8..=8 + u64::try_from(MAX_PENDING).unwrap())
            .map(head)
            .collect()
    };
    let damages: [(&str, Damage); 6] = [
        ("fewer leaves seen than proven", |state| {
            state.seen = Tree::of(5).frontier();
        }),
        ("seen is of another tree", |state| {
            let mut hashes = state.seen.hashes().to_vec();
            hashes[0] = leaf(99);
            state.seen = CompactRange::from_parts(7, hashes).unwrap();
        }),
        ("proven is of another tree", |state| {
            state.proven = CompactRange::from_parts(6, vec![leaf(1); 2]).unwrap();
        }),
        ("no head is pending", |state| {
            state.pending.clear();
            state.head.clone_from(&state.proven_head);
        }),
        ("pending is not sorted", |state| state.pending.reverse()),
        ("no head", |state| state.head = None),
    ];
    for (what, damage) in damages {
        let mut state = good.clone();
        damage(&mut state);
        assert!(Follower::resume(state).is_err(), "{what}");
    }
    for (what, damaged) in [
        (
            "the proven head is of another size",
            FollowerState {
                proven_head: Some(head(5)),
                ..good.clone()
            },
        ),
        (
            "the proven head has another root",
            FollowerState {
                proven_head: Some(Head::from(&lying(6))),
                ..good.clone()
            },
        ),
        (
            "a pending head is reached",
            FollowerState {
                pending: vec![head(7), head(30)],
                ..good.clone()
            },
        ),
        (
            "a size is pending twice",
            FollowerState {
                pending: vec![head(30), head(30)],
                ..good.clone()
            },
        ),
        (
            "too many are pending",
            FollowerState {
                pending: many(),
                head: many().pop(),
                ..good.clone()
            },
        ),
        (
            "the head is not the last pending one",
            FollowerState {
                head: Some(head(20)),
                ..good.clone()
            },
        ),
    ] {
        assert!(Follower::resume(damaged).is_err(), "{what}");
    }
    let mut vast = good.clone();
    vast.pending[1].size = u64::MAX;
    vast.head = vast.pending.last().cloned();
    assert!(Follower::resume(vast).is_err());
    // A base without a note is a separate state.
    let base = Follower::new(Tree::of(6).frontier());
    assert_eq!(Follower::resume(base.state()), Ok(base));
}
