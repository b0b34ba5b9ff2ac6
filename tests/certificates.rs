//! The program over a cut of a recorded CT log: the last data tile, and the hashes before it.

#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

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
