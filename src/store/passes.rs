//! How passes ended.

use async_trait::async_trait;

use super::{PassHistory, PassReport, StoreError};
use crate::log::{LogId, Part};

/// How passes over logs ended.
///
/// Laws:
/// 1. The end of a pass is recorded whether or not the log has a position.
/// 2. Only a pass that proved everything moves `last_success`.
/// 3. A failed pass neither continues nor ends a row of passes that were shown a smaller checkpoint.
#[async_trait]
pub trait Passes: Send + Sync {
    /// Records how a pass over one log ended, also of a log that has no position yet.
    async fn end_pass(&self, report: &PassReport) -> Result<(), StoreError>;

    /// How the last passes over a log went; empty for a log that is not known.
    async fn pass_history(&self, log: &LogId, part: &Part) -> Result<PassHistory, StoreError>;
}
