//! A message as one line of JSON: the contract with programs.

use serde::Serialize;

use crate::escape;
use crate::finding::Finding;
use crate::notify::message::Message;
use crate::store::FindingCounts;

/// Limit for the findings of one line, in bytes. A finding with a leaf of the largest size takes 64 kB and more; every
/// receiver would refuse a thousand of those. Ordinary ones take 2 kB.
const FINDINGS_LIMIT_BYTES: usize = 4 * 1024 * 1024;

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<&'static str>,
    key: &'a str,
    severity: &'static str,
    summary: String,
    total: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tally: Vec<Row<'a>>,
    findings: &'a [Finding],
}

#[derive(Serialize)]
struct Row<'a> {
    watch: Option<&'a str>,
    verdict: &'static str,
    severity: &'static str,
    count: u64,
}

impl<'a> From<&'a FindingCounts> for Row<'a> {
    fn from(counts: &'a FindingCounts) -> Self {
        Self {
            watch: counts.watch.as_deref(),
            verdict: counts.verdict.as_str(),
            severity: counts.severity.as_str(),
            count: counts.count,
        }
    }
}

/// The message as one line, without its line end. The strings are unchanged, but written in ASCII: a program reads the
/// text of the log, and a terminal or an editor that displays the line is not affected.
pub(crate) fn json(message: &Message) -> String {
    let line = Line {
        id: &message.id,
        kind: message.word(),
        sample: message.is_test.then(|| message.kind.as_str()),
        key: &message.key,
        severity: message.severity.as_str(),
        summary: message.summary(),
        total: message.total,
        tally: message.counts.iter().map(Row::from).collect(),
        findings: fitting(&message.findings),
    };
    escape::json(&line).expect("maps have string keys, and writing to a String does not fail")
}

/// As many of the findings as fit, the most severe first, and at least one.
fn fitting(findings: &[Finding]) -> &[Finding] {
    let mut rest = FINDINGS_LIMIT_BYTES;
    let mut count = 0;
    for finding in findings {
        let length = serde_json::to_string(finding).map_or(usize::MAX, |json| json.len());
        match rest.checked_sub(length) {
            Some(left) => rest = left,
            None if count == 0 => {}
            None => break,
        }
        count += 1;
    }
    findings.get(..count).unwrap_or(findings)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;
    use crate::notify::testing::{self, HOSTILE};

    #[test]
    fn json_contains_the_text_of_the_log_in_one_printable_line() {
        for hostile in HOSTILE.iter().chain(&["Füße 🦅"]) {
            let finding = testing::hostile(hostile);
            let line = json(&testing::alert(vec![finding.clone()]));
            assert!(line.bytes().all(|b| (0x20..0x7f).contains(&b)), "{line}");
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(value["findings"][0]["san"][0]["value"], **hostile);
            assert_eq!(
                value["findings"][0],
                serde_json::to_value(&finding).unwrap()
            );
        }
    }

    #[test]
    fn a_line_has_the_fields_of_the_contract() {
        let line = json(&testing::alert(vec![testing::signing(138)]));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            keys,
            [
                "findings", "id", "key", "kind", "severity", "summary", "total"
            ]
        );
        assert_eq!(value["kind"], "alert");
        assert_eq!(value["severity"], "critical");
        assert_eq!(value["key"], value["id"]);
    }

    #[test]
    fn findings_of_enormous_leaves_do_not_make_an_enormous_line() {
        let findings: Vec<_> = (0..200)
            .map(|index| {
                let mut finding = testing::signing(index);
                finding.summary = "x".repeat(64 * 1024);
                finding
            })
            .collect();
        let line = json(&testing::alert(findings));
        assert!(
            line.len() < FINDINGS_LIMIT_BYTES + 100 * 1024,
            "{}",
            line.len()
        );
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["total"], 200);
        assert!(value["findings"].as_array().unwrap().len() > 50);
    }
}
