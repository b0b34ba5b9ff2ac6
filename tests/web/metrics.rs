//! The metrics: they show what `status` shows, over HTTP and in the file.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::site::{Site, metric, mode};

/// A configuration whose names have every character with a meaning in the text format.
const NAMES: &str = "[[watch]]\nname = 'back\\slash \"quoted\"'\nsan = \"nobody@example.com\"\n\
                     [[channel]]\nname = \"file\"\ntype = \"exec\"\ncommand = [\"cat\"]\n";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_metrics_are_what_status_shows() {
    let site = Site::new(NAMES);
    let once = site.run(&["monitor", "--once"]);
    assert_eq!(once.status.code(), Some(1), "{}", text(&once.stderr));
    let server = site.serve(&["serve", "--listen", "127.0.0.1:0"]);
    let scraped = server.get("/metrics", &[]);
    assert_eq!(
        scraped.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );

    let status: Value = serde_json::from_slice(&site.run(&["status", "--json"]).stdout).unwrap();
    let log = &status["logs"][0];
    let name = log["name"].as_str().unwrap();
    for (metric, field) in [("seen", "seen"), ("proven", "proven"), ("head", "head")] {
        let metric = format!("modelwatch_log_{metric}_size{{log=\"{name}\"}}");
        assert_eq!(scraped.metric(&metric), log[field].to_string());
    }
    let of_log =
        |name_of: &str| scraped.metric(&format!("modelwatch_log_{name_of}{{log=\"{name}\"}}"));
    assert_eq!((of_log("lag_entries"), of_log("frozen")), ("0", "0"));
    let proven: f64 = of_log("last_proven_timestamp_seconds").parse().unwrap();
    let success: jiff::Timestamp = log["last_success"].as_str().unwrap().parse().unwrap();
    assert!((proven - success.as_duration().as_secs_f64()).abs() < 0.001);
    let ended: f64 = scraped
        .metric("modelwatch_last_pass_timestamp_seconds")
        .parse()
        .unwrap();
    assert!(ended >= proven, "{ended} {proven}");

    let listed = text(&site.run(&["findings", "list", "--json"]).stdout);
    let findings: Vec<Value> = listed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut open = 0;
    for line in scraped
        .body
        .lines()
        .filter(|line| line.starts_with("modelwatch_findings_open{"))
    {
        let labels = line.split('"').collect::<Vec<_>>();
        let is_of =
            |finding: &&Value| finding["severity"] == labels[1] && finding["verdict"] == labels[3];
        let count = findings.iter().filter(is_of).count();
        assert!(line.ends_with(&format!(" {count}")), "{line}: {count}");
        open += count;
    }
    assert_eq!(open, findings.len());
    assert!(open > 0);
    // The watch that was added later.
    let watch = "{watch=\"back\\\\slash \\\"quoted\\\"\"}";
    let gap = format!("modelwatch_watch_gap_entries{watch}");
    assert_eq!(scraped.metric(&gap), log["seen"].to_string());
    assert_eq!(
        scraped.metric("modelwatch_watches"),
        status["watches"].as_array().unwrap().len().to_string()
    );
    let sent: f64 = scraped
        .metric("modelwatch_channel_last_success_timestamp_seconds{channel=\"file\"}")
        .parse()
        .unwrap();
    assert!(sent >= proven);
    for unknown in ["heartbeat_last", "trust_expires", "log_lookups_due"] {
        assert!(
            !scraped.body.contains(&format!("modelwatch_{unknown}")),
            "{unknown}"
        );
    }
}

#[test]
fn the_file_is_written_after_a_single_pass_readable_for_all_and_complete() {
    let site = Site::new("[metrics]\ntextfile = \"modelwatch.prom\"");
    let once = site.command(&["monitor", "--once"]);
    // As under systemd: the umask would hide the file from node_exporter.
    let ended = Command::new("sh")
        .args(["-c", "umask 077; exec \"$0\" \"$@\""])
        .arg(once.get_program())
        .args(once.get_args())
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(1), "{}", text(&ended.stderr));
    let file = site.path("modelwatch.prom");
    assert_eq!(mode(&file), 0o644);
    let written = fs::read_to_string(&file).unwrap();
    let server = site.serve(&["serve", "--listen", "127.0.0.1:0"]);
    let scraped = server.get("/metrics", &[]).body;
    // The size changes when the database is closed.
    let lines = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("modelwatch_store_size_bytes "));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(lines(&written), lines(&scraped));
    assert!(metric(&written, "modelwatch_store_size_bytes").is_some());
}

#[test]
fn a_file_that_cannot_be_written_is_reported_and_the_pass_is_the_same() {
    let site = Site::new("[metrics]\ntextfile = \"absent/modelwatch.prom\"");
    let ended = site.run(&["monitor", "--once"]);
    let stderr = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("the metrics were not written") && stderr.contains("absent/"),
        "{stderr}"
    );
    let last = stderr.lines().last().unwrap();
    assert!(
        last.starts_with("RESULT={\"security\":")
            && last.ends_with("\"unread\":0,\"undelivered\":0}"),
        "{last}"
    );
    let checked = text(&site.run(&["check"]).stdout);
    assert!(
        checked.contains("FAIL  metrics: the directory of"),
        "{checked}"
    );
}
