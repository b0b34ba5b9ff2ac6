//! `sign --oci-manifest` and `verify --oci-manifest`.

use serde_json::{Value, json};

use crate::fake::{IDENTITY, ISSUER, Signing, Sigstore, hex, payload, sha256};
use crate::site::Site;

fn layer(title: &str, content: &str) -> Value {
    json!({
        "mediaType": "application/octet-stream",
        "digest": format!("sha256:{}", hex(&sha256(content.as_bytes()))),
        "size": content.len(),
        "annotations": {"org.opencontainers.image.title": title},
    })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "JSON is written where it is used"
)]
fn image(layers: Value) -> String {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": format!("sha256:{}", hex(&sha256(b"{}"))),
            "size": 2,
        },
        "layers": layers,
    })
    .to_string()
}

/// A model, and the manifest of an image of it.
fn site() -> Site {
    let site = Site::new();
    site.write("falcon/weights.bin", "weights");
    site.write("falcon/sub/config.json", "{\"a\": 1}");
    let layers = json!([
        layer("weights.bin", "weights"),
        layer("sub/config.json", "{\"a\": 1}")
    ]);
    site.write("falcon.json", &image(layers));
    site
}

const SIGN: &str =
    "sign key --oci-manifest falcon.json --private-key keys/p256.key --signature falcon.sig";
const VERIFY: &str = "--public-key keys/p256.pub --signature falcon.sig";

#[test]
fn an_image_is_signed_without_its_files_and_verified_by_manifest_and_by_files() {
    let site = site();
    let said = site.expect(SIGN, 0);
    assert_eq!(said.stdout, "Signing succeeded\n");
    site.expect(
        &format!("verify key --oci-manifest falcon.json {VERIFY} --strict"),
        0,
    );
    site.expect(&format!("verify key falcon {VERIFY} --strict"), 0);
    let line = format!("verify key --oci_manifest=falcon.json {VERIFY} --json");
    let report = site.expect(&line, 0).json();
    assert_eq!(report["signed"]["name"], json!("falcon"));
    assert_eq!(report["signed"]["resources"], json!(2));
    // A file that was changed, and an image with another layer.
    site.write("falcon/weights.bin", "poison!");
    site.expect(&format!("verify key falcon {VERIFY}"), 1);
    let layers = json!([layer("weights.bin", "poison!"), layer("extra", "x")]);
    site.write("falcon.json", &image(layers));
    let report = site.expect(&line, 1).json();
    assert_eq!(report["changed"][0]["name"], json!("weights.bin"));
    assert_eq!(report["extra"], json!(["extra"]));
    assert_eq!(report["missing"], json!(["sub/config.json"]));
}

#[test]
fn a_signature_of_files_is_verified_by_the_manifest_of_an_image_by_every_method() {
    let site = site();
    site.expect(
        "sign key falcon --private-key keys/p256.key --signature falcon.sig",
        0,
    );
    site.expect(
        &format!("verify key --oci-manifest falcon.json {VERIFY}"),
        0,
    );
    let layers = json!([
        layer("weights.bin", "weights"),
        layer("sub/config.json", "{\"a\": 1}"),
        layer("README", "r")
    ]);
    site.write("more.json", &image(layers));
    site.expect(&format!("verify key --oci-manifest more.json {VERIFY}"), 1);
    site.expect(
        &format!("verify key --oci-manifest more.json {VERIFY} --ignore-unsigned-files"),
        0,
    );
    site.expect(
        "sign key falcon --private-key keys/p256.key --signature falcon.sig --hash blake3",
        0,
    );
    let said = site.expect(
        &format!("verify key --oci-manifest falcon.json {VERIFY}"),
        1,
    );
    assert!(
        said.stderr.contains("the signature has digests by blake3"),
        "{}",
        said.stderr
    );

    let sigstore = Sigstore::new();
    site.write("root.json", &sigstore.trusted_root().to_string());
    site.write(
        "keyless.sig",
        &sigstore.sign(&payload(), &Signing::v2()).to_string(),
    );
    site.write("one.json", &image(json!([layer("weights.bin", "weights")])));
    let who = format!(
        "--identity {IDENTITY} --identity-provider {ISSUER} --trusted-root root.json --signature keyless.sig"
    );
    for method in ["", "sigstore "] {
        site.expect(&format!("verify {method}--oci-manifest one.json {who}"), 0);
        site.expect(
            &format!("verify {method}--oci-manifest falcon.json {who}"),
            1,
        );
    }
}

#[test]
fn what_cannot_be_signed_as_an_image_is_refused_and_nothing_is_written() {
    let site = site();
    let line = "--private-key keys/p256.key --signature bad.sig";
    let tar = json!({
        "mediaType": "application/vnd.cncf.model.weight.v1.tar",
        "digest": format!("sha256:{}", hex(&sha256(b""))),
        "annotations": {"org.cncf.model.filepath": "weights"},
    });
    for (text, said) in [
        (
            image(json!([layer("a", ""), tar])),
            "layers[1] \"weights\" (\"application/vnd.cncf.model.weight.v1.tar\") is not a plain file",
        ),
        (
            image(json!([layer("a", ""), layer("a", "")])),
            "has the name of another layer",
        ),
        (image(json!([layer("../a", "")])), "has `..` in it"),
        (
            image(json!([layer(".gitattributes", "")])),
            "all of its layers are left out",
        ),
        (
            json!({"schemaVersion": 2, "manifests": []}).to_string(),
            "an image index",
        ),
        ("{".to_owned(), "not an OCI image manifest"),
        (" ".repeat((4 << 20) + 1), "longer than"),
    ] {
        site.write("bad.json", &text);
        let found = site.expect(&format!("sign key --oci-manifest bad.json {line}"), 1);
        assert!(found.stderr.contains(said), "{}", found.stderr);
        assert!(!site.at("bad.sig").exists());
        let verify =
            "verify key --oci-manifest bad.json --public-key keys/p256.pub --signature bad.sig";
        site.expect(verify, 1);
    }
    for rest in [
        "falcon --oci-manifest falcon.json",
        "--oci-manifest falcon.json --hash blake3",
        "--oci-manifest falcon.json --shard-size 1000",
        "--oci-manifest falcon.json --allow-symlinks",
        "--oci-manifest falcon.json --ignore-paths x",
        "",
    ] {
        site.expect(&format!("sign key {rest} {line}"), 2);
    }
    let itself =
        "sign key --oci-manifest falcon.json --private-key keys/p256.key --signature falcon.json";
    let said = site.expect(itself, 1);
    assert!(
        said.stderr
            .contains("would replace what is read to sign: falcon.json"),
        "{}",
        said.stderr
    );
    site.expect(
        "sign key --oci-manifest absent.json --private-key keys/p256.key",
        1,
    );
}

#[test]
fn what_of_an_image_is_not_signed_is_a_warning_and_an_error_in_strict_mode() {
    let site = site();
    let layers = json!([
        layer("weights.bin", "weights"),
        layer(".gitattributes", "x")
    ]);
    let mut configured: Value = serde_json::from_str(&image(layers)).unwrap();
    configured["config"]["digest"] = json!(format!("sha256:{}", hex(&sha256(b"{ }"))));
    site.write("falcon.json", &configured.to_string());
    let of_layers = "layers of the image are not signed: \".gitattributes\"";
    let of_config = "the configuration of the image is not signed";
    let verify = format!("verify key --oci-manifest falcon.json {VERIFY}");
    let strict = site.expect(&format!("{SIGN} --strict"), 1);
    assert!(strict.stderr.contains(of_layers), "{}", strict.stderr);
    assert!(!site.at("falcon.sig").exists());
    for line in [SIGN, &verify] {
        let said = site.expect(line, 0);
        for warning in [of_layers, of_config] {
            let warning = format!("warning: {warning}");
            assert!(said.stderr.contains(&warning), "{}", said.stderr);
        }
    }
    let said = site.expect(&format!("{verify} --strict"), 1);
    assert!(said.stderr.contains(of_layers), "{}", said.stderr);
    let report = site.expect(&format!("{verify} --json"), 0).json();
    assert_eq!(report["warnings"].as_array().map(Vec::len), Some(2));
    // The layers are signed, the configuration is not.
    site.expect(&format!("{SIGN} --no-ignore-git-paths"), 0);
    let said = site.expect(&format!("{verify} --no-ignore-git-paths --strict"), 1);
    assert!(said.stderr.contains(of_config), "{}", said.stderr);
    // An image without a configuration.
    configured["config"]["digest"] = json!(format!("sha256:{}", hex(&sha256(b"{}"))));
    site.write("falcon.json", &configured.to_string());
    site.expect(&format!("{verify} --no-ignore-git-paths --strict"), 0);
    // Layers that nothing accounts for, and that --ignore-unsigned-files passes over.
    let more = json!([
        layer("weights.bin", "weights"),
        layer(".gitattributes", "x"),
        layer("README", "r")
    ]);
    site.write("falcon.json", &image(more));
    let line = format!("{verify} --no-ignore-git-paths --ignore-unsigned-files");
    let said = site.expect(&line, 0);
    assert!(
        said.stderr
            .contains("layers of the image are not signed: \"README\""),
        "{}",
        said.stderr
    );
}
