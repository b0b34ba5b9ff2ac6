//! `POST /api/v1/findings/ID/{ack,reopen,note}`: who may act, what is refused, and what is recorded.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::api::{json_of, lines_of, problem_of};
use crate::database;
use crate::site::{Answer, FREE_PORT, Server, Site};

const WITH_TOKEN: &str = "[web]\ntoken_file = \"token\"\nactions = true";
const BEARER: &str = "Authorization: Bearer s3cret";
const REASON: &str = "{\"reason\":\"seen by \\\"jane\\\"\"}";

fn with_token(web: &str) -> Site {
    let site = Site::new(web);
    fs::write(site.path("token"), "s3cret").unwrap();
    site
}

/// Findings in a state: their ids.
fn ids(site: &Site, state: &str) -> Vec<String> {
    let findings = lines_of(site, &["findings", "list", "--json", "--state", state]);
    assert!(!findings.is_empty(), "{state}");
    let id = |finding: &Value| finding["id"].as_str().unwrap().to_owned();
    findings.iter().map(id).collect()
}

fn act(server: &Server, id: &str, action: &str, headers: &[&str], body: &str) -> Answer {
    let path = format!("/api/v1/findings/{id}/{action}");
    server.post_as("application/json", &path, headers, body)
}

/// Begins a session, and returns the line with its cookie.
fn session(server: &Server) -> String {
    let answer = server.post("/login", &[], "token=s3cret");
    let cookie = answer.header("set-cookie").unwrap();
    format!("Cookie: {}", cookie.split(';').next().unwrap())
}

/// The line with the CSRF token of a browser.
fn csrf(server: &Server, headers: &[&str]) -> String {
    let session = json_of(&server.get("/api/v1/session", headers));
    assert_eq!(session["actions"], true);
    format!("X-Modelwatch-CSRF: {}", session["csrf"].as_str().unwrap())
}

#[test]
fn an_action_is_what_the_command_does_and_names_who_did_it() {
    let site = with_token(WITH_TOKEN);
    let server = site.serve(&FREE_PORT);
    let id = &ids(&site, "open")[0];
    for (action, state, changed) in [
        ("ack", "acked", true),
        ("ack", "acked", false),
        ("note", "acked", true),
        ("reopen", "open", true),
        ("reopen", "open", false),
    ] {
        let done = json_of(&act(&server, id, action, &[BEARER], REASON));
        assert_eq!(done["changed"], changed, "{action}");
        assert_eq!(done["finding"]["finding"]["state"], state, "{action}");
        let shown = json_of(&server.get(&format!("/api/v1/findings/{id}"), &[BEARER]));
        assert_eq!(done["finding"], shown);
    }
    let history = lines_of(&site, &["findings", "history", id, "--json"]);
    let by_people = history.iter().filter(|row| !row["author"].is_null());
    let by_people: Vec<Value> = by_people
        .map(|row| json!([row["action"], row["author"], row["reason"], row["state"]]))
        .collect();
    let row = |action: &str, state: &str| json!([action, "web token", "seen by \"jane\"", state]);
    assert_eq!(
        by_people,
        [
            row("ack", "acked"),
            row("note", "acked"),
            row("reopen", "open")
        ]
    );
    // What the command finds in the way is in the way here, too.
    let resolved = &ids(&site, "resolved")[0];
    let problem = problem_of(&act(&server, resolved, "reopen", &[BEARER], REASON), 409);
    assert!(problem["detail"].as_str().unwrap().contains("registration"));
    database::execute(
        &site,
        "UPDATE finding SET health = 1 WHERE id = unhex($1)",
        &[id],
    );
    for action in ["ack", "reopen"] {
        let problem = problem_of(&act(&server, id, action, &[BEARER], REASON), 409);
        assert!(problem["detail"].as_str().unwrap().contains("health"));
    }
    json_of(&act(&server, id, "note", &[BEARER], REASON));
}

#[test]
fn without_actions_and_without_a_caller_nothing_is_changed() {
    let site = with_token("[web]\ntoken_file = \"token\"");
    let server = site.serve(&FREE_PORT);
    let id = &ids(&site, "open")[0];
    let problem = problem_of(&act(&server, id, "ack", &[BEARER], REASON), 403);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("actions = true")
    );
    let session = json_of(&server.get("/api/v1/session", &[BEARER]));
    let expected = json!({"author": "web token", "actions": false, "csrf": null});
    assert_eq!(session, expected);
    drop(server);
    site.configure(WITH_TOKEN);
    let server = site.serve(&FREE_PORT);
    for headers in [&[][..], &["Authorization: Bearer x"]] {
        problem_of(&act(&server, id, "ack", headers, REASON), 401);
    }
    assert!(ids(&site, "open").contains(id));
}

#[test]
fn what_is_wrong_with_an_action_is_named() {
    let site = with_token(WITH_TOKEN);
    let server = site.serve(&FREE_PORT);
    let id = &ids(&site, "open")[0];
    for (body, text) in [
        ("", "the body is not an action"),
        ("{", "the body is not an action"),
        ("[]", "the body is not an action"),
        ("{}", "reason"),
        ("{\"reason\":7}", "string"),
        ("{\"reason\":\"a\",\"author\":\"jane\"}", "author"),
        ("{\"reason\":\" \\n\"}", "reason is empty"),
        (
            &format!("{{\"reason\":\"{}\"}}", "x".repeat(4097)),
            "4096 bytes",
        ),
    ] {
        let problem = problem_of(&act(&server, id, "ack", &[BEARER], body), 400);
        assert!(
            problem["detail"].as_str().unwrap().contains(text),
            "{problem}"
        );
    }
    let path = format!("/api/v1/findings/{id}/ack");
    for media_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        problem_of(&server.post_as(media_type, &path, &[BEARER], REASON), 415);
    }
    let json = "Application/JSON; charset=utf-8";
    problem_of(
        &server.post_as(json, &format!("{path}?force=1"), &[BEARER], REASON),
        400,
    );
    let long = format!("{{\"reason\":\"{}\"}}", "x".repeat(60_000));
    problem_of(&act(&server, id, "ack", &[BEARER], &long), 413);
    // A body without a length is measured while it is read.
    let chunk = "x".repeat(0x8000);
    let chunked = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\n{BEARER}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n8000\r\n{chunk}\r\n0\r\n\r\n"
    );
    problem_of(&server.send(&chunked), 413);
    for absent in ["00", &"0".repeat(32), "x", &id[..8]] {
        problem_of(&act(&server, absent, "ack", &[BEARER], REASON), 404);
    }
    problem_of(&act(&server, id, "delete", &[BEARER], REASON), 404);
    problem_of(&server.get(&path, &[BEARER]), 405);
    assert!(ids(&site, "open").contains(id), "nothing was changed");
    // Bytes outside ASCII, and what would control a terminal, are kept as they were sent.
    let hostile = "{\"reason\":\"\\u202e\\u001b[2J ö\"}";
    let done = json_of(&server.post_as(json, &path, &[BEARER], hostile));
    let history = done["finding"]["history"].as_array().unwrap();
    assert_eq!(history.last().unwrap()["reason"], "\u{202e}\u{1b}[2J ö");
    let shown = site.run(&["findings", "history", id]);
    assert!(!String::from_utf8(shown.stdout).unwrap().contains('\u{1b}'));
}

#[test]
fn a_page_of_another_site_cannot_act_for_a_browser() {
    let site = with_token(WITH_TOKEN);
    let server = site.serve(&FREE_PORT);
    let open = ids(&site, "open");
    let id = &open[0];
    let (cookie, other) = (session(&server), session(&server));
    let token = csrf(&server, &[&cookie]);
    problem_of(&act(&server, id, "ack", &[&token], REASON), 401);
    for headers in [
        &[cookie.as_str()][..],
        &[&cookie, "X-Modelwatch-CSRF: 00"],
        &[&cookie, &token, "Origin: https://attacker.example"],
        &[&cookie, &token, "Origin: null"],
    ] {
        problem_of(&act(&server, id, "ack", headers, REASON), 403);
    }
    // The same second may begin two sessions: then they are one.
    if other != cookie {
        problem_of(&act(&server, id, "ack", &[&other, &token], REASON), 403);
    }
    // By a name of the attacker that leads here (DNS rebinding).
    let rebound = format!(
        "POST /api/v1/findings/{id}/ack HTTP/1.1\r\nHost: attacker.example\r\n{cookie}\r\n{token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{REASON}",
        REASON.len()
    );
    problem_of(&server.send(&rebound), 421);
    // What a form of another site can send.
    let form = server.post_as(
        "text/plain",
        &format!("/api/v1/findings/{id}/ack"),
        &[&cookie],
        REASON,
    );
    problem_of(&form, 403);
    assert_eq!(ids(&site, "open"), open, "nothing was changed");
    let headers = [cookie.as_str(), &token, "Origin: http://localhost"];
    let done = json_of(&act(&server, id, "ack", &headers, REASON));
    assert_eq!(done["changed"], true);
    let row = done["finding"]["history"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    assert_eq!(row["author"], "web session");
}

#[test]
fn behind_a_proxy_the_user_acts_under_its_name() {
    let site = with_token(
        "[web]\ntrusted_proxy = [\"127.0.0.1\"]\nuser_header = \"X-Forwarded-Email\"\nproxy_secret_file = \"token\"\nactions = true",
    );
    let server = site.serve(&FREE_PORT);
    let id = &ids(&site, "open")[0];
    let jane = [
        "X-Modelwatch-Proxy: s3cret",
        "X-Forwarded-Email: jane@example.com",
    ];
    let bob = [
        "X-Modelwatch-Proxy: s3cret",
        "X-Forwarded-Email: bob@example.com",
    ];
    let token = csrf(&server, &jane);
    problem_of(&act(&server, id, "ack", &jane, REASON), 403);
    problem_of(
        &act(&server, id, "ack", &[bob[0], bob[1], &token], REASON),
        403,
    );
    // Without the proxy.
    problem_of(&act(&server, id, "ack", &[jane[1], &token], REASON), 403);
    let done = json_of(&act(
        &server,
        id,
        "ack",
        &[jane[0], jane[1], &token],
        REASON,
    ));
    let history = done["finding"]["history"].as_array().unwrap();
    assert_eq!(history.last().unwrap()["author"], "jane@example.com");
}

#[test]
fn clients_that_send_and_read_slowly_hold_nothing_that_a_pass_needs() {
    let site = with_token(WITH_TOKEN);
    // More than fits into the buffers of a connection.
    database::copy_findings(&site, 0..5_000);
    let server = site.serve(&FREE_PORT);
    let id = &ids(&site, "open")[0];
    let begun = |head: &str| {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let head = format!("{head} HTTP/1.1\r\nHost: localhost\r\n{BEARER}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let mut slow = Vec::new();
    for _ in 0..8 {
        // An action whose body never ends, and lists that are never read.
        let mut action = begun(&format!("POST /api/v1/findings/{id}/ack"));
        let rest = "Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"reason\":";
        action.write_all(rest.as_bytes()).unwrap();
        slow.push(action);
        let mut list = begun("GET /api/v1/findings?limit=1000");
        list.write_all(b"\r\n").unwrap();
        slow.push(list);
    }
    let passed = site.run(&["monitor", "--once"]);
    assert!(matches!(passed.status.code(), Some(0 | 1)), "{passed:?}");
    let acked = site.run(&["findings", "ack", id, "--reason", "seen"]);
    assert!(acked.status.success(), "{acked:?}");
    let done = json_of(&act(&server, id, "note", &[BEARER], REASON));
    assert_eq!(done["changed"], true);
    drop(slow);
}
