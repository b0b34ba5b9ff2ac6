//! Thousands of signings under a watched identity in one pass, each an alert of its own, on every kind of channel.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use regex::Regex;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::big_log;
use crate::program::{Program, section};
use crate::server::{Answer, Request, Server};

/// How many signings, unless this variable says it.
const FINDINGS: u64 = 5_000;
const VARIABLE: &str = "MODELWATCH_TEST_FLOOD";

/// Leaves that one transaction holds at least, except for the last: a full bundle (C2SP tlog-tiles).
const BUNDLE: u64 = 256;

/// Alerts that are sent one by one; more become a digest.
const ONE_BY_ONE: u64 = 20;

/// What a pass may need, whatever the number of its findings. An optimized build needs a third of it for 100,000.
const MEMORY_LIMIT_KIB: u64 = 400 * 1024;

/// The channels that work.
const WORKING: [&str; 6] = ["slack", "teams", "discord", "pagerduty", "issues", "hook"];

/// What the services have received.
#[derive(Default)]
struct Received {
    /// For each channel, how many findings each accepted message is about.
    totals: Mutex<BTreeMap<String, Vec<u64>>>,
    /// The process that sends, and the most memory that it has had.
    sender: AtomicU32,
    peak_kib: AtomicU64,
}

impl Received {
    /// A service that accepts what fits into its published limits.
    fn answer(&self, request: &Request) -> Answer {
        let (_, body) = request.head.split_once("\r\n\r\n").unwrap_or_default();
        let (path, _) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let path = path.trim_start_matches('/');
        let (service, rest) = path.split_once('/').unwrap_or((path, ""));
        let json: Value = serde_json::from_str(body).unwrap_or_default();
        let is_sent = request.head.starts_with("POST");
        match service {
            "limited" => return Answer::status(429).with("Retry-After: 3600"),
            "issues" if !is_sent => return of_github(rest),
            _ => {}
        }
        if !is_sent || !fits(service, body, &json) {
            return Answer::status(400);
        }
        let mut totals = self.totals.lock().unwrap();
        let of_channel = totals.entry(service.to_owned()).or_default();
        of_channel.push(total(body));
        self.measure();
        match service {
            "issues" => Answer::Reply(201, Vec::new(), issue(of_channel.len(), &json)),
            _ => Answer::ok(""),
        }
    }

    /// A process is alive while it waits for an answer.
    fn measure(&self) {
        let sender = self.sender.load(Ordering::Relaxed);
        let status = fs::read_to_string(format!("/proc/{sender}/status")).unwrap_or_default();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|line| line.split_whitespace().next()?.parse().ok());
        self.peak_kib
            .fetch_max(peak.unwrap_or(0), Ordering::Relaxed);
    }

    fn of(&self, channel: &str) -> Vec<u64> {
        let totals = self.totals.lock().unwrap();
        totals.get(channel).cloned().unwrap_or_default()
    }
}

fn length(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.chars().count())
}

/// Whether a message keeps the limits of its service.
fn fits(service: &str, body: &str, json: &Value) -> bool {
    match service {
        "slack" => {
            let blocks = json["blocks"].as_array().map(Vec::as_slice);
            let blocks = blocks.unwrap_or_default();
            let longest = blocks
                .iter()
                .map(|block| length(&block["text"]["text"]))
                .max();
            (1..=40_000).contains(&length(&json["text"]))
                && blocks.len() <= 50
                && longest <= Some(3_000)
        }
        "teams" => body.len() <= 28 * 1024 && json["type"] == "message",
        "discord" => {
            let embed = &json["embeds"][0];
            let (title, description) = (length(&embed["title"]), length(&embed["description"]));
            length(&json["content"]) <= 2_000 && title <= 256 && (1..=4_096).contains(&description)
        }
        "pagerduty" => {
            body.len() <= 512 * 1024
                && (1..=255).contains(&length(&json["dedup_key"]))
                && (1..=1_024).contains(&length(&json["payload"]["summary"]))
        }
        "issues" => {
            (1..=256).contains(&length(&json["title"]))
                && (1..=65_536).contains(&length(&json["body"]))
        }
        // The findings of a line are at most 4 MiB.
        _ => body.len() <= 5 * 1024 * 1024 && json["findings"].is_array(),
    }
}

/// How many findings a message says that it is about.
fn total(body: &str) -> u64 {
    let number = Regex::new(r#""total":(\d+)|digest: (\d+) findings?"#).unwrap();
    let Some(found) = number.captures(body) else {
        // An alert: each of them is about one signing here.
        return 1;
    };
    let number = found.get(1).or_else(|| found.get(2)).unwrap();
    number.as_str().parse().unwrap()
}

/// What GitHub answers about a private repository without issues.
fn of_github(path: &str) -> Answer {
    let answer = match path {
        "user" => json!({ "id": 7, "login": "watcher" }),
        "repos/harbor/alarms" => json!({ "private": true, "has_issues": true }),
        "repos/harbor/alarms/issues" => json!([]),
        _ => return Answer::status(404),
    };
    Answer::ok(answer.to_string())
}

fn issue(number: usize, sent: &Value) -> Vec<u8> {
    let labels = sent["labels"].as_array().into_iter().flatten();
    let labels: Vec<Value> = labels.map(|name| json!({ "name": name })).collect();
    let issue = json!({
        "number": number, "state": "open", "body": sent["body"], "user": { "id": 7 }, "labels": labels,
    });
    issue.to_string().into_bytes()
}

/// As many signings by one certificate, each of another digest.
fn leaves(count: u64) -> Vec<Vec<u8>> {
    let recorded = include_str!("../data/entries/rekor-v2.jsonl");
    let recorded: Value = serde_json::from_str(recorded.lines().next().unwrap()).unwrap();
    let leaf = recorded["leaf"].as_str().unwrap();
    let digest = Regex::new(r#""digest":"[^"]{8}"#).unwrap();
    let numbered = |number| {
        let digest = digest.replace(leaf, format!(r#""digest":"{number:08}"#));
        digest.into_owned().into_bytes()
    };
    (0..count).map(numbered).collect()
}

fn channels(server: &Server) -> String {
    let channel = |name: &str, kind: &str, settings: Value| {
        let mut channel = json!({ "name": name, "type": kind, "allow_private": ["127.0.0.1"] });
        let settings = settings.as_object().unwrap().clone();
        channel.as_object_mut().unwrap().extend(settings);
        section("[[channel]]", &channel)
    };
    let webhook = |name: &str, url: &str| {
        let settings = json!({ "url": url, "secret_file": "secret" });
        channel(name, "webhook", settings)
    };
    let pager =
        json!({ "url": server.url("pagerduty/v2/enqueue").as_str(), "routing_key_file": "secret" });
    let issues = json!({
        "repository": "harbor/alarms", "api": server.url("issues").as_str(), "token_file": "secret",
    });
    [
        channel("slack", "slack", json!({ "url_file": "slack" })),
        channel("teams", "teams", json!({ "url_file": "teams" })),
        channel("discord", "discord", json!({ "url_file": "discord" })),
        channel("pagerduty", "pagerduty", pager),
        channel("issues", "github-issue", issues),
        webhook("hook", server.url("hook").as_str()),
        webhook("limited", server.url("limited").as_str()),
        // Nothing listens at the port of tcpmux: the connection is refused.
        webhook("dead", "http://127.0.0.1:1/"),
    ]
    .concat()
}

#[test]
fn a_flood_of_signings_is_a_few_messages_that_say_how_many_on_every_channel_that_works() {
    let findings = std::env::var(VARIABLE).map_or(FINDINGS, |number| number.parse().unwrap());
    let runtime = Runtime::new().unwrap();
    let received = Arc::new(Received::default());
    let answering = Arc::clone(&received);
    let server = runtime.block_on(Server::start(move |request| answering.answer(request)));

    let program = Program::new(&[]);
    let log = big_log::write(&program.file("big"), &leaves(findings), findings).unwrap();
    for kind in ["slack", "teams", "discord"] {
        fs::write(program.file(kind), server.url(kind).as_str()).unwrap();
    }
    fs::write(program.file("secret"), "0123456789abcdef0123456789abcdef").unwrap();
    let configuration = format!(
        "[store]\nurl = \"sqlite:modelwatch.db\"\n\n[[log]]\nname = \"big\"\ntype = \"rekor-v2\"\nurl = {:?}\norigin = {:?}\n\
         public_key = {:?}\nstart = \"beginning\"\n\n[[watch]]\nname = \"all\"\nsan_glob = \"https://gitlab.com/tiny-labs-example/*\"\n\n{}",
        log.directory,
        big_log::ORIGIN,
        log.public_key,
        channels(&server)
    );
    fs::write(program.file("modelwatch.toml"), configuration).unwrap();

    // A single pass waits 30 s for its channels at most; on a slow machine the next one sends the rest.
    let mut passes = 0;
    while WORKING
        .iter()
        .any(|channel| received.of(channel).iter().sum::<u64>() < findings)
    {
        passes += 1;
        assert!(passes <= 10, "{:?}", received.totals);
        let mut pass = Command::new(env!("CARGO_BIN_EXE_modelwatch"))
            .args(["monitor", "--once", "--config"])
            .arg(program.file("modelwatch.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(program.file("stderr")).unwrap())
            .spawn()
            .unwrap();
        received.sender.store(pass.id(), Ordering::Relaxed);
        let ended = pass.wait().unwrap();
        let stderr = fs::read_to_string(program.file("stderr")).unwrap();
        assert_eq!(ended.code(), Some(1), "{stderr}");
    }

    // A look at the outbox sends what is due: one digest, or a few single alerts. Each transaction can make it due again.
    let most = findings / BUNDLE + ONE_BY_ONE * passes;
    for channel in WORKING {
        let totals = received.of(channel);
        let (messages, told) = (totals.len() as u64, totals.iter().sum::<u64>());
        assert!(
            messages <= most,
            "{channel}: {messages} of {most}: {totals:?}"
        );
        // Each channel that fails may be a finding, too.
        assert!(
            (findings..=findings + 2).contains(&told),
            "{channel}: {told}: {totals:?}"
        );
        println!("{channel}: {messages} messages about {told} findings: {totals:?}");
    }
    let peak = received.peak_kib.load(Ordering::Relaxed);
    println!("{passes} passes, {} MiB", peak / 1024);
    assert!(peak < MEMORY_LIMIT_KIB, "{peak} KiB");
    // What the others could not take waits for them.
    let status = program.run(&["status", "--json"]);
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    assert!(status["alerts"]["pending"].as_u64() >= Some(2), "{status}");
}
