//! Findings that are found by who signed, by what was signed, or by their entry.

use modelwatch::expect::{Authority, Part};
use modelwatch::finding::{NewFinding, Verdict};
use modelwatch::identity::Chain;
use modelwatch::store::{Batch, MAX_TERM_CHARS, Place, SearchKey, SignerTerm};

use crate::register_one::RegisterOne as _;
use crate::scratch::{ScratchStore, at, batch, expectation, head, leaf, signing, watched};

/// A signing by this name, which is unlike the others.
fn by(name: &str, index: u64) -> NewFinding {
    let mut new = signing(index);
    new.finding.san =
        serde_json::from_value(serde_json::json!([{"type": "uri", "value": name}])).unwrap();
    new
}

async fn search(scratch: &ScratchStore, key: SearchKey) -> Vec<u64> {
    let mut indexes = Vec::new();
    let mut after = None;
    // Pages of two: a page continues where the one before ended.
    loop {
        let store = &scratch.store;
        let page = store.search(&key, after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2 && page.is_sorted_by(|a, b| a.place < b.place));
        assert!(after.is_none_or(|after| page[0].place > after));
        after = Some(last.place.clone());
        indexes.extend(page.iter().filter_map(|found| found.finding.index));
    }
    indexes
}

#[tokio::test]
async fn a_signer_is_found_by_each_of_its_values_and_by_no_other() {
    let scratch = ScratchStore::with_log().await;
    let mut other = by("https://h/Forge/release.yml@refs/tags/v2", 2);
    other.finding.issuer = Some("https://other.example".to_owned());
    other.finding.key_sha256 = Some(hex::encode([9; 32]));
    other.finding.certificate_sha256 = None;
    other.evidence.certificate = None;
    other.evidence.key_hashes = vec![[9; 32], [10; 32]];
    other.finding.extensions = [
        ("github_workflow_repository", "Forge/Model"),
        ("source_repository_digest", "ABCD"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let mut third = by("https://h/forge/release.yml@refs/tags/v3", 3);
    third.finding.extensions = [(
        "source_repository_uri".to_owned(),
        "https://github.com/forge/model".to_owned(),
    )]
    .into();
    let mut odd = by("HTTPS://h/f%6frge#", 4);
    odd.finding.extensions.clear();
    scratch
        .read((0, 0), (9, 9), vec![signing(1), other, third, odd])
        .await;
    let of = |term, value: &str| SearchKey::Signers(term, vec![value.to_owned()]);
    for (key, expected) in [
        (
            of(SignerTerm::Name, "https://h/forge/release.yml@refs/tags/v2"),
            &[2][..],
        ),
        (of(SignerTerm::Name, "https://h/forge"), &[4]),
        (of(SignerTerm::Name, "https://h/f%6frge#"), &[4]),
        (of(SignerTerm::Name, "https://h/"), &[]),
        (of(SignerTerm::Issuer, "https://other.example"), &[2]),
        (of(SignerTerm::Issuer, "https://OTHER.example"), &[]),
        (
            of(SignerTerm::Repository, "https://github.com/forge/model"),
            &[2, 3],
        ),
        (of(SignerTerm::Commit, "abcd"), &[2]),
        (of(SignerTerm::Key, &hex::encode([10; 32])), &[2]),
        (of(SignerTerm::Key, &hex::encode([9; 32])), &[2]),
        (of(SignerTerm::Key, &hex::encode([8; 32])), &[1, 3, 4]),
        (
            of(SignerTerm::Certificate, &hex::encode([7; 32])),
            &[1, 3, 4],
        ),
        (of(SignerTerm::Odd, ""), &[]),
    ] {
        assert_eq!(search(&scratch, key.clone()).await, expected, "{key:?}");
    }
}

#[tokio::test]
async fn each_name_is_listed_once_and_its_signers_in_the_order_in_which_they_were_recorded() {
    let scratch = ScratchStore::with_log().await;
    let signer = |name: &str, index: u64| {
        let mut new = by(name, index);
        // Another certificate each time, as a release workflow has.
        new.finding.certificate_sha256 = Some(hex::encode([u8::try_from(index).unwrap(); 32]));
        new
    };
    let names = ["b@h", "a@h", "b@h", "c@g", "b@h", "a@h", "b@h"];
    for (index, name) in (1..).zip(names) {
        let batch = (index - 1, index);
        let found = vec![signer(name, index - 1)];
        scratch
            .read((batch.0, batch.0), (batch.1, batch.1), found)
            .await;
    }
    let store = &scratch.store;
    let listed = async |beginning: &str, from: &str, limit| {
        store.names(beginning, from, limit).await.unwrap()
    };
    assert_eq!(listed("", "", 9).await, ["a@h", "b@h", "c@g"]);
    assert_eq!(listed("", "b@h", 1).await, ["b@h"]);
    assert_eq!(listed("", "b@i", 9).await, ["c@g"]);
    assert_eq!(listed("b", "a@h", 9).await, ["b@h"]);
    assert!(listed("d", "", 9).await.is_empty());
    let of = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned());
        SearchKey::Signers(SignerTerm::Name, names.collect())
    };
    assert_eq!(search(&scratch, of(&["b@h"])).await, [0, 2, 4, 6]);
    assert_eq!(
        search(&scratch, of(&["b@h", "a@h", "b@h"])).await,
        [1, 5, 0, 2, 4, 6]
    );
    // Behind a value, whether it is one of those that are asked for or not.
    for value in ["a@h", "a@z"] {
        let after = Place::behind(value.to_owned());
        let key = of(&["b@h", "a@h"]);
        let found = store.search(&key, Some(&after), 9).await.unwrap();
        assert_eq!(found.len(), 4, "{value}");
        let place = &found[0].place;
        let has = async |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let term = SignerTerm::Name;
            store.has_value(place, term, &names).await.unwrap()
        };
        assert!(has(&["a@h", "b@h"]).await);
        assert!(!has(&["a@h", "c@g"]).await && !has(&[]).await);
    }
}

#[tokio::test]
async fn a_long_value_is_found_by_its_beginning() {
    let scratch = ScratchStore::with_log().await;
    let long = format!("https://h/{}", "é".repeat(500));
    scratch.read((0, 0), (9, 9), vec![by(&long, 1)]).await;
    let folded = long.to_ascii_lowercase();
    let whole = SearchKey::Signers(SignerTerm::Name, vec![folded.clone()]);
    assert_eq!(search(&scratch, whole).await, [1]);
    let names = scratch.store.names(&folded, "", 9).await.unwrap();
    assert_eq!(
        names,
        [folded.chars().take(MAX_TERM_CHARS).collect::<String>()]
    );
}

#[tokio::test]
async fn entries_are_found_by_digest_leaf_index_and_by_what_cannot_be_read() {
    let scratch = ScratchStore::with_log().await;
    let mut digest = signing(2);
    digest.finding.digest = Some("sha512:11".to_owned());
    let mut certificate = signing(3);
    certificate.evidence.logged_sha256 = Some([3; 32]);
    certificate.evidence.logged_at = Some(at(7));
    certificate.finding.digest = None;
    let mut unreadable = watched("eagle", 4);
    unreadable.finding.verdict = Verdict::Unreadable;
    unreadable.finding.digest = None;
    let found = vec![
        signing(1),
        watched("eagle", 1),
        digest,
        certificate,
        unreadable,
    ];
    scratch.read((0, 0), (9, 9), found).await;
    let hash = |index| vec![hex::encode(leaf(index))];
    let digests =
        |digests: &[&str]| SearchKey::Digests(digests.iter().map(|d| (*d).to_owned()).collect());
    for (key, expected) in [
        (digests(&["sha256:00"]), &[1, 1][..]),
        (digests(&["sha512:11", "sha256:22"]), &[2]),
        (digests(&[]), &[]),
        (SearchKey::Entries(hash(1)), &[1, 1]),
        (SearchKey::Entries(hash(3)), &[]),
        (SearchKey::CertificateEntries(hash(3)), &[3]),
        (SearchKey::CertificateEntries(hash(1)), &[]),
        (SearchKey::Entries(vec![hex::encode([3; 32])]), &[3]),
        (SearchKey::Indexes(vec![2]), &[2]),
        (SearchKey::Indexes(vec![2, 7, 1]), &[1, 1, 2]),
        (SearchKey::Indexes(vec![7]), &[]),
        (SearchKey::Unreadable(vec!["eagle".to_owned()]), &[4]),
        (SearchKey::Unreadable(vec!["falcon".to_owned()]), &[]),
    ] {
        assert_eq!(search(&scratch, key.clone()).await, expected, "{key:?}");
    }
    let found = scratch
        .store
        .search(&SearchKey::Indexes(vec![3]), None, 9)
        .await
        .unwrap();
    assert_eq!(found[0].logged_at, Some(at(7)));
    assert_eq!(found[0].logged_sha256, Some(hex::encode([3; 32])));
    assert_eq!(found[0].finding.chain, Some(Chain::Trusted));
}

#[tokio::test]
async fn what_a_registered_statement_is_about_leads_to_its_payload() {
    let scratch = ScratchStore::with_log().await;
    let mut bundle = crate::authorities::with_statement(1, true);
    if let Some(statement) = &mut bundle.statement {
        statement.digests = vec!["sha256:aa".to_owned(), "sha512:bb".to_owned()];
    }
    scratch
        .store
        .register(&bundle, "a.sig", at(1))
        .await
        .unwrap();
    let about = |digest: &str| {
        let digests = [digest.to_owned()];
        let scratch = &scratch;
        async move { scratch.store.payloads_about(&digests).await.unwrap() }
    };
    let mut both = about("sha512:bb").await;
    both.sort_by_key(|(part, _)| part.as_str());
    assert_eq!(
        both,
        [
            (Part::Message, "sha256:01".to_owned()),
            (Part::Payload, "sha256:02".to_owned())
        ]
    );
    assert_eq!(about("sha256:cc").await, []);
    let hashes: Vec<String> = bundle.leaf_hashes.iter().map(hex::encode).collect();
    let authorities = scratch.store.authorities_of(&hashes).await.unwrap();
    assert_eq!(authorities.values().max(), Some(&Authority::Operator));
    let signature = [hex::encode([5; 32])];
    let authorities = scratch.store.authorities_of(&signature).await.unwrap();
    assert_eq!(authorities.get(&signature[0]), Some(&Authority::Operator));
    assert!(scratch.store.authorities_of(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_first_checkpoint_of_a_size_has_a_time() {
    let scratch = ScratchStore::with_log().await;
    let tree = crate::scratch::tree();
    let recorded = Batch {
        checkpoints: vec![head(9)],
        now: at(3),
        ..batch((0, 0), (9, 9), vec![signing(1)])
    };
    scratch.store.commit(&recorded).await.unwrap();
    let first = scratch.store.first_recorded(&tree, 1).await.unwrap();
    assert_eq!(first, Some(at(3)));
    assert_eq!(scratch.store.first_recorded(&tree, 10).await.unwrap(), None);
}

#[tokio::test]
async fn hashes_that_end_alike_are_told_apart() {
    let scratch = ScratchStore::with_log().await;
    let mut other_leaf = leaf(1);
    other_leaf[0] ^= 1;
    let mut first = signing(1);
    first.finding.digest = Some(format!("sha256:00{}", "11".repeat(31)));
    let mut second = signing(2);
    second.finding.leaf_hash = Some(hex::encode(other_leaf));
    second.finding.digest = Some(format!("sha256:ff{}", "11".repeat(31)));
    let digests = [&first, &second].map(|new| new.finding.digest.clone().unwrap());
    scratch.read((0, 0), (9, 9), vec![first, second]).await;
    for (key, expected) in [
        (SearchKey::Digests(digests[..1].to_vec()), &[1][..]),
        (SearchKey::Digests(digests[1..].to_vec()), &[2]),
        (SearchKey::Digests(digests.to_vec()), &[1, 2]),
        // What an index has of a hash is not a hash.
        (SearchKey::Digests(vec!["11".repeat(4)]), &[]),
        (SearchKey::Entries(vec![hex::encode(leaf(1))]), &[1]),
        (SearchKey::Entries(vec![hex::encode(other_leaf)]), &[2]),
    ] {
        assert_eq!(search(&scratch, key.clone()).await, expected, "{key:?}");
        // Page by page, each finding is answered once too.
        let (mut after, mut paged) = (None, Vec::new());
        while let [found] = &scratch.store.search(&key, after.as_ref(), 1).await.unwrap()[..] {
            paged.extend(found.finding.index);
            after = Some(found.place.clone());
        }
        assert_eq!(paged, expected, "{key:?}");
    }
    let registration = expectation(1);
    let (_, changed) = scratch
        .store
        .register(&registration, "one.sig", at(2))
        .await
        .unwrap();
    assert_eq!(changed, [signing(1).finding.id]);
}
