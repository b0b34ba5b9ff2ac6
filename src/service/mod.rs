//! Configuration and trust become the logs and rules that a monitor works with.
//!
//! Which logs are followed, when trust is renewed and when it is stale is decided here.

mod channels;
mod ct;
pub mod discovery;
mod error;
mod key_files;
mod logs;
pub mod monitored_logs;
pub mod reload;
mod renewal;
pub mod setup;
pub mod start;
pub mod systemd;
pub mod unrecorded;

pub use error::{Mistake, causes};
pub use key_files::{certificate, read_bounded};
