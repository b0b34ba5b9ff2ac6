//! Whether a git repository is one whose signings are watched.
//!
//! A thief of such a repository's workflow may be able to push to it. If it registered signings with the authority of a
//! repository, he could tell us that his signing was the owner's.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::identity::Extension;
use crate::watch::{Conditions, Watch};

/// Why a URL cannot be that of a git repository; `None` if it can.
pub fn repository_error(written: &str) -> Option<&'static str> {
    const FORMS: &str = "is not the URL of a git repository: https://host/path, ssh://user@host/path or file:///path";
    let Ok(url) = Url::parse(written) else {
        return Some(FORMS);
    };
    // An option of ssh or git in the place of a name.
    let is_option = |text: Option<&str>| text.is_some_and(|text| text.starts_with('-'));
    let path = url.path();
    if url.query().is_some() || url.fragment().is_some() || path.len() < 2 || path.starts_with("/-")
    {
        return Some(FORMS);
    }
    if written.chars().any(char::is_control) || written.contains(char::is_whitespace) {
        return Some(FORMS);
    }
    match url.scheme() {
        "https" if !url.username().is_empty() || url.password().is_some() => {
            Some("a URL may not contain a user or a password: use [[http.credentials]]")
        }
        "ssh" if url.password().is_some() => Some("a URL may not contain a password"),
        "https" | "ssh" => {
            let host = url.host_str();
            let decoded = url.username().contains('%');
            if host.is_none_or(str::is_empty)
                || is_option(host)
                || is_option(Some(url.username()))
                || decoded
            {
                Some(FORMS)
            } else {
                None
            }
        }
        "file" if url.host_str().is_some_and(|host| !host.is_empty()) => Some(FORMS),
        "file" => None,
        _ => Some(FORMS),
    }
}

/// The first of the watches that select signings of the repository at this URL, as far as the names in it show.
///
/// Compared as the most lenient reader would: without regard to scheme, user, port, case and `.git`. A watch that selects by the
/// number of a repository or of its owner, and by no name, may look for any repository of the provider, so it is recognised for
/// each of them. One that selects by a key, or by a regular expression that does not begin with the repository's name, is not
/// recognised.
pub fn names_watched_repository<'w>(url: &Url, watches: &'w [Watch]) -> Option<&'w Watch> {
    let repository = plain(url.as_str());
    if url.scheme() == "file" || repository.is_empty() {
        return None;
    }
    watches.iter().find(|watch| {
        let sets = std::iter::once(&watch.conditions).chain(&watch.any);
        sets.flat_map(names).any(|name| is_of(&name, &repository))
            || is_by_number(watch, &repository)
    })
}

/// Whether the watch selects by a number alone, and the repository is of a provider whose numbers it may mean.
fn is_by_number(watch: &Watch, repository: &str) -> bool {
    let host = repository.split('/').next().unwrap_or_default();
    let none = Conditions::default();
    let alternatives: Vec<&Conditions> = match watch.any.as_slice() {
        [] => vec![&none],
        any => any.iter().collect(),
    };
    alternatives.into_iter().any(|set| {
        let both = [&watch.conditions, set];
        let has_number = NUMBERS.iter().any(|number| {
            let has = |set: &&Conditions| {
                set.extension.contains_key(number) || set.extension_glob.contains_key(number)
            };
            both.iter().any(has)
        });
        let is_named = |set: &&Conditions| names(set).iter().any(|(name, _)| name.contains("://"));
        let mut issuers = both.iter().flat_map(|set| &set.issuer).peekable();
        let may_be_its =
            issuers.peek().is_none() || issuers.any(|issuer| may_certify(issuer, host));
        has_number && !both.iter().any(is_named) && may_be_its
    })
}

/// The extensions that identify a repository by the numbers of its provider.
const NUMBERS: [Extension; 2] = [
    Extension::SourceRepositoryIdentifier,
    Extension::SourceRepositoryOwnerIdentifier,
];

/// Whether workflows of repositories at this host may get certificates of this issuer.
fn may_certify(issuer: &str, host: &str) -> bool {
    match issuer {
        "https://token.actions.githubusercontent.com" => host == "github.com",
        "https://gitlab.com" => host == "gitlab.com",
        _ => true,
    }
}

/// The names that a set of conditions looks for: each with whether it is only the beginning of one.
fn names(conditions: &Conditions) -> Vec<(String, bool)> {
    let mut names = Vec::new();
    names.extend(conditions.san.iter().map(|san| (san.clone(), false)));
    names.extend(
        conditions
            .san_glob
            .iter()
            .map(|glob| beginning(glob.as_str())),
    );
    names.extend(
        conditions
            .san_regex
            .iter()
            .map(|regex| (literal(regex.as_str()), true)),
    );
    for values in conditions.extension.values() {
        names.extend(values.iter().map(|value| (value.clone(), false)));
    }
    for globs in conditions.extension_glob.values() {
        names.extend(globs.iter().map(|glob| beginning(glob.as_str())));
    }
    names
}

/// What stands before the first `*` of a glob.
fn beginning(glob: &str) -> (String, bool) {
    match glob.split_once('*') {
        Some((before, _)) => (before.to_owned(), true),
        None => (glob.to_owned(), false),
    }
}

/// What every name that a regular expression matches begins with, as far as its text shows it.
fn literal(regex: &str) -> String {
    let mut literal = String::new();
    let mut characters = regex.trim_start_matches('^').chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(escaped) if !escaped.is_alphanumeric() => literal.push(escaped),
                _ => break,
            },
            '.' if characters
                .peek()
                .is_none_or(|next| !matches!(next, '*' | '+' | '?' | '{')) =>
            {
                // A dot that its writer forgot to escape.
                literal.push('.');
            }
            '.' | '*' | '+' | '?' | '(' | '[' | '{' | '|' | '$' => break,
            other => literal.push(other),
        }
    }
    literal
}

/// Whether a name, or what begins with it, is of this repository or of its workflows.
fn is_of((name, is_beginning): &(String, bool), repository: &str) -> bool {
    let Some((_, rest)) = name.split_once("://") else {
        return false;
    };
    let name = without_ends(rest);
    let name = name.as_str();
    if let Some(after) = name.strip_prefix(repository) {
        return after.is_empty() || after.starts_with(['/', '@']) || after.starts_with(".git");
    }
    *is_beginning && !rest.is_empty() && repository.starts_with(&rest.to_ascii_lowercase())
}

/// Host and path of a repository's URL, in lower case and decoded, without port, `.git` and slashes at the end.
fn plain(url: &str) -> String {
    let Some((_, rest)) = url.split_once("://") else {
        return String::new();
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    // Under these hosts the providers offer the same repositories.
    let host = match host.to_ascii_lowercase().trim_end_matches('.') {
        "ssh.github.com" | "www.github.com" => "github.com".to_owned(),
        "altssh.gitlab.com" => "gitlab.com".to_owned(),
        other => other.to_owned(),
    };
    let path = decoded(path);
    let path: Vec<_> = path.split('/').filter(|name| !name.is_empty()).collect();
    without_ends(&format!("{host}/{}", path.join("/")))
}

/// A path without percent-encoding, as a server reads it.
fn decoded(path: &str) -> Cow<'_, str> {
    percent_decode_str(path).decode_utf8_lossy()
}

fn without_ends(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    let text = text.trim_end_matches('/');
    text.strip_suffix(".git")
        .unwrap_or(text)
        .trim_end_matches('/')
        .to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;
    use crate::watch::{Glob, SanRegex};

    fn watch(change: impl FnOnce(&mut Conditions)) -> Vec<Watch> {
        let mut conditions = Conditions::default();
        change(&mut conditions);
        vec![Watch::new("falcon", conditions)]
    }

    #[test]
    fn a_repository_whose_workflows_are_watched_is_recognised_in_every_form_of_its_url() {
        let watches = [
            watch(|c| {
                c.san_glob
                    .push(Glob::new("https://github.com/Org/falcon/*"));
            }),
            watch(|c| {
                c.san_glob.push(Glob::new(
                    "https://github.com/org/falcon/.github/workflows/r.yml@refs/tags/*",
                ));
            }),
            watch(|c| c.san_glob.push(Glob::new("https://github.com/org/*"))),
            watch(|c| {
                c.san.push(
                    "https://github.com/org/falcon/.github/workflows/r.yml@refs/heads/main".into(),
                );
            }),
            watch(|c| {
                c.san_regex
                    .push(SanRegex::new(r"^https://github\.com/org/falcon/.*").unwrap());
            }),
            watch(|c| {
                c.san_regex
                    .push(SanRegex::new("https://github.com/org/falcon/.github/.+").unwrap());
            }),
            watch(|c| {
                let uri = vec!["https://github.com/org/falcon".to_owned()];
                c.extension.insert(Extension::SourceRepositoryUri, uri);
            }),
            watch(|c| {
                let uri = vec![Glob::new("https://github.com/org/fal*")];
                c.extension_glob.insert(Extension::SourceRepositoryUri, uri);
            }),
        ];
        for url in [
            "https://github.com/org/falcon",
            "https://github.com/org/falcon.git",
            "https://GitHub.com:443/Org/Falcon/",
            "ssh://git@github.com/org/falcon.git",
            "ssh://git@github.com:22/org/falcon",
            "ssh://git@ssh.github.com:443/org/falcon.git",
            "https://github.com./org//falcon",
            "https://github.com/%6Frg/falcon%2egit",
        ] {
            assert_eq!(repository_error(url), None, "{url}");
            let parsed = Url::parse(url).unwrap();
            for (place, watches) in watches.iter().enumerate() {
                assert!(
                    names_watched_repository(&parsed, watches).is_some(),
                    "{url} {place}"
                );
            }
        }
        for url in [
            "https://github.com/org2/releases",
            "https://gitlab.com/org/falcon",
            "file:///srv/org/falcon.git",
        ] {
            let parsed = Url::parse(url).unwrap();
            for (place, watches) in watches.iter().enumerate() {
                assert!(
                    names_watched_repository(&parsed, watches).is_none(),
                    "{url} {place}"
                );
            }
        }
        let other = Url::parse("https://github.com/org/falcon-releases").unwrap();
        assert!(names_watched_repository(&other, &watches[0]).is_none());
        assert!(
            names_watched_repository(&other, &watches[2]).is_some(),
            "the whole organisation"
        );
    }

    #[test]
    fn a_path_is_decoded_as_far_as_it_is_encoded() {
        for (path, expected) in [
            ("a%2Fb", "a/b"),
            ("%61%2e", "a."),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("%c3%a9%ff", "\u{e9}\u{fffd}"),
            ("%+1", "%+1"),
            ("", ""),
        ] {
            assert_eq!(decoded(path), expected, "{path}");
        }
    }

    #[test]
    fn a_watch_by_a_number_alone_may_mean_any_repository_of_its_provider() {
        let number = |c: &mut Conditions| {
            let number = vec!["463804977".to_owned()];
            c.extension
                .insert(Extension::SourceRepositoryIdentifier, number);
        };
        let github = "https://token.actions.githubusercontent.com".to_owned();
        let at_github = Url::parse("https://github.com/org/releases").unwrap();
        let elsewhere = Url::parse("https://git.example/org/releases").unwrap();
        let recognised =
            |url: &Url, watches: &[Watch]| names_watched_repository(url, watches).is_some();

        let by_number = watch(number);
        assert!(recognised(&at_github, &by_number) && recognised(&elsewhere, &by_number));
        let by_owner = watch(|c| {
            let globs = vec![Glob::new("1*")];
            c.extension_glob
                .insert(Extension::SourceRepositoryOwnerIdentifier, globs);
        });
        assert!(recognised(&at_github, &by_owner));
        // The issuer says whose numbers they are.
        let of_github = watch(|c| {
            number(c);
            c.issuer.push(github.clone());
        });
        assert!(recognised(&at_github, &of_github) && !recognised(&elsewhere, &of_github));
        let of_gitlab = watch(|c| {
            number(c);
            c.issuer.push("https://gitlab.com".to_owned());
        });
        assert!(!recognised(&at_github, &of_gitlab));
        // A name beside the number says which repository it is.
        let named = watch(|c| {
            number(c);
            c.san_glob
                .push(Glob::new("https://github.com/org/falcon/*"));
        });
        assert!(!recognised(&at_github, &named));
        assert!(recognised(
            &Url::parse("https://github.com/org/falcon").unwrap(),
            &named
        ));
        // Each alternative of a watch counts.
        let mut any = watch(|c| c.issuer.push(github.clone()));
        let mut by_name = Conditions::default();
        by_name
            .san_glob
            .push(Glob::new("https://github.com/org/falcon/*"));
        let mut numbered = Conditions::default();
        number(&mut numbered);
        any[0].any = vec![by_name.clone()];
        assert!(!recognised(&at_github, &any));
        any[0].any = vec![by_name, numbered];
        assert!(recognised(&at_github, &any) && !recognised(&elsewhere, &any));
        // A local repository has no workflows.
        let local = Url::parse("file:///srv/releases.git").unwrap();
        assert!(!recognised(&local, &by_number));
        // Neither is a key a repository.
        assert!(!recognised(
            &at_github,
            &watch(|c| c.key_sha256.push([7; 32]))
        ));
    }

    #[test]
    fn a_url_that_git_or_ssh_would_read_as_something_else_is_refused() {
        for url in [
            "-uhttps://x/y",
            "ext::sh -c id",
            "git://host/x",
            "http://host/x",
            "git@host:x.git",
            "/srv/x.git",
            "../x",
            "https://user:pw@host/x",
            "https://user@host/x",
            "ssh://-oProxyCommand=id/x",
            "ssh://-oProxyCommand=id@host/x",
            "ssh://%2doProxyCommand=id@host/x",
            "ssh://git:pw@host/x",
            "ssh://host/-x",
            "https://host",
            "https://host/",
            "https://host/x?y",
            "https://host/x#y",
            "https://host/x y",
            "file://server/share",
        ] {
            assert!(repository_error(url).is_some(), "{url}");
        }
        for url in [
            "https://host/x",
            "ssh://git@host/x",
            "ssh://host:2222/~/x",
            "file:///srv/x.git",
        ] {
            assert_eq!(repository_error(url), None, "{url}");
        }
    }
}
