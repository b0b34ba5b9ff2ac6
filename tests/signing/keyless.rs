//! `verify [sigstore]`, with signatures by a Sigstore of the tests' own (`crates/model-signing/tests/keyless/fake`).

use serde_json::{Value, json};

use crate::fake::log::Entry;
use crate::fake::stamp::Stamp;
use crate::fake::{IDENTITY, ISSUER, Signing, Sigstore, payload};
use crate::site::Site;

const GLOB: &str = "https://github.com/o/falcon/.github/workflows/release.yml@refs/tags/*";

/// The model that is signed, its signatures in both versions of Rekor, and the trust for them.
fn site() -> Site {
    let site = Site::new();
    let sigstore = Sigstore::new();
    let root = sigstore.trusted_root();
    let config = json!({
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": root,
        "signingConfig": {"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json"},
    });
    site.write("falcon/weights.bin", "weights");
    site.write("root.json", &root.to_string());
    site.write("trust.json", &config.to_string());
    let foreign = Signing {
        stamps: vec![Stamp {
            by_another: true,
            ..Stamp::default()
        }],
        ..Signing::v1()
    };
    let not_in_tree = Signing {
        entry: Entry {
            not_in_tree: true,
            ..Entry::default()
        },
        ..Signing::v1()
    };
    for (name, signing) in [
        ("v1.sig", Signing::v1()),
        ("v2.sig", Signing::v2()),
        ("foreign.sig", foreign),
        ("not-in-tree.sig", not_in_tree),
    ] {
        site.write(name, &sigstore.sign(&payload(), &signing).to_string());
    }
    site
}

fn by(identity: &str) -> String {
    format!("{identity} --identity-provider {ISSUER}")
}

#[test]
fn a_keyless_signature_is_verified_by_the_method_that_is_assumed() {
    let site = site();
    let who = by(&format!("--identity {IDENTITY}"));
    for signature in ["v1.sig", "v2.sig"] {
        for trust in [
            "--trust-config trust.json",
            "--trusted-root root.json",
            "--use-staging --trust_config trust.json",
        ] {
            for method in ["", "sigstore "] {
                let line = format!("verify {method}falcon --signature {signature} {who} {trust}");
                let said = site.expect(&line, 0);
                assert_eq!(said.stdout, "Verification succeeded\n");
                assert_eq!(said.stderr, "");
            }
        }
    }
    let globbed = by(&format!("--identity-glob {GLOB}"));
    let line = format!("verify falcon --signature v1.sig {globbed} --trusted-root root.json");
    site.expect(&format!("{line} --require source_repository_identifier=463804977 --require build_trigger=release"), 0);
    let said = site.expect(&format!("{line} --require build_trigger=push"), 1);
    assert!(said.stderr.contains("an extension of the certificate: build_trigger is \"release\", and \"push\" is required"), "{}", said.stderr);
}

#[test]
fn the_check_that_failed_is_named() {
    let site = site();
    let exact = by(&format!("--identity {IDENTITY}"));
    for (signature, who, said) in [
        (
            "v1.sig",
            by("--identity jane@example.org"),
            "at the identity: it was signed by",
        ),
        (
            "v1.sig",
            by("--identity-regex https://github.com/o/.*heads.*"),
            "at the identity: ",
        ),
        (
            "v1.sig",
            format!("--identity {IDENTITY} --identity-provider https://evil.example"),
            "at the identity provider: ",
        ),
        ("not-in-tree.sig", exact.clone(), "at the inclusion proof: "),
    ] {
        let line = format!("verify falcon --signature {signature} {who} --trusted-root root.json");
        let found = site.expect(&line, 1);
        assert!(
            found
                .stderr
                .starts_with("Verification failed with error: the signature "),
            "{}",
            found.stderr
        );
        assert!(found.stderr.contains(said), "{}", found.stderr);
        assert_eq!(found.stdout, "");
    }
    // The trust of other instances, and no request.
    let line = format!("verify falcon --signature v1.sig {exact} --offline");
    let found = site.expect(&line, 1);
    assert!(
        found.stderr.contains("keyless verification failed at "),
        "{}",
        found.stderr
    );
    let line = format!("verify falcon --signature v2.sig {exact} --offline --use-staging");
    site.expect(&line, 1);
}

#[test]
fn a_changed_model_is_refused_and_the_report_names_the_signer() {
    let site = site();
    let line = format!(
        "verify falcon --signature v1.sig --trusted-root root.json --json {}",
        by(&format!("--identity {IDENTITY}"))
    );
    let report: Value = serde_json::from_str(&site.expect(&line, 0).stdout).unwrap();
    for (pointer, expected) in [
        ("/ok", json!(true)),
        ("/method", json!("sigstore")),
        ("/identity", json!(IDENTITY)),
        ("/identity_type", json!("uri")),
        ("/identity_provider", json!(ISSUER)),
        ("/extensions/build_trigger", json!("release")),
        (
            "/times",
            json!([{"time": "2025-06-01T00:00:05Z", "source": "log"}]),
        ),
        ("/timestamps", json!([])),
        ("/log_index", json!(1001)),
        ("/log_entries/0/log", json!("https://rekor.fake.example")),
        ("/log_entries/0/tree_index", json!(1)),
        ("/log_entries/0/kind", json!("dsse 0.0.1")),
    ] {
        assert_eq!(report.pointer(pointer), Some(&expected), "{pointer}");
    }
    assert_eq!(
        report["certificate"]["sha256"].as_str().map(str::len),
        Some(64)
    );
    site.write("falcon/weights.bin", "poison!");
    let report: Value = serde_json::from_str(&site.expect(&line, 1).stdout).unwrap();
    assert_eq!(report["ok"], json!(false));
    assert_eq!(report["changed"][0]["name"], json!("weights.bin"));
    assert_eq!(report["identity"], json!(IDENTITY));
}

#[test]
fn a_timestamp_by_an_authority_that_is_not_trusted_is_warned_of() {
    let site = site();
    let line = format!(
        "verify falcon --signature foreign.sig --trusted-root root.json {}",
        by(&format!("--identity {IDENTITY}"))
    );
    let said = site.expect(&line, 0);
    assert!(
        said.stderr.contains("which count for nothing: 1"),
        "{}",
        said.stderr
    );
    site.expect(&format!("{line} --strict"), 1);
}

#[test]
fn a_command_line_that_leaves_open_who_must_have_signed_is_a_mistake() {
    let site = site();
    let exact = by(&format!("--identity {IDENTITY}"));
    for rest in [
        String::new(),
        format!("--identity {IDENTITY}"),
        format!("--identity-provider {ISSUER}"),
        format!("{exact} --identity-glob {GLOB}"),
        format!("{exact} --identity-regex x"),
        by("--identity-regex ("),
        format!("{exact} --require build_trigger"),
        format!("{exact} --require no_such_extension=x"),
        format!("{exact} --trust-config trust.json"),
    ] {
        let line = format!("verify falcon --signature v1.sig --trusted-root root.json {rest}");
        let said = site.expect(&line, 2);
        assert!(said.stdout.is_empty() && !said.stderr.is_empty(), "{line}");
    }
    let line = format!("verify falcon --signature v1.sig --trusted-root trust.json {exact}");
    let said = site.expect(&line, 1);
    assert!(
        said.stderr.contains("--trusted-root trust.json"),
        "{}",
        said.stderr
    );
}
