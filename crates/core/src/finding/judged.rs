//! A finding that is judged again.

use super::{Severity, Verdict};
use crate::identity::Chain;

/// The new assessment of a finding, after the trusted root changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The result of verifying its certificate.
    pub chain: Chain,
    /// Its verdict without registrations.
    pub verdict: Verdict,
    /// Its severity without registrations.
    pub severity: Severity,
    /// One sentence.
    pub summary: String,
    /// Its anomalies.
    pub anomalies: Vec<String>,
}
