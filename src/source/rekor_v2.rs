//! Rekor v2: a tiled log (C2SP tlog-tiles) of static files.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::try_join_all;
use tlog::checkpoint::MAX_CHECKPOINT_BYTES;
use tlog::tile::{self, Bundle, BundleIndex, TileIndex};
use tlog::{Hash, Node, Split, TileError};

use super::transport::{Transport, TransportError};
use super::{Leaves, LogSource, ServerDate, SourceError};

/// Where a log's files may lie below its URL: as the specification of Rekor v2 has it, or bare, as
/// in a storage bucket or a mirror. Asked in this order.
const PREFIXES: [&str; 2] = ["api/v2/", ""];

/// The prefix is not known yet.
const UNKNOWN: usize = usize::MAX;

/// A Rekor v2 log, on a server or in a directory.
#[derive(Debug)]
pub struct RekorV2 {
    transport: Transport,
    /// Which of [`PREFIXES`] the last checkpoint was found under. Only ever a hint: two tasks may
    /// find it at once, and a log may move.
    prefix: AtomicUsize,
}

impl RekorV2 {
    /// The log that `transport` leads to. Nothing is read yet.
    pub fn new(transport: Transport) -> Self {
        Self {
            transport,
            prefix: AtomicUsize::new(UNKNOWN),
        }
    }

    async fn prefix(&self) -> Result<&'static str, SourceError> {
        if let Some(prefix) = PREFIXES.get(self.prefix.load(Ordering::Relaxed)) {
            return Ok(prefix);
        }
        self.probe().await.map(|(prefix, _)| prefix)
    }

    /// Finds the checkpoint, under the prefix that worked last if there is one.
    async fn probe(&self) -> Result<(&'static str, Bytes), SourceError> {
        const NAME: &str = "checkpoint";
        let known = self.prefix.load(Ordering::Relaxed);
        let mut order = [0, 1];
        order.sort_by_key(|n| *n != known);
        let mut refusal = None;
        for n in order {
            let Some(prefix) = PREFIXES.get(n) else {
                continue;
            };
            let path = format!("{prefix}{NAME}");
            match self.transport.get(&path, MAX_CHECKPOINT_BYTES).await {
                Ok(Some(checkpoint)) => {
                    self.prefix.store(n, Ordering::Relaxed);
                    return Ok((prefix, checkpoint));
                }
                Ok(None) => {}
                Err(TransportError::TooLarge { limit_bytes }) => {
                    return Err(SourceError::CheckpointTooLong { limit_bytes });
                }
                // Off-spec: a storage bucket may forbid what it does not have. It is no answer
                // to the question whether the log is there, but the other prefix may have one.
                Err(error) if error.is_refusal() => {
                    refusal.get_or_insert(error);
                }
                Err(error) => return Err(error.about(NAME)),
            }
        }
        Err(match refusal {
            Some(error) => error.about(NAME),
            None => absent(NAME),
        })
    }

    /// The file at `path`, or at `full` if the log has replaced a partial file by the full one
    /// (which it may do at any time). The second value says that it is the full one.
    async fn file(
        &self,
        path: &str,
        full: Option<String>,
        limit_bytes: usize,
    ) -> Result<(Bytes, bool), SourceError> {
        let prefix = self.prefix().await?;
        let get = async |path: &str| {
            let below = format!("{prefix}{path}");
            let file = self.transport.get(&below, limit_bytes).await;
            file.map_err(|e| e.about(path))
        };
        if let Some(bytes) = get(path).await? {
            return Ok((bytes, false));
        }
        if let Some(full) = full
            && let Some(bytes) = get(&full).await?
        {
            return Ok((bytes, true));
        }
        Err(absent(path))
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
            .map_err(|e| malformed(&path, &e))
    }
}

#[async_trait]
impl LogSource for RekorV2 {
    async fn checkpoint(&self) -> Result<Bytes, SourceError> {
        self.probe().await.map(|(_, checkpoint)| checkpoint)
    }

    fn bundle(&self, index: u64, size: u64) -> Range<u64> {
        match BundleIndex::of_leaf(index, size) {
            Ok(bundle) => bundle.start()..bundle.end(),
            Err(_) => index..index,
        }
    }

    async fn leaves(&self, want: Range<u64>, size: u64) -> Result<Leaves, SourceError> {
        self.leaves_within(want, size, tile::MAX_BUNDLE_BYTES).await
    }

    async fn leaves_within(
        &self,
        want: Range<u64>,
        size: u64,
        limit_bytes: usize,
    ) -> Result<Leaves, SourceError> {
        let index = BundleIndex::of_leaf(want.start, size)
            .ok()
            .filter(|bundle| want.start < want.end && want.end <= bundle.end())
            .ok_or(SourceError::OutOfRange {
                start: want.start,
                end: want.end,
                size,
            })?;
        let path = index.path();
        let full = (!index.is_full()).then(|| index.full().path());
        let limit_bytes = limit_bytes.min(tile::MAX_BUNDLE_BYTES);
        let (bytes, is_full) = self.file(&path, full, limit_bytes).await?;
        let bundle = if is_full {
            Bundle::decode_prefix(&bytes, index.width())
        } else {
            Bundle::decode(&bytes, index.width())
        };
        let spans = spans(&bundle.map_err(|e| malformed(&path, &e))?);
        Leaves::new(index.start(), bytes, spans)
            .map(|leaves| leaves.within(&want))
            .map_err(|e| SourceError::Malformed {
                resource: path,
                reason: e.to_string(),
            })
    }

    async fn split(&self, at: u64, size: u64) -> Result<Split, SourceError> {
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
                .map_err(|e| malformed(&tile.path(), &e))
        };
        let left = left.iter().map(hash).collect::<Result<_, _>>()?;
        let right = right.iter().map(hash).collect::<Result<_, _>>()?;
        Split::new(at, size, left, right).map_err(|_| out_of_range())
    }

    fn date(&self) -> Option<ServerDate> {
        self.transport.date()
    }
}

/// Where the leaves of `bundle` lie in the bytes that it was decoded from.
fn spans(bundle: &Bundle<'_>) -> Vec<Range<u32>> {
    let mut end = 0;
    bundle
        .leaves()
        .map(|leaf| {
            let start = end + 2; // the length before it
            // 256 leaves of at most 65,535 bytes: far below 4 GiB.
            end = start + u32::try_from(leaf.len()).unwrap_or(u32::MAX - start);
            start..end
        })
        .collect()
}

fn absent(resource: &str) -> SourceError {
    SourceError::Absent {
        resource: resource.to_owned(),
    }
}

fn malformed(resource: &str, error: &TileError) -> SourceError {
    SourceError::Malformed {
        resource: resource.to_owned(),
        reason: error.to_string(),
    }
}
