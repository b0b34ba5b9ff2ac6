//! The schemas of the objects, from their types.

use serde_json::{Map, Value};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::finding::Finding;
use crate::lookup;
use crate::report::finding::RecordJson;
use crate::report::log::LogStatus;
use crate::report::{Coverage, RegistrationJson, Status};
use crate::store::HistoryRow;
use crate::web::api::actions::{Action, Done, Session};
use crate::web::api::signings::AnswerCoverage;
use crate::web::problem::ProblemJson;

/// Fields that are left out of an object in place of being null.
const OPTIONAL: [(&str, &str); 6] = [
    ("Status", "trust"),
    ("AlertStatus", "errors"),
    ("Expectation", "signing"),
    ("Expectation", "statement"),
    ("NamedEntry", "checkpoint"),
    ("Problem", "parameter"),
];

/// The schemas by name, sorted.
pub(super) fn schemas() -> Map<String, Value> {
    let mut all = Vec::new();
    add::<Finding>(&mut all);
    add::<RecordJson<'_>>(&mut all);
    add::<HistoryRow>(&mut all);
    add::<Status>(&mut all);
    add::<LogStatus>(&mut all);
    add::<RegistrationJson<'_>>(&mut all);
    add::<Coverage>(&mut all);
    add::<lookup::Signing>(&mut all);
    add::<lookup::Unproven>(&mut all);
    add::<AnswerCoverage>(&mut all);
    add::<Action>(&mut all);
    add::<Done<'_>>(&mut all);
    add::<Session<'_>>(&mut all);
    add::<ProblemJson>(&mut all);
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut schemas = Map::new();
    for (name, schema) in all {
        // A schema of texts and numbers is always JSON.
        let mut schema = serde_json::to_value(schema).unwrap_or_default();
        finish(&name, &mut schema);
        schemas.insert(name, schema);
    }
    schemas
}

fn add<T: PartialSchema + ToSchema>(all: &mut Vec<(String, RefOr<Schema>)>) {
    all.push((T::name().into_owned(), T::schema()));
    T::schemas(all);
}

/// What the types do not show: each field is always written, null if there is no value.
fn finish(name: &str, schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get("properties") {
                let is_required = |field: &&String| !OPTIONAL.contains(&(name, field.as_str()));
                let mut required: Vec<String> =
                    properties.keys().filter(is_required).cloned().collect();
                required.sort_unstable();
                fields.insert("required".to_owned(), required.into());
            }
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = described(text);
            }
            for value in fields.values_mut() {
                finish(name, value);
            }
        }
        Value::Array(values) => {
            for value in values {
                finish(name, value);
            }
        }
        _ => {}
    }
}

/// A comment of a type, for readers of JSON.
fn described(comment: &str) -> String {
    let text = comment.replace("`None`", "null").replace("`true`", "true");
    // A link to a type: [`Key::key_sha256`](crate::…).
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some((before, link)) = rest.split_once("[`") {
        let Some((code, after)) = link.split_once("`]") else {
            break;
        };
        plain.push_str(before);
        plain.push('`');
        plain.push_str(code);
        plain.push('`');
        rest = match after
            .strip_prefix('(')
            .and_then(|link| link.split_once(')'))
        {
            Some((_, after)) => after,
            None => after,
        };
    }
    plain.push_str(rest);
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_names_no_type_of_the_program() {
        assert_eq!(
            described("See\n[`Key::x`](crate::Key::x), or [`y`]; `None`: none"),
            "See `Key::x`, or `y`; null: none"
        );
        assert_eq!(described("a [`b"), "a [`b");
    }

    #[test]
    fn each_optional_field_is_one() {
        let schemas = schemas();
        for (name, field) in OPTIONAL {
            assert!(
                schemas[name]["properties"].get(field).is_some(),
                "{name}.{field}"
            );
        }
    }
}
