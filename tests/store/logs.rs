//! The laws of `Logs`.

use modelwatch::finding::Verdict;
use modelwatch::log::{LogId, Part, Protocol, TreeId};
use modelwatch::store::{
    Condition, Guide, ListedTree, ListedTrees, NewTree, Outcome, PassError, PassErrorKind,
    PassReport, Scope,
};

use crate::scratch::{LOG, ORIGIN, ScratchStore, at, follower, log_id, tree};

const URL: &str = "https://rekor.example/";

/// The tree of this number.
fn numbered(number: u32) -> TreeId {
    TreeId::new(format!("rekor.example - {number}"))
}

/// The list of trees at this address, each with whether a key of the log signed its checkpoint.
fn listed(url: &str, trees: &[(u32, bool)]) -> ListedTrees {
    let trees = trees.iter().map(|(number, is_verified)| ListedTree {
        id: numbered(*number),
        is_verified: *is_verified,
    });
    ListedTrees {
        log: LogId::new(url),
        name: "v1".to_owned(),
        protocol: Protocol::RekorV1,
        signed_name: "rekor.example".to_owned(),
        trees: trees.collect(),
        now: at(0),
    }
}

/// The log of each tree, and whether it was listed last.
async fn trees(scratch: &ScratchStore) -> Vec<(String, String, bool)> {
    let states = scratch.store.trees().await.unwrap().into_iter();
    states
        .map(|state| (state.id.to_string(), state.log.to_string(), state.is_listed))
        .collect()
}

fn row(number: u32, url: &str, is_listed: bool) -> (String, String, bool) {
    (numbered(number).to_string(), url.to_owned(), is_listed)
}

#[tokio::test]
async fn a_log_of_one_tree_is_known_by_its_origin_and_may_be_renamed() {
    let scratch = ScratchStore::with_log().await;
    let log = scratch.store.log(&log_id()).await.unwrap().unwrap();
    assert_eq!(
        (log.name.as_str(), log.protocol),
        (LOG, Some(Protocol::RekorV2))
    );
    let part = Part::Tree(tree());
    let report = PassReport::new(log_id(), part, "renamed", Outcome::Proven, at(1));
    scratch.store.end_pass(&report).await.unwrap();
    let logs = scratch.store.logs().await.unwrap();
    assert_eq!(logs.len(), 1);
    assert_eq!((&logs[0].id, logs[0].name.as_str()), (&log_id(), "renamed"));
    assert_eq!(logs[0].protocol, Some(Protocol::RekorV2));
}

#[tokio::test]
async fn the_trees_of_a_log_are_those_that_it_listed_in_the_order_of_its_list() {
    let scratch = ScratchStore::open().await;
    let list = async |trees: &[(u32, bool)]| {
        scratch.store.list_trees(&listed(URL, trees)).await.unwrap();
    };
    list(&[(30, true), (4, true)]).await;
    list(&[(30, true), (4, true)]).await;
    assert_eq!(
        trees(&scratch).await,
        [row(30, URL, true), row(4, URL, true)]
    );
    list(&[(4, true), (5, false)]).await;
    let scratch = scratch.after_a_crash().await;
    assert_eq!(
        trees(&scratch).await,
        [row(4, URL, true), row(5, URL, true), row(30, URL, false)]
    );
    let log = scratch.store.log(&LogId::new(URL)).await.unwrap().unwrap();
    assert_eq!(log.signed_name.as_deref(), Some("rekor.example"));
}

#[tokio::test]
async fn what_a_log_does_not_sign_stays_with_the_log_that_signs_it() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .store
        .list_trees(&listed(URL, &[(4, true)]))
        .await
        .unwrap();
    let mut greedy = listed("https://other.example/", &[(9, true), (4, false)]);
    greedy.trees.push(ListedTree {
        id: tree(),
        is_verified: false,
    });
    scratch.store.list_trees(&greedy).await.unwrap();
    // Nor by a pass that failed.
    let outcome = Outcome::Failed(PassError::new(
        PassErrorKind::UnverifiableCheckpoint,
        "not signed",
    ));
    let report = PassReport::new(
        greedy.log.clone(),
        Part::Tree(numbered(4)),
        "v1",
        outcome,
        at(1),
    );
    scratch.store.end_pass(&report).await.unwrap();
    let of = async |id: TreeId| scratch.store.tree(&id).await.unwrap().unwrap().log;
    assert_eq!(of(numbered(4)).await, LogId::new(URL));
    assert_eq!(of(tree()).await, log_id());
    // Once it proves the tree under its keys, the tree is its own.
    let report = PassReport {
        outcome: Outcome::Proven,
        ..report
    };
    scratch.store.end_pass(&report).await.unwrap();
    assert_eq!(of(numbered(4)).await, greedy.log);
}

#[tokio::test]
async fn a_log_at_another_address_keeps_its_trees_and_its_look_ups() {
    const NEW: &str = "https://new.example/";
    let scratch = ScratchStore::open().await;
    scratch
        .store
        .list_trees(&listed(URL, &[(3, true), (4, true)]))
        .await
        .unwrap();
    let guide = Guide {
        log: LogId::new(URL),
        start: 7,
        cursor: 0,
        rules: [1; 32],
        spent: at(0),
        mail_only: None,
    };
    scratch.store.begin_guide(&guide).await.unwrap();
    // The first pass at the new address fails, and leaves a log without trees.
    let outcome = Outcome::Failed(PassError::new(PassErrorKind::Unavailable, "no answer"));
    let report = PassReport::new(LogId::new(NEW), Part::Whole, "v1", outcome, at(1));
    scratch.store.end_pass(&report).await.unwrap();
    let failed = scratch.store.log(&LogId::new(NEW)).await.unwrap().unwrap();
    assert_eq!((failed.failed_passes, failed.last_success), (1, None));
    // What it does not sign is no reason to take another log's place.
    scratch
        .store
        .list_trees(&listed(NEW, &[(5, true)]))
        .await
        .unwrap();
    assert_eq!(scratch.store.logs().await.unwrap().len(), 2);
    let other = ScratchStore::open().await;
    other
        .store
        .list_trees(&listed(URL, &[(3, true), (4, true)]))
        .await
        .unwrap();
    other.store.begin_guide(&guide).await.unwrap();
    other.store.end_pass(&report).await.unwrap();
    other
        .store
        .list_trees(&listed(NEW, &[(4, true)]))
        .await
        .unwrap();
    assert_eq!(trees(&other).await, [row(4, NEW, true), row(3, NEW, false)]);
    assert_eq!(other.store.guide(&LogId::new(URL)).await.unwrap(), None);
    let moved = other.store.guide(&LogId::new(NEW)).await.unwrap().unwrap();
    assert_eq!((moved.start, moved.log), (7, LogId::new(NEW)));
    assert_eq!(other.store.logs().await.unwrap().len(), 1);
}

#[tokio::test]
async fn passes_over_a_log_as_a_whole_are_counted_separately_from_those_over_its_trees() {
    let scratch = ScratchStore::open().await;
    scratch
        .store
        .list_trees(&listed(URL, &[(4, true)]))
        .await
        .unwrap();
    let log = LogId::new(URL);
    let end = async |part: Part, outcome: Outcome, minutes| {
        let report = PassReport::new(log.clone(), part, "v1", outcome, at(minutes));
        scratch.store.end_pass(&report).await.unwrap();
    };
    let failed = || Outcome::Failed(PassError::new(PassErrorKind::Unavailable, "no answer"));
    end(Part::Whole, Outcome::Proven, 1).await;
    end(Part::Whole, failed(), 2).await;
    end(Part::Whole, failed(), 3).await;
    end(Part::Tree(numbered(4)), Outcome::Proven, 4).await;
    let whole = scratch.store.log(&log).await.unwrap().unwrap();
    assert_eq!((whole.failed_passes, whole.last_success), (2, Some(at(1))));
    assert_eq!(whole.error.unwrap().kind, PassErrorKind::Unavailable);
    let state = scratch.store.tree(&numbered(4)).await.unwrap().unwrap();
    assert_eq!((state.failed_passes, state.last_success), (0, Some(at(4))));
    let recent = async |part: Part| {
        scratch
            .store
            .pass_history(&log, &part)
            .await
            .unwrap()
            .recent
    };
    assert_eq!(recent(Part::Whole).await.len(), 3);
    assert_eq!(recent(Part::Tree(numbered(4))).await.len(), 1);
}

#[tokio::test]
async fn findings_about_health_are_of_the_log_whose_tree_or_address_or_name_they_give() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .store
        .list_trees(&listed(URL, &[(4, true)]))
        .await
        .unwrap();
    let guide = Guide {
        log: LogId::new(URL),
        start: 0,
        cursor: 0,
        rules: [1; 32],
        spent: at(0),
        mail_only: None,
    };
    scratch.store.begin_guide(&guide).await.unwrap();
    let begun = NewTree {
        id: numbered(4),
        log: LogId::new(URL),
        name: "v1".to_owned(),
        protocol: Protocol::RekorV1,
        base: 0,
        follower: follower(0, 0),
        checkpoints: Vec::new(),
        now: at(0),
    };
    scratch.store.begin(&begun).await.unwrap();
    let origins = [
        ORIGIN,
        URL,
        "gone.example",
        "rekor.example",
        "rekor.example - 4",
    ];
    for origin in origins {
        let scope = Scope {
            verdicts: &[Verdict::Backlog],
            origin: Some(origin.to_owned()),
        };
        let behind = Condition::of_log(Verdict::Backlog, "any", origin, "behind".to_owned());
        scratch
            .store
            .assess(&scope, &[behind], at(1))
            .await
            .unwrap();
    }
    let unhealthy = scratch.store.unhealthy_logs().await.unwrap();
    let mut of: Vec<(&str, Option<&str>)> = unhealthy
        .iter()
        .map(|(origin, log)| (origin.as_str(), log.as_ref().map(LogId::as_str)))
        .collect();
    of.sort_unstable();
    let mut expected = [
        (ORIGIN, Some(ORIGIN)),
        (URL, Some(URL)),
        ("gone.example", None),
        ("rekor.example", Some(URL)),
        ("rekor.example - 4", Some(URL)),
    ];
    expected.sort_unstable();
    assert_eq!(of, expected);
}
