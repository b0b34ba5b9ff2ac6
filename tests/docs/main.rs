//! The documents are right: their links lead to existing pages, their commands are valid, and the first real watch of
//! the README can be set up exactly as described.

#![expect(
    clippy::unwrap_used,
    reason = "a document that cannot be read is a failure of the test"
)]

mod blind;
mod incident;
mod page;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use modelwatch::finding::{Class, FaultKind, State, Verdict};
use page::{Call, Page, calls, pages};
use regex::Regex;

const PROGRAM: &str = env!("CARGO_BIN_EXE_modelwatch");

/// Runs the program without a configuration, so that only the command line can be right or wrong.
fn run(args: &[String], directory: &Path) -> Output {
    Command::new(PROGRAM)
        .args(args)
        .current_dir(directory)
        .env_remove("MODELWATCH_CONFIG")
        .output()
        .unwrap()
}

/// The parser's complaint about a call.
fn complaint(call: &Call, directory: &Path) -> Option<String> {
    let reported = String::from_utf8(run(&call.args, directory).stderr).unwrap();
    let is_refused = reported.contains("For more information, try '--help'");
    let is_only_named = !call.is_whole && reported.contains("arguments were not provided");
    (is_refused && !is_only_named).then_some(reported)
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_exist() {
    let mut broken = Vec::new();
    for page in pages() {
        for link in page.links() {
            if let Err(why) = page.follow(&link) {
                broken.push(format!("{}: {link}: {why}", page.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_page_links_to_the_glossary() {
    let glossary = Path::new("docs/glossary.md");
    for page in pages() {
        // The READMEs of the crates are their documentation, too: a relative link would break there.
        if page.path == glossary || page.path.starts_with("crates") {
            continue;
        }
        let folder = page.path.parent().unwrap();
        let target = |link: &String| match link.strip_prefix("../") {
            Some(link) => Path::new(link).to_owned(),
            None => folder.join(link.split('#').next().unwrap_or(link)),
        };
        assert!(
            page.links().iter().any(|link| target(link) == glossary),
            "{} has no link to {}",
            page.path.display(),
            glossary.display()
        );
    }
}

#[test]
fn every_term_of_the_glossary_has_a_definition_and_a_link() {
    let text = Page::read("docs/glossary.md").text;
    let terms: Vec<_> = text.split("\n### ").skip(1).collect();
    assert!(terms.len() > 30, "only {} terms", terms.len());
    let definition =
        Regex::new(r"(?s)^[^\n]+\n\n[A-Z].*[.)]\s.*[.)]\s+\[[^\]]+\]\([^)]+\)").unwrap();
    for term in terms {
        assert!(definition.is_match(term), "{term}");
    }
}

#[test]
fn a_link_to_nothing_is_seen() {
    let page = Page::read("README.md");
    for (link, why) in [
        ("docs/absent.md", "no such file"),
        ("docs/findings.md#absent", "no such heading"),
        ("#absent", "no such heading"),
    ] {
        assert_eq!(page.follow(link).unwrap_err(), why, "{link}");
    }
    for link in [
        "docs/findings.md#root-mismatch",
        "deploy/",
        "https://example.com",
    ] {
        assert_eq!(page.follow(link), Ok(()), "{link}");
    }
}

#[test]
fn every_command_is_one_that_the_program_understands() {
    let directory = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let mut known = BTreeSet::new();
    for page in pages() {
        for call in calls(&page.text) {
            if known.insert(call.clone())
                && let Some(reported) = complaint(&call, directory.path())
            {
                wrong.push(format!(
                    "{}: modelwatch {}: {reported}",
                    page.path.display(),
                    call.args.join(" ")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A change of the way in which they are written must not hide them from this test.
    assert!(known.len() > 20, "only {known:?}");
}

#[test]
fn a_command_that_the_program_does_not_understand_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    for (text, understood) in [
        ("`modelwatch status --max-age 2h`", true),
        ("`modelwatch status --max-age soon`", false),
        ("`modelwatch findings ack ID`", true),
        ("```sh\nmodelwatch findings ack ID\n```", false),
        ("`modelwatch findings ack --every`", false),
        (
            "```sh\ncd x && modelwatch statos 2>>log || y # z\n```",
            false,
        ),
        (
            "```sh\ncd x && modelwatch status 2>>log || y # z\n```",
            true,
        ),
        ("```console\n$ modelwatch expect add\n```", false),
    ] {
        let calls = calls(text);
        let [call] = calls.as_slice() else {
            panic!("{text}: {calls:?}")
        };
        assert_eq!(
            complaint(call, directory.path()).is_none(),
            understood,
            "{text}"
        );
    }
    // Neither prose, nor the output of another program, is a command.
    assert!(calls("modelwatch reads\n```text\nmodelwatch is ready\n```").is_empty());
}

#[test]
fn every_verdict_and_fault_is_explained_under_its_class() {
    let findings = Page::read("docs/findings.md");
    let (security, health) = findings.text.split_once("\n# Health\n").unwrap();
    let headings = |text: &str, level: &str| -> Vec<String> {
        let heading = Regex::new(&format!("(?m)^{level} `([a-z-]+)`$")).unwrap();
        let found = heading.captures_iter(text);
        found.map(|found| found[1].to_owned()).collect()
    };
    for (text, class) in [(security, Class::Security), (health, Class::Health)] {
        let explained: BTreeSet<_> = headings(text, "##").into_iter().collect();
        let of_class: BTreeSet<_> = Verdict::ALL
            .into_iter()
            .filter(|verdict| verdict.class() == class)
            .map(|verdict| verdict.as_str().to_owned())
            .collect();
        assert_eq!(explained, of_class);
    }
    let mut kinds = headings(security, "###");
    kinds.sort_unstable();
    assert_eq!(kinds, FaultKind::ALL.map(FaultKind::as_str));
    for state in State::ALL {
        assert!(security.contains(&format!("\n| `{state}` | ")), "{state}");
    }
}

#[test]
fn every_way_of_going_blind_stands_in_one_table() {
    let operations = Page::read("docs/operations.md").text;
    let (_, chapter) = operations
        .split_once("\n## Every way of going blind\n")
        .unwrap();
    let (chapter, _) = chapter.split_once("\n## ").unwrap();
    let row = Regex::new(
        r"(?m)^\| \[`([a-z-]+)`\]\(findings\.md#([a-z-]+)\) \| [^|]+ \| [^|]+ \| [^|]+ \|$",
    )
    .unwrap();
    let mut listed = Vec::new();
    for found in row.captures_iter(chapter) {
        assert_eq!(found[1], found[2]);
        listed.push(found[1].to_owned());
    }
    listed.sort_unstable();
    let mut health: Vec<_> = Verdict::ALL
        .into_iter()
        .filter(|verdict| verdict.class() == Class::Health)
        .map(|verdict| verdict.as_str().to_owned())
        .collect();
    health.sort_unstable();
    assert_eq!(listed, health);
}

#[test]
fn the_limits_are_those_of_the_code() {
    const KIB: usize = 1024;
    let operations = Page::read("docs/operations.md").text;
    for (what, limit) in [
        (
            "checkpoint",
            format!("{} KiB", tlog::checkpoint::MAX_CHECKPOINT_BYTES / KIB),
        ),
        (
            "signings in one entry",
            thousands(modelwatch::entry::MAX_SIGNINGS),
        ),
        (
            "names in one certificate",
            thousands(modelwatch::identity::MAX_NAMES),
        ),
        (
            "a file of bundles",
            format!(
                "{} MiB",
                model_signing::bundle::MAX_BUNDLE_BYTES / KIB / KIB
            ),
        ),
        (
            "bundles in one file",
            thousands(model_signing::bundle::MAX_COLLECTED),
        ),
    ] {
        let row = format!("| {what} | {limit} |");
        assert!(operations.contains(&row), "docs/operations.md lacks {row}");
    }
}

fn thousands(number: usize) -> String {
    if number < 1000 {
        return number.to_string();
    }
    format!("{},{:03}", number / 1000, number % 1000)
}

#[test]
fn the_demo_prints_what_the_readme_shows() {
    trycmd::TestCases::new().case("README.md");
}

#[test]
fn every_field_of_the_json_is_documented_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let print = |args: &[&str]| -> serde_json::Value {
        let args: Vec<_> = args.iter().map(|&arg| arg.to_owned()).collect();
        let output = run(&args, directory.path()).stdout;
        serde_json::from_slice(&output).unwrap()
    };
    let kept = ["demo", "--keep", "harbor"].map(str::to_owned);
    assert!(run(&kept, directory.path()).status.success());
    let config = ["--config", "harbor/modelwatch.toml"];
    let finding = print(&[&config[..], &["findings", "list", "--json", "--limit", "1"]].concat());
    let status = print(&[&config[..], &["status", "--json"]].concat());

    let json = Page::read("docs/json.md").text;
    let (before, rest) = json.split_once("\n## A registration\n").unwrap();
    let (of_finding, of_lookup) = before.split_once("\n## The answers of lookup\n").unwrap();
    let who = finding["san"][0]["value"].as_str().unwrap();
    let lookup = [&config[..], &["lookup", "--json", "--identity", who]].concat();
    let lookup: Vec<String> = lookup.iter().map(|&arg| arg.to_owned()).collect();
    let lines = String::from_utf8(run(&lookup, directory.path()).stdout).unwrap();
    let mut lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let signing: serde_json::Value = lines.next().unwrap();
    let coverage: serde_json::Value = lines.next_back().unwrap();
    let mut in_lookup = fields(&signing, "");
    in_lookup.extend(fields(&coverage["logs"][0], ""));
    assert_eq!(rows(of_lookup), in_lookup);
    let (of_registration, rest) = rest.split_once("\n## The status\n").unwrap();
    let (of_status, of_version) = rest.split_once("\n## The version\n").unwrap();
    assert_eq!(rows(of_finding), fields(&finding, ""));
    let registration = print(&[&config[..], &["expect", "list", "--json"]].concat());
    assert_eq!(rows(of_registration), fields(&registration, ""));
    let mut in_status = fields(&status, "");
    in_status.extend(fields(&status["logs"][0], "logs[]."));
    in_status.extend(fields(&status["watches"][0], "watches[]."));
    assert_eq!(rows(of_status), in_status);
    let version = print(&["version", "--json"]);
    assert_eq!(rows(of_version), fields(&version, ""));
}

/// The first cells of the rows of a table.
fn rows(text: &str) -> BTreeSet<String> {
    let row = Regex::new(r"(?m)^\| `([^`]+)` \|").unwrap();
    row.captures_iter(text)
        .map(|row| row[1].to_owned())
        .collect()
}

fn fields(value: &serde_json::Value, prefix: &str) -> BTreeSet<String> {
    let object = value.as_object().unwrap();
    object.keys().map(|key| format!("{prefix}{key}")).collect()
}

/// The log of the demo replaces Sigstore's; everything else is executed as written, by a shell.
#[cfg(unix)]
#[test]
fn the_first_watch_of_the_readme_can_be_set_up_by_following_it() {
    let readme = Page::read("README.md");
    let (_, chapter) = readme.text.split_once("\n## The first real watch").unwrap();
    let (chapter, _) = chapter.split_once("\n## ").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let kept = ["demo", "--keep", "harbor"].map(str::to_owned);
    assert!(run(&kept, directory.path()).status.success());
    fs::rename(at("harbor/falcon-7b.model.sig"), at("model.sig")).unwrap();

    let mut path = std::env::join_paths([Path::new(PROGRAM).parent().unwrap()]).unwrap();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut done = Vec::new();
    for line in page::blocks(chapter)
        .iter()
        .filter(|(language, _)| *language == "sh")
        .flat_map(|(_, block)| block.lines())
        .filter(|line| line.starts_with("modelwatch "))
    {
        let output = Command::new("sh")
            .args(["-c", &line.replace("NAME", "falcon")])
            .current_dir(directory.path())
            .env_remove("MODELWATCH_CONFIG")
            .env("PATH", &path)
            .output()
            .unwrap();
        // The log contains signings that are not registered: a pass reports them, and nothing else.
        let expected = i32::from(line.starts_with("modelwatch monitor"));
        assert_eq!(output.status.code(), Some(expected), "{line}: {output:?}");
        done.push(
            line.split_whitespace()
                .nth(1)
                .unwrap_or_default()
                .to_owned(),
        );
        if line.starts_with("modelwatch init") {
            let written = fs::read_to_string(at("modelwatch.toml")).unwrap();
            fs::write(at("modelwatch.toml"), aimed_at_the_demo(&written)).unwrap();
        }
        if line.starts_with("modelwatch drill") {
            let sent = String::from_utf8(output.stdout).unwrap();
            assert!(
                sent.contains("[DRILL]") && sent.contains("\nPassed.\n"),
                "{sent}"
            );
        } else if line == "modelwatch findings list" {
            let list = String::from_utf8(output.stdout).unwrap();
            assert!(list.contains("identity-unexpected"), "{list}");
            // The registered one.
            assert!(!list.contains(" 157  "), "{list}");
        }
    }
    assert_eq!(
        done,
        [
            "init", "monitor", "drill", "expect", "check", "monitor", "status", "findings"
        ]
    );
}

/// What `init` wrote, with the log of the demo in place of Sigstore's.
fn aimed_at_the_demo(written: &str) -> String {
    let (before, rest) = written.split_once("[[log]]").unwrap();
    let (_, watches) = rest.split_once("# The signers to look for").unwrap();
    let public = "tuf = \"public-good\"";
    assert!(before.contains(public), "{written}");
    let before = before.replace(public, "trusted_root = \"harbor/trusted_root.json\"");
    let log = "[[log]]\ntype = \"rekor-v2\"\nurl = \"harbor/log\"\norigin = \"log2026-1.harbor.example\"\nstart = \"beginning\"";
    format!("{before}{log}\n\n# Whose signings are looked for{watches}")
}
