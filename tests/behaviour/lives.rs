//! Random sequences of growth, false leaves, failures and crashes: in the end, a log that serves the truth is proven to
//! its end, with exactly the findings of a naive reader.

use modelwatch::finding::State;
use proptest::prelude::*;

use crate::faults::{WRITING, specs};
use crate::world::{BUNDLE, Fault, Mode, Question, Signer, World, other_leaves};

/// What may happen to a watch, in any order.
#[derive(Debug, Clone)]
enum Event {
    Grow(Vec<usize>),
    OtherLeaves(usize),
    Step,
    Restart,
    Store {
        method: usize,
        done: bool,
        after: u32,
        times: u32,
    },
    Source {
        question: usize,
        after: u32,
        times: u32,
    },
    Swap(usize),
    Fork(usize),
    Lag(usize),
    Hide(usize),
    Heal,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => prop::collection::vec(0..Signer::ALL.len(), 1..6).prop_map(Event::Grow),
        3 => (1..400_usize).prop_map(Event::OtherLeaves),
        8 => Just(Event::Step),
        2 => Just(Event::Restart),
        3 => (0..WRITING.len(), any::<bool>(), 0..4_u32, 1..3_u32)
            .prop_map(|(method, done, after, times)| Event::Store { method, done, after, times }),
        2 => (0..Question::ALL.len(), 0..4_u32, 1..3_u32)
            .prop_map(|(question, after, times)| Event::Source { question, after, times }),
        1 => any::<usize>().prop_map(Event::Swap),
        1 => any::<usize>().prop_map(Event::Fork),
        1 => any::<usize>().prop_map(Event::Lag),
        1 => any::<usize>().prop_map(Event::Hide),
        2 => Just(Event::Heal),
    ]
}

async fn any_life(events: Vec<Event>) {
    let mut world = World::with(&["main.example"], specs(), &["oncall"]).await;
    let mut salt = 0;
    for event in events {
        let size = world.log().truth().len();
        match event {
            Event::Grow(signers) => {
                let leaves = signers.into_iter().map(|signer| {
                    salt += 1;
                    Signer::ALL[signer].signs(salt)
                });
                world.log().grow(leaves.collect::<Vec<_>>());
            }
            Event::OtherLeaves(count) => world.log().grow(other_leaves(count)),
            Event::Step => {
                if world.step().await.is_err() {
                    world.restart().await;
                }
                world.clock.advance(60);
            }
            Event::Restart => world.restart().await,
            Event::Store {
                method,
                done,
                after,
                times,
            } => world.faults.arm(Fault {
                method: WRITING[method],
                mode: if done {
                    Mode::DoneButReportedFailed
                } else {
                    Mode::NotDone
                },
                after,
                times,
            }),
            Event::Source {
                question,
                after,
                times,
            } => {
                world.log().refuse(Question::ALL[question], after, times);
            }
            Event::Swap(at) if size > 0 => world
                .log()
                .swap((at % size) as u64, Signer::Mail.signs(1 << 40)),
            Event::Fork(at) => {
                // Another history beyond the proven part is not a fork here: it is the only known one.
                let known = world.truly().tree(&world.tree_id()).await.unwrap();
                let proven = known
                    .and_then(|s| s.follower)
                    .map_or(0, |f| f.proven.size());
                if proven > 0 {
                    world
                        .log()
                        .fork(at as u64 % proven, Signer::Mail.signs(1 << 41));
                }
            }
            Event::Lag(by) => world.log().show((size - by % (size + 1)) as u64),
            Event::Hide(at) => world.log().hide_from(at as u64 % (size as u64 + BUNDLE)),
            Event::Heal => world.log().heal(),
            Event::Swap(_) => {}
        }
    }
    world.faults.disarm();
    world.log().heal();
    world.log().grow(other_leaves(1));
    world.settle().await;
    let size = world.log().truth().len() as u64;
    assert_eq!(world.position().await, (size, size));
    let open: Vec<_> = world.findings().await;
    for finding in open.iter().filter(|f| f.state == State::Disputed) {
        assert_eq!(finding.proven, Some(false), "{finding:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_events_ends_proven_with_exactly_the_naive_findings(
        events in prop::collection::vec(event(), 1..24)
    ) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(any_life(events));
    }
}
