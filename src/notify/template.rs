//! The body of a webhook by a template of the operator (minijinja, the language of Jinja2).
//!
//! Every value is written as JSON, whatever the template says: a name from a log can end no string and add no field.
//! There are no includes, and work and output are bounded.

use std::path::{Path, PathBuf};

use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use serde_json::json;

use super::message::Message;
use super::{Links, render};
use crate::escape;
use crate::file::{self, FileError};

/// Size of a template. What is longer is something else.
const TEMPLATE_LIMIT_BYTES: usize = 64 * 1024;

/// Work of one rendering, in the unit of minijinja: an instruction, or 64 bytes that are made or written. The largest
/// message, with 4 MiB of findings, can be written twice.
const FUEL: u64 = 4_000_000;

/// Size of a body. No receiver of webhooks takes more.
const OUTPUT_LIMIT_BYTES: usize = 8 * 1024 * 1024;

/// Most characters of an error that are shown.
const ERROR_CHARS: usize = 300;

/// Why a template gives no body.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It cannot be read.
    #[error("the template {} cannot be read: {source}", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// Why.
        source: FileError,
    },
    /// It cannot be rendered.
    #[error("the template {}: {reason}", path.display())]
    Rendering {
        /// Where.
        path: PathBuf,
        /// Line and cause, escaped for a terminal.
        reason: String,
    },
}

/// The body of a message. `is_json`: it has to be JSON.
///
/// # Errors
/// The template cannot be read, is wrong, does too much, or writes no JSON where it has to.
pub(super) async fn body(
    path: &Path,
    message: &Message,
    links: &Links,
    is_json: bool,
) -> Result<String, TemplateError> {
    let template = file::read_async(path, TEMPLATE_LIMIT_BYTES).await;
    let template = template
        .and_then(file::text)
        .map_err(|source| TemplateError::File {
            path: path.to_owned(),
            source,
        })?;
    rendered(&template, &values(message, links), is_json).map_err(|reason| {
        let reason = escape::terminal(&escape::truncate(&reason, ERROR_CHARS)).into_owned();
        TemplateError::Rendering {
            path: path.to_owned(),
            reason,
        }
    })
}

/// The fields of the JSON line, and what people read.
fn values(message: &Message, links: &Links) -> serde_json::Value {
    let line = render::json(message);
    let mut values: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
    values["title"] = render::chat::title(message).into();
    values["text"] = render::text(message).into();
    values["link"] = links.of(message).map(String::from).into();
    if values.get("tally").is_none() {
        values["tally"] = json!([]);
    }
    values
}

fn rendered(template: &str, values: &serde_json::Value, is_json: bool) -> Result<String, String> {
    let environment = environment();
    let said = |error: &Error| {
        let line = error.line();
        let line = line.map_or_else(String::new, |line| format!("line {line}: "));
        let detail = error.detail();
        match detail {
            Some(detail) => format!("{line}{}: {detail}", error.kind()),
            None => format!("{line}{}", error.kind()),
        }
    };
    let compiled = environment
        .template_from_str(template)
        .map_err(|error| said(&error))?;
    let body = compiled
        .render(Serde(values))
        .map_err(|error| said(&error))?;
    if body.len() > OUTPUT_LIMIT_BYTES {
        return Err(format!("it writes more than {OUTPUT_LIMIT_BYTES} bytes"));
    }
    if is_json && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&body) {
        return Err(format!("it does not write JSON: {error}"));
    }
    Ok(body)
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    // A misspelt field is an error, and not an empty string.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Also for what a template declares safe.
    environment.set_formatter(|out, _, value| {
        let json = escape::json(value).map_err(|error| {
            Error::new(ErrorKind::BadSerialization, "a value is no JSON").with_source(error)
        })?;
        out.write_str(&json).map_err(Error::from)
    });
    environment.add_filter("code", |text: &str| escape::chat(text));
    environment.add_filter("plain", |text: &str| escape::terminal(text).into_owned());
    environment
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;
    use crate::notify::chat_webhook::tests::flood;
    use crate::notify::testing::{self, HOSTILE};

    const MATTERMOST: &str = r#"{
  "username": "modelwatch",
  "text": {{ (title ~ ": " ~ summary | code) }},
  "props": { "severity": {{ severity }}, "ids": [{% for finding in findings %}{{ finding.id }}{% if not loop.last %}, {% endif %}{% endfor %}] }
}"#;

    fn write(template: &str, message: &Message) -> Result<String, String> {
        let links = Links::new(Some("https://watch.example".parse().unwrap()));
        rendered(template, &values(message, &links), true)
    }

    #[test]
    fn every_value_is_json_whatever_a_log_and_the_template_contain() {
        for hostile in HOSTILE {
            let message = testing::alert(vec![testing::hostile(hostile)]);
            let body = write(MATTERMOST, &message).unwrap();
            let value: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(value.as_object().unwrap().len(), 3, "{body}");
            assert_eq!(value["props"]["ids"][0], message.findings[0].id.to_string());
            for template in [
                "{{ summary }}",
                "{{ summary | safe }}",
                "{% autoescape false %}{{ summary }}{% endautoescape %}",
                "{% set x = summary %}{{ x }}",
            ] {
                let body = write(template, &message).unwrap();
                let value: serde_json::Value = serde_json::from_str(&body).unwrap();
                assert_eq!(value, message.summary(), "{template}");
                assert!(body.is_ascii());
            }
        }
    }

    #[test]
    fn a_template_that_cannot_work_is_an_error_with_its_line() {
        let message = testing::alert(vec![testing::signing(1)]);
        for (template, reason) in [
            ("\n{{ sumary }}", "line 2"),
            ("{% include 'x' %}", "line 1"),
            ("{% import 'x' as y %}", "line 1"),
            ("{% extends 'x' %}", "line 1"),
            ("{{ summary", "line 1"),
            ("{\"text\": \"{{ summary }}\"}", "does not write JSON"),
            ("{}{}", "does not write JSON"),
            (
                "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
                "fuel",
            ),
            ("{{ 'x' * 100000000 }}", ""),
            ("{{ [0] * 100000000 }}", ""),
            (
                "{% set x = namespace(y='x') %}{% for a in range(100) %}{% set x.y = x.y ~ x.y %}{% endfor %}{{ x.y }}",
                "",
            ),
            (
                "[{% for a in range(99999) %}{{ text }},{% endfor %}0]",
                "writes more than",
            ),
        ] {
            let error = write(template, &message).unwrap_err();
            assert!(error.contains(reason), "{template}: {error}");
        }
    }

    #[test]
    fn the_largest_message_can_be_written() {
        let body = write("{\"all\": {{ findings }}, \"link\": {{ link }}}", &flood()).unwrap();
        assert!(body.len() > 1_000_000 && body.contains("https://watch.example/findings"));
    }

    #[tokio::test]
    async fn a_template_is_read_at_each_use() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alert.json.j2");
        let message = testing::alert(vec![testing::signing(1)]);
        let links = Links::default();
        let absent = body(&path, &message, &links, true).await;
        assert!(matches!(absent, Err(TemplateError::File { .. })));
        std::fs::write(&path, "severity={{ severity }}").unwrap();
        let text = body(&path, &message, &links, false).await.unwrap();
        assert_eq!(text, "severity=\"critical\"");
        let error = body(&path, &message, &links, true).await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("alert.json.j2: it does not write JSON"),
            "{error}"
        );
    }
}
