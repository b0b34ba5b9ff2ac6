//! A validator for the part of JSON Schema that docs/openapi.json uses. Any other keyword is an error, so that none is
//! silently not checked. It is strict: an object with a field that no schema names is an error, too.

use std::collections::BTreeSet;

use serde_json::Value;

/// Keywords that say nothing about a value.
const WITHOUT_MEANING: [&str; 4] = ["description", "default", "format", "title"];

/// A description in OpenAPI 3.1.
pub struct Description(pub Value);

impl Description {
    /// The schema with this name.
    fn named<'a>(&'a self, reference: &str) -> &'a Value {
        let pointer = reference.strip_prefix('#').unwrap();
        let schema = self.0.pointer(pointer);
        schema.unwrap_or_else(|| panic!("{reference} is not defined"))
    }

    /// What is wrong with a value; `None`: nothing.
    pub fn problem(&self, schema: &Value, value: &Value) -> Option<String> {
        if let Some(wrong) = self.wrong(schema, value) {
            return Some(wrong);
        }
        let Value::Object(fields) = value else {
            return None;
        };
        let mut known = BTreeSet::new();
        self.known_fields(schema, value, &mut known);
        let is_open = known.contains("*");
        let unknown = fields.keys().find(|field| !known.contains(*field));
        unknown
            .filter(|_| !is_open)
            .map(|field| format!("{field} is in no schema: {value}"))
    }

    /// The fields that a schema names; `*`: any.
    fn known_fields(&self, schema: &Value, value: &Value, known: &mut BTreeSet<String>) {
        if let Some(reference) = schema["$ref"].as_str() {
            self.known_fields(self.named(reference), value, known);
        }
        if let Some(properties) = schema["properties"].as_object() {
            known.extend(properties.keys().cloned());
        }
        if schema
            .get("additionalProperties")
            .is_some_and(Value::is_object)
            || (schema["type"] == "object" && schema.get("properties").is_none())
        {
            known.insert("*".to_owned());
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.known_fields(part, value, known);
        }
        let alternatives = schema["oneOf"].as_array().into_iter().flatten();
        for part in alternatives.filter(|part| self.wrong(part, value).is_none()) {
            self.known_fields(part, value, known);
        }
    }

    fn wrong(&self, schema: &Value, value: &Value) -> Option<String> {
        let keywords = schema.as_object().unwrap();
        keywords
            .iter()
            .find_map(|(keyword, wanted)| self.wrong_by(schema, keyword, wanted, value))
    }

    fn wrong_by(
        &self,
        schema: &Value,
        keyword: &str,
        wanted: &Value,
        value: &Value,
    ) -> Option<String> {
        let unless = |holds: bool| (!holds).then(|| format!("{keyword} {wanted}: {value}"));
        match keyword {
            "$ref" => self.problem(self.named(wanted.as_str().unwrap()), value),
            "type" => unless(match wanted {
                Value::Array(types) => types.iter().any(|one| is_of_type(one, value)),
                one => is_of_type(one, value),
            }),
            "enum" => unless(wanted.as_array().unwrap().contains(value)),
            "const" => unless(wanted == value),
            "pattern" => unless(value.as_str().is_none_or(|text| {
                regex::Regex::new(wanted.as_str().unwrap())
                    .unwrap()
                    .is_match(text)
            })),
            "minimum" => unless(
                value
                    .as_f64()
                    .is_none_or(|number| number >= wanted.as_f64().unwrap()),
            ),
            "maximum" => unless(
                value
                    .as_f64()
                    .is_none_or(|number| number <= wanted.as_f64().unwrap()),
            ),
            "minLength" => {
                unless(length(value).is_none_or(|length| length >= wanted.as_u64().unwrap()))
            }
            "maxLength" => {
                unless(length(value).is_none_or(|length| length <= wanted.as_u64().unwrap()))
            }
            "minItems" => {
                unless(items(value).is_none_or(|length| length >= wanted.as_u64().unwrap()))
            }
            "maxItems" => {
                unless(items(value).is_none_or(|length| length <= wanted.as_u64().unwrap()))
            }
            "required" => {
                let mut names = wanted
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|name| name.as_str().unwrap());
                let fields = value.as_object();
                let absent =
                    fields.and_then(|fields| names.find(|name| !fields.contains_key(*name)));
                absent.map(|name| format!("{name} is missing: {value}"))
            }
            "properties" => {
                let fields = value.as_object()?;
                fields.iter().find_map(|(name, value)| {
                    let wrong = self.problem(wanted.get(name)?, value)?;
                    Some(format!("{name}: {wrong}"))
                })
            }
            "additionalProperties" => {
                let properties = schema.get("properties");
                let is_named = |name: &String| {
                    properties.is_some_and(|properties| properties.get(name).is_some())
                };
                let fields = value.as_object()?;
                let mut others = fields.iter().filter(|(name, _)| !is_named(name));
                match wanted {
                    Value::Bool(true) => None,
                    Value::Bool(false) => others
                        .next()
                        .map(|(name, _)| format!("{name} is not allowed")),
                    wanted => others.find_map(|(_, value)| self.problem(wanted, value)),
                }
            }
            "propertyNames" => {
                let names = value.as_object()?.keys();
                names
                    .cloned()
                    .find_map(|name| self.problem(wanted, &Value::from(name)))
            }
            "items" => match wanted {
                Value::Bool(false) => {
                    let before = schema["prefixItems"].as_array().map_or(0, Vec::len);
                    unless(value.as_array()?.len() <= before)
                }
                wanted => {
                    let mut all = value.as_array()?.iter();
                    all.find_map(|item| self.problem(wanted, item))
                }
            },
            "prefixItems" => {
                let mut pairs = value.as_array()?.iter().zip(wanted.as_array().unwrap());
                pairs.find_map(|(item, schema)| self.problem(schema, item))
            }
            "allOf" => {
                let mut parts = wanted.as_array().unwrap().iter();
                parts.find_map(|part| self.wrong_in_part(part, value))
            }
            "oneOf" => {
                let parts = wanted.as_array().unwrap();
                let wrong: Vec<String> = parts
                    .iter()
                    .filter_map(|part| self.problem(part, value))
                    .collect();
                (parts.len() != wrong.len() + 1).then(|| format!("not one of them: {wrong:?}"))
            }
            _ if WITHOUT_MEANING.contains(&keyword) => None,
            other => panic!("the validator does not know the keyword {other}"),
        }
    }

    /// A part of `allOf`: the other parts may name further fields.
    fn wrong_in_part(&self, part: &Value, value: &Value) -> Option<String> {
        match part["$ref"].as_str() {
            Some(reference) => self.wrong(self.named(reference), value),
            None => self.wrong(part, value),
        }
    }
}

fn length(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count() as u64)
}

fn items(value: &Value) -> Option<u64> {
    value.as_array().map(|items| items.len() as u64)
}

fn is_of_type(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("there is no type {other}"),
    }
}

#[test]
fn the_validator_finds_what_is_wrong() {
    use serde_json::json;
    let description = Description(json!({"components": {"schemas": {
        "A": {"type": "object", "required": ["x"], "properties": {"x": {"type": ["integer", "null"]}}},
        "B": {"allOf": [{"$ref": "#/components/schemas/A"}, {"type": "object", "properties": {"y": {"type": "string", "pattern": "^a$"}}}]},
        "C": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/A"}]},
    }}}));
    for (name, value, is_right) in [
        ("A", json!({"x": 1}), true),
        ("A", json!({"x": null}), true),
        ("A", json!({"x": "1"}), false),
        ("A", json!({}), false),
        ("A", json!({"x": 1, "y": 2}), false),
        ("B", json!({"x": 1, "y": "a"}), true),
        ("B", json!({"x": 1, "y": "b"}), false),
        ("B", json!({"y": "a"}), false),
        ("B", json!({"x": 1, "z": 1}), false),
        ("C", json!(null), true),
        ("C", json!({"x": 1}), true),
        ("C", json!({"x": 1, "z": 1}), false),
        ("C", json!(1), false),
    ] {
        let schema = json!({"$ref": format!("#/components/schemas/{name}")});
        let problem = description.problem(&schema, &value);
        assert_eq!(problem.is_none(), is_right, "{name} {value}: {problem:?}");
    }
}
