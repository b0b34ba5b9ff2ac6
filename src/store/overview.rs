//! What is open and what was delivered, in numbers.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::finding::{FindingId, Severity, State, Verdict};

/// The numbers of findings that wait for something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaitingFindings {
    /// Open and disputed findings, by severity and verdict; a pair without any is absent.
    pub open: BTreeMap<(Severity, Verdict), u64>,
    /// Held findings.
    pub held: u64,
}

/// What a time line shows of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentFinding {
    /// Which finding.
    pub id: FindingId,
    /// Its watch.
    pub watch: Option<String>,
    /// Its verdict.
    pub verdict: Verdict,
    /// Its severity.
    pub severity: Severity,
    /// Its state.
    pub state: State,
    /// When it was seen first.
    pub first_seen: Timestamp,
}

/// Numbers for reports.
///
/// Laws:
/// 1. A finding is counted once: as open (also if it is disputed), as held, or not at all.
/// 2. The last findings are those that were recorded last, whatever the times in them.
/// 3. The last delivery is that of the alert that the channel accepted last. A channel without one is absent.
#[async_trait]
pub trait Overview: Send + Sync {
    /// The numbers of open and of held findings.
    async fn waiting_findings(&self) -> Result<WaitingFindings, StoreError>;

    /// The last findings that were recorded, at most this many, the newest first.
    async fn recent_findings(&self, limit: u32) -> Result<Vec<RecentFinding>, StoreError>;

    /// When each of these channels accepted an alert last.
    async fn last_deliveries(
        &self,
        channels: &[String],
    ) -> Result<BTreeMap<String, Timestamp>, StoreError>;

    /// The bytes that the database takes on the disk, with its write-ahead log; `None` if it has no files.
    async fn size_bytes(&self) -> Result<Option<u64>, StoreError>;
}
