//! Both logs in full, from their directories: the findings, their content, the proven positions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::program::{Ended, Log, Program};
use crate::recording::{END, Truth, expected, origin, size, truth};
use crate::reported::{Finding, LogStatus, assert_found};

const LOGS: [&str; 2] = ["v2a", "v2b"];

/// What one pass over both logs gave. It is read by several tests and changed by none.
struct Pass {
    ended: Ended,
    findings: Vec<Finding>,
    status: Vec<LogStatus>,
}

static PASS: LazyLock<Pass> = LazyLock::new(|| {
    let program = Program::new(&LOGS.map(Log::recorded));
    Pass {
        ended: program.pass(),
        findings: program.findings(),
        status: LOGS.map(|log| program.status(log)).into(),
    }
});

/// The findings about entries, each with the entry that was sent to the log there.
fn with_truth() -> Vec<(&'static Finding, Truth)> {
    let mut truths: BTreeMap<_, _> = LOGS.map(|log| (log, truth(log))).into();
    let mut by_entry: BTreeMap<(&str, u64), Truth> = BTreeMap::new();
    for log in LOGS {
        let entries = truths.remove(log).unwrap().into_iter();
        by_entry.extend(entries.map(|entry| ((log, entry.index), entry)));
    }
    let found: Vec<_> = PASS.findings.iter().filter(|f| f.watch.is_some()).collect();
    assert!(!found.is_empty());
    // Several watches find the same entry.
    found
        .into_iter()
        .map(|finding| {
            let entry = (finding.log.as_deref().unwrap(), finding.index.unwrap());
            (finding, by_entry[&entry].clone())
        })
        .collect()
}

#[test]
fn every_watch_finds_exactly_its_entries() {
    assert_found("both logs", &PASS.findings, &LOGS, 0..END);
    PASS.ended.assert_code(1);
}

#[test]
fn everything_is_proven_in_one_pass() {
    for (log, status) in LOGS.into_iter().zip(&PASS.status) {
        let everything = Some(size(log));
        assert_eq!(status.proven, everything, "{status:?}");
        assert_eq!(status.seen, everything, "{status:?}");
        assert_eq!(status.head, everything, "{status:?}");
        assert!(status.error.is_none(), "{status:?}");
    }
    for finding in PASS.findings.iter().filter(|f| f.watch.is_some()) {
        assert_eq!(finding.proven, Some(true), "{finding:?}");
    }
}

#[test]
fn the_last_line_has_the_result_for_scripts() {
    let result = PASS.ended.result();
    assert!(result.security > 0, "{result:?}");
    assert_eq!(result.health, 0, "{result:?}");
    assert_eq!(PASS.ended.stderr.matches("RESULT=").count(), 1);
}

#[test]
fn each_finding_names_digest_signer_and_place() {
    for (finding, sent) in with_truth() {
        let Truth { index, label, .. } = &sent;
        let place = format!("{label} at {index}: {finding:#?}");
        let log = finding.log.as_deref().unwrap();
        assert_eq!(finding.origin, Some(origin(log)), "{place}");
        assert_eq!(finding.leaf_hash.as_ref(), Some(&sent.leaf_hash), "{place}");
        assert_eq!(finding.kind.as_ref(), Some(&sent.kind), "{place}");
        assert_eq!(
            finding.certificate_sha256, sent.certificate_sha256,
            "{place}"
        );
        assert_eq!(finding.issuer, sent.issuer, "{place}");
        if let Some(digest) = &sent.digest {
            let digest = format!("sha256:{digest}");
            assert_eq!(finding.digest.as_ref(), Some(&digest), "{place}");
        }
        if sent.spki_sha256.is_some() {
            assert_eq!(finding.key_sha256, sent.spki_sha256, "{place}");
        }
        if let Some(san) = &sent.san {
            assert!(finding.san.contains(san), "{place}");
        }
    }
}

#[test]
fn only_a_certificate_that_leads_to_no_authority_is_untrusted() {
    let mut met = BTreeSet::new();
    for (finding, sent) in with_truth() {
        let chain = match sent.chain.as_str() {
            "none" => "none",
            "self-signed" | "other-ca" => "untrusted",
            _ => "trusted",
        };
        let label = &sent.label;
        assert_eq!(
            finding.chain.as_deref(),
            Some(chain),
            "{label}: {finding:#?}"
        );
        met.insert(chain);
    }
    assert_eq!(met, BTreeSet::from(["none", "trusted", "untrusted"]));
}

#[test]
fn a_signing_out_of_shape_is_critical_unless_its_chain_is_untrusted() {
    let shaped: BTreeMap<_, _> = expected()["falcon-scope"]
        .iter()
        .flat_map(|(log, entries)| entries.iter().map(|e| ((log.clone(), e.index), e.in_shape)))
        .collect();
    let mut met = BTreeSet::new();
    for finding in &PASS.findings {
        let Some(watch) = &finding.watch else {
            continue;
        };
        if watch != "falcon-scope" {
            assert_eq!(finding.in_shape, None, "{finding:#?}");
            continue;
        }
        let entry = (finding.log.clone().unwrap(), finding.index.unwrap());
        assert_eq!(finding.in_shape, shaped[&entry], "{finding:#?}");
        match (finding.verdict.as_str(), finding.in_shape) {
            ("untrusted-chain", _) => assert_eq!(finding.severity, "low", "{finding:#?}"),
            (_, Some(false)) => assert_eq!(finding.severity, "critical", "{finding:#?}"),
            _ => {}
        }
        met.insert(finding.in_shape);
    }
    assert_eq!(met, BTreeSet::from([Some(false), Some(true)]));
}

#[test]
fn a_second_pass_finds_nothing_twice_and_ends_as_the_first() {
    let program = Program::new(&LOGS.map(Log::recorded));
    program.pass().assert_code(1);
    program.pass().assert_code(1);
    assert_found("the second pass", &program.findings(), &LOGS, 0..END);

    program.acknowledge_all();
    program.pass().assert_code(0);
    for finding in program.findings() {
        if finding.watch.is_some() {
            assert_eq!(finding.state, "acked", "{finding:#?}");
        }
    }
}

#[test]
fn a_pass_without_findings_is_clean() {
    let program = Program::with_an_ineffective_watch(&[Log::recorded("v2b")]);
    let ended = program.pass();
    ended.assert_code(0);
    let result = ended.result();
    assert_eq!((result.security, result.health), (0, 0));
    assert_eq!((result.unread, result.undelivered), (0, 0));
    assert!(program.findings().is_empty(), "{:#?}", program.findings());
}
