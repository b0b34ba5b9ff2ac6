//! Tiles and entry bundles: where a log publishes its hashes and its leaves, and how to parse them (C2SP tlog-tiles).

mod bundle;
mod index;

pub use bundle::{Bundle, Leaves};
pub use index::{BundleIndex, TileIndex};

use alloc::vec::Vec;

use crate::{Hash, Node};

/// Hashes in a full tile, and leaves in a full bundle.
pub const FULL_WIDTH: u16 = 256;

/// Longest leaf of a tiled log, in bytes: entry bundles prefix a u16 length.
pub const MAX_LEAF_BYTES: usize = u16::MAX as usize;

/// Longest entry bundle, in bytes: a full one of longest leaves, each with its length.
pub const MAX_BUNDLE_BYTES: usize = FULL_WIDTH as usize * (2 + MAX_LEAF_BYTES);

/// Longest hash tile, in bytes.
pub const MAX_TILE_BYTES: usize = FULL_WIDTH as usize * Hash::BYTES;

/// A tile or bundle that is not the requested one, or cannot exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileError {
    /// Coordinates outside any tree.
    #[error("no tree has a tile of level {level}, index {index}, width {width}")]
    Coordinates {
        /// Level of the tile; entry bundles are on level 0.
        level: u8,
        /// Number of the tile within its level.
        index: u64,
        /// Hashes or leaves in it.
        width: u16,
    },
    /// A text that is not a tile path.
    #[error("not the path of a tile or an entry bundle")]
    Path,
    /// A node or leaf that the tree does not hold.
    #[error("node {} of level {} is not complete in a tree of {size} leaves", node.index, node.level)]
    NotInTree {
        /// The node; a leaf is a node of level 0.
        node: Node,
        /// Leaves in the tree.
        size: u64,
    },
    /// A node that this tile does not hold.
    #[error("node {} of level {} is not in this tile", node.index, node.level)]
    NotInTile {
        /// The node.
        node: Node,
    },
    /// A hash tile of the wrong length.
    #[error("a tile of {width} hashes has {expected} bytes, found {found}")]
    TileLength {
        /// Hashes expected.
        width: u16,
        /// Bytes expected.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// A bundle longer than [`MAX_BUNDLE_BYTES`].
    #[error("an entry bundle has at most {MAX_BUNDLE_BYTES} bytes, found {0}")]
    BundleLength(usize),
    /// A bundle that ends within an entry, or before the last one.
    #[error("the entry bundle ends within entry {entry} of {width}")]
    Truncated {
        /// The incomplete entry, counted from 0 within the bundle.
        entry: u16,
        /// Entries expected.
        width: u16,
    },
    /// A bundle with bytes after its last entry.
    #[error("{bytes} bytes follow entry {}, the last of the bundle", width.saturating_sub(1))]
    Trailing {
        /// Entries expected.
        width: u16,
        /// Bytes too many.
        bytes: usize,
    },
}

/// Reads a hash tile of exactly `width` hashes.
///
/// # Errors
/// [`TileError::TileLength`]; [`TileError::Coordinates`] for a width that no tile has.
pub fn decode_hashes(bytes: &[u8], width: u16) -> Result<Vec<Hash>, TileError> {
    check_width(width)?;
    let expected = usize::from(width) * Hash::BYTES;
    if bytes.len() != expected {
        return Err(TileError::TileLength {
            width,
            expected,
            found: bytes.len(),
        });
    }
    Ok(hashes(bytes))
}

/// Reads the first `width` hashes of a full tile: a log may replace a partial tile by the full one at any time.
///
/// # Errors
/// [`TileError::TileLength`]; [`TileError::Coordinates`] for a width that no tile has.
pub fn decode_hashes_prefix(bytes: &[u8], width: u16) -> Result<Vec<Hash>, TileError> {
    check_width(width)?;
    let mut all = decode_hashes(bytes, FULL_WIDTH)?;
    all.truncate(width.into());
    Ok(all)
}

fn hashes(bytes: &[u8]) -> Vec<Hash> {
    let (chunks, _) = bytes.as_chunks();
    chunks.iter().map(|chunk| Hash::new(*chunk)).collect()
}

fn check_width(width: u16) -> Result<(), TileError> {
    if (1..=FULL_WIDTH).contains(&width) {
        Ok(())
    } else {
        Err(TileError::Coordinates {
            level: 0,
            index: 0,
            width,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;
    use alloc::vec;

    #[test]
    fn a_tile_has_exactly_the_hashes_of_its_width() {
        let bytes: Vec<u8> = (0..3).flat_map(|n| [n; 32]).collect();
        let hashes = decode_hashes(&bytes, 3).unwrap();
        assert_eq!(
            hashes,
            [Hash::new([0; 32]), Hash::new([1; 32]), Hash::new([2; 32])]
        );
        for (len, width) in [
            (96, 2),
            (96, 4),
            (95, 3),
            (97, 3),
            (0, 0),
            (0, 1),
            (257 * 32, 257),
            (256 * 32, 255),
        ] {
            assert!(
                decode_hashes(&vec![0; len], width).is_err(),
                "{len} bytes as {width} hashes"
            );
        }
    }

    #[test]
    fn a_full_tile_replaces_a_partial_one_and_nothing_else_does() {
        let full: Vec<u8> = (0..=255).flat_map(|n| [n; 32]).collect();
        assert_eq!(
            decode_hashes_prefix(&full, 2).unwrap(),
            decode_hashes(&full[..64], 2).unwrap()
        );
        assert_eq!(decode_hashes_prefix(&full, 256).unwrap().len(), 256);
        assert!(decode_hashes_prefix(&full[..64], 1).is_err());
        assert!(decode_hashes_prefix(&full, 0).is_err());
        assert!(decode_hashes_prefix(&full, 257).is_err());
    }
}
