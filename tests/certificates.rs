//! The program over a cut of a recorded CT log: the last data tile, and the hashes before it.

#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

#[path = "recorded/certificate_bytes.rs"]
mod certificate_bytes;

use certificate_bytes::{name, number, sized, take};

const RELEASE: &str = "https://github.com/harbor-ml-example/falcon/.github/workflows/release.yml@*";

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

struct Directory(tempfile::TempDir);

impl Directory {
    /// A configuration over a copy of the log.
    fn new(more: &str) -> Self {
        let directory = Self(tempfile::tempdir().unwrap());
        for file in [
            "checkpoint",
            "tile/data/007.p/186",
            "tile/0/007.p/186",
            "tile/1/000.p/7",
        ] {
            let to = directory.path("log").join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(data().join("ct-small/static").join(file), to).unwrap();
        }
        let config = format!(
            "[store]\nurl = \"sqlite:modelwatch.db\"\n\n[trust]\ntrusted_root = \"{}\"\n\n[[log]]\nname = \"ct\"\n\
             type = \"ct-static\"\nurl = \"log\"\nsilence_after = \"never\"\nstart = 1792\n{more}\n\
             [[watch]]\nname = \"falcon\"\nsan_glob = {RELEASE:?}\n",
            data().join("trust/harbor.json").display(),
        );
        fs::write(directory.path("modelwatch.toml"), config).unwrap();
        directory
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_modelwatch"))
            .args(args)
            .arg("--config")
            .arg(self.path("modelwatch.toml"))
            .output()
            .unwrap()
    }

    fn findings(&self) -> Vec<Value> {
        let listed = self.run(&["findings", "list", "--json", "--all"]);
        let text = String::from_utf8(listed.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn keyed() -> String {
    let key = data().join("ct-small/static.pub.pem");
    format!(
        "origin = \"harbor-ct2.example\"\npublic_key = \"{}\"\n",
        key.display()
    )
}

#[test]
fn certificates_issued_to_a_watched_identity_are_found_proven_and_trusted() {
    let directory = Directory::new(&keyed());
    let ended = directory.run(&["monitor", "--once"]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let found = directory.findings();
    assert!(!found.is_empty());
    for finding in &found {
        assert_eq!(finding["verdict"], "identity-unexpected");
        assert_eq!(finding["kind"], "precertificate");
        assert_eq!(finding["chain"], "trusted");
        assert_eq!(finding["proven"], true);
        assert_eq!(finding["certificate_sha256"], Value::Null);
        assert_eq!(finding["digest"], Value::Null);
        assert!(finding["index"].as_u64().unwrap() >= 1792);
        let summary = finding["summary"].as_str().unwrap();
        assert!(
            summary
                .starts_with("a certificate was issued to https://github.com/harbor-ml-example/")
        );
    }
    let again = directory.run(&["monitor", "--once"]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(directory.findings(), found);
}

#[test]
fn a_log_at_another_address_is_known_by_the_keys_of_the_trusted_root() {
    let here = Directory::new("origin = \"harbor-ct2.example\"\n");
    let ended = here.run(&["monitor", "--once"]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let found = |directory: &Directory| -> Vec<Value> {
        let found = directory.findings();
        found.iter().map(|finding| finding["id"].clone()).collect()
    };
    let keyed = Directory::new(&keyed());
    keyed.run(&["monitor", "--once"]);
    assert_eq!(found(&here), found(&keyed));
    assert!(!found(&here).is_empty());
}

#[test]
fn a_certificate_in_the_place_of_another_is_a_fault() {
    let directory = Directory::new(&keyed());
    let tile = directory.path("log/tile/data/007.p/186");
    let mut bytes = fs::read(&tile).unwrap();
    // In the time of the first entry.
    bytes[3] ^= 1;
    fs::write(&tile, bytes).unwrap();
    let ended = directory.run(&["monitor", "--once"]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let found = directory.findings();
    let faults: Vec<_> = found
        .iter()
        .filter(|f| f["verdict"] == "log-fault")
        .collect();
    let [fault] = faults.as_slice() else {
        panic!("{faults:?}")
    };
    assert_eq!(fault["fault"], "root-mismatch");
    assert!(
        found
            .iter()
            .all(|f| f["verdict"] == "log-fault" || f["state"] == "disputed")
    );
}

#[test]
fn a_ct_log_without_an_origin_is_refused_with_a_hint() {
    let key = data().join("ct-small/static.pub.pem");
    let directory = Directory::new(&format!("public_key = \"{}\"\n", key.display()));
    let ended = directory.run(&["monitor", "--once"]);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(stderr.contains("origin"), "{stderr}");
}

/// Of each entry in a tile its time in milliseconds of Unix time, and the bytes of its certificate
/// (https://c2sp.org/static-ct-api, `TileLeaf`).
fn entries(mut tile: &[u8]) -> Vec<(i64, &[u8])> {
    let mut entries = Vec::new();
    while !tile.is_empty() {
        let logged_at = i64::try_from(number(take(&mut tile, 8))).unwrap();
        let is_precertificate = number(take(&mut tile, 2)) == 1;
        if is_precertificate {
            take(&mut tile, 32);
        }
        let certificate = sized(&mut tile, 3);
        sized(&mut tile, 2);
        if is_precertificate {
            sized(&mut tile, 3);
        }
        sized(&mut tile, 2);
        entries.push((logged_at, certificate));
    }
    entries
}

#[test]
fn a_lookup_finds_the_certificates_of_a_name_that_a_naive_reader_finds() {
    let directory = Directory::new(&keyed());
    directory.run(&["monitor", "--once"]);
    let tile = fs::read(data().join("ct-small/static/tile/data/007.p/186")).unwrap();
    let entries = entries(&tile);
    assert_eq!(entries.len(), 186);
    let mut by_name: BTreeMap<&str, Vec<(u64, i64)>> = BTreeMap::new();
    for ((logged_at, certificate), index) in entries.into_iter().zip(1792..) {
        if let Some(name) = name(certificate) {
            by_name.entry(name).or_default().push((index, logged_at));
        }
    }
    assert!(by_name.len() > 50, "{}", by_name.len());
    let several = by_name.values().filter(|found| found.len() > 1);
    assert!(several.count() > 0);
    let is_chosen = |(place, found): (usize, &Vec<_>)| place % 12 == 0 || found.len() > 4;
    for (place, (name, expected)) in by_name.iter().enumerate() {
        let is_watched = name.starts_with(RELEASE.trim_end_matches('*'));
        if !is_watched && !is_chosen((place, expected)) {
            continue;
        }
        // What no watch selects is in the log alone.
        for more in [&[][..], &["--scan"]] {
            let arguments = [&["lookup", "--json", "--identity", name], more].concat();
            let ended = directory.run(&arguments);
            let text = String::from_utf8(ended.stdout).unwrap();
            let found: Vec<(u64, i64)> = text
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap())
                .filter(|line| line["type"] == "signing")
                .map(|line| {
                    assert_eq!(
                        (&line["proven"], &line["log"]),
                        (&true.into(), &"ct".into())
                    );
                    let shown: jiff::Timestamp = line["time"].as_str().unwrap().parse().unwrap();
                    (line["index"].as_u64().unwrap(), shown.as_millisecond())
                })
                .collect();
            let is_asked = is_watched || !more.is_empty();
            assert_eq!(
                found,
                if is_asked {
                    expected.clone()
                } else {
                    Vec::new()
                },
                "{name} {more:?}: {text}"
            );
            // Without a finding, nothing is known of what the watch does not select.
            assert_eq!(ended.status.code(), Some(if is_asked { 0 } else { 3 }));
        }
    }
}
