//! docs/signing.md, followed to the letter: every command in it works, one after the other.

use std::env;
use std::fs;
use std::process::Command;

use crate::cases::SOFTHSM_REQUIRED;
use crate::site::Site;

/// The shell blocks of the page.
fn blocks() -> Vec<String> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/signing.md")).unwrap();
    let blocks = page.split("\n```sh\n").skip(1);
    blocks
        .map(|rest| rest.split_once("\n```\n").unwrap().0.to_owned())
        .collect()
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[test]
fn every_command_of_the_guide_works() {
    assert!(is_installed("openssl"), "openssl is not installed");
    let site = Site::new();
    site.write("falcon-7b/config.json", "{}");
    site.write("falcon-7b/weights/part-1.bin", "0.1 0.2");
    fs::create_dir(site.at("bin")).unwrap();
    fs::create_dir(site.at("tokens")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_modelwatch"), site.at("bin/modelwatch"))
        .unwrap();
    let tokens = format!("directories.tokendir = {}\n", site.at("tokens").display());
    site.write("softhsm2.conf", &tokens);
    let path = format!("{}:{}", site.at("bin").display(), env::var("PATH").unwrap());
    let blocks = blocks();
    let mut ran = 0;
    for block in &blocks {
        if block.contains("softhsm2-util") && !is_installed("softhsm2-util") {
            assert!(
                env::var_os(SOFTHSM_REQUIRED).is_none(),
                "softhsm2-util is not installed"
            );
            continue;
        }
        let done = Command::new("sh")
            .args(["-euc", block])
            .current_dir(site.root())
            .env("PATH", &path)
            .env("SOFTHSM2_CONF", site.at("softhsm2.conf"))
            .output()
            .unwrap();
        let reported = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{block}\n{reported}");
        let stdout = String::from_utf8_lossy(&done.stdout);
        for (command, answer) in [
            ("modelwatch sign ", "Signing succeeded"),
            ("modelwatch verify ", "Verification succeeded"),
        ] {
            let called = block.matches(command).count();
            assert_eq!(stdout.matches(answer).count(), called, "{block}\n{stdout}");
        }
        ran += 1;
    }
    assert!(ran >= 5, "{ran} of {} blocks", blocks.len());
}

#[test]
fn a_key_from_a_secret_of_a_workflow_needs_no_file() {
    let site = Site::new();
    site.write("falcon-7b/config.json", "{}");
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/signing.md")).unwrap();
    let step = page
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("run: printf"))
        .unwrap();
    let key = fs::read_to_string(site.at("keys/p256-enc.key")).unwrap();
    let line = format!("printf{step}").replace("modelwatch", env!("CARGO_BIN_EXE_modelwatch"));
    let done = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &line])
        .current_dir(site.root())
        .env("SIGNING_KEY", key.trim_end())
        .env("SIGNING_PASSWORD", "hunter2")
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let verify =
        "verify key falcon-7b --public-key keys/p256.pub --signature falcon-7b.sig --strict";
    assert_eq!(site.run(verify).code, 0);
}
