//! Findings about health, which open and resolve by themselves.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Condition, Scope, StoreError};

/// Findings about the health of the monitoring.
///
/// Laws:
/// 1. After `assess`, the open findings of its scope are exactly the given conditions; all others are left alone.
/// 2. A condition that is no longer true is resolved, and its resolution goes to the channels that had its alert.
#[async_trait]
pub trait Conditions: Send + Sync {
    /// Makes the open health findings of `scope` exactly these conditions: new ones are raised and
    /// alerted, those no longer true are resolved, and said so where they had been alerted.
    async fn assess(
        &self,
        scope: &Scope,
        conditions: &[Condition],
        now: Timestamp,
    ) -> Result<(), StoreError>;
}
