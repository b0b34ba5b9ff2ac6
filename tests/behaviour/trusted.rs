//! Logs in the trusted root: found, followed, missing, ended; and a trusted root that is refused.

use std::process::{Command, Output, Stdio};

use jiff::{SignedDuration, Timestamp};
use modelwatch::finding::State;
use serde_json::Value;
use tempfile::TempDir;

use crate::binary::text;
use crate::tuf::Instance;
use crate::world::{World, one_of_many, other_leaves};

/// A configuration in its own directory that names no log, and an instance that does.
pub struct Site {
    pub directory: TempDir,
    pub instance: Instance,
}

impl Site {
    pub fn new(instance: Instance) -> Self {
        let site = Self {
            directory: TempDir::new().unwrap(),
            instance,
        };
        std::fs::write(
            site.directory.path().join("root.json"),
            site.instance.root(),
        )
        .unwrap();
        site.configure("");
        site
    }

    /// With `more`, TOML, in `[trust]` and after it.
    pub fn configure(&self, more: &str) {
        let config = format!(
            "[trust]\ntuf = {{ mirror = {:?}, root = \"root.json\" }}\n{more}\n[[watch]]\nname = \"mail\"\nsan = \"release@acme.example\"\n",
            self.instance.url("tuf")
        );
        std::fs::write(self.directory.path().join("modelwatch.toml"), config).unwrap();
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_modelwatch"))
            .args(arguments)
            .current_dir(self.directory.path())
            .env_remove("MODELWATCH_CONFIG")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    #[track_caller]
    pub fn pass(&self, code: i32) -> String {
        let output = self.run(&["monitor", "--once"]);
        let reported = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{reported}");
        reported
    }

    #[track_caller]
    pub fn bootstrap(&self) {
        let output = self.run(&["monitor", "--once", "--bootstrap"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }

    pub fn status(&self) -> Value {
        serde_json::from_slice(&self.run(&["status", "--json"]).stdout).unwrap()
    }

    /// Of each log its name, where it begins and how far it is proven.
    pub fn logs(&self) -> Vec<(String, Option<u64>, Option<u64>)> {
        let status = self.status();
        let logs = status["logs"].as_array().unwrap();
        logs.iter()
            .map(|log| {
                let name = log["name"].as_str().unwrap().to_owned();
                (name, log["first"].as_u64(), log["proven"].as_u64())
            })
            .collect()
    }

    /// The findings about health: verdict and state.
    pub fn health(&self) -> Vec<(String, String)> {
        let listed = self.run(&["findings", "list", "--json", "--all"]).stdout;
        let word = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
        text(&listed)
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|finding| finding["watch"].is_null())
            .map(|finding| (word(&finding, "verdict"), word(&finding, "state")))
            .collect()
    }

    /// As if no failure had requested an update.
    pub fn forget_what_was_asked(&self) {
        self.change_cache(|cache| {
            cache.as_object_mut().unwrap().remove("asked");
        });
    }

    /// As if the last update after a failure was long ago; its authorities are still recorded.
    pub fn forget_the_wait(&self) {
        self.change_cache(|cache| {
            cache["asked"]["last"] = Value::Null;
        });
    }

    fn change_cache(&self, change: impl FnOnce(&mut Value)) {
        let path = self.directory.path().join("modelwatch.tuf.json");
        let mut cache: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut cache);
        std::fs::write(&path, cache.to_string()).unwrap();
    }

    /// Makes the last answer of the repository older, so that the next pass updates.
    pub fn age_by(&self, hours: i64) {
        self.change_cache(|cache| {
            let at: Timestamp = cache["refreshed"].as_str().unwrap().parse().unwrap();
            cache["refreshed"] = (at - SignedDuration::from_hours(hours)).to_string().into();
        });
    }
}

pub fn named(log: &str, first: u64, proven: u64) -> (String, Option<u64>, Option<u64>) {
    (format!("127.0.0.1/{log}"), Some(first), Some(proven))
}

pub fn reported(verdict: &str, state: &str) -> (String, String) {
    (verdict.to_owned(), state.to_owned())
}

#[test]
fn a_log_that_trust_names_later_is_followed_from_its_first_entry() {
    let mut instance = Instance::new(&["one", "two"]);
    instance.log("one").grow(other_leaves(3));
    instance.log("two").grow(other_leaves(5));
    instance.publish(&["one"], &["one"]);
    let mut site = Site::new(instance);
    // No log is configured, and none has a position: a start at the end is never silent.
    assert!(site.pass(2).contains("127.0.0.1/one"));
    site.bootstrap();
    assert_eq!(site.logs(), [named("one", 3, 3)]);

    // Announced to signers, but without a key in the trusted root.
    site.instance.publish(&["one"], &["one", "two"]);
    site.pass(0);
    assert_eq!(site.logs().len(), 1, "the last answer is not old enough");
    site.age_by(7);
    site.pass(0);
    assert_eq!(site.health(), []);
    assert_eq!(site.logs().len(), 1);

    site.instance.publish(&["one", "two"], &["one", "two"]);
    site.age_by(7);
    site.pass(0);
    assert_eq!(site.logs(), [named("one", 3, 3), named("two", 0, 5)]);
    assert_eq!(site.health(), []);
}

#[test]
fn the_end_of_every_log_is_reported_until_another_one_is_named() {
    let mut instance = Instance::new(&["one", "two"]);
    instance.log("one").grow(other_leaves(3));
    instance.log("two").grow(other_leaves(2));
    instance.publish(&["one"], &[]);
    let mut site = Site::new(instance);
    site.bootstrap();
    site.instance.log("one").grow(other_leaves(2));
    site.instance.log("one").freeze();
    site.pass(3);
    assert_eq!(site.health(), [reported("log-ended", "open")]);
    assert_eq!(site.logs(), [named("one", 3, 5)], "read to its end");

    site.instance.publish(&["one", "two"], &[]);
    site.age_by(7);
    site.pass(0);
    assert_eq!(site.health(), [reported("log-ended", "resolved")]);
    assert_eq!(site.logs(), [named("one", 3, 5), named("two", 0, 2)]);
}

#[test]
fn a_rollback_of_a_repository_is_reported_and_the_last_valid_root_stays_in_use() {
    let mut instance = Instance::new(&["one", "two"]);
    instance.log("one").grow(other_leaves(3));
    instance.log("two").grow(other_leaves(2));
    instance.publish(&["one"], &[]);
    instance.publish(&["one", "two"], &[]);
    let mut site = Site::new(instance);
    site.bootstrap();
    site.instance.log("two").grow(other_leaves(4));
    site.instance.forget(2);
    site.instance.publish(&["one"], &[]);
    site.age_by(7);
    site.pass(3);
    assert_eq!(site.health(), [reported("trust-root-refused", "open")]);
    assert_eq!(site.logs(), [named("one", 3, 3), named("two", 2, 6)]);
    let check = site.run(&["check"]);
    assert_eq!(check.status.code(), Some(3));
    assert!(text(&check.stdout).contains("FAIL  trust: rolled back: "));

    site.instance.publish(&["one", "two"], &[]);
    site.instance.publish(&["one", "two"], &[]);
    site.pass(0);
    assert_eq!(site.health(), [reported("trust-root-refused", "resolved")]);
}

#[test]
fn a_trusted_root_without_updates_is_a_finding_after_a_week_and_not_before() {
    let mut instance = Instance::new(&["one"]);
    instance.log("one").grow(other_leaves(3));
    instance.publish(&["one"], &[]);
    let site = Site::new(instance);
    site.bootstrap();
    // No server listens there.
    let gone = format!("tuf = {{ mirror = {:?}", site.instance.url("gone"));
    let path = site.directory.path().join("modelwatch.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let there = format!("tuf = {{ mirror = {:?}", site.instance.url("tuf"));
    std::fs::write(&path, config.replace(&there, &gone)).unwrap();
    site.age_by(6 * 24);
    site.pass(0);
    assert_eq!(site.health(), []);
    site.age_by(24 + 1);
    site.pass(3);
    assert_eq!(site.health(), [reported("trust-root-stale", "open")]);
    assert_eq!(site.logs(), [named("one", 3, 3)]);

    std::fs::write(&path, config).unwrap();
    site.pass(0);
    assert_eq!(site.health(), [reported("trust-root-stale", "resolved")]);
}

#[test]
fn without_trust_nothing_is_read_and_reports_still_work() {
    let instance = Instance::new(&["one"]);
    let site = Site::new(instance);
    let reported = site.pass(3);
    assert!(
        reported.contains("there is no trusted root yet"),
        "{reported}"
    );
    assert!(!site.directory.path().join("modelwatch.db").exists());
    assert_eq!(site.run(&["check"]).status.code(), Some(3));
    // A daemon's database, whose cache was lost.
    let mut site = site;
    site.instance.publish(&["one"], &[]);
    site.instance.log("one").grow(other_leaves(1));
    site.bootstrap();
    std::fs::remove_file(site.directory.path().join("modelwatch.tuf.json")).unwrap();
    assert_eq!(site.run(&["findings", "list"]).status.code(), Some(0));
    let status = site.status();
    assert_eq!(status["trust"]["known"], false);
    assert!(status["logs"].as_array().unwrap().is_empty());
    let max_age = site.run(&["status", "--max-age", "2h"]);
    assert_eq!(max_age.status.code(), Some(3), "{}", text(&max_age.stdout));
}

#[test]
fn logs_that_wait_for_trust_are_shown_and_are_not_proven() {
    let mut instance = Instance::new(&["one"]);
    instance.publish(&["one"], &["one"]);
    let site = Site::new(instance);
    site.configure(
        "[[log]]\nname = \"mine\"\norigin = \"127.0.0.1/one\"\n[[log]]\nname = \"v1\"\ntype = \"rekor-v1\"\nurl = \"http://127.0.0.1:9\"\n",
    );
    // It makes a database without any log.
    site.run(&["findings", "ack", "--all", "--reason", "none"]);
    assert!(site.directory.path().join("modelwatch.db").exists());
    let status = site.run(&["status", "--max-age", "2h"]);
    assert_eq!(status.status.code(), Some(3));
    let reported = text(&status.stdout);
    for log in ["mine", "v1"] {
        let row = reported.lines().find(|line| line.starts_with(log)).unwrap();
        assert!(row.ends_with("never"), "{reported}");
    }
    assert!(
        reported.contains("there is no trusted root yet"),
        "{reported}"
    );
    assert!(
        reported.contains("or never: mine, v1, trust from"),
        "{reported}"
    );
    let logs = site.status()["logs"].as_array().unwrap().clone();
    assert_eq!(logs.len(), 2);
    assert_eq!(logs[0]["origin"], "127.0.0.1/one");
    assert_eq!(logs[1]["last_success"], Value::Null);
}

#[test]
fn check_and_drill_without_a_network_show_everything_else_and_which_servers_to_open() {
    const CONFIG: &str = r#"
[trust]
tuf = { mirror = "http://127.0.0.1:9/tuf", root = "root.json" }

[[log]]
name = "v1"
type = "rekor-v1"
url = "http://localhost:9/v1"
mode = "tail"

[[log]]
name = "own"
type = "rekor-v2"
url = "http://[::1]:9"
origin = "own.example"
public_key = "key.pem"

[[watch]]
name = "mail"
san = "release@acme.example"

[[channel]]
name = "file"
type = "exec"
command = ["sh", "-c", "cat >> alerts"]
"#;
    let site = Site::new(Instance::new(&["one"]));
    let key = include_str!("../data/ct-small/rfc6962.pub.pem");
    std::fs::write(site.directory.path().join("key.pem"), key).unwrap();
    std::fs::write(site.directory.path().join("modelwatch.toml"), CONFIG).unwrap();
    let check = site.run(&["check"]);
    let reported = text(&check.stdout);
    assert_eq!(check.status.code(), Some(3), "{reported}");
    for part in [
        "ok    configuration: ",
        "ok    channel file: ",
        "FAIL  trust: ",
        "ok    store",
        "FAIL  log own: ",
        "FAIL  log v1: not read, because there is no trusted root yet",
        "127.0.0.1:9, [::1]:9, localhost:9",
        "`modelwatch init --trusted-root FILE`",
    ] {
        assert!(reported.contains(part), "{part}\n{reported}");
    }

    let drill = site.run(&["drill"]);
    let reported = text(&drill.stdout);
    assert_eq!(drill.status.code(), Some(3), "{reported}");
    for part in [
        "there is no trusted root yet",
        "watch mail: selects ",
        "channel file",
        "signings in v1, as long as there is no trusted root",
        "127.0.0.1:9, [::1]:9, localhost:9",
        "\nNot passed: ",
    ] {
        assert!(reported.contains(part), "{part}\n{reported}");
    }
    let sent = std::fs::read_to_string(site.directory.path().join("alerts")).unwrap();
    assert!(sent.contains("[DRILL]"), "{sent}");
    let json = site.run(&["drill", "--json", "--no-channels"]);
    let report: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["passed"], false);
    assert!(report["network"].as_str().unwrap().contains("localhost:9"));
}

#[test]
fn the_configuration_can_change_the_address_of_a_log_or_ignore_it() {
    let mut instance = Instance::new(&["one", "two", "mirror"]);
    instance.log("one").grow(other_leaves(3));
    instance.log("two").grow(other_leaves(2));
    // `two` has moved: at its old address there is nothing.
    instance.publish(&["one", "two"], &["one", "two", "mirror"]);
    let site = Site::new(instance);
    let elsewhere = site.instance.url("one");
    site.configure(&format!(
        "ignore = [\"127.0.0.1/two\", {:?}]\n[[log]]\nname = \"mine\"\norigin = \"127.0.0.1/one\"\nurl = {elsewhere:?}\nstart = \"beginning\"\n",
        site.instance.url("mirror/")
    ));
    site.pass(0);
    assert_eq!(site.logs(), [("mine".to_owned(), Some(0), Some(3))]);
    assert_eq!(site.health(), []);
    let ignored: Vec<bool> = site.status()["trust"]["not_followed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|log| log["ignored"].as_bool().unwrap())
        .collect();
    assert_eq!(ignored, [true, true]);
}

#[test]
fn a_repository_that_is_refused_at_first_contact_is_reported_in_every_command() {
    let instance = Instance::new(&["one"]);
    let mut site = Site::new(instance);
    site.instance.log("one").grow(other_leaves(1));
    site.instance.publish(&["one"], &["one"]);
    site.configure("[[channel]]\nname = \"file\"\ntype = \"exec\"\ncommand = [\"sh\", \"-c\", \"cat >> alerts\"]\n");
    // Without signatures.
    let forged = std::fs::read(site.directory.path().join("root.json")).unwrap();
    let mut root: Value = serde_json::from_slice(&forged).unwrap();
    root["signatures"][0]["sig"] = "00".repeat(64).into();
    site.instance
        .serve("/tuf/2.root.json", root.to_string().as_bytes());
    let output = site.run(&["monitor", "--once", "--bootstrap"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("there is no trusted root yet"), "{stderr}");
    assert!(
        stderr.ends_with("RESULT={\"security\":0,\"health\":1,\"unread\":1,\"undelivered\":0}\n"),
        "{stderr}"
    );
    assert_eq!(site.health(), [reported("trust-root-refused", "open")]);
    let sent = std::fs::read_to_string(site.directory.path().join("alerts")).unwrap();
    assert!(sent.contains("nothing is read: forged"), "{sent}");
    // Reported once, and ended with the first valid one.
    assert_eq!(site.run(&["monitor", "--once"]).status.code(), Some(3));
    assert_eq!(site.health().len(), 1);
    site.instance.forget_file("/tuf/2.root.json");
    site.bootstrap();
    assert_eq!(site.health(), [reported("trust-root-refused", "resolved")]);
}

#[test]
fn the_use_of_the_cache_is_reported_at_each_start() {
    let mut instance = Instance::new(&["one"]);
    instance.log("one").grow(other_leaves(3));
    instance.publish(&["one"], &[]);
    let site = Site::new(instance);
    site.bootstrap();
    site.age_by(7);
    site.instance.forget_file("/tuf/timestamp.json");
    let stderr = site.pass(0);
    assert!(
        stderr.contains("stays in use: cannot be reached"),
        "{stderr}"
    );
    assert_eq!(stderr.matches("stays in use").count(), 1, "{stderr}");
    assert_eq!(site.health(), []);
    // An answer that is dated in the future would never be old.
    site.age_by(-30 * 24);
    assert!(site.pass(3).contains("stays in use"));
    assert_eq!(site.health(), [reported("trust-root-stale", "open")]);
}

#[test]
fn a_log_of_trust_takes_other_settings_without_its_url() {
    let mut instance = Instance::new(&["one", "two"]);
    instance.log("one").grow(other_leaves(3));
    instance.log("two").grow(other_leaves(2));
    instance.publish(&["one", "two"], &[]);
    let mut site = Site::new(instance);
    let log = |origin: &str| {
        format!(
            "[[log]]\nname = \"mine\"\norigin = \"127.0.0.1/{origin}\"\nstart = \"beginning\"\n"
        )
    };
    site.configure(&log("absent"));
    let stderr = site.pass(2);
    assert!(
        stderr.contains("log[mine]: it has no url, and trust names no Rekor v2 log of that origin"),
        "{stderr}"
    );
    site.configure(&log("one"));
    site.pass(0);
    assert_eq!(
        site.logs(),
        [("mine".to_owned(), Some(0), Some(3)), named("two", 0, 2)]
    );
    // A log that the trusted root no longer contains cannot be followed: the earlier trusted root stays in use.
    site.instance.publish(&["two"], &[]);
    site.age_by(7);
    let stderr = site.run(&["monitor", "--once"]);
    assert_eq!(stderr.status.code(), Some(2), "{}", text(&stderr.stderr));
}

#[test]
fn an_unfollowed_rekor_v1_log_is_reported_with_the_settings_that_follow_it() {
    let key = include_str!("../data/ct-small/rfc6962.pub.pem");
    let mut instance = Instance::new(&["one"]);
    instance.log("one").grow(other_leaves(3));
    let (v1, ct) = (instance.url("v1"), instance.url("ct"));
    instance.rekor_v1 = vec![Instance::keyed(&v1, key)];
    instance.ct = vec![Instance::keyed(&format!("{ct}/2026"), key)];
    instance.publish(&["one"], &["one"]);
    let site = Site::new(instance);
    let output = site.run(&["monitor", "--once", "--bootstrap"]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(site.health(), [reported("log-unfollowed", "open")]);
    let check = site.run(&["check"]);
    let stdout = text(&check.stdout);
    for part in [
        "FAIL  trust names a log that is not followed: 127.0.0.1/v1 (rekor-v1)",
        &format!("type = \"rekor-v1\" and url = \"{v1}/\""),
        &format!("mode = \"guided\" and by way of the CT logs {ct}/2026/"),
        "(`ignore` in [trust] if that is intended)",
        "note  not followed: 127.0.0.1/ct/2026 (certificate transparency)",
    ] {
        assert!(stdout.contains(part), "{part}\n{stdout}");
    }
    // So the monitoring has a gap there, and a drill reports it; ignored logs are only named.
    let drill = || {
        let output = site.run(&["drill", "--json", "--no-channels"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), report)
    };
    let (code, report) = drill();
    assert_eq!(code, Some(1), "{report:#}");
    assert_eq!(report["trust"]["result"], "failed");
    site.configure(&format!("ignore = [{v1:?}]\n"));
    let (code, report) = drill();
    assert_eq!(code, Some(0), "{report:#}");
    let cannot_see = report["cannot_see"].to_string();
    assert!(
        cannot_see.contains("127.0.0.1/v1 (rekor-v1), which [trust] ignores"),
        "{cannot_see}"
    );
    site.pass(0);
    assert_eq!(site.health(), [reported("log-unfollowed", "resolved")]);
    // Of a guided log only what certificates lead to is seen: now a CT log beside its guides matters.
    site.configure(&format!(
        "[[log]]\nname = \"v1\"\ntype = \"rekor-v1\"\nurl = {v1:?}\nmode = \"guided\"\nguided_by = [\"old\"]\n\
         [[log]]\nname = \"old\"\ntype = \"ct-rfc6962\"\nurl = \"{ct}/2022\"\npublic_key = \"key.pem\"\n",
    ));
    std::fs::write(site.directory.path().join("key.pem"), key).unwrap();
    let stdout = text(&site.run(&["check"]).stdout);
    assert!(
        stdout.contains("FAIL  trust names a log that is not followed: 127.0.0.1/ct/2026 (certificate transparency). A signing whose certificate"),
        "{stdout}"
    );
}

#[tokio::test]
async fn a_burst_under_an_unknown_authority_is_reported_once_until_it_is_known() {
    let mut world = World::new().await;
    world.trust(false);
    world.log().grow((0..9).map(one_of_many));
    world.good_step().await;
    assert!(world.of("trust-root-stale").await.is_empty());
    // The tenth name comes in another pass, by another process.
    world.restart().await;
    world.log().grow([one_of_many(9)]);
    world.good_step().await;
    world.log().grow((10..20).map(one_of_many));
    world.good_step().await;
    let [stale] = world.of("trust-root-stale").await.try_into().unwrap();
    assert_eq!(stale.state, State::Open);
    assert_eq!(world.delivered(stale.id).len(), 1);
    world.trust(true);
    world.good_step().await;
    let [stale] = world.of("trust-root-stale").await.try_into().unwrap();
    assert_eq!(stale.state, State::Resolved);
}
