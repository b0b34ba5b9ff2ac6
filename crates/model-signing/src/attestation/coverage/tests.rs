//! Attestations of a model of three files.
#![expect(
    clippy::unwrap_used,
    reason = "a temporary directory that cannot be written is a failed test"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "JSON is written where it is used"
)]

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::walk::Ignored;

const FILES: [(&str, &str); 3] = [("sub/a", "one"), ("sub-x", "two"), ("weights.bin", "three")];

fn world() -> TempDir {
    let world = tempfile::tempdir().unwrap();
    fs::create_dir_all(world.path().join("falcon/sub")).unwrap();
    for (name, content) in FILES {
        fs::write(world.path().join("falcon").join(name), content).unwrap();
    }
    world
}

fn digest(function: HashFunction, content: &str) -> String {
    let mut hasher = Hasher::new(function);
    hasher.update(content.as_bytes());
    hasher.finish()
}

fn sha256(content: &str) -> String {
    digest(HashFunction::Sha256, content)
}

fn root(order: [&str; 3]) -> String {
    let digests = order.map(|content| Algorithm::Sha256.digest(content.as_bytes()));
    crate::manifest::root(digests.iter()).to_string()
}

fn attestation(subjects: Value) -> Attestation {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": "p",
    });
    Attestation::parse(statement.to_string().as_bytes()).unwrap()
}

fn subject(name: &str, digests: &[(&str, String)]) -> Value {
    let digests = digests.iter();
    let digests = digests.map(|(name, hex)| ((*name).to_owned(), Value::from(hex.clone())));
    json!({"name": name, "digest": digests.collect::<serde_json::Map<_, _>>()})
}

/// What is covered, and how many bytes were hashed for it.
fn cover_in(path: &std::path::Path, subjects: Value) -> (Result<Coverage, CoverageError>, u64) {
    let model = Model::open(path, false).unwrap();
    let listing = model.walk(&Ignored::none()).unwrap();
    let all = [attestation(subjects)];
    let needed = files_to_hash(&model, &listing, &all);
    let hashed = AtomicU64::new(0);
    let progress = |bytes| {
        hashed.fetch_add(bytes, Ordering::Relaxed);
    };
    let measured = Measured::new(&model, &listing, &needed, &all, &progress).unwrap();
    (measured.cover(&all[0]), hashed.into_inner())
}

fn cover(subjects: Value) -> Result<Coverage, CoverageError> {
    cover_in(&world().path().join("falcon"), subjects).0
}

fn names(coverage: &Coverage) -> Vec<&str> {
    coverage.files.iter().map(|name| &**name).collect()
}

#[test]
fn named_files_are_covered_and_only_they_are_hashed() {
    let world = world();
    let subjects = json!([
        subject("weights.bin", &[("sha256", sha256("three"))]),
        subject(
            "./sub/a",
            &[("sha256", sha256("one")), ("md5", "00".to_owned())]
        ),
    ]);
    let (coverage, hashed) = cover_in(&world.path().join("falcon"), subjects);
    let coverage = coverage.unwrap();
    assert_eq!(names(&coverage), ["sub/a", "weights.bin"]);
    assert!(!coverage.has_root && coverage.others.is_empty());
    assert_eq!(hashed, 8);
}

#[test]
fn the_root_digest_of_either_order_is_recognized_and_covers_no_name() {
    // By code points, and by components.
    for order in [["two", "one", "three"], ["one", "two", "three"]] {
        let coverage = cover(json!([subject("any", &[("sha256", root(order))])])).unwrap();
        assert!(coverage.has_root && coverage.files.is_empty());
    }
    let other = root(["three", "two", "one"]);
    let error = cover(json!([subject("falcon", &[("sha256", other)])])).unwrap_err();
    assert_eq!(error, CoverageError::AnotherModel);
    // There is no SHA-512 of the root that could be right.
    let both = [
        ("sha256", root(["two", "one", "three"])),
        ("sha512", "00".to_owned()),
    ];
    assert_eq!(
        cover(json!([subject("falcon", &both)])),
        Err(CoverageError::AnotherModel)
    );
    // Nor is the root the content of a file.
    let named = subject("weights.bin", &[("sha256", root(["two", "one", "three"]))]);
    assert!(matches!(
        cover(json!([named])),
        Err(CoverageError::Differs(_))
    ));
}

#[test]
fn subjects_that_are_elsewhere_are_listed() {
    let coverage = cover(json!([
        subject("weights.bin", &[("sha256", sha256("three"))]),
        subject("wheel.whl", &[("sha256", sha256("x"))]),
        subject("wheel.whl", &[("sha256", sha256("y"))]),
        {"digest": {"gitCommit": "abc"}},
        // The content of a file under another name, and with no name.
        subject("sub/b", &[("sha256", sha256("one"))]),
        {"digest": {"sha256": "00"}},
        subject("pkg:pypi/wheel@1", &[("sha256", sha256("x"))]),
    ]))
    .unwrap();
    assert_eq!(names(&coverage), ["weights.bin"]);
    assert_eq!(
        coverage.others,
        [
            "wheel.whl",
            "wheel.whl",
            "gitCommit:abc",
            "sub/b",
            "sha256:00",
            "pkg:pypi/wheel@1"
        ]
    );
    // Only a name that can be a path is that of a file.
    assert_eq!(coverage.missing, ["wheel.whl", "wheel.whl", "sub/b"]);
    let elsewhere = json!([subject("wheel.whl", &[("sha256", sha256("x"))])]);
    assert_eq!(cover(elsewhere), Err(CoverageError::AnotherModel));
}

#[test]
fn digests_that_are_not_computed_here_are_named() {
    let unknown = [
        ("sha256", sha256("three")),
        ("sha2-256", "00".to_owned()),
        ("sha3_256", "11".to_owned()),
        ("blake2", "22".to_owned()),
    ];
    let coverage = cover(json!([
        subject("weights.bin", &unknown),
        subject("sub/a", &[("sha256", sha256("one"))]),
        // Of a subject that is not in the model nothing is compared anyway.
        subject("else", &[("md5", "33".to_owned())]),
    ]))
    .unwrap();
    let names: Vec<_> = coverage.not_compared.iter().collect();
    assert_eq!(names, ["blake2", "sha2-256", "sha3_256"]);
}

#[test]
fn every_digest_of_a_file_that_is_computed_here_must_be_right() {
    let functions = [
        HashFunction::Sha1,
        HashFunction::Sha224,
        HashFunction::Sha256,
        HashFunction::Sha384,
        HashFunction::Sha512,
        HashFunction::Sha512Of256,
        HashFunction::Blake2b,
        HashFunction::Blake3,
    ];
    let all: Vec<_> = functions
        .iter()
        .map(|function| (function.as_str(), digest(*function, "three")))
        .collect();
    cover(json!([subject("weights.bin", &all)])).unwrap();
    for wrong in 0..all.len() {
        let mut digests = all.clone();
        digests[wrong].1 = digest(functions[wrong], "other");
        let error = cover(json!([subject("weights.bin", &digests)])).unwrap_err();
        let CoverageError::Differs(mismatches) = &error else {
            panic!("{error}")
        };
        assert_eq!(mismatches[0].function, functions[wrong].as_str());
        assert_eq!(mismatches[0].found.as_ref(), Some(&all[wrong].1));
    }
    for alone in [
        ("sha512", digest(HashFunction::Sha512, "three")),
        ("blake3", digest(HashFunction::Blake3, "three")),
    ] {
        cover(json!([subject("weights.bin", &[alone])])).unwrap();
    }
}

#[test]
fn a_file_is_not_covered_by_digests_that_prove_nothing() {
    for digests in [
        vec![("md5", "00".to_owned())],
        vec![("gitBlob", "00".to_owned()), ("crc32", "11".to_owned())],
        vec![("sha1", digest(HashFunction::Sha1, "three"))],
        // Another spelling of the function: some reader takes it, and none has to.
        vec![("SHA-256", sha256("three"))],
    ] {
        let error = cover(json!([subject("weights.bin", &digests)])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("which prove nothing here"), "{text}");
    }
    for wrong in [
        ("SHA256", sha256("other")),
        ("sha256", sha256("three").to_uppercase()),
        ("sha256", sha256("three")[2..].to_owned()),
        ("sha256", String::new()),
        ("sha1", "00".to_owned()),
    ] {
        let digests = [("sha512", digest(HashFunction::Sha512, "three")), wrong];
        let error = cover(json!([subject("weights.bin", &digests)])).unwrap_err();
        assert!(matches!(error, CoverageError::Differs(_)), "{error}");
    }
}

#[test]
fn a_file_that_is_named_twice_is_ambiguous_even_with_one_digest() {
    let one = subject("weights.bin", &[("sha256", sha256("three"))]);
    for other in [
        one.clone(),
        subject("./weights.bin", &[("sha256", sha256("three"))]),
        subject("weights.bin", &[("sha256", sha256("x"))]),
    ] {
        let error = cover(json!([one, other])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "two subjects name the file \"weights.bin\""
        );
    }
}

#[test]
fn a_model_that_is_a_file_is_named_by_its_name_or_by_a_dot() {
    let world = world();
    let path = world.path().join("falcon/weights.bin");
    for name in ["weights.bin", "."] {
        let subjects = json!([subject(name, &[("sha256", sha256("three"))])]);
        let coverage = cover_in(&path, subjects).0.unwrap();
        assert_eq!(names(&coverage), ["weights.bin"]);
    }
    let subjects = json!([subject(".", &[("sha256", sha256("three"))])]);
    assert_eq!(cover(subjects), Err(CoverageError::AnotherModel));
}

#[test]
fn a_message_about_many_files_stays_short() {
    let mismatch = |number: usize| Mismatch {
        name: format!("\u{1b}{number}").into(),
        function: "sha256".to_owned(),
        attested: "00".to_owned(),
        found: Some("11".to_owned()),
    };
    let error = CoverageError::Differs((0..1000).map(mismatch).collect());
    let text = error.to_string();
    assert!(text.starts_with(
        "files are not what is attested: \"\\u{1b}0\" (sha256 \"00\" attested, 11 found), "
    ));
    assert!(
        text.ends_with(" and 990 more") && text.len() < 1000,
        "{text}"
    );
}
