//! The laws of `BundleCheckpoints`.

use modelwatch::expect::{Expectation, NamedEntry};
use modelwatch::store::Settled;

use crate::register_one::RegisterOne as _;
use crate::scratch::{ORIGIN, ScratchStore, at, expectation, tree};

fn carrying(index: u64, checkpoint: Option<&str>) -> Expectation {
    Expectation {
        entries: vec![NamedEntry {
            log_id: "00".into(),
            log_index: index,
            kind: "hashedrekord 0.0.2".into(),
            origin: checkpoint.map(|_| ORIGIN.to_owned()),
            checkpoint: checkpoint.map(str::to_owned),
        }],
        ..expectation(index)
    }
}

#[tokio::test]
async fn checkpoints_of_bundles_wait_once_until_they_are_settled() {
    let scratch = ScratchStore::with_log().await;
    let notes = async |scratch: &ScratchStore| -> Vec<String> {
        let waiting = scratch.store.bundle_checkpoints(&tree(), 10).await.unwrap();
        let notes = waiting
            .into_iter()
            .map(|bundle_checkpoints| bundle_checkpoints.note);
        notes.map(|note| String::from_utf8(note).unwrap()).collect()
    };
    // The same bundle again, later with a newer proof, and one without any.
    for (index, note) in [
        (1, Some("one")),
        (1, Some("one")),
        (1, Some("two")),
        (2, None),
    ] {
        let expectation = carrying(index, note);
        scratch
            .store
            .register(&expectation, "a.sig", at(1))
            .await
            .unwrap();
    }
    let scratch = scratch.after_a_crash().await;
    assert_eq!(notes(&scratch).await, ["one", "two"]);
    assert!(
        scratch
            .store
            .bundle_checkpoints(&modelwatch::log::TreeId::new("other.example"), 10)
            .await
            .unwrap()
            .is_empty()
    );
    let first = scratch
        .store
        .bundle_checkpoints(&tree(), 1)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(first.file, "a.sig");
    scratch
        .store
        .settle(first.number, Settled::Agrees)
        .await
        .unwrap();
    scratch
        .store
        .register(&carrying(3, Some("one")), "b.sig", at(2))
        .await
        .unwrap();
    assert_eq!(
        notes(&scratch).await,
        ["two"],
        "what was settled is not asked again"
    );
}
