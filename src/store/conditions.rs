//! Findings about health. They open and resolve without a person.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Condition, Scope, StoreError};

/// Findings about the health of the monitoring.
///
/// Laws:
/// 1. After `assess`, the open findings of its scope are exactly the given conditions. All others are unchanged.
/// 2. A condition that is no longer true is resolved, and a message about it goes to the channels that got its alert.
#[async_trait]
pub trait Conditions: Send + Sync {
    /// Makes the open health findings of `scope` exactly these conditions. New ones are recorded and alerted. Those
    /// that are no longer true are resolved, with a message to the channels that got the alert.
    async fn assess(
        &self,
        scope: &Scope,
        conditions: &[Condition],
        now: Timestamp,
    ) -> Result<(), StoreError>;
}
