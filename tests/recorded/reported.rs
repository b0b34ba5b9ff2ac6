//! The output of the program for scripts, and its comparison with the expected output.

use std::ops::Range;

use serde::Deserialize;

use crate::recording::{self, Hit, San};

/// How many findings are open that make exit code 1, and 3.
#[derive(Debug, Deserialize)]
pub struct Counts {
    pub security: u64,
    pub health: u64,
    pub unread: u64,
    pub undelivered: u64,
}

/// A line of `findings list --json`, as far as it is judged here.
#[derive(Clone, Debug, Deserialize)]
pub struct Finding {
    pub id: String,
    pub verdict: String,
    pub severity: String,
    pub watch: Option<String>,
    pub in_shape: Option<bool>,
    pub log: Option<String>,
    pub origin: Option<String>,
    pub index: Option<u64>,
    pub leaf_hash: Option<String>,
    pub proven: Option<bool>,
    pub kind: Option<String>,
    pub digest: Option<String>,
    #[serde(default)]
    pub san: Vec<San>,
    pub issuer: Option<String>,
    pub certificate_sha256: Option<String>,
    pub key_sha256: Option<String>,
    pub chain: Option<String>,
    pub state: String,
    pub fault: Option<String>,
}

/// A log in `status --json`.
#[derive(Debug, Deserialize)]
pub struct LogStatus {
    pub name: String,
    pub seen: Option<u64>,
    pub proven: Option<u64>,
    pub head: Option<u64>,
    pub frozen: bool,
    pub error: Option<PassError>,
}

impl LogStatus {
    pub fn error_kind(&self) -> Option<&str> {
        self.error.as_ref().map(|error| error.kind.as_str())
    }
}

/// Why the last pass over a log could not finish.
#[derive(Debug, Deserialize)]
pub struct PassError {
    pub kind: String,
}

/// The findings of the watches, in the order of the recording.
pub fn hits(findings: &[Finding]) -> Vec<Hit> {
    let mut hits: Vec<_> = findings
        .iter()
        .filter_map(|finding| {
            Some(Hit {
                watch: finding.watch.clone()?,
                log: finding.log.clone().unwrap(),
                index: finding.index.unwrap(),
                verdict: finding.verdict.clone(),
            })
        })
        .collect();
    hits.sort();
    hits
}

/// These hits and no others, each once.
#[track_caller]
pub fn assert_hits(when: &str, got: &[Hit], expected: &[Hit]) {
    let missing: Vec<_> = expected.iter().filter(|hit| !got.contains(hit)).collect();
    let unwanted: Vec<_> = got.iter().filter(|hit| !expected.contains(hit)).collect();
    let twice: Vec<_> = got.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(
        got == expected,
        "{when}: missing {missing:#?}, unwanted {unwanted:#?}, twice {twice:#?}"
    );
}

/// The expected findings in these logs between these indexes, and nothing else.
#[track_caller]
pub fn assert_found(when: &str, findings: &[Finding], logs: &[&str], range: Range<u64>) {
    assert_hits(when, &hits(findings), &recording::hits(logs, &range));
}
