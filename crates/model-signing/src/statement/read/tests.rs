//! Statements with one mistake, and the errors about them.
#![expect(
    clippy::unwrap_used,
    reason = "a statement that cannot be read is a failed test"
)]

use super::*;

const A: &str = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";

fn root_of(digests: &[&str]) -> String {
    let digests: Vec<_> = digests
        .iter()
        .map(|text| Digest::from_hex(Algorithm::Sha256, text).unwrap())
        .collect();
    root(digests.iter()).to_string()
}

fn statement(serialization: &str, resources: &str, root: &str) -> String {
    format!(
        r#"{{"_type":"{STATEMENT_TYPE}","subject":[{{"name":"m","digest":{{"sha256":"{root}"}}}}],
        "predicateType":"{PREDICATE_TYPE}","predicate":{{"serialization":{{{serialization}}},"resources":[{resources}]}}}}"#
    )
}

const FILES: &str = r#""method":"files","hash_type":"sha256","allow_symlinks":false"#;

fn resource(name: &str, algorithm: &str) -> String {
    let name = serde_json::Value::from(name);
    format!(r#"{{"name":{name},"algorithm":"{algorithm}","digest":"{A}"}}"#)
}

fn good() -> String {
    statement(FILES, &resource("a", "sha256"), &root_of(&[A]))
}

fn said(json: &str) -> String {
    Statement::parse(json.as_bytes()).unwrap_err().to_string()
}

#[test]
fn what_the_reference_writes_is_read() {
    let read = Statement::parse(good().as_bytes()).unwrap();
    assert_eq!(read.name.as_deref(), Some("m"));
    assert_eq!(read.version(), Version::V1 { minor: 0 });
    assert_eq!(read.manifest.resources().len(), 1);
    assert_eq!(&*read.manifest.resources()[0].path, "a");
}

#[test]
fn fields_that_the_format_does_not_have_are_ignored() {
    let json = good().replace(r#""name":"a""#, r#""name":"a","size":[{"x":1}]"#);
    let json = json.replace("\"_type\"", "\"comment\":null,\"_type\"");
    assert!(Statement::parse(json.as_bytes()).is_ok());
}

#[test]
fn a_shard_size_is_read_in_every_form_that_numbers_have() {
    for (written, bytes) in [
        ("1000", Some(1000)),
        ("1000.0", Some(1000)),
        ("1e3", Some(1000)),
        ("1e+15", Some(1_000_000_000_000_000)),
        ("0", None),
        ("0.0", None),
        ("-1000", None),
        ("1000.5", None),
        ("1e+16", None),
        ("1e300", None),
        ("\"1000\"", None),
        ("null", None),
    ] {
        let serialization = format!(
            r#""method":"shards","hash_type":"sha256","allow_symlinks":false,"shard_size":{written}"#
        );
        let shard = resource("a:0:1", "sha256");
        let json = statement(&serialization, &shard, &root_of(&[A]));
        let read = Statement::parse(json.as_bytes()).ok();
        let read = read.map(|read| read.manifest.method().shard_bytes().unwrap().get());
        assert_eq!(read, bytes, "{written}");
    }
}

#[test]
fn a_shard_of_a_file_with_colons_in_its_name_is_read_and_no_other_spelling_is() {
    let serialization =
        r#""method":"shards","hash_type":"sha256","allow_symlinks":false,"shard_size":10.0"#;
    for (name, place) in [
        ("a:0:10", Some(("a", 0, 10))),
        ("a:b:c:10:20", Some(("a:b:c", 10, 20))),
        (".:20:21", Some((".", 20, 21))),
        ("a", None),
        ("a:0", None),
        ("0:10", None),
        (":0:10", None),
        ("a:5:10", None),
        ("a:0:11", None),
        ("a:0:0", None),
        ("a:10:0", None),
        ("a:00:10", None),
        ("a:+0:10", None),
        ("a: 0:10", None),
        ("a::10", None),
        ("a:0:1_0", None),
        ("a:0:18446744073709551616", None),
        ("../a:0:10", None),
    ] {
        // As the specification has it, and as the reference writes it.
        let [json, older] = ["sha256", "sha256-sharded-10"]
            .map(|algorithm| statement(serialization, &resource(name, algorithm), &root_of(&[A])));
        let read = Statement::parse(json.as_bytes());
        let older = Statement::parse(older.as_bytes());
        assert_eq!(older.ok(), read.as_ref().ok().cloned(), "{name}");
        let read = read.as_ref().ok().map(|read| {
            let only = &read.manifest.resources()[0];
            let shard = only.shard.unwrap();
            (&*only.path, shard.start, shard.end)
        });
        assert_eq!(read, place, "{name}");
    }
}

#[test]
fn the_old_format_has_its_files_as_subjects() {
    let json = format!(
        r#"{{"_type":"{STATEMENT_TYPE}","predicateType":"{PREDICATE_TYPE_V0_2}","predicate":{{"unused":"x"}},
        "subject":[{{"name":"b","digest":{{"sha256":"{A}"}},"annotations":{{"actual_hash_algorithm":"file-sha256"}}}},
                   {{"name":"a/c","digest":{{"sha256":"{A}"}}}}]}}"#
    );
    for json in [
        json.clone(),
        json.replace(r#""predicate":{"unused":"x"},"#, ""),
        json.replace(r#"{"unused":"x"}"#, "null"),
    ] {
        let read = Statement::parse(json.as_bytes()).unwrap();
        assert_eq!((read.name.as_ref(), read.version()), (None, Version::V0_2));
        let paths: Vec<_> = read.manifest.paths().map(|path| &**path).collect();
        assert_eq!(paths, ["a/c", "b"]);
    }
    assert!(said(&json.replace("a/c", "b")).contains("listed twice"));
    assert!(said(&json.replace("a/c", "../c")).contains("`..`"));
}

#[test]
fn everything_that_two_readers_could_take_differently_is_refused() {
    let good = good();
    for (from, to, says) in [
        ("\"a\"", "\"./a\"", "has `.`"),
        ("\"a\"", "\"a//b\"", "has `.`"),
        ("\"a\"", "\"../a\"", "has `..`"),
        ("\"a\"", "\"/a\"", "is absolute"),
        ("\"a\"", "\"a\\u0000\"", "has a NUL"),
        (
            "\"a\",\"al",
            "\"a\",\"name\":\"b\",\"al",
            "duplicate field `name`",
        ),
        (
            "\"a\",\"al",
            "\"a\",\"n\\u0061me\":\"b\",\"al",
            "duplicate field `name`",
        ),
        (
            "\"method\"",
            "\"method\":\"files\",\"method\"",
            "duplicate field `method`",
        ),
        (
            "\"_type\"",
            "\"predicate\":{},\"_type\"",
            "duplicate field `predicate`",
        ),
        ("\"sha256\",\"digest\"", "\"md5\",\"digest\"", "not sha256"),
        (
            "\"sha256\",\"digest\"",
            "\"sha256-sharded-1\",\"digest\"",
            "not sha256",
        ),
        (
            "files",
            "trees",
            "predicate.serialization.method is \"trees\"",
        ),
        (
            "files",
            "shards",
            "predicate.serialization.shard_size is missing",
        ),
        (
            "hash_type\":\"sha256",
            "hash_type\":\"md5",
            "hash_type is \"md5\"",
        ),
        ("\"hash_type\":\"sha256\",", "", "missing field `hash_type`"),
        ("false", "\"no\"", "expected a boolean"),
        ("Statement/v1", "Statement/v0.1", "_type is"),
        ("signature/v1.0", "signature/v2.0", "predicateType is"),
        (
            "\"subject\":[",
            "\"subject\":[{\"name\":\"x\",\"digest\":{\"sha256\":\"\"}},",
            "2 subjects",
        ),
        ("\"name\":\"m\",", "", "missing field `name`"),
        ("\"name\":\"m\"", "\"name\":7", "expected a string"),
        (
            "\"predicate\":{",
            "\"predicate\":[],\"x\":{",
            "expected an object",
        ),
        ("{\"name\":\"m\",\"digest\":", "[\"m\",", "expected"),
        (
            "\"resources\"",
            "\"resource\"",
            "predicate has the field \"resource\"",
        ),
    ] {
        let json = good.replacen(from, to, 1);
        assert_ne!(json, good, "{from}");
        let said = said(&json);
        assert!(said.contains(says), "{from} -> {to}: {said}");
    }
}

#[test]
fn the_rules_of_the_schema_hold() {
    let with = |from: &str, to: &str| {
        let json = good().replacen(from, to, 1);
        assert_ne!(json, good(), "{from}");
        json
    };
    for (from, to, says) in [
        ("false", "false,\"ignore_paths\":null", "invalid type: null"),
        ("false", "false,\"ignore_paths\":\"a\"", "a sequence"),
        ("false", "false,\"ignore_paths\":[null]", "a string"),
        (
            "false",
            "false,\"ignore_paths\":[\"\"]",
            "an entry of predicate.serialization.ignore_paths is empty",
        ),
        ("false", "null", "expected a boolean"),
        ("false", "false,\"shard_size\":10", "which has no shards"),
        ("false", "false,\"shard_size\":null", "invalid type: null"),
        (
            "false",
            "false,\"extra\":1",
            "predicate.serialization has the field \"extra\"",
        ),
        (
            "\"resources\"",
            "\"extra\":[],\"resources\"",
            "predicate has the field \"extra\"",
        ),
        (
            "\"name\":\"m\"",
            "\"name\":\"\"",
            "subject[0].name is empty",
        ),
        ("\"name\":\"a\"", "\"name\":\"\"", "has `.` or nothing"),
        ("\"algorithm\":\"sha256\"", "\"algorithm\":null", "a string"),
    ] {
        let said = said(&with(from, to));
        assert!(said.contains(says), "{to}: {said}");
    }
    let nothing = statement(FILES, "", &root_of(&[]));
    assert_eq!(said(&nothing), "predicate.resources is empty");
    let old = format!(
        r#"{{"_type":"{STATEMENT_TYPE}","predicateType":"{PREDICATE_TYPE_V0_2}","subject":[]}}"#
    );
    assert_eq!(said(&old), "subject is empty");
}

#[test]
fn later_minor_versions_are_read_with_whatever_they_add() {
    let of = |version: &str| good().replacen("v1.0", version, 1);
    let extended = |version: &str| {
        of(version)
            .replacen("false", "false,\"new\":{\"a\":[1]}", 1)
            .replacen("\"resources\"", "\"new\":null,\"resources\"", 1)
    };
    for (version, minor) in [("v1.1", 1), ("v1.10", 10), ("v1.4294967295", u32::MAX)] {
        for json in [of(version), extended(version)] {
            let read = Statement::parse(json.as_bytes()).unwrap();
            assert_eq!(read.version(), Version::V1 { minor });
            assert_eq!(read.manifest.resources().len(), 1);
        }
    }
    assert!(said(&extended("v1.0")).contains("version 1.0 of the format does not have"));
    for version in [
        "v1",
        "v1.",
        "v1.01",
        "v1.-1",
        "v1.+1",
        "v1.1.1",
        "v1.1a",
        "v1.4294967296",
        "v2.0",
        "v11.0",
        "V1.1",
    ] {
        assert!(said(&of(version)).contains("predicateType is"), "{version}");
    }
    // What the version adds must not hide what it has.
    let twice = extended("v1.1").replacen("\"new\":null", "\"resources\":[]", 1);
    assert!(said(&twice).contains("duplicate field `resources`"));
}

#[test]
fn the_root_is_over_the_order_of_the_statement() {
    let b = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d";
    let python = [
        resource("a/x", "sha256"),
        resource("a-x", "sha256").replace(A, b),
    ]
    .join(",");
    let json = statement(FILES, &python, &root_of(&[A, b]));
    let read = Statement::parse(json.as_bytes()).unwrap();
    assert_eq!(read.root().to_string(), root_of(&[A, b]));
    assert_eq!(read.manifest.root().to_string(), root_of(&[b, A]));
    assert_eq!(read.manifest.root_path_order(), read.root());
}

#[test]
fn digests_are_lower_case_and_the_root_is_that_of_the_resources() {
    let good = good();
    let root = root_of(&[A]);
    for (from, to, says) in [
        (A, A.to_uppercase(), "lower-case"),
        (A, A.replace("ca97", "ca 97"), "lower-case"),
        (A, A[2..].to_owned(), "lower-case"),
        (A, A.replace("ca97", "ca96"), "but that of the resources"),
        (&root, root.to_uppercase(), "but that of the resources"),
        (&root, A.to_owned(), "but that of the resources"),
        (&root, String::new(), "but that of the resources"),
    ] {
        let said = said(&good.replace(from, &to));
        assert!(said.contains(says), "{to}: {said}");
    }
}

#[test]
fn a_name_that_is_listed_twice_is_refused() {
    let twice = [resource("a", "sha256"), resource("a", "sha256")].join(",");
    let json = statement(FILES, &twice, &root_of(&[A, A]));
    assert_eq!(said(&json), "\"a\" is listed twice");
}

#[test]
fn resources_may_be_in_any_order() {
    let b = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d";
    let backwards = [
        resource("b", "sha256").replace(A, b),
        resource("a", "sha256"),
    ]
    .join(",");
    let json = statement(FILES, &backwards, &root_of(&[b, A]));
    let read = Statement::parse(json.as_bytes()).unwrap();
    let paths: Vec<_> = read.manifest.paths().map(|path| &**path).collect();
    assert_eq!(paths, ["a", "b"]);
}

#[test]
fn what_is_not_json_in_utf8_is_refused() {
    let good = good();
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let deep = "[".repeat(100_000);
    for bytes in [
        b"".as_slice(),
        b"null",
        b"{}",
        b"NaN",
        deep.as_bytes(),
        &utf16,
        &[b"\xef\xbb\xbf", good.as_bytes()].concat(),
        &[good.as_bytes(), b"x"].concat(),
        &good.as_bytes()[..good.len() - 1],
        &good.replace("\"a\"", "\"\\ud800\"").into_bytes(),
    ] {
        let error = Statement::parse(bytes).unwrap_err();
        assert!(
            error.to_string().starts_with("not a statement: "),
            "{error}"
        );
    }
}
