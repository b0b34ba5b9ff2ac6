//! Configuration and trust become the logs and rules of a monitor, and the monitor runs.
//!
//! This module decides which logs are followed, when the trusted root is updated and when it is stale. `Setup` contains
//! what every command needs; `Run` adds the open store and the parts that use it; `Daemon` repeats passes on the
//! schedule.

#[cfg(feature = "web")]
mod certified;
mod channels;
mod ct;
mod daemon;
mod delivery;
mod described;
pub mod discovery;
mod error;
mod exposed;
mod key_files;
mod loaded;
mod logs;
mod metrics;
#[cfg(feature = "web")]
mod packaged;
mod registrations;
mod reload;
mod renewal;
mod rules;
mod run;
pub mod search;
#[cfg(feature = "web")]
mod serving;
mod setup;
mod signals;
pub mod start;
mod status;
mod stores;
mod systemd;
mod textfile;
mod unrecorded;
mod view;

#[cfg(feature = "web")]
pub use certified::Certified;
pub use daemon::Daemon;
pub use error::ServiceError;
pub use exposed::exposed;
pub use key_files::read_log_key;
pub use metrics::record_pass;
#[cfg(feature = "web")]
pub use packaged::NotPackaged;
pub use registrations::ASKED_FOR;
pub use run::{Run, RunOptions, rehearse, without_trust};
pub use setup::{RefreshPolicy, Setup};
pub use signals::{Hangup, stop_on_signals};
pub use stores::{links, routes};
pub use unrecorded::lock;
pub use view::View;
