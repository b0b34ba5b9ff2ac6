//! `mode` and `guided_by` of a `[[log]]`: read in full, or covered by way of CT logs.

use super::problems::Problems;
use super::reader::{At, Section};
use crate::log::Protocol;

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

/// Reads how a log is followed. The second part of the result are the names of its CT logs with their places: they are
/// checked when all logs were read.
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
                "a log with mode = \"tail\" needs no guided_by",
                "leave it out, or write mode = \"guided\"".to_owned(),
            );
            None
        }
        "tail" => Some((Mode::Tail, by)),
        "guided" if protocol.is_some_and(|protocol| !protocol.has_index()) => {
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
                    "the CT logs of the CA are missing",
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
                format!("{other:?} is not a mode"),
                "\"tail\" reads every entry, \"guided\" looks up the certificates of CT logs"
                    .to_owned(),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Problems, validate};
    use super::Mode;

    /// A Rekor v1 log with these lines and two CT logs; the modes of all logs, if it is valid.
    fn read(lines: &str) -> (Option<Vec<Mode>>, Problems) {
        let ct = |name: &str| {
            format!(
                "[[log]]\nname = \"{name}\"\ntype = \"ct-rfc6962\"\nurl = \"https://{name}.example\"\npublic_key = \"k.pem\"\n"
            )
        };
        let (one, two) = (ct("ct-1"), ct("ct-2"));
        let text = format!(
            "[[log]]\nname = \"v1\"\ntype = \"rekor-v1\"\nurl = \"https://rekor.example\"\npublic_key = \"k.pem\"\n{lines}\n{one}{two}\
             [[watch]]\nname = \"mail\"\nsan = \"release@example.com\"\n[[channel]]\nname = \"out\"\ntype = \"stdout\"\n"
        );
        let (config, problems) = validate(&text, Path::new("/etc/modelwatch.toml"), &|_| true);
        let modes = config.map(|config| config.logs.into_iter().map(|log| log.mode).collect());
        (modes, problems)
    }

    #[test]
    fn a_guided_log_names_its_guides() {
        let (modes, problems) = read("mode = \"guided\"\nguided_by = [\"ct-2\", \"ct-1\"]");
        assert_eq!(problems.iter().len(), 0, "{problems}");
        let by = vec!["ct-1".to_owned(), "ct-2".to_owned()];
        let modes = modes.expect("it is valid");
        assert_eq!(modes, [Mode::Guided { by }, Mode::Tail, Mode::Tail]);
    }

    #[test]
    fn a_ct_log_that_guides_nothing_beside_one_that_does_is_a_doubt() {
        let (modes, problems) = read("mode = \"guided\"\nguided_by = [\"ct-1\"]");
        assert!(modes.is_some());
        let messages = problems.to_string();
        assert!(
            messages.contains("ct-2 is a CT log that guides no log"),
            "{messages}"
        );
        assert!(!messages.contains("ct-1 is"), "{messages}");
    }

    #[test]
    fn contradictions_are_errors() {
        for (lines, messages) in [
            (
                "guided_by = [\"ct-1\"]",
                "a log with mode = \"tail\" needs no guided_by",
            ),
            (
                "mode = \"tail\"\nguided_by = [\"ct-1\"]",
                "a log with mode = \"tail\" needs no guided_by",
            ),
            ("mode = \"guided\"", "the CT logs of the CA are missing"),
            ("mode = \"guided\"\nguided_by = []", "guided_by"),
            (
                "mode = \"guided\"\nguided_by = [\"v1\"]",
                "\"v1\" is a rekor-v1 log, which contains no certificates",
            ),
            (
                "mode = \"guided\"\nguided_by = [\"ct-3\"]",
                "there is no [[log]] named \"ct-3\"",
            ),
            ("mode = \"full\"", "\"full\" is not a mode"),
        ] {
            let (modes, problems) = read(lines);
            let problems = problems.to_string();
            assert!(
                modes.is_none() && problems.contains(messages),
                "{lines}: {problems}"
            );
        }
    }
}
