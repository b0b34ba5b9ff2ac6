//! What a type of channel consists of, and how it reads its own keys.
//!
//! A type is one file: its settings, the keys of `[[channel]]` that they come from, what they need on this machine, and the
//! notifier. The configuration reads the keys by their type and reports what the type finds wrong with them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use url::Url;

use super::{Lacking, Links, Notifier};
use crate::http;
use crate::secret::{SecretSource, UrlSource};

/// One type of channel.
#[derive(Debug, Clone, Copy)]
pub struct ChannelType {
    /// The value of `type`.
    pub name: &'static str,
    /// Its keys besides those that every channel has. A key that several types have is read in the same way for each.
    pub keys: &'static [(&'static str, KeyType)],
    /// Makes settings of the values. `None` if a value is missing or wrong; the problem is in [`Written`] then, or the
    /// configuration has reported it before.
    pub read: fn(&mut Written) -> Option<Arc<dyn ChannelSettings>>,
}

/// What the value of a key is, which decides how the configuration reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// A string.
    Text,
    /// A string, or a list of strings.
    Texts,
    /// `true` or `false`.
    Boolean,
    /// A duration such as `30s`.
    Duration,
    /// The path of a file that must exist.
    File,
    /// A secret: the keys are `NAME_env` and `NAME_file`, at most one of them.
    Secret,
    /// Names with environment variables: the key is `NAME_env`, a table.
    Variables,
    /// An http(s) URL: the keys are `NAME`, `NAME_env` and `NAME_file`, at most one of them.
    Url,
}

impl KeyType {
    /// The keys of the configuration for a key of this type.
    pub fn written_as(self, name: &str) -> Vec<String> {
        let with = |ending: &str| format!("{name}{ending}");
        match self {
            Self::Text | Self::Texts | Self::Boolean | Self::Duration | Self::File => {
                vec![name.to_owned()]
            }
            Self::Variables => vec![with("_env")],
            Self::Secret => vec![with("_env"), with("_file")],
            Self::Url => vec![name.to_owned(), with("_env"), with("_file")],
        }
    }
}

impl ChannelType {
    /// Its keys as they are written in the configuration.
    pub fn written_keys(&self) -> impl Iterator<Item = String> {
        let keys = self.keys.iter();
        keys.flat_map(|(name, of_type)| of_type.written_as(name))
    }
}

/// The settings of one channel.
///
/// Laws:
/// 1. Nothing here sends a message or asks a server, except what the notifier does when it sends, and
///    [`refused`](Self::refused).
/// 2. `Debug` shows no secret.
#[async_trait]
pub trait ChannelSettings: fmt::Debug + Send + Sync {
    /// The notifier of the channel. It opens nothing before it sends.
    fn notifier(&self, http: &http::Client, links: &Links) -> Box<dyn Notifier>;

    /// Where its secrets come from.
    fn secrets(&self) -> Vec<SecretSource>;

    /// What the channel cannot work without and what is missing on this machine: variables, files, a program.
    async fn lacking(&self) -> Vec<Lacking>;

    /// Why the server would refuse messages, as far as it can be asked without sending one. Called for `modelwatch check`.
    async fn refused(&self, _http: &http::Client) -> Vec<Lacking> {
        Vec::new()
    }

    /// Whether the channel is told that all findings of an alert are acknowledged.
    fn takes_acknowledgements(&self) -> bool {
        false
    }

    /// The repository into which the channel writes.
    fn repository(&self) -> Option<Url> {
        None
    }
}

/// The value of one key.
#[derive(Debug, Clone)]
pub enum Value {
    /// Of [`KeyType::Text`].
    Text(String),
    /// Of [`KeyType::Texts`]; not empty.
    Texts(Vec<String>),
    /// Of [`KeyType::Boolean`].
    Boolean(bool),
    /// Of [`KeyType::Duration`].
    Duration(Duration),
    /// Of [`KeyType::File`]; the path is counted from the directory of the configuration.
    File(PathBuf),
    /// Of [`KeyType::Secret`].
    Secret(SecretSource),
    /// Of [`KeyType::Variables`]: name and variable.
    Variables(Vec<(String, String)>),
    /// Of [`KeyType::Url`].
    Url(UrlSource),
    /// The key is there, and the configuration has reported what is wrong with its value.
    Wrong,
}

/// Where a problem of a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The channel as a whole.
    Channel,
    /// A key.
    Key(&'static str),
    /// One string of a list, by its position from 0.
    Element(&'static str, usize),
}

/// What is wrong with a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Where.
    pub place: Place,
    /// The channel works all the same.
    pub is_warning: bool,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// The values that one `[[channel]]` gives to the keys of its type, and what is wrong with them.
#[derive(Debug, Default)]
pub struct Written {
    directory: PathBuf,
    values: BTreeMap<&'static str, Value>,
    remarks: Vec<Remark>,
}

impl Written {
    /// No values yet. Relative paths are counted from this directory.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            ..Self::default()
        }
    }

    /// Adds the value of a key.
    pub fn insert(&mut self, key: &'static str, value: Value) {
        self.values.insert(key, value);
    }

    /// What is wrong with the values.
    pub fn into_remarks(self) -> Vec<Remark> {
        self.remarks
    }

    /// Whether the key is written, with a right or a wrong value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The strings of a list; none if the key is not written or wrong.
    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        match self.values.get(key) {
            Some(Value::Texts(texts)) => texts.clone(),
            _ => Vec::new(),
        }
    }

    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        match self.values.get(key) {
            Some(Value::Boolean(value)) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn duration(&self, key: &str) -> Option<Duration> {
        match self.values.get(key) {
            Some(Value::Duration(duration)) => Some(*duration),
            _ => None,
        }
    }

    pub(super) fn file(&self, key: &str) -> Option<PathBuf> {
        match self.values.get(key) {
            Some(Value::File(path)) => Some(path.clone()),
            _ => None,
        }
    }

    pub(super) fn secret(&self, key: &str) -> Option<SecretSource> {
        match self.values.get(key) {
            Some(Value::Secret(source)) => Some(source.clone()),
            _ => None,
        }
    }

    /// Names and their variables; none if the key is not written or wrong.
    pub(super) fn variables(&self, key: &str) -> Vec<(String, String)> {
        match self.values.get(key) {
            Some(Value::Variables(variables)) => variables.clone(),
            _ => Vec::new(),
        }
    }

    pub(super) fn url(&self, key: &str) -> Option<UrlSource> {
        match self.values.get(key) {
            Some(Value::Url(source)) => Some(source.clone()),
            _ => None,
        }
    }

    /// The URL; that there is none is an error.
    pub(super) fn required_url(&mut self, key: &'static str) -> Option<UrlSource> {
        if !self.has(key) {
            let keys = KeyType::Url.written_as(key);
            let message = match keys.split_last() {
                Some((last, others)) => {
                    format!("one of {} and {last} is missing", others.join(", "))
                }
                None => format!("{key} is missing"),
            };
            self.error(Place::Channel, message, None);
        }
        self.url(key)
    }

    /// A path, counted from the directory of the configuration.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        self.directory.join(written)
    }

    /// The value of a text, if it is written and can be parsed.
    pub(super) fn parsed<T>(&mut self, key: &'static str) -> Option<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        match self.text(key)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.error(Place::Key(key), format!("{error}"), None);
                None
            }
        }
    }

    /// As [`Self::parsed`]; that the key is not written is an error.
    pub(super) fn required<T>(&mut self, key: &'static str) -> Option<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        if !self.has(key) {
            self.error(Place::Channel, format!("{key} is missing"), None);
        }
        self.parsed(key)
    }

    /// Reports what makes the channel impossible.
    pub(super) fn error(&mut self, place: Place, message: impl Into<String>, hint: Option<&str>) {
        self.remark(false, place, message.into(), hint);
    }

    /// Reports what is probably not meant.
    pub(super) fn warning(&mut self, place: Place, message: impl Into<String>, hint: Option<&str>) {
        self.remark(true, place, message.into(), hint);
    }

    fn remark(&mut self, is_warning: bool, place: Place, message: String, hint: Option<&str>) {
        self.remarks.push(Remark {
            place,
            is_warning,
            message,
            hint: hint.map(ToOwned::to_owned),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_only_under_its_own_type() {
        let mut written = Written::new(Path::new("/etc"));
        written.insert("a", Value::Text("x".to_owned()));
        written.insert("b", Value::Wrong);
        assert!(written.has("a") && written.has("b") && !written.has("c"));
        assert_eq!(written.text("a"), Some("x"));
        assert_eq!(written.text("b"), None);
        assert_eq!(written.duration("a"), None);
        assert_eq!(written.required::<u8>("a"), None);
        assert_eq!(written.required::<u8>("c"), None);
        let remarks = written.into_remarks();
        let places: Vec<Place> = remarks.iter().map(|remark| remark.place).collect();
        assert_eq!(places, [Place::Key("a"), Place::Channel]);
    }
}
