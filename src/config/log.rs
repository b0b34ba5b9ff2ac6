//! `[[log]]`: the logs that are read.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use tlog::Origin;

use super::context::Context;
use super::log_settings::{DEFAULT_ROLLBACK, LogKeySource, LogSettings, usual_silence};
use super::mode;
use super::problems::Problems;
use super::reader::{At, Section};
use super::values::{existing, unique};
use super::{guides, keys, witness};
use crate::log::{LogKey, Protocol, Start};
use crate::source::Location;
use crate::times::parse_time;

/// The values of other sections for every log.
pub(super) struct Defaults {
    pub(super) start: Start,
    /// Trust gives keys by origin.
    pub(super) gives_keys: bool,
    /// The trusted root lists the logs.
    pub(super) discovers: bool,
    pub(super) witnesses: usize,
}

pub(super) fn read_all(
    root: &Section<'_>,
    defaults: &Defaults,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Vec<LogSettings> {
    let sections = root.tables("log", problems);
    if !root.has("log") && !defaults.discovers {
        problems.error(
            root.place(),
            "there is no [[log]]: nothing would be read",
            "add a [[log]] with url and origin, or write tuf = \"public-good\" in [trust]"
                .to_owned(),
        );
    }
    let (mut names, mut origins) = (HashMap::new(), HashMap::new());
    let mut places = HashMap::new();
    let (mut logs, mut guides) = (Vec::new(), Vec::new());
    for section in sections {
        let origin = section
            .string("origin", problems)
            .map(|origin| origin.value);
        let name = section.string("name", problems).map(|name| name.value);
        let url = section.string("url", problems).map(|url| url.value);
        let host = url.and_then(host);
        let name = name.or(origin).or(host.as_deref());
        let section = match name {
            Some(name) => section.renamed(format!("log[{name}]")),
            None => section,
        };
        if let Some(name) = name {
            unique(&mut names, name, "log named", section.place(), problems);
        }
        if let Some(origin) = origin {
            let place = section.place_of("origin");
            unique(&mut origins, origin, "log of the origin", &place, problems);
        }
        problems.note(section.place());
        let settings = read(&section, name, defaults, context, &mut guides, problems);
        if let Some(settings) = &settings
            && settings.protocol.has_several_trees()
            && let Some(location) = &settings.location
        {
            // Its trees would be the same.
            let url = location.to_string();
            let place = section.place_of("url");
            unique(&mut places, &url, "log at", &place, problems);
        }
        logs.extend(settings);
    }
    guides::check(&guides, &logs, &names, problems);
    logs
}

fn read<'t>(
    section: &Section<'t>,
    name: Option<&str>,
    defaults: &Defaults,
    context: &Context<'_>,
    guides: &mut Vec<At<&'t str>>,
    problems: &mut Problems,
) -> Option<LogSettings> {
    section.only("log", &keys::LOG, problems);
    let protocol = protocol(section, defaults, problems);
    let by_trust = !section.has("url") && defaults.discovers && protocol == Some(Protocol::RekorV2);
    let location = if by_trust {
        None
    } else {
        Some(location(section, protocol, context, problems))
    };
    let mode = mode::read(section, protocol, problems).map(|(mode, by)| {
        guides.extend(by);
        mode
    });
    let origin = origin(section, protocol, problems);
    let public_keys = public_keys(section, protocol, origin.as_ref(), context, problems);
    if !section.has("public_key") && !defaults.gives_keys {
        problems.error(
            section.place(),
            "there is no key for its checkpoints",
            "give public_key, or tuf or trusted_root in [trust]".to_owned(),
        );
    }
    let start = if section.has("start") {
        start(section, problems)
    } else {
        Some(defaults.start)
    };
    let require_witnesses = witness::required(section, defaults.witnesses, problems);
    let requests_per_minute = requests_per_minute(section, problems);
    if protocol.is_some_and(Protocol::needs_origin) {
        origin.as_ref()?;
    }
    let location = match location {
        Some(location) => Some(location?),
        None => None,
    };
    let silence_after = silence_after(section, origin.as_ref(), location.as_ref(), problems);
    let rollback_after = rollback_after(section, problems);
    Some(LogSettings {
        name: name?.to_owned(),
        protocol: protocol?,
        mode: mode?,
        location,
        public_keys,
        requests_per_minute,
        start: start?,
        silence_after: match silence_after? {
            Silence::Never => None,
            Silence::After(time) => Some(time),
        },
        rollback_after: rollback_after?,
        require_witnesses,
        origin,
    })
}

/// Files and verifier keys: a file's name may contain a plus sign as well.
fn public_keys(
    section: &Section<'_>,
    protocol: Option<Protocol>,
    origin: Option<&Origin>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Vec<LogKeySource> {
    let mut keys = Vec::new();
    for written in section.strings("public_key", problems) {
        let is_file = (context.is_file)(&context.path(written.value));
        if is_file || !written.value.contains('+') {
            keys.extend(existing(&written, context, problems).map(LogKeySource::File));
            continue;
        }
        let Some(protocol) = protocol else { continue };
        match LogKey::of_vkey(written.value, protocol, origin) {
            Ok(key) => keys.push(LogKeySource::Written(key.spki_der().to_vec())),
            Err(error) => problems.error(
                &written.place,
                error.to_string(),
                "a log's is NAME+ID+KEY, as its operator publishes it, or a PEM file".to_owned(),
            ),
        }
    }
    keys
}

fn protocol(
    section: &Section<'_>,
    defaults: &Defaults,
    problems: &mut Problems,
) -> Option<Protocol> {
    // For a log in the trusted root, only the address is replaced; these logs are Rekor v2.
    if !section.has("type") && defaults.discovers {
        return Some(Protocol::RekorV2);
    }
    let written = section.required("type", problems)?;
    let protocol = Protocol::from_word(written.value);
    if protocol.is_none() {
        problems.error(
            &written.place,
            format!("{:?} is not a type of log", written.value),
            format!(
                "write one of {}",
                Protocol::ALL.map(Protocol::as_str).join(", ")
            ),
        );
    }
    protocol
}

/// The host of a URL, which is the name of a log without an origin.
fn host(url: &str) -> Option<String> {
    match url.parse() {
        Ok(Location::Server(url)) => url.host_str().map(str::to_owned),
        _ => None,
    }
}

fn requests_per_minute(section: &Section<'_>, problems: &mut Problems) -> Option<NonZeroU32> {
    const KEY: &str = "requests_per_minute";
    if !section.has(KEY) {
        return None;
    }
    let number = section
        .integer(KEY)
        .and_then(|number| u32::try_from(number).ok())
        .and_then(NonZeroU32::new);
    if number.is_none() {
        problems.error(
            &section.place_of(KEY),
            "a number of requests is expected, at least 1",
            "default: 900 for public-good logs, no limit for others".to_owned(),
        );
    }
    number
}

fn location(
    section: &Section<'_>,
    protocol: Option<Protocol>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<Location> {
    let written = section.required("url", problems)?;
    match written.value.parse::<Location>() {
        Ok(location) => {
            if let (Location::Directory(_), Some(protocol)) = (&location, protocol)
                && !protocol.is_files()
            {
                problems.error(
                    &written.place,
                    format!(
                        "{} is a server with an API, not a directory of files",
                        protocol.title()
                    ),
                    if protocol.is_ct() {
                        "write its http(s) URL; a log of static files is of type ct-static"
                    } else {
                        "write its http(s) URL"
                    }
                    .to_owned(),
                );
                return None;
            }
            Some(location.relative_to(context.directory))
        }
        Err(error) => {
            problems.error(&written.place, error.to_string(), None);
            None
        }
    }
}

fn origin(
    section: &Section<'_>,
    protocol: Option<Protocol>,
    problems: &mut Problems,
) -> Option<Origin> {
    if let Some(protocol) = protocol.filter(|protocol| protocol.has_several_trees()) {
        if section.has("origin") {
            problems.error(
                &section.place_of("origin"),
                format!(
                    "{} has no origin: each of its trees has one, which the log lists",
                    protocol.title()
                ),
                "leave it out".to_owned(),
            );
        }
        return None;
    }
    let needs_origin = protocol.is_none_or(Protocol::needs_origin);
    if !needs_origin && !section.has("origin") {
        return None;
    }
    let written = section.required("origin", problems)?;
    if written.value.starts_with("https://") || written.value.starts_with("http://") {
        problems.error(
            &written.place,
            "an origin is the first line of the log's checkpoints, not a URL",
            "for Rekor v2 it is the host name".to_owned(),
        );
        return None;
    }
    match Origin::new(written.value) {
        Ok(origin) => Some(origin),
        Err(error) => {
            problems.error(&written.place, error.to_string(), None);
            None
        }
    }
}

/// Also the default in `[monitor]`.
pub(super) fn start(section: &Section<'_>, problems: &mut Problems) -> Option<Start> {
    if let Some(index) = section.integer("start") {
        return Some(Start::Index(index));
    }
    let hint =
        "write \"end\", \"beginning\", a date (\"2026-01-01\") or the index of an entry".to_owned();
    let place = section.place_of("start");
    let written = section.string("start", problems)?;
    match written.value {
        "end" => return Some(Start::End),
        "beginning" => return Some(Start::Beginning),
        other => {
            if let Some(time) = parse_time(other) {
                return Some(Start::Time(time));
            }
            problems.error(&place, format!("{other:?} is not a start"), hint);
        }
    }
    None
}

/// How long a log may show no growth.
enum Silence {
    Never,
    After(Duration),
}

fn silence_after(
    section: &Section<'_>,
    origin: Option<&Origin>,
    location: Option<&Location>,
    problems: &mut Problems,
) -> Option<Silence> {
    if !section.has("silence_after") {
        return Some(Silence::After(usual_silence(origin, location)));
    }
    let written = section.string("silence_after", problems)?;
    if written.value == "never" {
        problems.warning(
            &written.place,
            "an old checkpoint that is served again and again would never be noticed",
            "give a duration in which the log always grows".to_owned(),
        );
        return Some(Silence::Never);
    }
    section
        .duration("silence_after", problems)
        .map(Silence::After)
}

/// `0s` is allowed here: then only passes count.
fn rollback_after(section: &Section<'_>, problems: &mut Problems) -> Option<Duration> {
    const KEY: &str = "rollback_after";
    if !section.has(KEY) {
        return Some(DEFAULT_ROLLBACK);
    }
    section.duration_or_none(KEY, problems)
}
