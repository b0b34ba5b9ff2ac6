//! `mode` and `guided_by` of a `[[log]]`: read in full, or covered by way of CT logs.

use std::collections::HashMap;

use super::log::LogSettings;
use super::problems::Problems;
use super::reader::{At, Section};
use crate::shard::Protocol;

/// How a log is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Every entry is read.
    Tail,
    /// Certificates that CT logs show are looked up in the log's search index.
    Guided {
        /// The names of the CT logs, each a `[[log]]` of its own; never empty.
        by: Vec<String>,
    },
}

/// Reads how a log is followed. The second part of the answer are the names of its CT logs with their places: which logs
/// there are is known only when all were read.
pub(super) fn read<'t>(
    section: &Section<'t>,
    protocol: Option<Protocol>,
    problems: &mut Problems,
) -> Option<(Mode, Vec<At<&'t str>>)> {
    let by = section.strings("guided_by", problems);
    let written = section.string("mode", problems);
    let mode = written.as_ref().map_or("tail", |mode| mode.value);
    match mode {
        "tail" if section.has("guided_by") => {
            problems.error(
                &section.place_of("guided_by"),
                "a log whose every entry is read needs no guide",
                "leave it out, or write mode = \"guided\"".to_owned(),
            );
            None
        }
        "tail" => Some((Mode::Tail, by)),
        "guided" if protocol.is_some_and(|protocol| protocol != Protocol::RekorV1) => {
            problems.error(
                &section.place_of("mode"),
                "only a rekor-v1 log has a search index by which it can be guided",
                "leave it out: every entry is read".to_owned(),
            );
            None
        }
        "guided" if by.is_empty() => {
            if !section.has("guided_by") {
                problems.error(
                    &section.place_of("mode"),
                    "nothing says which certificates were issued",
                    "name the [[log]] of each CT log of the CA: guided_by = [\"…\"]".to_owned(),
                );
            }
            None
        }
        "guided" => {
            let mut names: Vec<String> = by.iter().map(|name| name.value.to_owned()).collect();
            names.sort_unstable();
            names.dedup();
            Some((Mode::Guided { by: names }, by))
        }
        other => {
            problems.error(
                &section.place_of("mode"),
                format!("{other:?} is no way to follow a log"),
                "\"tail\" reads every entry, \"guided\" looks up what CT logs show".to_owned(),
            );
            None
        }
    }
}

/// That each guide is a CT log of this file. `named` are the names of all logs, also of those that cannot be read, about
/// which enough was said.
pub(super) fn check<V>(
    guides: &[At<&str>],
    logs: &[LogSettings],
    named: &HashMap<String, V>,
    problems: &mut Problems,
) {
    let is_ct =
        |log: &&LogSettings| matches!(log.protocol, Protocol::CtRfc6962 | Protocol::CtStatic);
    for guide in guides {
        match logs.iter().find(|log| log.name == guide.value) {
            Some(log) if !is_ct(&log) => problems.error(
                &guide.place,
                format!(
                    "{:?} is a {} log, which shows no certificates",
                    guide.value,
                    log.protocol.as_str()
                ),
                "name a log of type ct-rfc6962 or ct-static".to_owned(),
            ),
            None if !named.contains_key(guide.value) => {
                let known: Vec<&str> = logs
                    .iter()
                    .filter(is_ct)
                    .map(|log| log.name.as_str())
                    .collect();
                let hint = if known.is_empty() {
                    "add a [[log]] of type ct-rfc6962 or ct-static".to_owned()
                } else {
                    format!("the CT logs here are {}", known.join(", "))
                };
                problems.error(
                    &guide.place,
                    format!("there is no [[log]] named {:?}", guide.value),
                    hint,
                );
            }
            Some(_) | None => {}
        }
    }
}
