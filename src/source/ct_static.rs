//! A certificate transparency log of static files (C2SP static-ct-api): tiles as in Rekor v2, except for the entries.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use tlog::Split;
use tlog::checkpoint::MAX_CHECKPOINT_BYTES;
use tlog::tile::{BundleIndex, FULL_WIDTH};

use super::log_source::LogSource;
use super::tiles::{self, Tiles, absent, malformed};
use super::transport::{Got, Transport};
use super::transport_error::TransportError;
use super::{Leaves, ServerDate, SourceError, ct};

/// Longest accepted data tile, in bytes: 256 certificates and precertificates, each of the largest accepted size (64
/// KiB). Fulcio's tiles have half a megabyte.
const MAX_DATA_TILE_BYTES: usize = 32 * 1024 * 1024;

/// A static-ct log, on a server or in a directory.
#[derive(Debug)]
pub struct CtStatic {
    transport: Transport,
}

impl CtStatic {
    /// The log at `transport`. No request is sent yet.
    pub fn new(transport: Transport) -> Self {
        Self { transport }
    }

    fn tiles(&self) -> Tiles<'_> {
        Tiles {
            transport: &self.transport,
            prefix: "",
        }
    }
}

#[async_trait]
impl LogSource for CtStatic {
    async fn checkpoint(&self) -> Result<Bytes, SourceError> {
        const NAME: &str = "checkpoint";
        match self.transport.get(NAME, MAX_CHECKPOINT_BYTES).await {
            Ok(Got::File(checkpoint)) => Ok(checkpoint),
            Ok(Got::Absent(asked)) => Err(absent(NAME, asked)),
            Err(TransportError::TooLarge { limit_bytes }) => {
                Err(SourceError::CheckpointTooLong { limit_bytes })
            }
            Err(error) => Err(error.about(NAME)),
        }
    }

    fn bundle(&self, index: u64, size: u64) -> Range<u64> {
        tiles::bundle(index, size)
    }

    async fn leaves(&self, want: Range<u64>, size: u64) -> Result<Leaves, SourceError> {
        self.leaves_within(want, size, MAX_DATA_TILE_BYTES).await
    }

    async fn leaves_within(
        &self,
        want: Range<u64>,
        size: u64,
        limit_bytes: usize,
    ) -> Result<Leaves, SourceError> {
        let tile = tiles::bundle_of(&want, size)?;
        let path = data_path(&tile);
        let full = (!tile.is_full()).then(|| data_path(&tile.full()));
        let limit_bytes = limit_bytes.min(MAX_DATA_TILE_BYTES);
        let (bytes, is_full) = self.tiles().file(&path, full, limit_bytes).await?;
        let width = if is_full { FULL_WIDTH } else { tile.width() };
        ct::data_tile(&bytes, tile.start(), width)
            .map(|leaves| leaves.within(&want))
            .map_err(|e| malformed(&self.tiles().address(&path), &e))
    }

    async fn split(&self, at: u64, size: u64) -> Result<Split, SourceError> {
        self.tiles().split(at, size).await
    }

    fn date(&self) -> Option<ServerDate> {
        self.transport.date()
    }
}

/// Entries are where other tiled logs have their bundles, under another name.
fn data_path(tile: &BundleIndex) -> String {
    tile.path().replacen("tile/entries/", "tile/data/", 1)
}
