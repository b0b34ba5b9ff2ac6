//! The pages for people, as browsers get them.

use std::collections::BTreeSet;
use std::fs;

use modelwatch::finding::{Class, Verdict};
use serde_json::{Value, json};

use crate::database;
use crate::site::{Answer, Server, Site};

const FREE_PORT: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

/// What every page has, and no page may have.
#[track_caller]
pub fn html_of(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_frame(answer);
    &answer.body
}

#[track_caller]
fn assert_frame(answer: &Answer) {
    let page = &answer.body;
    assert!(
        page.starts_with("<!DOCTYPE html><html lang=\"en\">"),
        "{page}"
    );
    for part in [
        "<main id=\"content\"",
        "<nav aria-label=",
        "<footer>",
        "href=\"#content\"",
    ] {
        assert_eq!(page.matches(part).count(), 1, "{part}: {page}");
    }
    let (head, _) = page.split_once("</head>").unwrap();
    assert_eq!(head.matches("<title>").count(), 1, "{page}");
    assert_eq!(page.matches("<h1").count(), 1, "{page}");
    // Headings in order, each at most one level below the one before.
    let levels = page
        .match_indices("<h")
        .filter_map(|(at, _)| page[at + 2..].chars().next()?.to_digit(10));
    let mut before = 0;
    for level in levels {
        assert!(level <= before + 1, "h{level} after h{before}: {page}");
        before = level;
    }
    // The policy refuses code and styles inside a page.
    assert!(
        page.matches("<script").count() == 1 && page.contains("defer></script>"),
        "{page}"
    );
    for forbidden in [
        " style=",
        "<style",
        "javascript:",
        " onclick",
        " onerror",
        "http://",
        "src=\"http",
    ] {
        assert!(!tags(page).contains(forbidden), "{forbidden}: {page}");
    }
    let policy = answer.header("content-security-policy").unwrap();
    let policy: BTreeSet<&str> = policy.split("; ").collect();
    let strict = [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ];
    assert_eq!(policy, BTreeSet::from(strict));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    // Labels, captions, and ids that exist once.
    let ids: Vec<&str> = attributes(page, " id=\"").collect();
    assert_eq!(
        ids.len(),
        ids.iter().collect::<BTreeSet<_>>().len(),
        "{ids:?}"
    );
    for name in [" aria-labelledby=\"", " for=\""] {
        for target in attributes(page, name) {
            assert!(ids.contains(&target), "{name}{target}");
        }
    }
    // A screen reader lists the regions by their names.
    let regions: Vec<&str> = attributes(page, " aria-labelledby=\"").collect();
    assert_eq!(
        regions.len(),
        regions.iter().collect::<BTreeSet<_>>().len(),
        "{regions:?}"
    );
    assert_eq!(
        page.matches("<table").count(),
        page.matches("<caption").count()
    );
    assert_eq!(
        page.matches("<svg").count(),
        page.matches("role=\"img\"").count()
    );
}

/// The tags of a page, without its text.
fn tags(page: &str) -> String {
    let tags = page.split('<').skip(1);
    tags.filter_map(|tag| tag.split('>').next()).collect()
}

/// The values of an attribute, as they are written.
pub fn attributes<'a>(page: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    page.split(name)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
}

/// The addresses on this server that a page links to.
fn links(page: &str) -> BTreeSet<String> {
    let links = attributes(page, " href=\"")
        .chain(attributes(page, " src=\""))
        .chain(attributes(page, " action=\""));
    let ours = links.filter(|link| link.starts_with('/'));
    ours.map(|link| link.split('#').next().unwrap().replace("&amp;", "&"))
        .collect()
}

pub fn listed(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let output = site.run(&[&["findings", "list", "--json"], arguments].concat());
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

pub fn id(finding: &Value) -> String {
    finding["id"].as_str().unwrap().to_owned()
}

/// The ids of the findings of a page, in its order.
fn ids_of(page: &str) -> Vec<String> {
    let links = attributes(page, "<p class=\"summary\"><a href=\"/findings/");
    links.map(str::to_owned).collect()
}

/// The ids of all pages of a list.
fn all_ids(server: &Server, address: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut address = address.to_owned();
    loop {
        let answer = server.get(&address, &[]);
        let page = html_of(&answer);
        ids.extend(ids_of(page));
        match attributes(page, "rel=\"next\" href=\"").next() {
            Some(next) => address = next.replace("&amp;", "&"),
            None => return ids,
        }
    }
}

#[test]
fn the_page_of_a_finding_says_what_it_means_and_what_to_do() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    let found = listed(&site, &["--verdict", "identity-unexpected"]).remove(0);
    let id = id(&found);
    let answer = server.get(&format!("/findings/{id}"), &[]);
    let page = html_of(&answer);
    for part in [
        found["summary"].as_str().unwrap(),
        found["san"][0]["value"].as_str().unwrap(),
        found["digest"].as_str().unwrap(),
        found["leaf_hash"].as_str().unwrap(),
        &format!("modelwatch findings ack {id} --reason"),
        &format!("modelwatch findings show {id} --evidence DIR"),
        "modelwatch expect add BUNDLE",
        "treat the identity as stolen",
        "a signed checkpoint of the log covers this entry",
        "first seen",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // A shorter id leads to the whole one, and what a person did is in the history.
    let short = server.get(&format!("/findings/{}", &id[..8]), &[]);
    assert_eq!(
        (short.status, short.header("location")),
        (303, Some(&*format!("/findings/{id}")))
    );
    let upper = server.get(&format!("/findings/{}", id.to_ascii_uppercase()), &[]);
    assert_eq!(upper.header("location"), Some(&*format!("/findings/{id}")));
    let acked = site.run(&[
        "findings",
        "ack",
        &id,
        "--author",
        "jane",
        "--reason",
        "known <release>",
    ]);
    assert!(acked.status.success(), "{acked:?}");
    let answer = server.get(&format!("/findings/{id}"), &[]);
    let page = html_of(&answer);
    for part in [
        "<td>jane</td>",
        "known &lt;release&gt;",
        "This finding is <strong>acked</strong>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn every_link_of_every_page_leads_to_an_answer() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    let mut waiting = vec!["/".to_owned()];
    let mut seen = BTreeSet::from(["/".to_owned()]);
    let mut pages = 0;
    while let Some(address) = waiting.pop() {
        let answer = server.get(&address, &[]);
        assert_eq!(answer.status, 200, "{address}");
        let is_page = answer
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"));
        if !is_page {
            continue;
        }
        pages += 1;
        let links = links(html_of(&answer));
        waiting.extend(
            links
                .iter()
                .filter(|link| seen.insert((*link).clone()))
                .cloned(),
        );
    }
    for page in [
        "/health",
        "/findings",
        "/logs/recorded",
        "/watches/falcon-release",
    ] {
        assert!(seen.contains(page), "{page}: {seen:?}");
    }
    let findings = listed(&site, &["--all"]).len();
    assert!(pages > findings, "{pages} pages, {findings} findings");
}

#[test]
fn the_list_has_the_findings_of_the_command_with_the_same_filters() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    for (address, arguments) in [
        ("", &[][..]),
        ("all=true", &["--all"]),
        (
            "state=resolved&state=held",
            &["--state", "resolved", "--state", "held"],
        ),
        (
            "severity=critical&verdict=identity-unexpected",
            &["--severity", "critical", "--verdict", "identity-unexpected"],
        ),
        ("watch=other", &["--watch", "other"]),
        ("san=*%40refs/tags/v1.1*", &["--san", "*@refs/tags/v1.1*"]),
        ("since=24h", &["--since", "24h"]),
        ("since=2100-01-01", &["--since", "2100-01-01"]),
        // A form sends its empty fields.
        ("severity=&watch=&san=&digest=&since=", &[]),
    ] {
        let ids: Vec<String> = listed(&site, arguments).iter().map(id).collect();
        for limit in ["", "&limit=2"] {
            let pages = all_ids(&server, &format!("/findings?{address}{limit}"));
            assert_eq!(pages, ids, "{address}{limit}");
        }
    }
    let none = server.get("/findings?watch=other", &[]);
    assert!(html_of(&none).contains("There is no such finding."));
}

#[test]
fn what_cannot_be_shown_is_said_by_a_page() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    for (address, status, part) in [
        (
            "/findings/00000000000000000000000000000000",
            404,
            "There is no finding with this id.",
        ),
        ("/findings/xyz", 404, "32 hexadecimal digits"),
        ("/findings/abc", 404, "32 hexadecimal digits"),
        (
            "/logs/absent",
            404,
            "No log that is followed has this name.",
        ),
        (
            "/watches/absent",
            404,
            "No watch of the configuration has this name.",
        ),
        ("/findings/%3Cscript%3E", 404, "32 hexadecimal digits"),
        ("/findings?verdcit=expected", 400, "verdcit"),
        ("/findings?severity=loud", 400, "severity"),
        ("/findings?all=true&state=open", 400, "all and state"),
        ("/findings?%3Cscript%3E=%E2%80%AE", 400, "&lt;script&gt;"),
        ("/findings?cursor=AAAA", 400, "cursor"),
        ("/findings?limit=1001", 400, "limit"),
    ] {
        let answer = server.get(address, &[]);
        assert_eq!(answer.status, status, "{address}");
        assert_frame(&answer);
        assert!(answer.body.contains(part), "{address}: {}", answer.body);
    }
    assert_eq!(server.get("/assets/absent.css", &[]).status, 404);
    assert_eq!(server.post("/findings", &[], "").status, 405);
    let head =
        server.send("HEAD /findings HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(
        server.get("/findings", &["Host: attacker.example"]).status,
        421
    );
    // Without its database it says so, and does not name the file.
    fs::rename(site.path("modelwatch.db"), site.path("gone.db")).unwrap();
    for address in [
        "/",
        "/health",
        "/logs/recorded",
        "/watches/falcon-release",
        "/findings",
        "/findings/00000000000000000000000000000000",
    ] {
        let answer = server.get(address, &[]);
        assert_eq!(answer.status, 503, "{address}");
        assert_frame(&answer);
        assert!(
            answer.body.contains("modelwatch status") && !answer.body.contains("modelwatch.db")
        );
    }
}

#[test]
fn hostile_names_are_text_on_every_page() {
    let site = Site::new("");
    let hostile = "https://github.com/harbor-ml-example/falcon/</script><script>alert(1)</script>\u{202e}\u{2028}\u{85}\u{9b}\u{7}\"'\\\r\nX-Evil: 1 onclick=a";
    let san = json!([{"type": "uri", "value": hostile}]).to_string();
    database::execute(
        &site,
        "UPDATE signer SET san = $1, issuer = $2",
        &[&san, hostile],
    );
    database::execute(
        &site,
        "UPDATE finding SET summary = $1, watch = $1, log = $1",
        &[hostile],
    );
    // What a log answers is in the reason why its pass did not finish.
    database::execute(
        &site,
        "UPDATE tree SET error_kind = 'malformed', error_message = $1",
        &[hostile],
    );
    let server = site.serve(&FREE_PORT);
    let id = id(&listed(&site, &[])[0]);
    let filtered = "/findings?all=true&san=%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AE%07%22&watch=%22%3E%3Cscript%3E";
    for (address, is_about_it) in [
        ("/", true),
        ("/health", true),
        ("/logs/recorded", true),
        ("/watches/falcon-release", false),
        ("/findings", true),
        ("/findings?all=true", true),
        (&format!("/findings/{id}"), true),
        (filtered, true),
    ] {
        let answer = server.get(address, &[]);
        let page = html_of(&answer);
        assert!(!page.contains("<script>"), "{address}: {page}");
        let is_hidden = |c: char| {
            matches!(
                c,
                '\u{202e}' | '\u{2028}' | '\u{85}' | '\u{9b}' | '\u{7}' | '\r'
            )
        };
        assert!(!page.contains(is_hidden), "{address}: {page}");
        assert_eq!(page.contains("\\u{202e}"), is_about_it, "{address}: {page}");
        assert_eq!(answer.header("x-evil"), None);
    }
    // Its own links keep the name as one value.
    let page = server.get(&format!("/findings/{id}"), &[]);
    let same = links(&page.body)
        .into_iter()
        .find(|link| link.contains("san="));
    let same = server.get(&same.unwrap(), &[]);
    assert!(ids_of(html_of(&same)).contains(&id));
}

#[test]
fn the_first_page_says_no_more_than_the_status() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    let answer = server.get("/", &[]);
    let page = html_of(&answer);
    let unregistered = listed(&site, &["--verdict", "identity-unexpected"]).len();
    let untrusted = listed(&site, &["--verdict", "untrusted-chain"]).len();
    let status = site.run(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let last = status["logs"][0]["last_success"].as_str().unwrap();
    let last = format!("{} {}Z", &last[..10], &last[11..19]);
    // All but the daily digest of what anyone can write.
    let due = status["alerts"]["pending"].as_u64().unwrap() - 1;
    for part in [
        &*format!(
            "{unregistered} signings are not registered and {untrusted} watched name is confirmed by no trusted authority."
        ),
        &format!("The log is read and proven up to {last}."),
        // The demo delivers no alert.
        &format!("Blind or failing: {due} alerts are due and not delivered."),
        "entries 0 to 161 proven",
        "covers everything that was read",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(ids_of(page).len(), 5);
    let health = server.get("/health", &[]);
    assert!(html_of(&health).contains("<dt>Last pass</dt><dd>ended <time"));
    database::execute(
        &site,
        "UPDATE alert SET state = 'delivered', delivered = due WHERE state = 'pending'",
        &[],
    );
    assert!(html_of(&server.get("/", &[])).contains("Nothing is blind."));
    drop(server);

    // A log that no pass has read, a watch that was added after the pass, and a way of going blind that is present.
    site.configure("[[log]]\nname = \"unread\"\ntype = \"rekor-v2\"\nurl = \"absent\"\norigin = \"absent.example\"\npublic_key = \"key.pub.pem\"\nstart = \"beginning\"\n[[watch]]\nname = \"later\"\nsan = \"jane@example.com\"\nissuer = \"https://accounts.example.com\"\n");
    database::execute(
        &site,
        "UPDATE finding SET verdict = 'silence', health = 1 WHERE number = (SELECT number FROM finding WHERE verdict = 'untrusted-chain' AND state = 'open' LIMIT 1)",
        &[],
    );
    let server = site.serve(&FREE_PORT);
    let answer = server.get("/", &[]);
    let page = html_of(&answer);
    for part in [
        &*format!("1 of 2 logs is read and proven up to {last}. Not proven up to the end: unread."),
        "Blind or failing: 1 finding about the monitoring is open, 1 log is not proven up to its end and 1 log has entries that some watch was never compared with.",
        "entries 0 to 161 read, but not compared with every watch",
        "Nothing of this log is read yet.",
        "never matched against recorded 0..161",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("Nothing is blind."));
    let watch = server.get("/watches/later", &[]);
    assert!(html_of(&watch).contains("modelwatch rescan --watch later"));
    let log = server.get("/logs/unread", &[]);
    assert!(html_of(&log).contains("No pass has proven all of it"));
    let health = server.get("/health", &[]);
    let health = html_of(&health);
    assert!(
        health.contains("A log that does not grow: 1 open"),
        "{health}"
    );
    // Every way of going blind is named, present or not.
    for verdict in Verdict::ALL
        .into_iter()
        .filter(|verdict| verdict.class() == Class::Health)
    {
        assert!(health.contains(verdict.as_str()), "{verdict}");
    }
}

#[test]
fn files_of_pages_are_kept_by_browsers_and_have_new_names_when_they_change() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    let page = server.get("/findings", &[]);
    let files: Vec<String> = links(html_of(&page))
        .into_iter()
        .filter(|link| link.starts_with("/assets/"))
        .collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        let answer = server.get(&file, &[]);
        assert_eq!(answer.status, 200, "{file}");
        assert_eq!(
            answer.header("cache-control"),
            Some("private, max-age=31536000, immutable")
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let kind = match file.rsplit('.').next().unwrap() {
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!(answer.header("content-type"), Some(kind));
        assert!(
            answer.body.len() > 100 && !answer.body.contains("url("),
            "{file}"
        );
    }
}

#[test]
fn pages_need_the_token() {
    let site = Site::new("[web]\ntoken_file = \"token\"");
    fs::write(site.path("token"), "s3cret").unwrap();
    let server = site.serve(&FREE_PORT);
    for address in [
        "/",
        "/health",
        "/logs/recorded",
        "/watches/falcon-release",
        "/findings",
        "/findings/00000000000000000000000000000000",
    ] {
        assert_eq!(server.get(address, &[]).status, 401, "{address}");
        let person = server.get(address, &["Accept: text/html"]);
        // A sign-in leads back to what the link in an alert is about.
        let form = match address {
            "/" => "/login".to_owned(),
            _ => format!("/login?to={}", address.replace('/', "%2F")),
        };
        assert_eq!(
            (person.status, person.header("location")),
            (303, Some(&*form))
        );
    }
    let bearer = "Authorization: Bearer s3cret";
    html_of(&server.get("/findings", &[bearer]));
}
