//! The dashboard, the rules and the page about metrics name metrics that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;
use serde_json::Value;

use crate::promtool::{promtool, rules, with_input};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn names(text: &str) -> BTreeSet<String> {
    let name = Regex::new(r"\bmodelwatch_[a-z_]+").unwrap();
    name.find_iter(text)
        .map(|name| name.as_str().to_owned())
        .collect()
}

/// The metrics that the program writes.
fn metrics() -> BTreeSet<String> {
    names(&read("src/report/metrics.rs"))
}

/// Every expression of the dashboard.
fn expressions() -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    match value {
                        Value::String(text) if key == "expr" => found.push(text.clone()),
                        other => collect(other, found),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(
        &serde_json::from_str(&read("deploy/grafana/dashboard.json")).unwrap(),
        &mut found,
    );
    found
}

#[test]
fn every_metric_is_documented_and_every_documented_one_exists() {
    let row = Regex::new(r"(?m)^\| `(modelwatch_[a-z_]+)` \|").unwrap();
    let page = read("docs/metrics.md");
    let documented: BTreeSet<String> = row
        .captures_iter(&page)
        .map(|row| row[1].to_owned())
        .collect();
    assert_eq!(documented, metrics());
    assert!(documented.len() > 20);
}

#[test]
fn every_expression_of_the_dashboard_and_the_rules_names_metrics_that_exist() {
    let metrics = metrics();
    let expressions = expressions();
    assert!(expressions.len() > 15, "{}", expressions.len());
    for expression in &expressions {
        let named = names(expression);
        assert!(
            !named.is_empty() && named.is_subset(&metrics),
            "{expression}"
        );
    }
    let in_rules = names(&fs::read_to_string(rules()).unwrap());
    assert!(in_rules.is_subset(&metrics), "{in_rules:?}");
    let shown = names(&expressions.join("\n"));
    for name in &metrics {
        let is_only_alerted = [
            "modelwatch_watches",
            "modelwatch_log_frozen",
            "modelwatch_log_seen_size",
            "modelwatch_log_proven_size",
        ];
        assert!(
            shown.contains(name) || is_only_alerted.contains(&name.as_str()),
            "{name} is not shown"
        );
    }
}

#[test]
fn every_expression_of_the_dashboard_is_valid() {
    let Some(mut tool) = promtool() else { return };
    let rules: Vec<Value> = expressions()
        .iter()
        .enumerate()
        .map(|(number, expression)| serde_json::json!({ "record": format!("e{number}"), "expr": expression }))
        .collect();
    let file =
        serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rules.yaml");
    fs::write(&path, file).unwrap();
    tool.args(["check", "rules", "--lint=none"]).arg(&path);
    let checked = with_input(tool, "");
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
}
