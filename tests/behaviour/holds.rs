//! Findings that wait, unalerted, for their registration.

use jiff::SignedDuration;
use modelwatch::finding::{Finding, Severity, State};

use crate::world::{Condition, OWL, Question, RELEASE, Signer, Spec, World, issue, other_leaves};

const TAGS: Condition =
    Condition::Glob("https://github.com/acme/owl/.github/workflows/release.yml@refs/tags/*");

/// Holds signings from a tag for 45 minutes.
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
    assert_eq!(world.delivered(finding.id).len(), 1);
    world.good_step().await;
    assert_eq!(world.delivered(finding.id).len(), 1);
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
            world.delivered(finding.id).len(),
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
    assert_eq!(world.delivered(branch[0].id).len(), 1);
}

#[tokio::test]
async fn a_held_finding_of_a_false_batch_is_alerted() {
    let mut world = World::with(&["main.example"], vec![holding()], &["oncall"]).await;
    world.log().grow(other_leaves(10));
    world.good_step().await;
    world
        .log()
        .grow([Signer::Release.signs(0), Signer::UnknownIssuer.signs(0)]);
    world.log().swap(11, Signer::UnknownIssuer.signs(1));
    world.bad_step().await;
    let finding = only(&world).await;
    assert_eq!(finding.state, State::Disputed);
    assert_eq!(world.delivered(finding.id).len(), 1);
    // It was alerted, so it does not wait again when its leaf comes back.
    world.log().heal();
    world.good_step().await;
    let finding = only(&world).await;
    assert_eq!((finding.state, finding.proven), (State::Open, Some(true)));
    assert_eq!(world.delivered(finding.id).len(), 1);
}

/// In shape, and used three days after it had ended.
const EXPIRED: &str = "it had expired long before it was logged";

#[tokio::test]
async fn a_signing_with_an_anomaly_is_never_held_whatever_severity_its_watch_has() {
    for (severity, is_odd) in [
        (Severity::Critical, true),
        (Severity::High, true),
        (Severity::Info, true),
        (Severity::Critical, false),
    ] {
        let specs = vec![holding().severity(severity)];
        let mut world = World::with(&["main.example"], specs, &["oncall"]).await;
        let days = SignedDuration::from_hours(if is_odd { 3 * 24 } else { 0 });
        let certificate = issue(RELEASE, world.now() - days, true);
        world.log().grow(other_leaves(20));
        world.log().grow([certificate.signs(0)]);
        world.good_step().await;
        let mut findings = world.findings().await;
        findings.retain(|finding| finding.watch.is_some());
        let finding = &findings[0];
        assert_eq!(finding.in_shape, Some(true));
        assert_eq!(finding.severity, Severity::Critical);
        let (state, anomalies): (_, &[&str]) = if is_odd {
            (State::Open, &[EXPIRED])
        } else {
            (State::Held, &[])
        };
        assert_eq!(finding.state, state, "{severity:?}");
        assert_eq!(finding.anomalies, anomalies);
        assert_eq!(finding.summary.contains(EXPIRED), is_odd);
        assert_eq!(world.delivered(finding.id).len(), usize::from(is_odd));
    }
}

#[tokio::test]
async fn what_an_earlier_version_held_in_spite_of_an_anomaly_alerts_once() {
    for (reported, state) in [
        ("", State::Held),
        ("; the certificate contains no SCT", State::Open),
    ] {
        let mut world = held().await;
        // It had anomalies only in the summary. (Its severity is no evidence: a watch may have its own.)
        world
            .sabotage(&format!(
                "UPDATE finding SET anomalies = NULL, severity = 4, judged_severity = 4, summary = summary || '{reported}'"
            ))
            .await;
        world.good_step().await;
        world.restart().await;
        world.good_step().await;
        let finding = only(&world).await;
        assert_eq!(finding.state, state, "{reported}");
        assert_eq!(finding.anomalies.len(), usize::from(state == State::Open));
        let sent = world.delivered(finding.id).len();
        assert_eq!(sent, usize::from(state == State::Open), "{reported}");
        if state == State::Open {
            let id = finding.id.to_string();
            let record = world.truly().finding(&id).await.unwrap().unwrap();
            let last = record.history.last().unwrap();
            assert_eq!(last.reason, "a signing with an anomaly is not held");
        }
    }
}
