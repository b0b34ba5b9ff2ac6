//! The configuration: from the text of the operator to checked settings.
//!
//! The input is a TOML document with the places of its parts. The output is a [`Config`] in which every default is
//! applied and every value has the type of the module that uses it. All mistakes are collected, with line, key path and
//! a hint: an operator should not have to run the program once for each mistake.
//!
//! Errors are contradictions and settings that cannot work. Settings that are valid but probably not intended are
//! warnings.

mod canary;
mod channel;
mod conditions;
mod document;
mod duration;
mod http;
mod keys;
mod lints;
mod log;
mod mode;
mod problems;
mod reader;
#[cfg(test)]
mod tests;
mod trust;
mod values;
mod watch;
mod witness;

use std::path::{Path, PathBuf};

use toml_edit::Document;

pub use self::duration::parse as parse_duration;
pub use self::log::{LogKeySource, LogSettings, time as parse_time};
pub use self::mode::Mode;
pub use self::problems::{Level, Places, Problem, Problems};
use self::reader::{Place, Section};
pub use self::witness::{WitnessKey, WitnessSettings};
use crate::file;
use crate::log::Start;
use crate::monitor::{CanarySettings, Schedule};
use crate::notify::{Channel, HeartbeatSettings};
use crate::watch::{Severity, Watch};

/// A configuration of ten thousand watches has about three megabytes.
pub const MAX_CONFIG_BYTES: usize = 16 << 20;

/// A valid configuration: every default applied, every path counted from the configuration's directory.
#[derive(Debug, Clone)]
pub struct Config {
    /// The SQLite database.
    pub database: PathBuf,
    /// The source of the trusted root; without it no certificate chain is checked.
    pub trust: Option<crate::trust::Settings>,
    /// Where reading begins in logs without their own setting.
    pub start: Start,
    /// When passes begin.
    pub schedule: Schedule,
    /// From which severity an open finding makes the exit code 1.
    pub fail_on: Severity,
    /// The dead man's switch.
    pub heartbeat: Option<HeartbeatSettings>,
    /// How to send requests.
    pub http: crate::http::Settings,
    /// The logs, no two with one origin or name; at least one unless the trusted root lists them.
    pub logs: Vec<LogSettings>,
    /// The watches, in the order written; no two of one name.
    pub watches: Vec<Watch>,
    /// The channels, in the order written; no two of one name.
    pub channels: Vec<Channel>,
    /// Identities that sign regularly; each names one of the watches, no two the same.
    pub canaries: Vec<CanarySettings>,
    /// Witnesses of the logs; no two of one name.
    pub witnesses: Vec<WitnessSettings>,
    /// The places of keys whose files may turn out unusable later.
    pub places: Places,
}

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

/// The surroundings of the text.
struct Context<'a> {
    directory: &'a Path,
    is_file: &'a dyn Fn(&Path) -> bool,
}

impl Context<'_> {
    fn path(&self, written: &str) -> PathBuf {
        self.directory.join(written)
    }
}
