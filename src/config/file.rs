//! From the file of a configuration to settings.

use std::path::{Path, PathBuf};

use toml_edit::Document;

use super::context::Context;
use super::document::{self, Config};
use super::place::Place;
use super::problems::Problems;
use super::reader::Section;
use crate::file;

/// A configuration of ten thousand watches has about three megabytes.
pub const MAX_CONFIG_BYTES: usize = 16 << 20;

/// Why there is no usable configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}\n", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It was read and is wrong: all problems, with the warnings.
    #[error("{0}")]
    Wrong(Problems),
}

/// Reads a configuration file; the second part of the answer are warnings.
///
/// # Errors
///
/// If it cannot be read, or anything in it is an error.
pub fn load(path: &Path) -> Result<(Config, Problems), ConfigError> {
    check(&read(path)?, path)
}

/// The text of a configuration file.
///
/// # Errors
///
/// [`ConfigError::Unreadable`] if it cannot be read or is too long.
pub fn read(path: &Path) -> Result<String, ConfigError> {
    file::read_text(path, MAX_CONFIG_BYTES).map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        source: error.into(),
    })
}

/// The configuration in the text of this file; the second part of the answer are warnings.
///
/// # Errors
///
/// [`ConfigError::Wrong`] if anything in it is an error.
pub fn check(text: &str, path: &Path) -> Result<(Config, Problems), ConfigError> {
    let (config, problems) = validate(text, path, &|file| file.is_file());
    match config {
        Some(config) => Ok((config, problems)),
        None => Err(ConfigError::Wrong(problems)),
    }
}

/// Checks the text of a configuration. `path` is its file: relative paths in it start at its directory. `is_file`
/// returns whether a file that it names exists; nothing else outside is accessed.
///
/// There is a configuration if and only if no problem is an error.
pub fn validate(
    text: &str,
    path: &Path,
    is_file: &dyn Fn(&Path) -> bool,
) -> (Option<Config>, Problems) {
    let mut problems = Problems::new(path, text);
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let offset = error.span().map_or(0, |span| span.start);
            problems.error(&Place::syntax(offset), error.message().to_owned(), None);
            return (None, problems);
        }
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let context = Context { directory, is_file };
    let root = Section::root(document.as_table());
    let config = document::read(&root, &context, &mut problems);
    problems.in_order();
    let config = config.filter(|_| !problems.has_errors());
    (config, problems)
}
