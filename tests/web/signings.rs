//! `/api/v1/signings`: the answers of `lookup`, page by page.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::{all_items, json_of, lines_of, problem_of};
use crate::database;
use crate::site::{FREE_PORT, Site};

/// The lines of a look-up: its items, and its coverage.
fn looked_up(site: &Site, options: &[&str]) -> (Vec<Value>, Value) {
    let output = site.run(&[&["lookup", "--json"], options].concat());
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let coverage = lines.pop().unwrap();
    (lines, coverage)
}

/// The items as a set: the list has another order.
fn set(items: &[Value]) -> BTreeSet<String> {
    let set: BTreeSet<String> = items.iter().map(Value::to_string).collect();
    assert_eq!(set.len(), items.len(), "no item is repeated");
    set
}

#[test]
fn the_answers_are_those_of_the_command() {
    let site = Site::new("");
    database::copy_to_watch(&site, "second");
    let server = site.serve(&FREE_PORT);
    let (all, _) = looked_up(&site, &["--identity-glob", "*"]);
    let one = &all[0];
    let two = one["findings"].as_array().unwrap().len();
    assert_eq!(two, 2, "both watches have a finding about it: {one}");
    let text = |name: &str| one[name].as_str().unwrap().to_owned();
    let san = one["san"][0]["value"].as_str().unwrap().to_owned();
    let index = format!("{}:{}", text("log"), one["index"]);
    let mut questions = vec![
        vec![("identity_glob", "*".to_owned())],
        vec![
            ("identity_glob", "*@refs/tags/*".to_owned()),
            ("issuer", text("issuer")),
        ],
        vec![("identity", san)],
        vec![("issuer", text("issuer"))],
        vec![("repository", "harbor-ml-example/falcon".to_owned())],
        vec![("certificate", text("certificate_sha256"))],
        vec![("key", text("key_sha256"))],
        vec![("digest", text("digest"))],
        vec![("digest", "ab".repeat(32))],
        vec![("uuid", text("leaf_hash"))],
        vec![("index", index)],
        vec![("commit", "cd".repeat(20))],
        vec![
            ("identity_glob", "*".to_owned()),
            ("log", text("log")),
            ("since", "2000-01-01".to_owned()),
            ("until", "2100-01-01".to_owned()),
        ],
        vec![
            ("identity_glob", "*".to_owned()),
            ("since", "2100-01-01".to_owned()),
        ],
    ];
    questions.push(vec![("identity", "nobody@example.com".to_owned())]);
    for question in questions {
        let options: Vec<String> = question
            .iter()
            .flat_map(|(name, value)| [format!("--{}", name.replace('_', "-")), value.clone()])
            .collect();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let (printed, mut covered) = looked_up(&site, &options);
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&question)
            .finish();
        let path = format!("/api/v1/signings?{query}");
        for limit in [1, 2, 1_000] {
            let items = all_items(&server, &path, limit);
            assert_eq!(set(&items), set(&printed), "{query}");
        }
        let mut coverage = json_of(&server.get(&path, &[]))["coverage"].clone();
        let commands = coverage
            .as_object_mut()
            .unwrap()
            .remove("commands")
            .unwrap();
        assert_eq!(
            commands.as_array().unwrap().is_empty(),
            coverage["complete"].as_bool().unwrap(),
            "{query}: {commands}"
        );
        covered.as_object_mut().unwrap().remove("commands");
        assert_eq!(coverage, covered, "{query}");
    }
}

#[test]
fn what_the_store_does_not_answer_is_said_with_the_command_that_does() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    let answer = json_of(&server.get("/api/v1/signings?identity=jane%40example.com", &[]));
    assert_eq!(answer["items"], Value::Array(Vec::new()));
    assert_eq!(answer["coverage"]["complete"], false);
    assert_eq!(answer["coverage"]["why"][0]["kind"], "not-scanned");
    assert_eq!(
        answer["coverage"]["commands"],
        Value::from(["modelwatch lookup --identity jane@example.com --scan"].as_slice())
    );
    for (query, parameter, text) in [
        ("", "", "a condition is missing"),
        ("limit=3", "", "a condition is missing"),
        ("log=recorded", "", "a condition is missing"),
        ("identity=a&identity=b", "identity", "more than once"),
        ("identity=", "identity", "1 to 4096"),
        ("certificate=ab", "certificate", "64"),
        ("key=x.pem", "key", "64"),
        ("commit=main", "commit", "rev-parse"),
        ("index=3", "index", "LOG:N"),
        ("index=absent:3", "index", "absent"),
        ("digest=md5:00", "digest", "ALGORITHM:HEX"),
        ("identity=a&log=absent", "log", "absent"),
        ("identity=a&since=soon", "since", "such as 24h"),
        (
            "identity=a&since=2026-02-02&until=2026-01-01",
            "until",
            "later",
        ),
        ("model=x", "model", "modelwatch lookup --model PATH"),
        ("bundle=x", "bundle", "modelwatch lookup --bundle FILE"),
        ("identity=a&scan=true", "scan", "--scan"),
        ("identity=a&remote=true", "remote", "--remote"),
        ("identity=a&limit=0", "limit", "1 to 1000"),
        ("identity=a&cursor=x", "cursor", "begin without it"),
        ("identity=a&watch=b", "watch", "no parameter"),
    ] {
        let problem = problem_of(&server.get(&format!("/api/v1/signings?{query}"), &[]), 400);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(text), "{query}: {detail}");
        assert_eq!(problem["parameter"].as_str().unwrap_or(""), parameter);
    }
}

#[test]
fn thousands_of_signings_are_read_page_by_page_even_of_one_leaf() {
    let site = Site::new("");
    // The same leaf at each index: anybody can log an entry again.
    database::copy_findings(&site, 0..10_500);
    let server = site.serve(&FREE_PORT);
    let glob = "identity_glob=https%3A%2F%2Fgithub.com%2F*";
    let items = all_items(&server, &format!("/api/v1/signings?{glob}"), 1_000);
    assert!(items.len() >= 10_500, "{}", items.len());
    set(&items);
    // A request examines a bounded number of findings: its page may be empty, and names where the next one begins.
    let path = format!("/api/v1/signings?{glob}&since=2100-01-01");
    let first = json_of(&server.get(&path, &[]));
    assert_eq!(first["items"], Value::Array(Vec::new()));
    let cursor = first["next"].as_str().unwrap();
    let second = json_of(&server.get(&format!("{path}&cursor={cursor}"), &[]));
    assert_eq!(second["next"], Value::Null);
    // Each name is compared once, however many signings it has.
    let path = "/api/v1/signings?identity_glob=*%2Fnothing-ends-so";
    let only = json_of(&server.get(path, &[]));
    assert_eq!(
        (&only["items"], &only["next"]),
        (&Value::Array(Vec::new()), &Value::Null)
    );
}

#[test]
fn the_command_and_the_list_name_the_same_registrations() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    let expected = lines_of(
        &site,
        &[
            "findings",
            "list",
            "--all",
            "--verdict",
            "expected",
            "--json",
        ],
    );
    let items = all_items(&server, "/api/v1/signings?identity_glob=*", 100);
    let registered = items.iter().filter(|item| item["registered"] == "operator");
    assert_eq!(registered.count(), expected.len());
}
