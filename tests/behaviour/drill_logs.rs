//! A drill over every kind of log: Rekor v1 with its trees, read in full and guided, and a certificate log of files.

use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use crate::binary::{on_the_day_of_the_recording, text};
use crate::world::{Anomaly, FakeV1, other_leaves};

const CT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/ct-small");

struct Site {
    directory: TempDir,
    v1: FakeV1,
}

impl Site {
    /// A log of two trees of 25 and 12 entries, and the recorded CT log.
    async fn new(more: &str) -> Self {
        let v1 = FakeV1::start().await;
        let directory = TempDir::new().unwrap();
        for (tree, id, count, file) in [(0, 101, 25, "old.pem"), (1, 202, 12, "new.pem")] {
            let key = STANDARD.encode(v1.rotate(id));
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n");
            std::fs::write(directory.path().join(file), pem).unwrap();
            v1.grow(tree, other_leaves(count));
        }
        let config = format!(
            r#"
[[log]]
name = "v1"
type = "rekor-v1"
url = {:?}
public_key = ["old.pem", "new.pem"]
start = "beginning"
{more}

[[log]]
name = "ct"
type = "ct-static"
url = "{CT}/static"
origin = "harbor-ct2.example"
public_key = "{CT}/static.pub.pem"

[[watch]]
name = "mail"
san = "release@acme.example"
"#,
            v1.url.as_str()
        );
        std::fs::write(directory.path().join("modelwatch.toml"), config).unwrap();
        Self { directory, v1 }
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modelwatch"));
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env_remove("MODELWATCH_CONFIG")
            .stdin(Stdio::null());
        on_the_day_of_the_recording(&mut command);
        // The log answers on this runtime.
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    }

    async fn drill(&self) -> (Option<i32>, Value) {
        let output = self.run(&["drill", "--json"]).await;
        let report = serde_json::from_slice(&output.stdout);
        let reported = text(&output.stderr);
        (
            output.status.code(),
            report.unwrap_or_else(|_| panic!("{reported}")),
        )
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_tree_of_a_log_and_a_certificate_log_are_tried() {
    let site = Site::new("").await;
    let (code, report) = site.drill().await;
    assert_eq!(code, Some(0), "{report:#}");
    let logs = report["logs"].as_array().unwrap();
    let of = |log: &Value| {
        (
            log["name"].as_str().unwrap().to_owned(),
            log["origin"].as_str().unwrap().to_owned(),
            log["head"].as_u64(),
        )
    };
    let all: Vec<_> = logs.iter().map(of).collect();
    let v1 = |tree, head| ("v1".to_owned(), site.v1.origin(tree), Some(head));
    let ct = ("ct".to_owned(), "harbor-ct2.example".to_owned(), Some(1978));
    // Counted over all trees.
    assert_eq!(all, [v1(0, 25), v1(1, 37), ct]);
    for log in logs {
        for check in ["entry", "swapped_leaf"] {
            assert_eq!(log[check]["result"], "ok", "{log:#}");
        }
        assert_eq!(log["history"]["result"], "skipped", "{log:#}");
        assert_eq!(log["from"], Value::Null, "{log:#}");
    }
    let second = logs[1]["entry"]["detail"].as_str().unwrap();
    assert!(second.contains("entries 35 to 36 were"), "{second}");

    let pass = site.run(&["monitor", "--once", "--bootstrap"]).await;
    let reported = text(&pass.stderr);
    assert_eq!(pass.status.code(), Some(0), "{reported}");
    let (code, report) = site.drill().await;
    assert_eq!(code, Some(0), "{report:#}");
    let positions: Vec<_> = report["logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|log| {
            assert_eq!(log["history"]["result"], "ok", "{log:#}");
            (log["from"].as_u64(), log["proven"].as_u64())
        })
        .collect();
    let at = |from, proven| (Some(from), Some(proven));
    assert_eq!(positions, [at(0, 25), at(25, 37), at(1978, 1978)]);
    let text = text(&site.run(&["drill"]).await.stdout);
    for part in [
        "ok    log v1, tree 202: ",
        "  - v1, tree 101 (rekor-v1, tail): entries 0 to 24, and what comes",
        "  - ct (ct-static, tail): what comes from entry 1978 on",
        "  - what was logged in ct before entry 1978, where reading began",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("what was logged in v1"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limits_of_a_guided_log_are_reported() {
    let site = Site::new("mode = \"guided\"\nguided_by = [\"ct\"]").await;
    let (code, report) = site.drill().await;
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["logs"][1]["mode"], "guided");
    assert_eq!(report["logs"][1]["guided_by"][0], "ct");
    assert_eq!(report["logs"][1]["swapped_leaf"]["result"], "ok");
    let cannot_see = report["cannot_see"].to_string();
    assert_eq!(cannot_see.matches("v1, which is guided").count(), 1);
    // Its index does not answer here; its position is recorded all the same.
    site.run(&["monitor", "--once", "--bootstrap"]).await;
    let text = text(&site.run(&["drill"]).await.stdout);
    let sees = "  - v1 (rekor-v1, guided by ct): every certificate in ct, and the entries from 0 on that its search index returns for their names\n";
    assert_eq!(text.matches(sees).count(), 1, "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_without_a_list_of_trees_gives_exit_code_3() {
    let site = Site::new("").await;
    site.v1.odd(Anomaly::Down);
    let (code, report) = site.drill().await;
    assert_eq!(code, Some(3), "{report:#}");
    let v1 = report["logs"].as_array().unwrap().iter();
    let v1: Vec<_> = v1.filter(|log| log["name"] == "v1").collect();
    assert_eq!(v1.len(), 1);
    assert_eq!(v1[0]["entry"]["result"], "unanswered", "{report:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_that_serves_another_entry_than_it_signed_is_1() {
    let site = Site::new("").await;
    site.v1.odd(Anomaly::Swaps(36));
    let (code, report) = site.drill().await;
    assert_eq!(code, Some(1), "{report:#}");
    assert_eq!(report["logs"][1]["entry"]["result"], "failed", "{report:#}");
}
