//! Bundles that the owner registered: exactly their signings are expected.

use std::fs;

use serde_json::Value;

use crate::program::{Log, Program};
use crate::recording::{END, hits_by, own_bundles};
use crate::reported::{assert_hits, hits};

const LOGS: [&str; 2] = ["v2a", "v2b"];

fn register_all(program: &Program) {
    let bundles = own_bundles();
    let mut arguments = vec!["expect", "add"];
    arguments.extend(bundles.iter().map(|bundle| bundle.to_str().unwrap()));
    program.run(&arguments).assert_code(0);

    let listed = program.run(&["expect", "list", "--json"]);
    listed.assert_code(0);
    assert_eq!(
        listed.stdout.lines().count(),
        bundles.len(),
        "{}",
        listed.stdout
    );
}

/// The registered signings are expected, similar ones are not.
#[track_caller]
fn assert_judged(program: &Program) {
    let findings = program.findings();
    let judged = hits_by(&LOGS, &(0..END), |entry| &entry.with_bundles);
    assert!(judged.iter().any(|hit| hit.verdict == "expected"));
    assert_hits("registered", &hits(&findings), &judged);
    for finding in findings.iter().filter(|f| f.verdict == "expected") {
        assert_eq!(finding.state, "resolved", "{finding:#?}");
        assert_eq!(finding.severity, "info", "{finding:#?}");
    }
}

#[test]
fn what_was_registered_before_it_is_seen_is_expected() {
    let program = Program::new(&LOGS.map(Log::recorded));
    register_all(&program);
    program.pass().assert_code(1);
    assert_judged(&program);
}

#[test]
fn what_is_registered_after_it_was_seen_becomes_expected() {
    let program = Program::new(&LOGS.map(Log::recorded));
    program.pass().assert_code(1);
    register_all(&program);
    program.pass().assert_code(1);
    assert_judged(&program);
}

#[test]
fn a_bundle_whose_signature_does_not_verify_is_refused() {
    let program = Program::new(&[Log::recorded("v2b")]);
    let bundle = fs::read(&own_bundles()[0]).unwrap();
    let mut bundle: Value = serde_json::from_slice(&bundle).unwrap();
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    // Still base64, of another payload.
    let other = if payload.as_bytes()[100] == b'A' {
        "B"
    } else {
        "A"
    };
    let payload = format!("{}{other}{}", &payload[..100], &payload[101..]);
    bundle["dsseEnvelope"]["payload"] = payload.into();
    let forged = program.file("forged.sig");
    fs::write(&forged, bundle.to_string()).unwrap();

    let refused = program.run(&["expect", "add", forged.to_str().unwrap()]);
    refused.assert_code(1);
    let reason = "the signature does not verify";
    assert!(refused.stderr.contains(reason), "{}", refused.stderr);
    let listed = program.run(&["expect", "list", "--json"]);
    assert_eq!(listed.stdout, "", "something was registered");
}
