//! `[[witness]]`: who cosigns the checkpoints of a log.

use std::collections::HashMap;
use std::path::PathBuf;

use tlog::{KeyName, Verifier};

use super::context::Context;
use super::keys;
use super::problems::Problems;
use super::reader::{At, Section};
use super::values::{file, unique};

/// The most signatures of a note.
const MAX_WITNESSES: usize = 100;

/// One `[[witness]]`.
#[derive(Debug, Clone)]
pub struct WitnessSettings {
    /// The name of its key, as signature lines have it.
    pub name: KeyName,
    /// Its key.
    pub key: WitnessKey,
}

/// Where the key of a witness is.
#[derive(Debug, Clone)]
pub enum WitnessKey {
    /// Written out, as a C2SP verifier key of type 0x04.
    Written(Box<Verifier>),
    /// A PEM file with an Ed25519 key, or a file with a verifier key.
    File(PathBuf),
}

/// The witnesses, and how many the file contains: a log may require one whose key is wrong, which is another mistake.
pub(super) fn witnesses(
    root: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> (Vec<WitnessSettings>, usize) {
    let mut names = HashMap::new();
    let mut witnesses = Vec::new();
    let sections = root.tables("witness", problems);
    let written = sections.len();
    if written > MAX_WITNESSES {
        let message = format!("more than {MAX_WITNESSES} witnesses");
        problems.error(&root.place_of("witness"), message, None);
    }
    for section in sections {
        section.only("witness", &keys::WITNESS, problems);
        let name = section.required("name", problems);
        if let Some(name) = &name {
            unique(
                &mut names,
                name.value,
                "witness named",
                &name.place,
                problems,
            );
        }
        let name = name.and_then(|name| match KeyName::new(name.value) {
            Ok(name) => Some(name),
            Err(error) => {
                problems.error(&name.place, error.to_string(), None);
                None
            }
        });
        let Some(public_key) = section.required("public_key", problems) else {
            continue;
        };
        let key = if public_key.value.contains('+') {
            verifier(&public_key, name.as_ref(), problems)
                .map(|key| WitnessKey::Written(Box::new(key)))
        } else {
            // Under the name that later messages about the file begin with.
            let section = match &name {
                Some(name) => section.renamed(format!("witness[{name}]")),
                None => section,
            };
            file(&section, "public_key", context, problems).map(WitnessKey::File)
        };
        witnesses.extend(
            name.zip(key)
                .map(|(name, key)| WitnessSettings { name, key }),
        );
    }
    (witnesses, written)
}

fn verifier(
    written: &At<&str>,
    name: Option<&KeyName>,
    problems: &mut Problems,
) -> Option<Verifier> {
    let hint = "a witness's is NAME+ID+KEY of type 0x04, as its operator publishes it".to_owned();
    match Verifier::from_vkey(written.value) {
        Ok(key) if !key.is_witness() => {
            problems.error(
                &written.place,
                "is the key of a log, not of a witness",
                hint,
            );
        }
        Ok(key) if name.is_some_and(|name| name != key.name()) => {
            let message = format!("is the key of {}, which is another name", key.name());
            problems.error(&written.place, message, None);
        }
        Ok(key) => return Some(key),
        Err(error) => problems.error(&written.place, error.to_string(), hint),
    }
    None
}

/// `require_witnesses` of a log, checked when the witnesses are read.
pub(super) fn required(section: &Section<'_>, witnesses: usize, problems: &mut Problems) -> usize {
    if !section.has("require_witnesses") {
        return 0;
    }
    let place = section.place_of("require_witnesses");
    match section
        .integer("require_witnesses")
        .and_then(|number| usize::try_from(number).ok())
    {
        Some(number) if number <= witnesses => number,
        Some(number) => {
            problems.error(
                &place,
                format!("{number} witnesses are required, and there are {witnesses}"),
                "add a [[witness]] for each".to_owned(),
            );
            0
        }
        None => {
            problems.error(&place, "is not a number", None);
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, validate};
    use super::WitnessKey;

    const GOOD: &str = r#"
[[log]]
type = "rekor-v2"
url = "https://log.example"
origin = "log.example"
public_key = "key.pem"
require_witnesses = 2

[[watch]]
name = "mail"
san = "release@example.com"

[[canary]]
watch = "mail"
every = "26h"

[[witness]]
name = "w.example/1"
public_key = "w1.pem"

[[witness]]
name = "remora.n621.de"
public_key = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
"#;

    fn read(text: &str) -> Result<Config, String> {
        let (config, problems) = validate(text, Path::new("modelwatch.toml"), &|_| true);
        config.ok_or_else(|| problems.to_string())
    }

    #[test]
    fn canaries_and_witnesses_are_read() {
        let config = read(GOOD).expect("valid");
        assert_eq!(config.canaries.len(), 1);
        assert_eq!(
            config.canaries.first().map(|c| c.every.as_secs()),
            Some(26 * 3600)
        );
        assert_eq!(
            config.logs.first().map(|log| log.require_witnesses),
            Some(2)
        );
        let [file, written] = config.witnesses.as_slice() else {
            panic!("two witnesses")
        };
        assert!(matches!(&file.key, WitnessKey::File(path) if path.ends_with("w1.pem")));
        assert!(matches!(&written.key, WitnessKey::Written(key) if key.is_witness()));
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_a_hint() {
        for (from, to, message) in [
            (
                "watch = \"mail\"",
                "watch = \"mial\"",
                "no watch named \"mial\" (hint: did you mean mail?)",
            ),
            ("every = \"26h\"", "", "every is missing"),
            (
                "every = \"26h\"",
                "every = \"nightly\"",
                "is not a duration",
            ),
            (
                "require_witnesses = 2",
                "require_witnesses = 3",
                "3 witnesses are required, and there are 2",
            ),
            (
                "require_witnesses = 2",
                "require_witnesses = \"some\"",
                "is not a number",
            ),
            (
                "require_witnesses = 2",
                "witnesses = 2",
                "did you mean require_witnesses?",
            ),
            ("+da77ade7+", "+da77ade8+", "contains the id"),
            (
                "name = \"remora.n621.de\"",
                "name = \"remora\"",
                "which is another name",
            ),
            (
                "name = \"w.example/1\"",
                "name = \"w example\"",
                "no spaces",
            ),
            (
                "name = \"w.example/1\"",
                "name = \"remora.n621.de\"",
                "another witness named",
            ),
            (
                "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
                "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                "is the key of a log",
            ),
            (
                "[[canary]]",
                "[[canary]]\nwatch = \"mail\"\nevery = \"1h\"\n[[canary]]",
                "another canary of the watch",
            ),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let problems = read(&GOOD.replacen(from, to, 1)).expect_err(to);
            assert!(problems.contains(message), "{to}: {problems}");
        }
    }
}
