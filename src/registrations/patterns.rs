//! Which files of a source are read.

use std::fmt;

use glob::{MatchOptions, Pattern};

/// Globs over paths below the source: `*` and `?` within a name, `**` over any number of directories.
#[derive(Debug, Clone)]
pub struct Patterns(Vec<Pattern>);

/// Why a glob cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is no glob.
    #[error("is not a glob: {0}")]
    Syntax(String),
    /// It would leave the source, or match nothing in it.
    #[error("is not a path below the source: no leading `/`, no `.` or `..`, no empty name")]
    NotBelow,
}

/// Case counts; a `*` stays within a name.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

impl Patterns {
    /// The usual names of bundles.
    pub const USUAL: [&str; 3] = ["**/*.sig", "**/*.sigstore", "**/*.sigstore.json"];

    /// At least one glob.
    ///
    /// # Errors
    /// The place of the first that cannot be used, and why.
    pub fn new<S: AsRef<str>>(globs: &[S]) -> Result<Self, (usize, PatternError)> {
        let parse = |(place, glob): (usize, &S)| {
            let glob = glob.as_ref();
            let is_name = |name: &str| !name.is_empty() && name != "." && name != "..";
            if !glob.split('/').all(is_name) {
                return Err((place, PatternError::NotBelow));
            }
            Pattern::new(glob).map_err(|error| (place, PatternError::Syntax(error.msg.to_owned())))
        };
        globs
            .iter()
            .enumerate()
            .map(parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether this path, with `/` between its names, is one of the files.
    pub(super) fn matches(&self, path: &str) -> bool {
        self.0.iter().any(|glob| glob.matches_with(path, OPTIONS))
    }

    /// The directories that all matching files are below, without repetition; empty: the whole source.
    pub(super) fn directories(&self) -> Vec<String> {
        let mut directories: Vec<String> = Vec::new();
        for glob in &self.0 {
            let literal = glob
                .as_str()
                .split(['*', '?', '['])
                .next()
                .unwrap_or_default();
            let Some((directory, _)) = literal.rsplit_once('/') else {
                return Vec::new();
            };
            if !directories.iter().any(|known| known == directory) {
                directories.push(directory.to_owned());
            }
        }
        directories
    }
}

impl fmt::Display for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let globs: Vec<&str> = self.0.iter().map(Pattern::as_str).collect();
        f.write_str(&globs.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_stars_go_over_directories_and_one_stays_within_a_name() {
        let patterns = Patterns::new(&["releases/**/*.sig", "top.sig"]).expect("globs");
        for (path, expected) in [
            ("releases/a.sig", true),
            ("releases/1/2/a.sig", true),
            ("releases/.hidden/a.sig", true),
            ("top.sig", true),
            ("Releases/a.sig", false),
            ("x/releases/a.sig", false),
            ("releases/a.sig/b", false),
            ("x/top.sig", false),
        ] {
            assert_eq!(patterns.matches(path), expected, "{path}");
        }
        assert!(patterns.directories().is_empty());
        let below = Patterns::new(&["a/b/*.sig", "a/b/**", "c/[xy]/z"]).expect("globs");
        assert_eq!(below.directories(), ["a/b", "c"]);
    }

    #[test]
    fn a_glob_that_leaves_the_source_is_refused() {
        for glob in ["/etc/*", "../x", "a/../b", "a//b", "", "./a", "a/"] {
            assert_eq!(
                Patterns::new(&[glob]).err(),
                Some((0, PatternError::NotBelow)),
                "{glob}"
            );
        }
        assert!(matches!(
            Patterns::new(&["a", "a***"]),
            Err((1, PatternError::Syntax(_)))
        ));
    }
}
