//! The file as a whole, and its sections that stand once.

use std::collections::HashMap;
use std::path::PathBuf;

use url::Url;

use super::problems::Problems;
use super::reader::{At, Section};
use super::{Config, Context, channel, http, keys, lints, log, trust, watch, witness};
use crate::monitor::Schedule;
use crate::notify::{HeartbeatSettings, SecretSource, UrlSource};
use crate::watch::Severity;

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
        start: start.unwrap_or(crate::shard::Start::End),
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
    lints::on_the_whole(root, &watches, problems);
    http::doubts(root, &http, problems);
    let canaries = witness::canaries(root, &watches, problems);
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
        witnesses,
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
            "names no file: a store that does not last would forget what was found",
            example(),
        );
        return None;
    }
    Some(context.path(path))
}

/// The path of a file that has to be there.
pub(super) fn file(
    section: &Section<'_>,
    key: &str,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<PathBuf> {
    let written = section.string(key, problems)?;
    existing(&written, context, problems)
}

/// One file, or a list of them.
pub(super) fn files(
    section: &Section<'_>,
    key: &str,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Vec<PathBuf> {
    section
        .strings(key, problems)
        .iter()
        .filter_map(|written| existing(written, context, problems))
        .collect()
}

/// The path that is written, if a file is there.
pub(super) fn existing(
    written: &At<&str>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<PathBuf> {
    let path = context.path(written.value);
    if !(context.is_file)(&path) {
        problems.error(
            &written.place,
            format!("there is no file {}", path.display()),
            "paths are counted from the directory of the configuration file".to_owned(),
        );
        return None;
    }
    problems.note(&written.place);
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
                "leave out the seconds: a pass a minute is the most there is"
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
    let url = url(section, context, problems);
    Some(HeartbeatSettings {
        url: url?,
        every: every?,
    })
}

/// `url`, `url_env` or `url_file`: exactly one of them.
pub(super) fn url(
    section: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<UrlSource> {
    let written: Vec<&str> = ["url", "url_env", "url_file"]
        .into_iter()
        .filter(|key| section.has(key))
        .collect();
    match written.as_slice() {
        ["url"] => {
            let url = section.string("url", problems)?;
            match Url::parse(url.value) {
                Ok(parsed) if has_userinfo(&parsed, &url.place, problems) => None,
                Ok(parsed) if matches!(parsed.scheme(), "https" | "http") => {
                    Some(UrlSource::Literal(parsed))
                }
                _ => {
                    problems.error(&url.place, "is not an http or https URL", None);
                    None
                }
            }
        }
        [_] => secret(section, "url", context, problems).map(UrlSource::Secret),
        [] => {
            problems.error(
                section.place(),
                "one of url, url_env and url_file is missing",
                None,
            );
            None
        }
        [_, second, ..] => {
            problems.error(
                &section.place_of(second),
                "the URL is given twice",
                "keep one of url, url_env and url_file".to_owned(),
            );
            None
        }
    }
}

/// Whether a URL holds a user or a password, which is an error: URLs are shown, compared and stored.
pub(super) fn has_userinfo(url: &Url, place: &super::Place, problems: &mut Problems) -> bool {
    let has = !url.username().is_empty() || url.password().is_some();
    if has {
        problems.error(
            place,
            "a URL holds no user and no password",
            format!(
                "use [[http.credentials]] with host = {:?}",
                url.host_str().unwrap_or_default()
            ),
        );
    }
    has
}

/// `NAME_env` or `NAME_file`, at most one of them. Neither variable nor file has to be there yet: a channel that
/// is broken today must not keep the monitor from starting.
pub(super) fn secret(
    section: &Section<'_>,
    name: &str,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<SecretSource> {
    let (env, file) = (format!("{name}_env"), format!("{name}_file"));
    if section.has(&env) && section.has(&file) {
        problems.error(
            &section.place_of(&file),
            format!("{env} is given as well"),
            "keep one of them".to_owned(),
        );
        return None;
    }
    if let Some(variable) = section.string(&env, problems) {
        let is_name = variable
            .value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            // The value is not repeated: it may be the secret itself.
            problems.error(
                &variable.place,
                "is not the name of an environment variable",
                "write the variable's name here and put the secret into the variable".to_owned(),
            );
            return None;
        }
        return Some(SecretSource::Env(variable.value.to_owned()));
    }
    let path = section.string(&file, problems)?;
    Some(SecretSource::File(context.path(path.value)))
}

/// Reports a name that was given before. Findings, alerts and the command line know things by name.
pub(super) fn unique(
    seen: &mut HashMap<String, usize>,
    name: &str,
    what: &str,
    place: &super::Place,
    problems: &mut Problems,
) {
    let count = seen.entry(name.to_owned()).or_default();
    *count += 1;
    if *count > 1 {
        problems.error(place, format!("there is another {what} {name:?}"), None);
    }
}
