//! Reading typed values out of a TOML table, and keeping their places.

use std::time::Duration;

use toml_edit::{Array, Item, Table, TableLike, Value};

use super::keys;
use super::place::Place;
use super::problems::Problems;
use crate::times::parse_duration;
use crate::watch::Severity;

/// Most values that a list may hold; a watch that needs more is better written as several.
const MAX_VALUES: usize = 10_000;

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// One table of the file.
#[derive(Clone)]
pub(super) struct Section<'t> {
    table: &'t dyn TableLike,
    place: Place,
}

impl<'t> Section<'t> {
    pub(super) fn root(table: &'t Table) -> Self {
        Self {
            table,
            place: Place::syntax(0),
        }
    }

    /// Where the table begins.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The same table under another path: the name of a watch is clearer than its number.
    pub(super) fn renamed(mut self, path: String) -> Self {
        self.place.path = path;
        self
    }

    /// The place of a key, or of the table if the key is not there.
    pub(super) fn place_of(&self, key: &str) -> Place {
        let offset = self
            .table
            .get_key_value(key)
            .and_then(|(key, item)| key.span().or_else(|| item.span()))
            .map_or(self.place.offset, |span| span.start);
        let path = if self.place.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.place.path)
        };
        Place { path, offset }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether the key holds a string.
    pub(super) fn is_string(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(Item::is_str)
    }

    /// Whether the value of the key is an empty list.
    pub(super) fn is_empty_list(&self, key: &str) -> bool {
        let list = self.table.get(key).and_then(Item::as_array);
        list.is_some_and(Array::is_empty)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &'t str> {
        self.table.iter().map(|(key, _)| key)
    }

    /// Reports every key that is not among the `known`.
    pub(super) fn only(&self, section: &str, known: &[&str], problems: &mut Problems) {
        for key in self.keys().filter(|key| !known.contains(key)) {
            let hint = keys::special(section, key)
                .map(ToOwned::to_owned)
                .or_else(|| {
                    let near = keys::nearest(key, known.iter().copied())?;
                    Some(format!("did you mean {near}?"))
                });
            problems.error(&self.place_of(key), "unknown key", hint);
        }
    }

    pub(super) fn string(&self, key: &str, problems: &mut Problems) -> Option<At<&'t str>> {
        let item = self.table.get(key)?;
        let place = self.place_of(key);
        match item.as_str() {
            Some("") => problems.error(&place, "is empty", None),
            Some(value) => return Some(At { value, place }),
            None => problems.error(
                &place,
                format!("a string is expected, not {}", item.type_name()),
                None,
            ),
        }
        None
    }

    pub(super) fn required(&self, key: &str, problems: &mut Problems) -> Option<At<&'t str>> {
        if !self.has(key) {
            problems.error(&self.place, format!("{key} is missing"), None);
        }
        self.string(key, problems)
    }

    /// A string, or a list of at least one.
    pub(super) fn strings(&self, key: &str, problems: &mut Problems) -> Vec<At<&'t str>> {
        let Some(item) = self.table.get(key) else {
            return Vec::new();
        };
        match item.as_array() {
            Some(list) => self.list(key, list, problems),
            None => self.string(key, problems).into_iter().collect(),
        }
    }

    fn list(&self, key: &str, list: &'t Array, problems: &mut Problems) -> Vec<At<&'t str>> {
        let place = self.place_of(key);
        if list.is_empty() {
            problems.error(
                &place,
                "an empty list matches nothing",
                "leave the key out".to_owned(),
            );
        }
        if list.len() > MAX_VALUES {
            problems.error(&place, format!("more than {MAX_VALUES} values"), None);
            return Vec::new();
        }
        let mut values = Vec::new();
        for value in list {
            let place = Place {
                path: place.path.clone(),
                offset: value.span().map_or(place.offset, |span| span.start),
            };
            match value.as_str() {
                Some("") => problems.error(&place, "contains an empty string", None),
                Some(value) => values.push(At { value, place }),
                None => problems.error(
                    &place,
                    format!("strings are expected, not {}", value.type_name()),
                    None,
                ),
            }
        }
        values
    }

    /// A number that is not negative, in digits or as a string of digits.
    pub(super) fn integer(&self, key: &str) -> Option<u64> {
        let item = self.table.get(key)?;
        match item.as_integer() {
            Some(number) => u64::try_from(number).ok(),
            None => item.as_str()?.parse().ok(),
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, key: &str, problems: &mut Problems) -> Option<bool> {
        let item = self.table.get(key)?;
        if item.as_bool().is_none() {
            problems.error(
                &self.place_of(key),
                format!("true or false is expected, not {}", item.type_name()),
                None,
            );
        }
        item.as_bool()
    }

    pub(super) fn table(&self, key: &str, problems: &mut Problems) -> Option<Section<'t>> {
        let item = self.table.get(key)?;
        let place = self.place_of(key);
        if let Some(table) = item.as_table_like() {
            return Some(Section { table, place });
        }
        problems.error(
            &place,
            format!("a table is expected, not {}", item.type_name()),
            None,
        );
        None
    }

    /// The tables of `[[key]]`, or of a list of inline tables.
    pub(super) fn tables(&self, key: &str, problems: &mut Problems) -> Vec<Section<'t>> {
        let place = self.place_of(key);
        let numbered = |number: usize, offset: Option<usize>| Place {
            path: format!("{}[#{}]", place.path, number + 1),
            offset: offset.unwrap_or(place.offset),
        };
        match self.table.get(key) {
            None => Vec::new(),
            Some(Item::ArrayOfTables(tables)) => tables
                .iter()
                .enumerate()
                .map(|(number, table)| Section {
                    table,
                    place: numbered(number, table.span().map(|span| span.start)),
                })
                .collect(),
            Some(Item::Value(Value::Array(list))) => {
                let mut sections = Vec::new();
                for (number, value) in list.iter().enumerate() {
                    let place = numbered(number, value.span().map(|span| span.start));
                    match value.as_inline_table() {
                        Some(table) => sections.push(Section { table, place }),
                        None => problems.error(
                            &place,
                            format!("a table is expected, not {}", value.type_name()),
                            None,
                        ),
                    }
                }
                sections
            }
            Some(other) => {
                let hint = if self.place.path.is_empty() {
                    format!("write [[{key}]]")
                } else {
                    format!("write {key} = [ {{ … }} ]")
                };
                problems.error(
                    &place,
                    format!("a list of tables is expected, not {}", other.type_name()),
                    hint,
                );
                Vec::new()
            }
        }
    }

    pub(super) fn duration(&self, key: &str, problems: &mut Problems) -> Option<Duration> {
        let written = self.string(key, problems)?;
        let duration = parse_duration(written.value);
        if duration.is_none() {
            problems.error(
                &written.place,
                format!("{:?} is not a duration", written.value),
                "write 45m, 1h30m, 24h or 7d".to_owned(),
            );
        }
        duration
    }

    /// Like [`Self::duration`]; `0s` means none.
    pub(super) fn duration_or_none(&self, key: &str, problems: &mut Problems) -> Option<Duration> {
        match self.string(key, problems)?.value {
            "0s" => Some(Duration::ZERO),
            _ => self.duration(key, problems),
        }
    }

    pub(super) fn severity(&self, key: &str, problems: &mut Problems) -> Option<Severity> {
        let written = self.string(key, problems)?;
        match written.value.parse() {
            Ok(severity) => Some(severity),
            Err(error) => {
                let near = keys::nearest(written.value, Severity::ALL.map(Severity::as_str));
                problems.error(
                    &written.place,
                    format!("{:?} is {error}", written.value),
                    near.map(|near| format!("did you mean {near}?")),
                );
                None
            }
        }
    }
}
