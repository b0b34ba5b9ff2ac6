//! `[[channel]]`: where alerts are sent.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::context::Context;
use super::keys;
use super::place::Place;
use super::problems::Problems;
use super::quiet_hours;
use super::reader::{At, Section};
use super::values::{file, secret, unique, url, variables};
use crate::finding::{Selection, Verdict};
use crate::notify::{
    CHANNEL_TYPES, Channel, ChannelSettings, ChannelType, KeyType, Place as ChannelPlace, Remark,
    Value, Written,
};
use crate::registrations::names_watched_repository;
use crate::watch::{Severity, Watch};

pub(super) fn read_all(
    root: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Vec<Channel> {
    if !root.has("channel") {
        problems.warning(
            root.place(),
            "there is no [[channel]]: findings are recorded, and no alert is sent",
            "add one; type = \"stdout\" needs no settings".to_owned(),
        );
    }
    let mut names = HashMap::new();
    let mut channels = Vec::new();
    for section in root.tables("channel", problems) {
        let name = section.required("name", problems).map(|name| name.value);
        let section = match name {
            Some(name) => section.renamed(format!("channel[{name}]")),
            None => section,
        };
        if let Some(name) = name {
            unique(&mut names, name, "channel named", section.place(), problems);
        }
        let selection = selection(&section, problems);
        let quiet_hours = section
            .table("quiet_hours", problems)
            .and_then(|quiet| quiet_hours::read(&quiet, problems));
        let settings = settings(&section, context, problems);
        if let (Some(name), Some(settings)) = (name, settings) {
            channels.push(Channel {
                name: name.to_owned(),
                selection,
                quiet_hours,
                settings,
            });
        }
    }
    channels
}

fn selection(section: &Section<'_>, problems: &mut Problems) -> Selection {
    let min_severity = section.severity("min_severity", problems);
    let mut verdicts = BTreeSet::new();
    for written in section.strings("verdicts", problems) {
        match Verdict::from_word(written.value) {
            Some(Verdict::Expected) => problems.error(
                &written.place,
                "no alert is sent about expected signings",
                None,
            ),
            Some(verdict) => {
                verdicts.insert(verdict);
            }
            None => {
                let near = keys::nearest(written.value, Verdict::ALL.map(Verdict::as_str));
                problems.error(
                    &written.place,
                    format!("{:?} is not a verdict", written.value),
                    near.map(|near| format!("did you mean {near}?")),
                );
            }
        }
    }
    let watches = section.strings("watches", problems);
    let watches = watches.iter().map(|written| written.value.to_owned());
    Selection {
        min_severity: min_severity.unwrap_or(Severity::Info),
        verdicts: section.has("verdicts").then_some(verdicts),
        watches: section.has("watches").then(|| watches.collect()),
    }
}

/// Warns about channels that write into a repository whose signings are watched: a thief of its workflow can read there
/// that he was seen, and close the issues.
pub(super) fn check_repositories(
    root: &Section<'_>,
    channels: &[Channel],
    watches: &[At<Watch>],
    problems: &mut Problems,
) {
    let watches: Vec<Watch> = watches.iter().map(|watch| watch.value.clone()).collect();
    let mut separate = problems.separate();
    for section in root.tables("channel", &mut separate) {
        let name = section.string("name", &mut separate).map(|name| name.value);
        let named = channels
            .iter()
            .find(|channel| Some(channel.name.as_str()) == name);
        let repository = named.and_then(|channel| channel.settings.repository());
        let watch =
            repository.and_then(|url| Some(names_watched_repository(&url, &watches)?.name.clone()));
        if let Some(watch) = watch {
            problems.warning(
                &section.place_of("repository"),
                format!("the watch {watch} looks for signings of this repository: a thief of its workflow can read the alerts and close them"),
                "use another repository".to_owned(),
            );
        }
    }
}

/// Reports names in `watches` that no watch has. Watches are read after the channels, which they name.
pub(super) fn check_watches(root: &Section<'_>, watches: &[At<Watch>], problems: &mut Problems) {
    // Problems of the lists themselves were reported when they were read.
    let mut separate = problems.separate();
    let known: HashSet<&str> = watches
        .iter()
        .map(|watch| watch.value.name.as_str())
        .collect();
    for section in root.tables("channel", &mut separate) {
        for written in section.strings("watches", &mut separate) {
            if !known.contains(written.value) {
                let near = keys::nearest(written.value, known.iter().copied());
                problems.error(
                    &written.place,
                    format!("there is no watch named {:?}", written.value),
                    near.map(|near| format!("did you mean {near}?")),
                );
            }
        }
    }
}

fn settings(
    section: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<Arc<dyn ChannelSettings>> {
    let known = keys::of_channels();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    section.only("channel", &known, problems);
    let written = section.required("type", problems)?;
    let Some(channel_type) = ChannelType::named(written.value) else {
        let hint = no_such_type(written.value);
        problems.error(
            &written.place,
            format!("{:?} is not a type of channel", written.value),
            hint,
        );
        return None;
    };
    let own: Vec<String> = channel_type.written_keys().collect();
    for key in section.keys() {
        let is_own = own.iter().any(|own| own == key) || keys::EVERY_CHANNEL.contains(&key);
        if known.contains(&key) && !is_own {
            problems.error(
                &section.place_of(key),
                format!("a channel of type {} has no such key", written.value),
                None,
            );
        }
    }
    let mut values = Written::new(context.directory);
    let mut elements = HashMap::new();
    for (key, key_type) in channel_type.keys {
        let names = key_type.written_as(key);
        if !names.iter().any(|name| section.has(name)) {
            continue;
        }
        let value = match key_type {
            KeyType::Text => section
                .string(key, problems)
                .map(|text| Value::Text(text.value.to_owned())),
            KeyType::Texts => {
                let (texts, places): (Vec<String>, Vec<Place>) = section
                    .strings(key, problems)
                    .into_iter()
                    .map(|text| (text.value.to_owned(), text.place))
                    .unzip();
                elements.insert(*key, places);
                (!texts.is_empty()).then_some(Value::Texts(texts))
            }
            KeyType::Boolean => section.boolean(key, problems).map(Value::Boolean),
            KeyType::Duration => section.duration(key, problems).map(Value::Duration),
            KeyType::File => file(section, key, context, problems).map(Value::File),
            KeyType::Secret => secret(section, key, context, problems).map(Value::Secret),
            KeyType::Variables => {
                variables(section, &format!("{key}_env"), problems).map(Value::Variables)
            }
            KeyType::Url => url(section, context, problems).map(Value::Url),
        };
        values.insert(key, value.unwrap_or(Value::Wrong));
    }
    let settings = (channel_type.read)(&mut values);
    for remark in values.into_remarks() {
        report(remark, section, &elements, problems);
    }
    settings
}

fn report(
    remark: Remark,
    section: &Section<'_>,
    elements: &HashMap<&str, Vec<Place>>,
    problems: &mut Problems,
) {
    let place = match remark.place {
        ChannelPlace::Channel => section.place().clone(),
        ChannelPlace::Key(key) => section.place_of(key),
        ChannelPlace::Element(key, position) => elements
            .get(key)
            .and_then(|places| places.get(position).cloned())
            .unwrap_or_else(|| section.place_of(key)),
    };
    if remark.is_warning {
        problems.warning(&place, remark.message, remark.hint);
    } else {
        problems.error(&place, remark.message, remark.hint);
    }
}

/// What to write instead of a type that does not exist.
fn no_such_type(written: &str) -> String {
    let types = CHANNEL_TYPES.map(|known| known.name);
    match written {
        "mattermost" | "matrix" | "opsgenie" => {
            let (last, others) = types.split_last().expect("the table has rows");
            format!(
                "this version has {} and {last}: a program of your own can do it through exec",
                others.join(", ")
            )
        }
        other => match keys::nearest(other, types) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("write one of {}", types.join(", ")),
        },
    }
}
