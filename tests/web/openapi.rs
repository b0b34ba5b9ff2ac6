//! docs/openapi.json, the description that the server serves, and its answers: they agree.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::api::{json_of, lines_of};
use crate::database;
use crate::schema::Description;
use crate::site::{Answer, FREE_PORT, Server, Site};

const BEARER: &str = "Authorization: Bearer s3cret";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn served(server: &Server) -> Description {
    Description(json_of(&server.get("/api/v1/openapi.json", &[BEARER])))
}

/// A site whose actions may be used with the token.
fn site() -> Site {
    let site = Site::new("[web]\ntoken_file = \"token\"\nactions = true");
    fs::write(site.path("token"), "s3cret").unwrap();
    site
}

/// Compares an answer with the schema of its address and status.
#[track_caller]
fn check(description: &Description, path: &str, method: &str, answer: &Answer) {
    let responses = &description.0["paths"][path][method]["responses"];
    let response = &responses[answer.status.to_string()];
    assert!(response.is_object(), "{path}: {answer:?} is not described");
    let media_type = answer.header("content-type").unwrap();
    let schema = &response["content"][media_type]["schema"];
    assert!(schema.is_object(), "{path}: {media_type} is not described");
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    if let Some(problem) = description.problem(schema, &body) {
        panic!("{path} {}: {problem}", answer.status);
    }
}

#[test]
fn the_file_is_what_the_server_serves() {
    let server = site();
    let server = server.serve(&FREE_PORT);
    let mut text = serde_json::to_string_pretty(&served(&server).0).unwrap();
    text.push('\n');
    let file = root().join("docs/openapi.json");
    if std::env::var_os("OPENAPI").is_some_and(|value| value == "overwrite") {
        fs::write(&file, &text).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        text == written,
        "docs/openapi.json is out of date: `OPENAPI=overwrite cargo test --test web openapi` writes it"
    );
}

#[test]
fn every_address_is_described() {
    let site = site();
    let server = site.serve(&FREE_PORT);
    let description = served(&server);
    let described: BTreeSet<&str> = description.0["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(|path| path.strip_prefix("/api/v1").unwrap())
        .collect();
    let source = fs::read_to_string(root().join("src/web/api/routes.rs")).unwrap();
    let routes = source.split(".route(").skip(1);
    let routes: BTreeSet<&str> = routes
        .map(|route| route.split('"').nth(1).unwrap())
        .collect();
    assert_eq!(described, routes);
}

#[test]
fn every_answer_is_as_its_schema_says() {
    let site = site();
    // A log fault has other fields than a signing, and an acknowledged one has a longer history.
    database::execute(
        &site,
        "UPDATE finding SET fault = 'fork', watch = NULL, in_shape = NULL WHERE number = (SELECT max(number) FROM finding)",
        &[],
    );
    let server = site.serve(&FREE_PORT);
    let description = served(&server);
    let get = |path: &str, of: &str| {
        let answer = server.get(&format!("/api/v1{of}"), &[BEARER]);
        check(&description, &format!("/api/v1{path}"), "get", &answer);
        answer
    };
    let all = json_of(&get("/findings", "/findings?all=true"));
    let items = all["items"].as_array().unwrap();
    assert!(items.len() > 3);
    for item in items {
        let id = item["id"].as_str().unwrap();
        get("/findings/{id}", &format!("/findings/{id}"));
        let history = get("/findings/{id}/history", &format!("/findings/{id}/history"));
        assert!(!json_of(&history)["items"].as_array().unwrap().is_empty());
    }
    for (path, of) in [
        ("/findings", "/findings?limit=1"),
        ("/signings", "/signings?identity_glob=*"),
        ("/signings", "/signings?issuer=x"),
        ("/logs", "/logs"),
        ("/logs/{name}", "/logs/recorded"),
        ("/watches", "/watches"),
        ("/registrations", "/registrations"),
        ("/status", "/status"),
        ("/session", "/session"),
        ("/openapi.json", "/openapi.json"),
    ] {
        assert_eq!(get(path, of).status, 200, "{of}");
    }
    let registered = json_of(&get("/registrations", "/registrations"));
    assert!(!registered["items"].as_array().unwrap().is_empty());
    let watch = lines_of(&site, &["status", "--json"])[0]["watches"][0]["name"].clone();
    let watch = watch.as_str().unwrap();
    assert_eq!(
        get("/watches/{name}", &format!("/watches/{watch}")).status,
        200
    );
    for (path, of, status) in [
        ("/findings", "/findings?x=1", 400),
        ("/findings/{id}", "/findings/00", 404),
        ("/logs/{name}", "/logs/absent", 404),
        ("/signings", "/signings", 400),
    ] {
        assert_eq!(get(path, of).status, status, "{of}");
    }
    let id = items[0]["id"].as_str().unwrap();
    for (action, body, status) in [
        ("ack", "{\"reason\":\"seen\"}", 200),
        ("note", "{\"reason\":\"seen\"}", 200),
        ("reopen", "{\"reason\":\"\"}", 400),
        ("reopen", "{\"reason\":\"seen\"}", 200),
    ] {
        let path = format!("/api/v1/findings/{id}/{action}");
        let answer = server.post_as("application/json", &path, &[BEARER], body);
        assert_eq!(answer.status, status, "{action}: {answer:?}");
        check(
            &description,
            &format!("/api/v1/findings/{{id}}/{action}"),
            "post",
            &answer,
        );
    }
    let unknown = server.get("/api/v1/status", &[]);
    check(&description, "/api/v1/status", "get", &unknown);
}
