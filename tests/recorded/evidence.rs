//! `findings show --evidence`, `verify-evidence`, and the verifier in Python, which shares no code with this program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use modelwatch::evidence::{self, Anchor, Files, Outcome, Refused};
use modelwatch::trust::TrustedRoot;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::program::{Ended, Log, Program};
use crate::recording::{recording, scratch};
use crate::reported::Finding;

/// A pass over both logs, and the evidence of one finding of each kind of entry and chain.
struct Written {
    program: Program,
    directories: Vec<(Finding, PathBuf)>,
}

static WRITTEN: LazyLock<Written> = LazyLock::new(|| {
    let program = Program::new(&["v2a", "v2b"].map(Log::recorded));
    program.pass();
    let mut kinds = BTreeSet::new();
    let mut directories = Vec::new();
    for finding in program.findings() {
        let form = (
            finding.kind.clone(),
            finding.chain.clone(),
            finding.log.clone(),
            finding.verdict.clone(),
        );
        if finding.index.is_none() || !kinds.insert(form) {
            continue;
        }
        let directory = program.file(&format!("evidence-{}", finding.id));
        let shown = [
            "findings",
            "show",
            &finding.id,
            "--evidence",
            directory.to_str().unwrap(),
        ];
        program.run(&shown).assert_code(0);
        directories.push((finding, directory));
    }
    assert!(directories.len() >= 5, "{}", directories.len());
    Written {
        program,
        directories,
    }
});

fn trusted_root() -> PathBuf {
    recording().join("trusted_root.json")
}

fn anchor() -> Anchor {
    Anchor {
        name: "the recorded trusted root".to_owned(),
        root: TrustedRoot::from_file(&trusted_root()).unwrap(),
        log_keys: Vec::new(),
        public_key: None,
    }
}

fn verify(directory: &Path, more: &[&str]) -> Ended {
    let directory = directory.to_str().unwrap();
    WRITTEN
        .program
        .run(&[&["verify-evidence", directory], more].concat())
}

fn with_root(directory: &Path) -> Ended {
    verify(
        directory,
        &["--trusted-root", trusted_root().to_str().unwrap()],
    )
}

/// The verifier in Python over a directory, without trust; `None`: there is no Python with `cryptography`, and none is required.
pub fn python_command(directory: &Path) -> Option<Command> {
    static PYTHON: LazyLock<Option<String>> = LazyLock::new(|| {
        if let Ok(required) = std::env::var("MODELWATCH_TEST_PYTHON") {
            return Some(required);
        }
        let has_it = Command::new("python3")
            .args(["-c", "import cryptography"])
            .output();
        has_it
            .is_ok_and(|ended| ended.status.success())
            .then(|| "python3".to_owned())
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verify_evidence.py");
    let mut command = Command::new(PYTHON.as_ref()?);
    command.arg("-B").arg(script).arg(directory);
    Some(command)
}

/// The same, run with these arguments.
pub fn python(directory: &Path, trust: &[&str]) -> Option<Ended> {
    let output = python_command(directory)?.args(trust).output().unwrap();
    Some(Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    })
}

fn python_with_root(directory: &Path) -> Option<Ended> {
    python(
        directory,
        &["--trusted-root", trusted_root().to_str().unwrap()],
    )
}

/// The evidence of the owner's stolen identity, with a certificate and a chain.
fn whole() -> &'static (Finding, PathBuf) {
    let mut all = WRITTEN.directories.iter();
    all.find(|(finding, _)| finding.chain.as_deref() == Some("trusted"))
        .unwrap()
}

pub fn files_of(directory: &Path) -> Files {
    evidence::read(directory).unwrap()
}

/// A copy of a directory with other files.
pub fn copied(files: &Files) -> (tempfile::TempDir, PathBuf) {
    let folder = scratch();
    let directory = folder.path().join("evidence");
    evidence::write(&directory, files).unwrap();
    (folder, directory)
}

/// The same files with a list that agrees with them: what a forger would write.
fn relisted(files: &Files) -> Files {
    let mut files = files.clone();
    let mut manifest: Value = serde_json::from_slice(&files["evidence.json"]).unwrap();
    let others = files.iter().filter(|(name, _)| *name != "evidence.json");
    let hashes: BTreeMap<_, _> = others
        .map(|(name, bytes)| (name, hex::encode(Sha256::digest(bytes))))
        .collect();
    manifest["files"] = json!(hashes);
    // In the order of the format.
    let text = format!(
        "{{\n  \"format\": 1,\n  \"log_type\": {},\n  \"files\": {}\n}}\n",
        manifest["log_type"],
        serde_json::to_string_pretty(&manifest["files"])
            .unwrap()
            .replace('\n', "\n  ")
    );
    files.insert("evidence.json".to_owned(), text.into_bytes());
    files
}

fn changed(files: &Files, name: &str, change: impl FnOnce(&mut Value)) -> Files {
    let mut files = files.clone();
    let mut value: Value = serde_json::from_slice(&files[name]).unwrap();
    change(&mut value);
    files.insert(name.to_owned(), serde_json::to_vec_pretty(&value).unwrap());
    relisted(&files)
}

fn refused(files: &Files) -> Refused {
    evidence::check(files, &anchor()).expect_err("it must be refused")
}

#[test]
fn the_evidence_of_each_kind_of_finding_is_accepted_by_both_verifiers() {
    for (finding, directory) in &WRITTEN.directories {
        let ended = with_root(directory);
        assert_eq!(ended.code, 0, "{finding:?}: {}", ended.stdout);
        assert!(ended.stdout.ends_with(" holds\n"), "{}", ended.stdout);
        // It reads entries of the usual kinds alone.
        if finding.verdict != "unreadable"
            && let Some(ended) = python_with_root(directory)
        {
            assert_eq!(
                ended.code, 0,
                "{finding:?}: {}{}",
                ended.stdout, ended.stderr
            );
        }
    }
}

#[test]
fn a_relisted_copy_is_the_same_directory() {
    let files = files_of(&whole().1);
    assert_eq!(relisted(&files), files);
    assert_eq!(
        evidence::check(&files, &anchor()).unwrap().outcome,
        Outcome::Holds
    );
}

#[test]
fn a_key_of_the_log_alone_is_trust_for_its_place_and_a_foreign_key_is_none() {
    let (finding, directory) = whole();
    let log = finding.log.as_deref().unwrap();
    let other = if log == "v2a" { "v2b" } else { "v2a" };
    let key = |log: &str| recording().join(format!("rekor-{log}/key.pub.pem"));
    let root = trusted_root();
    let (own, foreign) = (key(log), key(other));
    let arguments = |key: &Path| {
        [
            "--log-key".to_owned(),
            key.to_str().unwrap().to_owned(),
            "--trusted-root".to_owned(),
            root.to_str().unwrap().to_owned(),
        ]
    };
    for (key, code) in [(&own, 0), (&foreign, 1)] {
        let arguments = arguments(key);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ended = verify(directory, &arguments);
        assert_eq!(ended.code, code, "{}", ended.stdout);
        if let Some(ended) = python(directory, &arguments) {
            assert_eq!(ended.code, code, "{}", ended.stdout);
        }
    }
}

#[test]
fn a_root_that_names_a_mirror_has_the_key_of_the_log_by_its_id_alone() {
    let (_, directory) = whole();
    let bytes = fs::read(trusted_root()).unwrap();
    let mut root: Value = serde_json::from_slice(&bytes).unwrap();
    let folder = scratch();
    let path = folder.path().join("root.json");
    let mut check = |code: i32, change: &dyn Fn(&mut Value)| {
        let logs = root["tlogs"].as_array_mut().unwrap();
        logs.iter_mut().for_each(change);
        fs::write(&path, root.to_string()).unwrap();
        let trust = ["--trusted-root", path.to_str().unwrap()];
        let ended = verify(directory, &trust);
        assert_eq!(ended.code, code, "{}", ended.stdout);
        if let Some(ended) = python(directory, &trust) {
            assert_eq!(ended.code, code, "{}{}", ended.stdout, ended.stderr);
        }
    };
    check(0, &|log| {
        log["baseUrl"] = json!("https://mirror.example/log");
    });
    check(3, &|log| {
        for field in ["logId", "checkpointKeyId"] {
            if let Some(id) = log.get_mut(field) {
                *id = json!({ "keyId": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=" });
            }
        }
    });
}

#[test]
fn a_directory_that_alone_vouches_for_its_trust_is_not_accepted() {
    let (_, directory) = whole();
    // The program's own trusted root does not know this log.
    let ended = verify(directory, &[]);
    ended.assert_code(3);
    assert!(
        ended
            .stdout
            .contains("only this directory vouches for its trust"),
        "{}",
        ended.stdout
    );
    let ended = verify(directory, &["--json"]);
    let result: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(result["result"], "only-itself");
}

#[test]
fn one_changed_byte_of_any_file_is_refused_by_both_and_the_file_is_named() {
    let files = files_of(&whole().1);
    for (name, bytes) in &files {
        // Every byte of short files by the library; some by the programs.
        let step = bytes.len().div_ceil(150);
        for place in (0..bytes.len()).step_by(step) {
            for bit in [0x01, 0x20] {
                let mut other = files.clone();
                other.get_mut(name).unwrap()[place] ^= bit;
                let refused = refused(&other);
                let is_named = refused.file == *name || refused.why.contains(name.as_str());
                assert!(is_named, "byte {place} of {name}: {refused}");
            }
        }
        for place in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut other = files.clone();
            other.get_mut(name).unwrap()[place] ^= 0x01;
            let (_folder, directory) = copied(&other);
            let ended = with_root(&directory);
            assert_eq!(ended.code, 1, "byte {place} of {name}: {}", ended.stdout);
            assert!(ended.stdout.contains(name.as_str()), "{}", ended.stdout);
            if let Some(ended) = python_with_root(&directory) {
                assert_eq!(
                    ended.code, 1,
                    "byte {place} of {name}: {}{}",
                    ended.stdout, ended.stderr
                );
                assert!(ended.stdout.contains(name.as_str()), "{}", ended.stdout);
            }
        }
    }
}

#[test]
fn a_forged_list_does_not_hide_a_forged_file() {
    let (finding, directory) = whole();
    let files = files_of(directory);
    let other = WRITTEN
        .directories
        .iter()
        .find(|(other, _)| other.leaf_hash != finding.leaf_hash && other.log == finding.log);
    let others = files_of(&other.unwrap().1);
    for (name, check) in [
        ("leaf", "leaf-hash"),
        ("inclusion.json", "leaf-hash"),
        ("finding.json", "place"),
    ] {
        let mut forged = files.clone();
        forged.insert(name.to_owned(), others[name].clone());
        let refused = refused(&relisted(&forged));
        assert_eq!(refused.check, check, "{name}: {refused}");
    }
    for (field, value) in [
        ("origin", json!("other.example")),
        ("index", json!(0)),
        ("leaf_hash", json!("00".repeat(32))),
        ("kind", json!("dsse 0.0.1")),
        ("digest", json!("sha256:00")),
        (
            "san",
            json!([{ "type": "email", "value": "jane@harbor.example" }]),
        ),
        ("san", json!([])),
        ("issuer", json!("https://accounts.example")),
        ("extensions", json!({})),
        ("certificate_sha256", json!("00".repeat(32))),
        ("certificate_sha256", Value::Null),
        ("key_sha256", json!("00".repeat(32))),
        ("key_sha256", Value::Null),
        ("not_before", json!("2026-01-01T00:00:00Z")),
    ] {
        let forged = changed(&files, "finding.json", |finding| {
            finding[field] = value.clone();
        });
        let refused = refused(&forged);
        assert_eq!(refused.file, "finding.json", "{field}: {refused}");
        let (_folder, directory) = copied(&forged);
        // It does not read the extensions of a certificate.
        if field != "extensions"
            && let Some(ended) = python_with_root(&directory)
        {
            assert_eq!(ended.code, 1, "{field}: {}{}", ended.stdout, ended.stderr);
        }
    }
    for (field, value) in [
        ("origin", json!("other.example")),
        ("log_index", json!(0)),
        ("tree_index", json!(0)),
        ("tree_size", json!(7)),
        ("root_hash", json!("00".repeat(32))),
        ("hashes", json!([])),
    ] {
        let forged = changed(&files, "inclusion.json", |inclusion| {
            inclusion[field] = value.clone();
        });
        refused(&forged);
    }
    let mut forged = files.clone();
    let note = String::from_utf8(files["checkpoint.txt"].clone()).unwrap();
    let (text, signatures) = note.split_once("\n\n").unwrap();
    forged.insert(
        "checkpoint.txt".to_owned(),
        format!("{text}\nextension\n\n{signatures}").into_bytes(),
    );
    assert_eq!(refused(&relisted(&forged)).check, "signature");
}

#[test]
fn certificates_are_those_of_the_leaf_and_of_the_authorities() {
    let files = files_of(&whole().1);
    for (name, from) in [
        ("certificate.pem", "chain.pem"),
        ("chain.pem", "certificate.pem"),
    ] {
        let mut forged = files.clone();
        forged.insert(name.to_owned(), files[from].clone());
        let forged = relisted(&forged);
        let refused = refused(&forged);
        assert_eq!(
            (refused.file.as_str(), refused.check),
            (name, "certificate")
        );
        let (_folder, directory) = copied(&forged);
        if let Some(ended) = python_with_root(&directory) {
            assert_eq!(ended.code, 1, "{name}: {}{}", ended.stdout, ended.stderr);
        }
        let mut without = files.clone();
        without.remove(name);
        assert_eq!(self::refused(&relisted(&without)).file, name);
    }
}

#[test]
fn an_authority_that_was_not_trusted_at_the_time_of_the_entry_does_not_count() {
    let files = files_of(&whole().1);
    let text = fs::read_to_string(trusted_root()).unwrap();
    let mut root: Value = serde_json::from_str(&text).unwrap();
    for authority in root["certificateAuthorities"].as_array_mut().unwrap() {
        authority["validFor"] =
            json!({ "start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z" });
    }
    let text = serde_json::to_string(&root).unwrap();
    let anchor = Anchor {
        root: TrustedRoot::parse(text.as_bytes()).unwrap(),
        ..anchor()
    };
    let refused = evidence::check(&files, &anchor).unwrap_err();
    assert_eq!(
        (refused.file.as_str(), refused.check),
        ("certificate.pem", "authority")
    );
    let folder = scratch();
    let path = folder.path().join("root.json");
    fs::write(&path, text).unwrap();
    if let Some(ended) = python(&whole().1, &["--trusted-root", path.to_str().unwrap()]) {
        assert_eq!(ended.code, 1, "{}{}", ended.stdout, ended.stderr);
    }
}

#[test]
fn a_trusted_root_without_the_authority_leaves_the_directory_alone_with_its_trust() {
    let files = files_of(&whole().1);
    let text = fs::read_to_string(trusted_root()).unwrap();
    let mut root: Value = serde_json::from_str(&text).unwrap();
    root["certificateAuthorities"] = json!([]);
    let text = serde_json::to_string(&root).unwrap();
    let anchor = Anchor {
        root: TrustedRoot::parse(text.as_bytes()).unwrap(),
        ..anchor()
    };
    let checked = evidence::check(&files, &anchor).unwrap();
    assert!(matches!(checked.outcome, Outcome::OnlyItself(_)));
    // Without the directory's own root, nobody vouches for what the finding calls trusted.
    let mut without = files.clone();
    without.remove("trusted_root.json");
    without.remove("chain.pem");
    let refused = evidence::check(&relisted(&without), &anchor).unwrap_err();
    assert_eq!(
        (refused.file.as_str(), refused.check),
        ("certificate.pem", "authority")
    );
}

#[test]
fn a_file_that_does_not_belong_there_is_refused() {
    let files = files_of(&whole().1);
    let extra = |name: &str, put: &dyn Fn(&Path)| {
        let (_folder, directory) = copied(&files);
        put(&directory.join(name));
        for ended in [Some(with_root(&directory)), python_with_root(&directory)]
            .into_iter()
            .flatten()
        {
            assert_eq!(ended.code, 1, "{name}: {}{}", ended.stdout, ended.stderr);
            assert!(ended.stdout.contains(name), "{}", ended.stdout);
        }
    };
    extra("notes.txt", &|path| fs::write(path, "x").unwrap());
    extra("bundle.json", &|path| fs::write(path, "{}").unwrap());
    extra("bundle.json", &|path| fs::create_dir(path).unwrap());
    extra("leaf", &|path| fs::remove_file(path).unwrap());
    extra("README.md", &|path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", path).unwrap();
    });
    extra("bundle.json", &|path| {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    });
    extra("checkpoint.txt", &|path| {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_len(5 << 20).unwrap();
    });
}

#[test]
fn a_signed_directory_verifies_by_the_key_and_every_file_is_covered() {
    let (finding, _) = whole();
    let program = &WRITTEN.program;
    let folder = scratch();
    let directory = folder.path().join("signed");
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keys");
    let key = |name: &str| keys.join(name).to_str().unwrap().to_owned();
    let shown = directory.to_str().unwrap();
    let show = |key: &str| {
        let arguments = [
            "findings",
            "show",
            &finding.id,
            "--evidence",
            shown,
            "--private-key",
            key,
        ];
        program.run(&arguments)
    };
    show(&key("model.pub.pem")).assert_code(2);
    assert!(!directory.exists());
    show(&key("model.key.pem")).assert_code(0);
    let signature = directory.join("evidence.sig");
    let verify = |public: &str| {
        let signature = signature.to_str().unwrap();
        program.run(&[
            "verify",
            "key",
            shown,
            "--signature",
            signature,
            "--public-key",
            &key(public),
        ])
    };
    verify("model.pub.pem").assert_code(0);
    verify("other-model.pub.pem").assert_code(1);
    with_root(&directory).assert_code(0);
    if let Some(ended) = python_with_root(&directory) {
        assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    }
    let by = |public: &str, directory: &Path| {
        let key = key(public);
        let root = trusted_root();
        let trust = ["--trusted-root", root.to_str().unwrap()];
        self::verify(directory, &[&trust[..], &["--public-key", &key]].concat())
    };
    let ended = by("model.pub.pem", &directory);
    ended.assert_code(0);
    assert!(
        ended.stdout.contains("by the given public key"),
        "{}",
        ended.stdout
    );
    for ended in [
        by("other-model.pub.pem", &directory),
        // A directory that nobody signed.
        by("model.pub.pem", &whole().1),
    ] {
        ended.assert_code(1);
        assert!(ended.stdout.contains("evidence.sig: "), "{}", ended.stdout);
    }
    by("model.key.pem", &directory).assert_code(2);
    let mut unsigned = files_of(&directory);
    unsigned.remove("evidence.sig");
    let (_folder, without) = copied(&unsigned);
    by("model.pub.pem", &without).assert_code(1);
    // Its signature is false, and its list is true: only the key shows that.
    let mut false_signature = files_of(&directory);
    let mut bundle: Value = serde_json::from_slice(&false_signature["evidence.sig"]).unwrap();
    let signature = &mut bundle["dsseEnvelope"]["signatures"][0]["sig"];
    let mut other = signature.as_str().unwrap().to_owned();
    let replaced = if other[10..].starts_with('A') {
        "B"
    } else {
        "A"
    };
    other.replace_range(10..11, replaced);
    *signature = json!(other);
    false_signature.insert(
        "evidence.sig".to_owned(),
        serde_json::to_vec(&bundle).unwrap(),
    );
    let (_folder, forged) = copied(&false_signature);
    let ended = with_root(&forged);
    ended.assert_code(0);
    assert!(
        ended.stdout.contains("is not checked without --public-key"),
        "{}",
        ended.stdout
    );
    by("model.pub.pem", &forged).assert_code(1);
    // A forger can list another README.md, but not sign it.
    let mut forged = files_of(&directory);
    forged.insert("README.md".to_owned(), b"other".to_vec());
    let refused = refused(&relisted_beside(&forged));
    assert_eq!(
        (refused.file.as_str(), refused.check),
        ("evidence.sig", "signed")
    );
    let mut cut = files_of(&directory);
    cut.get_mut("evidence.sig").unwrap().truncate(100);
    assert_eq!(self::refused(&cut).file, "evidence.sig");
}

/// As `relisted`, beside a signature, which no list has.
fn relisted_beside(files: &Files) -> Files {
    let mut listed = files.clone();
    let signature = listed.remove("evidence.sig").unwrap();
    listed = relisted(&listed);
    listed.insert("evidence.sig".to_owned(), signature);
    listed
}

#[test]
fn nothing_is_written_over_and_nothing_half_written_is_left() {
    let (finding, _) = whole();
    let program = &WRITTEN.program;
    let folder = scratch();
    let full = folder.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("mine"), "mine").unwrap();
    let show = |directory: &Path| {
        program.run(&[
            "findings",
            "show",
            &finding.id,
            "--evidence",
            directory.to_str().unwrap(),
        ])
    };
    let ended = show(&full);
    ended.assert_code(2);
    assert!(ended.stderr.contains("is not empty"), "{}", ended.stderr);
    assert_eq!(fs::read_dir(&full).unwrap().count(), 1);
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    show(&empty).assert_code(0);
    let deep = folder.path().join("a/b");
    show(&deep).assert_code(0);
    assert_eq!(files_of(&empty), files_of(&deep));
    let names = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert_eq!(
        names.collect::<BTreeSet<_>>(),
        ["a", "empty", "full"].map(Into::into).into()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Files of any content, listed correctly: a forger's work. It is refused or not, and never a panic.
    #[test]
    fn any_content_is_read_without_a_panic(
        name in prop::sample::select(vec!["leaf", "inclusion.json", "checkpoint.txt", "finding.json", "trusted_root.json", "certificate.pem", "chain.pem", "bundle.json", "evidence.json"]),
        content in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "[{}\\[\\]\":,a-z0-9]{0,80}".prop_map(String::into_bytes),
        ],
        cut in any::<prop::sample::Index>(),
    ) {
        let files = files_of(&whole().1);
        let mut forged = files.clone();
        let mut bytes = forged.get(name).cloned().unwrap_or_default();
        bytes.truncate(cut.index(bytes.len() + 1));
        bytes.extend(content);
        forged.insert(name.to_owned(), bytes);
        let _ = evidence::check(&forged, &anchor());
        if name != "evidence.json" {
            let _ = evidence::check(&relisted(&forged), &anchor());
        }
    }
}
