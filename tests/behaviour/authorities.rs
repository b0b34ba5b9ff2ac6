//! Registrations by the operator, a repository and the signer. `World` checks the verdict that follows after each step.

use modelwatch::expect::Authority;
use modelwatch::finding::{Severity, State, Verdict};
use modelwatch::store::QueuedKind;

use crate::world::{Condition, OWL, Signer, Spec, World, other_leaves};

const DAY: i64 = 24 * 60 * 60;

const TAGS: Condition =
    Condition::Glob("https://github.com/acme/owl/.github/workflows/release.yml@refs/tags/*");

/// Holds signings from a tag for 45 minutes.
async fn holding() -> World {
    let spec = Spec::new("scope", [Condition::Repository(OWL)])
        .shape([TAGS])
        .hold(45 * 60);
    World::with(&["main.example"], vec![spec], &["oncall"]).await
}

#[tokio::test]
async fn a_thief_who_registers_his_signing_is_still_alerted_at_once_and_every_day() {
    for registered_first in [true, false] {
        let mut world = World::new().await;
        let stolen = Signer::Mail.signs(0);
        if registered_first {
            world.register_as(&stolen, Authority::Signer).await;
        }
        world.log().grow([stolen.clone()]);
        world.good_step().await;
        if !registered_first {
            world.register_as(&stolen, Authority::Signer).await;
            world.good_step().await;
        }
        let finding = world.of("self-registered").await.remove(0);
        assert_eq!(finding.state, State::Open);
        assert!(
            finding.summary.ends_with("; only its signer registered it"),
            "{}",
            finding.summary
        );
        // A change of the verdict is reported too.
        let told = if registered_first { 1 } else { 2 };
        assert_eq!(world.delivered(finding.id).len(), told);
        let security = world.truly().counts(Severity::High).await.unwrap().security;
        assert_eq!(security, 1, "as if it were not registered");
        for day in 1..=3 {
            world.clock.advance(DAY + 60);
            world.log().grow(other_leaves(1));
            world.good_step().await;
            let delivered = world.delivered(finding.id);
            assert_eq!(delivered.len(), told + day, "one digest a day");
            assert_eq!(delivered.last().unwrap().kind, QueuedKind::Digest);
        }
        world.register_as(&stolen, Authority::Operator).await;
        world.good_step().await;
        world.clock.advance(2 * DAY);
        world.log().grow(other_leaves(1));
        world.good_step().await;
        let last = world.delivered(finding.id).last().unwrap().kind;
        assert_eq!(last, QueuedKind::Resolved);
    }
}

#[tokio::test]
async fn a_signer_ends_no_hold_and_a_repository_does() {
    for authority in [Authority::Signer, Authority::Repository] {
        let mut world = holding().await;
        let release = Signer::Release.signs(0);
        world.log().grow([release.clone()]);
        world.good_step().await;
        world.register_as(&release, authority).await;
        world.good_step().await;
        let finding = world.findings().await.remove(0);
        let (state, alerts) = match authority {
            Authority::Signer => (State::Held, 1),
            _ => (State::Resolved, 0),
        };
        assert_eq!(finding.state, state);
        assert!(world.delivered(finding.id).is_empty());
        world.clock.advance(46 * 60);
        world.good_step().await;
        assert_eq!(world.delivered(finding.id).len(), alerts);
    }
}

#[tokio::test]
async fn registrations_come_and_go_between_seen_and_proven_and_over_crashes() {
    use Authority::{Operator, Repository, Signer as BySigner};
    let mut world = World::new().await;
    let leaves: Vec<_> = (0..4).map(|salt| Signer::Release.signs(salt)).collect();
    world.register_as(&leaves[0], BySigner).await;
    world.register_as(&leaves[1], Repository).await;
    world.log().grow(leaves.clone());
    world.good_step().await;
    for (leaf, authority) in [
        (0, Operator),
        (2, BySigner),
        (1, BySigner),
        (3, Repository),
        (2, Repository),
    ] {
        world.register_as(&leaves[leaf], authority).await;
        world.check().await;
        world.log().grow(other_leaves(1));
        world.good_step().await;
    }
    for (leaf, authority) in [
        (0, Operator),
        (1, Repository),
        (2, Repository),
        (2, BySigner),
        (0, BySigner),
    ] {
        world.unregister_as(&leaves[leaf], authority).await;
        world.check().await;
        world.log().grow(other_leaves(1));
        world.good_step().await;
    }
    let verdicts = async |salt: u64| {
        let findings = world.findings().await;
        let of = findings
            .iter()
            .filter(|finding| finding.index == Some(salt));
        of.map(|finding| finding.verdict).collect::<Vec<_>>()
    };
    assert!(
        verdicts(0)
            .await
            .iter()
            .all(|verdict| *verdict == Verdict::IdentityUnexpected)
    );
    assert!(
        verdicts(1)
            .await
            .iter()
            .all(|verdict| *verdict == Verdict::SelfRegistered)
    );
    assert!(
        verdicts(3)
            .await
            .iter()
            .all(|verdict| *verdict == Verdict::Expected)
    );
}
