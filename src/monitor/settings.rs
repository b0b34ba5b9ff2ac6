//! The settings of a monitor besides its logs and watches.

use std::collections::BTreeMap;
use std::time::Duration;

use tlog::Verifier;

/// The settings of a monitor; by default nothing is required.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The keys of witnesses. Their cosignatures are verified for every checkpoint.
    pub witnesses: Vec<Verifier>,
    /// How many witnesses must have cosigned the newest checkpoint of a log, by the name of the log: its trees are not
    /// known here.
    pub required_witnesses: BTreeMap<String, usize>,
    /// Identities that sign regularly.
    pub canaries: Vec<CanarySettings>,
    /// Whether passes include every configured log. Only then a database with other logs only is that of another
    /// configuration.
    pub every_log: bool,
    /// How long a log is read in one pass; `None`: to its end. A pass ends with its last log: without a limit, a large
    /// or slow log delays the next pass over the others.
    pub pass_limit: Option<Duration>,
}

/// An identity that signs regularly. If it is not seen, monitoring may not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanarySettings {
    /// The watch that selects it.
    pub watch: String,
    /// The longest time between two signings.
    pub every: Duration,
}
