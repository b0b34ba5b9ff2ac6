//! A finding about nothing, to try the way that findings take.

use jiff::Timestamp;

use super::{Finding, FindingId, Severity, Verdict};

/// What the summary of a drill begins with, and that of no finding about something.
pub const DRILL: &str = "[DRILL]";

/// Of no log: names below `.invalid` are never given to anybody (RFC 2606), and no text of an entry gets here.
const ORIGIN: &str = "drill.modelwatch.invalid";

impl Finding {
    /// An alarm as loud as any, told on every channel, that says that it is a drill.
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
                    "{DRILL} nobody signed anything: this is what an alarm of modelwatch looks like"
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
