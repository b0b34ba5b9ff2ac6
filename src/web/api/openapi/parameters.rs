//! The parameters of addresses.

use serde_json::{Value, json};

use crate::finding::{Severity, State, Verdict};

/// A parameter after `?`.
pub(super) struct Parameter {
    name: &'static str,
    description: &'static str,
    value: Kind,
    is_repeated: bool,
}

/// What its value is.
enum Kind {
    Text,
    Pattern(&'static str),
    Words(Vec<&'static str>),
    Limit,
}

impl Parameter {
    fn text(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            description,
            value: Kind::Text,
            is_repeated: false,
        }
    }

    fn words(name: &'static str, description: &'static str, words: &[&'static str]) -> Self {
        Self {
            value: Kind::Words(words.to_vec()),
            ..Self::text(name, description)
        }
    }

    fn pattern(name: &'static str, description: &'static str, pattern: &'static str) -> Self {
        Self {
            value: Kind::Pattern(pattern),
            ..Self::text(name, description)
        }
    }

    fn repeated(self) -> Self {
        Self {
            is_repeated: true,
            ..self
        }
    }

    /// In OpenAPI.
    pub(super) fn described(&self) -> Value {
        let schema = match &self.value {
            Kind::Text => json!({"type": "string", "minLength": 1}),
            Kind::Pattern(pattern) => json!({"type": "string", "pattern": pattern}),
            Kind::Words(words) => json!({"type": "string", "enum": words}),
            Kind::Limit => {
                json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 100})
            }
        };
        let schema = if self.is_repeated {
            json!({"type": "array", "items": schema})
        } else {
            schema
        };
        json!({
            "name": self.name,
            "in": "query",
            "description": self.description,
            "required": false,
            "schema": schema,
        })
    }
}

/// Those of every list.
pub(super) fn of_lists() -> Vec<Parameter> {
    vec![
        Parameter {
            value: Kind::Limit,
            ..Parameter::text("limit", "Most items of the page.")
        },
        Parameter::text(
            "cursor",
            "The `next` of the page before, with the same other parameters.",
        ),
    ]
}

/// The filters of findings.
pub(super) fn of_findings() -> Vec<Parameter> {
    vec![
        Parameter::text("watch", "Of this watch.").repeated(),
        Parameter::words(
            "verdict",
            "With this verdict.",
            &Verdict::ALL.map(Verdict::as_str),
        )
        .repeated(),
        Parameter::words(
            "severity",
            "At least this severe.",
            &Severity::ALL.map(Severity::as_str),
        ),
        Parameter::words(
            "state",
            "In this state instead of `open` and `disputed`.",
            &State::ALL.map(State::as_str),
        )
        .repeated(),
        Parameter::words("all", "In any state.", &["true", "false"]),
        Parameter::text(
            "since",
            "First seen since then: a date, a time, or for how long (`24h`).",
        ),
        Parameter::text(
            "digest",
            "Of this digest: `sha256:HEX`, or the digits alone.",
        ),
        Parameter::text("san", "With this name; `*` matches any characters."),
        Parameter::text("identity", "Another name of `san`."),
    ]
}

/// The conditions of signings.
pub(super) fn of_signings() -> Vec<Parameter> {
    const SHA256: &str = "^[0-9a-fA-F]{64}$";
    vec![
        Parameter::text(
            "identity",
            "With this name, whatever the case of ASCII letters.",
        ),
        Parameter::text(
            "identity_glob",
            "With a name that fits; `*` matches any characters.",
        ),
        Parameter::text("issuer", "With this OpenID issuer, exactly."),
        Parameter::text(
            "repository",
            "By a workflow of this repository: its URI, or `owner/name` of one of GitHub.",
        ),
        Parameter::pattern(
            "commit",
            "With this commit in the certificate.",
            "^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$",
        ),
        Parameter::text(
            "digest",
            "Of this digest: `ALGORITHM:HEX`, or the digits alone.",
        ),
        Parameter::pattern(
            "certificate",
            "By the certificate with this SHA-256.",
            SHA256,
        ),
        Parameter::pattern("key", "By the key with this SHA-256.", SHA256),
        Parameter::pattern(
            "index",
            "In this entry: `LOG:N`, over all trees of the log.",
            "^[^:]+:[0-9]{1,18}$",
        ),
        Parameter::pattern(
            "uuid",
            "In the entry with this id of Rekor v1, or with this leaf hash.",
            "^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$",
        ),
        Parameter::text(
            "since",
            "Logged at this time or later: a date, a time, or for how long (`24h`).",
        ),
        Parameter::text("until", "Logged before this time."),
        Parameter::text("log", "Only in this log.").repeated(),
    ]
}
