//! The hall: what is known, durable, and shared by the rooms that do not know each other.
//!
//! `monitor` writes positions and findings, `notify` drains the alerts, commands read. One
//! database has one monitor (an operating-system lock); readers and `expect` work beside it.

mod batch;
mod error;
mod lookup;
mod query;
pub mod sqlite;

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use tlog::Head;

pub use batch::{
    Batch, BundleCheckpoint, Condition, Dispute, HoldRule, LogState, NewLog, Outcome, PassError,
    PassHistory, PassReport, RECENT_PASSES, RecentPass, RescanRequest, Rescanned, Restart, Scope,
    Settled, Span, WatchKey,
};
pub use error::{Holder, Holders, StoreError};
pub use lookup::{
    Answered, Contradiction, FoundEntries, Guide, KnownEntry, Lookup, LookupCounts, NewLookups,
    OpenCertificate, PendingCertificate, PendingCertificateEnd, Postponed, SettledCertificate,
    Sighting, VerifiedHead,
};
pub use query::{
    AckOutcome, ChannelQueue, Counts, Coverage, Delivery, FindingCounts, FindingQuery,
    FindingRecord, HistoryRow, Judged, QueuedAlert, QueuedKind, Registration,
};

use crate::expect::Expectation;
use crate::finding::{Evidence, Finding, FindingId, Routes, Severity};

/// Everything durable.
///
/// Laws:
/// 1. `Ok(None)` means absent, never could-not-read.
/// 2. Every writing method is one transaction, all or nothing, except those that say so. Those that move a position compare
///    it with the expected one in the UPDATE itself and answer `StoreError::Moved` otherwise.
/// 3. `proven` of an origin never decreases.
/// 4. What a method returned `Ok` for survives the death of the process and of the machine.
/// 5. From the moment a finding that alerts exists, its alerts exist: the alert rows are written in
///    the same transaction, routed by the `Routes` that the store was opened with.
/// 6. All methods may be called concurrently, from several processes.
///
/// A repeated call with the same findings is harmless: a finding's id makes it so. Whether a
/// finding is `expected` is decided inside the transaction that writes it (and inside the one that
/// registers a bundle), so that neither order of the two loses it.
#[async_trait]
pub trait Store: Send + Sync {
    // Positions. ------------------------------------------------------------------------------

    /// What is known of one log; `None` if no pass over it has ended yet.
    async fn log(&self, origin: &str) -> Result<Option<LogState>, StoreError>;

    /// Every log that is known, ordered by name.
    async fn logs(&self) -> Result<Vec<LogState>, StoreError>;

    /// Gives a log its first position. `StoreError::Moved` if it has one already. If findings or
    /// recorded checkpoints show that it was followed before, beyond the new position or up to an
    /// unknown place below it, that is kept as a [`Restart`].
    async fn begin(&self, log: &NewLog) -> Result<(), StoreError>;

    /// Records a batch: position, verified checkpoints, findings, alerts. Findings below the new
    /// `proven` become proven; disputed ones that come back (same id) return to the state that
    /// they had before. Answers how many findings were new.
    async fn commit(&self, batch: &Batch) -> Result<u64, StoreError>;

    /// Records a fault of a log with its evidence. If the fault made a batch false, the position
    /// goes back to the proven one and every unproven finding from there on becomes disputed (a
    /// held one is alerted). The fault is recorded once; seen again after it had ended (resolved
    /// or acked and another root) it is reopened and alerted.
    async fn dispute(&self, dispute: &Dispute) -> Result<(), StoreError>;

    /// Records a fault of a log without touching a position; otherwise as [`Store::dispute`].
    async fn contradicted(&self, contradiction: &Contradiction) -> Result<(), StoreError>;

    /// Records the newest verified checkpoint of a tree that is not read in full. Its size never
    /// decreases; `StoreError::Moved` if the one before is not the expected one.
    async fn record_head(&self, head: &VerifiedHead) -> Result<(), StoreError>;

    /// Records how a pass over one log ended, also of a log that has no position yet.
    async fn end_pass(&self, report: &PassReport) -> Result<(), StoreError>;

    /// The verified checkpoint of this size that was recorded first.
    async fn checkpoint(&self, origin: &str, size: u64) -> Result<Option<Head>, StoreError>;

    // Watches. --------------------------------------------------------------------------------

    /// Declares the watches that the next batches of this log are matched against: new or changed
    /// ones cover from `seen` on, gone ones stop covering there.
    async fn watching(&self, origin: &str, watches: &[WatchKey]) -> Result<(), StoreError>;

    /// What each of these watches covers of every log, or of this one, and the gaps between a log's
    /// first position and `seen`.
    async fn coverage(
        &self,
        watches: &[WatchKey],
        origin: Option<&str>,
    ) -> Result<Vec<Coverage>, StoreError>;

    /// Records what a rescan found in a proven range, and that the range is covered now.
    async fn rescanned(&self, rescanned: &Rescanned) -> Result<u64, StoreError>;

    /// Opens (and alerts) held findings whose time is over, or whose watch is gone or changed:
    /// `rules` holds every watch that has a hold now. Answers how many.
    async fn release_holds(&self, rules: &[HoldRule], now: Timestamp) -> Result<u64, StoreError>;

    /// Asks the running monitor for a rescan; `None` is every watch. What was asked for before and is not done yet
    /// is asked for anew.
    async fn request_rescan(&self, watch: Option<&str>, now: Timestamp) -> Result<(), StoreError>;

    /// The rescans that were asked for and not done yet, oldest first.
    async fn rescans(&self) -> Result<Vec<RescanRequest>, StoreError>;

    /// Records that a rescan was done. One that was asked for again meanwhile stays.
    async fn rescan_done(&self, request: &RescanRequest) -> Result<(), StoreError>;

    // Look-ups: a log that is not read in full. The queue is durable, and holds a name once. ----

    /// What is known of a guided log; `None` before its first pass.
    async fn guide(&self, log: &str) -> Result<Option<Guide>, StoreError>;

    /// Begins a guided log. `StoreError::Moved` if it was begun already.
    async fn begin_guide(&self, guide: &Guide) -> Result<(), StoreError>;

    /// Makes these the names that are asked for whatever CT logs show: new ones are due at once.
    /// Under other `rules` (a hash of the watches) than before, what was fetched is forgotten and due
    /// again, because nobody matched it against these watches.
    async fn set_exact_names(
        &self,
        log: &str,
        rules: &[u8; 32],
        subjects: &[String],
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Makes these the CT logs that guide a log which was begun. When there is one more, everything that was found is gone
    /// over again: what it showed before it was a guide is looked up too.
    async fn set_guides(&self, log: &str, guides: &[String]) -> Result<(), StoreError>;

    /// Records that what the guides of a log showed before is looked up.
    async fn guides_done(&self, log: &str) -> Result<(), StoreError>;

    /// Findings that watches made of signings and certificates, in whatever log, after this number;
    /// oldest first, at most `limit`.
    async fn sightings(&self, after: i64, limit: u32) -> Result<Vec<Sighting>, StoreError>;

    /// Takes up certificates and moves the cursor past them; `StoreError::Moved` if it is not where
    /// it was expected. The names of a certificate that is new become due; one that is known does not
    /// begin anew.
    async fn enqueue(&self, new_lookups: &NewLookups) -> Result<(), StoreError>;

    /// The look-ups that are due, in the order of their turns, at most `limit`: of four turns in a row three are of names
    /// without a turn since their newest certificate, as long as there are such, and one is of another name; among either, the
    /// name whose last turn is the longest ago. A clock that was ahead and was set back keeps none of them waiting.
    async fn due_lookups(
        &self,
        log: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Lookup>, StoreError>;

    /// The certificates of a name that are still looked for, with what is known of their entries.
    async fn open_certificates(
        &self,
        log: &str,
        subject: &str,
    ) -> Result<Vec<OpenCertificate>, StoreError>;

    /// Which of these leaves, as (origin of the tree, leaf hash in hex), were recorded by
    /// [`Store::found_entries`].
    async fn known_entries(
        &self,
        log: &str,
        leaves: &[(String, String)],
    ) -> Result<HashSet<(String, String)>, StoreError>;

    /// Records entries that were fetched and proven, with their findings, which are proven. Answers
    /// how many findings were new.
    async fn found_entries(&self, found: &FoundEntries) -> Result<u64, StoreError>;

    /// Records that the index answered a look-up, after all entries that it named were recorded.
    async fn answered(&self, answered: &Answered) -> Result<(), StoreError>;

    /// Records that a look-up has to be tried again, or gone on with. It stays due.
    async fn postponed(&self, postponed: &Postponed) -> Result<(), StoreError>;

    /// Records what the requests so far amount to, and whether the server takes other names than
    /// mail addresses.
    async fn spend(
        &self,
        log: &str,
        spent: Timestamp,
        mail_only: Option<Timestamp>,
    ) -> Result<(), StoreError>;

    /// How the queue of look-ups stands.
    async fn lookup_counts(&self, log: &str, now: Timestamp) -> Result<LookupCounts, StoreError>;

    // Health. ---------------------------------------------------------------------------------

    /// Makes the open health findings of `scope` exactly these conditions: new ones are raised and
    /// alerted, those no longer true are resolved, and said so where they had been alerted.
    async fn assess(
        &self,
        scope: &Scope,
        conditions: &[Condition],
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// From when to when moments are stored that lie ahead of now, so that they count as now (see
    /// [`moment`](crate::moment)); `None` if none has to be set to now. What is kept as evidence counts for the span, but
    /// does not make one.
    async fn ahead_of(&self, now: Timestamp) -> Result<Option<Span>, StoreError>;

    /// Sets to now what lies ahead of now and is no evidence: what is waited for begins now at the latest.
    async fn bring_back(&self, now: Timestamp) -> Result<(), StoreError>;

    /// The logs that findings about health are open of, as (origin, name).
    async fn unhealthy_logs(&self) -> Result<Vec<(String, String)>, StoreError>;

    /// How the last passes over a log went; empty for a log that is not known.
    async fn pass_history(&self, origin: &str) -> Result<PassHistory, StoreError>;

    /// When somebody who has the key last signed under each of these watches, as far as the findings show that were
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

    /// Checkpoints in registered bundles that say they are of this log and wait to be compared with
    /// it, at most `limit`, oldest first.
    async fn bundle_checkpoints(
        &self,
        origin: &str,
        limit: u32,
    ) -> Result<Vec<BundleCheckpoint>, StoreError>;

    /// Records what came of a comparison: it is not handed out again.
    async fn settle(&self, number: i64, settled: Settled) -> Result<(), StoreError>;

    // Findings. -------------------------------------------------------------------------------

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

    // Registered signings. --------------------------------------------------------------------

    /// Registers signings, each with the file that it is from; their findings become expected and resolved, with history.
    /// Answers of each whether it was new, and the findings that changed. Checkpoints that they carry wait to be compared
    /// with their logs. Many are registered in groups, each a transaction: after an error the same call registers the rest.
    async fn register_all(
        &self,
        signings: &[(String, Expectation)],
        now: Timestamp,
    ) -> Result<Vec<(bool, Vec<FindingId>)>, StoreError>;

    /// As [`Self::register_all`], of one signing.
    async fn register(
        &self,
        expectation: &Expectation,
        file: &str,
        now: Timestamp,
    ) -> Result<(bool, Vec<FindingId>), StoreError> {
        let signing = (file.to_owned(), expectation.clone());
        let mut registered = self.register_all(&[signing], now).await?;
        Ok(registered.pop().expect("one answer for one signing"))
    }

    /// All registrations, oldest first.
    async fn registrations(&self) -> Result<Vec<Registration>, StoreError>;

    /// Removes a registration by its number; its findings are reopened and alerted. `None` if there
    /// is no such registration.
    async fn unregister(
        &self,
        number: i64,
        now: Timestamp,
    ) -> Result<Option<Vec<FindingId>>, StoreError>;

    // Alerts. ---------------------------------------------------------------------------------

    /// Alerts of this channel that are due, at most 100, oldest first; their groups close now. More
    /// than `flood` that were never tried become one digest first.
    async fn claim_alerts(
        &self,
        channel: &str,
        flood: u32,
        now: Timestamp,
    ) -> Result<Vec<QueuedAlert>, StoreError>;

    /// The findings of an alert, most severe first, at most `limit`.
    async fn alert_findings(&self, alert: &str, limit: u32) -> Result<Vec<Finding>, StoreError>;

    /// How many findings of an alert there are by watch, verdict and severity, most severe first.
    async fn alert_counts(&self, alert: &str) -> Result<Vec<FindingCounts>, StoreError>;

    /// Records what became of an attempt.
    async fn record_delivery(
        &self,
        alert: &str,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Alerts by channel: pending, due, failed, and the last error.
    async fn channel_queues(
        &self,
        now: Timestamp,
    ) -> Result<BTreeMap<String, ChannelQueue>, StoreError>;

    // Odds and ends. --------------------------------------------------------------------------

    /// A remembered value, such as when the last heartbeat was sent.
    async fn get_value(&self, key: &str) -> Result<Option<String>, StoreError>;

    /// Remembers a value.
    async fn put_value(&self, key: &str, value: &str) -> Result<(), StoreError>;

    /// Forgets verified checkpoints that no finding cites, but for one a day per origin.
    async fn prune(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Lets go of the database in good order, so that one file holds all of it. Nothing is lost
    /// without; nothing may be asked of the store afterwards.
    async fn close(&self) {}
}

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Path of the SQLite database; created and migrated if it is not there.
    pub path: std::path::PathBuf,
    /// Where findings are told.
    pub routes: Routes,
}
