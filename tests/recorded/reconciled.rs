//! `reconcile` over the recording: exactly what was sent without a bundle is a discrepancy, and nothing that lies agrees.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::folder::LogFolder;
use crate::program::{Ended, Log, Program};
use crate::recording::{END, hits_by, own_bundles, recording, tampered, truth, watch};

const LOGS: [&str; 2] = ["v2a", "v2b"];

/// The lines of an answer, the summary apart.
fn lines(ended: &Ended) -> (Vec<Value>, Value) {
    let mut lines: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    let summary = lines.pop().unwrap_or_else(|| panic!("{}", ended.stderr));
    assert_eq!(summary["type"], "summary", "{}", ended.stdout);
    (lines, summary)
}

#[track_caller]
fn reconcile(program: &Program, code: i32, arguments: &[&str]) -> (Vec<Value>, Value) {
    let ended = program.run(&[&["reconcile", "--json"], arguments].concat());
    ended.assert_code(code);
    lines(&ended)
}

fn of_kind<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

/// The entries of these lines, by log and index.
fn entries<'a>(lines: impl IntoIterator<Item = &'a Value>) -> BTreeSet<(String, u64)> {
    lines
        .into_iter()
        .map(|line| {
            let entry = &line["entry"];
            let log = entry["log"].as_str().unwrap_or_else(|| panic!("{line}"));
            (log.to_owned(), entry["index"].as_u64().unwrap())
        })
        .collect()
}

fn agreed(lines: &[Value]) -> Vec<&Value> {
    lines
        .iter()
        .filter(|line| line["type"] == "agreed")
        .collect()
}

fn bundle(name: &str) -> PathBuf {
    recording().join("bundles").join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A program over both logs, read to their ends.
fn read(watches: &[&str]) -> Program {
    let watches: Vec<Value> = watches.iter().map(|name| watch(name)).collect();
    let program = Program::watching(&LOGS.map(Log::recorded), &watches);
    program.pass();
    program
}

const V2B: &str = "falcon-7b--release-v2b.sig";
const MAIL: &str = "kestrel-small--mail-v2a.sig";
const STRANGER: &str = "kestrel-small--same-model-other-identity.sig";

#[test]
fn what_is_logged_without_a_bundle_is_exactly_what_was_sent_without_one() {
    let program = Program::new(&LOGS.map(Log::recorded));
    program.pass().assert_code(1);
    let own = own_bundles();
    let own: Vec<&str> = own.iter().map(|path| text(path)).collect();
    let (lines, summary) = reconcile(&program, 1, &[&own[..], &["--no-models"]].concat());
    let judged = hits_by(&LOGS, &(0..END), |entry| &entry.with_bundles);
    let place = |hit: &crate::recording::Hit| (hit.log.clone(), hit.index);
    let expected: BTreeSet<_> = judged
        .iter()
        .filter(|hit| hit.verdict == "expected")
        .map(place)
        .collect();
    let others: BTreeSet<_> = judged
        .iter()
        .filter(|hit| hit.verdict != "expected")
        .map(place)
        .collect();
    assert_eq!(entries(agreed(&lines)), expected);
    assert_eq!(entries(of_kind(&lines, "signing-without-bundle")), others);
    assert_eq!(
        summary,
        json!({
            "type": "summary",
            "agreed": own.len(),
            "discrepancies": others.len(),
            "unanswered": 0,
            "not_logged": 0,
        })
    );
}

#[test]
fn the_attacks_of_the_recording_are_signings_without_a_bundle() {
    let program = read(&["falcon-scope"]);
    let release = bundle(V2B);
    let (lines, _) = reconcile(&program, 1, &[text(&release), "--no-models"]);
    let found = of_kind(&lines, "signing-without-bundle");
    let of_label = |label: &str| {
        let entry = truth("v2b").into_iter().find(|entry| entry.label == label);
        let index = entry.unwrap_or_else(|| panic!("no {label}")).index;
        let line = found.iter().find(|line| {
            line["entry"]["log"] == "v2b" && line["entry"]["index"].as_u64() == Some(index)
        });
        line.unwrap_or_else(|| panic!("{label}"))["summary"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for label in ["stolen-identity-changed-model", "second-workflow"] {
        let summary = of_label(label);
        assert!(!summary.contains("no trusted authority"), "{summary}");
    }
    let impostor = of_label("impostor-self-signed");
    assert!(
        impostor.contains("no trusted authority issued"),
        "{impostor}"
    );
}

#[test]
fn a_time_or_a_watch_leaves_out_the_other_signings_but_none_without_a_time() {
    let program = read(&["falcon-scope", "release-mail"]);
    let release = bundle(V2B);
    let release = text(&release);
    let (lines, _) = reconcile(
        &program,
        1,
        &[release, "--watch", "release-mail", "--no-models"],
    );
    let mails = entries(of_kind(&lines, "signing-without-bundle"));
    let (lines, _) = reconcile(&program, 1, &[release, "--no-models"]);
    let all = entries(of_kind(&lines, "signing-without-bundle"));
    assert!(
        mails.len() < all.len() && mails.is_subset(&all),
        "{mails:?}"
    );
    let (lines, _) = reconcile(
        &program,
        1,
        &[release, "--no-models", "--since", "2099-01-01"],
    );
    let timeless = entries(of_kind(&lines, "signing-without-bundle"));
    assert!(timeless.is_subset(&all) && timeless.len() < all.len());
    let impostor = truth("v2b")
        .into_iter()
        .find(|e| e.label == "impostor-self-signed");
    assert!(timeless.contains(&("v2b".to_owned(), impostor.unwrap().index)));
    let (lines, _) = reconcile(
        &program,
        1,
        &[release, "--no-models", "--until", "2001-01-01"],
    );
    assert_eq!(entries(of_kind(&lines, "signing-without-bundle")), timeless);
}

#[test]
fn no_log_that_lies_makes_a_bundle_agree() {
    let honest = ["none"];
    let bundles = [
        bundle(V2B),
        bundle("falcon-7b--stolen-identity-changed-model.sig"),
    ];
    for (name, case) in tampered() {
        let folder = LogFolder::new();
        let log = Log::recorded("v2b").in_folder(&folder.path());
        let program = Program::watching(&[log], &[watch("falcon-release")]);
        let mut proven = 0;
        if case.first.is_some() || case.first_overlay.is_some() {
            match (case.first, &case.first_overlay) {
                (Some(at), _) if at < crate::recording::size("v2b") => folder.publish_at("v2b", at),
                (_, Some(earlier)) => folder.tamper(earlier),
                _ => folder.publish("v2b"),
            }
            program.pass();
            proven = program.status("v2b").proven.unwrap_or(0);
        }
        folder.tamper(&name);
        program.pass();
        let is_faulty = !program.faults().is_empty();
        let paths = bundles.each_ref().map(|path| text(path));
        let ended = program.run(&[&["reconcile", "--json", "--no-models"], &paths[..]].concat());
        let (lines, summary) = lines(&ended);
        for line in agreed(&lines) {
            let index = line["entry"]["index"].as_u64().unwrap();
            // What was proven before stays true, unless the log contradicts itself.
            let is_true = honest.contains(&case.expect.as_str())
                || (!is_faulty && index < proven.max(program.status("v2b").proven.unwrap_or(0)));
            assert!(is_true, "{name}: {line}");
        }
        if case.expect != "none" {
            assert_ne!(ended.code, 0, "{name}");
            assert_ne!(summary["unanswered"], 0, "{name}: {}", ended.stdout);
        }
    }
}

#[test]
fn a_bundle_of_a_log_that_is_not_followed_or_not_read_so_far_is_unanswered() {
    let release = bundle(V2B);
    let program = Program::watching(&[Log::recorded("v2a")], &[watch("falcon-release")]);
    program.pass();
    let (lines, _) = reconcile(&program, 1, &[text(&release), "--no-models"]);
    assert_eq!(of_kind(&lines, "log-not-followed").len(), 1);
    let folder = LogFolder::new();
    folder.publish_at("v2b", 140);
    let log = Log::recorded("v2b").in_folder(&folder.path());
    let program = Program::watching(&[log], &[watch("nobody")]);
    program.pass().assert_code(0);
    let (lines, summary) = reconcile(&program, 3, &[text(&release), "--no-models"]);
    assert_eq!(
        entries(of_kind(&lines, "unread")),
        [("v2b".to_owned(), 157)].into()
    );
    assert_eq!(summary["agreed"], 0);
}

#[test]
fn a_log_that_was_not_read_is_unanswered_even_if_nothing_disagrees() {
    let program = Program::watching(&LOGS.map(Log::recorded), &[watch("nobody")]);
    let release = bundle(V2B);
    // There is no database yet.
    program
        .run(&["reconcile", "--json", text(&release)])
        .assert_code(3);
    program.run(&["monitor", "--once", "--log", "v2a"]);
    let (lines, _) = reconcile(&program, 3, &[text(&release), "--no-models"]);
    let unread = of_kind(&lines, "unread");
    assert!(
        unread.iter().any(|line| line["bundle"].is_null()),
        "{unread:?}"
    );
}

#[test]
fn a_bundle_of_an_unwatched_identity_never_agrees() {
    let program = read(&["falcon-release", "release-mail"]);
    let (mail, stranger) = (bundle(MAIL), bundle(STRANGER));
    let owl = bundle("owl-embed--other-repo.sig");
    let paths = [&mail, &stranger, &owl].map(|path| text(path));
    let (lines, _) = reconcile(&program, 1, &[&paths[..], &["--no-models"]].concat());
    let by_bundle = |path: &Path| {
        let line = lines.iter().find(|line| line["bundle"] == text(path));
        line.unwrap_or_else(|| panic!("{}", path.display()))
    };
    assert_eq!(by_bundle(&mail)["type"], "agreed");
    assert_eq!(by_bundle(&stranger)["kind"], "same-model-other-identity");
    // Its entry was fetched and proven, because no watch found it.
    assert_eq!(by_bundle(&stranger)["entry"]["index"], 160);
    assert_eq!(by_bundle(&owl)["kind"], "no-trust");
}

#[test]
fn a_changed_bundle_is_reported_by_what_was_changed() {
    let program = read(&["falcon-release"]);
    let original: Value = serde_json::from_slice(&fs::read(bundle(V2B)).unwrap()).unwrap();
    let changed = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut bundle = original.clone();
        change(&mut bundle);
        let path = program.file(name);
        fs::write(&path, bundle.to_string()).unwrap();
        let (lines, _) = reconcile(&program, 1, &[text(&path), "--no-models"]);
        let line = lines.iter().find(|line| line["bundle"] == text(&path));
        let line = line.unwrap_or_else(|| panic!("{name}"));
        assert_ne!(line["type"], "agreed", "{name}");
        line["kind"].as_str().unwrap().to_owned()
    };
    let mutilate = |text: &mut Value| {
        let old = text.as_str().unwrap();
        let swapped = if old.starts_with('A') { 'B' } else { 'A' };
        *text = format!("{swapped}{}", &old[1..]).into();
    };
    assert_eq!(
        changed("payload.sig", &|b| mutilate(
            &mut b["dsseEnvelope"]["payload"]
        )),
        "signature-invalid"
    );
    assert_eq!(
        changed("proof.sig", &|b| mutilate(
            &mut b["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["hashes"][0]
        )),
        "signature-invalid"
    );
    assert_eq!(
        changed("stamp.sig", &|b| {
            b["verificationMaterial"]["timestampVerificationData"] = json!({});
        }),
        "signature-invalid"
    );
    assert_eq!(
        changed("unlogged.sig", &|b| {
            b["verificationMaterial"]["tlogEntries"] = json!([]);
        }),
        "bundle-without-entry"
    );
    assert_eq!(
        changed("other-index.sig", &|b| {
            b["verificationMaterial"]["tlogEntries"][0]["logIndex"] = json!("7");
            b["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["logIndex"] = json!("7");
        }),
        "signature-invalid"
    );
    // With more than the format has, `verify` refuses it.
    assert_eq!(
        changed("more.sig", &|b| b["more"] = json!(1)),
        "signature-invalid"
    );
}

#[test]
fn the_same_signing_twice_is_duplicated_and_files_without_bundles_are_unreadable() {
    let program = read(&["falcon-release"]);
    let folder = program.file("kept");
    fs::create_dir_all(folder.join("below")).unwrap();
    fs::copy(bundle(V2B), folder.join("a.sig")).unwrap();
    let one = fs::read_to_string(bundle(V2B)).unwrap();
    let collection =
        json!({"attestations": [{"bundle": serde_json::from_str::<Value>(&one).unwrap()}]});
    fs::write(folder.join("below/answer.json"), collection.to_string()).unwrap();
    fs::write(folder.join("below/empty.sig"), "").unwrap();
    let (lines, summary) = reconcile(&program, 1, &[text(&folder), "--no-models"]);
    let duplicated = of_kind(&lines, "bundle-duplicated");
    assert_eq!(duplicated.len(), 1);
    let place = duplicated[0]["bundle"].as_str().unwrap();
    assert!(
        place.ends_with("answer.json (attestations[0].bundle)"),
        "{place}"
    );
    assert_eq!(of_kind(&lines, "unreadable").len(), 1);
    assert_eq!(summary["agreed"], 1);
}

/// A copy of a recorded model with its signature in it.
fn model(program: &Program, name: &str, signature: &str) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/harbor/models")
        .join(name);
    let to = program.file("models").join(name);
    copy(&from, &to);
    fs::copy(bundle(signature), to.join("model.sig")).unwrap();
    to
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_tree_of_models_is_compared_and_a_changed_file_is_named() {
    let program = read(&["falcon-release", "release-mail"]);
    let falcon = model(&program, "falcon-7b", V2B);
    let kestrel = model(&program, "kestrel-small", MAIL);
    let tree = program.file("models");
    let (lines, _) = reconcile(&program, 1, &[text(&tree)]);
    let models: BTreeSet<_> = agreed(&lines)
        .iter()
        .map(|line| line["model"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        models,
        [text(&falcon), text(&kestrel)].map(str::to_owned).into()
    );
    // Whatever is changed, the model is not what was signed.
    let mut files: Vec<_> = fs::read_dir(&falcon)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.is_file() && !path.ends_with("model.sig"));
    files.sort_unstable();
    let first = files[0].clone();
    let kept = fs::read(&first).unwrap();
    let name = first.file_name().unwrap().to_str().unwrap();
    let kind_of = |field: &str, expected: &str| {
        let (lines, _) = reconcile(&program, 1, &[text(&tree)]);
        let changed = of_kind(&lines, "model-changed");
        assert_eq!(changed.len(), 1, "{lines:?}");
        assert_eq!(changed[0]["model"], text(&falcon));
        assert_eq!(changed[0]["files"][field], json!([expected]));
        assert_eq!(agreed(&lines).len(), 1);
    };
    fs::write(&first, "poisoned").unwrap();
    kind_of("changed", name);
    fs::remove_file(&first).unwrap();
    kind_of("missing", name);
    fs::write(&first, kept).unwrap();
    fs::write(falcon.join("extra.py"), "import os").unwrap();
    kind_of("extra", "extra.py");
    fs::remove_file(falcon.join("extra.py")).unwrap();
    // Renamed, with nothing left of what was signed.
    let renamed = program.file("models/renamed");
    fs::create_dir(&renamed).unwrap();
    fs::rename(falcon.join("model.sig"), renamed.join("model.sig")).unwrap();
    fs::write(renamed.join("other.bin"), "poisoned").unwrap();
    let (lines, _) = reconcile(&program, 1, &[text(&renamed)]);
    assert_eq!(of_kind(&lines, "model-changed").len(), 1);
    assert_eq!(agreed(&lines).len(), 0);
}

#[test]
fn a_signature_beside_its_model_is_compared_with_it_unless_models_are_left_out() {
    let program = read(&["falcon-release"]);
    let falcon = model(&program, "falcon-7b", V2B);
    let beside = program.file("models/falcon-7b.sig");
    fs::rename(falcon.join("model.sig"), &beside).unwrap();
    let (lines, _) = reconcile(&program, 1, &[text(&beside)]);
    assert_eq!(agreed(&lines)[0]["model"], text(&falcon));
    // A second signature in the model is no file of it.
    fs::copy(bundle(STRANGER), falcon.join("other.sig")).unwrap();
    let (lines, _) = reconcile(&program, 1, &[text(&program.file("models"))]);
    assert_eq!(agreed(&lines)[0]["model"], text(&falcon));
    // Also if the command names the first one alone.
    fs::copy(&beside, falcon.join("model.sig")).unwrap();
    let (lines, _) = reconcile(&program, 1, &[text(&falcon.join("model.sig"))]);
    assert_eq!(agreed(&lines)[0]["model"], text(&falcon));
    fs::remove_file(falcon.join("model.sig")).unwrap();
    fs::write(falcon.join("config.json"), "poisoned").unwrap();
    let (lines, _) = reconcile(&program, 1, &[text(&beside)]);
    assert_eq!(
        of_kind(&lines, "model-changed")[0]["files"]["changed"],
        json!(["config.json"])
    );
    assert_eq!(agreed(&lines).len(), 0);
    let (lines, _) = reconcile(&program, 1, &[text(&beside), "--no-models"]);
    assert_eq!(agreed(&lines)[0]["model"], Value::Null);
}

#[test]
fn what_agrees_is_registered_and_nothing_else() {
    let program = read(&["falcon-release"]);
    let (release, stranger) = (bundle(V2B), bundle(STRANGER));
    let arguments = [text(&release), text(&stranger), "--no-models", "--register"];
    let (_, summary) = reconcile(&program, 1, &arguments);
    assert_eq!(summary["registered"], 1);
    let listed = program.run(&["expect", "list", "--json"]);
    assert_eq!(listed.stdout.lines().count(), 1);
    assert!(listed.stdout.contains(V2B), "{}", listed.stdout);
    // The same as by `expect add`, with what is known of the statement.
    let expectation = |listed: &Ended| -> Value {
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        listed["expectation"].clone()
    };
    let added = read(&["falcon-release"]);
    added.run(&["expect", "add", text(&release)]).assert_code(0);
    let added = expectation(&added.run(&["expect", "list", "--json"]));
    assert!(added["statement"].is_object(), "{added}");
    assert_eq!(expectation(&listed), added);
    let findings = program.findings();
    let found = findings
        .iter()
        .find(|f| f.index == Some(157) && f.log.as_deref() == Some("v2b"));
    assert_eq!(found.unwrap().verdict, "expected");
}

#[test]
fn a_signature_by_a_key_is_not_logged_by_design_and_needs_the_key() {
    let program = read(&["nobody"]);
    let model = program.file("keyed");
    fs::create_dir(&model).unwrap();
    fs::write(model.join("weights.bin"), "0.1 0.2").unwrap();
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keys");
    let (private, public) = (keys.join("model.key.pem"), keys.join("model.pub.pem"));
    let signature = model.join("model.sig");
    program
        .run(&[
            "sign",
            "key",
            text(&model),
            "--private-key",
            text(&private),
            "--signature",
            text(&signature),
        ])
        .assert_code(0);
    let (lines, summary) = reconcile(&program, 3, &[text(&model)]);
    assert_eq!(of_kind(&lines, "no-trust").len(), 1);
    assert_eq!(summary["not_logged"], 0);
    let trusted = [text(&model), "--public-key", text(&public)];
    let (lines, summary) = reconcile(&program, 0, &trusted);
    assert_eq!(of_kind(&lines, "not-logged-by-design").len(), 1);
    assert_eq!(
        (&summary["not_logged"], &summary["agreed"]),
        (&json!(1), &json!(0))
    );
    // By another key than the one that is trusted.
    let other = keys.join("other-model.pub.pem");
    let (lines, _) = reconcile(&program, 1, &[text(&model), "--public-key", text(&other)]);
    assert_eq!(of_kind(&lines, "signature-invalid").len(), 1);
    fs::write(model.join("weights.bin"), "9.9").unwrap();
    let (lines, _) = reconcile(&program, 1, &trusted);
    assert_eq!(of_kind(&lines, "model-changed").len(), 1);
    assert_eq!(agreed(&lines).len(), 0);
}
