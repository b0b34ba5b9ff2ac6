//! Why a watch selects a signer or does not: which condition differs, and how.

use std::fmt;

use serde::Serialize;

use super::part::Part;
use super::subject::Subject;
use super::{Conditions, Glob, SanRegex, Watch};
use crate::identity::Signer;

/// Texts are compared for similarity up to this many characters: the time is quadratic, and the SAN may come from an
/// attacker.
const MAX_COMPARED_CHARS: usize = 300;

/// The result of a watch for one signer. Its `Display` is for people, escaped for a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The watch.
    pub watch: String,
    /// Whether it selects the signer.
    pub selected: bool,
    /// Whether the signer is in its shape; `None` without a shape.
    pub in_shape: Option<bool>,
    /// Its own conditions: all must be satisfied.
    pub conditions: Vec<Checked>,
    /// The sets of `any`: all of one of them have to hold.
    pub any: Vec<Vec<Checked>>,
    /// The conditions of its shape, by their stricter rules.
    pub shape: Vec<Checked>,
}

/// One condition and the value compared with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The key in the configuration: `san_glob`, `extension.build_trigger`.
    pub condition: String,
    /// The values of which one must match.
    pub expected: Vec<String>,
    /// The values of the signer; empty if it has none.
    pub actual: Vec<String>,
    /// Whether the condition holds.
    pub holds: bool,
    /// How the nearest value differs, if it does not hold.
    pub difference: Option<String>,
}

/// Compares a watch with one signer, condition by condition.
pub fn explain(watch: &Watch, signer: &Signer) -> Explanation {
    let subject = Subject::new(signer);
    let selected = watch.judge(&subject);
    let select = |set: &Conditions| -> Vec<Checked> {
        set.parts()
            .map(|part| check(part, &subject, part.holds(&subject), Reading::Select))
            .collect()
    };
    Explanation {
        watch: watch.name.clone(),
        in_shape: watch.shape.as_ref().map(|shape| shape.fit(&subject)),
        selected: selected.is_some(),
        conditions: select(&watch.conditions),
        any: watch.any.iter().map(select).collect(),
        shape: watch
            .shape
            .iter()
            .flat_map(Conditions::parts)
            .map(|part| check(part, &subject, part.fits(&subject), Reading::Shape))
            .collect(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Select,
    Shape,
}

fn check(part: Part<'_>, subject: &Subject<'_>, holds: bool, reading: Reading) -> Checked {
    let actual = part.actual(subject);
    Checked {
        condition: part.name().into_owned(),
        expected: part
            .values()
            .iter()
            .map(|value| value.clone().into_owned())
            .collect(),
        holds,
        difference: (!holds).then(|| difference(part, subject, &actual, reading)),
        actual,
    }
}

fn difference(
    part: Part<'_>,
    subject: &Subject<'_>,
    actual: &[String],
    reading: Reading,
) -> String {
    if actual.is_empty() {
        return match subject.certificate() {
            Some(_) => "the certificate has none".to_owned(),
            None => "the signer is a bare key and has none".to_owned(),
        };
    }
    if matches!(part, Part::Key(_) | Part::Certificate(_)) {
        return "it is another one".to_owned();
    }
    let beside = reading == Reading::Shape && actual.len() > 1 && part.holds(subject);
    // In a shape all of them must match: report one that does not.
    let odd = |fits: &dyn Fn(&str) -> bool| -> Vec<&str> {
        actual
            .iter()
            .map(String::as_str)
            .filter(|value| !(beside && fits(value)))
            .collect()
    };
    let text = match part {
        Part::San(values) | Part::Issuer(values) | Part::Extension(_, values) => {
            let odd = odd(&|value| values.iter().any(|v| v == value));
            nearest(values, String::as_str, &odd)
                .map(|(expected, value)| text_difference(expected, value))
        }
        Part::SanGlob(globs) | Part::ExtensionGlob(_, globs) => {
            let odd = odd(&|value| globs.iter().any(|glob| glob.fits_shape(value)));
            nearest(globs, Glob::as_str, &odd)
                .map(|(glob, value)| glob_difference(glob, value, reading))
        }
        Part::SanRegex(regexes) => {
            let odd = odd(&|value| regexes.iter().any(|regex| regex.matches(value)));
            nearest(regexes, SanRegex::as_str, &odd)
                .map(|(regex, value)| regex_difference(regex, value))
        }
        Part::Key(_) | Part::Certificate(_) => None,
    };
    let text = text.unwrap_or_default();
    if beside {
        format!("one of them fits, but all have to: {text}")
    } else {
        text
    }
}

/// The most similar pair of an expected and an actual value.
fn nearest<'a, T>(
    expected: &'a [T],
    as_str: impl Fn(&T) -> &str,
    actual: &[&'a str],
) -> Option<(&'a T, &'a str)> {
    let cut = |text: &str| -> String { text.chars().take(MAX_COMPARED_CHARS).collect() };
    expected
        .iter()
        .flat_map(|expected| actual.iter().map(move |actual| (expected, *actual)))
        .min_by_key(|(expected, actual)| strsim::levenshtein(&cut(as_str(expected)), &cut(actual)))
}

fn text_difference(expected: &str, actual: &str) -> String {
    if expected.eq_ignore_ascii_case(actual) {
        return "it differs in upper and lower case only, which counts here".to_owned();
    }
    let common: String = expected
        .chars()
        .zip(actual.chars())
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a)
        .collect();
    let rest = |text: &str| -> String { text.chars().skip(common.chars().count()).collect() };
    let (expected, actual) = (rest(expected), rest(actual));
    match (common.is_empty(), expected.is_empty(), actual.is_empty()) {
        (true, _, _) => "it has nothing in common with what is expected".to_owned(),
        (_, true, _) => format!("it continues with {actual:?} where it should end"),
        (_, _, true) => format!("it ends where {expected:?} should follow"),
        _ => format!("after {common:?} it has {actual:?} instead of {expected:?}"),
    }
}

fn glob_difference(glob: &Glob, san: &str, reading: Reading) -> String {
    if reading == Reading::Shape && glob.matches(san) {
        return "in a shape a * before @ does not match @, nor does one after it match @refs/: the name of a branch can contain both"
            .to_owned();
    }
    if glob.matches_folded(&san.to_ascii_lowercase()) {
        return "it differs in upper and lower case only, which counts in a shape".to_owned();
    }
    let (pattern, text) = match reading {
        Reading::Select => (glob.folded().to_owned(), san.to_ascii_lowercase()),
        Reading::Shape => (glob.as_str().to_owned(), san.to_owned()),
    };
    let Some((first, others)) = pattern.split_once('*') else {
        return text_difference(&pattern, &text);
    };
    let Some(mut rest) = text.strip_prefix(first) else {
        let head: String = text.chars().take(first.chars().count()).collect();
        return text_difference(first, &head);
    };
    let mut pieces: Vec<&str> = others.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, tail)) => rest = tail,
            None => return format!("it has no {piece:?} in {rest:?}"),
        }
    }
    format!("it does not end in {last:?}")
}

fn regex_difference(regex: &SanRegex, san: &str) -> String {
    if regex.matches_if_case_did_not_count(san) {
        "it would match if case did not count: put (?i) in front".to_owned()
    } else if regex.matches_a_part(san) {
        "the expression matches a part of it, and must match the whole: add .* for other text"
            .to_owned()
    } else {
        "no part of it matches the expression".to_owned()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match (self.selected, self.in_shape) {
            (false, _) => "would not have selected this signing",
            (true, None) => "would have selected this signing",
            (true, Some(true)) => "would have selected this signing, and it is in shape",
            (true, Some(false)) => "would have selected this signing, and it is out of shape",
        };
        writeln!(f, "watch {:?} {verdict}", self.watch)?;
        write_set(f, "", &self.conditions)?;
        for (number, set) in self.any.iter().enumerate() {
            write_set(f, &format!("any {}: ", number + 1), set)?;
        }
        write_set(f, "shape: ", &self.shape)
    }
}

/// Values are written as Rust writes strings: control and bidirectional characters as `\u{…}`.
fn write_set(f: &mut fmt::Formatter<'_>, prefix: &str, set: &[Checked]) -> fmt::Result {
    let list = |values: &[String]| -> String {
        let quoted: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
        quoted.join(" or ")
    };
    for checked in set {
        let sign = if checked.holds { "holds  " } else { "differs" };
        writeln!(
            f,
            "  {sign}  {prefix}{} = {}",
            checked.condition,
            list(&checked.expected)
        )?;
        if let Some(difference) = &checked.difference {
            if !checked.actual.is_empty() {
                writeln!(f, "           it is {}", list(&checked.actual))?;
            }
            writeln!(f, "           {difference}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Extension;
    use crate::watch::testing::{Builder, GITHUB, conditions, signer, watch};

    const SAN: &str = "https://github.com/o/r/.github/workflows/release.yml@refs/tags/v1";

    fn only(conditions: Builder) -> Checked {
        let signer = signer(&[SAN], &[(8, GITHUB), (20, "push")]);
        explain(&watch("w", conditions), &signer)
            .conditions
            .remove(0)
    }

    #[test]
    fn the_difference_is_named() {
        for (conditions, expected) in [
            (
                conditions()
                    .san("https://github.com/o/r/.github/workflows/release.yml@refs/tags/v2"),
                "it has \"1\" instead of \"2\"",
            ),
            (
                conditions().glob("https://github.com/o/q/*"),
                "it has \"r/\" instead of \"q/\"",
            ),
            (
                conditions().glob("https://*/build.yml@*"),
                "it has no \"/build.yml@\" in",
            ),
            (
                conditions().glob("https://github.com/o/r/*/v2"),
                "it does not end in \"/v2\"",
            ),
            (
                conditions().regex("(?-u:https)://github"),
                "add .* for other text",
            ),
            (conditions().regex("HTTPS.*"), "put (?i) in front"),
            (conditions().regex("gitlab.*"), "no part of it"),
            (
                conditions().issuer("https://accounts.google.com"),
                "instead of",
            ),
            (
                conditions().issuer("https://Token.actions.githubusercontent.com"),
                "lower case only, which counts",
            ),
            (
                conditions().extension(Extension::DeploymentEnvironment, "production"),
                "has none",
            ),
            (conditions().key([0; 32]), "another"),
        ] {
            let checked = only(conditions);
            assert!(!checked.holds);
            let difference = checked.difference.expect("it does not hold");
            assert!(difference.contains(expected), "{difference}");
        }
        assert_eq!(only(conditions().san(&SAN.to_uppercase())).difference, None);
    }

    #[test]
    fn a_shape_names_the_san_that_does_not_fit() {
        let mut watch = watch("w", conditions().issuer(GITHUB));
        watch.shape = Some(conditions().glob("https://github.com/o/r/*").build());
        let signer = signer(&[SAN, "https://github.com/o/q/x"], &[(8, GITHUB)]);
        let explanation = explain(&watch, &signer);
        assert!(explanation.selected);
        assert_eq!(explanation.in_shape, Some(false));
        let difference = explanation.shape[0]
            .difference
            .as_deref()
            .expect("out of shape");
        assert!(difference.starts_with("one of them fits"), "{difference}");
        assert!(
            difference.contains("\"q/\" instead of \"r/\""),
            "{difference}"
        );
    }

    #[test]
    fn a_warning_explains_that_a_star_before_the_at_sign_does_not_match_one() {
        let workflows = "https://github.com/o/r/.github/workflows";
        let mut watch = watch("w", conditions().issuer(GITHUB));
        let shape = conditions().glob(&format!("{workflows}/*.yml@refs/tags/*"));
        watch.shape = Some(shape.build());
        let branch = format!("{workflows}/evil.yml@refs/heads/x.yml@refs/tags/v1");
        let explanation = explain(&watch, &signer(&[&branch], &[(8, GITHUB)]));
        assert_eq!(explanation.in_shape, Some(false));
        let difference = explanation.shape[0]
            .difference
            .as_deref()
            .unwrap_or_default();
        assert!(
            difference.contains("a * before @ does not match @"),
            "{difference}"
        );
    }

    #[test]
    fn text_of_a_signer_is_escaped_for_the_terminal() {
        let signer = signer(
            &["https://h/\u{1b}[2J\u{7}"],
            &[(8, "https://\u{202e}evil\n")],
        );
        let watch = watch("w", conditions().san("https://h/x").issuer("https://i"));
        let text = explain(&watch, &signer).to_string();
        assert!(
            !text
                .chars()
                .any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
            "{text:?}"
        );
        assert!(text.contains("\\u{202e}evil\\n"), "{text}");
    }
}
