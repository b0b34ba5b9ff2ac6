//! Where the server listens, and what it answers to everyone.

use std::fs;
use std::process::Command;

use crate::database;
use crate::site::{FREE_PORT, Server, Site, mode};

/// The headers that no answer may lack, and a part of the value of each.
const STRICT: [(&str, &str); 5] = [
    ("content-security-policy", "frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cache-control", "no-store"),
];

#[test]
fn health_is_answered_without_names_and_every_answer_has_strict_headers() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    for (request, status, body) in [
        ("/healthz", 200, "ok\n"),
        ("/readyz", 200, "ready\n"),
        ("/absent", 404, "there is no such page\n"),
        ("/healthz?x=%00", 200, "ok\n"),
        ("/login", 404, "there is no token to sign in with\n"),
    ] {
        let answer = server.get(request, &[]);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (status, body),
            "{request}"
        );
        for (header, part) in STRICT {
            let value = answer.header(header).unwrap_or_default();
            assert!(value.contains(part), "{request}: {header}: {value}");
        }
    }
    let posted = server.post("/healthz", &[], "");
    assert_eq!(posted.status, 405);
    // A scrape of a HEAD request has the same headers and no body.
    let head =
        server.send("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn only_loopback_names_and_the_base_url_are_answered() {
    let site = Site::new("[web]\nbase_url = \"https://watch.example\"");
    let server = site.serve(&FREE_PORT);
    for (host, status) in [
        ("Host: localhost:8399", 200),
        ("Host: 127.0.0.1", 200),
        ("Host: watch.example", 200),
        ("Host: rebound.attacker.example", 421),
        ("Host: ", 421),
        ("Host: watch.example\r\nHost: localhost", 421),
    ] {
        for path in ["/healthz", "/readyz", "/metrics", "/login", "/absent"] {
            let answer = server.get(path, &[host]);
            let refused = answer.status == 421;
            assert_eq!(refused, status == 421, "{host} {path}: {}", answer.status);
        }
    }
    let absolute = "GET http://attacker.example/metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(server.send(absolute).status, 421);
    let without = "GET /metrics HTTP/1.0\r\n\r\n";
    assert_eq!(server.send(without).status, 421);
}

#[test]
fn a_monitor_whose_last_proven_pass_is_too_old_is_healthy_and_not_ready() {
    let site = Site::new("[web]\nready_max_age = \"2h\"\n");
    // No pass has read this log.
    let log = "[[log]]\nname = \"unread\"\ntype = \"rekor-v2\"\nurl = \"absent\"\norigin = \"absent.example\"\npublic_key = \"key.pub.pem\"\nstart = \"beginning\"\n";
    site.configure(log);
    let server = site.serve(&FREE_PORT);
    assert_eq!(server.get("/healthz", &[]).status, 200);
    let ready = server.get("/readyz", &[]);
    assert_eq!((ready.status, ready.body.as_str()), (503, "not ready\n"));
    let metrics = server.get("/metrics", &[]);
    let unread = "modelwatch_log_last_proven_timestamp_seconds{log=\"unread\"}";
    assert_eq!(metrics.metric(unread), "0.000000");
    // What is unknown is absent.
    assert!(
        !metrics
            .body
            .contains("modelwatch_log_head_size{log=\"unread\"}")
    );
    assert!(!metrics.body.contains("modelwatch_watch_covered_until"));

    // The database goes away while the server runs.
    fs::rename(site.path("modelwatch.db"), site.path("gone.db")).unwrap();
    for path in ["/readyz", "/metrics"] {
        let answer = server.get(path, &[]);
        assert_eq!(answer.status, 503, "{path}");
        assert!(!answer.body.contains("modelwatch.db"), "{}", answer.body);
    }
    server.wait_for("modelwatch.db");
    assert_eq!(server.get("/healthz", &[]).status, 200);
    fs::rename(site.path("gone.db"), site.path("modelwatch.db")).unwrap();
    assert_eq!(server.get("/metrics", &[]).status, 200);
}

#[test]
fn too_long_requests_are_refused() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    let long = "a".repeat(20_000);
    let header = format!("X-Long: {long}");
    let answer = server.get("/healthz", &[&header]);
    assert!([0, 431].contains(&answer.status), "{answer:?}");
    let many = ["X-Many: 1"; 100];
    assert_eq!(server.get("/healthz", &many).status, 431);
    let target = server.get(&format!("/{long}"), &[]);
    assert!([0, 414, 431].contains(&target.status), "{target:?}");
    let body = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\n";
    assert_eq!(server.send(body).status, 413);
    assert_eq!(server.send("SSH-2.0-OpenSSH\r\n\r\n").status, 400);
    assert_eq!(server.get("/healthz", &[]).status, 200);
}

#[test]
fn a_socket_is_for_its_owner_and_group_and_another_server_does_not_take_it() {
    let site = Site::new("[web]\nlisten = \"unix:web.sock\"");
    let socket = site.path("web.sock");
    // What a killed server left.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let serve = site.command(&["serve"]);
    // A umask that would let everyone in.
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "umask 000; exec \"$0\" \"$@\""])
        .arg(serve.get_program())
        .args(serve.get_args());
    let server = Server::start(shell);
    assert_eq!(mode(&socket), 0o660);
    assert_eq!(server.get("/healthz", &[]).status, 200);
    assert_eq!(
        server.get("/healthz", &["Host: attacker.example"]).status,
        421
    );

    let second = site.run(&["serve"]);
    assert_eq!(second.status.code(), Some(3), "{second:?}");
    let reported = String::from_utf8(second.stderr).unwrap();
    assert!(reported.contains("another process does"), "{reported}");
    assert_eq!(server.get("/healthz", &[]).status, 200);

    fs::write(site.path("file"), "kept").unwrap();
    let listen = format!("unix:{}", site.path("file").display());
    let third = site.run(&["serve", "--listen", &listen]);
    assert_eq!(third.status.code(), Some(3), "{third:?}");
    assert_eq!(fs::read_to_string(site.path("file")).unwrap(), "kept");
}

#[test]
fn an_address_for_other_machines_needs_authentication_also_on_the_command_line() {
    let site = Site::new("");
    for (listen, part) in [
        ("0.0.0.0:0", "can be reached from other machines"),
        ("[::]:0", "can be reached from other machines"),
        ("localhost:1", "write an address with a port"),
    ] {
        let refused = site.run(&["serve", "--listen", listen]);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let reported = String::from_utf8(refused.stderr).unwrap();
        assert!(reported.contains(part), "{reported}");
    }
    site.configure("[web]\nlisten = \"0.0.0.0:0\"");
    let refused = site.run(&["serve"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
}

#[test]
fn the_daemon_serves_what_a_reload_changes_and_a_taken_address_does_not_stop_it() {
    let site = Site::new("[web]\nlisten = \"127.0.0.1:0\"");
    let server = site.serve(&["monitor"]);
    assert_eq!(server.get("/metrics", &[]).status, 200);
    assert_eq!(server.get("/readyz", &[]).status, 200);

    let reload = || {
        let id = server.id().to_string();
        let sent = Command::new("kill").args(["-HUP", &id]).status().unwrap();
        assert!(sent.success());
    };
    fs::write(site.path("token"), "s3cret\n").unwrap();
    site.configure("[web]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"token\"");
    reload();
    server.wait_for("the configuration is reloaded");
    assert_eq!(server.get("/metrics", &[]).status, 401);
    assert_eq!(
        server
            .get("/metrics", &["Authorization: Bearer s3cret"])
            .status,
        200
    );

    // Where it listens needs a restart, and the old configuration stays in use.
    site.configure("");
    reload();
    server.wait_for("restart the daemon");
    assert_eq!(server.get("/metrics", &[]).status, 401);
}

#[test]
fn the_pages_of_a_daemon_say_that_the_last_pass_could_record_nothing() {
    let listen = "[web]\nlisten = \"127.0.0.1:0\"";
    let site = Site::new(listen);
    let server = site.serve(&["monitor"]);
    // A reload is followed by a pass at once.
    let pass = |number| {
        site.configure(&format!("{listen}\n# {number}"));
        let id = server.id().to_string();
        let sent = Command::new("kill").args(["-HUP", &id]).status().unwrap();
        assert!(sent.success());
        server.wait_for("the configuration is reloaded");
    };
    let said = "the last pass could record nothing";
    let says = || server.get("/", &[]).body.contains(said);
    assert!(!says());
    // As a full disk does: what is recorded can be read, and nothing can be added.
    database::execute(
        &site,
        "CREATE TRIGGER full BEFORE UPDATE ON tree BEGIN SELECT RAISE(FAIL, 'no space'); END",
        &[],
    );
    pass(1);
    server.wait_for("nothing is recorded");
    assert!(server.get("/", &[]).body.contains(said));
    let health = server.get("/health", &[]).body;
    assert!(health.contains(said), "{health}");
    let list = server.get("/api/v1/findings", &[]).body;
    assert!(
        list.contains("\"complete\":false") && list.contains(said),
        "{list}"
    );

    database::execute(&site, "DROP TRIGGER full", &[]);
    pass(2);
    server.wait_for("entries read; ");
    assert!(!says());
}

#[test]
fn an_address_in_use_is_reported_and_the_daemon_monitors() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let site = Site::new(&format!(
        "[web]\nlisten = \"{listen}\"\n[metrics]\ntextfile = \"m.prom\""
    ));
    let mut daemon = site.command(&["monitor"]);
    daemon
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    let mut daemon = daemon.spawn().unwrap();
    let stderr = std::io::BufReader::new(daemon.stderr.take().unwrap());
    let mut lines = std::io::BufRead::lines(stderr).map_while(Result::ok);
    assert!(
        lines.any(|line| line.contains("nothing is served") && line.contains(&listen.to_string()))
    );
    assert!(lines.any(|line| line.contains("1 of 1 logs proven")));
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

#[test]
fn json_lines_name_pass_log_and_finding() {
    let site = Site::new("");
    // A new database: everything is found again.
    fs::remove_file(site.path("modelwatch.db")).unwrap();
    let ended = site.run(&["-v", "--log-format", "json", "monitor", "--once"]);
    let stderr = String::from_utf8(ended.stderr).unwrap();
    let lines = stderr.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<serde_json::Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let recorded: Vec<&serde_json::Value> = lines
        .iter()
        .filter(|line| {
            line["fields"]["message"]
                .as_str()
                .unwrap()
                .starts_with("a finding is recorded")
        })
        .collect();
    assert!(!recorded.is_empty(), "{stderr}");
    let listed =
        String::from_utf8(site.run(&["findings", "list", "--json", "--all"]).stdout).unwrap();
    for line in recorded {
        let spans = line["spans"].as_array().unwrap();
        let names: Vec<&str> = spans
            .iter()
            .map(|span| span["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["pass", "log", "finding"]);
        assert!(
            spans[0]["pass"]
                .as_str()
                .unwrap()
                .parse::<jiff::Timestamp>()
                .is_ok()
        );
        assert_eq!(spans[1]["log"], "recorded");
        let id = spans[2]["finding"].as_str().unwrap();
        assert!(listed.contains(&format!("\"id\":\"{id}\"")), "{id}");
    }
    // Lines for people do not repeat them.
    fs::remove_file(site.path("modelwatch.db")).unwrap();
    let ended = site.run(&["-v", "monitor", "--once"]);
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(
        stderr.contains("a finding is recorded") && !stderr.contains("log{"),
        "{stderr}"
    );
}
