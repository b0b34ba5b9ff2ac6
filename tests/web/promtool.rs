//! Prometheus' own tool: it checks metrics and evaluates the rules over series.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// Minutes between two samples and two evaluations.
const MINUTE: f64 = 60.0;

/// The program, or `None` where it may be absent: `tests/run` installs it, and then its absence is a failure.
pub fn promtool() -> Option<Command> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join("promtool").is_file());
    let is_required = std::env::var_os("MODELWATCH_REQUIRE_PROMTOOL").is_some();
    assert!(
        found || !is_required,
        "promtool is not on the PATH: tests/run unpacks it from the package prometheus"
    );
    if !found {
        eprintln!("promtool is not installed: nothing was evaluated");
    }
    found.then(|| Command::new("promtool"))
}

/// Runs it with this input.
pub fn with_input(mut command: Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that has seen enough closes its input.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

pub fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/rules.yaml")
}

/// Series of metrics, one sample a minute, beginning at minute 0.
#[derive(Default, Clone)]
pub struct Series {
    samples: BTreeMap<String, Vec<Option<f64>>>,
    minutes: usize,
}

impl Series {
    /// One scrape of what a pass left at `scraped`, seconds since 1970: times are counted from the minute of the sample.
    pub fn scrape(&mut self, text: &str, scraped: f64) {
        let minute = f64::from(u32::try_from(self.minutes).unwrap()) * MINUTE;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let value: f64 = value.parse().unwrap();
            let is_time = name
                .split('{')
                .next()
                .unwrap()
                .ends_with("_timestamp_seconds");
            // 0 is no time: it means never.
            let value = if is_time && value != 0.0 {
                value - scraped + minute
            } else {
                value
            };
            let minutes = self.minutes;
            let samples = self.samples.entry(name.to_owned()).or_default();
            samples.resize(minutes, None);
            samples.push(Some(value));
        }
        self.minutes += 1;
    }

    /// The monitor continues for some minutes, and each pass finds the same.
    pub fn repeat(&mut self, text: &str, scraped: f64, minutes: usize) {
        for _ in 0..minutes {
            self.scrape(text, scraped);
        }
    }

    /// The metrics are scraped for some minutes, and do not change: the monitor has stopped.
    pub fn freeze(&mut self, minutes: usize) {
        for samples in self.samples.values_mut() {
            samples.resize(self.minutes, None);
            let last = *samples.last().unwrap();
            samples.resize(self.minutes + minutes, last);
        }
        self.minutes += minutes;
    }

    /// The number of samples so far: the minute after the last one.
    pub fn minutes(&self) -> usize {
        self.minutes
    }

    fn written(&self) -> Vec<Value> {
        let of_one = |(name, samples): (&String, &Vec<Option<f64>>)| {
            let values: Vec<String> = samples
                .iter()
                .map(|sample| sample.map_or("_".to_owned(), |value| value.to_string()))
                .collect();
            json!({ "series": name, "values": values.join(" ") })
        };
        self.samples.iter().map(of_one).collect()
    }
}

/// What is expected to fire over some series, at a minute.
pub struct Expectation {
    pub name: String,
    pub series: Series,
    pub at: usize,
    pub firing: Vec<String>,
}

/// Evaluates the rules over the series of all of these. Exactly the expected alerts fire, and no other.
pub fn assert_firing(mut promtool: Command, expectations: &[Expectation]) {
    let tests: Vec<Value> = expectations
        .iter()
        .map(|expected| {
            let samples: Vec<Value> = expected
                .firing
                .iter()
                .map(|name| json!({ "labels": format!("{{alertname=\"{name}\"}}"), "value": 1 }))
                .collect();
            json!({
                "name": expected.name,
                "interval": "1m",
                "input_series": expected.series.written(),
                "promql_expr_test": [{
                    "expr": "count by (alertname) (ALERTS{alertstate=\"firing\"}) > bool 0",
                    "eval_time": format!("{}m", expected.at),
                    "exp_samples": samples,
                }],
            })
        })
        .collect();
    let file = json!({ "rule_files": [rules()], "evaluation_interval": "1m", "tests": tests });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.yaml");
    // JSON is YAML.
    fs::write(&path, file.to_string()).unwrap();
    let output = promtool
        .args(["test", "rules"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
