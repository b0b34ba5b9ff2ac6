//! The file as a whole, and its sections that occur once.

use std::path::PathBuf;

use super::context::Context;
use super::log_settings::LogSettings;
use super::problems::{Places, Problems};
use super::reader::Section;
use super::web_settings::WebSettings;
use super::witness::WitnessSettings;
use super::{
    canary, channel, expect_from, http, keys, lints, log, reach, trust, values, watch, web, witness,
};
use crate::log::Start;
use crate::monitor::{CanarySettings, Schedule};
use crate::notify::{Channel, HeartbeatSettings};
use crate::registrations::SourceSettings;
use crate::watch::{Severity, Watch};

/// A valid configuration: every default applied, every path counted from the configuration's directory.
#[derive(Debug, Clone)]
pub struct Config {
    /// The SQLite database.
    pub database: PathBuf,
    /// The source of the trusted root; without it no certificate chain is checked.
    pub trust: Option<crate::trust::Settings>,
    /// Where reading begins in logs without their own setting.
    pub start: Start,
    /// When passes begin.
    pub schedule: Schedule,
    /// From which severity an open finding makes the exit code 1.
    pub fail_on: Severity,
    /// The dead man's switch.
    pub heartbeat: Option<HeartbeatSettings>,
    /// How to send requests.
    pub http: crate::http::Settings,
    /// The logs, no two with one origin or name; at least one unless the trusted root lists them.
    pub logs: Vec<LogSettings>,
    /// The watches, in the order written; no two of one name.
    pub watches: Vec<Watch>,
    /// The channels, in the order written; no two of one name.
    pub channels: Vec<Channel>,
    /// Identities that sign regularly; each names one of the watches, no two the same.
    pub canaries: Vec<CanarySettings>,
    /// Sources of registrations; no two of one name.
    pub expect_from: Vec<SourceSettings>,
    /// Witnesses of the logs; no two of one name.
    pub witnesses: Vec<WitnessSettings>,
    /// The page, metrics and health over HTTP; without it the daemon serves nothing.
    pub web: Option<WebSettings>,
    /// The file with the metrics, for node_exporter.
    pub textfile: Option<PathBuf>,
    /// The places of keys whose files may turn out unusable later.
    pub places: Places,
}

pub(super) fn read(
    root: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<Config> {
    root.only("", &keys::TOP, problems);
    let database = database(root, context, problems);
    let http = http::read(root, context, problems);
    let trust = trust::read(root, database.as_deref(), context, problems);
    let monitor = root.table("monitor", problems);
    if let Some(monitor) = &monitor {
        monitor.only("monitor", &keys::MONITOR, problems);
    }
    let monitor = monitor.as_ref();
    let schedule = schedule(monitor, problems);
    let fail_on = monitor.and_then(|monitor| monitor.severity("fail_on", problems));
    let start = monitor.and_then(|monitor| log::start(monitor, problems));
    let heartbeat = root
        .table("heartbeat", problems)
        .and_then(|section| heartbeat(&section, context, problems));

    let (witnesses, written_witnesses) = witness::witnesses(root, context, problems);
    let defaults = log::Defaults {
        witnesses: written_witnesses,
        start: start.unwrap_or(Start::End),
        gives_keys: trust.gives_keys,
        discovers: trust.discovers,
    };
    let logs = log::read_all(root, &defaults, context, problems);
    let channels = channel::read_all(root, context, problems);
    let names: Vec<&str> = channels
        .iter()
        .map(|channel| channel.name.as_str())
        .collect();
    let watches = watch::read_all(root, &names, problems);
    channel::check_watches(root, &watches, problems);
    channel::check_repositories(root, &channels, &watches, problems);
    lints::on_the_whole(root, &watches, problems);
    reach::check(root, &watches, &channels, problems);
    http::doubts(root, &http, problems);
    let canaries = canary::read(root, &watches, problems);
    let expect_from = expect_from::read_all(root, &watches, context, problems);
    let web = web::read(root, context, problems);
    let textfile = textfile(root, context, problems);
    Some(Config {
        database: database?,
        trust: trust.settings,
        start: defaults.start,
        schedule: schedule?,
        fail_on: fail_on.unwrap_or(Severity::High),
        heartbeat,
        http,
        logs,
        watches: watches.into_iter().map(|watch| watch.value).collect(),
        channels,
        canaries,
        expect_from,
        witnesses,
        web,
        textfile,
        places: problems.places(),
    })
}

fn database(root: &Section<'_>, context: &Context<'_>, problems: &mut Problems) -> Option<PathBuf> {
    let default = || context.path("modelwatch.db");
    let Some(store) = root.table("store", problems) else {
        return Some(default());
    };
    store.only("store", &keys::STORE, problems);
    if !store.has("url") {
        return Some(default());
    }
    let url = store.string("url", problems)?;
    let example = || "write sqlite:modelwatch.db".to_owned();
    if url.value.starts_with("postgres:") || url.value.starts_with("postgresql:") {
        problems.error(
            &url.place,
            "PostgreSQL comes with a later version; this one keeps its findings in SQLite",
            example(),
        );
        return None;
    }
    let Some(path) = url.value.strip_prefix("sqlite:") else {
        problems.error(
            &url.place,
            "is not the URL of an SQLite database",
            example(),
        );
        return None;
    };
    // `sqlite://x` is how other programs write a relative path, and `sqlite:///x` an absolute one.
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains('?') || path.contains(":memory:") {
        problems.error(
            &url.place,
            "names no file: the findings would be lost at the end",
            example(),
        );
        return None;
    }
    Some(context.path(path))
}

/// The file for node_exporter, which reads only names that end in `.prom`.
fn textfile(root: &Section<'_>, context: &Context<'_>, problems: &mut Problems) -> Option<PathBuf> {
    let section = root.table("metrics", problems)?;
    section.only("metrics", &keys::METRICS, problems);
    let written = section.required("textfile", problems)?;
    let path = context.path(written.value);
    if path.extension().is_none_or(|extension| extension != "prom") {
        problems.error(
            &written.place,
            "does not end in .prom: node_exporter would not read it",
            "write textfile = \"/var/lib/node_exporter/modelwatch.prom\"".to_owned(),
        );
        return None;
    }
    Some(path)
}

fn schedule(monitor: Option<&Section<'_>>, problems: &mut Problems) -> Option<Schedule> {
    let written = match monitor {
        Some(monitor) if monitor.has("schedule") => monitor.string("schedule", problems)?,
        _ => return "* * * * *".parse().ok(),
    };
    match written.value.parse() {
        Ok(schedule) => Some(schedule),
        Err(error) => {
            let six = written.value.split_whitespace().count() == 6;
            let hint = if six {
                "leave out the seconds: one pass a minute is the maximum"
            } else {
                "\"*/5 * * * *\" is every five minutes"
            };
            problems.error(&written.place, error.to_string(), hint.to_owned());
            None
        }
    }
}

fn heartbeat(
    section: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<HeartbeatSettings> {
    section.only("heartbeat", &keys::HEARTBEAT, problems);
    let every = if section.has("every") {
        section.duration("every", problems)
    } else {
        problems.error(
            section.place(),
            "every is missing",
            "write every = \"1h\"".to_owned(),
        );
        None
    };
    let url = values::url(section, context, problems);
    Some(HeartbeatSettings {
        url: url?,
        every: every?,
    })
}
