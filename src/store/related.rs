//! Findings that are looked at beside another one.

use async_trait::async_trait;

use super::{Registration, StoreError};
use crate::finding::{Finding, FindingId};

/// What a page shows beside a finding, a log or a watch.
///
/// Laws:
/// 1. Each method uses an index or a range of numbers: its time depends on what it answers, not on how much is stored.
#[async_trait]
pub trait RelatedFindings: Send + Sync {
    /// The last registered signing that was recorded under this watch before the finding; if there is none, the last one that
    /// was recorded after it.
    async fn last_expected(
        &self,
        watch: &str,
        finding: FindingId,
    ) -> Result<Option<Finding>, StoreError>;

    /// The findings that were recorded shortly before and after this one: at most this many on either side, in the order in
    /// which they were recorded, without it. Empty if there is no such finding.
    async fn recorded_around(
        &self,
        finding: FindingId,
        limit: u32,
    ) -> Result<Vec<Finding>, StoreError>;

    /// Faults of the log with this name at the time, at most this many, in the order of lists.
    async fn faults_of(&self, log: &str, limit: u32) -> Result<Vec<Finding>, StoreError>;

    /// The registrations that were recorded last, at most this many, the newest first.
    async fn last_registrations(&self, limit: u32) -> Result<Vec<Registration>, StoreError>;
}
