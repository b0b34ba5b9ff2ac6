//! The laws of `Lookups`.

use jiff::{SignedDuration, Timestamp};
use modelwatch::finding::{Finding, NewFinding, State};
use modelwatch::log::{LogId, Protocol, TreeId};
use modelwatch::store::{
    Answered, Contradiction, FoundEntries, Guide, KnownEntry, ListedTree, ListedTrees, Lookup,
    NewLookups, OpenCertificate, PassError, PassErrorKind, PendingCertificate,
    PendingCertificateEnd, Postponed, SettledCertificate, StoreError, VerifiedHead,
};

use crate::scratch::{ORIGIN, ScratchStore, at, head, leaf, log_id, signing, tree};

/// The URL of its server.
const LOG: &str = "https://rekor.example/";
const TREE: &str = "rekor.example - 17";

/// A log with certificates of `keys`, found in it, and a guided log with an empty queue.
async fn begun() -> ScratchStore {
    let scratch = ScratchStore::with_log().await;
    scratch
        .read((0, 0), (20, 20), (1..=4).map(signing).collect())
        .await;
    scratch.store.list_trees(&listed()).await.unwrap();
    scratch.store.begin_guide(&guide()).await.unwrap();
    scratch
}

fn log() -> LogId {
    LogId::new(LOG)
}

/// The one tree that the guided log lists.
fn listed() -> ListedTrees {
    ListedTrees {
        log: log(),
        name: "v1".to_owned(),
        protocol: Protocol::RekorV1,
        signed_name: "rekor.example".to_owned(),
        trees: vec![ListedTree {
            id: TreeId::new(TREE),
            is_verified: true,
        }],
        now: at(0),
    }
}

fn guide() -> Guide {
    Guide {
        log: log(),
        start: 7,
        cursor: 0,
        rules: [1; 32],
        spent: at(0),
        mail_only: None,
    }
}

fn certificate(key: &str, subjects: &[&str], finding: i64) -> PendingCertificate {
    PendingCertificate {
        key: key.to_owned(),
        key_and_start: format!("like {key}"),
        subjects: subjects.iter().map(|&s| s.to_owned()).collect(),
        not_after: at(600),
        finding,
        no_lookup_note: None,
    }
}

fn new_lookups(expected: i64, cursor: i64, certificates: Vec<PendingCertificate>) -> NewLookups {
    NewLookups {
        log: log(),
        expected,
        cursor,
        certificates,
        elsewhere: Vec::new(),
        now: at(1),
    }
}

fn answered(subject: &str, entries: u64, due: Option<Timestamp>) -> Answered {
    Answered {
        log: log(),
        subject: subject.to_owned(),
        entries,
        due,
        settled: Vec::new(),
        now: at(5),
    }
}

fn entry(index: u64, key: &str, tree: &str) -> KnownEntry {
    KnownEntry {
        tree: TreeId::new(tree),
        name: "v1".to_owned(),
        index,
        leaf_hash: hex::encode(leaf(index)),
        key: key.to_owned(),
        key_and_start: String::new(),
    }
}

impl ScratchStore {
    async fn due(&self, now: Timestamp) -> Vec<Lookup> {
        self.store.due_lookups(&log(), now, 100).await.unwrap()
    }

    async fn due_names(&self, now: Timestamp) -> Vec<String> {
        let due = self.due(now).await;
        due.into_iter().map(|lookup| lookup.subject).collect()
    }
}

fn found_there(index: u64) -> NewFinding {
    let mut new = signing(index);
    new.finding = Finding {
        origin: Some(TREE.to_owned()),
        proven: Some(true),
        id: modelwatch::finding::FindingId::of_signing("falcon", TREE, index, &leaf(index), 0),
        ..new.finding
    };
    new
}

#[tokio::test]
async fn queued_certificates_survive_a_crash_and_are_queued_once() {
    let scratch = begun().await;
    assert_eq!(
        scratch
            .store
            .guide(&LogId::new("other.example"))
            .await
            .unwrap(),
        None
    );
    let sightings = scratch.store.sightings(0, 100).await.unwrap();
    assert_eq!(sightings.len(), 4);
    assert_eq!(
        (sightings[0].index, sightings[0].tree.as_str()),
        (1, ORIGIN)
    );
    assert_eq!(sightings[0].key, hex::encode([8; 32]));
    let cursor = sightings[1].number;
    let one = new_lookups(
        0,
        cursor,
        vec![certificate("k", &["a@b"], sightings[0].number)],
    );
    scratch.store.enqueue(&one).await.unwrap();
    // Another monitor, or this one before it crashed, was faster.
    let again = scratch.store.enqueue(&one).await;
    assert!(matches!(again, Err(StoreError::Moved { .. })), "{again:?}");
    let scratch = scratch.after_a_crash().await;
    assert_eq!(
        scratch.store.guide(&log()).await.unwrap().unwrap().cursor,
        cursor
    );
    assert_eq!(
        scratch.due(at(1)).await,
        [Lookup {
            subject: "a@b".to_owned(),
            direct: false,
            tries: 0,
            failures: 0,
            position: 0,
        }]
    );
    let left = scratch.store.sightings(cursor, 100).await.unwrap();
    assert_eq!(left, sightings[2..]);
    let twice = scratch.store.begin_guide(&guide()).await;
    assert!(matches!(twice, Err(StoreError::Moved { .. })), "{twice:?}");
}

#[tokio::test]
async fn a_name_is_queued_once_and_keeps_its_place() {
    let scratch = begun().await;
    let first = new_lookups(0, 1, vec![certificate("k", &["a@b", "c@d"], 1)]);
    scratch.store.enqueue(&first).await.unwrap();
    let later = NewLookups {
        now: at(3),
        ..new_lookups(1, 2, vec![certificate("l", &["a@b", "e@f"], 2)])
    };
    scratch.store.enqueue(&later).await.unwrap();
    assert_eq!(scratch.due_names(at(3)).await, ["a@b", "c@d", "e@f"]);
    // The same certificate, found by another watch, causes no new search.
    scratch
        .store
        .answered(&answered("a@b", 0, Some(at(60))))
        .await
        .unwrap();
    let same = new_lookups(2, 3, vec![certificate("l", &["a@b"], 3)]);
    scratch.store.enqueue(&same).await.unwrap();
    assert_eq!(scratch.due_names(at(5)).await, ["c@d", "e@f"]);
    // A newer one of the same name does.
    let newer = new_lookups(3, 4, vec![certificate("m", &["a@b"], 4)]);
    scratch.store.enqueue(&newer).await.unwrap();
    assert_eq!(scratch.due_names(at(5)).await, ["c@d", "e@f", "a@b"]);
}

#[tokio::test]
async fn exact_names_of_watches_are_due_at_once_and_never_after_their_removal() {
    let scratch = begun().await;
    let names = ["a@b".to_owned(), "c@d".to_owned()];
    scratch
        .store
        .set_exact_names(&log(), &[1; 32], &names, at(1))
        .await
        .unwrap();
    assert_eq!(scratch.due_names(at(1)).await, names);
    assert!(scratch.due(at(1)).await.iter().all(|lookup| lookup.direct));
    scratch
        .store
        .answered(&answered("a@b", 3, Some(at(60))))
        .await
        .unwrap();
    // Reported again, nothing changes.
    scratch
        .store
        .set_exact_names(&log(), &[1; 32], &names, at(6))
        .await
        .unwrap();
    assert_eq!(scratch.due_names(at(7)).await, ["c@d"]);
    scratch
        .store
        .set_exact_names(&log(), &[1; 32], &names[..1], at(8))
        .await
        .unwrap();
    assert!(!scratch.due(at(9)).await[0].direct);
}

#[tokio::test]
async fn fetched_entries_stay_recorded_until_the_watches_change() {
    let scratch = begun().await;
    scratch
        .store
        .set_exact_names(&log(), &[1; 32], &["a@b".to_owned()], at(1))
        .await
        .unwrap();
    let found = FoundEntries {
        log: log(),
        entries: vec![
            entry(30, "k", TREE),
            entry(30, "l", TREE),
            entry(31, "", TREE),
        ],
        findings: vec![found_there(30)],
        kept: Vec::new(),
        now: at(2),
    };
    assert_eq!(scratch.store.found_entries(&found).await.unwrap(), 1);
    // A repeat is harmless.
    assert_eq!(scratch.store.found_entries(&found).await.unwrap(), 0);
    scratch
        .store
        .answered(&answered("a@b", 2, Some(at(1000))))
        .await
        .unwrap();
    let scratch = scratch.after_a_crash().await;
    let finding = scratch.get(found.findings[0].finding.id).await;
    assert_eq!(finding.proven, Some(true));
    assert_eq!(scratch.alerts_of(finding.id).await["all"], 1);
    let ids: Vec<(TreeId, String)> = [30, 31, 32]
        .map(|index| (TreeId::new(TREE), hex::encode(leaf(index))))
        .into();
    let known = scratch.store.known_entries(&log(), &ids).await.unwrap();
    assert_eq!(known.len(), 2);
    assert!(!known.contains(&ids[2]));
    assert!(scratch.due(at(6)).await.is_empty());
    // Another watch has to see them too.
    scratch
        .store
        .set_exact_names(&log(), &[2; 32], &["a@b".to_owned()], at(7))
        .await
        .unwrap();
    assert!(
        scratch
            .store
            .known_entries(&log(), &ids)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(scratch.due_names(at(7)).await, ["a@b"]);
}

#[tokio::test]
async fn a_certificate_is_settled_once_and_its_finding_contains_the_result() {
    let scratch = begun().await;
    let sightings = scratch.store.sightings(0, 100).await.unwrap();
    let mut new_lookups = new_lookups(
        0,
        2,
        vec![
            certificate("k", &["a@b"], sightings[0].number),
            certificate("l", &["a@b"], sightings[1].number),
        ],
    );
    new_lookups.elsewhere = vec![entry(40, "l", "log2.example")];
    scratch.store.enqueue(&new_lookups).await.unwrap();
    let found = FoundEntries {
        log: log(),
        entries: vec![entry(30, "k", TREE)],
        findings: Vec::new(),
        kept: Vec::new(),
        now: at(2),
    };
    scratch.store.found_entries(&found).await.unwrap();
    let open = scratch
        .store
        .open_certificates(&log(), "a@b")
        .await
        .unwrap();
    let expected = |key: &str, entry: KnownEntry, own| OpenCertificate {
        key: key.to_owned(),
        not_after: at(600),
        entries: vec![(entry, own)],
        other_certificates: Vec::new(),
    };
    assert_eq!(
        open,
        [
            expected("k", entry(30, "k", TREE), true),
            expected("l", entry(40, "l", "log2.example"), false)
        ]
    );
    let mut answer = answered("a@b", 1, None);
    answer.settled = vec![SettledCertificate {
        key: "k".to_owned(),
        end: PendingCertificateEnd::InThisLog,
        summary: "; its signing is entry 30".to_owned(),
    }];
    for _ in 0..2 {
        scratch.store.answered(&answer).await.unwrap();
    }
    let summaries: Vec<String> = scratch
        .list()
        .await
        .into_iter()
        .map(|f| f.summary)
        .collect();
    assert_eq!(
        summaries[..2],
        ["entry 1; its signing is entry 30", "entry 2"]
    );
    let open = scratch
        .store
        .open_certificates(&log(), "a@b")
        .await
        .unwrap();
    assert_eq!(open.len(), 1);
    assert!(scratch.due(at(1_000_000)).await.is_empty());
}

fn postponed(subject: &str, retry: Timestamp, error: Option<PassErrorKind>) -> Postponed {
    Postponed {
        unread: None,
        position: 0,
        log: log(),
        subject: subject.to_owned(),
        retry,
        error: error.map(|kind| PassError {
            kind,
            message: "why".to_owned(),
        }),
    }
}

#[tokio::test]
async fn what_failed_stays_due_and_comes_after_the_others() {
    let scratch = begun().await;
    let one = new_lookups(0, 1, vec![certificate("k", &["a@b", "c@d", "e@f"], 1)]);
    scratch.store.enqueue(&one).await.unwrap();
    let later = postponed("a@b", at(60), Some(PassErrorKind::Malformed));
    scratch.store.postponed(&later).await.unwrap();
    let behind = postponed("c@d", at(2), None);
    scratch.store.postponed(&behind).await.unwrap();
    let scratch = scratch.after_a_crash().await;
    assert_eq!(scratch.due_names(at(2)).await, ["e@f", "c@d"]);
    let tally = scratch.store.lookup_counts(&log(), at(2)).await.unwrap();
    assert_eq!((tally.due, tally.oldest_due), (3, Some(at(1))));
    assert_eq!(tally.failed.unwrap().kind, PassErrorKind::Malformed);
    assert_eq!(scratch.due_names(at(60)).await, ["e@f", "a@b", "c@d"]);
    assert_eq!(scratch.due(at(60)).await[1].failures, 1);
    // An answer ends it.
    for name in ["a@b", "c@d", "e@f"] {
        scratch
            .store
            .answered(&answered(name, 1, None))
            .await
            .unwrap();
    }
    let tally = scratch.store.lookup_counts(&log(), at(60)).await.unwrap();
    assert_eq!((tally.due, tally.failed), (0, None));
}

#[tokio::test]
async fn names_of_new_certificates_come_before_those_that_are_looked_up_again() {
    let scratch = begun().await;
    let names: Vec<String> = (0..9).map(|n| format!("n{n}@b")).collect();
    let old: Vec<&str> = names.iter().map(String::as_str).collect();
    let one = new_lookups(0, 1, vec![certificate("k", &old, 1)]);
    scratch.store.enqueue(&one).await.unwrap();
    for name in &old {
        scratch
            .store
            .answered(&answered(name, 1, None))
            .await
            .unwrap();
    }
    scratch
        .store
        .set_exact_names(&log(), &[2; 32], &[], at(6))
        .await
        .unwrap();
    let new = NewLookups {
        now: at(7),
        ..new_lookups(1, 2, vec![certificate("l", &["new@b"], 2)])
    };
    scratch.store.enqueue(&new).await.unwrap();
    assert_eq!(scratch.due_names(at(7)).await[0], "new@b");
    assert_eq!(scratch.due(at(7)).await.len(), 10);
}

#[tokio::test]
async fn one_of_four_look_ups_is_of_a_name_without_a_new_certificate() {
    let scratch = begun().await;
    let fresh: Vec<String> = (0..9).map(|n| format!("fresh{n}@b")).collect();
    let old = new_lookups(0, 1, vec![certificate("k", &["old1@b", "old2@b"], 1)]);
    scratch.store.enqueue(&old).await.unwrap();
    for name in ["old1@b", "old2@b"] {
        let due = answered(name, 1, Some(at(2)));
        scratch.store.answered(&due).await.unwrap();
    }
    let subjects: Vec<&str> = fresh.iter().map(String::as_str).collect();
    let new = new_lookups(1, 2, vec![certificate("l", &subjects, 2)]);
    scratch.store.enqueue(&new).await.unwrap();
    let mut turns = Vec::new();
    for _ in 0..8 {
        let next = scratch.due_names(at(9)).await.remove(0);
        let due = answered(&next, 1, Some(at(2)));
        scratch.store.answered(&due).await.unwrap();
        turns.push(next);
    }
    // However many new certificates come, those that wait are looked up.
    assert_eq!(
        turns.iter().filter(|name| name.starts_with("old")).count(),
        2
    );
    assert_eq!(turns[1], "old1@b");
    assert_eq!(turns[5], "old2@b");
}

#[tokio::test]
async fn a_new_certificate_forgets_what_failed_before_it() {
    let scratch = begun().await;
    let one = new_lookups(0, 1, vec![certificate("k", &["a@b"], 1)]);
    scratch.store.enqueue(&one).await.unwrap();
    for _ in 0..5 {
        let later = postponed("a@b", at(3600), Some(PassErrorKind::EntriesMissing));
        scratch.store.postponed(&later).await.unwrap();
    }
    assert!(scratch.due(at(3500)).await.is_empty());
    let new = new_lookups(1, 2, vec![certificate("l", &["a@b"], 2)]);
    scratch.store.enqueue(&new).await.unwrap();
    let due = scratch.due(at(3500)).await;
    assert_eq!((due.len(), due[0].failures), (1, 0));
}

#[tokio::test]
async fn another_guide_causes_all_look_ups_again_and_no_repeated_alerts() {
    let scratch = begun().await;
    let guides = |names: &[&str]| names.iter().map(|&n| LogId::new(n)).collect::<Vec<_>>();
    scratch
        .store
        .set_guides(&log(), &guides(&["ct"]))
        .await
        .unwrap();
    let tally = scratch.store.lookup_counts(&log(), at(1)).await.unwrap();
    assert!(tally.pending_guides.is_empty(), "{tally:?}");
    let one = new_lookups(0, 2, vec![certificate("k", &["a@b"], 1)]);
    scratch.store.enqueue(&one).await.unwrap();
    let mut answer = answered("a@b", 1, None);
    answer.settled = vec![SettledCertificate {
        key: "k".to_owned(),
        end: PendingCertificateEnd::InThisLog,
        summary: "; its signing is entry 30".to_owned(),
    }];
    scratch.store.answered(&answer).await.unwrap();
    // The same again changes nothing.
    scratch
        .store
        .set_guides(&log(), &guides(&["ct"]))
        .await
        .unwrap();
    assert_eq!(
        scratch.store.guide(&log()).await.unwrap().unwrap().cursor,
        2
    );
    let more = guides(&["ct", "ct-2025"]);
    scratch.store.set_guides(&log(), &more).await.unwrap();
    let scratch = scratch.after_a_crash().await;
    assert_eq!(
        scratch.store.guide(&log()).await.unwrap().unwrap().cursor,
        0
    );
    let tally = scratch.store.lookup_counts(&log(), at(1)).await.unwrap();
    assert_eq!(tally.pending_guides, ["ct-2025"]);
    let again = new_lookups(
        0,
        2,
        vec![certificate("k", &["a@b"], 1), certificate("l", &["c@d"], 2)],
    );
    scratch.store.enqueue(&again).await.unwrap();
    assert_eq!(scratch.due_names(at(9)).await, ["c@d"]);
    assert_eq!(
        scratch.list().await[0].summary,
        "entry 1; its signing is entry 30"
    );
    scratch.store.guides_done(&log()).await.unwrap();
    let tally = scratch.store.lookup_counts(&log(), at(1)).await.unwrap();
    assert!(tally.pending_guides.is_empty());
    // One that is a guide no longer has nothing gone over again.
    scratch
        .store
        .set_guides(&log(), &guides(&["ct-2025"]))
        .await
        .unwrap();
    assert_eq!(
        scratch.store.guide(&log()).await.unwrap().unwrap().cursor,
        2
    );
}

#[tokio::test]
async fn a_clock_that_was_ahead_keeps_no_name_waiting() {
    let scratch = begun().await;
    let ahead = NewLookups {
        now: at(1_000_000),
        ..new_lookups(0, 1, vec![certificate("k", &["a@b", "c@d", "e@f"], 1)])
    };
    scratch.store.enqueue(&ahead).await.unwrap();
    let answered_ahead = Answered {
        now: at(1_000_000),
        ..answered("a@b", 1, Some(at(1_003_600)))
    };
    scratch.store.answered(&answered_ahead).await.unwrap();
    let put_off = postponed("c@d", at(1_000_060), Some(PassErrorKind::Malformed));
    scratch.store.postponed(&put_off).await.unwrap();
    let mut due = scratch.due_names(at(10)).await;
    due.sort_unstable();
    assert_eq!(due, ["a@b", "c@d", "e@f"]);
}

#[tokio::test]
async fn each_finding_of_a_certificate_that_cannot_be_looked_up_reports_it() {
    let scratch = begun().await;
    let sightings = scratch.store.sightings(0, 100).await.unwrap();
    for (cursor, sighting) in [(1, &sightings[0]), (2, &sightings[1])] {
        let no_lookup_note = PendingCertificate {
            no_lookup_note: Some("; too long".to_owned()),
            ..certificate("k", &[], sighting.number)
        };
        let one = new_lookups(cursor - 1, cursor, vec![no_lookup_note]);
        scratch.store.enqueue(&one).await.unwrap();
    }
    let summaries: Vec<String> = scratch
        .list()
        .await
        .into_iter()
        .map(|f| f.summary)
        .collect();
    assert_eq!(summaries[..2], ["entry 1; too long", "entry 2; too long"]);
    assert_eq!(scratch.due(at(100)).await, []);
}

#[tokio::test]
async fn the_counts_contain_the_length_of_the_queue_and_whether_the_index_answered() {
    let scratch = begun().await;
    let store = &scratch.store;
    let new_lookups = new_lookups(
        0,
        2,
        vec![certificate("k", &["a@b"], 1), certificate("l", &["c@d"], 2)],
    );
    store.enqueue(&new_lookups).await.unwrap();
    let tally = store.lookup_counts(&log(), at(3)).await.unwrap();
    assert_eq!((tally.due, tally.oldest_due), (2, Some(at(1))));
    assert_eq!((tally.answered, tally.known), (0, 0));
    // Ten minutes after a certificate's end its entry must be there; before, a missing one is no evidence.
    let lag = SignedDuration::from_mins(10);
    let ended = at(600) + lag;
    let answer = |subject, entries, now| Answered {
        now,
        ..answered(subject, entries, None)
    };
    store
        .answered(&answer("a@b", 0, ended - SignedDuration::from_secs(1)))
        .await
        .unwrap();
    assert_eq!(
        store.lookup_counts(&log(), ended).await.unwrap().answered,
        0
    );
    store.answered(&answer("a@b", 0, ended)).await.unwrap();
    let tally = store.lookup_counts(&log(), ended).await.unwrap();
    assert_eq!((tally.answered, tally.known), (1, 0));
    store.answered(&answer("c@d", 4, ended)).await.unwrap();
    let tally = store.lookup_counts(&log(), ended).await.unwrap();
    assert_eq!((tally.answered, tally.known), (2, 1));
    // Yesterday's answer is no evidence about today.
    let tomorrow = ended + SignedDuration::from_hours(25);
    assert_eq!(
        store
            .lookup_counts(&log(), tomorrow)
            .await
            .unwrap()
            .answered,
        0
    );
}

#[tokio::test]
async fn the_request_budget_and_refusals_are_stored() {
    let scratch = begun().await;
    scratch
        .store
        .spend(&log(), at(9), Some(at(8)))
        .await
        .unwrap();
    let scratch = scratch.after_a_crash().await;
    let guide = scratch.store.guide(&log()).await.unwrap().unwrap();
    assert_eq!((guide.spent, guide.mail_only), (at(9), Some(at(8))));
}

fn verified(expected: Option<u64>, size: u64) -> VerifiedHead {
    VerifiedHead {
        tree: TreeId::new(TREE),
        log: log(),
        name: "v1".to_owned(),
        protocol: Protocol::RekorV1,
        base: 0,
        expected,
        head: head(size),
        now: at(i64::try_from(size).unwrap()),
    }
}

#[tokio::test]
async fn a_verified_head_needs_no_position_and_never_shrinks() {
    let scratch = ScratchStore::open().await;
    scratch
        .store
        .record_head(&verified(None, 10))
        .await
        .unwrap();
    scratch
        .store
        .record_head(&verified(Some(10), 12))
        .await
        .unwrap();
    let scratch = scratch.after_a_crash().await;
    let state = scratch
        .store
        .tree(&TreeId::new(TREE))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((state.follower, state.verified), (None, Some(head(12))));
    assert_eq!(state.size_since, at(12));
    for wrong in [
        verified(Some(10), 14),
        verified(None, 14),
        verified(Some(12), 11),
    ] {
        let moved = scratch.store.record_head(&wrong).await;
        assert!(matches!(moved, Err(StoreError::Moved { .. })), "{moved:?}");
    }
    assert_eq!(
        scratch
            .store
            .tree(&TreeId::new(TREE))
            .await
            .unwrap()
            .unwrap()
            .verified,
        Some(head(12))
    );
    assert!(
        scratch
            .store
            .checkpoint(&TreeId::new(TREE), 10)
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_log_that_was_read_keeps_its_position_beside_a_verified_head() {
    let scratch = ScratchStore::with_log().await;
    scratch.read((0, 0), (5, 5), Vec::new()).await;
    let before = scratch.store.tree(&tree()).await.unwrap().unwrap().follower;
    let verified = VerifiedHead {
        tree: tree(),
        log: log_id(),
        ..verified(None, 30)
    };
    scratch.store.record_head(&verified).await.unwrap();
    let state = scratch.store.tree(&tree()).await.unwrap().unwrap();
    assert_eq!((state.follower, state.verified), (before, Some(head(30))));
    // Then reading continues, and the verified positions are kept.
    scratch.read((5, 5), (20, 20), Vec::new()).await;
    let state = scratch.store.tree(&tree()).await.unwrap().unwrap();
    assert_eq!(state.verified, Some(head(30)));
}

#[tokio::test]
async fn a_contradiction_without_a_position_is_recorded_once() {
    let scratch = ScratchStore::open().await;
    let mut fault = signing(5);
    fault.finding.watch = None;
    fault.finding.verdict = modelwatch::finding::Verdict::LogFault;
    fault.finding.fault = Some(modelwatch::finding::FaultKind::Fork);
    fault.evidence.notes = vec![b"one".to_vec(), b"two".to_vec()];
    let contradiction = Contradiction {
        fault: fault.clone(),
        occurrence: [3; 32],
        now: at(1),
    };
    for _ in 0..2 {
        scratch.store.contradicted(&contradiction).await.unwrap();
    }
    let found = scratch.list().await;
    assert_eq!((found.len(), found[0].state), (1, State::Open));
    assert_eq!(scratch.alerts_of(fault.finding.id).await["all"], 1);
}
