//! The log lines of a daemon, and how it reloads its configuration.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::binary::{Site, text};
use crate::world::{Signer, other_leaves};

/// Nothing here takes a tenth of it, even on a slow machine.
const TIME_LIMIT: Duration = Duration::from_mins(2);

/// A running daemon, and its log lines.
struct Daemon {
    child: Child,
    lines: Receiver<String>,
}

impl Daemon {
    fn start(site: &Site) -> Self {
        let mut child = site.command(&["monitor"]).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// The lines up to the first one that contains this.
    #[track_caller]
    fn expected(&self, part: &str) -> Vec<String> {
        let mut reported = Vec::new();
        loop {
            match self.lines.recv_timeout(TIME_LIMIT) {
                Ok(line) if line.contains(part) => {
                    reported.push(line);
                    return reported;
                }
                Ok(line) => reported.push(line),
                Err(error) => panic!("no {part:?} ({error}) in {reported:#?}"),
            }
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Ends it with a signal, and returns the rest of its log lines.
    #[track_caller]
    fn end(mut self) -> Vec<String> {
        self.signal("-TERM");
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(0));
        self.lines.iter().collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Of a test that failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn site() -> Site {
    let site = Site::new();
    site.log.grow([Signer::Mail.signs(0)]);
    site.log.grow(other_leaves(3));
    site
}

/// Changes the configuration.
fn configure(site: &Site, change: impl Fn(String) -> String) {
    let path = site.path().join("modelwatch.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, change(text)).unwrap();
}

/// The output of `status` about the daemon.
fn status(site: &Site) -> (Value, String) {
    let json = site.run(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&json.stdout).unwrap();
    let reported = text(&site.run(&["status"]).stdout);
    (status["daemon"].clone(), reported)
}

#[test]
fn a_daemon_logs_its_start_each_pass_that_changed_something_and_each_alert() {
    let site = site();
    let daemon = Daemon::start(&site);
    let start = daemon.expected(" starts: ").pop().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let parts = "1 log (main), 2 watches (mail, release), 1 channel (file), schedule * * * * *";
    assert!(
        start.contains(&format!("modelwatch {version} starts: {parts}")),
        "{start}"
    );
    let pass = daemon.expected("entries read").pop().unwrap();
    assert!(
        pass.contains("4 entries read; 1 of 1 logs proven; 1 security and 0 health findings open"),
        "{pass}"
    );
    let alert = daemon.expected("alert delivered").pop().unwrap();
    assert!(
        alert.contains("high: ") && alert.contains("release@acme.example"),
        "{alert}"
    );
    // A pass that changes nothing logs no line; the reload makes one at once.
    daemon.signal("-HUP");
    daemon.expected("is reloaded");
    daemon.expected("0 entries read; 1 of 1 logs proven; 1 security and 0 health findings open");
    let rest = daemon.end();
    assert!(!rest.iter().any(|line| line.contains("INFO")), "{rest:#?}");
}

#[test]
fn at_sighup_the_whole_configuration_is_used_and_status_reports_if_it_was_not() {
    let site = site();
    let daemon = Daemon::start(&site);
    daemon.expected("alert delivered");
    let (running, reported) = status(&site);
    assert_eq!(running["changed"], false);
    assert_eq!(running["process"], daemon.child.id());
    assert!(!reported.contains("has changed"), "{reported}");

    configure(&site, |text| {
        let watch =
            "[[watch]]\nname = \"heads\"\nsan_glob = \"*@refs/heads/*\"\nseverity = \"critical\"\n";
        let channel = "[[channel]]\nname = \"other\"\ntype = \"exec\"\ncommand = [\"sh\", \"-c\", \"cat >> other.jsonl\"]\n";
        text + watch + channel
    });
    let (running, reported) = status(&site);
    assert_eq!(running["changed"], true);
    assert!(reported.contains("and the file has changed"), "{reported}");

    site.log.grow([Signer::Branch.signs(1)]);
    daemon.signal("-HUP");
    let taken = daemon.expected("is reloaded").pop().unwrap();
    assert!(
        taken.contains("3 watches (mail, release, heads), 2 channels (file, other)"),
        "{taken}"
    );
    assert_eq!(status(&site).0["changed"], false);
    // The new watch selects, and the new channel gets the alert.
    loop {
        let alert = daemon.expected("alert delivered").pop().unwrap();
        if alert.contains("channel=\"other\"") {
            assert!(alert.contains("critical: "), "{alert}");
            break;
        }
    }
    assert!(site.path().join("other.jsonl").exists());
    daemon.end();
    assert_eq!(status(&site).0, Value::Null);
}

#[test]
fn a_configuration_that_cannot_be_taken_up_changes_nothing_and_each_problem_is_logged() {
    let site = site();
    let daemon = Daemon::start(&site);
    daemon.expected("alert delivered");
    let good = fs::read_to_string(site.path().join("modelwatch.toml")).unwrap();
    let at_the_end = "[[log]]\nname = \"new\"\ntype = \"rekor-v2\"\nurl = \"nowhere\"\norigin = \"new.example\"\npublic_key = \"key.pem\"\nstart = \"end\"\n";
    for (bad, reported) in [
        (
            good.replace("san = ", "sann = ") + "[[watch]]\n",
            &["sann", "name is missing"][..],
        ),
        (
            good.replace("watch/modelwatch.db", "other.db"),
            &["[store] names another database"],
        ),
        (
            format!("{good}{at_the_end}"),
            &["new would begin at the end", "--bootstrap"],
        ),
        (
            format!(
                "{good}[[channel]]\nname = \"hook\"\ntype = \"webhook\"\nurl_env = \"MODELWATCH_NO_SUCH_VARIABLE\"\nsecret_env = \"MODELWATCH_NO_SUCH_VARIABLE\"\n"
            ),
            &["channel[hook].url_env", "after a restart only"],
        ),
    ] {
        configure(&site, |_| bad.clone());
        daemon.signal("-HUP");
        daemon.expected("the old one stays in use");
        let mut logged = String::new();
        while let Some(missing) = reported.iter().find(|part| !logged.contains(**part)) {
            logged += &daemon.expected("ERROR").pop().unwrap();
            assert!(logged.len() < 10_000, "no {missing} in {logged}");
        }
        // It continues with its configuration: with that file in place, nothing has changed.
        configure(&site, |_| good.clone());
        assert_eq!(status(&site).0["changed"], false, "{bad}");
    }
    // A valid file is used again.
    daemon.signal("-HUP");
    daemon.expected("is reloaded");
    daemon.end();
}
