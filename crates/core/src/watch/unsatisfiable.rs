//! Watches that cannot select anything.
//!
//! Only certain cases are reported. A certificate of Fulcio has one name and one issuer; forged certificates with other
//! content are no reason to call a watch effective.

use std::collections::BTreeMap;

use super::forms::{Forms, Reading};
use super::issued::{self, Nothing};
use super::{Conditions, Watch};
use crate::identity::Extension;

impl Watch {
    /// Why the watch can select no certificate of a trusted CA and no key; `None` if it can.
    pub fn ineffective(&self, forms: &Forms) -> Option<String> {
        if let Some(why) = impossible(&self.conditions) {
            return Some(why);
        }
        if self.any.is_empty() {
            return never_issued(&[&self.conditions], forms);
        }
        let mut first = None;
        for alternative in &self.any {
            let why = impossible(alternative)
                .or_else(|| contradiction(&self.conditions, alternative))
                .or_else(|| never_issued(&[&self.conditions, alternative], forms))?;
            first.get_or_insert(why);
        }
        let why = first?;
        Some(if self.any.len() == 1 {
            why
        } else {
            format!("none of its alternatives can hold: {why}")
        })
    }
}

/// Why the issuer never issues a certificate that these sets select. A key needs none.
fn never_issued(sets: &[&Conditions], forms: &Forms) -> Option<String> {
    if sets.iter().any(|set| set.names_key()) {
        return None;
    }
    let sets: Vec<_> = sets.iter().map(|set| (*set, Reading::Select)).collect();
    match issued::issued(&sets, forms) {
        Err(Nothing::Never {
            why,
            is_certain: true,
        }) => Some(why),
        _ => None,
    }
}

/// What no certificate can have, or not together.
fn impossible(set: &Conditions) -> Option<String> {
    if !set.san.is_empty()
        && set.san_glob.is_empty()
        && set.san_regex.is_empty()
        && set.san.iter().all(|san| is_no_name(san))
    {
        return Some(format!(
            "no certificate has the name {}: `san` is compared exactly",
            quoted(&set.san)
        ));
    }
    if let Some(why) = impossible_issuers("issuer", &set.issuer) {
        return Some(why);
    }
    let named = set.extension.get(&Extension::Issuer);
    if let Some(named) = named {
        if let Some(why) = impossible_issuers("extension.issuer", named) {
            return Some(why);
        }
        if !set.issuer.is_empty() && disjoint(&set.issuer, named) {
            return Some(format!(
                "`issuer` {} and `extension.issuer` {} are the same thing and contradict each other",
                quoted(&set.issuer),
                quoted(named)
            ));
        }
    }
    values_disagree(set, set).or_else(|| names_disagree(set, set))
}

/// Whether none of the values that one set spells out for an extension fits the globs of the other.
fn values_disagree(values: &Conditions, globs: &Conditions) -> Option<String> {
    values.extension.iter().find_map(|(extension, values)| {
        let globs = globs.extension_glob.get(extension)?;
        let fits = |value: &String| {
            let value = value.to_ascii_lowercase();
            globs.iter().any(|glob| glob.matches_folded(&value))
        };
        let name = extension.name();
        (!values.iter().any(fits)).then(|| {
            format!(
                "`extension.{name}` {} does not match `extension_glob.{name}`",
                quoted(values)
            )
        })
    })
}

/// The contradiction between two sets, if one signer cannot satisfy both.
fn contradiction(own: &Conditions, alternative: &Conditions) -> Option<String> {
    let differ = |what: &str, one: &[String], other: &[String]| {
        let contradict = !one.is_empty() && !other.is_empty() && disjoint(one, other);
        contradict.then(|| {
            format!(
                "its own `{what}` {} contradicts the one in `any`, {}",
                quoted(one),
                quoted(other)
            )
        })
    };
    let folded = |sans: &[String]| -> Vec<String> {
        sans.iter().map(|san| san.to_ascii_lowercase()).collect()
    };
    let digests =
        |digests: &[[u8; 32]]| -> Vec<String> { digests.iter().map(hex::encode).collect() };
    differ("san", &folded(&own.san), &folded(&alternative.san))
        .or_else(|| differ("issuer", &issuers(own), &issuers(alternative)))
        .or_else(|| {
            differ(
                "key_sha256",
                &digests(&own.key_sha256),
                &digests(&alternative.key_sha256),
            )
        })
        .or_else(|| {
            differ(
                "certificate_sha256",
                &digests(&own.certificate_sha256),
                &digests(&alternative.certificate_sha256),
            )
        })
        .or_else(|| {
            common(&own.extension, &alternative.extension).find_map(|(extension, one, other)| {
                differ(&format!("extension.{}", extension.name()), one, other)
            })
        })
        .or_else(|| values_disagree(own, alternative))
        .or_else(|| values_disagree(alternative, own))
        .or_else(|| names_disagree(own, alternative))
        .or_else(|| names_disagree(alternative, own))
}

/// Whether none of the full names of one set matches the patterns of the other.
fn names_disagree(names: &Conditions, patterns: &Conditions) -> Option<String> {
    if names.san.is_empty() {
        return None;
    }
    // `san` is compared without case: the certificate's name may have the case of the pattern.
    let fits_glob = |san: &String| {
        let san = san.to_ascii_lowercase();
        let mut globs = patterns.san_glob.iter();
        globs.any(|glob| glob.matches_folded(&san))
    };
    let fits_regex = |san: &String| {
        let mut regexes = patterns.san_regex.iter();
        regexes.any(|regex| regex.matches(san) || regex.matches_if_case_did_not_count(san))
    };
    if (!patterns.san_glob.is_empty() && !names.san.iter().any(fits_glob))
        || (!patterns.san_regex.is_empty() && !names.san.iter().any(fits_regex))
    {
        return Some(format!(
            "the name {} does not match the pattern beside it, and a certificate has one name",
            quoted(&names.san)
        ));
    }
    None
}

/// A URI with a star or a character of regular expressions: neither a repository nor a ref can contain it (git
/// check-ref-format), nor can an account of a provider.
fn is_no_name(san: &str) -> bool {
    san.contains("://") && san.contains(['*', '\\', '^', ' ', '[', '|'])
}

/// Fulcio accepts only tokens of issuers that are URLs, and writes them as they are in the token.
fn impossible_issuers(what: &str, issuers: &[String]) -> Option<String> {
    (!issuers.is_empty() && issuers.iter().all(|issuer| !issuer.contains("://"))).then(|| {
        format!(
            "no issuer is called {}: `{what}` is compared exactly, and issuers are URLs",
            quoted(issuers)
        )
    })
}

fn issuers(set: &Conditions) -> Vec<String> {
    if set.issuer.is_empty() {
        set.extension
            .get(&Extension::Issuer)
            .cloned()
            .unwrap_or_default()
    } else {
        set.issuer.clone()
    }
}

type Extensions = BTreeMap<Extension, Vec<String>>;

fn common<'a>(
    one: &'a Extensions,
    other: &'a Extensions,
) -> impl Iterator<Item = (Extension, &'a Vec<String>, &'a Vec<String>)> {
    one.iter().filter_map(|(extension, values)| {
        let others = other.get(extension)?;
        Some((*extension, values, others))
    })
}

fn disjoint(one: &[String], other: &[String]) -> bool {
    one.iter().all(|value| !other.contains(value))
}

/// The first of them, and how many more there are.
fn quoted(values: &[String]) -> String {
    match values {
        [] => "nothing".to_owned(),
        [one] => format!("{one:?}"),
        [first, rest @ ..] => format!("{first:?} (or {} more)", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;
    use crate::watch::{Glob, SanRegex};

    const GITHUB: &str = "https://token.actions.githubusercontent.com";
    const RELEASE: &str = "https://github.com/acme/owl/.github/workflows/r.yml@refs/tags/v1";

    fn owned(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    fn san(values: &[&str]) -> Conditions {
        Conditions {
            san: owned(values),
            ..Conditions::default()
        }
    }

    fn issuer(values: &[&str]) -> Conditions {
        Conditions {
            issuer: owned(values),
            ..Conditions::default()
        }
    }

    fn extension(extension: Extension, values: &[&str]) -> Conditions {
        Conditions {
            extension: BTreeMap::from([(extension, owned(values))]),
            ..Conditions::default()
        }
    }

    fn watch(own: Conditions, any: Vec<Conditions>) -> Watch {
        Watch {
            any,
            ..Watch::new("w", own)
        }
    }

    #[test]
    fn what_may_select_something_is_left_alone() {
        let glob = |text| Conditions {
            san_glob: vec![Glob::new(text)],
            ..Conditions::default()
        };
        for watch in [
            watch(san(&["jane@example.com", "Mallory*@example.com"]), vec![]),
            // One of two values can be had.
            watch(san(&["https://github.com/acme/*", RELEASE]), vec![]),
            watch(
                issuer(&["accounts.google.com", "https://accounts.google.com"]),
                vec![],
            ),
            watch(issuer(&[GITHUB]), vec![san(&[RELEASE])]),
            watch(
                issuer(&[GITHUB]),
                vec![extension(Extension::Issuer, &[GITHUB])],
            ),
            // One of two alternatives can hold.
            watch(
                issuer(&[GITHUB]),
                vec![issuer(&["https://other.example"]), glob("*acme*")],
            ),
            watch(
                san(&["HTTPS://github.com/ACME/owl/.github/workflows/r.yml@refs/tags/v1"]),
                vec![glob("https://*/acme/*")],
            ),
            watch(
                extension(Extension::BuildTrigger, &["push"]),
                vec![extension(Extension::RunnerEnvironment, &["x"])],
            ),
        ] {
            assert_eq!(watch.ineffective(&Forms::new()), None, "{watch:?}");
        }
    }

    #[test]
    fn a_watch_that_cannot_select_anything_has_a_reason() {
        let regex = Conditions {
            san: owned(&["jane@example.com"]),
            san_regex: vec![SanRegex::new(r".*@example\.org").unwrap()],
            ..Conditions::default()
        };
        let two_issuers = Conditions {
            issuer: owned(&[GITHUB]),
            ..extension(Extension::Issuer, &["https://other.example"])
        };
        let key = |byte| Conditions {
            key_sha256: vec![[byte; 32]],
            ..Conditions::default()
        };
        for (watch, why) in [
            (
                watch(san(&["https://github.com/acme/*"]), vec![]),
                "compared exactly",
            ),
            (
                watch(issuer(&["token.actions.githubusercontent.com"]), vec![]),
                "issuers are URLs",
            ),
            (
                watch(extension(Extension::Issuer, &["github"]), vec![]),
                "`extension.issuer`",
            ),
            (watch(two_issuers, vec![]), "the same thing"),
            (watch(regex, vec![]), "does not match the pattern"),
            (
                watch(san(&["a@b.c"]), vec![san(&["d@e.f"])]),
                "its own `san` \"a@b.c\"",
            ),
            (
                watch(
                    issuer(&[GITHUB]),
                    vec![issuer(&["https://a.b"]), issuer(&["c"])],
                ),
                "none of its alternatives",
            ),
            (watch(key(1), vec![key(2)]), "`key_sha256`"),
            (
                watch(
                    extension(Extension::BuildTrigger, &["push"]),
                    vec![extension(Extension::BuildTrigger, &["release"])],
                ),
                "`extension.build_trigger`",
            ),
        ] {
            let reason = watch.ineffective(&Forms::new()).unwrap();
            assert!(reason.contains(why), "{reason}");
        }
    }
}
