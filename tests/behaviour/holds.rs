//! Findings that wait, unalerted, for their registration.

use modelwatch::finding::{Finding, State};

use crate::world::{Condition, OWL, Question, Signer, Spec, World, crowd};

const TAGS: Condition =
    Condition::Glob("https://github.com/acme/owl/.github/workflows/release.yml@refs/tags/*");

/// Holds what comes from a tag for 45 minutes.
fn holding() -> Spec {
    Spec::new("scope", [Condition::Repository(OWL)])
        .shape([TAGS])
        .hold(45 * 60)
}

async fn held() -> World {
    let mut world = World::with(&["main.example"], vec![holding()], &["oncall"]).await;
    world.log().grow([Signer::Release.signs(0)]);
    world.good_step().await;
    assert_eq!(only(&world).await.state, State::Held);
    assert!(world.inbox.is_empty());
    world
}

async fn only(world: &World) -> Finding {
    let mut findings = world.findings().await;
    findings.retain(|finding| finding.index.is_some());
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.remove(0)
}

#[tokio::test]
async fn a_held_finding_is_alerted_when_its_time_is_over_whether_or_not_the_log_answers() {
    let mut world = held().await;
    world.clock.advance(44 * 60);
    world.good_step().await;
    assert_eq!(only(&world).await.state, State::Held);
    world.clock.advance(2 * 60);
    world.log().refuse(Question::Checkpoint, 0, 1);
    world.step().await.unwrap();
    let finding = only(&world).await;
    assert_eq!(finding.state, State::Open);
    assert_eq!(world.told(finding.id).len(), 1);
    world.good_step().await;
    assert_eq!(world.told(finding.id).len(), 1);
}

#[tokio::test]
async fn a_held_finding_is_alerted_when_its_watch_changes_or_goes() {
    let gone = vec![Spec::new("other", [Condition::San("nobody@acme.example")])];
    let changed = vec![holding().shape([TAGS, Condition::Issuer("https://issuer.example")])];
    let longer = vec![holding().hold(60 * 60)];
    for (specs, state) in [
        (gone, State::Open),
        (changed, State::Open),
        (longer, State::Held),
    ] {
        let mut world = held().await;
        world.watch(specs).await;
        world.good_step().await;
        let finding = only(&world).await;
        assert_eq!(finding.state, state);
        assert_eq!(
            world.told(finding.id).len(),
            usize::from(state == State::Open)
        );
    }
}

#[tokio::test]
async fn what_is_out_of_shape_or_untrusted_is_never_held() {
    let mut world = World::with(&["main.example"], vec![holding()], &["oncall"]).await;
    world
        .log()
        .grow([Signer::Branch.signs(0), Signer::Impostor.signs(0)]);
    world.good_step().await;
    assert!(
        world
            .findings()
            .await
            .iter()
            .all(|f| f.state == State::Open)
    );
    let branch = world.of("identity-unexpected").await;
    assert_eq!(branch[0].severity.as_str(), "critical");
    assert_eq!(world.told(branch[0].id).len(), 1);
}

#[tokio::test]
async fn a_held_finding_of_a_false_batch_is_alerted() {
    let mut world = World::with(&["main.example"], vec![holding()], &["oncall"]).await;
    world.log().grow(crowd(10));
    world.good_step().await;
    world
        .log()
        .grow([Signer::Release.signs(0), Signer::Stranger.signs(0)]);
    world.log().swap(11, Signer::Stranger.signs(1));
    world.bad_step().await;
    let finding = only(&world).await;
    assert_eq!(finding.state, State::Disputed);
    assert_eq!(world.told(finding.id).len(), 1);
    // It was alerted, so it waits no more when its leaf comes back.
    world.log().heal();
    world.good_step().await;
    let finding = only(&world).await;
    assert_eq!((finding.state, finding.proven), (State::Open, Some(true)));
    assert_eq!(world.told(finding.id).len(), 1);
}
