//! For every order of offers, reads, saves and false leaves: what the follower calls proven is true, and with an honest
//! log it ends proven at the largest head.

use super::*;
use crate::testing::{Signer, Tree, leaf};
use alloc::vec::Vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Offer(u64),
    /// Reads at most this many leaves.
    Read(u64),
    /// Reads, and one of the served leaves is false.
    ReadFalse(u64),
    SaveAndResume,
}

fn step(largest: u64) -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..=largest).prop_map(Step::Offer),
        3 => (1_u64..40).prop_map(Step::Read),
        1 => (1_u64..40).prop_map(Step::ReadFalse),
        1 => Just(Step::SaveAndResume),
    ]
}

/// Every invariant of a follower of an honest log.
fn check(follower: &Follower, honest: &[CompactRange], served_false: bool) {
    let state = follower.state();
    let at = |size| &honest[usize::try_from(size).expect("a test's tree fits memory")];
    assert!(state.proven.size() <= state.seen.size());
    assert!(
        state.seen.size()
            <= state
                .head
                .as_ref()
                .map_or(state.seen.size(), |head| head.size)
    );
    assert!(state.pending.len() <= MAX_PENDING);
    assert_eq!(
        &state.proven,
        at(state.proven.size()),
        "what is proven is true"
    );
    assert!(served_false || &state.seen == at(state.seen.size()));
    assert_eq!(Follower::resume(state).as_ref(), Ok(follower));
}

fn read(follower: &mut Follower, limit: u64, lie: bool) -> Result<(), LogFault> {
    let Some(want) = follower.want(limit) else {
        return Ok(());
    };
    let mut leaves: Vec<Hash> = want.clone().map(leaf).collect();
    if lie {
        leaves[0] = leaf(u64::MAX);
    }
    match follower.absorb(want.start, leaves) {
        Ok(progress) => {
            assert_eq!(progress.seen, want.end);
            Ok(())
        }
        Err(AbsorbError::Fault(fault)) => Err(fault),
        Err(error) => panic!("{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_interleaving_ends_proven_at_the_largest_head(
        base in 0_u64..50,
        steps in prop::collection::vec(step(300), 0..40),
        largest in 300_u64..400,
        batch in 1_u64..200,
    ) {
        let log = Signer::new("log.example", 1);
        let honest = Tree::of(400).frontiers();
        let checkpoint = |size| log.checkpoint(size, honest[usize::try_from(size).expect("small")].root());
        let mut follower = Follower::new(Tree::of(base).frontier());
        let mut served_false = false;
        for step in steps {
            let proven = follower.proven();
            match step {
                Step::Offer(size) => {
                    // An honest checkpoint can contradict only leaves that were read falsely.
                    let offer = follower.offer(&checkpoint(size));
                    prop_assert!(offer.is_ok() || served_false);
                    served_false &= offer.is_ok();
                }
                Step::Read(limit) => {
                    let result = read(&mut follower, limit, false);
                    prop_assert!(result.is_ok() || served_false);
                    served_false &= result.is_ok();
                }
                Step::ReadFalse(limit) => {
                    let wanted = follower.want(limit).is_some();
                    served_false = match read(&mut follower, limit, true) {
                        Ok(()) => served_false || wanted,
                        Err(_) => false,
                    };
                }
                Step::SaveAndResume => follower = Follower::resume(follower.state()).expect("saved just now"),
            }
            prop_assert!(follower.proven() >= proven, "proven never falls");
            check(&follower, &honest, served_false);
        }

        let head = checkpoint(largest);
        while follower.proven() < largest {
            let _ = follower.offer(&head);
            if read(&mut follower, batch, false).is_err() {
                prop_assert!(served_false);
                served_false = false;
            }
            check(&follower, &honest, served_false);
        }
        prop_assert_eq!(follower.state().proven_head, Some(Head::from(&head)));
        prop_assert_eq!(follower.head().map(|head| head.size), Some(largest));
    }
}

#[test]
fn every_batch_size_proves_every_tree() {
    let log = Signer::new("log.example", 1);
    for size in [1, 2, 3, 7, 8, 9, 64, 100, 255, 256, 257] {
        let checkpoint = log.checkpoint(size, Tree::of(size).root());
        for batch in 1..=size + 1 {
            let mut follower = Follower::new(CompactRange::new());
            assert_eq!(follower.offer(&checkpoint), Ok(Offer::Ahead));
            while follower.want(batch).is_some() {
                assert_eq!(read(&mut follower, batch, false), Ok(()));
            }
            assert_eq!(follower.proven(), size, "in batches of {batch}");
        }
    }
}
