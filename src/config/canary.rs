//! `[[canary]]`: an identity that signs regularly.

use std::collections::HashMap;

use super::keys;
use super::problems::Problems;
use super::reader::{At, Section};
use super::values::unique;
use crate::monitor::CanarySettings;
use crate::watch::Watch;

/// Most canaries that are read.
const MAX_CANARIES: usize = 100;

pub(super) fn read(
    root: &Section<'_>,
    watches: &[At<Watch>],
    problems: &mut Problems,
) -> Vec<CanarySettings> {
    let mut names = HashMap::new();
    let mut canaries = Vec::new();
    let sections = root.tables("canary", problems);
    if sections.len() > MAX_CANARIES {
        let message = format!("more than {MAX_CANARIES} canaries");
        problems.error(&root.place_of("canary"), message, None);
    }
    for section in sections {
        section.only("canary", &keys::CANARY, problems);
        let watch = section.required("watch", problems);
        if !section.has("every") {
            problems.error(
                section.place(),
                "every is missing: how often it signs",
                "write every = \"26h\" for one that signs each night".to_owned(),
            );
        }
        let every = section.duration("every", problems);
        let Some(watch) = watch else { continue };
        unique(
            &mut names,
            watch.value,
            "canary of the watch",
            &watch.place,
            problems,
        );
        let known = watches.iter().map(|watch| watch.value.name.as_str());
        if !known.clone().any(|name| name == watch.value) {
            let near = keys::nearest(watch.value, known);
            problems.error(
                &watch.place,
                format!("there is no watch named {:?}", watch.value),
                near.map(|near| format!("did you mean {near}?")),
            );
        }
        canaries.extend(every.map(|every| CanarySettings {
            watch: watch.value.to_owned(),
            every,
        }));
    }
    canaries
}
