//! The messages of the program about errors: what, where, and what to do about it.

use std::process::Stdio;

use crate::binary::{Site, text};

/// A site whose configuration has this in place of that.
fn with(that: &str, this: &str) -> Site {
    let site = Site::new();
    let path = site.path().join("modelwatch.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    assert!(config.contains(that), "{that}");
    std::fs::write(&path, config.replace(that, this)).unwrap();
    site
}

/// The exit code and standard error.
fn reported(site: &Site, arguments: &[&str]) -> (Option<i32>, String) {
    let ended = site.run(arguments);
    (ended.status.code(), text(&ended.stderr))
}

/// The line of the configuration with this beginning.
fn line_of(site: &Site, beginning: &str) -> usize {
    let config = std::fs::read_to_string(site.path().join("modelwatch.toml")).unwrap();
    let mut lines = config.lines();
    1 + lines.position(|line| line.starts_with(beginning)).unwrap()
}

#[test]
fn a_key_file_that_is_none_is_named_with_file_and_line_of_the_configuration() {
    let site = with(r#"public_key = "key.pem""#, r#"public_key = "alert.sh""#);
    let line = line_of(&site, "public_key");
    for arguments in [&["check"][..], &["monitor", "--once"]] {
        let (code, reported) = reported(&site, arguments);
        assert_eq!(code, Some(2), "{reported}");
        let expected = format!("modelwatch.toml:{line}: log[main].public_key: ");
        assert!(
            reported.contains(&expected) && reported.contains("alert.sh"),
            "{reported}"
        );
    }
    let witness = "\n[[witness]]\nname = \"w.example/w\"\npublic_key = \"alert.sh\"\n[store]";
    let site = with("\n[store]", witness);
    let line = line_of(&site, "public_key");
    let (code, shown) = reported(&site, &["check"]);
    assert_eq!(code, Some(2), "{shown}");
    let expected = format!("modelwatch.toml:{line}: witness[w.example/w].public_key: ");
    assert!(shown.contains(&expected), "{shown}");
    let site = with(
        "\n[store]",
        "\n[trust]\ntrusted_root = \"alert.sh\"\n[store]",
    );
    let line = line_of(&site, "trusted_root");
    let (code, shown) = reported(&site, &["check"]);
    assert_eq!(code, Some(2), "{shown}");
    let expected = format!("modelwatch.toml:{line}: trust.trusted_root: ");
    assert!(shown.contains(&expected), "{shown}");
}

#[test]
fn a_checkpoint_by_another_key_names_its_tree_its_keys_and_those_that_were_expected() {
    let site = Site::new();
    let other = crate::world::FakeLog::new("other.example").public_key_pem();
    let key = std::fs::read_to_string(site.path().join("key.pem")).unwrap();
    assert_ne!(other, key, "each log has a key of its own");
    std::fs::write(site.path().join("key.pem"), other).unwrap();
    let ended = site.run(&["check"]);
    let reported = text(&ended.stdout);
    assert_eq!(ended.status.code(), Some(3), "{reported}");
    let line = reported
        .lines()
        .find(|line| line.starts_with("FAIL"))
        .unwrap();
    let keys: Vec<&str> = line.split("main.example (").skip(1).collect();
    assert!(
        line.contains("the checkpoint of main.example is not signed by a key"),
        "{line}"
    );
    assert_eq!(keys.len(), 2, "{line}");
    assert_ne!(keys[0][..8], keys[1][..8], "{line}");
}

#[test]
fn an_outage_names_the_address_and_an_absence_the_server_s_message() {
    let site = with("http://127.0.0.1:", "http://127.0.0.1:1/no:");
    let shown = text(&site.run(&["check"]).stdout);
    assert!(shown.contains("http://127.0.0.1:1/no:"), "{shown}");
    assert!(
        shown.contains("/checkpoint: ") && shown.contains("refused"),
        "{shown}"
    );
}

#[test]
fn a_password_in_a_url_is_exit_2_everywhere_and_in_no_output() {
    let site = with("http://127.0.0.1:", "http://bob:s3cret@127.0.0.1:");
    for arguments in [
        &["check"][..],
        &["monitor", "--once"],
        &["status", "--json"],
        &["findings", "list"],
        &["drill"],
    ] {
        let ended = site.run(arguments);
        let all = format!("{}{}", text(&ended.stdout), text(&ended.stderr));
        assert_eq!(ended.status.code(), Some(2), "{all}");
        assert!(
            all.contains("[[http.credentials]] with host = \"127.0.0.1\""),
            "{all}"
        );
        assert!(!all.contains("s3cret") && !all.contains("bob"), "{all}");
    }
}

#[test]
fn check_shows_the_proxy_without_its_password_and_the_authorities() {
    let site = with(
        "\n[store]",
        "\n[http]\nca_certificates = [\"ca.pem\"]\n[store]",
    );
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["ca.example".to_owned()]).unwrap();
    let ca = params.self_signed(&key).unwrap().pem();
    std::fs::write(site.path().join("ca.pem"), ca).unwrap();
    let mut command = site.command(&["check"]);
    command.env("https_proxy", "http://bob:s3cret@proxy.invalid:3128");
    command.env("no_proxy", "corp.example");
    let ended = command.output().unwrap();
    let shown = text(&ended.stdout);
    // Loopback bypasses the proxy: the log answers.
    assert_eq!(
        ended.status.code(),
        Some(0),
        "{shown}{}",
        text(&ended.stderr)
    );
    for part in [
        "http://proxy.invalid:3128",
        "https_proxy",
        "corp.example",
        "ca.pem",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(
        !shown.contains("s3cret") && !shown.contains("bob"),
        "{shown}"
    );
    std::fs::write(site.path().join("ca.pem"), "none").unwrap();
    let (code, reported) = reported(&site, &["check"]);
    assert_eq!(code, Some(2), "{reported}");
    assert!(reported.contains("ca.pem"), "{reported}");
}

#[test]
fn an_unknown_watch_is_named_without_asking_any_server() {
    // A command that updates trust waits for it, and exits with 3.
    let tuf = "\n[trust]\ntuf = { mirror = \"http://127.0.0.1:1\", root = \"root.json\" }\n[store]";
    let site = with("\n[store]", tuf);
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tuf/root.json");
    std::fs::copy(root, site.path().join("root.json")).unwrap();
    let (code, shown) = reported(&site, &["check", "watch", "nosuch", "--against", "key.pem"]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(
        shown.contains("no watch named nosuch: it has mail, release"),
        "{shown}"
    );
    let ended = site.run(&["check", "watch", "mail", "--against", "key.pem"]);
    assert_eq!(ended.status.code(), Some(1), "{}", text(&ended.stderr));
}

#[test]
fn a_rescan_with_nothing_to_do_reports_that() {
    let site = Site::new();
    assert_eq!(site.run(&["monitor", "--once"]).status.code(), Some(0));
    for (arguments, expected) in [
        (
            &["rescan"][..],
            "nothing to do: each watch covers everything",
        ),
        (
            &["rescan", "--watch", "mail"],
            "nothing to do: the watch mail covers everything",
        ),
    ] {
        let ended = site.run(arguments);
        assert_eq!(ended.status.code(), Some(0));
        assert!(
            text(&ended.stdout).contains(expected),
            "{}",
            text(&ended.stdout)
        );
    }
}

#[test]
fn a_damaged_database_is_to_be_restored_and_a_directory_is_none() {
    let site = Site::new();
    let database = site.path().join("watch/modelwatch.db");
    assert_eq!(site.run(&["monitor", "--once"]).status.code(), Some(0));
    for arguments in [
        &["status"][..],
        &["monitor", "--once"],
        &["findings", "list"],
    ] {
        std::fs::write(&database, "garbage").unwrap();
        let (code, shown) = reported(&site, arguments);
        assert_eq!(code, Some(3), "{shown}");
        assert!(shown.contains("modelwatch.db is damaged"), "{shown}");
        assert!(shown.contains("restore a copy"), "{shown}");
    }
    std::fs::remove_file(&database).unwrap();
    std::fs::create_dir(&database).unwrap();
    for arguments in [&["status"][..], &["monitor", "--once"]] {
        let (code, shown) = reported(&site, arguments);
        assert_eq!(code, Some(3), "{shown}");
        assert!(shown.contains("modelwatch.db is a directory"), "{shown}");
    }
}

#[test]
fn a_level_that_is_none_is_exit_2() {
    let site = Site::new();
    for bad in ["debgu", "modelwatch=loud"] {
        let ended = site
            .command(&["status"])
            .env("MODELWATCH_LOG", bad)
            .output()
            .unwrap();
        let shown = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{shown}");
        assert!(
            shown.contains("MODELWATCH_LOG") && shown.contains("trace"),
            "{shown}"
        );
    }
}

#[test]
fn a_full_disk_behind_standard_output_is_named() {
    let site = Site::new();
    assert_eq!(site.run(&["monitor", "--once"]).status.code(), Some(0));
    let full = std::fs::File::options().write(true).open("/dev/full");
    let Ok(full) = full else {
        // Only Linux has one.
        return;
    };
    let mut command = site.command(&["status"]);
    let ended = command.stdout(Stdio::from(full)).output().unwrap();
    let shown = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(3), "{shown}");
    assert!(
        shown.contains("standard output cannot be written: No space left"),
        "{shown}"
    );
}

#[test]
fn init_reports_that_the_variable_of_its_webhook_is_not_set() {
    let directory = tempfile::tempdir().unwrap();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/trust/harbor.json");
    let with = |url: Option<&str>, output: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_modelwatch"));
        command
            .args([
                "init",
                "--yes",
                "--identity",
                "a@b.example",
                "--output",
                output,
            ])
            .args([
                "--webhook-env",
                "MODELWATCH_TEST_HOOK",
                "--trusted-root",
                root,
            ])
            .current_dir(directory.path())
            .env_remove("MODELWATCH_TEST_HOOK");
        if let Some(url) = url {
            command.env("MODELWATCH_TEST_HOOK", url);
        }
        let ended = command.output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
        text(&ended.stdout)
    };
    let unset = with(None, "a.toml");
    assert!(unset.contains("MODELWATCH_TEST_HOOK is not set"), "{unset}");
    let wrong = with(Some("hooks.example"), "b.toml");
    assert!(
        wrong.contains("MODELWATCH_TEST_HOOK does not contain an http"),
        "{wrong}"
    );
    let set = with(Some("https://hooks.example/x"), "c.toml");
    assert!(!set.contains("no alert is sent"), "{set}");
}
