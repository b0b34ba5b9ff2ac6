//! `verify attestation`, with attestations by a Sigstore of the tests' own.

use serde_json::{Value, json};

use crate::fake::{IDENTITY, ISSUER, Signing, Sigstore, hex, payload, sha256};
use crate::site::Site;

const V1: &str = "https://slsa.dev/provenance/v1";
const V0_2: &str = "https://slsa.dev/provenance/v0.2";

/// A model of three files, and a Sigstore.
pub struct World {
    pub site: Site,
    pub sigstore: Sigstore,
}

fn digest(content: &str) -> String {
    hex(&sha256(content.as_bytes()))
}

fn subject(name: &str, content: &str) -> Value {
    json!({"name": name, "digest": {"sha256": digest(content)}})
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "JSON is written where it is used"
)]
pub fn statement(subjects: Value) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": "https://example.com/scan/v1",
        "predicate": {},
    })
}

fn github() -> Value {
    json!({
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {"workflow": {
                "ref": "refs/tags/v1.0.0",
                "repository": "https://github.com/o/falcon",
                "path": ".github/workflows/release.yml",
            }},
            "resolvedDependencies": [{
                "uri": "git+https://github.com/o/falcon@refs/tags/v1.0.0",
                "digest": {"gitCommit": "c0ffee"},
            }],
        },
        "runDetails": {"builder": {"id": "https://github.com/o/falcon/.github/workflows/release.yml@refs/tags/v1.0.0"}},
    })
}

fn generator() -> Value {
    json!({
        "builder": {"id": "https://github.com/slsa-framework/generic.yml@refs/tags/v2.0.0"},
        "buildType": "https://github.com/slsa-framework/slsa-github-generator/generic@v1",
        "invocation": {"configSource": {
            "uri": "git+https://github.com/o/falcon@refs/tags/v1.0.0",
            "digest": {"sha1": "c0ffee"},
        }},
    })
}

impl World {
    pub fn new() -> Self {
        let site = Site::new();
        let sigstore = Sigstore::new();
        site.write("root.json", &sigstore.trusted_root().to_string());
        for (name, content) in [
            ("weights.bin", "weights"),
            ("sub/a", "one"),
            ("sub-x", "two"),
        ] {
            site.write(&format!("falcon/{name}"), content);
        }
        Self { site, sigstore }
    }

    fn sign(&self, statement: &Value, signing: &Signing) -> String {
        let payload = statement.to_string();
        self.sigstore.sign(payload.as_bytes(), signing).to_string()
    }

    /// A bundle of a statement about these subjects, in a file.
    fn attest(&self, file: &str, subjects: Value) {
        let bundle = self.sign(&statement(subjects), &Signing::v2());
        self.site.write(file, &bundle);
    }

    fn line(rest: &str) -> String {
        format!(
            "verify attestation falcon {rest} --identity {IDENTITY} --identity-provider {ISSUER} --trusted-root root.json"
        )
    }

    fn expect(&self, rest: &str, code: i32) -> crate::site::Printed {
        self.site.expect(&Self::line(rest), code)
    }

    fn refusal(&self, rest: &str) -> String {
        let said = self.expect(rest, 1);
        assert_eq!(said.stdout, "");
        said.stderr
    }

    fn report(&self, rest: &str, code: i32) -> Value {
        self.expect(&format!("{rest} --json"), code).json()
    }
}

pub fn all() -> Value {
    json!([
        subject("weights.bin", "weights"),
        subject("sub/a", "one"),
        subject("./sub-x", "two")
    ])
}

#[test]
fn an_attestation_of_every_file_is_verified_with_its_builder_and_its_source() {
    let world = World::new();
    for (predicate_type, predicate, builder, source) in [
        (
            V1,
            github(),
            "https://github.com/o/falcon/.github/workflows/release.yml@refs/tags/v1.0.0",
            "https://github.com/o/falcon refs/tags/v1.0.0 (gitCommit c0ffee)",
        ),
        (
            V0_2,
            generator(),
            "https://github.com/slsa-framework/generic.yml@refs/tags/v2.0.0",
            "git+https://github.com/o/falcon@refs/tags/v1.0.0 (sha1 c0ffee)",
        ),
    ] {
        let mut provenance = statement(all());
        provenance["predicateType"] = json!(predicate_type);
        provenance["predicate"] = predicate;
        if predicate_type == V0_2 {
            provenance["_type"] = json!("https://in-toto.io/Statement/v0.1");
        }
        for signing in [Signing::v1(), Signing::v2()] {
            world
                .site
                .write("slsa.json", &world.sign(&provenance, &signing));
            let said = world.expect("slsa.json --strict", 0);
            assert_eq!(
                said.stdout,
                format!(
                    "slsa.json: {predicate_type}\n  signer: {IDENTITY}, by {ISSUER}\n  builder: {builder}\n  \
                     source: {source}\n  covers: \"sub-x\", \"sub/a\", \"weights.bin\"\nVerification succeeded\n"
                )
            );
            assert_eq!(said.stderr, "");
        }
        let report = world.report("slsa.json", 0);
        for (pointer, expected) in [
            ("/ok", json!(true)),
            ("/covered", json!(["sub-x", "sub/a", "weights.bin"])),
            ("/not_covered", json!([])),
            ("/root_digest", json!(false)),
            ("/attestations/0/predicate_type", json!(predicate_type)),
            ("/attestations/0/builder", json!(builder)),
            ("/attestations/0/method", json!("sigstore")),
            ("/attestations/0/identity", json!(IDENTITY)),
            ("/attestations/0/identity_provider", json!(ISSUER)),
            (
                "/attestations/0/log_entries/0/kind",
                json!("hashedrekord 0.0.2"),
            ),
            ("/attestations/0/mismatches", json!([])),
        ] {
            assert_eq!(report.pointer(pointer), Some(&expected), "{pointer}");
        }
        let digest = report.pointer("/attestations/0/source/digest").unwrap();
        assert!(digest.to_string().contains("c0ffee"), "{digest}");
    }
}

#[test]
fn what_no_attestation_names_is_listed_and_refused_in_strict_mode() {
    let world = World::new();
    let subjects = json!([
        subject("weights.bin", "weights"),
        subject("falcon.whl", "wheel")
    ]);
    world.attest("some.json", subjects);
    let said = world.expect("some.json", 0);
    assert!(said.stdout.contains("  covers: \"weights.bin\"\n"));
    assert!(
        said.stdout
            .contains("  subjects that are not in the model: \"falcon.whl\"\n")
    );
    assert!(
        said.stdout
            .contains("not covered by name: \"sub-x\", \"sub/a\"\n")
    );
    let warning = "no attestation names these files of the model: \"sub-x\", \"sub/a\"";
    assert!(said.stderr.contains(warning), "{}", said.stderr);
    let report = world.report("some.json", 0);
    assert_eq!(report["not_covered"], json!(["sub-x", "sub/a"]));
    assert_eq!(
        report["attestations"][0]["other_subjects"],
        json!(["falcon.whl"])
    );
    assert_eq!(report["attestations"][0]["missing"], json!(["falcon.whl"]));
    assert_eq!(report["warnings"].as_array().map(Vec::len), Some(2));
    // Two attestations can cover more than each.
    world.attest("some.json", json!([subject("weights.bin", "weights")]));
    assert!(world.refusal("some.json --strict").contains(warning));
    world.attest(
        "others.json",
        json!([subject("sub/a", "one"), subject("sub-x", "two")]),
    );
    world.expect("some.json others.json --strict", 0);
}

#[test]
fn an_attested_file_that_the_model_does_not_have_is_listed_and_refused_in_strict_mode() {
    let world = World::new();
    world.attest("all.json", all());
    let more = json!([
        subject("weights.bin", "weights"),
        subject("sub/removed.bin", "removed"),
        subject("pkg:pypi/falcon@1", "wheel"),
    ]);
    world.attest("more.json", more);
    let warning = "more.json: these files are attested, and are not in the model or left out of it: \"sub/removed.bin\"";
    let said = world.expect("all.json more.json", 0);
    assert!(said.stderr.contains(warning), "{}", said.stderr);
    assert!(
        world
            .refusal("all.json more.json --strict")
            .contains(warning)
    );
    let report = world.report("all.json more.json", 0);
    assert_eq!(report["attestations"][0]["missing"], json!([]));
    assert_eq!(
        report["attestations"][1]["missing"],
        json!(["sub/removed.bin"])
    );
    let report = world.report("all.json more.json --strict", 1);
    assert_eq!(report["not_covered"], json!([]));
    // One that is left out is not compared, so it is not there either.
    world.attest("more.json", all());
    let said = world.refusal("more.json --strict --ignore-paths falcon/sub");
    assert!(said.contains("left out of it: \"sub/a\""), "{said}");
}

#[test]
fn digests_by_other_functions_are_said_to_be_not_compared() {
    let world = World::new();
    let digests =
        json!({"sha256": digest("weights"), "sha2-256": "00", "sha3_256": "00", "blake2": "00"});
    world.attest(
        "a.json",
        json!([{"name": "weights.bin", "digest": digests}, subject("sub/a", "one"), subject("sub-x", "two")]),
    );
    let said = world.expect("a.json --strict", 0);
    assert!(
        said.stdout
            .contains("  digests that were not compared: \"blake2\", \"sha2-256\", \"sha3_256\"\n"),
        "{}",
        said.stdout
    );
    let report = world.report("a.json", 0);
    assert_eq!(
        report["attestations"][0]["not_compared"],
        json!(["blake2", "sha2-256", "sha3_256"])
    );
}

#[test]
fn several_bundles_of_one_file_all_count_and_a_predicate_type_chooses_among_them() {
    let world = World::new();
    let mut provenance = statement(all());
    provenance["predicateType"] = json!(V1);
    provenance["predicate"] = github();
    let provenance = world.sign(&provenance, &Signing::v2());
    let scan = world.sign(
        &statement(json!([subject("weights.bin", "weights")])),
        &Signing::v1(),
    );
    world
        .site
        .write("both.jsonl", &format!("{provenance}\n{scan}\n"));
    let said = world.expect("both.jsonl", 0);
    assert!(
        said.stdout
            .starts_with(&format!("both.jsonl, line 1: {V1}\n"))
    );
    assert!(
        said.stdout
            .contains("\nboth.jsonl, line 2: https://example.com/scan/v1\n")
    );
    let report = world.report(&format!("both.jsonl --predicate-type {V1}"), 0);
    assert_eq!(report["attestations"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        report["attestations"][0]["bundle"],
        json!("both.jsonl, line 1")
    );
    assert!(
        world
            .refusal("both.jsonl --predicate-type https://spdx.dev/Document")
            .contains("no attestation has the predicate type")
    );

    // One that does not verify is not passed over, unless it is of another type.
    let other = Signing {
        wrong_signature: true,
        ..Signing::v1()
    };
    let broken = world.sign(&statement(all()), &other);
    world
        .site
        .write("broken.jsonl", &format!("{provenance}\n{broken}\n"));
    let said = world.refusal("broken.jsonl");
    assert!(
        said.contains("broken.jsonl, line 2: keyless verification failed at the signature"),
        "{said}"
    );
    world.expect(&format!("broken.jsonl --predicate-type {V1}"), 0);
    world
        .site
        .write("cut.jsonl", &format!("{provenance}\n{}", &scan[..200]));
    assert!(
        world
            .refusal("cut.jsonl")
            .contains("cut.jsonl, line 2: not a Sigstore bundle")
    );

    // On standard input, as other tools write it.
    let line = World::line("-");
    let said = world.site.shell(&format!("\"$P\" {line} <both.jsonl"));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.starts_with("standard input, line 1: "));
    world.expect("- -", 2);
    let wrapped =
        json!({"attestations": [{"bundle": serde_json::from_str::<Value>(&provenance).unwrap()}]});
    world.site.write("api.json", &wrapped.to_string());
    world.expect("api.json", 0);
}

#[test]
fn a_bundle_in_the_model_does_not_count_as_one_of_its_files() {
    let world = World::new();
    world.attest("falcon/slsa.json", all());
    world.expect("falcon/slsa.json --strict", 0);
}

#[test]
fn a_root_digest_alone_covers_no_names_and_has_to_be_allowed() {
    let world = World::new();
    let root = |order: [&str; 3]| {
        let digests: Vec<u8> = order
            .iter()
            .flat_map(|content| sha256(content.as_bytes()))
            .collect();
        hex(&sha256(&digests))
    };
    for order in [["two", "one", "weights"], ["one", "two", "weights"]] {
        world.attest(
            "root.att",
            json!([{"name": "falcon", "digest": {"sha256": root(order)}}]),
        );
        let said = world.refusal("root.att");
        assert!(said.contains("contents only, names not covered"), "{said}");
        let said = world.expect("root.att --allow-root-digest --strict", 0);
        assert!(said.stdout.contains(
            "  covers: the root digest of the model: contents only, names not covered\n"
        ));
        assert!(
            said.stdout
                .contains("not covered by name: \"sub-x\", \"sub/a\", \"weights.bin\"\n")
        );
        let report = world.report("root.att", 1);
        assert_eq!(
            (&report["ok"], &report["root_digest"]),
            (&json!(false), &json!(true))
        );
    }
    let other = json!([{"name": "falcon", "digest": {"sha256": root(["weights", "one", "two"])}}]);
    world.attest("other.att", other);
    let said = world.refusal("other.att --allow-root-digest");
    assert!(
        said.contains("no subject is a file of this model, or its root digest"),
        "{said}"
    );
    // A signature of a model is such a statement; its own command compares the names in it.
    let world = World::new();
    for name in ["sub/a", "sub-x"] {
        std::fs::remove_file(world.site.at("falcon").join(name)).unwrap();
    }
    let signature = world.sigstore.sign(&payload(), &Signing::v2()).to_string();
    world.site.write("model.sig", &signature);
    let said = world.refusal("model.sig");
    assert!(said.contains("`verify sigstore` compares"), "{said}");
}

#[test]
fn a_subject_that_names_a_file_must_have_its_digest() {
    let world = World::new();
    let right = || digest("weights");
    for (subjects, said) in [
        (
            json!([subject("weights.bin", "poison")]),
            "files are not what is attested: \"weights.bin\" (sha256 ",
        ),
        (
            json!([subject("sub/a", "one"), subject("weights.bin", "poison")]),
            "files are not what is attested",
        ),
        (
            json!([{"name": "weights.bin", "digest": {"sha256": right(), "sha512": "00".repeat(64)}}]),
            "(sha512 \"0000",
        ),
        (
            json!([{"name": "weights.bin", "digest": {"sha1": "00".repeat(20), "sha256": right()}}]),
            "(sha1 \"0000",
        ),
        (
            json!([subject("sub/a", "one"), {"name": "weights.bin", "digest": {"md5": "00", "gitBlob": "11"}}]),
            "which prove nothing here",
        ),
        (
            json!([
                subject("weights.bin", "weights"),
                subject("weights.bin", "poison")
            ]),
            "two subjects name the file \"weights.bin\"",
        ),
        (
            json!([
                subject("weights.bin", "weights"),
                subject("./weights.bin", "weights")
            ]),
            "two subjects name the file \"weights.bin\"",
        ),
        (
            json!([subject("weights.bin", "weights"), subject("../secret", "x")]),
            "subject[1] \"../secret\" has `..` in it",
        ),
        (
            json!([
                subject("weights.bin", "weights"),
                subject("/etc/passwd", "x")
            ]),
            "subject[1] \"/etc/passwd\" is absolute",
        ),
        (
            json!([subject("weights.bin", "weights"), subject("sub\\a", "x")]),
            "has a backslash in it",
        ),
        (
            json!([subject("weights", "weights")]),
            "no subject is a file of this model",
        ),
        (json!([]), "no subject has a SHA-256 digest"),
        (
            json!([{"name": "weights.bin", "digest": {"md5": "00"}}]),
            "no subject has a SHA-256 digest",
        ),
        (
            json!([subject("weights.bin", "weights"), {"name": "x"}]),
            "with subjects",
        ),
    ] {
        world.attest("a.json", subjects);
        let found = world.refusal("a.json");
        assert!(found.contains(said), "{found}");
        assert!(
            found.starts_with("Verification failed with error: a.json: "),
            "{found}"
        );
    }
    world.attest("a.json", json!([subject("weights.bin", "poison")]));
    let report = world.report("a.json", 1);
    assert_eq!(
        report["attestations"][0]["mismatches"],
        json!([{"name": "weights.bin", "function": "sha256", "attested": digest("poison"), "found": digest("weights")}])
    );
    assert_eq!(report["attestations"][0]["identity"], json!(IDENTITY));
}

#[test]
fn duplicate_members_of_a_statement_are_refused() {
    let world = World::new();
    let text = statement(json!([subject("weights.bin", "weights")])).to_string();
    let right = format!("\"sha256\":\"{}\"", digest("weights"));
    let wrong = format!("\"sha256\":\"{}\"", digest("poison"));
    for doubled in [
        text.replace(&right, &format!("{right},{wrong}")),
        text.replace(&right, &format!("{wrong},{right}")),
        text.replace("\"name\"", "\"name\":\"sub/a\",\"name\""),
        text.replace("\"subject\"", "\"subject\":[],\"subject\""),
    ] {
        assert_ne!(doubled, text);
        let bundle = world.sigstore.sign(doubled.as_bytes(), &Signing::v2());
        world.site.write("a.json", &bundle.to_string());
        world.refusal("a.json");
    }
}

#[test]
fn only_in_toto_statements_by_the_identity_are_attestations() {
    let world = World::new();
    let plain = Signing {
        payload_type: "text/plain".to_owned(),
        ..Signing::v2()
    };
    world
        .site
        .write("plain.json", &world.sign(&statement(all()), &plain));
    let said = world.refusal("plain.json");
    assert!(
        said.contains("the signature is over \"text/plain\", not over an in-toto statement"),
        "{said}"
    );
    let text = statement(all())
        .to_string()
        .replace("Statement/v1", "Statement/v9");
    let bundle = world.sigstore.sign(text.as_bytes(), &Signing::v2());
    world.site.write("v9.json", &bundle.to_string());
    world.refusal("v9.json");
    world.attest("a.json", all());
    let who = format!(
        "--identity jane@example.org --identity-provider {ISSUER} --trusted-root root.json"
    );
    let said = world
        .site
        .expect(&format!("verify attestation falcon a.json {who}"), 1);
    assert!(
        said.stderr.contains("failed at the identity"),
        "{}",
        said.stderr
    );
    world.expect("a.json --require build_trigger=release", 0);
    let said = world.refusal("a.json --require build_trigger=push");
    assert!(
        said.contains("an extension of the certificate: build_trigger"),
        "{said}"
    );
    world.site.expect(
        "sign key falcon --private-key keys/p256.key --signature key.sig",
        0,
    );
    let said = world.refusal("key.sig");
    assert!(
        said.contains("signed with a key or a certificate chain"),
        "{said}"
    );
    world.site.write("empty.json", "");
    assert!(world.refusal("empty.json").contains("the file is empty"));
    world.refusal("absent.json");
    world.expect("", 2);
}

#[test]
fn a_hundred_thousand_subjects_are_held_against_the_model() {
    let world = World::new();
    let mut subjects: Vec<Value> = (0..100_000)
        .map(|number| subject(&format!("other/{number}"), "x"))
        .collect();
    subjects.push(subject("weights.bin", "weights"));
    world.attest("many.json", Value::from(subjects));
    let report = world.report("many.json", 0);
    assert_eq!(report["covered"], json!(["weights.bin"]));
    assert_eq!(report["attestations"][0]["subjects"], json!(100_001));
}
