//! The laws of `Findings`.

use futures_util::TryStreamExt as _;
use modelwatch::finding::{FaultKind, FindingId, Severity, State, Verdict};
use modelwatch::identity::Chain;
use modelwatch::store::{Counts, FindingPlace, FindingQuery, HandlingOutcome, Judged, StoreError};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};

use crate::scratch::{ScratchStore, ack, at, critical, held, signing, untrusted, watched};

#[tokio::test]
async fn a_finding_comes_back_as_it_was_written_with_its_evidence() {
    let scratch = ScratchStore::with_log().await;
    let mut new = signing(3);
    new.evidence.notes = vec![b"one".to_vec(), b"two".to_vec()];
    new.evidence.leaf = Some(b"leaf".to_vec());
    scratch.read((0, 0), (5, 0), vec![new.clone()]).await;
    let scratch = scratch.after_a_crash().await;
    let record = scratch
        .store
        .finding(&new.finding.id.to_string())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(record.finding, new.finding);
    assert_eq!(record.evidence, new.evidence);
    assert_eq!(
        record.history.len(),
        1,
        "its beginning is shown although nothing has changed"
    );
}

/// The database, as another program sees it.
async fn database(scratch: &ScratchStore) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(scratch.path())
        .foreign_keys(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

#[tokio::test]
async fn signers_of_a_batch_that_differ_in_one_extension_are_told_apart() {
    let scratch = ScratchStore::with_log().await;
    // More than one statement records. The certificate is named to be the same, and one of its extensions is not.
    let mut found: Vec<_> = (0..300).map(signing).collect();
    for (new, place) in found.iter_mut().zip([1, 1, 2].into_iter().cycle()) {
        new.finding.extensions = signing(place).finding.extensions;
    }
    let written: Vec<_> = found.iter().map(|new| new.finding.clone()).collect();
    scratch.read((0, 0), (300, 0), found).await;
    assert_eq!(scratch.list().await, written);
}

#[tokio::test]
async fn a_finding_without_its_signer_is_refused_at_the_end_of_its_transaction() {
    let scratch = ScratchStore::with_log().await;
    let mut db = database(&scratch).await;
    let mut transaction = db.begin().await.unwrap();
    // Within the statement it would be checked with a copy of each page that the statement changes.
    transaction
        .execute(
            "INSERT OR FAIL INTO finding (id, verdict, severity, judged_verdict, judged_severity, health, state, first_seen,
               summary, signer)
             VALUES (x'01', '', 1, '', 1, 0, 'open', 1, '', x'02'), (x'03', '', 1, '', 1, 0, 'open', 1, '', x'02')",
        )
        .await
        .unwrap();
    let refused = transaction.commit().await.unwrap_err();
    assert!(refused.to_string().contains("FOREIGN KEY"), "{refused}");
    assert!(scratch.list().await.is_empty());
}

#[tokio::test]
async fn a_repeated_finding_is_recorded_and_alerted_once() {
    let scratch = ScratchStore::with_log().await;
    assert_eq!(
        scratch
            .read((0, 0), (5, 0), vec![signing(1), signing(1)])
            .await,
        1
    );
    assert_eq!(
        scratch
            .read((5, 0), (5, 0), vec![signing(1), signing(2)])
            .await,
        1
    );
    assert_eq!(scratch.list().await.len(), 2);
    assert_eq!(scratch.alerts_of(signing(1).finding.id).await["all"], 1);
}

#[tokio::test]
async fn findings_are_proven_by_the_commit_that_proves_their_range() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .read((0, 0), (6, 0), vec![signing(2), signing(5)])
        .await;
    assert!(scratch.list().await.iter().all(|f| f.proven == Some(false)));
    scratch.read((6, 0), (9, 5), vec![signing(7)]).await;
    let proven: Vec<_> = scratch
        .list()
        .await
        .iter()
        .map(|f| (f.index, f.proven))
        .collect();
    assert_eq!(
        proven,
        [
            (Some(2), Some(true)),
            (Some(5), Some(false)),
            (Some(7), Some(false))
        ]
    );
    scratch.read((9, 5), (9, 9), vec![]).await;
    assert!(scratch.list().await.iter().all(|f| f.proven == Some(true)));
}

#[tokio::test]
async fn lists_are_ordered_by_log_index_watch_and_pages_neither_skip_nor_repeat() {
    let scratch = ScratchStore::with_log().await;
    let mut found = Vec::new();
    for index in (0..450).rev() {
        found.extend([watched("b", index), watched("a", index)]);
    }
    let mut elsewhere = signing(3);
    elsewhere.finding.log = Some("a log before".into());
    elsewhere.finding.id = FindingId::of_fault(FaultKind::Fork, "y", 1);
    found.push(elsewhere);
    scratch.read((0, 0), (500, 0), found).await;
    let listed = scratch.list().await;
    assert_eq!(listed.len(), 901);
    let order: Vec<_> = listed
        .iter()
        .map(|f| (f.log.clone(), f.index, f.watch.clone(), f.id))
        .collect();
    assert!(order.is_sorted());
    for limit in [0, 1, 200, 201, 900, 2_000] {
        let query = FindingQuery {
            limit: Some(limit),
            ..FindingQuery::default()
        };
        let some: Vec<_> = scratch.store.findings(&query).try_collect().await.unwrap();
        assert_eq!(some, listed[..some.len()]);
        assert_eq!(some.len() as u64, limit.min(901));
    }
}

#[tokio::test]
async fn a_finding_is_found_by_an_unambiguous_prefix() {
    let scratch = ScratchStore::with_log().await;
    let mut twin = signing(2);
    let mut id = *signing(1).finding.id.as_bytes();
    id[15] ^= 1;
    twin.finding.id = FindingId::from_bytes(id);
    scratch
        .read((0, 0), (5, 0), vec![signing(1), twin, signing(3)])
        .await;
    let (one, three) = (
        signing(1).finding.id.to_string(),
        signing(3).finding.id.to_string(),
    );
    for length in [4, 5, 31, 32] {
        let found = scratch.store.finding(&three[..length]).await.unwrap();
        assert_eq!(
            found.unwrap().finding.id,
            signing(3).finding.id,
            "{length} digits"
        );
    }
    for short in [&one[..31], &one[..5], &three[..3], ""] {
        let found = scratch.store.finding(short).await;
        assert!(matches!(found, Err(StoreError::Ambiguous(_))), "{short}");
    }
    for absent in [
        "not hex",
        "ffff0000ffff0000ffff0000ffff0000",
        "%%%%",
        &format!("{one}0"),
    ] {
        assert_eq!(
            scratch.store.finding(absent).await.unwrap(),
            None,
            "{absent}"
        );
    }
}

#[tokio::test]
async fn open_and_disputed_findings_of_enough_severity_count() {
    let scratch = ScratchStore::with_log().await;
    let found = vec![signing(1), critical(signing(2)), untrusted(3), held(4)];
    scratch.read((0, 0), (9, 0), found).await;
    for (fail_on, security) in [
        (Severity::Info, 3),
        (Severity::High, 2),
        (Severity::Critical, 1),
    ] {
        let counts = scratch.store.counts(fail_on).await.unwrap();
        assert_eq!(
            counts,
            Counts {
                security,
                health: 0
            },
            "{fail_on:?}"
        );
    }
}

/// Findings that differ in one thing each, by their index.
async fn different() -> ScratchStore {
    let scratch = ScratchStore::with_log().await;
    let named = |index, name: &str| {
        let mut new = signing(index);
        name.clone_into(&mut new.finding.san[0].value);
        new
    };
    let mut other_digest = signing(5);
    other_digest.finding.digest = Some("sha512:00ff".into());
    let mut later = signing(6);
    later.finding.first_seen = at(60);
    let mut other_key = signing(10);
    other_key.finding.san.clear();
    let found = vec![
        signing(1),
        watched("eagle", 2),
        untrusted(3),
        critical(signing(4)),
        other_digest,
        later,
        named(7, r"Jane_D%\o@Example.org"),
        held(8),
        named(9, "https://h.example/x"),
        other_key,
    ];
    scratch.read((0, 0), (20, 0), found).await;
    let acked = [signing(1).finding.id];
    scratch
        .store
        .handle(&acked, &ack("seen", at(2)))
        .await
        .unwrap();
    scratch
}

fn queries() -> Vec<(FindingQuery, &'static [u64])> {
    let default = FindingQuery::default;
    let san = |name: &str| FindingQuery {
        san: Some(name.into()),
        ..default()
    };
    let digest = |digest: &str| FindingQuery {
        digest: Some(digest.into()),
        ..default()
    };
    vec![
        (default(), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (FindingQuery::open(), &[2, 3, 4, 5, 6, 7, 9, 10]),
        (
            FindingQuery {
                states: vec![State::Held, State::Acked],
                ..default()
            },
            &[1, 8],
        ),
        (
            FindingQuery {
                watches: vec!["eagle".into(), "nosuch".into()],
                ..default()
            },
            &[2],
        ),
        (
            FindingQuery {
                verdicts: vec![Verdict::UntrustedChain, Verdict::Silence],
                ..default()
            },
            &[3],
        ),
        (
            FindingQuery {
                min_severity: Some(Severity::Critical),
                ..default()
            },
            &[4],
        ),
        (
            FindingQuery {
                since: Some(at(60)),
                ..default()
            },
            &[6],
        ),
        (digest("sha512:00FF"), &[5]),
        (digest("00ff"), &[5]),
        (digest("sha256:00ff"), &[]),
        (san(r"jane_d%\O@example.ORG"), &[7]),
        (san("*@example.org"), &[7]),
        (san("*_*%*"), &[7]),
        (san("https://h.example"), &[]),
        (san("https://H.example/*"), &[9]),
        (
            FindingQuery {
                watches: vec!["falcon".into()],
                min_severity: Some(Severity::High),
                since: Some(at(1)),
                san: Some("*".into()),
                limit: Some(2),
                ..FindingQuery::open()
            },
            &[4, 5],
        ),
    ]
}

#[tokio::test]
async fn each_condition_of_a_query_selects_its_findings() {
    let scratch = different().await;
    for (query, expected) in queries() {
        let found = scratch.query(&query).await;
        let found: Vec<_> = found.iter().filter_map(|f| f.index).collect();
        assert_eq!(found, expected, "{query:?}");
    }
}

#[tokio::test]
async fn what_is_acknowledged_is_what_a_query_selects_of_what_is_open() {
    for (query, expected) in queries() {
        let scratch = different().await;
        let by_state = !query.states.is_empty();
        let takes = |index: &u64| match index {
            1 => false,
            8 => by_state,
            _ => true,
        };
        let expected: Vec<_> = expected.iter().copied().filter(takes).collect();
        let request = ack("seen", at(3));
        let acked = scratch.store.handle_matching(&query, &request);
        assert_eq!(acked.await.unwrap(), expected.len() as u64, "{query:?}");
        for finding in scratch.list().await {
            let index = finding.index.unwrap();
            let is_acked = expected.contains(&index) || index == 1;
            assert_eq!(finding.state == State::Acked, is_acked, "{query:?} {index}");
        }
    }
}

#[tokio::test]
async fn acknowledging_all_takes_the_open_ones_and_reports_the_result_of_each_id() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .read((0, 0), (9, 0), vec![signing(1), held(2)])
        .await;
    let every = FindingQuery::default();
    let request = ack("seen", at(5));
    let all = scratch.store.handle_matching(&every, &request);
    assert_eq!(all.await.unwrap(), 1);
    assert_eq!(scratch.get(signing(1).finding.id).await.state, State::Acked);
    let none = scratch
        .store
        .handle(&[], &ack("seen", at(5)))
        .await
        .unwrap();
    assert_eq!(none, []);
    let unknown = FindingId::of_fault(FaultKind::Fork, "b", 1);
    let ids = [signing(1).finding.id, held(2).finding.id, unknown];
    let some = scratch
        .store
        .handle(&ids, &ack("seen", at(6)))
        .await
        .unwrap();
    let outcomes: Vec<_> = some.into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(
        outcomes,
        [
            HandlingOutcome::Before,
            HandlingOutcome::Done,
            HandlingOutcome::Unknown
        ]
    );
    assert_eq!(
        scratch.history(signing(1).finding.id).await,
        [
            (State::Open, "first seen".into()),
            (State::Acked, "seen".into())
        ]
    );
    assert_eq!(
        scratch.unresolved().await.len(),
        2,
        "acknowledged is not resolved"
    );
}

#[tokio::test]
async fn an_impostor_that_turns_out_trusted_alerts_even_if_it_was_acknowledged() {
    let scratch = ScratchStore::with_log().await;
    scratch
        .read((0, 0), (9, 0), vec![untrusted(1), untrusted(2), signing(3)])
        .await;
    let page = scratch.store.untrusted(None, 1).await.unwrap();
    let rest = scratch
        .store
        .untrusted(Some(page[0].0.id), 10)
        .await
        .unwrap();
    assert_eq!((page.len(), rest.len()), (1, 1));
    assert_eq!(page[0].1.certificate.as_deref(), Some(&[0x30, 0x00][..]));

    let id = untrusted(1).finding.id;
    scratch
        .store
        .handle(&[id], &ack("an impostor", at(2)))
        .await
        .unwrap();
    let rejudge = async |now| {
        let store = &scratch.store;
        store
            .rejudge(
                id,
                &Judged {
                    chain: Chain::Trusted,
                    verdict: Verdict::IdentityUnexpected,
                    severity: Severity::High,
                    summary: "real".to_owned(),
                    anomalies: vec!["odd".to_owned()],
                },
                at(now),
            )
            .await
            .unwrap();
    };
    rejudge(3).await;
    rejudge(4).await;
    let finding = scratch.get(id).await;
    assert_eq!(
        (finding.state, finding.verdict),
        (State::Open, Verdict::IdentityUnexpected)
    );
    assert_eq!(
        (finding.chain, finding.summary.as_str()),
        (Some(Chain::Trusted), "real")
    );
    assert_eq!(
        scratch.history(id).await.len(),
        3,
        "judged the same again is no change"
    );
    let alerts = scratch.store.claim_alerts("all", 20, at(5)).await.unwrap();
    assert_eq!(alerts.len(), 2, "its own, and the other signing's");
}

#[tokio::test]
async fn what_is_held_is_listed_by_itself_in_order_and_counted() {
    let scratch = ScratchStore::with_log().await;
    let found = vec![held(5), signing(1), held(2), held(3)];
    scratch.read((0, 0), (9, 0), found).await;
    let query = |limit| FindingQuery {
        states: vec![State::Held],
        limit,
        ..FindingQuery::default()
    };
    let listed = scratch.query(&query(None)).await;
    let indexes: Vec<_> = listed.into_iter().filter_map(|found| found.index).collect();
    assert_eq!(indexes, [2, 3, 5]);
    for (limit, count) in [(None, 3), (Some(2), 2), (Some(9), 3)] {
        assert_eq!(scratch.store.count(&query(limit)).await.unwrap(), count);
    }
    for (states, count) in [
        (vec![], 4),
        (vec![State::Open], 1),
        (vec![State::Open, State::Held], 4),
        (vec![State::Acked], 0),
    ] {
        let query = FindingQuery {
            states,
            ..FindingQuery::default()
        };
        assert_eq!(scratch.store.count(&query).await.unwrap(), count);
    }
}

#[tokio::test]
async fn only_findings_in_the_states_that_are_asked_for_are_acknowledged() {
    for (states, acked) in [
        (vec![], vec![1]),
        (vec![State::Open], vec![1]),
        (vec![State::Held], vec![2]),
        (vec![State::Held, State::Open], vec![1, 2]),
        (vec![State::Acked], vec![]),
        (vec![State::Resolved, State::Held], vec![2]),
    ] {
        let scratch = ScratchStore::with_log().await;
        let found = vec![signing(1), held(2)];
        scratch.read((0, 0), (9, 0), found).await;
        let query = FindingQuery {
            states: states.clone(),
            ..FindingQuery::default()
        };
        let request = ack("seen", at(5));
        let handled = scratch.store.handle_matching(&query, &request);
        assert_eq!(handled.await.unwrap(), acked.len() as u64, "{states:?}");
        for finding in scratch.list().await {
            let is_acked = acked.contains(&finding.index.unwrap());
            assert_eq!(finding.state == State::Acked, is_acked, "{states:?}");
        }
    }
}

#[tokio::test]
async fn more_findings_than_one_transaction_takes_are_all_acknowledged_in_order() {
    let scratch = ScratchStore::with_log().await;
    let count = 5_003;
    scratch
        .read((0, 0), (count, 0), (0..count).map(signing).collect())
        .await;
    let limited = FindingQuery {
        limit: Some(5_001),
        ..FindingQuery::default()
    };
    for (expected, left) in [(5_001, vec![5_001, 5_002]), (2, vec![]), (0, vec![])] {
        let request = ack("seen", at(5));
        let handled = scratch.store.handle_matching(&limited, &request);
        assert_eq!(handled.await.unwrap(), expected);
        let open = scratch.query(&FindingQuery::open()).await;
        let open: Vec<_> = open.iter().filter_map(|finding| finding.index).collect();
        assert_eq!(open, left);
    }
}

#[tokio::test]
async fn a_list_continues_after_a_place_whether_its_finding_is_in_the_query_or_not() {
    let scratch = ScratchStore::with_log().await;
    let found = vec![signing(1), signing(2), held(3), signing(4)];
    scratch.read((0, 0), (9, 0), found.clone()).await;
    for (after, states, expected) in [
        (None, vec![], vec![1, 2, 3, 4]),
        (Some(0), vec![], vec![2, 3, 4]),
        (Some(1), vec![State::Open], vec![4]),
        (Some(2), vec![State::Open], vec![4]),
        (Some(1), vec![State::Held], vec![3]),
        (Some(3), vec![], vec![]),
    ] {
        let query = FindingQuery {
            states: states.clone(),
            after: after.map(|place: usize| FindingPlace::from(&found[place].finding)),
            ..FindingQuery::default()
        };
        let listed = scratch.query(&query).await;
        let indexes: Vec<_> = listed.into_iter().filter_map(|found| found.index).collect();
        assert_eq!(indexes, expected, "{after:?} {states:?}");
    }
}
