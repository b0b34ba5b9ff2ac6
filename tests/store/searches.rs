//! Findings that are found by who signed, by what was signed, or by their entry.

use modelwatch::expect::{Authority, Part};
use modelwatch::finding::{NewFinding, Verdict};
use modelwatch::identity::Chain;
use modelwatch::store::{Batch, SearchKey, SignerTerm};

use crate::register_one::RegisterOne as _;
use crate::scratch::{ScratchStore, at, batch, head, leaf, signing, watched};

/// A signing by this name, which is unlike the others.
fn by(name: &str, index: u64) -> NewFinding {
    let mut new = signing(index);
    new.finding.san =
        serde_json::from_value(serde_json::json!([{"type": "uri", "value": name}])).unwrap();
    new
}

async fn search(scratch: &ScratchStore, key: SearchKey) -> Vec<u64> {
    let mut indexes = Vec::new();
    let mut after = i64::MIN;
    // Pages of two: a page continues where the one before ended.
    loop {
        let page = scratch.store.search(&key, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2 && last.number > after);
        after = last.number;
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
    let of = |term, value: &str| SearchKey::Signer(term, value.to_owned());
    let beginning = |value: &str| SearchKey::SignerBeginning(SignerTerm::Name, value.to_owned());
    for (key, expected) in [
        (
            of(SignerTerm::Name, "https://h/forge/release.yml@refs/tags/v2"),
            &[2][..],
        ),
        (of(SignerTerm::Name, "https://h/forge"), &[4]),
        (of(SignerTerm::Name, "https://h/f%6frge#"), &[4]),
        (of(SignerTerm::Name, "https://h/"), &[]),
        (beginning("https://h/forge/"), &[2, 3]),
        (beginning(""), &[1, 2, 3, 4]),
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
async fn a_long_value_is_found_by_its_beginning() {
    let scratch = ScratchStore::with_log().await;
    let long = format!("https://h/{}", "é".repeat(500));
    scratch.read((0, 0), (9, 9), vec![by(&long, 1)]).await;
    let folded = long.to_ascii_lowercase();
    let whole = SearchKey::Signer(SignerTerm::Name, folded.clone());
    assert_eq!(search(&scratch, whole).await, [1]);
    let beginning = SearchKey::SignerBeginning(SignerTerm::Name, folded);
    assert_eq!(search(&scratch, beginning).await, [1]);
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
        (SearchKey::Entries(hash(3)), &[3]),
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
        .search(&SearchKey::Indexes(vec![3]), 0, 9)
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
