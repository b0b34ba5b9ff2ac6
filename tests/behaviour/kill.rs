//! The process is killed at every point of a catch-up: nothing is lost, no finding is doubled, and every due alert is
//! sent.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::binary::{Site, text};
use crate::world::{Signer, other_leaves};

/// What must be the same after every death: all but the times.
fn essence(findings: &[Value]) -> Vec<Value> {
    let mut findings = findings.to_vec();
    for finding in &mut findings {
        finding.as_object_mut().unwrap().remove("first_seen");
    }
    findings
}

/// Each finding that alerts was sent, under one id, any number of times.
fn check_alerts(site: &Site) {
    let mut alerts_of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for alert in site.alerts() {
        for finding in alert["findings"].as_array().unwrap() {
            let id = finding["id"].as_str().unwrap().to_owned();
            alerts_of
                .entry(id)
                .or_default()
                .insert(alert["id"].as_str().unwrap().to_owned());
        }
    }
    for finding in site.findings() {
        let sent = alerts_of.get(finding["id"].as_str().unwrap());
        assert_eq!(sent.map(BTreeSet::len), Some(1), "{finding}: {sent:?}");
    }
}

fn finish(site: &Site, expected: &[Value], what: &str) {
    let last = site.run(&["monitor", "--once"]);
    assert_eq!(
        last.status.code(),
        Some(1),
        "{what}: {}",
        text(&last.stderr)
    );
    let result = text(&last.stderr);
    assert!(
        result
            .trim_end()
            .ends_with(r#","health":0,"unread":0,"undelivered":0}"#),
        "{what}: {result}"
    );
    assert_eq!(essence(&site.findings()), expected, "{what}");
    check_alerts(site);
}

fn site(others: usize) -> Site {
    let site = Site::new();
    for salt in 0..4 {
        site.log.grow(Signer::ALL.map(|signer| signer.signs(salt)));
        site.log.grow(other_leaves(others));
    }
    site
}

fn undisturbed(others: usize) -> (Vec<Value>, u32) {
    let site = site(others);
    let run = site.run(&["monitor", "--once"]);
    assert_eq!(run.status.code(), Some(1), "{}", text(&run.stderr));
    let answers = site.answers();
    check_alerts(&site);
    let findings = essence(&site.findings());
    assert_eq!(
        findings.len(),
        16,
        "4 of the person's, 4 of the release's, its impostor's and its branch's"
    );
    (findings, answers)
}

#[test]
fn a_death_after_any_answer_of_the_log_loses_nothing() {
    let (expected, answers) = undisturbed(250);
    assert!((4..=12).contains(&answers), "{answers}");
    for k in 1..=answers {
        let site = site(250);
        assert!(site.killed_after(k), "it outlived answer {k}");
        finish(&site, &expected, &format!("after answer {k}"));
    }
}

#[test]
fn after_a_crash_reading_continues_behind_the_committed_batch() {
    // A batch is committed after 16 bundles: this process ends with one on the disk.
    let (expected, answers) = undisturbed(1200);
    assert!(answers > 18, "{answers}");
    let site = site(1200);
    assert!(site.killed_after(answers - 1));
    finish(&site, &expected, "behind a batch");
}

#[test]
fn death_after_death_at_every_answer_in_turn_still_ends() {
    let (expected, answers) = undisturbed(250);
    let site = site(250);
    for k in 1..answers {
        assert!(site.killed_after(k), "it outlived answer {k}");
    }
    finish(&site, &expected, "after many");
}

#[test]
fn a_crash_between_sending_and_recording_sends_again_under_the_same_id() {
    let (expected, _) = undisturbed(10);
    let site = site(10);
    // The first alert kills the process, which then has no record of sending it.
    site.alert_with(
        "cat >> alerts.jsonl\nif ! [ -e killed ]; then touch killed; kill -9 $PPID; fi",
    );
    let killed = site.run(&["monitor", "--once"]);
    assert_eq!(killed.status.code(), None, "{}", text(&killed.stderr));
    let sent = site.alerts();
    assert!(!sent.is_empty());
    finish(&site, &expected, "after a death in a delivery");
    for alert in &sent {
        let again = site
            .alerts()
            .iter()
            .filter(|other| other["id"] == alert["id"])
            .count();
        assert!(again >= 2, "it cannot know that {} arrived", alert["id"]);
    }
}
