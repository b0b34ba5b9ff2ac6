//! A store that only knows its outbox, in memory, and can refuse to write.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Mutex;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use tlog::Head;

use crate::expect::Expectation;
use crate::finding::{Evidence, Finding, FindingId, Severity};
use crate::store::{
    AckOutcome, Answered, Batch, BundleCheckpoint, ChannelQueue, Condition, Contradiction, Counts,
    Coverage, Delivery, Dispute, FindingCounts, FindingQuery, FindingRecord, FoundEntries, Guide,
    HoldRule, Judged, LogState, Lookup, LookupCounts, NewLog, NewLookups, OpenCertificate,
    PassHistory, PassReport, Postponed, QueuedAlert, QueuedKind, Registration, RescanRequest,
    Rescanned, Scope, Settled, Sighting, Span, Store, StoreError, VerifiedHead, WatchKey,
};

/// One alert of the outbox.
#[derive(Debug, Clone)]
pub(in crate::notify) struct Row {
    pub(in crate::notify) channel: String,
    pub(in crate::notify) alert: QueuedAlert,
    pub(in crate::notify) findings: Vec<Finding>,
    /// When it is tried; `None` once it is delivered or given up.
    pub(in crate::notify) due: Option<Timestamp>,
    pub(in crate::notify) deliveries: Vec<Delivery>,
}

#[derive(Default)]
pub(in crate::notify) struct MemoryStore {
    rows: Mutex<Vec<Row>>,
    memory: Mutex<HashMap<String, String>>,
    assessed: Mutex<Vec<Vec<Condition>>>,
    /// Outcomes of the next `record_delivery`: whether it is refused.
    refusals: Mutex<VecDeque<bool>>,
}

impl MemoryStore {
    /// Queues an alert with one finding, due at once.
    pub(in crate::notify) fn queue(&self, channel: &str, id: &str, now: Timestamp) {
        let mut rows = self.rows.lock().unwrap();
        let finding = super::signing(rows.len() as u64);
        rows.push(Row {
            channel: channel.to_owned(),
            alert: QueuedAlert {
                id: id.to_owned(),
                kind: QueuedKind::Alert,
                key: id.to_owned(),
                severity: finding.severity,
                findings: 1,
                created: now,
                attempts: 0,
                reached: Vec::new(),
            },
            findings: vec![finding],
            due: Some(now),
            deliveries: Vec::new(),
        });
    }

    pub(in crate::notify) fn row(&self, id: &str) -> Row {
        let rows = self.rows.lock().unwrap();
        rows.iter().find(|row| row.alert.id == id).unwrap().clone()
    }

    /// What was said about channels, each time.
    pub(in crate::notify) fn assessed(&self) -> Vec<Vec<Condition>> {
        self.assessed.lock().unwrap().clone()
    }

    /// The next attempt to record a delivery fails.
    pub(in crate::notify) fn refuse_next(&self) {
        self.refusals.lock().unwrap().push_back(true);
    }
}

fn full() -> StoreError {
    StoreError::Full {
        path: "memory".into(),
    }
}

fn not_ours() -> ! {
    unreachable!("notify does not ask this of the store")
}

#[async_trait]
impl Store for MemoryStore {
    async fn claim_alerts(
        &self,
        channel: &str,
        _: u32,
        now: Timestamp,
    ) -> Result<Vec<QueuedAlert>, StoreError> {
        let rows = self.rows.lock().unwrap();
        let due = rows
            .iter()
            .filter(|row| row.channel == channel && row.due.is_some_and(|due| due <= now));
        Ok(due.take(100).map(|row| row.alert.clone()).collect())
    }

    async fn alert_findings(&self, alert: &str, _: u32) -> Result<Vec<Finding>, StoreError> {
        Ok(self.row(alert).findings)
    }

    async fn alert_counts(&self, _: &str) -> Result<Vec<FindingCounts>, StoreError> {
        Ok(Vec::new())
    }

    async fn record_delivery(
        &self,
        alert: &str,
        delivery: &Delivery,
        _: Timestamp,
    ) -> Result<(), StoreError> {
        if self.refusals.lock().unwrap().pop_front() == Some(true) {
            return Err(full());
        }
        let mut rows = self.rows.lock().unwrap();
        let row = rows.iter_mut().find(|row| row.alert.id == alert).unwrap();
        row.alert.attempts += 1;
        row.due = match delivery {
            Delivery::Retry { at, reached, .. } => {
                row.alert.reached.clone_from(reached);
                Some(*at)
            }
            Delivery::Delivered | Delivery::GaveUp { .. } => None,
        };
        row.deliveries.push(delivery.clone());
        Ok(())
    }

    async fn get_value(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self.memory.lock().unwrap().get(key).cloned())
    }

    async fn put_value(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let mut memory = self.memory.lock().unwrap();
        memory.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// Tells new conditions on every channel but the failing one, as a store would.
    async fn assess(
        &self,
        _: &Scope,
        conditions: &[Condition],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut assessed = self.assessed.lock().unwrap();
        let known = assessed.last().cloned().unwrap_or_default();
        assessed.push(conditions.to_vec());
        drop(assessed);
        let channels: std::collections::BTreeSet<_> = self
            .rows
            .lock()
            .unwrap()
            .iter()
            .map(|row| row.channel.clone())
            .collect();
        for condition in conditions {
            if known.iter().any(|known| known.subject == condition.subject) {
                continue;
            }
            for channel in &channels {
                if condition.except_channel.as_ref() != Some(channel) {
                    self.queue(
                        channel,
                        &format!("{} fails, for {channel}", condition.subject),
                        now,
                    );
                }
            }
        }
        Ok(())
    }

    async fn log(&self, _: &str) -> Result<Option<LogState>, StoreError> {
        not_ours()
    }

    async fn logs(&self) -> Result<Vec<LogState>, StoreError> {
        not_ours()
    }

    async fn begin(&self, _: &NewLog) -> Result<(), StoreError> {
        not_ours()
    }

    async fn commit(&self, _: &Batch) -> Result<u64, StoreError> {
        not_ours()
    }

    async fn dispute(&self, _: &Dispute) -> Result<(), StoreError> {
        not_ours()
    }

    async fn end_pass(&self, _: &PassReport) -> Result<(), StoreError> {
        not_ours()
    }

    async fn checkpoint(&self, _: &str, _: u64) -> Result<Option<Head>, StoreError> {
        not_ours()
    }

    async fn watching(&self, _: &str, _: &[WatchKey]) -> Result<(), StoreError> {
        not_ours()
    }

    async fn coverage(&self, _: &[WatchKey], _: Option<&str>) -> Result<Vec<Coverage>, StoreError> {
        not_ours()
    }

    async fn ahead_of(&self, _: Timestamp) -> Result<Option<Span>, StoreError> {
        not_ours()
    }

    async fn bring_back(&self, _: Timestamp) -> Result<(), StoreError> {
        not_ours()
    }

    async fn unhealthy_logs(&self) -> Result<Vec<(String, String)>, StoreError> {
        not_ours()
    }

    async fn pass_history(&self, _: &str) -> Result<PassHistory, StoreError> {
        not_ours()
    }

    async fn seen_since(
        &self,
        _: &[String],
        _: i64,
    ) -> Result<(i64, BTreeMap<String, Timestamp>), StoreError> {
        not_ours()
    }

    async fn bundle_checkpoints(
        &self,
        _: &str,
        _: u32,
    ) -> Result<Vec<BundleCheckpoint>, StoreError> {
        not_ours()
    }

    async fn settle(&self, _: i64, _: Settled) -> Result<(), StoreError> {
        not_ours()
    }

    async fn rescanned(&self, _: &Rescanned) -> Result<u64, StoreError> {
        not_ours()
    }

    async fn release_holds(&self, _: &[HoldRule], _: Timestamp) -> Result<u64, StoreError> {
        not_ours()
    }

    async fn request_rescan(&self, _: Option<&str>, _: Timestamp) -> Result<(), StoreError> {
        not_ours()
    }

    async fn rescans(&self) -> Result<Vec<RescanRequest>, StoreError> {
        not_ours()
    }

    async fn rescan_done(&self, _: &RescanRequest) -> Result<(), StoreError> {
        not_ours()
    }

    fn findings<'a>(&'a self, _: &FindingQuery) -> BoxStream<'a, Result<Finding, StoreError>> {
        not_ours()
    }

    async fn finding(&self, _: &str) -> Result<Option<FindingRecord>, StoreError> {
        not_ours()
    }

    async fn acknowledge_matching(
        &self,
        _: &FindingQuery,
        _: &str,
        _: Timestamp,
    ) -> Result<Vec<FindingId>, StoreError> {
        not_ours()
    }

    async fn acknowledge(
        &self,
        _: &[FindingId],
        _: &str,
        _: Timestamp,
    ) -> Result<Vec<(FindingId, AckOutcome)>, StoreError> {
        not_ours()
    }

    async fn counts(&self, _: Severity) -> Result<Counts, StoreError> {
        not_ours()
    }

    async fn untrusted(
        &self,
        _: Option<FindingId>,
        _: u32,
    ) -> Result<Vec<(Finding, Evidence)>, StoreError> {
        not_ours()
    }

    async fn rejudge(&self, _: FindingId, _: &Judged, _: Timestamp) -> Result<(), StoreError> {
        not_ours()
    }

    async fn register_all(
        &self,
        _: &[(String, Expectation)],
        _: Timestamp,
    ) -> Result<Vec<(bool, Vec<FindingId>)>, StoreError> {
        not_ours()
    }

    async fn registrations(&self) -> Result<Vec<Registration>, StoreError> {
        not_ours()
    }

    async fn unregister(&self, _: i64, _: Timestamp) -> Result<Option<Vec<FindingId>>, StoreError> {
        not_ours()
    }

    async fn channel_queues(
        &self,
        _: Timestamp,
    ) -> Result<BTreeMap<String, ChannelQueue>, StoreError> {
        not_ours()
    }

    async fn prune(&self, _: Timestamp) -> Result<(), StoreError> {
        not_ours()
    }

    async fn contradicted(&self, _: &Contradiction) -> Result<(), StoreError> {
        not_ours()
    }

    async fn record_head(&self, _: &VerifiedHead) -> Result<(), StoreError> {
        not_ours()
    }

    async fn guide(&self, _: &str) -> Result<Option<Guide>, StoreError> {
        not_ours()
    }

    async fn begin_guide(&self, _: &Guide) -> Result<(), StoreError> {
        not_ours()
    }

    async fn set_exact_names(
        &self,
        _: &str,
        _: &[u8; 32],
        _: &[String],
        _: Timestamp,
    ) -> Result<(), StoreError> {
        not_ours()
    }

    async fn set_guides(&self, _: &str, _: &[String]) -> Result<(), StoreError> {
        not_ours()
    }

    async fn guides_done(&self, _: &str) -> Result<(), StoreError> {
        not_ours()
    }

    async fn sightings(&self, _: i64, _: u32) -> Result<Vec<Sighting>, StoreError> {
        not_ours()
    }

    async fn enqueue(&self, _: &NewLookups) -> Result<(), StoreError> {
        not_ours()
    }

    async fn due_lookups(&self, _: &str, _: Timestamp, _: u32) -> Result<Vec<Lookup>, StoreError> {
        not_ours()
    }

    async fn open_certificates(
        &self,
        _: &str,
        _: &str,
    ) -> Result<Vec<OpenCertificate>, StoreError> {
        not_ours()
    }

    async fn known_entries(
        &self,
        _: &str,
        _: &[(String, String)],
    ) -> Result<HashSet<(String, String)>, StoreError> {
        not_ours()
    }

    async fn found_entries(&self, _: &FoundEntries) -> Result<u64, StoreError> {
        not_ours()
    }

    async fn answered(&self, _: &Answered) -> Result<(), StoreError> {
        not_ours()
    }

    async fn postponed(&self, _: &Postponed) -> Result<(), StoreError> {
        not_ours()
    }

    async fn spend(&self, _: &str, _: Timestamp, _: Option<Timestamp>) -> Result<(), StoreError> {
        not_ours()
    }

    async fn lookup_counts(&self, _: &str, _: Timestamp) -> Result<LookupCounts, StoreError> {
        not_ours()
    }
}
