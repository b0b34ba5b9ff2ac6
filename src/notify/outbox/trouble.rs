//! The recorded failures of a channel. The record survives restarts, so that a pass without alerts neither ends the
//! finding nor begins it again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::escape;
use crate::finding::Verdict;
use crate::notify::NotifyError;
use crate::store::Condition;

/// Failures in a row before they are reported, unless only the operator can repair the channel: a single one may be a
/// restart, or greylisting.
const FAILURES_BEFORE_REPORT: u32 = 2;

/// Recipients that are named in one sentence.
const NAMED: usize = 10;

/// A channel's failures since its last success.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trouble {
    /// Failures of the channel as a whole; 0 while it reaches a recipient.
    failures: u32,
    needs_operator: bool,
    error: String,
    /// Recipients that it does not reach, while it reaches others.
    #[serde(default)]
    unreached: BTreeMap<String, Unreached>,
    /// What is wrong although messages are accepted; empty: nothing.
    #[serde(default)]
    complaint: String,
}

/// Failures to reach one recipient since the last success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Unreached {
    failures: u32,
    for_good: bool,
    reason: String,
}

impl Unreached {
    const fn is_reported(&self) -> bool {
        self.for_good || self.failures >= FAILURES_BEFORE_REPORT
    }
}

impl Trouble {
    /// After one more failure, in which these recipients were `reached`.
    pub(super) fn after(
        before: Option<Self>,
        error: &NotifyError,
        reached: &BTreeSet<&str>,
    ) -> Self {
        let before = before.unwrap_or_default();
        let mut unreached = before.unreached;
        unreached.retain(|name, _| !reached.contains(name.as_str()));
        match error {
            NotifyError::Recipients {
                unreached: now,
                reached: 1..,
                ..
            } => {
                for one in now {
                    let failures = unreached.get(&one.recipient).map_or(0, |one| one.failures);
                    let one_more = Unreached {
                        failures: failures.saturating_add(1),
                        for_good: one.for_good,
                        reason: one.reason.clone(),
                    };
                    unreached.insert(one.recipient.clone(), one_more);
                }
                Self {
                    unreached,
                    ..Self::default()
                }
            }
            _ => Self {
                failures: before.failures.saturating_add(1),
                needs_operator: error.needs_operator(),
                error: error.to_string(),
                unreached,
                complaint: before.complaint,
            },
        }
    }

    /// After a success; `reached` returns whether a recipient was reached, and `complaint` is what was wrong with it. `None`
    /// if no failure is left.
    pub(super) fn over(
        before: Option<Self>,
        reached: impl Fn(&str) -> bool,
        complaint: Option<&str>,
    ) -> Option<Self> {
        let left = Self {
            unreached: before.unwrap_or_default().unreached,
            complaint: complaint.unwrap_or_default().to_owned(),
            ..Self::default()
        };
        left.without(reached)
    }

    /// Without the recipients that are `over`; `None` if no failure is left.
    pub(super) fn without(mut self, over: impl Fn(&str) -> bool) -> Option<Self> {
        self.unreached.retain(|name, _| !over(name));
        let is_any = self.failures > 0 || !self.unreached.is_empty() || !self.complaint.is_empty();
        is_any.then_some(self)
    }

    /// From the record. A record that this version cannot read counts as absent: the next attempt shows the state.
    pub(super) fn recalled(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// As the text of the record.
    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a struct of plain values is JSON")
    }

    /// The condition to report: for a failing channel on every other one; for one that does not reach all of its
    /// recipients on every channel.
    pub(super) fn condition(&self, channel: &str) -> Option<Condition> {
        if self.needs_operator || self.failures >= FAILURES_BEFORE_REPORT {
            let summary = format!("the channel {channel} does not deliver: {}", self.error);
            return Some(Condition {
                except_channel: Some(channel.to_owned()),
                ..Condition::new(Verdict::NotifierFailing, channel, summary)
            });
        }
        if !self.complaint.is_empty() {
            let summary = format!("the channel {channel} delivers, but {}", self.complaint);
            return Some(Condition::new(Verdict::NotifierFailing, channel, summary));
        }
        let refused: Vec<String> = self
            .unreached
            .iter()
            .filter(|(_, one)| one.is_reported())
            .map(|(name, one)| format!("{name} ({})", one.reason))
            .collect();
        (!refused.is_empty()).then(|| {
            let summary = format!(
                "the channel {channel} delivers, but not to {}",
                escape::few(refused, NAMED)
            );
            Condition::new(Verdict::NotifierFailing, channel, summary)
        })
    }
}
