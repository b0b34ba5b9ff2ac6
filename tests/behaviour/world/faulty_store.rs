//! A store whose doors fail when a test says so: before anything was done, or after all of it was.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use modelwatch::expect::Expectation;
use modelwatch::finding::{Evidence, Finding, FindingId, Severity};
use modelwatch::store::{
    AckOutcome, Answered, Batch, BundleCheckpoint, ChannelQueue, Condition, Contradiction, Counts,
    Coverage, Delivery, Dispute, FindingCounts, FindingQuery, FindingRecord, FoundEntries, Guide,
    HoldRule, Judged, LogState, Lookup, LookupCounts, NewLog, NewLookups, OpenCertificate,
    PassHistory, PassReport, Postponed, QueuedAlert, Registration, RescanRequest, Rescanned, Scope,
    Settled, Sighting, Span, Store, StoreError, VerifiedHead, WatchKey,
};
use tlog::Head;

/// How a door fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing was done, and so it is reported.
    NotDone,
    /// It was done, but is reported as failed: the answer was lost.
    DoneButReportedFailed,
}

/// Which door fails, when, how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub door: &'static str,
    pub mode: Mode,
    /// Uses of the door that go well before.
    pub after: u32,
    /// Uses in a row that fail.
    pub times: u32,
}

/// The plan of what fails; it outlives the stores of several restarts.
#[derive(Default)]
pub struct Faults(Mutex<Plan>);

#[derive(Default)]
struct Plan {
    fault: Option<Fault>,
    fired: u32,
    uses: BTreeMap<&'static str, u32>,
}

impl Faults {
    pub fn arm(&self, fault: Fault) {
        let mut plan = self.0.lock().expect("nothing panics under it");
        plan.fault = Some(fault);
        plan.fired = 0;
    }

    pub fn disarm(&self) {
        self.0.lock().expect("nothing panics under it").fault = None;
    }

    /// How often the armed fault has struck.
    pub fn fired(&self) -> u32 {
        self.0.lock().expect("nothing panics under it").fired
    }

    /// How often each door was used.
    pub fn uses(&self) -> BTreeMap<&'static str, u32> {
        self.0.lock().expect("nothing panics under it").uses.clone()
    }

    fn strike(&self, door: &'static str) -> Option<Mode> {
        let mut plan = self.0.lock().expect("nothing panics under it");
        *plan.uses.entry(door).or_default() += 1;
        let fault = plan
            .fault
            .as_mut()
            .filter(|fault| fault.door == door && fault.times > 0)?;
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        fault.times -= 1;
        let mode = fault.mode;
        plan.fired += 1;
        Some(mode)
    }
}

/// The store behind the plan.
pub struct FaultyStore {
    pub inner: Arc<dyn Store>,
    pub faults: Arc<Faults>,
}

fn failed(door: &'static str) -> StoreError {
    StoreError::Database {
        path: "world.db".into(),
        action: door,
        source: "a test made it fail".into(),
    }
}

macro_rules! through {
    ($self:ident.$door:ident($($argument:expr),*)) => {{
        let door = stringify!($door);
        let strikes = $self.faults.strike(door);
        if strikes == Some(Mode::NotDone) {
            return Err(failed(door));
        }
        let answer = $self.inner.$door($($argument),*).await?;
        if strikes == Some(Mode::DoneButReportedFailed) {
            return Err(failed(door));
        }
        Ok(answer)
    }};
}

#[async_trait]
impl Store for FaultyStore {
    async fn log(&self, origin: &str) -> Result<Option<LogState>, StoreError> {
        through!(self.log(origin))
    }

    async fn logs(&self) -> Result<Vec<LogState>, StoreError> {
        through!(self.logs())
    }

    async fn begin(&self, log: &NewLog) -> Result<(), StoreError> {
        through!(self.begin(log))
    }

    async fn commit(&self, batch: &Batch) -> Result<u64, StoreError> {
        through!(self.commit(batch))
    }

    async fn dispute(&self, dispute: &Dispute) -> Result<(), StoreError> {
        through!(self.dispute(dispute))
    }

    async fn end_pass(&self, report: &PassReport) -> Result<(), StoreError> {
        through!(self.end_pass(report))
    }

    async fn checkpoint(&self, origin: &str, size: u64) -> Result<Option<Head>, StoreError> {
        through!(self.checkpoint(origin, size))
    }

    async fn watching(&self, origin: &str, watches: &[WatchKey]) -> Result<(), StoreError> {
        through!(self.watching(origin, watches))
    }

    async fn coverage(
        &self,
        watches: &[WatchKey],
        origin: Option<&str>,
    ) -> Result<Vec<Coverage>, StoreError> {
        through!(self.coverage(watches, origin))
    }

    async fn rescanned(&self, rescanned: &Rescanned) -> Result<u64, StoreError> {
        through!(self.rescanned(rescanned))
    }

    async fn release_holds(&self, rules: &[HoldRule], now: Timestamp) -> Result<u64, StoreError> {
        through!(self.release_holds(rules, now))
    }

    async fn request_rescan(&self, watch: Option<&str>, now: Timestamp) -> Result<(), StoreError> {
        through!(self.request_rescan(watch, now))
    }

    async fn rescans(&self) -> Result<Vec<RescanRequest>, StoreError> {
        through!(self.rescans())
    }

    async fn rescan_done(&self, request: &RescanRequest) -> Result<(), StoreError> {
        through!(self.rescan_done(request))
    }

    async fn assess(
        &self,
        scope: &Scope,
        conditions: &[Condition],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        through!(self.assess(scope, conditions, now))
    }

    async fn ahead_of(&self, now: Timestamp) -> Result<Option<Span>, StoreError> {
        through!(self.ahead_of(now))
    }

    async fn bring_back(&self, now: Timestamp) -> Result<(), StoreError> {
        through!(self.bring_back(now))
    }

    async fn unhealthy_logs(&self) -> Result<Vec<(String, String)>, StoreError> {
        through!(self.unhealthy_logs())
    }

    async fn pass_history(&self, origin: &str) -> Result<PassHistory, StoreError> {
        through!(self.pass_history(origin))
    }

    async fn seen_since(
        &self,
        watches: &[String],
        after: i64,
    ) -> Result<(i64, BTreeMap<String, Timestamp>), StoreError> {
        through!(self.seen_since(watches, after))
    }

    async fn bundle_checkpoints(
        &self,
        origin: &str,
        limit: u32,
    ) -> Result<Vec<BundleCheckpoint>, StoreError> {
        through!(self.bundle_checkpoints(origin, limit))
    }

    async fn settle(&self, number: i64, settled: Settled) -> Result<(), StoreError> {
        through!(self.settle(number, settled))
    }

    fn findings<'a>(&'a self, query: &FindingQuery) -> BoxStream<'a, Result<Finding, StoreError>> {
        self.inner.findings(query)
    }

    async fn finding(&self, id_prefix: &str) -> Result<Option<FindingRecord>, StoreError> {
        through!(self.finding(id_prefix))
    }

    async fn acknowledge_matching(
        &self,
        query: &FindingQuery,
        reason: &str,
        now: Timestamp,
    ) -> Result<Vec<FindingId>, StoreError> {
        through!(self.acknowledge_matching(query, reason, now))
    }

    async fn acknowledge(
        &self,
        ids: &[FindingId],
        reason: &str,
        now: Timestamp,
    ) -> Result<Vec<(FindingId, AckOutcome)>, StoreError> {
        through!(self.acknowledge(ids, reason, now))
    }

    async fn counts(&self, fail_on: Severity) -> Result<Counts, StoreError> {
        through!(self.counts(fail_on))
    }

    async fn untrusted(
        &self,
        after: Option<FindingId>,
        limit: u32,
    ) -> Result<Vec<(Finding, Evidence)>, StoreError> {
        through!(self.untrusted(after, limit))
    }

    async fn rejudge(
        &self,
        id: FindingId,
        judged: &Judged,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        through!(self.rejudge(id, judged, now))
    }

    async fn register_all(
        &self,
        signings: &[(String, Expectation)],
        now: Timestamp,
    ) -> Result<Vec<(bool, Vec<FindingId>)>, StoreError> {
        through!(self.register_all(signings, now))
    }

    async fn registrations(&self) -> Result<Vec<Registration>, StoreError> {
        through!(self.registrations())
    }

    async fn unregister(
        &self,
        number: i64,
        now: Timestamp,
    ) -> Result<Option<Vec<FindingId>>, StoreError> {
        through!(self.unregister(number, now))
    }

    async fn claim_alerts(
        &self,
        channel: &str,
        flood: u32,
        now: Timestamp,
    ) -> Result<Vec<QueuedAlert>, StoreError> {
        through!(self.claim_alerts(channel, flood, now))
    }

    async fn alert_findings(&self, alert: &str, limit: u32) -> Result<Vec<Finding>, StoreError> {
        through!(self.alert_findings(alert, limit))
    }

    async fn alert_counts(&self, alert: &str) -> Result<Vec<FindingCounts>, StoreError> {
        through!(self.alert_counts(alert))
    }

    async fn record_delivery(
        &self,
        alert: &str,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        through!(self.record_delivery(alert, delivery, now))
    }

    async fn channel_queues(
        &self,
        now: Timestamp,
    ) -> Result<BTreeMap<String, ChannelQueue>, StoreError> {
        through!(self.channel_queues(now))
    }

    async fn get_value(&self, key: &str) -> Result<Option<String>, StoreError> {
        through!(self.get_value(key))
    }

    async fn put_value(&self, key: &str, value: &str) -> Result<(), StoreError> {
        through!(self.put_value(key, value))
    }

    async fn prune(&self, now: Timestamp) -> Result<(), StoreError> {
        through!(self.prune(now))
    }

    async fn contradicted(&self, contradiction: &Contradiction) -> Result<(), StoreError> {
        through!(self.contradicted(contradiction))
    }

    async fn record_head(&self, head: &VerifiedHead) -> Result<(), StoreError> {
        through!(self.record_head(head))
    }

    async fn guide(&self, log: &str) -> Result<Option<Guide>, StoreError> {
        through!(self.guide(log))
    }

    async fn begin_guide(&self, guide: &Guide) -> Result<(), StoreError> {
        through!(self.begin_guide(guide))
    }

    async fn set_exact_names(
        &self,
        log: &str,
        rules: &[u8; 32],
        subjects: &[String],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        through!(self.set_exact_names(log, rules, subjects, now))
    }

    async fn set_guides(&self, log: &str, guides: &[String]) -> Result<(), StoreError> {
        through!(self.set_guides(log, guides))
    }

    async fn guides_done(&self, log: &str) -> Result<(), StoreError> {
        through!(self.guides_done(log))
    }

    async fn sightings(&self, after: i64, limit: u32) -> Result<Vec<Sighting>, StoreError> {
        through!(self.sightings(after, limit))
    }

    async fn enqueue(&self, new_lookups: &NewLookups) -> Result<(), StoreError> {
        through!(self.enqueue(new_lookups))
    }

    async fn due_lookups(
        &self,
        log: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Lookup>, StoreError> {
        through!(self.due_lookups(log, now, limit))
    }

    async fn open_certificates(
        &self,
        log: &str,
        subject: &str,
    ) -> Result<Vec<OpenCertificate>, StoreError> {
        through!(self.open_certificates(log, subject))
    }

    async fn known_entries(
        &self,
        log: &str,
        leaves: &[(String, String)],
    ) -> Result<HashSet<(String, String)>, StoreError> {
        through!(self.known_entries(log, leaves))
    }

    async fn found_entries(&self, found: &FoundEntries) -> Result<u64, StoreError> {
        through!(self.found_entries(found))
    }

    async fn answered(&self, answered: &Answered) -> Result<(), StoreError> {
        through!(self.answered(answered))
    }

    async fn postponed(&self, postponed: &Postponed) -> Result<(), StoreError> {
        through!(self.postponed(postponed))
    }

    async fn spend(
        &self,
        log: &str,
        spent: Timestamp,
        mail_only: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        through!(self.spend(log, spent, mail_only))
    }

    async fn lookup_counts(&self, log: &str, now: Timestamp) -> Result<LookupCounts, StoreError> {
        through!(self.lookup_counts(log, now))
    }
}
