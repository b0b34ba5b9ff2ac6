//! What a suggested shape takes for normal: the program's own suggestion, held against certificates of the same owner.

use crate::binary::{Site, text};

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

/// A site with the watch that is suggested for the release.
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
    let (code, said) = checked(&site, RELEASE);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("and it is in shape"), "{said}");
    let (code, said) = checked(&site, ATTACKER);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("and it is out of shape"), "{said}");
    for condition in ["build_config_uri", "source_repository_ref"] {
        assert!(
            said.contains(&format!("extension_glob.{condition}")),
            "{said}"
        );
    }
}
