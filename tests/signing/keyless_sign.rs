//! `sign [sigstore]`, against services on a port of this machine (`loopback`).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::fake::authority::Sct;
use crate::fake::stamp::Stamp;
use crate::fake::{IDENTITY, ISSUER, Signing, base64, payload, unbase64};
use crate::loopback::{DAY_SECONDS, EntryFault, Fault, Services, since, token, workflow};
use crate::site::{Printed, Site};

pub const SIGN: &str = "sign falcon --signature falcon.sig --identity-token-file token";

pub struct Place {
    pub site: Site,
    pub services: Arc<Services>,
}

impl Place {
    pub fn new() -> Self {
        let site = Site::new();
        let services = Services::start();
        site.write("falcon/weights.bin", "weights");
        site.write("token", &token(&workflow()));
        for (name, logs) in [
            ("v1.json", &["rekor1"][..]),
            ("v2.json", &["rekor2"]),
            ("both.json", &["rekor1", "rekor2"]),
        ] {
            site.write(name, &services.trust_config(logs, |_| ()).to_string());
        }
        Self { site, services }
    }

    fn sign(&self, trust: &str, code: i32) -> Printed {
        self.run(&format!("{SIGN} --trust-config {trust}"), code)
    }

    /// The token is never part of what is printed.
    pub fn run(&self, line: &str, code: i32) -> Printed {
        let printed = self.site.expect(line, code);
        let token = fs::read_to_string(self.site.at("token")).unwrap();
        for part in token.split('.') {
            assert!(!printed.stderr.contains(part) && !printed.stdout.contains(part));
        }
        printed
    }

    pub fn verify(&self, trust: &str) -> Value {
        let line = format!(
            "verify falcon --signature falcon.sig --identity {IDENTITY} --identity-provider {ISSUER} --trust-config \
             {trust} --strict --json"
        );
        self.site.expect(&line, 0).json()
    }

    pub fn exists(&self, name: &str) -> bool {
        self.site.at(name).exists()
    }
}

#[test]
fn a_signature_is_logged_by_either_version_of_rekor_and_verifies() {
    for (trust, method, kind, lookup) in [
        ("v1.json", "", "dsse 0.0.1", "rekor.fake.example:1005"),
        (
            "v2.json",
            "sigstore ",
            "hashedrekord 0.0.2",
            "log2025-1.fake.example:9",
        ),
    ] {
        let place = Place::new();
        let line = SIGN.replace("sign ", &format!("sign {method}"));
        let printed = place.run(&format!("{line} --trust-config {trust}"), 0);
        assert_eq!(printed.stdout, "Signing succeeded\n");
        assert!(
            printed
                .stderr
                .contains(&format!("The log entry is {lookup} of 20")),
            "{}",
            printed.stderr
        );
        let report = place.verify(trust);
        assert_eq!(report["log_entries"][0]["kind"], json!(kind));
        assert_eq!(report["log_entries"][0]["lookup"], json!(lookup));
        assert_eq!(report["timestamps"].as_array().map(Vec::len), Some(1));
        // What the reference writes: a single certificate, and no keyid.
        let bundle: Value =
            serde_json::from_slice(&fs::read(place.site.at("falcon.sig")).unwrap()).unwrap();
        assert_eq!(
            bundle["dsseEnvelope"]["signatures"][0]
                .as_object()
                .unwrap()
                .len(),
            1
        );
        assert_eq!(bundle["verificationMaterial"].as_object().unwrap().len(), 3);
        assert!(!place.exists("falcon.sig.incomplete"));
        place.site.write("falcon/weights.bin", "poison");
        let line = format!(
            "verify falcon --signature falcon.sig --identity {IDENTITY} --identity-provider {ISSUER} --trust-config {trust}"
        );
        place.site.expect(&line, 1);
    }
}

#[test]
fn the_report_tells_who_signed_and_where_it_is_logged() {
    let place = Place::new();
    let report = place
        .run(&format!("{SIGN} --trust-config v1.json --json"), 0)
        .json();
    for (pointer, expected) in [
        ("/ok", json!(true)),
        ("/signature", json!("falcon.sig")),
        ("/signed/name", json!("falcon")),
        ("/method", json!("sigstore")),
        ("/identity", json!(IDENTITY)),
        ("/identity_provider", json!(ISSUER)),
        ("/log_index", json!(1005)),
        ("/log_entries/0/log", json!("https://rekor.fake.example")),
        ("/log_entries/0/log_index", json!(1005)),
        ("/log_entries/0/tree_index", json!(5)),
        ("/log_entries/0/lookup", json!("rekor.fake.example:1005")),
        ("/times/0/source", json!("timestamp-authority")),
    ] {
        assert_eq!(report.pointer(pointer), Some(&expected), "{pointer}");
    }
    let time = report["log_entries"][0]["time"].as_str().unwrap();
    assert!(time.ends_with('Z'), "{time}");
}

#[test]
fn an_entry_of_rekor_v1_is_named_by_the_address_of_the_log_and_not_by_its_checkpoint() {
    let place = Place::new();
    let config = place.services.trust_config(&["rekor1"], |config| {
        config["trustedRoot"]["tlogs"][0]["baseUrl"] =
            json!("https://rekor.internal.example:8443/");
    });
    place.site.write("address.json", &config.to_string());
    let printed = place.sign("address.json", 0);
    let line = "The log entry is rekor.internal.example:8443:1005 of 20";
    assert!(printed.stderr.contains(line), "{}", printed.stderr);
    let report = place.verify("address.json");
    assert_eq!(
        report["log_entries"][0]["lookup"],
        json!("rekor.internal.example:8443:1005")
    );
}

#[test]
fn every_log_that_the_selector_asks_for_gets_an_entry() {
    let place = Place::new();
    place.sign("both.json", 0);
    let report = place.verify("both.json");
    assert_eq!(report["log_entries"].as_array().map(Vec::len), Some(2));
    assert_eq!(place.services.logged(), (6, 10));
    let any = place
        .services
        .trust_config(&["rekor2", "rekor1"], |config| {
            config["signingConfig"]["rekorTlogConfig"] = json!({"selector": "ANY"});
        });
    place.site.write("any.json", &any.to_string());
    place.sign("any.json", 0);
    assert_eq!(place.services.logged(), (6, 11));
}

#[test]
fn services_that_cannot_make_a_signature_are_refused_before_any_request() {
    let place = Place::new();
    for (name, value, said) in [
        (
            "rekorTlogConfig",
            json!({"selector": "EXACT", "count": 3}),
            "exactly 3",
        ),
        ("caUrls", json!([]), "caUrls"),
        ("tsaUrls", json!([]), "confirm no time"),
    ] {
        let config = place.services.trust_config(&["rekor2"], |config| {
            config["signingConfig"][name] = value.clone();
        });
        place.site.write("bad.json", &config.to_string());
        let printed = place.sign("bad.json", 1);
        assert!(printed.stderr.contains(said), "{}", printed.stderr);
    }
    let config = place.services.trust_config(&["rekor2"], |config| {
        config["trustedRoot"]["timestampAuthorities"] = json!([]);
    });
    place.site.write("bad.json", &config.to_string());
    assert!(
        place
            .sign("bad.json", 1)
            .stderr
            .contains("the trusted root has none")
    );
    // Nor is the model replaced, or what is read.
    let printed = place.run(
        &format!("{SIGN} --signature v1.json --trust-config v1.json"),
        1,
    );
    assert!(
        printed
            .stderr
            .contains("would replace what is read to sign: v1.json"),
        "{}",
        printed.stderr
    );
    assert_eq!(place.services.state().requests.len(), 0);
}

#[test]
fn a_certificate_that_verifiers_would_refuse_signs_nothing() {
    type Change = fn(&Services);
    let cases: [(Change, &str); 10] = [
        (
            |s| s.state().leaf = |leaf| leaf.valid_from -= 2 * DAY_SECONDS,
            "at the certificate path: ",
        ),
        (
            |s| s.state().leaf = |leaf| leaf.valid_from += DAY_SECONDS,
            "at the certificate path: ",
        ),
        (
            |s| s.state().leaf = |leaf| leaf.sct = Sct::Missing,
            "at the certificate timestamp (SCT): ",
        ),
        (
            |s| s.state().leaf = |leaf| leaf.sct = Sct::Unknown,
            "at the certificate timestamp (SCT): ",
        ),
        (
            |s| s.state().leaf = |leaf| leaf.sct = Sct::Forged,
            "at the certificate timestamp (SCT): ",
        ),
        (
            |s| s.state().leaf = |leaf| leaf.by_another = true,
            "at the certificate path: ",
        ),
        (
            |s| s.state().leaf = |leaf| leaf.key_usages.clear(),
            "at the key usage of the certificate: ",
        ),
        (
            |s| s.state().leaf = |leaf| leaf.extended.clear(),
            "at the certificate path: ",
        ),
        (
            |s| s.state().for_another_key = true,
            "a certificate for another key",
        ),
        (
            |s| s.state().leaf = |leaf| leaf.issuer = Some("https://evil.example".to_owned()),
            "at the identity provider: ",
        ),
    ];
    for (change, said) in cases {
        let place = Place::new();
        change(&place.services);
        let printed = place.sign("both.json", 1);
        assert!(
            printed
                .stderr
                .contains("the certificate authority http://127.0.0.1:"),
            "{}",
            printed.stderr
        );
        assert!(printed.stderr.contains(said), "{said}: {}", printed.stderr);
        assert_eq!(place.services.logged(), (5, 9), "{said}");
        assert!(!place.exists("falcon.sig") && !place.exists("falcon.sig.incomplete"));
    }
}

#[test]
fn a_certificate_for_another_identity_than_the_tokens_signs_nothing() {
    let place = Place::new();
    place.services.state().leaf = |leaf| {
        leaf.names = vec![rcgen::SanType::URI(
            "https://github.com/o/evil/x.yml@refs/heads/main"
                .try_into()
                .unwrap(),
        )];
    };
    let printed = place.sign("v1.json", 1);
    assert!(
        printed.stderr.contains("and the identity token is for"),
        "{}",
        printed.stderr
    );
    place.services.state().leaf = |leaf| {
        leaf.issuer = Some("https://gitlab.com".to_owned());
        leaf.issuer_raw.clone_from(&leaf.issuer);
    };
    let printed = place.sign("v1.json", 1);
    assert!(
        printed
            .stderr
            .contains("names the identity provider \"https://gitlab.com\""),
        "{}",
        printed.stderr
    );
    assert_eq!(place.services.logged(), (5, 9));
    // A person: the address of the token.
    place.services.state().leaf = |_| ();
    let claims = json!({"iss": "https://accounts.google.com", "sub": "117", "email": "jane@example.org", "email_verified": true});
    place.site.write("token", &token(&claims));
    let report = place
        .run(&format!("{SIGN} --trust-config v1.json --json"), 0)
        .json();
    assert_eq!(report["identity"], json!("jane@example.org"));
}

#[test]
fn a_timestamp_by_another_authority_stops_the_signing_before_it_is_logged() {
    let changes: [fn(&mut Stamp); 5] = [
        |stamp| stamp.by_another = true,
        |stamp| stamp.over = Some([7; 32]),
        |stamp| stamp.nonce = Some(vec![0x41; 16]),
        |stamp| stamp.wrong_signature = true,
        |stamp| stamp.status = 2,
    ];
    for change in changes {
        let place = Place::new();
        place.services.state().stamp = change;
        let printed = place.sign("both.json", 1);
        assert!(
            printed
                .stderr
                .contains("the timestamp authority 127.0.0.1:"),
            "{}",
            printed.stderr
        );
        assert_eq!(place.services.logged(), (5, 9));
        assert!(place.exists("falcon.sig.incomplete"));
    }
}

#[test]
fn an_entry_that_is_not_proven_is_no_entry() {
    for (fault, trust, said) in [
        (EntryFault::NotInTree, "v1.json", "at the inclusion proof: "),
        (EntryFault::NotInTree, "v2.json", "at the inclusion proof: "),
        (
            EntryFault::ForgedCheckpoint,
            "v1.json",
            "at the checkpoint: ",
        ),
        (
            EntryFault::ForgedCheckpoint,
            "v2.json",
            "at the checkpoint: ",
        ),
        (EntryFault::OtherRoot, "v1.json", "at the checkpoint: "),
        (EntryFault::OtherRoot, "v2.json", "at the "),
        (
            EntryFault::ForgedPromise,
            "v1.json",
            "at the inclusion promise (SET): ",
        ),
        (EntryFault::Another, "v1.json", "at the log entry: "),
        (EntryFault::Another, "v2.json", "at the log entry: "),
    ] {
        let place = Place::new();
        place.services.state().entry = fault;
        let printed = place.sign(trust, 1);
        assert!(
            printed.stderr.contains(said),
            "{fault:?} {trust}: {}",
            printed.stderr
        );
        assert!(!place.exists("falcon.sig"), "{fault:?} {trust}");
        if matches!(fault, EntryFault::NotInTree | EntryFault::Another) {
            continue;
        }
        // The log has the entry, and proves it later: it is not logged twice.
        place.services.state().entry = EntryFault::None;
        let before = place.services.logged();
        place.run(&format!("{SIGN} --trust-config {trust} --resume"), 0);
        assert_eq!(place.services.logged(), before);
        place.verify(trust);
    }
}

#[test]
fn busy_services_and_cut_answers_are_asked_again() {
    let place = Place::new();
    for (service, fault) in [
        ("fulcio", Fault::Status(429, Some(1))),
        ("tsa", Fault::Status(503, None)),
        ("rekor1", Fault::Status(500, None)),
        ("rekor2", Fault::Cut),
    ] {
        place.services.fail(service, &[fault]);
    }
    place.sign("both.json", 0);
    place.verify("both.json");
    assert_eq!(place.services.logged(), (6, 10));
    assert_eq!(
        (place.services.asked("fulcio"), place.services.asked("tsa")),
        (2, 2)
    );
}

#[test]
fn an_upload_whose_answer_was_lost_is_completed_and_not_repeated() {
    for trust in ["v1.json", "v2.json"] {
        let place = Place::new();
        let service = if trust == "v1.json" {
            "rekor1"
        } else {
            "rekor2"
        };
        place.services.fail(service, &[Fault::Lost]);
        place.sign(trust, 0);
        let report = place.verify(trust);
        assert_eq!(report["log_entries"].as_array().map(Vec::len), Some(1));
        let (v1, v2) = place.services.logged();
        assert_eq!(v1 + v2, 5 + 9 + 1);
    }
}

#[test]
fn a_failed_upload_loses_nothing_and_resume_completes_it() {
    let place = Place::new();
    place.services.fail("rekor2", &[Fault::Status(405, None)]);
    let printed = place.sign("both.json", 1);
    assert!(printed.stderr.contains("/rekor2: "), "{}", printed.stderr);
    assert!(
        printed.stderr.contains("answered 405: not now"),
        "{}",
        printed.stderr
    );
    assert!(
        printed
            .stderr
            .contains("with --resume completes it until 20"),
        "{}",
        printed.stderr
    );
    let left = place.site.at("falcon.sig.incomplete");
    assert_eq!(
        fs::metadata(&left).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(!fs::read_to_string(&left).unwrap().contains("PRIVATE"));
    assert!(!place.exists("falcon.sig"));
    // No token is needed any more, and nothing is done twice.
    let line = "sign falcon --signature falcon.sig --trust-config both.json --resume";
    let printed = place.run(line, 0);
    assert!(
        printed
            .stderr
            .contains("falcon.sig.incomplete is valid for another "),
        "{}",
        printed.stderr
    );
    let whose = "Completing the signature of ";
    assert!(printed.stderr.contains(whose), "{}", printed.stderr);
    assert!(!left.exists());
    place.verify("both.json");
    assert_eq!(place.services.logged(), (6, 10));
    assert_eq!(place.services.asked("fulcio"), 1);
    assert_eq!(place.services.asked("tsa"), 1);
    assert_eq!(place.services.asked("rekor1"), 1);
    // Nothing is left to be completed.
    place.run(line, 1);
}

#[test]
fn a_pause_that_is_too_long_and_an_answer_that_is_too_long_end_the_signing_at_once() {
    for (service, fault, said) in [
        (
            "rekor1",
            Fault::Status(429, Some(3600)),
            "retry after 3600 s",
        ),
        ("rekor1", Fault::Oversized, "longer than 1048576 bytes"),
        ("tsa", Fault::Oversized, "longer than 262144 bytes"),
        ("fulcio", Fault::Oversized, "longer than 262144 bytes"),
        ("fulcio", Fault::Status(401, None), "answered 401: not now"),
        ("fulcio", Fault::Echo, "/api/v2/signingCert: answered 403\n"),
    ] {
        let place = Place::new();
        place.services.fail(service, &[fault]);
        let printed = place.sign("v1.json", 1);
        assert!(printed.stderr.contains(said), "{}", printed.stderr);
        assert_eq!(place.exists("falcon.sig.incomplete"), service != "fulcio");
        assert_eq!(place.services.asked(service), 1);
    }
}

#[test]
fn a_certificate_that_has_expired_is_not_resumed() {
    let place = Place::new();
    let signing = Signing {
        entries: 0,
        ..Signing::v1()
    };
    let bundle = place.services.sigstore.sign(&payload(), &signing);
    place
        .site
        .write("falcon.sig.incomplete", &bundle.to_string());
    let line = "sign falcon --signature falcon.sig --trust-config v1.json --resume";
    let printed = place.run(line, 1);
    assert!(
        printed
            .stderr
            .contains("falcon.sig.incomplete: its certificate has expired at 2025-06-01T00:10:00Z"),
        "{}",
        printed.stderr
    );
    // One of another kind, one by another key, and none.
    let mut forged = bundle;
    forged["verificationMaterial"] = json!({"publicKey": {"hint": "x"}, "tlogEntries": []});
    for (text, said) in [
        (forged.to_string(), "it is signed with"),
        ("{}".to_owned(), "not a Sigstore bundle"),
    ] {
        place.site.write("falcon.sig.incomplete", &text);
        let printed = place.run(line, 1);
        assert!(printed.stderr.contains(said), "{}", printed.stderr);
    }
    place.run(
        "sign falcon --signature - --trust-config v1.json --resume",
        2,
    );
    assert_eq!(place.services.state().requests.len(), 0);
}

#[test]
fn what_an_earlier_run_left_in_the_model_is_never_signed() {
    let place = Place::new();
    let line = "sign falcon --signature falcon/model.sig --identity-token-file token --trust-config v1.json";
    place.services.fail("rekor1", &[Fault::Status(405, None)]);
    place.run(line, 1);
    let printed = place.run(line, 1);
    assert!(
        printed
            .stderr
            .contains("falcon/model.sig.incomplete is in the model"),
        "{}",
        printed.stderr
    );
    place.run(&format!("{line} --resume"), 0);
    assert!(!place.exists("falcon/model.sig.incomplete"));
    place.site.expect(&format!("verify falcon --signature falcon/model.sig --identity {IDENTITY} --identity-provider {ISSUER} --trust-config v1.json --strict"), 0);
}

#[test]
fn a_draft_that_was_changed_is_never_called_signed() {
    let place = Place::new();
    place.services.fail("rekor1", &[Fault::Status(405, None)]);
    place.sign("v1.json", 1);
    let left = place.site.at("falcon.sig.incomplete");
    let draft: Value = serde_json::from_slice(&fs::read(&left).unwrap()).unwrap();
    for (from, to, said) in [
        ("weights", "poisons", "is of another model: "),
        (
            "\"allow_symlinks\": false",
            "\"allow_symlinks\": true",
            "at the signature: ",
        ),
    ] {
        let mut draft = draft.clone();
        let text = draft["dsseEnvelope"]["payload"].as_str().unwrap();
        let text = String::from_utf8(unbase64(text)).unwrap();
        assert!(text.contains(from), "{text}");
        draft["dsseEnvelope"]["payload"] = base64(text.replace(from, to)).into();
        fs::write(&left, draft.to_string()).unwrap();
        let line = "sign falcon --signature falcon.sig --trust-config v1.json --resume";
        let printed = place.run(line, 1);
        assert!(printed.stderr.contains(said), "{}", printed.stderr);
        assert!(!place.exists("falcon.sig"));
    }
}

#[test]
fn the_signature_goes_to_standard_output_and_other_authorities_are_asked_too() {
    let place = Place::new();
    let tsa = {
        let config = place.services.trust_config(&[], |_| ());
        config["signingConfig"]["tsaUrls"][0]["url"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let line = format!(
        "sign falcon --signature - --identity-token-file token --trust-config v2.json --tsa-url {tsa}"
    );
    let printed = place.run(&line, 0);
    let bundle: Value = serde_json::from_str(&printed.stdout).unwrap();
    let stamps = &bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"];
    assert_eq!(stamps.as_array().map(Vec::len), Some(2));
    assert!(
        printed.stderr.contains("Signing succeeded"),
        "{}",
        printed.stderr
    );
    assert!(since() > 0);
}
