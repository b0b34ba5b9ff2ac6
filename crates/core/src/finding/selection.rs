//! Which findings are sent on a channel.

use std::collections::BTreeSet;

use super::{Finding, Severity, Verdict};

/// What a channel receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Findings below this severity are not sent.
    pub min_severity: Severity,
    /// Only findings with these verdicts are sent; `None`: every verdict.
    pub verdicts: Option<BTreeSet<Verdict>>,
    /// Only findings of these watches are sent, and findings without a watch; `None`: those of every watch.
    pub watches: Option<BTreeSet<String>>,
}

impl Selection {
    /// Every finding from this severity on.
    pub const fn from_severity(min_severity: Severity) -> Self {
        Self {
            min_severity,
            verdicts: None,
            watches: None,
        }
    }

    /// Whether this finding is sent.
    pub fn takes(&self, finding: &Finding) -> bool {
        self.min_severity <= finding.severity
            && self.takes_kind(finding.watch.as_deref(), finding.verdict)
    }

    /// Whether findings of this watch with this verdict are sent if they are severe enough.
    pub fn takes_kind(&self, watch: Option<&str>, verdict: Verdict) -> bool {
        let of_verdicts = self.verdicts.as_ref();
        let of_watches = self.watches.as_ref();
        of_verdicts.is_none_or(|verdicts| verdicts.contains(&verdict))
            && watch.is_none_or(|watch| of_watches.is_none_or(|watches| watches.contains(watch)))
    }
}

impl Default for Selection {
    fn default() -> Self {
        Self::from_severity(Severity::Info)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::finding::FindingId;

    fn finding(watch: Option<&str>, verdict: Verdict, severity: Severity) -> Finding {
        let id = FindingId::of_signing("w", "log.example", 1, &[0; 32], 0);
        Finding {
            watch: watch.map(ToOwned::to_owned),
            ..Finding::new(id, verdict, severity, String::new(), Timestamp::UNIX_EPOCH)
        }
    }

    #[test]
    fn severity_verdict_and_watch_must_all_fit_and_a_finding_without_a_watch_fits_every_watch() {
        let selection = Selection {
            min_severity: Severity::High,
            verdicts: Some([Verdict::IdentityUnexpected, Verdict::Silence].into()),
            watches: Some(["falcon".to_owned()].into()),
        };
        for (watch, verdict, severity, is_taken) in [
            (
                Some("falcon"),
                Verdict::IdentityUnexpected,
                Severity::High,
                true,
            ),
            (
                Some("falcon"),
                Verdict::IdentityUnexpected,
                Severity::Medium,
                false,
            ),
            (
                Some("falcon"),
                Verdict::ModelUnexpected,
                Severity::High,
                false,
            ),
            (
                Some("other"),
                Verdict::IdentityUnexpected,
                Severity::Critical,
                false,
            ),
            (None, Verdict::Silence, Severity::High, true),
            (None, Verdict::Backlog, Severity::High, false),
        ] {
            let finding = finding(watch, verdict, severity);
            assert_eq!(
                selection.takes(&finding),
                is_taken,
                "{watch:?} {verdict} {severity}"
            );
            assert!(Selection::default().takes(&finding));
        }
    }
}
