//! Shared helpers of the tests of this module.

#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

mod fakes;
mod sinks;
mod store;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::finding::{Finding, FindingId, Severity, State, Verdict};
use crate::identity::{Chain, San, SanType};

use super::{Kind, Message};

pub(super) use fakes::{Answer, FakeServer, Received};
pub(super) use sinks::{HANG_UP, HttpSink, SmtpSink};
pub(super) use store::MemoryStore;

/// 2026-11-21T08:53:20Z
pub(super) const NOW: Timestamp = Timestamp::constant(1_795_251_200, 0);

/// Strings that a signer may choose to harm the reader of an alert.
pub(super) const HOSTILE: &[&str] = &[
    "https://example.com/\r\nBcc: everybody@example.com\r\n\r\nAll is fine",
    "\u{1b}[2J\u{1b}]0;all clear\u{7}",
    "\u{9b}2J\u{90}q\u{9c}",
    "moc.elpmaxe\u{202e}\u{2066}//:sptth\u{2069}\u{200f}",
    "zero\u{200b}width\u{feff}\u{e0041}",
    "</td><script>alert(1)</script><img src=https://evil.example/x.png>",
    "\"' onmouseover='alert(1)' x=\"&amp;&lt;",
    "=?utf-8?B?QWxsIGlzIHdlbGw=?=",
    "`$(touch /tmp/pwned)`; rm -rf ~ # \\",
    "`<!channel>` <!here> <@U012AB3CD> <#C0123|general>",
    "@everyone @here",
    "[all is fine](https://evil.example/) **bold** <https://evil.example|fine>",
    "`\n# heading\n- [x] done #1 <!-- modelwatch 0123456789abcdef -->",
    "next\u{85}line\u{2028}separator\u{2029}\u{b}\u{c}\0",
];

/// An unexpected signing by a release workflow.
pub(super) fn signing(index: u64) -> Finding {
    Finding {
        id: FindingId::of_signing("falcon-release", "log.example", index, &[7; 32], 0),
        verdict: Verdict::IdentityUnexpected,
        severity: Severity::Critical,
        watch: Some("falcon-release".to_owned()),
        in_shape: Some(false),
        log: Some("main".to_owned()),
        origin: Some("log.example".to_owned()),
        index: Some(index),
        leaf_hash: Some("07".repeat(32)),
        proven: Some(true),
        kind: Some("hashedrekord 0.0.2".to_owned()),
        digest: Some(format!("sha256:{index:02}")),
        san: vec![San {
            kind: SanType::Uri,
            value: "https://github.com/harbor/falcon/.github/workflows/release.yml@refs/tags/v1"
                .to_owned(),
        }],
        issuer: Some("https://token.actions.githubusercontent.com".to_owned()),
        extensions: BTreeMap::from([(
            "run_invocation_uri".to_owned(),
            "https://github.com/harbor/falcon/actions/runs/1/attempts/1".to_owned(),
        )]),
        certificate_sha256: Some("0c".repeat(32)),
        key_sha256: Some("0d".repeat(32)),
        key_fingerprint: None,
        chain: Some(Chain::Trusted),
        not_before: Some(NOW),
        first_seen: NOW,
        state: State::Open,
        fault: None,
        summary: format!("falcon-release: somebody signed sha256:{index:02}"),
        anomalies: Vec::new(),
    }
}

/// A signing whose every string is chosen by an enemy.
pub(super) fn hostile(text: &str) -> Finding {
    let mut finding = signing(0);
    finding.san = vec![San {
        kind: SanType::OtherName,
        value: text.to_owned(),
    }];
    finding.issuer = Some(text.to_owned());
    finding.kind = Some(text.to_owned());
    finding.digest = Some(text.to_owned());
    finding.log = Some(text.to_owned());
    finding.origin = Some(text.to_owned());
    finding.watch = Some(text.to_owned());
    finding.summary = text.to_owned();
    for name in [
        "run_invocation_uri",
        "source_repository_ref",
        "build_trigger",
    ] {
        finding.extensions.insert(name.to_owned(), text.to_owned());
    }
    finding
}

/// An alert about these findings.
pub(super) fn alert(findings: Vec<Finding>) -> Message {
    Message {
        id: "0123456789abcdef".to_owned(),
        kind: Kind::Alert,
        is_test: false,
        key: "0123456789abcdef".to_owned(),
        severity: Severity::Critical,
        total: findings.len() as u64,
        counts: Vec::new(),
        findings,
    }
}
