//! The content of a message: one alert, one digest, one resolution, or a test.

use jiff::Timestamp;

use crate::finding::{DRILL, Finding, Severity, Verdict};
use crate::store::{FindingCounts, QueuedAlert, QueuedKind};

/// Number of findings that a message contains in full. For more, people and programs use `modelwatch findings list`.
pub(super) const FINDINGS_IN_FULL: u32 = 1000;

/// What kind of message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One group of findings.
    Alert,
    /// Many: a flood, or the day's low ones.
    Digest,
    /// The end of an earlier alert.
    Resolved,
    /// All findings of an earlier alert are acknowledged. Only for channels that take acknowledgements.
    Acknowledged,
}

impl Kind {
    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Digest => "digest",
            Self::Resolved => "resolved",
            Self::Acknowledged => "acknowledged",
        }
    }
}

/// A message before it is rendered. Its strings are unescaped: a signer chose the text in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Stable over attempts: receivers drop repeats by it.
    pub id: String,
    /// What kind.
    pub kind: Kind,
    /// It is an example of its kind, without an event: a person tests the channel.
    pub is_test: bool,
    /// Joins an alert and its resolution: the alert's id.
    pub key: String,
    /// The highest of its findings'.
    pub severity: Severity,
    /// How many findings it is about; at least those in `findings`.
    pub total: u64,
    /// How many there are by watch, verdict and severity, most severe first. For a digest.
    pub counts: Vec<FindingCounts>,
    /// The findings, most severe first; at most 1,000.
    pub findings: Vec<Finding>,
}

impl Message {
    /// An alert from the outbox, with its findings.
    pub(super) fn queued(
        alert: &QueuedAlert,
        findings: Vec<Finding>,
        counts: Vec<FindingCounts>,
    ) -> Self {
        Self {
            id: alert.id.clone(),
            kind: match alert.kind {
                QueuedKind::Alert => Kind::Alert,
                QueuedKind::Digest => Kind::Digest,
                QueuedKind::Resolved => Kind::Resolved,
                QueuedKind::Acknowledged => Kind::Acknowledged,
            },
            is_test: false,
            key: alert.key.clone(),
            severity: alert.severity,
            total: alert.findings.max(findings.len() as u64),
            counts,
            findings,
        }
    }

    /// A test: an alert, a digest, and the end of the alert. `now` makes their ids unique: a receiver that drops repeats
    /// must not drop the second test. All have one key, so that nothing stays open where alerts are closed.
    pub fn tests(now: Timestamp) -> [Self; 3] {
        let key = format!("test-{}", now.as_microsecond());
        let test = |kind: Kind, findings: Vec<Finding>| Self {
            id: match kind {
                Kind::Alert => key.clone(),
                other => format!("{key}-{}", other.as_str()),
            },
            kind,
            is_test: true,
            key: key.clone(),
            severity: Severity::Info,
            total: findings.len() as u64,
            counts: match kind {
                Kind::Digest => findings.iter().map(one).collect(),
                _ => Vec::new(),
            },
            findings,
        };
        let (signing, health) = (Finding::example(now), Finding::health_example(now));
        [
            test(Kind::Alert, vec![signing.clone()]),
            test(Kind::Digest, vec![signing.clone(), health]),
            test(Kind::Resolved, vec![signing]),
        ]
    }

    /// What kind it is, or that it is a test.
    pub(super) const fn word(&self) -> &'static str {
        if self.is_test {
            "test"
        } else {
            self.kind.as_str()
        }
    }

    /// An alert that is not in the outbox. `now` is part of its id: a receiver that drops repeats must not drop that of
    /// the next hour.
    pub(super) fn unrecorded(finding: Finding, now: Timestamp) -> Self {
        Self {
            id: format!("{}-{}", finding.id, now.as_second()),
            key: finding.id.to_string(),
            kind: Kind::Alert,
            is_test: false,
            severity: finding.severity,
            total: 1,
            counts: Vec::new(),
            findings: vec![finding],
        }
    }

    /// Whether it contains only a drill.
    pub fn is_drill(&self) -> bool {
        !self.findings.is_empty() && self.findings.iter().all(Finding::is_drill)
    }

    /// One sentence, raw. That of a drill begins with [`DRILL`], and no other.
    pub fn summary(&self) -> String {
        if self.is_test {
            let what = match self.kind {
                Kind::Alert => "alerts",
                Kind::Digest => "digests",
                Kind::Resolved => "ends of alerts",
                Kind::Acknowledged => "acknowledgements",
            };
            return format!("this is a test: {what} of modelwatch will arrive like this message");
        }
        let mut first = self
            .findings
            .first()
            .map_or("", |f| f.summary.as_str())
            .to_owned();
        // A signer who puts the mark of a drill into a name must not be taken for a drill.
        let claims = first.trim_start().get(..DRILL.len());
        if !self.is_drill() && claims.is_some_and(|claim| claim.eq_ignore_ascii_case(DRILL)) {
            first.insert_str(0, "no drill: ");
        }
        let others = match self.total.saturating_sub(1) {
            0 => String::new(),
            1 => " (and 1 more finding)".to_owned(),
            n => format!(" (and {n} more findings)"),
        };
        match self.kind {
            Kind::Alert => format!("{first}{others}"),
            Kind::Digest => format!("{}: {}", count(self.total), by_severity(&self.counts)),
            Kind::Resolved => format!("over: {}{others}", self.in_the_end(&first)),
            Kind::Acknowledged => format!("acknowledged: {first}{others}"),
        }
    }
}

impl Message {
    /// The summary of the alert as it is true now: a signing that was not registered may be registered by now.
    fn in_the_end(&self, sentence: &str) -> String {
        let is_registered = self
            .findings
            .first()
            .is_some_and(|finding| finding.verdict == Verdict::Expected);
        // Only our own words: names of the signer come before them.
        UNREGISTERED
            .iter()
            .find_map(|(then, now)| {
                let now = if is_registered { now } else { "" };
                let at = sentence.rfind(then)?;
                let (before, after) = (sentence.get(..at)?, sentence.get(at + then.len()..)?);
                Some(format!("{before}{now}{after}"))
            })
            .unwrap_or_else(|| sentence.to_owned())
    }
}

/// The phrases about an unexpected signing and an unexpected certificate, and those once it is registered. The last one
/// is in the summaries of earlier versions.
const UNREGISTERED: [(&str, &str); 3] = [
    (", which is not registered", ", which is registered now"),
    (
        ", and no signing with it is registered",
        ", and a signing with it is registered now",
    ),
    (
        ", and the signing is not registered",
        ", and a signing with it is registered now",
    ),
];

/// The counts of one finding.
fn one(finding: &Finding) -> FindingCounts {
    FindingCounts {
        watch: finding.watch.clone(),
        verdict: finding.verdict,
        severity: finding.severity,
        count: 1,
    }
}

fn count(total: u64) -> String {
    match total {
        1 => "1 finding".to_owned(),
        n => format!("{n} findings"),
    }
}

/// `2 critical, 23 high`
fn by_severity(counts: &[FindingCounts]) -> String {
    let mut severities: Vec<(Severity, u64)> = Vec::new();
    for row in counts {
        match severities.iter_mut().find(|(s, _)| *s == row.severity) {
            Some((_, sum)) => *sum += row.count,
            None => severities.push((row.severity, row.count)),
        }
    }
    severities.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity));
    let words: Vec<_> = severities
        .iter()
        .map(|(severity, sum)| format!("{sum} {severity}"))
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::testing;

    #[test]
    fn a_summary_has_the_worst_finding_first_and_the_number_of_findings() {
        let mut message = testing::alert(vec![testing::signing(0), testing::signing(1)]);
        assert_eq!(
            message.summary(),
            "falcon-release: somebody signed sha256:00 (and 1 more finding)"
        );
        message.kind = Kind::Resolved;
        assert!(message.summary().starts_with("over: falcon-release"));
        for (then, now) in [
            (
                "a@b signed sha256:00, which is not registered: entry 1 of l",
                "over: a@b signed sha256:00, which is registered now: entry 1 of l (and 1 more finding)",
            ),
            (
                "a certificate was issued to a@b, and no signing with it is registered: entry 1 of l",
                "over: a certificate was issued to a@b, and a signing with it is registered now: entry 1 of l (and 1 more finding)",
            ),
            (
                "a@b signed sha256:00, which is not registered: entry 1 of l",
                "over: a@b signed sha256:00, which is registered now: entry 1 of l (and 1 more finding)",
            ),
            (
                "a certificate was issued to a@b, and the signing is not registered: entry 1 of l",
                "over: a certificate was issued to a@b, and a signing with it is registered now: entry 1 of l (and 1 more finding)",
            ),
        ] {
            let first = &mut message.findings[0];
            first.summary = then.to_owned();
            first.verdict = Verdict::Expected;
            assert_eq!(message.summary(), now);
            message.findings[0].verdict = Verdict::IdentityUnexpected;
            assert!(
                !message.summary().contains("registered"),
                "{}",
                message.summary()
            );
        }
        let row = |severity, count| FindingCounts {
            watch: None,
            verdict: Verdict::IdentityUnexpected,
            severity,
            count,
        };
        message.kind = Kind::Digest;
        message.total = 25;
        message.counts = vec![
            row(Severity::High, 20),
            row(Severity::Critical, 2),
            row(Severity::High, 3),
        ];
        assert_eq!(message.summary(), "25 findings: 2 critical, 23 high");
    }

    #[test]
    fn every_test_is_a_message_of_its_own_and_shows_each_kind() {
        let at = |second| Message::tests(Timestamp::from_second(second).expect("in range"));
        let mut ids: Vec<String> = at(1).into_iter().chain(at(2)).map(|test| test.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), 6);
        for test in at(1) {
            assert!(test.is_test && test.key == at(1)[0].id);
            assert!(test.summary().starts_with("this is a test: "));
            assert_eq!((test.word(), test.severity), ("test", Severity::Info));
        }
    }
}
