//! The parameters of an address. Each that is not known is refused by name: an error in a filter must not show all findings,
//! or none.

use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::cursor;
use crate::web::problem::Problem;

/// Items of a page without `limit`.
const DEFAULT_LIMIT: usize = 100;

/// Most items of a page.
const MAX_LIMIT: usize = 1_000;

/// The parameters that were not taken yet.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Those of the part of an address after `?`.
    pub(super) fn of(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// Whether a parameter is given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// All that were not taken yet, in the order of the address.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// All values of a parameter that may be repeated.
    pub(super) fn all<T>(
        &mut self,
        name: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Problem> {
        let taken = self.0.extract_if(.., |(key, _)| key == name);
        let values: Vec<String> = taken.map(|(_, value)| value).collect();
        let values = values.iter().map(|value| read(value));
        values
            .collect::<Result<Vec<T>, String>>()
            .map_err(|why| Problem::parameter(name, format!("{name}: {why}")))
    }

    /// The value of a parameter that is given at most once.
    pub(super) fn one<T>(
        &mut self,
        name: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Problem> {
        let mut values = self.all(name, read)?;
        if values.len() > 1 {
            let detail = format!("{name} is given more than once");
            return Err(Problem::parameter(name, detail));
        }
        Ok(values.pop())
    }

    /// The number of items of a page.
    pub(super) fn limit(&mut self) -> Result<usize, Problem> {
        let limit = self.one("limit", |written| {
            let limit = written.parse().ok();
            limit
                .filter(|limit| (1..=MAX_LIMIT).contains(limit))
                .ok_or_else(|| format!("a number from 1 to {MAX_LIMIT} is wanted"))
        })?;
        Ok(limit.unwrap_or(DEFAULT_LIMIT))
    }

    /// The place after which this list continues.
    pub(super) fn cursor<T: DeserializeOwned>(&mut self, list: &str) -> Result<Option<T>, Problem> {
        self.one("cursor", |written| {
            cursor::decode(list, written).ok_or_else(|| {
                "this is not the `next` of an answer of this list: begin without it".to_owned()
            })
        })
    }

    /// Refuses what nobody took.
    pub(super) fn end(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                let detail = format!("there is no parameter {name:?} here");
                Err(Problem::parameter(name, detail))
            }
        }
    }
}

/// A word of the contract.
pub(super) fn word<T, const N: usize>(
    words: [&'static str; N],
    value: impl Fn(&str) -> Option<T>,
) -> impl Fn(&str) -> Result<T, String> {
    move |written| {
        value(written).ok_or_else(|| format!("one of these is wanted: {}", words.join(", ")))
    }
}
