//! The whole state in a few sentences, for the first page. They claim no more than the status and its coverage.

use jiff::Timestamp;

use super::{Coverage, Status, time};
use crate::escape;
use crate::finding::{Class, Verdict};
use crate::store::WaitingFindings;

/// Most logs that are named.
const LOGS_NAMED: usize = 3;

/// What is known, in three sentences, raw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headline {
    /// What is open about signings and logs.
    pub findings: Sentence,
    /// How far the logs are read and proven.
    pub logs: Sentence,
    /// What the monitor cannot see.
    pub blind: Sentence,
}

/// A sentence, and whether it is good news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// With a full stop.
    pub text: String,
    /// Nothing is to be done.
    pub is_good: bool,
}

impl Headline {
    /// `coverage`: that of this status. `waiting`: what was open when it was read.
    pub fn of(status: &Status, coverage: &Coverage, waiting: &WaitingFindings) -> Self {
        let logs = Logs::of(status, coverage);
        Self {
            findings: findings(waiting),
            blind: blind(status, coverage, waiting, &logs),
            logs: logs.sentence(),
        }
    }
}

/// Security findings, by what a person calls them. One pair of words for one and for several.
const KINDS: [(&[Verdict], &str, &str); 7] = [
    (
        &[
            Verdict::ModelUnexpected,
            Verdict::IdentityUnexpected,
            Verdict::OtherPredicate,
        ],
        "signing is not registered",
        "signings are not registered",
    ),
    (
        &[Verdict::SelfRegistered],
        "signing is registered by its signer alone",
        "signings are registered by their signers alone",
    ),
    (
        &[Verdict::LogFault],
        "contradiction of a log with what it signed is open",
        "contradictions of logs with what they signed are open",
    ),
    (
        &[Verdict::Missing],
        "registered signing is not in its log",
        "registered signings are not in their logs",
    ),
    (
        &[Verdict::Unreadable],
        "entry cannot be read",
        "entries cannot be read",
    ),
    (
        &[Verdict::UntrustedChain],
        "watched name is confirmed by no trusted authority",
        "watched names are confirmed by no trusted authority",
    ),
    (
        &[Verdict::Expected],
        "registered signing is disputed",
        "registered signings are disputed",
    ),
];

fn findings(waiting: &WaitingFindings) -> Sentence {
    let count = |verdicts: &[Verdict]| {
        let open = waiting.open.iter();
        let open = open.filter(|((_, verdict), _)| verdicts.contains(verdict));
        open.map(|(_, count)| *count).fold(0, u64::saturating_add)
    };
    let open = KINDS
        .iter()
        .filter_map(|(verdicts, one, several)| counted(count(verdicts), one, several));
    let open: Vec<String> = open.collect();
    let is_good = open.is_empty();
    let open = if is_good {
        "No finding about a signing or a log is open".to_owned()
    } else {
        joined(&open)
    };
    let (one, several) = (
        "signing waits for its registration",
        "signings wait for their registration",
    );
    let held = counted(waiting.held, one, several);
    let parts: Vec<String> = std::iter::once(open).chain(held).collect();
    let text = parts.join("; ") + ".";
    Sentence { text, is_good }
}

/// The logs, by how far they are read.
struct Logs<'a> {
    total: usize,
    guided: usize,
    /// Those that are read in full, with the end of their last pass that proved everything.
    proven: Vec<Timestamp>,
    unproven: Vec<&'a str>,
    /// Some log was not read from its first entry on.
    begins_later: bool,
}

impl<'a> Logs<'a> {
    fn of(status: &'a Status, coverage: &Coverage) -> Self {
        let mut logs = Self {
            total: status.logs.len(),
            guided: 0,
            proven: Vec::new(),
            unproven: Vec::new(),
            begins_later: false,
        };
        for log in &status.logs {
            let mut why = coverage.why.iter();
            let is_behind = why.any(|why| {
                why.log.as_deref() == Some(&log.name) && !matches!(why.kind, "guided" | "gap")
            });
            match log.last_success.filter(|_| !is_behind) {
                None => logs.unproven.push(&log.name),
                Some(_) if log.is_guided() => logs.guided += 1,
                Some(last) => {
                    logs.proven.push(last);
                    logs.begins_later |= log.first() != Some(0);
                }
            }
        }
        logs
    }

    fn sentence(&self) -> Sentence {
        if self.total == 0 {
            return Sentence {
                text: "No log is followed: nothing is read.".to_owned(),
                is_good: false,
            };
        }
        let mut parts = Vec::new();
        if let Some(oldest) = self.proven.iter().min() {
            let which = match (self.proven.len(), self.total) {
                (1, 1) => "The log is".to_owned(),
                (some, total) if some == total => format!("All {total} logs are"),
                (1, total) => format!("1 of {total} logs is"),
                (some, total) => format!("{some} of {total} logs are"),
            };
            let from = if self.begins_later {
                ", from where reading began"
            } else {
                ""
            };
            parts.push(format!(
                "{which} read and proven up to {}{from}",
                time(*oldest)
            ));
        }
        let (one, several) = (
            "log is not read: its certificates are followed in other logs, and its entries are looked up",
            "logs are not read: their certificates are followed in other logs, and their entries are looked up",
        );
        parts.extend(counted(self.guided as u64, one, several));
        if !self.unproven.is_empty() {
            let names = escape::few(&self.unproven, LOGS_NAMED);
            parts.push(format!("Not proven up to the end: {names}"));
        }
        Sentence {
            text: parts.join(". ") + ".",
            is_good: self.unproven.is_empty(),
        }
    }
}

fn blind(
    status: &Status,
    coverage: &Coverage,
    waiting: &WaitingFindings,
    logs: &Logs<'_>,
) -> Sentence {
    let health = waiting.open.iter();
    let health = health.filter(|((_, verdict), _)| verdict.class() == Class::Health);
    let health = health.map(|(_, count)| *count).fold(0, u64::saturating_add);
    let gaps = coverage.why.iter().filter(|why| why.kind == "gap").count();
    let parts = [
        status
            .failure
            .map(|failure| format!("the last pass could record nothing ({failure})")),
        counted(
            health,
            "finding about the monitoring is open",
            "findings about the monitoring are open",
        ),
        (logs.total == 0).then(|| "no log is followed".to_owned()),
        status
            .trust
            .as_ref()
            .filter(|trust| !trust.known)
            .map(|_| "there is no trusted root yet".to_owned()),
        counted(
            logs.unproven.len() as u64,
            "log is not proven up to its end",
            "logs are not proven up to their ends",
        ),
        counted(
            logs.guided as u64,
            "log is not read in full",
            "logs are not read in full",
        ),
        counted(
            gaps as u64,
            "log has entries that some watch was never compared with",
            "logs have entries that some watch was never compared with",
        ),
        status
            .alerts
            .has_problem()
            .then(|| "a channel did not accept an alert".to_owned()),
        counted(
            status.alerts.due(),
            "alert is due and not delivered",
            "alerts are due and not delivered",
        ),
        status
            .daemon
            .as_ref()
            .filter(|daemon| daemon.changed)
            .map(|_| "the daemon does not use the present configuration yet".to_owned()),
    ];
    let mut parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() && coverage.complete {
        return Sentence {
            text: "Nothing is blind.".to_owned(),
            is_good: true,
        };
    }
    if parts.is_empty() {
        parts.push("an answer may be incomplete".to_owned());
    }
    Sentence {
        text: format!("Blind or failing: {}.", joined(&parts)),
        is_good: false,
    }
}

/// `1 log is …` or `2 logs are …`; `None` for none.
fn counted(count: u64, one: &str, several: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{count} {several}")),
    }
}

fn joined(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use jiff::SignedDuration;

    use super::*;
    use crate::finding::Severity;
    use crate::log::TreeId;
    use crate::report::log::LogStatus;
    use crate::report::{AlertStatus, DaemonStatus, FindingStatus, TrustStatus, WatchStatus};
    use crate::store::{
        ChannelQueue, PassError, PassErrorKind, TreeCoverage, Uneven, WatchKey, WatchSet,
    };

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH + HOUR * 1_000_000
    }

    fn proven(name: &str) -> LogStatus {
        let end = Some(161);
        LogStatus::example(name, [Some(0), end, end, end], Some(now() - HOUR))
    }

    fn with_positions(name: &str, positions: [Option<u64>; 4]) -> LogStatus {
        LogStatus::example(name, positions, Some(now() - HOUR))
    }

    fn status(logs: Vec<LogStatus>) -> Status {
        let alerts = AlertStatus::default();
        Status::new(
            None,
            None,
            logs,
            Vec::new(),
            alerts,
            FindingStatus::default(),
        )
    }

    fn headline(status: &Status, open: &[(Verdict, u64)], held: u64) -> Headline {
        let coverage = Coverage::of(status, Duration::from_hours(2), now());
        let open = open.iter();
        let open: BTreeMap<(Severity, Verdict), u64> = open
            .map(|(verdict, count)| ((Severity::High, *verdict), *count))
            .collect();
        Headline::of(status, &coverage, &WaitingFindings { open, held })
    }

    #[test]
    fn findings_are_counted_by_what_they_mean() {
        let clean = status(vec![proven("a")]);
        for (open, held, text, is_good) in [
            (
                &[][..],
                0,
                "No finding about a signing or a log is open.",
                true,
            ),
            (
                &[],
                1,
                "No finding about a signing or a log is open; 1 signing waits for its registration.",
                true,
            ),
            (
                &[(Verdict::IdentityUnexpected, 1)],
                0,
                "1 signing is not registered.",
                false,
            ),
            (
                &[
                    (Verdict::ModelUnexpected, 1),
                    (Verdict::IdentityUnexpected, 2),
                    (Verdict::OtherPredicate, 4),
                    (Verdict::UntrustedChain, 8),
                    (Verdict::SelfRegistered, 1),
                    // Not about a signing: it is in the third sentence.
                    (Verdict::Silence, 16),
                ],
                2,
                "7 signings are not registered, 1 signing is registered by its signer alone and 8 watched names are confirmed by no trusted authority; 2 signings wait for their registration.",
                false,
            ),
        ] {
            let sentence = headline(&clean, open, held).findings;
            assert_eq!(
                sentence,
                Sentence {
                    text: text.to_owned(),
                    is_good
                },
                "{open:?}"
            );
        }
        // Every security verdict has its words, and no other.
        for verdict in Verdict::ALL {
            let is_good = headline(&clean, &[(verdict, 1)], 0).findings.is_good;
            assert_eq!(is_good, verdict.class() == Class::Health, "{verdict}");
        }
    }

    #[test]
    fn logs_are_proven_only_as_far_as_the_status_says() {
        let up_to = time(now() - HOUR);
        let end = Some(161);
        let old = || LogStatus::example("old", [Some(0), end, end, end], Some(now() - HOUR * 3));
        let never = || LogStatus::example("never", [None; 4], None);
        let mut failed = proven("failed");
        failed.error = Some(PassError::new(PassErrorKind::Unavailable, "refused"));
        for (logs, text, is_good) in [
            (
                vec![],
                "No log is followed: nothing is read.".to_owned(),
                false,
            ),
            (
                vec![proven("a")],
                format!("The log is read and proven up to {up_to}."),
                true,
            ),
            (
                vec![proven("a"), proven("b")],
                format!("All 2 logs are read and proven up to {up_to}."),
                true,
            ),
            (
                vec![with_positions("a", [Some(100), end, end, end]), proven("b")],
                format!("All 2 logs are read and proven up to {up_to}, from where reading began."),
                true,
            ),
            // Not proven, not read, without an end, too old, failed, never read.
            (
                vec![with_positions("a", [Some(0), Some(9), end, end])],
                "Not proven up to the end: a.".to_owned(),
                false,
            ),
            (
                vec![
                    proven("a"),
                    with_positions("b", [Some(0), Some(9), Some(9), end]),
                    with_positions("c", [Some(0), end, end, None]),
                    old(),
                    failed,
                    never(),
                ],
                format!(
                    "1 of 6 logs is read and proven up to {up_to}. Not proven up to the end: b, c, old and 2 more."
                ),
                false,
            ),
            (
                vec![
                    proven("a"),
                    LogStatus::guided_example("v1", Some(now() - HOUR)),
                ],
                format!(
                    "1 of 2 logs is read and proven up to {up_to}. 1 log is not read: its certificates are followed in other logs, and its entries are looked up."
                ),
                true,
            ),
            (
                vec![LogStatus::guided_example("v1", None)],
                "Not proven up to the end: v1.".to_owned(),
                false,
            ),
        ] {
            let sentence = headline(&status(logs), &[], 0).logs;
            assert_eq!(sentence, Sentence { text, is_good });
        }
    }

    #[test]
    fn nothing_is_blind_only_if_nothing_is_known_to_be_missing() {
        let end = Some(161);
        let trust = |known| TrustStatus {
            source: "root.json".to_owned(),
            known,
            version: None,
            expires: None,
            refreshed: None,
            not_followed: Vec::new(),
            remarks: Vec::new(),
        };
        let clean = || status(vec![proven("a")]);
        let mut unknown_trust = clean();
        unknown_trust.trust = Some(trust(false));
        let mut known_trust = clean();
        known_trust.trust = Some(trust(true));
        let mut given_up = clean();
        let queue = ChannelQueue {
            failed: 1,
            ..ChannelQueue::default()
        };
        given_up.alerts =
            AlertStatus::of(BTreeMap::from([("c".to_owned(), queue)]), &["c".to_owned()]);
        let mut waiting = clean();
        let queue = ChannelQueue {
            pending: 3,
            due: 2,
            delayed: 1,
            ..ChannelQueue::default()
        };
        let queues = BTreeMap::from([("c".to_owned(), queue)]);
        waiting.alerts = AlertStatus::of(queues, &["c".to_owned()]);
        let mut changed = clean();
        changed.daemon = Some(DaemonStatus {
            process: 1,
            file: "a".into(),
            loaded: now(),
            changed: true,
        });
        let guided = vec![proven("a"), LogStatus::guided_example("v1", Some(now()))];
        let behind = vec![with_positions("a", [Some(0), Some(9), end, end])];
        for (status, open, text) in [
            (clean(), &[][..], "Nothing is blind."),
            (known_trust, &[], "Nothing is blind."),
            // About a signing: it is in the first sentence.
            (
                clean(),
                &[(Verdict::IdentityUnexpected, 3)],
                "Nothing is blind.",
            ),
            (
                clean(),
                &[(Verdict::Silence, 1)],
                "Blind or failing: 1 finding about the monitoring is open.",
            ),
            (status(vec![]), &[], "Blind or failing: no log is followed."),
            (
                unknown_trust,
                &[],
                "Blind or failing: there is no trusted root yet.",
            ),
            (
                status(behind),
                &[],
                "Blind or failing: 1 log is not proven up to its end.",
            ),
            (
                status(guided),
                &[],
                "Blind or failing: 1 log is not read in full.",
            ),
            (
                given_up,
                &[],
                "Blind or failing: a channel did not accept an alert.",
            ),
            (
                waiting,
                &[],
                "Blind or failing: 2 alerts are due and not delivered.",
            ),
            (
                changed,
                &[(Verdict::Silence, 2)],
                "Blind or failing: 2 findings about the monitoring are open and the daemon does not use the present configuration yet.",
            ),
        ] {
            let sentence = headline(&status, open, 0).blind;
            let is_good = text == "Nothing is blind.";
            assert_eq!(
                sentence,
                Sentence {
                    text: text.to_owned(),
                    is_good
                }
            );
            // Never where a list says that something may be missing.
            let coverage = Coverage::of(&status, Duration::from_hours(2), now());
            assert!(!sentence.is_good || coverage.complete);
        }
    }

    #[test]
    fn a_watch_that_was_not_compared_with_everything_is_blind_there() {
        let watched = WatchSet::from_iter([WatchKey {
            name: "w".to_owned(),
            conditions: [0; 32],
        }]);
        let coverage = TreeCoverage {
            log: "a".to_owned(),
            tree: TreeId::new("a"),
            base: 0,
            first: 0,
            seen: 161,
            uneven: vec![Uneven {
                watch: watched.keys()[0].clone(),
                from: 30,
                gaps: vec![0..10, 20..30],
            }],
        };
        let mut gap = status(vec![proven("a")]);
        gap.watches = WatchStatus::of_all(&watched, &[coverage]);
        let sentence = headline(&gap, &[], 0).blind;
        assert_eq!(
            sentence.text,
            "Blind or failing: 1 log has entries that some watch was never compared with."
        );
        assert_eq!(gap.gaps_of("a"), [(0, 10), (20, 30)]);
        assert_eq!(gap.gaps_of("b"), []);
    }
}
