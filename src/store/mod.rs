//! The store: durable data that modules share without depending on each other.
//!
//! `monitor` writes positions and findings, `notify` delivers the alerts, commands read. A database has one monitor at
//! a time (a lock of the operating system). Readers and `expect` work at the same time as it.
//!
//! There is one trait for each kind of data, so that a reader requires only what it uses and a test double implements
//! only what its test uses. Each trait lists its laws. These hold for all of them, and `tests/store` checks them for
//! each:
//!
//! 1. `Ok(None)` means absent, never "could not be read".
//! 2. Every writing method is one transaction, all or nothing, unless its documentation states otherwise.
//! 3. What a method returned `Ok` for survives a crash of the process and of the machine.
//! 4. All methods may be called concurrently, from several processes.

mod alerts;
mod batch;
mod bundle_checkpoints;
mod conditions;
mod covered;
mod error;
mod expectations;
mod faults;
mod findings;
mod handling;
mod kept;
mod logs;
mod lookup;
mod lookups;
mod overview;
mod pass_error;
mod passes;
mod positions;
mod query;
mod queues;
mod recorded;
mod registered_entries;
mod registration;
mod related;
mod rescans;
mod searches;
mod signings;
mod sources;
pub mod sqlite;
mod times;
mod values;

use async_trait::async_trait;

pub use alerts::Alerts;
pub use batch::{
    Batch, BundleCheckpoint, Condition, Dispute, NewTree, Outcome, PassHistory, PassReport,
    PassedTree, RECENT_PASSES, RecentPass, RescanRequest, Rescanned, Restart, Scope, Settled, Span,
    TreeState,
};
pub use bundle_checkpoints::BundleCheckpoints;
pub use conditions::Conditions;
pub use covered::CoveredRanges;
pub use error::{Holder, Holders, StoreError};
pub use expectations::Expectations;
pub use faults::LogFaults;
pub use findings::Findings;
pub use handling::{Action, Handling, HandlingOutcome, HandlingRequest};
pub use kept::{Kept, KeptEntries, KeptEntry};
pub use logs::{ListedTree, ListedTrees, LogState, Logs};
pub use lookup::{
    Answered, Contradiction, FoundEntries, Guide, KnownEntry, Lookup, LookupCounts, NewLookups,
    OpenCertificate, PendingCertificate, PendingCertificateEnd, Postponed, SettledCertificate,
    Sighting, VerifiedHead,
};
pub use lookups::Lookups;
pub use overview::{Overview, RecentFinding, WaitingFindings};
pub use pass_error::{PassError, PassErrorKind};
pub use passes::Passes;
pub use positions::Positions;
pub use query::{
    ChannelQueue, Counts, Delivery, FindingCounts, FindingPlace, FindingQuery, FindingRecord,
    HistoryRow, KnownPayload, QueuedAlert, QueuedKind, TreeCoverage, Uneven,
};
pub use queues::ChannelQueues;
pub use recorded::{Reached, RecordedCheckpoint, RecordedCheckpoints};
pub use registered_entries::{ProvenPart, RegisteredEntries, RegisteredEntry};
pub use registration::{
    NewRegistration, Registrar, Registration, SourceChange, SourceContent, SourceFailure,
    SourceState,
};
pub use related::RelatedFindings;
pub use rescans::Rescans;
pub use searches::{FoundSigning, MAX_TERM_CHARS, Place, SearchKey, Searches, SignerTerm};
pub use signings::{SigningQuery, Signings, StoredSigning};
pub use sources::RegistrationSources;
pub use times::StoredTimes;
pub use values::Values;

pub use crate::finding::Judged;
pub use crate::watch::{HoldRule, WatchKey, WatchSet};

use crate::finding::Routes;

/// The whole store, for callers that need all of it. Other code uses single traits.
#[async_trait]
pub trait Store:
    Logs
    + Positions
    + Passes
    + LogFaults
    + CoveredRanges
    + Rescans
    + Lookups
    + Conditions
    + StoredTimes
    + BundleCheckpoints
    + Findings
    + KeptEntries
    + Signings
    + Searches
    + Expectations
    + RegistrationSources
    + RegisteredEntries
    + Alerts
    + ChannelQueues
    + Overview
    + RecordedCheckpoints
    + RelatedFindings
    + Values
{
    /// Closes the database so that one file holds all of it. Without this call nothing is lost. The store cannot be
    /// used afterwards.
    async fn close(&self) {}
}

/// Settings for opening a store.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Path of the SQLite database. It is created and migrated if it does not exist.
    pub path: std::path::PathBuf,
    /// The channels of each finding.
    pub routes: Routes,
}
