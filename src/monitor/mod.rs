//! Follows the logs.
//!
//! `pass` goes over all logs at once, one task for each log. A tree is read by `tail`. The trees of a Rekor v1 log are read one
//! after the other (`trees`). A log that grows too fast is `guided` by CT logs: its search index is asked for names.
//!
//! `head` judges whether a checkpoint contradicts an earlier one, for both ways of reading. `health` raises findings about what
//! monitoring cannot see. `rescan` reads a proven range again for watches that were added later, `reread` for look-ups
//! and `reconcile`, which record nothing.
//!
//! `context`, `halt`, `log`, `outcome` and the like are types that the others share. No file here depends on itself through
//! others. Nothing here sends an alert or reads the configuration: alerts are rows in the store.

mod context;
mod fault;
mod guide_status;
mod guided;
mod halt;
mod head;
mod health;
mod log;
mod monitored_log;
mod outcome;
mod pass;
mod pass_deadline;
mod pass_end;
pub mod progress;
mod prove;
mod reached;
mod rekor_v1;
mod reread;
mod rescan;
pub mod schedule;
mod settings;
mod stop;
mod tail;
mod trees;
mod unknown_authorities;

pub use guided::unread_entries;
pub use health::{TrustReport, Unfollowed};
pub use log::Log;
pub use monitored_log::{CtGuide, Guided, MonitoredLog};
pub use outcome::{LogOutcome, MonitorError, RescanError};
pub use pass::Monitor;
pub use progress::Progress;
pub(crate) use prove::{KnownTree, Root, place};
pub use rekor_v1::RekorV1Log;
pub use reread::{LeafReader, first_since, frontier, is_of_tree};
pub use schedule::{Schedule, ScheduleError};
pub use settings::{CanarySettings, Settings};
pub use stop::Stop;
