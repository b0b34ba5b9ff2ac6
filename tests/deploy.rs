//! Every command and flag in the files of `deploy/` exists in the binary. `tests/deploy/check` checks everything else
//! there.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use regex::Regex;

const FILES: [&str; 8] = [
    "modelwatch.service",
    "Containerfile",
    "github-workflow.yml",
    "laptop.md",
    "cron.md",
    "systemd.md",
    "container.md",
    "github.md",
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of this file")
}

/// The subcommands and flags behind each mention of the program as code: by its path, or in backticks.
fn calls(text: &str) -> BTreeSet<Vec<String>> {
    // `["modelwatch", "status"]` as a shell would have it; what an option is given is not a command.
    let text = text.replace("\", \"", " ");
    let text = regex(r"--config (\S+)").replace_all(&text, "--config");
    let call = regex(r"(?m)[/`]modelwatch((?: +(?:--[a-z][a-z-]*|[a-z][a-z-]*))+)");
    let mut calls: BTreeSet<Vec<String>> = call
        .captures_iter(&text)
        .map(|found| found[1].split_whitespace().map(str::to_owned).collect())
        // Options alone belong to the command to which the path was given.
        .filter(|call: &Vec<String>| call.iter().any(|word| !word.starts_with('-')))
        .collect();
    // The workflow collects the flags of `monitor` in a variable.
    let flags = regex(r"(?m)\bflags\+?=\(([^)]*)\)");
    calls.extend(flags.captures_iter(&text).map(|found| {
        let words = ["monitor"].into_iter().chain(found[1].split_whitespace());
        words.map(str::to_owned).collect()
    }));
    calls
}

/// The error in a call, according to the `--help` of a command (`None`: there is no such command).
fn wrong(call: &[String], help: impl Fn(&[&str]) -> Option<String>) -> Option<String> {
    let mut command: Vec<&str> = Vec::new();
    let mut page = help(&command)?;
    for word in call.iter().filter(|word| !word.starts_with('-')) {
        if !regex(&format!(r"(?m)^  {word}(\s|$)")).is_match(&page) {
            break;
        }
        command.push(word);
        match help(&command) {
            Some(found) => page = found,
            None => return Some(format!("no help for {command:?}")),
        }
    }
    if command.is_empty() {
        return Some(format!("no command in {call:?}"));
    }
    call.iter()
        .filter(|word| word.starts_with('-'))
        .find(|flag| {
            !page
                .split([' ', ',', '\n', '='])
                .any(|word| word == flag.as_str())
        })
        .map(|flag| format!("`modelwatch {}` has no {flag}", command.join(" ")))
}

#[test]
fn every_command_that_deploy_calls_exists() {
    let help = |command: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_modelwatch"))
            .args(command)
            .arg("--help")
            .output()
            .expect("the binary of this package runs");
        done.status
            .success()
            .then(|| String::from_utf8_lossy(&done.stdout).into_owned())
    };
    for file in FILES {
        let calls = calls(&read(&format!("deploy/{file}")));
        assert!(!calls.is_empty(), "deploy/{file} calls nothing");
        let problems: Vec<_> = calls.iter().filter_map(|call| wrong(call, help)).collect();
        assert!(problems.is_empty(), "deploy/{file}: {problems:#?}");
    }
}

#[test]
fn a_call_of_something_else_is_noticed() {
    let help = |command: &[&str]| match command {
        [] => Some(
            "Commands:\n  monitor  Follow the logs\n  findings\n\nOptions:\n      --config <FILE>"
                .to_owned(),
        ),
        ["monitor"] => Some("Options:\n      --once\n      --config <FILE>  x".to_owned()),
        ["findings"] => Some("Commands:\n  list  List".to_owned()),
        ["findings", "list"] => Some("Options:\n      --json\n  -v, --verbose".to_owned()),
        _ => None,
    };
    let found = |text: &str| {
        let calls = calls(text);
        assert_eq!(calls.len(), 1, "{text}: {calls:?}");
        calls.iter().find_map(|call| wrong(call, help))
    };
    let right = [
        "ExecStart=/usr/local/bin/modelwatch --config /etc/modelwatch/modelwatch.toml monitor",
        "CMD [\"/usr/local/bin/modelwatch\", \"monitor\", \"--once\"]",
        "~/modelwatch/bin/modelwatch findings list --json --verbose | jq .",
        "or `modelwatch findings list` for people",
        "flags+=(--once)",
    ];
    for text in right {
        assert_eq!(found(text), None, "{text}");
    }
    let wrong = [
        "`modelwatch watch-all`",
        "`modelwatch monitor --twice`",
        "/bin/modelwatch monitor --on",
        "`modelwatch findings list --json --limit 50`",
        "flags=(--bootstrap)",
    ];
    for text in wrong {
        assert!(found(text).is_some(), "{text}");
    }
}

#[test]
fn the_man_page_is_installed_where_the_unit_names_it() {
    let unit = read("deploy/modelwatch.service");
    assert!(unit.contains("\nDocumentation=man:modelwatch(1)\n"));
    let page = read("deploy/systemd.md");
    // Section 1 on the usual path of `man`.
    assert!(page.contains("modelwatch man /usr/local/share/man/man1"));
    let pages = tempfile::tempdir().expect("a directory");
    let done = Command::new(env!("CARGO_BIN_EXE_modelwatch"))
        .arg("man")
        .arg(pages.path())
        .status()
        .expect("the binary of this package runs");
    assert!(done.success() && pages.path().join("modelwatch.1").is_file());
}

#[test]
fn a_reload_is_the_signal_that_the_program_takes() {
    let unit = read("deploy/modelwatch.service");
    assert!(unit.contains("\nExecReload=/bin/kill -HUP $MAINPID\n"));
}

#[test]
fn the_container_is_built_with_the_toolchain_of_the_repository() {
    let channel = regex(r#"channel = "([^"]+)""#);
    let toolchain = read("rust-toolchain.toml");
    let version = &channel.captures(&toolchain).expect("a channel")[1];
    assert!(
        read("deploy/Containerfile").contains(&format!("/rust:{version}-")),
        "rust {version}"
    );
}
