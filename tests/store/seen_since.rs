//! What the findings show of when an owner signed last: `Findings::seen_since`.

use modelwatch::expect::SignedAs;
use modelwatch::finding::{Evidence, NewFinding};
use modelwatch::identity::Chain;

use crate::scratch::{ScratchStore, at, signing, watched};

#[tokio::test]
async fn signings_are_found_once_and_only_by_the_given_watches() {
    let scratch = ScratchStore::with_log().await;
    let watches = ["quiet".to_owned(), "absent".to_owned()];
    let seen = async |after| scratch.store.seen_since(&watches, after).await.unwrap();
    assert_eq!(seen(0).await, (0, [].into()));
    scratch
        .read((0, 0), (9, 0), vec![watched("quiet", 3), signing(4)])
        .await;
    let (after, found) = seen(0).await;
    // The issue date of a trusted certificate shows when its owner signed.
    let when = scratch.get(watched("quiet", 3).finding.id).await.not_before;
    assert_eq!(found, [("quiet".to_owned(), when.unwrap())].into());
    assert_eq!(seen(after).await, (after, [].into()));
    assert_eq!(scratch.store.seen_since(&[], 0).await.unwrap().0, after);
}

/// A signing under a bare key.
fn by_key(index: u64, signature: Option<u8>, digest: &str) -> NewFinding {
    let mut new = watched("quiet", index);
    new.finding.chain = Some(Chain::None);
    new.finding.not_before = None;
    new.finding.certificate_sha256 = None;
    new.finding.digest = Some(digest.to_owned());
    new.finding.first_seen = at(i64::try_from(index).unwrap());
    new.evidence = Evidence {
        signed_as: signature.map(|signature| SignedAs {
            signature: [signature; 32],
            tbs: None,
            leaves: Vec::new(),
        }),
        ..Evidence::default()
    };
    new
}

#[tokio::test]
async fn a_signing_that_is_logged_again_is_no_sign_of_life() {
    let trusted = |index, not_before, first_seen| {
        let mut new = watched("quiet", index);
        new.finding.not_before = Some(at(not_before));
        new.finding.first_seen = at(first_seen);
        new
    };
    let unknown = |index, signature| {
        let mut new = by_key(index, Some(signature), "sha256:09");
        new.finding.chain = Some(Chain::Unknown);
        new.finding.not_before = Some(at(-7));
        new
    };
    let scratch = ScratchStore::with_log().await;
    let mut after = 0;
    let mut position = 0;
    for (what, found, seen) in [
        ("a certificate of then", vec![trusted(1, -9, 1)], Some(-9)),
        (
            "the same again: it was still issued then",
            vec![trusted(2, -9, 2)],
            Some(-9),
        ),
        (
            "one from the future counts from when it was seen",
            vec![trusted(3, 99, 3)],
            Some(3),
        ),
        (
            "a signature by a key",
            vec![by_key(4, Some(1), "sha256:01")],
            Some(4),
        ),
        (
            "the same again",
            vec![by_key(5, Some(1), "sha256:01")],
            None,
        ),
        (
            "as another kind, over another digest of it",
            vec![by_key(6, Some(1), "sha256:02")],
            None,
        ),
        (
            "another signature over the same",
            vec![by_key(7, Some(2), "sha256:01")],
            Some(7),
        ),
        (
            "both at once",
            vec![
                by_key(8, Some(3), "sha256:03"),
                by_key(9, Some(3), "sha256:03"),
            ],
            Some(8),
        ),
        (
            "none that is known, over something new",
            vec![by_key(10, None, "sha256:04")],
            Some(10),
        ),
        (
            "none that is known, over the same",
            vec![by_key(11, None, "sha256:04")],
            None,
        ),
        (
            "what was recorded without its signature",
            vec![by_key(12, Some(4), "sha256:04")],
            None,
        ),
        (
            "a known one in an entry that does not show its signature",
            vec![by_key(13, None, "sha256:01")],
            None,
        ),
        ("without a trusted issuer", vec![unknown(14, 5)], Some(-7)),
        ("nor when", vec![unknown(15, 5)], None),
    ] {
        let to = found.last().unwrap().finding.index.unwrap() + 1;
        scratch.read((position, 0), (to, 0), found).await;
        position = to;
        let (next, newest) = scratch
            .store
            .seen_since(&["quiet".to_owned()], after)
            .await
            .unwrap();
        after = next;
        assert_eq!(newest.get("quiet").copied(), seen.map(at), "{what}");
    }
}

#[tokio::test]
async fn one_entry_that_two_watches_select_is_seen_for_both() {
    let scratch = ScratchStore::with_log().await;
    let mut other = by_key(4, Some(1), "sha256:01");
    other.finding.watch = Some("falcon".to_owned());
    other.finding.id = watched("falcon", 4).finding.id;
    scratch
        .read((0, 0), (9, 0), vec![by_key(4, Some(1), "sha256:01"), other])
        .await;
    let watches = ["quiet".to_owned(), "falcon".to_owned()];
    let (_, seen) = scratch.store.seen_since(&watches, 0).await.unwrap();
    assert_eq!(seen.len(), 2);
}
