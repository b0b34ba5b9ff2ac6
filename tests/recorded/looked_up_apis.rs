//! `lookup` over the recorded Rekor v1 log and the recorded CT log of RFC 6962, compared with naive readers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use crate::certificate_bytes::{name, number, sized, take};
use crate::looked_up::{Entries, commits, entries, lines, lookup, text};
use crate::program::Program;
use crate::recording::{watch, with_apis};
use crate::server::{Answer, Request};
use crate::with_apis::{Apis, Content, decoded};

/// A watch for every name.
fn everything() -> Value {
    json!({"name": "everything", "san_glob": ["*/*", "*@*", "*.*", "*!*"]})
}

/// What was sent to the Rekor v1 log, read by field names alone.
fn naive() -> Vec<Value> {
    let of = |tree: &str| {
        let text = fs::read_to_string(with_apis().join(format!("truth/{tree}.jsonl"))).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect::<Vec<Value>>()
    };
    [of("v1a"), of("v1b")].concat()
}

/// The values of one kind, with the entries that have them.
fn by_value(values: impl Fn(&Value) -> Vec<String>) -> BTreeMap<String, Entries> {
    let mut all: BTreeMap<String, Entries> = BTreeMap::new();
    for line in naive() {
        let index = line["index"].as_u64().unwrap();
        for value in values(&line) {
            let entries = all.entry(value).or_default();
            entries.insert(("v1".to_owned(), index));
        }
    }
    all
}

/// The names of the signer in lower case: a watch compares them without regard to case.
fn names(line: &Value) -> Vec<String> {
    let name = text(&line["san"]["value"]);
    name.iter().map(|name| name.to_ascii_lowercase()).collect()
}

/// What was signed: a blob, or the statement in an envelope.
fn digests(line: &Value) -> Vec<String> {
    let values = [text(&line["digest"]), text(&line["payload_sha256"])];
    values.concat()
}

fn is_named(line: &Value) -> bool {
    !line["san"].is_null()
}

/// Those that several entries have, and each so manieth of the others.
fn chosen(
    values: BTreeMap<String, Entries>,
    step: usize,
) -> impl Iterator<Item = (String, Entries)> {
    values
        .into_iter()
        .enumerate()
        .filter(move |(place, (_, entries))| {
            place % step == 0 || (entries.len() > 1 && place % (step / 3) == 0)
        })
        .map(|(_, of)| of)
}

#[test]
fn an_entry_of_rekor_v1_is_found_by_each_of_its_values_and_by_nothing_else() {
    let logs = Apis::honest();
    let program = Program::watching(&[], &[everything()]);
    program.configure(&[everything()], &logs.rekor_v1());
    program.pass();
    let named = |values: fn(&Value) -> Vec<String>| {
        by_value(move |line| {
            if is_named(line) {
                values(line)
            } else {
                Vec::new()
            }
        })
    };
    let ids = |field: &'static str| {
        by_value(move |line| {
            if is_named(line) {
                text(&line[field])
            } else {
                Vec::new()
            }
        })
    };
    let kinds: [(&str, BTreeMap<String, Entries>); 6] = [
        ("--identity", named(names)),
        ("--digest", named(digests)),
        ("--certificate", ids("certificate_sha256")),
        ("--uuid", ids("uuid")),
        ("--uuid", ids("leaf")),
        ("--commit", named(commits)),
    ];
    let leaves: BTreeMap<u64, String> = naive()
        .iter()
        .map(|line| {
            (
                line["index"].as_u64().unwrap(),
                text(&line["leaf"]).concat(),
            )
        })
        .collect();
    for (option, values) in kinds {
        assert!(values.len() > 20, "{option}: {}", values.len());
        for (value, expected) in chosen(values, 60) {
            if option == "--commit" && !matches!(value.len(), 40 | 64) {
                continue;
            }
            let ended = lookup(&program, &[option, &value]);
            let (signings, unproven, coverage) = lines(&ended);
            assert_eq!(entries(&signings), expected, "{option} {value}");
            assert_eq!(unproven, [Value::Null; 0], "{option} {value}");
            ended.assert_code(0);
            for signing in &signings {
                let index = signing["index"].as_u64().unwrap();
                assert_eq!(signing["leaf_hash"], leaves[&index].as_str());
                assert_eq!(signing["findings"][0]["watch"], "everything");
            }
            // Only of a name this watch selects everything.
            let is_complete = option == "--identity";
            assert_eq!(coverage["complete"], is_complete, "{option}: {coverage}");
        }
    }
    let nobody = lookup(&program, &["--identity", "nobody@example.com"]);
    nobody.assert_code(1);
    assert_eq!(lines(&nobody).2["complete"], true);
}

#[test]
fn a_scan_of_rekor_v1_reads_both_trees_and_proves_that_there_is_no_more() {
    let logs = Apis::honest();
    let program = Program::watching(&[], &[watch("nobody")]);
    program.configure(&[watch("nobody")], &logs.rekor_v1());
    program.pass().assert_code(0);
    let most = |values: BTreeMap<String, Entries>| {
        values.into_iter().max_by_key(|(_, e)| e.len()).unwrap()
    };
    let in_both = |values: BTreeMap<String, Entries>| {
        let content = Content::recorded();
        let older = content.older() as u64;
        let found = values.into_iter().find(|(_, entries)| {
            let trees: BTreeSet<bool> = entries.iter().map(|(_, index)| *index < older).collect();
            trees.len() == 2
        });
        found.unwrap()
    };
    let whole_commits = |line: &Value| {
        let all = commits(line).into_iter();
        all.filter(|commit| commit.len() == 40).collect()
    };
    let questions = [
        ("--identity", most(by_value(names))),
        ("--identity", in_both(by_value(names))),
        ("--digest", most(by_value(digests))),
        ("--commit", most(by_value(whole_commits))),
        ("--key", most(by_value(|line| text(&line["spki_sha256"])))),
        (
            "--certificate",
            most(by_value(|line| text(&line["certificate_sha256"]))),
        ),
        ("--uuid", most(by_value(|line| text(&line["uuid"])))),
    ];
    for (option, (value, expected)) in questions {
        lookup(&program, &[option, &value]).assert_code(3);
        let ended = lookup(&program, &[option, &value, "--scan"]);
        let (signings, unproven, coverage) = lines(&ended);
        assert_eq!(entries(&signings), expected, "{option} {value}");
        assert_eq!(unproven, [Value::Null; 0]);
        ended.assert_code(0);
        assert_eq!(coverage["complete"], true, "{option} {value}: {coverage}");
        let findings = signings.iter().map(|signing| &signing["findings"]);
        assert!(findings.eq(std::iter::repeat_n(&json!([]), signings.len())));
    }
    let nobody = lookup(&program, &["--identity", "nobody@example.com", "--scan"]);
    nobody.assert_code(1);
    let scanned = |tree: usize| lines(&nobody).2["logs"][tree]["scanned"].clone();
    let content = Content::recorded();
    assert_eq!(scanned(0), json!([0, content.older()]));
    assert_eq!(scanned(1), json!([content.older(), content.entries.len()]));
}

#[test]
fn the_time_of_an_entry_is_the_one_that_rekor_v1_signed_and_no_other() {
    const DAY: i64 = 24 * 60 * 60;
    let watched = json!({
        "name": "falcon", "san_glob": ["https://github.com/harbor-ml-example/falcon/*"],
    });
    let question = [
        "--identity-glob",
        "https://github.com/harbor-ml-example/falcon/*",
    ];
    let changed = |_: &Request, answer: Option<Value>| {
        let mut answer = answer?;
        for entry in answer.as_array_mut().into_iter().flatten() {
            for entry in entry
                .as_object_mut()
                .into_iter()
                .flat_map(|e| e.values_mut())
            {
                entry["integratedTime"] = json!(entry["integratedTime"].as_i64().unwrap() + DAY);
            }
        }
        Some(Answer::ok(answer.to_string()))
    };
    let content = Content::recorded();
    for (logs, is_honest) in [(Apis::honest(), true), (Apis::lying(changed), false)] {
        let program = Program::watching(&[], &[]);
        program.configure(std::slice::from_ref(&watched), &logs.rekor_v1());
        program.pass();
        for more in [&[][..], &["--scan"]] {
            let ask = |times: &[&str]| {
                let ended = lookup(&program, &[&question[..], more, times].concat());
                lines(&ended).0
            };
            let signings = ask(&[]);
            assert!(signings.len() > 20, "{}", signings.len());
            let time = |value: &Value| value.as_str()?.parse::<jiff::Timestamp>().ok();
            for signing in &signings {
                let place = usize::try_from(signing["index"].as_u64().unwrap()).unwrap();
                let (_, entry) = &content.entries[place];
                let integrated = entry["integratedTime"].as_i64().unwrap();
                let is_trusted = signing["chain"] == "trusted";
                let issued = time(&signing["not_before"]).filter(|_| is_trusted);
                let expected = if is_honest {
                    jiff::Timestamp::from_second(integrated).ok()
                } else {
                    issued
                };
                assert_eq!(time(&signing["time"]), expected, "{more:?}: {signing}");
            }
            // The times that are asked for are compared with that one.
            let mut times: Vec<_> = signings.iter().filter_map(|s| time(&s["time"])).collect();
            times.sort_unstable();
            let middle = times[times.len() / 2].to_string();
            let before = |signing: &&Value| {
                time(&signing["time"]).is_none_or(|t| t < times[times.len() / 2])
            };
            let expected: Vec<Value> = signings.iter().filter(before).cloned().collect();
            assert!(!expected.is_empty() && expected.len() < signings.len());
            assert_eq!(ask(&["--until", &middle]), expected, "{more:?}");
        }
    }
}

/// The time in milliseconds of Unix time and the certificate of an entry (RFC 6962 section 3.4, `MerkleTreeLeaf`).
fn certificate(entry: &Value) -> (i64, Vec<u8>) {
    let leaf = decoded(&entry["leaf_input"]);
    let mut rest = &leaf[2..];
    let logged_at = i64::try_from(number(take(&mut rest, 8))).unwrap();
    if number(take(&mut rest, 2)) == 1 {
        take(&mut rest, 32);
    }
    (logged_at, sized(&mut rest, 3).to_vec())
}

#[test]
fn a_lookup_in_a_log_of_rfc_6962_finds_the_certificates_that_a_naive_reader_finds() {
    let logs = Apis::honest();
    let watched = watch("falcon-release");
    let program = Program::watching(&[], std::slice::from_ref(&watched));
    program.configure(std::slice::from_ref(&watched), &logs.certificates());
    program.pass();
    let mut by_name: BTreeMap<String, Vec<(u64, i64)>> = BTreeMap::new();
    let content = Content::recorded();
    for (index, entry) in (0..).zip(&content.certificates) {
        let (logged_at, certificate) = certificate(entry);
        if let Some(name) = name(&certificate) {
            let of_name = by_name.entry(name.to_owned()).or_default();
            of_name.push((index, logged_at));
        }
    }
    assert!(by_name.len() > 300, "{}", by_name.len());
    let release =
        "https://github.com/harbor-ml-example/falcon/.github/workflows/release.yml@refs/tags/";
    let is_watched = |name: &str| name.starts_with(release);
    assert!(by_name.keys().any(|name| is_watched(name)));
    let found = |arguments: &[&str]| {
        let ended = lookup(&program, arguments);
        let (signings, unproven, coverage) = lines(&ended);
        assert_eq!(unproven, [Value::Null; 0]);
        let found: Vec<(u64, i64)> = signings
            .iter()
            .map(|line| {
                let shown: jiff::Timestamp = line["time"].as_str().unwrap().parse().unwrap();
                (line["index"].as_u64().unwrap(), shown.as_millisecond())
            })
            .collect();
        (found, ended.code, coverage)
    };
    for (name, expected) in by_name.iter().filter(|(name, _)| is_watched(name)) {
        let (shown, code, _) = found(&["--identity", name]);
        assert_eq!((&shown, code), (expected, 0), "{name}");
    }
    let others = by_name.iter().filter(|(name, _)| !is_watched(name));
    for (name, expected) in others.step_by(90) {
        // What no watch selects is in the log alone.
        assert_eq!(found(&["--identity", name]).1, 3);
        let (shown, code, coverage) = found(&["--identity", name, "--scan"]);
        assert_eq!((&shown, code), (expected, 0), "{name}");
        assert_eq!(coverage["complete"], true, "{name}: {coverage}");
    }
    let (_, code, coverage) = found(&["--identity", "nobody@example.com", "--scan"]);
    assert_eq!((code, &coverage["complete"]), (1, &json!(true)));
    assert_eq!(
        coverage["logs"][0]["scanned"],
        json!([0, content.certificates.len()])
    );
}
