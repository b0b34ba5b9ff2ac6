//! A drill shows whether the monitoring works, and changes nothing.

use serde_json::Value;

use crate::binary::{Site, text};
use crate::world::{Signer, other_leaves};

use modelwatch::finding::Routes;
use modelwatch::store::Settings;
use modelwatch::store::sqlite::SqliteStore;

fn site() -> Site {
    let site = Site::new();
    site.log.grow(other_leaves(40));
    site.log.grow([Signer::Mail.signs(1)]);
    site
}

/// Runs it; answers its exit code and its report.
fn drill(site: &Site, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = site.run(&[&["drill", "--json"], arguments].concat());
    let report = serde_json::from_slice(&output.stdout);
    let reported = text(&output.stderr);
    (
        output.status.code(),
        report.unwrap_or_else(|_| panic!("{reported}")),
    )
}

fn configure(site: &Site, from: &str, to: &str) {
    let path = site.path().join("modelwatch.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    assert!(config.contains(from), "{config}");
    std::fs::write(path, config.replacen(from, to, 1)).unwrap();
}

fn database(site: &Site) -> Vec<u8> {
    std::fs::read(site.path().join("watch/modelwatch.db")).unwrap()
}

#[test]
fn a_drill_beside_a_running_monitor_passes_alerts_every_channel_and_changes_nothing() {
    let site = site();
    assert_eq!(site.run(&["monitor", "--once"]).status.code(), Some(1));
    let sent = site.alerts().len();
    let before = (
        database(&site),
        site.findings(),
        text(&site.run(&["status", "--json"]).stdout),
    );
    let settings = Settings {
        path: site.path().join("watch/modelwatch.db"),
        routes: Routes::default(),
    };
    // A running daemon holds this lock.
    let lock = SqliteStore::lock(&settings).unwrap();
    let (code, report) = drill(&site, &[]);
    drop(lock);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["passed"], true);
    for check in ["entry", "history", "swapped_leaf"] {
        assert_eq!(report["logs"][0][check]["result"], "ok", "{report:#}");
    }
    assert_eq!(report["outage"]["result"], "ok", "{report:#}");
    for watch in report["watches"].as_array().unwrap() {
        assert_eq!(watch["result"], "ok", "{report:#}");
        assert!(watch["selected"].as_u64() > Some(0) && watch["rejected"].as_u64() > Some(0));
    }
    let alerts = site.alerts();
    let [drill] = &alerts[sent..] else {
        panic!("one message: {alerts:?}")
    };
    assert!(
        drill["summary"].as_str().unwrap().starts_with("[DRILL] "),
        "{drill}"
    );
    let after = (
        database(&site),
        site.findings(),
        text(&site.run(&["status", "--json"]).stdout),
    );
    assert!(before == after, "the database or its content has changed");
}

#[test]
fn alerts_in_the_real_outbox_are_not_sent_by_a_drill() {
    let site = site();
    site.alert_with("exit 1");
    assert_eq!(site.run(&["monitor", "--once"]).status.code(), Some(1));
    site.alert_with("cat >> alerts.jsonl");
    assert_eq!(drill(&site, &[]).0, Some(0));
    let alerts = site.alerts();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert!(
        alerts[0]["summary"]
            .as_str()
            .unwrap()
            .starts_with("[DRILL]")
    );
}

#[test]
fn a_channel_that_fails_is_reported_and_not_on_the_others() {
    let site = site();
    configure(
        &site,
        "[[channel]]",
        "[[channel]]\nname = \"dead\"\ntype = \"exec\"\ncommand = [\"false\"]\n\n[[channel]]",
    );
    let (code, report) = drill(&site, &[]);
    assert_eq!(code, Some(1), "{report:#}");
    let result = |report: &Value, place: usize| report["channels"][place]["result"].clone();
    assert_eq!(
        (result(&report, 0), result(&report, 1)),
        ("failed".into(), "ok".into())
    );
    assert_eq!(site.alerts().len(), 1, "only the drill");
    // Only where requested.
    let (code, report) = drill(&site, &["--channel", "file"]);
    assert_eq!((code, result(&report, 0)), (Some(0), "skipped".into()));
    let (code, _) = drill(&site, &["--no-channels"]);
    assert_eq!((code, site.alerts().len()), (Some(0), 2));
}

/// The configuration up to its only channel.
fn without_channels(site: &Site) -> String {
    let path = site.path().join("modelwatch.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let (before, _) = config.split_once("[[channel]]").unwrap();
    std::fs::write(path, before).unwrap();
    before.to_owned()
}

#[test]
fn without_a_channel_the_last_line_reports_that_no_alert_is_sent() {
    let site = site();
    without_channels(&site);
    for arguments in [&["drill"][..], &["drill", "--no-channels"]] {
        let output = site.run(arguments);
        let reported = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{reported}");
        assert!(!reported.contains("Passed."), "{reported}");
        let last = reported.lines().last().unwrap();
        assert!(last.starts_with("There is no [[channel]]"), "{reported}");
        assert!(reported.contains("no alert is sent"), "{reported}");
    }
    let output = site.run(&["check"]);
    let reported = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{reported}");
    let last = reported.lines().last().unwrap();
    assert!(last.contains("no alert is sent"), "{reported}");
}

#[test]
fn a_channel_that_cannot_work_here_is_2_in_a_check_and_named_with_its_key() {
    let site = site();
    let before = without_channels(&site);
    std::fs::write(site.path().join("empty"), " \n").unwrap();
    std::fs::write(site.path().join("plain"), "#!/bin/sh\n").unwrap();
    let plain = site.path().join("plain");
    for (settings, key) in [
        (
            "type = \"email\"\nfrom = \"a@b.example\"\nto = \"c@d.example\"\nsmtp = \"smtps://mail.example:465\"\nuser = \"u\"\npassword_env = \"MODELWATCH_NO_SUCH_VARIABLE\"".to_owned(),
            "password_env",
        ),
        (
            "type = \"email\"\nfrom = \"a@b.example\"\nto = \"c@d.example\"\nsmtp = \"smtps://mail.example:465\"\nuser = \"u\"\npassword_file = \"empty\"".to_owned(),
            "password_file",
        ),
        (
            "type = \"webhook\"\nurl_env = \"MODELWATCH_EMPTY_VARIABLE\"\nsecret_file = \"absent\"".to_owned(),
            "url_env",
        ),
        (
            "type = \"webhook\"\nurl = \"https://hooks.example\"\nsecret_file = \"absent\"".to_owned(),
            "secret_file",
        ),
        (
            "type = \"exec\"\ncommand = [\"no-such-program-anywhere\"]".to_owned(),
            "command",
        ),
        (
            format!("type = \"exec\"\ncommand = [{:?}]", plain.to_str().unwrap()),
            "command",
        ),
    ] {
        let config = format!("{before}\n[[channel]]\nname = \"oncall\"\n{settings}\n");
        std::fs::write(site.path().join("modelwatch.toml"), config).unwrap();
        for command in [&["check"][..], &["check", "notify"]] {
            let mut command = site.command(command);
            let output = command.env("MODELWATCH_EMPTY_VARIABLE", "").output().unwrap();
            let reported = text(&output.stdout);
            assert_eq!(output.status.code(), Some(2), "{settings}: {reported}");
            let line = reported.lines().find(|line| line.starts_with("FAIL")).unwrap();
            assert!(
                line.contains("oncall: ") && line.contains(&format!(" {key}: ")),
                "{line}"
            );
        }
    }
    let config = format!("{before}\n[heartbeat]\nurl_file = \"absent\"\nevery = \"1h\"\n");
    std::fs::write(site.path().join("modelwatch.toml"), config).unwrap();
    let output = site.run(&["check"]);
    assert_eq!(output.status.code(), Some(2));
    let reported = text(&output.stdout);
    assert!(
        reported.contains("FAIL  heartbeat: url_file: "),
        "{reported}"
    );
}

#[test]
fn a_drill_reaches_a_channel_that_selects_other_findings_and_has_quiet_hours() {
    let site = site();
    configure(
        &site,
        "type = \"exec\"\n",
        "type = \"exec\"\nquiet_hours = { from = \"00:00\", to = \"23:59\", except = \"critical\" }\n",
    );
    // Leaves an alert that waits for the end of the quiet hours.
    site.run(&["monitor", "--once"]);
    configure(
        &site,
        "type = \"exec\"\n",
        "type = \"exec\"\nverdicts = [\"log-fault\"]\nmin_severity = \"high\"\n",
    );
    let (code, report) = drill(&site, &[]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["passed"], true);
}

#[test]
fn an_unreachable_log_is_3_and_one_with_another_key_is_1() {
    let site = site();
    let good = std::fs::read_to_string(site.path().join("modelwatch.toml")).unwrap();
    let at = good.find("url = \"http://").unwrap();
    let url = good[at..].lines().next().unwrap();
    // No server listens on the port of "discard" here.
    configure(&site, url, "url = \"http://127.0.0.1:9\"");
    let (code, report) = drill(&site, &["--no-channels"]);
    assert_eq!(code, Some(3), "{report:#}");
    assert_eq!(report["logs"][0]["entry"]["result"], "unanswered");

    std::fs::write(site.path().join("modelwatch.toml"), &good).unwrap();
    let other = crate::world::FakeLog::new("other.example");
    std::fs::write(site.path().join("key.pem"), other.public_key_pem()).unwrap();
    let (code, report) = drill(&site, &["--no-channels"]);
    assert_eq!(code, Some(1), "{report:#}");
    assert!(!std::fs::exists(site.path().join("watch/modelwatch.db")).unwrap());
}

#[test]
fn a_log_that_was_proven_and_then_signs_something_else_is_1() {
    let site = site();
    assert_eq!(site.run(&["monitor", "--once"]).status.code(), Some(1));
    let forked = Site::new();
    forked.log.grow(other_leaves(39));
    forked
        .log
        .grow([Signer::Mail.signs(2), Signer::Mail.signs(3)]);
    let config = std::fs::read_to_string(forked.path().join("modelwatch.toml")).unwrap();
    std::fs::write(site.path().join("modelwatch.toml"), config).unwrap();
    let (code, report) = drill(&site, &["--no-channels"]);
    assert_eq!(code, Some(1), "{report:#}");
    assert_eq!(report["logs"][0]["history"]["result"], "failed");
    assert_eq!(report["logs"][0]["entry"]["result"], "ok");
}

#[test]
fn a_watch_that_can_never_select_anything_is_1_and_one_by_key_is_skipped() {
    let site = site();
    let more = r#"
[[watch]]
name = "never"
issuer = "https://a.example"
any = [{ extension = { issuer = "https://b.example" } }]

[[watch]]
name = "key"
key_sha256 = "0707070707070707070707070707070707070707070707070707070707070707"

[[channel]]"#;
    configure(&site, "\n[[channel]]", more);
    let output = site.run(&["drill", "--no-channels"]);
    let reported = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{reported}{}",
        text(&output.stderr)
    );
    assert!(reported.contains("FAIL  watch never: "), "{reported}");
    assert!(reported.contains("-     watch key: "), "{reported}");
    assert!(
        reported.contains("whether the watch key would select"),
        "{reported}"
    );
}

#[test]
fn mistakes_of_the_operator_are_2() {
    let site = site();
    for (arguments, reported) in [
        (
            &["drill", "--channel", "nobody"][..],
            "no channel named nobody: it has file",
        ),
        (
            &["drill", "--channel", "file", "--no-channels"],
            "cannot be used with",
        ),
        (&["drill", "--config", "absent.toml"], "absent.toml"),
    ] {
        let output = site.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            text(&output.stderr).contains(reported),
            "{}",
            text(&output.stderr)
        );
    }
}
