//! The laws of `Expectations` about who registered a signing, and of known payloads.

use modelwatch::expect::{Authority, Expectation, KnownStatement, RegisteredSigning};
use modelwatch::finding::{Finding, NewFinding, Severity, State, Verdict};
use modelwatch::store::{Delivery, NewRegistration, QueuedKind, Registrar};

use crate::scratch::{
    ScratchStore, ack, at, batch, expectation, held, signing, untrusted, watched,
};

/// A registration of this entry; a repository's is from a source.
fn by(authority: Authority, index: u64) -> NewRegistration {
    let by = Registrar {
        authority,
        source: (authority == Authority::Repository).then(|| "releases".to_owned()),
        commit: (authority == Authority::Repository).then(|| "c0ffee".to_owned()),
        author: None,
        watches: None,
    };
    NewRegistration {
        expectation: expectation(index),
        file: format!("{authority}.sig"),
        by,
        content: None,
    }
}

/// A plain finding, and others that a signer's registration must not change; each is of another entry.
fn kinds() -> Vec<(&'static str, NewFinding)> {
    let changed = |index, change: fn(&mut Finding)| {
        let mut new = signing(index);
        change(&mut new.finding);
        new
    };
    vec![
        ("plain", signing(0)),
        ("held", held(1)),
        ("without a shape", changed(2, |f| f.in_shape = None)),
        (
            "of a model",
            changed(3, |f| f.verdict = Verdict::ModelUnexpected),
        ),
        ("of a low watch", changed(4, |f| f.severity = Severity::Low)),
        (
            "out of shape",
            changed(5, |f| {
                f.in_shape = Some(false);
                f.severity = Severity::Critical;
            }),
        ),
        (
            "with an anomaly",
            changed(6, |f| {
                f.anomalies = vec!["the certificate contains no SCT".to_owned()];
                f.severity = Severity::Critical;
            }),
        ),
        ("by an unknown authority", untrusted(7)),
    ]
}

/// What a person would say who reads the contract: verdict, severity, and whether it is closed.
fn naive(new: &Finding, strongest: Option<Authority>) -> (Verdict, Severity, bool) {
    let odd = new.in_shape == Some(false)
        || !new.anomalies.is_empty()
        || new.verdict == Verdict::UntrustedChain;
    match strongest {
        Some(Authority::Operator | Authority::Repository) => {
            (Verdict::Expected, Severity::Info, true)
        }
        Some(Authority::Signer) if !odd => {
            let lower = match new.severity {
                Severity::Critical => Severity::High,
                Severity::High => Severity::Medium,
                _ => Severity::Low,
            };
            (Verdict::SelfRegistered, lower, false)
        }
        _ => (new.verdict, new.severity, false),
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Seen,
    Proven,
    Add(Authority),
    Remove(Authority),
}

/// Every order of these steps in which nothing is proven before it is seen, or removed before it is added.
fn orders(steps: &[Step]) -> Vec<Vec<Step>> {
    let mut all = Vec::new();
    for (place, &step) in steps.iter().enumerate() {
        let mut rest = steps.to_vec();
        rest.remove(place);
        let too_early = match step {
            Step::Proven => rest.contains(&Step::Seen),
            Step::Remove(authority) => rest.contains(&Step::Add(authority)),
            _ => false,
        };
        if too_early {
            continue;
        }
        if rest.is_empty() {
            all.push(vec![step]);
        }
        for mut order in orders(&rest) {
            order.insert(0, step);
            all.push(order);
        }
    }
    all
}

#[tokio::test]
async fn the_strongest_authority_counts_in_whatever_order_things_happen() {
    use Authority::{Operator, Repository, Signer};
    let sequences = [
        vec![
            Step::Seen,
            Step::Proven,
            Step::Add(Signer),
            Step::Add(Operator),
        ],
        vec![
            Step::Seen,
            Step::Add(Signer),
            Step::Add(Repository),
            Step::Remove(Repository),
        ],
        vec![
            Step::Seen,
            Step::Proven,
            Step::Add(Signer),
            Step::Remove(Signer),
        ],
    ];
    for order in sequences.iter().flat_map(|steps| orders(steps)) {
        // Each kind of finding has an entry of its own.
        let kinds: Vec<(&str, NewFinding)> = kinds();
        let mut scratch = ScratchStore::with_log().await;
        let mut registered: Vec<Authority> = Vec::new();
        let (mut seen, mut proven) = (false, false);
        for step in &order {
            match step {
                Step::Seen => {
                    let found = kinds.iter().map(|(_, new)| new.clone()).collect();
                    scratch.read((0, 0), (9, 0), found).await;
                    seen = true;
                }
                Step::Proven => {
                    let batch = batch((9, 0), (9, 9), vec![]);
                    scratch.store.commit(&batch).await.unwrap();
                    proven = true;
                }
                Step::Add(authority) => {
                    let new: Vec<_> = kinds
                        .iter()
                        .map(|(_, new)| by(*authority, new.finding.index.unwrap()))
                        .collect();
                    scratch.store.register_all(&new, at(2)).await.unwrap();
                    registered.push(*authority);
                }
                Step::Remove(authority) => {
                    let all = scratch.store.registrations().await.unwrap();
                    for one in all.iter().filter(|r| r.by.authority == *authority) {
                        scratch.store.unregister(one.number, at(3)).await.unwrap();
                    }
                    registered.retain(|other| other != authority);
                }
            }
            scratch = scratch.after_a_crash().await;
            if !seen {
                continue;
            }
            for (what, new) in &kinds {
                let record = scratch
                    .store
                    .finding(&new.finding.id.to_string())
                    .await
                    .unwrap()
                    .unwrap();
                let finding = record.finding;
                let strongest = registered.iter().max().copied();
                let (verdict, severity, closed) = naive(&new.finding, strongest);
                let shown = format!("{what}: {order:?} at {step:?}");
                assert_eq!(
                    (finding.verdict, finding.severity),
                    (verdict, severity),
                    "{shown}"
                );
                assert_eq!(finding.state == State::Resolved, closed, "{shown}");
                assert_eq!(finding.proven, Some(proven), "{shown}");
                assert_eq!(
                    record.history.last().unwrap().verdict,
                    verdict,
                    "{shown}: {:?}",
                    record.history
                );
                let ever_strong = order
                    .iter()
                    .any(|step| matches!(step, Step::Add(Operator | Repository)));
                if new.finding.state == State::Held && !ever_strong {
                    assert_eq!(finding.state, State::Held, "a signer ends no hold: {shown}");
                    assert!(record.alerts.is_empty(), "{shown}");
                }
                assert!(
                    finding.state != State::Open || !record.alerts.is_empty(),
                    "{shown}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_self_registered_finding_counts_for_the_exit_code_as_if_it_were_not_registered() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (9, 0), vec![signing(3)]).await;
    let security = async |fail_on| scratch.store.counts(fail_on).await.unwrap().security;
    let levels = [
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];
    for _ in 0..2 {
        let mut counts = Vec::new();
        for level in levels {
            counts.push(security(level).await);
        }
        assert_eq!(counts, [1, 1, 1, 0]);
        scratch
            .store
            .register_all(&[by(Authority::Signer, 3)], at(2))
            .await
            .unwrap();
    }
    assert_eq!(
        scratch.get(signing(3).finding.id).await.severity,
        Severity::Medium
    );
    scratch
        .store
        .register_all(&[by(Authority::Operator, 3)], at(2))
        .await
        .unwrap();
    assert_eq!(security(Severity::Info).await, 0);
}

#[tokio::test]
async fn the_operator_confirms_what_a_signer_registered_and_it_stays_so_without_the_signer() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (9, 0), vec![signing(3)]).await;
    scratch
        .store
        .register_all(&[by(Authority::Signer, 3)], at(2))
        .await
        .unwrap();
    let number = scratch.store.registrations().await.unwrap()[0].number;
    assert_eq!(scratch.store.confirm(99, None, at(3)).await.unwrap(), None);
    let id = signing(3).finding.id;
    let confirmed = scratch.store.confirm(number, Some("jane"), at(3)).await;
    assert_eq!(confirmed.unwrap(), Some(vec![id]));
    let again = scratch.store.confirm(number, Some("jane"), at(4)).await;
    assert_eq!(again.unwrap(), Some(vec![]));
    let all = scratch.store.registrations().await.unwrap();
    let who: Vec<_> = all
        .iter()
        .map(|r| (r.by.authority, r.by.author.as_deref()))
        .collect();
    assert_eq!(
        who,
        [
            (Authority::Signer, None),
            (Authority::Operator, Some("jane"))
        ]
    );
    scratch.store.unregister(number, at(5)).await.unwrap();
    assert_eq!(scratch.get(id).await.verdict, Verdict::Expected);
    let reasons = scratch.history(id).await;
    let reasons: Vec<&str> = reasons.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "first seen",
            "registered by its signer: signer.sig",
            "registered: signer.sig"
        ]
    );
}

#[tokio::test]
async fn a_registration_for_one_watch_counts_for_no_other() {
    for registered_first in [true, false] {
        let scratch = ScratchStore::with_log().await;
        let mut new = by(Authority::Operator, 3);
        new.by.watches = Some(vec!["falcon".to_owned()]);
        let new = [new];
        let found = || vec![signing(3), watched("quiet", 3)];
        if registered_first {
            scratch.store.register_all(&new, at(1)).await.unwrap();
        }
        scratch.read((0, 0), (9, 0), found()).await;
        if !registered_first {
            scratch.store.register_all(&new, at(1)).await.unwrap();
        }
        let verdict = async |new: NewFinding| scratch.get(new.finding.id).await.verdict;
        assert_eq!(verdict(signing(3)).await, Verdict::Expected);
        assert_eq!(
            verdict(watched("quiet", 3)).await,
            Verdict::IdentityUnexpected
        );
        assert_eq!(scratch.store.registrations().await.unwrap()[0].findings, 1);
    }
}

#[tokio::test]
async fn what_was_accepted_as_self_registered_is_open_again_without_the_registration() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (9, 0), vec![signing(3)]).await;
    scratch
        .store
        .register_all(&[by(Authority::Signer, 3)], at(2))
        .await
        .unwrap();
    let id = signing(3).finding.id;
    scratch
        .store
        .handle(&[id], &ack("ours", at(3)))
        .await
        .unwrap();
    let number = scratch.store.registrations().await.unwrap()[0].number;
    scratch.store.unregister(number, at(4)).await.unwrap();
    let finding = scratch.get(id).await;
    assert_eq!(
        (finding.verdict, finding.state),
        (Verdict::IdentityUnexpected, State::Open)
    );
    // One that was accepted before it was registered stays accepted.
    scratch
        .store
        .handle(&[id], &ack("ours", at(5)))
        .await
        .unwrap();
    scratch
        .store
        .register_all(&[by(Authority::Signer, 3)], at(6))
        .await
        .unwrap();
    assert_eq!(scratch.get(id).await.state, State::Acked);
}

#[tokio::test]
async fn self_registered_findings_are_told_at_once_and_in_one_digest_a_day_until_they_are_confirmed()
 {
    const DAY: i64 = 24 * 60;
    let scratch = ScratchStore::with_log().await;
    scratch
        .store
        .register_all(&[by(Authority::Signer, 3), by(Authority::Signer, 4)], at(0))
        .await
        .unwrap();
    let remind = async |minute| {
        scratch
            .store
            .remind_of_self_registered(at(minute))
            .await
            .unwrap()
    };
    assert_eq!(remind(0).await, 0);
    scratch
        .read((0, 0), (9, 0), vec![signing(3), signing(4)])
        .await;
    let deliver = async |minute| {
        let mut kinds = Vec::new();
        for alert in scratch
            .store
            .claim_alerts("all", 9, at(minute))
            .await
            .unwrap()
        {
            kinds.push((alert.kind, alert.severity, alert.findings));
            scratch
                .store
                .record_delivery(&alert.id, &Delivery::Delivered, at(minute))
                .await
                .unwrap();
        }
        kinds
    };
    let alert = (QueuedKind::Alert, Severity::Medium, 1);
    assert_eq!(deliver(1).await, [alert, alert]);
    // The day begins with the first pass that finds them.
    for minute in [1, 2, DAY] {
        assert_eq!(remind(minute).await, 0, "{minute}");
        assert!(deliver(minute).await.is_empty());
    }
    assert_eq!(remind(DAY + 1).await, 2);
    assert_eq!(
        deliver(DAY + 1).await,
        [(QueuedKind::Digest, Severity::Medium, 2)]
    );
    assert_eq!(remind(DAY + 2).await, 0);
    scratch
        .store
        .register_all(&[by(Authority::Operator, 4)], at(DAY + 3))
        .await
        .unwrap();
    deliver(DAY + 3).await;
    assert_eq!(remind(2 * DAY + 1).await, 1);
    assert_eq!(
        deliver(2 * DAY + 1).await,
        [(QueuedKind::Digest, Severity::Medium, 1)]
    );
    scratch
        .store
        .register_all(&[by(Authority::Operator, 3)], at(2 * DAY + 2))
        .await
        .unwrap();
    deliver(2 * DAY + 2).await;
    assert_eq!(remind(3 * DAY + 1).await, 0);
    // A new one begins a new day. A clock that was wrong delays it by no more than a day.
    scratch
        .store
        .register_all(&[by(Authority::Signer, 5)], at(4 * DAY))
        .await
        .unwrap();
    scratch
        .store
        .commit(&batch((9, 0), (9, 0), vec![signing(5)]))
        .await
        .unwrap();
    assert_eq!(remind(900 * DAY).await, 0);
    assert_eq!(remind(4 * DAY).await, 0);
    assert_eq!(remind(5 * DAY + 1).await, 1);
}

/// A bundle of this entry with an envelope.
pub(crate) fn with_statement(index: u64, model: bool) -> Expectation {
    Expectation {
        signing: Some(RegisteredSigning {
            signature_sha256: hex::encode([5; 32]),
            tbs_sha256: hex::encode([6; 32]),
            message: Some("sha256:01".into()),
            payload: Some("sha256:02".into()),
            leaves: Vec::new(),
        }),
        statement: Some(KnownStatement {
            model,
            text: "a statement of some type".to_owned(),
            digests: Vec::new(),
        }),
        ..expectation(index)
    }
}

#[tokio::test]
async fn a_payload_that_becomes_known_says_what_was_signed_and_stays_known() {
    let of = |index, kind: &str, digest: &str| {
        let mut new = signing(index);
        new.finding.kind = Some(kind.to_owned());
        new.finding.digest = Some(digest.to_owned());
        new
    };
    for (model, verdict) in [
        (true, Verdict::ModelUnexpected),
        (false, Verdict::OtherPredicate),
    ] {
        for shown_first in [true, false] {
            let scratch = ScratchStore::with_log().await;
            let mut odd = of(4, "dsse 0.0.1", "sha256:02");
            odd.finding.in_shape = Some(false);
            let found = vec![
                of(3, "hashedrekord 0.0.2", "sha256:01"),
                odd,
                // The digest of the payload where that of a signed file stands, and another digest.
                of(5, "hashedrekord 0.0.1", "sha256:02"),
                of(6, "dsse 0.0.1", "sha256:03"),
            ];
            let show = async || {
                let new = NewRegistration {
                    by: Registrar::command(Authority::Signer, None),
                    ..NewRegistration::by_operator("a.sig".to_owned(), with_statement(8, model))
                };
                scratch.store.register_all(&[new], at(2)).await.unwrap();
            };
            if shown_first {
                show().await;
            }
            scratch.read((0, 0), (9, 0), found.clone()).await;
            if !shown_first {
                show().await;
            }
            let number = scratch.store.registrations().await.unwrap()[0].number;
            scratch.store.unregister(number, at(3)).await.unwrap();
            let scratch = scratch.after_a_crash().await;
            for (new, verdict) in found.iter().zip([
                verdict,
                verdict,
                Verdict::IdentityUnexpected,
                Verdict::IdentityUnexpected,
            ]) {
                let record = scratch
                    .store
                    .finding(&new.finding.id.to_string())
                    .await
                    .unwrap()
                    .unwrap();
                assert_eq!(
                    record.finding.verdict, verdict,
                    "{:?}",
                    record.finding.index
                );
                assert_eq!(record.finding.severity, new.finding.severity);
                let known = record
                    .payload
                    .map(|payload| (payload.statement, payload.file));
                let expected = (verdict != Verdict::IdentityUnexpected)
                    .then(|| ("a statement of some type".to_owned(), "a.sig".to_owned()));
                assert_eq!(known, expected);
                if !shown_first && expected.is_some() {
                    let reason = &record.history.last().unwrap().reason;
                    assert!(
                        reason.contains("a.sig: a statement of some type"),
                        "{reason}"
                    );
                }
            }
        }
    }
}
