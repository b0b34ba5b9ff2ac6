//! Findings: listed, shown, acknowledged and judged again.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use jiff::Timestamp;

use super::{
    Counts, FindingQuery, FindingRecord, HandlingOutcome, HandlingRequest, HoldRule, Judged,
    StoreError,
};
use crate::finding::{Evidence, Finding, FindingId, Severity};

/// Findings.
///
/// Laws:
/// 1. A finding is never deleted, and each of its changes has a row of history.
/// 2. A repeated finding (same id) is the same row, and is alerted once.
/// 3. From the moment a finding that alerts exists, its alerts exist, routed by the [`Routes`](crate::finding::Routes) that the
///    store was opened with. The exception is a finding that a person reopened: that person has seen it.
/// 4. A list is ordered by log name, index, watch and id. It neither skips nor repeats a finding while others are
///    written.
#[async_trait]
pub trait Findings: Send + Sync {
    /// Findings ordered by log name, index, watch, id; read in pages, with constant memory.
    fn findings<'a>(&'a self, query: &FindingQuery) -> BoxStream<'a, Result<Finding, StoreError>>;

    /// How many findings a query has, but no more than its limit.
    async fn count(&self, query: &FindingQuery) -> Result<u64, StoreError>;

    /// One finding with its evidence and history, by its full id or a prefix of at least 4 digits;
    /// `StoreError::Ambiguous` if several share it.
    async fn finding(&self, id_prefix: &str) -> Result<Option<FindingRecord>, StoreError>;

    /// Handles the security findings of a query, at most its limit. Without states in the query, `open` ones are
    /// acknowledged, and `open` and `disputed` ones get a note; whatever its states, only acknowledged ones are reopened.
    /// The others, and those about health, stay unchanged. Many are handled in groups, each a transaction: after an error
    /// the same call acknowledges or reopens the rest. Answers how many were handled.
    async fn handle_matching(
        &self,
        query: &FindingQuery,
        request: &HandlingRequest<'_>,
    ) -> Result<u64, StoreError>;

    /// Handles findings by id, in one transaction with their history: acknowledges open, held or disputed security findings,
    /// reopens acknowledged ones without an alert, or adds a note to any.
    async fn handle(
        &self,
        ids: &[FindingId],
        request: &HandlingRequest<'_>,
    ) -> Result<Vec<(FindingId, HandlingOutcome)>, StoreError>;

    /// The numbers of open findings, by their meaning for the exit code.
    async fn counts(&self, fail_on: Severity) -> Result<Counts, StoreError>;

    /// Untrusted-chain findings with their certificates, to judge again.
    async fn untrusted(
        &self,
        after: Option<FindingId>,
        limit: u32,
    ) -> Result<Vec<(Finding, Evidence)>, StoreError>;

    /// Replaces the judgement of a finding. Alerts if the finding alerts by the new one.
    async fn rejudge(
        &self,
        id: FindingId,
        judged: &Judged,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Opens (and alerts) held findings whose time is over, or whose watch was removed or changed. `rules` contains
    /// every watch that has a hold now. Returns their number.
    async fn release_holds(&self, rules: &[HoldRule], now: Timestamp) -> Result<u64, StoreError>;

    /// The last time at which a holder of the key signed under each of these watches, by the findings that were
    /// recorded after number `after`, without untrusted chains; and the number of the last finding. A watch without
    /// such a finding is absent.
    ///
    /// A signing that was logged again shows nothing new. Under a trusted certificate, the time when it was issued
    /// counts (at most the time when it was first seen). Under any other key, only a signature counts that is in no
    /// earlier entry, at the time when it was first seen.
    async fn seen_since(
        &self,
        watches: &[String],
        after: i64,
    ) -> Result<(i64, BTreeMap<String, Timestamp>), StoreError>;
}
