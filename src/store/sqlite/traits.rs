//! The implementation of each trait of the store: one query or one transaction for each method.

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt as _};
use jiff::Timestamp;
use sqlx::Connection as _;
use tlog::Head;

use super::fail::Fail;
use super::files::Place;
use super::{
    SqliteStore, coverage, dispute, findings, handling, health, kept, logs, lookup_queue, lookups,
    memory, moments, outbox, pass_history, positions,
};
use crate::finding::{Evidence, Finding, FindingId, Severity};
use crate::log::{LogId, Part, TreeId};
use crate::store::{
    Alerts, Answered, Batch, BundleCheckpoint, BundleCheckpoints, ChannelQueue, ChannelQueues,
    Condition, Conditions, Contradiction, Counts, CoveredRanges, Delivery, Dispute, FindingCounts,
    FindingQuery, FindingRecord, Findings, FoundEntries, Guide, HandlingOutcome, HandlingRequest,
    HoldRule, Judged, KeptEntries, KeptEntry, ListedTrees, LogFaults, LogState, Logs, Lookup,
    LookupCounts, Lookups, NewLookups, NewTree, OpenCertificate, PassHistory, PassReport,
    PassedTree, Passes, Positions, Postponed, QueuedAlert, RescanRequest, Rescanned, Rescans,
    Scope, Settled, Sighting, Span, Store, StoreError, StoredTimes, TreeCoverage, TreeState,
    Values, VerifiedHead, WatchSet,
};

#[async_trait]
impl Logs for SqliteStore {
    async fn log(&self, id: &LogId) -> Result<Option<LogState>, StoreError> {
        reading!(self, "reading a log", |db| logs::log(db, id))
    }

    async fn logs(&self) -> Result<Vec<LogState>, StoreError> {
        reading!(self, "reading logs", |db| logs::logs(db))
    }

    async fn list_trees(&self, listed: &ListedTrees) -> Result<(), StoreError> {
        // Called once per pass and mostly the same: it takes the write lock only if something changes.
        if reading!(self, "reading the trees of a log", |db| logs::is_listed_so(
            db, listed
        ))? {
            return Ok(());
        }
        writing!(self, "recording the trees of a log", |db| logs::list_trees(
            db, listed
        ))
    }

    async fn unhealthy_logs(&self) -> Result<Vec<(String, Option<LogId>)>, StoreError> {
        reading!(self, "reading findings about health", |db| logs::unhealthy(
            db
        ))
    }
}

#[async_trait]
impl Positions for SqliteStore {
    async fn tree(&self, id: &TreeId) -> Result<Option<TreeState>, StoreError> {
        reading!(self, "reading a position", |db| positions::tree(db, id))
    }

    async fn trees(&self) -> Result<Vec<TreeState>, StoreError> {
        reading!(self, "reading positions", |db| positions::trees(db))
    }

    async fn begin(&self, tree: &NewTree) -> Result<(), StoreError> {
        writing!(self, "recording a first position", |db| async {
            pass_history::begun(db, tree).await?;
            positions::begin(db, tree).await
        })
    }

    async fn commit(&self, batch: &Batch) -> Result<u64, StoreError> {
        writing!(self, "recording a batch", |db| positions::commit(
            db,
            &self.routes,
            batch
        ))
    }

    async fn record_head(&self, head: &VerifiedHead) -> Result<(), StoreError> {
        writing!(self, "recording a checkpoint", |db| positions::record_head(
            db, head
        ))
    }

    async fn checkpoint(&self, tree: &TreeId, size: u64) -> Result<Option<Head>, StoreError> {
        reading!(self, "reading a checkpoint", |db| positions::checkpoint(
            db, tree, size
        ))
    }

    async fn prune(&self, now: Timestamp) -> Result<(), StoreError> {
        writing!(self, "forgetting checkpoints", |db| positions::prune(
            db, now
        ))
    }
}

#[async_trait]
impl KeptEntries for SqliteStore {
    async fn kept_entry(&self, finding: FindingId) -> Result<Option<KeptEntry>, StoreError> {
        reading!(self, "reading what proves an entry", |db| kept::entry(
            db, finding
        ))
    }

    async fn has_unproven(
        &self,
        tree: &TreeId,
        ranges: &[std::ops::Range<u64>],
    ) -> Result<Vec<bool>, StoreError> {
        reading!(self, "reading unproven findings", |db| kept::has_unproven(
            db, tree, ranges
        ))
    }
}

#[async_trait]
impl Passes for SqliteStore {
    async fn end_pass(&self, report: &PassReport) -> Result<(), StoreError> {
        writing!(self, "recording the end of a pass", |db| async {
            positions::end_pass(db, report).await?;
            pass_history::add(db, report).await
        })
    }

    async fn pass_history(&self, log: &LogId, part: &Part) -> Result<PassHistory, StoreError> {
        reading!(self, "reading how passes went", |db| {
            pass_history::pass_history(db, part.key(log))
        })
    }

    async fn passed_tree(
        &self,
        tree: &TreeId,
        watches: &WatchSet,
    ) -> Result<Option<PassedTree>, StoreError> {
        reading!(self, "reading how a pass went", |db| {
            pass_history::passed_tree(db, tree, watches)
        })
    }
}

#[async_trait]
impl LogFaults for SqliteStore {
    async fn dispute(&self, dispute: &Dispute) -> Result<(), StoreError> {
        writing!(self, "recording a fault", |db| dispute::dispute(
            db,
            &self.routes,
            dispute
        ))
    }

    async fn contradicted(&self, contradiction: &Contradiction) -> Result<(), StoreError> {
        writing!(self, "recording a fault", |db| dispute::contradicted(
            db,
            &self.routes,
            contradiction
        ))
    }
}

#[async_trait]
impl CoveredRanges for SqliteStore {
    async fn watching(&self, tree: &TreeId, watches: &WatchSet) -> Result<(), StoreError> {
        // Called once per pass and mostly the same: it takes the write lock only if something changes.
        if reading!(self, "reading coverage", |db| coverage::is_declared(
            db,
            tree.as_str(),
            watches
        ))? {
            return Ok(());
        }
        writing!(self, "recording coverage", |db| coverage::watching(
            db,
            tree.as_str(),
            watches
        ))
    }

    async fn tree_coverage(
        &self,
        watches: &WatchSet,
        tree: Option<&TreeId>,
    ) -> Result<Vec<TreeCoverage>, StoreError> {
        reading!(self, "reading coverage", |db| coverage::coverage(
            db,
            watches,
            tree.map(TreeId::as_str)
        ))
    }

    async fn rescanned(&self, rescanned: &Rescanned) -> Result<u64, StoreError> {
        writing!(self, "recording a rescan", |db| coverage::rescanned(
            db,
            &self.routes,
            rescanned
        ))
    }
}

#[async_trait]
impl Rescans for SqliteStore {
    async fn request_rescan(&self, watch: Option<&str>, now: Timestamp) -> Result<(), StoreError> {
        writing!(self, "requesting a rescan", |db| memory::request_rescan(
            db, watch, now
        ))
    }

    async fn rescans(&self) -> Result<Vec<RescanRequest>, StoreError> {
        reading!(self, "reading rescans", |db| memory::rescans(db))
    }

    async fn rescan_done(&self, request: &RescanRequest) -> Result<(), StoreError> {
        writing!(self, "recording a rescan", |db| memory::rescan_done(
            db, request
        ))
    }
}

#[async_trait]
impl Lookups for SqliteStore {
    async fn guide(&self, log: &LogId) -> Result<Option<Guide>, StoreError> {
        reading!(self, "reading a guided log", |db| lookups::guide(db, log))
    }

    async fn begin_guide(&self, guide: &Guide) -> Result<(), StoreError> {
        writing!(self, "beginning a guided log", |db| lookups::begin(
            db, guide
        ))
    }

    async fn set_exact_names(
        &self,
        log: &LogId,
        rules: &[u8; 32],
        subjects: &[String],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // Called once per pass and mostly the same: it takes the write lock only if something changes.
        let same = reading!(self, "reading look-ups", |db| lookups::is_spelled_out(
            db, log, rules, subjects
        ))?;
        if same {
            return Ok(());
        }
        writing!(self, "recording look-ups", |db| lookups::set_exact_names(
            db, log, rules, subjects, now
        ))
    }

    async fn set_guides(&self, log: &LogId, guides: &[LogId]) -> Result<(), StoreError> {
        // Called once per pass and mostly the same, as above.
        let same = reading!(self, "reading look-ups", |db| lookups::has_guides(
            db, log, guides
        ))?;
        if same {
            return Ok(());
        }
        writing!(self, "recording look-ups", |db| lookups::set_guides(
            db, log, guides
        ))
    }

    async fn guides_done(&self, log: &LogId) -> Result<(), StoreError> {
        writing!(self, "recording look-ups", |db| lookups::guides_done(
            db, log
        ))
    }

    async fn sightings(&self, after: i64, limit: u32) -> Result<Vec<Sighting>, StoreError> {
        reading!(self, "reading new findings", |db| lookups::sightings(
            db, after, limit
        ))
    }

    async fn enqueue(&self, new_lookups: &NewLookups) -> Result<(), StoreError> {
        writing!(self, "recording look-ups", |db| lookups::enqueue(
            db,
            new_lookups
        ))
    }

    async fn due_lookups(
        &self,
        log: &LogId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Lookup>, StoreError> {
        reading!(self, "reading look-ups", |db| lookup_queue::due(
            db, log, now, limit
        ))
    }

    async fn open_certificates(
        &self,
        log: &LogId,
        subject: &str,
    ) -> Result<Vec<OpenCertificate>, StoreError> {
        reading!(self, "reading look-ups", |db| lookups::open_certificates(
            db, log, subject
        ))
    }

    async fn known_entries(
        &self,
        log: &LogId,
        leaves: &[(TreeId, String)],
    ) -> Result<HashSet<(TreeId, String)>, StoreError> {
        reading!(self, "reading looked-up entries", |db| lookups::known(
            db, log, leaves
        ))
    }

    async fn found_entries(&self, found: &FoundEntries) -> Result<u64, StoreError> {
        writing!(self, "recording looked-up entries", |db| lookups::found(
            db,
            &self.routes,
            found
        ))
    }

    async fn answered(&self, answered: &Answered) -> Result<(), StoreError> {
        writing!(self, "recording an answer", |db| lookup_queue::answered(
            db, answered
        ))
    }

    async fn postponed(&self, postponed: &Postponed) -> Result<(), StoreError> {
        writing!(self, "recording a look-up", |db| lookup_queue::postponed(
            db, postponed
        ))
    }

    async fn spend(
        &self,
        log: &LogId,
        spent: Timestamp,
        mail_only: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        writing!(self, "recording requests", |db| lookups::spend(
            db, log, spent, mail_only
        ))
    }

    async fn lookup_counts(&self, log: &LogId, now: Timestamp) -> Result<LookupCounts, StoreError> {
        reading!(self, "counting look-ups", |db| lookup_queue::counts(
            db, log, now
        ))
    }
}

#[async_trait]
impl Conditions for SqliteStore {
    async fn assess(
        &self,
        scope: &Scope,
        conditions: &[Condition],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let change = reading!(self, "reading findings about health", |db| {
            health::Change::between(db, scope, conditions)
        })?;
        if change.is_empty() {
            return Ok(());
        }
        writing!(self, "recording findings about health", |db| async {
            // Read again: it may have changed since the read outside of the transaction.
            let change = health::Change::between(db, scope, conditions).await?;
            change.apply(db, &self.routes, now).await
        })
    }
}

#[async_trait]
impl StoredTimes for SqliteStore {
    async fn ahead_of(&self, now: Timestamp) -> Result<Option<Span>, StoreError> {
        reading!(self, "reading stored times", |db| moments::ahead_of(
            db, now
        ))
    }

    async fn correct_future_times(&self, now: Timestamp) -> Result<(), StoreError> {
        writing!(self, "setting stored times to now", |db| {
            moments::correct_future_times(db, now)
        })
    }
}

#[async_trait]
impl BundleCheckpoints for SqliteStore {
    async fn bundle_checkpoints(
        &self,
        tree: &TreeId,
        limit: u32,
    ) -> Result<Vec<BundleCheckpoint>, StoreError> {
        reading!(self, "reading checkpoints of bundles", |db| {
            pass_history::bundle_checkpoints(db, tree, limit)
        })
    }

    async fn settle(&self, number: i64, settled: Settled) -> Result<(), StoreError> {
        writing!(self, "recording a comparison", |db| pass_history::settle(
            db, number, settled
        ))
    }
}

#[async_trait]
impl Findings for SqliteStore {
    fn findings<'a>(&'a self, query: &FindingQuery) -> BoxStream<'a, Result<Finding, StoreError>> {
        findings::list(&self.reader, query)
            .map(|found| found.map_err(|fail| fail.during("listing findings", &self.path)))
            .boxed()
    }

    async fn count(&self, query: &FindingQuery) -> Result<u64, StoreError> {
        reading!(self, "counting findings", |db| findings::count(db, query))
    }

    async fn finding(&self, id_prefix: &str) -> Result<Option<FindingRecord>, StoreError> {
        reading!(self, "reading a finding", |db| findings::show(
            db, id_prefix
        ))
    }

    async fn handle_matching(
        &self,
        query: &FindingQuery,
        request: &HandlingRequest<'_>,
    ) -> Result<u64, StoreError> {
        let mut matching = handling::Matching::of(query, &self.routes, request);
        let mut handled = 0;
        loop {
            let group = writing!(self, "handling findings", |db| matching.next_group(db))?;
            if group == 0 {
                return Ok(handled);
            }
            handled += group;
        }
    }

    async fn handle(
        &self,
        ids: &[FindingId],
        request: &HandlingRequest<'_>,
    ) -> Result<Vec<(FindingId, HandlingOutcome)>, StoreError> {
        writing!(self, "handling findings", |db| handling::handle(
            db,
            &self.routes,
            ids,
            request
        ))
    }

    async fn counts(&self, fail_on: Severity) -> Result<Counts, StoreError> {
        reading!(self, "counting findings", |db| findings::counts(
            db, fail_on
        ))
    }

    async fn untrusted(
        &self,
        after: Option<FindingId>,
        limit: u32,
    ) -> Result<Vec<(Finding, Evidence)>, StoreError> {
        reading!(
            self,
            "reading untrusted findings",
            |db| findings::untrusted(db, after, limit)
        )
    }

    async fn rejudge(
        &self,
        id: FindingId,
        judged: &Judged,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        writing!(self, "judging a finding again", |db| findings::rejudge(
            db,
            &self.routes,
            id,
            judged,
            now
        ))
    }

    async fn release_holds(&self, rules: &[HoldRule], now: Timestamp) -> Result<u64, StoreError> {
        let held = reading!(self, "reading held findings", |db| health::held(db))?;
        let released = health::released(&held, rules, now);
        if released.is_empty() {
            return Ok(0);
        }
        writing!(self, "releasing held findings", |db| health::release(
            db,
            &self.routes,
            &released,
            now
        ))
    }

    async fn seen_since(
        &self,
        watches: &[String],
        after: i64,
    ) -> Result<(i64, BTreeMap<String, Timestamp>), StoreError> {
        reading!(
            self,
            "reading what was seen",
            |db| pass_history::seen_since(db, watches, after)
        )
    }
}

#[async_trait]
impl Alerts for SqliteStore {
    async fn claim_alerts(
        &self,
        channel: &str,
        flood: u32,
        now: Timestamp,
    ) -> Result<Vec<QueuedAlert>, StoreError> {
        let quiet = self.routes.quiet(channel, now);
        if !reading!(self, "reading alerts", |db| outbox::is_due(
            db, channel, quiet, now
        ))? {
            return Ok(Vec::new());
        }
        writing!(self, "claiming alerts", |db| outbox::claim(
            db, channel, flood, quiet, now
        ))
    }

    async fn alert_findings(&self, alert: &str, limit: u32) -> Result<Vec<Finding>, StoreError> {
        reading!(self, "reading an alert", |db| outbox::findings(
            db, alert, limit
        ))
    }

    async fn alert_counts(&self, alert: &str) -> Result<Vec<FindingCounts>, StoreError> {
        reading!(self, "reading an alert", |db| outbox::counts(db, alert))
    }

    async fn record_delivery(
        &self,
        alert: &str,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        writing!(self, "recording a delivery", |db| outbox::record_delivery(
            db, alert, delivery, now
        ))
    }
}

#[async_trait]
impl ChannelQueues for SqliteStore {
    async fn channel_queues(
        &self,
        now: Timestamp,
    ) -> Result<BTreeMap<String, ChannelQueue>, StoreError> {
        reading!(self, "counting alerts", |db| outbox::channel_queues(
            db, now
        ))
    }
}

#[async_trait]
impl Values for SqliteStore {
    async fn get_value(&self, key: &str) -> Result<Option<String>, StoreError> {
        reading!(self, "recalling a value", |db| memory::get_value(db, key))
    }

    async fn put_value(&self, key: &str, value: &str) -> Result<(), StoreError> {
        writing!(self, "writing a value", |db| memory::put_value(
            db, key, value
        ))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn close(&self) {
        self.reader.close().await;
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }
}
