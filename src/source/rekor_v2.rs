//! Rekor v2: a tiled log (C2SP tlog-tiles) of static files.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tlog::Split;
use tlog::checkpoint::MAX_CHECKPOINT_BYTES;
use tlog::tile::{self, Bundle};

use super::log_source::LogSource;
use super::tiles::{self, Tiles, absent, malformed};
use super::transport::{Got, Transport};
use super::transport_error::TransportError;
use super::{Leaves, ServerDate, SourceError};

/// Where a log's files may be below its URL: as in the specification of Rekor v2, or directly, as in a storage bucket
/// or a mirror. Tried in this order.
const PREFIXES: [&str; 2] = ["api/v2/", ""];

/// The prefix is not known yet.
const UNKNOWN: usize = usize::MAX;

/// A Rekor v2 log, on a server or in a directory.
#[derive(Debug)]
pub struct RekorV2 {
    transport: Transport,
    /// The element of [`PREFIXES`] under which the last checkpoint was found. Only a hint: two tasks may find it at the
    /// same time, and a log may move.
    prefix: AtomicUsize,
}

impl RekorV2 {
    /// The log at `transport`. No request is sent yet.
    pub fn new(transport: Transport) -> Self {
        Self {
            transport,
            prefix: AtomicUsize::new(UNKNOWN),
        }
    }

    async fn tiles(&self) -> Result<Tiles<'_>, SourceError> {
        let prefix = match PREFIXES.get(self.prefix.load(Ordering::Relaxed)) {
            Some(prefix) => prefix,
            None => self.probe().await?.0,
        };
        Ok(Tiles {
            transport: &self.transport,
            prefix,
        })
    }

    /// Finds the checkpoint, under the prefix that worked last if there is one.
    async fn probe(&self) -> Result<(&'static str, Bytes), SourceError> {
        const NAME: &str = "checkpoint";
        let known = self.prefix.load(Ordering::Relaxed);
        let mut order = [0, 1];
        order.sort_by_key(|n| *n != known);
        let (mut refusal, mut absences) = (None, Vec::new());
        for n in order {
            let Some(prefix) = PREFIXES.get(n) else {
                continue;
            };
            let path = format!("{prefix}{NAME}");
            match self.transport.get(&path, MAX_CHECKPOINT_BYTES).await {
                Ok(Got::File(checkpoint)) => {
                    self.prefix.store(n, Ordering::Relaxed);
                    return Ok((prefix, checkpoint));
                }
                Ok(Got::Absent(asked)) => absences.push(asked),
                Err(TransportError::TooLarge { limit_bytes }) => {
                    return Err(SourceError::CheckpointTooLong { limit_bytes });
                }
                // Off-spec: a storage bucket may forbid access to absent files. That does not show whether the log
                // exists, and the other prefix may have it.
                Err(error) if error.is_refusal() => {
                    refusal.get_or_insert(error);
                }
                Err(error) => return Err(error.about(NAME)),
            }
        }
        Err(match refusal {
            Some(error) => error.about(NAME),
            None => absent(NAME, absences.join("; ")),
        })
    }
}

#[async_trait]
impl LogSource for RekorV2 {
    async fn checkpoint(&self) -> Result<Bytes, SourceError> {
        self.probe().await.map(|(_, checkpoint)| checkpoint)
    }

    fn bundle(&self, index: u64, size: u64) -> Range<u64> {
        tiles::bundle(index, size)
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
        let index = tiles::bundle_of(&want, size)?;
        let path = index.path();
        let full = (!index.is_full()).then(|| index.full().path());
        let limit_bytes = limit_bytes.min(tile::MAX_BUNDLE_BYTES);
        let tiles = self.tiles().await?;
        let (bytes, is_full) = tiles.file(&path, full, limit_bytes).await?;
        let bundle = if is_full {
            Bundle::decode_prefix(&bytes, index.width())
        } else {
            Bundle::decode(&bytes, index.width())
        };
        let address = tiles.address(&path);
        let spans = spans(&bundle.map_err(|e| malformed(&address, &e))?);
        Leaves::new(index.start(), bytes, spans)
            .map(|leaves| leaves.within(&want))
            .map_err(|e| malformed(&address, &e))
    }

    async fn split(&self, at: u64, size: u64) -> Result<Split, SourceError> {
        self.tiles().await?.split(at, size).await
    }

    fn date(&self) -> Option<ServerDate> {
        self.transport.date()
    }
}

/// The positions of the leaves of `bundle` in the bytes from which it was decoded.
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
