//! What all passes of a monitor share.

use std::sync::Arc;

use super::health::{Outage, TimeReports};
use super::progress::Progress;
use super::reached::Reached;
use super::settings::Settings;
use super::stop::Stop;
use super::unknown_authorities::UnknownAuthorities;
use crate::clock::Clock;
use crate::source::{Budget, Prefetch};
use crate::store::Store;

/// Bundles that are scanned at once, per core: one is worked on, one waits in order.
pub(super) const SCANS_PER_CORE: usize = 2;

/// Memory for the leaves of all logs: the prefetched leaves of one log, and enough to use all cores.
pub(super) fn budget() -> Budget {
    let Prefetch {
        budget_bytes,
        first_guess_bytes,
        ..
    } = Prefetch::default();
    Budget::new(budget_bytes + rayon::current_num_threads() * SCANS_PER_CORE * first_guess_bytes)
}

/// What all passes share; clones share its state.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) progress: Progress,
    pub(super) stop: Stop,
    pub(super) settings: Arc<Settings>,
    pub(super) time_reports: TimeReports,
    pub(super) outage: Outage,
    pub(super) reached: Reached,
    pub(super) unknown_authorities: UnknownAuthorities,
    pub(super) budget: Budget,
}

impl Context {
    pub(super) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        progress: Progress,
        stop: Stop,
    ) -> Self {
        Self {
            store,
            clock,
            progress,
            stop,
            settings: Arc::default(),
            time_reports: TimeReports::default(),
            outage: Outage::default(),
            reached: Reached::default(),
            unknown_authorities: UnknownAuthorities::default(),
            budget: budget(),
        }
    }
}
