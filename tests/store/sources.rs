//! The laws of `RegistrationSources`.

use modelwatch::expect::Authority;
use modelwatch::finding::{NewFinding, State, Verdict};
use modelwatch::store::{
    NewRegistration, Registrar, SourceContent, SourceFailure, SourceState, StoreError,
};

use crate::scratch::{ScratchStore, ack, at, expectation, held, signing, untrusted, watched};

const LOCATION: &str = "git https://git.example/releases main";

/// A file of the source with the signing of this entry.
fn file(name: &str, index: u64) -> NewRegistration {
    NewRegistration {
        expectation: expectation(index),
        file: name.to_owned(),
        by: Registrar {
            authority: Authority::Repository,
            source: Some("releases".to_owned()),
            commit: Some("c0ffee".to_owned()),
            author: Some("jane@example.org".to_owned()),
            watches: None,
        },
        content: Some(format!("content of {index}")),
    }
}

fn content(new: Vec<NewRegistration>, withdrawn: Vec<i64>) -> SourceContent {
    SourceContent {
        name: "releases".to_owned(),
        location: LOCATION.to_owned(),
        new,
        withdrawn,
        problems: vec!["x.sig: not a bundle".to_owned()],
        commit: Some("c0ffee".to_owned()),
        now: at(2),
    }
}

fn failure(location: &str, rewritten: Option<&str>) -> SourceFailure {
    SourceFailure {
        name: "releases".to_owned(),
        location: location.to_owned(),
        error: "offline".to_owned(),
        rewritten: rewritten.map(str::to_owned),
        now: at(3),
    }
}

async fn state(scratch: &ScratchStore) -> SourceState {
    scratch.store.sources().await.unwrap().remove(0)
}

#[tokio::test]
async fn a_source_registers_and_withdraws_with_history_and_a_failure_changes_nothing() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (9, 0), vec![signing(3)]).await;
    let id = signing(3).finding.id;
    // The same signing in two files: each is a registration.
    let new = vec![file("a.sig", 3), file("b.sig", 3)];
    let change = scratch
        .store
        .source_read(&content(new, vec![]))
        .await
        .unwrap();
    assert_eq!(
        (change.registered, change.withdrawn, change.findings),
        (2, 0, vec![id])
    );
    let known = scratch.store.registrations_of("releases").await.unwrap();
    assert_eq!(known.len(), 2);
    assert_eq!(known[0].by, file("a.sig", 3).by);
    assert_eq!(known[0].content.as_deref(), Some("content of 3"));
    assert!(
        scratch
            .store
            .registrations_of("other")
            .await
            .unwrap()
            .is_empty()
    );

    scratch
        .store
        .source_failed(&failure(LOCATION, None))
        .await
        .unwrap();
    scratch
        .store
        .source_failed(&failure(LOCATION, None))
        .await
        .unwrap();
    let failed = state(&scratch).await;
    assert_eq!(
        (failed.failures, failed.error.as_deref()),
        (2, Some("offline"))
    );
    assert_eq!(
        (failed.commit.as_deref(), failed.problems.len()),
        (Some("c0ffee"), 1)
    );
    assert_eq!(scratch.get(id).await.verdict, Verdict::Expected);

    let withdraw = async |place: usize| {
        let content = content(vec![], vec![known[place].number]);
        scratch.store.source_read(&content).await.unwrap()
    };
    assert_eq!(withdraw(0).await.findings, []);
    assert_eq!(
        (withdraw(0).await.withdrawn, state(&scratch).await.failures),
        (0, 0)
    );
    assert_eq!(withdraw(1).await.findings, [id]);
    let finding = scratch.get(id).await;
    assert_eq!(
        (finding.verdict, finding.state),
        (Verdict::IdentityUnexpected, State::Open)
    );
    let last = scratch.history(id).await.pop().unwrap();
    assert_eq!(
        last.1,
        "no longer registered: b.sig, withdrawn from releases"
    );
}

#[tokio::test]
async fn a_file_that_was_changed_keeps_its_number_and_counts_for_the_watches_that_are_configured_now()
 {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (9, 0), vec![signing(3)]).await;
    scratch
        .store
        .source_read(&content(vec![file("a.sig", 3)], vec![]))
        .await
        .unwrap();
    let number = scratch.store.registrations().await.unwrap()[0].number;
    let mut changed = file("a.sig", 3);
    changed.by.watches = Some(vec!["another".to_owned()]);
    changed.by.commit = Some("beef".to_owned());
    changed.content = Some("other bytes".to_owned());
    let change = scratch
        .store
        .source_read(&content(vec![changed.clone()], vec![]))
        .await
        .unwrap();
    assert_eq!((change.registered, change.findings.len()), (0, 1));
    let registration = &scratch.store.registrations().await.unwrap()[0];
    assert_eq!(
        (registration.number, &registration.by),
        (number, &changed.by)
    );
    assert_eq!(registration.content, changed.content);
    assert_eq!(
        scratch.get(signing(3).finding.id).await.verdict,
        Verdict::IdentityUnexpected
    );
}

#[tokio::test]
async fn only_the_commit_that_a_branch_was_rewritten_to_can_be_confirmed() -> Result<(), StoreError>
{
    let scratch = ScratchStore::with_log().await;
    let store = &scratch.store;
    store.source_read(&content(vec![], vec![])).await?;
    assert!(!store.confirm_source("releases", "beef").await?);
    store
        .source_failed(&failure(LOCATION, Some("beef")))
        .await?;
    // It stays so while the repository cannot be reached.
    store.source_failed(&failure(LOCATION, None)).await?;
    assert_eq!(state(&scratch).await.rewritten.as_deref(), Some("beef"));
    store
        .source_failed(&failure(LOCATION, Some("dead")))
        .await?;
    assert!(!store.confirm_source("releases", "beef").await?);
    assert!(!store.confirm_source("others", "dead").await?);
    assert!(store.confirm_source("releases", "dead").await?);
    let confirmed = state(&scratch).await;
    assert_eq!(
        (confirmed.commit.as_deref(), confirmed.rewritten),
        (Some("dead"), None)
    );
    // Another address is another source.
    store
        .source_failed(&failure(LOCATION, Some("beef")))
        .await?;
    store.source_failed(&failure("dir /srv", None)).await?;
    let moved = state(&scratch).await;
    assert_eq!(
        (moved.failures, moved.commit, moved.rewritten),
        (1, None, None)
    );
    Ok(())
}

#[tokio::test]
async fn what_a_source_registered_is_withdrawn_when_it_is_configured_no_longer() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .read((0, 0), (9, 0), vec![signing(3), signing(4)])
        .await;
    scratch
        .store
        .source_read(&content(vec![file("a.sig", 3)], vec![]))
        .await
        .unwrap();
    let by_hand = NewRegistration::by_operator("b.sig".to_owned(), file("b.sig", 4).expectation);
    scratch.store.register_all(&[by_hand], at(2)).await.unwrap();
    let kept = scratch
        .store
        .forget_sources(&["releases".to_owned()], at(3))
        .await
        .unwrap();
    assert_eq!(
        (kept.len(), scratch.store.sources().await.unwrap().len()),
        (0, 1)
    );
    let changed = scratch
        .store
        .forget_sources(&["renamed".to_owned()], at(3))
        .await
        .unwrap();
    assert_eq!(changed, [signing(3).finding.id]);
    assert!(scratch.store.sources().await.unwrap().is_empty());
    assert_eq!(
        scratch.get(signing(4).finding.id).await.verdict,
        Verdict::Expected
    );
}

#[tokio::test]
async fn the_tags_of_open_signings_are_known_from_trusted_certificates_alone() {
    let scratch = ScratchStore::with_log().await;
    let tagged = |mut new: NewFinding, name: &str, reference: &str| {
        let extensions = &mut new.finding.extensions;
        extensions.insert(name.to_owned(), reference.to_owned());
        new
    };
    let mut untrusted = tagged(untrusted(6), "source_repository_ref", "refs/tags/forged");
    untrusted.finding.verdict = Verdict::IdentityUnexpected;
    let found = vec![
        tagged(signing(1), "source_repository_ref", "refs/tags/v1"),
        tagged(held(2), "github_workflow_ref", "refs/tags/v2/x"),
        tagged(signing(3), "source_repository_ref", "refs/heads/main"),
        tagged(watched("quiet", 4), "source_repository_ref", "refs/tags/v4"),
        tagged(signing(5), "source_repository_ref", "refs/tags/v1"),
        untrusted,
    ];
    scratch.read((0, 0), (9, 0), found).await;
    let tags = async |watches: Option<&[String]>, limit| {
        scratch.store.signed_tags(watches, limit).await.unwrap()
    };
    assert_eq!(tags(None, 9).await, ["v1", "v4", "v2/x"]);
    assert_eq!(tags(None, 1).await, ["v1"]);
    assert_eq!(tags(Some(&["quiet".to_owned()]), 9).await, ["v4"]);
    let ids = [signing(1).finding.id, signing(5).finding.id];
    scratch
        .store
        .handle(&ids, &ack("ours", at(3)))
        .await
        .unwrap();
    assert_eq!(tags(None, 9).await, ["v4", "v2/x"]);
}
