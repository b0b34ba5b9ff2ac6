//! Look-ups for logs that are not read in full.

use std::collections::HashSet;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    Answered, FoundEntries, Guide, Lookup, LookupCounts, NewLookups, OpenCertificate, Postponed,
    Sighting, StoreError,
};
use crate::log::{LogId, TreeId};

/// Guided logs: logs that are not read in full, but covered by way of CT logs and the log's search index.
///
/// Laws:
/// 1. The queue is durable, and holds a name once.
/// 2. The order of look-ups is a counter of turns. No clock decides about it.
/// 3. The cursor of a guided log moves together with the certificates that it passes.
/// 4. The search for a certificate's entries ends once, and its findings get one sentence about that.
#[async_trait]
pub trait Lookups: Send + Sync {
    /// What is known of a guided log; `None` before its first pass.
    async fn guide(&self, log: &LogId) -> Result<Option<Guide>, StoreError>;

    /// Begins a guided log. `StoreError::Moved` if it was begun already.
    async fn begin_guide(&self, guide: &Guide) -> Result<(), StoreError>;

    /// Makes these the names that are asked for whatever CT logs show: new ones are due at once.
    /// Under other `rules` (a hash of the watches) than before, what was fetched is forgotten and due
    /// again, because it was not matched against these watches.
    async fn set_exact_names(
        &self,
        log: &LogId,
        rules: &[u8; 32],
        subjects: &[String],
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Makes these the CT logs that guide a log which was begun. When there is one more, everything that was found is gone
    /// over again: what it showed before it was a guide is looked up too.
    async fn set_guides(&self, log: &LogId, guides: &[LogId]) -> Result<(), StoreError>;

    /// Records that what the guides of a log showed before is looked up.
    async fn guides_done(&self, log: &LogId) -> Result<(), StoreError>;

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
        log: &LogId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Lookup>, StoreError>;

    /// The certificates of a name that are still looked for, with what is known of their entries.
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
        log: &LogId,
        spent: Timestamp,
        mail_only: Option<Timestamp>,
    ) -> Result<(), StoreError>;

    /// How the queue of look-ups stands.
    async fn lookup_counts(&self, log: &LogId, now: Timestamp) -> Result<LookupCounts, StoreError>;
}
