//! The state of a monitor as metrics. `docs/metrics.md` describes them.
//!
//! Labels are the names of logs, watches and channels of the configuration, and the words for severities, verdicts and
//! kinds of errors: never text of an entry. What is unknown is absent.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::exposition::Exposition;
use super::log::LogStatus;
use super::{CONTRACT, Status};
use crate::finding::{Severity, Verdict};
use crate::store::{ChannelQueue, PassErrorKind, WaitingFindings};

/// Most watches with metrics of their own: each label value costs memory wherever metrics are stored.
const MAX_WATCHES: usize = 1_000;

/// The last pass that ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LastPass {
    /// When it ended.
    pub ended: Timestamp,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Everything that metrics are made from.
#[derive(Debug)]
pub struct Metrics<'a> {
    /// Logs, trust and watches.
    pub status: &'a Status,
    /// The last pass, if one has ended.
    pub last_pass: Option<LastPass>,
    /// What is open and held.
    pub findings: &'a WaitingFindings,
    /// The configured channels.
    pub channels: &'a [String],
    /// Their queues; a channel that never had an alert is absent.
    pub queues: &'a BTreeMap<String, ChannelQueue>,
    /// When each channel accepted an alert last.
    pub deliveries: &'a BTreeMap<String, Timestamp>,
    /// When the last heartbeat was accepted.
    pub heartbeat: Option<Timestamp>,
    /// The size of the database.
    pub size_bytes: Option<u64>,
}

impl Metrics<'_> {
    /// All of them, in the text format of Prometheus.
    pub fn text(&self) -> String {
        let mut to = Exposition::default();
        self.of_program(&mut to);
        self.of_logs(&mut to);
        self.of_findings(&mut to);
        self.of_channels(&mut to);
        self.of_trust(&mut to);
        self.of_watches(&mut to);
        to.family(
            "modelwatch_store_size_bytes",
            "Size of the database with its write-ahead log.",
        )
        .count_if(&[], self.size_bytes);
        to.into_text()
    }

    fn of_program(&self, to: &mut Exposition) {
        let contract = CONTRACT.to_string();
        let labels = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("contract", contract.as_str()),
        ];
        to.family(
            "modelwatch_build_info",
            "The version of the program and of its interfaces, as labels; the value is always 1.",
        )
        .count(&labels, 1);
        to.family(
            "modelwatch_last_pass_timestamp_seconds",
            "When the last pass ended, whether or not it could read all logs.",
        )
        .time_if(&[], self.last_pass.map(|pass| pass.ended));
        let mut duration = to.family(
            "modelwatch_last_pass_duration_seconds",
            "How long the last pass took.",
        );
        if let Some(pass) = self.last_pass {
            duration.seconds(&[], pass.seconds);
        }
        to.family(
            "modelwatch_heartbeat_last_success_timestamp_seconds",
            "When the last heartbeat was accepted.",
        )
        .time_if(&[], self.heartbeat);
    }

    fn of_logs(&self, to: &mut Exposition) {
        type Number = fn(&LogStatus) -> Option<u64>;
        let numbers: [(&str, &str, Number); 6] = [
            (
                "modelwatch_log_seen_size",
                "Entries below this index were read and compared with the watches.",
                |log| log.seen,
            ),
            (
                "modelwatch_log_proven_size",
                "Entries below this index are covered by a checkpoint whose root was computed from them.",
                |log| log.proven,
            ),
            (
                "modelwatch_log_head_size",
                "Size of the largest verified checkpoint.",
                |log| log.head,
            ),
            (
                "modelwatch_log_lag_entries",
                "Entries below the largest verified checkpoint that are not proven yet.",
                |log| Some(log.head?.saturating_sub(log.proven?)),
            ),
            (
                "modelwatch_log_frozen",
                "1 if the operator of the log has ended it.",
                |log| Some(u64::from(log.frozen)),
            ),
            (
                "modelwatch_log_lookups_due",
                "Names that are due to be looked up in the search index of a guided log.",
                |log| log.lookups.as_ref().map(|lookups| lookups.due),
            ),
        ];
        for (name, help, number) in numbers {
            let mut family = to.family(name, help);
            for log in &self.status.logs {
                family.count_if(&[("log", &log.name)], number(log));
            }
        }
        let mut family = to.family(
            "modelwatch_log_last_proven_timestamp_seconds",
            "When a pass over the log ended last that proved everything; 0 if none has.",
        );
        for log in &self.status.logs {
            let last = log.last_success.unwrap_or(Timestamp::UNIX_EPOCH);
            family.time(&[("log", &log.name)], last);
        }
        let mut family = to.family(
            "modelwatch_log_error",
            "1 for the kind of error with which the last pass over the log ended, 0 for the others.",
        );
        for log in &self.status.logs {
            for kind in PassErrorKind::ALL {
                let is_it = log.error.as_ref().is_some_and(|error| error.kind == kind);
                let labels = [("log", log.name.as_str()), ("kind", kind.as_str())];
                family.count(&labels, u64::from(is_it));
            }
        }
    }

    fn of_findings(&self, to: &mut Exposition) {
        let mut family = to.family(
            "modelwatch_findings_open",
            "Open and disputed findings, by severity and verdict.",
        );
        for severity in Severity::ALL {
            for verdict in Verdict::ALL {
                let count = self.findings.open.get(&(severity, verdict)).copied();
                let labels = [
                    ("severity", severity.as_str()),
                    ("verdict", verdict.as_str()),
                ];
                family.count(&labels, count.unwrap_or(0));
            }
        }
        to.family(
            "modelwatch_findings_held",
            "Signings in shape that wait for their registration and do not alert yet.",
        )
        .count(&[], self.findings.held);
    }

    fn of_channels(&self, to: &mut Exposition) {
        type Number = fn(&ChannelQueue) -> u64;
        let none = ChannelQueue::default();
        let numbers: [(&str, &str, Number); 3] = [
            (
                "modelwatch_alerts_pending",
                "Alerts that the channel has not accepted yet.",
                |queue| queue.pending,
            ),
            (
                "modelwatch_alerts_failed",
                "Alerts that the channel never accepted and that are not tried again.",
                |queue| queue.failed,
            ),
            (
                "modelwatch_alerts_delayed",
                "Pending alerts that were never attempted and are not due yet: on purpose, such as a daily digest.",
                |queue| queue.delayed,
            ),
        ];
        for (name, help, number) in numbers {
            let mut family = to.family(name, help);
            for channel in self.channels {
                let queue = self.queues.get(channel).unwrap_or(&none);
                family.count(&[("channel", channel)], number(queue));
            }
        }
        let mut family = to.family(
            "modelwatch_channel_last_success_timestamp_seconds",
            "When the channel accepted an alert last.",
        );
        for channel in self.channels {
            let last = self.deliveries.get(channel).copied();
            family.time_if(&[("channel", channel)], last);
        }
    }

    fn of_trust(&self, to: &mut Exposition) {
        let trust = self.status.trust.as_ref();
        to.family(
            "modelwatch_trust_expires_timestamp_seconds",
            "When the metadata of the trusted root expires.",
        )
        .time_if(&[], trust.and_then(|trust| trust.expires));
        to.family(
            "modelwatch_trust_refreshed_timestamp_seconds",
            "When the trusted root was verified last.",
        )
        .time_if(&[], trust.and_then(|trust| trust.refreshed));
    }

    fn of_watches(&self, to: &mut Exposition) {
        let watches = &self.status.watches;
        to.family("modelwatch_watches", "Configured watches.")
            .count(&[], watches.len() as u64);
        // The same for all watches: a pass over a log compares it with each of them. What a watch missed before is its gap.
        let logs = self.status.logs.iter();
        let least = logs.map(|log| log.last_success).min().flatten();
        let mut family = to.family(
            "modelwatch_watch_covered_until_timestamp_seconds",
            "Until then every log was read, proven and compared with the watch; its gaps are counted separately.",
        );
        for watch in watches.iter().take(MAX_WATCHES) {
            family.time_if(&[("watch", watch.name())], least);
        }
        let mut family = to.family(
            "modelwatch_watch_gap_entries",
            "Entries that were read and never compared with the watch.",
        );
        for watch in watches.iter().take(MAX_WATCHES) {
            family.count(&[("watch", watch.name())], watch.gap_entries());
        }
    }
}
