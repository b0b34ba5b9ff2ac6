//! `lookup` over the recording, compared with a naive reader of what was sent to the logs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use crate::folder::LogFolder;
use crate::program::{Ended, Log, Program};
use crate::recording::{recording, size, tampered, truth, watch};

const LOGS: [&str; 2] = ["v2a", "v2b"];

/// Places of entries: the log, and the index over all its trees.
pub type Entries = BTreeSet<(String, u64)>;

/// The signings, the entries that are not proven, and the coverage.
pub fn lines(ended: &Ended) -> (Vec<Value>, Vec<Value>, Value) {
    let mut lines: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    let coverage = lines.pop().unwrap_or_else(|| panic!("{}", ended.stderr));
    assert_eq!(coverage["type"], "coverage", "{}", ended.stdout);
    let (signings, unproven) = lines
        .into_iter()
        .partition(|line| line["type"] == "signing");
    (signings, unproven, coverage)
}

pub fn entries(lines: &[Value]) -> Entries {
    let place = |line: &Value| {
        let log = line["log"].as_str().unwrap_or_else(|| panic!("{line}"));
        (log.to_owned(), line["index"].as_u64().unwrap())
    };
    lines.iter().map(place).collect()
}

pub fn lookup(program: &Program, arguments: &[&str]) -> Ended {
    program.run(&[&["lookup", "--json"], arguments].concat())
}

/// One line of the truth, read by field names alone.
fn naive() -> Vec<(String, Value)> {
    let of = |log: &str| {
        let text = fs::read_to_string(recording().join(format!("truth/{log}.jsonl"))).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines
            .map(|line| (log.to_owned(), line))
            .collect::<Vec<(String, Value)>>()
    };
    LOGS.iter().flat_map(|log| of(log)).collect()
}

/// The values of one kind, with the entries that have them.
fn by_value(values: impl Fn(&Value) -> Vec<String>) -> BTreeMap<String, Entries> {
    let mut all: BTreeMap<String, Entries> = BTreeMap::new();
    for (log, line) in naive() {
        let index = line["index"].as_u64().unwrap();
        for value in values(&line) {
            let entries = all.entry(value).or_default();
            entries.insert((log.clone(), index));
        }
    }
    all
}

pub fn text(value: &Value) -> Vec<String> {
    value.as_str().map(str::to_owned).into_iter().collect()
}

/// The commits: the digests of source, workflow and build, and the one of old certificates.
pub fn commits(line: &Value) -> Vec<String> {
    let all = ["13", "10", "19", "3"].map(|number| text(&line["ext"][number]));
    let all: BTreeSet<String> = all.into_iter().flatten().collect();
    all.into_iter().collect()
}

/// Every value of a kind, except that of the many alike entries only each tenth is looked up.
fn chosen(values: BTreeMap<String, Entries>) -> impl Iterator<Item = (String, Entries)> {
    values
        .into_iter()
        .enumerate()
        .filter(|(place, (_, entries))| place % 40 == 0 || (entries.len() > 1 && place % 10 == 0))
        .map(|(_, of)| of)
}

#[test]
fn an_entry_is_found_by_each_of_its_values_and_by_nothing_else() {
    let everything = json!({"name": "everything", "san_glob": ["*/*", "*@*", "*.*", "*!*"]});
    let program = Program::watching(&LOGS.map(Log::recorded), &[everything]);
    program.pass();
    // A watch for names selects no bare key.
    let by_name = |line: &Value| line["chain"] != "none" && !line["san"].is_null();
    let named = |field: &'static str| {
        by_value(move |line| {
            if by_name(line) {
                text(&line[field])
            } else {
                Vec::new()
            }
        })
    };
    let folded = |line: &Value| {
        let name = text(&line["san"]["value"]);
        name.iter().map(|name| name.to_ascii_lowercase()).collect()
    };
    let kinds: [(&str, BTreeMap<String, Entries>); 5] = [
        (
            "--identity",
            by_value(|line| {
                if by_name(line) {
                    folded(line)
                } else {
                    Vec::new()
                }
            }),
        ),
        ("--digest", named("digest")),
        ("--certificate", named("certificate_sha256")),
        ("--uuid", named("leaf")),
        (
            "--commit",
            by_value(|line| {
                if by_name(line) {
                    commits(line)
                } else {
                    Vec::new()
                }
            }),
        ),
    ];
    let truth: BTreeMap<(String, u64), String> = naive()
        .into_iter()
        .map(|(log, line)| {
            (
                (log, line["index"].as_u64().unwrap()),
                text(&line["leaf"]).concat(),
            )
        })
        .collect();
    for (option, values) in kinds {
        assert!(values.len() > 20, "{option}: {}", values.len());
        for (value, expected) in chosen(values) {
            if option == "--commit" && !matches!(value.len(), 40 | 64) {
                continue;
            }
            let ended = lookup(&program, &[option, &value]);
            let (signings, unproven, coverage) = lines(&ended);
            assert_eq!(entries(&signings), expected, "{option} {value}");
            assert_eq!(unproven, [Value::Null; 0], "{option} {value}");
            ended.assert_code(0);
            for signing in &signings {
                let place = (
                    text(&signing["log"]).concat(),
                    signing["index"].as_u64().unwrap(),
                );
                assert_eq!(signing["leaf_hash"], truth[&place].as_str());
                assert_eq!(signing["findings"][0]["watch"], "everything");
            }
            // Only of a name this watch selects everything.
            assert_eq!(
                coverage["complete"],
                option == "--identity",
                "{option}: {coverage}"
            );
        }
    }
    for (option, value) in [
        ("--identity", "nobody@example.com"),
        ("--identity-glob", "https://github.com/nobody/*"),
    ] {
        let ended = lookup(&program, &[option, value]);
        ended.assert_code(1);
        assert_eq!(lines(&ended).2["complete"], true);
    }
    let unknown = lookup(&program, &["--digest", &"ab".repeat(32)]);
    unknown.assert_code(3);
    assert!(unknown.stdout.contains("not-in-log"), "{}", unknown.stdout);
}

#[test]
fn a_scan_finds_what_no_watch_selects_and_proves_that_there_is_no_more() {
    let program = Program::watching(&LOGS.map(Log::recorded), &[watch("nobody")]);
    program.pass().assert_code(0);
    let before = program.run(&["status", "--json"]).stdout;
    let first = |values: BTreeMap<String, Entries>| {
        values.into_iter().max_by_key(|(_, e)| e.len()).unwrap()
    };
    let keys = by_value(|line| {
        if line["chain"] == "none" {
            text(&line["spki_sha256"])
        } else {
            Vec::new()
        }
    });
    let questions = [
        (
            "--identity",
            first(by_value(|line| text(&line["san"]["value"]))),
        ),
        ("--digest", first(by_value(|line| text(&line["digest"])))),
        (
            "--commit",
            first(by_value(|line| {
                commits(line)
                    .into_iter()
                    .filter(|c| c.len() == 40)
                    .collect()
            })),
        ),
        ("--uuid", first(by_value(|line| text(&line["leaf"])))),
    ];
    let questions = questions
        .into_iter()
        .chain(keys.into_iter().take(1).map(|key| ("--key", key)));
    for (option, (value, expected)) in questions {
        lookup(&program, &[option, &value]).assert_code(3);
        let ended = lookup(&program, &[option, &value, "--scan"]);
        let (signings, unproven, coverage) = lines(&ended);
        assert_eq!(entries(&signings), expected, "{option} {value}");
        assert_eq!(unproven, [Value::Null; 0]);
        ended.assert_code(0);
        assert_eq!(coverage["complete"], true, "{coverage}");
        assert!(
            signings
                .iter()
                .all(|signing| signing["source"] == "scan" && signing["findings"] == json!([]))
        );
        let read = [json!([0, size("v2a")]), json!([0, size("v2b")])];
        assert_eq!(
            [
                &coverage["logs"][0]["scanned"],
                &coverage["logs"][1]["scanned"]
            ],
            [&read[0], &read[1]]
        );
        assert!(
            ended.stderr.contains("reading 2400 entries of v2b, about"),
            "{}",
            ended.stderr
        );
    }
    let nobody = lookup(&program, &["--identity", "nobody@example.com", "--scan"]);
    nobody.assert_code(1);
    // Nothing of the monitor has changed, and no file is left.
    assert_eq!(program.run(&["status", "--json"]).stdout, before);
    let left = fs::read_dir(program.file(".")).unwrap();
    let mut left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!left.any(|name| name.contains(".lookup-")));
}

#[test]
fn one_entry_a_limit_and_a_time_are_respected() {
    let program = Program::watching(&LOGS.map(Log::recorded), &[watch("falcon-release")]);
    program.pass();
    let ended = lookup(&program, &["--index", "v2b:158", "--scan"]);
    ended.assert_code(0);
    let (signings, _, coverage) = lines(&ended);
    assert_eq!(entries(&signings), [("v2b".to_owned(), 158)].into());
    assert_eq!(coverage["complete"], true, "{coverage}");
    assert_eq!(coverage["logs"][0]["scanned"], json!([0, 256]));
    assert_eq!(signings[0]["findings"][0]["watch"], "falcon-release");
    lookup(&program, &["--index", "v2b:999999", "--scan"]).assert_code(1);
    lookup(&program, &["--index", "elsewhere:1"]).assert_code(2);
    let all = [
        "--identity-glob",
        "https://github.com/harbor-ml-example/falcon/*",
    ];
    let of = |more: &[&str]| {
        let ended = lookup(&program, &[&all[..], &["--scan"], more].concat());
        let (signings, _, coverage) = lines(&ended);
        (entries(&signings), coverage)
    };
    let (whole, _) = of(&[]);
    let (cut, coverage) = of(&["--limit", "3"]);
    assert!(cut.len() == 3 && cut.is_subset(&whole));
    assert!(
        coverage["why"]
            .as_array()
            .unwrap()
            .iter()
            .any(|why| why["kind"] == "limit")
    );
    // In the future of the recording: what has no trusted time is never left out.
    let (late, coverage) = of(&["--until", "2001-01-01"]);
    let timeless: Entries = naive()
        .into_iter()
        .filter(|(_, line)| line["chain"] != "fulcio")
        .map(|(log, line)| (log, line["index"].as_u64().unwrap()))
        .collect();
    assert!(!late.is_empty() && late.is_subset(&timeless), "{late:?}");
    assert_eq!(coverage["complete"], true, "{coverage}");
    // Of those, only certificates that were issued long before are left out.
    let (since, _) = of(&["--since", "2026-11-21"]);
    let expired: Entries = naive()
        .into_iter()
        .filter(|(_, line)| line["label"] == "expired-certificate")
        .map(|(log, line)| (log, line["index"].as_u64().unwrap()))
        .collect();
    assert_eq!(since, whole.difference(&expired).cloned().collect());
}

#[test]
fn a_bundle_and_its_model_are_found_by_their_signing() {
    let program = Program::watching(&LOGS.map(Log::recorded), &[watch("falcon-release")]);
    program.pass();
    let bundle = recording().join("bundles/falcon-7b--release-v2b.sig");
    let bundle = bundle.to_str().unwrap();
    let ended = lookup(&program, &["--bundle", bundle]);
    ended.assert_code(0);
    let (signings, ..) = lines(&ended);
    assert_eq!(entries(&signings), [("v2b".to_owned(), 157)].into());
    assert_eq!(signings[0]["registered"], Value::Null);
    let model = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/harbor/models/falcon-7b"
    );
    let unknown = lookup(&program, &["--model", model]);
    unknown.assert_code(3);
    let (none, _, coverage) = lines(&unknown);
    assert_eq!(none.len(), 0);
    assert!(
        coverage["why"]
            .as_array()
            .unwrap()
            .iter()
            .any(|why| why["kind"] == "not-in-log")
    );
    program.run(&["expect", "add", bundle]).assert_code(0);
    for more in [&[][..], &["--scan"]] {
        let ended = lookup(&program, &[&["--model", model], more].concat());
        ended.assert_code(0);
        let (signings, ..) = lines(&ended);
        assert!(
            entries(&signings).contains(&("v2b".to_owned(), 157)),
            "{}",
            ended.stdout
        );
        assert_eq!(signings[0]["matched"], "payload");
        let registered = signings
            .iter()
            .find(|signing| signing["index"] == 157)
            .unwrap();
        assert_eq!(registered["registered"], "operator");
    }
}

#[test]
fn the_evidence_of_each_signing_that_is_shown_holds_for_a_third_party() {
    let program = Program::watching(&LOGS.map(Log::recorded), &[watch("falcon-release")]);
    program.pass();
    let root = recording().join("trusted_root.json");
    let verify = |directory: &str| {
        let trusted = ["--trusted-root", root.to_str().unwrap()];
        program.run(&[&["verify-evidence", directory], &trusted[..]].concat())
    };
    let falcon = "https://github.com/harbor-ml-example/falcon/*";
    // What the passes kept, and with a scan also what no watch selects: that is fetched.
    for (folder, more, is_more) in [("kept", &[][..], false), ("read", &["--scan"], true)] {
        let folder = program.file(folder);
        let written = folder.to_str().unwrap();
        let arguments = ["--identity-glob", falcon, "--evidence", written];
        let ended = lookup(&program, &[&arguments, more].concat());
        ended.assert_code(0);
        let (signings, ..) = lines(&ended);
        assert!((3..=100).contains(&signings.len()), "{}", signings.len());
        let unwatched = signings.iter().any(|line| line["findings"] == json!([]));
        assert_eq!(unwatched, is_more);
        assert!(
            ended.stderr.contains(&format!(
                "{written}: the evidence of {} signings",
                signings.len()
            )),
            "{}",
            ended.stderr
        );
        let names = fs::read_dir(&folder).unwrap();
        let names: BTreeSet<_> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(names.len(), signings.len());
        for signing in &signings {
            let name = format!("{}-{}", text(&signing["log"]).concat(), signing["index"]);
            assert!(names.contains(&name), "{name}");
            let directory = folder.join(&name);
            verify(directory.to_str().unwrap()).assert_code(0);
            let line = fs::read(directory.join("finding.json")).unwrap();
            assert_eq!(&serde_json::from_slice::<Value>(&line).unwrap(), signing);
        }
        // It is not written over, and a changed leaf is found.
        lookup(&program, &[&arguments, more].concat()).assert_code(2);
        let changed = folder.join(names.first().unwrap());
        let mut leaf = fs::read(changed.join("leaf")).unwrap();
        leaf[7] ^= 1;
        fs::write(changed.join("leaf"), leaf).unwrap();
        verify(changed.to_str().unwrap()).assert_code(1);
    }
    // Of many, only the first hundred, and that is no clean answer.
    let many = program.file("many");
    let arguments = ["--identity-glob", "*", "--scan", "--limit", "102"];
    let ended = lookup(
        &program,
        &[&arguments[..], &["--evidence", many.to_str().unwrap()]].concat(),
    );
    ended.assert_code(3);
    assert_eq!(fs::read_dir(many).unwrap().count(), 100);
    assert!(
        ended
            .stderr
            .contains("the evidence of 2 more signings is not written"),
        "{}",
        ended.stderr
    );
}

#[test]
fn no_log_that_lies_gives_a_false_signing_or_a_false_completeness() {
    let honest: BTreeMap<u64, String> = truth("v2b")
        .into_iter()
        .map(|entry| (entry.index, entry.leaf_hash))
        .collect();
    let question = [
        "--identity-glob",
        "https://github.com/harbor-ml-example/falcon/*",
    ];
    for (name, case) in tampered() {
        let folder = LogFolder::new();
        let log = Log::recorded("v2b").in_folder(&folder.path());
        let program = Program::watching(&[log], &[watch("falcon-release")]);
        if case.first.is_some() || case.first_overlay.is_some() {
            match (case.first, &case.first_overlay) {
                (Some(at), _) if at < size("v2b") => folder.publish_at("v2b", at),
                (_, Some(earlier)) => folder.tamper(earlier),
                _ => folder.publish("v2b"),
            }
            program.pass();
        }
        folder.tamper(&name);
        program.pass();
        for more in [&[][..], &["--scan"]] {
            let ended = lookup(&program, &[&question[..], more].concat());
            let (signings, _, coverage) = lines(&ended);
            if case.expect != "none" {
                assert_ne!(coverage["complete"], true, "{name} {more:?}");
                for signing in &signings {
                    let index = signing["index"].as_u64().unwrap();
                    let hash = signing["leaf_hash"].as_str().unwrap();
                    assert_eq!(
                        honest.get(&index).map(String::as_str),
                        Some(hash),
                        "{name} {more:?}"
                    );
                }
            }
        }
    }
}
