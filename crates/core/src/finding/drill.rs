//! A finding for a drill.

use jiff::Timestamp;

use super::{Finding, FindingId, Severity, Verdict};

/// The beginning of the summary of a drill, and of no other finding.
pub const DRILL: &str = "[DRILL]";

/// Not the origin of a log: names below `.invalid` are never assigned (RFC 2606), and no text of an entry is used here.
const ORIGIN: &str = "drill.modelwatch.invalid";

impl Finding {
    /// A critical finding, sent on every channel, whose summary begins with [`DRILL`].
    pub fn drill(now: Timestamp) -> Self {
        let index = u64::try_from(now.as_microsecond()).unwrap_or_default();
        Self {
            log: Some("drill".to_owned()),
            origin: Some(ORIGIN.to_owned()),
            index: Some(index),
            proven: Some(false),
            ..Self::new(
                FindingId::of_signing("drill", ORIGIN, index, &[0; 32], 0),
                Verdict::IdentityUnexpected,
                Severity::Critical,
                format!(
                    "{DRILL} this is a test: there was no signing, and an alert of modelwatch looks like this"
                ),
                now,
            )
        }
    }

    /// Whether it is a drill. Not by its text, which an entry of a log may imitate.
    pub fn is_drill(&self) -> bool {
        self.origin.as_deref() == Some(ORIGIN)
    }
}
