//! `[[watch]]`: whose signings are looked for.

use std::collections::HashMap;

use super::problems::Problems;
use super::reader::{At, Section};
use super::values::unique;
use super::{conditions, keys, lints};
use crate::watch::{Forms, Set, Severity, Watch};

pub(super) fn read_all(
    root: &Section<'_>,
    channels: &[&str],
    problems: &mut Problems,
) -> Vec<At<Watch>> {
    let mut names = HashMap::new();
    let mut watches = Vec::new();
    let forms = Forms::new();
    for section in root.tables("watch", problems) {
        let name = section.required("name", problems).map(|name| name.value);
        let section = match name {
            Some(name) => section.renamed(format!("watch[{name}]")),
            None => section,
        };
        if let Some(name) = name {
            unique(&mut names, name, "watch named", section.place(), problems);
        }
        let watch = read(&section, name.unwrap_or_default(), channels, problems);
        doubt(&section, &watch, &forms, problems);
        watches.push(At {
            value: watch,
            place: section.place().clone(),
        });
    }
    watches
}

fn read(section: &Section<'_>, name: &str, channels: &[&str], problems: &mut Problems) -> Watch {
    section.only("watch", &keys::WATCH, problems);
    let mut watch = Watch::new(name, conditions::read(section, problems));
    watch.severity = section
        .severity("severity", problems)
        .unwrap_or(Severity::High);
    watch.notify = notify(section, channels, problems);
    for alternative in section.tables("any", problems) {
        alternative.only("any", &keys::CONDITIONS, problems);
        if !conditions::written(&alternative) {
            problems.error(
                alternative.place(),
                "has no conditions: it would always be satisfied",
                None,
            );
        }
        watch.any.push(conditions::read(&alternative, problems));
    }
    if section.has("any") && watch.any.is_empty() {
        problems.error(
            &section.place_of("any"),
            "an empty list matches nothing",
            None,
        );
    }
    if !section.has("any") && !conditions::written(section) {
        problems.error(
            section.place(),
            "has no conditions: it would select every signing",
            "give san, san_glob, issuer, extension or key_sha256; `modelwatch watch suggest` writes them"
                .to_owned(),
        );
    }
    if let Some(shape) = section.table("shape", problems) {
        shape.only("shape", &keys::CONDITIONS, problems);
        if !conditions::written(&shape) {
            problems.error(
                shape.place(),
                "has no conditions: everything would be in shape",
                None,
            );
        }
        let normal = conditions::read(&shape, problems);
        lints::on_regexes_of_shape(&shape.place_of("san_regex"), &normal, problems);
        watch.shape = Some(normal);
    }
    watch.hold = section.duration("hold", problems);
    if section.has("hold") && !section.has("shape") {
        problems.error(
            &section.place_of("hold"),
            "hold without shape: shape describes the signings that may wait",
            "add a shape".to_owned(),
        );
    }
    watch
}

/// Names and values that the issuer never writes.
fn doubt(section: &Section<'_>, watch: &Watch, forms: &Forms, problems: &mut Problems) {
    let doubts = watch.doubts(forms);
    if doubts.is_empty() {
        return;
    }
    // Problems of the tables themselves were reported when they were read.
    let mut separate = problems.separate();
    let any = section.tables("any", &mut separate);
    let shape = section.table("shape", &mut separate);
    for doubt in doubts {
        let set = match doubt.set {
            Set::Own => Some(section),
            Set::Any(place) => any.get(place),
            Set::Shape => shape.as_ref(),
        };
        let set = set.unwrap_or(section);
        let place = match doubt.extension {
            None => set.place_of(doubt.key),
            Some(extension) => set.table(doubt.key, &mut separate).map_or_else(
                || set.place_of(doubt.key),
                |table| table.place_of(extension.name()),
            ),
        };
        problems.warning(&place, doubt.message, doubt.hint);
    }
}

fn notify(
    section: &Section<'_>,
    channels: &[&str],
    problems: &mut Problems,
) -> Option<Vec<String>> {
    if !section.has("notify") {
        return None;
    }
    let names = section.strings("notify", problems);
    for name in &names {
        if !channels.contains(&name.value) {
            let near = keys::nearest(name.value, channels.iter().copied());
            problems.error(
                &name.place,
                format!("there is no channel named {:?}", name.value),
                near.map(|near| format!("did you mean {near}?")),
            );
        }
    }
    Some(names.iter().map(|name| name.value.to_owned()).collect())
}
