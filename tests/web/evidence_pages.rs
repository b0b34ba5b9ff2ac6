//! What pages show beside a finding, a log and a watch: differences, proofs, notes, conditions, registrations.

use std::fs;
use std::process::Command;

use crate::database;
use crate::pages::{html_of, id, listed};
use crate::site::{FREE_PORT, PROGRAM, Server, Site};

/// A page, as it is written.
fn page_of(server: &Server, address: &str) -> String {
    let answer = server.get(address, &[]);
    html_of(&answer).to_owned()
}

#[track_caller]
fn has(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn a_finding_is_compared_with_the_last_registered_signing_of_its_watch() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    let registered = listed(&site, &["--all", "--verdict", "expected"]).remove(0);
    let findings = listed(&site, &["--verdict", "identity-unexpected"]);
    let trigger = |finding: &serde_json::Value| finding["extensions"]["build_trigger"].clone();
    for finding in &findings {
        let page = page_of(&server, &format!("/findings/{}", id(finding)));
        has(
            &page,
            &[
                "What is different from the last registered signing",
                &format!("/findings/{}", id(&registered)),
                "<th scope=\"row\">workflow</th>",
                "<th scope=\"row\">issuer</th>",
            ],
        );
        let differs = "<tr class=\"differs\"><th scope=\"row\">trigger</th>";
        let is_other = trigger(finding) != trigger(&registered);
        assert_eq!(page.contains(differs), is_other, "{page}");
    }
    let others = findings
        .iter()
        .filter(|one| trigger(one) != trigger(&registered));
    assert!(others.count() > 0, "{findings:?}");
    // There is only one registered signing: it is compared with no other one.
    let page = page_of(&server, &format!("/findings/{}", id(&registered)));
    has(&page, &["there is nothing to compare it with"]);
}

#[test]
fn a_finding_has_its_chain_its_sct_and_its_inclusion() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    let trusted = listed(&site, &["--verdict", "identity-unexpected"]);
    let trusted = trusted
        .iter()
        .find(|one| one["anomalies"] == serde_json::json!([]));
    let page = page_of(&server, &format!("/findings/{}", id(trusted.unwrap())));
    has(
        &page,
        &[
            "issued by an authority of the present trusted root",
            "its signature verifies with the key in the trusted root",
            " hashes lead to the root of the checkpoint of 161 entries.",
            "log2026-1.harbor.example\n161\n",
            "The same identity within a day",
        ],
    );
    let untrusted = listed(&site, &["--verdict", "untrusted-chain"]).remove(0);
    let page = page_of(&server, &format!("/findings/{}", id(&untrusted)));
    has(
        &page,
        &[
            "under the present trusted root: <strong>untrusted</strong>",
            "not checked: without its authority no SCT can be verified",
        ],
    );
    // A certificate that nothing can read, of a version that kept no leaf.
    database::execute(&site, "DELETE FROM kept_leaf", &[]);
    database::execute(&site, "UPDATE signer SET certificate = x'3003020101'", &[]);
    let page = page_of(&server, &format!("/findings/{}", id(&untrusted)));
    has(&page, &["<strong class=\"bad\">cannot be read</strong>"]);
}

#[test]
fn the_evidence_is_a_download_that_verifies_elsewhere() {
    let site = Site::new("");
    let server = site.serve(&FREE_PORT);
    let found = id(&listed(&site, &["--verdict", "identity-unexpected"])[0]);
    let address = format!("/findings/{found}/evidence.tar");
    has(
        &page_of(&server, &format!("/findings/{found}")),
        &[&address],
    );
    let archive = server.get(&address, &[]);
    assert_eq!(archive.status, 200, "{archive:?}");
    assert_eq!(archive.header("content-type"), Some("application/x-tar"));
    let attachment = format!("attachment; filename=\"evidence-{found}.tar\"");
    assert_eq!(archive.header("content-disposition"), Some(&*attachment));
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("it.tar"), &archive.body).unwrap();
    let unpacked = Command::new("tar")
        .args(["-xf", "it.tar"])
        .current_dir(&elsewhere)
        .status();
    assert!(unpacked.unwrap().success());
    let verified = Command::new(PROGRAM)
        .args([
            "verify-evidence",
            &format!("evidence-{found}"),
            "--trusted-root",
        ])
        .arg(site.path("trusted_root.json"))
        .arg("--log-key")
        .arg(site.path("key.pub.pem"))
        .current_dir(&elsewhere)
        .output()
        .unwrap();
    assert!(verified.status.success(), "{verified:?}");

    // Of what has no entry, or no proof, there is no download.
    for (sql, why) in [
        ("UPDATE finding SET proven = 0", "not proven yet"),
        (
            "UPDATE finding SET proven = 1, entry_index = NULL",
            "not about one entry",
        ),
    ] {
        database::execute(&site, sql, &[]);
        let refused = server.get(&address, &[]);
        assert_eq!(refused.status, 409, "{refused:?}");
        has(&refused.body, &[why]);
    }
}

#[test]
fn the_same_identity_is_what_was_found_under_one_name_within_a_day() {
    let site = Site::new("");
    let finding = listed(&site, &["--verdict", "identity-unexpected"]).remove(0);
    let address = format!("/findings/{}", id(&finding));
    // Fourteen more under the name of the first finding, two of them later than a day.
    database::copy_findings(&site, 0..14);
    database::execute(
        &site,
        "UPDATE finding SET signer = (SELECT signer FROM finding WHERE hex(id) = upper($1)) WHERE entry_index >= 1000000",
        &[&id(&finding)],
    );
    database::execute(
        &site,
        "UPDATE finding SET first_seen = first_seen + 90000000000 WHERE entry_index >= 1000012",
        &[],
    );
    let server = site.serve(&FREE_PORT);
    let page = page_of(&server, &address);
    let (_, same) = page.split_once("id=\"same\"").unwrap();
    let (count, _) = same.split_once(" other findings within a day").unwrap();
    let count: usize = count.rsplit('>').next().unwrap().parse().unwrap();
    let of_demo = listed(&site, &["--all"])
        .iter()
        .filter(|one| one["san"] == finding["san"] && one["index"].as_u64() < Some(1_000_000))
        .count();
    assert_eq!(count, of_demo - 1 + 12);
    has(&page, &["; the nearest 10"]);
    // Alone under its name.
    database::execute(
        &site,
        "UPDATE finding SET signer = NULL WHERE hex(id) <> upper($1)",
        &[&id(&finding)],
    );
    let page = page_of(&server, &address);
    has(&page, &["Nothing else was found under this identity"]);
}

#[test]
fn a_log_has_its_checkpoints_and_its_faults_with_both_notes() {
    let site = Site::new("");
    database::copy_findings(&site, 0..1);
    for sql in [
        "UPDATE finding SET verdict = 'log-fault', fault = 'fork', entry_index = NULL, watch = NULL WHERE entry_index = 1000000",
        "INSERT INTO evidence (finding, ordinal, kind, body) SELECT number, 0, 'note', CAST('one note <' AS BLOB) FROM finding WHERE verdict = 'log-fault'",
        "INSERT INTO evidence (finding, ordinal, kind, body) SELECT number, 1, 'note', CAST('another note' AS BLOB) FROM finding WHERE verdict = 'log-fault'",
    ] {
        database::execute(&site, sql, &[]);
    }
    let server = site.serve(&FREE_PORT);
    let page = page_of(&server, "/logs/recorded");
    has(
        &page,
        &[
            "161 entries, recorded <time",
            "log2026-1.harbor.example\n161\n",
            "Signed note 1 of 2",
            "one note &lt;\n",
            "another note\n",
        ],
    );
    assert!(!page.contains("has not contradicted"));
}

#[test]
fn a_watch_says_what_it_selects_in_words_and_what_is_registered() {
    let site = Site::new(
        "[[watch]]\nname = \"several\"\nissuer = [\"https://a.example\", \"https://b.example\"]\nseverity = \"low\"\nhold = \"90m\"\nnotify = [\"terminal\"]\nshape = { san = \"jane@example.com\" }\nany = [{ san_regex = \"jane@.*\" }, { key_sha256 = \"0101010101010101010101010101010101010101010101010101010101010101\" }]\n",
    );
    let server = site.serve(&FREE_PORT);
    let page = page_of(&server, "/watches/falcon-release");
    has(
        &page,
        &[
            "its name, with any text for * and in any case, is <code>https://github.com/harbor-ml-example/falcon/*</code>",
            "build_trigger in its certificate is <code>release</code>",
            "<strong>operator</strong>",
            "falcon-7b.model.sig",
            "the beginning of the log",
            "not at all: it alerts at once",
        ],
    );
    let page = page_of(&server, "/watches/several");
    has(
        &page,
        &[
            "the OpenID provider that confirmed the name is one of <code>https://a.example</code>, <code>https://b.example</code>",
            ", and one of the alternatives below",
            "Alternative 2 of 2",
            "its whole name matches the regular expression <code>jane@.*</code>",
            "the SHA-256 of its public key is <code>0101",
            "its name is <code>jane@example.com</code>",
            "up to 90 minutes for its registration",
            "<dd>terminal</dd>",
        ],
    );
}
