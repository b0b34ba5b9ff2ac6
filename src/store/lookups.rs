//! Look-ups for logs that are not read in full.

use std::collections::HashSet;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    Answered, FoundEntries, Guide, Lookup, LookupCounts, NewLookups, OpenCertificate, Postponed,
    Sighting, StoreError,
};
use crate::log::{LogId, TreeId};

/// Guided logs: logs that are not read in full, but covered by CT logs and the log's search index.
///
/// Laws:
/// 1. The queue is durable, and contains a name once.
/// 2. The order of look-ups is a counter of turns. It does not depend on a clock.
/// 3. The cursor of a guided log moves together with the certificates that it passes.
/// 4. The search for a certificate's entries ends once, and its findings get one sentence about the result.
#[async_trait]
pub trait Lookups: Send + Sync {
    /// The state of a guided log; `None` before its first pass.
    async fn guide(&self, log: &LogId) -> Result<Option<Guide>, StoreError>;

    /// Records the first state of a guided log. `StoreError::Moved` if it has one already.
    async fn begin_guide(&self, guide: &Guide) -> Result<(), StoreError>;

    /// Sets the names that are always looked up; new ones are due at once. If `rules` (a hash of the watches) is new,
    /// the fetched entries are deleted and become due again, because they were not matched against these watches.
    async fn set_exact_names(
        &self,
        log: &LogId,
        rules: &[u8; 32],
        subjects: &[String],
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Sets the CT logs that guide a log. If one is new, all findings are taken up again: its earlier certificates are
    /// looked up too.
    async fn set_guides(&self, log: &LogId, guides: &[LogId]) -> Result<(), StoreError>;

    /// Records that the earlier certificates of the guides are looked up.
    async fn guides_done(&self, log: &LogId) -> Result<(), StoreError>;

    /// Findings that watches made of signings and certificates, in whatever log, after this number;
    /// oldest first, at most `limit`.
    async fn sightings(&self, after: i64, limit: u32) -> Result<Vec<Sighting>, StoreError>;

    /// Adds certificates to the queue and moves the cursor past them; `StoreError::Moved` if it is not the expected
    /// one. The names of a new certificate become due; a known one is not begun again.
    async fn enqueue(&self, new_lookups: &NewLookups) -> Result<(), StoreError>;

    /// The due look-ups in the order of their turns, at most `limit`. Of four turns in a row, three are of names that
    /// had no turn since their newest certificate, as long as there are such names, and one is of another name; within
    /// both groups, the name whose last turn is the oldest comes first. Times that a wrong clock wrote delay none of
    /// them.
    async fn due_lookups(
        &self,
        log: &LogId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Lookup>, StoreError>;

    /// The certificates of a name whose search has not ended, with their known entries.
    async fn open_certificates(
        &self,
        log: &LogId,
        subject: &str,
    ) -> Result<Vec<OpenCertificate>, StoreError>;

    /// Which of these leaves, as (origin of the tree, leaf hash in hex), were recorded by
    /// [`Lookups::found_entries`].
    async fn known_entries(
        &self,
        log: &LogId,
        leaves: &[(TreeId, String)],
    ) -> Result<HashSet<(TreeId, String)>, StoreError>;

    /// Records fetched and proven entries with their findings, which are proven. Returns the number of new findings.
    async fn found_entries(&self, found: &FoundEntries) -> Result<u64, StoreError>;

    /// Records the answer of the index to a look-up, after all of its entries were recorded.
    async fn answered(&self, answered: &Answered) -> Result<(), StoreError>;

    /// Records that a look-up failed, or has to be continued. It stays due.
    async fn postponed(&self, postponed: &Postponed) -> Result<(), StoreError>;

    /// Records the state of the request budget, and whether the server takes names other than mail addresses.
    async fn spend(
        &self,
        log: &LogId,
        spent: Timestamp,
        mail_only: Option<Timestamp>,
    ) -> Result<(), StoreError>;

    /// The state of the queue of look-ups.
    async fn lookup_counts(&self, log: &LogId, now: Timestamp) -> Result<LookupCounts, StoreError>;
}
