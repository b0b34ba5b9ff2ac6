#![expect(clippy::unwrap_used, reason = "a missing value is a failed test")]
#![expect(
    clippy::needless_pass_by_value,
    reason = "JSON is written where it is used"
)]

use serde_json::{Value, json};

use super::*;

fn digest(content: &str) -> Digest {
    Algorithm::Sha256.digest(content.as_bytes())
}

fn layer(media_type: &str, annotations: Value, content: &str) -> Value {
    json!({
        "mediaType": media_type,
        "digest": format!("sha256:{}", digest(content)),
        "size": content.len(),
        "annotations": annotations,
    })
}

fn titled(title: &str) -> Value {
    layer("application/octet-stream", json!({TITLE: title}), title)
}

fn image(layers: Value) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": format!("sha256:{}", digest("{}")), "size": 2},
        "layers": layers,
    })
}

fn parse(image: &Value) -> Result<ImageManifest, OciError> {
    ImageManifest::parse(image.to_string().as_bytes())
}

fn error(image: &Value) -> String {
    parse(image).unwrap_err().to_string()
}

const RAW_WEIGHT: &str = "application/vnd.cncf.model.weight.v1.raw";

#[test]
fn layers_are_files_by_their_title_and_raw_layers_of_model_pack_by_their_path() {
    let found = parse(&image(json!([
        titled("sub/a.json"),
        layer(RAW_WEIGHT, json!({FILE_PATHS[0]: "weights.bin"}), "w"),
        layer(
            "application/vnd.cnai.model.weight.v1.raw",
            json!({FILE_PATHS[1]: "old.bin"}),
            "o"
        ),
        layer(
            "application/vnd.cncf.model.weight.v1.safetensors",
            json!({FILE_PATHS[0]: "x", TITLE: "x"}),
            "x"
        ),
        layer(ORAS_FILE, json!({TITLE: "plain"}), "p"),
        layer("application/x-tar", json!({TITLE: "data.tar"}), "t"),
        layer(
            "text/plain; charset=utf-8",
            json!({TITLE: "README", UNPACK: "false"}),
            "r"
        ),
    ])))
    .unwrap();
    let names: Vec<_> = found.names().collect();
    assert_eq!(
        names,
        [
            "README",
            "data.tar",
            "old.bin",
            "plain",
            "sub/a.json",
            "weights.bin",
            "x"
        ]
    );
    let manifest = found.manifest(&Ignored::none()).unwrap();
    let digests: Vec<_> = manifest.resources().iter().map(|it| it.digest).collect();
    assert_eq!(digests[5], digest("w"));
}

#[test]
fn layers_that_are_not_plain_files_are_refused_by_name() {
    let file = || json!({TITLE: "weights"});
    let path = || json!({FILE_PATHS[0]: "weights"});
    for (media_type, annotations) in [
        ("application/vnd.cncf.model.weight.v1.tar", path()),
        ("application/vnd.cncf.model.weight.v1.tar+gzip", path()),
        ("application/vnd.cncf.model.weight.v1.tar+zstd", file()),
        ("application/vnd.cncf.model.doc.v1.unheard-of", path()),
        ("application/vnd.oci.image.layer.v1.tar+gzip", file()),
        (
            "application/vnd.oci.image.layer.nondistributable.v1.tar",
            file(),
        ),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", file()),
        ("application/vnd.kitops.modelkit.model.v1.tar", file()),
        ("Application/Vnd.CNCF.Model.Weight.v1.TAR", path()),
        ("application/json+zstd", file()),
        (
            "application/octet-stream",
            json!({TITLE: "weights", UNPACK: "true"}),
        ),
        ("application/octet-stream", path()),
        ("", file()),
    ] {
        let said = error(&image(json!([
            titled("a"),
            layer(media_type, annotations, "w")
        ])));
        let expected = format!("layers[1] \"weights\" ({media_type:?}) is not a plain file");
        assert!(said.starts_with(&expected), "{said}");
    }
}

#[test]
fn every_layer_has_one_name_that_a_file_of_a_model_can_have() {
    let other = layer(RAW_WEIGHT, json!({TITLE: "a", FILE_PATHS[0]: "b"}), "");
    for (layer, why) in [
        (titled("a"), "has the name of another layer"),
        (layer(RAW_WEIGHT, json!({}), ""), "names no file"),
        (
            layer("application/octet-stream", json!(null), ""),
            "names no file",
        ),
        (other, "names two files: the other is \"b\""),
        (titled("../a"), "has `..` in it"),
        (titled("x/../../a"), "has `..` in it"),
        (titled("/etc/passwd"), "is absolute"),
        (titled("./a"), "has `.` or nothing"),
        (titled("a//b"), "has `.` or nothing"),
        (titled("a/"), "has `.` or nothing"),
        (titled("."), "has `.` or nothing"),
        (titled(""), "has `.` or nothing"),
        (titled("..\\a"), "has a backslash in it"),
        (titled("a\0"), "has a NUL in it"),
    ] {
        let said = error(&image(json!([titled("a"), layer])));
        assert!(
            said.starts_with("layers[1] ") && said.contains(why),
            "{said}"
        );
    }
    for bad in [
        format!("sha512:{}", "00".repeat(64)),
        format!("sha256:{}", digest("").to_string().to_uppercase()),
        digest("").to_string(),
        "sha256:00".to_owned(),
        String::new(),
    ] {
        let mut layer = titled("a");
        layer["digest"] = Value::from(bad);
        let said = error(&image(json!([layer])));
        assert!(said.contains("has the digest "), "{said}");
    }
}

#[test]
fn what_is_no_manifest_of_an_image_is_called_what_it_is() {
    let mut index = json!({"schemaVersion": 2, "manifests": []});
    assert!(error(&index).starts_with("an image index"));
    for media_type in INDEXES {
        let mut named = image(json!([titled("a")]));
        named["mediaType"] = Value::from(media_type);
        assert!(error(&named).starts_with("an image index"));
    }
    index["mediaType"] = Value::from("application/vnd.example");
    let mut other = image(json!([titled("a")]));
    other["mediaType"] = Value::from("application/vnd.example\u{1b}");
    assert!(error(&other).contains("its mediaType is \"application/vnd.example\\u{1b}\""));
    let mut old = image(json!([titled("a")]));
    old["schemaVersion"] = Value::from(1);
    assert!(error(&old).contains("schemaVersion is 1, not 2"));
    assert_eq!(error(&image(json!([]))), "the manifest has no layer");
    for text in ["", "[]", "{}", "{\"schemaVersion\": 2} x", "null"] {
        let found = ImageManifest::parse(text.as_bytes()).unwrap_err();
        let is_named = matches!(found, OciError::Json(_) | OciError::NoLayer);
        assert!(is_named, "{text}: {found}");
    }
    let text = image(json!([titled("a")])).to_string();
    for doubled in [
        text.replace("\"layers\"", "\"layers\":[],\"layers\""),
        text.replace("\"digest\"", "\"digest\":\"\",\"digest\""),
        text.replace(
            &format!("\"{TITLE}\""),
            &format!("\"{TITLE}\":\"b\",\"{TITLE}\""),
        ),
    ] {
        assert_ne!(doubled, text);
        assert!(matches!(
            ImageManifest::parse(doubled.as_bytes()),
            Err(OciError::Json(_))
        ));
    }
    let long = vec![b' '; MAX_MANIFEST_BYTES + 1];
    assert_eq!(ImageManifest::parse(&long), Err(OciError::TooLong));
}

fn statement(files: &[(&str, &str)], ignored: &[&str]) -> Statement {
    let resources = files
        .iter()
        .map(|(name, content)| resource(&Arc::from(*name), digest(content)));
    let ignored = ignored.iter().map(|path| (*path).to_owned()).collect();
    Statement::new("falcon", manifest(resources.collect()), false, ignored).unwrap()
}

#[test]
fn a_manifest_is_compared_with_a_signature_of_files() {
    let found = parse(&image(json!([
        titled("a"),
        titled("b"),
        titled(".gitattributes")
    ])))
    .unwrap();
    let compare = |files: &[(&str, &str)], ignored: &[&str], ignore_unsigned| {
        let options = Options {
            ignored: Ignored::none(),
            ignore_unsigned,
        };
        let verdict = found.compare(&statement(files, ignored), &options);
        verdict.map_err(|error| error.to_string())
    };
    let git = [".git", ".gitattributes"];
    assert_eq!(compare(&[("a", "a"), ("b", "b")], &git, false), Ok(()));
    assert_eq!(compare(&[("a", "a")], &[], true), Ok(()));
    // As the Go implementation signs it, with the configuration.
    assert_eq!(
        compare(&[("a", "a"), ("b", "b"), (CONFIG, "{}")], &git, false),
        Ok(())
    );
    for (files, ignored, ignore_unsigned, said) in [
        (
            &[("a", "a"), ("b", "b"), (CONFIG, "[]")][..],
            &git[..],
            false,
            "changed: \"config.json\"",
        ),
        (&[("a", "a")], &git, false, "not signed: \"b\""),
        (&[("a", "a"), ("b", "x")], &git, false, "changed: \"b\""),
        (
            &[("a", "a"), ("b", "b"), ("c", "c")],
            &git,
            true,
            "missing: \"c\"",
        ),
        (&[("a", "a")], &["."], false, "leaves out everything"),
    ] {
        let error = compare(files, ignored, ignore_unsigned).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
    let blake = Method::files(Algorithm::Blake3);
    let resources = vec![Resource {
        path: "a".into(),
        shard: None,
        digest: Algorithm::Blake3.digest(b"a"),
    }];
    let blake = Manifest::new(blake, resources).unwrap();
    let statement = Statement::new("falcon", blake, false, Vec::new()).unwrap();
    let error = found.compare(&statement, &Options::default()).unwrap_err();
    assert!(error.to_string().contains("blake3"), "{error}");
    let mut all = Ignored::none();
    all.add_recorded(["a", "b", ".gitattributes"]);
    assert_eq!(found.manifest(&all).unwrap_err(), OciError::NothingLeft);
}

#[test]
fn a_field_that_other_clients_read_in_another_spelling_is_refused() {
    let poisoned = json!([titled("poisoned.bin")]);
    // U+017F and U+212A are `s` and `k` in other letter cases.
    for name in [
        "Layers",
        "LAYERS",
        "layer\u{17f}",
        "Config",
        "Manifests",
        "MediaType",
        "SchemaVersion",
        "blobs",
        "blob\u{17f}",
        "fsLayers",
        "FSLayers",
    ] {
        let mut image = image(json!([titled("a.bin")]));
        image[name] = poisoned.clone();
        assert!(
            error(&image).contains("some clients read other files"),
            "{name}"
        );
    }
    for name in ["Digest", "Annotations", "annotation\u{17f}", "mediatype"] {
        let mut layer = titled("a.bin");
        layer[name] = Value::from("other");
        let image = image(json!([titled("b.bin"), layer]));
        assert!(
            error(&image).contains("some clients read other files"),
            "{name}"
        );
    }
    let mut other = image(json!([titled("a.bin")]));
    other["config"]["DIGEST"] = Value::from("other");
    assert_eq!(
        error(&other),
        "the field \"DIGEST\": some clients read other files in it"
    );
}

#[test]
fn fields_without_files_are_passed_over() {
    let mut image = image(json!([titled("a.bin")]));
    image["artifactType"] = Value::from("application/vnd.example");
    image["subject"] = json!({"digest": "sha256:00", "Digest": "sha256:01"});
    image["annotations"] = json!({"Layers": "a word"});
    image["layers"][0]["urls"] = json!([]);
    assert_eq!(
        parse(&image).unwrap().names().collect::<Vec<_>>(),
        ["a.bin"]
    );
}

#[test]
fn what_of_an_image_is_not_signed_is_told() {
    let mut configured = image(json!([titled("weights.bin"), titled(".gitattributes")]));
    let empty = parse(&configured).unwrap();
    let mut ignored = Ignored::none();
    ignored.add_git_paths();
    let signed = empty.manifest(&ignored).unwrap();
    let not_signed = empty.not_signed(&signed);
    assert_eq!(not_signed.layers, [".gitattributes"]);
    // The empty configuration has one content alone.
    assert!(!not_signed.config);
    let whole = empty.manifest(&Ignored::none()).unwrap();
    assert_eq!(empty.not_signed(&whole), NotSigned::default());
    for config in [
        "sha256:00",
        &format!("sha256:{}", digest("{ }")),
        "sha512:00",
    ] {
        configured["config"]["digest"] = Value::from(config);
        let found = parse(&configured).unwrap();
        assert!(found.not_signed(&whole).config, "{config}");
    }
    // As the Go implementation signs it; a layer of that name is another file.
    let as_a_file = parse(&image(json!([
        titled("weights.bin"),
        titled(".gitattributes"),
        titled(CONFIG)
    ])));
    let as_a_file = as_a_file.unwrap().manifest(&Ignored::none()).unwrap();
    assert!(!parse(&configured).unwrap().not_signed(&as_a_file).config);
    let mut both = image(json!([titled("weights.bin"), titled(CONFIG)]));
    both["config"]["digest"] = Value::from("sha256:00");
    assert!(parse(&both).unwrap().not_signed(&as_a_file).config);
}
