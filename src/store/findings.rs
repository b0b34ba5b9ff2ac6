//! What was found: listed, shown, acknowledged and judged again.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use jiff::Timestamp;

use super::{AckOutcome, Counts, FindingQuery, FindingRecord, HoldRule, Judged, StoreError};
use crate::finding::{Evidence, Finding, FindingId, Severity};

/// Findings.
///
/// Laws:
/// 1. A finding is never deleted, and each of its changes has a row of history.
/// 2. A repeated finding (same id) is the same row, and is alerted once.
/// 3. From the moment a finding that alerts exists, its alerts exist, routed by the [`Routes`](crate::finding::Routes) that the
///    store was opened with.
/// 4. A list is ordered by log name, index, watch and id, and neither skips nor repeats a finding while others are written.
#[async_trait]
pub trait Findings: Send + Sync {
    /// Findings ordered by log name, index, watch, id; read in pages, in flat memory.
    fn findings<'a>(&'a self, query: &FindingQuery) -> BoxStream<'a, Result<Finding, StoreError>>;

    /// One finding with its evidence and history, by its full id or a prefix of at least 4 digits;
    /// `StoreError::Ambiguous` if several share it.
    async fn finding(&self, id_prefix: &str) -> Result<Option<FindingRecord>, StoreError>;

    /// Acknowledges the security findings of a query, but no more than its limit; without states in it, those that are
    /// `open`. What was acknowledged or resolved before, and what is about health, is left alone. Many are acknowledged in
    /// groups, each a transaction: after an error the same call acknowledges the rest.
    async fn acknowledge_matching(
        &self,
        query: &FindingQuery,
        reason: &str,
        now: Timestamp,
    ) -> Result<Vec<FindingId>, StoreError>;

    /// Acknowledges open, held or disputed security findings by id.
    async fn acknowledge(
        &self,
        ids: &[FindingId],
        reason: &str,
        now: Timestamp,
    ) -> Result<Vec<(FindingId, AckOutcome)>, StoreError>;

    /// How many findings are open, by what they mean for the exit code.
    async fn counts(&self, fail_on: Severity) -> Result<Counts, StoreError>;

    /// Untrusted-chain findings with their certificates, to be judged again.
    async fn untrusted(
        &self,
        after: Option<FindingId>,
        limit: u32,
    ) -> Result<Vec<(Finding, Evidence)>, StoreError>;

    /// Records that a finding is judged otherwise now; alerts if it alerts now.
    async fn rejudge(
        &self,
        id: FindingId,
        judged: &Judged,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Opens (and alerts) held findings whose time is over, or whose watch is gone or changed:
    /// `rules` holds every watch that has a hold now. Answers how many.
    async fn release_holds(&self, rules: &[HoldRule], now: Timestamp) -> Result<u64, StoreError>;

    /// When a holder of the key last signed under each of these watches, as far as the findings show that were
    /// recorded after number `after`, untrusted chains apart; and the number to go on from. A watch without such a finding
    /// is left out.
    ///
    /// A signing that was logged again shows nothing new: under a trusted certificate counts when it was issued (at most
    /// when it was first seen), under any other key only a signature that is in no earlier entry, and when it was first
    /// seen.
    async fn seen_since(
        &self,
        watches: &[String],
        after: i64,
    ) -> Result<(i64, BTreeMap<String, Timestamp>), StoreError>;
}
