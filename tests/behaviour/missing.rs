//! Entries that registered bundles name, and that the log has or does not have.

use modelwatch::expect::{Authority, Expectation, NamedEntry};
use modelwatch::finding::{Severity, State, Verdict};
use modelwatch::log::Start;
use modelwatch::store::{NewRegistration, Registrar};

use crate::registered::expectation;
use crate::world::{Leaf, Question, Signer, Watched, World, other_leaves};

/// A bundle of this leaf that names this entry of the log.
fn naming(leaf: &Leaf, index: u64, origin: Option<&str>, key: &str) -> Expectation {
    Expectation {
        leaf_hashes: vec![*leaf.hash.as_bytes()],
        entries: vec![NamedEntry {
            log_id: format!("{key}00000000"),
            log_index: index,
            kind: "hashedrekord 0.0.2".to_owned(),
            origin: origin.map(str::to_owned),
            checkpoint: None,
        }],
        ..expectation(&Signer::Mail.signs(0))
    }
}

async fn register(world: &World, authority: Authority, expectation: Expectation) {
    let new = NewRegistration {
        by: Registrar::command(authority, None),
        ..NewRegistration::by_operator("owl.sig".to_owned(), expectation)
    };
    world
        .truly()
        .register_all(&[new], world.now())
        .await
        .unwrap();
}

const MAIN: Option<&str> = Some("main.example");

async fn missing(world: &World) -> usize {
    world.of("missing").await.len()
}

#[tokio::test]
async fn an_entry_with_another_leaf_is_missing_after_two_passes_and_not_after_one() {
    for authority in [Authority::Operator, Authority::Repository] {
        let mut world = World::new().await;
        let lost = Signer::Release.signs(7);
        register(&world, authority, naming(&lost, 3, MAIN, "00000000")).await;
        world.log().grow(other_leaves(3));
        world.good_step().await;
        world.good_step().await;
        assert_eq!(missing(&world).await, 0, "the log has not grown so far");
        world.log().grow(other_leaves(3));
        world.good_step().await;
        assert_eq!(missing(&world).await, 0, "after one pass");
        world.good_step().await;
        let finding = world.of("missing").await.remove(0);
        assert_eq!(
            (
                finding.severity,
                finding.state,
                finding.index,
                finding.proven
            ),
            (Severity::High, State::Open, Some(3), Some(true))
        );
        assert!(finding.summary.contains("owl.sig"), "{}", finding.summary);
        assert_eq!(world.delivered(finding.id).len(), 1);
        world.good_step().await;
        assert_eq!(world.delivered(finding.id).len(), 1, "once");
        // Without its registration it is over.
        let number = world.truly().registrations().await.unwrap()[0].number;
        world.truly().unregister(number, world.now()).await.unwrap();
        let findings = world.findings().await;
        let resolved = findings
            .iter()
            .find(|finding| finding.verdict == Verdict::Missing);
        assert_eq!(resolved.unwrap().state, State::Resolved);
    }
}

#[tokio::test]
async fn what_cannot_be_asked_and_what_a_signer_states_is_never_missing() {
    let mut world = World::new().await;
    let lost = Signer::Release.signs(7);
    register(
        &world,
        Authority::Signer,
        naming(&lost, 3, MAIN, "00000000"),
    )
    .await;
    // A log that is not followed, by its origin and by its key.
    register(
        &world,
        Authority::Operator,
        naming(&lost, 3, Some("other.example"), "00000000"),
    )
    .await;
    world.log().grow(other_leaves(9));
    for _ in 0..3 {
        world.good_step().await;
    }
    assert_eq!(missing(&world).await, 0);
    // A log that does not answer the question.
    let mut world = World::new().await;
    register(
        &world,
        Authority::Operator,
        naming(&lost, 3, MAIN, "00000000"),
    )
    .await;
    world.log().grow(other_leaves(9));
    world.log().refuse(Question::Split, 0, 1000);
    for _ in 0..3 {
        world.step().await.unwrap();
    }
    assert_eq!(missing(&world).await, 0);
    world.log().refuse(Question::Split, 0, 0);
    world.good_step().await;
    world.good_step().await;
    assert_eq!(missing(&world).await, 1, "it answers again");
}

#[tokio::test]
async fn an_entry_that_the_log_has_is_not_missing_wherever_it_is() {
    let leaves: Vec<Leaf> = other_leaves(9).collect();
    let mine = Signer::Mail.signs(0);
    let mut world = World::new().await;
    // Before the first position, too.
    world.logs[0] = Watched::new("main.example", Start::Index(5));
    world.log().grow(leaves.clone());
    world.log().grow([mine.clone()]);
    let by_key = {
        let shard = &world.logs[0].shard;
        shard.verifiers[0].id().to_string()
    };
    register(
        &world,
        Authority::Operator,
        naming(&leaves[2], 2, MAIN, "00000000"),
    )
    .await;
    register(
        &world,
        Authority::Operator,
        naming(&leaves[7], 7, None, &by_key),
    )
    .await;
    register(
        &world,
        Authority::Repository,
        naming(&mine, 9, MAIN, &by_key),
    )
    .await;
    for _ in 0..3 {
        world.good_step().await;
    }
    assert_eq!(missing(&world).await, 0);
    register(&world, Authority::Operator, naming(&mine, 1, None, &by_key)).await;
    for _ in 0..3 {
        world.good_step().await;
    }
    assert_eq!(
        missing(&world).await,
        1,
        "by the key, and before the first position"
    );
}
