//! The alerts of `deploy/prometheus/rules.yaml` fire when they should, and only then, over what real passes leave in the
//! metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use modelwatch::finding::{Class, Routes, Severity, Verdict};
use modelwatch::store::sqlite::SqliteStore;
use modelwatch::store::{Condition, Conditions as _, Scope, Settings, Store as _};
use regex::Regex;

use crate::database;
use crate::promtool::{Expectation, Series, assert_firing, promtool, rules, with_input};
use crate::site::{Site, metric};

const TEXTFILE: &str = "[metrics]\ntextfile = \"m.prom\"\n";

/// What a pass left: the text, and when the pass ended.
struct Left {
    text: String,
    at: f64,
}

impl Left {
    fn of(text: String) -> Self {
        let at = metric(&text, "modelwatch_last_pass_timestamp_seconds").unwrap();
        let at = at.parse().unwrap();
        Self { text, at }
    }
}

/// One pass, and the metrics after it.
fn pass(site: &Site) -> Left {
    let ended = site.run(&["monitor", "--once"]);
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(stderr.contains("RESULT="), "{stderr}");
    Left::of(fs::read_to_string(site.path("m.prom")).unwrap())
}

/// Accepts every open finding.
fn acknowledge(site: &Site) {
    let ended = site.run(&["findings", "ack", "--all", "--reason", "a test"]);
    assert!(ended.status.success(), "{ended:?}");
}

/// A site without any open finding, after a pass.
fn quiet(more: &str) -> Site {
    let site = Site::new(&format!("{TEXTFILE}{more}"));
    acknowledge(&site);
    site
}

fn expectation(name: &str, series: Series, at: usize, firing: &[&str]) -> Expectation {
    let mut firing: Vec<String> = firing.iter().map(|&name| name.to_owned()).collect();
    firing.sort_unstable();
    Expectation {
        name: name.to_owned(),
        series,
        at,
        firing,
    }
}

/// The name of the alert about a finding.
fn alert_of(verdict: Verdict) -> String {
    let words = verdict.as_str().split('-').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    format!("Modelwatch{}", words.collect::<String>())
}

/// The alerts about the findings that are open in these metrics.
fn alerts_in(text: &str) -> BTreeSet<String> {
    let open = text.lines().filter_map(|line| {
        let (labels, count) = line
            .strip_prefix("modelwatch_findings_open{severity=\"")?
            .split_once("\"} ")?;
        let (severity, verdict) = labels.split_once("\",verdict=\"")?;
        let verdict = Verdict::from_word(verdict).unwrap();
        let is_health = verdict.class() == Class::Health;
        let alert = if is_health {
            alert_of(verdict)
        } else {
            severity_alert(severity)
        };
        (count != "0").then_some(alert)
    });
    open.collect()
}

/// The name of the alert about security findings of a severity.
fn severity_alert(severity: &str) -> String {
    let (first, rest) = severity.split_at(1);
    format!("ModelwatchFinding{}{rest}", first.to_uppercase())
}

/// The alerts of the file, each with its expression and its page.
fn alerts() -> BTreeMap<String, (String, String)> {
    let text = fs::read_to_string(rules()).unwrap();
    let rule =
        Regex::new(r#"(?s)- alert: (\w+)\n\s+expr: ([^\n]+)\n.*?runbook_url: "([^"]+)""#).unwrap();
    let found: BTreeMap<_, _> = rule
        .captures_iter(&text)
        .map(|found| {
            (
                found[1].to_owned(),
                (found[2].to_owned(), found[3].to_owned()),
            )
        })
        .collect();
    assert_eq!(found.len(), text.matches("- alert: ").count());
    found
}

#[test]
fn every_way_of_going_blind_and_each_severity_has_an_alert_with_its_page() {
    let alerts = alerts();
    for verdict in Verdict::ALL
        .into_iter()
        .filter(|verdict| verdict.class() == Class::Health)
    {
        let (expression, page) = &alerts[&alert_of(verdict)];
        assert!(
            expression.contains(&format!("verdict=\"{verdict}\"")),
            "{expression}"
        );
        assert!(
            page.ends_with(&format!("/docs/findings.md#{verdict}")),
            "{page}"
        );
    }
    let security = Verdict::ALL
        .into_iter()
        .filter(|verdict| verdict.class() == Class::Security);
    let security: Vec<&str> = security.map(Verdict::as_str).collect();
    let security = format!("verdict=~\"{}\"", security.join("|"));
    for severity in Severity::ALL {
        let word = severity.as_str();
        let name = format!(
            "ModelwatchFinding{}{}",
            word[..1].to_uppercase(),
            &word[1..]
        );
        let (expression, _) = &alerts[&name];
        let is_of =
            expression.contains(&format!("severity=\"{word}\"")) && expression.contains(&security);
        assert!(is_of, "{expression}");
    }
    // Each page exists, with its heading.
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for (name, (_, page)) in &alerts {
        let (_, page) = page.split_once("/blob/main/docs/").unwrap();
        let (file, anchor) = page.split_once('#').unwrap();
        let text = fs::read_to_string(docs.join(file)).unwrap();
        let has = text
            .lines()
            .filter(|line| line.starts_with('#'))
            .any(|line| {
                let title = line.trim_start_matches('#').trim().to_lowercase();
                let kept = title
                    .chars()
                    .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
                kept.collect::<String>().replace(' ', "-") == anchor
            });
        assert!(has, "{name}: {page}");
    }
}

#[test]
fn real_metrics_satisfy_promtool_and_wrong_ones_do_not() {
    let site = quiet("");
    let left = pass(&site);
    let Some(mut tool) = promtool() else { return };
    tool.args(["check", "metrics"]);
    let checked = with_input(tool, &left.text);
    let said = String::from_utf8_lossy(&checked.stderr) + String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success() && said.is_empty(), "{said}");

    let mut tool = promtool().unwrap();
    tool.args(["check", "metrics"]);
    let wrong = with_input(tool, "# TYPE a_total gauge\na_total{b=\"c\"} 1\n");
    assert!(!wrong.status.success(), "{wrong:?}");
}

#[test]
fn each_alert_fires_over_what_passes_leave_and_no_other_does() {
    let Some(tool) = promtool() else { return };
    let expectations: Vec<Expectation> = [
        nothing_is_wrong(),
        a_monitor_that_stops(),
        signings(),
        a_log_that_is_down(),
        a_checkpoint_that_does_not_verify(),
        a_new_watch(),
        a_channel_that_fails(),
        a_monitor_without_a_pass(),
        findings_about_health(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let fired: BTreeSet<&String> = expectations
        .iter()
        .flat_map(|expected| &expected.firing)
        .collect();
    let alerts = alerts();
    let never: Vec<&String> = alerts.keys().filter(|name| !fired.contains(name)).collect();
    assert!(never.is_empty(), "no series makes them fire: {never:?}");
    assert_firing(tool, &expectations);
}

fn nothing_is_wrong() -> Vec<Expectation> {
    let left = pass(&quiet(""));
    let mut series = Series::default();
    series.repeat(&left.text, left.at, 300);
    vec![expectation(
        "nothing is wrong for five hours",
        series,
        299,
        &[],
    )]
}

fn a_monitor_that_stops() -> Vec<Expectation> {
    let left = pass(&quiet(""));
    let stopped = |minutes| {
        let mut series = Series::default();
        series.scrape(&left.text, left.at);
        series.freeze(minutes);
        series
    };
    let both = ["ModelwatchPassesStopped", "ModelwatchLogNotProven"];
    vec![
        expectation(
            "a monitor that stopped two hours ago",
            stopped(200),
            119,
            &[],
        ),
        expectation(
            "a monitor that stopped three hours ago",
            stopped(200),
            180,
            &both,
        ),
        expectation(
            "no metrics at all",
            Series::default(),
            30,
            &["ModelwatchAbsent"],
        ),
    ]
}

fn signings() -> Vec<Expectation> {
    let site = Site::new(TEXTFILE);
    let mut expected = Vec::new();
    let mut open_findings = |left: &Left, name: &str| {
        let mut series = Series::default();
        series.repeat(&left.text, left.at, 30);
        let names = alerts_in(&left.text);
        let as_str: Vec<&str> = names.iter().map(String::as_str).collect();
        expected.push(expectation(name, series, 20, &as_str));
        names
    };
    // The findings of the demo, as they are.
    let names = open_findings(&pass(&site), "the demo");
    assert!(names.contains("ModelwatchFindingCritical"), "{names:?}");
    // The same signings, by watches of other severities.
    for severity in ["medium", "info"] {
        let left = found_again(&site, TEXTFILE, severity);
        let names = open_findings(&left, severity);
        assert!(names.contains(&severity_alert(severity)), "{names:?}");
    }
    expected
}

/// The first pass over a new database, with another watch of this severity for the same signings.
fn found_again(site: &Site, more: &str, severity: &str) -> Left {
    for name in ["modelwatch.db", "modelwatch.db-wal", "modelwatch.db-shm"] {
        let _ = fs::remove_file(site.path(name));
    }
    site.configure(&format!(
        "{more}[[watch]]\nname = \"again\"\nseverity = \"{severity}\"\nsan_glob = \"https://github.com/harbor-ml-example/*\"\nissuer = \"https://token.actions.githubusercontent.com\"\n"
    ));
    pass(site)
}

fn a_log_that_is_down() -> Vec<Expectation> {
    let site = quiet("");
    let mut series = Series::default();
    let first = pass(&site);
    series.repeat(&first.text, first.at, 10);
    fs::rename(site.path("log"), site.path("away")).unwrap();
    let mut minutes = Vec::new();
    for _ in 0..3 {
        let left = pass(&site);
        minutes.push(series.minutes());
        series.scrape(&left.text, left.at);
    }
    let down = pass(&site);
    series.repeat(&down.text, down.at, 10);
    let is_down = series.minutes() - 1;
    fs::rename(site.path("away"), site.path("log")).unwrap();
    let up = pass(&site);
    series.repeat(&up.text, up.at, 10);
    let is_up = series.minutes() - 1;
    vec![
        expectation(
            "a log is down for one pass",
            series.clone(),
            minutes[0],
            &[],
        ),
        expectation(
            "a log is down",
            series.clone(),
            is_down,
            &["ModelwatchUnavailable"],
        ),
        expectation("the log is back", series, is_up, &[]),
    ]
}

fn a_checkpoint_that_does_not_verify() -> Vec<Expectation> {
    let site = quiet("");
    let mut series = Series::default();
    let path = site.path("log/checkpoint");
    let path = if path.exists() {
        path
    } else {
        site.path("log/api/v2/checkpoint")
    };
    let checkpoint = fs::read_to_string(&path).unwrap();
    let (text, signature) = checkpoint.split_once("\n\n").unwrap();
    let (origin, rest) = text.split_once('\n').unwrap();
    let (entries, root) = rest.split_once('\n').unwrap();
    let larger = entries.parse::<u64>().unwrap() + 1;
    fs::write(&path, format!("{origin}\n{larger}\n{root}\n\n{signature}")).unwrap();
    let forged = pass(&site);
    series.repeat(&forged.text, forged.at, 5);
    let is_forged = series.minutes() - 1;
    fs::write(&path, &checkpoint).unwrap();
    let right = pass(&site);
    series.repeat(&right.text, right.at, 5);
    let at = series.minutes() - 1;
    vec![
        expectation(
            "a forged checkpoint",
            series.clone(),
            is_forged,
            &["ModelwatchUnverifiableCheckpoint"],
        ),
        expectation("the right checkpoint again", series, at, &[]),
    ]
}

fn a_new_watch() -> Vec<Expectation> {
    let site = quiet("");
    pass(&site);
    site.configure(&format!(
        "{TEXTFILE}[[watch]]\nname = \"new\"\nsan = \"somebody@example.com\"\n"
    ));
    let gap = pass(&site);
    let mut series = Series::default();
    series.repeat(&gap.text, gap.at, 5);
    let has_gap = series.minutes() - 1;
    site.configure(TEXTFILE);
    let closed = pass(&site);
    series.repeat(&closed.text, closed.at, 5);
    let at = series.minutes() - 1;

    let unwatched = Site::new(TEXTFILE);
    let text = fs::read_to_string(unwatched.path("modelwatch.toml")).unwrap();
    let (before, after) = text.split_once("[[watch]]").unwrap();
    let rest = after.find("\n[").map_or("", |end| &after[end..]);
    fs::write(unwatched.path("modelwatch.toml"), format!("{before}{rest}")).unwrap();
    acknowledge(&unwatched);
    let nothing = pass(&unwatched);
    let mut without = Series::default();
    without.repeat(&nothing.text, nothing.at, 30);
    vec![
        expectation(
            "a new watch",
            series.clone(),
            has_gap,
            &["ModelwatchCoverageGap"],
        ),
        expectation("without that watch", series, at, &[]),
        expectation("no watch", without, 29, &["ModelwatchNoWatches"]),
    ]
}

fn a_channel_that_fails() -> Vec<Expectation> {
    let channel = |program: &str| {
        format!(
            "{TEXTFILE}[[channel]]\nname = \"broken\"\ntype = \"exec\"\ncommand = [\"{program}\"]\n"
        )
    };
    let site = Site::new(&channel("false"));
    let left = found_again(&site, &channel("false"), "high");
    let mut series = Series::default();
    series.repeat(&left.text, left.at, 60);
    let mut names = alerts_in(&left.text);
    names.insert("ModelwatchAlertsUndelivered".to_owned());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // An alert that is given up after days: its number rises.
    let mut given_up = Series::default();
    let healthy = pass(&quiet(&channel("true").replace(TEXTFILE, "")));
    given_up.repeat(&healthy.text, healthy.at, 30);
    let failed = healthy.text.replace(
        "modelwatch_alerts_failed{channel=\"broken\"} 0",
        "modelwatch_alerts_failed{channel=\"broken\"} 1",
    );
    assert_ne!(failed, healthy.text);
    given_up.repeat(&failed, healthy.at, 30);
    vec![
        expectation("a channel fails", series, 59, &names),
        expectation(
            "an alert is given up",
            given_up,
            50,
            &["ModelwatchAlertsGivenUp"],
        ),
    ]
}

fn a_monitor_without_a_pass() -> Vec<Expectation> {
    let site = Site::new("");
    // The demo has recorded its pass.
    database::execute(&site, "DELETE FROM memory WHERE key = 'last-pass'", &[]);
    acknowledge(&site);
    let server = site.serve(&["serve", "--listen", "127.0.0.1:0"]);
    let scraped = server.get("/metrics", &[]);
    let proven = scraped
        .metric("modelwatch_watch_covered_until_timestamp_seconds{watch=\"falcon-release\"}");
    let at = proven.parse().unwrap();
    let mut series = Series::default();
    series.repeat(&scraped.body, at, 200);
    vec![expectation(
        "no pass",
        series,
        190,
        &["ModelwatchNeverPassed"],
    )]
}

static VERDICTS: [Verdict; Verdict::ALL.len()] = Verdict::ALL;

/// Each finding about health, as a pass records it, alone.
fn findings_about_health() -> Vec<Expectation> {
    let site = quiet("");
    pass(&site);
    let server = site.serve(&["serve", "--listen", "127.0.0.1:0"]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut expected = Vec::new();
    for only in VERDICTS.chunks(1) {
        let verdict = only[0];
        if verdict.class() != Class::Health {
            continue;
        }
        let assess = async |conditions: &[Condition]| {
            let settings = Settings {
                path: site.path("modelwatch.db"),
                routes: Routes::default(),
            };
            let store = SqliteStore::open(settings).await.unwrap();
            let scope = Scope {
                verdicts: only,
                origin: None,
            };
            let now = "2026-01-01T00:00:00Z".parse().unwrap();
            store.assess(&scope, conditions, now).await.unwrap();
            store.close().await;
        };
        let condition = Condition {
            verdict,
            subject: "a test".to_owned(),
            log: None,
            origin: None,
            except_channel: None,
            summary: "a test".to_owned(),
        };
        runtime.block_on(assess(&[condition]));
        let begun = Left::of(server.get("/metrics", &[]).body);
        runtime.block_on(assess(&[]));
        let over = Left::of(server.get("/metrics", &[]).body);
        let mut series = Series::default();
        series.repeat(&begun.text, begun.at, 5);
        series.repeat(&over.text, over.at, 5);
        let name = alert_of(verdict);
        expected.push(expectation(
            verdict.as_str(),
            series.clone(),
            4,
            &[name.as_str()],
        ));
        expected.push(expectation(&format!("{verdict} is over"), series, 9, &[]));
    }
    expected
}
