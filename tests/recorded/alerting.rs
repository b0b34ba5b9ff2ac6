//! The alerts of a channel.

use std::collections::BTreeSet;
use std::fs;

use serde::Deserialize;

use crate::program::{Log, Program};
use crate::recording::watches;

/// One line on the standard input of a channel's program.
#[derive(Deserialize)]
struct Alert {
    findings: Vec<Alerted>,
}

#[derive(Deserialize)]
struct Alerted {
    id: String,
}

#[test]
fn each_alert_is_sent_once() {
    let program = Program::new(&[Log::recorded("v2b")]);
    let inbox = program.file("inbox");
    let channel = format!(
        "[[channel]]\nname = \"inbox\"\ntype = \"exec\"\ncommand = [\"sh\", \"-c\", \"cat >> '{}'\"]\n",
        inbox.display()
    );
    program.configure(&watches(), &channel);
    program.pass().assert_code(1);
    program.pass().assert_code(1);

    let sent: Vec<String> = fs::read_to_string(inbox)
        .unwrap()
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str::<Alert>(line).unwrap())
        .flat_map(|alert| alert.findings)
        .map(|finding| finding.id)
        .collect();
    let once: BTreeSet<&String> = sent.iter().collect();
    assert_eq!(once.len(), sent.len(), "something was alerted twice");

    let findings = program.findings();
    let alarms: Vec<_> = findings
        .iter()
        .filter(|finding| ["high", "critical"].contains(&finding.severity.as_str()))
        .collect();
    assert!(!alarms.is_empty());
    for alarm in alarms {
        assert!(once.contains(&alarm.id), "not alerted: {alarm:#?}");
    }
}
