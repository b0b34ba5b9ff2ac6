//! `[[expect_from]]`, and `expected` of a `[[watch]]`: where others put registrations.

use std::collections::HashMap;
use std::time::Duration;

use url::Url;

use super::context::Context;
use super::keys;
use super::problems::Problems;
use super::reader::{At, Section};
use super::values::{existing, unique};
use crate::expect::Authority;
use crate::http::AddressPolicy;
use crate::registrations::{
    DirectorySettings, GitSettings, Patterns, SourceKindSettings, SourceSettings, TagSettings,
    names_watched_repository, repository_error,
};
use crate::watch::Watch;

/// Most sources that are read.
const MAX_SOURCES: usize = 100;

/// How often a source is read, unless it is given.
const EVERY: Duration = Duration::from_mins(5);

/// The branch, unless it is given.
const BRANCH: &str = "main";

/// Longest name of a source, in characters: a directory is called so.
const MAX_NAME_CHARS: usize = 64;

pub(super) fn read_all(
    root: &Section<'_>,
    watches: &[At<Watch>],
    context: &Context<'_>,
    problems: &mut Problems,
) -> Vec<SourceSettings> {
    let mut names = HashMap::new();
    let mut sources = Vec::new();
    for section in root.tables("expect_from", problems) {
        let name = section.required("name", problems);
        let section = match &name {
            Some(name) => section.renamed(format!("expect_from[{}]", name.value)),
            None => section,
        };
        if let Some(name) = &name {
            unique(
                &mut names,
                name.value,
                "source named",
                section.place(),
                problems,
            );
            if !is_name(name.value) {
                problems.error(
                    &name.place,
                    format!("is not the name of a source: a letter, then at most {} letters, digits, `-`, `_` and `.`", MAX_NAME_CHARS - 1),
                    None,
                );
            }
        }
        section.only("expect_from", &keys::EXPECT_FROM, problems);
        let source = Source {
            section: &section,
            name: name.map_or("", |name| name.value),
            watches,
            context,
        };
        sources.extend(source.read(problems));
    }
    for section in root.tables("watch", &mut problems.separate()) {
        if section.has("expected") {
            sources.extend(expected(&section, context, problems));
        }
    }
    if sources.len() > MAX_SOURCES {
        let message = format!("more than {MAX_SOURCES} sources of registrations");
        problems.error(&root.place_of("expect_from"), message, None);
    }
    sources
}

/// A letter first: `expect confirm` tells names from numbers. No slash: those of `expected` have one.
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().count() <= MAX_NAME_CHARS
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// One `[[expect_from]]`.
struct Source<'a, 't> {
    section: &'a Section<'t>,
    name: &'a str,
    watches: &'a [At<Watch>],
    context: &'a Context<'a>,
}

impl Source<'_, '_> {
    fn read(&self, problems: &mut Problems) -> Option<SourceSettings> {
        let section = self.section;
        let written: Vec<&str> = ["git", "dir", "url"]
            .into_iter()
            .filter(|key| section.has(key))
            .collect();
        let kind = match written.as_slice() {
            [kind] => *kind,
            [] => {
                problems.error(section.place(), "one of git, dir and url is missing", None);
                return None;
            }
            [_, second, ..] => {
                problems.error(
                    &section.place_of(second),
                    "a source has one place",
                    "keep one of git, dir and url; write another [[expect_from]] for the other"
                        .to_owned(),
                );
                return None;
            }
        };
        self.refuse_keys_of_others(kind, problems);
        let authority = self.authority(kind, problems);
        let every = if section.has("every") {
            section.duration("every", problems)
        } else {
            Some(EVERY)
        };
        let watches = self.watches(problems);
        let kind = match kind {
            "git" => self.git(authority, problems).map(SourceKindSettings::Git),
            "dir" => self.directory(problems).map(SourceKindSettings::Directory),
            _ => self.tags(problems).map(SourceKindSettings::Tags),
        };
        Some(SourceSettings {
            name: self.name.to_owned(),
            kind: kind?,
            authority: authority?,
            watches,
            every: every?,
        })
    }

    /// A key that means nothing for this kind of source was meant to do something.
    fn refuse_keys_of_others(&self, kind: &str, problems: &mut Problems) {
        for (key, of) in [
            ("branch", &["git"][..]),
            ("allowed_signers", &["git"]),
            ("path", &["git", "dir"]),
            ("allow_hosts", &["url"]),
            ("allow_private", &["url"]),
        ] {
            if self.section.has(key) && !of.contains(&kind) {
                let message = format!("{key} belongs to {}, not to {kind}", of.join(" and "));
                problems.error(&self.section.place_of(key), message, None);
            }
        }
    }

    fn authority(&self, kind: &str, problems: &mut Problems) -> Option<Authority> {
        use Authority::{Operator, Repository, Signer};
        let (default, others): (_, &[Authority]) = match kind {
            "git" => (Repository, &[Signer]),
            "dir" => (Signer, &[Operator]),
            _ => (Signer, &[]),
        };
        let Some(written) = self.section.string("authority", problems) else {
            return (!self.section.has("authority")).then_some(default);
        };
        let authority = Authority::from_word(written.value);
        match authority {
            Some(authority) if authority == default || others.contains(&authority) => {
                Some(authority)
            }
            _ => {
                let words: Vec<&str> = std::iter::once(default)
                    .chain(others.iter().copied())
                    .map(Authority::as_str)
                    .collect();
                let message = format!("{:?} is no authority of {kind}", written.value);
                let hint = match kind {
                    "url" => "a thief of the workflow can publish that file too: write authority = \"signer\"".to_owned(),
                    _ => format!("write {}", words.join(" or ")),
                };
                problems.error(&written.place, message, hint);
                None
            }
        }
    }

    fn watches(&self, problems: &mut Problems) -> Option<Vec<String>> {
        if !self.section.has("watch") {
            return None;
        }
        let names = self.section.strings("watch", problems);
        if names.is_empty() {
            let place = self.section.place_of("watch");
            problems.error(&place, "an empty list counts for no watch", None);
        }
        for name in &names {
            let known = self.watches.iter().map(|watch| watch.value.name.as_str());
            if !known.clone().any(|known| known == name.value) {
                let near = keys::nearest(name.value, known);
                problems.error(
                    &name.place,
                    format!("there is no watch named {:?}", name.value),
                    near.map(|near| format!("did you mean {near}?")),
                );
            }
        }
        Some(names.iter().map(|name| name.value.to_owned()).collect())
    }

    fn git(&self, authority: Option<Authority>, problems: &mut Problems) -> Option<GitSettings> {
        let section = self.section;
        let url = section.string("git", problems)?;
        if let Some(message) = repository_error(url.value) {
            problems.error(&url.place, message, None);
            return None;
        }
        let parsed = Url::parse(url.value).ok()?;
        let branch = match section.string("branch", problems) {
            Some(branch) if is_branch(branch.value) => branch.value.to_owned(),
            Some(branch) => {
                problems.error(&branch.place, "is not the name of a branch", None);
                return None;
            }
            None => BRANCH.to_owned(),
        };
        let allowed_signers = match section.string("allowed_signers", problems) {
            Some(written) => Some(existing(&written, self.context, problems)?),
            None => None,
        };
        let watches: Vec<Watch> = self
            .watches
            .iter()
            .map(|watch| watch.value.clone())
            .collect();
        if authority == Some(Authority::Repository)
            && allowed_signers.is_none()
            && let Some(watch) = names_watched_repository(&parsed, &watches)
        {
            problems.error(
                &url.place,
                format!(
                    "the watch {:?} looks for signings of this repository: a thief of its workflow could register his own",
                    watch.name
                ),
                "give allowed_signers, or authority = \"signer\", or use a repository that no watched workflow can push to; \
                 a watch by numbers alone may mean any repository: add source_repository_uri to it"
                    .to_owned(),
            );
        }
        if authority == Some(Authority::Signer) && allowed_signers.is_some() {
            problems.warning(
                &section.place_of("allowed_signers"),
                "signed commits do not count more than a signer's: authority is \"signer\""
                    .to_owned(),
                None,
            );
        }
        Some(GitSettings {
            url: parsed,
            branch,
            patterns: self.patterns(problems)?,
            allowed_signers,
        })
    }

    fn directory(&self, problems: &mut Problems) -> Option<DirectorySettings> {
        let path = self.section.string("dir", problems)?;
        if path.value.is_empty() {
            problems.error(&path.place, "is not a directory", None);
            return None;
        }
        Some(DirectorySettings {
            path: self.context.path(path.value),
            patterns: self.patterns(problems)?,
        })
    }

    fn patterns(&self, problems: &mut Problems) -> Option<Patterns> {
        let written = self.section.strings("path", problems);
        if !self.section.has("path") {
            return Patterns::new(&Patterns::USUAL).ok();
        }
        if written.is_empty() {
            problems.error(
                &self.section.place_of("path"),
                "an empty list matches nothing",
                None,
            );
        }
        patterns(&written, problems)
    }

    fn tags(&self, problems: &mut Problems) -> Option<TagSettings> {
        let url = self.section.string("url", problems)?;
        let texts = |values: Vec<At<&str>>| -> Vec<String> {
            values.iter().map(|value| value.value.to_owned()).collect()
        };
        let hosts = texts(self.section.strings("allow_hosts", problems));
        let private = texts(self.section.strings("allow_private", problems));
        tags(&url, hosts, AddressPolicy::allowing(private), problems)
    }
}

fn patterns(written: &[At<&str>], problems: &mut Problems) -> Option<Patterns> {
    let globs: Vec<&str> = written.iter().map(|glob| glob.value).collect();
    match Patterns::new(&globs) {
        Ok(patterns) => Some(patterns),
        Err((place, error)) => {
            if let Some(glob) = written.get(place) {
                problems.error(&glob.place, error.to_string(), None);
            }
            None
        }
    }
}

fn tags(
    url: &At<&str>,
    hosts: Vec<String>,
    policy: AddressPolicy,
    problems: &mut Problems,
) -> Option<TagSettings> {
    match TagSettings::new(url.value, hosts, policy) {
        Ok(tags) => Some(tags),
        Err(error) => {
            problems.error(&url.place, error.to_string(), None);
            None
        }
    }
}

/// `git check-ref-format`, and nothing that is an option.
fn is_branch(name: &str) -> bool {
    let bad_part = |part: &str| {
        part.is_empty() || part.starts_with('.') || part.strip_suffix(".lock").is_some()
    };
    let bad_character =
        |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
    !name.starts_with('-')
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && name != "@"
        && !name.contains(bad_character)
        && !name.split('/').any(bad_part)
        && name.len() <= 200
}

/// `expected` of a watch: each element is a source with the authority of the signer, for this watch alone.
fn expected(
    section: &Section<'_>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Vec<SourceSettings> {
    let watch = section
        .string("name", &mut problems.separate())
        .map_or("", |name| name.value);
    let mut sources = Vec::new();
    for (written, number) in section.strings("expected", problems).into_iter().zip(1..) {
        let kind = if written.value.contains("://") {
            let policy = AddressPolicy::default();
            tags(&written, Vec::new(), policy, problems).map(SourceKindSettings::Tags)
        } else {
            files(&written, context, problems).map(SourceKindSettings::Directory)
        };
        sources.extend(kind.map(|kind| SourceSettings {
            name: format!("{watch}/{number}"),
            kind,
            authority: Authority::Signer,
            watches: Some(vec![watch.to_owned()]),
            every: EVERY,
        }));
    }
    sources
}

/// A glob below a directory: the directory is what stands before the first name with a `*`.
fn files(
    written: &At<&str>,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<DirectorySettings> {
    let is_special = |name: &&str| name.contains(['*', '?', '[']);
    let names: Vec<&str> = written.value.split('/').collect();
    let plain = names.iter().take_while(|name| !is_special(name)).count();
    // The last name is a file's.
    let plain = plain.min(names.len().saturating_sub(1));
    let (directory, glob) = names.split_at(plain);
    let glob = At {
        value: glob.join("/"),
        place: written.place.clone(),
    };
    let directory = match directory {
        [] => ".".to_owned(),
        [""] => "/".to_owned(),
        names => names.join("/"),
    };
    let globs = [At {
        value: glob.value.as_str(),
        place: glob.place.clone(),
    }];
    Some(DirectorySettings {
        path: context.path(&directory),
        patterns: patterns(&globs, problems)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_branches_and_sources_are_checked() {
        for name in ["main", "release/1.0", "a.b", "ä"] {
            assert!(is_branch(name), "{name}");
        }
        for name in [
            "-x", "a..b", "a b", "", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a~1", "a^",
            "a:b", "@{1}", "@", "a.", "x\n",
        ] {
            assert!(!is_branch(name), "{name:?}");
        }
        assert!(
            is_name("releases-1.0_x")
                && !is_name("7")
                && !is_name("a/b")
                && !is_name("")
                && !is_name("ä")
        );
    }
}
