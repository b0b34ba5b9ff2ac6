//! Changes after an entry was read: its batch turns out false, a watch is added, a hold ends.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::folder::LogFolder;
use crate::program::{Log, Program};
use crate::recording::{END, expected, size, watch, watches};
use crate::reported::{Finding, assert_found};

#[test]
fn the_findings_of_a_false_batch_are_disputed_until_their_leaves_come_back() {
    let folder = LogFolder::new();
    folder.tamper("swapped-leaf");
    let program = Program::new(&[Log::recorded("v2b").in_folder(&folder.path())]);
    program.pass().assert_code(1);
    let watched = |program: &Program| -> Vec<Finding> {
        let findings = program.findings().into_iter();
        findings.filter(|f| f.watch.is_some()).collect()
    };
    let disputed = watched(&program);
    assert!(!disputed.is_empty());
    for finding in disputed {
        assert_eq!(finding.state, "disputed", "{finding:#?}");
        assert_ne!(finding.proven, Some(true), "{finding:#?}");
    }

    folder.publish("v2b");
    program.pass().assert_code(1);
    let honest = watched(&program);
    assert_found("honest again", &honest, &["v2b"], 0..END);
    for finding in honest {
        assert_eq!(finding.state, "open", "{finding:#?}");
        assert_eq!(finding.proven, Some(true), "{finding:#?}");
    }
}

#[test]
fn a_watch_that_is_added_leaves_a_gap_that_a_rescan_closes() {
    let program = Program::with_an_ineffective_watch(&[Log::recorded("v2b")]);
    program.pass().assert_code(0);
    program.configure(&watches(), "");

    let about_entries = |program: &Program| -> Vec<Finding> {
        let findings = program.findings().into_iter();
        findings.filter(|f| f.index.is_some()).collect()
    };
    let gap = program.pass();
    gap.assert_code(3);
    assert!(gap.stderr.contains("falcon-release"), "{}", gap.stderr);
    assert!(about_entries(&program).is_empty());

    program.run(&["rescan"]).assert_code(0);
    let found = about_entries(&program);
    assert_found("rescanned", &found, &["v2b"], 0..END);
    for finding in &found {
        assert_eq!(finding.proven, Some(true), "{finding:#?}");
    }
    let ended = program.pass();
    ended.assert_code(1);
    assert_eq!(ended.result().health, 0, "{}", ended.stderr);
    assert_eq!(program.status("v2b").proven, Some(size("v2b")));
}

/// The watch with a shape, which holds signings in shape for this long.
fn holding(time: &str) -> Value {
    let mut watch = watch("falcon-scope");
    watch["hold"] = time.into();
    watch
}

fn indexes(findings: &[Finding], state: &str) -> BTreeSet<u64> {
    let in_state = findings.iter().filter(|f| f.state == state);
    in_state.map(|f| f.index.unwrap()).collect()
}

#[test]
fn what_is_in_shape_is_held_and_opens_when_its_time_is_over() {
    let in_shape: BTreeSet<u64> = expected()["falcon-scope"]["v2b"]
        .iter()
        .filter(|entry| entry.in_shape == Some(true))
        .map(|entry| entry.index)
        .collect();
    assert!(!in_shape.is_empty());
    let program = Program::watching(&[Log::recorded("v2b")], &[holding("45m")]);
    program.pass().assert_code(1);
    // Held findings were not examined: to accept everything open must not accept them.
    program.acknowledge_all();
    assert_eq!(indexes(&program.findings(), "held"), in_shape);
    program.pass().assert_code(0);

    // The second counts from when they were seen, and passes while the program is run.
    program.configure(&[holding("1s")], "");
    let patience = Instant::now() + Duration::from_mins(1);
    let last = loop {
        let pass = program.pass();
        if indexes(&program.findings(), "held").is_empty() {
            break pass;
        }
        assert!(Instant::now() < patience, "held for ever: {}", pass.stderr);
    };
    last.assert_code(1);
    assert_eq!(indexes(&program.findings(), "open"), in_shape);
}
