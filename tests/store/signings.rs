//! Signings as they are compared with bundles.

use futures_util::TryStreamExt as _;
use modelwatch::store::{SigningQuery, StoredSigning};

use crate::scratch::{ScratchStore, at, leaf, signing, untrusted, watched};

async fn list(scratch: &ScratchStore, query: &SigningQuery) -> Vec<StoredSigning> {
    scratch.store.signings(query).try_collect().await.unwrap()
}

fn indexes(signings: &[StoredSigning]) -> Vec<u64> {
    signings.iter().map(|signing| signing.index).collect()
}

#[tokio::test]
async fn a_query_has_the_signings_of_its_watches_and_of_its_time() {
    let scratch = ScratchStore::with_log().await;
    let mut late = signing(3);
    late.finding.not_before = Some(at(30));
    let mut timeless = signing(4);
    timeless.finding.not_before = None;
    let found = vec![
        signing(1),
        watched("eagle", 2),
        late,
        timeless,
        untrusted(5),
    ];
    scratch.read((0, 0), (9, 9), found).await;
    let any = SigningQuery::default;
    let of = |query| {
        let scratch = &scratch;
        async move { indexes(&list(scratch, &query).await) }
    };
    assert_eq!(of(any()).await, [1, 2, 3, 4, 5]);
    let eagle = SigningQuery {
        watches: vec!["eagle".into(), "none".into()],
        ..any()
    };
    assert_eq!(of(eagle).await, [2]);
    // Without a trusted certificate no time is known, and then the signing is never left out.
    let since = SigningQuery {
        since: Some(at(0)),
        ..any()
    };
    assert_eq!(of(since).await, [3, 4, 5]);
    let exactly = SigningQuery {
        since: Some(at(-1)),
        until: Some(at(30)),
        ..any()
    };
    assert_eq!(of(exactly).await, [1, 2, 4, 5]);
}

#[tokio::test]
async fn few_signings_of_a_time_are_the_same_as_among_many() {
    let scratch = ScratchStore::with_log().await;
    let of_signer = |index, signer, time| {
        let mut found = signing(index);
        found.finding.extensions.clear();
        found.finding.certificate_sha256 = Some(format!("{signer:064x}"));
        found.finding.not_before = time;
        found
    };
    // 6,000 signers of an early time; later one with three signings, one of unknown time, one not trusted.
    let mut found: Vec<_> = (1..=6_000)
        .map(|index| of_signer(index, index, Some(at(10))))
        .collect();
    found.extend((6_001..=6_003).map(|index| of_signer(index, 6_001, Some(at(30)))));
    found.push(of_signer(6_004, 6_004, None));
    found.push(untrusted(6_005));
    scratch.read((0, 0), (6_006, 6_006), found).await;
    let of = |since: i64, until: Option<i64>| {
        let query = SigningQuery {
            since: Some(at(since)),
            until: until.map(at),
            ..SigningQuery::default()
        };
        let scratch = &scratch;
        async move { indexes(&list(scratch, &query).await) }
    };
    let late = (6_001..=6_005).collect::<Vec<u64>>();
    assert_eq!(of(11, None).await, late);
    assert_eq!(of(30, Some(31)).await, late);
    assert_eq!(of(11, Some(30)).await, late[3..]);
    let all = (1..=6_005).collect::<Vec<u64>>();
    assert_eq!(of(10, None).await, all);
    assert_eq!(of(10, Some(30)).await, [&all[..6_000], &late[3..]].concat());
    let of_eagle = SigningQuery {
        watches: vec!["eagle".into()],
        since: Some(at(11)),
        ..SigningQuery::default()
    };
    assert_eq!(list(&scratch, &of_eagle).await, []);
}

#[tokio::test]
async fn one_signer_may_have_more_signings_than_a_page() {
    let scratch = ScratchStore::with_log().await;
    let of_one_signer = |index| {
        let mut found = signing(index);
        found.finding.extensions.clear();
        found
    };
    let found = (1..=6_000).map(of_one_signer).collect();
    scratch.read((0, 0), (6_001, 0), found).await;
    let since = SigningQuery {
        since: Some(at(-1_000)),
        ..SigningQuery::default()
    };
    let all = list(&scratch, &since).await;
    assert_eq!(indexes(&all), (1..=6_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn signings_are_found_by_their_leaves_with_whether_they_are_proven() {
    let scratch = ScratchStore::with_log().await;
    let found = vec![signing(1), watched("eagle", 1), signing(7)];
    scratch.read((0, 0), (9, 5), found).await;
    let hashes: Vec<String> = [1, 7, 8].map(|index| hex::encode(leaf(index))).into();
    let mut found = scratch.store.signings_of_leaves(&hashes).await.unwrap();
    found.sort_by_key(|signing| signing.index);
    let proven: Vec<_> = found
        .iter()
        .map(|signing| (signing.index, signing.is_proven))
        .collect();
    assert_eq!(proven, [(1, true), (1, true), (7, false)]);
    assert_eq!(scratch.store.signings_of_leaves(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn a_disputed_signing_is_not_proven_and_a_page_ends_nowhere() {
    let scratch = ScratchStore::with_log().await;
    let found = (1..=6_000).map(signing).collect();
    scratch.read((0, 0), (6_001, 0), found).await;
    let all = list(&scratch, &SigningQuery::default()).await;
    assert_eq!(indexes(&all), (1..=6_000).collect::<Vec<_>>());
    scratch
        .store
        .dispute(&crate::faults::mismatch(6_001, 0, 1))
        .await
        .unwrap();
    let hash = hex::encode(leaf(1));
    let found = scratch.store.signings_of_leaves(&[hash]).await.unwrap();
    assert!(!found[0].is_proven);
}
