//! What is remembered of a channel that fails: over restarts, so that a pass that has nothing to
//! send neither ends the finding nor begins it anew.

use serde::{Deserialize, Serialize};

use crate::finding::Verdict;
use crate::notify::NotifyError;
use crate::store::Condition;

/// Failures in a row before the others hear of it, unless only the operator can help: one may be
/// a restart, or a mail server that wants to be asked twice.
const FAILURES_BEFORE_SAID: u32 = 2;

/// A channel's failures since its last success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trouble {
    failures: u32,
    needs_operator: bool,
    error: String,
}

impl Trouble {
    /// After one more failure.
    pub(super) fn after(before: Option<Self>, error: &NotifyError) -> Self {
        Self {
            failures: before.map_or(0, |before| before.failures).saturating_add(1),
            needs_operator: error.needs_operator(),
            error: error.to_string(),
        }
    }

    /// From what was remembered. What this version cannot read is as if nothing were: the next
    /// attempt shows.
    pub(super) fn recalled(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// To be remembered.
    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a struct of plain values is JSON")
    }

    /// What is said about it, on every channel but the failing one.
    pub(super) fn condition(&self, channel: &str) -> Option<Condition> {
        let is_said = self.needs_operator || self.failures >= FAILURES_BEFORE_SAID;
        is_said.then(|| {
            let summary = format!("the channel {channel} does not deliver: {}", self.error);
            Condition {
                except_channel: Some(channel.to_owned()),
                ..Condition::new(Verdict::NotifierFailing, channel, summary)
            }
        })
    }
}
