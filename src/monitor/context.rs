//! What all passes of a monitor share.

use std::sync::Arc;

use super::health::{Outage, TimeReports};
use super::progress::Progress;
use super::reached::Reached;
use super::settings::Settings;
use super::stop::Stop;
use super::unknown_authorities::UnknownAuthorities;
use crate::clock::Clock;
use crate::store::Store;

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
        }
    }
}
