#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use super::*;
use crate::testing::Tree;
use alloc::vec::Vec;

#[test]
fn paths_are_those_of_the_specification() {
    for (level, index, width, path) in [
        (0, 0, 256, "tile/0/000"),
        (0, 9, 96, "tile/0/009.p/96"),
        (1, 1_234_067, 256, "tile/1/x001/x234/067"),
        (2, 1000, 1, "tile/2/x001/000.p/1"),
        (0, 999, 255, "tile/0/999.p/255"),
        (
            0,
            (1 << 55) - 1,
            255,
            "tile/0/x036/x028/x797/x018/x963/967.p/255",
        ),
        (7, 0, 127, "tile/7/000.p/127"),
    ] {
        let tile = TileIndex::new(level, index, width).unwrap();
        assert_eq!(tile.path(), path);
        assert_eq!(TileIndex::parse(path), Ok(tile));
    }
    let bundle = BundleIndex::of_leaf(19_669 * 256 + 3, 19_669 * 256 + 5).unwrap();
    assert_eq!(bundle.path(), "tile/entries/x019/669.p/5");
    assert_eq!(bundle.full().path(), "tile/entries/x019/669");
    assert_eq!((bundle.start(), bundle.end()), (5_035_264, 5_035_269));
    assert_eq!(BundleIndex::parse("tile/entries/x019/669.p/5"), Ok(bundle));
}

#[test]
fn only_the_canonical_path_is_read() {
    for path in [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/00/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/+00",
        "tile/0/000/",
        "/tile/0/000",
        "tile/8/000.p/1",
        "tile/-1/000",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/entries/000",
        "tile/0/é00",
    ] {
        assert_eq!(TileIndex::parse(path), Err(TileError::Path), "{path}");
    }
    assert!(BundleIndex::parse("tile/entries/000.p/256").is_err());
    assert!(BundleIndex::parse("tile/0/000").is_err());
}

#[test]
fn coordinates_beyond_every_tree_are_refused() {
    for (level, index, width) in [
        (0, 0, 0),
        (0, 0, 257),
        (0, u64::MAX, 1),
        (0, 1 << 55, 1),
        (8, 0, 1),
        (255, 0, 1),
        (7, 0, 128),
    ] {
        assert!(
            TileIndex::new(level, index, width).is_err(),
            "{level} {index} {width}"
        );
    }
}

#[test]
fn tiles_are_as_wide_as_the_tree_makes_them() {
    // The example of C2SP tlog-tiles, "Partial Tiles": a tree of 70,000 leaves.
    let tile = |level, index| TileIndex::of_node(Node { level, index }, 70_000).unwrap();
    assert_eq!(tile(0, 69_999).path(), "tile/0/273.p/112");
    assert_eq!(tile(0, 0).path(), "tile/0/000");
    assert_eq!(tile(8, 255).path(), "tile/1/000");
    assert_eq!(tile(8, 272).path(), "tile/1/001.p/17");
    assert_eq!(tile(16, 0).path(), "tile/2/000.p/1");
    assert!(
        TileIndex::of_node(
            Node {
                level: 8,
                index: 273
            },
            70_000
        )
        .is_err()
    );
    assert!(
        TileIndex::of_node(
            Node {
                level: 64,
                index: 0
            },
            70_000
        )
        .is_err()
    );
    assert!(
        TileIndex::of_node(
            Node {
                level: 0,
                index: u64::MAX
            },
            u64::MAX
        )
        .is_err()
    );
    assert_eq!(
        TileIndex::of_node(Node { level: 8, index: 0 }, 256)
            .unwrap()
            .path(),
        "tile/1/000.p/1"
    );
}

#[test]
fn every_complete_node_of_a_tree_comes_from_its_tile() {
    let size = 600;
    let tree = Tree::of(size);
    for level in 0..10_u8 {
        for index in 0..size >> level {
            let node = Node { level, index };
            let tile = TileIndex::of_node(node, size).unwrap();
            let first = tile.index() * 256;
            let hashes: Vec<Hash> = (first..first + u64::from(tile.width()))
                .map(|index| {
                    tree.node(Node {
                        level: tile.level() * 8,
                        index,
                    })
                })
                .collect();
            assert_eq!(tile.node(&hashes, node), Ok(tree.node(node)), "{node:?}");
            assert!(tile.node(&[], node).is_err());
            assert!(
                tile.node(
                    &hashes,
                    Node {
                        level: level + 8,
                        index
                    }
                )
                .is_err()
            );
        }
    }
}
