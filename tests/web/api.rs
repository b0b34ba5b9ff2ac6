//! `/api/v1`, as programs see it.

use std::fs;

use serde_json::{Value, json};

use crate::database;
use crate::site::{Answer, FREE_PORT, Server, Site};

/// The JSON of an answer that is one.
#[track_caller]
pub fn json_of(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.body.bytes().all(|byte| (b' '..0x7f).contains(&byte)));
    serde_json::from_str(&answer.body).unwrap()
}

/// The problem of an answer that refuses.
#[track_caller]
pub fn problem_of(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{answer:?}");
    let media_type = answer.header("content-type");
    assert_eq!(media_type, Some("application/problem+json"));
    let problem: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["type"], "about:blank");
    assert!(!problem["title"].as_str().unwrap().is_empty());
    assert!(!problem["detail"].as_str().unwrap().is_empty());
    problem
}

/// The items of a list, page by page.
pub fn all_items(server: &Server, path: &str, limit: usize) -> Vec<Value> {
    let mut items = Vec::new();
    let mut next = String::new();
    loop {
        let joint = if path.contains('?') { '&' } else { '?' };
        let page = json_of(&server.get(&format!("{path}{joint}limit={limit}{next}"), &[]));
        let part = page["items"].as_array().unwrap();
        assert!(part.len() <= limit && page["coverage"].is_object());
        items.extend(part.iter().cloned());
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return items,
        }
        assert_eq!(part.len(), limit, "a page that is not the last one is full");
    }
}

pub fn lines_of(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let output = site.run(arguments);
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

#[test]
fn the_objects_are_those_that_the_commands_print() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    let id = lines_of(&site, &["findings", "list", "--json"])[0]["id"].clone();
    let id = id.as_str().unwrap();
    let status = lines_of(&site, &["status", "--json"]).remove(0);
    for (path, command) in [
        ("findings", &["findings", "list", "--json"][..]),
        (
            "findings?all=true",
            &["findings", "list", "--json", "--all"],
        ),
        (
            "findings?state=resolved&state=held",
            &[
                "findings", "list", "--json", "--state", "resolved", "--state", "held",
            ],
        ),
        (
            "findings?severity=critical&verdict=identity-unexpected",
            &[
                "findings",
                "list",
                "--json",
                "--severity",
                "critical",
                "--verdict",
                "identity-unexpected",
            ],
        ),
        (
            "findings?watch=other",
            &["findings", "list", "--json", "--watch", "other"],
        ),
        (
            "findings?san=*%40refs/tags/v1.1*",
            &["findings", "list", "--json", "--san", "*@refs/tags/v1.1*"],
        ),
        (
            "findings?identity=*%40refs/tags/v1.1*",
            &["findings", "list", "--json", "--san", "*@refs/tags/v1.1*"],
        ),
        (
            "findings?since=24h",
            &["findings", "list", "--json", "--since", "24h"],
        ),
        (
            "findings?since=2100-01-01",
            &["findings", "list", "--json", "--since", "2100-01-01"],
        ),
        ("registrations", &["expect", "list", "--json"]),
        (
            &format!("findings/{id}/history"),
            &["findings", "history", id, "--json"],
        ),
    ] {
        let printed = lines_of(&site, command);
        for limit in [1, 3, 1_000] {
            let items = all_items(&server, &format!("/api/v1/{path}"), limit);
            assert_eq!(items, printed, "{path}");
        }
    }
    assert_eq!(json_of(&server.get("/api/v1/status", &[])), status);
    for list in ["logs", "watches"] {
        let items = all_items(&server, &format!("/api/v1/{list}"), 1);
        assert_eq!(Value::from(items), status[list], "{list}");
        let name = status[list][0]["name"].as_str().unwrap();
        let one = json_of(&server.get(&format!("/api/v1/{list}/{name}"), &[]));
        assert_eq!(one, status[list][0]);
    }
    let shown = lines_of(&site, &["findings", "show", id, "--json"]).remove(0);
    let answered = json_of(&server.get(&format!("/api/v1/findings/{id}"), &[]));
    assert_eq!(answered, shown);
}

#[test]
fn a_list_says_how_far_it_can_be_relied_on() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    let coverage =
        |server: &Server| json_of(&server.get("/api/v1/findings", &[]))["coverage"].clone();
    let complete = coverage(&server);
    assert_eq!(complete["complete"], true, "{complete}");
    assert_eq!(complete["why"], json!([]));
    let log = &complete["logs"][0];
    assert_eq!(
        (&log["log"], &log["mode"]),
        (&json!("recorded"), &json!("tail"))
    );
    assert_eq!(log["proven"], log["head"]);
    drop(server);

    // A log that no pass has read, and a watch that was added after the pass.
    site.configure("[[log]]\nname = \"unread\"\ntype = \"rekor-v2\"\nurl = \"absent\"\norigin = \"absent.example\"\npublic_key = \"key.pub.pem\"\nstart = \"beginning\"\n[[watch]]\nname = \"later\"\nsan = \"jane@example.com\"\nissuer = \"https://accounts.example.com\"\n");
    let server = site.serve(&FREE_PORT);
    for path in ["findings", "logs", "watches", "registrations"] {
        let answer = json_of(&server.get(&format!("/api/v1/{path}"), &[]));
        let coverage = &answer["coverage"];
        assert_eq!(coverage["complete"], false, "{path}");
        let why = coverage["why"].as_array().unwrap();
        let kinds: Vec<_> = why
            .iter()
            .map(|why| (why["log"].as_str().unwrap(), why["kind"].as_str().unwrap()))
            .collect();
        assert_eq!(
            kinds,
            [
                ("unread", "unread"),
                ("unread", "behind"),
                ("recorded", "gap")
            ],
            "{path}"
        );
    }
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    let cursor = json_of(&server.get("/api/v1/findings?limit=1", &[]))["next"].clone();
    let cursor = cursor.as_str().unwrap();
    for (path, parameter) in [
        ("findings?verdcit=expected".to_owned(), "verdcit"),
        ("findings?verdict=expcted".to_owned(), "verdict"),
        ("findings?severity=loud".to_owned(), "severity"),
        ("findings?severity=low&severity=high".to_owned(), "severity"),
        ("findings?state=gone".to_owned(), "state"),
        ("findings?all=yes".to_owned(), "all"),
        ("findings?all=true&state=open".to_owned(), "all"),
        ("findings?since=yesterday".to_owned(), "since"),
        ("findings?digest=sha256:xyz".to_owned(), "digest"),
        ("findings?san=".to_owned(), "san"),
        ("findings?san=a&identity=b".to_owned(), "identity"),
        ("findings?limit=0".to_owned(), "limit"),
        ("findings?limit=1001".to_owned(), "limit"),
        ("findings?limit=-1".to_owned(), "limit"),
        ("findings?limit=1&limit=2".to_owned(), "limit"),
        ("findings?cursor=".to_owned(), "cursor"),
        ("findings?cursor=AAAA".to_owned(), "cursor"),
        (format!("findings?cursor={}", &cursor[2..]), "cursor"),
        (format!("registrations?cursor={cursor}"), "cursor"),
        (format!("logs?cursor={cursor}"), "cursor"),
        ("status?limit=1".to_owned(), "limit"),
        ("logs/recorded?x".to_owned(), "x"),
        ("watches?watch=a".to_owned(), "watch"),
        ("findings?%3Cscript%3E=1".to_owned(), "<script>"),
    ] {
        let answer = server.get(&format!("/api/v1/{path}"), &[]);
        let problem = problem_of(&answer, 400);
        assert_eq!(problem["parameter"], parameter, "{path}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(parameter), "{path}: {detail}");
    }
    for absent in [
        "findings/abcd",
        "findings/00000000000000000000000000000000",
        "findings/x/history",
        "logs/absent",
        "watches/absent",
        "absent",
    ] {
        problem_of(&server.get(&format!("/api/v1/{absent}"), &[]), 404);
    }
    problem_of(&server.get("/api/v1/logs/%FF", &[]), 400);
    problem_of(&server.post("/api/v1/findings", &[], ""), 405);
    problem_of(
        &server.get("/api/v1/status", &["Host: attacker.example"]),
        421,
    );
    let long = "POST /api/v1/findings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\n";
    problem_of(&server.send(long), 413);
    // Without its database it says so, and does not name the file.
    fs::rename(site.path("modelwatch.db"), site.path("gone.db")).unwrap();
    for path in ["findings", "status", "logs", "registrations"] {
        let problem = problem_of(&server.get(&format!("/api/v1/{path}"), &[]), 503);
        assert!(!problem.to_string().contains("modelwatch.db"));
    }
}

#[test]
fn a_page_of_an_old_configuration_is_not_continued() {
    let site = Site::new(
        "[web]\nlisten = \"127.0.0.1:0\"\n[[watch]]\nname = \"second\"\nsan = \"jane@example.com\"\nissuer = \"https://accounts.example.com\"\n",
    );
    let server = site.serve(&FREE_PORT);
    let first = json_of(&server.get("/api/v1/watches?limit=1", &[]));
    let cursor = first["next"].as_str().unwrap();
    drop(server);
    let text = fs::read_to_string(site.path("modelwatch.toml")).unwrap();
    let name = first["items"][0]["name"].as_str().unwrap();
    fs::write(site.path("modelwatch.toml"), text.replace(name, "renamed")).unwrap();
    let server = site.serve(&FREE_PORT);
    let answer = server.get(&format!("/api/v1/watches?cursor={cursor}"), &[]);
    assert_eq!(problem_of(&answer, 400)["parameter"], "cursor");
}

#[test]
fn an_answer_that_the_client_has_is_not_sent_again() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    for path in [
        "/api/v1/findings",
        "/api/v1/status",
        "/api/v1/logs/recorded",
    ] {
        let answer = server.get(path, &[]);
        let tag = answer.header("etag").unwrap();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        for (known, status) in [
            (tag.to_owned(), 304),
            (format!("W/{tag}"), 304),
            (format!("\"x\", {tag}"), 304),
            ("*".to_owned(), 304),
            ("\"x\"".to_owned(), 200),
            (tag.trim_matches('"').to_owned(), 200),
        ] {
            let again = server.get(path, &[&format!("If-None-Match: {known}")]);
            assert_eq!(again.status, status, "{known}");
            assert_eq!(again.body.is_empty(), status == 304);
            assert_eq!(again.header("etag"), Some(tag));
        }
    }
    let before = server.get("/api/v1/findings", &[]);
    let id = json_of(&before)["items"][0]["id"].clone();
    let acked = site.run(&["findings", "ack", id.as_str().unwrap(), "--reason", "seen"]);
    assert!(acked.status.success());
    let known = format!("If-None-Match: {}", before.header("etag").unwrap());
    assert_eq!(server.get("/api/v1/findings", &[&known]).status, 200);
}

#[test]
fn the_api_needs_the_token_or_the_proxy() {
    let site = Site::new("[web]\ntoken_file = \"token\"");
    fs::write(site.path("token"), "s3cret").unwrap();
    let server = site.serve(&FREE_PORT);
    for path in [
        "/api/v1/findings",
        "/api/v1/status",
        "/api/v1/absent",
        "/api/",
    ] {
        for headers in [
            &[][..],
            &["Accept: text/html"],
            &["Authorization: Bearer x"],
        ] {
            let answer = server.get(path, headers);
            problem_of(&answer, 401);
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    let bearer = "Authorization: Bearer s3cret";
    assert_eq!(server.get("/api/v1/findings", &[bearer]).status, 200);
    fs::remove_file(site.path("token")).unwrap();
    problem_of(&server.get("/api/v1/findings", &[bearer]), 503);
    drop(server);

    site.configure("[web]\ntrusted_proxy = [\"127.0.0.1\"]\nuser_header = \"X-Forwarded-Email\"\nproxy_secret_file = \"token\"");
    fs::write(site.path("token"), "pr0xy").unwrap();
    let server = site.serve(&FREE_PORT);
    problem_of(&server.get("/api/v1/findings", &[]), 403);
    problem_of(
        &server.get("/api/v1/findings", &["X-Forwarded-Email: a@example.com"]),
        403,
    );
    let proxy = [
        "X-Modelwatch-Proxy: pr0xy",
        "X-Forwarded-Email: a@example.com",
    ];
    assert_eq!(server.get("/api/v1/findings", &proxy).status, 200);
}

#[test]
fn hostile_names_are_text_in_a_json_string() {
    let site = Site::new("");
    let hostile = "https://github.com/harbor-ml-example/falcon/</script><script>alert(1)</script>\u{202e}\u{2028}\u{85}\u{9b}\u{7}\"\\\r\nX-Evil: 1";
    let san = json!([{"type": "uri", "value": hostile}]).to_string();
    database::execute(
        &site,
        "UPDATE signer SET san = $1, issuer = $2",
        &[&san, hostile],
    );
    database::execute(
        &site,
        "UPDATE finding SET summary = $1, watch = $1",
        &[hostile],
    );
    let server = site.serve(&FREE_PORT);
    let answer = server.get("/api/v1/findings?limit=2", &[]);
    let page = json_of(&answer);
    let found = &page["items"][0];
    assert_eq!(found["san"][0]["value"], hostile);
    assert_eq!(
        (&found["issuer"], &found["summary"]),
        (&json!(hostile), &json!(hostile))
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("x-evil"), None);
    // The name of the watch is in the cursor.
    let cursor = page["next"].as_str().unwrap();
    assert!(
        cursor
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    );
    let listed = lines_of(&site, &["findings", "list", "--json"]);
    assert_eq!(all_items(&server, "/api/v1/findings", 2), listed);
    let id = found["id"].as_str().unwrap();
    json_of(&server.get(&format!("/api/v1/findings/{id}"), &[]));
}

#[test]
fn long_names_end_a_page_before_its_limit() {
    let site = Site::new("");
    // Five findings or more of a megabyte each.
    let long = "x".repeat(1_000_000);
    database::execute(&site, "UPDATE finding SET summary = $1", &[&long]);
    let count: usize = database::number(
        &site,
        "SELECT count(*) FROM finding WHERE state IN ('open', 'disputed')",
    );
    assert!(count > 5, "{count}");
    let server = site.serve(&FREE_PORT);
    let mut seen = 0;
    let mut next = String::new();
    loop {
        let answer = server.get(&format!("/api/v1/findings?limit=1000{next}"), &[]);
        assert!(answer.body.len() < 6_000_000, "{}", answer.body.len());
        let page = json_of(&answer);
        seen += page["items"].as_array().unwrap().len();
        let Some(cursor) = page["next"].as_str() else {
            break;
        };
        next = format!("&cursor={cursor}");
    }
    assert_eq!(seen, count);
}

#[test]
fn a_hundred_thousand_findings_are_read_page_by_page_while_others_are_written() {
    let site = Site::new("");
    let few: usize = database::number(
        &site,
        "SELECT count(*) FROM finding WHERE state IN ('open', 'disputed')",
    );
    database::copy_findings(&site, 0..100_000);
    let server = site.serve(&FREE_PORT);
    let (mut ids, mut next, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = json_of(&server.get(&format!("/api/v1/findings?limit=1000{next}"), &[]));
        let items = page["items"].as_array().unwrap();
        ids.extend(
            items
                .iter()
                .map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        if pages == 10 {
            // Before and after the place of the cursor.
            database::copy_findings(&site, -5..0);
            database::copy_findings(&site, 100_000..100_005);
        }
        let Some(cursor) = page["next"].as_str() else {
            break;
        };
        next = format!("&cursor={cursor}");
    }
    let read = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), read, "none is repeated");
    assert_eq!(
        read,
        few + 100_000 + 5,
        "none is skipped, and those that come later are read"
    );
    assert_eq!(pages, 101);
}
