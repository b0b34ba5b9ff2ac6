//! Every recorded case: the same verdict, words, payload and certificates as the reference implementation, except where
//! ours is meant to be stricter.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::site::{Printed, Site};

/// Where we differ from the reference: the case, and the reason. What it begins with `accepted` for is accepted, and what
/// is printed and written then is not compared; everything else is refused.
const DIFFERENT: &str = include_str!("different.txt");

fn different() -> impl Iterator<Item = (&'static str, &'static str)> {
    DIFFERENT
        .lines()
        .map(|line| line.split_once(' ').expect("a case and a reason"))
}

/// Set where SoftHSM must be there.
pub const SOFTHSM_REQUIRED: &str = "MODELWATCH_REQUIRE_SOFTHSM";

struct Cases {
    site: Site,
    cases: Vec<Value>,
}

impl Cases {
    fn new() -> Self {
        let site = Site::new();
        let text = fs::read(site.at("cases.json")).unwrap();
        let mut document: Value = serde_json::from_slice(&text).unwrap();
        let Value::Array(cases) = document["cases"].take() else {
            panic!("cases.json has no cases");
        };
        Self { site, cases }
    }

    /// Runs each case of a kind and method, and answers how many there were.
    fn all(&self, kind: &str, method: Option<&str>) -> usize {
        let chosen: Vec<_> = self
            .cases
            .iter()
            .filter(|case| case["kind"] == kind && case["method"].as_str() == method)
            .collect();
        let wrong: Vec<_> = chosen
            .iter()
            .filter_map(|case| {
                let why = if kind == "hash" {
                    self.hash(case)
                } else {
                    self.run(case)
                };
                Some(format!("{} ({}): {}", case["id"], case["why"], why.err()?))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        chosen.len()
    }

    fn run(&self, case: &Value) -> Result<(), String> {
        let id = case["id"].as_str().unwrap();
        let out = self.site.at(&format!("out-{id}.sig"));
        let (root, output) = (self.site.root().to_str().unwrap(), out.to_str().unwrap());
        let args = case["args"].as_array().unwrap().iter();
        let args = args.map(|arg| {
            let arg = arg.as_str().unwrap();
            arg.replace("@ROOT", root).replace("@OUT", output)
        });
        let directory = self.site.at(case["cwd"].as_str().unwrap_or("."));
        let mut command = self.site.command();
        let reported: Printed = command
            .args(args)
            .current_dir(directory)
            .output()
            .unwrap()
            .into();

        let difference = different().find(|(case, _)| *case == id);
        let accepts = match difference {
            Some((_, reason)) => reason.starts_with("accepted"),
            None => case["expect"] == "accept",
        };
        if (reported.code == 0) != accepts {
            return Err(format!("accept: {accepts}; {reported:?}"));
        }
        if !accepts {
            if reported.stderr.trim().is_empty() {
                return Err("refused without a word".to_owned());
            }
            if out.exists() {
                return Err("refused, but a signature was written".to_owned());
            }
            let mistaken = case["reference"]["cli_main"]["exit"] == 2;
            let is_mistake = reported.code == 2;
            return if mistaken == is_mistake {
                Ok(())
            } else {
                Err(format!("exit {}: {}", reported.code, reported.stderr))
            };
        }
        if difference.is_some() {
            return Ok(());
        }
        let printed = case["reference"]["cli_main"]["stdout"]
            .as_str()
            .unwrap_or_default();
        if case["reference"]["cli_main"]["exit"] == 0 && reported.stdout.trim() != printed.trim() {
            return Err(format!("{:?}, not {printed:?}", reported.stdout));
        }
        if case["kind"] == "sign" {
            return written(&fs::read(&out).unwrap(), case);
        }
        Ok(())
    }

    fn hash(&self, case: &Value) -> Result<(), String> {
        let hash = &case["hash"];
        let shards = match &hash["method"] {
            method if method == "shards" => format!(" --shard-size {}", hash["shard_size"]),
            _ => String::new(),
        };
        let line = format!(
            "digest {} --json --hash {}{shards}",
            case["model"].as_str().unwrap(),
            hash["hash_type"].as_str().unwrap_or("sha256")
        );
        let reported = self.site.run(&line);
        let json = reported.json();
        let is_different = different().any(|(id, _)| id == case["id"]);
        let is_equal = |field: &str| json[field] == case["expect"][field];
        let digests = |resources: &Value| -> Vec<Value> {
            let resources = resources.as_array().unwrap().iter();
            let mut digests: Vec<_> = resources.map(|one| one[2].clone()).collect();
            digests.sort_by_key(Value::to_string);
            digests
        };
        let same_digests = digests(&json["resources"]) == digests(&case["expect"]["resources"]);
        // The reference's own root digest is always there.
        if same_digests
            && is_equal("name")
            && json["root_path_order"] == case["expect"]["root"]
            && (is_different || is_equal("root") && is_equal("resources"))
        {
            Ok(())
        } else {
            Err(format!("{line}: {reported:?}"))
        }
    }
}

/// Whether the signature has the same content as that of the reference. The order of keys, the numbers of ECDSA and the
/// form of whole numbers may differ.
fn written(file: &[u8], case: &Value) -> Result<(), String> {
    let bundle: Value = serde_json::from_slice(file).unwrap();
    let decoded = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
    let payload = decoded(&bundle["dsseEnvelope"]["payload"]);
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    let predicate = &payload["predicate"];
    let resources = predicate["resources"].as_array().unwrap().iter();
    let resources: Vec<_> = resources
        .map(|resource| json!([resource["name"], resource["algorithm"], resource["digest"]]))
        .collect();
    let mut expected = case["payload"]["serialization"].clone();
    // Absent where nothing is left out.
    if expected["ignore_paths"] == json!([]) {
        expected.as_object_mut().unwrap().remove("ignore_paths");
    }
    for (what, found, expected) in [
        ("subject", &payload["subject"], &case["payload"]["subject"]),
        ("serialization", &predicate["serialization"], &expected),
        (
            "resources",
            &json!(resources),
            &case["payload"]["resources"],
        ),
    ] {
        if found != expected {
            return Err(format!("{what}: {found}, not {expected}"));
        }
    }
    let material = &bundle["verificationMaterial"];
    let chain = material["x509CertificateChain"]["certificates"].as_array();
    let chain = chain.map(|certificates| {
        let hashes = certificates
            .iter()
            .map(|certificate| hex::encode(Sha256::digest(decoded(&certificate["rawBytes"]))));
        hashes.collect::<Vec<_>>()
    });
    let found = json!({"hint": material["publicKey"]["hint"], "chain_sha256": chain});
    if found != case["bundle"] {
        return Err(format!("{found}, not {}", case["bundle"]));
    }
    Ok(())
}

#[test]
fn signatures_with_keys_are_judged_as_the_reference_judges_them() {
    assert_eq!(Cases::new().all("verify", Some("key")), 92);
}

#[test]
fn signatures_with_certificates_are_judged_as_the_reference_judges_them() {
    assert_eq!(Cases::new().all("verify", Some("certificate")), 29);
}

#[test]
fn models_are_signed_as_the_reference_signs_them() {
    let cases = Cases::new();
    assert_eq!(cases.all("sign", Some("key")), 23);
    assert_eq!(cases.all("sign", Some("certificate")), 4);
}

#[test]
fn digests_and_manifests_are_those_of_the_reference() {
    let cases = Cases::new();
    assert_eq!(cases.all("digest", None), 15);
    assert_eq!(cases.all("hash", None), 7);
}

#[test]
fn tokens_sign_as_they_sign_for_the_reference() {
    let run = |site: &Site, args: &[&str]| {
        Command::new("softhsm2-util")
            .args(args)
            .current_dir(site.root())
            .env("SOFTHSM2_CONF", site.at("softhsm2.conf"))
            .stdout(Stdio::null())
            .status()
    };
    let cases = Cases::new();
    let site = &cases.site;
    if run(site, &["--version"]).is_err() {
        assert!(
            env::var_os(SOFTHSM_REQUIRED).is_none(),
            "softhsm2-util is not installed"
        );
        return;
    }
    fs::create_dir(site.at("tokens")).unwrap();
    let tokens = site.at("tokens");
    let config = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\n",
        tokens.display()
    );
    fs::write(site.at("softhsm2.conf"), config).unwrap();
    let setups: BTreeSet<String> = cases
        .cases
        .iter()
        .filter_map(|case| case["setup"].get("softhsm"))
        .map(Value::to_string)
        .collect();
    for setup in setups {
        let setup: Value = serde_json::from_str(&setup).unwrap();
        let [token, pin] = ["token", "pin"].map(|key| setup[key].as_str().unwrap());
        let init = [
            "--init-token",
            "--free",
            "--label",
            token,
            "--pin",
            pin,
            "--so-pin",
            pin,
        ];
        assert!(run(site, &init).unwrap().success());
        for (label, import) in setup["import"].as_object().unwrap() {
            let [id, key] = [0, 1].map(|at| import[at].as_str().unwrap());
            let import = [
                "--import", key, "--token", token, "--label", label, "--id", id, "--pin", pin,
            ];
            assert!(run(site, &import).unwrap().success());
        }
    }
    assert_eq!(cases.all("sign", Some("pkcs11-key")), 13);
}

#[test]
fn what_differs_from_the_reference_is_documented() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/signing.md")).unwrap();
    let cases = Cases::new();
    for (id, reason) in different() {
        assert!(cases.cases.iter().any(|case| case["id"] == id), "{id}");
        assert!(reason.len() > 20, "{id}: {reason}");
        assert!(
            page.contains(&format!("`{id}`")),
            "docs/signing.md lacks {id}"
        );
    }
}
