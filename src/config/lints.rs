//! Common mistakes that are valid syntax and hardly ever intended.

use std::collections::HashMap;

use url::Url;

use super::place::Place;
use super::problems::Problems;
use super::reader::{At, Section};
use crate::watch::{Conditions, Glob, SanRegex, Watch};

/// From this number on, regular expressions dominate the time of a pass: they are tried one by one if they contain no
/// text to search for.
const MANY_REGEXES: usize = 100;

/// Issuers of Fulcio's public instance, to recognise one with a typing error.
const KNOWN_ISSUERS: [&str; 9] = [
    "https://token.actions.githubusercontent.com",
    "https://accounts.google.com",
    "https://github.com/login/oauth",
    "https://oauth2.sigstore.dev/auth",
    "https://login.microsoftonline.com",
    "https://gitlab.com",
    "https://agent.buildkite.com",
    "https://oidc.codefresh.io",
    "https://oidc.circleci.com",
];

pub(super) fn on_issuer(issuer: &At<&str>, problems: &mut Problems) {
    let text = issuer.value;
    let host = Url::parse(text)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned));
    if let Some(host) = &host
        && (host == "fulcio.sigstore.dev" || host == "fulcio.sigstage.dev")
    {
        problems.error(
            &issuer.place,
            "is Fulcio, the authority that issues certificates; the issuer here is the OpenID provider",
            "for GitHub Actions write https://token.actions.githubusercontent.com".to_owned(),
        );
        return;
    }
    if host.is_some_and(|host| host.starts_with("fulcio.")) {
        problems.warning(
            &issuer.place,
            "looks like a Fulcio; the issuer here is the OpenID provider that confirmed the identity",
            None,
        );
    }
    let (_, name) = text.split_once("://").unwrap_or(("", text));
    let with_scheme = format!("https://{name}");
    let bare = with_scheme.trim_end_matches('/');
    let known = KNOWN_ISSUERS
        .iter()
        .find(|known| known.eq_ignore_ascii_case(bare));
    if let Some(known) = known.filter(|known| **known != text) {
        problems.warning(
            &issuer.place,
            "is not the exact name of this issuer, and issuers are compared exactly",
            format!("write {known}"),
        );
    } else if !text.starts_with("https://") {
        problems.warning(
            &issuer.place,
            "does not begin with https://, as issuers do",
            (!text.contains("://")).then(|| format!("did you mean https://{text}?")),
        );
    }
}

pub(super) fn on_san(san: &At<&str>, problems: &mut Problems) {
    let text = san.value;
    if looks_like_regex(text) {
        problems.warning(
            &san.place,
            "looks like a regular expression; san is compared exactly",
            "use san_regex, or san_glob with * for any characters".to_owned(),
        );
    } else if text.contains('*') {
        problems.warning(
            &san.place,
            "contains a *; san is compared exactly",
            "use san_glob".to_owned(),
        );
    }
}

pub(super) fn on_glob(glob: &At<&str>, problems: &mut Problems) {
    let text = glob.value;
    if looks_like_regex(text) {
        problems.warning(
            &glob.place,
            "looks like a regular expression; in a glob only * is special",
            "use san_regex, or * alone for any characters".to_owned(),
        );
    } else if !text.contains('*') {
        problems.warning(
            &glob.place,
            "contains no *, so it matches only exactly this name",
            "use san, or add * for any characters".to_owned(),
        );
    } else if names_a_whole_host(text) {
        problems.warning(
            &glob.place,
            "matches every name of that host",
            "name the owner or the repository".to_owned(),
        );
    }
}

/// The names of GitHub's workflows are free text, so a `*` may be an ordinary character.
pub(super) fn on_extension(value: &At<&str>, problems: &mut Problems) {
    if value.value.contains('*') {
        problems.warning(
            &value.place,
            "contains a *; the values of extension are compared exactly",
            "use extension_glob".to_owned(),
        );
    }
}

pub(super) fn on_extension_glob(glob: &At<&str>, problems: &mut Problems) {
    if looks_like_regex(glob.value) {
        problems.warning(
            &glob.place,
            "looks like a regular expression; in a glob only * is special",
            "use * alone for any characters".to_owned(),
        );
    }
}

/// In a shape: a regular expression that accepts a branch as a tag.
pub(super) fn on_regexes_of_shape(place: &Place, shape: &Conditions, problems: &mut Problems) {
    let lets_pass = |regex: &SanRegex| {
        let before = regex.as_str().rsplit_once('@').map(|(before, _)| before);
        before.is_some_and(|before| [".*", ".+"].iter().any(|any| before.contains(any)))
    };
    if shape.san_regex.iter().any(lets_pass) {
        problems.warning(
            place,
            "the part before @ matches @ too: a branch may be called x.yml@refs/tags/v1",
            "write [^@]* before @, or use san_glob, where * does not match @ there".to_owned(),
        );
    }
}

pub(super) fn on_regex(written: &At<&str>, regex: &SanRegex, problems: &mut Problems) {
    let text = written.value;
    // Names that have nothing in common: a pattern that matches all of them matches everything.
    let everything = ["", "a@b.c", "https://h/p", "\u{fffd} x!y"]
        .into_iter()
        .filter(|name| regex.matches(name))
        .count();
    if everything >= 3 {
        problems.error(&written.place, "matches every name", None);
    } else if text.contains("/*") {
        problems.warning(
            &written.place,
            "/* means any number of slashes",
            "use san_glob, or .* for any characters".to_owned(),
        );
    } else if unescaped_dot(text) {
        problems.warning(
            &written.place,
            "a dot matches any character, so similar names match too",
            "write \\. for a dot, or use san or san_glob".to_owned(),
        );
    }
}

/// A certificate of Fulcio's has one name, so several conditions on names have to agree on one.
pub(super) fn on_names_together(
    section: &Section<'_>,
    conditions: &Conditions,
    problems: &mut Problems,
) {
    if conditions.san.is_empty() {
        return;
    }
    for (key, possible) in [
        (
            "san_glob",
            conditions.san_glob.is_empty() || fits_one(&conditions.san, &conditions.san_glob),
        ),
        (
            "san_regex",
            conditions.san_regex.is_empty()
                || conditions
                    .san
                    .iter()
                    .any(|san| conditions.san_regex.iter().any(|regex| regex.matches(san))),
        ),
    ] {
        if !possible {
            problems.error(
                &section.place_of(key),
                "contradicts san: all conditions must be satisfied, and no san matches it",
                "for one or the other use any = [ { … }, { … } ]".to_owned(),
            );
        }
    }
}

fn fits_one(sans: &[String], globs: &[Glob]) -> bool {
    sans.iter().any(|san| {
        globs.iter().any(|glob| {
            Glob::new(&glob.as_str().to_ascii_lowercase()).matches(&san.to_ascii_lowercase())
        })
    })
}

/// Problems that show only when all watches are read.
pub(super) fn on_the_whole(root: &Section<'_>, watches: &[At<Watch>], problems: &mut Problems) {
    if !root.has("watch") {
        problems.warning(
            root.place(),
            "there is no [[watch]]: the logs are proven, and no signings are searched",
            "`modelwatch watch suggest BUNDLE` writes one".to_owned(),
        );
    }
    let regexes: usize = watches
        .iter()
        .map(|watch| {
            let own = watch.value.conditions.san_regex.len();
            own + watch
                .value
                .any
                .iter()
                .map(|set| set.san_regex.len())
                .sum::<usize>()
        })
        .sum();
    if regexes > MANY_REGEXES {
        problems.warning(
            &root.place_of("watch"),
            format!("{regexes} regular expressions: each costs time and memory"),
            "san, san_glob and extension cost almost nothing, even thousands".to_owned(),
        );
    }
    let scopes = Scopes::of(watches);
    for (index, watch) in watches.iter().enumerate() {
        for name in workflows_of(&watch.value) {
            let Some(repository) = repository_of(name) else {
                continue;
            };
            // Another workflow, which no watch can name.
            let other = format!("{repository}/.github/workflows/~.yml@refs/heads/~");
            if !scopes.of_another_cover(index, &other) {
                narrow(&watch.place, &repository, problems);
                break;
            }
        }
    }
}

/// The globs of all watches, by the text before their first `*`: to compare each of thousands of watches with every
/// other one would take longer than the rest of the start.
struct Scopes<'a>(HashMap<&'a str, Vec<(usize, &'a Glob)>>);

impl<'a> Scopes<'a> {
    fn of(watches: &'a [At<Watch>]) -> Self {
        let mut scopes: HashMap<_, Vec<_>> = HashMap::new();
        for (index, watch) in watches.iter().enumerate() {
            for glob in watch.value.sets().flat_map(|set| &set.san_glob) {
                let before = glob.as_str().split('*').next().unwrap_or_default();
                scopes.entry(before).or_default().push((index, glob));
            }
        }
        Self(scopes)
    }

    /// Whether a glob of another watch than `index` matches the name.
    fn of_another_cover(&self, index: usize, name: &str) -> bool {
        (0..=name.len())
            .filter_map(|end| self.0.get(name.get(..end)?))
            .flatten()
            .any(|(by, glob)| *by != index && glob.matches(name))
    }
}

fn narrow(place: &Place, repository: &str, problems: &mut Problems) {
    problems.warning(
        place,
        format!("a second workflow in {repository} is not selected by this watch, nor is another branch"),
        format!(
            "select by san_glob = \"{repository}/*\" or by extension, and describe in shape what is normal"
        ),
    );
}

/// The names of single workflows, if the watch selects by nothing wider.
fn workflows_of(watch: &Watch) -> Vec<&str> {
    let wider = |set: &Conditions| {
        set.san.is_empty() && set.san_glob.is_empty() && set.san_regex.is_empty()
            || globs_of(set).any(|glob| repository_of(glob).is_none())
    };
    if !watch.any.is_empty() && watch.any.iter().any(wider) {
        return Vec::new();
    }
    watch
        .sets()
        .flat_map(|set| set.san.iter().map(String::as_str).chain(globs_of(set)))
        .collect()
}

fn globs_of(set: &Conditions) -> impl Iterator<Item = &str> {
    set.san_glob.iter().map(Glob::as_str)
}

/// The repository of the workflow that a name or glob singles out; `None` if it singles out none.
fn repository_of(name: &str) -> Option<String> {
    let (repository, workflow) = name.split_once("/.github/workflows/")?;
    let single = !workflow.split('@').next().unwrap_or_default().contains('*');
    (single && !repository.contains('*')).then(|| repository.to_owned())
}

/// `.*`, `.+`, `\.`, anchors and groups occur in regular expressions and not in names.
fn looks_like_regex(text: &str) -> bool {
    [".*", ".+", "\\", "(?", "[^"]
        .iter()
        .any(|sign| text.contains(sign))
        || text.starts_with('^')
        || text.ends_with('$')
}

/// `https://host/*` and `*@*`, but not `*@host`.
fn names_a_whole_host(glob: &str) -> bool {
    let path = glob.split_once("://").map(|(_, rest)| rest);
    match path.and_then(|rest| rest.split_once('/')) {
        Some((host, path)) => !host.is_empty() && path.chars().all(|c| c == '*' || c == '/'),
        None => !glob.chars().any(char::is_alphanumeric) || path.is_some_and(|rest| rest == "*"),
    }
}

/// A dot between letters or digits that is not escaped, in text that looks like a URL or an address.
fn unescaped_dot(text: &str) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    (text.contains("://") || text.contains('@'))
        && bytes.windows(3).any(|window| {
            is_word(window.first()) && window.get(1) == Some(&b'.') && is_word(window.get(2))
        })
}
