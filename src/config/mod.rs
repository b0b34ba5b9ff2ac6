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
mod context;
mod document;
mod expect_from;
mod file;
mod guides;
mod http;
mod keys;
mod lints;
mod log;
mod log_settings;
mod mode;
mod place;
mod problems;
mod quiet_hours;
mod reach;
mod reader;
#[cfg(test)]
mod tests;
mod trust;
mod values;
mod watch;
mod web;
mod web_settings;
mod witness;

pub use self::document::Config;
pub use self::file::{ConfigError, MAX_CONFIG_BYTES, check, load, read, validate};
pub use self::log_settings::{LogKeySource, LogSettings};
pub use self::mode::Mode;
pub use self::problems::{Level, Places, Problem, Problems};
pub use self::web_settings::{Access, Listen, ProxyAccess, WebSettings};
pub use self::witness::{WitnessKey, WitnessSettings};
