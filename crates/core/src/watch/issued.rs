//! A certificate for a watch as its issuer would issue it.
//!
//! It is built from the known forms of the issuer ([`Provider`]), not from the watch: the watch contributes only values
//! that the issuer may write. If it requires another value, there is no such certificate.

use std::collections::BTreeMap;

use super::certificate::{certificate, usual_names};
use super::forms::{Forms, Pattern, Reading, Refs};
use super::language::Common;
use super::provider::{Kind, Provider};
use super::{Conditions, meant};
use crate::identity::Extension;

/// Number of values of a list that are tried; the others are similar.
pub(super) const MAX_VALUES: usize = 16;

/// A name, and Fulcio's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Issued {
    pub(super) san: String,
    pub(super) extensions: BTreeMap<Extension, String>,
    /// Who issues it.
    pub(super) provider: Provider,
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Nothing {
    /// The issuer cannot be determined.
    NoProvider,
    /// Its issuer never writes the required value.
    Never {
        why: String,
        /// Whether the issuer is certain and not guessed.
        is_certain: bool,
    },
    /// It could not be decided.
    Open,
}

/// A set of conditions, and how it is read.
pub(super) type Asked<'a> = (&'a Conditions, Reading);

/// A certificate that meets all of these sets.
pub(super) fn issued(sets: &[Asked<'_>], forms: &Forms) -> Result<Issued, Nothing> {
    let lists = name_lists(sets);
    let mut failed: Option<Nothing> = None;
    for (issuer, provider, name) in choices(sets, &lists) {
        let Some(provider) = provider else {
            // With an unknown issuer, every value is possible.
            return Err(Nothing::NoProvider);
        };
        match attempt(sets, &lists, issuer, &provider, name, forms) {
            Ok(issued) => return Ok(issued),
            Err(why) => {
                failed = Some(match (failed, why) {
                    (None, why) => why,
                    (Some(Nothing::Never { .. }), Nothing::Open) | (Some(Nothing::Open), _) => {
                        Nothing::Open
                    }
                    (
                        Some(Nothing::Never { why, is_certain }),
                        Nothing::Never {
                            is_certain: other, ..
                        },
                    ) => Nothing::Never {
                        why,
                        is_certain: is_certain && other,
                    },
                    (Some(first), _) => first,
                });
            }
        }
    }
    let is_cut = lists.first().is_some_and(|list| list.len() > MAX_VALUES)
        || issuers(sets).is_some_and(|issuers| issuers.len() > MAX_VALUES);
    Err(match failed {
        Some(_) if is_cut => Nothing::Open,
        Some(why) => why,
        None => Nothing::NoProvider,
    })
}

/// Whether a provider may write a name that this matches. What cannot be decided is possible.
pub(super) fn may_be_named(
    provider: &Provider,
    pattern: Pattern<'_>,
    reading: Reading,
    forms: &Forms,
) -> bool {
    if let Pattern::Text { text, .. } = pattern {
        return forms.may_write(provider, text, reading);
    }
    let (beginning, _) = pattern.beginning();
    // Nearly always one of these does, and saves the comparison of automata.
    let usual = usual_names(provider, Some(&beginning), &BTreeMap::new());
    usual
        .iter()
        .any(|name| pattern.matches(name) && forms.may_write(provider, name, reading))
        || forms.name_of_all(provider, &[pattern], reading, Refs::meant_by(&[pattern]))
            != Common::Nothing
}

/// The issuers that each of the sets accepts, if one of them has a condition on it.
pub(super) fn issuers<'a>(sets: &[Asked<'a>]) -> Option<Vec<&'a str>> {
    let mut accepted: Option<Vec<&str>> = None;
    for (set, _) in sets {
        for list in [Some(&set.issuer), set.extension.get(&Extension::Issuer)] {
            let Some(list) = list.filter(|list| !list.is_empty()) else {
                continue;
            };
            accepted = Some(match accepted {
                None => list.iter().map(String::as_str).collect(),
                Some(accepted) => accepted
                    .into_iter()
                    .filter(|issuer| list.iter().any(|other| other == issuer))
                    .collect(),
            });
        }
    }
    accepted
}

/// The lists of conditions on names: of each, one has to match.
fn name_lists<'a>(sets: &[Asked<'a>]) -> Vec<Vec<Pattern<'a>>> {
    let mut lists = Vec::new();
    for (set, reading) in sets {
        lists.extend(names(set, *reading));
    }
    lists.retain(|list: &Vec<Pattern<'_>>| !list.is_empty());
    lists
}

/// The conditions of one set on names.
pub(super) fn names(set: &Conditions, reading: Reading) -> [Vec<Pattern<'_>>; 3] {
    let folded = reading == Reading::Select;
    [
        set.san
            .iter()
            .map(|text| Pattern::Text { text, folded })
            .collect(),
        set.san_glob
            .iter()
            .map(|glob| Pattern::Glob(glob, reading))
            .collect(),
        set.san_regex.iter().map(Pattern::Regex).collect(),
    ]
}

/// One attempt: an issuer, its provider, and one of the names of the first list.
type Choice<'a> = (Option<&'a str>, Option<Provider>, Option<Pattern<'a>>);

fn choices<'a>(sets: &[Asked<'a>], lists: &[Vec<Pattern<'a>>]) -> Vec<Choice<'a>> {
    let names: Vec<Option<Pattern<'a>>> = match lists.first() {
        Some(list) => list.iter().take(MAX_VALUES).copied().map(Some).collect(),
        None => vec![None],
    };
    let mut choices = Vec::new();
    match issuers(sets) {
        Some(issuers) => {
            for issuer in issuers.into_iter().take(MAX_VALUES) {
                for name in &names {
                    choices.push((Some(issuer), Provider::of_issuer(issuer), *name));
                }
            }
        }
        None => {
            for name in names {
                let provider = match name {
                    Some(name) => of_pattern(name),
                    None => of_extensions(sets),
                };
                choices.push((None, provider, name));
            }
        }
    }
    choices
}

/// The provider of a condition on names, from its host.
pub(super) fn of_pattern(pattern: Pattern<'_>) -> Option<Provider> {
    let (beginning, whole) = pattern.beginning();
    Provider::of_beginning(&beginning, whole).or_else(|| {
        // `*@sample.com`
        let mail = pattern.as_str().split_once('@')?;
        let is_mail = !pattern.as_str().contains([':', '/', '\\']) && !mail.1.contains('*');
        is_mail
            .then(|| Provider::of_beginning("a@b", true))
            .flatten()
    })
}

/// The provider of conditions on extensions, from the host in a URI or because the extension is GitHub's own.
pub(super) fn of_extensions(sets: &[Asked<'_>]) -> Option<Provider> {
    use Extension as E;
    let uris = [
        E::SourceRepositoryUri,
        E::BuildConfigUri,
        E::BuildSignerUri,
        E::SourceRepositoryOwnerUri,
        E::RunInvocationUri,
    ];
    let patterns = sets.iter().flat_map(|set| values(set));
    let mut own = None;
    for (extension, list) in patterns {
        if uris.contains(&extension)
            && let Some(provider) = list.first().and_then(|pattern| of_pattern(*pattern))
            && provider.kind != Kind::Email
        {
            return Some(provider);
        }
        if matches!(
            extension,
            E::GithubWorkflowTrigger
                | E::GithubWorkflowSha
                | E::GithubWorkflowName
                | E::GithubWorkflowRepository
                | E::GithubWorkflowRef
        ) {
            own = Provider::of_host("github.com");
        }
    }
    own
}

/// The conditions of one set on extensions, except for the issuer.
pub(super) fn values<'a>((set, reading): &Asked<'a>) -> Vec<(Extension, Vec<Pattern<'a>>)> {
    let exact = set.extension.iter().map(|(extension, values)| {
        let values = values.iter().map(|text| Pattern::Text {
            text,
            folded: false,
        });
        (*extension, values.collect())
    });
    let globs = set.extension_glob.iter().map(|(extension, globs)| {
        let globs = globs.iter().map(|glob| Pattern::Glob(glob, *reading));
        (*extension, globs.collect())
    });
    exact
        .chain(globs)
        .filter(|(extension, _)| *extension != Extension::Issuer)
        .collect()
}

fn attempt(
    sets: &[Asked<'_>],
    lists: &[Vec<Pattern<'_>>],
    issuer: Option<&str>,
    provider: &Provider,
    name: Option<Pattern<'_>>,
    forms: &Forms,
) -> Result<Issued, Nothing> {
    let never = |why: String| Nothing::Never {
        why,
        is_certain: provider.is_certain,
    };
    let mut asked: BTreeMap<Extension, Vec<Vec<Pattern<'_>>>> = BTreeMap::new();
    for (extension, list) in sets.iter().flat_map(values) {
        asked.entry(extension).or_default().push(list);
    }
    let mut fixed = BTreeMap::new();
    for (extension, lists) in &asked {
        if let Some(value) = exact_value(provider, *extension, lists, forms).map_err(never)? {
            fixed.insert(*extension, value);
        }
    }
    let san = name_for(sets, lists, provider, name, &fixed, forms)?;
    let mut extensions = certificate(provider, &san, &fixed);
    for (extension, lists) in &asked {
        let value = extensions.get(extension).cloned();
        let fits = |value: &String| {
            lists
                .iter()
                .all(|list| list.iter().any(|p| p.matches(value)))
        };
        if value.as_ref().is_some_and(fits) {
            continue;
        }
        let patterns: Vec<Pattern<'_>> = lists
            .iter()
            .filter_map(|list| list.first().copied())
            .collect();
        match forms.value_of_all(provider, *extension, &patterns) {
            Common::Text(value) => {
                extensions.insert(*extension, value);
            }
            Common::Nothing if lists.iter().all(|list| list.len() == 1) => {
                return Err(never(unwritten(provider, *extension, &patterns)));
            }
            // Another of their values may do.
            Common::Nothing | Common::Unknown => return Err(Nothing::Open),
        }
    }
    if let Some(issuer) = issuer.map(ToOwned::to_owned).or_else(|| provider.issuer()) {
        extensions.insert(Extension::Issuer, issuer);
    }
    Ok(Issued {
        san,
        extensions,
        provider: provider.clone(),
    })
}

/// The first value that the conditions spell out and that the provider may write; `None` if they spell out none.
fn exact_value(
    provider: &Provider,
    extension: Extension,
    lists: &[Vec<Pattern<'_>>],
    forms: &Forms,
) -> Result<Option<String>, String> {
    let is_exact =
        |list: &&Vec<Pattern<'_>>| list.iter().all(|p| matches!(p, Pattern::Text { .. }));
    let Some(spelled) = lists.iter().find(is_exact) else {
        return Ok(None);
    };
    let possible = spelled
        .iter()
        .map(|pattern| pattern.as_str())
        .find(|value| {
            forms.may_hold(provider, extension, value)
                && lists
                    .iter()
                    .all(|list| list.iter().any(|pattern| pattern.matches(value)))
        });
    match possible {
        Some(value) => Ok(Some(value.to_owned())),
        None => Err(unwritten(provider, extension, spelled)),
    }
}

/// The first of these patterns, in quotes.
fn written(patterns: &[Pattern<'_>], conjunction: &str) -> String {
    let quoted = patterns.iter().take(3);
    let quoted: Vec<_> = quoted.map(|p| format!("{:?}", p.as_str())).collect();
    quoted.join(conjunction)
}

/// That a provider never writes these values.
pub(super) fn unwritten(
    provider: &Provider,
    extension: Extension,
    patterns: &[Pattern<'_>],
) -> String {
    format!(
        "{} never writes {} into {}",
        provider.name(),
        written(patterns, " or "),
        extension.name()
    )
}

fn name_for(
    sets: &[Asked<'_>],
    lists: &[Vec<Pattern<'_>>],
    provider: &Provider,
    chosen: Option<Pattern<'_>>,
    fixed: &BTreeMap<Extension, String>,
    forms: &Forms,
) -> Result<String, Nothing> {
    let reading = if sets.iter().any(|(_, reading)| *reading == Reading::Shape) {
        Reading::Shape
    } else {
        Reading::Select
    };
    let fits = |name: &str| {
        chosen.is_none_or(|chosen| chosen.matches(name))
            && lists
                .iter()
                .all(|list| list.iter().any(|pattern| pattern.matches(name)))
            && forms.may_write(provider, name, reading)
    };
    let spelled = lists.iter().flatten().filter_map(|pattern| match pattern {
        Pattern::Text { text, .. } => Some((*text).to_owned()),
        _ => None,
    });
    let beginning = chosen.map(|chosen| chosen.beginning().0);
    let usual = usual_names(provider, beginning.as_deref(), fixed);
    // The case in the issuer's certificates is unknown; that of the watch is used.
    if let Some(name) = spelled.chain(usual.iter().cloned()).find(|name| fits(name)) {
        return Ok(name);
    }
    let mut patterns: Vec<Pattern<'_>> = chosen.into_iter().collect();
    // The chosen one is of the first list.
    patterns.extend(lists.iter().skip(1).filter_map(|list| list.first()));
    let refs = Refs::meant_by(&patterns);
    match forms.name_of_all(provider, &patterns, reading, refs) {
        Common::Text(name) => Ok(name),
        Common::Nothing if lists.iter().skip(1).all(|list| list.len() == 1) => {
            Err(Nothing::Never {
                why: unnamed_but(provider, &patterns),
                // Some branch could be called so.
                is_certain: provider.is_certain
                    && forms.name_of_all(provider, &patterns, reading, Refs::Any)
                        == Common::Nothing,
            })
        }
        Common::Nothing | Common::Unknown => Err(Nothing::Open),
    }
}

/// That a provider writes no such name, and how it does.
pub(super) fn unnamed(provider: &Provider, patterns: &[Pattern<'_>]) -> String {
    format!(
        "no certificate is named {}: {} writes {}",
        written(patterns, " and "),
        provider.name(),
        provider.sketch()
    )
}

/// The same with the probable correction.
pub(super) fn unnamed_but(provider: &Provider, patterns: &[Pattern<'_>]) -> String {
    let why = unnamed(provider, patterns);
    let first = patterns.first().map(|first| first.as_str());
    match first.and_then(meant::instead) {
        Some(meant) => format!("{why}; did you mean {meant}?"),
        None => why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::testing::{GITHUB, conditions};

    fn of(conditions: &Conditions) -> Result<Issued, Nothing> {
        issued(&[(conditions, Reading::Select)], &Forms::new())
    }

    #[test]
    fn a_release_of_a_repository_has_all_that_its_issuer_writes_and_no_two_things_that_contradict()
    {
        use Extension as E;
        let asked = conditions()
            .glob("https://github.com/acme/owl/*")
            .issuer(GITHUB)
            .build();
        let issued = of(&asked).expect("a release");
        assert_eq!(
            issued.san,
            "https://github.com/acme/owl/.github/workflows/release.yml@refs/tags/v1.0.0"
        );
        let value = |extension| issued.extensions.get(&extension).map(String::as_str);
        for (extension, expected) in [
            (E::Issuer, GITHUB),
            (E::BuildSignerUri, issued.san.as_str()),
            (E::BuildConfigUri, issued.san.as_str()),
            (E::SourceRepositoryUri, "https://github.com/acme/owl"),
            (E::SourceRepositoryOwnerUri, "https://github.com/acme"),
            (E::SourceRepositoryRef, "refs/tags/v1.0.0"),
            (E::GithubWorkflowRepository, "acme/owl"),
            (E::GithubWorkflowRef, "refs/tags/v1.0.0"),
        ] {
            assert_eq!(value(extension), Some(expected), "{extension}");
        }
        assert_eq!(value(E::BuildTrigger), value(E::GithubWorkflowTrigger));
        let forms = Forms::new();
        for (extension, value) in &issued.extensions {
            assert!(
                forms.may_hold(&issued.provider, *extension, value),
                "{extension}: {value}"
            );
        }
    }

    #[test]
    fn of_each_issuer_what_is_issued_has_its_form() {
        let forms = Forms::new();
        for (issuer, name) in [
            (
                GITHUB,
                "https://github.com/acme/owl/.github/workflows/release.yml@refs/tags/v1.0.0",
            ),
            (
                "https://gitlab.com",
                "https://gitlab.com/example/example//.gitlab-ci.yml@refs/tags/v1.0.0",
            ),
            (
                "https://agent.buildkite.com",
                "https://buildkite.com/example/example",
            ),
            (
                "https://oidc.codefresh.io",
                "https://g.codefresh.io/example/",
            ),
            (
                "https://oidc.circleci.com",
                "https://circleci.com/api/v2/projects/",
            ),
            (
                "https://oidc.buddyusercontent.com",
                "https://app.buddy.works/example/",
            ),
            (
                "https://oidc.prod-aks.azure.com/x",
                "https://kubernetes.io/namespaces/",
            ),
            ("https://issuer.enforce.dev", "https://issuer.enforce.dev/"),
            ("https://accounts.google.com", "jane@example.com"),
            ("https://codeberg.org/api/actions", "https://codeberg.org/"),
        ] {
            let asked = if issuer == GITHUB {
                conditions().issuer(issuer).extension(
                    Extension::SourceRepositoryUri,
                    "https://github.com/acme/owl",
                )
            } else {
                conditions().issuer(issuer)
            };
            let issued = of(&asked.build()).expect("something");
            assert!(issued.san.starts_with(name), "{issuer}: {}", issued.san);
            assert!(
                forms.may_write(&issued.provider, &issued.san, Reading::Shape),
                "{}",
                issued.san
            );
            assert_eq!(
                issued
                    .extensions
                    .get(&Extension::Issuer)
                    .map(String::as_str),
                Some(issuer)
            );
        }
    }

    #[test]
    fn unusual_patterns_get_a_name_that_their_issuer_may_write() {
        for asked in [
            conditions()
                .glob("https://github.com/*/*/.github/workflows/sign-*.yaml@refs/heads/rel-*"),
            conditions().regex(r"https://github\.com/(red|blue)-labs/core/.+@refs/tags/v[0-3]\..+"),
            conditions().regex(r"https://gitlab\.com/acme/.+//ci/[a-z]{3}\.yml@refs/.+"),
            conditions()
                .glob("*@corp.example")
                .issuer("https://accounts.google.com"),
            conditions().glob("*@corp.example"),
            conditions()
                .glob("https://github.com/acme/*")
                .regex(r".*@refs/heads/.*"),
        ] {
            let asked = asked.build();
            let issued = of(&asked).expect("a name");
            for list in names(&asked, Reading::Select) {
                assert!(
                    list.iter().all(|pattern| pattern.matches(&issued.san)),
                    "{}",
                    issued.san
                );
            }
        }
    }

    #[test]
    fn a_value_that_an_issuer_never_writes_has_no_sample_and_a_reason() {
        for (asked, part) in [
            (
                conditions().san("https://github.com/acme/owl"),
                "https://github.com/acme/owl/*",
            ),
            (
                conditions().glob("https://github.com/acme/owl"),
                "GitHub Actions writes",
            ),
            (
                conditions().regex(r"https://github\.com/acme/owl"),
                "GitHub Actions writes",
            ),
            (
                conditions().san("jane@example.com").issuer(GITHUB),
                "GitHub Actions writes",
            ),
            (
                conditions()
                    .glob("https://github.com/acme/*")
                    .issuer("https://accounts.google.com"),
                "a mail address",
            ),
            (
                conditions()
                    .issuer(GITHUB)
                    .extension(Extension::SourceRepositoryUri, "acme/owl"),
                "source_repository_uri",
            ),
            (
                conditions()
                    .issuer(GITHUB)
                    .extension_glob(Extension::SourceRepositoryRef, "v*"),
                "source_repository_ref",
            ),
            (
                conditions()
                    .glob("https://gitlab.com/acme/*")
                    .extension(Extension::GithubWorkflowRef, "refs/heads/main"),
                "github_workflow_ref",
            ),
        ] {
            match of(&asked.build()) {
                Err(Nothing::Never { why, is_certain }) => {
                    assert!(why.contains(part) && is_certain, "{why}");
                }
                other => panic!("{part}: {other:?}"),
            }
        }
        // Only a branch of an odd name could match.
        for glob in [
            "https://github.com/acme/owl/.github/workflows/*.yml",
            "https://github.com/acme/*/release.yml",
            "https://github.com/*/owl",
            "https://gitlab.com/acme/*/.gitlab-ci.yml",
        ] {
            match of(&conditions().glob(glob).build()) {
                Err(Nothing::Never { is_certain, .. }) => assert!(!is_certain, "{glob}"),
                other => panic!("{glob}: {other:?}"),
            }
        }
        for asked in [
            conditions().san("https://idp.example/users/1"),
            conditions().san("builder.example.com"),
            conditions().issuer("https://login.example.com"),
            conditions()
                .issuer("https://login.example.com")
                .san("https://github.com/acme/owl"),
        ] {
            assert_eq!(of(&asked.build()), Err(Nothing::NoProvider));
        }
    }

    #[test]
    fn one_of_many_values_that_may_occur_is_enough() {
        let mut many = conditions();
        for number in 0..40 {
            many = many.san(&format!("https://github.com/acme/{number}"));
        }
        assert_eq!(of(&many.build()), Err(Nothing::Open));
        let few = conditions()
            .san("https://github.com/acme/owl")
            .san("https://github.com/acme/owl/.github/workflows/r.yml@refs/tags/v1");
        assert!(of(&few.build()).is_ok());
    }
}
