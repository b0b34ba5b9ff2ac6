//! From nothing to a working configuration: the output of `init`, and its refusals.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair, SanType};
use serde_json::json;
use tempfile::TempDir;
use toml_edit::{DocumentMut, Item, Table};

use crate::binary::text;
use crate::tuf::Instance;
use crate::world::other_leaves;

/// A bundle of the recorded world.
const BUNDLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/bundles/rekor-v2-hashedrekord-dsse.json"
);

const KEY: &str = include_str!("../data/ct-small/rfc6962.pub.pem");

struct Site(TempDir);

impl Site {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_modelwatch"))
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("MODELWATCH_CONFIG")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs `init` successfully, and returns the file and the output.
    #[track_caller]
    fn init(&self, arguments: &[&str]) -> (String, String) {
        let output = self.run(&[&["init", "--force"], arguments].concat());
        let reported = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{reported}");
        let written = std::fs::read_to_string(self.path("modelwatch.toml")).unwrap();
        (written, reported)
    }

    /// Runs `init` with a failure: nothing may be written. Returns the output.
    #[track_caller]
    fn refused(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(&[&["init"], arguments].concat());
        let reported = text(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {reported}"
        );
        let left: Vec<_> = std::fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| *name != "given" && *name != "root.json")
            .collect();
        assert!(left.is_empty(), "{arguments:?}: {left:?}");
        reported
    }
}

fn parsed(written: &str) -> DocumentMut {
    written.parse().unwrap()
}

/// The sections of this name.
fn sections<'a>(document: &'a DocumentMut, name: &str) -> Vec<&'a Table> {
    document[name]
        .as_array_of_tables()
        .unwrap()
        .iter()
        .collect()
}

#[test]
fn what_is_written_for_the_public_instance_follows_all_of_it() {
    let site = Site::new();
    let (written, reported) = site.init(&["--from", BUNDLE]);
    let document = parsed(&written);
    assert_eq!(document["trust"]["tuf"].as_str(), Some("public-good"));
    assert_eq!(document["monitor"]["start"].as_str(), Some("end"));
    let logs = sections(&document, "log");
    assert_eq!(logs[0]["url"].as_str(), Some("https://rekor.sigstore.dev"));
    assert_eq!(logs[0]["mode"].as_str(), Some("guided"));
    assert_eq!(logs[0]["guided_by"][0].as_str(), logs[1]["name"].as_str());
    assert_eq!(
        (logs[1]["type"].as_str(), logs[1]["url"].as_str()),
        (Some("ct-rfc6962"), Some("https://ctfe.sigstore.dev/2022"))
    );
    assert_eq!(sections(&document, "watch").len(), 1);
    assert!(
        reported.contains("monitor --once --bootstrap"),
        "{reported}"
    );
    // There was no question, and no other file was created.
    assert!(!site.path("modelwatch.db").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = site.path("modelwatch.toml").metadata().unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    }
    // The commented parts work as well.
    let (before, after) = written.split_once("# [heartbeat]").unwrap();
    let more = format!("{before}[heartbeat]{}", after.replacen("# ", "", 2));
    std::fs::write(site.path("modelwatch.toml"), more).unwrap();
    let output = site.run(&["findings", "list"]);
    assert!(!text(&output.stderr).contains("error: heartbeat"));
}

#[test]
fn each_flag_is_in_what_is_written() {
    let site = Site::new();
    std::fs::write(site.path("given"), KEY).unwrap();
    for (arguments, parts) in [
        (
            &["--identity", "jane@example.com"][..],
            &["san = \"jane@example.com\"", "type = \"stdout\""][..],
        ),
        (
            &[
                "--identity",
                "https://github.com/o/*",
                "--issuer",
                "https://i.example",
            ],
            &[
                "san_glob = \"https://github.com/o/*\"",
                "issuer = \"https://i.example\"",
            ],
        ),
        (&["--key", "given"], &["key_sha256 = \"e39c0bcf"]),
        (
            &["--key", "given", "--start", "2026-01-01"],
            &["start = \"2026-01-01\""],
        ),
        (
            &[
                "--key",
                "given",
                "--notify-email",
                "to@example.org",
                "--smtp",
                "smtps://mail.example.org:465",
                "--mail-from",
                "from@example.org",
            ],
            &[
                "to = [\"to@example.org\"]",
                "from = \"from@example.org\"",
                "smtp = \"smtps://mail.example.org:465\"",
            ],
        ),
        (
            &["--key", "given", "--webhook-env", "HOOK"],
            &["type = \"webhook\"", "url_env = \"HOOK\""],
        ),
        (
            &["--key", "given", "--output", "modelwatch.toml", "--yes"],
            &["key_sha256"],
        ),
    ] {
        let (written, _) = site.init(arguments);
        for part in parts {
            assert!(written.contains(part), "{arguments:?}: {part}\n{written}");
        }
        parsed(&written);
    }
    let (_, reported) = site.init(&["--key", "given", "--start", "2026-01-01"]);
    assert!(
        reported.contains("the first pass may take days"),
        "{reported}"
    );
    assert!(reported.contains("monitor --once  "), "{reported}");
    assert!(!reported.contains("--bootstrap"), "{reported}");
}

#[test]
fn each_flag_that_is_wrong_is_named_and_nothing_is_written() {
    let site = Site::new();
    std::fs::write(site.path("given"), KEY).unwrap();
    let who = ["--identity", "jane@example.com"];
    let with = |more: &[&'static str]| [&who, more].concat();
    for (arguments, reported) in [
        (vec![], "Give --from BUNDLE, --identity SAN or --key FILE"),
        (vec!["--from", "absent"], "absent: No such file"),
        (
            vec!["--from", "given"],
            "it is a PEM file, a certificate or a key; --key accepts",
        ),
        (vec!["--key", "absent"], "absent: No such file"),
        (vec!["--key", "/dev/null"], "neither a Sigstore bundle"),
        (
            vec!["--identity", ""],
            "that names no signer, or every signer",
        ),
        (
            vec!["--identity", "*"],
            "that names no signer, or every signer",
        ),
        (vec!["--identity", "jane"], "not a name in certificates"),
        (vec!["--issuer", "https://i.example"], "--identity <SAN>"),
        (
            with(&["--issuer", "accounts.google.com"]),
            "an issuer is a URL",
        ),
        (with(&["--start", "now"]), "write end, beginning, or a date"),
        (with(&["--start", "2999-01-01"]), "that is in the future"),
        (with(&["--notify-email", "me@example.org"]), "--smtp <URL>"),
        (
            with(&["--notify-email", "me", "--smtp", "smtps://h:465"]),
            "\"me\" is not a mail address",
        ),
        (
            with(&["--notify-email", "me@example.org", "--smtp", "h:465"]),
            "not of the form smtps://host:465",
        ),
        (
            with(&["--webhook-env", "https://hooks.example"]),
            "the name of an environment variable is wanted",
        ),
        (
            with(&["--tuf-mirror", "https://t.example"]),
            "--root <FILE>",
        ),
        (with(&["--root", "given"]), "--tuf-mirror <URL>"),
        (
            with(&["--tuf-mirror", "ftp://t.example", "--root", "given"]),
            "an http or https URL of a directory is wanted",
        ),
        (
            with(&["--tuf-mirror", "http://127.0.0.1:9", "--root", "absent"]),
            "the root absent: cannot be read",
        ),
        (
            with(&["--tuf-mirror", "http://127.0.0.1:9", "--root", "given"]),
            "the root given: not the root of a TUF repository",
        ),
        (
            with(&["--staging", "--trusted-root", "given"]),
            "cannot be used with",
        ),
        (
            with(&["--trusted-root", "absent"]),
            "absent: cannot be read",
        ),
        (
            with(&["--trusted-root", "given"]),
            "given: not a Sigstore trusted root",
        ),
        (with(&["--register"]), "--from <BUNDLE>"),
        (
            with(&["--output", "absent/x.toml"]),
            "absent is not a directory",
        ),
        (with(&["--output", "/"]), "/ is a directory"),
        (
            with(&["--output", "/proc/x.toml"]),
            "/proc/x.toml cannot be written",
        ),
    ] {
        let refusal = site.refused(2, &arguments);
        assert!(refusal.contains(reported), "{arguments:?}: {refusal}");
    }
}

#[test]
fn nothing_is_replaced_without_force() {
    let site = Site::new();
    let mine = "# mine\n";
    std::fs::write(site.path("modelwatch.toml"), mine).unwrap();
    let output = site.run(&["init", "--identity", "jane@example.com"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--force replaces it, --output FILE names another"));
    let kept = std::fs::read_to_string(site.path("modelwatch.toml")).unwrap();
    assert_eq!(kept, mine);
    let (written, _) = site.init(&["--identity", "jane@example.com"]);
    assert!(written.contains("jane"));
}

#[test]
fn bundles_are_registered_on_request() {
    let site = Site::new();
    let (_, reported) = site.init(&["--from", BUNDLE, "--register"]);
    assert!(
        reported.contains("rekor-v2-hashedrekord-dsse.json: registered"),
        "{reported}"
    );
    let list = site.run(&["expect", "list"]);
    assert_eq!(text(&list.stdout).lines().count(), 1);
    // Contradicting options are refused before anything is written.
    let site = Site::new();
    let broken = std::fs::read_to_string(BUNDLE).unwrap();
    let mut broken: serde_json::Value = serde_json::from_str(&broken).unwrap();
    broken["dsseEnvelope"]["payload"] = "AAAA".into();
    std::fs::write(site.path("given"), broken.to_string()).unwrap();
    site.refused(1, &["--from", "given", "--register"]);
}

#[test]
fn no_name_in_a_bundle_gets_out_of_its_string() {
    for name in [
        "a@b\"\n[trust]\ntuf = \"staging\"\n#",
        "https://h/\u{202e}gro\n[[channel]]\nname=\"x\"",
        "\"\"\"\n'''@\\u0022",
        "# [[log]]@\r\n",
    ] {
        let site = Site::new();
        std::fs::write(site.path("given"), bundle_of(name)).unwrap();
        let output = site.run(&["init", "--from", "given"]);
        let reported = text(&output.stderr);
        // A name that no certificate may have is refused, which is fine, too.
        if output.status.code() == Some(2) {
            assert!(!site.path("modelwatch.toml").exists(), "{reported}");
            continue;
        }
        assert_eq!(output.status.code(), Some(0), "{reported}");
        let written = std::fs::read_to_string(site.path("modelwatch.toml")).unwrap();
        let document = parsed(&written);
        assert_eq!(document["trust"]["tuf"].as_str(), Some("public-good"));
        assert_eq!(sections(&document, "channel").len(), 1);
        assert_eq!(sections(&document, "log").len(), 2);
        assert!(!written.contains(['\u{202e}', '\r']), "{written}");
        let watch = sections(&document, "watch")[0];
        assert_eq!(watch["san"].as_str(), Some(name), "{written}");
    }
}

/// A bundle whose certificate has this name, as a URI or mail address that is not verified.
fn bundle_of(name: &str) -> String {
    let mut params = CertificateParams::default();
    // An otherName accepts any text.
    params.subject_alt_names = vec![SanType::OtherName((
        vec![1, 3, 6, 1, 4, 1, 57264, 1, 7],
        rcgen::OtherNameValue::Utf8String(name.to_owned()),
    ))];
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let mut bundle: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(BUNDLE).unwrap()).unwrap();
    bundle["verificationMaterial"]["certificate"] =
        json!({ "rawBytes": STANDARD.encode(certificate.der()) });
    bundle.to_string()
}

#[test]
fn the_logs_of_another_instance_come_from_its_repository() {
    const STATIC: &str = include_str!("../data/ct-small/static.pub.pem");
    const CHECKPOINT: &[u8] = include_bytes!("../data/ct-small/static/checkpoint");
    let mut instance = Instance::new(&["one"]);
    instance.log("one").grow(other_leaves(3));
    instance.serve("/files/checkpoint", CHECKPOINT);
    instance.serve(
        "/server/ct/v1/get-sth",
        include_bytes!("../data/ct-small/get-sth.json"),
    );
    // A server that answers everything with a page is not a log.
    instance.serve("/page/ct/v1/get-sth", b"<html>hello</html>");
    instance.serve("/page/checkpoint", b"");
    let mut over = Instance::keyed(&instance.url("over"), KEY);
    over["publicKey"]["validFor"]["end"] = "2022-10-31T23:59:59Z".into();
    instance.rekor_v1 = vec![Instance::keyed(&instance.url("v1"), KEY)];
    instance.ct = vec![
        Instance::keyed(&instance.url("files"), STATIC),
        Instance::keyed(&instance.url("page"), KEY),
        Instance::keyed(&instance.url("server"), KEY),
        over,
    ];
    instance.publish(&["one"], &["one"]);
    let site = Site::new();
    std::fs::write(site.path("root.json"), instance.root()).unwrap();
    let mirror = instance.url("tuf");
    let (written, reported) = site.init(&[
        "--identity",
        "jane@example.com",
        "--tuf-mirror",
        &mirror,
        "--root",
        "root.json",
    ]);
    assert!(
        reported.contains("they are comments in the file: 1."),
        "{reported}"
    );
    let document = parsed(&written);
    assert_eq!(document["trust"]["tuf"]["root"].as_str(), Some("root.json"));
    let logs = sections(&document, "log");
    let logs: Vec<_> = logs
        .iter()
        .map(|log| {
            let word = |key: &str| log.get(key).and_then(Item::as_str);
            (word("type").unwrap(), word("url").unwrap(), word("origin"))
        })
        .collect();
    let (v1, files, server) = (
        instance.url("v1"),
        instance.url("files"),
        instance.url("server"),
    );
    assert_eq!(
        logs,
        [
            ("rekor-v1", v1.as_str(), None),
            ("ct-static", files.as_str(), Some("harbor-ct2.example")),
            ("ct-rfc6962", server.as_str(), None),
        ]
    );
    assert!(
        written.contains(&format!("# url = {:?}", instance.url("page"))),
        "{written}"
    );
    // The written logs are followed: the keys are those of the trusted root.
    let check = text(&site.run(&["check"]).stdout);
    for good in [
        "ok    trust: ",
        "ok    log 127.0.0.1/one: ",
        "ok    log ct-127.0.0.1/files: its checkpoint of 1978 entries verifies",
    ] {
        assert!(check.contains(good), "{good}\n{check}");
    }

    // The same by the trusted root alone: then each log has to be named.
    let root = instance.file("/tuf/targets/trusted_root.json");
    std::fs::write(site.path("given"), root).unwrap();
    let (written, _) = site.init(&["--identity", "jane@example.com", "--trusted-root", "given"]);
    assert!(written.contains("trusted_root = \"given\""), "{written}");
    assert!(written.contains("origin = \"127.0.0.1/one\""), "{written}");
}

#[test]
fn two_logs_of_one_host_are_written_so_that_the_monitor_accepts_them() {
    let mut instance = Instance::new(&["at-machine-17"]);
    instance.log("at-machine-17").grow(other_leaves(3));
    // At the same address but for the port; nothing is served there.
    let other = Instance::new(&[]).url("at-machine-17");
    instance.rekor_v1 = vec![Instance::keyed(&other, KEY)];
    instance.publish(&["at-machine-17"], &["at-machine-17"]);
    let site = Site::new();
    std::fs::write(site.path("root.json"), instance.root()).unwrap();
    let mirror = instance.url("tuf");
    let who = ["--identity", "jane@example.com"];
    let more = ["--tuf-mirror", &mirror, "--root", "root.json"];
    let start = ["--start", "beginning"];
    let (written, _) = site.init(&[&who[..], &more, &start].concat());
    let document = parsed(&written);
    let logs = sections(&document, "log");
    let logs: Vec<_> = logs
        .iter()
        .map(|log| {
            let word = |key: &str| log.get(key).and_then(Item::as_str).unwrap_or_default();
            (word("name"), word("type"), word("url"), word("origin"))
        })
        .collect();
    let v2 = instance.url("at-machine-17");
    let name_of_v1 = other
        .strip_prefix("http://")
        .unwrap()
        .replace("/at-machine-17", "");
    let name_of_v1 = name_of_v1.replacen("127.0.0.1", "127.0.0.1/at-machine-17", 1);
    assert!(
        logs.contains(&("machine-17", "rekor-v2", &v2, "machine-17")),
        "{logs:?}"
    );
    assert!(
        logs.contains(&(&name_of_v1, "rekor-v1", &other, "")),
        "{logs:?}"
    );
    assert_eq!(logs.len(), 2);
    let output = site.run(&["monitor", "--once"]);
    let said = text(&output.stderr);
    // The v1 log does not answer.
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(!said.contains("trust names a log of that origin"), "{said}");
    let status = text(&site.run(&["status"]).stdout);
    assert!(status.contains("machine-17"), "{status}");
}

#[test]
fn a_repository_that_cannot_be_trusted_or_reached_is_3_and_nothing_is_written() {
    let mut instance = Instance::new(&["one"]);
    instance.publish(&["one"], &[]);
    let site = Site::new();
    std::fs::write(site.path("root.json"), instance.root()).unwrap();
    let init = |mirror: &str| {
        let who = ["--identity", "jane@example.com"];
        let arguments = [&who[..], &["--tuf-mirror", mirror, "--root", "root.json"]].concat();
        site.refused(3, &arguments)
    };
    let reported = init(&instance.url("absent"));
    assert!(
        reported.contains("cannot be read, so the logs are unknown"),
        "{reported}"
    );
    instance.serve("/tuf/targets/trusted_root.json", b"{}");
    let reported = init(&instance.url("tuf"));
    assert!(
        reported.contains("cannot be trusted: it is forged"),
        "{reported}"
    );
}
