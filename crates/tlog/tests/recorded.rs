//! A Rekor v2 log recorded from a real server (2,400 leaves): its checkpoints, and its hash tiles.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tlog::{
    BundleIndex, Checkpoint, CompactRange, Follower, Hash, KeyName, Node, Offer, Origin, Split,
    TileIndex, Verifier, tile, verify_consistency,
};

const NAME: &str = "log2026-1.harbor.example";
const SPKI: &str = "MCowBQYDK2VwAyEAM8+kdc/KSwtVyu5CgyiQdpBFUzTO/7CQaEssEQMycqY=";

/// A published file below the log's prefix.
fn fetch(path: &str) -> Vec<u8> {
    std::fs::read(format!(
        "{}/tests/data/log2026-1/{path}",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap()
}

fn checkpoint(size: u64) -> Checkpoint {
    let key = Verifier::from_spki_der(KeyName::new(NAME).unwrap(), &STANDARD.decode(SPKI).unwrap())
        .unwrap();
    let opened = Checkpoint::open(
        &fetch(&format!("checkpoints/{size}")),
        &Origin::new(NAME).unwrap(),
        &[key],
    )
    .unwrap();
    assert_eq!(opened.size(), size);
    opened
}

/// Hash of a node of the tree of 2,400 leaves, from the tile that holds it.
fn node(node: Node) -> Hash {
    let index = TileIndex::of_node(node, 2400).unwrap();
    index
        .node(
            &tile::decode_hashes(&fetch(&index.path()), index.width()).unwrap(),
            node,
        )
        .unwrap()
}

fn leaves() -> Vec<Hash> {
    (0..2400)
        .step_by(256)
        .flat_map(|first| {
            let index = TileIndex::of_node(
                Node {
                    level: 0,
                    index: first,
                },
                2400,
            )
            .unwrap();
            tile::decode_hashes(&fetch(&index.path()), index.width()).unwrap()
        })
        .collect()
}

fn split(at: u64) -> Split {
    let (left, right) = Split::nodes(at, 2400).unwrap();
    let hashes = |nodes: Vec<Node>| nodes.into_iter().map(node).collect();
    Split::new(at, 2400, hashes(left), hashes(right)).unwrap()
}

const SIZES: [u64; 8] = [0, 255, 256, 512, 1500, 1895, 2048, 2400];

#[test]
fn every_recorded_checkpoint_is_proven_from_the_beginning() {
    let leaves = leaves();
    for batch in [1, 100, 256, 2400] {
        let mut follower = Follower::new(CompactRange::new());
        for checkpoint in SIZES.iter().map(|size| checkpoint(*size)) {
            assert_eq!(follower.offer(&checkpoint), Ok(Offer::Ahead));
            while let Some(want) = follower.want(batch) {
                let range =
                    usize::try_from(want.start).unwrap()..usize::try_from(want.end).unwrap();
                let _ = follower
                    .absorb(want.start, leaves[range].iter().copied())
                    .unwrap();
            }
            assert_eq!(follower.proven(), checkpoint.size());
        }
    }
}

#[test]
fn a_reader_can_start_anywhere_with_the_hashes_of_the_tiles() {
    let (last, leaves) = (checkpoint(2400), leaves());
    for at in SIZES {
        let split = split(at);
        assert_eq!(split.root(), last.root());
        assert_eq!(
            split.root_at(),
            checkpoint(at).root(),
            "the log only appended since {at}"
        );
        let mut follower = Follower::new(split.frontier());
        assert_ne!(follower.offer(&last), Ok(Offer::Behind));
        if at < 2400 {
            let rest = leaves.iter().skip(usize::try_from(at).unwrap()).copied();
            assert_eq!(follower.absorb(at, rest).unwrap().proven, Some(2400));
        }
        assert_eq!(follower.proven(), 2400);
    }
}

#[test]
fn a_second_history_is_a_fork_for_a_reader_of_the_first() {
    let key = Verifier::from_spki_der(KeyName::new(NAME).unwrap(), &STANDARD.decode(SPKI).unwrap())
        .unwrap();
    let raw = fetch("../notes/size-2400-with-another-root");
    let other = Checkpoint::open(&raw, &Origin::new(NAME).unwrap(), &[key]).unwrap();
    let mut follower = Follower::new(split(2400).frontier());
    assert_eq!(follower.offer(&checkpoint(2400)), Ok(Offer::Ahead));
    let fault = follower.offer(&other).unwrap_err();
    assert_eq!(fault.kind().as_str(), "fork");
    assert!(
        fault
            .notes()
            .map(|note| note.to_vec())
            .eq([fetch("checkpoints/2400"), raw])
    );
}

#[test]
fn consistency_of_recorded_roots_follows_from_the_tiles() {
    // 2048 leaves are one complete subtree, so the whole proof is the root of the leaves to its right.
    let mut rest = CompactRange::new();
    leaves()
        .into_iter()
        .skip(2048)
        .for_each(|leaf| rest.push(leaf));
    let (old, new) = (checkpoint(2048), checkpoint(2400));
    verify_consistency(2048, &old.root(), 2400, &new.root(), &[rest.root()]).unwrap();
    assert!(verify_consistency(2048, &new.root(), 2400, &new.root(), &[rest.root()]).is_err());
}

#[test]
fn bundles_are_where_the_log_put_them() {
    let paths: Vec<String> = (0..2400)
        .step_by(256)
        .map(|leaf| BundleIndex::of_leaf(leaf, 2400).unwrap().path())
        .collect();
    assert_eq!(paths.first().map(String::as_str), Some("tile/entries/000"));
    assert_eq!(
        paths.last().map(String::as_str),
        Some("tile/entries/009.p/96")
    );
}
