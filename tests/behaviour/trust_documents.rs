//! Trust documents as they occur: addresses that are not logs, missing fields, items that cannot be used; and updates
//! after a failure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::binary::{Site as OneLog, text};
use crate::trusted::{Site, named, reported};
use crate::tuf::Instance;
use crate::world::{Signer, authority, issue, other_leaves};

/// A SubjectPublicKeyInfo of ML-DSA-44, shortened.
const FUTURE_KEY: &str = "3011300b060960864801650304031103020007";

/// A log with a key of an unsupported algorithm, as a trusted root lists it.
fn future(url: &str) -> Value {
    let key = hex::decode(FUTURE_KEY).unwrap();
    json!({
        "baseUrl": url, "hashAlgorithm": "SHA2_256",
        "publicKey": { "rawBytes": STANDARD.encode(&key), "keyDetails": "ML_DSA_44" },
        "logId": { "keyId": STANDARD.encode([7; 32]) },
    })
}

fn retired(mut log: Value) -> Value {
    log["publicKey"]["validFor"] =
        json!({ "start": "2021-01-01T00:00:00Z", "end": "2022-01-01T00:00:00Z" });
    log
}

/// The findings of watches: verdict, chain and severity.
fn signings(site: &Site) -> Vec<(String, String, String)> {
    let listed = site.run(&["findings", "list", "--json", "--all"]).stdout;
    let word = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
    text(&listed)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|finding| !finding["watch"].is_null())
        .map(|finding| {
            let words = ["verdict", "chain", "severity"].map(|field| word(&finding, field));
            words.into()
        })
        .collect()
}

fn found(verdict: &str, chain: &str, severity: &str) -> (String, String, String) {
    (verdict.to_owned(), chain.to_owned(), severity.to_owned())
}

#[test]
fn an_address_without_a_key_is_an_info_line_and_no_finding() {
    let mut instance = Instance::new(&["one"]);
    instance.log("one").grow(other_leaves(3));
    instance.publish(&["one"], &["one", "global"]);
    let site = Site::new(instance);
    site.bootstrap();
    assert_eq!(site.health(), []);
    let reported = "127.0.0.1/global (an address for which the trusted root has no key)";
    assert_eq!(site.status()["trust"]["not_followed"][0]["log"], reported);
    let check = site.run(&["check"]);
    assert_eq!(check.status.code(), Some(0));
    assert!(text(&check.stdout).contains(&format!("note  not followed: {reported}")));
}

#[test]
fn a_monitor_config_gives_the_addresses_and_a_log_that_it_leaves_out_is_followed_all_the_same() {
    let mut instance = Instance::new(&["one", "two", "three"]);
    for name in ["one", "two", "three"] {
        instance.log(name).grow(other_leaves(3));
    }
    // At the address in the trusted root, `one` does not answer.
    let mut one = instance.tlog("one");
    one["baseUrl"] = instance.url("gone").into();
    instance.instead.insert("one", one);
    instance.monitor = Some(json!({
        "rekorLogs": [
            { "readUrl": instance.url("one"), "logOrigin": "127.0.0.1/one", "majorApiVersion": 2 },
            { "readUrl": instance.url("elsewhere"), "logOrigin": "127.0.0.1/elsewhere", "majorApiVersion": 2 },
        ],
        "ctLogs": null,
    }));
    instance.publish(&["one", "two"], &[]);
    let mut site = Site::new(instance);
    site.bootstrap();
    assert_eq!(site.logs(), [named("one", 3, 3), named("two", 3, 3)]);
    assert_eq!(site.health(), []);
    // A log in the trusted root that cannot be followed is a finding, whatever the MonitorConfig contains, until it has
    // ended.
    site.instance.rekor_v1 = vec![Instance::keyed(&site.instance.url("v1"), P256)];
    site.instance.publish(&["one", "two"], &[]);
    site.age_by(7);
    site.pass(3);
    assert_eq!(site.health(), [reported("log-unfollowed", "open")]);
    site.instance.rekor_v1 = vec![retired(Instance::keyed(&site.instance.url("v1"), P256))];
    site.instance.publish(&["one", "two"], &[]);
    site.age_by(7);
    site.pass(0);
    assert_eq!(site.health(), [reported("log-unfollowed", "resolved")]);
}

const P256: &str = include_str!("../data/ct-small/rfc6962.pub.pem");

#[test]
fn a_monitor_config_in_a_file_makes_logs_of_a_trusted_root_followed() {
    let mut instance = Instance::new(&["one"]);
    instance.log("one").grow(other_leaves(3));
    instance.publish(&["one"], &[]);
    let site = Site::new(instance);
    let path = |name: &str| site.directory.path().join(name);
    let root = site.instance.file("/tuf/targets/trusted_root.json");
    std::fs::write(path("trusted_root.json"), root).unwrap();
    let read_url = site.instance.url("one");
    let monitor =
        json!({ "rekor_logs": [{ "read_url": read_url, "log_origin": "127.0.0.1/one" }] });
    std::fs::write(path("monitor_config.json"), monitor.to_string()).unwrap();
    let configure = |trust: &str| {
        let config = format!(
            "[trust]\n{trust}\n[[watch]]\nname = \"mail\"\nsan = \"release@acme.example\"\n"
        );
        std::fs::write(path("modelwatch.toml"), config).unwrap();
    };
    configure("trusted_root = \"trusted_root.json\"\nmonitor_config = \"monitor_config.json\"");
    site.bootstrap();
    assert_eq!(site.logs(), [named("one", 3, 3)]);
    std::fs::write(path("monitor_config.json"), "[]").unwrap();
    assert!(site.pass(2).contains("not a Sigstore monitor config"));
    configure("tuf = \"public-good\"\nmonitor_config = \"monitor_config.json\"");
    let reported = site.pass(2);
    assert!(
        reported.contains("belongs to trusted_root or trust_config"),
        "{reported}"
    );
}

#[test]
fn a_log_whose_origin_is_not_its_address_is_written_down_by_init_and_known_by_its_key() {
    let mut instance = Instance::new(&["at-machine-17", "one"]);
    instance.log("at-machine-17").grow(other_leaves(3));
    instance.publish(&["at-machine-17"], &["at-machine-17"]);
    let mut site = Site::new(instance);
    // It is not followed: that is a finding, which contains the reason.
    let output = site.run(&["monitor", "--once"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    let url = site.instance.url("at-machine-17");
    let check = text(&site.run(&["check"]).stdout);
    let hint = format!(
        "A [[log]] with url = \"{url}/\" and as origin the first line of its checkpoint follows it"
    );
    assert!(check.contains(&hint), "{check}");
    site.configure(&format!(
        "[[log]]\nname = \"mine\"\norigin = \"machine-17\"\nurl = {url:?}\nstart = \"beginning\"\n"
    ));
    site.pass(0);
    assert_eq!(site.logs(), [("mine".to_owned(), Some(0), Some(3))]);
    assert_eq!(site.health(), [reported("log-unfollowed", "resolved")]);
    // Without a URL it is read at the address in the trusted root.
    site.configure("[[log]]\nname = \"mine\"\norigin = \"machine-17\"\n");
    site.pass(0);

    let root = site.instance.file("/tuf/targets/trusted_root.json");
    let path = |name: &str| site.directory.path().join(name);
    std::fs::write(path("given.json"), &root).unwrap();
    let init = |site: &Site, code: i32| {
        let output = site.run(&[
            "init",
            "--force",
            "--identity",
            "jane@example.com",
            "--trusted-root",
            "given.json",
        ]);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        let written = std::fs::read_to_string(path("modelwatch.toml")).unwrap();
        (written, text(&output.stdout) + &text(&output.stderr))
    };
    let (written, _) = init(&site, 0);
    assert!(written.contains("origin = \"machine-17\""), "{written}");
    assert!(written.contains("type = \"rekor-v2\""), "{written}");
    let check = text(&site.run(&["check"]).stdout);
    assert!(
        check.contains("its checkpoint of 3 entries verifies"),
        "{check}"
    );
    // If its key is also another log's, its origin is not proven, and that is reported.
    let mut other = site.instance.tlog("at-machine-17");
    other["logId"]["keyId"] = STANDARD.encode([7; 32]).into();
    site.instance.instead.insert("at-machine-17", other);
    site.instance.publish(&["at-machine-17"], &[]);
    let root = site.instance.file("/tuf/targets/trusted_root.json");
    std::fs::write(path("given.json"), root).unwrap();
    let (_, reported) = init(&site, 2);
    assert!(
        reported.contains(
            "no log of the trusted root can be followed: 127.0.0.1/at-machine-17: its origin is not"
        ),
        "{reported}"
    );
    // Beside a log that can be followed it is named.
    site.instance.publish(&["at-machine-17", "one"], &[]);
    let root = site.instance.file("/tuf/targets/trusted_root.json");
    std::fs::write(path("given.json"), root).unwrap();
    let (written, reported) = init(&site, 0);
    assert!(!written.contains("machine-17"), "{written}");
    assert!(
        reported.contains("Not followed: 127.0.0.1/at-machine-17: "),
        "{reported}"
    );
}

#[test]
fn a_checkpoint_that_does_not_verify_updates_the_trusted_root() {
    let mut instance = Instance::new(&["one", "two"]);
    instance.log("one").grow(other_leaves(3));
    instance.log("two").grow(other_leaves(2));
    // Under the name of `one` the key of `two` is published.
    let mut one = instance.tlog("two");
    let pem = instance.log("two").public_key_pem();
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let raw = STANDARD.decode(&der).unwrap();
    let key = &raw[raw.len() - 32..];
    let id = Sha256::digest([&b"127.0.0.1/one\n\x01"[..], key].concat());
    one["baseUrl"] = instance.url("one").into();
    one["logId"]["keyId"] = STANDARD.encode(id).into();
    instance.instead.insert("one", one);
    instance.publish(&["one"], &[]);
    let mut site = Site::new(instance);
    let output = site.run(&["monitor", "--once", "--bootstrap"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert_eq!(site.health(), [reported("unverifiable-checkpoint", "open")]);
    site.instance.times_asked();
    // An update that was made a minute ago is not repeated, and later once for the continuing failure.
    let pass = |site: &Site, code: i32| {
        let output = site.run(&["monitor", "--once", "--bootstrap"]);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        site.instance.times_asked()
    };
    assert_eq!(pass(&site, 3), 0);
    site.age_by(1);
    assert_eq!(pass(&site, 3), 1);
    assert_eq!(pass(&site, 3), 0);
    // The right key has been there for an hour.
    site.instance.instead.clear();
    site.instance.publish(&["one"], &[]);
    site.age_by(1);
    site.forget_what_was_asked();
    assert_eq!(pass(&site, 0), 1);
    assert_eq!(
        site.health(),
        [reported("unverifiable-checkpoint", "resolved")]
    );
    assert_eq!(pass(&site, 0), 0);
}

#[test]
fn a_configured_log_without_a_key_updates_the_trusted_root() {
    let mut instance = Instance::new(&["one", "two"]);
    instance.log("one").grow(other_leaves(3));
    instance.log("two").grow(other_leaves(2));
    instance.publish(&["one"], &[]);
    let mut site = Site::new(instance);
    site.bootstrap();
    let url = site.instance.url("two");
    site.configure(&format!(
        "[[log]]\norigin = \"127.0.0.1/two\"\nurl = {url:?}\nstart = \"beginning\"\n"
    ));
    site.age_by(1);
    assert!(
        site.pass(2)
            .contains("the trusted root has no key for the origin")
    );
    site.instance.publish(&["one", "two"], &[]);
    site.age_by(1);
    site.forget_what_was_asked();
    site.pass(0);
    assert_eq!(site.logs().len(), 2);
}

#[test]
fn a_signing_under_a_new_authority_is_judged_again_with_the_updated_trusted_root() {
    let mut instance = Instance::new(&["one"]);
    instance.log("one").grow(other_leaves(3));
    instance.publish(&["one"], &[]);
    let mut site = Site::new(instance);
    site.bootstrap();
    site.instance.authorities = vec![Instance::authority(&authority())];
    site.instance.publish(&["one"], &[]);
    site.age_by(1);
    site.instance.times_asked();
    site.instance.log("one").grow([Signer::Mail.signs(1)]);
    site.pass(1);
    assert_eq!(
        signings(&site),
        [found("identity-unexpected", "trusted", "high")]
    );
    assert_eq!(site.instance.times_asked(), 1);
    // An authority that is never published causes one update.
    let at = "2026-11-21T00:00:00Z".parse().unwrap();
    let impostor = issue("release@acme.example", at, false);
    for salt in [1, 2] {
        site.age_by(1);
        site.forget_the_wait();
        site.instance.log("one").grow([impostor.signs(salt)]);
        site.pass(1);
    }
    assert_eq!(site.instance.times_asked(), 1);
    let untrusted = found("untrusted-chain", "untrusted", "low");
    assert_eq!(signings(&site)[1..], [untrusted.clone(), untrusted]);
}

#[test]
fn an_item_that_cannot_be_used_is_reported_and_invalidates_nothing_else() {
    let mut instance = Instance::new(&["one"]);
    instance.log("one").grow(other_leaves(3));
    let old = instance.url("old");
    instance.rekor_v1 = vec![retired(future(&old)), json!(7)];
    instance.rekor_v1[1] = retired(json!({ "baseUrl": "https://odd.example", "publicKey": {} }));
    // The CA of the tests, with another signature under it.
    let mut broken = authority();
    *broken.last_mut().unwrap() ^= 1;
    instance.authorities = vec![Instance::authority(&broken), json!("not a CA")];
    instance.publish(&["one"], &["one"]);
    let site = Site::new(instance);
    site.bootstrap();
    assert_eq!(site.health(), []);
    let remarks = site.status()["trust"]["remarks"].to_string();
    let shown = text(&site.run(&["status"]).stdout);
    let check = site.run(&["check"]);
    let stdout = text(&check.stdout);
    assert_eq!(check.status.code(), Some(0), "{stdout}");
    for part in [
        format!(
            "tlogs[1] ({old}): its key cannot be used: of the algorithm 2.16.840.1.101.3.4.3.17 (ML-DSA-44), which is not verified here"
        ),
        "tlogs[2] (https://odd.example): its key cannot be used: it is not given".to_owned(),
        "left out, and certificates that name it are neither trusted nor untrusted".to_owned(),
        "left out: not a JSON object".to_owned(),
    ] {
        for reported in [&remarks, &shown, &stdout] {
            assert!(reported.contains(&part), "{part}\n{reported}");
        }
    }
    assert!(stdout.contains("note  trust: tlogs[1]"), "{stdout}");
    // A certificate that names the omitted CA may be genuine or forged: this cannot be decided, so it alerts.
    site.instance.log("one").grow([Signer::Mail.signs(1)]);
    site.pass(1);
    assert_eq!(
        signings(&site),
        [found("identity-unexpected", "unknown", "high")]
    );
    // A certificate of another unknown CA is treated as before.
    site.instance.log("one").grow([Signer::Impostor.signs(1)]);
    let at = "2026-11-21T00:00:00Z".parse().unwrap();
    let impostor = issue("release@acme.example", at, false);
    site.instance.log("one").grow([impostor.signs(1)]);
    site.pass(1);
    assert_eq!(
        signings(&site)[1..],
        [found("untrusted-chain", "untrusted", "low")]
    );
}

#[test]
fn a_log_all_of_whose_keys_are_unusable_is_a_finding_and_the_others_are_read() {
    let mut instance = Instance::new(&["one", "two"]);
    instance.log("one").grow(other_leaves(3));
    instance.log("two").grow(other_leaves(2));
    instance.instead.insert("two", future(&instance.url("two")));
    instance.publish(&["one", "two"], &["one"]);
    let mut site = Site::new(instance);
    let output = site.run(&["monitor", "--once", "--bootstrap"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert_eq!(site.health(), [reported("log-unfollowed", "open")]);
    let url = site.instance.url("two");
    site.configure(&format!(
        "[[log]]\norigin = \"127.0.0.1/two\"\nurl = {url:?}\nstart = \"beginning\"\n"
    ));
    site.pass(3);
    assert_eq!(
        site.health(),
        [
            reported("log-unfollowed", "resolved"),
            reported("unverifiable-checkpoint", "open")
        ]
    );
    let error = site.status()["logs"][0]["error"].to_string();
    assert!(
        error.contains("which cannot be used: of the algorithm"),
        "{error}"
    );
    // Another key of the same log is enough.
    let future = future(&site.instance.url("two"));
    site.instance.instead.clear();
    site.instance.rekor_v1 = vec![future];
    site.instance.publish(&["one", "two"], &["one"]);
    site.age_by(7);
    site.pass(0);
    assert_eq!(site.logs()[0].2, Some(2));
}

#[test]
fn what_is_empty_may_be_left_out_of_a_trusted_root_and_a_hex_log_id_is_named() {
    let site = OneLog::new();
    site.log.grow(other_leaves(3));
    let id = Sha256::digest(b"any");
    let root = json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [{
            "hashAlgorithm": "SHA2_256",
            "publicKey": { "rawBytes": pem_body(&site.log.public_key_pem()), "keyDetails": "PKIX_ED25519" },
            "logId": { "keyId": STANDARD.encode(hex::encode(id)) },
        }],
        "certificateAuthorities": [Instance::authority(&authority())],
        "ctlogs": null,
        "comesLater": [],
    });
    std::fs::write(site.path().join("root.json"), root.to_string()).unwrap();
    let config = site.path().join("modelwatch.toml");
    let text_of = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        format!("[trust]\ntrusted_root = \"root.json\"\n{text_of}"),
    )
    .unwrap();
    let output = site.run(&["monitor", "--once"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let check = site.run(&["check"]);
    let stdout = text(&check.stdout);
    assert_eq!(check.status.code(), Some(0), "{stdout}");
    assert!(
        stdout.contains("note  trust: tlogs[0]: its log id is the base64 of a hex string"),
        "{stdout}"
    );
}

fn pem_body(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

#[test]
fn the_key_of_a_log_is_a_verifier_key_or_pem_with_or_without_a_byte_order_mark() {
    let site = OneLog::new();
    site.log.grow(other_leaves(3));
    let path = |name: &str| site.path().join(name);
    let config = std::fs::read_to_string(path("modelwatch.toml")).unwrap();
    let pem = site.log.public_key_pem();
    let spki = STANDARD.decode(pem_body(&pem)).unwrap();
    let key = [&[1], &spki[spki.len() - 32..]].concat();
    let vkey = format!(
        "main.example+{}+{}",
        site.log.verifier().id(),
        STANDARD.encode(&key)
    );
    std::fs::write(path("bom.pem"), format!("\u{feff}{pem}")).unwrap();
    std::fs::write(path("vkey"), format!("{vkey}\n")).unwrap();
    std::fs::write(path("bom+vkey"), format!("\u{feff}{vkey}\r\n")).unwrap();
    std::fs::write(path("other"), vkey.replace("main", "other")).unwrap();
    for (key, code, reported) in [
        ("bom.pem", 0, ""),
        ("vkey", 0, ""),
        ("bom+vkey", 0, ""),
        (vkey.as_str(), 0, ""),
        ("other", 2, "public_key: "),
        ("absent+key", 2, "not a verifier key"),
        (
            &vkey.replace("main", "other"),
            2,
            "the key of other.example, not of main.example",
        ),
    ] {
        let written = config.replace("public_key = \"key.pem\"", &format!("public_key = {key:?}"));
        std::fs::write(path("modelwatch.toml"), written).unwrap();
        let output = site.run(&["monitor", "--once"]);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{key}: {stderr}");
        assert!(stderr.contains(reported), "{key}: {stderr}");
    }
}
