//! What a watch selects, and what its shape accepts as normal: the suggestions of the program, tested with certificates
//! as their issuers write them.

use crate::binary::{Site, text};
use crate::world::other_leaves;

/// A certificate of a reusable workflow, called by the release workflow of `forge/model` for a tag.
const RELEASE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/watch/reusable-release.pem"
);

/// One of the same reusable workflow, called by `evil.yml` on a branch of the same repository.
const ATTACKER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/watch/reusable-attacker.pem"
);

/// A site with the suggested watch for the release.
fn suggested() -> Site {
    let site = Site::new();
    let output = site.run(&["watch", "suggest", RELEASE]);
    let block = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{block}");
    let path = site.path().join("modelwatch.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let block = block.replacen("# hold", "hold", 1);
    std::fs::write(path, format!("{config}\n{block}")).unwrap();
    site
}

fn checked(site: &Site, against: &str) -> (Option<i32>, String) {
    let output = site.run(&["check", "watch", "model", "--against", against]);
    let warnings = text(&output.stderr);
    assert!(!warnings.contains("watch[model]"), "{warnings}");
    (output.status.code(), text(&output.stdout))
}

#[test]
fn a_workflow_that_calls_the_shared_one_from_a_branch_is_out_of_the_suggested_shape() {
    let site = suggested();
    let (code, reported) = checked(&site, RELEASE);
    assert_eq!(code, Some(0), "{reported}");
    assert!(reported.contains("and it is in shape"), "{reported}");
    let (code, reported) = checked(&site, ATTACKER);
    assert_eq!(code, Some(0), "{reported}");
    assert!(reported.contains("and it is out of shape"), "{reported}");
    for condition in ["build_config_uri", "source_repository_ref"] {
        assert!(
            reported.contains(&format!("extension_glob.{condition}")),
            "{reported}"
        );
    }
}

/// A bundle of a release of `harbor-ml-example/falcon`, recorded from a real Fulcio.
const FALCON: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/bundles/rekor-v2-hashedrekord-dsse.json"
);

/// The site with further watches.
fn with_watches(watches: &str) -> Site {
    let site = Site::new();
    site.log.grow(other_leaves(10));
    let path = site.path().join("modelwatch.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let config = config.replacen("\n[[channel]]", &format!("\n{watches}\n[[channel]]"), 1);
    std::fs::write(path, config).unwrap();
    site
}

/// The watch that `init` writes for an identity.
fn written_for(identity: &str) -> String {
    let site = Site::new();
    let output = site.run(&[
        "init",
        "--output",
        "new.toml",
        "--yes",
        "--identity",
        identity,
    ]);
    let reported = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{identity}: {reported}");
    assert!(!reported.contains("watch["), "{identity}: {reported}");
    let written = std::fs::read_to_string(site.path().join("new.toml")).unwrap();
    let (_, watches) = written.split_once("[[watch]]").unwrap();
    let (watch, _) = watches.split_once("\n[[channel]]").unwrap();
    format!("[[watch]]{watch}")
}

#[test]
fn a_repository_that_init_was_given_is_seen_however_it_was_written() {
    for identity in [
        "https://github.com/harbor-ml-example/falcon",
        "http://www.github.com/Harbor-ML-Example/Falcon.git/",
        "git@github.com:harbor-ml-example/falcon.git",
        "https://github.com/harbor-ml-example/falcon/blob/main/.github/workflows/release.yml",
        "https://github.com/harbor-ml-example",
    ] {
        let watch = written_for(identity);
        let name = watch.lines().nth(1).unwrap().split('"').nth(1).unwrap();
        let site = with_watches(&watch);
        let output = site.run(&["check", "watch", name, "--against", FALCON]);
        let reported = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{identity}: {reported}");
        if identity.contains("/blob/") {
            assert!(reported.contains("and it is in shape"), "{reported}");
        }
        let output = site.run(&["drill", "--no-channels"]);
        let reported = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{identity}: {reported}");
    }
}

#[test]
fn what_no_certificate_is_named_after_is_no_identity_for_init() {
    let site = Site::new();
    for (arguments, part) in [
        (
            &["ORG/REPO"][..],
            "did you mean https://github.com/ORG/REPO?",
        ),
        (
            &["https://huggingface.co/org/model"],
            "Hugging Face issues no certificates",
        ),
        (
            &[
                "jane@example.com",
                "--issuer",
                "https://token.actions.githubusercontent.com",
            ],
            "GitHub Actions writes https://github.com/ORG/REPO/.github/workflows/FILE.yml@REF",
        ),
        (
            &[
                "https://github.com/o/r",
                "--issuer",
                "https://accounts.google.com",
            ],
            "a mail address",
        ),
        (
            &["https://buildkite.com/o/p/*"],
            "san = \"https://buildkite.com/o/p\"",
        ),
    ] {
        let command = ["init", "--output", "new.toml", "--yes", "--identity"];
        let output = site.run(&[&command[..], arguments].concat());
        let reported = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {reported}");
        assert!(reported.contains(part), "{arguments:?}: {reported}");
        assert!(!site.path().join("new.toml").exists());
    }
}

#[test]
fn a_watch_that_never_sees_its_own_repository_is_reported_by_check_and_monitor_and_fails_the_drill()
{
    for (conditions, certain, part) in [
        (
            "san = \"https://github.com/acme/emu\"",
            true,
            "san_glob = \"https://github.com/acme/emu/*\"",
        ),
        (
            "san_glob = \"https://github.com/acme/emu/.github/workflows/*.yml\"",
            false,
            "GitHub Actions writes",
        ),
        (
            "san = \"https://gitlab.com/acme/emu\"\nissuer = \"https://gitlab.com\"",
            true,
            "GitLab writes https://gitlab.com/GROUP/PROJECT//PATH/FILE.yml@REF",
        ),
        (
            "san = \"https://gitlab.acme.example/ml/emu\"",
            false,
            "GitLab at gitlab.acme.example writes",
        ),
        (
            "issuer = \"https://token.actions.githubusercontent.com\"\nextension = { source_repository_uri = \"acme/emu\" }",
            true,
            "into source_repository_uri",
        ),
    ] {
        let site = with_watches(&format!("[[watch]]\nname = \"emu\"\n{conditions}\n"));
        let output = site.run(&["check"]);
        let reported = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{reported}");
        assert!(
            reported.contains("warning: watch[emu]") && reported.contains(part),
            "{reported}"
        );
        let output = site.run(&["drill", "--no-channels"]);
        let reported = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{conditions}: {reported}");
        assert!(reported.contains("FAIL  watch emu: "), "{reported}");
        let output = site.run(&["monitor", "--once"]);
        let reported = text(&output.stderr);
        assert!(reported.contains("warning: watch[emu]"), "{reported}");
        let blind = site.findings();
        let blind = blind
            .iter()
            .any(|finding| finding["verdict"] == "watch-ineffective");
        assert_eq!(blind, certain, "{conditions}");
    }
}

#[test]
fn a_drill_shows_a_watch_what_its_issuer_would_issue() {
    let site = with_watches(
        "[[watch]]\nname = \"emu\"\nsan_glob = \"https://github.com/acme/emu/*\"\n\
         [watch.shape.extension]\nsource_repository_ref = \"v1\"\n",
    );
    let output = site.run(&["drill", "--no-channels"]);
    let reported = text(&output.stdout);
    // It is selected; the program reports that no signing can ever be in shape.
    assert_eq!(output.status.code(), Some(0), "{reported}");
    assert!(
        reported.contains("every release will alert as critical"),
        "{reported}"
    );
    assert!(
        reported.contains("into source_repository_ref"),
        "{reported}"
    );
}
