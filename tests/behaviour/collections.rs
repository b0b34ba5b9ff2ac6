//! Bundles as servers and tools hand them out: one in a file, many in one, or in another form.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::text;

pub const CONFIG: &str = r#"
[store]
url = "sqlite:modelwatch.db"

[[log]]
name = "main"
type = "rekor-v2"
url = "log"
origin = "main.example"
public_key = "key.pem"
start = "beginning"

[[watch]]
name = "falcon"
san_glob = "https://github.com/harbor-ml-example/falcon/*"
"#;

pub const KEY: &str = include_str!("../data/ct-small/rfc6962.pub.pem");

/// A recorded bundle.
fn recorded(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/bundles");
    serde_json::from_slice(&fs::read(path.join(name)).unwrap()).unwrap()
}

fn v1() -> Value {
    recorded("rekor-v1-dsse.json")
}

fn v2() -> Value {
    recorded("rekor-v2-hashedrekord-dsse.json")
}

/// As npm signs a package: with its own key.
fn keyed() -> Value {
    let mut bundle = v2();
    bundle["verificationMaterial"] = json!({"publicKey": {"hint": "npm"}, "tlogEntries": []});
    bundle
}

/// A signature over something else.
fn forged() -> Value {
    let mut bundle = v1();
    bundle["dsseEnvelope"]["payload"] = "AAAA".into();
    bundle
}

/// The same in PyPI's form (PEP 740).
fn attestation(bundle: &Value) -> Value {
    let material = &bundle["verificationMaterial"];
    json!({
        "version": 1,
        "verification_material": {
            "certificate": material["certificate"]["rawBytes"],
            "transparency_entries": material["tlogEntries"],
        },
        "envelope": {
            "statement": bundle["dsseEnvelope"]["payload"],
            "signature": bundle["dsseEnvelope"]["signatures"][0]["sig"],
        },
    })
}

struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(TempDir::new().unwrap());
        fs::create_dir(site.path("log")).unwrap();
        fs::write(site.path("modelwatch.toml"), CONFIG).unwrap();
        fs::write(site.path("key.pem"), KEY).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a command on a file of this content.
    fn run(&self, arguments: &[&str], given: impl AsRef<[u8]>) -> Output {
        fs::write(self.path("given"), given).unwrap();
        Command::new(env!("CARGO_BIN_EXE_modelwatch"))
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("MODELWATCH_CONFIG")
            .stdin(Stdio::from(fs::File::open(self.path("given")).unwrap()))
            .output()
            .unwrap()
    }

    /// The registrations, by file.
    fn registered(&self) -> Vec<String> {
        let listed = self.run(&["expect", "list", "--json"], "");
        text(&listed.stdout)
            .lines()
            .map(|line| {
                let registration: Value = serde_json::from_str(line).unwrap();
                let file = registration["file"].as_str().unwrap();
                let folder = format!("{}/", self.0.path().display());
                file.trim_start_matches(&folder).to_owned()
            })
            .collect()
    }
}

#[test]
fn each_bundle_of_each_form_is_registered() {
    let (a, b) = (v1(), v2());
    for (given, places) in [
        (a.to_string(), &["given"][..]),
        (format!("\u{feff}{a}"), &["given"]),
        (format!("{a}\n{b}\n"), &["given (line 1)", "given (line 2)"]),
        (json!([a, b]).to_string(), &["given ([0])", "given ([1])"]),
        (
            json!({"attestations": [{"bundle": a, "repository_id": 1}, {"bundle": b, "repository_id": 1}]}).to_string(),
            &["given (attestations[0].bundle)", "given (attestations[1].bundle)"],
        ),
        (attestation(&a).to_string(), &["given"]),
        (
            json!({"version": 1, "attestation_bundles": [
                {"publisher": {"kind": "GitHub"}, "attestations": [attestation(&a)]},
                {"publisher": {"kind": "GitLab"}, "attestations": [attestation(&b)]},
            ]})
            .to_string(),
            &["given (attestationBundles[0].attestations[0])", "given (attestationBundles[1].attestations[0])"],
        ),
    ] {
        let site = Site::new();
        let added = site.run(&["expect", "add", "given"], &given);
        assert_eq!(added.status.code(), Some(0), "{}", text(&added.stderr));
        assert_eq!(site.registered(), places, "{given}");
        let reported = text(&added.stdout);
        assert_eq!(reported.matches(": registered").count(), places.len(), "{reported}");
        // The same signings in their plain form are the same registrations.
        let again = site.run(&["expect", "add", "given"], format!("{a}{b}"));
        let before = text(&again.stdout).matches("was registered before").count();
        assert_eq!(before, places.len(), "{given}");
    }
}

#[test]
fn standard_input_is_a_file_like_others() {
    let site = Site::new();
    let lines = format!("{}\n{}\n", v1(), v2());
    let added = site.run(&["expect", "add", "-"], &lines);
    assert_eq!(added.status.code(), Some(0), "{}", text(&added.stderr));
    assert_eq!(
        site.registered(),
        ["standard input (line 1)", "standard input (line 2)"]
    );
    let nothing = site.run(&["expect", "add", "-"], "");
    assert_eq!(nothing.status.code(), Some(2));
    assert_eq!(
        text(&nothing.stderr),
        "error: standard input: the file is empty\n"
    );
    let suggested = site.run(&["watch", "suggest", "-"], v2().to_string());
    assert!(text(&suggested.stdout).contains("[[watch]]"));
    let checked = site.run(
        &["check", "watch", "falcon", "--against", "-"],
        v2().to_string(),
    );
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    let init = ["init", "--from", "-", "--register", "--output", "new.toml"];
    let written = site.run(&init, v2().to_string());
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    assert!(site.path("new.toml").exists());
    assert!(text(&written.stdout).contains("standard input: was registered before"));
}

#[test]
fn bundles_that_cannot_be_registered_are_named_and_change_the_exit_code() {
    let site = Site::new();
    let npm = json!({"attestations": [
        {"predicateType": "publish", "bundle": keyed()},
        {"predicateType": "provenance", "bundle": v2()},
        {"bundle": null, "bundle_url": "https://h.example/3"},
    ]});
    let added = site.run(&["expect", "add", "given"], npm.to_string());
    assert_eq!(added.status.code(), Some(2));
    let reported = text(&added.stderr);
    assert!(
        reported.contains("error: given (attestations[0].bundle): signed with a key"),
        "{reported}"
    );
    assert!(
        reported.contains("error: given (attestations[2]): the bundle is not in this file"),
        "{reported}"
    );
    assert_eq!(site.registered(), ["given (attestations[1].bundle)"]);
    // A download that broke off.
    let cut = format!("{}\n{}", v1(), &v2().to_string()[..99]);
    let added = site.run(&["expect", "add", "given"], cut);
    assert_eq!(added.status.code(), Some(2));
    assert!(text(&added.stderr).contains("given (line 2): not a Sigstore bundle: not JSON"));
    assert_eq!(site.registered().len(), 2);
}

#[test]
fn beside_a_bundle_that_contradicts_itself_none_is_registered() {
    let site = Site::new();
    let lines = format!("{}\n{}\n{}\n", v2(), forged(), keyed());
    let added = site.run(&["expect", "add", "given"], lines);
    assert_eq!(added.status.code(), Some(1));
    let reported = text(&added.stderr);
    assert!(
        reported.contains(
            "given (line 2): its signature: the signature does not verify; nothing is registered"
        ),
        "{reported}"
    );
    assert!(
        reported.contains("given (line 3): signed with a key"),
        "{reported}"
    );
    assert!(!site.path("modelwatch.db").exists());
    // Also in PyPI's form: nothing of the envelope counts without its signature.
    let added = site.run(
        &["expect", "add", "given"],
        attestation(&forged()).to_string(),
    );
    assert_eq!(added.status.code(), Some(1), "{}", text(&added.stderr));
}

#[test]
fn what_is_no_bundle_at_all_is_named_and_nothing_is_registered() {
    let site = Site::new();
    fs::write(site.path("good"), v2().to_string()).unwrap();
    for (given, reported) in [
        ("", "given: the file is empty"),
        (
            "hello\n",
            "given: not a Sigstore bundle: it is text that is not JSON",
        ),
        (KEY, "given: not a Sigstore bundle: it is a PEM file"),
        ("{}", "given: not a Sigstore bundle: mediaType is missing"),
        ("[]", "given: the file contains no bundle"),
        (
            r#"{"bundle":{"mediaType":"a"},"attestations":[{"bundle":{"mediaType":"b"}}]}"#,
            "an object with both \"bundle\" and \"attestations\"",
        ),
        (
            r#"{"message": "Not Found"}"#,
            "an answer of a server that says \"Not Found\"",
        ),
    ] {
        for arguments in [
            &["expect", "add", "good", "given"][..],
            &["init", "--from", "good", "given", "--output", "new.toml"],
        ] {
            let output = site.run(arguments, given);
            assert_eq!(output.status.code(), Some(2), "{given}");
            let stderr = text(&output.stderr);
            assert!(stderr.contains(reported), "{given}: {stderr}");
            assert!(!site.path("modelwatch.db").exists(), "{given}");
            assert!(!site.path("new.toml").exists(), "{given}");
        }
    }
}

#[test]
fn a_watch_is_suggested_for_each_signer_and_each_bundle_is_explained() {
    let site = Site::new();
    let lines = format!(
        "{}\n{}\n{}\n{}\n",
        v2(),
        keyed(),
        recorded("rekor-v1-intoto.json"),
        attestation(&v2())
    );
    let suggested = site.run(&["watch", "suggest", "given"], &lines);
    assert_eq!(suggested.status.code(), Some(2));
    let reported = text(&suggested.stdout);
    assert!(
        reported.contains("# Signer of line 1, line 4\n"),
        "{reported}"
    );
    assert!(text(&suggested.stderr).contains("given (line 2): the bundle contains no certificate"));
    let blocks: toml_edit::DocumentMut = reported.parse().unwrap();
    let watches = blocks["watch"].as_array_of_tables().unwrap();
    let names: std::collections::BTreeSet<_> = watches
        .iter()
        .map(|watch| watch["name"].as_str().unwrap())
        .collect();
    assert_eq!((names.len(), watches.len()), (2, 2), "{reported}");

    let whole = site.run(&["watch", "suggest", "given"], format!("{}{}", v1(), v2()));
    assert_eq!(whole.status.code(), Some(0));

    let against = ["check", "watch", "falcon", "--against", "given"];
    let checked = site.run(&against, format!("{}\n{}\n", v2(), keyed()));
    assert_eq!(checked.status.code(), Some(2), "{}", text(&checked.stdout));
    assert!(text(&checked.stdout).starts_with("given (line 1):\n"));
    assert!(text(&checked.stderr).contains("given (line 2): the bundle contains no certificate"));
    let unknown_issuer = fs::read_to_string(site.path("modelwatch.toml"))
        .unwrap()
        .replace("harbor-ml-example", "somebody-else");
    fs::write(site.path("modelwatch.toml"), unknown_issuer).unwrap();
    let checked = site.run(&against, format!("{}\n{}\n", v2(), keyed()));
    assert_eq!(checked.status.code(), Some(1));
}
