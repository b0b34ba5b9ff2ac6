//! A tree of a log, with the source of its leaves.

use std::sync::Arc;

use crate::log::Shard;
use crate::source::LogSource;

/// A tree that is read.
#[derive(Clone)]
pub struct Log {
    /// Its origin, keys and settings.
    pub shard: Arc<Shard>,
    /// Its checkpoints, leaves and hashes.
    pub source: Arc<dyn LogSource>,
}
