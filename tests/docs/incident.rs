//! `docs/incident.md` and `docs/releasing.md`: every command in them is run as written, on the log of the demo, and prints what
//! the page shows, word for word. Only times of the run, ids of messages and commits and the size of a database differ.

use std::path::PathBuf;
use std::process::Command;

use regex::Regex;

use crate::PROGRAM;
use crate::page::{self, Page};

/// What differs with each run, replaced by one word.
fn normalized(text: &str) -> String {
    // Times of the recording are in the form of RFC 3339 with a `T`, or come after `not before`.
    let time = Regex::new(
        r"(?m)^((?:first seen|history|alerted on|recorded| +\d+) .*?|)\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ",
    )
    .unwrap();
    let message = Regex::new(r"\([0-9a-f]{32}\)").unwrap();
    let size = Regex::new(r"\d+ bytes, checked").unwrap();
    let commit = Regex::new(r"\b[0-9a-f]{40}\b").unwrap();
    let text = time.replace_all(text, "${1}TIME");
    let text = message.replace_all(&text, "(ID)");
    let text = size.replace_all(&text, "SIZE, checked");
    commit.replace_all(&text, "COMMIT").into_owned()
}

/// The commands of the page with the text below them.
fn steps(text: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for (language, block) in page::blocks(text) {
        if language != "console" {
            continue;
        }
        for line in block.lines() {
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push((command.to_owned(), String::new())),
                (None, Some((_, output))) => {
                    output.push_str(line);
                    output.push('\n');
                }
                (None, None) => panic!("a block begins with {line}"),
            }
        }
    }
    steps
}

#[cfg(unix)]
#[test]
fn every_command_of_the_incident_prints_what_the_page_shows() {
    run("docs/incident.md");
}

#[cfg(unix)]
#[test]
fn every_command_about_releases_prints_what_the_page_shows() {
    run("docs/releasing.md");
}

/// Runs the commands of a page in a directory of its own.
#[cfg(unix)]
fn run(page: &str) {
    let directory = tempfile::tempdir().unwrap();
    let program = PathBuf::from(PROGRAM);
    let mut path = std::env::join_paths([program.parent().unwrap()]).unwrap();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let steps = steps(&Page::read(page).text);
    assert!(steps.len() >= 12, "only {} commands", steps.len());
    let mut inside = directory.path().to_owned();
    for (command, shown) in steps {
        if let Some(below) = command.strip_prefix("cd ") {
            inside.push(below);
            assert!(inside.is_dir(), "{command}");
            continue;
        }
        let output = Command::new("sh")
            .args(["-c", &command])
            .current_dir(&inside)
            .env_remove("MODELWATCH_CONFIG")
            .env("PATH", &path)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(errors, "", "{command}");
        assert_eq!(normalized(&printed), normalized(&shown), "{command}");
    }
}

#[test]
fn only_what_differs_with_each_run_is_not_compared() {
    for (one, other, same) in [
        (
            "first seen    2026-11-21 07:49:02Z",
            "first seen    2027-01-01 00:00:00Z",
            true,
        ),
        (
            "not before    2026-11-21 07:48:50Z",
            "not before    2027-01-01 00:00:00Z",
            false,
        ),
        ("entry 158 of recorded", "entry 159 of recorded", false),
        (
            "    2  2026-11-21 07:49:02Z  operator",
            "    2  2027-01-01 00:00:00Z  operator",
            true,
        ),
        (
            "    2  2026-11-21 07:49:02Z  operator",
            "    3  2026-11-21 07:49:02Z  operator",
            false,
        ),
        (
            "commit 97b75614c7693ca5260dc801138886159683743f is",
            "commit 20440a71aa07915f2d26b7fc265b41cbc33533fb is",
            true,
        ),
        (
            "a: 1 bytes, checked by opening it",
            "a: 2 bytes, checked by opening it",
            true,
        ),
    ] {
        assert_eq!(normalized(one) == normalized(other), same, "{one}");
    }
}
