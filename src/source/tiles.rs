//! What all tiled logs have in common (C2SP tlog-tiles): partial files that full ones replace, and hash tiles.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::Bytes;
use futures_util::future::try_join_all;
use tlog::tile::{self, BundleIndex, TileIndex};
use tlog::{Hash, Node, Split};

use super::SourceError;
use super::transport::{Got, Transport};

/// The tiles of one log, below `prefix`.
pub(super) struct Tiles<'a> {
    pub(super) transport: &'a Transport,
    pub(super) prefix: &'static str,
}

impl Tiles<'_> {
    /// The file at `path`, or at `full` if the log has replaced a partial file by the full one (which it may do at any
    /// time). The second value is true for the full one.
    pub(super) async fn file(
        &self,
        path: &str,
        full: Option<String>,
        limit_bytes: usize,
    ) -> Result<(Bytes, bool), SourceError> {
        let get = async |path: &str| {
            let below = format!("{}{path}", self.prefix);
            let file = self.transport.get(&below, limit_bytes).await;
            file.map_err(|e| e.about(&self.address(path)))
        };
        let mut tried = match get(path).await? {
            Got::File(bytes) => return Ok((bytes, false)),
            Got::Absent(tried) => tried,
        };
        if let Some(full) = full {
            match get(&full).await? {
                Got::File(bytes) => return Ok((bytes, true)),
                Got::Absent(also) => tried = format!("{tried}; {also}"),
            }
        }
        Err(absent(path, tried))
    }

    /// The address of the file at `path`.
    pub(super) fn address(&self, path: &str) -> String {
        self.transport.address(&format!("{}{path}", self.prefix))
    }

    async fn hashes(&self, tile: TileIndex) -> Result<(TileIndex, Vec<Hash>), SourceError> {
        let path = tile.path();
        let full = (!tile.is_full()).then(|| tile.full().path());
        let (bytes, is_full) = self.file(&path, full, tile::MAX_TILE_BYTES).await?;
        let hashes = if is_full {
            tile::decode_hashes_prefix(&bytes, tile.width())
        } else {
            tile::decode_hashes(&bytes, tile.width())
        };
        hashes
            .map(|hashes| (tile, hashes))
            .map_err(|e| malformed(&self.address(&path), &e))
    }

    /// As [`super::LogSource::split`].
    pub(super) async fn split(&self, at: u64, size: u64) -> Result<Split, SourceError> {
        let out_of_range = || SourceError::OutOfRange {
            start: at,
            end: at,
            size,
        };
        let (left, right) = Split::nodes(at, size).map_err(|_| out_of_range())?;
        // Neighbouring nodes share tiles: each is fetched once. Two or three a level, twenty at
        // most.
        let tiles: BTreeSet<TileIndex> = left
            .iter()
            .chain(&right)
            .map(|node| TileIndex::of_node(*node, size))
            .collect::<Result<_, _>>()
            .map_err(|_| out_of_range())?;
        let fetched = try_join_all(tiles.into_iter().map(|tile| self.hashes(tile))).await?;
        let fetched: BTreeMap<_, _> = fetched.into_iter().collect();
        let hash = |node: &Node| {
            let tile = TileIndex::of_node(*node, size).map_err(|_| out_of_range())?;
            let hashes = fetched.get(&tile).map_or(&[][..], Vec::as_slice);
            tile.node(hashes, *node)
                .map_err(|e| malformed(&self.address(&tile.path()), &e))
        };
        let left = left.iter().map(hash).collect::<Result<_, _>>()?;
        let right = right.iter().map(hash).collect::<Result<_, _>>()?;
        Split::new(at, size, left, right).map_err(|_| out_of_range())
    }
}

pub(super) fn absent(resource: &str, tried: String) -> SourceError {
    SourceError::Absent {
        resource: resource.to_owned(),
        tried,
    }
}

/// The leaves of the bundle that holds this one, as [`super::LogSource::bundle`].
pub(super) fn bundle(index: u64, size: u64) -> Range<u64> {
    match BundleIndex::of_leaf(index, size) {
        Ok(bundle) => bundle.start()..bundle.end(),
        Err(_) => index..index,
    }
}

/// The bundle that holds all of these leaves.
pub(super) fn bundle_of(want: &Range<u64>, size: u64) -> Result<BundleIndex, SourceError> {
    BundleIndex::of_leaf(want.start, size)
        .ok()
        .filter(|bundle| want.start < want.end && want.end <= bundle.end())
        .ok_or(SourceError::OutOfRange {
            start: want.start,
            end: want.end,
            size,
        })
}

pub(super) fn malformed(resource: &str, error: &impl ToString) -> SourceError {
    SourceError::Malformed {
        resource: resource.to_owned(),
        reason: error.to_string(),
    }
}
