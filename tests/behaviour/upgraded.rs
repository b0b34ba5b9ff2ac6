//! A database and a configuration of an earlier version (`tests/data/upgrade`): this version continues with both.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use crate::binary::{on_the_day_of_the_recording, text};

/// How many entries the log has now; the earlier version has read 161 of them.
const ENTRIES: u64 = 266;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modelwatch"));
    command
        .args(arguments)
        .current_dir(directory)
        .env_remove("MODELWATCH_CONFIG")
        .stdin(Stdio::null());
    // Two days after the earlier version has written: no stored time is ahead.
    on_the_day_of_the_recording(&mut command)
        .env("FAKETIME", "@2026-11-23 12:00:00")
        .output()
        .unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// The directory that the earlier version left; the log has grown since then.
fn left() -> TempDir {
    let directory = TempDir::new().unwrap();
    // The keys of the log, which are the same.
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/demo");
    for file in ["key.pub.pem", "trusted_root.json"] {
        fs::copy(demo.join(file), directory.path().join(file)).unwrap();
    }
    copy(&data("v2-small"), &directory.path().join("log"));
    fs::copy(
        data("upgrade/modelwatch.toml"),
        directory.path().join("modelwatch.toml"),
    )
    .unwrap();
    let database = Command::new("xz")
        .args(["--decompress", "--stdout"])
        .arg(data("upgrade/modelwatch.db.xz"))
        .output()
        .expect("xz is installed");
    assert!(database.status.success(), "{}", text(&database.stderr));
    let path = directory.path().join("modelwatch.db");
    fs::write(&path, database.stdout).unwrap();
    // For its owner alone, as the program creates it.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    directory
}

/// Index, verdict and state of each finding, and its id.
fn findings(directory: &Path) -> Vec<(u64, String, String, String)> {
    let listed = run(directory, &["findings", "list", "--json", "--all"]);
    assert_eq!(listed.status.code(), Some(0), "{}", text(&listed.stderr));
    let mut found: Vec<_> = text(&listed.stdout)
        .lines()
        .map(|line| {
            let finding: Value = serde_json::from_str(line).unwrap();
            let field = |name: &str| finding[name].as_str().unwrap().to_owned();
            let index = finding["index"].as_u64().unwrap();
            (index, field("verdict"), field("state"), field("id"))
        })
        .collect();
    found.sort();
    found
}

/// A directory beside it, whose database is new.
fn new(directory: &Path) -> PathBuf {
    let new = directory.join("new");
    copy(&directory.join("log"), &new.join("log"));
    for file in ["key.pub.pem", "trusted_root.json", "modelwatch.toml"] {
        fs::copy(directory.join(file), new.join(file)).unwrap();
    }
    let pass = run(&new, &["monitor", "--once"]);
    assert_eq!(pass.status.code(), Some(1), "{}", text(&pass.stderr));
    new
}

async fn raise(directory: &Path) {
    let mut database = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(directory.join("modelwatch.db"))
        .connect()
        .await
        .unwrap();
    sqlx::query("UPDATE memory SET value = '78.0.1' WHERE key = 'oldest version'")
        .execute(&mut database)
        .await
        .unwrap();
    database.close().await.unwrap();
}

#[tokio::test]
async fn a_directory_of_an_earlier_version_continues_and_a_downgrade_names_the_version_to_use() {
    let directory = left();
    let directory = directory.path();
    // Commands that only read do not migrate it.
    let refused = run(directory, &["status"]);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stderr));
    assert!(
        text(&refused.stderr).contains("the next `modelwatch monitor` migrates it"),
        "{}",
        text(&refused.stderr)
    );
    let pass = run(directory, &["monitor", "--once"]);
    assert_eq!(pass.status.code(), Some(1), "{}", text(&pass.stderr));
    assert!(
        text(&pass.stderr).contains(r#""health":0,"unread":0,"undelivered":0}"#),
        "{}",
        text(&pass.stderr)
    );

    // What it had found has the same id, verdict and state.
    let found = findings(directory);
    let summary: Vec<(u64, &str, &str, &str)> = found
        .iter()
        .map(|(index, verdict, state, id)| (*index, verdict.as_str(), state.as_str(), &id[..8]))
        .collect();
    let unexpected = "identity-unexpected";
    assert_eq!(
        summary,
        [
            (134, unexpected, "open", "a3c21e2f"),
            (135, unexpected, "open", "532a8cc2"),
            (136, unexpected, "acked", "2ecde003"),
            (137, unexpected, "open", "ac380f69"),
            (138, unexpected, "open", "79552e97"),
            (139, unexpected, "open", "4451aa88"),
            (140, "untrusted-chain", "open", "8f36e0ae"),
            (143, unexpected, "open", "47168de7"),
            (149, unexpected, "open", "2ac3a170"),
            (150, unexpected, "open", "95edae84"),
            (152, unexpected, "open", "0814a50e"),
            (153, unexpected, "open", "d42af5d7"),
            (154, unexpected, "open", "bff30016"),
            (157, "expected", "resolved", "ced1feb1"),
            (158, unexpected, "open", "1eb9d4eb"),
        ]
    );
    // The rest of the log is proven with the stored frontier. A new database, which reads the whole log, has the same findings.
    let status = run(directory, &["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["logs"][0]["proven"], ENTRIES, "{status}");
    let listed = run(directory, &["expect", "list", "--json"]);
    assert!(text(&listed.stdout).contains("falcon-7b.model.sig"));
    let ids = |found: &[(u64, String, String, String)]| -> Vec<(u64, String)> {
        found
            .iter()
            .map(|(index, _, _, id)| (*index, id.clone()))
            .collect()
    };
    assert_eq!(ids(&findings(&new(directory))), ids(&found));

    raise(directory).await;
    for command in [
        &["monitor", "--once"][..],
        &["status"],
        &["findings", "list"],
    ] {
        let refused = run(directory, command);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(3), "{command:?}: {said}");
        assert!(
            said.contains("use modelwatch 78.0.1 or newer"),
            "{command:?}: {said}"
        );
    }
}
