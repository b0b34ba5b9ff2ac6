//! What is compared with what.

use std::path::PathBuf;

use jiff::Timestamp;

use super::trusted::Trusted;
use crate::identity::Signer;
use crate::judge::Rules;
use crate::monitor::MonitoredLog;
use crate::report::log::LogStatus;
use crate::store::{SigningQuery, Store, WatchSet};

/// What is compared.
#[derive(Debug, Default)]
pub struct Question {
    /// Files with bundles, and directories.
    pub paths: Vec<PathBuf>,
    /// Which signings have to have a bundle.
    pub signings: SigningQuery,
    /// Models are left out.
    pub no_models: bool,
    /// The search index of Rekor v1 is asked for others who signed the same models.
    pub remote: bool,
    /// What agrees is registered.
    pub register: bool,
}

/// What the bundles are compared with.
pub struct World<'a> {
    /// What was found in the logs.
    pub store: &'a dyn Store,
    /// The logs that are followed.
    pub logs: &'a [MonitoredLog],
    /// How far each of them is read.
    pub statuses: &'a [LogStatus],
    /// The watches.
    pub rules: &'a Rules,
    /// What bundles are verified with.
    pub trusted: &'a Trusted,
    /// The present.
    pub now: Timestamp,
}

impl World<'_> {
    /// The watches whose signings are compared.
    pub(super) fn watches(&self, query: &SigningQuery) -> WatchSet {
        let keys = self.rules.watch_set().keys().iter();
        keys.filter(|key| query.watches.is_empty() || query.watches.contains(&key.name))
            .cloned()
            .collect()
    }
}

/// Whether a watch selects a signer.
pub(super) fn is_selected(signer: &Signer, rules: &Rules) -> bool {
    let mut found = Vec::new();
    rules.watches().matches(signer, &mut found);
    !found.is_empty()
}
