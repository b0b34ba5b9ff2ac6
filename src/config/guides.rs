//! The CT logs that guide a log.

use std::collections::HashMap;

use super::log_settings::LogSettings;
use super::problems::Problems;
use super::reader::At;

/// Checks that each guide is a CT log of this file. `named` are the names of all logs, also of those with errors, which
/// are reported elsewhere.
pub(super) fn check<V>(
    guides: &[At<&str>],
    logs: &[LogSettings],
    named: &HashMap<String, V>,
    problems: &mut Problems,
) {
    let is_ct = |log: &&LogSettings| log.protocol.is_ct();
    for guide in guides {
        match logs.iter().find(|log| log.name == guide.value) {
            Some(log) if !is_ct(&log) => problems.error(
                &guide.place,
                format!(
                    "{:?} is a {} log, which contains no certificates",
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
    let Some(first) = guides.first() else { return };
    for log in logs.iter().filter(is_ct) {
        if guides.iter().all(|guide| guide.value != log.name) {
            problems.warning(
                &first.place,
                format!(
                    "{} is a CT log that guides no log: its certificates are found, but the signings with them are not looked up",
                    log.name
                ),
                "name it too, if it is of the same CA".to_owned(),
            );
        }
    }
}
