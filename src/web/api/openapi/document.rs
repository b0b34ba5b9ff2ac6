//! The description as one JSON value. Its keys are sorted, so that the file of it changes only where the API does.

use serde_json::{Map, Value, json};

use super::endpoints::{Answer, Endpoint, endpoints};
use super::parameters::Parameter;
use super::schemas::schemas;

/// The statuses of requests that are refused, and why.
const REFUSED: [(&str, &str); 7] = [
    ("400", "A parameter or the request is wrong."),
    ("401", "A token is required."),
    ("403", "The caller is not known, or may not do this."),
    ("405", "This address has another method."),
    ("413", "The request is too long."),
    ("421", "The request is for another host."),
    (
        "503",
        "The database cannot be used, or the request took too long.",
    ),
];

/// The description.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for endpoint in endpoints() {
        let method = if endpoint.is_action { "post" } else { "get" };
        let path = format!("/api/v1{}", endpoint.path);
        paths.insert(path, json!({method: operation(&endpoint)}));
    }
    sorted(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "modelwatch",
            "version": "1",
            "description": "Findings, signings, logs, watches and registrations of a modelwatch monitor. docs/api.md describes how lists are read and which rules hold. Objects may have more fields in later versions: ignore those that you do not know.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"bearer": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "modelwatch_session"},
            },
        },
    }))
}

fn operation(endpoint: &Endpoint) -> Value {
    let mut parameters = Vec::new();
    if let Some(description) = endpoint.of_path {
        let name = if endpoint.path.contains("{id}") {
            "id"
        } else {
            "name"
        };
        parameters.push(json!({
            "name": name,
            "in": "path",
            "description": description,
            "required": true,
            "schema": {"type": "string"},
        }));
    }
    parameters.extend(endpoint.parameters.iter().map(Parameter::described));
    if endpoint.is_action {
        parameters.push(json!({
            "name": "X-Modelwatch-CSRF",
            "in": "header",
            "description": "`csrf` of /api/v1/session. Required with a session and through a proxy.",
            "required": false,
            "schema": {"type": "string"},
        }));
    }
    let mut operation = json!({
        "operationId": endpoint.operation,
        "summary": endpoint.summary,
        "parameters": parameters,
        "responses": responses(endpoint),
    });
    if endpoint.is_action {
        operation["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {"schema": reference("ActionRequest")}},
        });
    }
    operation
}

fn responses(endpoint: &Endpoint) -> Value {
    let mut responses = json!({
        "200": {
            "description": "The answer.",
            "content": {"application/json": {"schema": answer(&endpoint.answer)}},
        },
    });
    let mut refuse = |status: &str, description: &str| {
        responses[status] = json!({
            "description": description,
            "content": {"application/problem+json": {"schema": reference("Problem")}},
        });
    };
    for (status, description) in REFUSED {
        refuse(status, description);
    }
    if endpoint.of_path.is_some() {
        refuse("404", "There is no such finding, log or watch.");
    }
    if endpoint.is_action {
        refuse(
            "409",
            "The action does not change a finding of this kind or in this state.",
        );
        refuse("415", "The body is not application/json.");
    } else {
        responses["200"]["headers"] = json!({
            "ETag": {"description": "For If-None-Match.", "schema": {"type": "string"}},
        });
        responses["304"] = json!({"description": "The client has this answer already."});
    }
    responses
}

fn answer(answer: &Answer) -> Value {
    match answer {
        Answer::Object(name) => reference(name),
        Answer::Anything => json!({"type": "object"}),
        Answer::List { items, coverage } => {
            let items: Vec<Value> = items.iter().map(|name| reference(name)).collect();
            let item = match items.as_slice() {
                [one] => one.clone(),
                several => json!({"oneOf": several}),
            };
            json!({
                "type": "object",
                "required": ["items", "next", "coverage"],
                "properties": {
                    "items": {"type": "array", "items": item},
                    "next": {
                        "type": ["string", "null"],
                        "description": "The `cursor` of the next page; null: this page is the last one.",
                    },
                    "coverage": reference(coverage),
                },
            })
        }
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The same value with the keys of all objects in order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> = fields.into_iter().collect();
            fields.sort_by(|(one, _), (other, _)| one.cmp(other));
            let fields = fields
                .into_iter()
                .map(|(name, value)| (name, sorted(value)));
            Value::Object(fields.collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        value => value,
    }
}
