//! Faults of logs.

use async_trait::async_trait;

use super::{Contradiction, Dispute, StoreError};

/// Faults: a log contradicts what it signed. The signed notes are the evidence.
///
/// Laws:
/// 1. A fault is one finding. If it is seen again while it is open, only its evidence changes.
/// 2. If it is seen again after it was resolved, or acknowledged with another root, it is reopened and alerted.
/// 3. A position only goes back to the proven one, and only by a fault that makes the batch false. The findings of that
///    batch are kept as disputed.
#[async_trait]
pub trait LogFaults: Send + Sync {
    /// Records a fault of a log with its evidence. If the fault made a batch false, the position goes back to the
    /// proven one, and every unproven finding from there on becomes disputed (a held one is alerted). The fault is
    /// recorded once. If it is seen again after it was resolved, or acknowledged with another root, it is reopened and
    /// alerted.
    async fn dispute(&self, dispute: &Dispute) -> Result<(), StoreError>;

    /// Records a fault of a log without changing a position; otherwise as [`LogFaults::dispute`].
    async fn contradicted(&self, contradiction: &Contradiction) -> Result<(), StoreError>;
}
