//! The form of a finding in a browser, without a script.

use std::fs;

use serde_json::Value;

use crate::api::lines_of;
use crate::site::{FREE_PORT, Server, Site};

const WEB: &str = "[web]\ntoken_file = \"token\"\nactions = true";

fn site(web: &str) -> Site {
    let site = Site::new(web);
    fs::write(site.path("token"), "s3cret").unwrap();
    site
}

fn session(server: &Server) -> String {
    let answer = server.post("/login", &[], "token=s3cret");
    let cookie = answer.header("set-cookie").unwrap();
    format!("Cookie: {}", cookie.split(';').next().unwrap())
}

/// The value of the hidden field with the CSRF token.
fn token(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once("name=\"csrf\" value=\"")?;
    rest.split('"').next()
}

fn open(site: &Site) -> Value {
    lines_of(site, &["findings", "list", "--json"]).remove(0)
}

#[test]
fn a_finding_is_acknowledged_reopened_and_noted_with_its_form() {
    let site = site(WEB);
    let server = site.serve(&FREE_PORT);
    let cookie = session(&server);
    let id = open(&site)["id"].as_str().unwrap().to_owned();
    let address = format!("/findings/{id}");
    for (action, offered, state) in [
        ("note", ["ack", "note"], "open"),
        ("ack", ["ack", "note"], "acked"),
        ("reopen", ["reopen", "note"], "open"),
    ] {
        let page = server.get(&address, &[&cookie]);
        assert_eq!(page.status, 200);
        let buttons: Vec<&str> = page
            .body
            .split("name=\"action\" value=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        assert_eq!(buttons, offered);
        let csrf = token(&page.body).unwrap();
        let form = format!("action={action}&reason=seen+by+%3Cb%3Ejane&csrf={csrf}");
        let headers = [cookie.as_str(), "Origin: http://localhost"];
        let answer = server.post(&format!("{address}/handle"), &headers, &form);
        assert_eq!(answer.status, 303, "{answer:?}");
        assert_eq!(answer.header("location"), Some(address.as_str()));
        let shown = lines_of(&site, &["findings", "show", &id, "--json"]).remove(0);
        assert_eq!(shown["finding"]["state"], state);
        let last = shown["history"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["author"], "web session");
        assert_eq!(last["reason"], "seen by <b>jane");
    }
    let page = server.get(&address, &[&cookie]).body;
    assert!(page.contains("seen by &lt;b&gt;jane") && !page.contains("<b>jane"));
}

#[test]
fn a_form_of_another_site_and_a_wrong_form_change_nothing() {
    let site = site(WEB);
    let server = site.serve(&FREE_PORT);
    let cookie = session(&server);
    let finding = open(&site);
    let id = finding["id"].as_str().unwrap();
    let address = format!("/findings/{id}/handle");
    let page = server.get(&format!("/findings/{id}"), &[&cookie]);
    let csrf = token(&page.body).unwrap();
    let right = format!("action=ack&reason=seen&csrf={csrf}");
    for (headers, form, status) in [
        (&[][..], right.as_str(), 401),
        (&[cookie.as_str()], "action=ack&reason=seen", 403),
        (&[cookie.as_str()], "action=ack&reason=seen&csrf=00", 403),
        (
            &[cookie.as_str(), "Origin: https://attacker.example"],
            &right,
            403,
        ),
        (&[cookie.as_str()], &right.replace("seen", "+"), 400),
        (&[cookie.as_str()], &right.replace("ack", "drop"), 400),
        (&[cookie.as_str()], &right.replace("reason", "why"), 400),
        (&[cookie.as_str()], &format!("{right}&action=note"), 400),
        (
            &[cookie.as_str()],
            &right.replace("seen", &"x".repeat(20_000)),
            413,
        ),
    ] {
        let answer = server.post(&address, headers, form);
        assert_eq!(answer.status, status, "{headers:?} {form:.80}");
    }
    let json = server.post_as("application/json", &address, &[&cookie], &right);
    assert_eq!(json.status, 415);
    let absent = server.post(
        &format!("/findings/{}/handle", "0".repeat(32)),
        &[&cookie],
        &right,
    );
    assert_eq!(absent.status, 404);
    assert_eq!(open(&site), finding);
}

#[test]
fn without_actions_a_page_has_no_form() {
    let site = site("[web]\ntoken_file = \"token\"");
    let server = site.serve(&FREE_PORT);
    let cookie = session(&server);
    let finding = open(&site);
    let id = finding["id"].as_str().unwrap();
    let page = server.get(&format!("/findings/{id}"), &[&cookie]);
    assert_eq!(page.status, 200);
    assert_eq!(token(&page.body), None);
    let answer = server.post(
        &format!("/findings/{id}/handle"),
        &[&cookie],
        "action=ack&reason=seen",
    );
    assert_eq!(answer.status, 403);
    assert_eq!(open(&site), finding);
}
