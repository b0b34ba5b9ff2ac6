//! The state of a pass over a guided log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::plan::RequestBudget;
use super::trees::Trees;
use crate::judge::Rules;
use crate::monitor::context::Context;
use crate::monitor::monitored_log::Guided;
use crate::monitor::pass_deadline::PassDeadline;
use crate::source::rekor_v1::RequestCount;
use crate::store::{Guide, PassError};

/// How often the queue is read during the passes over the CT logs: the first ones may take days.
pub(super) const ROUND: Duration = Duration::from_mins(1);

/// The state of a pass over a guided log.
pub(super) struct GuidedPass<'a> {
    pub(super) context: &'a Context,
    /// The log, whose requests are counted in `made`.
    pub(super) guided: Guided,
    pub(super) rules: &'a Arc<Rules>,
    pub(super) bootstrap: bool,
    pub(super) now: Timestamp,
    pub(super) budget: RequestBudget,
    /// When the server refused names other than mail addresses.
    pub(super) mail_only: Option<Timestamp>,
    /// Whether the requests of earlier passes are counted.
    pub(super) knows_its_guide: bool,
    /// The first error of a tree; it is recorded with the tree.
    pub(super) tree_error: Option<PassError>,
    /// The error of the first look-up that failed.
    pub(super) first_error: Option<PassError>,
    /// Names whose look-up failed. They are not looked up again within one [`ROUND`].
    pub(super) failed: BTreeSet<String>,
    /// Requests that are not charged to the budget yet.
    pub(super) made: RequestCount,
    /// Requests of this pass that are charged.
    pub(super) requests: u64,
    /// The value of `requests` at which the next name is looked up.
    pub(super) lookup_ends_at: u64,
    /// When the look-ups of this pass end.
    pub(super) deadline: PassDeadline,
    /// Whether all entries were in trees that the log had listed.
    pub(super) knows_all_trees: bool,
    pub(super) entries: u64,
}

/// The trees that the log listed, and what the store contains about the log.
pub(super) struct GuidedState {
    pub(super) trees: Trees,
    pub(super) guide: Guide,
}
