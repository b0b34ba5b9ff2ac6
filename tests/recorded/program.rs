//! The program with its own directory and configuration, run as by a script.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::recording::{self, recording, scratch, watches};
use crate::reported::{Counts, Finding, LogStatus};

/// Time limit of a command: nothing here takes a tenth of it, even on a slow machine.
const TIME_LIMIT: Duration = Duration::from_mins(2);

/// One `[[log]]` of the configuration.
#[derive(Clone)]
pub struct Log {
    name: String,
    url: String,
    start: Value,
}

impl Log {
    /// A recorded log, read in its folder from its first entry.
    pub fn recorded(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            url: file_url(&recording::published(name)),
            start: "beginning".into(),
        }
    }

    pub fn at(mut self, url: impl Into<String>) -> Self {
        self.url = url.into();
        self
    }

    pub fn in_folder(self, folder: &Path) -> Self {
        self.at(file_url(folder))
    }

    pub fn from(mut self, start: impl Into<Value>) -> Self {
        self.start = start.into();
        self
    }
}

fn file_url(folder: &Path) -> String {
    format!("file://{}", folder.display())
}

/// How a command ended.
pub struct Ended {
    /// Its exit code, -1 after a signal.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The numbers of open findings on the last line of stderr.
    pub fn result(&self) -> Counts {
        let last = self.stderr.lines().last().unwrap_or_default();
        let json = last.strip_prefix("RESULT=");
        let counts = json.and_then(|json| serde_json::from_str(json).ok());
        counts.unwrap_or_else(|| panic!("the last line is {last:?}"))
    }

    #[track_caller]
    pub fn assert_code(&self, code: i32) {
        assert_eq!(self.code, code, "{}", self.stderr);
    }
}

/// The program, its directory and its configuration.
pub struct Program {
    folder: TempDir,
    logs: Vec<Log>,
}

impl Program {
    /// Over these logs, with every watch of the recording.
    pub fn new(logs: &[Log]) -> Self {
        Self::watching(logs, &watches())
    }

    /// Over these logs, with these watches.
    pub fn watching(logs: &[Log], watches: &[Value]) -> Self {
        let program = Self {
            folder: scratch(),
            logs: logs.to_vec(),
        };
        program.configure(watches, "");
        program
    }

    /// Over these logs, with a watch that selects nothing.
    pub fn with_an_ineffective_watch(logs: &[Log]) -> Self {
        Self::watching(logs, &[recording::watch("nobody")])
    }

    /// Writes the configuration again, with these watches and with `more`, already TOML, at its end.
    pub fn configure(&self, watches: &[Value], more: &str) {
        let trust = json!({ "trusted_root": recording().join("trusted_root.json") });
        let mut text = section("[store]", &json!({ "url": "sqlite:modelwatch.db" }));
        text += &section("[trust]", &trust);
        for log in &self.logs {
            let settings = json!({
                "name": log.name,
                "type": "rekor-v2",
                "url": log.url,
                "origin": recording::origin(&log.name),
                "public_key": recording().join(format!("rekor-{}/key.pub.pem", log.name)),
                "start": log.start,
                "rollback_after": "0s",
            });
            text += &section("[[log]]", &settings);
        }
        for watch in watches {
            text += &section("[[watch]]", watch);
        }
        text += more;
        fs::write(self.file("modelwatch.toml"), text).unwrap();
    }

    /// A file in the program's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_modelwatch"));
        command
            .args(arguments)
            .arg("--config")
            .arg(self.file("modelwatch.toml"))
            .current_dir(self.folder.path())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let ended = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(async { tokio::time::timeout(TIME_LIMIT, command.output()).await });
        let output = ended
            .unwrap_or_else(|_| panic!("{arguments:?} did not end"))
            .unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// One pass over every log.
    #[track_caller]
    pub fn pass(&self) -> Ended {
        self.run(&["monitor", "--once"])
    }

    /// Every finding on record.
    #[track_caller]
    pub fn findings(&self) -> Vec<Finding> {
        let listed = self.run(&["findings", "list", "--json", "--all"]);
        listed.assert_code(0);
        let lines = listed.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }

    /// The faults on record, in the order of their findings.
    #[track_caller]
    pub fn faults(&self) -> Vec<String> {
        let faults = self.findings().into_iter();
        faults
            .filter(|finding| finding.verdict == "log-fault")
            .map(|finding| finding.fault.unwrap())
            .collect()
    }

    /// The state of one log.
    #[track_caller]
    pub fn status(&self, log: &str) -> LogStatus {
        #[derive(Deserialize)]
        struct Status {
            logs: Vec<LogStatus>,
        }
        let reported = self.run(&["status", "--json"]);
        reported.assert_code(0);
        let status: Status = serde_json::from_str(&reported.stdout).unwrap();
        let found = status.logs.into_iter().find(|status| status.name == log);
        found.unwrap_or_else(|| panic!("{log} is not in {}", reported.stdout))
    }

    /// Accepts every open finding.
    #[track_caller]
    pub fn acknowledge_all(&self) {
        self.run(&["findings", "ack", "--all", "--reason", "accepted in a test"])
            .assert_code(0);
    }
}

/// A table of the configuration with its heading.
pub fn section(heading: &str, settings: &Value) -> String {
    let settings = settings.as_object().unwrap().iter();
    let lines = settings.map(|(key, value)| format!("{key} = {}\n", toml(value)));
    format!("{heading}\n{}\n", lines.collect::<String>())
}

/// A value as TOML writes it. Strings are written as in JSON, which TOML reads the same.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(table) => {
            let pairs = table.iter().map(|(k, v)| format!("{k} = {}", toml(v)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            let items = items.iter().map(toml);
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        plain => plain.to_string(),
    }
}
