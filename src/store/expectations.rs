//! Registered signings.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Registration, StoreError};
use crate::expect::Expectation;
use crate::finding::FindingId;

/// Signings that the owner registered.
///
/// Laws:
/// 1. Whether a finding is `expected` is decided inside the transaction that writes the finding, and inside the one
///    that registers the bundle: in either order, it is found.
/// 2. One signing is registered once. A number is never used twice.
#[async_trait]
pub trait Expectations: Send + Sync {
    /// Registers signings, each with the file that it is from. Their findings become expected and resolved, with
    /// history. Returns for each whether it was new, and the findings that changed. The checkpoints in them are kept,
    /// to be compared with their logs. Many are registered in groups, each in one transaction: after an error the same
    /// call registers the rest.
    async fn register_all(
        &self,
        signings: &[(String, Expectation)],
        now: Timestamp,
    ) -> Result<Vec<(bool, Vec<FindingId>)>, StoreError>;

    /// All registrations, oldest first.
    async fn registrations(&self) -> Result<Vec<Registration>, StoreError>;

    /// Removes a registration by its number. Its findings are reopened and alerted. `None` if there is no such
    /// registration.
    async fn unregister(
        &self,
        number: i64,
        now: Timestamp,
    ) -> Result<Option<Vec<FindingId>>, StoreError>;
}
