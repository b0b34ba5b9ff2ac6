//! Findings about the limits of the monitoring. They are raised after a pass, and resolved when their cause is gone.
//!
//! A log is assessed after its pass; everything else is assessed when the passes over all logs have ended. Each
//! assessment names its verdicts, and does not change findings with other verdicts. What a pass could not assess stays
//! unchanged.

mod assess;
mod availability;
mod backlog;
mod canary;
mod clock;
mod outage;
mod position;
mod signatures;
mod silence;
mod subject;
mod time_reports;
mod trust;
mod unknown_issuers;

pub(super) use assess::{assess_log, assess_whole, before_a_pass, of_checkpoint};
pub(super) use outage::Outage;
pub(super) use signatures::Signatures;
pub(super) use subject::{Noticed, Subject};
pub(super) use time_reports::{TimeReports, TimeSource};
pub(super) use trust::assess as assess_trust;
pub use trust::{TrustReport, Unfollowed};
pub(super) use unknown_issuers::{UnknownIssuer, UnknownIssuers};
