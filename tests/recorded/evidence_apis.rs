//! Evidence of entries of Rekor v1 and of a CT log: both verifiers, changed bytes, and clocks that are years ahead.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::evidence::{copied, files_of, python, python_command};
use crate::program::{Ended, Program};
use crate::recording::{recording, watches};
use crate::reported::Finding;
use crate::with_apis::Apis;

/// A pass over both logs, and the evidence of one finding of each tree, kind of entry and chain.
struct Written {
    _logs: Apis,
    program: Program,
    directories: Vec<(Finding, PathBuf)>,
}

static WRITTEN: LazyLock<Written> = LazyLock::new(|| {
    let logs = Apis::honest();
    let program = Program::watching(&[], &watches());
    let sections = logs.rekor_v1() + &logs.certificates();
    program.configure(&watches(), &sections);
    program.pass();
    let mut forms = BTreeSet::new();
    let mut directories = Vec::new();
    for finding in program.findings() {
        let form = (
            finding.origin.clone(),
            finding.kind.clone(),
            finding.chain.clone(),
        );
        if finding.index.is_none() || !forms.insert(form) {
            continue;
        }
        let directory = program.file(&format!("evidence-{}", finding.id));
        let written = directory.to_str().unwrap();
        let show = ["findings", "show", &finding.id, "--evidence", written];
        program.run(&show).assert_code(0);
        directories.push((finding, directory));
    }
    let origins: BTreeSet<_> = directories.iter().map(|(f, _)| &f.origin).collect();
    assert_eq!(origins.len(), 3, "two trees of Rekor v1, and a CT log");
    assert!(directories.len() >= 8, "{}", directories.len());
    Written {
        _logs: logs,
        program,
        directories,
    }
});

fn trust() -> [String; 2] {
    let root = recording().join("trusted_root.json");
    [
        "--trusted-root".to_owned(),
        root.to_str().unwrap().to_owned(),
    ]
}

fn verify(directory: &Path) -> Ended {
    let [option, root] = trust();
    let directory = directory.to_str().unwrap();
    let arguments = ["verify-evidence", directory, &option, &root];
    WRITTEN.program.run(&arguments)
}

fn verify_in_python(directory: &Path) -> Option<Ended> {
    let [option, root] = trust();
    python(directory, &[&option, &root])
}

fn is_certificate(finding: &Finding) -> bool {
    finding.log.as_deref() == Some("ct")
}

/// One with a trusted certificate of each tree.
fn whole() -> impl Iterator<Item = &'static (Finding, PathBuf)> {
    let mut origins = BTreeSet::new();
    let trusted = |(finding, _): &&(Finding, PathBuf)| finding.chain.as_deref() == Some("trusted");
    let all = WRITTEN.directories.iter().filter(trusted);
    all.filter(move |(finding, _)| origins.insert(&finding.origin))
}

#[test]
fn the_evidence_of_each_form_of_entry_is_accepted() {
    for (finding, directory) in &WRITTEN.directories {
        let ended = verify(directory);
        assert_eq!(ended.code, 0, "{finding:?}: {}", ended.stdout);
        assert!(ended.stdout.ends_with(" holds\n"), "{}", ended.stdout);
        if let Some(ended) = verify_in_python(directory) {
            // It does not read certificate logs, which is no verdict about one.
            let code = if is_certificate(finding) { 3 } else { 0 };
            let shown = format!("{finding:?}: {}{}", ended.stdout, ended.stderr);
            assert_eq!(ended.code, code, "{shown}");
        }
    }
}

#[test]
fn one_changed_byte_of_any_file_is_refused_and_the_file_is_named() {
    assert_eq!(whole().count(), 3);
    for (finding, directory) in whole() {
        let files = files_of(directory);
        for (name, bytes) in &files {
            for place in [0, bytes.len() / 2, bytes.len() - 1] {
                let mut other = files.clone();
                other.get_mut(name).unwrap()[place] ^= 0x01;
                let (_folder, directory) = copied(&other);
                let in_python = (!is_certificate(finding))
                    .then(|| verify_in_python(&directory))
                    .flatten();
                for ended in [Some(verify(&directory)), in_python].into_iter().flatten() {
                    let shown = format!("byte {place} of {name}: {}", ended.stdout);
                    assert_eq!(ended.code, 1, "{shown}{}", ended.stderr);
                    assert!(ended.stdout.contains(name.as_str()), "{shown}");
                }
            }
        }
    }
}

/// Runs a program whose clock is ten years ahead of the recording. It needs Debian's `faketime`.
fn in_2036(command: &mut Command) -> Ended {
    let output = command
        .env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketimeMT.so.1")
        .env("FAKETIME", "@2036-11-21 12:00:00")
        .env("TZ", "UTC")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("NO_FAKE_STAT", "1")
        .output()
        .unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn evidence_holds_also_ten_years_later() {
    let date = in_2036(Command::new("date").arg("+%Y"));
    assert_eq!(date.stdout.trim(), "2036", "{}", date.stderr);
    for (finding, directory) in whole() {
        let mut program = Command::new(env!("CARGO_BIN_EXE_modelwatch"));
        program.arg("verify-evidence").arg(directory);
        let in_python = python_command(directory).filter(|_| !is_certificate(finding));
        for mut command in [Some(program), in_python].into_iter().flatten() {
            let ended = in_2036(command.args(trust()));
            let shown = format!("{finding:?}: {}{}", ended.stdout, ended.stderr);
            assert_eq!(ended.code, 0, "{shown}");
        }
    }
}
