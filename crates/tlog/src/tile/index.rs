//! Coordinates of tiles and bundles, and their paths.

use alloc::format;
use alloc::string::String;
use core::fmt;

use super::{FULL_WIDTH, TileError};
use crate::{Hash, MAX_TREE_SIZE, Node, node_hash};

/// Levels of the tree in one tile: 2^8 = 256 hashes.
const HEIGHT: u8 = 8;

/// Where a hash tile is: `tile/<L>/<N>[.p/<W>]`.
///
/// Its hashes are the roots of complete subtrees of `256^level` leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileIndex {
    level: u8,
    index: u64,
    width: u16,
}

/// Where an entry bundle is: `tile/entries/<N>[.p/<W>]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleIndex(TileIndex);

impl TileIndex {
    /// A tile by its coordinates; `width` is 256 for a full tile.
    ///
    /// # Errors
    /// [`TileError::Coordinates`] for a tile that no tree up to [`MAX_TREE_SIZE`] has.
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, TileError> {
        let last = index
            .checked_mul(FULL_WIDTH.into())
            .and_then(|first| first.checked_add(u64::from(width).checked_sub(1)?));
        let exists = width <= FULL_WIDTH
            && level
                .checked_mul(HEIGHT)
                .zip(last)
                .and_then(|(level, index)| Node { level, index }.end())
                .is_some();
        if exists {
            Ok(Self {
                level,
                index,
                width,
            })
        } else {
            Err(TileError::Coordinates {
                level,
                index,
                width,
            })
        }
    }

    /// The tile that contains `node` (or the hashes from which it is computed) in a tree of `size` leaves, with its
    /// width in that tree.
    ///
    /// # Errors
    /// [`TileError::NotInTree`] when the node is not a complete subtree of that tree.
    pub fn of_node(node: Node, size: u64) -> Result<Self, TileError> {
        match node.end() {
            Some(end) if end <= size && size <= MAX_TREE_SIZE => {}
            _ => return Err(TileError::NotInTree { node, size }),
        }
        let level = node.level / HEIGHT;
        let index = (node.index << (node.level % HEIGHT)) / u64::from(FULL_WIDTH);
        // Complete subtrees on that level, and how many of them are in this tile (C2SP tlog-tiles, "Partial Tiles").
        let hashes = size >> (level * HEIGHT);
        let width = (hashes - index * u64::from(FULL_WIDTH)).min(FULL_WIDTH.into());
        Self::new(level, index, u16::try_from(width).unwrap_or(FULL_WIDTH))
    }

    /// Level of the tile, 0 to 7: its hashes are of nodes at 8 times this level.
    pub const fn level(&self) -> u8 {
        self.level
    }

    /// Number of the tile within its level.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Hashes in the tile, 1 to 256.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Whether all 256 hashes are there.
    pub const fn is_full(&self) -> bool {
        self.width == FULL_WIDTH
    }

    /// The same tile once it is full: a log may serve it instead from then on.
    #[must_use]
    pub const fn full(&self) -> Self {
        Self {
            width: FULL_WIDTH,
            ..*self
        }
    }

    /// Path below the log's prefix, such as `tile/0/x001/234.p/7`.
    pub fn path(&self) -> String {
        format!("{self}")
    }

    /// Parses a [`path`](Self::path); only the canonical form is accepted.
    ///
    /// # Errors
    /// [`TileError::Path`].
    pub fn parse(path: &str) -> Result<Self, TileError> {
        let (level, rest) = path
            .strip_prefix("tile/")
            .and_then(|rest| rest.split_once('/'))
            .ok_or(TileError::Path)?;
        let tile = parse_rest(level.parse().map_err(|_| TileError::Path)?, rest)?;
        if tile.path() == path {
            Ok(tile)
        } else {
            Err(TileError::Path)
        }
    }

    /// Hash of `node` from the tile's `hashes` (as [`decode_hashes`](super::decode_hashes) gives them).
    ///
    /// # Errors
    /// [`TileError::NotInTile`] when the node is not in this tile, or not complete in it.
    pub fn node(&self, hashes: &[Hash], node: Node) -> Result<Hash, TileError> {
        let outside = TileError::NotInTile { node };
        if node.end().is_none() || node.level / HEIGHT != self.level {
            return Err(outside);
        }
        let below = node.level % HEIGHT;
        let first = node.index << below;
        if first / u64::from(FULL_WIDTH) != self.index {
            return Err(outside);
        }
        let offset = usize::try_from(first % u64::from(FULL_WIDTH)).unwrap_or(usize::MAX);
        let covered = offset
            .checked_add(1 << below)
            .and_then(|end| hashes.get(offset..end));
        covered.and_then(complete_root).ok_or(outside)
    }
}

impl BundleIndex {
    /// A bundle by its number; `width` is 256 for a full one.
    ///
    /// # Errors
    /// [`TileError::Coordinates`] for a bundle that no tree up to [`MAX_TREE_SIZE`] has.
    pub fn new(index: u64, width: u16) -> Result<Self, TileError> {
        TileIndex::new(0, index, width).map(Self)
    }

    /// The bundle that holds leaf `leaf` in a tree of `size` leaves, as wide as that tree makes it.
    ///
    /// # Errors
    /// [`TileError::NotInTree`] unless `leaf < size`.
    pub fn of_leaf(leaf: u64, size: u64) -> Result<Self, TileError> {
        TileIndex::of_node(
            Node {
                level: 0,
                index: leaf,
            },
            size,
        )
        .map(Self)
    }

    /// Number of the bundle.
    pub const fn index(&self) -> u64 {
        self.0.index
    }

    /// Leaves in the bundle, 1 to 256.
    pub const fn width(&self) -> u16 {
        self.0.width
    }

    /// Index of the first leaf in it.
    pub const fn start(&self) -> u64 {
        // `new` has checked that this does not overflow.
        self.0.index * FULL_WIDTH as u64
    }

    /// One past the index of the last leaf in it.
    pub const fn end(&self) -> u64 {
        self.start() + self.0.width as u64
    }

    /// Whether all 256 leaves are there.
    pub const fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// The same bundle once it is full: a log may serve it instead from then on.
    #[must_use]
    pub const fn full(&self) -> Self {
        Self(self.0.full())
    }

    /// Path below the log's prefix, such as `tile/entries/x001/234.p/7`.
    pub fn path(&self) -> String {
        format!("{self}")
    }

    /// Parses a [`path`](Self::path); only the canonical form is accepted.
    ///
    /// # Errors
    /// [`TileError::Path`].
    pub fn parse(path: &str) -> Result<Self, TileError> {
        let bundle = Self(parse_rest(
            0,
            path.strip_prefix("tile/entries/").ok_or(TileError::Path)?,
        )?);
        if bundle.path() == path {
            Ok(bundle)
        } else {
            Err(TileError::Path)
        }
    }
}

impl fmt::Display for TileIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_rest(self, f)
    }
}

impl fmt::Display for BundleIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/entries/")?;
        write_rest(&self.0, f)
    }
}

/// Writes `<N>[.p/<W>]`, N in groups of three digits, all but the last marked with an `x`: 1234067 is `x001/x234/067`.
fn write_rest(tile: &TileIndex, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut groups = 1;
    while tile
        .index
        .checked_div(1000_u64.pow(groups))
        .is_some_and(|above| above > 0)
    {
        groups += 1;
    }
    for group in (1..groups).rev() {
        write!(f, "x{:03}/", tile.index / 1000_u64.pow(group) % 1000)?;
    }
    write!(f, "{:03}", tile.index % 1000)?;
    if tile.is_full() {
        Ok(())
    } else {
        write!(f, ".p/{}", tile.width)
    }
}

/// Reads `<N>[.p/<W>]` leniently; the caller compares the path with the canonical one.
fn parse_rest(level: u8, rest: &str) -> Result<TileIndex, TileError> {
    let (groups, width) = match rest.split_once(".p/") {
        Some((groups, width)) => (groups, width.parse().map_err(|_| TileError::Path)?),
        None => (rest, FULL_WIDTH),
    };
    let index = groups.split('/').try_fold(0_u64, |index, group| {
        let group: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok()?;
        index.checked_mul(1000)?.checked_add(group)
    });
    TileIndex::new(level, index.ok_or(TileError::Path)?, width).map_err(|_| TileError::Path)
}

/// Root of a complete subtree over `hashes`; `None` unless their number is a power of two.
fn complete_root(hashes: &[Hash]) -> Option<Hash> {
    match hashes {
        [hash] => Some(*hash),
        _ if hashes.len().is_power_of_two() => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            Some(node_hash(&complete_root(left)?, &complete_root(right)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
