//! The store: what is known, durable, and shared by modules that do not know each other.
//!
//! `monitor` writes positions and findings, `notify` delivers the alerts, commands read. One database has one monitor (an
//! operating-system lock); readers and `expect` work beside it.
//!
//! There is one trait for each kind of thing that is kept, so that a reader asks for what it needs and a test double has only
//! what its test uses. Each trait names its laws; these hold for all of them, and `tests/store` checks them for each:
//!
//! 1. `Ok(None)` means absent, never "could not be read".
//! 2. Every writing method is one transaction, all or nothing, except those that say otherwise.
//! 3. What a method returned `Ok` for survives the death of the process and of the machine.
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
mod logs;
mod lookup;
mod lookups;
mod pass_error;
mod passes;
mod positions;
mod query;
mod queues;
mod rescans;
pub mod sqlite;
mod times;
mod values;

use async_trait::async_trait;

pub use alerts::Alerts;
pub use batch::{
    Batch, BundleCheckpoint, Condition, Dispute, NewTree, Outcome, PassHistory, PassReport,
    RECENT_PASSES, RecentPass, RescanRequest, Rescanned, Restart, Scope, Settled, Span, TreeState,
};
pub use bundle_checkpoints::BundleCheckpoints;
pub use conditions::Conditions;
pub use covered::CoveredRanges;
pub use error::{Holder, Holders, StoreError};
pub use expectations::Expectations;
pub use faults::LogFaults;
pub use findings::Findings;
pub use logs::{ListedTree, ListedTrees, LogState, Logs};
pub use lookup::{
    Answered, Contradiction, FoundEntries, Guide, KnownEntry, Lookup, LookupCounts, NewLookups,
    OpenCertificate, PendingCertificate, PendingCertificateEnd, Postponed, SettledCertificate,
    Sighting, VerifiedHead,
};
pub use lookups::Lookups;
pub use pass_error::{PassError, PassErrorKind};
pub use passes::Passes;
pub use positions::Positions;
pub use query::{
    AckOutcome, ChannelQueue, Counts, Coverage, Delivery, FindingCounts, FindingQuery,
    FindingRecord, HistoryRow, QueuedAlert, QueuedKind, Registration, TreeCoverage, Uneven,
};
pub use queues::ChannelQueues;
pub use rescans::Rescans;
pub use times::StoredTimes;
pub use values::Values;

pub use crate::finding::Judged;
pub use crate::watch::{HoldRule, WatchKey};

use crate::finding::Routes;

/// The whole store, for those that need all of it; everything else asks for the traits that it uses.
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
    + Expectations
    + Alerts
    + ChannelQueues
    + Values
{
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
