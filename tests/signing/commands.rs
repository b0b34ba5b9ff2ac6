//! What the commands add to those of the reference.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::site::{Printed, Site};

const SIGN: &str = "sign key model --private-key keys/p256.key --signature model.sig";
const VERIFY: &str = "verify key model --public-key keys/p256.pub --signature model.sig";

const CERTIFIED: &str = "sign certificate model --private-key keys/leaf256.key --signing-certificate keys/leaf256.pem \
     --certificate-chain keys/int.pem --signature model.sig";
const VERIFY_CERTIFIED: &str =
    "verify certificate model --certificate-chain keys/root.pem --signature model.sig";

/// A site with a model that has two files.
fn site() -> Site {
    let site = Site::new();
    site.write("model/config.json", "{}");
    site.write("model/weights/part-1.bin", "0.1 0.2");
    site
}

impl Site {
    pub fn expect(&self, line: &str, code: i32) -> Printed {
        let reported = self.run(line);
        assert_eq!(reported.code, code, "{line}: {reported:?}");
        reported
    }
}

#[test]
fn a_model_is_signed_and_verified_in_either_spelling() {
    let site = site();
    for line in [
        "sign key model --private_key keys/p256.key --ignore_paths model/config.json --no-ignore_git_paths --allow_symlinks",
        "sign key --private-key=keys/p256.key --ignore-paths=model/config.json --no-ignore-git-paths --allow-symlinks -- model",
        "--log_level DEBUG sign key --private_key nothing --private_key keys/p256.key --ignore-git-paths --no-ignore-git-paths --allow-symlinks --ignore-paths model/config.json model",
    ] {
        let reported = site.expect(line, 0);
        assert_eq!(reported.stdout, "Signing succeeded\n");
        let reported = site.expect(&format!("{VERIFY} --json"), 0);
        let signed = &reported.json()["signed"];
        assert_eq!(signed["ignore_paths"], json!(["config.json"]), "{line}");
        assert_eq!(signed["allow_symlinks"], true, "{line}");
    }
    site.expect(&VERIFY.replace("public-key", "public_key"), 0);
}

#[test]
fn every_recorded_method_is_followed() {
    let site = site();
    for options in [
        "--hash sha256",
        "--hash blake2b",
        "--hash blake2",
        "--hash blake3",
        "--shard-size 3",
        "--hash blake2b --shard-size 1000000000",
        "--hash blake3 --shard-size 3",
    ] {
        site.expect(&format!("{SIGN} {options}"), 0);
        site.expect(VERIFY, 0);
        site.write("model/weights/part-1.bin", "0.1 0.3");
        site.expect(VERIFY, 1);
        site.write("model/weights/part-1.bin", "0.1 0.2");
    }
    for options in ["--hash md5", "--shard-size 0"] {
        site.expect(&format!("{SIGN} {options}"), 2);
    }
}

#[test]
fn a_report_names_every_difference_and_both_digests() {
    let site = site();
    site.expect(SIGN, 0);
    fs::remove_file(site.at("model/config.json")).unwrap();
    site.write("model/weights/part-1.bin", "0.1 0.3");
    site.write("model/\u{1b}[2J", "");
    let reported = site.expect(&format!("{VERIFY} --json"), 1);
    let report = reported.json();
    assert_eq!(report["ok"], false);
    assert_eq!(report["missing"], json!(["config.json"]));
    assert_eq!(report["extra"], json!(["\u{1b}[2J"]));
    let digest = |text: &str| {
        use sha2::Digest as _;
        hex::encode(sha2::Sha256::digest(text))
    };
    let changed = json!([{
        "name": "weights/part-1.bin",
        "signed": digest("0.1 0.2"),
        "found": digest("0.1 0.3"),
    }]);
    assert_eq!(report["changed"], changed);
    assert!(
        report["error"]
            .as_str()
            .unwrap()
            .contains("not what was signed")
    );
    // What a file is called must not reach a terminal.
    assert!(!reported.stderr.contains('\u{1b}'), "{}", reported.stderr);
}

#[test]
fn a_report_of_a_signing_contains_what_was_signed() {
    let site = site();
    let report = site
        .expect(&format!("{SIGN} --json --shard-size 1000"), 0)
        .json();
    let digest = site.expect("digest model --shard-size 1000", 0).stdout;
    assert_eq!(report["signature"], "model.sig");
    assert_eq!(report["signed"]["shard_size"], 1000);
    assert_eq!(
        format!("sha256:{}\n", report["signed"]["root"].as_str().unwrap()),
        digest
    );
    let report = site
        .expect(
            &format!("{} --json", SIGN.replace("p256.key", "rsa.key")),
            1,
        )
        .json();
    assert_eq!(
        (&report["ok"], &report["signature"]),
        (&json!(false), &json!(null))
    );
    assert!(report["error"].as_str().unwrap().contains("keys/rsa.key"));
}

#[test]
fn a_password_comes_from_a_file_or_a_variable_and_never_from_the_command_line() {
    let site = site();
    let sign = SIGN.replace("p256.key", "p256-enc.key");
    for (content, code) in [
        ("hunter2", 0),
        ("hunter2\n", 0),
        ("hunter2\r\n", 0),
        ("hunter2 ", 1),
        ("", 1),
    ] {
        site.write("password", content);
        site.expect(&format!("{sign} --password-file password"), code);
    }
    let with = |value: &str| {
        let args = format!("{sign} --password-env MODEL_PASSWORD");
        let mut command = site.command();
        command.args(args.split(' ')).env("MODEL_PASSWORD", value);
        command.output().unwrap().status.code()
    };
    assert_eq!(with("hunter2"), Some(0));
    assert_eq!(with("hunter3"), Some(1));
    site.expect(&format!("{sign} --password-env NOT_SET"), 2);
    site.expect(
        &format!("{sign} --password-env A --password-file password"),
        2,
    );
    let reported = site.expect(&format!("{sign} --password hunter2"), 1);
    assert!(
        reported.stderr.contains("--password-file"),
        "{}",
        reported.stderr
    );
    assert!(!reported.stderr.contains("hunter2"), "{}", reported.stderr);
}

#[test]
fn a_signature_is_replaced_whole_and_nothing_else_is() {
    let site = site();
    site.write("model.sig", "old");
    site.expect(&SIGN.replace("p256.key", "rsa.key"), 1);
    assert_eq!(fs::read_to_string(site.at("model.sig")).unwrap(), "old");
    site.expect(SIGN, 0);
    site.expect(VERIFY, 0);

    site.write("other", "kept");
    symlink("other", site.at("link.sig")).unwrap();
    let reported = site.expect(&SIGN.replace("model.sig", "link.sig"), 1);
    assert!(
        reported.stderr.contains("is a symlink"),
        "{}",
        reported.stderr
    );
    assert_eq!(fs::read_to_string(site.at("other")).unwrap(), "kept");
    site.expect(&SIGN.replace("model.sig", "no/such/directory.sig"), 1);
    let names: Vec<_> = fs::read_dir(site.root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(names.is_empty(), "{names:?} is left");
}

#[test]
fn a_signature_in_the_model_is_not_part_of_it() {
    let site = site();
    let inside = |line: &str| line.replace("model.sig", "model/model.sig");
    site.expect(&inside(SIGN), 0);
    site.expect(&inside(SIGN), 0);
    site.expect(&inside(VERIFY), 0);
    let digest = site
        .expect("digest model --ignore-paths model/model.sig", 0)
        .stdout;
    let signed = site.expect(&inside(&format!("{VERIFY} --json")), 0).json();
    assert!(digest.contains(signed["signed"]["root"].as_str().unwrap()));
}

#[test]
fn nothing_is_signed_that_would_fit_every_model() {
    let site = site();
    let reported = site.expect(&format!("{SIGN} --ignore-paths model"), 1);
    assert!(
        reported.stderr.contains("leaves out the whole model"),
        "{}",
        reported.stderr
    );
}

#[test]
fn uncovered_files_are_reported_and_refused_in_strict_mode() {
    let site = site();
    site.expect(SIGN, 0);
    site.expect(&format!("{VERIFY} --strict"), 0);
    symlink("weights", site.at("model/linked")).unwrap();
    for (line, part) in [
        (
            format!("{VERIFY} --allow-symlinks"),
            "the signer did not allow symlinks",
        ),
        (
            format!("{SIGN} --allow-symlinks"),
            "behind symlinks to directories",
        ),
        (
            format!("{SIGN} --ignore-paths model/linked --ignore-paths typo --allow-symlinks"),
            "typo is not in the model",
        ),
    ] {
        let reported = site.expect(&line, 0);
        assert!(
            reported.stderr.contains(part),
            "{line}: {}",
            reported.stderr
        );
        let reported = site.expect(&format!("{line} --strict"), 1);
        assert!(
            reported.stderr.contains(part),
            "{line}: {}",
            reported.stderr
        );
    }
    fs::remove_file(site.at("model/linked")).unwrap();
    site.write("model/empty", "");
    let reported = site.expect(&format!("{SIGN} --shard-size 10"), 0);
    assert!(
        reported.stderr.contains("empty files have no shards"),
        "{}",
        reported.stderr
    );
    let reported = site.expect(&format!("{VERIFY} --strict"), 1);
    assert!(
        reported.stderr.contains("\"empty\" (--strict)"),
        "{}",
        reported.stderr
    );
}

#[test]
fn a_missing_method_is_reported_as_a_mistake() {
    let site = site();
    for line in [
        "sign model --trust-config",
        "verify model --signature model.sig",
        "verify pkcs11-key model",
        "sign",
        "verify",
        "sign key model",
        "digest",
        "digest model extra",
    ] {
        let reported = site.expect(line, 2);
        assert!(
            reported.stdout.is_empty() && !reported.stderr.is_empty(),
            "{line}"
        );
    }
}

#[test]
fn no_configuration_is_needed_and_a_wrong_one_is_ignored() {
    let site = site();
    site.write("modelwatch.toml", "wrong");
    site.expect("digest model", 0);
    // Empty: the working directory.
    let output = site
        .command()
        .args(["digest", ""])
        .current_dir(site.at("model"))
        .output();
    assert_eq!(
        String::from_utf8(output.unwrap().stdout).unwrap(),
        site.expect("digest model", 0).stdout
    );
}

#[test]
fn a_model_without_files_is_refused() {
    let site = Site::new();
    fs::create_dir(site.at("model")).unwrap();
    let refused = |line: &str| {
        let reported = site.expect(line, 1);
        assert!(
            reported.stderr.contains("there is nothing to sign"),
            "{reported:?}"
        );
        assert!(!site.at("model.sig").exists());
    };
    refused(SIGN);
    // Files that leave no trace in a signature count no more than none.
    site.write("model/empty", "");
    refused(&format!("{SIGN} --shard-size 10"));
    refused(&format!("{SIGN} --ignore-paths model/empty"));
    site.expect(SIGN, 0);
    site.expect(VERIFY, 0);
    // It still has a digest.
    fs::remove_file(site.at("model/empty")).unwrap();
    let reported = site.expect("digest model", 0);
    assert!(
        reported.stderr.contains("no file in the model"),
        "{reported:?}"
    );
}

#[test]
fn a_path_to_leave_out_is_no_pattern_and_no_list_and_is_there() {
    let site = site();
    site.write("model/x.tmp", "");
    site.write("model/a,b", "");
    for (path, part) in [
        ("model/*.tmp", "is not a pattern"),
        ("model/?.tmp", "is not a pattern"),
        ("model/[x].tmp", "is not a pattern"),
        ("*.tmp", "is not a pattern"),
        (
            "model/x.tmp,model/config.json",
            "a comma does not separate paths",
        ),
        ("x,y", "a comma does not separate paths"),
    ] {
        for line in [SIGN, "digest model"] {
            let reported = site.expect(&format!("{line} --ignore-paths {path}"), 1);
            assert!(reported.stderr.contains(part), "{path}: {reported:?}");
        }
    }
    let line = format!("{SIGN} --ignore-paths model/tpyo");
    let reported = site.expect(&line, 0);
    assert!(
        reported
            .stderr
            .contains("warning: --ignore-paths model/tpyo does not exist"),
        "{reported:?}"
    );
    site.expect(&format!("{line} --strict"), 1);
    // A name may have a comma, and so may the directory of the model have any character.
    site.expect(&format!("{SIGN} --ignore-paths model/a,b --strict"), 0);
    fs::rename(site.at("model"), site.at("mo*el")).unwrap();
    site.expect(
        "sign key mo*el --private-key keys/p256.key --signature model.sig --ignore-paths mo*el/x.tmp --strict",
        0,
    );
    let reported = site.expect(
        "sign key mo*el --private-key keys/p256.key --signature mo*el/[1].sig",
        1,
    );
    assert!(
        reported.stderr.contains("is recorded in it"),
        "{reported:?}"
    );
    let reported = site.expect(
        "verify certificate mo*el --certificate-chain keys/root.pem,keys/int.pem --signature model.sig",
        1,
    );
    assert!(
        reported.stderr.contains("a comma does not separate files"),
        "{reported:?}"
    );
}

#[test]
fn what_hardly_anyone_means_to_sign_is_warned_of() {
    let site = site();
    site.write("outside", "x");
    site.write(
        "model/weights/part-2.bin",
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
    );
    site.write("model/.cache/huggingface/x.metadata", "x");
    symlink("../outside", site.at("model/out")).unwrap();
    let warnings = [
        "symlinks lead out of the model: \"out\"",
        "(`git lfs pull` downloads them): \"weights/part-2.bin\"",
        "`--ignore-paths model/.cache/huggingface` leaves it out",
    ];
    let sign = format!("{SIGN} --allow-symlinks");
    let reported = site.expect(&sign, 0);
    for warning in warnings {
        assert!(reported.stderr.contains(warning), "{warning}: {reported:?}");
    }
    let reported = site.expect(&format!("{sign} --strict"), 1);
    assert!(reported.stderr.contains(warnings[0]), "{reported:?}");
    let reported = site.expect(VERIFY, 0);
    assert!(reported.stderr.contains(warnings[0]), "{reported:?}");
    fs::remove_file(site.at("model/out")).unwrap();
    fs::remove_file(site.at("model/weights/part-2.bin")).unwrap();
    let strict = format!("{SIGN} --strict --ignore-paths model/.cache/huggingface");
    site.expect(&strict, 0);
}

#[test]
fn the_signed_policy_on_symlinks_is_followed() {
    let site = site();
    symlink("config.json", site.at("model/link")).unwrap();
    let reported = site.expect(SIGN, 1);
    assert!(reported.stderr.contains("--allow-symlinks"), "{reported:?}");
    site.expect(&format!("{SIGN} --allow-symlinks --strict"), 0);
    site.expect(&format!("{VERIFY} --strict"), 0);
    // Refused if the signer did not allow it, unless the verifier allows it.
    fs::remove_file(site.at("model/link")).unwrap();
    site.expect(SIGN, 0);
    fs::rename(site.at("model/config.json"), site.at("moved")).unwrap();
    symlink("../moved", site.at("model/config.json")).unwrap();
    let reported = site.expect(VERIFY, 1);
    assert!(reported.stderr.contains("--allow-symlinks"), "{reported:?}");
    let reported = site.expect(&format!("{VERIFY} --allow-symlinks"), 0);
    assert!(
        reported
            .stderr
            .contains("the signer did not allow symlinks"),
        "{reported:?}"
    );
}

#[test]
fn a_single_file_has_its_own_name() {
    let site = site();
    let line = SIGN.replacen("model ", "model/weights/part-1.bin ", 1);
    site.expect(&line, 0);
    let file = fs::read(site.at("model.sig")).unwrap();
    let bundle: serde_json::Value = serde_json::from_slice(&file).unwrap();
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    let payload = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, payload);
    let statement: serde_json::Value = serde_json::from_slice(&payload.unwrap()).unwrap();
    assert_eq!(statement["predicate"]["resources"][0]["name"], "part-1.bin");
    assert_eq!(statement["subject"][0]["name"], "part-1.bin");
    let verify = VERIFY.replacen("model ", "model/weights/part-1.bin ", 1);
    site.expect(&verify, 0);
}

#[test]
fn a_digest_is_that_of_the_specification_and_json_has_both() {
    use sha2::{Digest as _, Sha256};

    let site = Site::new();
    for name in ["sub/a", "sub-x", "sub.json"] {
        site.write(&format!("model/{name}"), name);
    }
    let root = |names: [&str; 3]| {
        let digests = names.map(|name| Sha256::digest(name).to_vec());
        hex::encode(Sha256::digest(digests.concat()))
    };
    let specified = root(["sub-x", "sub.json", "sub/a"]);
    let reported = site.expect("digest model", 0);
    assert_eq!(reported.stdout, format!("sha256:{specified}\n"));
    let json = site.expect("digest model --json", 0).json();
    assert_eq!(json["root"], specified);
    assert_eq!(
        json["root_path_order"],
        root(["sub/a", "sub-x", "sub.json"])
    );
    let names: Vec<_> = json["resources"].as_array().unwrap().iter().collect();
    let names: Vec<_> = names.iter().map(|one| one[0].as_str().unwrap()).collect();
    assert_eq!(names, ["sub-x", "sub.json", "sub/a"]);
    assert_eq!(json["resources"][0][1], "sha256");
}

#[test]
fn a_report_of_a_verification_names_the_signer() {
    let site = site();
    site.expect(SIGN, 0);
    let report = site.expect(&format!("{VERIFY} --json"), 0).json();
    assert_eq!(report["method"], "key");
    assert_eq!(report["key"]["algorithm"], "P-256");
    assert_eq!(report["key"]["hint"].as_str().unwrap().len(), 64);
    assert_eq!(report["certificate"], json!(null));
    site.expect(CERTIFIED, 0);
    let report = site.expect(&format!("{VERIFY_CERTIFIED} --json"), 0).json();
    assert_eq!(report["method"], "certificate");
    assert!(report["certificate"]["subject"].is_string(), "{report}");
    assert_eq!(report["certificate"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(
        (
            &report["identity"],
            &report["log_index"],
            &report["timestamps"]
        ),
        (&json!(null), &json!(null), &json!([]))
    );
    // Of a signature by another key nothing is named.
    let other = VERIFY.replace("p256.pub", "other.pub");
    let report = site.expect(&format!("{other} --json"), 1).json();
    assert_eq!(
        (&report["method"], &report["key"]),
        (&json!(null), &json!(null))
    );
}

#[test]
fn certificates_are_judged_today_or_at_a_time_that_is_given() {
    let site = site();
    let line = "verify certificate models/basic --signature sigs/cert-expired.sig --certificate-chain keys/root.pem";
    for (options, code, part) in [
        ("", 1, "not at "),
        (
            " --at 2025-01-15",
            0,
            "nothing proves that the signature was made before",
        ),
        (" --at 2025-01-15T08:00:00Z", 0, "nothing proves"),
        (" --at 2024-12-31", 1, "not at Dec 31"),
        (" --allow-expired", 0, "nothing proves"),
        // A warning is an error then.
        (" --allow-expired --strict", 1, "nothing proves"),
        (" --at 2025-01-15 --strict", 1, "nothing proves"),
        (" --at 2025-01-15 --allow-expired", 2, "cannot be used with"),
        (" --at yesterday", 2, "write a date"),
    ] {
        let reported = site.expect(&format!("{line}{options}"), code);
        assert!(reported.stderr.contains(part), "{options}: {reported:?}");
    }
    let line = "verify certificate models/basic --signature sigs/cert-expired.sig";
    let reported = site.expect(line, 1);
    assert!(
        reported.stderr.contains("the roots that you trust"),
        "{reported:?}"
    );
}

#[test]
fn a_method_with_a_slip_in_it_is_named() {
    let site = site();
    for line in [
        "sign kye model --private-key keys/p256.key",
        "verify certificat model",
        "sign pkcs11_key model",
    ] {
        let reported = site.expect(line, 2);
        let word = line.split(' ').nth(1).unwrap();
        assert!(reported.stderr.contains(word), "{reported:?}");
        assert!(!reported.stderr.contains("igstore"), "{reported:?}");
    }
    let line =
        "verify sigstore --signature s.sig --identity a@b.c --identity_provider https://p model";
    // The words are taken for what they are: what is missing is the file.
    let reported = site.expect(line, 1);
    assert!(
        reported.stderr.contains("s.sig cannot be read"),
        "{reported:?}"
    );
}

#[test]
fn a_directory_that_has_no_text_for_a_name_can_be_verified_but_not_signed() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let site = site();
    site.expect(SIGN, 0);
    let name = OsStr::from_bytes(b"\xff");
    fs::rename(site.at("model"), site.root().join(name)).unwrap();
    let run = |line: &str| {
        let mut command = site.command();
        for word in line.split(' ') {
            command.arg(if word == "model" {
                name
            } else {
                OsStr::new(word)
            });
        }
        Printed::from(command.output().unwrap())
    };
    assert_eq!(run(VERIFY).code, 0);
    assert_eq!(run("digest model").code, 0);
    for line in [SIGN, "digest model --json"] {
        let reported = run(line);
        assert_eq!(reported.code, 1, "{reported:?}");
        assert!(reported.stderr.contains(r"\xFF"), "{reported:?}");
    }
}

#[test]
fn a_name_is_quoted_once() {
    let site = site();
    site.expect(SIGN, 0);
    site.write("model/a\"\\\n\u{1b}", "");
    let reported = site.expect(VERIFY, 1);
    let shown = r#"not signed: "a\"\\\n\u{1b}""#;
    assert!(reported.stderr.contains(shown), "{}", reported.stderr);
}

#[test]
fn the_problem_of_a_token_is_reported_once_and_with_its_option() {
    let site = site();
    for (uri, part) in [
        (
            "pkcs11:",
            "--pkcs11-uri: it names no key: neither `object` nor `id`\n",
        ),
        (
            "pkcs11:token=t;object=o?module-path=/nonexistent",
            "module /nonexistent: No such file or directory (os error 2)\n",
        ),
    ] {
        let reported = site.expect(&format!("sign pkcs11-key model --pkcs11-uri {uri}"), 1);
        assert_eq!(
            reported.stderr,
            format!("Signing failed with error: {part}")
        );
    }
    // The words are the system's.
    let uri = "pkcs11:token=t;object=o?module-path=/dev/null";
    let reported = site.expect(&format!("sign pkcs11-key model --pkcs11-uri {uri}"), 1);
    assert_eq!(
        reported.stderr.matches("/dev/null").count(),
        1,
        "{reported:?}"
    );
}

#[test]
fn a_signature_of_an_old_version_is_accepted_with_a_warning_and_refused_in_strict_mode() {
    let site = site();
    site.expect(SIGN, 0);
    let file = fs::read(site.at("model.sig")).unwrap();
    let mut bundle: serde_json::Value = serde_json::from_slice(&file).unwrap();
    let key = &mut bundle["verificationMaterial"]["publicKey"];
    assert!(key.as_object_mut().unwrap().remove("hint").is_some());
    site.write("model.sig", &bundle.to_string());
    let reported = site.expect(VERIFY, 0);
    let (warning, answer) = reported.stdout.split_once('\n').unwrap();
    assert!(warning.starts_with("WARNING: This model's signature uses an older"));
    assert_eq!(answer, "Verification succeeded\n");
    let report = site.expect(&format!("{VERIFY} --json"), 0).json();
    assert_eq!(report["warnings"].as_array().unwrap().len(), 1);
    let reported = site.expect(&format!("{VERIFY} --strict"), 1);
    assert!(
        reported
            .stderr
            .contains("an older verification material format"),
        "{reported:?}"
    );
}
