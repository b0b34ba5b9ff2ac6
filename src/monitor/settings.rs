//! What can be set of a monitor besides its logs and watches.

use std::collections::BTreeMap;
use std::time::Duration;

use tlog::Verifier;

/// Settings of a monitor; the default asks for nothing.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Keys of witnesses, whose cosignatures are looked at under every checkpoint.
    pub witnesses: Vec<Verifier>,
    /// How many of the witnesses must have cosigned the newest checkpoint of a log, by its name: a log may have several trees,
    /// whose origins only it knows.
    pub required_witnesses: BTreeMap<String, usize>,
    /// Identities that sign regularly.
    pub canaries: Vec<CanarySettings>,
    /// Whether passes go over every configured log: only then a database that knows none of them is
    /// taken for that of another configuration.
    pub every_log: bool,
    /// How long a log is read in one pass before the others get their turn again; `None`: to its end. A pass ends when
    /// that of its last log does, so without it a log that has much to tell, or tells it slowly on purpose, keeps
    /// everybody from seeing what is new in the others.
    pub pass_limit: Option<Duration>,
}

/// An identity that is known to sign regularly: when it is not seen, the watch may be blind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanarySettings {
    /// The watch that selects it.
    pub watch: String,
    /// It signs at least once in that time.
    pub every: Duration,
}
