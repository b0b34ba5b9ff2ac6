//! A document as [`serde_json::Value`], for a reader with types of its own that takes the last of two members.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::error::{JsonError, Problem, excerpt};
use super::node::Node;
use super::spelling::spells;

/// The value of a node at `path`. Its members of `known` names are in camelCase, and every member is there once.
pub(super) fn value(
    node: &Node<'_>,
    known: &'static [&'static str],
    path: &str,
) -> Result<Value, JsonError> {
    Ok(match node {
        Node::Null => Value::Null,
        Node::Boolean(value) => Value::Bool(*value),
        Node::Number(number) => Value::Number(number.clone()),
        Node::String(text) => Value::String(text.to_string()),
        Node::Array(items) => {
            let items = items.iter().enumerate();
            items
                .map(|(index, item)| value(item, known, &format!("{path}[{index}]")))
                .collect::<Result<_, _>>()?
        }
        Node::Object(members) => {
            let mut object = Map::new();
            for (key, member) in members {
                let here = |name: &str| match path {
                    "" => name.to_owned(),
                    path => format!("{path}.{name}"),
                };
                let shown = || here(&excerpt(key).escape_debug().to_string());
                let name = named(key, known).map_err(|meant| JsonError::Field {
                    path: shown(),
                    problem: Problem::Misspelt { meant },
                })?;
                if object.contains_key(&*name) {
                    return Err(JsonError::Field {
                        path: shown(),
                        problem: Problem::Repeated,
                    });
                }
                let member = value(
                    member,
                    known,
                    &here(&excerpt(&name).escape_debug().to_string()),
                )?;
                object.insert(name.into_owned(), member);
            }
            Value::Object(object)
        }
    })
}

/// The name of a member: a known one in camelCase, or what it is. An error if it is a known name in another spelling, which
/// some reader could take for it and another one ignore.
fn named<'k>(key: &'k str, known: &'static [&'static str]) -> Result<Cow<'k, str>, &'static str> {
    if let Some(name) = known.iter().find(|name| spells(key, name)) {
        return Ok(Cow::Borrowed(name));
    }
    match known.iter().find(|name| is_alike(key, name)) {
        Some(meant) => Err(meant),
        None => Ok(Cow::Borrowed(key)),
    }
}

/// Whether two names differ in letter case, underscores and hyphens alone.
fn is_alike(one: &str, other: &str) -> bool {
    let plain = |name: &str| -> String {
        let letters = name.chars().filter(|c| !matches!(c, '_' | '-'));
        letters.map(|c| c.to_ascii_lowercase()).collect()
    };
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Document;

    const KNOWN: [&str; 3] = ["validFor", "logId", "url"];

    fn read(text: &str) -> Result<serde_json::Value, String> {
        let document = Document::parse(text.as_bytes(), 1000).map_err(|error| error.to_string())?;
        document.to_value(&KNOWN).map_err(|error| error.to_string())
    }

    #[test]
    fn known_names_become_camel_case_and_unknown_ones_stay() {
        let text = r#"{"valid_for": {"log_id": [1, true, null, "a"]}, "of_another_version": {"log_id": 1}, "x": 1.5}"#;
        let expected = json!({
            "validFor": {"logId": [1, true, null, "a"]}, "of_another_version": {"logId": 1}, "x": 1.5,
        });
        assert_eq!(read(text), Ok(expected));
    }

    #[test]
    fn a_member_that_two_readers_could_read_differently_is_an_error_with_its_place() {
        for (text, said) in [
            (
                r#"{"a": [{}, {"url": 1, "url": 1}]}"#,
                "a[1].url is given more than once",
            ),
            (
                r#"{"validFor": 1, "valid_for": 1}"#,
                "valid_for is given more than once",
            ),
            (
                r#"{"other": 1, "o\u0074her": 1}"#,
                "other is given more than once",
            ),
            (
                r#"{"a": {"validfor": 1}}"#,
                "a.validfor is written \"validFor\" in this format",
            ),
            (
                r#"{"valid__for": 1}"#,
                "valid__for is written \"validFor\" in this format",
            ),
            (
                r#"{"LogID": 1}"#,
                "LogID is written \"logId\" in this format",
            ),
            (r#"{"URL": 1}"#, "URL is written \"url\" in this format"),
        ] {
            assert_eq!(read(text), Err(said.to_owned()), "{text}");
        }
    }
}
