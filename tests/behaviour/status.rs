//! What `status` answers about logs that were never, or not lately, proven: `--max-age` is 3 for each of them.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::binary::{Site, text};
use crate::world::{FakeV1, Signer, other_leaves};

fn run(directory: &Path, arguments: &[&str]) -> Output {
    // The server of the log answers meanwhile.
    tokio::task::block_in_place(|| {
        Command::new(env!("CARGO_BIN_EXE_modelwatch"))
            .args(arguments)
            .current_dir(directory)
            .env_remove("MODELWATCH_CONFIG")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    })
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn pem(key: &[u8]) -> String {
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(key)
    )
}

/// A Rekor v1 log of one tree under a key that the configuration has.
async fn v1() -> (FakeV1, tempfile::TempDir) {
    let log = FakeV1::start().await;
    let key = log.rotate(101);
    log.grow(0, other_leaves(12));
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("key.pem"), pem(&key)).unwrap();
    let config = format!(
        "[[log]]\nname = \"v1\"\ntype = \"rekor-v1\"\nurl = \"{}\"\npublic_key = \"key.pem\"\nstart = \"beginning\"\n\
         [[watch]]\nname = \"mail\"\nsan = \"release@acme.example\"\n[[channel]]\nname = \"out\"\ntype = \"stdout\"\n",
        log.url
    );
    std::fs::write(directory.path().join("modelwatch.toml"), config).unwrap();
    (log, directory)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_as_healthy_as_its_newest_tree_also_if_that_was_never_verified() {
    let (log, directory) = v1().await;
    let directory = directory.path();
    let pass = run(directory, &["monitor", "--once"]);
    assert_eq!(pass.status.code(), Some(0), "{}", text(&pass.stderr));
    let status = run(directory, &["status", "--json", "--max-age", "2h"]);
    assert_eq!(status.status.code(), Some(0));
    let healthy = &json(&status)["logs"][0];
    assert_eq!(healthy["head"], 12);
    assert_eq!(healthy["proven"], 12);

    // The next tree is signed with an unknown key. The one before is proven to its end in each pass.
    log.rotate(202);
    log.grow(1, other_leaves(3));
    let pass = run(directory, &["monitor", "--once"]);
    assert_eq!(pass.status.code(), Some(3));
    assert!(
        text(&pass.stderr)
            .ends_with("RESULT={\"security\":0,\"health\":1,\"unread\":1,\"undelivered\":0}\n"),
        "{}",
        text(&pass.stderr)
    );
    let status = run(directory, &["status", "--json", "--max-age", "2h"]);
    assert_eq!(status.status.code(), Some(3));
    let blind = &json(&status)["logs"][0];
    assert_eq!(blind["frozen"], false);
    assert_eq!(blind["head"], Value::Null, "its end is unknown");
    assert_eq!(blind["proven"], 12);
    assert_eq!(blind["last_success"], Value::Null);
    assert_eq!(blind["error"]["kind"], "unverifiable-checkpoint");
    let trees = blind["trees"].as_array().unwrap();
    assert_eq!(trees.len(), 2);
    assert_eq!(trees[0]["frozen"], true);
    assert_eq!(trees[0]["proven"], 12);
    assert_eq!(trees[1]["origin"], log.origin(1));
    assert_eq!(trees[1]["seen"], Value::Null);
    let table = run(directory, &["status", "--max-age", "2h"]);
    assert_eq!(table.status.code(), Some(3));
    let table = text(&table.stdout);
    assert!(
        table.contains("never verified") && table.contains("never\n"),
        "{table}"
    );
    assert!(table.contains("or never: v1"), "{table}");
    assert!(!table.contains("ended by its operator"), "{table}");
    // As before without --max-age: a question that could be answered.
    assert_eq!(run(directory, &["status"]).status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_that_was_verified_and_is_no_more_grows_old_with_its_log() {
    let (log, directory) = v1().await;
    let second = log.rotate(202);
    log.grow(1, other_leaves(3));
    std::fs::write(directory.path().join("second.pem"), pem(&second)).unwrap();
    let config = directory.path().join("modelwatch.toml");
    let written = std::fs::read_to_string(&config).unwrap();
    let both = written.replace("\"key.pem\"", "[\"key.pem\", \"second.pem\"]");
    std::fs::write(&config, both).unwrap();
    let directory = directory.path();
    assert_eq!(
        run(directory, &["monitor", "--once"]).status.code(),
        Some(0)
    );
    let before = json(&run(directory, &["status", "--json"]));
    assert_eq!(before["logs"][0]["head"], 15);
    // Its key is withdrawn: later passes prove the old tree only.
    std::fs::write(&config, written).unwrap();
    assert_eq!(
        run(directory, &["monitor", "--once"]).status.code(),
        Some(3)
    );
    let after = json(&run(directory, &["status", "--json"]));
    let (before, after) = (&before["logs"][0], &after["logs"][0]);
    assert_eq!(
        after["trees"][1]["last_success"],
        before["trees"][1]["last_success"]
    );
    assert_ne!(
        after["trees"][0]["last_success"],
        before["trees"][0]["last_success"]
    );
    assert_eq!(after["last_success"], before["trees"][1]["last_success"]);
    assert_eq!(after["frozen"], false);
}

#[test]
fn a_log_that_is_configured_after_the_last_pass_is_shown_and_is_not_proven() {
    let site = Site::new();
    site.log.grow([Signer::UnknownIssuer.signs(0)]);
    assert_eq!(site.run(&["monitor", "--once"]).status.code(), Some(0));
    let max_age = ["status", "--max-age", "2h"];
    assert_eq!(site.run(&max_age).status.code(), Some(0));
    let config = site.path().join("modelwatch.toml");
    let written = std::fs::read_to_string(&config).unwrap();
    let more = "[[log]]\nname = \"new\"\ntype = \"rekor-v2\"\nurl = \"http://127.0.0.1:9\"\norigin = \"new.example\"\npublic_key = \"key.pem\"\n";
    std::fs::write(&config, written + more).unwrap();
    let status = site.run(&max_age);
    assert_eq!(status.status.code(), Some(3));
    let reported = text(&status.stdout);
    assert!(reported.contains("or never: new"), "{reported}");
    let row = reported
        .lines()
        .find(|line| line.starts_with("new "))
        .unwrap();
    assert!(row.ends_with("never"), "{reported}");
}

#[test]
fn a_database_in_which_no_log_was_read_proves_nothing() {
    let site = Site::new();
    // As `expect add` leaves it before the first pass.
    assert_eq!(site.run(&["check", "notify"]).status.code(), Some(0));
    let status = site.run(&["status", "--max-age", "2h"]);
    assert_eq!(status.status.code(), Some(3), "{}", text(&status.stderr));
    assert!(text(&status.stdout).contains("or never: main"));
}
