//! The problems of a configuration, and their places.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::place::Place;
use crate::escape;

/// The level of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A contradiction, or something that cannot work: exit 2.
    Error,
    /// Valid, but probably not intended. Does not change the exit code.
    Warning,
}

impl Level {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One mistake or doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its level.
    pub level: Level,
    /// The line, counted from 1.
    pub line: usize,
    /// The key path, such as `watch[falcon].san_glob`; empty for the file as a whole.
    pub key: String,
    /// The problem.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// All problems of one file. Its `Display` gives one line for each problem, escaped for a terminal.
#[derive(Debug, Clone)]
pub struct Problems {
    path: PathBuf,
    line_starts: Vec<usize>,
    found: Vec<Problem>,
    /// Key paths whose values can prove wrong later, such as those of files, with their lines.
    noted: BTreeMap<String, usize>,
}

/// The places of keys whose values may turn out wrong only when they are used.
#[derive(Debug, Clone, Default)]
pub struct Places {
    path: PathBuf,
    lines: BTreeMap<String, usize>,
}

impl Places {
    /// A message about a key, which begins with its path and a colon, with file and line before it.
    pub fn locate(&self, message: &str) -> String {
        let is_of = |key: &str| {
            let rest = message.strip_prefix(key);
            rest.is_some_and(|rest| rest.starts_with(':'))
        };
        match self.lines.iter().find(|(key, _)| is_of(key)) {
            Some((_, line)) => format!("{}:{line}: {message}", self.path.display()),
            None => message.to_owned(),
        }
    }
}

impl Problems {
    pub(super) fn new(path: &Path, text: &str) -> Self {
        let after_newline = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            path: path.to_owned(),
            line_starts: std::iter::once(0).chain(after_newline).collect(),
            found: Vec::new(),
            noted: BTreeMap::new(),
        }
    }

    /// Records the place of this key.
    pub(super) fn note(&mut self, place: &Place) {
        let line = self.line(place);
        self.noted.insert(place.path.clone(), line);
    }

    /// The recorded places.
    pub(super) fn places(&self) -> Places {
        Places {
            path: self.path.clone(),
            lines: self.noted.clone(),
        }
    }

    fn line(&self, place: &Place) -> usize {
        self.line_starts
            .partition_point(|start| *start <= place.offset)
    }

    /// The problems, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.found.iter()
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|p| p.level == Level::Error)
    }

    pub(super) fn error(
        &mut self,
        place: &Place,
        message: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        self.add(Level::Error, place, &message.into(), hint.into());
    }

    pub(super) fn warning(
        &mut self,
        place: &Place,
        message: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        self.add(Level::Warning, place, &message.into(), hint.into());
    }

    fn add(&mut self, level: Level, place: &Place, message: &str, hint: Option<String>) {
        self.found.push(Problem {
            level,
            line: self.line(place),
            // The repeated text of the file may be a URL with a password.
            key: escape::without_userinfo(&place.path).into_owned(),
            message: escape::without_userinfo(message).into_owned(),
            hint: hint.map(|hint| escape::without_userinfo(&hint).into_owned()),
        });
    }

    /// An empty list for the same file: to read something a second time.
    pub(super) fn separate(&self) -> Self {
        Self {
            path: self.path.clone(),
            line_starts: Vec::new(),
            found: Vec::new(),
            noted: BTreeMap::new(),
        }
    }

    pub(super) fn in_order(&mut self) {
        self.found.sort_by_key(|problem| problem.line);
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.found {
            let level = problem.level.as_str();
            write!(f, "{}:{}: {level}: ", self.path.display(), problem.line)?;
            if !problem.key.is_empty() {
                write!(f, "{}: ", escape::terminal(&problem.key))?;
            }
            write!(f, "{}", escape::terminal(&problem.message))?;
            if let Some(hint) = &problem.hint {
                write!(f, " (hint: {})", escape::terminal(hint))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
