//! A store whose methods fail on request of a test: before anything was done, or after all of it was.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use modelwatch::expect::{self, Authority};
use modelwatch::finding::{Evidence, Finding, FindingId, NewFinding, Severity};
use modelwatch::log::{LogId, Part, TreeId};
use modelwatch::store::{
    Alerts, Answered, Batch, BundleCheckpoint, BundleCheckpoints, ChannelQueue, ChannelQueues,
    Condition, Conditions, Contradiction, Counts, CoveredRanges, Delivery, Dispute, Expectations,
    FindingCounts, FindingQuery, FindingRecord, Findings, FoundEntries, FoundSigning, Guide,
    HandlingOutcome, HandlingRequest, HoldRule, Judged, KeptEntries, KeptEntry, ListedTrees,
    LogFaults, LogState, Logs, Lookup, LookupCounts, Lookups, NewLookups, NewRegistration, NewTree,
    OpenCertificate, Overview, PassHistory, PassReport, PassedTree, Passes, Place, Positions,
    Postponed, ProvenPart, QueuedAlert, Reached, RecentFinding, RecordedCheckpoint,
    RecordedCheckpoints, RegisteredEntries, RegisteredEntry, Registration, RegistrationSources,
    RelatedFindings, RescanRequest, Rescanned, Rescans, Scope, SearchKey, Searches, Settled,
    Sighting, SignerTerm, SigningQuery, Signings, SourceChange, SourceContent, SourceFailure,
    SourceState, Span, Store, StoreError, StoredSigning, StoredTimes, TreeCoverage, TreeState,
    Values, VerifiedHead, WaitingFindings, WatchSet,
};
use tlog::Head;

/// How a method fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing was done, and failure is reported.
    NotDone,
    /// It was done, but is reported as failed: the answer was lost.
    DoneButReportedFailed,
}

/// Which method fails, when, how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub method: &'static str,
    pub mode: Mode,
    /// Number of successful calls before.
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

    /// Number of calls of each method.
    pub fn uses(&self) -> BTreeMap<&'static str, u32> {
        self.0.lock().expect("nothing panics under it").uses.clone()
    }

    fn strike(&self, method: &'static str) -> Option<Mode> {
        let mut plan = self.0.lock().expect("nothing panics under it");
        *plan.uses.entry(method).or_default() += 1;
        let fault = plan
            .fault
            .as_mut()
            .filter(|fault| fault.method == method && fault.times > 0)?;
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

fn failed(method: &'static str) -> StoreError {
    StoreError::Database {
        path: "world.db".into(),
        action: method,
        source: "a test made it fail".into(),
    }
}

/// Implements a trait by asking the store behind the plan, unless the plan has the method fail.
macro_rules! through {
    (
        $name:ident {
            $(fn $method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+
        } $(and { $($other:item)* })?
    ) => {
        #[async_trait]
        impl $name for FaultyStore {
            $(async fn $method(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                let method = stringify!($method);
                let strikes = self.faults.strike(method);
                if strikes == Some(Mode::NotDone) {
                    return Err(failed(method));
                }
                let answer = self.inner.$method($($argument),*).await?;
                if strikes == Some(Mode::DoneButReportedFailed) {
                    return Err(failed(method));
                }
                Ok(answer)
            })+
            $($($other)*)?
        }
    };
}

through!(Logs {
    fn log(id: &LogId) -> Option<LogState>;
    fn logs() -> Vec<LogState>;
    fn list_trees(listed: &ListedTrees) -> ();
    fn unhealthy_logs() -> Vec<(String, Option<LogId>)>;
});

through!(Positions {
    fn tree(id: &TreeId) -> Option<TreeState>;
    fn trees() -> Vec<TreeState>;
    fn begin(tree: &NewTree) -> ();
    fn commit(batch: &Batch) -> u64;
    fn record_head(head: &VerifiedHead) -> ();
    fn checkpoint(tree: &TreeId, size: u64) -> Option<Head>;
    fn prune(now: Timestamp) -> ();
});

through!(KeptEntries {
    fn kept_entry(finding: FindingId) -> Option<KeptEntry>;
    fn has_unproven(tree: &TreeId, ranges: &[std::ops::Range<u64>]) -> Vec<bool>;
});

through!(Passes {
    fn end_pass(report: &PassReport) -> ();
    fn pass_history(log: &LogId, part: &Part) -> PassHistory;
    fn passed_tree(tree: &TreeId, watches: &WatchSet) -> Option<PassedTree>;
});

through!(LogFaults {
    fn dispute(dispute: &Dispute) -> ();
    fn contradicted(contradiction: &Contradiction) -> ();
});

through!(CoveredRanges {
    fn watching(tree: &TreeId, watches: &WatchSet) -> ();
    fn tree_coverage(watches: &WatchSet, tree: Option<&TreeId>) -> Vec<TreeCoverage>;
    fn rescanned(rescanned: &Rescanned) -> u64;
});

through!(Rescans {
    fn request_rescan(watch: Option<&str>, now: Timestamp) -> ();
    fn rescans() -> Vec<RescanRequest>;
    fn rescan_done(request: &RescanRequest) -> ();
});

through!(Lookups {
    fn guide(log: &LogId) -> Option<Guide>;
    fn begin_guide(guide: &Guide) -> ();
    fn set_exact_names(log: &LogId, rules: &[u8; 32], subjects: &[String], now: Timestamp) -> ();
    fn set_guides(log: &LogId, guides: &[LogId]) -> ();
    fn guides_done(log: &LogId) -> ();
    fn sightings(after: i64, limit: u32) -> Vec<Sighting>;
    fn enqueue(new_lookups: &NewLookups) -> ();
    fn due_lookups(log: &LogId, now: Timestamp, limit: u32) -> Vec<Lookup>;
    fn open_certificates(log: &LogId, subject: &str) -> Vec<OpenCertificate>;
    fn known_entries(log: &LogId, leaves: &[(TreeId, String)]) -> HashSet<(TreeId, String)>;
    fn found_entries(found: &FoundEntries) -> u64;
    fn answered(answered: &Answered) -> ();
    fn postponed(postponed: &Postponed) -> ();
    fn spend(log: &LogId, spent: Timestamp, mail_only: Option<Timestamp>) -> ();
    fn lookup_counts(log: &LogId, now: Timestamp) -> LookupCounts;
});

through!(Conditions {
    fn assess(scope: &Scope, conditions: &[Condition], now: Timestamp) -> ();
});

through!(StoredTimes {
    fn ahead_of(now: Timestamp) -> Option<Span>;
    fn correct_future_times(now: Timestamp) -> ();
});

through!(BundleCheckpoints {
    fn bundle_checkpoints(tree: &TreeId, limit: u32) -> Vec<BundleCheckpoint>;
    fn settle(number: i64, settled: Settled) -> ();
});

through!(Findings {
    fn count(query: &FindingQuery) -> u64;
    fn finding(id_prefix: &str) -> Option<FindingRecord>;
    fn handle_matching(query: &FindingQuery, request: &HandlingRequest<'_>) -> u64;
    fn handle(ids: &[FindingId], request: &HandlingRequest<'_>) -> Vec<(FindingId, HandlingOutcome)>;
    fn counts(fail_on: Severity) -> Counts;
    fn untrusted(after: Option<FindingId>, limit: u32) -> Vec<(Finding, Evidence)>;
    fn rejudge(id: FindingId, judged: &Judged, now: Timestamp) -> ();
    fn release_holds(rules: &[HoldRule], now: Timestamp) -> u64;
    fn seen_since(watches: &[String], after: i64) -> (i64, BTreeMap<String, Timestamp>);
} and {
    fn findings<'a>(&'a self, query: &FindingQuery) -> BoxStream<'a, Result<Finding, StoreError>> {
        self.inner.findings(query)
    }
});

through!(Searches {
    fn search(key: &SearchKey, after: Option<&Place>, limit: u32) -> Vec<FoundSigning>;
    fn names(beginning: &str, from: &str, limit: u32) -> Vec<String>;
    fn has_value(place: &Place, term: SignerTerm, values: &[String]) -> bool;
    fn payloads_about(digests: &[String]) -> Vec<(expect::Part, String)>;
    fn authorities_of(hashes: &[String]) -> BTreeMap<String, Authority>;
    fn first_recorded(tree: &TreeId, size: u64) -> Option<Timestamp>;
});

through!(Signings {
    fn signings_of_leaves(leaf_hashes: &[String]) -> Vec<StoredSigning>;
} and {
    fn signings<'a>(&'a self, query: &SigningQuery) -> BoxStream<'a, Result<StoredSigning, StoreError>> {
        self.inner.signings(query)
    }
});

through!(Expectations {
    fn register_all(signings: &[NewRegistration], now: Timestamp) -> Vec<(bool, Vec<FindingId>)>;
    fn registrations() -> Vec<Registration>;
    fn registrations_after(number: i64, limit: u32) -> Vec<Registration>;
    fn confirm(number: i64, author: Option<&str>, now: Timestamp) -> Option<Vec<FindingId>>;
    fn remind_of_self_registered(now: Timestamp) -> u64;
    fn unregister(number: i64, now: Timestamp) -> Option<Vec<FindingId>>;
});

through!(RegistrationSources {
    fn sources() -> Vec<SourceState>;
    fn registrations_of(source: &str) -> Vec<Registration>;
    fn source_read(content: &SourceContent) -> SourceChange;
    fn source_failed(failure: &SourceFailure) -> ();
    fn confirm_source(name: &str, commit: &str) -> bool;
    fn signed_tags(watches: Option<&[String]>, limit: u32) -> Vec<String>;
    fn forget_sources(configured: &[String], now: Timestamp) -> Vec<FindingId>;
});

through!(RegisteredEntries {
    fn registered_entries(part: &ProvenPart, limit: u32) -> Vec<RegisteredEntry>;
    fn entry_there(number: i64) -> ();
    fn entry_missed(entry: &RegisteredEntry, finding: &NewFinding, now: Timestamp) -> bool;
});

through!(Alerts {
    fn claim_alerts(channel: &str, flood: u32, now: Timestamp) -> Vec<QueuedAlert>;
    fn alert_findings(alert: &str, limit: u32) -> Vec<Finding>;
    fn alert_counts(alert: &str) -> Vec<FindingCounts>;
    fn record_delivery(alert: &str, delivery: &Delivery, now: Timestamp) -> ();
});

through!(ChannelQueues {
    fn channel_queues(now: Timestamp) -> BTreeMap<String, ChannelQueue>;
});

through!(Overview {
    fn waiting_findings() -> WaitingFindings;
    fn recent_findings(limit: u32) -> Vec<RecentFinding>;
    fn last_deliveries(channels: &[String]) -> BTreeMap<String, Timestamp>;
    fn size_bytes() -> Option<u64>;
});

through!(RecordedCheckpoints {
    fn first_checkpoint(tree: &TreeId) -> Option<RecordedCheckpoint>;
    fn last_checkpoints(tree: &TreeId, limit: u32) -> Vec<RecordedCheckpoint>;
    fn reached(tree: &TreeId, size: u64) -> Reached;
});

through!(RelatedFindings {
    fn last_expected(watch: &str, finding: FindingId) -> Option<Finding>;
    fn recorded_around(finding: FindingId, limit: u32) -> Vec<Finding>;
    fn faults_of(log: &str, limit: u32) -> Vec<Finding>;
    fn last_registrations(limit: u32) -> Vec<Registration>;
});

through!(Values {
    fn get_value(key: &str) -> Option<String>;
    fn put_value(key: &str, value: &str) -> ();
});

impl Store for FaultyStore {}
