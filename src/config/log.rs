//! `[[log]]`: the logs that are read.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tlog::checkpoint::Origin;

use super::problems::Problems;
use super::reader::Section;
use super::top::{file, unique};
use super::{Context, keys};
use crate::shard::{Protocol, Start};
use crate::source::Location;

/// How long a log may stand still, unless its own section says.
const DEFAULT_SILENCE: Duration = Duration::from_hours(24);

/// The public-good logs are republished every few minutes and grow all the time.
const PUBLIC_GOOD_SILENCE: Duration = Duration::from_hours(1);

/// One `[[log]]`.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// Its name in findings and on the command line.
    pub name: String,
    /// The first line of its checkpoints.
    pub origin: Origin,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Where it is read.
    pub location: Location,
    /// Its key, PEM; without it the trusted root gives the key for the origin.
    pub public_key: Option<PathBuf>,
    /// Where reading begins while there is no stored position.
    pub start: Start,
    /// How long it may stand still; `None` is for ever.
    pub silence_after: Option<Duration>,
}

impl LogSettings {
    /// A Rekor v2 log that trust has found, with every default; it is named by its origin.
    pub fn found(origin: Origin, location: Location, start: Start) -> Self {
        Self {
            name: origin.as_str().to_owned(),
            protocol: Protocol::RekorV2,
            location,
            public_key: None,
            start,
            silence_after: Some(usual_silence(&origin)),
            origin,
        }
    }
}

/// How long a log may stand still that says nothing about it.
fn usual_silence(origin: &Origin) -> Duration {
    if origin.as_str().ends_with(".rekor.sigstore.dev") {
        PUBLIC_GOOD_SILENCE
    } else {
        DEFAULT_SILENCE
    }
}

/// What other sections say for every log.
pub(super) struct Defaults {
    pub(super) start: Start,
    /// Trust gives keys by origin.
    pub(super) gives_keys: bool,
    /// Trust says which logs there are.
    pub(super) discovers: bool,
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
    let mut logs = Vec::new();
    for section in sections {
        let origin = section
            .string("origin", problems)
            .map(|origin| origin.value);
        let name = section.string("name", problems).map(|name| name.value);
        let section = match name.or(origin) {
            Some(name) => section.renamed(format!("log[{name}]")),
            None => section,
        };
        if let Some(name) = name.or(origin) {
            unique(&mut names, name, "log named", section.place(), problems);
        }
        if let Some(origin) = origin {
            let place = section.place_of("origin");
            unique(&mut origins, origin, "log of the origin", &place, problems);
        }
        logs.extend(read(&section, name.or(origin), defaults, context, problems));
    }
    logs
}

fn read(
    section: &Section<'_>,
    name: Option<&str>,
    defaults: &Defaults,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<LogSettings> {
    section.only("log", &keys::LOG, problems);
    let protocol = protocol(section, defaults, problems);
    let location = location(section, context, problems);
    let origin = origin(section, problems);
    let public_key = file(section, "public_key", context, problems);
    if !section.has("public_key") && !defaults.gives_keys {
        problems.error(
            section.place(),
            "nothing says which key signs its checkpoints",
            "give public_key, or tuf or trusted_root in [trust]".to_owned(),
        );
    }
    let start = if section.has("start") {
        start(section, problems)
    } else {
        Some(defaults.start)
    };
    let origin = origin?;
    let silence_after = silence_after(section, &origin, problems);
    Some(LogSettings {
        name: name?.to_owned(),
        protocol: protocol?,
        location: location?,
        public_key,
        start: start?,
        silence_after: match silence_after? {
            Silence::Never => None,
            Silence::After(time) => Some(time),
        },
        origin,
    })
}

fn protocol(
    section: &Section<'_>,
    defaults: &Defaults,
    problems: &mut Problems,
) -> Option<Protocol> {
    // A log that trust has found is only read elsewhere; what it finds is Rekor v2.
    if !section.has("type") && defaults.discovers {
        return Some(Protocol::RekorV2);
    }
    let written = section.required("type", problems)?;
    match written.value {
        "rekor-v2" => return Some(Protocol::RekorV2),
        later @ ("rekor-v1" | "ct-rfc6962" | "ct-static") => problems.error(
            &written.place,
            format!("{later} logs are not read by this version"),
            "this version reads rekor-v2".to_owned(),
        ),
        other => problems.error(
            &written.place,
            format!("{other:?} is no type of log"),
            "write rekor-v2".to_owned(),
        ),
    }
    None
}

fn location(
    section: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<Location> {
    let written = section.required("url", problems)?;
    match written.value.parse::<Location>() {
        Ok(location) => Some(location.relative_to(context.directory)),
        Err(error) => {
            problems.error(&written.place, error.to_string(), None);
            None
        }
    }
}

fn origin(section: &Section<'_>, problems: &mut Problems) -> Option<Origin> {
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
            if let Some(time) = time(other) {
                return Some(Start::Time(time));
            }
            problems.error(&place, format!("{other:?} is no place in a log"), hint);
        }
    }
    None
}

/// A date (its midnight, UTC) or a timestamp of RFC 3339 with its offset.
pub fn time(written: &str) -> Option<Timestamp> {
    // What else the parsers take (a week, a zone's name in brackets) would surprise whoever reads the file.
    if let Ok(time) = written.parse::<Timestamp>() {
        return (!written.contains('[')).then_some(time);
    }
    let date = Date::strptime("%Y-%m-%d", written).ok();
    let date = date.filter(|date| date.to_string() == written)?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// How long a log may stand still.
enum Silence {
    Never,
    After(Duration),
}

fn silence_after(
    section: &Section<'_>,
    origin: &Origin,
    problems: &mut Problems,
) -> Option<Silence> {
    if !section.has("silence_after") {
        return Some(Silence::After(usual_silence(origin)));
    }
    let written = section.string("silence_after", problems)?;
    if written.value == "never" {
        problems.warning(
            &written.place,
            "an old checkpoint, served again and again, would never be noticed",
            "give a length of time in which the log always grows".to_owned(),
        );
        return Some(Silence::Never);
    }
    section
        .duration("silence_after", problems)
        .map(Silence::After)
}
