//! `sign --register`: the signing is in the database of the monitor, as its signer's.

use std::fs;

use serde_json::{Value, json};

use crate::keyless_sign::{Place, SIGN};
use crate::loopback::Fault;

const CONFIG: &str = r#"
[store]
url = "sqlite:modelwatch.db"

[[log]]
name = "main"
type = "rekor-v2"
url = "log"
origin = "main.example"
public_key = "key.pem"
start = "beginning"

[[watch]]
name = "falcon"
san_glob = "https://github.com/o/*"
"#;

const KEY: &str = include_str!("../data/ct-small/rfc6962.pub.pem");

fn configured() -> Place {
    let place = Place::new();
    place.site.write("modelwatch.toml", CONFIG);
    place.site.write("key.pem", KEY);
    fs::create_dir(place.site.at("log")).unwrap();
    place
}

/// The registrations, without what differs in each run.
fn listed(place: &Place) -> Vec<Value> {
    let printed = place.site.expect("expect list --json", 0);
    let lines = printed.stdout.lines();
    let registrations = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    registrations
        .map(|one| json!([one["authority"], one["file"], one["source"]]))
        .collect()
}

#[test]
fn a_signing_registers_itself_with_the_authority_of_its_signer() {
    for method in ["", "sigstore "] {
        let place = configured();
        let line = SIGN.replace("sign ", &format!("sign {method}"));
        let printed = place.run(&format!("{line} --trust-config v2.json --register"), 0);
        assert_eq!(printed.stdout, "Signing succeeded\n");
        let file = place.site.at("falcon.sig").display().to_string();
        assert!(
            printed.stderr.contains(&format!("{file}: registered\n")),
            "{}",
            printed.stderr
        );
        assert_eq!(listed(&place), [json!(["signer", file, null])]);
        // It is the registration that the other command makes.
        let printed = place
            .site
            .expect("expect add --authority signer falcon.sig", 0);
        assert_eq!(
            printed.stdout,
            format!("{file}: was registered before\n"),
            "{}",
            printed.stderr
        );
        place.verify("v2.json");
    }
}

#[test]
fn a_signing_without_the_option_registers_nothing_and_reads_no_configuration() {
    let place = configured();
    place.site.write("modelwatch.toml", "wrong");
    let report = place
        .run(&format!("{SIGN} --trust-config v2.json --json"), 0)
        .json();
    assert_eq!(report.get("registered"), None);
    assert!(!place.exists("modelwatch.db"));
}

#[test]
fn a_resumed_signature_and_one_on_standard_output_are_registered() {
    let place = configured();
    place.services.fail("rekor2", &[Fault::Status(405, None)]);
    let line = format!("{SIGN} --trust-config v2.json --register");
    place.run(&line, 1);
    assert_eq!(listed(&place), [Value::Null; 0]);
    let report = place.run(&format!("{line} --resume --json"), 0).json();
    assert_eq!(report["registered"], json!(true));
    assert_eq!(report["ok"], json!(true));
    let place = configured();
    let line = line.replace("falcon.sig", "-");
    let printed = place.run(&line, 0);
    // Nothing but the bundle.
    let bundle: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert!(bundle["dsseEnvelope"].is_object());
    assert_eq!(listed(&place), [json!(["signer", "standard output", null])]);
}

#[test]
fn what_no_log_has_is_not_registered_and_nothing_is_signed() {
    let place = configured();
    for method in [
        "key --private-key keys/none.pem",
        "certificate --private-key keys/none.pem --signing-certificate none.pem",
        "pkcs11-key --pkcs11-uri pkcs11:object=none",
        "pkcs11-certificate --pkcs11-uri pkcs11:object=none --signing-certificate none.pem",
    ] {
        let line = format!("sign {method} falcon --signature falcon.sig --register");
        let printed = place.site.expect(&line, 2);
        assert!(
            printed
                .stderr
                .starts_with("error: --register: only a keyless signature"),
            "{}",
            printed.stderr
        );
    }
    assert!(!place.exists("falcon.sig"));
    let help = place.site.expect("sign key --help", 0);
    assert!(!help.stdout.contains("--register"));
}

#[test]
fn a_database_that_cannot_be_used_is_found_before_anything_is_signed() {
    let line = format!("{SIGN} --trust-config v2.json --register");
    for (content, code, said) in [
        ("wrong", 2, "modelwatch.toml"),
        (
            &CONFIG.replace("modelwatch.db", "none/modelwatch.db"),
            1,
            "--register: nothing is signed",
        ),
    ] {
        let place = configured();
        place.site.write("modelwatch.toml", content);
        let printed = place.run(&line, code);
        assert!(printed.stderr.contains(said), "{}", printed.stderr);
        assert!(!place.exists("falcon.sig"));
        assert_eq!(place.services.state().requests.len(), 0);
    }
    let place = configured();
    place.run(&format!("{line} --config other.toml"), 2);
    assert_eq!(place.services.state().requests.len(), 0);
}

#[test]
fn a_signature_stays_if_its_registration_fails_and_the_message_has_the_command() {
    for (option, ok) in [("", true), (" --json", false)] {
        let place = configured();
        let database = place.site.at("modelwatch.db");
        // The database was good when the signing began.
        place.services.state().before_certificate = Some(Box::new(move || {
            for end in ["", "-wal", "-shm"] {
                let mut path = database.clone().into_os_string();
                path.push(end);
                let _ = fs::remove_file(path);
            }
            fs::create_dir(&database).unwrap();
        }));
        let line = format!("{SIGN} --trust-config v2.json --register --config ./modelwatch.toml");
        let printed = place.run(&format!("{line}{option}"), 3);
        let command =
            "modelwatch --config ./modelwatch.toml expect add --authority signer falcon.sig";
        assert!(
            printed.stderr.contains(&format!(
                "error: the model is signed, and the signing is not registered; `{command}` registers it: "
            )),
            "{}",
            printed.stderr
        );
        if ok {
            assert_eq!(printed.stdout, "Signing succeeded\n");
        } else {
            let report = printed.json();
            assert_eq!(report["ok"], json!(false));
            assert_eq!(report["registered"], json!(false));
            assert_eq!(report["signature"], json!("falcon.sig"));
            assert!(report["error"].as_str().unwrap().contains(command));
        }
        place.verify("v2.json");
        fs::remove_dir(place.site.at("modelwatch.db")).unwrap();
        place
            .site
            .expect(command.strip_prefix("modelwatch ").unwrap(), 0);
        assert_eq!(listed(&place).len(), 1);
    }
}
