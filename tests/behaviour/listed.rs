//! `findings list` and `findings ack` with their filters, and what help and man pages hold.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::binary::{Site, text};
use crate::world::{Signer, other_leaves};

/// A site whose log was read: a mail and three workflow runs.
fn read() -> Site {
    let site = Site::new();
    site.log.grow(Signer::ALL.map(|signer| signer.signs(0)));
    site.log.grow(other_leaves(3));
    let pass = site.run(&["monitor", "--once"]);
    assert_eq!(pass.status.code(), Some(1), "{}", text(&pass.stderr));
    site
}

/// The indices that a listing with these arguments shows.
#[track_caller]
fn listed(site: &Site, arguments: &[&str]) -> BTreeSet<u64> {
    let arguments = [&["findings", "list", "--json"], arguments].concat();
    let listed = site.run(&arguments);
    assert_eq!(listed.status.code(), Some(0), "{}", text(&listed.stderr));
    text(&listed.stdout)
        .lines()
        .map(|line| {
            let finding: Value = serde_json::from_str(line).unwrap();
            finding["index"].as_u64().unwrap()
        })
        .collect()
}

#[test]
fn what_is_listed_is_open_and_meets_every_filter() {
    let site = read();
    let all = BTreeSet::from([0, 1, 2, 3]);
    for (arguments, expected) in [
        (&[][..], &[0, 1, 2, 3][..]),
        (&["--all"], &[0, 1, 2, 3]),
        (&["--watch", "mail"], &[2]),
        (&["--watch", "mail", "--watch", "release"], &[0, 1, 2, 3]),
        (&["--verdict", "untrusted-chain"], &[]),
        (
            &["--verdict", "silence", "--verdict", "identity-unexpected"],
            &[0, 1, 2, 3],
        ),
        (&["--severity", "high"], &[0, 1, 2, 3]),
        (&["--severity", "critical"], &[]),
        (&["--severity", "low"], &[0, 1, 2, 3]),
        (&["--state", "held"], &[]),
        (&["--state", "open", "--state", "acked"], &[0, 1, 2, 3]),
        (&["--since", "1h"], &[0, 1, 2, 3]),
        (&["--since", "2999-01-01"], &[]),
        (&["--san", "RELEASE@acme.example"], &[2]),
        (&["--san", "*@refs/heads/*"], &[1]),
        (&["--san", "*@refs/*", "--severity", "high"], &[0, 1, 3]),
        (&["--digest", "sha256:00"], &[]),
        (&["--limit", "2"], &[0, 1]),
    ] {
        let expected: BTreeSet<u64> = expected.iter().copied().collect();
        assert_eq!(listed(&site, arguments), expected, "{arguments:?}");
    }
    let digest = site.findings()[2]["digest"].as_str().unwrap().to_owned();
    assert!(listed(&site, &["--digest", &digest]).contains(&2));
    let hex = digest.rsplit(':').next().unwrap().to_ascii_uppercase();
    assert!(listed(&site, &["--digest", &hex]).contains(&2));

    let reason = ["--reason", "known"];
    let ack = |arguments: &[&str]| {
        let ack = site.run(&[&["findings", "ack"], arguments, &reason].concat());
        assert_eq!(ack.status.code(), Some(0), "{}", text(&ack.stderr));
        text(&ack.stdout)
    };
    assert_eq!(ack(&["--san", "*@refs/heads/*"]), "1 acknowledged\n");
    assert_eq!(ack(&["--san", "*@refs/heads/*"]), "0 acknowledged\n");
    assert_eq!(listed(&site, &[]), BTreeSet::from([0, 2, 3]));
    assert_eq!(listed(&site, &["--all"]), all);
    assert_eq!(listed(&site, &["--state", "acked"]), BTreeSet::from([1]));
    assert_eq!(ack(&["--san", "*@refs/*", "--all"]), "2 acknowledged\n");
    assert_eq!(ack(&["--all"]), "1 acknowledged\n");
    assert_eq!(listed(&site, &[]), BTreeSet::new());
    let nothing = site.run(&["findings", "list"]);
    assert!(text(&nothing.stdout).starts_with("no open findings (--all shows"));
}

#[test]
fn a_person_reopens_and_notes_by_the_same_filters_and_the_history_has_the_names() {
    let site = read();
    let run = |arguments: &[&str]| {
        let done = site.run(arguments);
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
        text(&done.stdout)
    };
    let reason = ["--reason", "why", "--author", "Jane\u{202e}"];
    let branch = ["--identity", "*@refs/heads/*"];
    let do_it = |what: &str| run(&[&["findings", what], &branch[..], &reason].concat());
    assert_eq!(do_it("ack"), "1 acknowledged\n");
    assert_eq!(do_it("note"), "0 noted\n");
    assert_eq!(do_it("reopen"), "1 reopened\n");
    assert_eq!(do_it("note"), "1 noted\n");
    let shown = run(&["findings", "list", "--json", "--identity", "*@refs/heads/*"]);
    let finding: Value = serde_json::from_str(shown.trim_end()).unwrap();
    let id = finding["id"].as_str().unwrap();
    let rows: Vec<Value> = run(&["findings", "history", &id[..8], "--json"])
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let actions: Vec<_> = rows
        .iter()
        .map(|row| row["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["seen", "ack", "reopen", "note"]);
    let fields: Vec<_> = rows[1].as_object().unwrap().keys().collect();
    let mut expected = [
        "at", "author", "action", "state", "verdict", "severity", "reason",
    ];
    expected.sort_unstable();
    assert_eq!(fields, expected);
    assert_eq!(rows[0]["author"], Value::Null);
    assert_eq!(rows[1]["author"], "Jane\u{202e}");
    assert_eq!(rows[1]["state"], "acked");
    let people = run(&["findings", "history", id]);
    assert!(
        people.contains("note by Jane") && !people.contains('\u{202e}'),
        "{people}"
    );
    // The second time there is nothing to do; what cannot be done is exit code 2.
    let again = run(&[&["findings", "reopen", id], &reason[..]].concat());
    assert!(again.ends_with("was open before\n0 reopened\n"), "{again}");
    let empty = site.run(&["findings", "note", id, "--reason", " "]);
    assert_eq!(empty.status.code(), Some(2));
    let nameless = site.run(&["findings", "note", id, "--reason", "x", "--author", ""]);
    assert_eq!(nameless.status.code(), Some(2));
}

#[test]
fn a_filter_that_means_nothing_is_refused() {
    let site = read();
    for (arguments, reported) in [
        (&["list", "--verdict", "bad"][..], "invalid value 'bad'"),
        (&["list", "--severity", "urgent"], "possible values: info"),
        (&["list", "--state", "new"], "possible values: open"),
        (&["list", "--since", "tomorrow"], "write a date such as"),
        (
            &["list", "--digest", "sha256:xyz"],
            "a digest is sha256:HEX",
        ),
        (&["list", "--digest", ""], "a digest is sha256:HEX"),
        (&["list", "--san", ""], "a name has 1 to"),
        (&["list", "--all", "--state", "open"], "cannot be used with"),
        (
            &["ack", "--reason", "x"],
            "required arguments were not provided",
        ),
        (
            &["ack", "aaaa", "--watch", "mail", "--reason", "x"],
            "cannot be used with",
        ),
        (&["ack", "--watch", "mail"], "--reason"),
        (
            &["ack", "--watch", "mail", "--reason", " "],
            "--reason is empty",
        ),
    ] {
        let refused = site.run(&[&["findings"], arguments].concat());
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        let stderr = text(&refused.stderr);
        assert!(stderr.contains(reported), "{arguments:?}: {stderr}");
    }
    assert_eq!(listed(&site, &[]).len(), 4);
}

#[test]
fn every_man_page_has_examples_and_explains_the_exit_codes() {
    let site = Site::new();
    let pages = site.path().join("man");
    std::fs::create_dir(&pages).unwrap();
    let written = site.run(&["man", "man"]);
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    let mut names = BTreeSet::new();
    for page in std::fs::read_dir(&pages).unwrap() {
        let page = page.unwrap().path();
        let roff = std::fs::read_to_string(&page).unwrap();
        for section in [
            "NAME",
            "SYNOPSIS",
            "OPTIONS",
            "EXAMPLES",
            "EXIT STATUS",
            "VERSION",
        ] {
            let heading = match section.split_once(' ') {
                Some(_) => format!(".SH \"{section}\"\n"),
                None => format!(".SH {section}\n"),
            };
            assert_eq!(
                roff.matches(&heading).count(),
                1,
                "{}: {section}",
                page.display()
            );
        }
        assert!(roff.contains("modelwatch"), "{}", page.display());
        names.insert(page.file_name().unwrap().to_str().unwrap().to_owned());
    }
    for name in [
        "modelwatch.1",
        "modelwatch-findings-ack.1",
        "modelwatch-sign-key.1",
    ] {
        assert!(names.contains(name), "{name}: {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("help")), "{names:?}");
}
