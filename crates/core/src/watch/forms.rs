//! The forms of names and extensions, compiled once however many watches are held against them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::Regex;

use super::language::{Common, Language, common};
use super::provider::{Form, Kind, Provider};
use super::{Glob, SanRegex};
use crate::identity::Extension;

/// How conditions are read: to select, where case does not count in names and globs, or as a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Select,
    Shape,
}

/// Which refs a name may end in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refs {
    /// All that git allows.
    Any,
    /// A usual tag or branch.
    Usual,
}

impl Refs {
    /// What patterns without an `@` may be meant for: they contain no ref, so a usual one must match.
    pub(super) fn meant_by(patterns: &[Pattern<'_>]) -> Self {
        if patterns
            .iter()
            .any(|pattern| pattern.as_str().contains('@'))
        {
            Self::Any
        } else {
            Self::Usual
        }
    }
}

/// One value of a condition on names or on an extension.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pattern<'a> {
    /// A text in full; `folded`: case does not count.
    Text {
        text: &'a str,
        folded: bool,
    },
    Glob(&'a Glob, Reading),
    Regex(&'a SanRegex),
}

impl<'a> Pattern<'a> {
    /// As it is written.
    pub(super) fn as_str(self) -> &'a str {
        match self {
            Self::Text { text, .. } => text,
            Self::Glob(glob, _) => glob.as_str(),
            Self::Regex(regex) => regex.as_str(),
        }
    }

    pub(super) fn matches(self, name: &str) -> bool {
        match self {
            Self::Text { text, folded: true } => text.eq_ignore_ascii_case(name),
            Self::Text { text, .. } => text == name,
            Self::Glob(glob, Reading::Select) => glob.matches_folded(&name.to_ascii_lowercase()),
            Self::Glob(glob, Reading::Shape) => glob.fits_shape(name),
            Self::Regex(regex) => regex.matches(name),
        }
    }

    /// The common beginning of all matching texts, and whether nothing may follow it.
    pub(super) fn beginning(self) -> (String, bool) {
        match self {
            Self::Text { text, .. } => (text.to_owned(), true),
            Self::Glob(glob, _) => match glob.as_str().split_once('*') {
                Some((beginning, _)) => (beginning.to_owned(), false),
                None => (glob.as_str().to_owned(), true),
            },
            Self::Regex(regex) => (regex.beginning(), false),
        }
    }

    fn language(self) -> Option<Language> {
        match self {
            Self::Text { text, folded } => {
                let flags = if folded { "(?i-u:" } else { "(?-u:" };
                Language::of(&format!("{flags}{})", regex_syntax::escape(text)))
            }
            Self::Glob(glob, reading) => Language::of_glob(glob, reading == Reading::Shape),
            Self::Regex(regex) => Language::of_regex(regex),
        }
    }
}

/// A form, ready to be compared.
struct Compiled {
    regex: Regex,
    language: Language,
}

/// Every form that was computed so far.
#[derive(Default)]
pub struct Forms(RefCell<HashMap<String, Option<Rc<Compiled>>>>);

impl Forms {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a provider may write this name. What cannot be decided is possible.
    pub(super) fn may_write(&self, provider: &Provider, name: &str, reading: Reading) -> bool {
        self.may_be(&names(provider, reading, Refs::Any), name)
    }

    /// Whether a provider may write a value into an extension.
    pub(super) fn may_hold(&self, provider: &Provider, extension: Extension, value: &str) -> bool {
        let names_repository = matches!(
            extension,
            Extension::SourceRepositoryUri | Extension::GithubWorkflowRepository
        );
        // This is the form for cloning; no repository of GitHub has such a name.
        if names_repository && provider.kind == Kind::GitHub && value.strip_suffix(".git").is_some()
        {
            return false;
        }
        match provider.extension(extension) {
            Form::Absent => false,
            Form::Any => true,
            Form::Like(form) => self.may_be(&exact(&form), value),
        }
    }

    fn may_be(&self, expression: &str, text: &str) -> bool {
        let compiled = self.compiled(expression);
        compiled.is_none_or(|compiled| compiled.regex.is_match(text))
    }

    /// A name that a provider may write and that all of these match.
    pub(super) fn name_of_all(
        &self,
        provider: &Provider,
        patterns: &[Pattern<'_>],
        reading: Reading,
        refs: Refs,
    ) -> Common {
        self.text_of_all(Some(&names(provider, reading, refs)), patterns)
    }

    /// A value that a provider may write into the extension and that all of these match.
    pub(super) fn value_of_all(
        &self,
        provider: &Provider,
        extension: Extension,
        patterns: &[Pattern<'_>],
    ) -> Common {
        match provider.extension(extension) {
            Form::Absent => Common::Nothing,
            Form::Any => self.text_of_all(None, patterns),
            Form::Like(form) => {
                // Globs select in any case.
                self.text_of_all(Some(&folded(&form)), patterns)
            }
        }
    }

    fn text_of_all(&self, form: Option<&str>, patterns: &[Pattern<'_>]) -> Common {
        let compiled = match form.map(|form| self.compiled(form)) {
            Some(None) => return Common::Unknown,
            Some(compiled) => compiled,
            None => None,
        };
        let own: Option<Vec<Language>> = patterns.iter().map(|p| p.language()).collect();
        let Some(own) = own else {
            return Common::Unknown;
        };
        let form = compiled.as_deref().map(|compiled| &compiled.language);
        let all: Vec<&Language> = form.into_iter().chain(&own).collect();
        common(&all)
    }

    fn compiled(&self, expression: &str) -> Option<Rc<Compiled>> {
        if let Some(known) = self.0.borrow().get(expression) {
            return known.clone();
        }
        let compiled = Regex::new(&format!(r"\A(?:{expression})\z"))
            .ok()
            .zip(Language::of(expression))
            .map(|(regex, language)| Rc::new(Compiled { regex, language }));
        let mut known = self.0.borrow_mut();
        known.insert(expression.to_owned(), compiled.clone());
        compiled
    }
}

fn names(provider: &Provider, reading: Reading, refs: Refs) -> String {
    let names = match refs {
        Refs::Any => provider.names(),
        Refs::Usual => provider.names_of_usual_refs(),
    };
    match reading {
        Reading::Select => folded(&names),
        Reading::Shape => exact(&names),
    }
}

fn folded(form: &str) -> String {
    format!("(?i:{form})")
}

fn exact(form: &str) -> String {
    format!("(?:{form})")
}
